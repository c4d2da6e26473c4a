"""What is true of HubSpot: its lifecycle as a table, its relations, its rates. Facts, no I/O.

Our words go by effect. What HubSpot's API calls *archive* is our `delete`; what it calls permanent
delete is our `purge`; our `void` and `archive` are marks that we write.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from crm_bridge.kit import (
    Capability,
    CascadeRule,
    Effect,
    LossRule,
    Measure,
    Operation,
    Profile,
    Rate,
    RecoveryWindow,
    State,
    Support,
    Undo,
)
from crm_bridge_hubspot.chinese import CHINESE
from crm_bridge_hubspot.kinds import ASSOCIATIONS, MARKER, PRIOR_ID

CHECKED: Final = date(2026, 11, 24)

_DOCS: Final = "https://developers.hubspot.com/docs/api-reference"
_KNOWLEDGE: Final = "https://knowledge.hubspot.com"
CONTACTS_GUIDE: Final = f"{_DOCS}/latest/crm/objects/contacts/guide"
BATCH_ARCHIVE: Final = f"{_DOCS}/2026-03/crm/objects/contacts/batch/delete-contacts"
BIN: Final = f"{_KNOWLEDGE}/records/restore-deleted-records"
DELETING: Final = f"{_KNOWLEDGE}/contacts/delete-a-list-of-contacts"
CONTACT_LOSSES: Final = (
    f"{_KNOWLEDGE}/privacy-and-consent/understand-restorable-and-permanent-contact-deletions"
)
GDPR: Final = f"{_KNOWLEDGE}/privacy-and-consent/how-do-i-perform-a-gdpr-delete-in-hubspot"
GDPR_CALL: Final = (
    "https://developers.hubspot.com/changelog/"
    "changes-to-the-gdpr-deletion-endpoints-for-the-crm-contact-object-api"
)
LISTS: Final = f"{_KNOWLEDGE}/de/contacts/restore-deleted-contacts-companies-deals-or-tickets"
ERRORS: Final = f"{_DOCS}/error-handling"
LIMITS: Final = "https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines"
SUNSETS: Final = (
    "https://developers.hubspot.com/changelog/"
    "legacy-apis-and-legacy-apps-whats-going-unsupported-and-when"
)

BIN_DAYS: Final = 90
"""Days that a deleted record lies in the recycling bin (BIN)."""

SUNSET: Final = {
    "v4 associations": date(2027, 3, 30),
    "v3 paths": date(2027, 9, 1),
    "OAuth v1": date(2027, 2, 16),
}
"""The days from which HubSpot supports these no longer (SUNSETS); of v3 it names the month."""

PATH_VERSIONS: Final = ("v3", "2026-03", "2026-09")
"""Path versions that can be chosen; the two dated ones are generally available (SUNSETS)."""

BATCH: Final = 100
"""Records that one `batch/read`, `batch/update`, `batch/create`, `batch/archive` takes."""
READ: Final = 1000
"""Records that we read at once: ten `batch/read`, and a call for each kind that links lead to."""
READ_CALLS: Final = 25
"""Calls that one such read makes: fifteen kinds are linked with, where a portal has no others."""
LINKS_BATCH: Final = 1000
"""Records that one associations `batch/read` takes since 2025-02-10
(https://developers.hubspot.com/changelog/bug-fix-batch-read-limit-for-hubspot-associations-api)."""
TIES_BATCH: Final = 2000
"""Pairs that one associations `batch/create` takes."""

SEARCH: Final = "search"
"""The interface whose calls are counted alone: five a second for a whole portal, with every other
app that searches in it; we take four."""

SEARCH_RATE: Final = Rate(calls=4, seconds=1, interface=SEARCH)
RATES: Final = (Rate(calls=100, seconds=10), SEARCH_RATE)
"""The rates of the smallest plan (LIMITS); a portal tells its own by its answers' headers."""

_THERE: Final = (State.LIVE, State.VOIDED, State.ARCHIVED)
_AS_IT_WAS: Final = RecoveryWindow(Undo.SAME_ID)
_IN_THE_BIN: Final = RecoveryWindow(Undo.BY_HAND, BIN_DAYS, guaranteed=True)

_MARK: Final = (
    "HubSpot has no such state; crm_bridge_status is written (crm-bridge setup makes it), or "
    "fields named in the settings. Workflows that watch a marked field do run; on 2026-09 paths "
    "an administrator's rules for required properties apply to the write."
)
_DELETE: Final = (
    "HubSpot's word is archive. Associated records stay, their associations go. Only a person "
    "brings it back, in the recycling bin, with account access and the right to add and edit "
    "users; static list memberships and call recordings never come back."
)
_PURGE: Final = (
    "The contact, its activities' links and its associations go for good, at once for users and "
    "within 30 days in HubSpot's stores; its e-mail is put on a blocklist, so that pages and "
    "imports refuse to add the person again. It is asked for by record id and never by e-mail."
)
_NO_PURGE: Final = (
    "HubSpot's API purges contacts only. Delete it: HubSpot purges it by itself 90 days later, "
    "and a person can do so at once in the recycling bin (Permanently delete)."
)
_BY_HAND: Final = (
    "No call of HubSpot's restores a record. A person does, in the recycling bin, within 90 days; "
    "a contact only while no active contact holds its e-mail."
)
_REMADE: Final = (
    "Lost: id, creation date and source, property history, list memberships, recordings, form and "
    "e-mail history, marketing status. A remade contact takes the e-mail, and the recycling bin "
    "then refuses to restore the original. One whose person was erased must not be made anew."
)


def _row(operation: Operation, support: Support, source: str = "", **facts: Any) -> Capability:
    return Capability(operation, support, source=source, checked=CHECKED, **facts)


_WRITES: Final = ("crm.objects.<kind>.write",)

CAPABILITIES: Final = (
    _row(Operation.VOID, Support.MARKED, CONTACTS_GUIDE, takes=(State.LIVE,), gives=State.VOIDED,
         batch=BATCH, window=_AS_IT_WAS, needs=_WRITES, means="batch/update", note=_MARK),
    _row(Operation.ARCHIVE, Support.MARKED, CONTACTS_GUIDE, takes=(State.LIVE,),
         gives=State.ARCHIVED, batch=BATCH, window=_AS_IT_WAS, needs=_WRITES,
         means="batch/update", note=_MARK),
    _row(Operation.DELETE, Support.NATIVE, BATCH_ARCHIVE, takes=_THERE, gives=State.DELETED,
         batch=BATCH, window=_IN_THE_BIN, needs=_WRITES, means="batch/archive", note=_DELETE),
    _row(Operation.PURGE, Support.NATIVE, GDPR_CALL, kinds=("contacts",), takes=_THERE,
         gives=State.GONE, batch=1, erases=True, needs=("crm.objects.contacts.write",),
         means="gdpr-delete",
         note=f"{_PURGE} Whether it takes a contact out of the bin nobody says; a person can."),
    _row(Operation.PURGE, Support.NEVER, CONTACTS_GUIDE, note=_NO_PURGE),
    _row(Operation.RESTORE, Support.MARKED, CONTACTS_GUIDE, takes=(State.VOIDED, State.ARCHIVED),
         gives=State.LIVE, batch=BATCH, needs=_WRITES, means="batch/update",
         note="The marked fields get their old values back, exactly."),
    _row(Operation.RESTORE, Support.BY_HAND, BIN, takes=(State.DELETED,), gives=State.LIVE,
         note=_BY_HAND),
    _row(Operation.RESTORE, Support.REMADE, CONTACTS_GUIDE, takes=(State.DELETED, State.GONE),
         gives=State.LIVE, batch=BATCH, needs=_WRITES, means="batch/create", note=_REMADE),
)  # fmt: skip

_ACTIVITIES: Final = ("calls", "emails", "meetings", "notes", "tasks")
PARENTS: Final = ("contacts", "companies", "deals", "tickets")
"""Kinds whose associations the profile itself tells; an account tells those of the others too."""


_UNSAID: Final = (("deals", "line_items"), ("deals", "quotes"))
"""Pairs of which nobody says whether the other record outlives a delete; kept to be safe."""


def rule(kind: str, child: str, via: str) -> CascadeRule:
    """What a delete does to an association: the other record stays, the association goes.

    Args:
        kind: The kind that is deleted.
        child: The kind at the far end.
        via: The association, as `Link.name` has it.
    """
    activity = kind == "contacts" and child in _ACTIVITIES
    if (kind, child) in _UNSAID:
        return CascadeRule(
            kind, child, via, Effect.MAY_FOLLOW, None, Operation.DELETE, DELETING,
            "By HubSpot's rule they stay without their deal; of these nobody has confirmed it.",
        )  # fmt: skip
    return CascadeRule(
        kind, child, via, Effect.DETACHES,
        True if activity else None,
        Operation.DELETE,
        CONTACT_LOSSES if activity else DELETING,
        "They stay; their associations with it go."
        + ("" if activity else " Whether a restore in the page brings those back nobody says."),
    )  # fmt: skip


CASCADES: Final = tuple(
    rule(one.from_kind, one.to_kind, f"HUBSPOT_DEFINED/{one.type_id}")
    for one in ASSOCIATIONS
    if not one.primary and one.from_kind in PARENTS
)

VENDOR_SET: Final = (
    "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id",
    "hs_object_source", "hs_object_source_id", "hs_object_source_label",
    "hs_object_source_user_id", "hs_created_by_user_id", "hs_updated_by_user_id",
    "hs_merged_object_ids", "hs_calculated_merged_vids", PRIOR_ID,
)  # fmt: skip
"""Properties that HubSpot writes on every kind, and ours for the id that a record had."""

OBJECT_APIS: Final = "https://developers.hubspot.com/docs/guides/crm/using-object-apis"
SPECS: Final = "https://github.com/HubSpot/HubSpot-public-api-spec-collection"
"""HubSpot's published OpenAPI, as of 2026-08-21."""
MEASURES: Final = (
    Measure(
        "deals", "open deals", "amount", "deal_currency_code", "dealname",
        {"hs_is_closed": ("true",), "dealstage": ("closedwon", "closedlost")}, OBJECT_APIS,
    ),
    # Of the pipeline that every portal begins with; 4 is its closed stage.
    Measure("tickets", "open cases", "", "", "subject", {"hs_pipeline_stage": ("4",)}, OBJECT_APIS),
)  # fmt: skip


def measured(kind: str) -> set[str]:
    """The properties by which the plan weighs records of a kind; none where it only counts them."""
    return {
        name
        for one in MEASURES
        if one.kind == kind
        for name in (one.amount, one.currency, one.title, *one.closed)
        if name
    }


_LISTED: Final = ("contacts", "companies", "deals", "tickets")
_MEMBERSHIPS: Final = "HubSpot drops them at the delete and restores the record without them"
_NEW: Final = "HubSpot gives a record that is made anew its own"
LOSSES: Final = (
    *(
        LossRule(kind, support, "memberships of static lists", _MEMBERSHIPS, LISTS)
        for kind in _LISTED
        for support in (Support.BY_HAND, Support.REMADE)
    ),
    *(
        LossRule("calls", support, "recordings, hs_call_recording_url",
                 "HubSpot deletes them for good with the call",
                 f"{SPECS} PublicApiSpecs/CRM/Calls, batch/archive")
        for support in (Support.BY_HAND, Support.REMADE)
    ),
    LossRule("*", Support.BY_HAND, "links",
             "HubSpot does not say whether a restore in the page brings associations back", BIN),
    LossRule("*", Support.REMADE, "id and creation date", _NEW, CONTACTS_GUIDE),
    LossRule("*", Support.REMADE, "property history and timeline", _NEW, CONTACTS_GUIDE),
    LossRule("contacts", Support.REMADE, "marketing status",
             "no API endpoint of HubSpot's can set it",
             f"{_KNOWLEDGE}/integrations/manage-marketing-contacts-settings-for-your-integrations"),
    LossRule("contacts", Support.REMADE, "the way back in the recycling bin",
             "the new contact holds the e-mail, and the page then refuses the original", BIN),
)  # fmt: skip

PROFILE: Final = Profile(
    vendor="hubspot",
    title="HubSpot",
    capabilities=CAPABILITIES,
    cascades=CASCADES,
    aliases={"company": "companies", "contact": "contacts", "lead": "leads", "deal": "deals"},
    marks={
        "*": {
            Operation.VOID: {MARKER: "void"},
            Operation.ARCHIVE: {MARKER: "archived"},
        }
    },
    marker=MARKER,
    vendor_set=VENDOR_SET,
    rates=RATES,
    lanes=8,
    read_batch=READ,
    read_calls=READ_CALLS,
    away_calls=2 * READ // BATCH,
    proof_calls=3,
    id_grammar=r"[1-9][0-9]{0,18}",
    hosts=("hubapi.com",),
    measures=MEASURES,
    losses=LOSSES,
    chinese=CHINESE,
    notes=(
        ("vendor_note", "what HubSpot's API calls archive is a delete here: 90 days in the "
         "recycling bin, and only a person can restore it."),
    ),
    source=LIMITS,
)  # fmt: skip
