"""Goes and looks: what goes along with a record, to any depth, and which conditions it meets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.lanes import Begun
from crm_bridge.engine.plan import same
from crm_bridge.model.abilities import CascadeRule, Effect, Operation
from crm_bridge.model.plans import Batch
from crm_bridge.model.records import Condition, Record, RecordRef, is_empty

MAX_DEPTH = 6
"""Levels of children of children that are walked; vendors' own cascades are shallower."""

TAKEN_ALONG = (Effect.FOLLOWS, Effect.MAY_FOLLOW)


@dataclass(frozen=True, slots=True)
class Follower:
    """A child that goes along, or may.

    Attributes:
        root: The target that takes it along, however deep it lies.
        rule: The relation by which it was reached.
        record: The whole of it.
        parent: The record that it hangs on by that relation.
        depth: 1 where that is the target itself.
    """

    root: RecordRef
    rule: CascadeRule
    record: Record
    parent: RecordRef
    depth: int = 1


def rules_for(
    connected: Connected, kind: str, operations: Collection[Operation]
) -> list[CascadeRule]:
    """The relations of a kind that these operations have an effect on."""
    return [
        rule
        for rule in connected.adapter.relations(kind)
        if rule.operation is None or rule.operation in operations
    ]


Reach = tuple[Batch, CascadeRule]
"""A batch of parents, and a relation by which their children are asked for."""


def begin_followers(
    connected: Connected, operations: Collection[Operation], parents: Sequence[RecordRef]
) -> Begun[Reach, list[Record]]:
    """Have it asked what hangs right on these records and goes along; for `followers`."""
    by_kind: dict[str, list[RecordRef]] = {}
    for ref in parents:
        by_kind.setdefault(ref.kind, []).append(ref)
    work: list[Reach] = []
    for kind, refs in by_kind.items():
        batches = list(connected.parents(refs))
        rules = rules_for(connected, kind, operations)
        work += [(b, rule) for rule in rules if rule.effect in TAKEN_ALONG for b in batches]
    return _begin(connected, work)


def _begin(connected: Connected, work: Sequence[Reach]) -> Begun[Reach, list[Record]]:
    return connected.lanes.begin(lambda w: list(connected.adapter.children(*w)), work)


def _of_wanted(
    connected: Connected, begun: Begun[Reach, list[Record]], wanted: Container[RecordRef]
) -> list[tuple[Reach, list[Record] | BaseException]]:
    """What was found for the wanted parents of each batch, in order.

    Where another parent of a batch may be why it failed, or may be whose child it is that names
    nobody, the wanted ones are asked about alone.
    """
    results = begun.in_order()
    again: dict[int, Reach] = {}
    mine: dict[int, tuple[RecordRef, ...]] = {}
    for number, ((batch, rule), children) in enumerate(results):
        if id(batch) not in mine:
            mine[id(batch)] = tuple(ref for ref in batch if ref in wanted)
        refs = mine[id(batch)]
        if len(refs) == len(batch):
            continue
        if not refs:
            results[number] = ((batch, rule), [])
        elif isinstance(children, BaseException) or not all(
            Parents(batch).named(child, rule) for child in children
        ):
            again[number] = (dataclasses.replace(batch, refs=refs), rule)
    for number, result in zip(
        again, _begin(connected, list(again.values())).in_order(), strict=True
    ):
        results[number] = result
    return results


def followers(
    connected: Connected,
    operations: Collection[Operation],
    parents: Sequence[RecordRef],
    left_out: Callable[[RecordRef], bool] = lambda ref: False,
    aside: Callable[[Record, RecordRef], None] = lambda record, root: None,
    begun: Begun[Reach, list[Record]] | None = None,
) -> Iterator[Follower]:
    """Everything that goes along with these records of one kind, each once, to any depth.

    Args:
        connected: The account.
        operations: What is done to the parents.
        parents: Records of one kind.
        left_out: Tells refs that are not to be followed, since they are targets themselves.
        aside: Is told each of those, and the target that it hangs on.
        begun: What hangs right on them, where it has been asked already, of them and maybe of others.

    Raises:
        BridgeError: A call went wrong.
    """
    seen: set[RecordRef] = set()
    sure = set(parents)
    level = {ref: ref for ref in parents}
    for depth in range(1, MAX_DEPTH + 1):
        below: dict[RecordRef, RecordRef] = {}
        # In order, so that the first relation that reaches a record is the same one every time.
        if begun is not None and depth == 1:
            results = _of_wanted(connected, begun, level)
        else:
            results = begin_followers(connected, operations, list(level)).in_order()
        for (batch, rule), children in results:
            if isinstance(children, BaseException):
                raise contained(children, connected.crm)
            theirs = Parents(batch, level)
            for child in children:
                if child.ref in seen or child.ref in level:
                    continue
                parent = theirs.of(child, rule)
                if parent not in level:
                    continue
                root = level[parent]
                if left_out(child.ref):
                    aside(child, root)
                    continue
                seen.add(child.ref)
                below[child.ref] = root
                if rule.effect is Effect.FOLLOWS and parent in sure:
                    sure.add(child.ref)
                yield Follower(
                    root,
                    rule if parent in sure else doubted(rule),
                    connected.judged(child),
                    parent,
                    depth,
                )
        if not below:
            return
        level = below


def doubted(rule: CascadeRule) -> CascadeRule:
    """The rule where nobody says whether the parent goes: what would follow it only may."""
    if rule.effect is not Effect.FOLLOWS:
        return rule
    return dataclasses.replace(rule, effect=Effect.MAY_FOLLOW)


class Parents:
    """The records of a batch, by which what hangs on them is told whose it is.

    Args:
        batch: The records whose children were asked for.
        wanted: Those of them that are told first where a child hangs on several; None for all.
    """

    def __init__(self, batch: Batch, wanted: Container[RecordRef] | None = None) -> None:
        self._by_id = {ref.id: ref for ref in batch}
        self._refs, self._wanted = batch.refs, wanted

    def of(self, child: Record, rule: CascadeRule) -> RecordRef:
        """Which of them a child hangs on, by the field or the link that the rule names."""
        return self.named(child, rule) or self._refs[0]

    def named(self, child: Record, rule: CascadeRule) -> RecordRef | None:
        """As `of`; None where the child names none of them."""
        found: RecordRef | None = None
        for ref in self._named(child, rule):
            if self._wanted is None or ref in self._wanted:
                return ref
            found = found or ref
        return found

    def _named(self, child: Record, rule: CascadeRule) -> Iterator[RecordRef]:
        for value in flat(child.fields.get(rule.via)):
            if isinstance(value, str) and value in self._by_id:
                yield self._by_id[value]
        for link in child.links:
            # By the whole address: ids are unique within a kind only.
            if self._by_id.get(link.other.id) == link.other:
                yield link.other


def flat(value: Any) -> Iterator[Any]:
    """The values within lists and tuples, to any depth."""
    if isinstance(value, (list, tuple)):
        for inner in value:
            yield from flat(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from flat(inner)
    else:
        yield value


def meets(record: Record, condition: Condition) -> bool:
    """Whether a record meets a condition, judged here and not by the vendor."""
    value, wanted = record.fields.get(condition.field), condition.value
    match condition.op:
        case "is empty":
            return is_empty(value)
        case "is not empty":
            return not is_empty(value)
        case "=":
            return same(value, wanted)
        case "!=":
            return not same(value, wanted)
        case "in":
            return any(same(value, one) for one in wanted)
        case "contains":
            return any(str(wanted) in str(one) for one in flat(value) if one is not None)
    left, right = _comparable(value), _comparable(wanted)
    if left is None or right is None or type(left) is not type(right):
        return False
    return bool(
        {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[
            condition.op
        ]
    )


def _comparable(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        return Decimal(str(value))
    except InvalidOperation:
        pass
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError:
        return str(value)
