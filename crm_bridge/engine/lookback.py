"""Looks again at what a run did: settles what is open, names what moved since; reads only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.aftermath import told
from crm_bridge.engine.connect import Accounts
from crm_bridge.engine.history import SETTLED, History
from crm_bridge.engine.leftover import unfinished
from crm_bridge.engine.planfile import outcome_row
from crm_bridge.engine.restore import Renames, compare
from crm_bridge.engine.run import Terms
from crm_bridge.engine.verify import looked_at_again
from crm_bridge.engine.work import dated
from crm_bridge.journal.store import Entry
from crm_bridge.model.abilities import REACHES, Capability, Operation, Support
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import Record, RecordRef, State
from crm_bridge.model.results import Event, Outcome, Receipt, Verdict

_LOOKED_AT = (Verdict.DONE, Verdict.PENDING, Verdict.BY_HAND, Verdict.UNKNOWN)


def look_again(
    run: str, accounts: Accounts, history: History, terms: Terms, observe: Callable[[Event], None]
) -> Receipt:
    """Read every record of a run once more.

    Args:
        run: The run.
        accounts: The accounts.
        history: The journal and what it knows.
        terms: The settings' word on runs.
        observe: Tells observers.

    Raises:
        SettingsError: There is no such run.
        PlanBlocked: The server is another one than the run's.
    """
    began, calls = terms.clock(), accounts.calls()
    plan = history.plan(run)
    for crm, target in plan.targets.items():
        accounts.prove(crm, target)
    counts, left = dict.fromkeys(Verdict, 0), 0
    until: list[str] = []
    for step, page, outcomes in history.pages(run):
        now = _page(run, plan, accounts, history, step, outcomes)
        if now != outcomes:
            one = now[0].ref
            body = {"rows": [outcome_row(outcome) for outcome in now]}
            org = plan.targets[one.crm].org
            history.journal.append(
                Entry("verdict", run, one.crm, org, one.kind, step, page, body=body)
            )
        for outcome in now:
            counts[outcome.verdict] += 1
            left += unfinished(outcome)
            if outcome.recoverable_until is not None:
                moment = outcome.recoverable_until.isoformat()
                until = [min([*until[:1], moment]), max([*until[1:], moment])]
        observe(
            Event(
                run,
                "verify",
                now[0].ref.crm if now else "",
                len(now),
                plan.counts.records,
                tuple(now),
            )
        )
    history.forget_pages()
    seconds, made = terms.clock() - began, accounts.calls() - calls
    finish: dict[str, Any] = {
        "counts": {verdict.value: n for verdict, n in counts.items()},
        "left": left, "until": until, "seconds": f"{seconds:.3f}", "calls": made, "halted": None,
    }  # fmt: skip
    history.journal.append(Entry("finish", run, body=finish))
    return Receipt(
        run,
        plan.operation,
        plan.digest,
        counts,
        seconds,
        made,
        history.lazy(run, sum(counts.values())),
    )


def _page(
    run: str,
    plan: Plan,
    accounts: Accounts,
    history: History,
    step: int,
    outcomes: Sequence[Outcome],
) -> list[Outcome]:
    looked = [o for o in outcomes if o.verdict in _LOOKED_AT]
    if step == SETTLED:
        looked = [o for o in looked if o.verdict is not Verdict.DONE]
    if not looked:
        return list(outcomes)
    connected = accounts.connected(looked[0].ref.crm)
    row = _row(plan, step)
    gives = row.gives if row is not None else REACHES[plan.operation][0]
    found = connected.read([o.new_ref or o.ref for o in looked])
    kept = _kept(run, plan, history, [o.ref for o in looked])
    ours = _restored_by_us(run, history, plan.targets[connected.crm].org, looked)
    now: dict[RecordRef, Outcome] = {}
    for outcome in looked:
        record = connected.judged(found[outcome.new_ref or outcome.ref])
        aim = _aim(row, gives, plan.operation, kept.get(outcome.ref), record)
        again = looked_at_again(outcome, record, aim, plan.operation, ours.__contains__)
        support = row.support if row is not None else Support.BY_HAND
        again = _compared(
            again, outcome, record, kept.get(outcome.ref), plan, connected, history, support
        )
        if row is not None and again.verdict is not outcome.verdict:
            again = dated(again, row, connected)
        now[outcome.ref] = again
    return [now.get(o.ref, o) for o in outcomes]


def _aim(
    row: Capability | None,
    gives: State | None,
    operation: Operation,
    kept: Record | None,
    record: Record,
) -> State | None:
    """Where an operation leads: a restore of what was void before it was taken leads there again."""
    away = (State.DELETED, State.GONE) if row is None else row.takes
    if (
        operation is Operation.RESTORE
        and kept is not None
        and record.state is kept.state
        and record.state not in away
    ):
        return kept.state
    return gives


def _row(plan: Plan, step: int) -> Capability | None:
    if step == SETTLED:
        return None
    later = next((n for n, other in enumerate(plan.steps) if other.after == step), None)
    return plan.steps[step].capability if later is None else _row(plan, later)


def _kept(
    run: str, plan: Plan, history: History, refs: Sequence[RecordRef]
) -> Mapping[RecordRef, Record]:
    """What each record was before it was taken: by this run, or by the one that a restore undoes."""
    if plan.operation is not Operation.RESTORE:
        return history.journal.snapshots(run, refs)
    kept: dict[RecordRef, Record] = {}
    org = plan.targets[refs[0].crm].org
    known = history.known(org, refs[0].kind, [ref.id for ref in refs], taken=True)
    for ref in refs:
        if found := known.get(ref.id):
            kept.update(history.journal.snapshots(found.run, [ref]))
    return kept


def _restored_by_us(
    run: str, history: History, org: str, outcomes: Sequence[Outcome]
) -> set[RecordRef]:
    refs = [o.ref for o in outcomes]
    known = history.known(org, refs[0].kind, [ref.id for ref in refs])
    return {
        ref
        for ref in refs
        if (found := known.get(ref.id)) is not None
        and found.run != run
        and found.operation is Operation.RESTORE
    }


def _compared(
    again: Outcome,
    before: Outcome,
    record: Record,
    kept: Record | None,
    plan: Plan,
    connected: Connected,
    history: History,
    support: Support,
) -> Outcome:
    """For what came back, by whomever: field by field against what was kept."""
    differed = again.problem is not None and again.problem.code == "differs"
    back = (
        not record.unreadable
        and (record.state is State.LIVE or (kept is not None and record.state is kept.state))
        and (
            (again.problem is not None and again.problem.code == "restored_elsewhere")
            or (
                plan.operation is Operation.RESTORE
                and (before.verdict is not Verdict.DONE or differed)
            )
        )
    )
    if not back or kept is None:
        return again
    if differed:
        # What it hangs on may have come back since.
        details = {k: v for k, v in again.details.items() if k not in ("differs", "set_by_vendor")}
        again = dataclasses.replace(again, problem=None, details=details)
    renamed = Renames(history.journal, connected).of([kept])
    found = compare(kept, record, connected, renamed, support=support)
    return told(again, found.matters, found.named)
