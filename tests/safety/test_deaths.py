"""Killed at every single step of every verb, over the CRM in memory; then one resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.bridge import Bridge
from crm_bridge.engine.leftover import unfinished
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import Link, RecordRef
from crm_bridge.testing.world import World
from tests.safety.dying import Death, Died, one_lane, quick_disk
from tests.safety.ground import order

WHY = {"reason": "left the market", "code": "left", "limit_share": None}
VERBS = (
    "void",
    "archive",
    "delete",
    "job",
    "purge",
    "restore",
    "unmark",
    "remake",
    "tied",
    "company",
)


@pytest.fixture(autouse=True)
def in_one_lane() -> Iterator[None]:
    with one_lane(), quick_disk():
        yield


def leads(world: World, count: int, kind: str = "Lead") -> list[str]:
    found = [e.id for e in world["mem"].records.values() if e.kind == kind and e.state == "live"]
    return [f"mem:{kind}/{one}" for one in found[:count]]


def staged(verb: str, world: World, bridge: Bridge) -> Plan:
    """What comes before a verb, done; and its plan."""
    some = leads(world, 5)
    if verb in ("void", "archive", "delete"):
        return bridge.plan(verb, some, **WHY)
    if verb == "job":
        for n in range(60):
            world["mem"].add("Lead", name=f"lead {n}")
        return bridge.plan("delete", leads(world, 60), **WHY)
    if verb == "tied":
        # Records of one kind that name each other: their links are written beside their remakes.
        for one, other in pairwise(some):
            link = Link("partner", RecordRef.parse(other), None)
            world["mem"].tie(one.partition("/")[2], link)
    if verb == "company":
        return bridge.plan("delete", leads(world, 3, "Company"), **WHY)
    first = bridge.apply(bridge.plan("void" if verb == "unmark" else "delete", some, **WHY))
    if verb == "purge":
        return bridge.plan("purge", some, **WHY)
    if verb in ("remake", "tied"):
        plan = bridge.plan("purge", some, **WHY)
        bridge.apply(plan, confirm=plan.confirm)
        return bridge.plan("restore", first, remake=True)
    return bridge.plan("restore", first)


def assert_counted(bridge: Bridge) -> None:
    """What is said of every run, counted by the page, is what its outcomes say one by one."""
    for run in bridge.runs():
        if bridge.history.whole(run.run):
            walked = list(bridge.history.outcomes(run.run))
            assert {v: n for v, n in run.counts.items() if n} == Counter(o.verdict for o in walked)
            assert run.state == "finished" or any(map(unfinished, walked)) or not walked


def run_and_die(
    verb: str,
    open_bridge: Callable[..., Bridge],
    world: World,
    at: int,
    after: bool,
    again: int = 0,
) -> tuple[list[str], Any]:
    """Stage a verb in a new world, die at a step (and once more in the resume), resume; the steps."""
    world.reset()
    bridge = open_bridge()
    plan = staged(verb, world, bridge)
    since = len(world["mem"].log)
    death = Death(at, after)
    with death.at_work(), suppress(Died):
        bridge.apply(plan, confirm=plan.confirm)
    bridge.close()
    for step in (again, 0) if again else (0,):
        bridge = open_bridge()
        assert_counted(bridge)
        try:
            with Death(step, after).at_work():
                # The run where there is one, else the plan, for it is not known yet.
                receipt = bridge.apply(plan, confirm=plan.confirm)
        except Died:
            bridge.close()
    assert bridge.check_journal().ok
    assert sum(receipt.counts.values()) == plan.counts.records
    left = [(str(o.ref), o.verdict, o.problem) for o in receipt.outcomes if o.problem]
    assert receipt.ok, (verb, at, after, again, death.steps[at - 1 : at], left)
    events = list(bridge.export_journal())
    bridge.close()
    run = receipt.run
    mine = [line for line in events if line["run"] == run]
    assert order(mine) == []
    wire = [line for line in world["mem"].log[since:] if line.write]
    intents = Counter(line["id"] for line in mine if line["ev"] == "intent")
    sends = Counter(line["id"] for line in mine if line["ev"] == "send")
    asked = Counter(one for line in wire for one in set(line.ids))
    if verb != "job":
        died = at and death.dead
        for one in asked:
            assert sends[one] <= asked[one] <= sends[one] + bool(died) + bool(again), one
            assert asked[one] <= intents[one], one
    changed = Counter(one for line in wire for one in set(line.changed))
    return death.steps, changed


@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_any_step_one_resume_settles_all(
    verb: str, open_bridge: Callable[..., Bridge], world: World, tmp_path: Path
) -> None:
    steps, clean = run_and_die(verb, open_bridge, world, 0, False)
    expected = world.truth("mem")
    stride = max(1, len(steps) // 12)
    for at in range(1, len(steps) + 1, stride):
        for after in (False, True):
            for name in tmp_path.glob("journal.db*"):
                name.unlink()
            _, changed = run_and_die(verb, open_bridge, world, at, after)
            assert world.truth("mem") == expected, (verb, at, after)
            assert changed == clean, (verb, at, after, steps[at - 1])


@pytest.mark.parametrize("verb", ["delete", "remake", "tied"])
def test_killed_in_the_resume_as_well_it_still_settles(
    verb: str, open_bridge: Callable[..., Bridge], world: World, tmp_path: Path
) -> None:
    steps, clean = run_and_die(verb, open_bridge, world, 0, False)
    for at in range(5, len(steps), 7):
        for again in (3, 7, 11):
            for name in tmp_path.glob("journal.db*"):
                name.unlink()
            _, changed = run_and_die(verb, open_bridge, world, at, True, again)
            assert changed == clean, (verb, at, again)
