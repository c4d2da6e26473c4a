"""What a simulated portal is made of, as data: properties, association types, pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from crm_bridge_hubspot.kinds import ASSOCIATIONS, GROUP, MARKER, OBJECTS, PRIOR_ID, REASON

PROJECTS: Final = "2-9000001"
"""The portal's custom object, `p_projects`."""

ALIASES: Final = {
    **{spelling: one.name for one in OBJECTS for spelling in (one.name, one.singular, one.type_id)},
    PROJECTS: PROJECTS,
    "p_projects": PROJECTS,
    "projects": PROJECTS,
}
"""Every spelling that a path may use, to the kind."""

TYPE_IDS: Final = {**{one.name: one.type_id for one in OBJECTS}, PROJECTS: PROJECTS}
MODIFIED: Final = {
    **{one.name: one.modified for one in OBJECTS},
    PROJECTS: "hs_lastmodifieddate",
}
SHOWN: Final = {
    **{one.name: one.shown or ("createdate", one.modified, "hs_object_id") for one in OBJECTS},
    PROJECTS: ("createdate", "hs_lastmodifieddate", "hs_object_id"),
}


class Property(NamedTuple):
    """A property as the portal keeps it.

    Attributes:
        name: Its internal name.
        type: string, number, date, datetime, enumeration, bool.
        flags: `r` read-only, `c` calculated, `s` sensitive, `h` highly sensitive, `u` unique.
        options: Values of an enumeration, each with its label.
        label: For people.
        group: The group it stands in.
    """

    name: str
    type: str = "string"
    flags: str = ""
    options: tuple[tuple[str, str], ...] = ()
    label: str = ""
    group: str = ""

    @property
    def sensitivity(self) -> str:
        """The class that `dataSensitivity` asks for."""
        return (
            "sensitive"
            if "s" in self.flags
            else "highly_sensitive"
            if "h" in self.flags
            else "non_sensitive"
        )

    @property
    def private(self) -> bool:
        """Whether it takes a scope of its own to see it."""
        return bool(set(self.flags) & {"s", "h"})

    @property
    def writable(self) -> bool:
        """Whether a client may set it."""
        return not set(self.flags) & {"r", "c"}


LIFECYCLE: Final = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer",
    "evangelist", "other",
)  # fmt: skip
"""The default stages, in the order that records may only move forward in."""

_ENUMS: Final[Mapping[str, str]] = {
    "lifecyclestage": " ".join(LIFECYCLE),
    "hs_lead_status": "NEW OPEN IN_PROGRESS UNQUALIFIED CONNECTED",
    "hs_ticket_priority": "LOW MEDIUM HIGH",
    "hs_ticket_category": "PRODUCT_ISSUE BILLING_ISSUE FEATURE_REQUEST GENERAL_INQUIRY",
    "hs_task_status": "NOT_STARTED IN_PROGRESS WAITING COMPLETED DEFERRED",
    "hs_task_priority": "LOW MEDIUM HIGH",
    "hs_call_status": "COMPLETED NO_ANSWER CANCELED",
    "hs_meeting_outcome": "SCHEDULED COMPLETED NO_SHOW CANCELED",
    "hs_email_direction": "EMAIL INCOMING_EMAIL FORWARDED_EMAIL",
    "hs_status": "DRAFT APPROVAL_NOT_NEEDED PENDING_APPROVAL",
    "hs_lead_type": "NEW_BUSINESS UPSELL RE_ATTEMPTING",
}

_OWN: Final[Mapping[str, str]] = {
    "contacts": """email::u firstname lastname phone jobtitle company website city address message
        hs_lead_status:enumeration lifecyclestage:enumeration annualrevenue:number
        account_number:number date_of_birth:date hs_additional_emails hs_marketable_status:string:r
        hs_full_name_or_email:string:c num_associated_deals:number:c
        hs_calculated_merged_vids:string:r
        national_id:string:s health_note:string:h""",
    "companies": """name domain phone website industry city address numberofemployees:number
        annualrevenue:number description lifecyclestage:enumeration hs_lead_status:enumeration
        account_number:number num_associated_contacts:number:c num_associated_deals:number:c""",
    "deals": """dealname amount:number dealstage:enumeration pipeline:enumeration closedate:datetime
        description deal_currency_code hs_is_closed:bool:c hs_closed_amount:number:c
        num_associated_contacts:number:c""",
    "tickets": """subject content hs_pipeline:enumeration hs_pipeline_stage:enumeration
        hs_ticket_category:enumeration hs_ticket_priority:enumeration hs_is_closed:bool:c""",
    "products": "name description price:number hs_sku hs_cost_of_goods_sold:number",
    "line_items": "name quantity:number price:number hs_product_id hs_sku amount:number:c",
    "quotes": "hs_title hs_expiration_date:date hs_status:enumeration hs_currency",
    "notes": "hs_note_body hs_timestamp:datetime",
    "calls": """hs_call_title hs_call_body hs_timestamp:datetime hs_call_duration:number
        hs_call_status:enumeration hs_call_recording_url""",
    "tasks": """hs_task_subject hs_task_body hs_task_status:enumeration hs_task_priority:enumeration
        hs_timestamp:datetime""",
    "meetings": """hs_meeting_title hs_meeting_body hs_timestamp:datetime
        hs_meeting_start_time:datetime hs_meeting_end_time:datetime
        hs_meeting_outcome:enumeration""",
    "emails": """hs_email_subject hs_email_text hs_timestamp:datetime
        hs_email_direction:enumeration""",
    "communications": "hs_communication_channel_type hs_communication_body hs_timestamp:datetime",
    "leads": """hs_lead_name hs_lead_type:enumeration hs_lead_label hs_pipeline:enumeration
        hs_pipeline_stage:enumeration lead_source phone email company""",
    PROJECTS: "project_name project_code::u budget:number starts_on:date",
}

_COMMON: Final = """hubspot_owner_id hs_object_id:number:r createdate:datetime:r
    hs_merged_object_ids:string:r hs_created_by_user_id:number:r"""

PIPELINES: Final[Mapping[str, tuple[tuple[str, str, tuple[tuple[str, str, bool], ...]], ...]]] = {
    "deals": (
        ("default", "Sales Pipeline", (
            ("appointmentscheduled", "Appointment Scheduled", False),
            ("qualifiedtobuy", "Qualified To Buy", False),
            ("contractsent", "Contract Sent", False),
            ("closedwon", "Closed Won", True),
            ("closedlost", "Closed Lost", True),
        )),
        ("75e28846", "Put away", (("1297155", "Void", True), ("1297156", "Archive", True))),
    ),
    "tickets": (
        ("0", "Support Pipeline", (
            ("1", "New", False), ("2", "Waiting on contact", False), ("4", "Closed", True),
        )),
    ),
    "leads": (
        ("lead-pipeline-id", "Lead Pipeline", (
            ("new-stage-id", "New", False), ("attempting-stage-id", "Attempting", False),
            ("unqualified-stage-id", "Disqualified", True),
        )),
    ),
}  # fmt: skip
"""Kind to (id, label, stages); a stage is (id, label, closed)."""

STAGE_OF: Final = {
    "deals": ("pipeline", "dealstage"),
    "tickets": ("hs_pipeline", "hs_pipeline_stage"),
    "leads": ("hs_pipeline", "hs_pipeline_stage"),
}


def _options(kind: str, name: str) -> tuple[tuple[str, str], ...]:
    if kind in STAGE_OF and name in STAGE_OF[kind]:
        lines = PIPELINES[kind]
        if name == STAGE_OF[kind][0]:
            return tuple((id, label) for id, label, _ in lines)
        return tuple((id, label) for _, _, stages in lines for id, label, _ in stages)
    return tuple((value, value.replace("_", " ").title()) for value in _ENUMS[name].split())


def _parsed(kind: str) -> Iterator[Property]:
    modified = f"{MODIFIED[kind]}:datetime:r"
    for word in f"{_OWN[kind]} {_COMMON} {modified}".split():
        name, _, rest = word.partition(":")
        type, _, flags = rest.partition(":")
        options = _options(kind, name) if type == "enumeration" else ()
        yield Property(
            name, type or "string", flags, options, name.replace("_", " ").title(), f"{kind}info"
        )


PROPERTIES: Final = {kind: {p.name: p for p in _parsed(kind)} for kind in _OWN}
"""Kind to name to definition, without what an integration added."""

MARKS: Final = {
    p.name: p
    for p in (
        Property(MARKER, "enumeration", "", (("void", "Void"), ("archived", "Archived")),
                 "CRM bridge status", GROUP),
        Property(REASON, "string", "", (), "CRM bridge reason", GROUP),
        Property(PRIOR_ID, "string", "u", (), "CRM bridge prior id", GROUP),
    )
}  # fmt: skip
"""What `setup` makes; the switch `marker_field` takes it away."""


class LinkType(NamedTuple):
    """One direction of an association type of this portal."""

    from_kind: str
    to_kind: str
    category: str
    type_id: int
    inverse: int
    label: str | None
    primary: bool = False

    @property
    def name(self) -> str:
        """How /__control__/records names it."""
        return f"{self.category}/{self.type_id}"


def _labelled(one: str, other: str, there: int, back: int, label: str | None,
              inverse: str | None = None) -> tuple[LinkType, LinkType]:  # fmt: skip
    return (
        LinkType(one, other, "USER_DEFINED", there, back, label),
        LinkType(other, one, "USER_DEFINED", back, there, inverse or label),
    )


# Leads, parents and same-kind ids are not in the client's list: 13, 14, 449, 450, 578 and 610 are
# HubSpot's as far as remembered, and nothing depends on their being so.
_BESIDES: Final = (
    ("contacts", "contacts", 449, 449), ("companies", "companies", 450, 450),
    ("leads", "contacts", 578, 579), ("leads", "companies", 610, 611),
    ("leads", "notes", 855, 854), ("leads", "tasks", 647, 646), ("leads", "calls", 597, 596),
)  # fmt: skip


def _types() -> Iterator[LinkType]:
    for a in ASSOCIATIONS:
        label = "Primary" if a.primary else None
        yield LinkType(
            a.from_kind, a.to_kind, "HUBSPOT_DEFINED", a.type_id, a.inverse, label, a.primary
        )
    for one, other, there, back in _BESIDES:
        yield LinkType(one, other, "HUBSPOT_DEFINED", there, back, None)
        if one != other:
            yield LinkType(other, one, "HUBSPOT_DEFINED", back, there, None)
    yield LinkType("companies", "companies", "HUBSPOT_DEFINED", 13, 14, "Child Company")
    yield LinkType("companies", "companies", "HUBSPOT_DEFINED", 14, 13, "Parent Company")
    yield from _labelled("contacts", "companies", 101, 102, "Decision maker")
    yield from _labelled("contacts", "companies", 103, 104, "决策人")
    yield from _labelled("deals", "contacts", 105, 106, "Billing contact")
    yield from _labelled("contacts", "contacts", 107, 108, "Manager", "Report")
    yield from _labelled(PROJECTS, "companies", 201, 202, None)
    yield from _labelled(PROJECTS, "contacts", 203, 204, None)
    yield from _labelled(PROJECTS, "contacts", 205, 206, "Sponsor")


LINK_TYPES: Final = tuple(_types())
BY_PAIR: Final[Mapping[tuple[str, str], Mapping[tuple[str, int], LinkType]]] = {
    (a, b): {(t.category, t.type_id): t for t in LINK_TYPES if (t.from_kind, t.to_kind) == (a, b)}
    for a, b in {(t.from_kind, t.to_kind) for t in LINK_TYPES}
}
BY_LINK_NAME: Final = {(t.from_kind, t.to_kind, t.name): t for t in LINK_TYPES}


def inverse_of(type: LinkType) -> LinkType:
    """The same association, read from its other end."""
    return BY_PAIR[type.to_kind, type.from_kind][type.category, type.inverse]


def plain_type(one: str, other: str) -> LinkType | None:
    """The association without a label between two kinds, which a labelled one brings along."""
    types = BY_PAIR.get((one, other), {}).values()
    return next((t for t in types if t.label is None), None)


def definition(property: Property) -> dict[str, Any]:
    """A property as GET /crm/v3/properties shows it."""
    fields = {"string": "text", "enumeration": "select", "number": "number", "date": "date",
              "datetime": "date", "bool": "booleancheckbox"}  # fmt: skip
    flags = property.flags
    return {
        "name": property.name,
        "label": property.label,
        "type": property.type,
        "fieldType": fields.get(property.type, "text"),
        "description": "",
        "groupName": property.group,
        "options": [
            {"label": label, "value": value, "displayOrder": at, "hidden": False}
            for at, (value, label) in enumerate(property.options)
        ],
        "displayOrder": -1,
        "calculated": "c" in flags,
        "externalOptions": False,
        "hasUniqueValue": "u" in flags and property.name != "email",
        "hidden": False,
        "hubspotDefined": property.group != GROUP,
        "modificationMetadata": {
            "archivable": property.group == GROUP,
            "readOnlyDefinition": property.group != GROUP,
            "readOnlyOptions": property.group != GROUP,
            "readOnlyValue": not property.writable,
        },
        "formField": False,
        "dataSensitivity": property.sensitivity,
        "archived": False,
    }
