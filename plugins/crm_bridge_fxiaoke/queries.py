"""Typed conditions as the vendor's filters, and records page by page in the order of their ids.

https://developer.fxiaoke.com/openapi_v2/FAQ/deep-paging.html: offsets end at 10,000, so a page
begins after the last id of the one before it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from crm_bridge.kit import Condition, Rejected, StrangeAnswer, Unreachable, strict_json
from crm_bridge_fxiaoke.client import Client, path_of
from crm_bridge_fxiaoke.describes import Field

PAGE: Final = 100
"""Rows a query may ask for."""

NEEDED: Final = ("_id", "life_status", "is_deleted", "lock_status", "last_modified_time")
"""Fields that a record's state is read from, whatever else is wanted."""

NUMBERS: Final = ("number", "currency", "percentile")
TIMES: Final = ("date", "date_time", "time")
PEOPLE: Final = ("employee", "department", "employee_many", "department_many")
MANY: Final = ("select_many", "object_reference_many")

_OPERATORS: Final = {
    "=": "EQ", "!=": "N", "<": "LT", "<=": "LTE", ">": "GT", ">=": "GTE", "in": "IN",
    "contains": "LIKE", "is empty": "IS", "is not empty": "ISN",
}  # fmt: skip
_NATIVE: Final = frozenset(
    ["EQ", "N", "GT", "GTE", "LT", "LTE", "LIKE", "NLIKE", "IS", "ISN", "IN", "NIN", "BETWEEN",
     "NBETWEEN", "STARTWITH", "ENDWITH", "HASANYOF", "NHASANYOF", "CONTAINS"]
)  # fmt: skip

Filter = Mapping[str, Any]


def matching(name: str, operator: str, *values: Any) -> Filter:
    """One filter; its values are always a list."""
    return {"field_name": name, "operator": operator, "field_values": list(values)}


VOIDED_ONLY: Final = (
    matching("is_deleted", "EQ", True),
    matching("life_status", "EQ", "invalid"),
)
"""Nobody has confirmed which of the two makes a search show voided records, so both are asked."""

NOT_PENDING: Final = matching("life_status", "N", "in_change")


def filters(kind: str, where: Sequence[Condition], fields: Mapping[str, Field]) -> list[Filter]:
    """Conditions as filters; a field's name is one of the vendor's own, a value is data.

    Raises:
        Rejected: A field or an operator is not known.
    """
    found = []
    for condition in where:
        field = known(kind, condition.field, fields)
        if condition.op not in _OPERATORS:
            raise Rejected(f"FxiaoKe has no operator {condition.op!r}.")
        found.append(_filter(field, condition.op, condition.value))
    return found


def known(kind: str, name: str, fields: Mapping[str, Field]) -> Field:
    """The field of that name.

    Raises:
        Rejected: The object has none; the nearest is named.
    """
    if name not in fields:
        near = difflib.get_close_matches(name, fields, 1)
        raise Rejected(
            f"{kind} has no field {name!r}.", detail=f"Did you mean {near[0]!r}?" if near else ""
        )
    return fields[name]


def native_filters(text: str) -> list[Filter]:
    """A query in the vendor's own language: its list of filters, as JSON.

    Raises:
        Rejected: It is no such list.
    """
    try:
        value = strict_json(text)
    except StrangeAnswer as error:
        raise Rejected(f"the native query is not JSON: {error}.") from None
    rows = value if isinstance(value, list) else [value]
    for row in rows:
        fits = isinstance(row, dict) and set(row) == {"field_name", "operator", "field_values"}
        if not fits or row["operator"] not in _NATIVE or not isinstance(row["field_values"], list):
            raise Rejected(
                "a native query of FxiaoKe is a list of filters.",
                detail='One is {"field_name":"name","operator":"LIKE","field_values":["x"]}',
            )
    return rows


def rows_of(
    client: Client, kind: str, where: Sequence[Filter], fields: Sequence[str] = ()
) -> Iterator[Mapping[str, Any]]:
    """Every row of a query, in the order of ids.

    Raises:
        Rejected: The vendor refuses the query.
        Unreachable: The pages do not go forward.
    """
    after = ""
    while True:
        more = [matching("_id", "GT", after)] if after else []
        rows, total = page(client, kind, [*where, *more], fields, count=True)
        yield from rows
        if len(rows) < PAGE:
            if total is not None and total > len(rows):
                raise Unreachable(
                    f"FxiaoKe found {total} records here and gave {len(rows)}: its "
                    "pages have a gap.",
                    answered=True,
                )
            return
        last = str(rows[-1]["_id"])
        if after in {row["_id"] for row in rows} or last == after:
            raise Unreachable("FxiaoKe's pages do not go forward.", answered=True)
        after = last


def page(
    client: Client,
    kind: str,
    where: Sequence[Filter],
    fields: Sequence[str] = (),
    *,
    limit: int = PAGE,
    count: bool = False,
) -> tuple[list[Mapping[str, Any]], int | None]:
    """One page of a query, and how many rows there are in all where that is asked for."""
    info: dict[str, Any] = {
        "limit": limit,
        "offset": 0,
        "filters": list(where),
        "orders": [{"fieldName": "_id", "isAsc": True}],
    }
    if fields:
        info["fieldProjection"] = [*dict.fromkeys((*NEEDED, *fields))]
    data = client.ask(
        path_of(kind, "query"),
        {
            "dataObjectApiName": kind,
            "search_query_info": info,
            "find_explicit_total_num": count,
        },
    ).data
    rows = data.get("dataList")
    if not isinstance(rows, list) or not all(
        isinstance(row, Mapping) and isinstance(row.get("_id"), str) for row in rows
    ):
        raise Unreachable("FxiaoKe's answer to a query holds no list of records.", answered=True)
    total = data.get("total")
    # `total` is 0 where the vendor did not count.
    counted = count and isinstance(total, int) and total >= len(rows)
    return rows, total if counted and isinstance(total, int) else None


def _filter(field: Field, op: str, value: Any) -> Filter:
    if op in ("is empty", "is not empty") or (value is None and op in ("=", "!=")):
        empty = op in ("is empty", "=")
        return matching(field.name, "IS" if empty else "ISN")
    values = list(value) if op == "in" else [value]
    operator = _OPERATORS[op]
    if field.type in PEOPLE:
        operator = {"EQ": "IN", "N": "NIN", "LIKE": "IN"}.get(operator, operator)
    elif field.type in MANY:
        operator = {"EQ": "HASANYOF", "IN": "HASANYOF", "N": "NHASANYOF", "LIKE": "HASANYOF"}.get(
            operator, operator
        )
    return matching(field.name, operator, *(_value(field, one) for one in values))


def _value(field: Field, value: Any) -> Any:
    """A value in the vendor's form: numbers as text, times in milliseconds, a switch as such."""
    if isinstance(value, bool):
        return value if field.type == "true_or_false" else str(value).lower()
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return str(_milliseconds(moment))
    if isinstance(value, date):
        return str(_milliseconds(datetime(value.year, value.month, value.day, tzinfo=UTC)))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    if field.type == "true_or_false" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    return str(value)


def _milliseconds(moment: datetime) -> int:
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000
