"""Values that a client sends: checked as the vendor does, turned into what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from crm_bridge.simulator import Account
from crm_bridge_zoho.simulator_modules import Field
from crm_bridge_zoho.simulator_org import LIVE, anywhere, fields_of, module_of, person, setup_id
from crm_bridge_zoho.simulator_wire import RowDeny, epoch_of, moment, number, plain, wrong_type


def as_id(value: Any) -> str | None:
    """An id as clients send it: text, or a JSON number as the vendor's own client does."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if text.isascii() and text.isdigit() and 16 <= len(text) <= 19 else None


def _invalid(field: Field, wanted: str) -> RowDeny:
    return RowDeny("INVALID_DATA", "invalid data", wrong_type(field.api, wanted))


def checked(
    account: Account, module: str, sent: Mapping[str, Any], making: bool
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The values to store and the inner rows, of one record as it was sent.

    What is read-only, a `$` key or no field of the module is dropped without a word.

    Raises:
        RowDeny: A value that cannot be stored, or a mandatory field that is missing.
    """
    fields = fields_of(account, module)
    values: dict[str, Any] = {}
    inner: dict[str, list[dict[str, Any]]] = {}
    for name, value in sent.items():
        field = fields.get(name)
        if field is None:
            known = name.startswith("$") or name in ("id", "se_module", "Layout")
            if account.switches["unknown_field"] == "refuse" and not known:
                raise RowDeny("INVALID_DATA", "invalid data", {"api_name": name})
            continue
        if field.read_only:
            continue
        if field.type in ("subform", "multiselectlookup"):
            if value is not None:
                if not isinstance(value, list) or not all(isinstance(r, dict) for r in value):
                    raise _invalid(field, "jsonarray")
                inner[name] = value
            continue
        if value is None or value == "":
            if field.mandatory:
                details = {"api_name": name}
                raise RowDeny("MANDATORY_NOT_FOUND", "required field not found", details)
            values[name] = None
            continue
        values[name] = _stored(account, module, field, value)
    if making:
        for field in fields.values():
            if field.mandatory and not values.get(field.api) and not inner.get(field.api):
                details = {"api_name": field.api}
                raise RowDeny("MANDATORY_NOT_FOUND", "required field not found", details)
    return values, inner


def _stored(account: Account, module: str, field: Field, value: Any) -> Any:
    if field.api == "Tag":
        return _tags(account, field, value)
    match field.type:
        case "lookup":
            return _lookup(account, module, field, value)
        case "ownerlookup":
            id = as_id(value.get("id") if isinstance(value, dict) else value)
            if id is None or person(account, id) is None:
                raise _invalid(field, "jsonobject")
            return id
        case "integer":
            if isinstance(value, bool) or not isinstance(value, int):
                raise _invalid(field, "integer")
            return value
        case "bigint":
            text = str(value)
            if isinstance(value, bool) or not text.lstrip("-").isdigit() or len(text) > 19:
                raise _invalid(field, "bigint")
            return text
        case "double" | "currency" | "percent":
            if isinstance(value, bool) or not isinstance(value, int | Decimal):
                raise _invalid(field, "double")
            return number(plain(Decimal(value)), field.places or 2)
        case "boolean":
            if not isinstance(value, bool):
                raise _invalid(field, "boolean")
            return value
        case "date":
            return _date(field, value)
        case "datetime":
            epoch = epoch_of(value) if isinstance(value, str) and "T" in value else None
            if epoch is None:
                raise _invalid(field, "datetime")
            return moment(epoch)
        case "multiselectpicklist":
            if not isinstance(value, list) or not set(map(str, value)) <= set(field.picks):
                raise _invalid(field, "jsonarray")
            return value
        case "picklist":
            if not isinstance(value, str) or value not in field.picks:
                raise _invalid(field, "picklist")
            return value
    if not isinstance(value, str):
        raise _invalid(field, "string")
    if len(value) > field.most:
        details = {"maximum_length": field.most, "api_name": field.api}
        raise RowDeny("INVALID_DATA", "invalid data", details)
    return value


def _date(field: Field, value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise _invalid(field, "date") from None


def _lookup(account: Account, module: str, field: Field, value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("id")
    elif field.api not in ("Parent_Id", "What_Id", "Who_Id"):
        # A lookup is given as an object; the bare forms are those of notes and activities.
        raise _invalid(field, "jsonobject")
    id = as_id(value)
    if id is None:
        raise _invalid(field, "jsonobject")
    other = anywhere(account, id)
    target = module_of(account, id)
    if other is None or other.state != LIVE or (field.target != "*" and target != field.target):
        details = {"id": id, "api_name": field.api}
        raise RowDeny("INVALID_DATA", "the id given seems to be invalid", details)
    return id


def _tags(account: Account, field: Field, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise _invalid(field, "jsonarray")
    names = [one.get("name") if isinstance(one, dict) else one for one in value]
    if not all(isinstance(name, str) and name for name in names):
        raise _invalid(field, "jsonarray")
    return [tag(account, str(name)) for name in dict.fromkeys(names)]


def tag(account: Account, name: str) -> dict[str, Any]:
    """A tag as records hold it; a new name makes a new tag."""
    known: dict[str, str] = account.memory.setdefault("tags", {"重点": setup_id(account, 7, 1)})
    if name not in known:
        known[name] = setup_id(account, 7, len(known) + 1)
    return {"name": name, "id": known[name], "color_code": None}
