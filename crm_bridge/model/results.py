"""What came of it: verdicts, problems, outcomes, receipts and the events that tell of them.

Frozen data. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm_bridge.errors import RunFailed
from crm_bridge.model.abilities import Operation, Undo
from crm_bridge.model.plans import Lazy
from crm_bridge.model.records import RecordRef, State


class Verdict(StrEnum):
    """What is known of one record in one run. `unknown` is a state of its own, never rounded."""

    DONE = "done"
    ALREADY = "already"
    PENDING = "pending"
    BY_HAND = "by_hand"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record is not simply done.

    Attributes:
        code: Ours: `not_found`, `in_bin`, `locked`, `changed`, `window_over` ...
        message: What happened, in words; the vendor's own text is kept.
        vendor_code: The vendor's code.
        request_id: The vendor's handle for its support.
    """

    code: str
    message: str
    vendor_code: str | None = None
    request_id: str | None = None


HARMLESS = frozenset({"set_by_vendor"})
"""Codes that tell of something without an effect on the exit code."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one record.

    Attributes:
        ref: The record.
        verdict: What is known.
        state: Where it was found last; None where it was not.
        evidence: By what that is known: `answer`, `row`, `read_back`, `journal`, `vendor`.
        problem: Why it is not simply done.
        undo: The best way back.
        recoverable_until: The last moment of it (UTC); None where no limit is known.
        new_ref: The record made in its place.
        link: Where a person sees it, or restores it by hand.
        passing: The row was surely not applied, for a reason that passes (a row lock): send it again.
        details: What a person may open: differences, an approval's instance id.
    """

    ref: RecordRef
    verdict: Verdict
    state: State | None = None
    evidence: str = ""
    problem: Problem | None = None
    undo: Undo | None = None
    recoverable_until: datetime | None = None
    new_ref: RecordRef | None = None
    link: str | None = None
    passing: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


def done(
    ref: RecordRef,
    *,
    state: State | None = None,
    new_ref: RecordRef | None = None,
    details: Mapping[str, Any] | None = None,
) -> Outcome:
    """The vendor says that it did what was asked."""
    return Outcome(ref, Verdict.DONE, state, "answer", new_ref=new_ref, details=details or {})


def already(ref: RecordRef, *, state: State | None = None) -> Outcome:
    """The record was so before."""
    return Outcome(ref, Verdict.ALREADY, state, "answer")


def pending(
    ref: RecordRef, message: str = "", *, details: Mapping[str, Any] | None = None
) -> Outcome:
    """An approval or a job of the vendor's still runs."""
    problem = Problem("pending", message) if message else None
    return Outcome(ref, Verdict.PENDING, State.PENDING, "answer", problem, details=details or {})


def failed(
    ref: RecordRef,
    code: str,
    message: str = "",
    *,
    vendor_code: str | None = None,
    request_id: str | None = None,
    passing: bool = False,
) -> Outcome:
    """The vendor refused this record; `passing` where it surely was not applied and may be sent again."""
    problem = Problem(code, message, vendor_code, request_id)
    return Outcome(ref, Verdict.FAILED, None, "answer", problem, passing=passing)


def skipped(ref: RecordRef, code: str, message: str = "") -> Outcome:
    """The record was left alone, for this reason."""
    return Outcome(ref, Verdict.SKIPPED, None, "", Problem(code, message))


def unknown(ref: RecordRef, message: str = "", *, request_id: str | None = None) -> Outcome:
    """Nobody can say yet whether it was applied."""
    return Outcome(ref, Verdict.UNKNOWN, None, "", Problem("unknown", message, None, request_id))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, told to observers once it is in the journal.

    Attributes:
        run: The run it belongs to.
        stage: `plan`, `keep`, `intent`, `outcome`, `verify`, `finish` ...
        crm: The account.
        count: Records it speaks of.
        total: Records of the whole run.
        outcomes: The outcomes, where it tells of some.
    """

    run: str
    stage: str
    crm: str = ""
    count: int = 0
    total: int = 0
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a run came to.

    Attributes:
        run: `r-20261122-7f3a`.
        operation: What was asked for.
        plan_digest: The seal of the plan it carried out.
        counts: Each verdict to its number; they add up to the plan's records.
        seconds: How long it took, by the monotonic clock.
        calls: Calls to the vendors.
        outcomes: One for each target, in the plan's order.
        halted: Why it stopped early; None where it ran to its end. One of `signal`, `breaker`,
            `unreachable`, `lock`, `journal`, `target`.
        note: A sentence about the whole, such as that the plan had been applied before.
    """

    run: str
    operation: Operation
    plan_digest: str
    counts: Mapping[Verdict, int]
    seconds: float
    calls: int
    outcomes: Lazy[Outcome]
    halted: str | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether all is done or was so already, with nothing to tell."""
        return (
            self.halted is None
            and all(
                n == 0 for v, n in self.counts.items() if v not in (Verdict.DONE, Verdict.ALREADY)
            )
            and not any(o.problem and o.problem.code not in HARMLESS for o in self.outcomes)
        )

    def raise_for_failures(self) -> None:
        """Raise `RunFailed`, carrying this receipt, unless everything is done or was so already."""
        if not self.ok:
            raise RunFailed(self)
