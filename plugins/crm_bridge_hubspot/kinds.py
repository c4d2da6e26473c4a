"""HubSpot's object types and standard association types: names, ids, scopes. Facts, no I/O.

Type ids: https://developers.hubspot.com/docs/api-reference/latest/crm/understanding-the-crm.
Scopes: the published OpenAPI (https://github.com/HubSpot/HubSpot-public-api-spec-collection,
2026-08-21, `security` of each DELETE).
Association ids: hubspot-api-client 12.0.0, `hubspot/crm/association_type.py`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class ObjectType(NamedTuple):
    """One of HubSpot's object types.

    Attributes:
        name: The plural, as paths spell it; also our kind.
        singular: The singular, which paths take too.
        type_id: `0-1` and so on; paths take it as well.
        write: Scopes of which any one allows writes.
        read: Scopes of which any one allows reads.
        schema: Scopes of which any one allows making properties.
        modified: The property that holds the time of the last change.
        shown: Properties that come back when none are named.
    """

    name: str
    singular: str
    type_id: str
    write: tuple[str, ...]
    read: tuple[str, ...]
    schema: tuple[str, ...]
    modified: str = "hs_lastmodifieddate"
    shown: tuple[str, ...] = ()


def _own(name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    return (
        (f"crm.objects.{name}.write",),
        (f"crm.objects.{name}.read",),
        (f"crm.schemas.{name}.write",),
    )


def _commerce(name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    write, read, schema = _own(name)
    return (*write, "e-commerce"), (*read, "e-commerce"), (*schema, "e-commerce")


_CONTACTS: Final = _own("contacts")
"""Activities have no scopes of their own that matter."""

OBJECTS: Final = (
    ObjectType("contacts", "contact", "0-1", *_CONTACTS, "lastmodifieddate",
               ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate",
                "lastname")),
    ObjectType("companies", "company", "0-2", *_own("companies"),
               shown=("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name")),
    ObjectType("deals", "deal", "0-3", *_own("deals"),
               shown=("amount", "closedate", "createdate", "dealname", "dealstage",
                      "hs_lastmodifieddate", "hs_object_id", "pipeline")),
    ObjectType("tickets", "ticket", "0-5", ("tickets",), ("tickets",), ("tickets",),
               shown=("content", "createdate", "hs_lastmodifieddate", "hs_object_id", "hs_pipeline",
                      "hs_pipeline_stage", "hs_ticket_category", "hs_ticket_priority", "subject")),
    ObjectType("products", "product", "0-7", *_commerce("products")),
    ObjectType("line_items", "line_item", "0-8", *_commerce("line_items")),
    ObjectType("quotes", "quote", "0-14", *_commerce("quotes")),
    ObjectType("communications", "communication", "0-18", *_CONTACTS),
    ObjectType("tasks", "task", "0-27", *_CONTACTS),
    ObjectType("notes", "note", "0-46", *_CONTACTS),
    ObjectType("meetings", "meeting", "0-47", *_CONTACTS),
    ObjectType("calls", "call", "0-48", *_CONTACTS),
    ObjectType("emails", "email", "0-49", (*_CONTACTS[0], "sales-email-read"),
               (*_CONTACTS[1], "sales-email-read"), _CONTACTS[2]),
    ObjectType("leads", "lead", "0-136", *_own("leads")),
)  # fmt: skip

BY_NAME: Final = {
    spelling: one for one in OBJECTS for spelling in (one.name, one.singular, one.type_id)
}

CUSTOM: Final = re.compile(r"2-\d+|p\d*_[A-Za-z0-9_]+")
"""How a custom object is spelled: `2-` and a number, or `p_` (`p<portal>_`) and its name."""

_CUSTOM_SCOPES: Final = _own("custom")


def object_type(kind: str) -> ObjectType:
    """The object type that a kind, a singular or a type id names; custom ones by their spelling.

    Raises:
        ValueError: Nothing is spelled so.
    """
    if kind in BY_NAME:
        return BY_NAME[kind]
    if CUSTOM.fullmatch(kind):
        return ObjectType(kind, kind, kind, *_CUSTOM_SCOPES)
    raise ValueError(
        f"{kind!r} is no object type; there are {', '.join(one.name for one in OBJECTS)}, "
        "and custom ones as 2-123 or p_name"
    )


class Association(NamedTuple):
    """One direction of a standard association.

    Attributes:
        from_kind: The kind that it is read from.
        to_kind: The kind at the far end.
        type_id: Its number.
        inverse: The number of the other direction.
        primary: Whether it is the variant of the one primary company.
    """

    from_kind: str
    to_kind: str
    type_id: int
    inverse: int
    primary: bool = False


_PLAIN: Final = """
contacts companies 279 280 | deals contacts 3 4 | contacts tickets 15 16 | deals line_items 19 20
deals tickets 27 28 | deals quotes 63 64 | quotes line_items 67 68 | quotes contacts 69 70
quotes companies 71 72 | companies calls 181 182 | companies emails 185 186
companies meetings 187 188
companies notes 189 190 | companies tasks 191 192 | contacts calls 193 194 | contacts emails 197 198
contacts meetings 199 200 | contacts notes 201 202 | contacts tasks 203 204 | deals calls 205 206
deals emails 209 210 | deals meetings 211 212 | deals notes 213 214 | deals tasks 215 216
quotes tasks 217 218 | tickets calls 219 220 | tickets emails 223 224 | tickets meetings 225 226
tickets notes 227 228 | tickets tasks 229 230 | tickets companies 339 340 | deals companies 341 342
calls meetings 399 400
"""
_PRIMARY: Final = "contacts companies 1 2 | deals companies 5 6 | tickets companies 26 25"


def _both_ways(text: str, primary: bool) -> list[Association]:
    found = []
    for part in text.replace("\n", " | ").split("|"):
        if words := part.split():
            one, other, there, back = words[0], words[1], int(words[2]), int(words[3])
            found.append(Association(one, other, there, back, primary))
            found.append(Association(other, one, back, there, primary))
    return found


ASSOCIATIONS: Final = (*_both_ways(_PLAIN, False), *_both_ways(_PRIMARY, True))
"""Every standard association, each direction on its own.

Writing 1 in place of 279 changes a contact's primary company
(https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide).
"""

MARKER: Final = "crm_bridge_status"
REASON: Final = "crm_bridge_reason"
PRIOR_ID: Final = "crm_bridge_prior_id"
"""A unique property that holds the id a remade record had: it makes a second remake impossible."""
GROUP: Final = "crm_bridge"
