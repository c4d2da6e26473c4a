"""SOQL from typed conditions: a value is data in its own context, and never grammar. Pure.

Grammar: https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
sforce_api_calls_soql_select.htm; escapes: .../sforce_api_calls_soql_select_quotedstringescapes.htm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote

from crm_bridge.kit import Condition, Record

LONGEST: Final = 14_000
"""Bytes of a query in a URL; with path and headers the vendor takes 16,384 (its error 414)."""

TEXTS: Final = frozenset(
    [
        "string",
        "textarea",
        "picklist",
        "email",
        "phone",
        "url",
        "combobox",
        "encryptedstring",
        "anyType",
    ]
)
NUMBERS: Final = frozenset(["int", "long", "double", "currency", "percent"])
_OPERATORS: Final = frozenset(["=", "!=", "<", "<=", ">", ">="])
_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b",
     "\f": "\\f"}
)  # fmt: skip
_WILD: Final = str.maketrans({"%": "\\%", "_": "\\_"})


def quoted(text: str) -> str:
    """A text as a literal."""
    return f"'{text.translate(_ESCAPES)}'"


def listed(ids: Sequence[str]) -> str:
    """`('...', ...)`: ids as a list, which may stand in several queries."""
    return f"({','.join(map(quoted, ids))})"


def ids_in(name: str, ids: Sequence[str]) -> str:
    """`name IN ('...', ...)`."""
    return f"{name} IN {listed(ids)}"


def literal(kind_of: str, value: Any) -> str:
    """A value as the literal that a field of this type takes.

    Raises:
        ValueError: It is no value of such a field.
    """
    if value is None:
        return "null"
    if kind_of == "boolean":
        word = str(value).lower()
        if word not in ("true", "false"):
            raise ValueError(f"{value!r} is neither true nor false")
        return word
    if kind_of in NUMBERS:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise ValueError(f"{value!r} is not a number") from None
        if not number.is_finite() or isinstance(value, bool):
            raise ValueError(f"{value!r} is not a number")
        return f"{number:f}"
    if kind_of in ("date", "datetime"):
        return _moment(kind_of, value)
    if isinstance(value, (datetime, date)):
        return quoted(value.isoformat())
    return quoted(str(value).lower() if isinstance(value, bool) else str(value))


def _moment(kind_of: str, value: Any) -> str:
    if not isinstance(value, date):
        try:
            value = datetime.fromisoformat(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is not a date; write 2026-11-22") from None
    if kind_of == "date":
        return f"{value:%Y-%m-%d}"
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def clause(condition: Condition, types: Mapping[str, str]) -> str:
    """One condition.

    Args:
        condition: What must hold.
        types: The kind's fields, each with its type: the list of what may be named.

    Raises:
        ValueError: The kind has no such field, or the operator or value does not fit it.
    """
    name, op, value = condition.field, condition.op, condition.value
    if name not in types:
        raise ValueError(f"there is no field {name!r}")
    kind_of = types[name]
    if op == "is empty":
        return f"{name} = null"
    if op == "is not empty":
        return f"{name} != null"
    if op == "in":
        wanted = ",".join(literal(kind_of, one) for one in value)
        # No record is without an id, so an empty list finds none.
        return f"{name} IN ({wanted})" if wanted else "Id = null"
    if op == "contains":
        if kind_of == "multipicklist":
            return f"{name} INCLUDES ({quoted(str(value))})"
        if kind_of not in TEXTS:
            raise ValueError(f"{name} is a {kind_of}, and only text contains text")
        return f"{name} LIKE '%{str(value).translate(_ESCAPES).translate(_WILD)}%'"
    if op not in _OPERATORS:
        raise ValueError(f"there is no operator {op!r}")
    return f"{name} {op} {literal(kind_of, value)}"


def judge(condition: Condition, types: Mapping[str, str]) -> Callable[[Record], bool]:
    """A test for a field of long text, by which no query can ask.

    Raises:
        ValueError: The operator is none for text.
    """
    name, op, value = condition.field, condition.op, condition.value
    tests: dict[str, Callable[[str], bool]] = {
        "is empty": lambda text: not text,
        "is not empty": bool,
        "=": lambda text: text == value,
        "!=": lambda text: text != value,
        "in": lambda text: text in value,
        "contains": lambda text: str(value).casefold() in text.casefold(),
    }
    if op not in tests:
        raise ValueError(
            f"{name} is a {types[name]} that nobody can order; {op!r} is not asked of it"
        )
    return lambda record: tests[op](str(record.fields.get(name) or ""))


def query(
    names: Sequence[str], kind: str, clauses: Sequence[str], *, ordered: bool = True, tail: str = ""
) -> str:
    """A whole query; names and kind come from the vendor's own description."""
    text = f"SELECT {','.join(names)} FROM {kind}"  # noqa: S608 from describe alone
    if clauses:
        text += f" WHERE {' AND '.join(clauses)}"
    return text + (" ORDER BY Id" if ordered else "") + tail


def length(text: str) -> int:
    """Bytes of a query once it stands in a URL."""
    return len(quote(text, safe=""))


def portions(names: Sequence[str], room: int) -> Iterator[list[str]]:
    """Fields in lists that each fit into a query, at most `room` bytes long."""
    some: list[str] = []
    size = 0
    for name in names:
        size += len(name) + 3
        if some and size > room:
            yield some
            some, size = [], len(name) + 3
        some.append(name)
    if some:
        yield some


_NATIVE: Final = re.compile(r"\s*select\s.+?\sfrom\s+(\w+)\s*(.*)", re.I | re.S)


def native(text: str, names: Sequence[str], kind: str) -> str:
    """A person's own SOQL: a whole query, whose fields are replaced by ours, or what follows WHERE.

    Raises:
        ValueError: The query is for another kind.
    """
    match = _NATIVE.fullmatch(text)
    if match is None:
        return f"SELECT {','.join(names)} FROM {kind} WHERE {text}"  # noqa: S608 asked for
    if match[1].lower() != kind.lower():
        raise ValueError(f"the query is for {match[1]}, and {kind} was asked for")
    return f"SELECT {','.join(names)} FROM {kind} {match[2]}"  # noqa: S608 asked for


def exactly(record: Record, conditions: Sequence[Condition]) -> bool:
    """Whether text is equal to the letter: SOQL's `=` and `IN` do not tell letter case apart."""
    for condition in conditions:
        value = record.fields.get(condition.field)
        if not isinstance(value, str):
            continue
        if condition.op == "=" and isinstance(condition.value, str) and value != condition.value:
            return False
        texts = condition.op == "in" and all(isinstance(one, str) for one in condition.value)
        if texts and value not in condition.value:
            return False
    return True
