"""Typed conditions, twice: as HubSpot's search filters, and judged here exactly.

A search only narrows: HubSpot compares text without regard to case, splits it into words, and its
index lags. So what it finds is read by id and judged here, and what it cannot ask exactly is not
asked of it. https://developers.hubspot.com/docs/api-reference/2026-03/crm/search-the-crm
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm_bridge.kit import Condition, Rejected, is_empty
from crm_bridge_hubspot.schema import KindSchema

OPERATORS: Final = frozenset(
    ("=", "!=", "<", "<=", ">", ">=", "in", "contains", "is empty", "is not empty")
)
MOST_FILTERS: Final = 5
"""A group takes six filters; one is kept for the page."""
MOST_VALUES: Final = 50
"""Values of one `IN`; a longer list is judged here alone."""

_ORDERED: Final = {"<": "LT", "<=": "LTE", ">": "GT", ">=": "GTE"}
_MOMENTS: Final = ("date", "datetime")

Filter = Mapping[str, Any]


def checked(schema: KindSchema, where: Sequence[Condition], fields: Sequence[str]) -> None:
    """Refuse a field or an operator that nobody knows, before anything is searched.

    Raises:
        Rejected: There is no such property, or no such operator.
    """
    for name in [*(c.field for c in where), *fields]:
        if name not in schema.properties:
            raise Rejected(
                f"HubSpot's {schema.kind} have no property {name!r} that this token may see.",
                vendor_code="PROPERTY_DOESNT_EXIST",
            )
    for condition in where:
        if condition.op not in OPERATORS:
            raise Rejected(f"{condition.op!r} is no operator.")


def filters(schema: KindSchema, where: Sequence[Condition]) -> list[Filter]:
    """As many of the conditions as a search can narrow by without losing a record."""
    found = [f for c in where if (f := _filter(schema.properties[c.field].type, c)) is not None]
    return found[:MOST_FILTERS]


def _filter(type: str, condition: Condition) -> Filter | None:
    name, op, value = condition.field, condition.op, condition.value
    if op == "is empty":
        return {"propertyName": name, "operator": "NOT_HAS_PROPERTY"}
    if op == "is not empty":
        return {"propertyName": name, "operator": "HAS_PROPERTY"}
    if op == "in" and 0 < len(value) <= MOST_VALUES and type == "string":
        # HubSpot wants the values of a text property in lower case; the others cost nothing.
        texts = [spelled(one) for one in value]
        values = list(dict.fromkeys([t for text in texts for t in (text.lower(), text)]))
        return {"propertyName": name, "operator": "IN", "values": values} if all(texts) else None
    if op == "=" and type in ("string", "enumeration") and spelled(value):
        return {"propertyName": name, "operator": "EQ", "value": spelled(value)}
    if op in _ORDERED and type == "number" and (number := _number(value)) is not None:
        return {"propertyName": name, "operator": _ORDERED[op], "value": format(number, "f")}
    if op in _ORDERED and type in _MOMENTS and (moment := _moment(value)) is not None:
        milliseconds = int(moment.timestamp() * 1000)
        return {"propertyName": name, "operator": _ORDERED[op], "value": str(milliseconds)}
    return None


def meets(schema: KindSchema, fields: Mapping[str, Any], condition: Condition) -> bool:
    """Whether a record's own values meet a condition."""
    value, wanted = fields.get(condition.field), condition.value
    type = schema.properties[condition.field].type
    match condition.op:
        case "is empty":
            return is_empty(value)
        case "is not empty":
            return not is_empty(value)
        case "=":
            return _equal(type, value, wanted)
        case "!=":
            return not _equal(type, value, wanted)
        case "in":
            return any(_equal(type, value, one) for one in wanted)
        case "contains":
            return not is_empty(value) and spelled(wanted).casefold() in str(value).casefold()
    left, right = _comparable(type, value), _comparable(type, wanted)
    if left is None or right is None:
        return False
    answers: dict[str, bool] = {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right,
    }  # fmt: skip
    return answers[condition.op]


def _equal(type: str, value: Any, wanted: Any) -> bool:
    if is_empty(value) or is_empty(wanted):
        return is_empty(value) and is_empty(wanted)
    if type not in ("string", "enumeration"):
        left, right = _comparable(type, value), _comparable(type, wanted)
        if left is not None and right is not None:
            return bool(left == right)
    return str(value) == spelled(wanted)


def _comparable(type: str, value: Any) -> Any:
    """A value in the order of its type; of text, numbers where it holds one."""
    if type in _MOMENTS:
        return _moment(value)
    if type in ("number", "string", "phone_number", "enumeration"):
        return _number(value)
    return None


def spelled(value: Any) -> str:
    """A value as HubSpot spells it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _number(value: Any) -> Decimal | None:
    if is_empty(value) or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = str(value) if not is_empty(value) else ""
    try:
        if text.lstrip("-").isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
