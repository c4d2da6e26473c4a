"""SOQL, as much of it as a client of records needs: read from text into a `Query`.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from crm_bridge_salesforce.simulator_org import Trouble

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:\\.|[^'\\])*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d(?!\d))
    | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<mark><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
_TEXTS = re.compile(r"\s*(?P<texts>\(\s*'[^'\\]*'(?:\s*,\s*'[^'\\]*')*\s*\))")
"""A list of plain texts, which after IN is one token: lists of ids have hundreds."""
_TEXT = re.compile(r"'([^'\\]*)'")
_ESCAPES: Final = {
    "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\",
    "_": "_", "%": "%",
}  # fmt: skip
_AGGREGATES: Final = ("COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG")
LONGEST: Final = 100_000
"""Characters of the longest query."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing selected: a field, or an aggregate over one."""

    path: str
    aggregate: str = ""
    alias: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison; `value` is a literal, a tuple of them, or a Query for a semi-join."""

    path: str
    op: str
    value: Any
    kind: str  # string, number, date, datetime, boolean, null, list, query
    at: int = 0


@dataclass(frozen=True, slots=True)
class Logic:
    """AND, OR or NOT of conditions."""

    op: str
    parts: tuple[Any, ...]


@dataclass(slots=True)
class Query:
    """A query, read."""

    text: str
    kind: str = ""
    kind_at: int = 0
    items: list[Item] = field(default_factory=list)
    counts: bool = False  # SELECT COUNT()
    every: str = ""  # FIELDS(ALL | STANDARD | CUSTOM)
    where: Compare | Logic | None = None
    group: list[str] = field(default_factory=list)
    order: list[tuple[str, bool, bool]] = field(
        default_factory=list
    )  # path, descending, nulls last
    limit: int | None = None
    offset: int = 0


def pointed(text: str, at: int, why: str, code: str = "MALFORMED_QUERY") -> Trouble:
    """A refusal that points at a place in the query, as recorded from a real org."""
    lines = text[:at].count("\n")
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    shown = text[:255]
    return Trouble(
        code, f"\n{shown}\n{' ' * (column - 1)}^\nERROR at Row:{lines + 1}:Column:{column}\n{why}"
    )


def unquoted(raw: str) -> str | None:
    """The value of a quoted literal; None where an escape is unknown."""
    if "\\" not in raw:
        return raw[1:-1]
    parts: list[str] = []
    at = 1
    while at < len(raw) - 1:
        char = raw[at]
        if char == "\\":
            at += 1
            if raw[at] in "uU":
                parts.append(chr(int(raw[at + 1 : at + 5], 16)))
                at += 5
                continue
            if raw[at] not in _ESCAPES:
                return None
            char = _ESCAPES[raw[at]]
        parts.append(char)
        at += 1
    return "".join(parts)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            listed = bool(self.tokens) and self.tokens[-1][1].upper() == "IN"
            found = (_TEXTS.match(text, at) if listed else None) or _TOKEN.match(text, at)
            if found is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                raise pointed(text, start, f"unexpected token: '{text[start]}'")
            kind = str(found.lastgroup)
            self.tokens.append((kind, found[kind], found.start(kind)))
            at = found.end()
        self.at = 0

    def peek(self, ahead: int = 0) -> tuple[str, str, int]:
        if self.at + ahead < len(self.tokens):
            return self.tokens[self.at + ahead]
        return ("end", "<EOF>", len(self.text))

    def take(self) -> tuple[str, str, int]:
        token = self.peek()
        self.at += 1
        return token

    def wrong(self, token: tuple[str, str, int] | None = None) -> Trouble:
        kind, text, at = token or self.peek()
        if kind == "end":
            return Trouble("MALFORMED_QUERY", "unexpected end of query")
        return pointed(self.text, at, f"unexpected token: '{text}'")

    def word(self, *words: str) -> str | None:
        kind, text, _ = self.peek()
        if kind == "name" and text.upper() in words:
            self.at += 1
            return text.upper()
        return None

    def need(self, word: str) -> None:
        if self.word(word) is None:
            raise self.wrong()

    def mark(self, mark: str) -> bool:
        if self.peek()[:2] == ("mark", mark):
            self.at += 1
            return True
        return False

    def name(self) -> tuple[str, int]:
        kind, text, at = self.take()
        if kind != "name":
            raise self.wrong((kind, text, at))
        return text, at

    # -- the parts ------------------------------------------------------------------------------

    def query(self) -> Query:
        query = Query(self.text)
        self.need("SELECT")
        self._items(query)
        self.need("FROM")
        query.kind, query.kind_at = self.name()
        if self.peek()[0] == "name" and self.peek()[1].upper() not in _AFTER_FROM:
            self.take()  # an alias; paths are not written with it here
        if self.word("WHERE"):
            query.where = self._either()
        if self.word("GROUP"):
            self.need("BY")
            query.group = self._paths()
        if self.word("ORDER"):
            self.need("BY")
            self._order(query)
        if self.word("LIMIT"):
            query.limit = self._whole()
        if self.word("OFFSET"):
            query.offset = self._whole()
            if query.offset > 2000:
                raise Trouble("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        return query

    def _items(self, query: Query) -> None:
        while True:
            name, at = self.name()
            if self.mark("("):
                self._function(query, name.upper(), at)
            else:
                query.items.append(Item(name, at=at))
            if not self.mark(","):
                return

    def _function(self, query: Query, name: str, at: int) -> None:
        if name == "COUNT" and self.mark(")"):
            query.counts = True
            return
        path, place = self.name()
        if not self.mark(")"):
            raise self.wrong()
        if name == "FIELDS" and path.upper() in ("ALL", "STANDARD", "CUSTOM"):
            query.every = path.upper()
            return
        if name not in _AGGREGATES:
            raise pointed(self.text, at, f"unexpected token: '{name}'")
        alias = ""
        if self.peek()[0] == "name" and self.peek()[1].upper() != "FROM":
            alias = self.take()[1]
        query.items.append(Item(path, name, alias, place))

    def _paths(self) -> list[str]:
        found = [self.name()[0]]
        while self.mark(","):
            found.append(self.name()[0])
        return found

    def _order(self, query: Query) -> None:
        while True:
            path, _ = self.name()
            down = self.word("ASC", "DESC") == "DESC"
            last = False
            if self.word("NULLS"):
                last = self.word("FIRST", "LAST") == "LAST"
            query.order.append((path, down, last))
            if not self.mark(","):
                return

    def _whole(self) -> int:
        kind, text, at = self.take()
        if kind != "number" or not text.isdigit():
            raise self.wrong((kind, text, at))
        return int(text)

    def _either(self) -> Compare | Logic:
        """Conditions joined by one of AND and OR; to mix them, brackets are needed."""
        parts = [self._one()]
        joined = ""
        while word := self.word("AND", "OR"):
            if joined and word != joined:
                self.at -= 1
                raise self.wrong()
            joined = word
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Logic(joined, tuple(parts))

    def _one(self) -> Compare | Logic:
        if self.word("NOT"):
            return Logic("NOT", (self._one(),))
        if self.mark("("):
            inner = self._either()
            if not self.mark(")"):
                raise self.wrong()
            return inner
        path, at = self.name()
        if self.word("NOT"):
            self.need("IN")
            return self._list(path, "NOT IN", at)
        if self.word("IN"):
            return self._list(path, "IN", at)
        if self.word("LIKE"):
            kind, text, place = self.take()
            if kind != "string":
                raise self.wrong((kind, text, place))
            return Compare(path, "LIKE", text, "string", at)
        kind, op, place = self.take()
        if kind != "mark" or op in "(),":
            raise self.wrong((kind, op, place))
        value, kind = self._literal()
        return Compare(path, "!=" if op == "<>" else op, value, kind, at)

    def _list(self, path: str, op: str, at: int) -> Compare:
        if self.peek()[0] == "texts":
            texts = _TEXT.findall(self.take()[1])
            return Compare(path, op, tuple((text, "string") for text in texts), "list", at)
        if not self.mark("("):
            raise self.wrong()
        if self.peek()[0] == "name" and self.peek()[1].upper() == "SELECT":
            inner = self.query()
            if not self.mark(")"):
                raise self.wrong()
            return Compare(path, op, inner, "query", at)
        values = [self._literal()]
        while self.mark(","):
            values.append(self._literal())
        if not self.mark(")"):
            raise self.wrong()
        return Compare(path, op, tuple(values), "list", at)

    def _literal(self) -> tuple[Any, str]:
        kind, text, at = self.take()
        if kind == "string":
            value = unquoted(text)
            if value is None:
                raise Trouble("MALFORMED_QUERY", f"Invalid string literal {text}. Illegal character sequence in string literal.")  # fmt: skip # noqa: E501
            return value, "string"
        if kind == "number":
            number = Decimal(text)
            return (int(number) if number == number.to_integral_value() else number), "number"
        if kind in ("date", "datetime"):
            return text, kind
        if kind == "name" and text.lower() in ("true", "false"):
            return text.lower() == "true", "boolean"
        if kind == "name" and text.lower() == "null":
            return None, "null"
        raise self.wrong((kind, text, at))


_AFTER_FROM: Final = (
    "WHERE",
    "GROUP",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "USING",
    "WITH",
    "FOR",
    "HAVING",
)


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        Trouble: It is none.
    """
    if len(text) > LONGEST:
        raise Trouble("QUERY_TOO_COMPLICATED", "SOQL query is too long")
    reader = _Reader(text)
    if not reader.tokens:
        raise Trouble("MALFORMED_QUERY", "SOQL query is empty")
    query = reader.query()
    if reader.at < len(reader.tokens):
        raise reader.wrong()
    return query
