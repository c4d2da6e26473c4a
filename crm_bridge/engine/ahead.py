"""A look ahead before the first send: what moved since a plan was made, and the reads that it took.

A plan that was saved and mailed is old. Everything that it names is read anew before anything is sent;
what was read is kept for the capsule, so that no record is read twice while it is fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.inspect import followers
from crm_bridge.engine.spool import Spool
from crm_bridge.errors import PlanMoved
from crm_bridge.journal.pages import from_line, to_line
from crm_bridge.journal.rows import Snapshot
from crm_bridge.model.abilities import REACHES, Operation
from crm_bridge.model.plans import Finding, Plan, Severity, Step, Target
from crm_bridge.model.records import Record, RecordRef, State

KEPT: Final = 20_000
"""Records whose reads are kept; later ones would be too old by the time they are sent."""


@dataclass(slots=True)
class Seen:
    """What was read of one stretch.

    Attributes:
        at: When, by the monotonic clock.
        records: Each target as it was.
        along: Each target to the children that would follow it.
    """

    at: float
    records: dict[RecordRef, Record] = field(default_factory=dict)
    along: dict[RecordRef, list[Snapshot]] = field(default_factory=dict)


class Ahead:
    """The reads of a look ahead, given out once each.

    Args:
        plan: The plan.
        announced: Tells what the plan's touches and targets name.
        clock: Monotonic seconds.
        max_age: Seconds; the oldest read that may stand behind a write.
    """

    def __init__(
        self,
        plan: Plan,
        announced: Callable[[RecordRef], bool],
        clock: Callable[[], float],
        max_age: float,
    ) -> None:
        self._plan, self._announced = plan, announced
        self._clock, self._max_age = clock, max_age
        self._kept: dict[tuple[int, int], tuple[float, Spool[Snapshot]]] = {}
        self._count = 0
        self._moved: list[tuple[RecordRef, str]] = []

    def look(
        self,
        number: int,
        step: Step,
        connected: Connected,
        operations: set[Operation],
        pages: Iterator[tuple[int, list[Target]]],
        size: int,
    ) -> None:
        """Read all records of one step, in the stretches in which they will be sent.

        Raises:
            BridgeError: They could not be read.
        """
        while stretch := list(islice(pages, size)):
            targets = [target for _, some in stretch for target in some]
            refs = [target.ref for target in targets]
            seen = Seen(self._clock(), connected.read_surely(refs))
            if self._plan.operation is not Operation.RESTORE:
                for one in followers(connected, operations, refs):
                    seen.along.setdefault(one.root, []).append(
                        Snapshot(one.record, one.root, one.rule.via, one.rule.effect.value)
                    )
            self._hold_against(targets, seen, connected.profile.vendor_set, step)
            self._keep(number, stretch[0][0], seen)

    def _hold_against(
        self, targets: Sequence[Target], seen: Seen, vendor_set: tuple[str, ...], step: Step
    ) -> None:
        for target in targets:
            record = seen.records[target.ref]
            if target.evidence.startswith("journal"):
                continue
            gained = [
                s.record.ref
                for s in seen.along.get(target.ref, ())
                if not self._announced(s.record.ref)
            ]
            locked = record.locked and self._plan.operation is not Operation.RESTORE
            if locked or record.fingerprint(vendor_set) != target.fingerprint:
                self._moved.append((target.ref, self._how(record, step)))
            elif gained:
                more = f" and {len(gained) - 1} more" if len(gained) > 1 else ""
                self._moved.append((target.ref, f"gained {gained[0]}{more}"))

    def _how(self, record: Record, step: Step) -> str:
        if record.unreadable:
            return "cannot be read any more"
        if record.state in (State.DELETED, State.GONE):
            return "was deleted" if record.state is State.DELETED else "is gone"
        if record.state in REACHES[self._plan.operation]:
            return f"is {record.state.value} already"
        if step.capability.takes and record.state not in step.capability.takes:
            return f"is {record.state.value} now"
        return "was locked" if record.locked else "was changed"

    def _keep(self, number: int, page: int, seen: Seen) -> None:
        if self._count >= KEPT:
            return
        spool: Spool[Snapshot] = Spool(
            lambda one: to_line(one).decode(), lambda text: from_line(text.encode())
        )
        for ref, record in seen.records.items():
            spool.append(Snapshot(record))
            for child in seen.along.get(ref, ()):
                spool.append(child)
            self._count += 1
        self._kept[number, page] = (seen.at, spool)

    def refuse_moved(self) -> None:
        """Raise where anything moved; nothing was sent.

        Raises:
            PlanMoved: Names what moved, and how.
        """
        if not self._moved:
            return
        count, total = len(self._moved), self._plan.counts.records
        told = "; ".join(f"{ref} {how}" for ref, how in self._moved[:10])
        more = f"; and {count - 10} more" if count > 10 else ""
        finding = Finding(
            Severity.ERROR,
            "moved",
            f"{count} of {total} record(s) moved since the plan was made.",
            told + more,
            count,
            tuple(ref for ref, _ in self._moved[:10]),
        )
        raise PlanMoved(
            f"{finding.summary[:-1]}: {told}{more}.",
            detail="Nothing was sent. Plan those anew with --replan-moved, or leave them out with "
            "--without-moved.",
            findings=[finding],
            moved=self._moved,
        )

    def take(self, number: int, page: int) -> Seen | None:
        """What was read of a stretch, once, while it is fresh; None where it must be read anew."""
        found = self._kept.pop((number, page), None)
        if found is None or self._clock() - found[0] > self._max_age / 2:
            return None
        seen = Seen(found[0])
        for one in found[1]:
            if one.parent is None:
                seen.records[one.record.ref] = one.record
            else:
                seen.along.setdefault(one.parent, []).append(one)
        return seen
