"""The planner, pure: records and profiles in; ways, settled outcomes and findings out.

Each record's state walks the vendor's table. Nothing here calls anybody, and only the model is imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from math import ceil
from typing import Any, Final

from crm_bridge.model.abilities import (
    REACHES,
    Capability,
    CascadeRule,
    Effect,
    Operation,
    Profile,
    Support,
    Undo,
)
from crm_bridge.model.plans import Counts, Finding, Lazy, Loss, Severity, Step, Target, Touch
from crm_bridge.model.records import Record, RecordRef, State
from crm_bridge.model.results import Outcome, Problem, Verdict, failed, skipped

_ON_THE_WAY: Final[Mapping[Operation, tuple[Operation, ...]]] = {
    Operation.DELETE: (Operation.VOID,),
    Operation.PURGE: (Operation.VOID, Operation.DELETE),
}
"""Operations that may be done first where a vendor's table asks for them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows of a record from an earlier run.

    Attributes:
        run: That run.
        operation: What it did.
        outcome: What came of the record then.
        capability: The row it went by, where that is known.
    """

    run: str
    operation: Operation
    outcome: Outcome
    capability: Capability | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """The rows that lead a record to where the operation wants it.

    Attributes:
        rows: One, or two where the vendor's table asks for a step in between.
        evidence: By what the state is known where a read could not tell; such records travel alone.
    """

    rows: tuple[Capability, ...]
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A record that a restore is to bring back.

    Attributes:
        now: As it was read just now.
        before: Its snapshot; None where no run kept one.
        known: The run that took it; None where none did.
        new_ref: The record made in its place already, if any.
    """

    now: Record
    before: Record | None = None
    known: Known | None = None
    new_ref: RecordRef | None = None


def usable(row: Capability, profile: Profile, kind: str) -> bool:
    """Whether a row can be walked: a mark needs fields that are agreed on for this kind."""
    if not row.doable:
        return False
    if row.support is not Support.MARKED:
        return True
    if row.operation is Operation.RESTORE:
        return any(profile.marks_for(kind, o) for o in (Operation.VOID, Operation.ARCHIVE))
    return bool(profile.marks_for(kind, row.operation))


def way(profile: Profile, operation: Operation, kind: str, state: State) -> Way | None:
    """The shortest way from a state to where the operation wants a record; None where there is none."""
    rows = [r for r in profile.rows(operation, kind) if usable(r, profile, kind)]
    direct = [r for r in rows if state in r.takes]
    if direct:
        return Way((min(direct, key=lambda r: r.at_least),))
    for between in _ON_THE_WAY.get(operation, ()):
        first = way(profile, between, kind, state)
        if first is None or len(first.rows) > 1 or first.rows[0].support is not Support.NATIVE:
            continue
        then = [r for r in rows if first.rows[0].gives in r.takes]
        if then:
            return Way((first.rows[0], min(then, key=lambda r: r.at_least)))
    return None


def way_back(profile: Profile, kind: str, gives: State | None) -> Capability | None:
    """The best row that brings a record back from a state; None where there is none."""
    if gives is None:
        return None
    order = (Support.NATIVE, Support.MARKED, Support.BY_HAND, Support.REMADE)
    rows = [
        r
        for r in profile.rows(Operation.RESTORE, kind)
        if gives in r.takes and usable(r, profile, kind)
    ]
    return min(rows, key=lambda r: order.index(r.support), default=None)


def way_back_after(row: Capability, profile: Profile, kind: str) -> Capability | None:
    """The best row that undoes a row; none undoes what erased a person."""
    return None if row.erases else way_back(profile, kind, row.gives)


def undo_of(row: Capability | None) -> Undo:
    """What a way back means for a person."""
    if row is None:
        return Undo.NONE
    return {Support.BY_HAND: Undo.BY_HAND, Support.REMADE: Undo.NEW_ID}.get(
        row.support, Undo.SAME_ID
    )


def until_of(row: Capability, undo: Undo, moment: datetime) -> datetime | None:
    """The last moment of the vendor's own way back; None where it knows none, or none is left."""
    if undo in (Undo.NONE, Undo.NEW_ID):
        return None
    return row.window.until(moment)


def lasting(row: Capability, profile: Profile, kind: str) -> bool:
    """Whether nothing brings the targets of this row back but making them anew."""
    if row.operation is Operation.RESTORE:
        return False
    return undo_of(way_back_after(row, profile, kind)) in (Undo.NEW_ID, Undo.NONE)


def judge(
    operation: Operation,
    record: Record,
    profile: Profile,
    known: Known | None = None,
    ways: Callable[[str, State], Way | None] | None = None,
) -> Way | Outcome:
    """Which way a record goes, or which verdict it has already.

    Args:
        operation: Void, archive, delete or purge.
        record: As it was read, its state judged by marks.
        profile: The account's own table.
        known: What the journal knows of it.
        ways: Tells `way` for a kind and a state, where it is asked of many records.
    """
    ref, state, evidence = record.ref, record.state, ""
    if record.unreadable:
        if known is None or known.outcome.state is None:
            return failed(
                ref,
                "unreadable",
                f"{profile.title} neither finds nor shows it: it may be voided, deleted, or never "
                "have been; no run of this journal took it.",
            )
        state, evidence = known.outcome.state, f"journal {known.run}"
    if state is State.PENDING:
        return skipped(ref, "pending", record.evidence or "it waits for an approval or a job.")
    if state is State.GONE:
        return _gone(operation, record, profile, known)
    if state in REACHES[operation]:
        return Outcome(ref, Verdict.ALREADY, state, evidence or "read_back")
    if state is State.DELETED and operation in (Operation.VOID, Operation.ARCHIVE):
        return failed(ref, "in_bin", f"it is in the bin of {profile.title}; restore it first.")
    if record.locked:
        return skipped(ref, "locked", f"somebody locked it in {profile.title}; unlock it first.")
    found = ways(ref.kind, state) if ways else way(profile, operation, ref.kind, state)
    if found is None:
        return skipped(ref, *_no(operation, profile, ref.kind, state))
    return dataclasses.replace(found, evidence=evidence) if evidence else found


def _gone(operation: Operation, record: Record, profile: Profile, known: Known | None) -> Outcome:
    ours = known is not None and known.outcome.state in (State.GONE, State.DELETED)
    if operation in (Operation.DELETE, Operation.PURGE) and (record.evidence or ours):
        evidence = record.evidence or f"journal {known.run}" if known else record.evidence
        return Outcome(record.ref, Verdict.ALREADY, State.GONE, evidence or "journal")
    return dataclasses.replace(
        failed(
            record.ref,
            "not_found",
            record.evidence or f"{profile.title} shows no trace of it, nor does this journal.",
        ),
        state=State.GONE,
    )


def _no(operation: Operation, profile: Profile, kind: str, state: State) -> tuple[str, str]:
    """The code and the reason of a no, from the table."""
    rows = profile.rows(operation, kind)
    for row in rows:
        if row.support in (Support.NEVER, Support.NOT_YET):
            return row.support.value, row.note
        if row.support is Support.MARKED and not usable(row, profile, kind):
            return "not_yet", (
                row.note or f"no field marks a {kind} so; name one in [crms.X.marks.{kind}]."
            )
    what = f"{profile.title} has no {operation.value} for a {kind} that is {state.value}."
    return ("never" if not rows else "not_possible"), what


def judge_restore(
    taken: Taken,
    profile: Profile,
    *,
    remake: bool = False,
    on_conflict: str = "skip",
    now: datetime | None = None,
) -> Way | Outcome:
    """By which way a record comes back, or which verdict it has already.

    Args:
        taken: The record, its snapshot and the run that took it.
        profile: The account's own table.
        remake: Whether it may be made anew where nothing else is left.
        on_conflict: `overwrite` puts old values back over somebody's edit; else it is skipped.
        now: The vendor's clock, for telling a window that is over.
    """
    record, known = taken.now, taken.known
    ref, state, evidence = record.ref, record.state, ""
    if known is not None and known.outcome.verdict in (Verdict.PENDING, Verdict.UNKNOWN):
        code = known.outcome.verdict.value
        return skipped(
            ref, code, f"its outcome in run {known.run} is still {code}; verify that first."
        )
    if taken.new_ref is not None:
        return Outcome(ref, Verdict.ALREADY, State.GONE, "journal", new_ref=taken.new_ref)
    if record.unreadable:
        if known is None or known.outcome.state is None:
            return failed(ref, "unreadable", "no read shows it and no run of this journal took it.")
        state, evidence = known.outcome.state, f"journal {known.run}"
    if state is State.PENDING:
        return skipped(ref, "pending", record.evidence or "it waits for an approval or a job.")
    if state is State.LIVE or _by_marks(known):
        settled = _marks_moved(taken, profile, on_conflict)
        if settled is not None or state is State.LIVE:
            return settled or Outcome(ref, Verdict.ALREADY, State.LIVE, "read_back")
    if taken.before is not None and state is taken.before.state and not record.unreadable:
        # Marked or void before that run took it: it is back, and its mark is not that run's.
        return Outcome(ref, Verdict.ALREADY, state, "read_back")
    if known is not None and known.capability is not None and known.capability.erases:
        return dataclasses.replace(
            skipped(ref, "erased", f"run {known.run} erased it for good; it is not made anew."),
            state=state,
            undo=Undo.NONE,
        )
    rows = [
        r
        for r in profile.rows(Operation.RESTORE, ref.kind)
        if state in r.takes and usable(r, profile, ref.kind)
    ]
    order = [Support.NATIVE, Support.MARKED]
    order += [Support.REMADE, Support.BY_HAND] if remake else [Support.BY_HAND]
    for support in order:
        for row in rows:
            if row.support is support:
                return _by_row(row, taken, evidence, now)
    return _over(taken, profile, state, any(r.support is Support.REMADE for r in rows))


def _by_row(row: Capability, taken: Taken, evidence: str, now: datetime | None) -> Way | Outcome:
    if row.support is Support.BY_HAND:
        until = taken.known.outcome.recoverable_until if taken.known else None
        if until is not None and now is not None and now > until:
            return failed(
                taken.now.ref,
                "window_over",
                f"the window closed on {until:%Y-%m-%d}; --remake makes it anew.",
            )
        problem = Problem("by_hand", row.note or "a person restores it in the vendor's page.")
        return Outcome(
            taken.now.ref,
            Verdict.BY_HAND,
            taken.now.state,
            "read_back",
            problem,
            Undo.BY_HAND,
            until,
        )
    if row.support in (Support.MARKED, Support.REMADE) and taken.before is None:
        return failed(taken.now.ref, "no_snapshot", "no run of this journal kept what it was.")
    return Way((row,), evidence)


def _by_marks(known: Known | None) -> bool:
    return bool(known and known.capability and known.capability.support is Support.MARKED)


def _marks_moved(taken: Taken, profile: Profile, on_conflict: str) -> Outcome | None:
    """For what a mark put away: whether somebody changed the marked fields since."""
    known, before = taken.known, taken.before
    if known is None or before is None or not _by_marks(known):
        return None
    if taken.now.state not in (State.LIVE, State.VOIDED, State.ARCHIVED):
        return None
    marks = profile.marks_for(taken.now.ref.kind, known.operation)
    names = [n for n in marks if n != profile.lock]
    differs = {
        n: [before.fields.get(n), marks[n], taken.now.fields.get(n)]
        for n in names
        if not same(taken.now.fields.get(n), marks[n])
    }
    back = all(same(taken.now.fields.get(n), before.fields.get(n)) for n in names)
    if not differs or back or on_conflict == "overwrite":
        return None
    told = "; ".join(
        f"{n} was {was!r}, we wrote {ours!r}, it is {found!r}"
        for n, (was, ours, found) in differs.items()
    )
    return dataclasses.replace(
        skipped(taken.now.ref, "changed", f"somebody changed it since: {told}."),
        details={"changed": differs},
    )


def same(left: Any, right: Any) -> bool:
    """Whether two values are one to a vendor: nothing is nothing, and `"1"` is `1`."""
    if left in (None, "", []) and right in (None, "", []):
        return True
    if isinstance(left, bool) or isinstance(right, bool):
        return str(left).lower() == str(right).lower()
    return left == right or str(left) == str(right)


def _over(taken: Taken, profile: Profile, state: State, remakable: bool) -> Outcome:
    ref, known = taken.now.ref, taken.known
    if state is State.GONE and known is None and taken.before is None:
        return dataclasses.replace(
            failed(
                ref, "not_found", f"{profile.title} shows no trace of it, nor does this journal."
            ),
            state=State.GONE,
        )
    until = known.outcome.recoverable_until if known else None
    why = (
        f"its window closed on {until:%Y-%m-%d}"
        if until
        else f"{profile.title} brings it back no more"
    )
    how = (
        "--remake makes it anew, under a new id."
        if remakable and taken.before
        else "no way is left."
    )
    return Outcome(
        ref,
        Verdict.FAILED,
        state,
        "read_back",
        Problem("window_over", f"{why}; {how}"),
        Undo.NEW_ID if remakable else Undo.NONE,
    )


def steps_of(
    groups: Mapping[tuple[str, str, tuple[Capability, ...]], Lazy[Target]],
    profiles: Mapping[str, Profile],
    rules: Mapping[str, Sequence[CascadeRule]],
    operation: Operation,
) -> tuple[Step, ...]:
    """Groups of records as steps: crms in the order given, kinds in an order that blocks nothing.

    Args:
        groups: (crm, kind, rows) to the records that go that way.
        profiles: Each crm's table.
        rules: Each crm's relations of the kinds that are in the plan.
        operation: What is asked for.
    """
    steps: list[Step] = []
    for crm in dict.fromkeys(crm for crm, _, _ in groups):
        kinds = list(dict.fromkeys(kind for c, kind, _ in groups if c == crm))
        for kind in ordered(kinds, rules.get(crm, ()), operation):
            for (c, k, rows), targets in groups.items():
                if (c, k) != (crm, kind) or not len(targets):
                    continue
                after = None
                for row in rows:
                    chosen = _variant(row, profiles[crm], kind, len(targets))
                    steps.append(Step(crm, kind, chosen, targets, after))
                    after = len(steps) - 1
    return tuple(steps)


def _variant(row: Capability, profile: Profile, kind: str, count: int) -> Capability:
    """The row of the same effect that is meant for so many records."""
    alike = [
        r
        for r in profile.rows(row.operation, kind)
        if (r.support, r.gives) == (row.support, row.gives)
        and set(row.takes) <= set(r.takes)
        and r.at_least <= count
    ]
    return max(alike, key=lambda r: r.at_least, default=row)


def ordered(kinds: Sequence[str], rules: Sequence[CascadeRule], operation: Operation) -> list[str]:
    """Kinds so that nothing that blocks, and nothing that would lose its way back, goes too early.

    What follows its parent goes after it, since a child that was deleted first may not come back; what
    blocks goes before; and so does what would only lose its tie, so that its snapshot still holds it.
    """
    graph: dict[str, set[str]] = {kind: set() for kind in kinds}
    for rule in rules:
        parent, child = rule.kind, rule.child
        if parent == child or parent not in graph or child not in graph:
            continue
        follows = rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW)
        if follows or operation is Operation.RESTORE:
            graph[child].add(parent)
        elif parent not in graph[child]:
            graph[parent].add(child)
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        # Kinds that need each other: the order given is as good as any, and the vendor will say.
        return list(kinds)


FEW: Final = 2
"""Calls of a batch that are one after the other for all of it: a list, and then the bin."""


def reads_of(profile: Profile, count: int, *, away: bool = False, along: bool = False) -> int:
    """Calls that reading so many records takes: live, away, or away along with others."""
    calls = profile.read_calls
    if away or along:
        calls = (along and profile.along_calls) or profile.away_calls or profile.read_calls
    batch = max(1, profile.read_batch)
    if calls <= FEW:
        return ceil(count / batch) * calls
    # What a read of a full batch takes by the hundred, a smaller one takes less of; but what is away
    # is looked for in a list and then in the bin, however few.
    least = FEW if away and profile.away_calls else 1
    return max(min(count, 1) * least, ceil(count * calls / batch))


def counts_of(
    steps: Sequence[Step],
    settled: int,
    profiles: Mapping[str, Profile],
    kept: Mapping[str, int],
    looked: Mapping[tuple[str, str], tuple[int, int]],
) -> Counts:
    """Totals, with the calls that applying will take.

    Args:
        steps: The steps.
        settled: Targets with a verdict already.
        profiles: Each crm's table.
        kept: Calls for the capsule's children and for looking at them afterwards, by crm.
        looked: Calls and records of the reads that the plan made, by crm and kind: what goes is read
            once more in the same way before it is touched.
    """
    calls, records = 0, settled
    for step in steps:
        count, row = len(step.targets), step.capability
        profile = profiles[step.crm]
        made, of = looked.get((step.crm, step.kind), (0, 0))
        again = ceil(made * count / of) if of else reads_of(profile, count)
        if step.after is None:
            records += count
            calls += again
        away = row.gives is not State.LIVE and row.support is Support.NATIVE
        # By a mark a record is looked at in the same way before and after.
        stays = row.support is Support.MARKED or (
            row.operation is not Operation.RESTORE and not away
        )
        calls += ceil(count / max(1, row.batch)) * row.sends
        calls += again if stays else reads_of(profile, count, away=away)
    # Each account is asked once who we are, and its children are read once more for the capsule.
    for crm in {step.crm for step in steps}:
        calls += profiles[crm].proof_calls + kept.get(crm, 0)
    return Counts(records, len(steps), calls, settled)


def confirm_text(steps: Sequence[Step], profiles: Mapping[str, Profile]) -> str | None:
    """What a person must type before something that nothing can undo; None where all can be undone."""
    counts: dict[str, int] = {}
    for number, step in enumerate(steps):
        last = not any(other.after == number for other in steps)
        typed = step.capability.operation is Operation.PURGE
        if last and (typed or lasting(step.capability, profiles[step.crm], step.kind)):
            counts[step.crm] = counts.get(step.crm, 0) + len(step.targets)
    return ", ".join(f"{crm} {count}" for crm, count in counts.items()) or None


_TOLD: Final[Mapping[str, tuple[str, str]]] = {
    "not_found": ("missing", "were not found"),
    "unreadable": ("missing", "could be neither found nor read"),
    "in_bin": ("missing", "are in the bin already"),
    "locked": ("blocked", "are locked"),
    "blocked": ("blocked", "are blocked"),
    "protected": ("protected", "are protected, or take along what is"),
    "held": ("protected", "are held, or take along what is"),
    "pending": ("vendor_note", "wait for an approval or a job"),
    "changed": ("moved", "were changed by somebody else since"),
    "merged": ("moved", "were merged into others"),
    "erased": ("irreversible", "were erased for good, and must not come back"),
    "window_over": ("window", "have no window left"),
    "by_hand": ("window", "only a person can restore, in the vendor's page"),
    "parent_missing": ("blocked", "name a record that is not there"),
    "value_gone": ("blocked", "hold a value that the vendor takes no more"),
    "owner_inactive": ("blocked", "belong to somebody who is not active"),
    "duplicate": ("blocked", "hold a unique value that another record has now"),
    "no_snapshot": ("not_captured", "were never kept"),
    "not_yet": ("vendor_note", "cannot be treated so yet"),
    "never": ("vendor_note", "can never be treated so"),
    "rights": ("rights", "may not be touched by this user"),
}


def settled_findings(
    tally: Mapping[str, tuple[int, Sequence[RecordRef], str]], total: int
) -> Iterable[Finding]:
    """One WARNING for each reason that settled records; an ERROR where the table says no to all.

    Args:
        tally: Code to (count, the first few refs, one record's message).
        total: All targets of the plan.
    """
    for code, (count, refs, message) in tally.items():
        finding, words = _TOLD.get(code, ("vendor_note", f"are left alone ({code})"))
        no = code in ("never", "not_yet", "not_possible") and count == total
        over = code == "window_over" and count == total
        yield Finding(
            Severity.ERROR if no or over else Severity.WARNING,
            "blocked" if no else finding,
            f"{count} of {total} record(s) {words}.",
            message,
            count,
            tuple(refs),
        )


def step_findings(steps: Sequence[Step], profiles: Mapping[str, Profile]) -> Iterable[Finding]:
    """What each step means for the way back."""
    for number, step in enumerate(steps):
        row, profile, count = step.capability, profiles[step.crm], len(step.targets)
        if row.operation is Operation.RESTORE:
            if row.support is Support.REMADE:
                yield Finding(
                    Severity.WARNING,
                    "not_captured",
                    f"{count} {step.kind} will be made anew, under new ids.",
                    f"Set by the vendor and not by us: {', '.join(profile.vendor_set) or 'nothing'}. "
                    + row.note,
                    count,
                )
            continue
        if any(other.after == number for other in steps):
            continue
        back = way_back_after(row, profile, step.kind)
        if undo_of(back) in (Undo.NEW_ID, Undo.NONE):
            left = "only making it anew from the snapshot is left" if back else "no way is left"
            yield Finding(
                Severity.WARNING,
                "irreversible",
                f"nothing brings {count} {step.kind} back after this: {left}.",
                row.note,
                count,
            )
            void = way(profile, Operation.VOID, step.kind, State.LIVE)
            if void is not None and row.operation is Operation.DELETE:
                yield Finding(
                    Severity.NOTE,
                    "void_instead",
                    f"a void would serve, and can be undone: crm-bridge void {step.crm}:{step.kind}",
                )
        elif row.window.days is not None:
            promise = "guaranteed" if row.window.guaranteed else "not guaranteed"
            by = " by a person, in the vendor's page" if undo_of(back) is Undo.BY_HAND else ""
            yield Finding(
                Severity.NOTE,
                "window",
                f"{count} {step.kind} can be brought back{by} for {row.window.days} days, {promise}.",
                row.note,
                count,
            )


def losses_of(
    steps: Sequence[Step],
    profiles: Mapping[str, Profile],
    touches: Sequence[Touch] = (),
    orphans: Mapping[tuple[str, str], tuple[int, Sequence[str]]] | None = None,
    hidden: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> tuple[Loss, ...]:
    """The loss statement: by which way records come back, and what differs then.

    Args:
        steps: The steps, each with its way back.
        profiles: Each crm's table.
        touches: What goes along with their records, and comes back with them or not.
        orphans: By crm and kind, how many targets name what is away already, and in which fields.
        hidden: By crm and kind, what the user may not see of it.
    """
    told: list[Loss] = []
    backs: dict[tuple[str, str], tuple[Capability, Capability]] = {}
    for number, step in enumerate(steps):
        if any(other.after == number for other in steps):
            continue
        row, profile = step.capability, profiles[step.crm]
        if row.operation is Operation.RESTORE:
            back, window = row, row.window
        else:
            found = way_back_after(row, profile, step.kind)
            if found is None:
                told.append(Loss(step.crm, step.kind, len(step.targets), "none", None, False))
                continue
            back, window = found, row.window
            backs.setdefault((step.crm, step.kind), (row, back))
        undo = undo_of(back)
        days = window.days if undo in (Undo.SAME_ID, Undo.BY_HAND) else None
        later = None
        if (
            undo in (Undo.SAME_ID, Undo.BY_HAND)
            and days is not None
            and any(r.support is Support.REMADE for r in profile.rows(Operation.RESTORE, step.kind))
        ):
            later = _differs(profile, step.kind, Support.REMADE, row.operation)
        differs = _differs(profile, step.kind, back.support, row.operation)
        if known := (orphans or {}).get((step.crm, step.kind)):
            count, names = known
            why = f"{count} of them name what is away already: left out, or made without it"
            differs = (*differs, *((name, why) for name in names))
        told.append(
            Loss(
                step.crm,
                step.kind,
                len(step.targets),
                undo.value,
                days,
                window.guaranteed,
                differs,
                later,
            )
        )
    losses = (*told, *_losses_along(touches, profiles, backs))
    return tuple(_unkept(one, (hidden or {}).get((one.crm, one.kind), ())) for one in losses)


def _unkept(loss: Loss, hidden: Sequence[str]) -> Loss:
    """With what is hidden, which no snapshot holds and nothing that is made anew has."""
    if not hidden:
        return loss
    more = tuple((name, "it is hidden from this user: no snapshot holds it") for name in hidden)
    if loss.undo == Undo.NEW_ID:
        return dataclasses.replace(loss, differs=(*loss.differs, *more))
    later = None if loss.later is None else (*loss.later, *more)
    return dataclasses.replace(loss, later=later)


def _losses_along(
    touches: Sequence[Touch],
    profiles: Mapping[str, Profile],
    backs: Mapping[tuple[str, str], tuple[Capability, Capability]],
) -> list[Loss]:
    """The same for what goes along: it comes back with its parent where anybody brings it, or is made anew.

    Args:
        touches: What the targets reach, those nearer to them first.
        profiles: Each crm's table.
        backs: By crm and kind, the row that takes a target and the one that brings it back.
    """
    ways, found = dict(backs), dict[tuple[str, str], Loss]()
    for touch in touches:
        rule, key = touch.rule, (touch.crm, touch.rule.child)
        if rule.effect not in (Effect.FOLLOWS, Effect.MAY_FOLLOW) or touch.count == 0:
            continue
        if (above := ways.get((touch.crm, rule.kind))) is None:
            continue
        ways.setdefault(key, above)
        row, back = above
        profile, undo = profiles[touch.crm], undo_of(back)
        anew = any(r.support is Support.REMADE for r in profile.rows(Operation.RESTORE, rule.child))
        again = _differs(profile, rule.child, Support.REMADE, row.operation) if anew else None
        # Inside the window nothing makes it anew, so what nobody brings back stays away.
        by_itself = undo in (Undo.SAME_ID, Undo.BY_HAND) and rule.comes_back is not False
        within = _differs(profile, rule.child, back.support, row.operation) if by_itself else again
        if by_itself:
            word, days = undo.value, row.window.days
        else:
            word, days = (Undo.NEW_ID if anew else Undo.NONE).value, None
        loss = Loss(
            touch.crm,
            rule.child,
            touch.count or 0,
            word,
            days,
            row.window.guaranteed and by_itself and rule.comes_back is True,
            within or (),
            again if by_itself and row.window.days is not None else None,
            along=True,
        )
        before = found.get(key)
        if before is not None:
            # Reached in two ways, it is as safe as the worse of them.
            worst = max(before, loss, key=lambda one: _WORSE.index(one.undo))
            loss = dataclasses.replace(worst, count=before.count + loss.count)
        found[key] = loss
    return list(found.values())


_WORSE: Final = ("same_id", "by_hand", "new_id", "none")
"""Ways back, the best first."""


def _differs(
    profile: Profile, kind: str, support: Support, operation: Operation
) -> tuple[tuple[str, str], ...]:
    named = [(name, "the vendor writes it itself") for name in profile.vendor_set]
    if support is Support.REMADE:
        named.insert(0, ("id", "a record that is made anew has a new one"))
        named.append(
            ("ties of locked records", "what is locked is not written, so it stays untied")
        )
        named.append(
            ("lookups to what is not there then", "a restore asks by --on-conflict what to do")
        )
    named += [(one.what, one.why) for one in profile.losses_of(kind, support, operation)]
    return tuple(dict(named).items())


def touch_findings(touches: Sequence[Touch]) -> Iterable[Finding]:
    """What goes along, in words."""
    for touch in touches:
        rule, count = touch.rule, touch.count
        if not count and count is not None:
            continue
        many = "an unknown number of" if count is None else str(count)
        what = f"{many} {rule.child} ({rule.via} of {rule.kind})"
        if rule.effect is Effect.FOLLOWS:
            lost = rule.comes_back is False
            yield Finding(
                Severity.WARNING if lost else Severity.NOTE,
                "follows",
                f"{what} follow" + (" and do not come back." if lost else "."),
                rule.note,
                count,
            )
        elif rule.effect is Effect.MAY_FOLLOW:
            yield Finding(
                Severity.WARNING, "may_follow", f"{what} may follow; nobody says.", rule.note, count
            )
        elif rule.effect is Effect.DETACHES:
            yield Finding(
                Severity.NOTE, "vendor_note", f"{what} stay, and lose their tie.", rule.note, count
            )
        elif rule.effect in (Effect.BLOCKS, Effect.MAY_BLOCK):
            may = "may block" if rule.effect is Effect.MAY_BLOCK else "block"
            yield Finding(Severity.WARNING, "blocked", f"{what} {may} it.", rule.note, count)
