"""Conditions as COQL, and the same conditions judged here.

How a quote within a value is to be written for COQL is said in a forum only, so nothing is escaped:
a value goes into a query only where every character of it is plainly a letter, a digit or one of a
few harmless signs, and every record that comes back is judged here once more. What does not go into
the query is judged here alone. So a value is never part of the grammar.
https://www.zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html, read 2026-11-24.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm_bridge.kit import Condition, Rejected, is_empty
from crm_bridge_zoho.describes import NUMBERS, Field
from crm_bridge_zoho.values import parts

PAGE: Final = 200
"""Rows that one query answers."""
VALUES: Final = 100
"""Ids that one `in` takes, as of version 7; where an account takes fewer, so many are asked for
(https://help.zoho.com/portal/en/community/topic/kaizen-183-coql-apis-enhancements-in-zoho-crm-api-version-7,
read 2026-11-25)."""
TEXTS: Final = 50
"""Values that one `in` takes as of every page."""
INS: Final = 5
"""Such lists in one query, of the 25 criteria that it may hold; how long it may be is said nowhere."""
TOO_MANY: Final = "LIMIT_EXCEEDED"
"""The code for more values than one `in` takes."""
CRITERIA: Final = 20
"""Of the 25 criteria that a query may hold, those that we use."""

UNASKABLE: Final = frozenset({"INVALID_QUERY", "SYNTAX_ERROR", "INVALID_MODULE", "NOT_SUPPORTED"})
"""Codes by which COQL says that it cannot be asked so; lists and single reads then can."""

OPERATORS: Final = frozenset(
    ["=", "!=", "<", "<=", ">", ">=", "in", "contains", "is empty", "is not empty"]
)
_TEXTS: Final = frozenset({"text", "email", "phone", "website", "picklist"})
_PLAIN: Final = re.compile(r"[\w .@+:/-]{1,255}")
_PART: Final = re.compile(r"[^\W_][^\W_ .@+:/-]{0,99}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_ID: Final = re.compile(r"[0-9]{15,20}")


def checked(where: Sequence[Condition], fields: Mapping[str, Field]) -> None:
    """Refuse what cannot be asked.

    Raises:
        Rejected: A field or an operator is unknown.
    """
    for condition in where:
        if condition.field != "id" and condition.field not in fields:
            raise Rejected(f"there is no field {condition.field[:80]!r}.")
        if condition.op not in OPERATORS:
            raise Rejected(f"there is no operator {condition.op[:20]!r}.")


def query(kind: str, criteria: Sequence[str], after: str, column: str = "") -> str:
    """A query for the next ids of a module, in their order, and for one more column."""
    criteria = [*criteria, f"id > {after}" if after else "id is not null"]
    columns = f"id, {column}" if column else "id"
    return f"select {columns} from {kind} where {_joined(criteria)} order by id asc limit {PAGE}"  # noqa: S608


@dataclass(slots=True)
class Span:
    """How many ids one query of this account names: fewer once so many were refused.

    Attributes:
        values: Ids of one `in`.
        ins: Such lists in one query.
    """

    values: int = VALUES
    ins: int = INS

    @property
    def ids(self) -> int:
        """Ids of one query."""
        return self.values * self.ins

    def shorter(self, tried: tuple[int, int], code: str | None) -> bool:
        """Ask for fewer after a refusal of so many; False where nothing is gained by that."""
        if (self.values, self.ins) != tried:
            return True  # by another lane
        if code == TOO_MANY and self.values > TEXTS:
            self.values = TEXTS
        elif code in (TOO_MANY, *UNASKABLE) and self.ins > 1:
            self.ins = 1
        elif code == TOO_MANY and self.values > 1:
            self.values //= 2
        else:
            return False
        return True


def hanging(via: str, ids: Sequence[str], values: int = VALUES) -> str:
    """The criterion of a lookup that leads to any of these; ids are digits."""
    lists = [f"{via} in ({_list(part)})" for part in parts(ids, values)]
    told = lists[0]
    for n, one in enumerate(lists[1:]):
        told = f"({told}) or {one}" if n else f"{told} or {one}"
    return f"({told})" if len(lists) > 1 else told


def any_of(via: str, ids: Sequence[str]) -> str:
    """The same, one value at a time, for a lookup that takes no more of them at once."""
    told = f"{via} = '{ids[0]}'"
    for id in ids[1:]:
        told = f"({told}) or {via} = '{id}'" if " or " in told else f"{told} or {via} = '{id}'"
    return f"({told})"


def one_of(name: str, values: Iterable[str]) -> str | None:
    """The criterion of a field that holds any of these; None where one may not go into a query."""
    return _of_text(name, "in", tuple(values))


def criteria(where: Sequence[Condition], fields: Mapping[str, Field]) -> list[str]:
    """The conditions that may safely be asked of the vendor: those given, or fewer."""
    found = (_criterion(condition, fields.get(condition.field)) for condition in where)
    return [one for one in found if one is not None][:CRITERIA]


def _joined(criteria: Sequence[str]) -> str:
    # COQL wants more than two criteria in pairs: ((a and b) and c).
    told = criteria[0]
    for n, one in enumerate(criteria[1:]):
        told = f"({told}) and {one}" if n else f"{told} and {one}"
    return told


def _list(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _criterion(condition: Condition, field: Field | None) -> str | None:
    name, op, value = condition.field, condition.op, condition.value
    if field is None or not _NAME.fullmatch(name):
        return None
    if field.type in _TEXTS:
        return _of_text(name, op, value)
    if field.type in NUMBERS:
        return _of_number(name, op, value)
    if field.type == "lookup" and op == "=" and _ID.fullmatch(str(value)):
        return f"{name} in ('{value}')"
    return None


def _of_text(name: str, op: str, value: Any) -> str | None:
    if op == "is empty":
        return f"{name} is null"
    if op == "is not empty":
        return f"{name} is not null"
    if op == "in":
        values = [str(one) for one in value]
        fine = 0 < len(values) <= TEXTS and all(map(_plain, values))
        return f"{name} in ({_list(values)})" if fine else None
    text = str(value)
    if op == "=" and isinstance(value, str) and _plain(text):
        return f"{name} = '{text}'"
    if op == "contains" and _PART.fullmatch(text) and text.lower() == text.upper():
        # Whether `like` minds the case of letters is said nowhere; a text without any is safe.
        return f"{name} like '%{text}%'"
    return None


def _plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and text == text.strip()


def _of_number(name: str, op: str, value: Any) -> str | None:
    if op == "is empty":
        return f"{name} is null"
    if op == "is not empty":
        return f"{name} is not null"
    if op not in ("=", "<", "<=", ">", ">=") or isinstance(value, bool):
        return None
    number = _number(value)
    return None if number is None else f"{name} {op} {format(number, 'f')}"


def meets(fields: Mapping[str, Any], condition: Condition) -> bool:
    """Whether a record meets a condition, judged by the values that came."""
    value, wanted, op = fields.get(condition.field), condition.value, condition.op
    if op == "is empty":
        return is_empty(value)
    if op == "is not empty":
        return not is_empty(value)
    if op == "in":
        return any(_same(value, one) for one in wanted)
    if op in ("=", "!="):
        return _same(value, wanted) == (op == "=")
    if op == "contains":
        part = str(wanted).casefold()
        return any(part in str(one).casefold() for one in _shown(value))
    left, right = _comparable(value), _comparable(wanted)
    if left is None or right is None or type(left) is not type(right):
        return False
    compare: Callable[[Any, Any], bool] = {
        "<": lambda a, b: bool(a < b),
        "<=": lambda a, b: bool(a <= b),
        ">": lambda a, b: bool(a > b),
        ">=": lambda a, b: bool(a >= b),
    }[op]
    return compare(left, right)


def _shown(value: Any) -> list[Any]:
    """A value as a person names it: a lookup by its id or its name."""
    if isinstance(value, Mapping):
        return [one for one in (value.get("id"), value.get("name")) if one is not None]
    if isinstance(value, list):
        return [one for inner in value for one in _shown(inner)]
    return [] if value is None else [value]


def _same(value: Any, wanted: Any) -> bool:
    if is_empty(wanted):
        return is_empty(value)
    for one in _shown(value):
        if isinstance(one, bool) or isinstance(wanted, bool):
            if str(one).lower() == str(wanted).lower():
                return True
        elif isinstance(one, str) and isinstance(wanted, str) and one == wanted:
            return True
        else:
            left, right = _comparable(one), _comparable(wanted)
            if left is not None and type(left) is type(right) and left == right:
                return True
    return False


def _comparable(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, (Mapping, list)):
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    number = _number(value)
    if number is not None:
        return number
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return None
