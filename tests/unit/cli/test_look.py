"""Commands that only look, and those that look after accounts and the journal."""

import csv
from datetime import timedelta

import pytest

from crm_bridge.bridge import CheckLine, Expiring
from crm_bridge.engine.doctor import MAKE_IT
from crm_bridge.errors import Rejected
from crm_bridge.journal.rows import Check
from crm_bridge.model.plans import Finding, Severity
from crm_bridge.model.records import Link, Record, RecordRef, State
from crm_bridge.model.results import Verdict


def test_find_prints_a_line_a_record_and_passes_everything_on(run, bridge):
    link = Link("contacts", RecordRef("acme", "Contact", "k1"), "boss")
    bridge.records = [Record(RecordRef("acme", "Company", "c1"), State.LIVE, {"n": 1}, (link,))]
    ran = run(
        "find",
        "acme:Company",
        "--where",
        "n = 1",
        "--state",
        "live",
        "--fields",
        "n, m",
        "--limit",
        "5",
        "--json",
    )
    assert ran.lines == [
        {
            "type": "record",
            "ref": "acme:Company/c1",
            "state": "live",
            "fields": {"n": 1},
            "links": [
                {
                    "name": "contacts",
                    "ref": "acme:Contact/k1",
                    "kind": "Contact",
                    "id": "k1",
                    "label": "boss",
                }
            ],
            "changed_at": None,
        }
    ]
    assert bridge.told("find") == [
        (
            "acme:Company",
            ("n = 1",),
            {"state": "live", "native": None, "fields": ("n", "m"), "limit": 5},
        )
    ]


def test_find_shows_a_person_the_fields_that_were_asked_for(run, bridge):
    ref = RecordRef("acme", "Company", "c1")
    bridge.records = [Record(ref, State.LIVE, {"n": "\x1b[2J", "x": 1})]
    told = run("find", "acme:Company", "--fields", "n").out
    assert "acme:Company/c1  live  n=\\x1b[2J\n" in told


def test_a_vendor_that_refuses_is_told_of_with_the_kind_and_what_to_do(run, bridge):
    bridge.raises = Rejected("no such object")
    ran = run("find", "acme:Compny")
    assert ran.code == 2
    assert ran.err == (
        "crm-bridge: acme:Compny: no such object "
        "Check how the kind, the fields and the conditions are spelled.\n"
    )


def test_show_prints_the_run_its_outcomes_and_its_receipt(run, bridge):
    ran = run("--json", "show", "r-20261124-7f3a91c2")
    assert ran.types == ["run", "outcome", "outcome", "outcome", "receipt"]
    assert ran.lines[0]["started"] == "2026-11-24T12:00:00Z"
    assert ran.lines[0]["counts"]["done"] == 3
    assert ran.lines[0]["state"] == "finished"


def test_show_writes_what_failed_ready_to_be_tried_again(run, bridge, make, tmp_path):
    bridge.came = make.receipt(
        make.outcome("done"), make.outcome("failed", 1, "refused", "=no", link="https://x.test/1")
    )
    path = tmp_path / "failed.csv"
    ran = run("show", "r-20261124-7f3a91c2", "--failed", "--out", str(path))
    assert ran.code == 0
    rows = list(csv.DictReader(path.open(newline="")))
    assert [r["ref"] for r in rows] == ["acme:Company/c1"]
    assert rows[0]["message"] == "'=no"
    assert rows[0]["link"] == "https://x.test/1"


def test_show_of_a_plan_prints_its_line(run, bridge):
    ran = run("--json", "show", "left.plan")
    assert ran.types == ["plan"]
    assert bridge.told("load") == ["left.plan"]


def test_runs_come_newest_first(run, bridge, make):
    bridge.all_runs = [
        make.run("r-20261123-aa", started=make.noon - timedelta(1)),
        make.run("r-20261124-bb"),
    ]
    found = [line["run"] for line in run("--json", "runs").lines]
    assert found == ["r-20261124-bb", "r-20261123-aa"]
    run("runs", "--attention")
    assert bridge.told("attention")


def test_what_expires_first_is_told_first(run, bridge, make):
    bridge.ending = [
        Expiring("r-2", "acme", "Company", 2, make.noon + timedelta(5), True),
        Expiring("r-1", "acme", "Company", 1, make.noon, False),
    ]
    ran = run("--json", "expiring", "--within", "30d")
    assert [line["until"] for line in ran.lines] == ["2026-11-24T12:00:00Z", "2026-11-29T12:00:00Z"]
    assert bridge.told("expiring") == ["30d"]
    assert ran.lines[0] == {
        "type": "expiring",
        "run": "r-1",
        "crm": "acme",
        "kind": "Company",
        "count": 1,
        "until": "2026-11-24T12:00:00Z",
        "guaranteed": False,
    }


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([("login", True)], 0),
        ([("secrets", False)], 0),
        ([("scopes", False)], 3),
        ([("scopes", False), ("login", False)], 2),
        ([("settings", False)], 2),
    ],
)
def test_doctor_ends_by_what_does_not_hold(run, bridge, checks, code):
    bridge.checks = [CheckLine("acme", name, ok, "told") for name, ok in checks]
    ran = run("--json", "doctor", "acme")
    assert ran.code == code
    assert [line for line in ran.lines if line["type"] == "check"] == [
        {"type": "check", "crm": "acme", "name": name, "ok": ok, "summary": "told"}
        for name, ok in checks
    ]


def test_setup_makes_nothing_before_somebody_said_so(run, bridge):
    bridge.to_make = [Finding(Severity.NOTE, "vendor_note", "it would be made.", MAKE_IT)]
    ran = run("--json", "setup", "acme")
    assert ran.code == 4
    assert bridge.told("setup") == [("acme", False)]
    assert run("setup", "acme", "--yes").code == 0
    assert bridge.told("setup")[1:] == [("acme", False), ("acme", True)]


def test_setup_with_nothing_to_make_asks_nobody(run, bridge):
    bridge.to_make = [Finding(Severity.NOTE, "vendor_note", "the field is there.")]
    assert run("setup", "acme").code == 0
    assert bridge.told("setup") == [("acme", False)]


def test_setup_wants_a_crm_or_a_vendor(run, bridge):
    assert run("setup").code == 2
    assert run("setup", "acme", "--example", "fxiaoke").code == 2


def test_a_journal_that_checks_ends_0(run, bridge):
    bridge.check = Check(True, 42)
    ran = run("--json", "journal", "check")
    assert ran.code == 0
    assert ran.lines == [{"type": "journal", "ok": True, "rows": 42, "first_bad": None}]


def test_a_journal_that_does_not_check_ends_4_and_names_the_place(run, bridge):
    bridge.check = Check(False, 7, "entries", 5, "its hash does not fit")
    ran = run("--json", "journal", "check")
    assert ran.code == 4
    assert ran.lines[0] == {
        "type": "journal",
        "ok": False,
        "rows": 7,
        "first_bad": {"table": "entries", "row": 5, "why": "its hash does not fit"},
    }
    assert "entries, row 5" in ran.err


def test_the_export_is_one_event_a_line_in_either_mode(run, bridge):
    bridge.events = [{"n": 1, "ev": "plan", "id": None}, {"n": 2, "ev": "read", "id": "c\u202e1"}]
    for words in (("journal", "export"), ("--json", "journal", "export")):
        assert run(*words).lines == bridge.events


def test_plugins_are_listed_unloaded(run):
    lines = run("--json", "plugins").lines
    assert {"salesforce", "hubspot", "zoho", "fxiaoke"} <= {line["vendor"] for line in lines}
    assert set(lines[0]) == {"type", "name", "vendor", "version", "loaded"}


def test_verdicts_of_a_run_are_counted_by_all_seven_names(run, bridge, make):
    bridge.all_runs = [make.run(counts={Verdict.BY_HAND: 2})]
    assert run("--json", "runs").lines[0]["counts"] == {
        "done": 0,
        "already": 0,
        "pending": 0,
        "by_hand": 2,
        "failed": 0,
        "unknown": 0,
        "skipped": 0,
    }
