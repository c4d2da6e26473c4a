"""What the journal tells of many runs at once: a line a run, and what cannot be undone for much longer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_bridge.engine.connect import Accounts
from crm_bridge.engine.history import History
from crm_bridge.engine.work import vendor_now
from crm_bridge.errors import BridgeError
from crm_bridge.model.abilities import Operation, Undo
from crm_bridge.model.results import Outcome, Verdict


def summarized(history: History, run: str) -> tuple[Any, ...]:
    """The fields of a `RunSummary`: from the run's last `finish`, or from its pages where it died."""
    started = history.started(run)
    head = started.entry.body["head"]
    # A run that died before its plan was whole sent nothing, and leaves nothing to be resumed.
    counts, left = _counts(history, run) if history.whole(run) else ({}, 0)
    return (
        run,
        Operation(head["operation"]),
        started.at,
        head["by"],
        head["reason"],
        head["code"],
        tuple(head["targets"]),
        "unfinished" if left else "finished",
        counts,
    )


def _counts(history: History, run: str) -> tuple[dict[Verdict, int], int]:
    finish = history.journal.latest(run, "finish", step=-1, page=-1)
    lock = history.journal.latest(run, "lock", step=-1, page=-1)
    if finish is not None and (lock is None or lock.n < finish.n):
        told = finish.entry.body
        counts = {verdict: int(told["counts"].get(verdict.value, 0)) for verdict in Verdict}
        return counts, int(told["left"])
    counts, left = history.counted(run)
    return counts, left + (finish is None and lock is None)


def expiring(history: History, accounts: Accounts, within: timedelta) -> list[tuple[Any, ...]]:
    """The fields of each `Expiring`, earliest first.

    A crm that cannot be asked for its clock is judged by ours.
    """
    rows: list[tuple[Any, ...]] = []
    for written in history.journal.runs():
        head = written.entry.body["head"]
        if Operation(head["operation"]) is Operation.RESTORE:
            continue
        finish = history.journal.latest(written.entry.run, "finish", step=-1, page=-1)
        if finish is not None and not finish.entry.body.get("until"):
            continue
        rows += _of_run(history, accounts, written.entry.run, within)
    return sorted(rows, key=lambda row: (row[4], row[0], row[1], row[2]))


def _of_run(
    history: History, accounts: Accounts, run: str, within: timedelta
) -> list[tuple[Any, ...]]:
    plan = history.plan(run)
    found: dict[tuple[str, str], list[Any]] = {}
    for step, _, outcomes in history.pages(run):
        if step < 0 or not outcomes:
            continue
        crm, kind = outcomes[0].ref.crm, outcomes[0].ref.kind
        now = _now(accounts, crm)
        ending = [
            o
            for o in outcomes
            if o.verdict is Verdict.DONE
            and o.undo not in (None, Undo.NONE, Undo.NEW_ID)
            and o.recoverable_until is not None
            and now <= o.recoverable_until <= now + within
        ]
        for outcome in _away(history, plan.targets[crm].org, kind, run, ending):
            until = outcome.recoverable_until
            row = found.setdefault((crm, kind), [0, until, _promised(accounts, plan, step)])
            row[0] += 1
            row[1] = min(row[1], until)
    return [(run, crm, kind, n, until, sure) for (crm, kind), (n, until, sure) in found.items()]


def _away(
    history: History, org: str, kind: str, run: str, outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """Those that no later run of this journal brought back."""
    if not outcomes:
        return []
    known = history.known(org, kind, [outcome.ref.id for outcome in outcomes])
    return [
        o
        for o in outcomes
        if (found := known.get(o.ref.id)) is None or found.operation is not Operation.RESTORE
    ]


def _promised(accounts: Accounts, plan: Any, step: int) -> bool:
    row = plan.steps[step].capability
    later = [s.capability for s in plan.steps if s.after == step]
    return bool((later[-1] if later else row).window.guaranteed)


def _now(accounts: Accounts, crm: str) -> datetime:
    try:
        return vendor_now(accounts.connected(crm))
    except BridgeError:
        return datetime.now(UTC)
