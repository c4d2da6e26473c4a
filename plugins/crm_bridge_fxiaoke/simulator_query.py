"""Queries: filters, orders, pages and totals, and which of them show what is voided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

from crm_bridge.simulator import Stored
from crm_bridge_fxiaoke.simulator_objects import (
    DEFAULTS,
    NUMBERS,
    PEOPLE,
    TIMES,
    VISIBLE,
    VOIDED,
    Field,
)
from crm_bridge_fxiaoke.simulator_rights import kind_of
from crm_bridge_fxiaoke.simulator_seed import USERS
from crm_bridge_fxiaoke.simulator_values import fields_known, wire
from crm_bridge_fxiaoke.simulator_wire import Asked, Business, Deny, only_keys


def query(asked: Asked) -> dict[str, Any]:
    """Answer query and findSimple: one page, and the total where it is asked for."""
    allowed = ("find_explicit_total_num", "field_projection")
    data = only_keys(asked.data, ("dataObjectApiName", "search_query_info"), allowed)
    kind = kind_of(asked, data["dataObjectApiName"])
    info = only_keys(
        data["search_query_info"],
        ("limit", "offset", "filters", "orders"),
        ("fieldProjection",),
    )
    limit, offset = info["limit"], info["offset"]
    for value in (limit, offset):
        if not isinstance(value, int) or isinstance(value, bool):
            raise Deny(32000, "参数错误: limit, offset")
    if not 1 <= limit <= 100:
        raise Deny(32000, "参数错误: limit不能超过100")
    if offset > 10000:
        raise Deny(10013, "offset out of range 10000", "offset 不能超过10000")
    if offset < 0 or offset % limit:
        raise Deny(32000, "参数错误: offset必须是limit的整数倍")
    counted = (
        data.get("find_explicit_total_num") is not False
        and asked.body.get("returnTotalNum") != 3
        and asked.body.get("need_return_count_num") is not False
    )
    found = found_by(asked, kind, info["filters"], info["orders"])
    page = list(islice(found, offset, offset + limit))
    # When the page is not full, what came before it is all there was.
    total = offset + len(page) + sum(1 for _ in found) if counted and page else 0
    if counted and not page and offset:
        total = sum(1 for _ in found_by(asked, kind, info["filters"], []))
    simple = asked.path.endswith("/findSimple")
    wanted = data.get("field_projection") or info.get("fieldProjection")
    rows = [wire(asked, record, wanted, derived=not simple) for record in page]
    return {"data": {"dataList": rows, "offset": offset, "limit": limit, "total": total}}


def find_one(asked: Asked) -> dict[str, Any]:
    """Answer findOne: the first record of a query."""
    data = only_keys(asked.data, ("dataObjectApiName", "search_query_info"), ("field_projection",))
    kind = kind_of(asked, data["dataObjectApiName"])
    parts = ("limit", "offset", "filters", "orders", "fieldProjection")
    info = only_keys(data["search_query_info"], (), parts)
    first = next(found_by(asked, kind, info.get("filters") or [], info.get("orders") or []), None)
    found = {} if first is None else wire(asked, first, data.get("field_projection"))
    return {"data": {"objectData": found}}


def found_by(asked: Asked, kind: str, filters: Any, orders: Any) -> Iterator[Stored]:
    """The records that a query means, in its order."""
    account = asked.account
    known = fields_known(account, kind)
    if not isinstance(filters, list) or not isinstance(orders, list):
        raise Deny(32000, "参数错误: filters, orders")
    tests: list[tuple[str, Callable[[Any], bool]]] = []
    narrow: list[str] | None = None
    after: str | None = None
    by_lookup: tuple[str, list[str]] | None = None
    seen = set()
    for given in filters:
        only_keys(given, ("field_name", "operator", "field_values"))
        name, operator, values = given["field_name"], given["operator"], given["field_values"]
        field = known.get(name)
        if field is None:
            raise Business(f"字段[{name}]不存在")
        if not isinstance(values, list):
            raise Deny(32000, "参数错误: field_values必须是列表")
        if name in PEOPLE:
            people = {account.keys[f"user:{user}"]: user for user, _, _ in USERS}
            values = [people.get(one, one) for one in values]
        tests.append((name, test_of(field, operator, values)))
        seen.add(name)
        texts = [one for one in values if isinstance(one, str)]
        if operator in ("EQ", "IN"):
            if name == "_id":
                narrow = sorted(set(texts))
            elif field.target:
                by_lookup = (name, texts)
        elif name == "_id" and operator == "GT" and len(texts) == 1:
            after = max(after or "", texts[0])
    states: tuple[str, ...] = VISIBLE
    if account.switches["voided_query"] in seen:
        states = (*VISIBLE, VOIDED)
    store = account.store
    records: Iterator[Stored]
    if narrow is not None:
        each = (store.get(kind, id) for id in narrow)
        records = (r for r in each if r is not None and r.state in states)
    elif by_lookup is not None:
        name, texts = by_lookup
        some = {r.id: r for text in texts for r in store.where(kind, name, text, *states)}
        records = iter([some[id] for id in sorted(some)])
    else:
        records = store.after(kind, after, *states)
    matching = (r for r in records if all(t(value_of(r, n)) for n, t in tests))
    return ordered(known, matching, orders)


def ordered(
    known: Mapping[str, Field], found: Iterator[Stored], orders: list[Any]
) -> Iterator[Stored]:
    """Records in the order that a query asks for; by their ids where it asks for none."""
    keys: list[tuple[str, bool, Field]] = []
    for order in orders:
        only_keys(order, ("fieldName", "isAsc"))
        field = known.get(order["fieldName"])
        if field is None:
            raise Business(f"字段[{order['fieldName']}]不存在")
        if not isinstance(order["isAsc"], bool):
            raise Deny(32000, "参数错误: isAsc")
        keys.append((field.name, order["isAsc"], field))
    if not keys or keys[0][:2] == ("_id", True):
        return found  # candidates come in the order of their ids
    rows = list(found)
    for name, ascending, field in reversed(keys):

        def key(record: Stored, name: str = name, field: Field = field) -> tuple[bool, Any]:
            value = comparable(field, value_of(record, name))
            return (value is not None, value if value is not None else "")

        rows.sort(key=key, reverse=not ascending)
    return iter(rows)


def value_of(record: Stored, name: str) -> Any:
    """A field as a filter sees it, with what the platform fills in."""
    if name in record.fields:
        return record.fields[name]
    if name == "_id":
        return record.id
    if name == "is_deleted":
        return record.state == VOIDED
    if name == "object_describe_api_name":
        return record.kind
    return DEFAULTS.get(name)


def comparable(field: Field, value: Any) -> Any:
    """A value in the form that its field type is compared by; None for empty."""
    if value is None or value == "" or value == []:
        return None
    if field.type in NUMBERS or field.type in TIMES:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            return None
    if field.type == "true_or_false":
        return "true" if value in (True, "true", "1", 1) else "false"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def test_of(field: Field, operator: Any, values: list[Any]) -> Callable[[Any], bool]:
    """What a filter asks of a value."""
    wanted = [comparable(field, one) for one in values]
    wanted = [one for one in wanted if one is not None]
    several = frozenset(wanted)
    texts = frozenset(map(str, values))

    def one(value: Any) -> Any:
        return comparable(field, value)

    def any_of(value: Any) -> bool:
        if isinstance(value, list):
            return not texts.isdisjoint(map(str, value))
        return one(value) in several

    def text(value: Any) -> str:
        return str(one(value) or "")

    needs = {"BETWEEN": 2, "NBETWEEN": 2}
    needs |= dict.fromkeys(("GT", "GTE", "LT", "LTE", "LIKE", "NLIKE", "STARTWITH", "ENDWITH"), 1)
    if operator in needs and len(wanted) != needs[operator]:
        raise Deny(32000, f"参数错误: {operator}")
    first = wanted[0] if wanted else None
    low, high = (wanted[0], wanted[1]) if len(wanted) > 1 else (first, first)

    def within(value: Any) -> bool:
        at = one(value)
        return at is not None and bool(low <= at <= high)

    def compared(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
        return lambda value: (at := one(value)) is not None and holds(at)

    tests: dict[str, Callable[[Any], bool]] = {
        "EQ": any_of,
        "N": lambda value: not any_of(value),  # empty values as well
        "IN": any_of,
        "NIN": lambda value: not any_of(value),
        "HASANYOF": any_of,
        "NHASANYOF": lambda value: not any_of(value),
        "CONTAINS": any_of,
        "IS": lambda value: one(value) is None,
        "ISN": lambda value: one(value) is not None,
        "GT": compared(lambda at: at > first),
        "GTE": compared(lambda at: at >= first),
        "LT": compared(lambda at: at < first),
        "LTE": compared(lambda at: at <= first),
        "LIKE": lambda value: str(first) in text(value),
        "NLIKE": lambda value: str(first) not in text(value),
        "STARTWITH": lambda value: text(value).startswith(str(first)),
        "ENDWITH": lambda value: text(value).endswith(str(first)),
        "BETWEEN": within,
        "NBETWEEN": lambda value: not within(value),
    }
    test = tests.get(operator) if isinstance(operator, str) else None
    if test is None:
        raise Deny(32000, f"参数错误: operator {operator}")
    return test
