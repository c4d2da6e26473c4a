"""Records deleted with all that hangs on them, over several crms at once, and brought back: what differs.

    python -m tests.journeys.returns --count 1000                  in all crms together, right away
    python -m tests.journeys.returns --count 800 --late            made anew, past every window
    python -m tests.journeys.returns --count 200 --vendor zoho

The truth of every simulator is read before and after. Each difference must have stood in the delete's
own plan: in its loss statement, or in what its touches say of children that nobody promises.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from crm_bridge.bridge import Bridge
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import HARMLESS, Outcome, Receipt, Verdict
from crm_bridge.testing.ground import Truth, Truths
from tests.journeys.street import VENDORS, WHY, Street, live, street
from tests.journeys.whole import Name, differences, named

KINDS: Final[Mapping[str, Sequence[str]]] = {
    "fxk": ("AccountObj", "ContactObj", "LeadsObj", "SalesOrderObj", "NewOpportunityObj"),
    "hub": ("companies", "contacts", "deals", "notes", "tasks", "calls"),
    "sf": ("Account", "Contact", "Lead", "Opportunity", "Case", "Task"),
    "zoho": ("Accounts", "Contacts", "Leads", "Deals", "Notes", "Tasks"),
}
"""What is taken of each crm; the first kinds have children."""

NOBODY_WRITES: Final = ("CustomerAccountObj",)
"""Kinds that the platform makes by itself: what they hold could be written by nobody."""

PAST: Final = timedelta(days=120)
"""Longer than any window."""

TIED = "records that looked up to it"
WITH_MASTER = "details that were void before"
LOCKS = ("approvals and their locks", "lock_status", "Locked__s")
ROWS_BETWEEN = "rows of linking modules"
"""Things that a loss statement names, for which there is no field of the record's own."""


@dataclass(slots=True)
class Back:
    """What came of one crm.

    Attributes:
        taken: Records that the run took, and what went along.
        values: Values and links that they had and that can be written.
        same: Those that are as they were.
        named: Kind and what differs to the number of records, where the plan had said so.
        unnamed: The same, where nobody had.
        example: One of each.
    """

    taken: int = 0
    values: int = 0
    same: int = 0
    named: Counter[str] = field(default_factory=Counter)
    unnamed: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of what they had that is as it was."""
        return self.same / self.values if self.values else 1.0

    def note(self, what: str, known: bool, example: object = "") -> None:
        """Count a difference, and remember one of its sort."""
        (self.named if known else self.unnamed)[what] += 1
        self.example.setdefault(what, str(example)[:300])


def chosen(one: Street, bridge: Bridge, crm: str, count: int, seed: int) -> list[RecordRef]:
    """So many records of all kinds that a delete takes."""
    truth, draw = one.truth(crm), random.Random(seed)
    per, refs = -(-count // len(KINDS[crm])), list[RecordRef]()
    for kind in KINDS[crm]:
        there = [RecordRef(crm, kind, id) for id in live(truth, kind)]
        refs += draw.sample(there, min(len(there), per * 11 // 10 + 2))
    plan = bridge.plan("delete", refs, **WHY)
    sent = [ref for step in plan.steps if step.after is None for ref in step.refs]
    return sorted(draw.sample(sent, min(len(sent), count)))


def back(one: Street, count: int, late: bool = False, seed: int = 1) -> dict[str, Back]:
    """Delete so many records a crm in one plan, bring them back, and hold both truths together.

    Args:
        one: The street; its simulators are as they were planted.
        count: Records of each crm.
        late: Whether every window is over, so that all is made anew.
        seed: Which of them.
    """
    bridge = one.bridge()
    refs = [ref for crm in one.crms for ref in chosen(one, bridge, crm, count, seed)]
    before = {crm: one.truth(crm) for crm in one.crms}
    plan = bridge.plan("delete", refs, **WHY)
    receipt = bridge.apply(plan, confirm=plan.confirm)
    # What hangs on a target, and is none itself, may keep it.
    kept = {o.ref for o in plan.settled}
    assert receipt.counts[Verdict.DONE] == len(refs) - len(kept)
    away = {crm: one.truth(crm) for crm in one.crms}
    if late:
        for crm in one.crms:
            one.grounds[crm].turn(crm, PAST)
    later = one.bridge()
    undoings = []
    first = later.plan("restore", receipt.run, **WHY)
    if not late and not first.blocked:
        undoings.append(later.apply(first))
        _by_person(one, undoings[0])
    # What is back already is not made anew.
    undoings.append(later.apply(later.plan("restore", receipt.run, remake=True, **WHY)))
    print(f"{len(refs) - len(kept)} records deleted", flush=True)
    for undone in undoings:
        told = ", ".join(f"{n} {v.value}" for v, n in undone.counts.items() if n)
        print(f"restored: {told}", flush=True)
    return {
        crm: _Held(one, later, crm, plan, undoings, late).held(before[crm], away[crm])
        for crm in one.crms
    }


def _by_person(one: Street, undone: Receipt) -> None:
    for outcome in undone.outcomes:
        if outcome.verdict is Verdict.BY_HAND:
            assert one.person(outcome.ref.crm, "restore", outcome.ref.kind, [outcome.ref.id])


class _Held:
    """Two truths of one crm, what was said between them, and what differs.

    Args:
        one: The street.
        bridge: The bridge that brought them back.
        crm: The account.
        plan: The delete.
        undoings: What brought them back.
        late: Whether every window was over.
    """

    def __init__(
        self,
        one: Street,
        bridge: Bridge,
        crm: str,
        plan: Plan,
        undoings: Sequence[Receipt],
        late: bool,
    ) -> None:
        self.crm, self.late, self.found = crm, late, Back()
        self.now = one.truth(crm)
        self.lost = named(plan, crm)
        self.things = {what for some in self.lost.values() for what in some}
        self.journal = bridge.history.journal
        self.org = bridge.accounts.connected(crm).account.org
        self.told = {
            (o.ref.kind, o.ref.id): o for r in undoings for o in r.outcomes if o.ref.crm == crm
        }
        # Children of which the plan said that nobody promises their return, or their tie.
        self.unpromised = {
            (ref.kind, ref.id)
            for touch in plan.touches
            if touch.crm == crm and touch.rule.comes_back is not True
            for ref in touch.refs
        }
        self.never = {
            loss.kind
            for loss in plan.losses
            if loss.crm == crm and (loss.undo == "none" or (late and loss.later is None))
            if loss.undo != "new_id"
        }

    def held(self, before: Truths, away: Truths) -> Back:
        """Every record that was there, and every one that is new."""
        new: dict[Name, str] = {}
        for kind in {kind for kind, _ in before}:
            ids = [id for k, id in before if k == kind]
            made = self.journal.remade(self.org, kind, ids)
            new |= {(kind, old): ref.id for old, ref in made.items()}
        for name, was in before.items():
            here = self.now.get((name[0], new.get(name, name[1])))
            if was.state == "live":
                went = name not in away or away[name].state != "live"
                self._record(name, was, here, went, new)
            elif was.state != "gone" and not self.late:
                # Late, what lay in a bin before has left it, since its own time is over.
                self._away_before(name, was, here, new)
        stand = {(kind, id) for (kind, _), id in new.items()}
        for name, record in self.now.items():
            if name not in before and name not in stand and record.state == "live":
                self.found.note(f"{name[0]}, new", ROWS_BETWEEN in self.things, record.fields)
        for outcome in self.told.values():
            self._said(outcome)
        return self.found

    def _record(
        self, name: Name, was: Truth, here: Truth | None, went: bool, new: Mapping[Name, str]
    ) -> None:
        found, kind = self.found, name[0]
        found.taken += went
        if here is None or here.state != "live":
            outcome = self.told.get(name)
            missing = set(outcome.details.get("fields", ())) if outcome is not None else set()
            known = name in self.unpromised or kind in self.never
            # It names what was away before, and the plan said so.
            known = known or bool(missing and missing <= self.lost.get(kind, set()))
            found.note(f"{kind}, not back", known, outcome or name[1])
            return
        what = differences(was, here, new)
        if went and kind not in NOBODY_WRITES:
            links = len(what["links"][0]) if "links" in what else 0
            found.values += len(was.own) + len(was.links)
            found.same += len(set(was.own) - set(what)) + len(was.links) - links
        for one, pair in what.items():
            known = one in self.lost.get(kind, ()) or (not went and name in self.unpromised)
            if one == "state" and here.state == was.state and was.locked:
                known = bool(self.things.intersection(LOCKS))
            found.note(f"{kind}.{one}{'' if went else ', stayed'}", known, (name[1], pair))

    def _away_before(
        self, name: Name, was: Truth, here: Truth | None, new: Mapping[Name, str]
    ) -> None:
        if here is None or here.state == "gone":
            self.found.note(f"{name[0]}, {was.state} before", WITH_MASTER in self.things, name)
        elif what := differences(was, here, new):
            self.found.note(f"{name[0]}, {was.state} before", TIED in self.things, (name, what))

    def _said(self, outcome: Outcome) -> None:
        """What a restore itself says differs, was named as well; nothing else is left to tell."""
        problem = outcome.problem
        if (
            outcome.verdict is Verdict.DONE
            and problem is not None
            and problem.code not in {*HARMLESS, "differs"}
        ):
            self.found.note(f"{outcome.ref.kind}, {problem.code}", False, problem.message)
        for one, pair in outcome.details.get("differs", {}).items():
            known = one in self.lost.get(outcome.ref.kind, ())
            self.found.note(f"{outcome.ref.kind}.{one}, told", known, (outcome.ref.id, pair))


def main() -> int:
    """Take away, bring back, print the share, and name what differs; 1 where anything was not named."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.returns")
    parser.add_argument("--count", type=int, default=1000, help="of all crms together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--late", action="store_true", help="past every window")
    parser.add_argument("--vendor", choices=VENDORS, action="append")
    given = parser.parse_args()
    vendors, bad = given.vendor or VENDORS, 0
    per = given.count // len(vendors)
    with street(*vendors, records=max(30, per)) as one:
        for crm, found in back(one, per, given.late, given.seed).items():
            print(
                f"{crm:<5} {found.taken} records went, {100 * found.share:.2f} % of their "
                f"{found.values} values and links are as they were; "
                f"differences named {sum(found.named.values())}, unnamed "
                f"{sum(found.unnamed.values())}",
                flush=True,
            )
            for sort, some in (("named", found.named), ("UNNAMED", found.unnamed)):
                for what, count in sorted(some.items()):
                    print(
                        f"    {sort} {count} {what}: {found.example[what]}"[
                            : int(__import__("os").environ.get("WIDE", "220"))
                        ]
                    )
            bad += sum(found.unnamed.values()) + (found.share < 0.97)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
