"""One adapter on the bench: connected, behind a gate that remembers, on a ground that tells truth.

The moves here are what the core does with an adapter, without journal and without pace: apply a row
to records, take a lost answer for unknown, divide a refused list, renew a token, poll a job.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from crm_bridge.kit import (
    ANY,
    Adapter,
    Batch,
    Capability,
    CascadeRule,
    Change,
    Operation,
    Outcome,
    Record,
    RecordRef,
    Rejected,
    Secret,
    State,
    Support,
    Unauthorized,
    Unreachable,
    Verdict,
    done,
    failed,
    is_empty,
    unknown,
)
from crm_bridge.testing.ground import Arrived, CannotDo, Ground, Truth, Truths

T = TypeVar("T")

WRITES: Final = (Support.NATIVE, Support.MARKED, Support.REMADE)
"""Supports that send something."""

AWKWARD: Final = re.compile(r"['\"\\%_\U0001F680]")
"""What an awkward value holds."""


def every_position(test: T) -> T:
    """Try a promise under every position of every switch of the simulator, one at a time."""
    test.every_position = True  # type: ignore[attr-defined]
    return test


class RecordingGate:
    """A gate that lets everything pass and remembers it.

    Attributes:
        asked: The interface named by each read.
        told: The records named by each write.
        handles: What was saved of jobs, each with the number of writes told before.
        outside: Requests that arrived while no call was at the gate.
    """

    def __init__(self, arrived: Callable[[], int]) -> None:
        self.asked: list[str] = []
        self.told: list[tuple[RecordRef, ...]] = []
        self.outside = 0
        self._arrived = arrived
        self._seen = arrived()
        self._inside = 0
        self._lock = threading.RLock()

    def ask(self, call: Callable[[], T], *, interface: str = "") -> T:
        """Pass a read."""
        self.asked.append(interface)
        with self._open():
            return call()

    def tell(self, refs: Iterable[RecordRef], call: Callable[[], T], *, interface: str = "") -> T:
        """Pass a write."""
        self.told.append(tuple(refs))
        with self._open():
            return call()

    def settle(self) -> int:
        """Count what came past the gate since it last was shut; gives all that ever did."""
        with self._lock:
            if not self._inside:
                self.outside += self._arrived() - self._seen
                self._seen = self._arrived()
            return self.outside

    @contextmanager
    def _open(self) -> Iterator[None]:
        self.settle()
        with self._lock:
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._seen = self._arrived()


@dataclass(slots=True)
class SavedJob:
    """The journal's end of a job.

    Attributes:
        handle: What was saved; None until then.
        before: What had changed at the vendor when it was saved.
    """

    look: Callable[[], Any]
    handle: str | None = None
    before: Any = None

    def save(self, handle: str) -> None:
        """Keep the handle."""
        self.handle, self.before = handle, self.look()


@dataclass(slots=True)
class Bench:
    """An account of the vendor, its adapter, and what one does with them.

    Attributes:
        ground: The vendor's side.
        crm: The account.
        adapter: The adapter, connected.
        gate: Its gate.
        settings: Its settings.
        strict: Whether answers are due; False where a switch makes the vendor lose them.
        fields: Kind to its field of text and its field of numbers; those not named are chosen.
        olds: What the marked fields of records held before.
        whole: Records as they were before they were taken away.
    """

    ground: Ground
    crm: str
    adapter: Any
    gate: RecordingGate
    settings: Any
    strict: bool = True
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    olds: dict[RecordRef, Mapping[str, Any]] = field(default_factory=dict)
    whole: dict[RecordRef, Record] = field(default_factory=dict)

    # --- looking ---------------------------------------------------------------------------------

    def truth(self) -> Truths:
        """Every record as the vendor stores it."""
        return self.ground.truth(self.crm)

    def live(self, kind: str) -> list[Truth]:
        """The live records of a kind, by the truth."""
        return [t for t in self.truth().values() if t.kind == kind and t.state == "live"]

    def true(self, ref: RecordRef) -> Truth | None:
        """One record, by the truth."""
        return self.truth().get((ref.kind, ref.id))

    def arrived(self, since: int = 0) -> list[Arrived]:
        """The requests that the vendor saw."""
        return self.ground.arrived(self.crm, since)

    def writes(self, since: int = 0) -> list[Arrived]:
        """Those that could change something."""
        return [line for line in self.arrived(since) if line.write]

    def last(self) -> int:
        """The number of the last request."""
        return max((line.n for line in self.arrived()), default=0)

    def ref(self, kind: str, id: str) -> RecordRef:
        """An address in this account."""
        return RecordRef(self.crm, kind, id)

    @property
    def kinds(self) -> list[str]:
        """The kinds of the four common words, the lead's first, as it hangs on nothing."""
        aliases = self.adapter.profile.aliases
        return [aliases[word] for word in ("lead", "contact", "company", "deal") if word in aliases]

    def kind_for(self, row: Capability) -> str:
        """A kind that goes by this row and has records.

        Raises:
            CannotDo: There is none in this account.
        """
        there = {t.kind for t in self.truth().values() if t.state == "live"}
        own = row.kinds if row.kinds != ANY else (*self.kinds, *sorted(there - set(self.kinds)))
        for kind in own:
            marked = row.support is not Support.MARKED or self.marks(kind, row)
            if (
                kind in there
                and marked
                and row in self.adapter.abilities().rows(row.operation, kind)
            ):
                return kind
        raise CannotDo(f"no record of this account goes by {row.operation} {row.support} {row.way}")

    def read(self, refs: Iterable[RecordRef]) -> dict[RecordRef, Record]:
        """Read records of one kind; each by its address."""
        refs, found = list(refs), list[Record]()
        size = self.adapter.profile.read_batch
        for start in range(0, len(refs), size):
            some = tuple(refs[start : start + size])
            found += self.willing(partial(self._read, Batch(self.crm, some[0].kind, None, some)))
        assert len({r.ref for r in found}) == len(found), "a record was read twice"
        return {record.ref: record for record in found}

    def _read(self, batch: Batch) -> list[Record]:
        return list(self.adapter.read(batch))

    def plain(self, kind: str, count: int, row: Capability | None = None) -> list[RecordRef]:
        """Live records that nothing stands in the way of, those first on which nothing hangs.

        Raises:
            CannotDo: There are not so many.
        """
        found: list[RecordRef] = []
        for ref in self.free(kind, row, chunk=count + 2):
            found.append(ref)
            if len(found) == count:
                return found
        raise CannotDo(f"there are no {count} plain {kind}")

    def free(
        self, kind: str, row: Capability | None = None, chunk: int = 20
    ) -> Iterator[RecordRef]:
        """Every live record that nothing stands in the way of, read by so many at once."""
        hung = self.hung(kind)
        steps = [] if row is None else [row]
        if row is not None and State.LIVE not in row.takes:
            # What stands in the way of bringing a record there stands in the way of the row.
            steps += self._steps(State.LIVE, self.begins(row), kind) or []
        operations = {step.operation for step in steps}
        there = sorted((t for t in self.live(kind) if not t.locked), key=lambda t: t.id in hung)
        for start in range(0, len(there), chunk):
            refs = [self.ref(kind, truth.id) for truth in there[start : start + chunk]]
            read = self.read(refs)
            records = [read[ref] for ref in refs]
            records = [r for r in records if r.state is State.LIVE and not r.locked]
            records = [r for r in records if not self.marked(r)]
            told = [one for o in operations for one in self.adapter.precheck(o, records)]
            settled = {o.ref for o in told if isinstance(o, Outcome)}
            yield from (r.ref for r in records if r.ref not in settled)

    def hung(self, kind: str) -> set[str]:
        """The ids of this kind that others hang on in a way that blocks."""
        rules = [r for r in self.adapter.relations(kind) if "block" in r.effect]
        truth = self.truth()
        return {
            t.id
            for t in truth.values()
            if t.kind == kind and any(hanging(truth, [t.id], rule) for rule in rules)
        }

    def marked(self, record: Record) -> bool:
        """Whether a record carries a mark already."""
        for operation in (Operation.VOID, Operation.ARCHIVE):
            marks = self._marks(record.ref.kind, operation)
            if marks and all(record.fields.get(k) == v for k, v in marks.items()):
                return True
        return False

    def missing(self, kind: str) -> RecordRef:
        """An address as this vendor spells them, at which there never was a record."""
        there = {id for _, id in self.truth()}
        for id in sorted(id for k, id in self.truth() if k == kind):
            for text in _near(id):
                try:
                    spelled = self.adapter.spell_id(kind, text)
                except ValueError:
                    continue
                if spelled not in there:
                    return self.ref(kind, spelled)
        raise CannotDo(f"no id of a {kind} can be made up")

    def secrets(self) -> list[str]:
        """What must never be shown."""
        values = (getattr(self.settings, name) for name in self.settings.__struct_fields__)
        return [value.reveal() for value in values if isinstance(value, Secret)]

    def text_fields(self, kind: str) -> list[str]:
        """Fields of text, the one that people write names in first: it bears the awkward values."""
        if kind in self.fields:
            return [self.fields[kind][0]]
        live = self.live(kind)
        scores: dict[str, int] = {}
        for truth in live:
            for name, value in truth.own.items():
                if isinstance(value, str) and re.search("[A-Za-z]", value):
                    scores[name] = scores.get(name, 0) + bool(AWKWARD.search(value))
        return sorted(scores, key=lambda name: -scores[name])

    def number_fields(self, kind: str) -> list[str]:
        """Fields of numbers."""
        if kind in self.fields:
            return [self.fields[kind][1]]
        own = [item for truth in self.live(kind) for item in truth.own.items()]
        return sorted({name for name, value in own if isinstance(value, (int, Decimal)) and
                       not isinstance(value, bool)})  # fmt: skip

    def text_field(self, kind: str) -> str:
        """The field of text that a test may write."""
        return self.text_fields(kind)[0]

    # --- acting ----------------------------------------------------------------------------------

    def batch(self, row: Capability | None, refs: Sequence[RecordRef]) -> Batch:
        """A batch of these."""
        return Batch(self.crm, refs[0].kind, row, tuple(refs))

    def willing(self, call: Callable[[], T]) -> T:
        """Make a call that sends reads; with a new token where the old one has died."""
        try:
            return call()
        except Unauthorized as error:
            if not error.renewable:
                raise
        self.adapter.renew()
        self.adapter.whoami()
        return call()

    def send(self, row: Capability, refs: Sequence[RecordRef]) -> list[Outcome]:
        """Carry a row out on one batch of records, and let trouble out."""
        batch = self.batch(row, refs)
        match row.support:
            case Support.REMADE:
                return list(self.adapter.create([self.whole[ref] for ref in refs]))
            case Support.MARKED:
                return list(self.adapter.update(self._changes(row, refs)))
        verb = getattr(self.adapter, row.operation.value)
        if not row.job:
            return list(verb(batch))
        job = SavedJob(self.truth)
        told = list(verb(batch, job))
        assert job.handle, "the job was never made known"
        for _ in range(50):
            if all(outcome.verdict is not Verdict.PENDING for outcome in told):
                break
            self.ground.turn(self.crm, timedelta(minutes=1))
            told = self.willing(lambda: list(self.adapter.poll(job.handle or "", batch)))
        return told

    def apply(self, row: Capability, refs: Sequence[RecordRef]) -> dict[RecordRef, Outcome]:
        """Carry a row out on records of one kind, as the core would."""
        found: dict[RecordRef, Outcome] = {}
        size = 1 if row.batch < 1 else row.batch
        for start in range(0, len(refs), size):
            for outcome in self._some(row, refs[start : start + size]):
                found[outcome.ref] = outcome
        return found

    def _some(self, row: Capability, refs: Sequence[RecordRef]) -> list[Outcome]:
        try:
            return self.willing(lambda: self.send(row, refs))
        except Unreachable as error:
            if self.strict or not error.sent:
                raise
            return [self._lost(row, ref, error) for ref in refs]
        except Rejected as error:
            if len(refs) == 1:
                return [failed(refs[0], "rejected", str(error))]
            if not error.divisible:
                raise
            middle = len(refs) // 2
            return [*self._some(row, refs[:middle]), *self._some(row, refs[middle:])]

    def _lost(self, row: Capability, ref: RecordRef, error: Unreachable) -> Outcome:
        """What the core knows of a record whose answer was lost: of a remake, its twin."""
        twin = self.adapter.twin(self.whole[ref]) if row.support is Support.REMADE else None
        return done(ref, new_ref=twin) if twin is not None else unknown(ref, str(error))

    def marks(self, kind: str, row: Capability) -> dict[str, Any]:
        """The fields that this row writes, without the lock."""
        operations = [row.operation]
        if row.operation is Operation.RESTORE:
            operations = [Operation(_MARKS[state]) for state in row.takes if state in _MARKS]
        for operation in operations:
            if found := self._marks(kind, operation):
                return found
        return {}

    def _marks(self, kind: str, operation: Operation) -> dict[str, Any]:
        told: Mapping[str, Any] = self.settings.marks.get(kind, {}).get(operation.value, {})
        told = told or self.adapter.profile.marks_for(kind, operation)
        return {k: v for k, v in told.items() if k != self.adapter.profile.lock}

    def _changes(self, row: Capability, refs: Sequence[RecordRef]) -> list[Change]:
        marks = self.marks(refs[0].kind, row)
        if row.operation is Operation.RESTORE:
            return [Change(ref, self.olds[ref], marks) for ref in refs]
        for ref, record in self.read(refs).items():
            if record.state is State.LIVE and not self.marked(record):
                self.olds[ref] = {name: record.fields.get(name) for name in marks}
        return [Change(ref, marks, self.olds.get(ref, {})) for ref in refs]

    def bring(self, row: Capability, refs: Sequence[RecordRef]) -> None:
        """Bring live records to a state that a row takes, remembering how they were."""
        self.whole |= self.read(refs)
        state = self.begins(row)
        for step in self.way(refs[0].kind, State.LIVE, state):
            self.apply(step, refs)

    def begins(self, row: Capability) -> State:
        """The state to try a row from."""
        if State.LIVE in row.takes:
            return State.LIVE
        reached = [s for s in row.takes if self._steps(State.LIVE, s, self._any_kind(row))]
        if not reached:
            raise CannotDo(f"nothing here leads to {', '.join(row.takes)}")
        return reached[0]

    def _any_kind(self, row: Capability) -> str:
        return self.kind_for(row)

    def way(self, kind: str, start: State, end: State) -> list[Capability]:
        """The rows that lead from one state to another, the fewest.

        Raises:
            CannotDo: None do.
        """
        found = self._steps(start, end, kind)
        if found is None:
            raise CannotDo(f"no rows of a {kind} lead from {start} to {end}")
        return found

    def _steps(self, start: State, end: State, kind: str) -> list[Capability] | None:
        if start is end:
            return []
        profile = self.adapter.abilities()
        rows = [
            row
            for operation in Operation
            for row in profile.rows(operation, kind)
            if row.support in (Support.NATIVE, Support.MARKED) and not row.job
            if row.support is not Support.MARKED or self.marks(kind, row)
        ]
        ways: list[tuple[State, list[Capability]]] = [(start, [])]
        for state, way in ways:
            for row in rows:
                if state in row.takes and row.gives is not None and len(way) < 3:
                    if row.gives is end:
                        return [*way, row]
                    ways.append((row.gives, [*way, row]))
        return None

    def landed(self, row: Capability, ref: RecordRef, outcome: Outcome) -> bool:
        """Whether, by the truth, a record is where the row says."""
        true = self.true(ref)
        if row.support is Support.REMADE:
            new = self.true(outcome.new_ref) if outcome.new_ref is not None else None
            return new is not None and new.state == "live"
        if row.support is Support.MARKED:
            assert true is not None
            wanted = self.marks(ref.kind, row)
            if row.operation is Operation.RESTORE:
                wanted = dict(self.olds[ref])
            return all(same(true.fields.get(k), v) for k, v in wanted.items())
        if row.gives is State.GONE:
            return true is None or true.state == "gone"
        return true is not None and true.state == row.gives


_MARKS: Final = {State.VOIDED: "void", State.ARCHIVED: "archive"}


def hanging(
    truth: Truths, ids: Sequence[str], rule: CascadeRule, states: Sequence[str] = ("live",)
) -> dict[str, Truth]:
    """The records of the rule's child that hang on these, by the truth; each by its id."""
    wanted = frozenset(ids)
    linked = {
        id
        for (kind, parent) in truth
        # A lookup of the parent's own leads up, not down, where a kind hangs on itself.
        if kind == rule.kind and parent in wanted and rule.via not in truth[kind, parent].fields
        for name, child, id, _ in truth[kind, parent].links
        if child == rule.child and name == rule.via
    }
    found = {}
    for t in truth.values():
        if t.kind != rule.child or t.state not in states:
            continue
        named = set(_named(t.fields.get(rule.via)))
        back = {id for name, _, id, _ in t.links if name == rule.via}
        if t.id in linked or wanted & named or wanted & back:
            found[t.id] = t
    return found


def _named(value: Any) -> Iterator[str]:
    """The ids that a lookup's value names: a text, a list of them, or an object with its `id`."""
    for one in value if isinstance(value, list) else [value]:
        id = one.get("id") if isinstance(one, Mapping) else one
        if isinstance(id, str):
            yield id


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to a vendor: an empty one and none at all are."""
    return bool(one == other) or (is_empty(one) and is_empty(other))


def differing(before: Truths, after: Truths) -> set[tuple[str, str]]:
    """The records that differ in state, own fields, links or lock."""

    def shape(truth: Truth | None) -> Any:
        if truth is None or truth.state == "gone":
            return None
        return truth.state, truth.own, truth.links, truth.locked

    return {key for key in {*before, *after} if shape(before.get(key)) != shape(after.get(key))}


def connect(adapter: type[Adapter], ground: Ground, crm: str, **changed: Any) -> Bench:
    """Connect an adapter to an account of a ground.

    Args:
        adapter: The adapter's class.
        ground: The vendor's side.
        crm: The account.
        changed: Settings that differ from what the ground tells.
    """
    table = {**ground.settings(crm), **changed}
    settings = msgspec.convert(table, adapter.settings, dec_hook=lambda of, value: of(value))
    gate = RecordingGate(ground.count)
    return Bench(ground, crm, adapter.connect(crm, settings, gate), gate, settings)


def _near(id: str) -> Iterator[str]:
    for text in (id, id[:-3]):
        for at in range(len(text) - 1, 0, -1):
            for letter in "97531":
                if text[at].isdigit() and text[at] != letter:
                    yield f"{text[:at]}{letter}{text[at + 1 :]}"
