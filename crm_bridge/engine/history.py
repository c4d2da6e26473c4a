"""Questions to the journal about runs: their plans, their outcomes, what is known of a record."""

from __future__ import annotations

import dataclasses
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from datetime import datetime
from itertools import count
from typing import Any, Final

from crm_bridge.engine.leftover import Leftover, Verdicts, leftover, unfinished
from crm_bridge.engine.plan import Known
from crm_bridge.engine.planfile import build, outcome_of, target_of
from crm_bridge.engine.spool import Rows
from crm_bridge.engine.work import not_sent
from crm_bridge.errors import SettingsError
from crm_bridge.journal.store import Journal, Trace, Written
from crm_bridge.model.abilities import Operation
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Outcome, Receipt, Verdict, unknown

SETTLED: Final = -1
"""The step under which outcomes stand that the plan knew already."""

_KNOWN: Final = (Verdict.DONE, Verdict.PENDING, Verdict.UNKNOWN, Verdict.BY_HAND)
"""Verdicts that tell where a run left a record."""
_KEPT_PAGES: Final = 32


class History:
    """What the journal knows.

    Args:
        journal: The journal.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._pages: OrderedDict[tuple[str, int, int], dict[str, Outcome]] = OrderedDict()

    # --- runs --------------------------------------------------------------------------------------

    def started(self, run: str) -> Written:
        """The entry with which a run began.

        Raises:
            SettingsError: There is no such run (code `run`).
        """
        found = next(self.journal.entries(run, ("plan",)), None)
        if found is None:
            raise SettingsError(
                f"this journal ({self.journal.path}) knows no run {ascii(run)[1:-1]}.",
                detail="List them: crm-bridge runs",
                code="run",
            )
        return found

    def whole(self, run: str) -> bool:
        """Whether the plan of a run is whole in the journal; else it died before it sent anything."""
        if self.journal.latest(run, "lock", step=-1, page=-1) is not None:
            return True
        plan = self.plan(run)
        steps = [(n, step) for n, step in enumerate(plan.steps) if step.after is None]
        known = sum(1 for _ in plan.settled)
        return known == len(plan.settled) and all(
            sum(len(some) for _, some in self.targets(run, n)) == len(step.targets)
            for n, step in steps
        )

    def applied(self, digest: str) -> str | None:
        """The newest run that carries out the plan of this digest; None where none does."""
        for written in self.journal.runs():
            if written.entry.body.get("digest") == digest and self.whole(written.entry.run):
                return written.entry.run
        return None

    def plan(self, run: str) -> Plan:
        """The plan that a run carried out, its pages read when they are walked.

        Raises:
            SettingsError: There is no such run.
        """
        if run not in self._plans:
            head = self.started(run).entry.body["head"]
            self._plans[run] = build(head, lambda of, number: self._walk(run, of, number))
            if len(self._plans) > _KEPT_PAGES:
                self._plans.popitem(last=False)
        return self._plans[run]

    def undone_by(self, run: str) -> str | None:
        """The newest restore that was carried out to bring back all that a run took; None for none."""
        for written in self.journal.runs():
            options = written.entry.body["head"].get("options", {})
            if written.entry.run == run:
                return None
            if options.get("run") == run and not options.get("only"):
                return written.entry.run
        return None

    def _walk(self, run: str, of: str, number: int) -> Callable[[], Iterator[list[Any]]]:
        def pages() -> Iterator[list[Any]]:
            if of == "settled":
                seen = set()
                for written in self.journal.entries(run, ("verdict",), step=SETTLED):
                    e = written.entry
                    if e.page not in seen:
                        seen.add(e.page)
                        yield [[e.crm, e.kind, *row] for row in e.body["rows"]]
                return
            for written in self.journal.entries(run, (f"{of}_page",), step=number):
                yield written.entry.body

        return pages

    def targets(
        self, run: str, step: int, without: Container[int] = ()
    ) -> Iterator[tuple[int, list[Any]]]:
        """The pages of a step: number, targets.

        Args:
            run: The run.
            step: The step's number.
            without: Pages to leave out.
        """
        plan = self.plan(run)
        decode = target_of(plan.steps[step].crm, plan.steps[step].kind)
        first = next(page for page in count() if page not in without)
        for written in self.journal.entries(run, ("step_page",), step=step, from_page=first):
            if written.entry.page not in without:
                yield written.entry.page, [decode(row) for row in written.entry.body]

    def verdicts(self, run: str, step: int, page: int) -> dict[str, Outcome] | None:
        """The outcomes of a page as they stand now, by id; None where it has none yet."""
        found = self.journal.latest(run, "verdict", step=step, page=page)
        if found is None:
            return None
        decode = outcome_of(found.entry.crm, found.entry.kind)
        return {row[0]: decode(row) for row in found.entry.body["rows"]}

    def pages(self, run: str) -> Iterator[tuple[int, int, list[Outcome]]]:
        """Every page of outcomes of a run, in the plan's order: step, page, outcomes.

        A target without a verdict is `unknown` where it may have been sent, else `skipped` with
        `not_sent`: a run that died is told as it stands.
        """
        plan = self.plan(run)
        for number, step in enumerate(plan.steps):
            if step.after is not None:
                continue
            doubt: set[str] | None = None
            for page, targets in self.targets(run, number):
                rows = self.verdicts(run, number, page) or {}
                if len(rows) < len(targets) and doubt is None:
                    tried = self.leftover(run, number).tried
                    doubt = {id_ for id_, sure in tried.items() if not sure}
                yield (
                    number,
                    page,
                    [
                        rows.get(t.ref.id)
                        or (
                            unknown(
                                t.ref, f"the run ended before its answer was known: resume {run}"
                            )
                            if doubt and t.ref.id in doubt
                            else not_sent(t.ref, "it ended early")
                        )
                        for t in targets
                    ],
                )
        page = 0
        while (settled := self.verdicts(run, SETTLED, page)) is not None:
            yield SETTLED, page, list(settled.values())
            page += 1

    def leftover(self, run: str, step: int) -> Leftover:
        """What a run left of a step so far."""
        return leftover(self.journal, run, step, self.plan(run).steps[step].kind)

    def outcomes(self, run: str) -> Iterator[Outcome]:
        """Every outcome of a run, in the plan's order."""
        for _, _, outcomes in self.pages(run):
            yield from outcomes

    def counted(self, run: str) -> tuple[dict[Verdict, int], int]:
        """The outcomes of a run by verdict, and how many of them a resume takes up.

        As counting `outcomes` would, but what is done is counted by the page, and not opened: a run
        that died over a million records is told of within seconds.
        """
        words: Counter[str] = Counter()
        left = 0
        for number, step in enumerate(self.plan(run).steps):
            if step.after is not None:
                continue
            found = self.leftover(run, number)
            for written in self.journal.entries(run, ("step_page",), step=number):
                page, rows = written.entry.page, written.entry.body
                told = found.pages.get(page)
                if told is not None and told.counts.total() == len(rows):
                    words += told.counts
                    left += told.left
                    continue
                # A run that is under way may have written down more of it since.
                known = self.verdicts(run, number, page) or {}
                for row in rows:
                    if (outcome := known.get(row[0])) is not None:
                        words[outcome.verdict] += 1
                        left += unfinished(outcome)
                    else:
                        doubt = found.tried.get(row[0]) is False
                        words[Verdict.UNKNOWN if doubt else Verdict.SKIPPED] += 1
                        left += 1
        settled = self.journal.entries(run, ("verdict",), step=SETTLED)
        for told in {w.entry.page: Verdicts.of(w.entry.body["rows"]) for w in settled}.values():
            words += told.counts
            left += told.left
        return {verdict: words[verdict.value] for verdict in Verdict}, left

    def receipt(self, run: str, *, note: str = "") -> Receipt:
        """What a run came to, as it stands now.

        Raises:
            SettingsError: There is no such run.
        """
        plan = self.plan(run)
        counts, _ = self.counted(run)
        finish = self.journal.latest(run, "finish", step=-1, page=-1)
        body = finish.entry.body if finish else {}
        return Receipt(
            run=run,
            operation=plan.operation,
            plan_digest=plan.digest,
            counts=counts,
            seconds=float(body.get("seconds", 0)),
            calls=int(body.get("calls", 0)),
            outcomes=self.lazy(run, sum(counts.values())),
            halted=body.get("halted") if finish else "died",
            note=note,
        )

    def lazy(self, run: str, count: int) -> Rows[Outcome]:
        """The outcomes of a run as a sequence that is read when it is walked."""
        return Rows(count, lambda: (list(o) for _, _, o in self.pages(run)), lambda o: o)

    # --- records -----------------------------------------------------------------------------------

    def known(
        self, org: str, kind: str, ids: Collection[str], *, taken: bool = False
    ) -> dict[str, Known]:
        """What the newest run that touched each record left of it.

        Args:
            org: The organisation.
            kind: Their kind.
            ids: The records.
            taken: Only runs that took a record away, and not those that brought it back.
        """
        found: dict[str, Known] = {}
        for id_, traces in self.journal.traces(org, kind, ids).items():
            for trace in traces:
                known = self._known(trace, kind, id_, taken)
                if known is not None:
                    found[id_] = known
                    break
        return found

    def _known(self, trace: Trace, kind: str, id_: str, taken: bool) -> Known | None:
        plan = self.plan(trace.run)
        if taken and plan.operation is Operation.RESTORE:
            return None
        if trace.parent is not None:
            return self._along(plan, trace, kind, id_)
        outcome = self._page(trace.run, trace.step, trace.page).get(id_)
        if outcome is None or outcome.verdict not in _KNOWN:
            return None
        last = _last_of(plan, trace.step)
        return Known(trace.run, plan.operation, outcome, plan.steps[last].capability)

    def _along(self, plan: Plan, trace: Trace, kind: str, id_: str) -> Known | None:
        """What is known of a child: it went where its parent went."""
        assert trace.parent is not None
        parents = self.journal.traces(
            plan.targets[trace.parent.crm].org, trace.parent.kind, [trace.parent.id]
        )
        for other in parents.get(trace.parent.id, ()):
            if other.run == trace.run and other.parent is None:
                outcome = self._page(other.run, other.step, other.page).get(trace.parent.id)
                if outcome is None or outcome.verdict is not Verdict.DONE:
                    return None
                row = plan.steps[_last_of(plan, other.step)].capability
                ref = RecordRef(trace.parent.crm, kind, id_)
                child = dataclasses.replace(
                    outcome, ref=ref, problem=None, new_ref=None, link=None, details={}
                )
                return Known(trace.run, plan.operation, child, row)
        return None

    def _page(self, run: str, step: int, page: int) -> Mapping[str, Outcome]:
        key = (run, step, page)
        if key not in self._pages:
            self._pages[key] = self.verdicts(run, step, page) or {}
            if len(self._pages) > _KEPT_PAGES:
                self._pages.popitem(last=False)
        return self._pages[key]

    def forget_pages(self) -> None:
        """Read pages anew from now on, since a run has added to them."""
        self._pages.clear()


def _last_of(plan: Plan, step: int) -> int:
    """The last step of the chain that begins with a step."""
    for number, other in enumerate(plan.steps):
        if other.after == step:
            return _last_of(plan, number)
    return step


def moment(text: str) -> datetime:
    """A moment that an entry wrote as ISO 8601."""
    return datetime.fromisoformat(text)
