"""What a report speaks of: a plan, or a run with the plan that it carried out. No I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from crm_bridge.model.abilities import Operation, Support
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import Record, RecordRef, is_empty
from crm_bridge.model.results import HARMLESS, Outcome, Receipt, Verdict

_TURNS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FIRST: Final = ("name", "fullname", "subject", "title")
_PAIRS: Final = (("firstname", "lastname"),)
_NOT_ITS_OWN: Final = ("owner", "user", "createdby", "modifiedby", "api", "file", "record")


@dataclass(frozen=True, slots=True)
class Line:
    """One target.

    Attributes:
        ref: Its address.
        step: The number of its step, from 1; None where it was settled before anything was sent.
        outcome: What came of it, or what the plan knew already; None where it is only planned.
        source: For a restore, the run and the address whose snapshot it comes from.
    """

    ref: RecordRef
    step: int | None
    outcome: Outcome | None = None
    source: str = ""

    @property
    def odd(self) -> bool:
        """Whether somebody should look at it: it is not simply planned, done, or so before."""
        came = self.outcome
        return came is not None and (
            came.verdict not in (Verdict.DONE, Verdict.ALREADY)
            or (came.problem is not None and came.problem.code not in HARMLESS)
        )

    @property
    def differs(self) -> Mapping[str, Sequence[Any]]:
        """Field to [before, now], where it came back otherwise than it was kept."""
        found = self.outcome.details.get("differs") if self.outcome else None
        return found if isinstance(found, Mapping) else {}

    @property
    def set_by_vendor(self) -> Mapping[str, Sequence[Any]]:
        """The same for what the vendor writes itself or lets nobody set, as was said beforehand."""
        found = self.outcome.details.get("set_by_vendor") if self.outcome else None
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Matter:
    """A plan, or a run and its plan; what is behind it is fetched when it is walked.

    Attributes:
        plan: The plan.
        lines: Walks the targets, in the plan's order; anew at each call.
        records: Targets as the run kept them, or as they are now where there is a plan only; those
            that are not known are left out.
        along: The same for what goes along with them.
        marks: The fields that a marked row writes: crm, kind, operation.
        made_at: When the report was made (UTC).
        receipt: What the run came to; None for a plan.
        started: When the run began (UTC).
        state: `finished` or `unfinished`, for a run.
        notes: What could not be fetched, in words.
        chinese: What the plugins say, in Chinese.
    """

    plan: Plan
    lines: Callable[[], Iterator[Line]]
    records: Callable[[Sequence[Line]], Mapping[RecordRef, Record]]
    along: Callable[[Sequence[RecordRef]], Mapping[RecordRef, Record]]
    marks: Callable[[str, str, Operation], Mapping[str, Any]]
    made_at: datetime
    receipt: Receipt | None = None
    started: datetime | None = None
    state: str = ""
    notes: list[str] = field(default_factory=list)
    chinese: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """The run's name; empty for a plan."""
        return self.receipt.run if self.receipt else ""

    def after(self, line: Line, before: Record) -> Mapping[str, Any] | None:
        """The fields as the run left them; None where the record is away, or nothing was done."""
        came = line.outcome
        if came is None or came.verdict is not Verdict.DONE or line.step is None or not self.run:
            return None
        if self.plan.operation is Operation.RESTORE:
            changed = {**line.set_by_vendor, **line.differs}
            now = {name: pair[1] for name, pair in changed.items() if name != "links"}
            return {**before.fields, **now}
        row = self.plan.steps[line.step - 1].capability
        if row.support is not Support.MARKED:
            return None
        return {**before.fields, **self.marks(line.ref.crm, line.ref.kind, row.operation)}


def title_of(record: Record | None) -> str:
    """The name that people know a record by, as far as its fields tell; empty where none does."""
    if record is None:
        return ""
    told = {
        re.sub("[^a-z]", "", name.lower()): value
        for name, value in record.fields.items()
        if isinstance(value, str) and value and not name.startswith("_")
    }
    for name in _FIRST:
        if name in told:
            return told[name]
    for pair in _PAIRS:
        if parts := [told[name] for name in pair if name in told]:
            return " ".join(parts)
    for ending in ("name", "subject", "title", "email", "phone"):
        names = [n for n in told if n.endswith(ending) and not n.startswith(_NOT_ITS_OWN)]
        if names:
            return told[min(names, key=lambda n: (len(n), n))]
    return ""


def text_of(value: Any) -> str:
    """A value of a CRM as text: every digit of a number, lists and objects as JSON; see `whole`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return whole(_json(value))
    return whole(str(value))


def whole(text: str) -> str:
    """Text without what turns a line's direction or no document may hold: shown as its code."""
    if text.isascii() and text.isprintable():
        return text
    text = _TURNS.sub(lambda m: _code(m[0]), text)
    return "".join(_code(c) if _unfit(c) else c for c in text)


def _unfit(sign: str) -> bool:
    if sign in "\t\n\r":
        return False
    return unicodedata.category(sign) in ("Cc", "Cs") or (ord(sign) & 0xFFFE) == 0xFFFE


def _code(sign: str) -> str:
    number = ord(sign)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _json(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_json(str(k))}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (int, Decimal)):
        return str(value)
    import json

    return json.dumps(str(value), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Different:
    """One field that is not as it was kept.

    Attributes:
        ref: The record, as text: a target, or what went along with one.
        field: The field.
        was: What was kept.
        now: What is there.
        named: Whether it had been said beforehand: the vendor writes it, or it could not be set.
    """

    ref: str
    field: str
    was: Any
    now: Any
    named: bool


def differences(lines: Iterable[Line]) -> Iterator[Different]:
    """What came back otherwise than it was kept, children of targets too."""
    for line in lines:
        for name, (was, now) in line.differs.items():
            yield Different(str(line.ref), name, was, now, False)
        children = line.outcome.details.get("followers_differ") if line.outcome else None
        for ref, fields in (children or {}).items():
            for name, (was, now) in fields.items():
                yield Different(str(ref), name, was, now, False)
        for name, (was, now) in line.set_by_vendor.items():
            if not (is_empty(was) and is_empty(now)):
                yield Different(str(line.ref), name, was, now, True)
