"""COQL: a parser and the evaluation of what the adapter and most people ask.

https://www.zoho.com/crm/developer/docs/api/v7/Get-Records-through-COQL-Query.html and
https://www.zoho.com/crm/developer/docs/api/v7/COQL-Overview.html: a lookup comes with its id only,
more than two criteria must stand in brackets, a quote is doubled
(https://help.zoho.com/portal/en/community/topic/kaizen-171-faqs-on-coql-api).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cmp_to_key
from typing import Any

from crm_bridge.simulator import Account, Reply, Stored
from crm_bridge_zoho.simulator_modules import MODULES, Field
from crm_bridge_zoho.simulator_org import LIVE, anywhere, denied, fields_of
from crm_bridge_zoho.simulator_shape import value_of
from crm_bridge_zoho.simulator_wire import Asked, Deny, epoch_of, nothing, reply

COLUMNS, CRITERIA, JOINS, ROWS = 50, 25, 2, 10_000

_WORD = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<op><=|>=|!=|[=<>(),])"
    r"|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<word>[A-Za-z_$!][\w.$]*))"
)
_NUMBERS = ("integer", "double", "currency", "percent", "bigint")
_TIMES = ("date", "datetime")


@dataclass(frozen=True)
class Test:
    """A criterion.

    Attributes:
        holds: Whether a record meets it.
        near: The ids among which are all records that do, by an index; None where none tells.
    """

    holds: Callable[[Stored], bool]
    near: Callable[[], set[str]] | None = None


def _syntax(near: str = "") -> Deny:
    return Deny("SYNTAX_ERROR", "error occurred while parsing the query", {"near": near[:40]})


def _invalid(reason: str, name: str = "") -> Deny:
    details = {"reason": reason} | ({"column_name": name} if name else {})
    return Deny("INVALID_QUERY", "invalid query formed", details)


@dataclass
class _Token:
    kind: str
    text: str

    @property
    def lower(self) -> str:
        return self.text.lower() if self.kind == "word" else ""


def _tokens(query: str) -> list[_Token]:
    found, at = [], 0
    while query[at:].strip():
        match = _WORD.match(query, at)
        if match is None:
            raise _syntax(query[at:])
        kind = str(match.lastgroup)
        text = match[kind]
        if kind == "text":
            text = text[1:-1].replace(text[0] * 2, text[0])
        found.append(_Token(kind, text))
        at = match.end()
    return found


class _Query:
    """One query, read word by word."""

    def __init__(self, asked: Asked, text: str) -> None:
        self.asked = asked
        self.account: Account = asked.account
        self.words = _tokens(text)
        self.at = 0
        self.criteria = 0
        self._paths: dict[str, tuple[list[Field], Field | None]] = {}
        self.module = ""
        self.exact = asked.account.switches["coql_case"] == "exact"

    def key(self, value: Any, kind: str) -> Any:
        """A value in the form that its type is compared by; None for empty."""
        found = _key(value, kind)
        if self.exact or kind in ("id", "lookup", "ownerlookup") or not isinstance(found, str):
            return found
        return found.casefold()

    def next(self) -> _Token:
        if self.at >= len(self.words):
            raise _syntax("end of query")
        self.at += 1
        return self.words[self.at - 1]

    def take(self, *words: str) -> bool:
        """Whether the next words are these; they are passed if so."""
        some = self.words[self.at : self.at + len(words)]
        if len(some) == len(words) and all(
            one.lower == word or (one.kind == "op" and one.text == word)
            for one, word in zip(some, words, strict=True)
        ):
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.take(*words):
            near = self.words[self.at].text if self.at < len(self.words) else "end of query"
            raise _syntax(near)

    # -- columns ----------------------------------------------------------------------------------

    def columns(self) -> list[str]:
        found = []
        while True:
            token = self.next()
            if token.kind == "word" and token.lower == "count" and self.take("("):
                self.next()
                self.expect(")")
                found.append("count(id)")
            elif token.kind in ("word", "text"):
                found.append(token.text)
            else:
                raise _syntax(token.text)
            if not self.take(","):
                return found

    def path(self, name: str) -> tuple[list[Field], Field | None]:
        """The lookups that a column goes through, and its own field; None for an id.

        Raises:
            Deny: The module has no such field, or it cannot be queried.
        """
        if name not in self._paths:
            self._paths[name] = self._path(name)
        return self._paths[name]

    def _path(self, name: str) -> tuple[list[Field], Field | None]:
        module, steps = self.module, name.split(".")
        through: list[Field] = []
        for step in steps[:-1]:
            field = fields_of(self.account, module).get(step)
            if field is None or field.type != "lookup" or field.target == "*":
                raise _invalid("column given seems to be invalid", name)
            through.append(field)
            module = field.target
        if len(through) > JOINS:
            raise _invalid("more joins than two", name)
        if steps[-1] == "id":
            return through, None
        field = fields_of(self.account, module).get(steps[-1])
        if field is None or field.type in ("subform", "multiselectlookup"):
            raise _invalid("column given seems to be invalid", name)
        return through, field

    def value(self, record: Stored | None, name: str) -> Any:
        through, field = self.path(name)
        for lookup in through:
            id = value_of(self.account, record, lookup) if record is not None else None
            record = anywhere(self.account, id) if id else None
        if record is None:
            return None
        return record.id if field is None else value_of(self.account, record, field)

    def type(self, name: str) -> str:
        field = self.path(name)[1]
        return "id" if field is None else field.type

    # -- criteria ---------------------------------------------------------------------------------

    def where(self) -> Test:
        """Criteria joined by and, or: at most two side by side, more need brackets."""
        first = self.criterion()
        for word, join in (("and", _both), ("or", _either)):
            if self.take(word):
                second = self.criterion()
                if self.at < len(self.words) and self.words[self.at].lower in ("and", "or"):
                    raise _syntax(self.words[self.at].text)
                return join(first, second)
        return first

    def criterion(self) -> Test:
        if self.take("("):
            inner = self.where()
            self.expect(")")
            return inner
        self.criteria += 1
        if self.criteria > CRITERIA:
            raise Deny("LIMIT_EXCEEDED", "too many criteria", {"limit": CRITERIA})
        token = self.next()
        if token.kind not in ("word", "text"):
            raise _syntax(token.text)
        name = token.text
        kind = self.type(name)
        near = self.near(name, kind)
        return Test(self.comparison(name, kind), near)

    def near(self, name: str, kind: str) -> Callable[[], set[str]] | None:
        """Where the records lie whose id or own lookup is one of those named next."""
        if "." in name or kind not in ("id", "lookup"):
            return None
        start = self.at
        words = [word.text for word in self.words[start : start + 2]]
        if words[:1] == ["="]:
            values = [word.text for word in self.words[start + 1 : start + 2]]
        elif [word.lower() for word in words] == ["in", "("]:
            rest = self.words[start + 2 :]
            end = next((n for n, word in enumerate(rest) if word.text == ")"), 0)
            values = [word.text for word in rest[:end] if word.kind != "op"]
        else:
            return None
        if kind == "id":
            return lambda: set(values)
        store, module = self.account.store, self.module
        return lambda: {r.id for value in values for r in store.where(module, name, value)}

    def comparison(self, name: str, kind: str) -> Callable[[Stored], bool]:
        if self.take("is", "not", "null"):
            return lambda r: not _empty(self.value(r, name))
        if self.take("is", "null"):
            return lambda r: _empty(self.value(r, name))
        if kind == "textarea":
            raise _invalid("the field is not supported in criteria", name)
        negated = self.take("not")
        if self.take("in", "("):
            wanted = self.listed(name, kind)
            return _maybe(negated, lambda r: self.key(self.value(r, name), kind) in wanted)
        if self.take("like"):
            return _maybe(negated, self.like(name, kind, negated))
        if self.take("between"):
            low = self.literal(name, kind)
            self.expect("and")
            high = self.literal(name, kind)
            return _maybe(
                negated, lambda r: _within(self.key(self.value(r, name), kind), low, high)
            )
        if negated:
            raise _syntax("not")
        op = self.next()
        if op.kind != "op" or op.text not in _COMPARE:
            raise _syntax(op.text)
        compare = _COMPARE[op.text]
        if op.text not in ("=", "!=") and kind not in (*_NUMBERS, *_TIMES, "id"):
            raise _invalid("the comparator is not supported for the field", name)
        if kind == "boolean" and op.text != "=":
            raise _invalid("the comparator is not supported for the field", name)
        given = self.literal(name, kind)
        return lambda r: compare(self.key(self.value(r, name), kind), given)

    def listed(self, name: str, kind: str) -> set[Any]:
        wanted = [self.literal(name, kind)]
        while self.take(","):
            wanted.append(self.literal(name, kind))
        self.expect(")")
        most = int(self.account.switches["coql_values"])
        if len(wanted) > most:
            raise Deny("LIMIT_EXCEEDED", "too many values in the criteria", {"limit": most})
        field = self.path(name)[1]
        several = str(self.account.switches["coql_in"])
        if field is None or field.type != "lookup" or field.target != "*" or several == "all":
            return set(wanted)
        if several == "refused":
            raise _invalid("the comparator is not supported for the field", name)
        return set(wanted[:1])

    def like(self, name: str, kind: str, negated: bool) -> Callable[[Stored], bool]:
        token = self.next()
        if token.kind != "text" or kind in (*_NUMBERS, *_TIMES, "boolean", "lookup", "id"):
            raise _invalid("the comparator is not supported for the field", name)
        pattern = token.text
        if negated and not (pattern.startswith("%") and pattern.endswith("%")):
            raise _invalid("not like needs % at both ends", name)
        parts = [re.escape(part) for part in pattern.split("%")]
        found = re.compile(".*".join(parts), re.DOTALL if self.exact else re.DOTALL | re.IGNORECASE)
        return lambda r: bool(found.fullmatch(str(self.value(r, name) or "")))

    def literal(self, name: str, kind: str) -> Any:
        token = self.next()
        if token.kind == "op":
            raise _syntax(token.text)
        text = token.text
        if kind == "boolean":
            if text.lower() not in ("true", "false"):
                raise _invalid("invalid value for the field", name)
            return text.lower() == "true"
        if kind in _TIMES and token.kind != "text":
            raise _syntax(text)
        found = self.key(text, kind)
        if found is None:
            raise _invalid("invalid value for the field", name)
        return found


def _empty(value: Any) -> bool:
    return value is None or value in ("", [])


def _key(value: Any, kind: str) -> Any:
    """A value in the form that its type is compared by; None for empty."""
    if _empty(value):
        return None
    if kind in _NUMBERS:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            return None
    if kind == "datetime":
        return epoch_of(str(value))
    if kind == "date":
        return str(value)[:10]
    if kind == "boolean":
        return bool(value)
    if isinstance(value, list):
        return ";".join(one["name"] if isinstance(one, dict) else str(one) for one in value)
    return str(value)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a is not None and a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a is not None and a < b,
    "<=": lambda a, b: a is not None and a <= b,
    ">": lambda a, b: a is not None and a > b,
    ">=": lambda a, b: a is not None and a >= b,
}


def _within(value: Any, low: Any, high: Any) -> bool:
    return value is not None and bool(low <= value <= high)


def _both(one: Test, other: Test) -> Test:
    nears = [test.near for test in (one, other) if test.near is not None]
    return Test(lambda r: one.holds(r) and other.holds(r), nears[0] if nears else None)


def _either(one: Test, other: Test) -> Test:
    first, second = one.near, other.near
    near = None if first is None or second is None else lambda: first() | second()
    return Test(lambda r: one.holds(r) or other.holds(r), near)


def _maybe(negated: bool, test: Callable[[Stored], bool]) -> Callable[[Stored], bool]:
    return (lambda r: not test(r)) if negated else test


def coql(asked: Asked) -> Reply:
    """POST /coql."""
    text = asked.body().get("select_query")
    if not isinstance(text, str) or not text.strip():
        raise Deny("MANDATORY_NOT_FOUND", "required field not found", {"api_name": "select_query"})
    if 0 < int(asked.account.switches["coql_length"]) < len(text):
        # "Parsing is happening for so long for the given query": how long it may be is not told.
        raise _syntax(text)
    query = _Query(asked, text)
    query.expect("select")
    columns = query.columns()
    query.expect("from")
    name = query.next().text
    if name not in MODULES or not MODULES[name].served:
        raise _invalid("module given seems to be invalid")
    query.module = name
    if denied(asked.account, "read", name):
        raise Deny("NO_PERMISSION", "permission denied", {"permissions": ["Crm_Implied_View"]})
    query.expect("where")
    test = query.where()
    order: list[tuple[str, bool]] = []
    if query.take("order", "by"):
        order.append(_ordered(query))
        while query.take(","):
            order.append(_ordered(query))
    limit, offset = _bounds(query)
    if query.at < len(query.words):
        raise _syntax(query.words[query.at].text)
    if len(columns) > COLUMNS:
        raise Deny("LIMIT_EXCEEDED", "too many columns", {"limit": COLUMNS})
    most = int(asked.account.switches["coql_rows"])
    if limit > most or offset + limit > ROWS:
        raise Deny("LIMIT_EXCEEDED", "the limit is exceeded", {"limit": most})
    asked.cost = 1 if limit <= 200 else 2 if limit <= 1000 else 3
    return _answer(query, columns, test, order, limit, offset)


def _ordered(query: _Query) -> tuple[str, bool]:
    name = query.next().text
    query.type(name)
    down = query.take("desc")
    if not down:
        query.take("asc")
    return name, down


def _bounds(query: _Query) -> tuple[int, int]:
    """`limit n`, `limit n offset m`, `limit m, n`."""
    limit, offset = 200, 0
    if query.take("limit"):
        limit = _count(query)
        if query.take(","):
            offset, limit = limit, _count(query)
    if query.take("offset"):
        offset = _count(query)
    return limit, offset


def _count(query: _Query) -> int:
    token = query.next()
    if token.kind != "number" or not token.text.isdigit():
        raise _syntax(token.text)
    return int(token.text)


def _answer(
    query: _Query,
    columns: list[str],
    test: Test,
    order: list[tuple[str, bool]],
    limit: int,
    offset: int,
) -> Reply:
    account, store = query.account, query.account.store
    for name in columns:
        if name != "count(id)":
            query.path(name)
    counting, by_id = columns == ["count(id)"], order == [("id", False)]
    ids = store.ids(query.module) if test.near is None else test.near()
    # In the order of ids a page is full before all that meets the criteria is found.
    enough = None if counting or (order and not by_id) else offset + limit + 1
    found: list[Stored] = []
    for id in ids if test.near is None and not by_id else sorted(ids):
        record = store.get(query.module, id)
        if record is None:
            continue
        seen = record.state == LIVE and not denied(account, "read", query.module, id)
        if seen and not record.meta.get("converted") and test.holds(record):
            found.append(record)
            if len(found) == enough:
                break
    if counting:
        info = {"count": 1, "more_records": False}
        return reply({"data": [{"COUNT(id)": len(found)}], "info": info})
    for name, down in reversed([] if by_id else order):
        kind = query.type(name)
        keyed = {r.id: _key(query.value(r, name), kind) for r in found}
        found.sort(key=cmp_to_key(lambda a, b, k=keyed: _against(k[a.id], k[b.id])), reverse=down)  # type: ignore[misc]
    some = found[offset : offset + limit]
    if not some:
        return nothing()
    data = [_row(query, record, columns) for record in some]
    info = {"count": len(some), "more_records": offset + limit < len(found)}
    return reply({"data": data, "info": info})


def _against(one: Any, other: Any) -> int:
    if one is None or other is None:
        return (one is not None) - (other is not None)
    return int(one > other) - int(one < other)


def _row(query: _Query, record: Stored, columns: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"id": record.id}
    for name in columns:
        value = query.value(record, name)
        if query.type(name) in ("lookup", "ownerlookup") and value is not None:
            value = {"id": value}
        data[name] = value
    return data
