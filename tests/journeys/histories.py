"""Random histories: what restores bring back, and what they leave behind.

    python -m tests.journeys.histories --count 2000 [--vendor zoho] [--seed 1]

A history is a seed: runs take records away, children before their parents too; people restore, merge,
edit and delete meanwhile; then one of the runs is restored. Judged by the truth alone: what the run
took and is away still must come back, and nothing else may.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field
from typing import Final

from crm_bridge.bridge import Bridge
from crm_bridge.errors import SettingsError
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Receipt, Verdict
from crm_bridge.testing.ground import Truths
from tests.journeys.street import VENDORS, WHY, Street, live, lookups, stir, street

AWAY: Final = {"fxiaoke": "void", "hubspot": "delete", "salesforce": "delete", "zoho": "delete"}
"""What takes a record away, and can be undone."""

Name = tuple[str, str]


@dataclass(slots=True)
class Taken:
    """One run: what it took away, with all that went along."""

    plan: Plan
    receipt: Receipt
    names: set[Name]


@dataclass(slots=True)
class Result:
    """What came of histories.

    Attributes:
        back: Records that came back, as they should.
        stated: Records that did not, with a reason that was given.
        named: Records that came back beside, and the plan had said so.
        wrong: What was revived wrongly, or left behind without a word.
    """

    back: int = 0
    stated: int = 0
    named: int = 0
    wrong: list[str] = field(default_factory=list)


def history(street: Street, crm: str, vendor: str, seed: int, result: Result) -> None:
    """Live through one history, and judge its restore."""
    draw = random.Random(f"history:{vendor}:{seed}")
    street.begin(seed, draw.randint(6, 12))
    bridge = street.bridge()
    taken: list[Taken] = []
    for _ in range(draw.randint(2, 4)):
        if run := _take(street, bridge, crm, vendor, draw):
            taken.append(run)
        if draw.random() < 0.6:
            stir(street, crm, draw, draw.randint(1, 3))
        if taken and draw.random() < 0.3:
            _person_restores(street, crm, draw)
    if not taken:
        return
    one = draw.choice(taken)
    before = street.truth(crm)
    try:
        plan = bridge.plan("restore", one.receipt.run, **WHY)
    except SettingsError:
        return
    stated = _stated(plan)
    if not plan.blocked:
        undone = bridge.apply(plan, confirm=plan.confirm)
        by_hand = [o.ref for o in undone.outcomes if o.verdict is Verdict.BY_HAND]
        for kind in sorted({ref.kind for ref in by_hand}):
            # One by one, as the page refuses them all for the sake of one.
            for ref in by_hand:
                if ref.kind == kind and not street.person(crm, "restore", kind, [ref.id]):
                    stated.add((kind, ref.id))
        stated |= {
            (o.ref.kind, o.ref.id)
            for o in undone.outcomes
            if o.problem is not None and o.verdict is not Verdict.DONE
        }
        for outcome in undone.outcomes:
            for ref in outcome.details.get("lost", ()):
                stated.add(_name(ref))
    _judge(f"{vendor} {seed}", one, plan, before, street.truth(crm), stated, result)


def _name(address: str) -> Name:
    kind, _, id = address.partition(":")[2].partition("/")
    return kind, id


def _take(
    street: Street, bridge: Bridge, crm: str, vendor: str, draw: random.Random
) -> Taken | None:
    """One run: some records of one kind, sometimes some children of theirs in a run before."""
    before = street.truth(crm)
    connected = bridge.accounts.connected(crm)
    child, _, parent = draw.choice(lookups(connected, before))
    kind = draw.choice((parent, parent, child))
    there = live(before, kind)
    if not there:
        return None
    refs = [
        RecordRef(crm, kind, id) for id in draw.sample(there, min(len(there), draw.randint(1, 4)))
    ]
    plan = bridge.plan(AWAY[vendor], refs, **WHY)
    if plan.blocked or not plan.steps:
        return None
    receipt = bridge.apply(plan, confirm=plan.confirm)
    after = street.truth(crm)
    return Taken(plan, receipt, {n for n in before if _live(before, n) and not _live(after, n)})


def _live(truth: Truths, name: Name) -> bool:
    return name in truth and truth[name].state == "live"


def _person_restores(street: Street, crm: str, draw: random.Random) -> None:
    """A person brings back one record, whoever took it away."""
    away = sorted(n for n, t in street.truth(crm).items() if t.state not in ("live", "gone"))
    if away:
        kind, id = draw.choice(away)
        street.person(crm, "restore", kind, [id])


def _stated(plan: Plan) -> set[Name]:
    """What the plan says will not come back, each with its reason."""
    return {(o.ref.kind, o.ref.id) for o in plan.settled if o.problem is not None}


def _judge(
    where: str,
    run: Taken,
    plan: Plan,
    before: Truths,
    after: Truths,
    stated: set[Name],
    result: Result,
) -> None:
    revived = {n for n in after if _live(after, n) and not _live(before, n)}
    wanted = {n for n in run.names if not _live(before, n)}
    # Children of which the first plan said that nobody promises their return.
    unpromised = {
        (ref.kind, ref.id)
        for touch in run.plan.touches
        if touch.rule.comes_back is not True
        for ref in touch.refs
    }
    targets = {(ref.kind, ref.id) for step in run.plan.steps for ref in step.refs}
    more = _restores_more(run.plan)
    for name in sorted(revived - run.names):
        if more:
            result.named += 1
        else:
            result.wrong.append(f"{where}: {name[0]}/{name[1]} was revived wrongly")
    for name in sorted(wanted - revived):
        if name in stated or (name not in targets and name in unpromised):
            result.stated += 1
        else:
            result.wrong.append(f"{where}: {name[0]}/{name[1]} was left behind without a reason")
    result.back += len(wanted & revived)


def _restores_more(plan: Plan) -> bool:
    """Whether the loss statement said that the vendor's bin brings back more than it is asked."""
    return any("bin" in what for loss in plan.losses for what, _ in loss.differs)


def run(vendor: str, count: int, seed: int = 1) -> Result:
    """So many histories of one vendor."""
    result = Result()
    with street(vendor) as one:
        for number in range(seed, seed + count):
            history(one, one.crms[0], vendor, number, result)
    return result


def main() -> int:
    """Live through them, count, and name what was wrong; 1 where anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.histories")
    parser.add_argument("--count", type=int, default=2000, help="of all vendors together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vendor", choices=VENDORS, action="append")
    given = parser.parse_args()
    vendors, bad = given.vendor or VENDORS, 0
    for vendor in vendors:
        found = run(vendor, given.count // len(vendors), given.seed)
        print(
            f"{vendor:<11} back {found.back}, not back with a reason {found.stated}, beside and named "
            f"{found.named}, wrong {len(found.wrong)}",
            flush=True,
        )
        for line in found.wrong[:40]:
            print(" ", line)
        bad += len(found.wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
