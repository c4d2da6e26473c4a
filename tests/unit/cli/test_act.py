"""Commands that change a CRM: who is asked, what is passed on, what is printed, how it ends."""

from pathlib import Path

import pytest

from crm_bridge.errors import PlanBlocked, Unreachable


def test_a_run_prints_its_plan_its_outcomes_and_its_receipt_last(run, bridge):
    ran = run("--json", "delete", "acme:Company/c0", "--reason", "x", "--code", "left", "--yes")
    assert ran.code == 0
    assert ran.types == ["plan", "outcome", "outcome", "outcome", "receipt"]
    plan, outcome, receipt = ran.lines[0], ran.lines[1], ran.lines[-1]
    assert plan["targets"]["acme"] == {"org": "org-1", "class": "simulator", "vendor": "memory"}
    assert plan["counts"] == {"records": 3, "steps": 1, "calls": 4, "settled": 0}
    assert plan["touches"] == [
        {
            "n": 1,
            "crm": "acme",
            "kind": "Company",
            "child": "Contact",
            "via": "company",
            "effect": "follows",
            "comes_back": True,
            "count": 7,
            "depth": 1,
            "listed": 0,
            "sums": [],
            "largest": [],
            "note": "",
        }
    ]
    assert outcome["run"] == receipt["run"] == "r-20261124-7f3a91c2"
    assert (outcome["ref"], outcome["verdict"], outcome["state"]) == (
        "acme:Company/c0",
        "done",
        "deleted",
    )
    assert receipt["counts"] == {
        "done": 3,
        "already": 0,
        "pending": 0,
        "by_hand": 0,
        "failed": 0,
        "unknown": 0,
        "skipped": 0,
    }
    assert (receipt["seconds"], receipt["calls"], receipt["digest"]) == (1.25, 4, "d" * 64)


def test_without_a_terminal_and_without_yes_nothing_is_sent(run, bridge):
    ran = run("--json", "delete", "acme:Company/c0")
    assert ran.code == 4
    assert ran.types == ["plan", "error"]
    assert ran.lines[-1]["code"] == "not_confirmed"
    assert "--yes" in ran.err
    assert not bridge.told("apply")


def test_yes_alone_does_not_do_where_a_text_is_asked_for(run, bridge, make):
    bridge.made = make.plan(confirm="acme 3", irreversible=True)
    ran = run("--json", "purge", "acme:Company/c0", "--yes")
    assert ran.code == 4
    assert '--confirm "acme 3"' in ran.lines[-1]["detail"]
    assert not bridge.told("apply")


def test_the_text_does_without_yes_and_is_handed_on(run, bridge, make):
    bridge.made = make.plan(confirm="acme 3", irreversible=True)
    assert run("purge", "acme:Company/c0", "--confirm", "acme 3").code == 0
    assert bridge.told("apply") == ["acme 3"]


def test_another_text_is_refused(run, bridge, make):
    bridge.made = make.plan(confirm="acme 3", irreversible=True)
    ran = run("purge", "acme:Company/c0", "--confirm", "acme 4")
    assert ran.code == 4
    assert not bridge.told("apply")


def test_confirm_implies_yes_where_no_text_is_asked_for(run, bridge):
    assert run("delete", "acme:Company/c0", "--confirm", "whatever").code == 0
    assert bridge.told("apply") == [None]


def test_a_blocked_plan_is_shown_and_refused(run, bridge, make):
    bridge.made = make.blocked()
    ran = run("--json", "delete", "acme:Company/c0", "--yes")
    assert ran.code == 4
    assert ran.types == ["plan", "error"]
    assert ran.lines[0]["findings"][0]["code"] == "limit_records"
    assert ran.lines[0]["findings"][0]["severity"] == "error"
    assert ran.lines[1]["code"] == "limit_records"
    assert not bridge.told("apply")


def test_a_person_says_yes(run, bridge, person):
    person("y")
    assert run("delete", "acme:Company/c0", "--reason", "x", "--code", "left").code == 0
    assert bridge.told("apply") == [None]


@pytest.mark.parametrize("answers", [("n",), ("",), ()])
def test_a_person_who_does_not_say_yes_has_said_no(run, bridge, person, answers):
    person(*answers)
    assert run("delete", "acme:Company/c0", "--reason", "x", "--code", "left").code == 4
    assert not bridge.told("apply")


@pytest.mark.parametrize(("typed", "code"), [("acme 3", 0), ("y", 4), ("acme 33", 4)])
def test_a_person_types_the_text_where_nothing_brings_records_back(
    run, bridge, make, person, typed, code
):
    bridge.made = make.plan(confirm="acme 3", irreversible=True)
    person(typed)
    ran = run("purge", "acme:Company/c0", "--reason", "x", "--code", "left")
    assert ran.code == code
    assert bool(bridge.told("apply")) is (code == 0)
    assert "org-1" in ran.err
    assert "simulator" in ran.err


def test_a_missing_reason_and_code_are_asked_for_before_the_plan_is_made(run, bridge, person):
    person("left the market", "lefft", "left", "y")
    ran = run("delete", "acme:Company/c0")
    assert ran.code == 0
    assert "Did you mean 'left'?" in ran.err
    options = bridge.told("plan")[0][2]
    assert (options["reason"], options["code"]) == ("left the market", "left")


def test_a_restore_is_not_asked_for_a_reason(run, bridge, person):
    person("y")
    assert run("restore", "r-20261124-7f3a91c2").code == 0
    assert bridge.told("plan")[0][:2] == ("restore", "r-20261124-7f3a91c2")


def test_nobody_is_asked_where_nobody_is(run, bridge):
    assert run("delete", "acme:Company/c0", "--yes").code == 0
    assert bridge.told("plan")[0][2]["reason"] == ""


def test_targets_reach_the_bridge_as_they_were_meant(run, bridge):
    run("plan", "delete", "acme:Company", "--where", "a = 1", "--where", "b = 2")
    run("plan", "delete", "acme:Company/c0", "acme:Company/c1")
    run("plan", "delete", "acme:Company", "--from", "ids.csv")
    run("plan", "delete", "--from", "refs.csv")
    run("plan", "delete", "acme:Company", "--native", "SELECT")
    told = bridge.told("plan")
    assert [t[1] for t in told] == [
        "acme:Company",
        ["acme:Company/c0", "acme:Company/c1"],
        Path("ids.csv"),
        Path("refs.csv"),
        "acme:Company",
    ]
    assert told[0][2]["where"] == ("a = 1", "b = 2")
    assert told[2][2]["kind"] == "acme:Company"
    assert "kind" not in told[3][2]
    assert told[4][2]["native"] == "SELECT"


def test_caps_that_nobody_named_are_left_to_the_settings(run, bridge):
    run("plan", "delete", "acme:Company/c0")
    run("plan", "delete", "acme:Company/c0", "--limit-records", "5", "--limit-share", "0.9")
    first, second = (told[2] for told in bridge.told("plan"))
    assert "limit_records" not in first
    assert "limit_share" not in first
    assert (second["limit_records"], second["limit_share"]) == (5, 0.9)


def test_what_belongs_to_a_restore_reaches_it(run, bridge):
    run(
        "restore",
        "r-20261124-7f3a91c2",
        "--remake",
        "--on-conflict",
        "null",
        "--only",
        "acme:Company/c0",
        "--yes",
    )
    options = bridge.told("plan")[0][2]
    assert options["remake"] is True
    assert options["on_conflict"] == "null"
    assert options["only"] == ("acme:Company/c0",)


@pytest.mark.parametrize(
    "words",
    [
        ("void",),
        ("delete", "r-20261124-7f3a91c2"),
        ("restore", "r-20261124-7f3a91c2", "acme:Company/c0"),
        ("plan", "delete", "acme:Company/c0", "--remake"),
        ("plan", "delete", "acme:Company/c0", "--only", "acme:Company/c0"),
        ("delete", "acme:Company/c0", "--where", "a = 1"),
        ("delete", "acme:Company", "--from", "x.csv", "--where", "a = 1"),
        ("delete", "acme:Company", "acme:Contact", "--from", "x.csv"),
        ("delete", "acme:Company/c0", "--limit-share", "1.5"),
        ("delete", "acme:Company/c0", "--limit-records", "many"),
    ],
)
def test_words_that_contradict_each_other_are_refused_before_anything_is_asked(run, bridge, words):
    ran = run(*words)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert not bridge.asked


def test_a_plan_is_saved_printed_and_told_how_to_apply(run, bridge, tmp_path):
    path = str(tmp_path / "left.plan")
    ran = run("--json", "plan", "delete", "acme:Company/c0", "--out", path)
    assert ran.code == 0
    assert ran.types == ["plan"]
    assert bridge.told("save") == [path]
    assert path in ran.err


def test_a_plan_as_csv_is_a_list_for_people(run, bridge, tmp_path):
    path = tmp_path / "left.csv"
    assert run("plan", "delete", "acme:Company/c0", "--out", str(path)).code == 0
    assert not bridge.told("save")
    rows = path.read_text().splitlines()
    assert rows[0].startswith('"ref",')
    assert [r.split(",")[0] for r in rows[1:]] == [f'"acme:Company/c{n}"' for n in range(3)]


def test_a_plan_that_is_blocked_ends_4_and_is_saved_all_the_same(run, bridge, make, tmp_path):
    bridge.made = make.blocked()
    path = str(tmp_path / "left.plan")
    ran = run("--json", "plan", "delete", "acme:Company/c0", "--out", path)
    assert ran.code == 4
    assert ran.types == ["plan", "error"]
    assert bridge.told("save") == [path]


def test_applying_a_saved_plan_prints_outcomes_and_the_receipt(run, bridge):
    ran = run("--json", "apply", "left.plan", "--yes")
    assert ran.code == 0
    assert ran.types == ["outcome"] * 3 + ["receipt"]
    assert bridge.told("load") == ["left.plan"]


def test_a_stale_plan_ends_4(run, bridge):
    bridge.raises = PlanBlocked("the plan was changed.", code="stale")
    ran = run("--json", "apply", "left.plan", "--yes")
    assert ran.code == 4
    assert ran.lines[0]["code"] == "stale"


def test_a_vendor_that_cannot_be_reached_ends_6(run, bridge):
    bridge.raises = Unreachable("acme does not answer.")
    assert run("delete", "acme:Company/c0", "--yes").code == 6


def test_resume_asks_and_verify_does_not(run, bridge):
    assert run("resume", "r-20261124-7f3a91c2").code == 4
    assert not bridge.told("resume")
    assert run("--json", "resume", "r-20261124-7f3a91c2", "--yes").types[-1] == "receipt"
    assert run("--json", "verify", "r-20261124-7f3a91c2").types == ["outcome"] * 3 + ["receipt"]


def test_what_records_hold_reaches_no_terminal_raw(run, bridge, make):
    evil = "\x1b]52;c;aGk=\x07\u202e\nrun r-1: delete: 3 done"
    bridge.came = make.receipt(make.outcome("failed", 0, "refused", evil))
    for words in (("delete", "acme:Company/c0", "--yes"), ("show", "r-20261124-7f3a91c2")):
        ran = run(*words)
        assert "\x1b]52" not in ran.out
        assert "\u202e" not in ran.out
        assert "\nrun r-1: delete" not in ran.out
        assert "\\x1b" in ran.out


def test_quiet_leaves_the_words_out(run, bridge):
    ran = run("--quiet", "delete", "acme:Company/c0", "--yes")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_a_person_reads_the_way_back_and_its_last_day(run, bridge, make):
    from crm_bridge.model.abilities import Undo

    bridge.came = make.receipt(
        make.outcome("done", 0, undo=Undo.SAME_ID, recoverable_until=make.noon)
    )
    told = run("delete", "acme:Company/c0", "--yes").out
    assert "2026-11-24" in told
    assert "crm-bridge restore r-20261124-7f3a91c2" in told
