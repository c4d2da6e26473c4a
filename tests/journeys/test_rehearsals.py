"""A rehearsal says beforehand what the real way back turns out to be."""

from __future__ import annotations

import pytest

from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from crm_bridge.rehearsal import rehearse
from tests.journeys.street import VENDORS, WHY, live, street
from tests.journeys.whole import differences, named

LONE = {"fxk": "LeadsObj", "hub": "contacts", "sf": "Lead", "zoho": "Leads"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_rehearsal_finds_is_what_the_real_restore_finds(
    vendor: str, pytestconfig: pytest.Config
) -> None:
    count = 10_000 if pytestconfig.getoption("soak") and vendor == "zoho" else 12
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
        assert one.truth(crm) == before
        (told,) = certificate.crms
        # What cannot be made, such as a file that nobody kept, is told and costs the certificate.
        assert told.records >= len(sent), told
        assert certificate.seconds < 300
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
        assert told.unnamed == real
        assert certificate.ok is (not real and not told.not_loaded[0])
