"""What a plan touches: its tree for people, the list behind each number, holds and tallies."""

import csv
from datetime import timedelta
from decimal import Decimal

import pytest

from crm_bridge.model.abilities import CascadeRule, Effect
from crm_bridge.model.plans import Largest, Loss, Sum, Touch
from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict


def contacts(count):
    return [RecordRef("acme", "Contact", f"k{n}") for n in range(count)]


@pytest.fixture
def touching(bridge, make):
    """A plan with contacts below its companies, deals below those, and something uncounted."""
    deal = RecordRef("acme", "Deal", "d1")
    bridge.made = make.plan(
        touches=(
            Touch(
                "acme",
                CascadeRule("Company", "Contact", "company", Effect.FOLLOWS, True),
                2,
                contacts(2),
                1,
                ["c0", "c1"],
            ),
            Touch(
                "acme",
                CascadeRule("Company", "Case", "on", Effect.MAY_BLOCK, note="no right"),
                None,
            ),
            Touch(
                "acme",
                CascadeRule("Contact", "Deal", "who", Effect.FOLLOWS, False),
                1,
                [deal],
                2,
                ["k1"],
                (Sum("open deals", "EUR", Decimal("1234567.89"), 1),),
                (Largest(deal, "Big\x1b one", Decimal("1234567.89")),),
            ),
        ),
        sums=(Sum("companies", "EUR", Decimal("10"), 3),),
        losses=(
            Loss(
                "acme",
                "Company",
                3,
                "same_id",
                15,
                False,
                (("stamp", "the vendor writes it itself"), ("lists", "they are dropped")),
                (("id", "a record that is made anew has a new one"),),
            ),
        ),
    )
    return bridge


def test_the_plan_line_tells_depth_sums_the_largest_and_the_losses(run, touching):
    plan = run("--json", "show", "left.plan").lines[0]
    deal = plan["touches"][2]
    assert (deal["n"], deal["depth"], deal["count"], deal["listed"]) == (3, 2, 1, 1)
    assert deal["sums"] == [
        {"name": "open deals", "currency": "EUR", "amount": 1234567.89, "count": 1}
    ]
    assert deal["largest"] == [
        {"ref": "acme:Deal/d1", "title": "Big\x1b one", "amount": 1234567.89}
    ]
    assert plan["sums"][0]["name"] == "companies"
    assert plan["losses"] == [
        {
            "crm": "acme",
            "kind": "Company",
            "count": 3,
            "undo": "same_id",
            "days": 15,
            "guaranteed": False,
            "differs": [
                {"what": "stamp", "why": "the vendor writes it itself"},
                {"what": "lists", "why": "they are dropped"},
            ],
            "later": [{"what": "id", "why": "a record that is made anew has a new one"}],
            "along": False,
        }
    ]


def test_a_person_sees_the_tree_with_what_it_is_worth_and_what_would_be_lost(run, touching):
    told = run("show", "left.plan").out
    rows = {line.split("]")[0][-1]: line for line in told.splitlines() if "] " in line}
    assert rows["3"].index("[") > rows["1"].index("[")
    assert "not counted: Case may block" in rows["2"]
    assert "1,234,567.89 EUR in 1 open deals" in told
    assert "the largest: Big\\x1b one 1,234,567.89" in told
    assert "lists: they are dropped" in told
    assert "1 field(s) that the vendor writes itself" in told
    assert "after that only made anew" in told


def test_the_list_behind_a_number_opens(run, touching):
    lines = run("--json", "show", "left.plan", "--touch", "1").lines
    assert lines[0]["type"] == "touch"
    assert lines[0]["count"] == len(lines) - 1
    assert [(line["ref"], line["parent"]) for line in lines[1:]] == [
        ("acme:Contact/k0", "acme:Company/c0"),
        ("acme:Contact/k1", "acme:Company/c1"),
    ]
    assert lines[1]["type"] == "touched"


def test_the_list_of_a_run_opens_too_and_is_written_ready_for_from(run, touching, tmp_path):
    path = tmp_path / "deals.csv"
    assert run("show", "r-20261124-7f3a91c2", "--touch", "3", "--out", str(path)).code == 0
    assert touching.told("plan_of") == ["r-20261124-7f3a91c2"]
    rows = list(csv.DictReader(path.open(newline="")))
    assert [(r["ref"], r["parent"], r["depth"]) for r in rows] == [
        ("acme:Deal/d1", "acme:Contact/k1", "2")
    ]


def test_a_number_without_a_list_says_so(run, touching):
    told = run("show", "left.plan", "--touch", "2").out
    assert "not counted" in told
    assert "no right" in told


@pytest.mark.parametrize("number", ["0", "4", "-1"])
def test_a_number_that_is_not_there_is_refused(run, touching, number):
    assert run("show", "left.plan", "--touch", number).code == 2


def test_children_are_asked_for_by_their_kinds(run, bridge):
    run(
        "plan",
        "delete",
        "acme:Company/c0",
        "--with-children",
        "Contact, Deal",
        "--with-children",
        "Case",
    )
    run("delete", "acme:Company/c0", "--with-children", "Contact", "--yes")
    run("delete", "acme:Company/c0", "--yes")
    told = [t[2] for t in bridge.told("plan")]
    assert told[0]["with_children"] == ["Contact", "Deal", "Case"]
    assert told[1]["with_children"] == ["Contact"]
    assert "with_children" not in told[2]
    assert run("plan", "restore", "r-20261124-7f3a91c2", "--with-children", "Contact").code == 2


def test_a_restore_is_planned_with_what_belongs_to_it(run, bridge, tmp_path):
    path = str(tmp_path / "back.plan")
    assert (
        run(
            "plan",
            "restore",
            "r-20261124-7f3a91c2",
            "--remake",
            "--only",
            "acme:Company/c0",
            "--on-conflict",
            "null",
            "--out",
            path,
        ).code
        == 0
    )
    operation, target, options = bridge.told("plan")[0]
    assert (operation, target) == ("restore", "r-20261124-7f3a91c2")
    assert options["remake"] is True
    assert options["only"] == ("acme:Company/c0",)
    assert bridge.told("save") == [path]


def test_a_record_is_held_and_released_with_a_reason(run, bridge):
    ran = run("--json", "hold", "acme:Company/c0", "--reason", "a lawsuit")
    assert ran.lines == [
        {"type": "hold", "ref": "acme:Company/c0", "held": True, "reason": "a lawsuit"}
    ]
    assert run("release", "acme:Company/c0", "--reason", "settled").code == 0
    assert bridge.told("hold") == [("acme:Company/c0", "a lawsuit")]
    assert bridge.told("release") == [("acme:Company/c0", "settled")]
    assert run("hold", "acme:Company/c0").code == 2


def test_runs_are_counted_by_code_and_month(run, bridge, make):
    bridge.all_runs = [
        make.run(),
        make.run("r-2", started=make.noon - timedelta(40), counts={Verdict.FAILED: 2}),
        make.run("r-3", code=None, counts={Verdict.DONE: 1}),
    ]
    by_code = run("--json", "runs", "--by", "code").lines
    told = [(t["key"], t["runs"], t["records"]) for t in by_code]
    assert told == [("left", 2, 5), ("none", 1, 1)]
    assert by_code[0]["counts"]["failed"] == 2
    by_month = run("--json", "runs", "--by", "month").lines
    assert [t["key"] for t in by_month] == ["2026-10", "2026-11"]
    assert "left" in run("runs", "--by", "code").out
    assert run("runs", "--by", "moon").code == 2


def test_runs_of_several_kinds_are_counted_record_by_record(run, bridge, make):
    bridge.all_runs = [make.run(crms=("acme", "other"))]
    bridge.came = make.receipt(make.outcome("done", 0), make.outcome("failed", 1, "refused"))
    told = run("--json", "runs", "--by", "kind").lines
    assert [(t["key"], t["records"]) for t in told] == [("acme:Company", 2)]
    told = run("--json", "runs", "--by", "crm").lines
    assert [(t["key"], t["counts"]["failed"]) for t in told] == [("acme", 1)]
