"""What a simulated account holds: a clock one can turn, records, and their store."""

from __future__ import annotations

import gc
import re
import time
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any

GONE = "gone"

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(-?\d+(?:\.\d+)?)\s*(s|m|h|d|w)")


def parse_duration(text: str) -> timedelta:
    """Read `91d`, `2h`, `1.5h`, `90s` and sums of them such as `1d 2h`."""
    found = _DURATION.findall(text.strip())
    if not found or _DURATION.sub("", text).strip():
        raise ValueError(f"not a duration: {text!r} (write 300s, 24h or 7d)")
    return sum((timedelta(**{_UNITS[unit]: float(n)}) for n, unit in found), timedelta())


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 moment; one without an offset is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class SimulatorClock:
    """UTC that runs with real time and can be turned; it never jumps by itself."""

    def __init__(self) -> None:
        self._dated: tuple[int, str] = (0, "")
        self.reset()

    def reset(self) -> None:
        """Go back to real time."""
        self._start = time.time()
        self._ticks = time.monotonic()

    def epoch(self) -> float:
        """Seconds since 1970."""
        return self._start + time.monotonic() - self._ticks

    def ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self.epoch() * 1000)

    def now(self) -> datetime:
        """The moment, with its zone."""
        return datetime.fromtimestamp(self.epoch(), UTC)

    def iso(self) -> str:
        """The moment as ISO 8601 with milliseconds and a Z."""
        return iso(self.epoch())

    def http_date(self) -> str:
        """The moment as the Date header writes it."""
        second = int(self.epoch())
        if self._dated[0] != second:
            self._dated = (second, formatdate(second, usegmt=True))
        return self._dated[1]

    def advance(self, by: timedelta) -> None:
        """Turn the clock forward."""
        self._start += by.total_seconds()

    def set(self, moment: datetime) -> None:
        """Turn the clock to a moment; it runs on from there."""
        self._start = moment.timestamp()
        self._ticks = time.monotonic()


def iso(epoch: float) -> str:
    """Seconds since 1970 as ISO 8601 with milliseconds and a Z."""
    text = datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class RollingLimit:
    """At most so many calls in any stretch of so many seconds, for each key."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls = calls
        self.seconds = seconds
        self._taken: dict[str, deque[float]] = {}

    def take(self, key: str, at: float) -> float:
        """Count a call at that epoch second; 0.0 if it may pass, else the seconds to wait."""
        taken = self._taken.setdefault(key, deque())
        while taken and not at - self.seconds < taken[0] <= at:
            taken.popleft()
        if len(taken) >= self.calls:
            return max(taken[0] + self.seconds - at, 0.001)
        taken.append(at)
        return 0.0


@dataclass(slots=True, frozen=True)
class Link:
    """An association that a record holds to another."""

    name: str
    kind: str
    id: str
    label: str | None = None


@dataclass(slots=True)
class Stored:
    """A record as the vendor stores it; `meta` is what the vendor knows and shows in no field."""

    kind: str
    id: str
    fields: dict[str, Any] = field(default_factory=dict)
    state: str = "live"
    links: list[Link] = field(default_factory=list)
    changed_at: float = 0.0
    locked: bool = False
    merged_into: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """Kind and id, as the log names records."""
        return f"{self.kind}/{self.id}"


class _Bed:
    """The records of one kind; planted ones grow on the first touch."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.make: Callable[[], Iterable[Stored]] | None = None
        self.records: dict[str, Stored] = {}
        self.order: list[str] | None = None
        self.indexes: dict[str, dict[Any, dict[str, None]]] = {}


def _index_keys(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    return () if value is None or value == "" else (value,)


class Store:
    """All records of an account, by kind and id.

    Whatever changes a record goes through `add`, `change`, `move`, `link`, `unlink`, `lock` or
    `remove`: they keep the counts, the order and the indexes right, stamp `changed_at`, and tell
    the log.
    """

    def __init__(self, clock: SimulatorClock, order: Callable[[str], Any] = str) -> None:
        self.clock = clock
        self._order = order
        self._beds: dict[str, _Bed] = {}
        self.touched: list[str] | None = None

    # -- planting ---------------------------------------------------------------------------------

    def plant(
        self, kind: str, counts: Mapping[str, int], make: Callable[[], Iterable[Stored]]
    ) -> None:
        """Promise the records of a kind: how many by state now, the records on the first touch."""
        bed = self._beds.setdefault(kind, _Bed())
        bed.counts = dict(counts)
        bed.make = make

    def declare(self, *kinds: str) -> None:
        """Name kinds that exist and may be empty."""
        for kind in kinds:
            self._beds.setdefault(kind, _Bed())

    def _bed(self, kind: str) -> _Bed:
        bed = self._beds.get(kind)
        if bed is None:
            bed = self._beds[kind] = _Bed()
        elif bed.make is not None:
            make, bed.make = bed.make, None
            # Thousands of new records and no rubbish: the collector would only walk them, again and
            # again, for a third of the time.
            collecting = gc.isenabled()
            gc.disable()
            try:
                bed.records = {record.id: record for record in make()}
            finally:
                if collecting:
                    gc.enable()
            counts = dict.fromkeys(bed.counts, 0)
            for record in bed.records.values():
                counts[record.state] = counts.get(record.state, 0) + 1
            bed.counts = counts
        return bed

    # -- looking ----------------------------------------------------------------------------------

    def kinds(self) -> list[str]:
        """The kinds, in the order they were planted or declared."""
        return list(self._beds)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each state, by kind; grows nothing."""
        return {kind: dict(bed.counts) for kind, bed in self._beds.items()}

    def get(self, kind: str, id: str) -> Stored | None:
        """The record, gone ones too, or None where there never was one."""
        return self._bed(kind).records.get(id)

    def of(self, kind: str, *states: str) -> Iterator[Stored]:
        """The records of a kind as they were added, of these states or of all."""
        for record in list(self._bed(kind).records.values()):
            if not states or record.state in states:
                yield record

    def ids(self, kind: str) -> list[str]:
        """All ids of a kind in the vendor's order; the store's own list, not to be changed."""
        bed = self._bed(kind)
        if bed.order is None:
            bed.order = sorted(bed.records, key=self._order)
        return bed.order

    def after(self, kind: str, id: str | None = None, *states: str) -> Iterator[Stored]:
        """The records whose ids come after that one, in the order of their ids."""
        ids = self.ids(kind)
        start = 0 if id is None else bisect_right(ids, self._order(id), key=self._order)
        records = self._bed(kind).records
        for at in range(start, len(ids)):
            record = records[ids[at]]
            if not states or record.state in states:
                yield record

    def where(self, kind: str, field: str, value: Any, *states: str) -> list[Stored]:
        """The records whose field is that value, or is a list that holds it; by an index."""
        bed = self._bed(kind)
        index = bed.indexes.get(field)
        if index is None:
            index = bed.indexes[field] = {}
            for record in bed.records.values():
                for key in _index_keys(record.fields.get(field)):
                    index.setdefault(key, {})[record.id] = None
        found = [bed.records[id] for id in index.get(value, ())]
        return [record for record in found if record.state in states] if states else found

    # -- changing ---------------------------------------------------------------------------------

    def _touch(self, record: Stored) -> None:
        record.changed_at = self.clock.epoch()
        if self.touched is not None and record.ref not in self.touched[-64:]:
            self.touched.append(record.ref)

    def add(self, record: Stored) -> Stored:
        """Take in a new record."""
        bed = self._bed(record.kind)
        if record.id in bed.records:
            raise ValueError(f"there is a {record.ref} already")
        bed.records[record.id] = record
        bed.counts[record.state] = bed.counts.get(record.state, 0) + 1
        if bed.order is not None:
            insort(bed.order, record.id, key=self._order)
        for name, index in bed.indexes.items():
            for key in _index_keys(record.fields.get(name)):
                index.setdefault(key, {})[record.id] = None
        self._touch(record)
        return record

    def change(self, record: Stored, fields: Mapping[str, Any]) -> None:
        """Write fields; None takes a field away."""
        bed = self._bed(record.kind)
        for name, value in fields.items():
            if (index := bed.indexes.get(name)) is not None:
                for key in _index_keys(record.fields.get(name)):
                    index.get(key, {}).pop(record.id, None)
                for key in _index_keys(value):
                    index.setdefault(key, {})[record.id] = None
            if value is None:
                record.fields.pop(name, None)
            else:
                record.fields[name] = value
        self._touch(record)

    def move(self, record: Stored, state: str) -> None:
        """Give a record another state."""
        counts = self._bed(record.kind).counts
        counts[record.state] -= 1
        counts[state] = counts.get(state, 0) + 1
        record.state = state
        self._touch(record)

    def lock(self, record: Stored, locked: bool = True) -> None:
        """Lock or unlock a record."""
        record.locked = locked
        self._touch(record)

    def link(self, record: Stored, name: str, kind: str, id: str, label: str | None = None) -> None:
        """Associate a record with another, in one direction; a double is not kept."""
        link = Link(name, kind, id, label)
        if link not in record.links:
            record.links.append(link)
            self._touch(record)

    def unlink(
        self,
        record: Stored,
        name: str | None = None,
        kind: str | None = None,
        id: str | None = None,
    ) -> None:
        """Take away the associations that fit all that is named."""
        kept = [
            link
            for link in record.links
            if (name is not None and link.name != name)
            or (kind is not None and link.kind != kind)
            or (id is not None and link.id != id)
        ]
        if len(kept) != len(record.links):
            record.links = kept
            self._touch(record)

    def remove(self, record: Stored) -> None:
        """Make a record gone: it stays listed, with nothing in it."""
        self.change(record, dict.fromkeys(list(record.fields)))
        record.links = []
        record.locked = False
        self.move(record, GONE)
