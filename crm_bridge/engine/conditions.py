"""Words of a condition into a typed one: `FIELD OP VALUE`; values are data, never grammar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from crm_bridge.errors import SettingsError
from crm_bridge.model.records import Condition

OPERATORS: Final = ("is not empty", "is empty", "contains", "in", "!=", "<=", ">=", "=", "<", ">")
"""As they are written, the longer before the shorter that they begin with."""

_WORDS: Final = re.compile(
    r"\s*(?P<field>[A-Za-z_][A-Za-z0-9_.]{0,127})\s*"
    r"(?P<op>(?i:\bis\s+not\s+empty\b|\bis\s+empty\b|\bcontains\b|\bin\b)|!=|<=|>=|=|<|>)"
    r"\s*(?P<value>.*?)\s*",
    re.DOTALL,
)
_DAY: Final = re.compile(r"today(?:\s*([+-])\s*(\d{1,5})\s*([dw]))?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")


def parse_condition(text: str, today: date | None = None) -> Condition:
    """Read `FIELD OP VALUE`.

    Args:
        text: Such as `Industry = "Banking"`, `LastActivityDate < today-90d`, `Status in (Open, New)`.
        today: What `today` means; this machine's date in UTC if None.

    Raises:
        SettingsError: It is no condition (code `condition`).
    """
    match = _WORDS.fullmatch(text)
    if match is None:
        raise _wrong(text, "it has no operator that is known")
    op = " ".join(match["op"].lower().split())
    rest = match["value"]
    if op in ("is empty", "is not empty"):
        if rest:
            raise _wrong(text, f"nothing stands after {op!r}")
        return Condition(match["field"], op)
    if not rest:
        raise _wrong(text, "its value is missing; an empty one is asked for by: is empty")
    if op == "in":
        return Condition(match["field"], op, tuple(_listed(text, rest, today)))
    value = _value(text, rest, today)
    if value is None:
        raise _wrong(text, "an empty value is asked for by: is empty, or: is not empty")
    return Condition(match["field"], op, value)


def parse_all(
    conditions: Iterable[str | Condition], today: date | None = None
) -> tuple[Condition, ...]:
    """Read conditions; typed ones pass as they are, and are held against the closed list of operators.

    Raises:
        SettingsError: One is no condition.
    """
    found = []
    for one in conditions:
        condition = parse_condition(one, today) if isinstance(one, str) else one
        if condition.op not in OPERATORS:
            raise _wrong(str(condition), f"{condition.op!r} is no operator")
        found.append(condition)
    return tuple(found)


def _listed(text: str, rest: str, today: date | None) -> list[Any]:
    if not (rest.startswith("(") and rest.endswith(")")):
        raise _wrong(text, "a list stands in brackets: in (a, b)")
    values = [_value(text, part, today) for part in _split(text, rest[1:-1])]
    if not values:
        raise _wrong(text, "its list is empty")
    return values


def _split(text: str, inside: str) -> list[str]:
    """Parts between commas that stand in no quotes."""
    parts, quote, part = [], "", ""
    escaped = False
    for char in inside:
        if escaped:
            escaped = False
        elif quote and char == "\\":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == ",":
            parts.append(part.strip())
            part = ""
            continue
        part += char
    if quote:
        raise _wrong(text, "a quote is not closed")
    parts.append(part.strip())
    if any(not part for part in parts):
        raise _wrong(text, "a part of its list is empty")
    return parts


def _value(text: str, word: str, today: date | None) -> Any:
    if word[0] in "\"'":
        if len(word) < 2 or word[-1] != word[0]:
            raise _wrong(text, "a quote is not closed")
        return _unquoted(text, word)
    lowered = word.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if lowered in ("null", "none"):
        return None
    if match := _DAY.fullmatch(word):
        day = today or datetime.now(UTC).date()
        if match[1]:
            days = int(match[2]) * (7 if match[3].lower() == "w" else 1)
            day += timedelta(days=days if match[1] == "+" else -days)
        return day
    try:
        if _DATE.fullmatch(word):
            return date.fromisoformat(word)
        if _MOMENT.fullmatch(word):
            moment = datetime.fromisoformat(word)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise _wrong(text, f"{word!r} is no date") from None
    if _NUMBER.fullmatch(word):
        # An id of nineteen digits is a number as well; what matters is that no digit is lost.
        return Decimal(word) if "." in word else int(word)
    return word


def _unquoted(text: str, word: str) -> str:
    found, escaped = "", False
    for char in word[1:-1]:
        if escaped:
            found, escaped = found + {"n": "\n", "t": "\t"}.get(char, char), False
        elif char == "\\":
            escaped = True
        elif char == word[0]:
            raise _wrong(text, f"write a quote within quotes as \\{char}")
        else:
            found += char
    if escaped:
        raise _wrong(text, "a quote is not closed")
    return found


def _wrong(text: str, why: str) -> SettingsError:
    return SettingsError(
        f"{text!r} is not a condition: {why}.",
        detail="Write FIELD OP VALUE, with one of = != < <= > >= in contains, is empty, is not empty; "
        'such as: Industry = "Banking", Size >= 50, Status in (Open, New), LastSeen < today-90d.',
        code="condition",
    )
