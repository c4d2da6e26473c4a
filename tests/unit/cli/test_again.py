"""What moved is planned anew only when asked for; what failed is undone only when asked for."""

import pytest

from crm_bridge.errors import PlanMoved, SettingsError, Unreachable
from crm_bridge.model.plans import Counts
from crm_bridge.model.results import Verdict


@pytest.fixture
def moved(bridge, make):
    """A saved plan of three records, two of which moved since."""
    refs = make.refs(2)
    bridge.moves = PlanMoved(
        "2 of 3 record(s) moved.", moved=[(refs[0], "was changed"), (refs[1], "was deleted")]
    )
    bridge.anew = make.plan(id="p-anew", digest="e" * 64)
    return refs


def test_a_plan_that_moved_is_refused_and_every_moved_record_is_named(run, bridge, moved):
    ran = run("--json", "apply", "left.plan", "--yes")
    assert ran.code == 4
    assert ran.types == ["error"]
    assert ran.lines[0]["code"] == "moved"
    assert ran.lines[0]["moved"] == [
        {"ref": "acme:Company/c0", "how": "was changed"},
        {"ref": "acme:Company/c1", "how": "was deleted"},
    ]
    assert not bridge.told("replan")


def test_what_moved_is_planned_anew_shown_and_carried_out(run, bridge, moved):
    ran = run("--json", "apply", "left.plan", "--yes", "--replan-moved")
    assert ran.code == 0
    assert ran.types == ["plan", "outcome", "outcome", "outcome", "receipt"]
    assert ran.lines[0]["id"] == "p-anew"
    assert bridge.told("replan") == [[]]
    assert "acme:Company/c1 was deleted" in ran.err


def test_what_moved_is_left_out(run, bridge, moved):
    assert run("apply", "left.plan", "--yes", "--without-moved").code == 0
    assert bridge.told("replan") == [moved]


def test_the_new_plan_is_confirmed_anew(run, bridge, moved, person):
    person("y", "n")
    assert run("apply", "left.plan", "--replan-moved").code == 4
    assert len(bridge.told("apply")) == 1


def test_a_text_typed_for_the_old_plan_does_not_do_for_the_new_one(run, bridge, make, moved):
    bridge.made = make.plan(confirm="acme 3", irreversible=True)
    bridge.anew = make.plan(confirm="acme 3", irreversible=True, id="p-anew")
    ran = run("--json", "apply", "left.plan", "--confirm", "acme 3", "--replan-moved")
    assert ran.code == 4
    assert ran.lines[-1]["code"] == "not_confirmed"
    assert len(bridge.told("apply")) == 1


def test_a_person_types_the_text_of_the_new_plan(run, bridge, make, moved, person):
    bridge.made = make.plan(confirm="acme 3", irreversible=True)
    bridge.anew = make.plan(confirm="acme 1", irreversible=True, id="p-anew")
    person("acme 1")
    assert run("apply", "left.plan", "--confirm", "acme 3", "--without-moved").code == 0
    assert bridge.told("apply") == ["acme 3", "acme 1"]


def test_where_everything_moved_nothing_is_left_to_carry_out(run, bridge, make, moved, monkeypatch):
    bridge.made = make.plan(counts=Counts(2, 1, 1, 0))

    def nothing(plan, *, without=()):
        raise SettingsError("nothing is selected.", code="empty")

    monkeypatch.setattr(bridge, "replan", nothing)
    ran = run("--json", "apply", "left.plan", "--yes", "--without-moved")
    assert ran.code == 4
    assert ran.lines[-1]["code"] == "moved"


def test_both_ways_at_once_are_refused(run, bridge):
    assert run("apply", "left.plan", "--replan-moved", "--without-moved").code == 2
    assert not bridge.told("load")


@pytest.fixture
def failing(bridge, make):
    """A run of which one record failed, and the plan and the receipt of its undoing."""
    bridge.came = make.receipt(
        make.outcome("done", 0), make.outcome("failed", 1, "refused"), make.outcome("done", 2)
    )
    bridge.undo = make.plan("restore", count=2, id="p-undo")
    bridge.undone = make.receipt(
        make.outcome("done", 0), make.outcome("done", 2), run="r-20261124-00000002"
    )
    return bridge


@pytest.mark.parametrize("words", [("delete", "acme:Company/c0"), ("apply", "left.plan")])
def test_a_run_that_failed_is_undone_and_both_are_told(run, failing, words):
    ran = run("--json", *words, "--yes", "--undo-on-failure")
    assert ran.code == 3
    after = ran.types[ran.types.index("receipt") :]
    assert after == ["receipt", "plan", "outcome", "outcome", "receipt"]
    assert ran.lines[-1]["run"] == "r-20261124-00000002"
    assert failing.told("plan")[-1][:2] == ("restore", failing.came)


def test_without_the_option_nothing_is_undone(run, failing):
    assert run("delete", "acme:Company/c0", "--yes").code == 3
    assert len(failing.told("apply")) == 1


def test_what_the_plan_had_settled_beforehand_is_no_failure(run, failing, make):
    failing.made = make.plan(settled=(make.outcome("skipped", 1, "locked"),))
    failing.came = make.receipt(make.outcome("done", 0), make.outcome("skipped", 1, "locked"))
    assert run("delete", "acme:Company/c0", "--yes", "--undo-on-failure").code == 3
    assert len(failing.told("apply")) == 1


def test_what_waits_for_an_approval_is_no_failure(run, failing, make):
    failing.came = make.receipt(make.outcome("done", 0), make.outcome("pending", 1))
    assert run("delete", "acme:Company/c0", "--yes", "--undo-on-failure").code == 3
    assert len(failing.told("apply")) == 1


def test_a_run_that_stopped_early_is_undone(run, failing, make):
    failing.came = make.receipt(
        make.outcome("done", 0), make.outcome("skipped", 1, "not_sent"), halted="breaker"
    )
    assert run("delete", "acme:Company/c0", "--yes", "--undo-on-failure").code == 6
    assert len(failing.told("apply")) == 2


def test_a_run_that_a_person_stopped_is_not_undone(run, failing, make):
    failing.came = make.receipt(make.outcome("skipped", 1, "not_sent"), halted="signal")
    ran = run("delete", "acme:Company/c0", "--yes", "--undo-on-failure")
    assert len(failing.told("apply")) == 1
    assert "crm-bridge restore" in ran.err


def test_an_undoing_that_leaves_something_unknown_ends_5(run, failing, make):
    failing.undone = make.receipt(make.outcome("unknown", 0, "unknown"))
    assert run("delete", "acme:Company/c0", "--yes", "--undo-on-failure").code == 5


def test_where_the_undoing_cannot_be_planned_the_way_to_it_is_told(run, failing, monkeypatch):
    plan = failing.plan

    def unreachable(operation, targets, **options):
        if operation == "restore":
            raise Unreachable("acme does not answer.")
        return plan(operation, targets, **options)

    monkeypatch.setattr(failing, "plan", unreachable)
    ran = run("delete", "acme:Company/c0", "--yes", "--undo-on-failure")
    assert ran.code == 3
    assert f"crm-bridge restore {failing.came.run}" in ran.err


def test_a_restore_is_not_undone(run, bridge, make):
    bridge.made = make.plan("restore")
    assert run("apply", "back.plan", "--yes", "--undo-on-failure").code == 2
    assert run("restore", "acme:Company/c0", "--yes", "--undo-on-failure").code == 2
    assert not bridge.told("apply")


def test_counts_of_an_undone_run_are_told_apart(run, failing):
    ran = run("--json", "delete", "acme:Company/c0", "--yes", "--undo-on-failure")
    receipts = [line for line in ran.lines if line["type"] == "receipt"]
    assert [r["counts"][Verdict.FAILED.value] for r in receipts] == [1, 0]
