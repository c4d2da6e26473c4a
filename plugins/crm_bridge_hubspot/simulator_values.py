"""How a simulated portal judges what is written: names, options, numbers, stages, uniqueness."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from crm_bridge.simulator import Account, Stored
from crm_bridge.simulator.lifecycle import iso
from crm_bridge_hubspot.simulator_catalog import LIFECYCLE, STAGE_OF, Property
from crm_bridge_hubspot.simulator_life import by_value, holder_of
from crm_bridge_hubspot.simulator_portal import properties_of, stages_of, values_allowed
from crm_bridge_hubspot.simulator_wire import NEWEST, Asked, Deny, not_json

Values = dict[str, str | None]

_EMAIL: Final = re.compile(r"[^@\s;,]+@[^@\s;,]+\.[^@\s;,]+")


class Wrong(NamedTuple):
    """One property of a write that cannot be."""

    name: str
    code: str
    message: str


class Invalid(Deny):
    """Values that were refused; each is named with its code."""

    def __init__(self, wrong: list[Wrong]) -> None:
        shown = [
            {"isValid": False, "message": w.message, "error": w.code, "name": w.name} for w in wrong
        ]
        super().__init__(
            400,
            f"Property values were not valid: {json.dumps(shown, ensure_ascii=False)}",
            errors=[
                {"message": w.message, "code": w.code, "context": {"propertyName": [w.name]}}
                for w in wrong
            ],
        )
        self.unknown = any(w.code == "PROPERTY_DOESNT_EXIST" for w in wrong)


class Conflict(Deny):
    """A unique value that another record holds."""

    def __init__(self, existing: str, text: str) -> None:
        super().__init__(409, f"{text}. Existing ID: {existing}", "CONFLICT")
        self.existing = existing
        self.short = text


def sent(row: Mapping[str, Any]) -> dict[str, str]:
    """The properties of a body, as texts; numbers and truths are taken as the parser takes them.

    Raises:
        Deny: They are not an object of plain values.
    """
    properties = row.get("properties")
    if not isinstance(properties, dict):
        raise Deny(400, "Some required fields were not set: [properties]")
    found = {}
    for name, value in properties.items():
        if isinstance(value, bool):
            value = str(value).lower()
        if value is not None and not isinstance(value, str | int | Decimal | float):
            raise not_json(f"properties.{name} is a string")
        found[name] = "" if value is None else str(value)
    return found


def judged(asked: Asked, kind: str, given: Mapping[str, str], record: Stored | None) -> Values:
    """The values as they will be stored, each judged; empty texts become None.

    Raises:
        Invalid: Some of them cannot be.
        Conflict: A unique one is taken.
    """
    account = asked.account
    known = properties_of(account, kind)
    wrong: list[Wrong] = []
    values: Values = {}
    for name, text in given.items():
        property = known.get(name)
        if property is None:
            wrong.append(Wrong(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
        elif not property.writable:
            wrong.append(
                Wrong(name, "READ_ONLY_VALUE",
                      f'"{name}" is a read only property; its value cannot be set.')
            )  # fmt: skip
        elif text == "":
            values[name] = None
        elif (value := _stored(account, kind, property, text)) is None:
            wrong.append(_not_so(property, text))
        else:
            values[name] = value
    wrong += _stage_wrong(account, kind, values, record)
    wrong += _lifecycle_wrong(account, kind, values, record)
    if wrong:
        raise Invalid(wrong)
    _admin_rules(asked, kind, values, record)
    _unique(account, kind, values, record)
    return values


def _not_so(property: Property, text: str) -> Wrong:
    code = {
        "number": "INVALID_DOUBLE", "date": "INVALID_DATE", "datetime": "INVALID_DATE",
        "enumeration": "INVALID_OPTION", "bool": "INVALID_OPTION",
    }.get(property.type, "INVALID_OWNER_ID")  # fmt: skip
    if property.name == "email":
        code = "INVALID_EMAIL"
    return Wrong(property.name, code, f"{text} was not a valid {property.type}.")


def _stored(account: Account, kind: str, property: Property, text: str) -> str | None:
    if property.name == "email":
        return text.strip().lower() if _EMAIL.fullmatch(text.strip()) else None
    if property.name == "hubspot_owner_id":
        return text if text in {owner["id"] for owner in owners_of(account)} else None
    if property.type == "enumeration":
        return text if text in values_allowed(account, kind, property) else None
    return _TYPES.get(property.type, str)(text)


def _number(text: str) -> str | None:
    try:
        return text if Decimal(text).is_finite() else None
    except InvalidOperation:
        return None


def moment_of(text: str) -> datetime | None:
    """A moment as it is written: milliseconds since 1970, or ISO 8601; None where it is neither."""
    try:
        if re.fullmatch(r"-?\d+", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _datetime(text: str) -> str | None:
    moment = moment_of(text)
    return None if moment is None else iso(moment.timestamp())


def _date(text: str) -> str | None:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            return None
    moment = moment_of(text)
    # A date is sent as a day, or as the midnight of one, UTC.
    midnight = moment is not None and moment.astimezone(UTC).time() == datetime.min.time()
    return moment.astimezone(UTC).date().isoformat() if moment and midnight else None


def _bool(text: str) -> str | None:
    return text if text in ("true", "false") else None


_TYPES: Final[Mapping[str, Callable[[str], str | None]]] = {
    "number": _number, "datetime": _datetime, "date": _date, "bool": _bool,
}  # fmt: skip


def _after(record: Stored | None, values: Values, name: str) -> str | None:
    if name in values:
        return values[name]
    return record.fields.get(name) if record else None


def _stage_wrong(account: Account, kind: str, values: Values, record: Stored | None) -> list[Wrong]:
    """A stage that is not of the pipeline the record then stands in."""
    if kind not in STAGE_OF or not set(values) & set(STAGE_OF[kind]):
        return []
    line_name, stage_name = STAGE_OF[kind]
    stages = stages_of(account, kind)
    line, stage = (_after(record, values, name) for name in (line_name, stage_name))
    if record is None and stage and not line:
        # A new record without a pipeline stands in the first.
        line = next(iter(stages.values()))[0]
        values[line_name] = line
    if stage is None or stages.get(stage, ("", False))[0] == line:
        return []
    return [Wrong(stage_name, "INVALID_OPTION", f"{stage} is not a stage of the pipeline {line}")]


def _lifecycle_wrong(
    account: Account, kind: str, values: Values, record: Stored | None
) -> list[Wrong]:
    """Stages of life move forward only; to go back one is cleared first."""
    new = values.get("lifecyclestage")
    old = record.fields.get("lifecyclestage") if record else None
    if new is None or old is None or LIFECYCLE.index(new) >= LIFECYCLE.index(old):
        return []
    if account.switches["lifecycle_back"] == "ignored":
        del values["lifecyclestage"]
        return []
    return [Wrong("lifecyclestage", "INVALID_OPTION", f"{new} is before {old}; clear it first")]


def _admin_rules(asked: Asked, kind: str, values: Values, record: Stored | None) -> None:
    """What an administrator requires holds for the newest version's writes only.

    https://developers.hubspot.com/changelog/crm-api-write-validation-enforcement
    """
    if asked.version != NEWEST:
        return
    required = asked.account.memory.get("rules", {}).get(kind, ())
    lacking = [name for name in required if _after(record, values, name) is None]
    if lacking:
        text = f"Some required properties are missing: {', '.join(lacking)}"
        raise Deny(
            400, text,
            errors=[{"message": text, "code": "REQUIRED_FIELD",
                     "context": {"propertyName": lacking}}],
        )  # fmt: skip


def _unique(account: Account, kind: str, values: Values, record: Stored | None) -> None:
    for name, property in properties_of(account, kind).items():
        value = values.get(name)
        if value is None or "u" not in property.flags:
            continue
        other = (
            holder_of(account, value) if name == "email" else by_value(account, kind, name, value)
        )
        if other is None or other is record:
            continue
        if name == "email":
            raise Conflict(other.id, "Contact already exists")
        if account.switches["unique_conflict"] == "409":
            raise Conflict(other.id, f"{kind} with {name} {value} already exists")
        raise Invalid(
            [Wrong(name, "CONFLICTING_UNIQUE_VALUE", f"{value} is used by {other.id} already")]
        )


def owners_of(account: Account) -> list[dict[str, Any]]:
    """The portal's users who may own records; the last one left, and is archived."""
    portal = account.keys["portal"]
    people = (("张", "伟", "wei.zhang"), ("Anna", "Smith", "anna"), ("Old", "Hand", "gone"))
    return [
        {
            "id": owner_id(row),
            "email": f"{email}@portal{portal}.example",
            "type": "PERSON",
            "firstName": first,
            "lastName": last,
            "userId": 9_100 + row if row < 2 else None,
            "userIdIncludingInactive": 9_100 + row,
            "createdAt": "2023-01-01T00:00:00.000Z",
            "updatedAt": "2024-01-01T00:00:00.000Z",
            "archived": row == 2,
            "teams": [],
        }
        for row, (first, last, email) in enumerate(people)
    ]


def owner_id(row: int) -> str:
    """The id of an owner by row: 0 and 1 are active, 2 has left."""
    return str(71_000_001 + row)
