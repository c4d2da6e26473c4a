"""Plans from end to end: over four crms, kept in a file while records move, and what expires."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from crm_bridge.errors import PlanMoved
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from tests.journeys.street import VENDORS, WHY, Street, live, street
from tests.journeys.whole import unlike

LEADS = {
    "fxk": "LeadsObj", "hub": "contacts", "sf": "Lead", "zoho": "Leads",
}  # fmt: skip
"""A kind that each vendor has many of."""


def some(one: Street, crm: str, count: int) -> list[RecordRef]:
    """So many live records of the account, those that a plan would take."""
    kind = LEADS[crm]
    refs = [RecordRef(crm, kind, id) for id in live(one.truth(crm), kind)]
    plan = one.bridge().plan("void", refs, **WHY)
    return [ref for step in plan.steps if step.after is None for ref in step.refs][:count]


def test_a_plan_over_four_crms_is_undone_to_the_last_value() -> None:
    with street(*VENDORS, records=330) as one:
        refs = [ref for crm in one.crms for ref in some(one, crm, 250)]
        before = {crm: one.truth(crm) for crm in one.crms}
        bridge = one.bridge()
        assert len(refs) == 1000
        receipt = bridge.apply(bridge.plan("void", refs, **WHY))
        assert receipt.counts[Verdict.DONE] == 1000
        assert all(len(unlike(before[crm], one.truth(crm))) >= 250 for crm in one.crms)
        undone = bridge.apply(bridge.plan("restore", receipt, **WHY))
        assert undone.counts[Verdict.DONE] == 1000
        assert {crm: unlike(before[crm], one.truth(crm)) for crm in one.crms} == {
            crm: {} for crm in one.crms
        }


def test_nine_of_931_records_moved_are_named_and_planned_anew(tmp_path: Path) -> None:
    with street("zoho", records=1000) as one:
        refs = some(one, "zoho", 931)
        bridge = one.bridge()
        bridge.save_plan(bridge.plan("delete", refs, **WHY), tmp_path / "plan.json")
        moved = random.Random(9).sample(refs, 9)
        edited, gone, locked = moved[:3], moved[3:6], moved[6:]
        one.person("zoho", "edit", "Leads", [r.id for r in edited], Description="called today")
        one.person("zoho", "delete", "Leads", [r.id for r in gone])
        one.person("zoho", "lock", "Leads", [r.id for r in locked])
        before, later = one.grounds["zoho"].arrived("zoho"), one.bridge()
        with pytest.raises(PlanMoved) as refused:
            later.apply(tmp_path / "plan.json")
        assert refused.value.exit_code == 4
        told = dict(refused.value.moved)
        assert set(told) == set(moved)
        assert {told[ref] for ref in edited} == {"was changed"}
        assert {told[ref] for ref in gone} == {"was deleted"}
        assert {told[ref] for ref in locked} == {"was locked"}
        assert not [a for a in one.grounds["zoho"].arrived("zoho", len(before)) if a.write]
        again = later.replan(later.load_plan(tmp_path / "plan.json"))
        receipt = later.apply(again, confirm=again.confirm)
        assert receipt.counts[Verdict.DONE] == 925
        truth = one.truth("zoho")
        left = {ref for ref in refs if truth["Leads", ref.id].state == "live"}
        assert left == set(locked)


def test_what_expires_is_what_ends_in_those_days() -> None:
    with street("zoho", "salesforce", records=60) as one:
        bridge = one.bridge()
        first = bridge.apply(bridge.plan("delete", some(one, "zoho", 5), **WHY))
        for crm in one.crms:
            one.grounds[crm].turn(crm, timedelta(days=4))
        bridge = one.bridge()
        second = bridge.apply(bridge.plan("delete", some(one, "zoho", 7), **WHY))
        third = bridge.apply(bridge.plan("delete", some(one, "sf", 3), **WHY))
        assert list(one.bridge().expiring("7d")) == []
        one.grounds["zoho"].turn("zoho", timedelta(days=50))
        rows = one.bridge().expiring("7d")
        assert [(row.run, row.kind, row.count) for row in rows] == [(first.run, "Leads", 5)]
        one.grounds["zoho"].turn("zoho", timedelta(days=3))
        one.grounds["sf"].turn("sf", timedelta(days=9))
        rows = one.bridge().expiring("7d")
        assert {(row.run, row.count) for row in rows} == {
            (first.run, 5), (second.run, 7), (third.run, 3),
        }  # fmt: skip
        bridge = one.bridge()
        bridge.apply(bridge.plan("restore", first, **WHY))
        assert {row.run for row in one.bridge().expiring("7d")} == {second.run, third.run}
