"""Search: its own limits, its own pace, never an archived record, and late by a switch.

https://developers.hubspot.com/docs/api-reference/2026-03/crm/search-the-crm
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm_bridge.simulator import Reply, Stored
from crm_bridge_hubspot.simulator_catalog import Property
from crm_bridge_hubspot.simulator_portal import LIVE, may_see, properties_of, shown, value_of
from crm_bridge_hubspot.simulator_values import moment_of
from crm_bridge_hubspot.simulator_wire import Asked, Deny, not_json, texts_of

GROUPS, FILTERS, FILTERS_IN_ALL, PAGE, RESULTS, QUERY = 5, 6, 18, 200, 10_000, 3_000

_WORDS: Final = re.compile(r"\w+")
_SEARCHED = (
    "email", "firstname", "lastname", "phone", "company", "name", "domain", "website", "dealname",
    "subject", "content", "hs_object_id", "hs_note_body", "hs_call_title", "hs_task_subject",
    "project_name",
)  # fmt: skip

Shown = Callable[[str], str | None]
"""A property's name to the value that search sees."""


def search(asked: Asked, kind: str) -> Reply:
    """POST /search: up to 200 a page and 10,000 in all; `after` is a number."""
    body = asked.body()
    limit = _whole(body.get("limit", 10), "limit")
    if not 0 < limit <= PAGE:
        raise _bad(f"limit {limit} is not from 1 to {PAGE}")
    start = _whole(body.get("after") or 0, "after")
    if start + limit > RESULTS:
        raise _bad(f"no more than {RESULTS} results can be read of one query")
    tests = _groups(asked, kind, body.get("filterGroups") or [])
    words = _query(body.get("query"))
    found = []
    for record in asked.account.store.after(kind, None, LIVE):
        old = _old(asked, record)
        if old is _NEW:
            continue
        seen = _seen(asked, record, old)
        if (not tests or any(all(test(seen) for test in group) for group in tests)) and (
            not words or _has_words(seen, words)
        ):
            found.append((record, old))
    _sort(asked, kind, found, body.get("sorts") or [])
    names = texts_of(body, "properties")
    results = [shown(asked, record, names, old=old) for record, old in found[start : start + limit]]
    told: dict[str, Any] = {"total": len(found), "results": results}
    if start + limit < len(found):
        told["paging"] = {"next": {"after": str(start + limit)}}
    return Reply.json(told)


def _bad(text: str) -> Deny:
    return Deny(400, f"There was a problem with the request: {text}")


def _whole(value: Any, name: str) -> int:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Deny(400, f'Cannot deserialize value of type `int` from "{value}" ({name})')


# -- what search sees -----------------------------------------------------------------------------

_NEW: Final[Mapping[str, Any]] = {"": None}
"""Stands for a record that search has not seen yet."""


def _old(asked: Asked, record: Stored) -> Mapping[str, Any] | None:
    before = record.meta.get("before")
    lag = asked.switch("search_lag")
    if before is None or not lag or asked.account.clock.epoch() - before[0] >= lag:
        return None
    old: Mapping[str, Any] | None = before[1]
    return _NEW if old is None else old


def _seen(asked: Asked, record: Stored, old: Mapping[str, Any] | None) -> Shown:
    known = properties_of(asked.account, record.kind)

    def seen(name: str) -> str | None:
        if old is not None and name in old:
            value: str | None = old[name]
            return value
        return value_of(asked.account, record, known[name])

    return seen


# -- filters --------------------------------------------------------------------------------------


def _groups(asked: Asked, kind: str, groups: Any) -> list[list[Callable[[Shown], bool]]]:
    if not isinstance(groups, list):
        raise not_json("filterGroups is a list")
    if len(groups) > GROUPS:
        raise _bad(f"{len(groups)} filterGroups are more than {GROUPS}")
    found = []
    for group in groups:
        filters = group.get("filters") if isinstance(group, dict) else None
        if not isinstance(filters, list):
            raise not_json("a filterGroup has filters")
        if len(filters) > FILTERS:
            raise _bad(f"{len(filters)} filters in a group are more than {FILTERS}")
        found.append([_filter(asked, kind, one) for one in filters])
    if sum(map(len, found)) > FILTERS_IN_ALL:
        raise _bad(f"more than {FILTERS_IN_ALL} filters")
    return found


def _filter(asked: Asked, kind: str, one: Any) -> Callable[[Shown], bool]:
    if not isinstance(one, dict):
        raise not_json("a filter is an object")
    name, operator = one.get("propertyName"), one.get("operator")
    property = properties_of(asked.account, kind).get(name or "")
    if property is None or not may_see(asked, kind, property):
        raise _bad(f"property {name!r} does not exist")
    name = property.name
    if operator == "HAS_PROPERTY":
        return lambda seen: seen(name) is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda seen: seen(name) is None
    if operator in ("IN", "NOT_IN"):
        values = one.get("values")
        if not isinstance(values, list) or not values:
            raise _bad(f"{operator} needs values")
        return _in(asked, property, [str(v) for v in values], operator == "IN")
    value = one.get("value")
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise _bad(f"{operator} needs a value")
    wanted = str(value)
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        has = _token(wanted)
        if operator == "CONTAINS_TOKEN":
            return lambda seen: has(seen(name))
        return lambda seen: not has(seen(name))
    return _compare(property, str(operator), wanted, one.get("highValue"))


def _in(
    asked: Asked, property: Property, values: list[str], positive: bool
) -> Callable[[Shown], bool]:
    if property.type == "string" and asked.switch("in_lowercase"):
        # Text is held against the values in lower case, and they are taken as they came.
        texts = set(values)
        return lambda seen: ((seen(property.name) or "").lower() in texts) == positive
    keys = {_key(property, value) for value in values}
    return lambda seen: (
        seen(property.name) is not None
        and _key(property, seen(property.name) or "") in keys
    ) == positive  # fmt: skip


def _compare(property: Property, operator: str, wanted: str, high: Any) -> Callable[[Shown], bool]:
    name, low = property.name, _key(property, wanted)

    def key(seen: Shown) -> Any:
        value = seen(name)
        return None if value is None else _key(property, value)

    match operator:
        case "EQ":
            return lambda seen: key(seen) == low
        case "NEQ":
            return lambda seen: key(seen) != low
        case "LT":
            return lambda seen: (k := key(seen)) is not None and k < low
        case "LTE":
            return lambda seen: (k := key(seen)) is not None and k <= low
        case "GT":
            return lambda seen: (k := key(seen)) is not None and k > low
        case "GTE":
            return lambda seen: (k := key(seen)) is not None and k >= low
        case "BETWEEN":
            if not isinstance(high, str | int):
                raise _bad("BETWEEN needs a highValue")
            top = _key(property, str(high))
            return lambda seen: (k := key(seen)) is not None and low <= k <= top
    raise _bad(f"operator {operator!r} does not exist")


def _key(property: Property, value: str) -> Any:
    """A value as it is compared: numbers and moments by what they mean."""
    try:
        if property.type == "number":
            return Decimal(value)
        if property.type in ("date", "datetime"):
            moment = moment_of(value)
            if moment is None:
                raise _bad(f"{value!r} is no {property.type}")
            return moment
    except InvalidOperation:
        raise _bad(f"{value!r} is no number") from None
    return value


def _token(wanted: str) -> Callable[[str | None], bool]:
    """Whether words of a value fit: all that are named, `*` for any rest of a word."""
    parts = [p for p in re.split(r"[^\w*]+", wanted.lower()) if p.strip("*")]
    patterns = [re.compile(re.escape(p).replace(r"\*", ".*")) for p in parts]

    def has(value: str | None) -> bool:
        words = _WORDS.findall((value or "").lower())
        return bool(patterns) and all(any(p.fullmatch(w) for w in words) for p in patterns)

    return has


def _query(text: Any) -> list[str]:
    if text is None:
        return []
    if not isinstance(text, str) or len(text) > QUERY:
        raise _bad(f"query is longer than {QUERY} characters")
    return [word.lower() for word in _WORDS.findall(text)]


def _has_words(seen: Shown, words: Iterable[str]) -> bool:
    texts = []
    for name in _SEARCHED:
        try:
            texts.append((seen(name) or "").lower())
        except KeyError:
            continue
    return all(any(word in text for text in texts) for word in words)


def _sort(asked: Asked, kind: str, found: list[tuple[Stored, Any]], sorts: Any) -> None:
    if not isinstance(sorts, list) or len(sorts) > 1:
        raise _bad("one sort is taken")
    for one in sorts:
        name = one.get("propertyName") if isinstance(one, dict) else one
        down = isinstance(one, dict) and one.get("direction") == "DESCENDING"
        if isinstance(one, str) and one.startswith("-"):
            name, down = one[1:], True
        property = properties_of(asked.account, kind).get(name or "")
        if property is None:
            raise _bad(f"property {name!r} does not exist")

        def key(pair: tuple[Stored, Any], property: Property = property) -> Any:
            value = value_of(asked.account, pair[0], property)
            return (value is not None, _key(property, value) if value is not None else 0)

        found.sort(key=key, reverse=down)
