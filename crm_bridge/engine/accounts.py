"""One account, connected: its adapter, its gate, its own table, and who its server says we are."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crm_bridge.adapter import Account, Adapter, Settings
from crm_bridge.engine.lanes import Begun, Lanes, batched
from crm_bridge.engine.plan import same, undo_of, way_back
from crm_bridge.errors import BridgeError, SettingsError, Unreachable
from crm_bridge.guard import Guard
from crm_bridge.model.abilities import Operation, Profile, Undo
from crm_bridge.model.plans import Batch
from crm_bridge.model.records import Record, RecordRef, State


@dataclass(slots=True)
class Connected:
    """An account that can be called.

    Attributes:
        crm: Its name in the settings.
        settings: Its typed settings.
        adapter: The translator.
        guard: Its gate.
        account: Who the server said we are when it was connected.
        profile: What this very account can do, with the settings' marks in it.
        lanes: Threads for calls.
        seen_at: When that was, by the guard's clock.
    """

    crm: str
    settings: Settings
    adapter: Adapter
    guard: Guard
    account: Account
    profile: Profile
    lanes: Lanes
    seen_at: float = 0.0
    _undos: dict[tuple[str, State | None], Undo] = field(default_factory=dict)
    _marks: dict[str, tuple[tuple[State, Mapping[str, Any]], ...]] = field(default_factory=dict)

    def undo(self, kind: str, state: State | None) -> Undo:
        """The best way back of a kind from a state, by this account's own table."""
        key = (kind, state)
        if key not in self._undos:
            self._undos[key] = undo_of(way_back(self.profile, kind, state))
        return self._undos[key]

    def judged(self, record: Record) -> Record:
        """The record with its state by marks: fields decide where the vendor has no such state."""
        if record.state is not State.LIVE:
            return record
        kind = record.ref.kind
        marks = self._marks.get(kind)
        if marks is None:
            marks = self._marks[kind] = marks_of(kind, self.profile)
        state = state_by_marks(record, marks)
        return record if state is None else dataclasses.replace(record, state=state)

    def batches(self, refs: Iterable[RecordRef]) -> Iterator[Batch]:
        """Refs of one kind as batches for `read`."""
        return self._batches(refs, self.profile.read_batch)

    def parents(self, refs: Iterable[RecordRef]) -> Iterator[Batch]:
        """Refs of one kind as batches for `children` and `count`."""
        return self._batches(refs, self.profile.child_batch or self.profile.read_batch)

    def _batches(self, refs: Iterable[RecordRef], size: int) -> Iterator[Batch]:
        for part in batched(refs, size):
            yield Batch(self.crm, part[0].kind, None, part)

    def begin_read(self, refs: Iterable[RecordRef]) -> Begun[Batch, dict[RecordRef, Record]]:
        """Have records of one kind read whole, in lanes; each answer is held against what was asked."""
        return self.lanes.begin(self.read_one, self.batches(refs))

    def read(
        self,
        refs: Sequence[RecordRef],
        begun: Begun[Batch, dict[RecordRef, Record]] | None = None,
    ) -> dict[RecordRef, Record]:
        """Read records of one kind whole, in lanes; each answer is held against what was asked.

        Args:
            refs: Them.
            begun: Their `begin_read`, where that has been done.

        Raises:
            BridgeError: The first that any call raised.
        """
        found: dict[RecordRef, Record] = {}
        trouble: BaseException | None = None
        for batch, result in (begun or self.begin_read(refs)).each():
            if isinstance(result, BaseException):
                trouble = trouble or result
            else:
                found.update(result)
            del batch
        if trouble is not None:
            raise contained(trouble, self.crm)
        return found

    def read_surely(
        self,
        refs: Sequence[RecordRef],
        begun: Begun[Batch, dict[RecordRef, Record]] | None = None,
    ) -> dict[RecordRef, Record]:
        """As `read`; that there is no trace of a record is believed when it is seen twice.

        An empty answer names nobody: it may be the answer to another request.

        Raises:
            BridgeError: The first that any call raised.
        """
        found = self.read(refs, begun)
        missing = [r.ref for r in found.values() if r.state is State.GONE and not r.evidence]
        if missing := [ref for ref in missing if not found[ref].unreadable]:
            found.update(self.read(missing))
        return found

    def learn(self, kinds: Collection[str]) -> None:
        """Have the relations of several kinds told at once; what each costs is asked for but once."""
        if len(kinds) > 1:
            self.lanes.together([partial(self.adapter.relations, kind) for kind in kinds])

    def read_one(self, batch: Batch) -> dict[RecordRef, Record]:
        """Read a batch in the calling thread; a record that no answer names is not readable.

        Raises:
            Unreachable: The answer names a record that was not asked for, or one twice.
        """
        left = set(batch.refs)
        found: dict[RecordRef, Record] = {}
        for record in self.adapter.read(batch):
            ref = record.ref
            try:
                left.remove(ref)
            except KeyError:
                raise Unreachable(
                    f"{self.crm} answered for {ref}, which was not asked for or came twice.",
                    answered=True,
                ) from None
            found[ref] = self.judged(record)
        for ref in left:
            # No word of it at all: neither there nor gone.
            found[ref] = Record(ref, State.GONE, unreadable=True)
        return found


def spelled(adapter: Adapter, crm: str, kind: str, id_: str) -> RecordRef:
    """An address as the vendor spells it.

    Raises:
        SettingsError: No record can have it; nothing is asked of the vendor (code `malformed_id`).
    """
    try:
        kind = adapter.spell_kind(kind)
        return RecordRef(crm, kind, adapter.spell_id(kind, id_))
    except ValueError as error:
        raise SettingsError(
            f"{crm}:{kind}/{ascii(id_)[1:-1]} is no address: {error}.",
            detail="Nothing was asked of the vendor.",
            code="malformed_id",
        ) from None


def spelled_kind(adapter: Adapter, crm: str, kind: str) -> str:
    """A kind as the vendor names it.

    Raises:
        SettingsError: No kind can be named so; nothing is asked of the vendor.
    """
    try:
        return adapter.spell_kind(kind)
    except ValueError as error:
        raise SettingsError(
            f"{crm}:{ascii(kind)[1:-1]} is no kind: {error}.",
            detail="Nothing was asked of the vendor.",
            code="kind",
        ) from None


def marks_of(kind: str, profile: Profile) -> tuple[tuple[State, Mapping[str, Any]], ...]:
    """The states that fields of this kind can mark, each with its fields. A lock never decides."""
    found: list[tuple[State, Mapping[str, Any]]] = []
    for operation, state in ((Operation.VOID, State.VOIDED), (Operation.ARCHIVE, State.ARCHIVED)):
        marks = dict(profile.marks_for(kind, operation))
        marks.pop(profile.lock, None)
        if marks:
            found.append((state, marks))
    return tuple(found)


def state_by_marks(
    record: Record, marks: Sequence[tuple[State, Mapping[str, Any]]]
) -> State | None:
    """The state that the marker fields tell; None where they tell none."""
    for state, fields in marks:
        if all(same(record.fields.get(name), value) for name, value in fields.items()):
            return state
    return None


def with_marks(profile: Profile, marks: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Profile:
    """The table with the settings' marks in place of the defaults, kind by kind.

    Raises:
        SettingsError: A mark is for an operation that is not `void` or `archive`.
    """
    merged: dict[str, dict[Operation, Mapping[str, Any]]] = {
        kind: dict(by) for kind, by in profile.marks.items()
    }
    for kind, by in marks.items():
        own = profile.aliases.get(kind, kind)
        for name, fields in by.items():
            if name not in ("void", "archive"):
                raise SettingsError(
                    f"marks.{kind}: {name!r} is not marked by fields; only void and archive are."
                )
            default = merged.get("*", {})
            merged.setdefault(own, dict(default))[Operation(name)] = fields
    return dataclasses.replace(profile, marks=merged)


def tells_twins(connected: Connected) -> bool:
    """Whether the adapter can tell at all what was made anew from a snapshot."""
    return type(connected.adapter).twin is not Adapter.twin


def twin_of(connected: Connected, record: Record) -> RecordRef | None:
    """A live record that was made anew from this snapshot, if one can be told for sure.

    Raises:
        BridgeError: It could not be asked.
    """
    try:
        return connected.adapter.twin(record)
    except Exception as error:
        raise contained(error, connected.crm) from error


def twins_of(
    connected: Connected, records: Sequence[Record]
) -> Mapping[RecordRef, Sequence[RecordRef]]:
    """Every live record that was made anew from each of these snapshots, as far as can be told.

    Raises:
        BridgeError: It could not be asked.
    """
    if type(connected.adapter).twins is Adapter.twins:
        made = {record.ref: twin_of(connected, record) for record in records}
        return {ref: (twin,) for ref, twin in made.items() if twin is not None}
    try:
        return connected.adapter.twins(records)
    except Exception as error:
        raise contained(error, connected.crm) from error


def contained(error: BaseException, crm: str) -> BridgeError:
    """Whatever an adapter raised, as an error of ours; a plugin's own fault is named as one."""
    if isinstance(error, BridgeError):
        return error
    return Unreachable(
        f"the adapter of {crm} failed by itself: {type(error).__name__}.",
        answered=True,
        detail=str(error)[:200],
    )
