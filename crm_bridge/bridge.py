"""Bridge: the street in one file. STUB WITH THE CONTRACT that the command line calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from crm_bridge.model.abilities import Capability, CascadeRule, Operation
from crm_bridge.model.plans import Finding, Plan
from crm_bridge.model.records import Condition, Record, RecordRef, State
from crm_bridge.model.results import Event, Outcome, Receipt, Verdict


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of `runs`."""

    run: str
    operation: Operation
    started: datetime
    by: str
    reason: str
    code: str | None
    crms: tuple[str, ...]
    state: str  # finished | unfinished
    counts: Mapping[Verdict, int]


@dataclass(frozen=True, slots=True)
class Expiring:
    """A line of `expiring`."""

    run: str
    crm: str
    kind: str
    count: int
    until: datetime
    guaranteed: bool


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A line of `doctor`."""

    crm: str
    name: str
    ok: bool
    summary: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A line of `matrix`."""

    vendor: str
    title: str
    kind: str
    """`*` where the row is for every kind."""
    capability: Capability


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one operation on one kind of one vendor."""

    vendor: str
    kind: str
    operation: Operation
    rows: tuple[Capability, ...]
    way_back: tuple[Capability, ...]
    cascades: tuple[CascadeRule, ...]


@dataclass(frozen=True, slots=True)
class PluginLine:
    """A line of `plugins`."""

    name: str
    vendor: str
    version: str
    loaded: bool


class Bridge:
    """One door in."""

    config_path: Path | None

    @classmethod
    def open(cls, config: str | Path | None = None, *, observers: Iterable[Any] = ()) -> Self:
        """Settings file, or None for ./crm_bridge.toml, then the user's config folder. Raises SettingsError.

        observers: pluggy plugin objects with `@hookimpl def observe(self, event)`.
        Opens nothing but the settings; the journal opens at the first need, an account at its first use."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

    def find(self, target: str, *where: str | Condition, state: State | str | None = None,
             native: str | None = None, fields: Sequence[str] = (), limit: int | None = None) -> Iterable[Record]:
        """Lazy, re-iterable; target is `crm:Kind`. Default state: live, marked ones left out."""

    def plan(self, operation: Operation | str, targets: Any, *, where: Sequence[str | Condition] = (), reason: str = "",
             code: str | None = None, remake: bool = False, limit_records: int | None = 1000,
             limit_share: float | None = 0.5, on_conflict: str = "skip", only: Sequence[Any] = (),
             native: str | None = None, kind: str | None = None) -> Plan:
        """targets: iterable of refs, strings ("crm:Kind/id" or ONE "crm:Kind" with where/native), records;
        a Path (file of ids; `kind`="crm:Kind" where the file has only `id`); a Receipt; a run id "r-..." for restore."""

    def save_plan(self, plan: Plan, path: str | Path) -> None: ...
    def load_plan(self, path: str | Path) -> Plan:
        """Raises PlanBlocked code `stale` where the digest does not hold."""

    def apply(self, plan: Plan | str | Path, *, confirm: str | None = None) -> Receipt: ...
    def resume(self, run: str) -> Receipt: ...
    def verify(self, run: str) -> Receipt: ...
    def receipt(self, run: str) -> Receipt: ...
    def plan_of(self, run: str) -> Plan: ...
    def stop(self) -> None:
        """Called from a signal handler: finish the batch in flight, then end the run (receipt.halted == "signal")."""
    def runs(self) -> list[RunSummary]: ...
    def attention(self) -> list[RunSummary]:
        """Runs with pending, unknown, by_hand, failed or unfinished."""
    def expiring(self, within: timedelta | str = "7d") -> list[Expiring]: ...
    def matrix(self, vendor: str | None = None) -> list[MatrixRow]:
        """Works without settings too (classmethod-like use: Bridge.matrix_of(vendor))."""
    def explain(self, vendor: str, kind: str, operation: Operation | str) -> Explanation: ...
    def doctor(self, crm: str | None = None) -> Iterator[CheckLine]: ...
    def setup(self, crm: str, *, apply: bool = False) -> list[Finding]:
        """apply=False: what it would create; apply=True creates and journals it."""
    def plugins(self) -> list[PluginLine]: ...
    def check_journal(self) -> Any:
        """journal.store.Check"""
    def export_journal(self) -> Iterator[Mapping[str, Any]]: ...
