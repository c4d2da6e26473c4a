"""A bridge that remembers what it was asked, and a way to run the command line in this process."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.bridge import CheckLine, Expiring, RunSummary
from crm_bridge.cli.app import main
from crm_bridge.errors import PlanMoved
from crm_bridge.model.abilities import (
    Capability,
    CascadeRule,
    Effect,
    Operation,
    RecoveryWindow,
    Support,
    Undo,
)
from crm_bridge.model.plans import Counts, Finding, Plan, Severity, Step, Target, TargetOrg, Touch
from crm_bridge.model.records import Record, RecordRef, State
from crm_bridge.model.results import Outcome, Problem, Receipt, Verdict

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

DELETE = Capability(
    Operation.DELETE,
    Support.NATIVE,
    takes=(State.LIVE,),
    gives=State.DELETED,
    batch=200,
    window=RecoveryWindow(Undo.SAME_ID, 15),
)


def refs(count: int, crm: str = "acme", kind: str = "Company") -> list[RecordRef]:
    return [RecordRef(crm, kind, f"c{n}") for n in range(count)]


def a_plan(operation: str = "delete", count: int = 3, **over: Any) -> Plan:
    rule = CascadeRule("Company", "Contact", "company", Effect.FOLLOWS, True)
    told = {
        "id": "p-20261124-aa",
        "made_at": NOON,
        "by": "ann",
        "operation": Operation(operation),
        "reason": "left the market",
        "code": "left",
        "targets": {"acme": TargetOrg("org-1", "simulator", "memory")},
        "versions": {},
        "steps": (Step("acme", "Company", DELETE, [Target(r, "f") for r in refs(count)]),),
        "touches": (Touch("acme", rule, 7, ()),),
        "findings": (),
        "settled": (),
        "counts": Counts(count, 1, 4, 0),
        "irreversible": False,
        "confirm": None,
        "digest": "d" * 64,
        **over,
    }
    return Plan(**told)


def blocked(**over: Any) -> Plan:
    finding = Finding(Severity.ERROR, "limit_records", "3 records are too many.", "Raise it.", 3)
    return a_plan(findings=(finding,), **over)


def an_outcome(
    verdict: str = "done",
    n: int = 0,
    code: str | None = None,
    message: str = "so it is",
    **over: Any,
) -> Outcome:
    problem = Problem(code, message) if code else None
    told = {"state": State.DELETED, "problem": problem, **over}
    return Outcome(RecordRef("acme", "Company", f"c{n}"), Verdict(verdict), **told)


def a_receipt(*outcomes: Outcome, halted: str | None = None, **over: Any) -> Receipt:
    found = list(outcomes) or [an_outcome(n=n) for n in range(3)]
    counts = {v: sum(o.verdict is v for o in found) for v in Verdict}
    told = {
        "run": "r-20261124-7f3a91c2",
        "operation": Operation.DELETE,
        "plan_digest": "d" * 64,
        "counts": counts,
        "seconds": 1.25,
        "calls": 4,
        "outcomes": found,
        "halted": halted,
        **over,
    }
    return Receipt(**told)


def a_run(run: str = "r-20261124-7f3a91c2", **over: Any) -> RunSummary:
    told = {
        "run": run,
        "operation": Operation.DELETE,
        "started": NOON,
        "by": "ann",
        "reason": "left the market",
        "code": "left",
        "crms": ("acme",),
        "state": "finished",
        "counts": {Verdict.DONE: 3},
        **over,
    }
    return RunSummary(**told)


@dataclass
class FakeBridge:
    """Answers with what a test put in, and remembers what it was asked."""

    config: str | None = None
    observers: tuple[Any, ...] = ()
    asked: list[tuple[str, Any]] = field(default_factory=list)
    made: Plan = field(default_factory=a_plan)
    came: Receipt = field(default_factory=a_receipt)
    records: list[Record] = field(default_factory=list)
    all_runs: list[RunSummary] = field(default_factory=lambda: [a_run()])
    ending: list[Expiring] = field(default_factory=list)
    checks: list[CheckLine] = field(default_factory=list)
    to_make: list[Finding] = field(default_factory=list)
    check: Any = None
    events: list[dict[str, Any]] = field(default_factory=list)
    raises: BaseException | None = None
    during: Callable[[], Any] | None = None
    moves: PlanMoved | None = None
    anew: Plan | None = None
    undo: Plan | None = None
    undone: Receipt | None = None

    def __enter__(self) -> "FakeBridge":
        return self

    def __exit__(self, *exc: object) -> None:
        self.asked.append(("close", None))

    def _note(self, name: str, told: Any) -> None:
        self.asked.append((name, told))
        if self.raises is not None:
            raise self.raises

    def told(self, name: str) -> list[Any]:
        return [what for asked, what in self.asked if asked == name]

    def find(self, target: str, *where: str, **options: Any) -> Any:
        self._note("find", (target, where, options))
        for record in self.records:
            if self.during:
                self.during()
            yield record

    def plan(self, operation: str, targets: Any, **options: Any) -> Plan:
        self._note("plan", (operation, targets, options))
        if self.undo is not None and isinstance(targets, Receipt):
            return self.undo
        return self.made

    def replan(self, plan: Plan, *, without: Any = ()) -> Plan:
        self._note("replan", list(without))
        assert self.anew is not None
        return self.anew

    def plan_of(self, run: str) -> Plan:
        self._note("plan_of", run)
        return self.made

    def hold(self, ref: str, reason: str) -> None:
        self._note("hold", (ref, reason))

    def release(self, ref: str, reason: str) -> None:
        self._note("release", (ref, reason))

    def save_plan(self, plan: Plan, path: str) -> None:
        self._note("save", path)
        Path(path).write_text("saved")

    def load_plan(self, path: str) -> Plan:
        self._note("load", path)
        return self.made

    def apply(self, plan: Plan, *, confirm: str | None = None) -> Receipt:
        self._note("apply", confirm)
        if self.during:
            self.during()
        if self.moves is not None and plan is self.made:
            raise self.moves
        if self.undone is not None and plan is self.undo:
            return self.undone
        return self.came

    def stop(self) -> None:
        self.asked.append(("stop", None))

    def resume(self, run: str) -> Receipt:
        self._note("resume", run)
        return self.came

    def verify(self, run: str) -> Receipt:
        self._note("verify", run)
        return self.came

    def receipt(self, run: str) -> Receipt:
        self._note("receipt", run)
        return self.came

    def runs(self) -> list[RunSummary]:
        return self.all_runs

    def attention(self) -> list[RunSummary]:
        self._note("attention", None)
        return self.all_runs[:1]

    def expiring(self, within: str) -> list[Expiring]:
        self._note("expiring", within)
        return self.ending

    def doctor(self, crm: str | None = None) -> Any:
        self._note("doctor", crm)
        yield from self.checks

    def setup(self, crm: str, *, apply: bool = False) -> list[Finding]:
        self._note("setup", (crm, apply))
        return self.to_make

    def check_journal(self) -> Any:
        return self.check

    def export_journal(self) -> Any:
        yield from self.events


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> FakeBridge:
    fake = FakeBridge()

    class Bridge:
        @classmethod
        def open(cls, config: str | None = None, *, observers: Any = ()) -> FakeBridge:
            fake.config, fake.observers = config, tuple(observers)
            return fake

    monkeypatch.setattr("crm_bridge.bridge.Bridge", Bridge)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return fake


@dataclass
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def types(self) -> list[str]:
        return [line["type"] for line in self.lines]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def go(*words: str) -> Ran:
        capfd.readouterr()
        code = main(words)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return go


class Terminal(io.StringIO):
    """A person who types these lines."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def types(*answers: str) -> None:
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{a}\n" for a in answers)))
        monkeypatch.setattr("crm_bridge.cli.ask.at_terminal", lambda: True)

    return types


@pytest.fixture
def make() -> Any:
    """What the tests' answers are made of."""

    class Make:
        plan = staticmethod(a_plan)
        blocked = staticmethod(blocked)
        outcome = staticmethod(an_outcome)
        receipt = staticmethod(a_receipt)
        run = staticmethod(a_run)
        refs = staticmethod(refs)
        noon = NOON

    return Make
