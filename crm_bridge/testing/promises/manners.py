"""How an adapter behaves towards the house it lives in."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import Any, ClassVar

from crm_bridge.kit import Adapter, Finding, Operation, Outcome, Profile, State, Verdict
from crm_bridge.testing.bench import Bench, connect

LOOK = """
import sys
import crm_bridge.kit
before = set(sys.modules)
__import__({module!r})
print("\\n".join(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""


class Manners:
    """Promises about laziness, the gate, and the small questions."""

    adapter_class: ClassVar[Any]

    def test_the_plugin_gives_the_adapter(self) -> None:
        plugin = importlib.import_module(_root(self.adapter_class))
        given = list(plugin.provide_adapters())
        assert self.adapter_class in given

    def test_importing_the_adapter_imports_no_client(self) -> None:
        code = LOOK.format(module=self.adapter_class.__module__)
        paths = os.pathsep.join(path for path in sys.path if path)
        told = subprocess.run(  # noqa: S603
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        own = {_root(self.adapter_class).partition(".")[0], "crm_bridge"}
        strange = set(told) - set(sys.stdlib_module_names) - own
        assert not strange, f"imported before connect(): {sorted(strange)}"

    def test_connecting_sends_nothing(self, bench: Bench) -> None:
        before = bench.ground.count()
        connect(self.adapter_class, bench.ground, bench.crm)
        assert bench.ground.count() == before

    def test_an_adapter_knows_its_account(self, bench: Bench) -> None:
        assert isinstance(bench.adapter, Adapter)
        assert bench.adapter.crm == bench.crm
        assert isinstance(bench.adapter.profile, Profile)

    def test_every_request_passes_the_gate(self, bench: Bench) -> None:
        bench.adapter.whoami()
        for kind in bench.kinds:
            refs = [record.ref for record in bench.adapter.find(kind)][:3]
            list(bench.adapter.read(bench.batch(None, refs)))
            bench.adapter.total(kind)
            for rule in bench.adapter.relations(kind):
                bench.adapter.count(bench.batch(None, refs), rule)
                list(bench.adapter.children(bench.batch(None, refs), rule))
        list(bench.adapter.examine())
        assert bench.ground.count() > 0
        assert bench.gate.settle() == 0

    def test_total_is_the_truth_or_nothing(self, bench: Bench) -> None:
        for kind in bench.kinds:
            assert bench.adapter.total(kind) in (None, len(bench.live(kind)))

    def test_a_page_is_for_a_person(self, bench: Bench) -> None:
        for kind in bench.kinds:
            (ref,) = bench.plain(kind, 1)
            for state in (State.LIVE, State.DELETED, None):
                page = bench.adapter.page(ref, state)
                assert page is None or page.startswith(("https://", "http://127.0.0.1")), page
                assert page is None or not any(secret in page for secret in bench.secrets())

    def test_a_precheck_gives_findings_or_outcomes(self, bench: Bench) -> None:
        records = list(bench.read(bench.plain(bench.kinds[0], 3)).values())
        asked = {record.ref for record in records}
        for operation in Operation:
            for told in bench.adapter.precheck(operation, records):
                assert isinstance(told, (Finding, Outcome))
                if isinstance(told, Outcome):
                    assert told.ref in asked
                    assert told.verdict in (Verdict.SKIPPED, Verdict.FAILED)
                    assert told.problem is not None

    def test_a_precheck_of_nothing_is_nothing_to_settle(self, bench: Bench) -> None:
        for operation in Operation:
            told = list(bench.adapter.precheck(operation, []))
            assert not any(isinstance(one, Outcome) for one in told)

    def test_setup_says_what_it_makes_and_touches_no_record(self, bench: Bench) -> None:
        before = bench.truth()
        for told in bench.adapter.prepare():
            assert isinstance(told, Finding)
        assert bench.truth() == before
        assert len(bench.gate.told) == len(bench.writes())
        assert all(refs == () for refs in bench.gate.told)

    def test_an_examination_is_told_in_lines(self, bench: Bench) -> None:
        for name, ok, summary in bench.adapter.examine():
            assert isinstance(name, str)
            assert isinstance(ok, bool)
            assert isinstance(summary, str)
            assert not any(secret in summary for secret in bench.secrets())

    def test_a_healthy_account_is_found_healthy(self, bench: Bench) -> None:
        for name, ok, summary in bench.adapter.examine():
            assert ok, (name, summary)

    def test_an_adapter_may_be_closed_twice(self, bench: Bench) -> None:
        bench.adapter.whoami()
        bench.adapter.close()
        bench.adapter.close()

    def test_an_adapter_that_never_called_may_be_closed(self, bench: Bench) -> None:
        connect(self.adapter_class, bench.ground, bench.crm).adapter.close()

    def test_a_repr_holds_no_secret(self, bench: Bench) -> None:
        bench.adapter.whoami()
        told = f"{bench.adapter!r} {bench.adapter!s} {bench.settings!r}"
        assert not any(secret in told for secret in bench.secrets())

    def test_an_adapter_keeps_no_records(self, bench: Bench) -> None:
        kind = bench.kinds[0]
        (ref,) = bench.plain(kind, 1)
        bench.read([ref])
        start = bench.last()
        bench.read([ref])
        if not bench.arrived(start):
            raise AssertionError("a read was answered from memory, and the vendor was not asked")


def _root(adapter: type[Adapter]) -> str:
    root = adapter.__module__.partition(".")[0]
    return adapter.__module__ if root == "crm_bridge" else root
