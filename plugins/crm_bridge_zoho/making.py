"""What an insert or an update is given: values as these calls take them, and what they never take.

https://www.zoho.com/crm/developer/docs/api/v7/insert-records.html and record-clone.html,
read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_bridge.kit import Record, is_empty
from crm_bridge_zoho.describes import COMPUTED, FILES, SINGLE, Field
from crm_bridge_zoho.looking import KEPT, Looking

_NOT_THERE: Final = "what it pointed at is not there"

LOOKUPS: Final = frozenset({"lookup", "ownerlookup", "userlookup"})
TAGS: Final = "Tag"


def sent(field: Field, value: Any) -> Any:
    """A value as a write takes it: of a lookup its id alone, of a subform its own values."""
    if field.type in LOOKUPS and isinstance(value, Mapping) and "id" in value:
        module = value.get("module")
        if isinstance(module, Mapping) and "api_name" in module:
            return {"module": {"api_name": module["api_name"]}, "id": value["id"]}
        return {"id": value["id"]}
    if field.type in LOOKUPS and isinstance(value, str):
        return {"id": value}
    if field.type == "multiselectlookup" and isinstance(value, str):
        # Rows without an id are added to those that are there.
        return [{field.name: {"id": value}}]
    if field.name == TAGS and isinstance(value, list):
        tags = [tag.get("name") for tag in value if isinstance(tag, Mapping)]
        return [{"name": name} for name in tags if name]
    if field.type in ("subform", "multiselectlookup") and isinstance(value, list):
        return [_inner(row) for row in value if isinstance(row, Mapping)]
    return value


def _inner(row: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in row.items():
        if name == "id" or name[:1] == "$" or name in _ROWS_OWN or is_empty(value):
            continue
        is_lookup = isinstance(value, Mapping) and "id" in value
        kept[name] = {"id": value["id"]} if is_lookup else value
    return kept


def alike(row: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a new row of a subform holds what an old one held."""
    return _inner(row) == _inner(fields)


_ROWS_OWN: Final = frozenset({"Parent_Id", "Created_Time", "Modified_Time", "Created_By",
                              "Modified_By", "S_NO"})  # fmt: skip
"""What Zoho writes into a row of a subform itself."""


def made(
    record: Record, fields: Mapping[str, Field], alive: frozenset[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A snapshot as an insert takes it, and what it does not take, each with its reason.

    Args:
        record: The snapshot.
        fields: The fields of its module as they are now.
        alive: Ids of the records that its lookups lead to and that are there.
    """
    body: dict[str, Any] = {}
    not_set: dict[str, str] = {}
    for name, value in record.fields.items():
        if is_empty(value) or name[:1] == "$":
            continue
        field = fields.get(name)
        if field is not None and field.type == "multiselectlookup" and isinstance(value, list):
            left = [tie for tie in value if _tied_to(field, tie) in alive]
            if len(left) < len(value):
                not_set[name] = _NOT_THERE
            if not left:
                continue
            value = left
        why = _why_not(field, value, alive)
        if why:
            not_set[name] = why
        elif field is not None:
            body[name] = sent(field, value)
            if field.type in SINGLE:
                not_set.setdefault(name, "made again; Zoho CRM gives its rows new ids and stamps")
    if body and record.fields.get(KEPT):
        body[KEPT] = record.fields[KEPT]
    return body, not_set


def _tied_to(field: Field, tie: Any) -> str:
    """The id to which one value of a multi-select lookup leads."""
    value = tie.get(field.name) if isinstance(tie, Mapping) else None
    return str(value.get("id", "")) if isinstance(value, Mapping) else ""


def _why_not(field: Field | None, value: Any, alive: frozenset[str]) -> str:
    if field is None:
        return "there is no such field any more"
    if field.type in FILES:
        return "files and images are not kept, and no insert takes them"
    if field.type in COMPUTED:
        return "Zoho CRM computes it"
    if not field.creates:
        return "Zoho CRM writes it itself"
    if field.type == "lookup" and isinstance(value, Mapping) and value.get("id") not in alive:
        return _NOT_THERE
    return ""


def pointed_at(records: Sequence[Record], looking: Looking, kind: str) -> dict[str, set[str]]:
    """Modules and ids of the records that lookups of these lead to."""
    found: dict[str, set[str]] = {}
    fields = looking.describes.fields(kind).values()
    lookups = [f for f in fields if f.type == "lookup"]
    several = [f for f in fields if f.type == "multiselectlookup" and f.target]
    for record in records:
        for field in several:
            ties = record.fields.get(field.name)
            ids = {_tied_to(field, tie) for tie in ties} if isinstance(ties, list) else set()
            if ids - {""}:
                found.setdefault(field.target, set()).update(ids - {""})
        for field in lookups:
            value = record.fields.get(field.name)
            if not isinstance(value, Mapping) or not isinstance(value.get("id"), str):
                continue
            target = looking.target(field, value, record.fields)
            if target:
                found.setdefault(target, set()).add(value["id"])
    return found
