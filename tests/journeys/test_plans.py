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


TIED = {
    "fxk": ("AccountObj", "ContactObj"), "hub": ("companies", "contacts"),
    "sf": ("Account", "Contact"), "zoho": ("Accounts", "Contacts"),
}  # fmt: skip
"""Kinds that name each other, so that a run cuts ties between its own targets."""


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_run_cuts_itself_is_no_strangers_change_and_comes_back(vendor: str) -> None:
    with street(vendor, records=24) as one:
        (crm,) = one.crms
        before, bridge = one.truth(crm), one.bridge()
        refs = [RecordRef(crm, kind, id) for kind in TIED[crm] for id in live(before, kind)]
        word = "void" if vendor == "fxiaoke" else "delete"
        plan = bridge.plan(word, refs, **WHY)
        assert {step.kind for step in plan.steps} == set(TIED[crm])
        sent = {ref for step in plan.steps for ref in step.refs}
        receipt = bridge.apply(plan, confirm=plan.confirm)
        assert receipt.counts[Verdict.DONE] == len(sent)
        undone = bridge.apply(bridge.plan("restore", receipt, **WHY))
        for kind in TIED[crm]:
            if ids := [
                o.ref.id
                for o in undone.outcomes
                if o.ref.kind == kind and o.verdict is Verdict.BY_HAND
            ]:
                assert one.person(crm, "restore", kind, ids)
                undone = bridge.verify(undone.run)
        assert {o.problem.code for o in undone.outcomes if o.problem} <= {"set_by_vendor"}
        named = {
            (ref.kind, ref.id)
            for touch in plan.touches
            if touch.rule.comes_back is not True
            for ref in touch.refs
        }
        assert set(unlike(before, one.truth(crm))) <= named


def test_nine_of_931_records_moved_are_named_and_planned_anew(tmp_path: Path) -> None:
    with street("salesforce", records=1000) as one:
        before = one.truth("sf")
        refs = [RecordRef("sf", "Lead", id) for id in live(before, "Lead")][:931]
        bridge = one.bridge()
        plan = bridge.plan("delete", refs, **WHY)
        assert (plan.counts.records, plan.counts.settled) == (931, 0)
        bridge.save_plan(plan, tmp_path / "plan.json")
        moved = random.Random(9).sample(refs, 9)
        edited, gone, locked, gained = moved[:3], moved[3:5], moved[5:7], moved[7:]
        one.person("sf", "edit", "Lead", [r.id for r in edited], Title="called today")
        one.person("sf", "delete", "Lead", [r.id for r in gone])
        one.person("sf", "lock", "Lead", [r.id for r in locked])
        tasks = [
            t.id for t in before.values() if t.kind == "Task" and "WhoId" not in t.fields
        ]  # fmt: skip
        for ref, task in zip(gained, tasks, strict=False):
            assert one.person("sf", "edit", "Task", [task], WhoId=ref.id)
        arrived, later = one.grounds["sf"].arrived("sf"), one.bridge()
        with pytest.raises(PlanMoved) as refused:
            later.apply(tmp_path / "plan.json")
        assert refused.value.exit_code == 4
        told = dict(refused.value.moved)
        assert set(told) == set(moved)
        assert {told[ref] for ref in edited} == {"was changed"}
        assert {told[ref] for ref in gone} == {"was deleted"}
        assert {told[ref] for ref in locked} == {"was locked"}
        assert [told[ref] for ref in gained] == [f"gained sf:Task/{one}" for one in tasks[:2]]
        assert not [a for a in one.grounds["sf"].arrived("sf", len(arrived)) if a.write]
        again = later.replan(later.load_plan(tmp_path / "plan.json"))
        receipt = later.apply(again, confirm=again.confirm)
        assert receipt.counts[Verdict.DONE] == 927
        truth = one.truth("sf")
        left = {ref for ref in refs if truth["Lead", ref.id].state == "live"}
        assert left == set(locked)
        assert {truth["Task", task].state for task in tasks[:2]} == {"deleted"}


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


def test_a_run_that_was_undone_asks_for_no_attention() -> None:
    with street("salesforce", "zoho", records=24) as one:
        bridge = one.bridge()
        refs = [*some(one, "sf", 2), *some(one, "zoho", 2)]
        put = {"match": {"path": "/crm/v[0-9.]+/Leads", "method": "PUT"}, "times": 9}
        one.grounds["zoho"]._control("faults", "zoho", {**put, "do": {"status": 403}})
        receipt = bridge.apply(bridge.plan("void", refs, **WHY))
        assert receipt.halted is not None
        assert [run.run for run in bridge.attention()] == [receipt.run]
        bridge.apply(bridge.plan("restore", receipt, **WHY))
        assert bridge.attention() == []
        assert "undone" in bridge.receipt(receipt.run).note


@pytest.mark.parametrize(
    ("vendor", "kind", "count"),
    [("hubspot", "companies", 60), ("hubspot", "contacts", 9), ("fxiaoke", "ContactObj", 30)],
)
def test_a_plan_of_a_few_records_tells_its_calls(vendor: str, kind: str, count: int) -> None:
    with street(vendor, records=100) as one:
        (crm,) = one.crms
        chosen = live(one.truth(crm), kind)[:count]
        with one.bridge() as bridge:
            plan = bridge.plan("delete", [f"{crm}:{kind}/{id_}" for id_ in chosen], **WHY)
            receipt = bridge.apply(plan, confirm=plan.confirm)
    assert abs(plan.counts.calls - receipt.calls) <= max(1, receipt.calls * 0.05)
