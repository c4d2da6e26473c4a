"""What a report is made of: from the journal for a run, and from the accounts for a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crm_bridge.errors import BridgeError
from crm_bridge.model.records import RecordRef
from crm_bridge.report.matter import Line, Matter

if TYPE_CHECKING:
    from crm_bridge.bridge import Bridge
    from crm_bridge.model.abilities import Operation
    from crm_bridge.model.plans import Plan
    from crm_bridge.model.records import Record


def of_plan(bridge: Bridge, plan: Plan) -> Matter:
    """A plan that was not carried out; its records are read as they are now."""

    def lines() -> Iterator[Line]:
        for number, step in enumerate(plan.steps, 1):
            if step.after is None:
                for target in step.targets:
                    yield Line(target.ref, number, source=target.source)
        for came in plan.settled:
            yield Line(came.ref, None, came)

    notes: list[str] = []

    def records(some: Sequence[Line]) -> Mapping[RecordRef, Record]:
        return _read(bridge, [line.ref for line in some], notes)

    # What goes along is named and counted in the plan; to read all of it would take as many calls
    # as the plan itself did.
    return Matter(
        plan,
        lines,
        records,
        lambda refs: {},
        _marks(bridge),
        datetime.now(UTC),
        notes=notes,
        chinese=_chinese(bridge, plan),
    )


def of_run(bridge: Bridge, run: str) -> Matter:
    """A run: its records as they were kept right before they were touched; nobody is asked.

    Raises:
        SettingsError: There is no such run.
    """
    from crm_bridge.bridge import RunSummary
    from crm_bridge.engine.remember import summarized

    plan, journal = bridge.plan_of(run), bridge.history.journal
    summary = RunSummary(*summarized(bridge.history, run))

    def lines() -> Iterator[Line]:
        targets: Iterator[tuple[int, list[Any]]] = iter(())
        now = None
        for step, _, outcomes in bridge.history.pages(run):
            if step < 0:
                yield from (Line(came.ref, None, came) for came in outcomes)
                continue
            if step != now:
                targets, now = bridge.history.targets(run, step), step
            _, some = next(targets)
            for target, came in zip(some, outcomes, strict=True):
                yield Line(target.ref, step + 1, came, target.source)

    def records(some: Sequence[Line]) -> Mapping[RecordRef, Record]:
        found: dict[RecordRef, Record] = {}
        sources: dict[str, dict[RecordRef, RecordRef]] = {}
        for line in some:
            then, _, address = line.source.partition(" ")
            there = sources.setdefault(then or run, {})
            there[RecordRef.parse(address) if address else line.ref] = line.ref
        for then, refs in sources.items():
            for ref, record in journal.snapshots(then, list(refs)).items():
                found[refs[ref]] = record
        return found

    def along(refs: Sequence[RecordRef]) -> Mapping[RecordRef, Record]:
        return journal.snapshots(run, refs)

    return Matter(
        plan,
        lines,
        records,
        along,
        _marks(bridge),
        datetime.now(UTC),
        bridge.receipt(run),
        summary.started,
        summary.state,
        chinese=_chinese(bridge, plan),
    )


def _chinese(bridge: Bridge, plan: Plan) -> dict[str, str]:
    """What the plugins of a plan's vendors say, in Chinese; one that is not there says nothing."""
    found: dict[str, str] = {}
    for vendor in {target.vendor for target in plan.targets.values()}:
        try:
            found.update(bridge.registry.adapter_class(vendor).profile.chinese)
        except BridgeError:
            continue
    return found


def _read(bridge: Bridge, refs: Sequence[RecordRef], notes: list[str]) -> dict[RecordRef, Record]:
    """The records as they are now; what cannot be read is left out, and said so once."""
    by_kind: dict[tuple[str, str], list[RecordRef]] = {}
    for ref in refs:
        by_kind.setdefault((ref.crm, ref.kind), []).append(ref)
    found: dict[RecordRef, Record] = {}
    for (crm, _), some in by_kind.items():
        try:
            records = bridge.accounts.connected(crm).read(some)
        except BridgeError as error:
            note = f"{crm}: names and fields could not be read: {error.summary}"
            if note not in notes:
                notes.append(note)
            continue
        found.update((ref, record) for ref, record in records.items() if not record.unreadable)
    return found


def _marks(bridge: Bridge) -> Callable[[str, str, Operation], Mapping[str, Any]]:
    """The fields that a mark writes, as the settings have them; nobody is asked."""
    from crm_bridge.engine.accounts import with_marks

    def marks(crm: str, kind: str, operation: Operation) -> Mapping[str, Any]:
        try:
            adapter, settings = bridge.accounts.adapter(crm), bridge.accounts.settings(crm)
        except BridgeError:
            return {}  # the account is not in the settings any more
        return with_marks(adapter.profile, settings.marks).marks_for(kind, operation)

    return marks
