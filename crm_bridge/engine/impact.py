"""What a plan reaches: each relation counted, listed and weighed, each record in one touch only."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Final

from crm_bridge.adapter import Adapter
from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.inspect import (
    TAKEN_ALONG,
    Parents,
    Reach,
    begin_followers,
    followers,
    rules_for,
)
from crm_bridge.engine.lanes import HELD, Begun, batched
from crm_bridge.engine.plan import same
from crm_bridge.engine.select import mark_of
from crm_bridge.engine.spool import Spool
from crm_bridge.guard import Counted
from crm_bridge.model.abilities import CascadeRule, Effect, Measure, Operation
from crm_bridge.model.plans import Largest, Lazy, Sum, Touch
from crm_bridge.model.records import Record, RecordRef, is_empty

LARGEST: Final = 3
"""The weightiest records that a touch names."""
_AT_ONCE: Final = HELD
"""Parents that are asked about together."""

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
    """What is known of one relation, and how near to the targets it was first met."""

    refs: Spool[RecordRef]
    parents: Spool[str]
    depth: int
    count: int | None = 0
    weight: Weight = field(default_factory=Weight)
    later: list[tuple[RecordRef, str]] = field(default_factory=list)


_Key = tuple[str, frozenset[Operation], int, str]
"""Crm, what is done to the targets, how deep the parents lie, and their kind."""

_Found = list[Record] | int | None


@dataclass(frozen=True, slots=True, eq=False)
class Reaching:
    """What hangs right on some records, which is being asked, and the calls that it takes."""

    begun: Begun[Reach, list[Record]]
    counted: Counted


@dataclass(slots=True)
class _Ahead:
    """Targets, the first of their kind, about which it was asked ahead what detaches from them."""

    parents: int = 0
    begun: list[Begun[Reach, _Found]] = field(default_factory=list)


def _told(connected: Connected, begun: Begun[Reach, _Found]) -> Iterator[tuple[Reach, _Found]]:
    """What was found for each, in order; raises what any of them met."""
    for one, found in begun.in_order():
        if isinstance(found, BaseException):
            raise contained(found, connected.crm)
        yield one, found


def _others_of(
    connected: Connected, operations: Collection[Operation], depth: int, refs: Sequence[RecordRef]
) -> list[Reach]:
    """What is to be asked about records of one kind, apart from what goes along with them."""
    rules = [
        rule
        for rule in rules_for(connected, refs[0].kind, operations)
        # What blocks the targets themselves is looked for before.
        if rule.effect not in TAKEN_ALONG and (depth > 1 or rule.effect is not Effect.BLOCKS)
    ]
    return [(batch, rule) for rule in rules for batch in connected.parents(refs)]


def _spool(crm: str) -> Spool[RecordRef]:
    return Spool(lambda ref: [ref.kind, ref.id], lambda row: RecordRef(crm, *row))


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


@dataclass(slots=True)
class TouchBook:
    """Counts what a plan reaches, each record in one touch only, the first that reaches it.

    Attributes:
        selected: Tells the plan's own targets, which are never counted.
        listing: Whether what detaches or blocks is listed as well as counted.
        calls: Calls that reading what follows took, by crm.
        loosened: Targets that name what goes; those of them that stay lose a tie.
    """

    selected: Callable[[RecordRef], bool] = lambda ref: False
    listing: bool = True
    calls: dict[str, int] = field(default_factory=dict)
    loosened: set[RecordRef] = field(default_factory=set)
    _counted: set[int] = field(default_factory=set)
    _rows: dict[tuple[str, CascadeRule], _Row] = field(default_factory=dict)
    _parents: dict[_Key, Spool[RecordRef]] = field(default_factory=dict)
    _ahead: dict[_Key, _Ahead] = field(default_factory=dict)
    _reaching: list[Reaching] = field(default_factory=list)

    def begin_reach(
        self, connected: Connected, operations: Collection[Operation], refs: Sequence[RecordRef]
    ) -> Reaching | None:
        """Have it asked what hangs right on these, most of which will go; for `reach`.

        None for few records, which gain nothing by it, and of which all may yet turn out to stay.
        """
        if len(refs) <= connected.profile.read_batch:
            return None
        with connected.guard.counting() as counted:
            reaching = Reaching(begin_followers(connected, operations, refs), counted)
        self._reaching.append(reaching)
        return reaching

    def reach(
        self,
        connected: Connected,
        operations: Collection[Operation],
        refs: Sequence[RecordRef],
        reaching: Reaching | None = None,
    ) -> None:
        """Add what follows these records of one kind, to any depth.

        Args:
            connected: The account.
            operations: What is done to them.
            refs: Those that go.
            reaching: `begin_reach` of these and others.

        Raises:
            BridgeError: A call went wrong.
        """
        if reaching is not None:
            self._reaching.remove(reaching)
        if not refs:
            if reaching is not None:
                reaching.begun.drop()
            return
        measures, crm = connected.profile.measures, connected.crm
        key = (crm, frozenset(operations))
        parents = self._parents_at(*key, 1, refs[0].kind)
        for ref in refs:
            parents.append(ref)
        if reaching is None:
            with connected.guard.counting() as counted:
                reaching = Reaching(begin_followers(connected, operations, refs), counted)
        # What is asked at the end needs nothing of this, and fills lanes that wait for a slow answer.
        self._begin_others(connected, operations, refs)
        with connected.guard.counting() as deeper:
            for one in followers(connected, operations, refs, self._left_out, begun=reaching.begun):
                row = self._row(crm, one.rule, one.depth)
                self._add(row, one.record.ref, one.parent.id)
                row.weight.add(one.record, measures)
                below = one.record.ref
                self._parents_at(*key, one.depth + 1, below.kind).append(below)
        made = reaching.counted.calls + deeper.calls
        self.calls[crm] = self.calls.get(crm, 0) + made

    def _begin_others(
        self, connected: Connected, operations: Collection[Operation], refs: Sequence[RecordRef]
    ) -> None:
        """Have it asked already what detaches from these targets, where few enough are held."""
        key = (connected.crm, frozenset(operations), 1, refs[0].kind)
        ahead = self._ahead.setdefault(key, _Ahead())
        # Whoever was not asked about is asked about at the end, from the first of them on.
        if ahead.parents != len(self._parents[key]) - len(refs):
            return
        if sum(one.parents for one in self._ahead.values()) + len(refs) > _AT_ONCE:
            return
        ahead.parents += len(refs)
        if work := _others_of(connected, operations, 1, refs):
            ahead.begun.append(self._begin(connected, work))

    def drop(self) -> None:
        """Ask no more: nobody wants the plan."""
        for reaching in self._reaching:
            reaching.begun.drop()
        for ahead in self._ahead.values():
            for begun in ahead.begun:
                begun.drop()

    def blockers(
        self, connected: Connected, operations: Collection[Operation], refs: Sequence[RecordRef]
    ) -> dict[str, RecordRef]:
        """Ids of records of one kind that something keeps from going, each with the first of that.

        What is a target itself keeps nothing: it goes first. What only may block is told, and tried.

        Raises:
            BridgeError: A call went wrong.
        """
        blocking = [
            rule
            for rule in (rules_for(connected, refs[0].kind, operations) if refs else ())
            if rule.effect is Effect.BLOCKS
        ]
        work = [(batch, rule) for rule in blocking for batch in connected.parents(refs)]
        found: dict[str, RecordRef] = {}
        for (batch, rule), children in _told(connected, self._begin(connected, work)):
            row = self._row(connected.crm, rule, 1)
            if not isinstance(children, list):
                row.count = _sum(row.count, children)
                continue
            parents = Parents(batch)
            for child in children:
                if self.selected(child.ref):
                    continue
                parent = parents.of(child, rule)
                found.setdefault(parent.id, child.ref)
                # Counted at the end: it may yet turn out to follow something.
                row.later.append((child.ref, parent.id))
                row.weight.add(child, connected.profile.measures)
        return found

    def finish(self, connected: Connected) -> None:
        """Add what detaches or blocks, now that all that follows is known.

        Raises:
            BridgeError: A call went wrong.
        """
        crm, blocking = connected.crm, set[int]()
        for (name, _), row in list(self._rows.items()):
            for ref, parent in row.later if name == crm else ():
                if not self._left_out(ref) and mark_of(ref) not in blocking:
                    self._add(row, ref, parent)
                    # What keeps one target may lose its tie to another one, which goes.
                    self._counted.discard(mark_of(ref))
                    blocking.add(mark_of(ref))
        waiting: list[tuple[int, Reach]] = []
        held = 0
        for key, refs in sorted(self._parents.items(), key=lambda item: (item[0][2], item[0][3])):
            name, operations, depth, _ = key
            if name != crm:
                continue
            ahead = self._ahead.get(key, _Ahead())
            if ahead.begun:
                # In the order of kinds, so that a record's touch is the same one every time.
                self._later(connected, waiting)
                waiting, held = [], 0
            for begun in ahead.begun:
                self._others(connected, [depth] * len(begun.items), begun)
            for some in batched(islice(refs, ahead.parents, None), _AT_ONCE):
                work = _others_of(connected, operations, depth, some)
                # Few parents of many kinds are asked about at once; many of one kind by and by.
                if waiting and held + len(some) > _AT_ONCE:
                    self._later(connected, waiting)
                    waiting, held = [], 0
                waiting += [(depth, one) for one in work]
                held += len(some) if work else 0
        self._later(connected, waiting)

    def _later(self, connected: Connected, waiting: Sequence[tuple[int, Reach]]) -> None:
        work = [one for _, one in waiting]
        self._others(connected, [depth for depth, _ in waiting], self._begin(connected, work))

    def _others(
        self, connected: Connected, depths: Sequence[int], begun: Begun[Reach, _Found]
    ) -> None:
        """What detaches or blocks, by how deep its parents lie: listed, or only counted."""
        for depth, (one, found) in zip(depths, _told(connected, begun), strict=True):
            batch, rule = one
            row = self._row(connected.crm, rule, depth)
            if isinstance(found, list):
                parents = Parents(batch)
                for child in found:
                    if self.selected(child.ref) and rule.effect is Effect.DETACHES:
                        self.loosened.add(child.ref)
                    if not self._left_out(child.ref):
                        self._add(row, child.ref, parents.of(child, rule).id)
                        row.weight.add(child, connected.profile.measures)
            else:
                row.count = _sum(row.count, found)

    def _begin(self, connected: Connected, work: Sequence[Reach]) -> Begun[Reach, _Found]:
        """Ask for the children of each batch by each rule, or their number where there is no list."""
        adapter = connected.adapter
        lists = self.listing and type(adapter).children is not Adapter.children

        def look(one: Reach) -> _Found:
            batch, rule = one
            found = list(adapter.children(batch, rule)) if lists else []
            # Where nobody says what happens, an empty list may only mean that nobody can look.
            if lists and (found or rule.effect is not Effect.MAY_BLOCK):
                return found
            return adapter.count(batch, rule)

        return connected.lanes.begin(look, work)

    def _parents_at(
        self, crm: str, operations: frozenset[Operation], depth: int, kind: str
    ) -> Spool[RecordRef]:
        key = (crm, operations, depth, kind)
        if key not in self._parents:
            self._parents[key] = _spool(crm)
        return self._parents[key]

    def _left_out(self, ref: RecordRef) -> bool:
        return self.selected(ref) or mark_of(ref) in self._counted

    def _row(self, crm: str, rule: CascadeRule, depth: int) -> _Row:
        key = (crm, rule)
        if key not in self._rows:
            self._rows[key] = _Row(_spool(crm), Spool(str, str), depth)
        row = self._rows[key]
        row.depth = min(row.depth, depth)
        return row

    def _add(self, row: _Row, ref: RecordRef, parent: str) -> None:
        self._counted.add(mark_of(ref))
        row.refs.append(ref)
        row.parents.append(parent)
        row.count = None if row.count is None else row.count + 1

    def touches(self) -> tuple[Touch, ...]:
        """What was reached, relations without a record left out; those nearer to the targets first."""
        return tuple(
            Touch(
                crm,
                rule,
                row.count,
                row.refs,
                row.depth,
                row.parents,
                row.weight.told(),
                row.weight.largest(),
            )
            for (crm, rule), row in sorted(
                self._rows.items(), key=lambda item: (item[1].depth, _order(item[0][1]))
            )
            if row.count != 0
        )


def _order(rule: CascadeRule) -> tuple[int, str, str]:
    return list(Effect).index(rule.effect), rule.child, rule.via


def pairs(touch: Touch) -> Iterator[tuple[str, RecordRef]]:
    """(id of the parent, child) for each record of a touch that was listed."""
    refs: Lazy[RecordRef] = touch.refs
    yield from zip(touch.parents, refs, strict=False)
