"""Reports of true runs: what the journal kept is what page, workbook and calendar say."""

import json
import re

import openpyxl
import pytest

from crm_bridge.cli.voice import Voice
from crm_bridge.report.matter import text_of

WHY = ("--reason", "left the market", "--code", "left", "--yes")


@pytest.fixture
def here(open_bridge, monkeypatch, tmp_path):
    """The command line over the CRM in memory, one bridge a command."""
    monkeypatch.setattr(Voice, "bridge", lambda self, *observers: open_bridge(*observers))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def companies(world):
    """Addresses of companies without awkward states."""
    found = [
        e.id
        for e in world["mem"].records.values()
        if e.kind == "Company" and e.state == "live" and not e.locked
    ]
    return [f"mem:Company/{id_}" for id_ in found]


def values(text, name="data-n"):
    return {m[1]: int(m[2]) for m in re.finditer(rf'{name}="(\w+)" data-value="(\d+)"', text)}


def sheet(path, name):
    head, *rest = openpyxl.load_workbook(path)[name].iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rest]


def test_a_saved_plan_is_drawn_with_the_names_that_its_records_have_now(
    run, here, companies, world
):
    plan = run("--json", "plan", "delete", *companies[:6], "--out", "p.plan").lines[0]
    ran = run("--json", "report", "p.plan", "--html", "p.html", "--excel", "p.xlsx")
    assert ran.code == 0
    assert [(line["format"], line["records"]) for line in ran.lines] == [("html", 6), ("excel", 6)]
    text = (here / "p.html").read_text("utf-8")
    assert values(text)["records"] == plan["counts"]["records"]
    assert values(text, "data-touch") == {
        str(t["n"]): t["count"] for t in plan["touches"] if t["count"] is not None
    }
    names = {r["record"]: r["name"] for r in sheet(here / "p.xlsx", "records")}
    for ref in companies[:6]:
        stored = world["mem"].records[ref.partition("/")[2]]
        assert names[ref] == text_of(stored.fields["name"])
    assert (here / "p.html").stat().st_mode & 0o777 == 0o600
    assert (here / "p.xlsx").stat().st_mode & 0o777 == 0o600
    assert not list(here.glob(".crm-bridge*"))


def test_a_run_is_drawn_from_what_was_kept_and_asks_nobody(run, here, companies, world):
    stored = world["mem"].records
    before = {ref: dict(stored[ref.partition("/")[2]].fields) for ref in companies[:6]}
    receipt = run("--json", "delete", *companies[:6], *WHY).lines[-1]
    calls = len(list(world.arrived("mem")))
    assert run("report", receipt["run"], "--html", "r.html", "--excel", "r.xlsx").code == 0
    assert len(list(world.arrived("mem"))) == calls
    text = (here / "r.html").read_text("utf-8")
    told = values(text, "data-verdict")
    assert told == {verdict: n for verdict, n in receipt["counts"].items() if n}
    fields = {(r["record"], r["field"]): r["before"] for r in sheet(here / "r.xlsx", "fields")}
    for ref, kept in before.items():
        for name, value in kept.items():
            if value not in (None, "", [], {}):
                assert fields[ref, name] == text_of(value)
    children = [r["child"] for r in sheet(here / "r.xlsx", "children")]
    touched = run("--json", "show", receipt["run"], "--touch", "1").lines[1:]
    assert [line["ref"] for line in touched] == children[: len(touched)]


def test_a_restore_is_drawn_with_what_it_brought_back(run, here, companies, world):
    taken = run("--json", "delete", *companies[:6], *WHY).lines[-1]
    back = run("--json", "restore", taken["run"], "--yes").lines[-1]
    assert run("report", back["run"], "--html", "b.html", "--excel", "b.xlsx").code == 0
    after = {(r["record"], r["field"]): r["after"] for r in sheet(here / "b.xlsx", "fields")}
    for ref in companies[:6]:
        for name, value in world["mem"].records[ref.partition("/")[2]].fields.items():
            if value not in (None, "", [], {}):
                assert after[ref, name] == text_of(value), name
    assert values((here / "b.html").read_text("utf-8"))["differences"] == 0


def test_a_plan_whose_crm_is_away_is_drawn_without_names_and_says_so(
    run, here, companies, world, monkeypatch
):
    run("plan", "delete", *companies[:3], "--out", "p.plan")
    from crm_bridge.engine.connect import Accounts
    from crm_bridge.errors import Unreachable

    def away(self, crm):
        raise Unreachable(f"{crm} does not answer.")

    monkeypatch.setattr(Accounts, "connected", away)
    ran = run("report", "p.plan", "--html", "p.html")
    assert ran.code == 0
    assert "mem does not answer" in ran.err
    assert companies[0] in (here / "p.html").read_text("utf-8")


def test_the_language_that_the_page_opens_in_is_chosen(run, here, companies):
    run("plan", "delete", *companies[:3], "--out", "p.plan")
    assert run("report", "p.plan", "--html", "p.html", "--lang", "zh").code == 0
    text = (here / "p.html").read_text("utf-8")
    assert '<html lang="zh-Hans">' in text
    assert re.search(r'id="zh"[^>]* checked', text)
    assert run("report", "p.plan", "--html", "p.html", "--lang", "de").code == 2


@pytest.mark.parametrize("words", [(), ("--excel", "x.csv"), ("--html", "no/such/folder.html")])
def test_a_report_without_a_fitting_place_is_refused_before_anything_is_read(run, bridge, words):
    assert run("report", "p.plan", *words).code == 2
    assert not bridge.asked


def test_what_expires_is_written_for_a_calendar(run, here, companies):
    receipt = run("--json", "delete", *companies[:3], *WHY).lines[-1]
    ran = run("--json", "expiring", "--within", "9999d", "--calendar", "undo.ics")
    assert ran.code == 0
    text = (here / "undo.ics").read_bytes().decode()
    assert text.count("BEGIN:VEVENT") == len(ran.lines) == 1
    until = json.loads(json.dumps(ran.lines[0]))["until"]
    assert f"DTSTART:{until[:19].replace('-', '').replace(':', '')}Z" in text
    assert receipt["run"] in text.replace("\r\n ", "")
    assert run("expiring", "--calendar", "undo.txt").code == 2
