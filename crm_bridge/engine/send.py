"""One phase of some items: intents, calls in lanes, answers, read-back; again where that is safe."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crm_bridge.engine.accounts import Connected, tells_twins, twins_of
from crm_bridge.engine.lanes import Ask, batched
from crm_bridge.engine.verify import judge, turned_away
from crm_bridge.engine.work import MOST_TRIES, TURNED_AWAY, Item, Phase, not_sent
from crm_bridge.errors import BridgeError, Busy, PlanBlocked, Rejected, Unauthorized, Unreachable
from crm_bridge.guard import NotSent, Permit
from crm_bridge.journal.store import Entry, Journal, Snapshot
from crm_bridge.model.plans import PAGE, Batch
from crm_bridge.model.records import Link, Record, RecordRef
from crm_bridge.model.results import Outcome, Problem, Verdict, failed, unknown

if TYPE_CHECKING:
    from crm_bridge.engine.restore import Renames

JOB_PATIENCE = 3600.0
"""Seconds that a run waits for a vendor's job; later ones are picked up by a resume."""


@dataclass(slots=True)
class Street:
    """What every send of a run has in common.

    Attributes:
        run: The run.
        journal: The memory; only the main thread writes it.
        connected: The account.
        settle: Seconds that an unanswered write may still arrive.
        check: Asked right before each write leaves; raises `NotSent`.
        stopped: Why nothing new is to be sent; None while the run goes on.
        tell: Tells observers.
        rest: Waits so many seconds, and hears a signal meanwhile.
        batch: Number of the last batch.
        handles: Jobs of the vendor's that were made and are not yet awaited, by batch.
        hung: Items of which an answer was ever lost.
        resumed: Whether an earlier part of this run may have written already.
        renames: Which new records stand for old ones, once that was asked.
        kinds: Kinds of what came back along with others.
        made: What was made anew so far.
        untied: Lookups that a delete emptied and its way back left empty: the item that took the
            record along, the record, the field (empty where it was not back at all), and what it held.
        unmade: Children that could not be made anew yet: the item that took them along, the child.
        unlinked: Associations that could not be put back yet: the item, the record, the association.
    """

    run: str
    journal: Journal
    connected: Connected
    settle: float
    check: Callable[[], None]
    stopped: Callable[[], str | None]
    tell: Callable[..., None]
    rest: Callable[[float], None]
    batch: int = 0
    handles: dict[int, str] = field(default_factory=dict)
    hung: list[Item] = field(default_factory=list)
    resumed: bool = False
    renames: Renames | None = None
    kinds: set[str] = field(default_factory=set)
    made: set[RecordRef] = field(default_factory=set)
    untied: list[tuple[Item, RecordRef, str, tuple[str, str]]] = field(default_factory=list)
    unmade: list[tuple[Item, Snapshot]] = field(default_factory=list)
    unlinked: list[tuple[Item, RecordRef, Link]] = field(default_factory=list)

    def entry(self, stage: str, item: Item, kind: str, **more: Any) -> Entry:
        """An entry about records of one page."""
        return Entry(
            stage,
            self.run,
            self.connected.crm,
            self.connected.account.org,
            kind,
            item.step,
            item.page,
            **more,
        )


@dataclass(slots=True)
class _Parcel:
    """A batch on its way: its items, its leave, and the number of its attempt."""

    number: int
    batch: Batch
    items: tuple[Item, ...]
    permit: Permit
    attempt: int


def send(
    street: Street,
    phase: Phase,
    items: Sequence[Item],
    meanwhile: Callable[[Sequence[Item]], None] = lambda items: None,
) -> None:
    """Bring items through one phase; each leaves with an outcome, or without one where it got through.

    An item that got through has `after` as it was read back, and no outcome: the next phase, or the
    end of the street, takes it from there.

    Args:
        street: What every send of the run has in common.
        phase: The phase.
        items: The items.
        meanwhile: Called with items while they are read back, for reads that need nothing of that.

    Raises:
        JournalError: An intent or an outcome could not be made durable.
    """
    todo = list(items)
    while todo:
        why = street.stopped()
        if why is not None:
            _stop(todo, why)
            return
        again: list[Item] = []
        for item in todo:
            item.answer, item.looked = None, False
        _round(street, phase, todo)
        asked = [item for item in todo if item.answer is not None]
        _not_applied(asked, again)
        _settle(street, phase, [i for i in asked if i not in again], again, meanwhile)
        todo = again


def _stop(items: Iterable[Item], why: str) -> None:
    for item in items:
        if item.outcome is None:
            hung = item.doubts > 0
            item.outcome = (
                unknown(item.ref, f"an answer was lost, and the run stopped ({why}).")
                if hung
                else not_sent(item.ref, why)
            )


def _parcels(street: Street, phase: Phase, items: Sequence[Item]) -> list[_Parcel]:
    """Items as batches of one page each, no larger than the row allows; some travel alone."""
    row, size = phase.row, max(1, phase.row.batch)
    if phase.what == "lock":
        # Some vendors mark a hundred in one call and lock each by a call of its own.
        size = street.connected.profile.lock_batch or size
    groups: dict[Any, list[Item]] = {}
    for item in items:
        # Calls larger than a page take from several; else a list stays on the page it comes from.
        key: Any = (item.step, item.page if size <= PAGE else 0, item.group)
        groups.setdefault((*key, item.ref) if item.alone else key, []).append(item)
    parcels = []
    for some in groups.values():
        for part in batched(some, 1 if some[0].alone else size):
            street.batch += 1
            refs = tuple(item.ref for item in part)
            permit = Permit(frozenset(refs), row.sends, street.check)
            tries = max(item.tries for item in part) + 1
            batch = Batch(street.connected.crm, phase.step.kind, row, refs)
            parcels.append(_Parcel(street.batch, batch, part, permit, tries))
    return parcels


def _round(street: Street, phase: Phase, items: Sequence[Item]) -> None:
    """Make the intents durable, hand the batches to lanes, and write down what came back."""
    parcels = _parcels(street, phase, items)
    street.journal.append(
        *(
            street.entry(
                "intent",
                p.items[0],
                p.batch.kind,
                batch=p.number,
                attempt=p.attempt,
                body={
                    "ids": p.batch.ids,
                    "operation": phase.row.operation.value,
                    "phase": phase.number,
                    "what": phase.what,
                    "way": phase.row.way,
                    "sends": phase.row.sends,
                },
            )
            for p in parcels
        )
    )
    street.tell("intent", len(items))

    def answer(ask: Ask[Any]) -> None:
        number, handle = ask.what
        parcel = next(p for p in parcels if p.number == number)
        try:
            street.journal.append(
                street.entry(
                    "job",
                    parcel.items[0],
                    parcel.batch.kind,
                    batch=number,
                    body={"handle": handle, "ids": parcel.batch.ids},
                )
            )
        except BaseException as error:
            ask.refused(error)
            raise
        ask.granted()

    login = street.connected.guard.login
    results = street.connected.lanes.serve(
        lambda parcel, put: _call(street, phase, parcel, put), parcels, answer
    )
    renew = False
    for came in results:
        for parcel, result in came:
            renew = _read_answer(street, phase, parcel, result) or renew
        street.journal.append(*(_outcome_entry(street, parcel) for parcel, _ in came))
        for parcel, _ in came:
            street.tell("answer", len(parcel.items))
    if renew:
        _renew(street, login)
    for parcel in parcels:
        handle = street.handles.pop(parcel.number, None)
        if handle is not None and any(_still_runs(item) for item in parcel.items):
            _await_job(street, parcel, handle)


def _still_runs(item: Item) -> bool:
    """Whether the answer left open how it ends; what it settled is read back, and not polled."""
    answer = item.answer
    return answer is None or answer.verdict in (Verdict.PENDING, Verdict.UNKNOWN)


def _await_job(street: Street, parcel: _Parcel, handle: str) -> None:
    """Ask a job of the vendor's how it stands until it has ended, or the run is stopped."""
    lost = all(item.answer and item.answer.verdict is Verdict.UNKNOWN for item in parcel.items)
    outcomes = await_job(street, handle, parcel.batch, answered=not lost)
    told = {outcome.ref: outcome for outcome in outcomes}
    for item in parcel.items:
        answer = told.get(item.ref)
        if answer is not None:
            item.answer = answer
        elif item.answer is None or item.answer.verdict is not Verdict.UNKNOWN:
            item.answer = unknown(item.ref, "the job's results do not name it.")
    street.journal.append(_outcome_entry(street, parcel, told_later=True))


def await_job(street: Street, handle: str, batch: Batch, *, answered: bool) -> list[Outcome]:
    """Poll a job, at a growing interval, until nothing of it is pending.

    Args:
        street: What the sends of this run have in common.
        handle: The job; the list of ids where the vendor names none.
        batch: Its records.
        answered: Whether the vendor ever said that it took the job.

    Returns:
        An outcome for each record that the vendor names; those that still wait are `PENDING`, or
        `UNKNOWN` where nobody can say whether there is such a job at all.
    """
    # Short at first, for a quick job; doubled, so that a slow one is asked seldom.
    wait, waited, asked = 0.1, 0.0, set(batch.refs)
    # A list of ids is no proof of a job: what waits and what was never asked for look the same.
    doubted = not answered and handle == ",".join(batch.ids)
    patience = min(JOB_PATIENCE, street.settle * 5) if doubted else JOB_PATIENCE
    while True:
        try:
            outcomes = list(street.connected.adapter.poll(handle, batch))
        except Exception as error:
            told = error.summary if isinstance(error, BridgeError) else type(error).__name__
            return [unknown(ref, f"job {handle} cannot be asked: {told}") for ref in batch.refs]
        outcomes = [o for o in outcomes if isinstance(o, Outcome) and o.ref in asked]
        running = any(outcome.verdict is Verdict.PENDING for outcome in outcomes)
        if not running or street.stopped() is not None:
            return outcomes
        if waited >= patience:
            told = "nobody can say whether the vendor took it for a job."
            return [
                unknown(o.ref, told) if doubted and o.verdict is Verdict.PENDING else o
                for o in outcomes
            ]
        street.rest(wait)
        waited += wait
        wait = min(10.0, wait * 2)


def _call(
    street: Street, phase: Phase, parcel: _Parcel, put: Callable[[Any], None]
) -> list[Outcome]:
    """In a lane: make the batch's write."""
    adapter, guard, batch = street.connected.adapter, street.connected.guard, parcel.batch
    for item in parcel.items:
        item.tries += 1
    with guard.permitted(parcel.permit):
        if phase.what in ("fields", "lock"):
            changes = [phase.changes(item, street.connected) for item in parcel.items]
            return list(adapter.update([c for c in changes if c is not None]))
        if phase.what == "create":
            return list(adapter.create([_snapshot(item) for item in parcel.items]))
        verb: Callable[..., Iterable[Outcome]] = getattr(adapter, phase.row.operation.value)
        if not phase.row.job:
            return list(verb(batch))

        class Saving:
            def save(self, handle: str) -> None:
                street.handles[parcel.number] = handle
                ask = Ask((parcel.number, handle))
                put(ask)
                ask.wait()

        return list(verb(batch, Saving()))


def _snapshot(item: Item) -> Record:
    assert item.source is not None, "a remake without a snapshot is settled by the plan"
    return item.source


def _read_answer(street: Street, phase: Phase, parcel: _Parcel, result: Any) -> bool:
    """Match what came back to the items; returns whether a new login may help."""
    renew = False
    for item in parcel.items:
        item.sent_at = parcel.permit.at
    if isinstance(result, BaseException):
        renew = _trouble(street, parcel, result)
    else:
        _match(phase, parcel, result)
    return renew


def _match(phase: Phase, parcel: _Parcel, outcomes: Sequence[Outcome]) -> None:
    """Row by row; rows missing, doubled or strange make theirs, or all, unknown."""
    asked = {item.ref: item for item in parcel.items}
    found: dict[RecordRef, Outcome] = {}
    strange = False
    for outcome in outcomes:
        if not isinstance(outcome, Outcome) or outcome.ref not in asked or outcome.ref in found:
            strange = True
            continue
        found[outcome.ref] = outcome
    for ref, item in asked.items():
        if strange:
            item.answer = unknown(ref, "the answer named records that were not asked for.")
        else:
            item.answer = found.get(ref) or unknown(ref, "the answer did not name it.")
        if parcel.permit.sent == 0 and item.answer.verdict is Verdict.DONE:
            item.answer = unknown(ref, "the adapter says done and sent nothing.")
        item.evidence = "row" if len(asked) == 1 else "list"
    del phase


def _trouble(street: Street, parcel: _Parcel, error: BaseException) -> bool:
    """A call that raised: turned away, refused, or in doubt."""
    sent, guard = parcel.permit.sent > 0, street.connected.guard
    if isinstance(error, NotSent) or not sent:
        if isinstance(error, PlanBlocked):
            guard.halt("target")
        elif isinstance(error, Unauthorized) and not error.renewable:
            guard.halt("login")
        elif isinstance(error, BridgeError):
            if not isinstance(error, (NotSent, Busy, Unauthorized)):
                guard.halt("unreachable" if isinstance(error, Unreachable) else "adapter")
        else:
            guard.halt("adapter")
        for item in parcel.items:
            item.answer = not_sent(item.ref, guard.halted or str(error))
        return isinstance(error, Unauthorized) and error.renewable
    if isinstance(error, Busy):
        for item in parcel.items:
            item.answer = dataclasses.replace(
                failed(item.ref, "busy", error.summary, vendor_code=error.vendor_code), passing=True
            )
        return False
    if isinstance(error, Unauthorized):
        if not error.renewable:
            guard.halt("login")
        for item in parcel.items:
            item.answer = dataclasses.replace(
                failed(
                    item.ref,
                    "unauthorized",
                    error.summary,
                    vendor_code=error.vendor_code,
                    request_id=error.request_id,
                ),
                passing=True,
            )
        return error.renewable
    if isinstance(error, Rejected):
        for item in parcel.items:
            code = "divide" if error.divisible and len(parcel.items) > 1 else "refused"
            item.answer = failed(
                item.ref,
                code,
                str(error),
                vendor_code=error.vendor_code,
                request_id=error.request_id,
            )
        _divide(parcel)
        return False
    if isinstance(error, Unreachable) and not error.sent:
        for item in parcel.items:
            item.answer = dataclasses.replace(
                failed(item.ref, "unreachable", error.summary), passing=True
            )
        return False
    told = str(error) if isinstance(error, BridgeError) else type(error).__name__
    for item in parcel.items:
        item.answer = unknown(
            item.ref, f"the answer was lost: {told}", request_id=getattr(error, "request_id", None)
        )
    return False


def _divide(parcel: _Parcel) -> None:
    """Halves of a list that was refused whole travel apart, down to single records."""
    half = (len(parcel.items) + 1) // 2
    for number, item in enumerate(parcel.items):
        item.group = (*item.group, int(number >= half))


def _outcome_entry(street: Street, parcel: _Parcel, told_later: bool = False) -> Entry:
    """What came of a parcel; what a job tells later is of the same send, and no other."""
    words = {Verdict.DONE: "applied", Verdict.PENDING: "applied", Verdict.UNKNOWN: "unknown"}
    rows = []
    for item in parcel.items:
        assert item.answer is not None
        verdict, problem = item.answer.verdict, item.answer.problem
        word = words.get(verdict, "refused")
        if parcel.permit.sent == 0:
            word = "not_sent"
        why = problem.code if problem else item.answer.evidence
        rows.append([item.ref.id, word, "pending" if verdict is Verdict.PENDING else why])
    return street.entry(
        "outcome",
        parcel.items[0],
        parcel.batch.kind,
        batch=parcel.number,
        attempt=parcel.attempt,
        body={"rows": rows, "sent": 0 if told_later else parcel.permit.sent},
    )


def _renew(street: Street, login: int) -> None:
    try:
        street.connected.guard.log_in_again(login)
    except Unauthorized:
        street.connected.guard.halt("login")
    except BridgeError:
        street.connected.guard.halt("target")


def _not_applied(items: Sequence[Item], again: list[Item]) -> None:
    """Rows that surely were not applied, for a reason that passes: they are sent again.

    A call that was turned away as a whole is none of these. Who says so may be a gateway before the
    vendor, so its records are looked at first.
    """
    for item in items:
        assert item.answer is not None
        code = item.answer.problem.code if item.answer.problem else ""
        if item.answer.passing and code not in TURNED_AWAY:
            if item.tries < MOST_TRIES:
                item.alone = code != "unreachable"  # a row lock: serially, in smaller batches
                again.append(item)
            elif code == "unreachable":
                item.outcome = turned_away(item)
        elif code == "not_sent":
            item.outcome = item.answer


def _settle(
    street: Street,
    phase: Phase,
    items: Sequence[Item],
    again: list[Item],
    meanwhile: Callable[[Sequence[Item]], None],
) -> None:
    """Read back everything that may have had an effect, and judge it by what is found."""
    waiting = [i for i in items if i.outcome is None]
    doubtful = [i for i in waiting if _verdict(i) is Verdict.UNKNOWN]
    for item in doubtful:
        item.doubts += 1
        item.hung = True
    _wait(street, phase, doubtful)
    for attempt in range(3):
        _read_back(street, phase, waiting, meanwhile)
        lagging = [i for i in waiting if _lags(street, phase, i)]
        if not lagging or attempt == 2:
            break
        street.rest(min(1.0, street.settle / 4) * (attempt + 1))
        waiting = lagging
    for item in items:
        if item.outcome is None:
            judge(street.connected, phase, item, again)


def _passing(item: Item) -> bool:
    assert item.answer is not None
    return item.answer.passing


def _verdict(item: Item) -> Verdict:
    assert item.answer is not None
    return item.answer.verdict


def _lags(street: Street, phase: Phase, item: Item) -> bool:
    """Said to be done and not seen yet: looked at again before it is believed or not."""
    return (
        _verdict(item) is Verdict.DONE
        and item.after is not None
        and not item.after.unreadable
        and phase.what != "create"
        and not phase.reached(item, item.after, street.connected)
        and item.after.state.value != "pending"
    )


def _wait(street: Street, phase: Phase, doubtful: Sequence[Item]) -> None:
    """Wait until no earlier request for these can still arrive."""
    if not doubtful or street.stopped() == "signal":
        return
    clock = street.connected.guard.clock
    latest = max((i.sent_at for i in doubtful if i.sent_at is not None), default=clock())
    by_page: dict[tuple[int, int], list[Item]] = {}
    for item in doubtful:
        by_page.setdefault((item.step, item.page), []).append(item)
    street.journal.append(
        *(
            street.entry("settle", some[0], phase.step.kind, body={"ids": [i.ref.id for i in some]})
            for some in by_page.values()
        )
    )
    street.rest(max(0.0, latest + street.settle - clock()))


def _read_back(
    street: Street,
    phase: Phase,
    items: Sequence[Item],
    meanwhile: Callable[[Sequence[Item]], None],
) -> None:
    """Read what was sent; a remake is read by the ref that the vendor gave it, or looked for."""
    if not items:
        return
    if phase.what == "create":
        _look_for_twins(street, phase, items)
    look: dict[RecordRef, Item] = {}
    for item in items:
        new = item.answer.new_ref if item.answer else None
        if phase.what == "create" and new is None:
            continue
        look[new or item.ref] = item
    try:
        reading = street.connected.begin_read(look) if look else None
        meanwhile(items)
        found: dict[RecordRef, Record] = street.connected.read(list(look), reading) if look else {}
    except BridgeError as error:
        for item in items:
            item.after = None
            if item.answer is not None and item.answer.verdict is Verdict.DONE:
                item.answer = dataclasses.replace(
                    item.answer,
                    verdict=Verdict.UNKNOWN,
                    problem=Problem("unknown", f"it could not be read back: {error.summary}"),
                )
        return
    for ref, item in look.items():
        item.after = found[ref]
    by_page: dict[tuple[int, int], list[Item]] = {}
    for item in look.values():
        by_page.setdefault((item.step, item.page), []).append(item)
    street.journal.append(
        *(
            street.entry(
                "readback",
                some[0],
                phase.step.kind,
                body={"rows": [[i.ref.id, _seen(i.after)] for i in some]},
            )
            for some in by_page.values()
        )
    )


def _look_for_twins(street: Street, phase: Phase, items: Sequence[Item]) -> None:
    """Look for what may have been made, whatever the answer said: a refusal may not be the vendor's.

    A list that was refused whole is divided and sent again, so above all nothing of it may be there.
    """
    lost = [i for i in items if _verdict(i) in (Verdict.UNKNOWN, Verdict.FAILED)]
    if tells_twins(street.connected):
        made = look_for_made(street, phase.step.kind, lost)
        for item in lost:
            item.looked = item.ref in made
            if (twin := made.get(item.ref)) is not None and item.answer is not None:
                item.answer = dataclasses.replace(
                    item.answer, verdict=Verdict.DONE, new_ref=twin, problem=None, passing=False
                )
            elif not item.looked and _passing(item):
                item.outcome = turned_away(item)
        return
    # Nothing marks a second life there; what looks like one keeps it from being made once more.
    refused = [i for i in lost if _verdict(i) is Verdict.FAILED and i.source is not None]
    for some in batched(refused, PAGE):
        try:
            found = twins_of(street.connected, [i.source for i in some if i.source is not None])
        except BridgeError as error:
            told = f"whether it was made anew cannot be asked: {error}"
            for item in some:
                item.outcome = unknown(item.ref, told)
            continue
        for item in some:
            if alike := [ref for ref in found.get(item.ref, ()) if ref not in street.made]:
                item.outcome = unknown(
                    item.ref,
                    f"it was refused, and {alike[0]} was made since, which is like it.",
                )


def look_for_made(
    street: Street, kind: str, items: Sequence[Item]
) -> dict[RecordRef, RecordRef | None]:
    """Look for what may have been made though its answer was lost, and write down what was seen.

    Returns:
        The new record of each, or None where none was made; an item that could not be looked for is
        missing, and has its outcome.
    """
    found: dict[RecordRef, RecordRef | None] = {}
    seen: dict[tuple[int, int], list[Item]] = {}
    # Of records that are all alike each is made into another one.
    claimed = set(street.made)
    for some in batched(items, PAGE):
        try:
            sources = [item.source for item in some if item.source is not None]
            twins = twins_of(street.connected, sources)
        except BridgeError as error:
            told = f"whether it was made anew cannot be asked: {error}"
            for item in some:
                item.outcome = unknown(item.ref, told)
            continue
        finally:
            for item in some:
                seen.setdefault((item.step, item.page), []).append(item)
        for item in some:
            made = next((ref for ref in twins.get(item.ref, ()) if ref not in claimed), None)
            found[item.ref] = made
            if made is not None:
                claimed.add(made)
    words = {ref: "gone" if twin is None else "live" for ref, twin in found.items()}
    street.journal.append(
        *(
            street.entry(
                "readback",
                some[0],
                kind,
                body={"rows": [[i.ref.id, words.get(i.ref, "unreadable")] for i in some]},
            )
            for some in seen.values()
        )
    )
    return found


def _seen(record: Record | None) -> str:
    if record is None or record.unreadable:
        return "unreadable"
    return record.state.value
