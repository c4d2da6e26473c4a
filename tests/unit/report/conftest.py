"""Plans and runs to draw: with awkward names, sums, windows, trouble and losses."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.model.abilities import (
    Capability,
    CascadeRule,
    Effect,
    Operation,
    RecoveryWindow,
    Support,
    Undo,
)
from crm_bridge.model.plans import (
    Counts,
    Finding,
    Largest,
    Loss,
    Plan,
    Severity,
    Step,
    Sum,
    Target,
    TargetOrg,
    Touch,
)
from crm_bridge.model.records import Link, Record, RecordRef, State
from crm_bridge.model.results import Outcome, Problem, Receipt, Verdict
from crm_bridge.report.matter import Line, Matter

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DELETE = Capability(
    Operation.DELETE,
    Support.NATIVE,
    takes=(State.LIVE,),
    gives=State.DELETED,
    batch=200,
    window=RecoveryWindow(Undo.SAME_ID, 15),
)
VOID = Capability(
    Operation.VOID,
    Support.MARKED,
    takes=(State.LIVE,),
    gives=State.VOIDED,
    batch=100,
    window=RecoveryWindow(Undo.SAME_ID, None),
    means="crm_bridge_status = void",
)
BACK = Capability(
    Operation.RESTORE,
    Support.NATIVE,
    takes=(State.DELETED,),
    gives=State.LIVE,
    batch=200,
)
NAMES = (
    "Harbor Textiles GmbH",
    "<script>alert(1)</script>",
    "成都恒信医疗股份有限公司 🏥",
    "\u202egnp.exe\u202c",
    '"O\'Hara" & Söhne </td>',
    "=1+1",
    "+86 10 6512 0000",
    "@SUM(A1)",
    "<r><t>raw</t></r>",
    "bell\x07 and \ud800 alone",
    "javascript:alert(1)",
)
AMOUNT = Decimal("1234567890123456.78")


def companies(count: int) -> list[RecordRef]:
    return [RecordRef("acme", "Company", f"c{n}") for n in range(count)]


def a_record(ref: RecordRef, n: int) -> Record:
    name = NAMES[n % len(NAMES)]
    fields: dict[str, Any] = {
        "name": name,
        "phone": "+86 10 6512 0000",
        "formula": "=1+1",
        "amount": AMOUNT,
        "count": 7,
        "status": "open",
        "stamp": "2026-01-01",
        "nothing": None,
        "flag": True,
        "list": [1, "=2", {"a": Decimal("0.10")}],
        "zip": "00123",
        "date": "2026-11-24",
    }
    link = Link("contacts", RecordRef("acme", "Contact", f"k{n}"), "=boss")
    return Record(ref, State.LIVE, fields, (link,))


def a_plan(operation: str = "delete", count: int = 11, **over: Any) -> Plan:
    row = {"delete": DELETE, "void": VOID, "restore": BACK}[operation]
    going = companies(count)
    contacts = [RecordRef("acme", "Contact", f"k{n}") for n in range(20)]
    deals = [RecordRef("acme", "Deal", f"d{n}") for n in range(7)]
    told: dict[str, Any] = {
        "id": "p-20261124-aabbccdd", "made_at": NOON, "by": "Ann <b>", "operation": row.operation,
        "reason": "left the market </dd><img src=x onerror=alert(1)>", "code": "left",
        "targets": {"acme": TargetOrg("org-1", "production", "memory")},
        "versions": {"crm-bridge": "0.1.0"},
        "steps": (Step("acme", "Company", row, [Target(r, "f") for r in going]),),
        "touches": (
            Touch("acme", CascadeRule("Company", "Contact", "company", Effect.FOLLOWS, True), 20,
                  contacts, 1, [f"c{n % count}" for n in range(20)]),
            Touch("acme", CascadeRule("Company", "Invoice", "on", Effect.MAY_FOLLOW, None), None),
            Touch("acme", CascadeRule("Company", "Case", "company", Effect.BLOCKS), 12345),
            Touch("acme", CascadeRule("Contact", "Deal", "who", Effect.FOLLOWS, False), 7, deals, 2,
                  [f"k{n}" for n in range(7)],
                  (Sum("open deals", "EUR", AMOUNT, 5), Sum("open deals", "CNY", Decimal("88"), 2)),
                  (Largest(deals[0], NAMES[1], AMOUNT),)),
        ),
        "findings": (
            Finding(Severity.WARNING, "blocked", "2 of 13 record(s) are blocked.", "<i>why</i>", 2,
                    tuple(going[:2])),
            Finding(Severity.NOTE, "vendor_note", "the bin holds 105 record(s)."),
        ),
        "settled": (
            Outcome(RecordRef("acme", "Company", "s1"), Verdict.SKIPPED, State.LIVE, "",
                    Problem("locked", "somebody <b>locked</b> it"), link="javascript:alert(1)"),
        ),
        "counts": Counts(count + 1, 1, 4, 1), "irreversible": False, "confirm": None,
        "losses": (
            Loss("acme", "Company", count, "same_id", 15, False,
                 (("stamp", "the vendor writes it itself"), ("<u>lists</u>", "they are dropped")),
                 (("id", "a record that is made anew has a new one"),)),
        ),
        "sums": (Sum("companies", "", None, count),), "digest": "d" * 64, **over,
    }  # fmt: skip
    return Plan(**told)


def a_matter(plan: Plan, outcomes: list[Outcome] | None = None, **over: Any) -> Matter:
    """A plan, or with outcomes a run."""
    outcomes_of = {o.ref: o for o in outcomes or ()}
    numbers = {ref: n for n, ref in enumerate(companies(len(plan.steps[0].targets)))}

    def lines() -> Iterator[Line]:
        for target in plan.steps[0].targets:
            yield Line(target.ref, 1, outcomes_of.get(target.ref))
        for came in plan.settled:
            yield Line(came.ref, None, came)

    receipt = None
    if outcomes is not None:
        whole = [*outcomes, *plan.settled]
        counts = {v: sum(o.verdict is v for o in whole) for v in Verdict}
        run = "r-20261124-7f3a91c2"
        receipt = Receipt(run, plan.operation, plan.digest, counts, 1.25, 4, whole)
    told: dict[str, Any] = {
        "lines": lines,
        "records": lambda some: {
            line.ref: a_record(line.ref, numbers[line.ref]) for line in some if line.ref in numbers
        },
        "along": lambda refs: {
            ref: replace(a_record(ref, 0), links=()) for ref in refs if ref.kind == "Contact"
        },
        "marks": lambda crm, kind, operation: {"status": "void"},
        "made_at": NOON,
        "receipt": receipt,
        "started": NOON if receipt else None,
        "state": "finished" if receipt else "",
        **over,
    }
    return Matter(plan, **told)


def done(plan: Plan, **over: Any) -> list[Outcome]:
    """Every target of the plan done; the second failed."""
    until = NOON + timedelta(15)
    found = [
        Outcome(
            t.ref,
            Verdict.DONE,
            plan.steps[0].capability.gives,
            "answer",
            undo=Undo.SAME_ID,
            recoverable_until=until,
            **over,
        )
        for t in plan.steps[0].targets
    ]
    found[1] = Outcome(
        found[1].ref,
        Verdict.FAILED,
        State.LIVE,
        "row",
        Problem("refused", "=cmd|' /C calc'!A0", "ERR<1>", "req-1"),
        link="https://crm.test/?a=1&b=2",
    )
    return found


@pytest.fixture
def make() -> Any:
    """What the tests draw."""

    class Make:
        plan = staticmethod(a_plan)
        matter = staticmethod(a_matter)
        done = staticmethod(done)
        record = staticmethod(a_record)
        names = NAMES
        amount = AMOUNT
        noon = NOON

    return Make


def _browser_module() -> Any:
    path = Path(__file__).with_name("browser.py")
    spec = importlib.util.spec_from_file_location("report_browser", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["report_browser"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A real Chromium."""
    module = _browser_module()
    program = module.installed()
    if program is None:
        pytest.skip("no Chromium is installed here (Debian: apt-get install chromium)")
    opened = module.Browser(program, tmp_path / "profile")
    yield opened
    opened.close()
