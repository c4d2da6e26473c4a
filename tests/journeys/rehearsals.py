"""What a rehearsal says beforehand, held against what the real way back turns out to be.

python -m tests.journeys.rehearsals --vendor salesforce --count 10000
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from crm_bridge.rehearsal import Certificate, rehearse
from tests.journeys.street import VENDORS, WHY, live, street
from tests.journeys.whole import differences, named

LONE = {"fxk": "LeadsObj", "hub": "contacts", "sf": "Lead", "zoho": "Leads"}


@dataclass(frozen=True, slots=True)
class Held:
    """One rehearsal beside the truth.

    Attributes:
        sent: Records that the plan took.
        certificate: What was said.
        untouched: Whether the true account was as before after the rehearsal.
        real: Kind and field to the number of records that really differed, unnamed beforehand.
        done: Records that the real restore brought back.
    """

    sent: int
    certificate: Certificate
    untouched: bool
    real: dict[str, int]
    done: int

    @property
    def equal(self) -> bool:
        """Whether what was predicted is what happened."""
        return self.certificate.crms[0].unnamed == self.real


def held(vendor: str, count: int) -> Held:
    """Rehearse a plan of so many records, carry it out, restore it, and compare both."""
    with street(vendor, records=count * 6 // 5 + 30) as one:
        (crm,) = one.crms
        bridge = one.bridge()
        before = one.truth(crm)
        kind = LONE[crm]
        word = "void" if vendor == "fxiaoke" else "delete"
        refs = [RecordRef(crm, kind, id) for id in live(before, kind)]
        plan = bridge.plan(word, refs, **WHY)
        sent = [ref for step in plan.steps for ref in step.refs][:count]
        plan = bridge.plan(word, sent, **WHY)
        certificate = rehearse(bridge, plan)
        untouched = one.truth(crm) == before
        receipt = bridge.apply(plan, confirm=plan.confirm)
        undone = bridge.apply(bridge.plan("restore", receipt, **WHY))
        by_hand = [o.ref.id for o in undone.outcomes if o.verdict is Verdict.BY_HAND]
        if by_hand:
            assert one.person(crm, "restore", kind, by_hand)
        truth, losses = one.truth(crm), named(plan, crm)
        real: dict[str, int] = {}
        for ref in sent:
            was, now = before[kind, ref.id], truth[kind, ref.id]
            for name in differences(was, now):
                if name not in losses[kind]:
                    real[f"{kind}.{name}"] = real.get(f"{kind}.{name}", 0) + 1
        done = undone.counts[Verdict.DONE] + len(by_hand)
        return Held(len(sent), certificate, untouched, real, done)


def main() -> int:
    """Rehearse and compare; 1 where anything was not as it was said, or took five minutes."""
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.rehearsals")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--vendor", choices=VENDORS, action="append")
    given = parser.parse_args()
    bad = 0
    for vendor in given.vendor or VENDORS:
        began = time.monotonic()
        found = held(vendor, given.count)
        told = found.certificate.crms[0]
        print(
            f"{vendor:<11} {found.sent} records, rehearsed in {found.certificate.seconds:.0f} s, "
            f"score {found.certificate.score:.4f}, predicted {told.unnamed}, real {found.real}, "
            f"not loaded {told.not_loaded[0]}, back {found.done}, "
            f"all in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        bad += not (found.equal and found.untouched and found.certificate.seconds < 300)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
