"""What every adapter owes the bridge, as tests: each promise a sentence.

An adapter whose plugin brings a simulator needs four lines:

    from crm_bridge.testing.contract import AdapterContract
    from crm_bridge_acme import Acme

    class TestAcme(AdapterContract):
        adapter_class = Acme

Without a simulator give the fixture `ground` a `Ground` of your own. Rows that say NOT_YET or NEVER
skip with their note as the reason; so does what a ground or a vendor cannot do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from crm_bridge.kit import Adapter, Capability, Operation, Support
from crm_bridge.testing.bench import WRITES, Bench, connect
from crm_bridge.testing.ground import Ground, SimulatedGround, positions

pytest.register_assert_rewrite("crm_bridge.testing.promises")

from crm_bridge.testing.promises.addresses import Addresses  # noqa: E402
from crm_bridge.testing.promises.facts import NOES, Facts  # noqa: E402
from crm_bridge.testing.promises.identity import Identity  # noqa: E402
from crm_bridge.testing.promises.making import Making  # noqa: E402
from crm_bridge.testing.promises.manners import Manners  # noqa: E402
from crm_bridge.testing.promises.reads import Reads  # noqa: E402
from crm_bridge.testing.promises.relations import Relations  # noqa: E402
from crm_bridge.testing.promises.searches import Searches  # noqa: E402
from crm_bridge.testing.promises.trouble import Trouble  # noqa: E402
from crm_bridge.testing.promises.verbs import Verbs  # noqa: E402

if TYPE_CHECKING:
    from crm_bridge.simulator import VendorSimulator

CORE: Final = frozenset(
    {
        "test_a_missing_record_is_gone_and_hides_no_other",
        "test_it_leads_where_the_row_says",
        "test_what_was_taken_away_comes_back_whole",
    }
)
"""Promises that are tried under each position also where pytest is told `--positions=some`."""

Position = tuple[str, Any] | None
"""A switch and where it stands; None for all at their defaults."""


class AdapterContract(
    Facts, Addresses, Searches, Reads, Verbs, Making, Relations, Identity, Trouble, Manners
):
    """All promises, for one adapter.

    Attributes:
        adapter_class: The adapter.
        simulator_class: Its vendor's simulator; the plugin's own where none is named.
        companies: Companies and leads in the simulator.
        fields: Kind to its field of text and its field of numbers, where the suite chooses wrongly.
        troubles: Troubles that this vendor words in its own way, as `TROUBLES` spells them.
        blind: Verbs whose answer names no rows: a missing record looks done until it is read back.
    """

    adapter_class: ClassVar[Any] = None
    simulator_class: ClassVar[type[VendorSimulator] | None] = None
    companies: ClassVar[int] = 60
    fields: ClassVar[Mapping[str, tuple[str, str]]] = {}
    troubles: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    blind: ClassVar[frozenset[tuple[Operation, Support]]] = frozenset()

    # --- the ground ------------------------------------------------------------------------------

    @pytest.fixture(scope="class")
    @classmethod
    def ground(cls) -> Iterator[Ground]:
        """The vendor's side: here a simulator on loopback, started once for all promises."""
        from crm_bridge.simulator import serving

        found = cls.simulator()
        if found is None:
            raise TypeError(
                f"{cls.__name__} has no ground: let the plugin provide a simulator, name "
                "one as simulator_class, or give the fixture `ground` a Ground of your own."
            )
        simulator = found(records=cls.companies, limits=False)
        with serving(simulator) as url:
            yield SimulatedGround(simulator, url, cls.troubles)

    @pytest.fixture
    def position(self) -> Position:
        """Where the switches stand; promises that touch them are tried under each position."""
        return None

    @pytest.fixture
    def bench(
        self,
        ground: Ground,
        position: Position,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[Bench]:
        """The first account, its records as they began; no request may pass by the gate."""
        # Tokens that processes share would outlive the reset of the vendor that gave them.
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        ground.reset()
        if position is not None:
            ground.switch(*position)
        bench = self._connected(ground, ground.crms[0])
        bench.strict = position is None
        yield bench
        bench.adapter.close()
        ground.close()

    @pytest.fixture
    def other(self, bench: Bench) -> Iterator[Bench]:
        """The second account of the same vendor."""
        other = self._connected(bench.ground, bench.ground.crms[1])
        yield other
        other.adapter.close()

    def _connected(self, ground: Ground, crm: str) -> Bench:
        bench = connect(self.adapter_class, ground, crm)
        bench.fields = self.fields
        return bench

    # --- what promises are tried with ------------------------------------------------------------

    @classmethod
    def simulator(cls) -> type[VendorSimulator] | None:
        """The simulator to run against: the one named, or the one that the plugin gives."""
        if cls.simulator_class is not None:
            return cls.simulator_class
        plugin = importlib.import_module(cls.adapter_class.__module__.partition(".")[0])
        given: list[Any] = list(getattr(plugin, "provide_simulators", tuple)())
        return next((s for s in given if s.vendor == cls.adapter_class.profile.vendor), None)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Try a promise for each row of the profile that it speaks of, and each position."""
        if self.adapter_class is None:
            raise TypeError(f"{type(self).__name__} names no adapter_class")
        profile = self.adapter_class.profile
        tried = self._tried(metafunc)
        for name, fits in ROWS.items():
            if name not in metafunc.fixturenames:
                continue
            rows = [row for row in profile.capabilities if fits(row)]
            ids = [_name(row, rows) for row in rows]
            if len(tried) > 1 and _some(metafunc) and rows:
                # Each row where the switches stand, and each position with one row after another.
                turns = [n % len(rows) for n in range(len(tried) - 1)]
                pairs = [
                    *((row, None) for row in rows),
                    *zip([rows[n] for n in turns], tried[1:], strict=True),
                ]
                named = [f"{ids[n]}-{_at(one)}" for n, one in zip(turns, tried[1:], strict=True)]
                metafunc.parametrize((name, "position"), pairs, ids=[*ids, *named])
                tried = []
            else:
                metafunc.parametrize(name, rows, ids=ids)
        if "rule" in metafunc.fixturenames:
            ids = [f"{r.kind}-{r.child}-{r.via}" for r in profile.cascades]
            metafunc.parametrize("rule", profile.cascades, ids=ids)
        if tried:
            metafunc.parametrize("position", tried, ids=[_at(one) for one in tried])

    @classmethod
    def _tried(cls, metafunc: pytest.Metafunc) -> list[Position]:
        """Where the switches stand for one promise; none where it does not ask."""
        if not hasattr(metafunc.function, "every_position"):
            return []
        if _some(metafunc) and metafunc.function.__name__ not in CORE:
            return [None]
        simulator = cls.simulator()
        return [None, *(positions(simulator) if simulator else ())]


class SimulatedContract(AdapterContract):
    """All promises over real HTTP against `simulator_class`, with one switch moved at a time."""


def _some(metafunc: pytest.Metafunc) -> bool:
    return bool(metafunc.config.getoption("positions", "all") == "some")


def _at(position: Position) -> str:
    return "default" if position is None else f"{position[0]}={position[1]}"


def _taking(row: Capability) -> bool:
    return (
        row.support in (Support.NATIVE, Support.MARKED) and row.operation is not Operation.RESTORE
    )


ROWS: dict[str, Callable[[Capability], bool]] = {
    "no": lambda row: row.support in NOES,
    "row": lambda row: row.support in WRITES,
    "taking": _taking,
    "marked": lambda row: _taking(row) and row.support is Support.MARKED,
    "coming": lambda row: (
        row.operation is Operation.RESTORE and row.support in (Support.NATIVE, Support.MARKED)
    ),
    "making": lambda row: row.support is Support.REMADE,
    "by_hand": lambda row: row.support is Support.BY_HAND,
    "job": lambda row: row.job,
}
"""Names that a promise may ask for, and the rows it then is tried with."""


def _name(row: Capability, rows: list[Capability]) -> str:
    parts = [row.operation.value, row.support.value]
    parts += [row.way] if row.way != "batch" else []
    parts += [row.kinds[0]] if row.kinds else []
    same = [r for r in rows if (r.operation, r.support, r.way, r.kinds[:1]) ==
            (row.operation, row.support, row.way, row.kinds[:1])]  # fmt: skip
    parts += [str(same.index(row) + 1)] if len(same) > 1 else []
    return "-".join(parts)


__all__ = ["Adapter", "AdapterContract", "SimulatedContract"]
