"""What a plan said would follow, detach or block, held against what the vendor did.

    python -m tests.journeys.relations --count 500 [--vendor zoho] [--seed 1] [--positions]

Each graph is a seed: the simulator's records, stirred by people who re-point lookups, delete and
merge; then some records of one kind are taken away. The truth is read before and after, and what
happened is judged by it alone: every value and link of every record is looked at, whatever the
adapter believes about relations. What is blocked is tried all the same, past the plan.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from crm_bridge.bridge import Bridge
from crm_bridge.engine.impact import pairs
from crm_bridge.engine.inspect import flat
from crm_bridge.guard import Permit
from crm_bridge.model.abilities import Effect, Operation
from crm_bridge.model.plans import Batch, Plan
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from crm_bridge.testing.ground import Truths
from tests.journeys.street import VENDORS, WHY, Street, live, stir, street

OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "fxiaoke": ("void", "delete"),
    "hubspot": ("delete",),
    "salesforce": ("delete",),
    "zoho": ("delete",),
}
"""What takes a record away, so that something can hang on it; marks take nothing along."""

SURE: Final = (Effect.FOLLOWS, Effect.DETACHES, Effect.BLOCKS)

Name = tuple[str, str]
"""Kind and id."""


@dataclass(slots=True)
class Score:
    """Sets of one effect, over all graphs.

    Attributes:
        right: Records that were said to, and did.
        wrong: Records that were said to, and did not.
        told: Records that did, and only stood there as may_follow or may_block.
        missed: Records that did, and nobody had said so.
    """

    right: int = 0
    wrong: int = 0
    told: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Share of what was said that was so."""
        said = self.right + self.wrong
        return self.right / said if said else 1.0

    @property
    def recall(self) -> float:
        """Share of what was so that stood there beforehand."""
        so = self.right + self.told + self.missed
        return (self.right + self.told) / so if so else 1.0


@dataclass(slots=True)
class Graph:
    """One graph: what was said, what was so.

    Attributes:
        said: Effect to records.
        so: Effect to records, of the three that are sure.
        wrong: What does not fit, in words.
    """

    said: dict[Effect, set[Name]] = field(default_factory=lambda: {e: set() for e in Effect})
    so: dict[Effect, set[Name]] = field(default_factory=lambda: {e: set() for e in SURE})
    wrong: list[str] = field(default_factory=list)

    def scored(self, scores: Mapping[Effect, Score]) -> None:
        """Add this graph to the scores, and put what does not fit in words."""
        may = self.said[Effect.MAY_FOLLOW] | self.said[Effect.MAY_BLOCK]
        for effect, score in scores.items():
            said, so = self.said[effect], self.so[effect]
            score.right += len(said & so)
            # What only may follow is free to be detached, and what may block to do nothing.
            score.told += len((so - said) & may)
            false, missed = said - so, so - said - may
            score.wrong += len(false)
            score.missed += len(missed)
            self.wrong += [f"{effect}: {kind}/{id} did not" for kind, id in sorted(false)]
            self.wrong += [f"{effect}: {kind}/{id} was not told of" for kind, id in sorted(missed)]


def graph(street: Street, crm: str, vendor: str, seed: int, **switches: Any) -> Graph:
    """Plan, apply, compare, on the graph of one seed."""
    draw = _begun(street, crm, vendor, seed, switches)
    bridge = street.bridge()
    before = street.truth(crm)
    operation = draw.choice(OPERATIONS[vendor])
    plan = _some_plan(bridge, crm, before, operation, draw)
    found = Graph()
    if plan is None:
        return found
    receipt = bridge.apply(plan, confirm=plan.confirm)
    after = street.truth(crm)
    targets = {(ref.kind, ref.id) for step in plan.steps for ref in step.refs}
    stayed = {(o.ref.kind, o.ref.id) for o in receipt.outcomes if o.verdict is Verdict.FAILED}
    for touch in plan.touches:
        if touch.rule.effect is not Effect.BLOCKS:
            found.said[touch.rule.effect] |= {(ref.kind, ref.id) for ref in touch.refs}
    for finding in plan.findings:
        refs = {(ref.kind, ref.id) for ref in finding.refs}
        if "target(s) that stay" in finding.summary:
            # In no touch, since touches count no target.
            found.said[Effect.DETACHES] |= refs
        elif finding.code == "blocked" and "may block" in finding.summary:
            found.said[Effect.MAY_BLOCK] |= refs
    blocked = [o.ref for o in plan.settled if o.problem and o.problem.code == "blocked"]
    found.said[Effect.BLOCKS] = {(ref.kind, ref.id) for ref in blocked}
    # A child that may follow may keep its parent as well, where its rule says so.
    if any(
        t.rule.effect is Effect.MAY_BLOCK or "the parent is refused" in t.rule.note
        for t in plan.touches
    ):
        found.said[Effect.MAY_BLOCK] |= targets
    # What stayed, as it was told that it might, takes nothing along.
    for effect, names in _hanging(plan, stayed & found.said[Effect.MAY_BLOCK]).items():
        found.said[effect] -= names
    _see(found, before, after, targets)
    found.so[Effect.BLOCKS] = stayed
    if blocked:
        # As the graph was when that was said, and not after the others went.
        _begun(street, crm, vendor, seed, switches)
        found.so[Effect.BLOCKS] |= _tried(street.bridge(), blocked, plan)
    return found


def _hanging(plan: Plan, stayed: set[Name]) -> dict[Effect, set[Name]]:
    """What was to follow these, or to lose its tie to them, to any depth."""
    found: dict[Effect, set[Name]] = {}
    above = set(stayed)
    # Those nearer to the targets come first.
    for touch in plan.touches:
        for parent, ref in pairs(touch):
            if (touch.rule.kind, parent) in above:
                found.setdefault(touch.rule.effect, set()).add((ref.kind, ref.id))
                if touch.rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW):
                    above.add((ref.kind, ref.id))
    return found


def _begun(
    street: Street, crm: str, vendor: str, seed: int, switches: Mapping[str, Any]
) -> random.Random:
    """The graph of a seed, the same each time; gives what draws on."""
    draw = random.Random(f"{vendor}:{seed}")
    street.begin(seed, draw.randint(6, 14), **switches)
    stir(street, crm, draw, draw.randint(2, 8))
    return draw


def _some_plan(
    bridge: Bridge, crm: str, truth: Truths, operation: str, draw: random.Random
) -> Plan | None:
    """A plan for some live records of a kind that has relations; None where nothing would be sent."""
    connected = bridge.accounts.connected(crm)
    kinds = sorted({t.kind for t in truth.values() if t.state == "live"})
    # Kinds with many relations more often than those with few.
    apt = [
        kind
        for kind in kinds
        if connected.profile.rows(Operation(operation), kind)
        for rule in connected.adapter.relations(kind)
        if rule.child in kinds
    ]
    for _ in range(10):
        kind = draw.choice(apt)
        there = live(truth, kind)
        some = draw.sample(there, min(len(there), draw.randint(1, 5)))
        refs = [RecordRef(crm, kind, id) for id in some]
        if refs:
            plan = bridge.plan(operation, refs, **WHY)
            if plan.steps and not plan.blocked:
                return plan
    return None


def _tried(bridge: Bridge, blocked: Sequence[RecordRef], plan: Plan) -> set[Name]:
    """Which of the blocked records the vendor refuses to take away, past the plan."""
    refused: set[Name] = set()
    for ref in blocked:
        connected = bridge.accounts.connected(ref.crm)
        verb = getattr(connected.adapter, plan.operation.value)
        rows = connected.profile.rows(plan.operation, ref.kind)
        row = next((r for r in rows if r.doable and not r.job), None)
        if row is None:
            continue
        with connected.guard.permitted(Permit(frozenset([ref]), 1, lambda: None)):
            outcome = next(iter(verb(Batch(ref.crm, ref.kind, row, (ref,)))))
        if outcome.verdict is Verdict.FAILED:
            refused.add((ref.kind, ref.id))
    return refused


def _see(found: Graph, before: Truths, after: Truths, targets: set[Name]) -> None:
    """What became of every record that is no target: it went too, or lost what it hung on."""
    went = {
        name
        for name, was in before.items()
        if was.state == "live" and (name not in after or after[name].state != "live")
    }
    found.so[Effect.FOLLOWS] = went - targets
    ids = {id for _, id in went}
    found.so[Effect.DETACHES] = {
        name
        for name, was in before.items()
        if name not in went and was.state == "live" and _names(was, ids, went)
    }


def _names(record: Any, ids: set[str], gone: set[Name]) -> bool:
    """Whether a value or a link of a record names one that went."""
    if any((kind, id) in gone for _, kind, id, _ in record.links):
        return True
    return any(
        isinstance(one, str) and one in ids
        for name, value in record.fields.items()
        if name not in record.vendor_set
        for one in flat(_without_rows(value, gone))
    )


def _without_rows(value: Any, gone: set[Name]) -> Any:
    """A value without rows of a subform, which are records of their own and judged as such."""
    if not isinstance(value, list):
        return value
    ids = {id for _, id in gone}
    return [
        row for row in value
        if not isinstance(row, dict) or "Parent_Id" not in row or row.get("id") in ids
    ]  # fmt: skip


def run(
    vendor: str, count: int, seed: int = 1, positions: bool = False
) -> tuple[dict[Effect, Score], list[str]]:
    """So many graphs of one vendor: the scores, and what did not fit."""
    scores = {effect: Score() for effect in SURE}
    wrong: list[str] = []
    with street(vendor) as one:
        crm = one.crms[0]
        for number, switches in zip(
            range(seed, seed + count), _switches(one, crm, positions), strict=False
        ):
            found = graph(one, crm, vendor, number, **switches)
            found.scored(scores)
            wrong += [f"{vendor} {number} {switches or ''}: {words}" for words in found.wrong]
    return scores, wrong


def _switches(street: Street, crm: str, positions: bool) -> Iterator[dict[str, Any]]:
    """None moved; or one after the other, each to each of its positions."""
    known = street.grounds[crm].simulator.switches
    while True:
        if not positions:
            yield {}
            continue
        for name, switch in known.items():
            for value in switch.values:
                if value != switch.default:
                    yield {name: value}


def main() -> int:
    """Count, print precision and recall, and name what did not fit; 1 where anything did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.relations")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vendor", choices=VENDORS, action="append")
    parser.add_argument("--positions", action="store_true", help="move one switch in each graph")
    given = parser.parse_args()
    bad = 0
    for vendor in given.vendor or VENDORS:
        scores, wrong = run(vendor, given.count, given.seed, given.positions)
        for effect, score in scores.items():
            print(
                f"{vendor:<11} {effect:<9} precision {score.precision:.4f} recall {score.recall:.4f}"
                f"  right {score.right} wrong {score.wrong} may {score.told} missed {score.missed}",
                flush=True,
            )
        for line in wrong[:40]:
            print(" ", line)
        bad += len(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
