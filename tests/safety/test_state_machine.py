"""Anything in any order, over the CRM in memory and a virtual clock: what must never happen, never does.

The short profile runs with the other tests; `HYPOTHESIS_PROFILE=soak` tries 2,000 examples of 30 steps.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config
from crm_bridge.engine.review import Review
from crm_bridge.errors import (
    AdapterError,
    BridgeError,
    PlanBlocked,
    PlanMoved,
    SettingsError,
    Unreachable,
)
from crm_bridge.model.abilities import Operation
from crm_bridge.model.plans import Plan
from crm_bridge.model.results import Receipt, Verdict
from crm_bridge.registry import Registry
from crm_bridge.testing import memory
from crm_bridge.testing.world import Tenant, World
from tests.safety.dying import Death, Died, one_lane, quick_disk

SETTLE = 2.0
FAULTS = (
    "busy",
    "unwell",
    "not_sent",
    "cut_before",
    "cut_after",
    "page",
    "torn",
    "lies_done",
    "lies_failed",
    "wrong_ids",
    "rows_missing",
    "lag",
    "expired",
    "rejected",
)
KINDS = ("Company", "Contact", "Lead")
TAKES = {"void": "live", "archive": "live", "delete": "live", "purge": "deleted"}

index = st.integers(0, 40)
steps = st.integers(1, 60)


class AnyOrder(RuleBasedStateMachine):
    """One world, one journal, and whatever people, vendors, networks and power cuts do to them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        homes = {
            f"XDG_{n}_HOME": str(self.folder / n) for n in ("STATE", "CACHE", "DATA", "CONFIG")
        }
        self.stack.enter_context(patch.dict(os.environ, homes))
        self.stack.enter_context(one_lane())
        self.stack.enter_context(quick_disk())
        self.world = self.stack.enter_context(World("any-order", records=3))
        self.tenant = self.world["mem"]
        self.now = 1000.0
        self.late: list[tuple[float, Callable[[], Any]]] = []
        self.ghosts = 0
        self.going = ""
        self.strays: dict[int, str] = {}
        self.stack.enter_context(patch.object(Tenant, "request", self._request()))
        self.bridge: Bridge | None = None
        self.plans: list[Plan] = []
        self.runs: dict[str, Plan] = {}
        self.spans: list[tuple[str, int, int]] = []
        self.trace: list[str] = []

    # --- the world -----------------------------------------------------------------------------------

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes; requests that were on their way arrive."""
        self.now += seconds
        due, self.late = (
            [c for at, c in self.late if at <= self.now],
            [(at, c) for at, c in self.late if at > self.now],
        )
        for call in due:
            call()

    def _request(self) -> Any:
        request, machine = Tenant.request, self

        def asked(tenant: Tenant, token: int, verb: str, ids: Any, effect: Any, **more: Any) -> Any:
            if more.get("write") and machine.ghosts and tenant is machine.tenant:
                machine.ghosts -= 1
                named, sender = tuple(ids), machine.going

                def arrive() -> None:
                    known = len(tenant.log)
                    # Whatever it is answered, its sender gave up, and nobody hears it.
                    with suppress(AdapterError):
                        request(tenant, token, verb, named, effect, **more)
                    machine.strays.update((line.n, sender) for line in tenant.log[known:])

                machine.late.append((machine.now + SETTLE * 0.8, arrive))
                raise Unreachable("no answer came.")
            return request(tenant, token, verb, ids, effect, **more)

        return asked

    def open(self, journal: str = "journal.db", account: str = "mem") -> Bridge:
        table = {"vendor": "memory", "environment": "simulator", "world": self.world.name}
        config = Config(
            self.folder / "crm_bridge.toml",
            BridgeSettings(
                journal=f"sqlite:///{journal}",
                actor="tester",
                settle="2s",
                lease="60s",
                limit_share=1.0,
            ),
            {"mem": {**table, "account": account}},
        )
        registry = Registry([Review()])
        registry.manager.register(memory, name="memory")
        return Bridge(config, registry, clock=self.clock, sleep=self.sleep)

    @property
    def mine(self) -> Bridge:
        if self.bridge is None:
            self.bridge = self.open()
        return self.bridge

    def pick(self, states: tuple[str, ...], kind: str, at: int, count: int) -> list[str]:
        found = [e.id for e in self.tenant.records.values() if e.kind == kind and e.state in states]
        return [f"mem:{kind}/{one}" for one in (found[at % len(found) :] if found else [])[:count]]

    # --- what the owner does ---------------------------------------------------------------------------

    @rule(
        operation=st.sampled_from(tuple(TAKES)),
        kind=st.sampled_from(KINDS),
        at=index,
        count=st.integers(1, 12),
    )
    def plan(self, operation: str, kind: str, at: int, count: int) -> None:
        some = self.pick((TAKES[operation],), kind, at, count)
        if some:
            self._plan(operation, some)

    @rule(at=index, remake=st.booleans())
    @precondition(lambda self: self.runs)
    def plan_restore(self, at: int, remake: bool) -> None:
        names = [n for n, p in self.runs.items() if p.operation is not Operation.RESTORE]
        if names:
            self._plan("restore", names[at % len(names)], remake=remake)

    def _plan(self, operation: str, targets: Any, **more: Any) -> None:
        since = len(self.tenant.log)
        try:
            self.plans.append(self.mine.plan(operation, targets, reason="r", code="left", **more))
        except BridgeError as error:
            self.trace.append(f"no plan {operation}: {error.code}")
        assert not any(line.write for line in self.tenant.log[since:]), "a plan wrote (I10)"

    @rule(at=index)
    @precondition(lambda self: self.plans)
    def apply(self, at: int) -> None:
        plan = self.plans[at % len(self.plans)]
        self._go(plan, lambda: self.mine.apply(plan, confirm=plan.confirm), Death())

    @rule(at=index, step=steps, after=st.booleans())
    @precondition(lambda self: self.plans)
    def apply_and_die(self, at: int, step: int, after: bool) -> None:
        plan = self.plans[at % len(self.plans)]
        self._go(plan, lambda: self.mine.apply(plan, confirm=plan.confirm), Death(step, after))

    @rule(at=index)
    @precondition(lambda self: self.runs)
    def resume(self, at: int) -> None:
        run = list(self.runs)[at % len(self.runs)]
        self._go(self.runs[run], lambda: self.mine.resume(run), Death())

    @rule(at=index, step=steps, after=st.booleans())
    @precondition(lambda self: self.runs)
    def resume_and_die(self, at: int, step: int, after: bool) -> None:
        run = list(self.runs)[at % len(self.runs)]
        self._go(self.runs[run], lambda: self.mine.resume(run), Death(step, after))

    def _go(self, plan: Plan, go: Callable[[], Receipt], death: Death) -> Receipt | None:
        since, before = len(self.tenant.log), self.world.truth("mem")
        self.going = plan.digest
        receipt: Receipt | None = None
        with death.at_work():
            try:
                receipt = go()
            except (PlanBlocked, PlanMoved) as error:
                self.trace.append(f"refused: {error.code}")
            except (Unreachable, SettingsError, BridgeError) as error:
                self.trace.append(f"stopped: {error.code}")
            except Died:
                self.bridge.close() if self.bridge else None
                self.bridge = None
        # A run that began is known from now on, whether or not it came to its end.
        for written in self.mine.history.journal.runs():
            if written.entry.body["digest"] == plan.digest:
                self.runs[written.entry.run] = plan
                self.spans.append((written.entry.run, since, len(self.tenant.log)))
                break
        else:
            assert not any(line.write for line in self.tenant.log[since:]), (
                "sent without a run (I2)"
            )
        self._overwrote_nothing(plan, before, since)
        if receipt is not None:
            self._adds_up(plan, receipt, death)
        return receipt

    def _adds_up(self, plan: Plan, receipt: Receipt, death: Death) -> None:
        counted = Counter(o.verdict for o in receipt.outcomes)
        assert sum(receipt.counts.values()) == plan.counts.records, "totals do not add up (I16)"
        assert {v: n for v, n in receipt.counts.items() if n} == dict(counted), "(I16)"
        good = counted[Verdict.DONE] + counted[Verdict.ALREADY]
        assert not receipt.ok or good == plan.counts.records, "ok, and not all is done (I16)"
        if receipt.note or self.late:
            return
        self.trace.append(f"{plan.operation}: {dict(receipt.counts)}")

    def _overwrote_nothing(self, plan: Plan, before: Any, since: int) -> None:
        """I12: what was alive before a restore is as it was, but for marks and lookups put back."""
        if plan.operation is not Operation.RESTORE:
            return
        for one, was in before.items():
            now = self.world.truth("mem")[one]
            if was.state != "live":
                continue
            assert now.state == "live", (one, "a restore took it (I12)")
            for name, value in was.own.items():
                if name != "crm_bridge_status":
                    assert now.own.get(name) == value, (one, name, "was overwritten (I12)")

    # --- others ----------------------------------------------------------------------------------------

    @rule(at=index, at_call=st.integers(1, 12))
    @precondition(lambda self: self.plans)
    def second_runner(self, at: int, at_call: int) -> None:
        """While one run sends, another program tries to, on the same org: it is told to wait."""
        plan = self.plans[at % len(self.plans)]
        some = self.pick(("live",), "Lead", at, 1)
        met: list[str] = []

        def meanwhile(verb: str) -> None:
            if len(death.steps) < at_call or met or verb in ("read", "find", "whoami", "total"):
                return
            met.append("")
            held = death.during
            death.during = None
            other = self.open("other.db")
            since = len(self.tenant.log)
            try:
                other.apply(other.plan("delete", some, reason="r", code="left"))
            except BridgeError as error:
                met[0] = error.code
            finally:
                other.close()
                death.during = held
            wrote = any(line.write for line in self.tenant.log[since:])
            assert not wrote, "two runs wrote one org at once (I13)"

        death = Death()
        death.during = meanwhile if some else None
        self._go(plan, lambda: self.mine.apply(plan, confirm=plan.confirm), death)

    @rule(at=index)
    @precondition(lambda self: self.plans)
    def swap_org(self, at: int) -> None:
        """The settings lead to another org now; nothing is written there."""
        plan = self.plans[at % len(self.plans)]
        since = len(self.world["mem2"].log)
        known = self.mine.history.journal.find_plan(plan.digest)
        other = self.open(account="mem2")
        try:
            other.apply(plan, confirm=plan.confirm)
        except BridgeError as error:
            self.trace.append(f"swapped: {error.code}")
        else:
            assert known, "a plan for one org was applied to another"
        finally:
            other.close()
        assert not any(line.write for line in self.world["mem2"].log[since:])

    @rule(
        name=st.sampled_from(FAULTS),
        on=st.sampled_from(("write", "read", "")),
        times=st.integers(1, 3),
    )
    def trouble(self, name: str, on: str, times: int) -> None:
        lies = name in ("lies_done", "lies_failed", "wrong_ids", "rows_missing")
        self.world.trouble("mem", name, times=times, on="write" if lies else on)

    @rule(times=st.integers(1, 2))
    def ghost(self, times: int) -> None:
        """The next writes arrive after their sender gave up, within the settle time."""
        self.ghosts += times

    @rule(kind=st.sampled_from(KINDS), at=index, text=st.sampled_from(("x", "", "é\u202e", "0")))
    def vendor_edit(self, kind: str, at: int, text: str) -> None:
        self._act("edit", kind, at, fields={"note": text})

    @rule(
        kind=st.sampled_from(KINDS),
        at=index,
        act=st.sampled_from(("delete", "lock", "unlock", "require_approval")),
    )
    def vendor_act(self, kind: str, at: int, act: str) -> None:
        self._act(act, kind, at)

    def _act(self, act: str, kind: str, at: int, **more: Any) -> None:
        some = self.pick(("live",), kind, at, 1)
        if some:
            self.world.act("mem", act, kind, [some[0].partition("/")[2]], **more)

    @rule(at=index)
    def vendor_restore(self, at: int) -> None:
        binned = [e for e in self.tenant.records.values() if e.state == "deleted"]
        if binned:
            self.tenant.restore(binned[at % len(binned)].id)

    @rule(at=index, passed=st.booleans())
    def approval(self, at: int, passed: bool) -> None:
        waiting = [e for e in self.tenant.records.values() if e.state == "pending"]
        if waiting:
            one = waiting[at % len(waiting)]
            self.world.act("mem", "approve" if passed else "reject", one.kind, [one.id])

    @rule(at=index)
    def merge(self, at: int) -> None:
        some = self.pick(("live",), "Lead", at, 2)
        if len(some) == 2:
            loser, winner = (one.partition("/")[2] for one in some)
            self.world.act("mem", "merge", "Lead", [loser], into=winner)

    @rule(at=index, kind=st.sampled_from(("Note", "Contact", "Deal")))
    def add_child(self, at: int, kind: str) -> None:
        some = self.pick(("live",), "Company", at, 1)
        if some:
            self.tenant.add(kind, name="new", company=some[0].partition("/")[2])

    @rule(days=st.sampled_from((0, 1, 31)), seconds=st.sampled_from((1.0, 61.0, 400.0)))
    def jump(self, days: int, seconds: float) -> None:
        self.world.turn("mem", timedelta(days=days))
        self.sleep(seconds)

    @rule()
    def fill_bin(self) -> None:
        """The bin overflows: its older half is gone for good."""
        binned = [e.id for e in self.tenant.records.values() if e.state == "deleted"]
        for one in binned[: len(binned) // 2]:
            self.tenant.purge(one)

    # --- what must hold at any time --------------------------------------------------------------------

    @invariant()
    def nothing_is_sent_that_no_plan_names(self) -> None:
        """I5; and I2: each request on the wire has an intent."""
        if self.bridge is None and not self.spans:
            return
        if not self.spans:
            assert not any(line.write for line in self.tenant.log)
            return
        run, since, until = self.spans[-1]
        plan = self.runs[run]
        approved = {ref.id for step in plan.steps for ref in step.refs}
        journal = self.mine.history.journal
        extra = {
            id_
            for written in journal.entries(run, ("intent",))
            for id_ in written.entry.body["ids"]
        }
        for line in self._sent_by(run, since, until):
            if line.write:
                assert set(line.ids) <= extra, "a request without an intent (I2)"
                if line.method in ("delete", "purge", "make_job", "start_job"):
                    assert set(line.ids) <= approved, "a request beyond the plan (I5)"

    def _sent_by(self, run: str, since: int, until: int) -> list[Any]:
        """What arrived between two moments, but for ghosts that another run had sent."""
        digest = self.runs[run].digest
        return [
            line
            for line in self.tenant.log[since:until]
            if self.strays.get(line.n, digest) == digest
        ]

    @invariant()
    def nothing_is_done_twice(self) -> None:
        """I3: at most one applied effect for each plan and record."""
        count: Counter[tuple[str, str, str]] = Counter()
        for run, since, until in self.spans:
            for line in self._sent_by(run, since, until):
                if line.write and line.method in ("delete", "purge", "restore", "create"):
                    changed = {one.partition("/")[2] for one in line.changed}
                    hit = set(line.ids) if line.method == "create" and changed else changed
                    for one in hit & set(line.ids):
                        count[run, line.method, one] += 1
        twice = [key for key, n in count.items() if n > 1]
        assert not twice, f"done twice (I3): {twice}"

    def teardown(self) -> None:
        """Once faults stop, one resume of each run settles everything (I23, I7)."""
        try:
            self.tenant.faults.clear()
            self.ghosts = 0
            self.sleep(SETTLE)
            for run in list(self.runs):
                receipt = self._go(self.runs[run], lambda run=run: self.mine.resume(run), Death())
                if receipt is None:
                    continue
                for outcome in receipt.outcomes:
                    code = outcome.problem.code if outcome.problem else ""
                    assert code != "not_sent", (run, outcome)
            if (self.folder / "journal.db").exists():
                assert self.mine.check_journal().ok
        finally:
            if self.bridge is not None:
                self.bridge.close()
            self.stack.close()


quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "soak",
    max_examples=2000,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=quiet,
    print_blob=True,
)
short = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=quiet,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)

TestAnyOrder = AnyOrder.TestCase
soaking = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
TestAnyOrder.settings = settings.get_profile("soak") if soaking else short


def test_the_same_seed_gives_the_same_trace() -> None:
    def once() -> list[str]:
        machine = AnyOrder()
        try:
            machine.plan("delete", "Lead", 0, 5)
            machine.trouble("cut_after", "write", 1)
            machine.apply_and_die(0, 17, True)
            machine.resume(0)
            machine.plan_restore(0, False)
            machine.apply(1)
            told = [f"{line.method} {line.ids} {line.changed}" for line in machine.tenant.log]
            return [*machine.trace, *told]
        finally:
            machine.teardown()

    assert once() == once()


def test_the_same_seed_gives_the_same_trace_of_anything_in_any_order() -> None:
    def once() -> list[list[str]]:
        traces: list[list[str]] = []

        class Told(AnyOrder):
            def teardown(self) -> None:
                super().teardown()
                told = [f"{line.method} {line.ids} {line.changed}" for line in self.tenant.log]
                traces.append([*self.trace, *told])

        few = settings(short, max_examples=4, database=None, derandomize=False)
        run_state_machine_as_test(seed(20261125)(Told), settings=few)
        return traces

    first = once()
    assert any(len(trace) > 10 for trace in first)
    assert once() == first
