"""What writes look like on the wire, and what their answers say of each record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.kit import (
    Change,
    Link,
    Outcome,
    Record,
    RecordRef,
    Unreachable,
    done,
    failed,
    is_empty,
    unknown,
)
from crm_bridge_hubspot.conditions import spelled
from crm_bridge_hubspot.kinds import PRIOR_ID
from crm_bridge_hubspot.schema import KindSchema, rows
from crm_bridge_hubspot.troubles import NOT_FOUND, code_of

Row = Mapping[str, Any]

LIFECYCLE: Final = "lifecyclestage"
"""A stage that moves forward only: to set it back it must be emptied first
(https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide)."""

_CODES: Final = {NOT_FOUND: "not_found", "CONFLICT": "duplicate",
                 "OBJECT_ALREADY_EXISTS": "duplicate"}  # fmt: skip
"""HubSpot's categories of a refused row, in our words."""


_NO_PROPERTY: Final = "the portal has no such property any more"


# --- values --------------------------------------------------------------------------------------


def properties_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Values as HubSpot takes them: text, and an empty text to clear."""
    return {name: "" if is_empty(value) else spelled(value) for name, value in fields.items()}


@dataclass(frozen=True, slots=True)
class Remake:
    """What a record is made anew from.

    Attributes:
        ref: The old record.
        properties: What is written.
        not_set: What is not, each with the reason.
    """

    ref: RecordRef
    properties: Mapping[str, str]
    not_set: Mapping[str, str]


def remake_of(record: Record, schema: KindSchema) -> Remake:
    """What of a snapshot can be written again; the old id goes along, so that it is made once."""
    written: dict[str, str] = {}
    not_set: dict[str, str] = {}
    for name, value in record.fields.items():
        if is_empty(value) or name == PRIOR_ID:
            continue
        known = schema.properties.get(name)
        refusal = _NO_PROPERTY if known is None else known.refusal(value)
        if refusal is not None:
            not_set[name] = refusal
        else:
            written[name] = spelled(value)
    written[PRIOR_ID] = record.ref.id
    return Remake(record.ref, written, not_set)


# --- bodies --------------------------------------------------------------------------------------


def ids_body(refs: Sequence[RecordRef]) -> dict[str, Any]:
    """The body of batch/archive; no id stands in it twice."""
    return {"inputs": [{"id": id} for id in dict.fromkeys(ref.id for ref in refs)]}


def changes_body(changes: Sequence[Change]) -> dict[str, Any]:
    """The body of batch/update."""
    return {"inputs": [{"id": c.ref.id, "properties": properties_of(c.fields)} for c in changes]}


def remakes_body(remakes: Sequence[Remake]) -> dict[str, Any]:
    """The body of batch/create; the trace makes a refused row fail alone and names it."""
    return {
        "inputs": [
            {"objectWriteTraceId": one.ref.id, "properties": dict(one.properties),
             "associations": []}
            for one in remakes
        ]
    }  # fmt: skip


def links_body(links: Sequence[tuple[RecordRef, Link]]) -> dict[str, Any]:
    """The body of an associations batch/create: each pair once, with all its types."""
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for ref, link in links:
        category, _, number = link.name.rpartition("/")
        type = {"associationCategory": category, "associationTypeId": int(number)}
        types = pairs.setdefault((ref.id, link.other.id), [])
        if type not in types:
            types.append(type)
    return {
        "inputs": [
            {"from": {"id": one}, "to": {"id": other}, "types": types}
            for (one, other), types in pairs.items()
        ]
    }


# --- answers -------------------------------------------------------------------------------------


def updated(changes: Sequence[Change], told: Row) -> Iterator[Outcome]:
    """What batch/update says of each record; one that answers as another is in doubt."""
    ids = {str(row.get("id")) for row in rows(told)}
    refused = _refused(told, "ids", "id")
    for change in changes:
        ref = change.ref
        if ref.id in ids:
            yield done(ref)
        elif ref.id in refused:
            yield _failed(ref, refused[ref.id])
        else:
            yield unknown(ref, "HubSpot's answer did not name it.")


def made(remakes: Sequence[Remake], told: Row) -> Iterator[Outcome]:
    """What batch/create says of each record, by the trace or by the old id that it wrote."""
    new: dict[str, str] = {}
    for row in rows(told):
        values = row.get("properties")
        prior = values.get(PRIOR_ID) if isinstance(values, dict) else None
        if key := row.get("objectWriteTraceId") or prior:
            new[str(key)] = str(row.get("id"))
    refused = _refused(told, "objectWriteTraceId")
    for one in remakes:
        ref = one.ref
        if ref.id in new:
            new_ref = RecordRef(ref.crm, ref.kind, new[ref.id])
            yield done(ref, new_ref=new_ref, details={"not_set": dict(one.not_set)})
        elif ref.id in refused:
            yield _failed(ref, refused[ref.id])
        else:
            yield unknown(ref, "HubSpot's answer did not name what it made of it.")


def tied(links: Sequence[tuple[RecordRef, Link]], told: Row) -> Iterator[Outcome]:
    """What an associations batch/create says of each pair; one outcome for each, in order."""
    there = {(str(_end(row, "from")), str(_end(row, "to"))) for row in rows(told)}
    refused = [error for error in told.get("errors") or () if isinstance(error, dict)]
    for ref, link in links:
        if (ref.id, link.other.id) in there:
            yield done(ref)
        elif (error := _about(refused, ref.id, link.other.id)) is not None:
            yield _failed(ref, error)
        else:
            yield unknown(ref, f"HubSpot's answer did not name its association with {link.other}.")


def _end(row: Row, end: str) -> Any:
    inner = row.get(end)
    return inner.get("id") if isinstance(inner, dict) else row.get(f"{end}ObjectId")


def _about(errors: Sequence[Row], one: str, other: str) -> Row | None:
    """The error that names this pair, or either of its ends."""
    for error in errors:
        context = error.get("context")
        named = {
            str(id)
            for values in (context.values() if isinstance(context, dict) else ())
            for id in (values if isinstance(values, list) else [values])
        }
        if named & {one, other}:
            return error
    return None


def _refused(told: Row, *names: str) -> dict[str, Row]:
    """The rows that were refused, by what the error's context names them with."""
    found: dict[str, Row] = {}
    for error in told.get("errors") or ():
        if not isinstance(error, dict):
            raise Unreachable("HubSpot's answer has an error that is none.", answered=True)
        context = error.get("context")
        for name in names:
            for id in (context or {}).get(name) or ():
                found[str(id)] = error
    return found


def _failed(ref: RecordRef, error: Row) -> Outcome:
    category = str(error.get("category") or "")
    words = " ".join(str(error.get("message") or "HubSpot refused it.").split())[:300]
    ours = _CODES.get(category, "refused")
    return failed(ref, ours, words, vendor_code=code_of(error) or category)
