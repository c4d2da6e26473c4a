"""Reads back and judges: the reply is a hint, the read-back is the proof; unknown is never rounded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.plan import same
from crm_bridge.engine.work import MOST_TRIES, Item, Phase, not_sent
from crm_bridge.model.abilities import Operation
from crm_bridge.model.records import Record, RecordRef, State, is_empty
from crm_bridge.model.results import Outcome, Problem, Verdict, failed, skipped, unknown


def judge(connected: Connected, phase: Phase, item: Item, again: list[Item]) -> None:
    """Decide one item after its read-back: through, an outcome, or once more.

    `item.outcome` stays None where it got through this phase.
    """
    answer, after = item.answer, item.after
    assert answer is not None
    if phase.what == "create":
        _judge_made(item, again)
        return
    if after is not None and phase.reached(item, after, connected):
        return
    if after is not None and after.state is State.PENDING:
        item.outcome = Outcome(
            item.ref,
            Verdict.PENDING,
            State.PENDING,
            "read_back",
            Problem("pending", after.evidence or "it waits for an approval or a job."),
            details=answer.details,
        )
        return
    if after is None or after.unreadable:
        _judge_unseen(phase, item, answer, again)
        return
    if answer.passing:
        judge_turned_away(phase, item, after, again)
    elif answer.verdict is Verdict.PENDING:
        item.outcome = answer
    elif answer.problem is not None and answer.problem.code == "divide":
        again.append(item)
    elif answer.verdict is Verdict.UNKNOWN:
        if _untouched(connected, item, after) and written_since(item, item.before, after):
            item.outcome = _as_found(done_and_undone(item.ref), after)
        elif _untouched(connected, item, after) and item.doubts < 2:
            again.append(item)
        elif _untouched(connected, item, after):
            item.outcome = _as_found(
                dataclasses.replace(
                    failed(item.ref, "not_applied", "two answers were lost, and it is as it was."),
                    details={"answers_lost": item.doubts},
                ),
                after,
            )
        else:
            item.outcome = _as_found(
                unknown(
                    item.ref, "an answer was lost, and it is neither as it was nor as it should be."
                ),
                after,
            )
    elif answer.verdict in (Verdict.DONE, Verdict.ALREADY):
        item.outcome = _as_found(
            failed(
                item.ref, "not_applied", "the vendor said done, and a read shows that it is not."
            ),
            after,
        )
    else:
        item.outcome = _as_found(answer, after)


def _as_found(outcome: Outcome, record: Record) -> Outcome:
    return dataclasses.replace(outcome, state=record.state)


def _untouched(connected: Connected, item: Item, after: Record) -> bool:
    without = connected.profile.vendor_set
    return item.before is not None and after.fingerprint(without) == item.before.fingerprint(
        without
    )


def written_since(item: Item, before: Record | None, now: Record) -> bool:
    """Whether the vendor's own stamp says that somebody wrote to a record between two reads.

    A write whose answer was lost, and a record that is as it was: either it never arrived, or it was
    applied and somebody else undid it, which is not ours to do once more. The stamp tells them apart.
    """
    # What a run takes stamps what was tied to it as well, and that is its own doing.
    if item.target.ties or before is None or before.state is not now.state:
        return False
    return bool(before.changed_at and now.changed_at and now.changed_at > before.changed_at)


def done_and_undone(ref: RecordRef) -> Outcome:
    """The outcome of what is as it was, and was written to since it was sent and not answered."""
    return skipped(
        ref,
        "changed",
        "an answer was lost, and it was written to since: it may have been done, and undone by "
        "somebody else; make a new plan for it.",
    )


def turned_away(item: Item) -> Outcome:
    """The outcome of what was surely not applied, and not for its own sake: a resume takes it up."""
    problem = item.answer.problem if item.answer else None
    return not_sent(item.ref, problem.message.rstrip(".") if problem else "it was turned away")


def judge_turned_away(phase: Phase, item: Item, after: Record, again: list[Item]) -> None:
    """The whole call was turned away, and a look confirms it: sent again, within bounds."""
    before = item.before
    if phase.what in ("fields", "lock"):
        fits = after.state not in (State.GONE, State.DELETED)
    else:
        # An earlier phase may have brought it where this one takes it from.
        fits = after.state in phase.row.takes or before is None or after.state is before.state
    if fits:
        _once_more(item, again)
    else:
        meanwhile = skipped(item.ref, "changed", "somebody changed it meanwhile.")
        item.outcome = _as_found(meanwhile, after)


def _once_more(item: Item, again: list[Item]) -> None:
    busy = item.answer and item.answer.problem and item.answer.problem.code == "busy"
    if busy or item.tries < MOST_TRIES:
        # The guard bounds the waits for a busy vendor, and halts when they are vain.
        again.append(item)
    else:
        item.outcome = turned_away(item)


def _judge_unseen(phase: Phase, item: Item, answer: Outcome, again: list[Item]) -> None:
    """No read shows it: the vendor's row decides, or that it was seen before and is seen no more."""
    seen_before = item.before is not None and not item.before.unreadable
    row = item.evidence == "row" and item.after is not None
    hides = phase.row.gives is not State.LIVE
    if answer.verdict is Verdict.DONE and hides and (row or seen_before):
        return
    lost = answer.verdict is Verdict.UNKNOWN or answer.passing
    if lost and hides and seen_before and item.after is not None:
        # It was there, we asked for it to go, and it is no longer there.
        return
    if answer.passing:
        if item.after is None or seen_before:
            item.outcome = turned_away(item)
        else:
            judge_turned_away(phase, item, item.after, again)
        return
    if answer.verdict is Verdict.FAILED and answer.problem and answer.problem.code != "divide":
        item.outcome = answer
        return
    told = answer.problem.message if answer.problem else "no read shows it."
    item.outcome = unknown(item.ref, told)


def _judge_made(item: Item, again: list[Item]) -> None:
    answer, after = item.answer, item.after
    assert answer is not None
    # What was void or put away by a mark is made anew with its mark.
    wanted = {State.LIVE, item.source.state if item.source is not None else State.LIVE}
    if answer.new_ref is not None and after is not None and after.state in wanted:
        return
    if answer.verdict is Verdict.UNKNOWN:
        if item.looked and item.doubts < 2:
            again.append(item)
            return
        item.outcome = unknown(item.ref, "whether it was made anew cannot be told; look for it.")
    elif answer.passing:
        _once_more(item, again)
    elif answer.verdict is Verdict.DONE:
        item.outcome = unknown(item.ref, "it was made anew, and cannot be read back.")
        if answer.new_ref is not None:
            item.outcome = dataclasses.replace(item.outcome, new_ref=answer.new_ref)
    elif answer.problem is not None and answer.problem.code == "divide":
        again.append(item)
    else:
        item.outcome = answer


@dataclass(frozen=True, slots=True)
class Renamed:
    """New records that stand for old ones, as far as somebody's lookups and links name them.

    Attributes:
        ids: (kind, old id) to new id.
        lookups: Kind of a record to the kinds that it names, each with the fields that name them.
    """

    ids: Mapping[tuple[str, str], str] = field(default_factory=dict)
    lookups: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def fields_of(self, record: Record) -> dict[str, Any]:
        """The record's fields with old ids replaced in its lookups, and nowhere else."""
        fields = dict(record.fields)
        for kind, names in self.lookups.get(record.ref.kind, {}).items():
            ids = {old: new for (k, old), new in self.ids.items() if k == kind}
            for name in names:
                if name in fields:
                    fields[name] = repoint(fields[name], ids)
        return fields


def differences(
    before: Record, after: Record, vendor_set: Sequence[str], renamed: Renamed | None = None
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """What differs between a snapshot and a record as it is now.

    Args:
        before: The snapshot.
        after: The record now; a field that it does not name is empty.
        vendor_set: Fields that the vendor writes itself.
        renamed: A value that names an old record equals one that names the new.

    Returns:
        Field to [before, after]: those that matter, and those that the vendor sets.
    """
    renamed = renamed or Renamed()
    pointed = renamed.fields_of(before)
    matter: dict[str, list[Any]] = {}
    theirs: dict[str, list[Any]] = {}
    for name in sorted({*before.fields, *after.fields}):
        was, now = before.fields.get(name), after.fields.get(name)
        if (is_empty(was) and is_empty(now)) or same(pointed.get(name), now) or same(was, now):
            continue
        (theirs if name in vendor_set else matter)[name] = [was, now]

    def told(record: Record) -> set[tuple[str, str, str, str]]:
        return {
            (
                link.name,
                link.other.kind,
                renamed.ids.get((link.other.kind, link.other.id), link.other.id),
                link.label or "",
            )
            for link in record.links
        }

    lost, more = told(before) - told(after), told(after) - told(before)
    if lost or more:
        matter["links"] = [sorted(map(list, lost)), sorted(map(list, more))]
    return matter, theirs


def repoint(value: Any, ids: Mapping[str, str]) -> Any:
    """A value with old ids replaced by new ones, wherever a whole text is an id."""
    if not ids:
        return value
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, list):
        return [repoint(inner, ids) for inner in value]
    if isinstance(value, dict):
        return {name: repoint(inner, ids) for name, inner in value.items()}
    return value


def looked_at_again(
    outcome: Outcome,
    record: Record,
    gives: State | None,
    operation: Operation,
    restored_by_us: Callable[[RecordRef], bool],
) -> Outcome:
    """What a later look makes of an outcome: it settles what was open, and names what moved.

    Args:
        outcome: As the run left it.
        record: As it is now.
        gives: Where the operation should have brought it.
        operation: What was asked for.
        restored_by_us: Whether a later run of this journal brought it back.
    """
    state = None if record.unreadable else record.state
    if outcome.verdict in (Verdict.PENDING, Verdict.BY_HAND, Verdict.UNKNOWN):
        if state is gives and state is not None:
            return Outcome(
                outcome.ref,
                Verdict.DONE,
                state,
                "read_back",
                new_ref=outcome.new_ref,
                details=outcome.details,
            )
        if outcome.verdict is Verdict.PENDING and state is State.LIVE and gives is not State.LIVE:
            return dataclasses.replace(
                failed(outcome.ref, "refused", "the approval was turned down; it is as it was."),
                state=state,
                details=outcome.details,
            )
        return dataclasses.replace(outcome, state=state or outcome.state)
    if outcome.verdict is not Verdict.DONE or state is None:
        return outcome
    if state is gives or outcome.new_ref is not None:
        return dataclasses.replace(outcome, state=state)
    back = operation is not Operation.RESTORE and state is State.LIVE
    if back and restored_by_us(outcome.ref):
        return dataclasses.replace(outcome, state=state)
    code = "restored_elsewhere" if back else "changed"
    return dataclasses.replace(
        outcome,
        state=state,
        problem=Problem(
            code, f"it is {state.value} now, and no run of this journal brought it there."
        ),
    )
