"""The workbook, read back by another library: the same values, as text, and nothing that runs."""

import zipfile
from decimal import Decimal

import openpyxl
import pytest

from crm_bridge.errors import SettingsError
from crm_bridge.model.results import Outcome, Verdict
from crm_bridge.report import workbook
from crm_bridge.report.matter import text_of
from crm_bridge.report.workbook import SHEETS, write_workbook


@pytest.fixture
def written(tmp_path):
    """Writes a workbook and reads it back: each sheet as rows of a dictionary."""

    def go(matter):
        path = tmp_path / "report.xlsx"
        count = write_workbook(path, matter)
        book = openpyxl.load_workbook(path)
        return count, book, {sheet.title: rows(sheet) for sheet in book}

    return go


def rows(sheet):
    head, *rest = sheet.iter_rows(values_only=True)
    names = [name for name in head if name]
    return [dict(zip(names, row, strict=False)) for row in rest]


def test_every_sheet_is_there_and_every_record_in_it(written, make):
    plan = make.plan()
    count, book, sheets = written(make.matter(plan, make.done(plan)))
    assert count == 12
    assert book.sheetnames == list(SHEETS)
    assert [r["record"] for r in sheets["records"]] == [
        *(f"acme:Company/c{n}" for n in range(11)),
        "acme:Company/s1",
    ]
    assert len(sheets["outcomes"]) == 12
    assert len(sheets["children"]) == 20 + 1 + 1 + 7
    assert sheets["children"][0] == {
        "touch": 1,
        "depth": 1,
        "parent": "acme:Company/c0",
        "child": "acme:Contact/k0",
        "name": make.names[0],
        "by": "company",
        "effect": "follows",
        "comes back": "yes",
    }
    assert sheets["links"][0]["label"] == "=boss"


def test_values_are_the_same_and_are_text(written, make):
    plan = make.plan()
    _, book, sheets = written(make.matter(plan, make.done(plan)))
    before = {(r["record"], r["field"]): r["before"] for r in sheets["fields"]}
    for n in range(11):
        ref = plan.steps[0].targets[n].ref
        for field, value in make.record(ref, n).fields.items():
            if value is None:
                assert (str(ref), field) not in before
            else:
                assert before[str(ref), field] == text_of(value), field
    assert before["acme:Company/c0", "phone"] == "+86 10 6512 0000"
    assert before["acme:Company/c0", "formula"] == "=1+1"
    assert before["acme:Company/c0", "amount"] == str(make.amount)
    assert before["acme:Company/c0", "zip"] == "00123"
    assert before["acme:Company/c0", "date"] == "2026-11-24"
    kinds = {cell.data_type for row in book["fields"].iter_rows(min_row=2) for cell in row}
    assert kinds <= {"s", "n", "inlineStr"}  # an empty cell is told as a number without a value
    for name in ("fields", "links", "differences"):
        for row in book[name].iter_rows(min_row=2):
            assert all(isinstance(cell.value, (str, type(None))) for cell in row)


def test_names_that_would_act_stay_names(written, make):
    plan = make.plan()
    _, book, sheets = written(make.matter(plan, make.done(plan)))
    assert [r["name"] for r in sheets["records"]][:11] == [text_of(name) for name in make.names]
    formula = next(c for c in book["records"]["B"] if c.value == "=1+1")
    assert formula.data_type != "f"
    assert formula.number_format == "@"
    assert formula.quotePrefix or formula.style_name  # Excel keeps it as text after an edit


def test_no_formula_and_no_address_is_in_the_file(tmp_path, make):
    plan = make.plan()
    path = tmp_path / "report.xlsx"
    write_workbook(path, make.matter(plan, make.done(plan)))
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            text = file.read(name).decode("utf-8", "replace")
            if name.startswith("xl/worksheets/"):
                assert "<f>" not in text
                assert "<hyperlink" not in text
                assert "<r><t>raw</t></r>" not in text
        assert not any("externalLink" in name for name in file.namelist())


def test_outcomes_are_told_whole(written, make):
    plan = make.plan()
    _, _, sheets = written(make.matter(plan, make.done(plan)))
    done, failed = sheets["outcomes"][:2]
    assert (done["verdict"], done["state"], done["way back"], done["until (UTC)"]) == (
        "done",
        "deleted",
        "same_id",
        "2026-12-09T12:00:00Z",
    )
    assert failed["message"] == "=cmd|' /C calc'!A0"
    assert (failed["code"], failed["vendor code"], failed["request id"]) == (
        "refused",
        "ERR<1>",
        "req-1",
    )
    told = {r["what"]: r["value"] for r in sheets["summary"]}
    assert (told["done"], told["failed"], told["skipped"], told["records"]) == (10, 1, 1, 12)


def test_a_mark_is_told_before_and_after(written, make):
    plan = make.plan("void")
    _, _, sheets = written(make.matter(plan, make.done(plan)))
    status = {r["record"]: r for r in sheets["fields"] if r["field"] == "status"}
    assert (status["acme:Company/c0"]["before"], status["acme:Company/c0"]["after"]) == (
        "open",
        "void",
    )
    assert status["acme:Company/c0"]["changed"] == "yes"
    assert status["acme:Company/c1"]["after"] is None  # this one failed
    phone = next(r for r in sheets["fields"] if r["field"] == "phone")
    assert (phone["after"], phone["changed"]) == ("+86 10 6512 0000", "no")


def test_what_came_back_otherwise_is_listed_with_both_values(written, make):
    plan = make.plan("restore", touches=(), settled=())
    came = [
        Outcome(t.ref, Verdict.DONE, details={
            "differs": {"name": ["was", "=now"]},
            "set_by_vendor": {"stamp": ["2026-01-01", "2026-11-24"]},
            "followers_differ": {"acme:Contact/k1": {"phone": ["+86 1", None]}},
        })
        for t in plan.steps[0].targets
    ]  # fmt: skip
    _, _, sheets = written(make.matter(plan, came))
    some = [tuple(r.values()) for r in sheets["differences"]][:3]
    assert some == [
        ("acme:Company/c0", "name", "was", "=now", "no"),
        ("acme:Contact/k1", "phone", "+86 1", None, "no"),
        ("acme:Company/c0", "stamp", "2026-01-01", "2026-11-24", "yes"),
    ]
    after = {r["field"]: r["after"] for r in sheets["fields"] if r["record"] == "acme:Company/c0"}
    assert (after["name"], after["stamp"], after["zip"]) == ("=now", "2026-11-24", "00123")


def test_amounts_are_numbers_where_a_spreadsheet_keeps_their_digits_and_else_text(written, make):
    _, _, sheets = written(make.matter(make.plan()))
    amounts = {(r["of"], r["currency"]): r["amount"] for r in sheets["sums"]}
    assert amounts["Deal", "CNY"] == 88
    assert Decimal(amounts["Deal", "EUR"]) == make.amount
    assert isinstance(amounts["Deal", "EUR"], str)


def test_a_value_too_long_for_a_cell_says_that_it_is_cut(written, make):
    plan = make.plan(count=2)
    long = "长🏥" * 20_000

    def records(some):
        return {
            line.ref: type(make.record(line.ref, 0))(
                line.ref, make.record(line.ref, 0).state, {"name": long}
            )
            for line in some
        }

    _, _, sheets = written(make.matter(plan, records=records))
    told = sheets["fields"][0]["before"]
    assert len(told.encode("utf-16-le")) // 2 <= 32_767
    assert told.endswith("(cut; 40000 signs in all)")


def test_a_full_sheet_goes_on_in_another(written, make, monkeypatch):
    monkeypatch.setattr(workbook, "ROWS", 6)
    plan = make.plan(touches=())
    _, book, sheets = written(make.matter(plan, make.done(plan)))
    assert {"records", "records (2)", "records (3)"} <= set(book.sheetnames)
    told = [r["record"] for part in ("records", "records (2)", "records (3)") for r in sheets[part]]
    assert len(set(told)) == 12


def test_without_its_library_it_says_what_to_install(tmp_path, make, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    with pytest.raises(SettingsError, match="crm-bridge\\[excel\\]"):
        write_workbook(tmp_path / "report.xlsx", make.matter(make.plan()))
