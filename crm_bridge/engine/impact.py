"""What a plan reaches: each relation counted, listed and weighed, each record in one touch only."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.inspect import TAKEN_ALONG, followers, parent_of, rules_for
from crm_bridge.engine.plan import same
from crm_bridge.engine.select import mark_of
from crm_bridge.engine.spool import Spool
from crm_bridge.model.abilities import CascadeRule, Effect, Measure, Operation
from crm_bridge.model.plans import Largest, Lazy, Sum, Touch
from crm_bridge.model.records import Record, RecordRef, is_empty

LARGEST: Final = 3
"""The weightiest records that a touch names."""
LISTED: Final = 20_000
"""Targets up to which what detaches or blocks is listed; beyond, it is only counted."""


@dataclass(slots=True)
class Weight:
    """Sums of what records are worth, and the weightiest of them.

    Attributes:
        sums: (name, currency) to [amount, records].
    """

    sums: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    _largest: list[tuple[Decimal, str, Largest]] = field(default_factory=list)

    def add(self, record: Record, measures: Iterable[Measure]) -> None:
        """Weigh a record by the measures of its kind."""
        for measure in measures:
            if measure.kind != record.ref.kind or _closed(record, measure):
                continue
            amount = _amount(record, measure)
            currency = str(record.fields.get(measure.currency) or "") if measure.currency else ""
            row = self.sums.setdefault((measure.name, currency), [None, 0])
            row[1] += 1
            if amount is not None:
                row[0] = (row[0] or Decimal(0)) + amount
                title = str(record.fields.get(measure.title) or record.ref.id)
                entry = (amount, str(record.ref), Largest(record.ref, title, amount))
                if len(self._largest) < LARGEST:
                    heapq.heappush(self._largest, entry)
                else:
                    heapq.heappushpop(self._largest, entry)

    def told(self) -> tuple[Sum, ...]:
        """The sums, by name and currency."""
        return tuple(
            Sum(name, currency, amount, count)
            for (name, currency), (amount, count) in sorted(self.sums.items())
        )

    def largest(self) -> tuple[Largest, ...]:
        """The weightiest, heaviest first."""
        return tuple(one for _, _, one in sorted(self._largest, key=lambda e: (-e[0], e[1])))


def _closed(record: Record, measure: Measure) -> bool:
    return any(
        any(same(record.fields.get(name), value) for value in values)
        for name, values in measure.closed.items()
    )


def _amount(record: Record, measure: Measure) -> Decimal | None:
    value = record.fields.get(measure.amount) if measure.amount else None
    if is_empty(value) or isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


@dataclass(slots=True)
class _Row:
    """What is known of one relation at one depth."""

    refs: Spool[RecordRef]
    parents: Spool[str]
    count: int | None = 0
    weight: Weight = field(default_factory=Weight)


@dataclass(slots=True)
class TouchBook:
    """Counts what a plan reaches, each record in one touch only, the first that reaches it.

    Attributes:
        selected: Tells the plan's own targets, which are never counted.
        listing: Whether what detaches or blocks is listed as well as counted.
        calls: Calls that reading what follows took, by crm.
    """

    selected: Callable[[RecordRef], bool] = lambda ref: False
    listing: bool = True
    calls: dict[str, int] = field(default_factory=dict)
    _counted: set[int] = field(default_factory=set)
    _rows: dict[tuple[str, CascadeRule, int], _Row] = field(default_factory=dict)

    def reach(
        self, connected: Connected, operations: Collection[Operation], refs: Sequence[RecordRef]
    ) -> None:
        """Add what hangs on these records of one kind, and on what follows them, to any depth.

        Raises:
            BridgeError: A call went wrong.
        """
        if not refs:
            return
        measures = connected.profile.measures
        levels: dict[tuple[int, str], list[RecordRef]] = {(1, refs[0].kind): list(refs)}
        before = connected.guard.calls
        for one in followers(connected, operations, refs, self._left_out):
            row = self._row(connected.crm, one.rule, one.depth)
            self._add(row, one.record.ref, one.parent.id)
            row.weight.add(one.record, measures)
            levels.setdefault((one.depth + 1, one.record.ref.kind), []).append(one.record.ref)
        spent = connected.guard.calls - before
        self.calls[connected.crm] = self.calls.get(connected.crm, 0) + spent
        for (depth, kind), some in sorted(levels.items()):
            rules = [
                rule
                for rule in rules_for(connected, kind, operations)
                if rule.effect not in TAKEN_ALONG
                # What blocks the targets themselves was looked for before: `blockers`.
                and (depth > 1 or rule.effect is not Effect.BLOCKS)
            ]
            work = [(rule, batch) for rule in rules for batch in connected.batches(some)]
            self._others(connected, work, depth)

    def blockers(
        self, connected: Connected, operations: Collection[Operation], refs: Sequence[RecordRef]
    ) -> dict[str, RecordRef]:
        """Ids of records of one kind that something keeps from going, each with the first of that.

        What is a target itself keeps nothing: it goes first. What only may block is told, and tried.

        Raises:
            BridgeError: A call went wrong.
        """
        if not refs:
            return {}
        blocking = [
            rule
            for rule in rules_for(connected, refs[0].kind, operations)
            if rule.effect is Effect.BLOCKS
        ]
        work = [(rule, batch) for rule in blocking for batch in connected.batches(refs)]
        self._others(connected, work, 1)
        found: dict[str, RecordRef] = {}
        named = {ref.id for ref in refs}
        for rule in blocking:
            row = self._row(connected.crm, rule, 1)
            for parent, child in zip(row.parents, row.refs, strict=True):
                if parent in named:
                    found.setdefault(parent, child)
        return found

    def _others(self, connected: Connected, work: list[tuple[CascadeRule, Any]], depth: int) -> None:
        """What detaches or blocks: listed, or only counted."""
        adapter, measures = connected.adapter, connected.profile.measures

        def look(one: tuple[CascadeRule, Any]) -> list[Record] | int | None:
            rule, batch = one
            if self.listing:
                return list(adapter.children(batch, rule))
            return adapter.count(batch, rule)

        order = {id(one): number for number, one in enumerate(work)}
        results = sorted(connected.lanes.each(look, work), key=lambda done: order[id(done[0])])
        for (rule, batch), found in results:
            if isinstance(found, BaseException):
                raise contained(found, connected.crm)
            row = self._row(connected.crm, rule, depth)
            if isinstance(found, list):
                if not found:
                    self._check_listed(connected, row, rule, batch)
                for child in found:
                    if not self._left_out(child.ref):
                        self._add(row, child.ref, parent_of(child, rule, batch).id)
                        row.weight.add(child, measures)
            else:
                row.count = None if row.count is None or found is None else row.count + found

    def _check_listed(self, connected: Connected, row: _Row, rule: CascadeRule, batch: Any) -> None:
        """An adapter that lists nothing may still know a number, or that it does not know."""
        count = connected.adapter.count(batch, rule)
        if count is None:
            row.count = None
        elif count and row.count is not None and not len(row.refs):
            row.count += count

    def _left_out(self, ref: RecordRef) -> bool:
        return self.selected(ref) or mark_of(ref) in self._counted

    def _row(self, crm: str, rule: CascadeRule, depth: int) -> _Row:
        key = (crm, rule, depth)
        if key not in self._rows:

            def decode(row: list[str]) -> RecordRef:
                return RecordRef(crm, *row)

            self._rows[key] = _Row(
                Spool(lambda ref: [ref.kind, ref.id], decode), Spool(str, str)
            )
        return self._rows[key]

    def _add(self, row: _Row, ref: RecordRef, parent: str) -> None:
        self._counted.add(mark_of(ref))
        row.refs.append(ref)
        row.parents.append(parent)
        row.count = None if row.count is None else row.count + 1

    def touches(self) -> tuple[Touch, ...]:
        """What was reached, relations without a record left out; those nearer to the targets first."""
        return tuple(
            Touch(
                crm, rule, row.count, row.refs, depth, row.parents, row.weight.told(),
                row.weight.largest(),
            )
            for (crm, rule, depth), row in sorted(
                self._rows.items(), key=lambda item: (item[0][2], _order(item[0][1]))
            )
            if row.count != 0
        )


def _order(rule: CascadeRule) -> tuple[int, str, str]:
    return list(Effect).index(rule.effect), rule.child, rule.via


def pairs(touch: Touch) -> Iterator[tuple[str, RecordRef]]:
    """(id of the parent, child) for each record of a touch that was listed."""
    refs: Lazy[RecordRef] = touch.refs
    yield from zip(touch.parents, refs, strict=False)
