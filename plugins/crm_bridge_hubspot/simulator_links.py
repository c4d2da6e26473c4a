"""Associations over the wire, in their fourth version: read, made, labelled, taken away.

Reads say `category` and `typeId`, writes `associationCategory` and `associationTypeId`
(https://github.com/HubSpot/HubSpot-public-api-spec-collection, CRM/Associations, v4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crm_bridge.simulator import Account, Link, Reply, Stored
from crm_bridge_hubspot.simulator_catalog import TYPE_IDS, LinkType
from crm_bridge_hubspot.simulator_life import (
    plain_between,
    resolved,
    tie,
    type_named,
    types_between,
    untie,
)
from crm_bridge_hubspot.simulator_portal import BINNED, LIVE, kind_of
from crm_bridge_hubspot.simulator_wire import (
    LINKS_ARCHIVED,
    LINKS_MADE,
    LINKS_PAGE,
    LINKS_READ,
    Asked,
    Deny,
    batch_reply,
    not_found,
    not_json,
    pages,
    text_of,
)

_CATEGORIES: Final = ("HUBSPOT_DEFINED", "USER_DEFINED", "INTEGRATOR_DEFINED", "WORK")

Spec = tuple[str, int]


def spec_of(row: Any) -> Spec:
    """A type as a write names it.

    Raises:
        Deny: It is spelled as reads spell it, or not at all.
    """
    if not isinstance(row, dict):
        raise not_json("a type is an object")
    category, number = row.get("associationCategory"), row.get("associationTypeId")
    if category not in _CATEGORIES:
        raise Deny(400, "Some required fields were not set: [associationCategory]")
    if not isinstance(number, int) or isinstance(number, bool):
        raise Deny(400, "Some required fields were not set: [associationTypeId]")
    return category, number


def _type(account: Account, one: str, other: str, spec: Spec) -> LinkType:
    type = types_between(account, one, other).get(spec)
    if type is None:
        raise Deny(
            400,
            f"{spec[0]} {spec[1]} is no association type from {one} to {other}",
            subCategory="crm.associations.INVALID_ASSOCIATION_TYPE",
        )
    return type


def _pair(account: Account, one: str, other: str) -> None:
    if not types_between(account, one, other):
        raise Deny(400, f"No association types exist from {one} to {other}")


def _ref(row: Mapping[str, Any], name: str) -> str:
    end = row.get(name)
    if not isinstance(end, dict):
        raise Deny(400, f"Some required fields were not set: [{name}]")
    return text_of(end, "id")


# -- reading --------------------------------------------------------------------------------------


def _held(asked: Asked, record: Stored | None, other: str) -> list[Link]:
    if record is None:
        return []
    links = record.links
    if record.state == BINNED and asked.switch("archived_links") == "kept":
        links = record.meta.get("shadow", [])
    return [link for link in links if link.kind == other]


def _far_ends(account: Account, kind: str, links: list[Link]) -> list[dict[str, Any]]:
    ends: dict[str, list[dict[str, Any]]] = {}
    for link in links:
        if (type := type_named(account, link, kind)) is not None:
            ends.setdefault(link.id, []).append(_shown_type(type))
    return [{"toObjectId": id, "associationTypes": types} for id, types in sorted(ends.items())]


def _shown_type(type: LinkType) -> dict[str, Any]:
    return {"category": type.category, "typeId": type.type_id, "label": type.label}


def _start(after: Any) -> int:
    if after in (None, ""):
        return 0
    if not str(after).isdigit():
        raise Deny(400, f"after: {after} is not a cursor of this list")
    return int(after)


def read_many(asked: Asked, one: str, other: str) -> Reply:
    """POST /{from}/{to}/batch/read; a record without any is absent, or among the errors."""
    _pair(asked.account, one, other)
    results, errors = [], []
    for row in asked.inputs(LINKS_READ):
        id = text_of(row, "id")
        if not id.isdigit():
            errors.append(_bad_id(id).row(id=[id]))
            continue
        ends = _far_ends(asked.account, one, _held(asked, resolved(asked.account, one, id), other))
        start = _start(row.get("after"))
        if ends:
            found: dict[str, Any] = {
                "from": {"id": id},
                "to": list(pages(ends, start, LINKS_PAGE)),
            }
            if start + LINKS_PAGE < len(ends):
                found["paging"] = {"next": {"after": str(start + LINKS_PAGE)}}
            results.append(found)
        elif asked.switch("unlinked") == "errors":
            errors.append(_unlinked(one, other, id))
    return batch_reply(asked, results, errors)


def _bad_id(id: str) -> Deny:
    return Deny(400, f"{id} is not a valid ID", subCategory="crm.associations.INVALID_IDENTIFIER")


def _unlinked(one: str, other: str, id: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {other} is associated with {one} {id}.",
        "context": {
            "fromObjectId": [id],
            "fromObjectType": [TYPE_IDS[one]],
            "toObjectType": [TYPE_IDS[other]],
        },
    }


def read_of_one(asked: Asked, one: str, id: str, other: str) -> Reply:
    """GET /objects/{from}/{id}/associations/{to}, up to 500 a page."""
    _pair(asked.account, one, other)
    record = resolved(asked.account, one, id)
    if record is None or record.state not in (LIVE, BINNED):
        raise not_found()
    text = asked.call.query("limit") or str(LINKS_PAGE)
    if not text.isdigit() or not 0 < int(text) <= LINKS_PAGE:
        raise Deny(400, f"limit: {text} is not a number from 1 to {LINKS_PAGE}")
    size, start = int(text), _start(asked.call.query("after"))
    ends = _far_ends(asked.account, one, _held(asked, record, other))
    told: dict[str, Any] = {"results": list(pages(ends, start, size))}
    if start + size < len(ends):
        after = str(start + size)
        link = f"{asked.call.base}{asked.call.path}?after={after}&limit={size}"
        told["paging"] = {"next": {"after": after, "link": link}}
    return Reply.json(told)


def associations_shown(asked: Asked, record: Stored, wanted: list[str]) -> dict[str, Any]:
    """What GET of a record adds with `associations=`: ids and the name of the pair."""
    found = {}
    for spelled in wanted:
        other = kind_of(asked.account, spelled)
        name = f"{record.kind.removesuffix('s')}_to_{other.removesuffix('s')}"
        ids = sorted({link.id for link in _held(asked, record, other)})
        if ids:
            found[other] = {"results": [{"id": id, "type": name} for id in ids]}
    return found


# -- writing --------------------------------------------------------------------------------------


def _two(asked: Asked, one: str, from_id: str, other: str, to_id: str) -> tuple[Stored, Stored]:
    ends = []
    for kind, id in ((one, from_id), (other, to_id)):
        if not id.isdigit():
            raise _bad_id(id)
        record = resolved(asked.account, kind, id)
        if record is None or record.state != LIVE or id in asked.refused:
            raise Deny(
                404,
                f"No {kind} with ID {id} exists",
                "OBJECT_NOT_FOUND",
                subCategory="crm.associations.OBJECT_NOT_FOUND",
                context={"ids": [id]},
            )
        ends.append(record)
    return ends[0], ends[1]


def _pair_shown(one: Stored, other: Stored, types: list[LinkType]) -> dict[str, Any]:
    return {
        "fromObjectTypeId": TYPE_IDS[one.kind],
        "fromObjectId": one.id,
        "toObjectTypeId": TYPE_IDS[other.kind],
        "toObjectId": other.id,
        "labels": [type.label for type in types if type.label is not None],
    }


def make_many(asked: Asked, one: str, other: str) -> Reply:
    """POST /{from}/{to}/batch/create: 201, or 207 with the pairs that failed."""
    results, errors = [], []
    for row in asked.inputs(LINKS_MADE):
        types = row.get("types")
        if not isinstance(types, list) or not types:
            raise Deny(400, "Some required fields were not set: [types]")
        specs = [spec_of(spec) for spec in types]
        try:
            pair = _two(asked, one, _ref(row, "from"), other, _ref(row, "to"))
            named = [_type(asked.account, one, other, spec) for spec in specs]
        except Deny as error:
            errors.append(error.row())
            continue
        for type in named:
            tie(asked.account, *pair, type)
        results.append(_pair_shown(*pair, named))
    return batch_reply(asked, results, errors, 201)


def make_default(asked: Asked, one: str, other: str) -> Reply:
    """POST /{from}/{to}/batch/associate/default: the type without a label."""
    rows = asked.inputs(LINKS_MADE)
    results, errors = [], []
    for row in rows:
        try:
            results += _default(asked, one, _ref(row, "from"), other, _ref(row, "to"))
        except Deny as error:
            errors.append(error.row())
    return batch_reply(asked, results, errors)


def _default(asked: Asked, one: str, from_id: str, other: str, to_id: str) -> list[dict[str, Any]]:
    type = plain_between(asked.account, one, other)
    if type is None:
        raise Deny(400, f"No association types exist from {one} to {other}")
    pair = _two(asked, one, from_id, other, to_id)
    tie(asked.account, *pair, type)
    return [
        {
            "from": {"id": pair[0].id},
            "to": {"id": pair[1].id},
            "associationSpec": {
                "associationCategory": type.category,
                "associationTypeId": type.type_id,
            },
        }
    ]


def make_one_default(asked: Asked, one: str, from_id: str, other: str, to_id: str) -> Reply:
    """PUT /objects/{from}/{id}/associations/default/{to}/{id}."""
    return batch_reply(asked, _default(asked, one, from_id, other, to_id), [])


def make_one(asked: Asked, one: str, from_id: str, other: str, to_id: str) -> Reply:
    """PUT /objects/{from}/{id}/associations/{to}/{id} with a list of types: 201."""
    try:
        rows = asked.call.json
    except ValueError as error:
        raise not_json(str(error)) from error
    if not isinstance(rows, list) or not rows:
        raise not_json("a list of types is needed")
    types = [_type(asked.account, one, other, spec_of(row)) for row in rows]
    pair = _two(asked, one, from_id, other, to_id)
    for type in types:
        tie(asked.account, *pair, type)
    return Reply.json(_pair_shown(*pair, types), 201)


def drop_one(asked: Asked, one: str, from_id: str, other: str, to_id: str) -> Reply:
    """DELETE /objects/{from}/{id}/associations/{to}/{id}: all types between the two."""
    if (record := resolved(asked.account, one, from_id)) is not None:
        untie(asked.account, record, None, to_id, other)
    return Reply(204)


def drop_many(asked: Asked, one: str, other: str) -> Reply:
    """POST /{from}/{to}/batch/archive: 204, at most 100 ids on the left."""
    for row in asked.inputs(LINKS_ARCHIVED):
        ends = row.get("to")
        if not isinstance(ends, list):
            raise Deny(400, "Some required fields were not set: [to]")
        record = resolved(asked.account, one, _ref(row, "from"))
        for end in ends:
            if record is not None:
                untie(asked.account, record, None, text_of(end, "id"), other)
    return Reply(204)


def drop_labels(asked: Asked, one: str, other: str) -> Reply:
    """POST /{from}/{to}/batch/labels/archive: only the types that are named: 204."""
    for row in asked.inputs(LINKS_MADE):
        types = row.get("types")
        if not isinstance(types, list):
            raise Deny(400, "Some required fields were not set: [types]")
        named = [_type(asked.account, one, other, spec_of(spec)) for spec in types]
        record = resolved(asked.account, one, _ref(row, "from"))
        for type in named if record else ():
            assert record is not None
            untie(asked.account, record, type, _ref(row, "to"))
    return Reply(204)


# -- labels ---------------------------------------------------------------------------------------


def labels(asked: Asked, one: str, other: str) -> Reply:
    """GET /{from}/{to}/labels: every type from one kind to another."""
    types = types_between(asked.account, one, other).values()
    return Reply.json({"results": [_shown_type(type) for type in types]})


def make_label(asked: Asked, one: str, other: str) -> Reply:
    """POST /{from}/{to}/labels: both directions of a new one."""
    body = asked.body()
    label = text_of(body, "label")
    text_of(body, "name")
    if any(t.label == label for t in types_between(asked.account, one, other).values()):
        raise Deny(409, f"The label {label} exists already", "CONFLICT")
    made: list[LinkType] = asked.account.memory.setdefault("labels", [])
    there = 1001 + len(made)
    back = there if one == other else there + 1
    far = body.get("inverseLabel") or label
    new = [LinkType(one, other, "USER_DEFINED", there, back, label)]
    if one != other:
        new.append(LinkType(other, one, "USER_DEFINED", back, there, far))
    made += new
    asked.account.memory.pop("types", None)
    return Reply.json({"results": [_shown_type(type) for type in new]})


def drop_label(asked: Asked, one: str, other: str, number: str) -> Reply:
    """DELETE /{from}/{to}/labels/{id}: 204, for labels that were made here."""
    made: list[LinkType] = asked.account.memory.get("labels", [])
    found = next((t for t in made if str(t.type_id) == number and t.from_kind == one), None)
    if found is None:
        raise not_found()
    made[:] = [t for t in made if t.type_id not in (found.type_id, found.inverse)]
    asked.account.memory.pop("types", None)
    return Reply(204)
