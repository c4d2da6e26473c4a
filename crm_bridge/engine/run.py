"""A plan becomes calls, calls become outcomes: one run, from its first page to its receipt."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from math import ceil, lcm
from typing import Any

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.aftermath import Aftermath
from crm_bridge.engine.ahead import Ahead, Seen
from crm_bridge.engine.collecting import seldom_collecting
from crm_bridge.engine.connect import Accounts
from crm_bridge.engine.enter import enter
from crm_bridge.engine.history import SETTLED, History, moment
from crm_bridge.engine.holds import Bars, bars_of
from crm_bridge.engine.keep import keep, restore_sources
from crm_bridge.engine.lanes import HELD, Lanes, batched
from crm_bridge.engine.leftover import (
    Leftover,
    Verdicts,
    compared_again,
    open_still,
    unfinished,
)
from crm_bridge.engine.lock import OrgLock
from crm_bridge.engine.planfile import outcome_row
from crm_bridge.engine.restore import Renames, pointed
from crm_bridge.engine.select import mark_of
from crm_bridge.engine.send import Street, await_job, send
from crm_bridge.engine.work import Item, Phase, dated, not_sent, phases_of, vendor_now
from crm_bridge.errors import BridgeError, JournalError, PlanBlocked, Unauthorized
from crm_bridge.guard import NotSent
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.abilities import Effect, Operation
from crm_bridge.model.plans import PAGE, Batch, Plan, Step
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Event, Outcome, Receipt, Verdict, unknown

WAVES = 10
"""Times that every lane is filled before the journal and the vendor wait for each other."""

REDO = 4
"""Times that a stretch is read anew because its reads grew too old before they were sent."""


def new_run() -> str:
    """A name for a run: `r-20261122-7f3a91c2`."""
    return f"r-{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say of every run.

    Attributes:
        settle: Seconds that an unanswered write may still arrive.
        read_max_age: Seconds; the oldest read behind a write.
        lease: Seconds that a claim on an org holds without being renewed.
        sleep: Waits so many seconds.
        clock: Monotonic seconds.
        stopped: Set when somebody asks the run to stop.
    """

    settle: float
    read_max_age: float
    lease: float
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    stopped: threading.Event


@dataclass(slots=True)
class _Tally:
    """Counts of a run as they stand, page by page."""

    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    left: int = 0
    until: tuple[datetime, ...] = ()

    def add(self, outcomes: Sequence[Outcome]) -> None:
        moments: set[datetime] = set(self.until)
        for outcome in outcomes:
            self.counts[outcome.verdict] += 1
            self.left += unfinished(outcome)
            if outcome.recoverable_until is not None:
                moments.add(outcome.recoverable_until)
        self._span(moments)

    def add_counted(self, page: Verdicts) -> None:
        """A page of an earlier part of the run, which is as it was."""
        for word, count in page.counts.items():
            self.counts[Verdict(word)] += count
        self.left += page.left
        self._span({*self.until, *map(moment, page.until)})

    def _span(self, moments: set[datetime]) -> None:
        if moments:
            self.until = (min(moments), max(moments))


class Run:
    """One run of one plan.

    Args:
        plan: What to do.
        accounts: The accounts.
        history: The journal and what it knows.
        terms: What the settings say.
        observe: Tells observers.
        run: The run to go on with; None for a new one.
        look_ahead: Whether everything is read once more before the first send, since the plan is
            not fresh.
    """

    def __init__(
        self,
        plan: Plan,
        accounts: Accounts,
        history: History,
        terms: Terms,
        observe: Callable[[Event], None],
        run: str | None = None,
        look_ahead: bool = False,
    ) -> None:
        self.plan, self.accounts, self.history, self.terms = plan, accounts, history, terms
        self.journal: Journal = history.journal
        self.run = run or new_run()
        self.resumed = run is not None
        self._observe = observe
        self._locks: dict[str, OrgLock] = {}
        self._lock_turn = threading.Lock()
        self._tally = _Tally()
        self._read_at = 0.0
        self._announced: set[int] | None = None
        self._bars: dict[str, Bars] = {}
        self._halted: str | None = None
        self._opened = False
        self._torn: list[tuple[Street, int, list[Phase]]] = []
        self._ahead = (
            Ahead(plan, self._is_announced, terms.clock, terms.read_max_age) if look_ahead else None
        )

    @seldom_collecting()
    def go(self) -> Receipt:
        """Do it all, or as much as can be done.

        Raises:
            PlanBlocked: Locked by another run, or not the org that the plan is for; nothing was sent.
            PlanMoved: Records are not as a saved plan saw them; nothing was sent.
            JournalError: The journal takes nothing more; nothing was sent without it.
        """
        began, calls = self.terms.clock(), self.accounts.calls()
        self.accounts.begin()
        self._claim()
        finished = False
        beating: list[Lanes] = []
        try:
            for crm, target in self.plan.targets.items():
                beating.append(self.accounts.prove(crm, target).lanes)
                beating[-1].beat = self._beat
            roots = [(n, step) for n, step in enumerate(self.plan.steps) if step.after is None]
            if self._ahead is not None:
                self._look_ahead(self._ahead, roots)
            self._open()
            for number, step in roots:
                self._walk(number, step)
            self._mend()
            receipt = self._finish(began, calls)
            finished = not self._tally.left and self._halted is None
            return receipt
        except JournalError:
            self._halt_all("journal")
            raise
        finally:
            for own in beating:
                # The lanes outlive the run, and what it claimed is let go below.
                own.beat = None
            for lock in self._locks.values():
                # A run that was refused before it began leaves nothing for others to wait for.
                lock.release(finished=finished or not (self._opened or self.resumed))

    def _look_ahead(self, ahead: Ahead, roots: Sequence[tuple[int, Step]]) -> None:
        for number, step in roots:
            connected, chain = self.accounts.connected(step.crm), self._chain(number)
            operations = {one.capability.operation for one in chain}
            pages = self._pages(number, step)
            ahead.look(number, step, connected, operations, pages, _stretch(connected, chain))
        ahead.refuse_moved()

    # --- beginning and end -------------------------------------------------------------------------

    def _claim(self) -> None:
        """Take the lock of every org, in one order for everybody; the same org twice is one org."""
        by_org: dict[tuple[str, str], OrgLock] = {}
        orgs = sorted({(target.vendor, target.org) for target in self.plan.targets.values()})
        try:
            for vendor, org in orgs:
                by_org[vendor, org] = OrgLock.take(
                    vendor,
                    org,
                    run=self.run,
                    journal=str(self.journal.path),
                    lease=self.terms.lease,
                    clock=self.terms.clock,
                )
        except BaseException:
            for lock in by_org.values():
                lock.release(finished=True)
            raise
        self._locks = {crm: by_org[t.vendor, t.org] for crm, t in self.plan.targets.items()}

    def _open(self) -> None:
        """The plan, its pages and what is settled, durable before anything is sent."""
        self._opened = True
        claims = [
            Entry(
                "lock",
                self.run,
                crm,
                self.plan.targets[crm].org,
                body={"epoch": lock.epoch, "resumed": self.resumed},
            )
            for crm, lock in self._locks.items()
        ]
        if self.resumed:
            self.journal.append(*claims)
        else:
            enter(self.journal, self.run, self.plan, claims, self._beat)
        self._tell("plan", count=self.plan.counts.records)

    def _finish(self, began: float, calls: int) -> Receipt:
        self.history.forget_pages()
        page = 0
        while (rows := self.history.verdicts(self.run, SETTLED, page)) is not None:
            self._tally.add(list(rows.values()))
            page += 1
        halted = self._halted or self._halts()
        if halted is not None:
            self.journal.append(Entry("halt", self.run, body={"why": halted}))
        counts = self._tally.counts
        seconds, made = self.terms.clock() - began, self.accounts.calls() - calls
        body = {
            "counts": {verdict.value: n for verdict, n in counts.items()},
            "left": self._tally.left,
            "until": [moment.isoformat() for moment in self._tally.until],
            "seconds": f"{seconds:.3f}",
            "calls": made,
            "halted": halted,
        }
        self.journal.append(Entry("finish", self.run, body=body))
        self._halted = halted
        self._tell("finish", count=self.plan.counts.records)
        return Receipt(
            self.run,
            self.plan.operation,
            self.plan.digest,
            dict(counts),
            seconds,
            made,
            self.history.lazy(self.run, sum(counts.values())),
            halted,
        )

    # --- the street --------------------------------------------------------------------------------

    def _walk(self, number: int, step: Step) -> None:
        """Bring all pages of a chain of steps through, stretch by stretch."""
        connected = self.accounts.connected(step.crm)
        chain = self._chain(number)
        phases = phases_of(chain, connected)
        street = self._street(connected)
        earlier = self.history.leftover(self.run, number) if self.resumed else Leftover()
        pages = self._pages(number, step, self._pick_up(street, number, earlier))
        size = _stretch(connected, chain)
        while stretch := list(islice(pages, size)):
            self._stretch(street, number, phases, stretch, earlier)
        self._late_look(street, number, phases)
        if street.untied or street.unlinked or street.unmade:
            self._torn.append((street, number, phases))

    def _chain(self, number: int) -> list[Step]:
        chain = [self.plan.steps[number]]
        while (
            after := next((n for n, s in enumerate(self.plan.steps) if s.after == number), None)
        ) is not None:
            chain.append(self.plan.steps[after])
            number = after
        return chain

    def _pages(
        self, number: int, step: Step, without: Container[int] = ()
    ) -> Iterator[tuple[int, list[Any]]]:
        if self.resumed:
            return self.history.targets(self.run, number, without)
        return enumerate(list(page) for page in batched(step.targets, PAGE))

    def _street(self, connected: Connected) -> Street:
        lock = self._locks[connected.crm]

        def check() -> None:
            if self.terms.stopped.is_set():
                raise NotSent("the run was asked to stop.", "signal")
            with self._lock_turn:
                try:
                    lock.check()
                except PlanBlocked as error:
                    connected.guard.halt("lock")
                    raise NotSent(error.summary, "lock") from None
            if self.terms.clock() - self._read_at > self.terms.read_max_age:
                raise NotSent("what was read is too old to act on.", "stale")

        def stopped() -> str | None:
            return "signal" if self.terms.stopped.is_set() else connected.guard.halted

        def tell(stage: str, count: int = 0, outcomes: Sequence[Outcome] = ()) -> None:
            self._tell(stage, connected.crm, count, outcomes)

        return Street(
            self.run, self.journal, connected, self.terms.settle, check, stopped, tell, self._rest,
            resumed=self.resumed,
        )  # fmt: skip

    def _stretch(
        self,
        street: Street,
        number: int,
        phases: Sequence[Phase],
        stretch: Sequence[tuple[int, Sequence[Any]]],
        earlier: Leftover,
    ) -> None:
        items: list[Item] = []
        before: dict[tuple[int, str], Outcome] = {}
        doubt: dict[RecordRef, Outcome | None] = {}
        apart: list[Item] = []
        for page, targets in stretch:
            rows = (self.history.verdicts(self.run, number, page) or {}) if self.resumed else {}
            for target in targets:
                last = rows.get(target.ref.id)
                if last is not None and not open_still(last):
                    before[page, target.ref.id] = last
                    if compared_again(last):
                        apart.append(Item(target, number, page, outcome=last))
                    continue
                sent = not earlier.tried.get(target.ref.id, True)
                if sent or (
                    last is not None and last.verdict in (Verdict.UNKNOWN, Verdict.PENDING)
                ):
                    doubt[target.ref] = last
                item = Item(target, number, page, asked=earlier.asked.get(target.ref.id, -1))
                item.told_done = target.ref.id in earlier.told_done
                item.turned_away = target.ref.id in earlier.turned_away
                items.append(item)
        after = Aftermath(street, self.plan, self.history, self._renames(street))
        for _ in range(REDO):
            seen = self._ahead.take(number, stretch[0][0]) if self._ahead is not None else None
            todo = [i for i in items if i.outcome is None]
            self._through(street, phases, todo, doubt, seen, after)
            stale = [i for i in items if street.stopped() is None and _grew_old(i)]
            for item in stale:
                item.outcome = None
            if not stale:
                break
        now = vendor_now(street.connected)
        after.conclude(phases, items, now)
        if apart and self.plan.operation is Operation.RESTORE:
            self._compare_again(street, phases, apart)
        new = {item.ref.id: item.outcome for item in [*items, *apart]}
        pages: dict[int, list[Outcome]] = {}
        for page, targets in stretch:
            outcomes = [new.get(t.ref.id) or before[page, t.ref.id] for t in targets]
            pages[page] = [o for o in outcomes if o is not None]
        self._verdicts(street, number, pages, now)

    def _compare_again(self, street: Street, phases: Sequence[Phase], items: list[Item]) -> None:
        """What an earlier part of the run found to differ may have waited for what came back since."""
        if street.stopped() is not None:
            return
        try:
            restore_sources(self.journal, items)
            self._point(street, items)
            Aftermath(street, self.plan, self.history, self._renames(street)).compare_again(
                phases[-1], items
            )
        except JournalError:
            raise
        except BridgeError as error:
            self._trouble(street.connected, error)

    def _through(
        self,
        street: Street,
        phases: Sequence[Phase],
        items: Sequence[Item],
        doubt: Mapping[RecordRef, Outcome | None],
        seen: Seen | None,
        after: Aftermath,
    ) -> None:
        """Keep, then every phase, in order."""
        why = street.stopped()
        if not items:
            return
        if why is None:
            try:
                if self.plan.operation is Operation.RESTORE:
                    restore_sources(self.journal, items)
                self._read_at = self.terms.clock() if seen is None else seen.at
                keep(
                    items,
                    plan=self.plan,
                    run=self.run,
                    connected=street.connected,
                    phases=phases,
                    journal=self.journal,
                    announced=self._is_announced,
                    tried=doubt,
                    bars=self._bars_of(street),
                    taken=self._taken(street, items),
                    seen=seen,
                )
                if self.plan.operation is Operation.RESTORE:
                    self._point(street, items)
                street.tell("keep", len(items))
            except JournalError:
                raise
            except BridgeError as error:
                why = self._trouble(street.connected, error)
        if why is not None:
            for item in items:
                if item.outcome is None:
                    last = doubt.get(item.ref)
                    kept = last is not None or item.ref in doubt
                    item.outcome = (
                        (last or _in_doubt(item.ref)) if kept else not_sent(item.ref, why)
                    )
            return
        for phase in phases:
            going = [i for i in items if i.outcome is None and i.start <= phase.number]
            # A lock that archives take off is none of what was voided.
            meant = [i for i in going if phase.concerns(i, street.connected)]
            if phase is phases[-1]:
                send(street, phase, meant, after.look_along)
            else:
                send(street, phase, meant)

    def _trouble(self, connected: Connected, error: BridgeError) -> str:
        """A read that went wrong in the middle of a run stops what is to come, resumable."""
        why = "login" if isinstance(error, Unauthorized) else "unreachable"
        if isinstance(error, PlanBlocked):
            why = "target"
        connected.guard.halt(why)
        return f"{connected.guard.halted or why}: {error.summary}"

    def _point(self, street: Street, items: Sequence[Item]) -> None:
        """Let the snapshots name the records that stand for old ones now."""
        renames = self._renames(street)
        renamed = renames.of([i.source for i in items if i.source is not None])
        for item in items:
            if item.source is not None:
                item.source = pointed(item.source, renamed)

    def _renames(self, street: Street) -> Renames:
        if street.renames is None:
            street.renames = Renames(self.journal, street.connected)
        return street.renames

    def _verdicts(
        self,
        street: Street,
        number: int,
        pages: Mapping[int, Sequence[Outcome]],
        now: datetime | None = None,
    ) -> None:
        """Write down what came of the records of some pages of a step."""
        connected, kind = street.connected, self.plan.steps[number].kind
        row, now = self._chain(number)[-1].capability, now or vendor_now(connected)
        dates = {
            page: [dated(outcome, row, connected, now) for outcome in outcomes]
            for page, outcomes in pages.items()
        }
        org = connected.account.org
        self.journal.append(
            *(
                Entry(
                    "verdict",
                    self.run,
                    connected.crm,
                    org,
                    kind,
                    number,
                    page,
                    body={"rows": [outcome_row(outcome) for outcome in outcomes]},
                )
                for page, outcomes in dates.items()
            )
        )
        for outcomes in dates.values():
            self._tally.add(outcomes)
            street.tell("verify", len(outcomes), tuple(outcomes))

    # --- picking up --------------------------------------------------------------------------------

    def _pick_up(self, street: Street, number: int, earlier: Leftover) -> set[int]:
        """After a death: wait until nothing sent before can still arrive, and for the vendor's jobs.

        Returns:
            The pages that nothing is left to do for; they are counted.
        """
        comparing = self.plan.operation is Operation.RESTORE
        finished = {page for page in earlier.pages if earlier.finished(page, comparing=comparing)}
        for page in finished:
            self._tally.add_counted(earlier.pages[page])
            street.tell("verify", earlier.pages[page].counts.total())
        if earlier.newest is None:
            return finished
        since = (datetime.now(UTC) - earlier.newest).total_seconds()
        self._rest(min(self.terms.settle, max(0.0, self.terms.settle - since)))
        row = self._chain(number)[-1].capability
        for handle, entry in earlier.jobs.items():
            refs = tuple(RecordRef(entry.crm, entry.kind, id_) for id_ in entry.body["ids"])
            batch = Batch(entry.crm, entry.kind, row, refs)
            await_job(street, handle, batch, answered=handle in earlier.answered)
        return finished

    def _late_look(self, street: Street, number: int, phases: Sequence[Phase]) -> None:
        """Look once more at what was ever in doubt: a ghost may have arrived since."""
        if not street.hung or self.terms.stopped.is_set():
            return
        latest = max(item.sent_at or 0.0 for item in street.hung)
        self._rest(max(0.0, latest + self.terms.settle - self.terms.clock()))
        after = Aftermath(street, self.plan, self.history, self._renames(street))
        for page, items in _by_page(street.hung).items():
            rows = self.history.verdicts(self.run, number, page) or {}
            self._again(street, number, page, after.late_look(phases, items, rows))
        street.hung.clear()

    def _mend(self) -> None:
        """Once all is back: lookups between what came back, which the vendor left empty."""
        mended: list[tuple[Street, int, Phase, Aftermath, list[Item]]] = []
        for street, number, phases in self._torn:
            if street.stopped() is not None:
                continue
            self._read_at = self.terms.clock()
            after = Aftermath(street, self.plan, self.history, self._renames(street))
            mended.append((street, number, phases[-1], after, after.mend(phases[-1])))
        for street, number, last, after, some in mended:
            after.look_again(last, some)
            for page, items in _by_page(some).items():
                outcomes = [item.outcome for item in items if item.outcome is not None]
                self._again(street, number, page, outcomes)

    def _again(self, street: Street, number: int, page: int, changed: Sequence[Outcome]) -> None:
        """Write the verdicts of a page anew, with those that are another now."""
        if not changed:
            return
        rows = dict(self.history.verdicts(self.run, number, page) or {})
        for outcome in rows.values():
            self._tally.counts[outcome.verdict] -= 1
            self._tally.left -= unfinished(outcome)
        rows.update({outcome.ref.id: outcome for outcome in changed})
        self._verdicts(street, number, {page: list(rows.values())})

    # --- small things ------------------------------------------------------------------------------

    def _bars_of(self, street: Street) -> Bars:
        """What is out of reach in an account, as this run found it."""
        crm = street.connected.crm
        if crm not in self._bars:
            self._bars[crm] = bars_of(self.journal, street.connected)
        return self._bars[crm]

    def _is_announced(self, ref: RecordRef) -> bool:
        if self._announced is None:
            self._announced = {
                mark_of(one)
                for touch in self.plan.touches
                if touch.rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW)
                for one in touch.refs
            }
            if self._announced or len(self.plan.steps) > 1:
                self._announced.update(
                    mark_of(one)
                    for step in self.plan.steps
                    if step.after is None
                    for one in step.refs
                )
        return mark_of(ref) in self._announced

    def _taken(self, street: Street, items: Sequence[Item]) -> set[RecordRef]:
        """Targets that this run took along already, as somebody's children."""
        if not self.plan.touches and len(self.plan.steps) < 2:
            return set()
        kind = items[0].ref.kind
        found = self.journal.traces(
            street.connected.account.org, kind, [item.ref.id for item in items]
        )
        return {
            item.ref
            for item in items
            for trace in found.get(item.ref.id, ())
            if trace.run == self.run and trace.parent is not None
        }

    def _beat(self) -> None:
        with self._lock_turn:
            for lock in self._locks.values():
                lock.rest()

    def _rest(self, seconds: float) -> None:
        """Wait, in slices, so that the claim on the org is renewed and a signal is heard."""
        until = self.terms.clock() + seconds
        while (left := until - self.terms.clock()) > 0:
            if self.terms.stopped.is_set():
                return
            self.terms.sleep(min(left, max(0.05, self.terms.lease / 8)))
            self._beat()

    def _halts(self) -> str | None:
        if self.terms.stopped.is_set():
            return "signal"
        for crm in self.plan.targets:
            if (why := self.accounts.connected(crm).guard.halted) is not None:
                return why
        return None

    def _halt_all(self, why: str) -> None:
        for crm in self.plan.targets:
            self.accounts.connected(crm).guard.halt(why)

    def _tell(
        self, stage: str, crm: str = "", count: int = 0, outcomes: Sequence[Outcome] = ()
    ) -> None:
        self._observe(Event(self.run, stage, crm, count, self.plan.counts.records, tuple(outcomes)))


def _by_page(items: Sequence[Item]) -> dict[int, list[Item]]:
    pages: dict[int, list[Item]] = {}
    for item in items:
        pages.setdefault(item.page, []).append(item)
    return pages


def _stretch(connected: Connected, chain: Sequence[Step]) -> int:
    """Pages that walk together: enough to keep every lane busy, and no more."""
    profile, size = connected.profile, max(max(1, s.capability.batch) for s in chain)
    if any(step.capability.job for step in chain):
        return ceil(size / PAGE)
    whole = lcm(size, PAGE) if size > PAGE else PAGE
    waves = WAVES if size > 1 else 1
    records = min(max(waves * profile.lanes * max(size, profile.read_batch), PAGE), HELD)
    return ceil(records / whole) * whole // PAGE


def _grew_old(item: Item) -> bool:
    problem = item.outcome.problem if item.outcome else None
    return bool(problem and problem.code == "not_sent" and "too old" in problem.message)


def _in_doubt(ref: RecordRef) -> Outcome:
    return unknown(ref, "an answer was lost before, and it could not be read since.")
