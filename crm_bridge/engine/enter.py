"""A plan enters the journal before its run begins: its head, its pages, and what it knew already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from crm_bridge.engine.history import SETTLED
from crm_bridge.engine.planfile import head_of, outcome_row, pages_of
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.plans import PAGE, Plan
from crm_bridge.model.results import Outcome

AT_ONCE: Final = 256
"""Entries of one transaction; a plan of 50,000 records enters in one."""


def enter(
    journal: Journal, run: str, plan: Plan, claims: Sequence[Entry], beat: Callable[[], None]
) -> None:
    """Write a plan down, and the claims on its orgs last: with it in one transaction, where it fits.

    A run whose plan is not whole has no `lock` entry, and sent nothing.

    Args:
        journal: The journal.
        run: The run's name.
        plan: The plan.
        claims: A `lock` entry for each org.
        beat: Called now and then; a plan of a million records takes its time.

    Raises:
        JournalError: It could not be written durably.
    """
    waiting: list[Entry] = [_head(run, plan)]
    for some in (_pages(run, plan), _settled(run, plan)):
        for entry in some:
            waiting.append(entry)
            if len(waiting) >= AT_ONCE:
                journal.append(*waiting)
                waiting = []
                beat()
    journal.append(*waiting, *claims)


def _head(run: str, plan: Plan) -> Entry:
    head = {**head_of(plan), "digest": plan.digest}
    return Entry("plan", run, body={"plan": plan.id, "digest": plan.digest, "head": head})


def _pages(run: str, plan: Plan) -> Iterator[Entry]:
    numbers: dict[tuple[str, int], int] = {}
    for of, number, rows in pages_of(plan):
        if of == "settled":
            continue
        page = numbers[of, number] = numbers.get((of, number), -1) + 1
        owner: Any = plan.steps[number] if of == "step" else plan.touches[number]
        kind = owner.kind if of == "step" else owner.rule.child
        org = plan.targets[owner.crm].org
        yield Entry(f"{of}_page", run, owner.crm, org, kind, number, page, body=rows)


def _settled(run: str, plan: Plan) -> Iterator[Entry]:
    """Outcomes by kind, in pages: they may be looked at again like any other."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    page = 0

    def entry(key: tuple[str, str]) -> Entry:
        nonlocal page
        crm, kind = key
        body = {"rows": [outcome_row(outcome) for outcome in groups.pop(key)]}
        page += 1
        org = plan.targets[crm].org
        return Entry("verdict", run, crm, org, kind, SETTLED, page - 1, body=body)

    for outcome in plan.settled:
        key = (outcome.ref.crm, outcome.ref.kind)
        groups.setdefault(key, []).append(outcome)
        if len(groups[key]) >= PAGE:
            yield entry(key)
    for key in list(groups):
        yield entry(key)
