"""The page in a real browser: its numbers, its languages, nothing that runs, nothing asked for."""

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from crm_bridge.cli import lines
from crm_bridge.model.abilities import Undo
from crm_bridge.model.plans import Counts, Loss
from crm_bridge.model.records import State
from crm_bridge.model.results import Outcome, Verdict
from crm_bridge.report import page as pages
from crm_bridge.report.page import page
from crm_bridge.report.words import WORDS

PICTURES = Path(__file__).with_name("screenshots")
"""Pictures that were looked at; made anew with CRM_BRIDGE_PICTURES=1."""


@pytest.fixture
def show(browser, tmp_path):
    """Draws a matter and opens it."""

    def go(matter, lang="en", picture=""):
        path = tmp_path / "report.html"
        path.write_text("".join(page(matter, lang)), encoding="utf-8")
        browser.open(path)
        if picture and os.environ.get("CRM_BRIDGE_PICTURES"):
            PICTURES.mkdir(exist_ok=True)
            browser.picture(PICTURES / picture)
        return browser

    return go


def number(browser, selector):
    """The number that an element shows, without what stands between its digits."""
    return browser.ask(f"document.querySelector({selector!r}).textContent.trim()")


def test_a_plan_opens_without_a_complaint_and_asks_for_nothing(show, make):
    browser = show(make.matter(make.plan()), picture="plan-en.png")
    assert browser.complaints == []
    assert [url for url in browser.requested if not url.startswith("data:")] == [
        browser.ask("location.href")
    ]


def test_nothing_that_a_crm_sent_runs_or_becomes_an_element(show, make):
    plan = make.plan()
    browser = show(make.matter(plan, make.done(plan)))
    assert browser.ask("document.scripts.length") == 0
    assert browser.ask("document.images.length") == 0
    assert browser.ask("document.querySelectorAll('main i:not(.legend i), u').length") == 0
    text = browser.ask("document.body.textContent")
    assert "<script>alert(1)</script>" in text
    assert "left the market </dd><img src=x onerror=alert(1)>" in text
    assert "\\u202egnp.exe\\u202c" in text
    assert "\u202e" not in text
    assert "bell\\x07 and \\ud800 alone" in text
    assert browser.ask("[...document.links].map(a => a.getAttribute('href'))") == [
        "https://crm.test/?a=1&b=2"
    ]
    assert browser.complaints == []


def test_the_numbers_of_a_plan_are_those_of_its_json(show, make):
    plan = make.plan()
    browser = show(make.matter(plan))
    told = lines.plan(plan)
    assert number(browser, "[data-n=records]") == str(told["counts"]["records"])
    assert number(browser, "[data-n=settled]") == str(told["counts"]["settled"])
    assert number(browser, "[data-n=go]") == "11"
    assert number(browser, "[data-n=follow]") == str(20 + 7)
    for touch in told["touches"]:
        if touch["count"] is not None:
            shown = number(browser, f"[data-touch='{touch['n']}']")
            assert shown == str(touch["count"])
        for one in touch["sums"]:
            texts = "[...document.querySelectorAll('svg.tree text')].map(t => t.textContent)"
            wanted = f"{one['amount']} {one['currency']}"
            assert any(text.startswith(wanted) for text in browser.ask(texts))
    assert number(browser, "[data-step='1']") == str(told["counts"]["records"] - 1)
    assert number(browser, "[data-loss='1']") == str(told["losses"][0]["count"])
    assert browser.ask("document.querySelectorAll('table.list tbody tr').length") == 12


def test_the_numbers_of_a_run_are_those_of_its_receipt(show, make):
    plan = make.plan()
    matter = make.matter(plan, make.done(plan))
    browser = show(matter, picture="run-en.png")
    counts = lines.receipt(matter.receipt)["counts"]
    for verdict, count in counts.items():
        if count:
            assert number(browser, f"[data-verdict={verdict}]") == str(count)
        else:
            assert browser.ask(f"document.querySelector('[data-verdict={verdict}]')") is None
    assert number(browser, "[data-n=done]") == str(counts["done"])
    assert number(browser, "[data-n=attention]") == "2"
    first = browser.ask("document.querySelector('table.list tbody tr').innerText")
    assert "failed" in first
    assert "2026-12-09" in browser.ask("document.querySelector('.cards').innerText")


def test_large_numbers_are_parted_for_the_eye_and_whole_when_copied(show, make):
    browser = show(make.matter(make.plan(counts=Counts(1234567, 1, 4, 0))))
    assert number(browser, "[data-n=records]") == "1234567"
    assert browser.ask("document.querySelectorAll('[data-n=records] .k').length") == 2
    assert str(make.amount) in browser.ask("document.querySelector('.worth').textContent")


def test_both_languages_are_in_the_page_and_one_is_seen(show, make):
    browser = show(make.matter(make.plan()), "zh", picture="plan-zh.png")
    assert browser.ask("document.documentElement.lang") == "zh-Hans"
    seen = browser.ask("document.querySelector('h1').innerText")
    assert seen == "删除: 12 条记录"
    browser.ask("document.querySelector('label[for=en]').click()")
    assert browser.ask("document.querySelector('h1').innerText") == "Delete: 12 records"
    hidden = "getComputedStyle(document.querySelector('svg tspan.zh')).display"
    assert browser.ask(hidden) == "none"
    assert browser.complaints == []


def test_it_prints_on_pages_without_the_switch(show, make):
    plan = make.plan(count=300)
    browser = show(make.matter(plan, make.done(plan)))
    printed = browser.printed()
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 3
    browser.do("Emulation.setEmulatedMedia", media="print")
    assert browser.ask("getComputedStyle(document.querySelector('.switch')).display") == "none"


def test_nothing_stands_out_of_the_page_or_of_a_picture(show, make):
    browser = show(make.matter(make.plan()))
    assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
    over = """[...document.querySelectorAll('svg')].flatMap(svg =>
        [...svg.querySelectorAll('text, rect')].filter(one => {
            const box = one.getBBox(), view = svg.viewBox.baseVal;
            return box.width && (box.x < -1 || box.x + box.width > view.width + 1
                || box.y < view.y - 2 || box.y + box.height > view.y + view.height + 2); })
        .map(one => one.textContent))"""
    assert browser.ask(over) == []


def test_a_restore_tells_what_came_back_otherwise(show, make):
    plan = make.plan("restore", touches=(), settled=(), counts=Counts(11, 1, 2, 0))
    came = [
        Outcome(t.ref, Verdict.DONE, State.LIVE, "answer", undo=Undo.NONE, details={
            "set_by_vendor": {"stamp": ["2026-01-01", "2026-11-24"]},
            **({"differs": {"owner": ["Ann", "<b>Bob</b>"]}} if n == 3 else {}),
        })
        for n, t in enumerate(plan.steps[0].targets)
    ]  # fmt: skip
    browser = show(make.matter(plan, came), picture="restore-en.png")
    assert number(browser, "[data-n=differences]") == "1"
    text = browser.ask("document.querySelector('main').innerText")
    assert "<b>Bob</b>" in text
    assert "stamp (11)" in text


def test_a_plan_that_nothing_undoes_says_so_first(show, make):
    plan = make.plan(irreversible=True, losses=(Loss("acme", "Company", 11, "none", None, False),))
    browser = show(make.matter(plan))
    alarm = browser.ask("document.querySelector('.alarm-line').innerText")
    assert "cannot be brought back" in alarm


def test_only_so_many_records_are_listed_those_to_look_at_first(make, monkeypatch):
    monkeypatch.setattr(pages, "SHOWN", 5)
    plan = make.plan(count=30)
    came = make.done(plan)
    came[1], came[29] = came[29], came[1]
    came[29] = Outcome(plan.steps[0].targets[29].ref, Verdict.FAILED)
    text = "".join(page(make.matter(plan, came)))
    rows = re.findall(r'<td class="v v-(\w+)"', text)
    assert len(rows) == 5
    assert rows[:2] == ["failed", "skipped"]
    assert "5 <span" in text


def test_it_is_made_piece_by_piece(make):
    plan = make.plan(count=2000)
    pieces = page(make.matter(plan))
    assert len(next(iter(pieces))) < 200_000
    assert sum(1 for _ in pieces) > 1000


def test_every_word_is_said_in_both_languages():
    for key, (english, chinese) in WORDS.items():
        assert english, key
        assert re.search("[\u4e00-\u9fff]", chinese), key
        assert not re.search("[\u4e00-\u9fff]", english), key


def test_amounts_keep_every_digit(make):
    assert Decimal(re.sub("<[^>]*>", "", pages._number(make.amount))) == make.amount
