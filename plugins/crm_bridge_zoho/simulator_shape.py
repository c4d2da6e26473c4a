"""How records are shown: by GET of one, in lists, in queries, and as the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from crm_bridge.simulator import Account, Link, Stored
from crm_bridge_zoho.simulator_modules import (
    ACTIVITIES,
    INNER,
    LOOKUPS,
    MODULES,
    MULTIPLES,
    Field,
)
from crm_bridge_zoho.simulator_org import LIVE, anywhere, fields_of, module_id, person
from crm_bridge_zoho.simulator_wire import Asked, raw

RICH_CUT = 500
"""Characters of rich text that a list shows
(https://www.zoho.com/crm/developer/docs/api/v7/get-records.html)."""

MULTIPLE_CUT = 100


def full_name(record: Stored) -> str:
    """First and last name in one."""
    names = (record.fields.get("First_Name"), record.fields.get("Last_Name"))
    return " ".join(name for name in names if name)


def display(account: Account, record: Stored) -> str | None:
    """What a record is called where others point at it."""
    field = MODULES[record.kind].display
    if field == "Full_Name":
        return full_name(record)
    value = record.fields.get(field)
    if value and field in ("Product_Name", "Partner_Contacts") and record.kind != "Products":
        other = anywhere(account, value)
        return display(account, other) if other is not None else None
    return value


def value_of(account: Account, record: Stored, field: Field) -> Any:
    """A value as the organisation sees it: a lookup is the other's id, or None where hidden."""
    if (record.kind, field.api) in account.memory.get("unshown", ()):
        return None
    if field.api == "Full_Name":
        return full_name(record)
    if field.api == "Locked__s":
        return record.locked
    if field.api == "Record_Status__s":
        return "Available" if record.state == LIVE else "Trash"
    value = record.fields.get(field.api)
    # What is in the bin itself keeps pointing at what it belongs to: with it, it comes back.
    if field.type == "lookup" and value and record.state == LIVE and hidden(account, value):
        return None
    return value


def hidden(account: Account, id: str) -> bool:
    """Whether a lookup to that record reads as empty: what it names is not live."""
    if account.switches["lookup_policy"] == "keep":
        return False
    other = anywhere(account, id)
    return other is None or other.state != LIVE


def target_of(account: Account, field: Field, id: str) -> str:
    """The module that a lookup's value belongs to."""
    if field.target != "*":
        return field.target
    other = anywhere(account, id)
    return other.kind if other else ""


def shown_lookup(account: Account, id: str) -> dict[str, Any]:
    """A lookup as records show it."""
    other = anywhere(account, id)
    name = display(account, other) if other is not None else None
    return {"name": name, "id": id}


def shown_value(account: Account, record: Stored, field: Field, version: float = 8) -> Any:
    """One field as a GET shows it."""
    value = value_of(account, record, field)
    if value is None:
        return [] if field.api == "Tag" else None
    if field.type == "lookup":
        data = shown_lookup(account, value)
        if field.target == "*" and record.kind in ("Notes", "Attachments") and version >= 3:
            module = target_of(account, field, value)
            data["module"] = {"api_name": module, "id": module_id(account, module)}
        return data
    if field.type == "ownerlookup":
        return person(account, value)
    return value


def rows_of(account: Account, record: Stored, field: Field) -> list[Stored]:
    """The live rows of a subform, in the order of their ids."""
    found = account.store.where(field.inner, "Parent_Id", record.id, LIVE)
    return sorted(found, key=lambda row: row.id)


def ties_of(account: Account, record: Stored, field: Field) -> list[Stored]:
    """The live linking rows of a multi-select lookup whose other end can be seen."""
    found = account.store.where(field.inner, field.back, record.id, LIVE)
    seen = [row for row in found if not hidden(account, row.fields.get(field.api, ""))]
    return sorted(seen, key=lambda row: row.id)


def shown_row(account: Account, row: Stored) -> dict[str, Any]:
    """A row of a subform."""
    data: dict[str, Any] = {"id": row.id}
    for field in fields_of(account, row.kind).values():
        data[field.api] = shown_value(account, row, field)
    return data


def inner_values(account: Account, record: Stored) -> dict[str, Any]:
    """Subforms and multi-select lookups; only GET of one record shows them."""
    data: dict[str, Any] = {}
    for field in INNER[record.kind]:
        data[field.api] = [shown_row(account, row) for row in rows_of(account, record, field)]
    for field in MULTIPLES[record.kind]:
        ties = ties_of(account, record, field)[:MULTIPLE_CUT]
        data[field.api] = [
            {field.api: shown_lookup(account, row.fields[field.api]), "id": row.id} for row in ties
        ]
    return data


def dollars(account: Account, record: Stored, asked: Asked) -> dict[str, Any]:
    """The `$` keys: what the vendor knows and nobody can write."""
    pending = record.meta.get("approval") == "pending"
    data: dict[str, Any] = {
        "$currency_symbol": "¥",
        "$state": "save",
        "$approved": not pending,
        "$approval": {"delegate": False, "approve": pending, "reject": pending, "resubmit": False},
        "$approval_state": "waiting" if pending else "approved",
        "$editable": not record.locked,
        "$in_merge": False,
        "$review_process": None,
        "$orchestration": None,
        "$locked_for_me": record.locked,
    }
    if record.kind == "Leads":
        data["$converted"] = bool(record.meta.get("converted"))
    what = "Parent_Id" if record.kind in ("Notes", "Attachments") else "What_Id"
    if what in record.fields:
        other = anywhere(account, record.fields[what])
        data["$se_module"] = other.kind if other else None
    multiples = MULTIPLES[record.kind]
    if (INNER[record.kind] or multiples) and asked.version >= 3:
        data["$has_more"] = {field.api: False for field in INNER[record.kind]} | {
            field.api: len(ties_of(account, record, field)) > MULTIPLE_CUT for field in multiples
        }
    return data


def shown_whole(asked: Asked, record: Stored) -> dict[str, Any]:
    """A record as GET of one shows it: every field, subforms, `$` keys."""
    account = asked.account
    data: dict[str, Any] = {"id": record.id}
    for field in fields_of(account, record.kind).values():
        if field.type not in ("subform", "multiselectlookup"):
            data[field.api] = shown_value(account, record, field, asked.version)
    data.update(inner_values(account, record))
    data.update(dollars(account, record, asked))
    return data


def shown_in_list(asked: Asked, record: Stored, names: Collection[str]) -> dict[str, Any]:
    """A record as lists show it: the named fields, rich text cut, no subforms."""
    account = asked.account
    fields = fields_of(account, record.kind)
    data: dict[str, Any] = {"id": record.id}
    wanted = names or list(fields)
    extra = dollars(account, record, asked) if any(n.startswith("$") for n in wanted) else {}
    for name in wanted:
        field = fields.get(name)
        if field is None:
            if name in extra and name != "$has_more":
                data[name] = extra[name]
        elif field.type not in ("subform", "multiselectlookup"):
            value = shown_value(account, record, field, asked.version)
            data[name] = value[:RICH_CUT] if field.rich and value else value
    if record.kind in ACTIVITIES and "What_Id" in data:
        data.update({k: v for k, v in dollars(account, record, asked).items() if k == "$se_module"})
    return data


def truth(account: Account, record: Stored) -> dict[str, Any]:
    """A record's fields as GET of one shows them, without `$` keys."""
    data = {
        field.api: shown_value(account, record, field)
        for field in fields_of(account, record.kind).values()
        if field.type not in ("subform", "multiselectlookup")
    }
    data.update(inner_values(account, record))
    found: dict[str, Any] = raw(data)
    return found


def links(account: Account, record: Stored) -> Iterator[Link]:
    """Every lookup that reads as filled, and every tie of a multi-select lookup."""
    for field in LOOKUPS[record.kind]:
        value = value_of(account, record, field)
        if value:
            yield Link(field.api, target_of(account, field, value), value)
    for field in MULTIPLES[record.kind]:
        for row in ties_of(account, record, field):
            yield Link(field.api, field.target, row.fields[field.api])
