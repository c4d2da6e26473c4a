"""What a run carries from room to room: items, phases, and what is said of an outcome's way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.plan import until_of
from crm_bridge.journal.rows import Snapshot
from crm_bridge.model.abilities import Capability, Operation, Support, Undo
from crm_bridge.model.plans import Step, Target
from crm_bridge.model.records import Change, Record, RecordRef, State
from crm_bridge.model.results import Outcome, Problem, Verdict, skipped

MOST_TRIES: Final = 6
"""Times that a row which surely was not applied is sent again."""

TURNED_AWAY: Final = ("busy", "unauthorized")
"""Problems of a call that was turned away as a whole: a word about the call, not about its records."""

_LINKED: Final = frozenset({Verdict.BY_HAND, Verdict.PENDING, Verdict.FAILED})


@dataclass(slots=True)
class Item:
    """One target on its way through a run.

    Attributes:
        target: What the plan says of it.
        step: The index of the step that names its page.
        page: The number of that page.
        ref: Its address.
        before: As it was read right before it was touched, and kept.
        whole: As it was read, with the ties that this run cut before; kept where it is not None.
        source: For a restore: its snapshot from the run that took it, naming the records that stand
            for old ones now.
        followers: The children that were kept with it, each with the relation that takes it along.
        start: The phase to begin with; later phases only, where an earlier run of this plan got there.
        outcome: What is known of it at last; None while it is on its way.
        answer: What the vendor said last.
        after: As it was read back last.
        doubts: How often an answer for it was lost.
        tries: How often it was sent in the present phase.
        alone: Whether it travels in a batch of its own.
        group: Items of different groups are not sent in one batch (a list that was divided).
        sent_at: When it was sent last, by the guard's clock.
        hung: Whether a send of it was ever in doubt; such items are looked at once more at the end.
        looked: Whether what may have been made of it was looked for since its answer was lost.
        evidence: How the vendor's answer named it: `row` where it was judged alone.
        plain: Its outcome before anything was said of differences.
        asked: The phase that an earlier part of this run intended last; -1 for none.
        told_done: Whether the vendor said to that earlier part, last of all, that it was done.
        turned_away: Whether that earlier part was told, last of all, that its whole call was.
        made: What had gone along with it and was made anew with it.
    """

    target: Target
    step: int
    page: int
    ref: RecordRef = field(init=False)
    before: Record | None = None
    whole: Record | None = None
    source: Record | None = None
    followers: list[Snapshot] = field(default_factory=list)
    start: int = 0
    outcome: Outcome | None = None
    answer: Outcome | None = None
    after: Record | None = None
    doubts: int = 0
    tries: int = 0
    alone: bool = False
    group: tuple[int, ...] = ()
    sent_at: float | None = None
    hung: bool = False
    looked: bool = False
    evidence: str = ""
    plain: Outcome | None = None
    asked: int = -1
    told_done: bool = False
    turned_away: bool = False
    made: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ref = self.target.ref


@dataclass(frozen=True, slots=True)
class Phase:
    """One kind of request that the items of a step need.

    Attributes:
        number: Which of the chain's phases it is.
        step: The plan's step.
        what: `verb`, `fields`, `lock`, `create`.
    """

    number: int
    step: Step
    what: str

    @property
    def row(self) -> Capability:
        """The row of the table that it goes by."""
        return self.step.capability

    def changes(self, item: Item, connected: Connected) -> Change | None:
        """What `update` is to write for an item; None where there is nothing to write."""
        profile, kind = connected.profile, self.step.kind
        lock = self.what == "lock"
        if self.row.operation is Operation.RESTORE:
            was = item.before.state if item.before else State.VOIDED
            marks = profile.marks_for(
                kind, Operation.ARCHIVE if was is State.ARCHIVED else Operation.VOID
            )
            names = [n for n in marks if (n == profile.lock) is lock]
            old = item.source.fields if item.source else {}
            fields = {n: _plain_or(old.get(n), "0" if lock else None) for n in names}
            expect = {n: marks[n] for n in names}
        else:
            marks = profile.marks_for(kind, self.row.operation)
            fields = {n: v for n, v in marks.items() if (n == profile.lock) is lock}
            now = item.before.fields if item.before else {}
            expect = {n: now.get(n) for n in fields}
        return Change(item.ref, fields, expect) if fields else None

    def concerns(self, item: Item, connected: Connected) -> bool:
        """Whether there is anything to send for an item."""
        return self.what not in ("fields", "lock") or self.changes(item, connected) is not None

    def reached(self, item: Item, record: Record, connected: Connected) -> bool:
        """Whether a record as read back is where this phase should have brought it."""
        if self.what in ("fields", "lock"):
            from crm_bridge.engine.plan import same

            change = self.changes(item, connected)
            return change is None or (
                not record.unreadable
                and record.state not in (State.GONE, State.DELETED)
                and all(same(record.fields.get(n), v) for n, v in change.fields.items())
            )
        return not record.unreadable and (
            record.state is self.row.gives
            or (
                # What was void or put away by a mark before it was deleted comes back as that.
                self.row.operation is Operation.RESTORE
                and item.source is not None
                and record.state is item.source.state
                and record.state not in self.row.takes
            )
        )


def _plain_or(value: Any, default: Any) -> Any:
    return default if value is None or value == "" else value


def phases_of(chain: list[Step], connected: Connected) -> list[Phase]:
    """The requests that a chain of steps needs, in order; a lock goes on last and comes off first."""
    phases: list[Phase] = []
    for step in chain:
        row = step.capability
        if row.support is Support.MARKED:
            whats = ["fields"]
            if connected.profile.lock and _locks(connected, step):
                whats = (
                    ["lock", "fields"] if row.operation is Operation.RESTORE else ["fields", "lock"]
                )
        else:
            whats = ["create" if row.support is Support.REMADE else "verb"]
        for what in whats:
            phases.append(Phase(len(phases), step, what))
    return phases


def _locks(connected: Connected, step: Step) -> bool:
    operations = (
        (Operation.VOID, Operation.ARCHIVE)
        if step.capability.operation is Operation.RESTORE
        else (step.capability.operation,)
    )
    marks = [connected.profile.marks_for(step.kind, o) for o in operations]
    return any(connected.profile.lock in m for m in marks)


def vendor_now(connected: Connected) -> datetime:
    """The vendor's clock: its Date when we asked who we are, carried on by our monotonic clock."""
    passed = connected.guard.clock() - connected.seen_at
    return connected.account.now + timedelta(seconds=max(0.0, passed))


def dated(
    outcome: Outcome, row: Capability, connected: Connected, now: datetime | None = None
) -> Outcome:
    """The outcome with its way back: how, until when, and where a person does it.

    Args:
        outcome: What came of a record.
        row: The row that it went by.
        connected: The account.
        now: The vendor's clock, where many outcomes are dated at once.
    """
    undo, until = outcome.undo, outcome.recoverable_until
    takes = outcome.verdict is Verdict.DONE and row.operation is not Operation.RESTORE
    # A window that was told once stays as it was told, whenever the outcome is written down again.
    if takes and undo is None:
        undo = undo_after(row, connected, outcome.ref.kind, outcome.state)
        until = until_of(row, undo, now or vendor_now(connected))
    link = outcome.link
    if link is None and (undo is Undo.BY_HAND or outcome.verdict in _LINKED):
        link = connected.adapter.page(outcome.ref, outcome.state)
    if (undo, until, link) == (outcome.undo, outcome.recoverable_until, outcome.link):
        return outcome
    return dataclasses.replace(outcome, undo=undo, recoverable_until=until, link=link)


def undo_after(row: Capability, connected: Connected, kind: str, state: State | None) -> Undo:
    """The way back of a record that a row brought to a state."""
    return Undo.NONE if row.erases else connected.undo(kind, state or row.gives)


def went_through(
    item: Item, last: Phase, connected: Connected | None = None, now: datetime | None = None
) -> Outcome:
    """The outcome of an item that got through every phase.

    Args:
        item: The item.
        last: The last phase.
        connected: The account, where the outcome is to tell its way back at once.
        now: The vendor's clock, with `connected`.
    """
    after, answer, row = item.after, item.answer, last.row
    seen = after is not None and not after.unreadable
    state = after.state if after is not None and seen else row.gives
    undo, until = None, None
    if connected is not None and now is not None and row.operation is not Operation.RESTORE:
        undo = undo_after(row, connected, item.ref.kind, state)
        until = until_of(row, undo, now)
    return Outcome(
        item.ref,
        Verdict.DONE,
        state,
        "read_back" if seen else (item.evidence or "row"),
        None,
        undo,
        until,
        answer.new_ref if answer else None,
        details=answer.details if answer else {},
    )


def not_sent(ref: RecordRef, why: str) -> Outcome:
    """The outcome of a record that was never sent since the run stopped; resume takes it up."""
    return skipped(ref, "not_sent", f"the run stopped first ({why}); resume takes it up.")


def with_problem(
    outcome: Outcome, code: str, message: str, details: Mapping[str, Any] | None = None
) -> Outcome:
    """The same verdict with something to tell."""
    merged = {**outcome.details, **(details or {})}
    before = outcome.problem
    # What was named beforehand gives way to what was not.
    if before is not None and (before.code != "set_by_vendor" or before.code == code):
        message, code = f"{before.message} {message}", before.code
    return dataclasses.replace(outcome, problem=Problem(code, message), details=merged)
