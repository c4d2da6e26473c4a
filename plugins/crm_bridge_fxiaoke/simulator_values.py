"""How values are judged when they are written, and shown when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from crm_bridge.simulator import Account, Stored
from crm_bridge_fxiaoke.simulator_objects import (
    CODES,
    DEFAULTS,
    FIELDS,
    GONE,
    LOOKUPS,
    MARKER,
    NUMBERS,
    PEOPLE,
    READ_ONLY,
    TIMES,
    VISIBLE,
    VOIDED,
    Field,
)
from crm_bridge_fxiaoke.simulator_seed import USERS
from crm_bridge_fxiaoke.simulator_wire import VOIDED_OR_DELETED, Asked, Business, Deny, one_id, yes


def fields_known(account: Account, kind: str) -> dict[str, Field]:
    """The fields of an object: without options that a person took away, and with the marker or not."""
    fields = FIELDS[kind]
    dropped: set[tuple[str, str, str]] = account.memory.get("dropped_options", set())
    for one, name, value in dropped:
        if one == kind:
            left = tuple(option for option in fields[name].options if option[0] != value)
            fields = {**fields, name: replace(fields[name], options=left)}
    if MARKER in fields and not yes(account.switches["marker_field"]):
        return {name: f for name, f in fields.items() if name != MARKER}
    return fields


def people_in(asked: Asked, value: Any) -> list[str]:
    """Employees as a call names them, in either style, as employee ids."""
    if not isinstance(value, list) or not value:
        raise Business("人员字段必须是列表")
    known = {asked.account.keys[f"user:{user}"]: user for user, _, _ in USERS}
    ids = [known.get(one, one) for one in map(str, value)]
    if any(one not in known.values() for one in ids):
        raise Deny(30027)
    return ids


def person_out(asked: Asked, user: str) -> str:
    """An employee as the style of the call names him."""
    return asked.account.keys.get(f"user:{user}", user) if asked.open_ids else user


def judged(
    asked: Asked,
    kind: str,
    given: Mapping[str, Any],
    creating: bool = False,
    master: str = "",
    own: str = "",
) -> dict[str, Any]:
    """Values that a create or update may write, as they are stored; None empties a field."""
    known = fields_known(asked.account, kind)
    out: dict[str, Any] = {}
    for name, value in given.items():
        field = known.get(name)
        if field is None:
            stem = name.rsplit("__", 1)[0]
            if stem in known and name.endswith(("__r", "__l", "__o", "__v", "__p", "__e")):
                if creating:
                    continue  # derived names are passed over, as other read-only ones
                raise Business(f"字段[{name}]不可编辑")
            raise Business(f"字段[{name}]不存在")
        if name in READ_ONLY or (name == "owner" and not creating):
            raise Business(f"字段[{name}]不可编辑")
        if value is None or value == "" or value == []:
            out[name] = None
            continue
        if name in PEOPLE:
            value = people_in(asked, value)
        elif field.target:
            other = asked.account.store.get(field.target, one_id(value))
            # A detail may arrive with its master, which is stored a moment later.
            if value != master and (other is None or other.state in (VOIDED, GONE)):
                raise Business(f"{field.label}: {VOIDED_OR_DELETED}")
        elif field.type in NUMBERS:
            try:
                Decimal(str(value))
            except InvalidOperation as error:
                raise Business(f"字段[{name}]不是数字") from error
            value = str(value)
        elif field.type in TIMES and not isinstance(value, int):
            raise Business(f"字段[{name}]不是毫秒时间")
        elif field.type == "true_or_false" and not isinstance(value, bool):
            raise Business(f"字段[{name}]不是布尔值")
        elif field.type in ("department", "embedded_object_list"):
            if not isinstance(value, list):
                raise Business(f"字段[{name}]不是列表")
        elif field.type not in TIMES and field.type != "true_or_false":
            if not isinstance(value, str):
                raise Business(f"字段[{name}]不是文本")
            if field.options and value not in {option for option, _ in field.options}:
                raise Business(f"字段[{name}]没有选项{value}")
            if field.unique and _holder(asked.account, kind, name, value, own) is not None:
                raise Business(f"{field.label}不可重复")
            if len(value) > 256 and field.type == "text":
                raise Business(f"字段[{name}]超过最大长度")
        out[name] = value
    return out


def _holder(account: Account, kind: str, name: str, value: str, own: str) -> Stored | None:
    """Another record in daily work that has a value which no two may share."""
    found = account.store.where(kind, name, value, *VISIBLE)
    return next((record for record in found if record.id != own), None)


def shown(account: Account, record: Stored) -> dict[str, Any]:
    """A record with all that the platform adds, people as employee ids."""
    code = CODES[record.kind]
    out = {
        "_id": record.id,
        "tenant_id": account.keys["tenant_id"],
        "object_describe_id": f"5cef84d3ec347f00015{code:05x}",
        "object_describe_api_name": record.kind,
        **DEFAULTS,
        **record.fields,
        "is_deleted": record.state == VOIDED,
    }
    if owner := record.fields.get("owner"):
        out["relevant_team"] = [
            {
                "teamMemberEmployee": owner,
                "teamMemberType": "0",
                "teamMemberRole": "1",
                "teamMemberPermissionType": "2",
            }
        ]
    if not yes(account.switches["marker_field"]):
        out.pop(MARKER, None)
    return out


def wire(
    asked: Asked, record: Stored, projection: Any = None, derived: bool = True
) -> dict[str, Any]:
    """A record as an answer holds it."""
    out = shown(asked.account, record)
    if asked.open_ids:
        for name in PEOPLE & out.keys():
            out[name] = [person_out(asked, one) for one in out[name]]
    if asked.body.get("includeNull") is True:
        out = {**dict.fromkeys(fields_known(asked.account, record.kind)), **out}
    if derived:
        out["created_by__r"] = {}
        for lookup in LOOKUPS[record.kind]:
            target = record.fields.get(lookup.name)
            other = asked.account.store.get(lookup.target, target) if target else None
            if other is not None and other.state != GONE:
                out[f"{lookup.name}__r"] = other.fields.get("name")
    if isinstance(projection, list) and projection:
        wanted = {"_id", *projection}
        out = {name: value for name, value in out.items() if name in wanted}
    return out


def stamp(account: Account, user: str, record: Stored, fields: Mapping[str, Any]) -> None:
    """Write fields as an edit does: a new version, by whom and when."""
    stamped = {
        **fields,
        "version": record.fields.get("version", 1) + 1,
        "last_modified_time": account.clock.ms(),
        "last_modified_by": [user],
    }
    account.store.change(record, stamped)
