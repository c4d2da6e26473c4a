"""The one memory: open, append, keep, and the questions asked of it."""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, and_, func, insert, select

from crm_bridge.errors import JournalError
from crm_bridge.journal import chain, checking, export, opening, pages, place, tables
from crm_bridge.journal.connection import WAIT, Connection
from crm_bridge.journal.rows import Check, Entry, Snapshot, Trace, Written
from crm_bridge.model.records import Record, RecordRef

__all__ = ["Check", "Entry", "Journal", "Snapshot", "Trace", "Written"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OWN: Final = frozenset({"snapshot", "remade", "migration"})
_AT_ONCE: Final = 500
"""Ids in one question; SQLite before 3.32 takes 999 values."""
_STREAM: Final = 64
"""Entries read at a time while streaming."""

_ENTRIES: Final = tables.entries.c
_CAPTURED: Final = tables.captured.c
_FRAMES: Final = tables.frames.c
_REMADE: Final = tables.remade.c


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), _AT_ONCE):
        yield unique[start : start + _AT_ONCE]


class Journal:
    """An append-only journal in one SQLite file, chained by hash; used by one thread at a time.

    No row is ever altered or removed. After an append that failed the journal takes no other until it
    is opened again, since nobody can say what the disk still holds.
    """

    def __init__(self, path: Path, connection: Connection, *, reading: bool, wait: float) -> None:
        """Use `Journal.open`."""
        self.path = path
        self._connection = connection
        self._proof: Connection | None = None
        self._reading = reading
        self._wait = wait
        self._trouble = ""
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._insert_entry = connection.prepared(insert(tables.entries))
        self._insert_frame = connection.prepared(insert(tables.frames))
        self._insert_captured = connection.prepared(insert(tables.captured))
        self._insert_remade = connection.prepared(insert(tables.remade))
        self._last = "SELECT n, hash FROM entries ORDER BY n DESC LIMIT 1"

    @classmethod
    def open(
        cls, url: str, *, folder: Path | None = None, reading: bool = False, wait: float = WAIT
    ) -> Self:
        """Open, or make, the journal at `sqlite:///PATH` (relative paths: to `folder`).

        Opening checks the head sidecar against the last rows (not the whole chain).

        Args:
            url: Where it lies.
            folder: What a relative path is relative to; None for the working folder.
            reading: For `check` and `export`: nothing is made, migrated or appended, and a journal
                that does not fit its head opens all the same, so that one can be told why.
            wait: Seconds to wait for another process that writes.

        Raises:
            SettingsError: PostgreSQL (a clear word that it comes later), or not an address of a file.
            JournalError: A link, a network share, odd permissions, not a journal, a schema newer than
                this program, a head that does not fit, a journal that is gone while its head is there.
        """
        path = place.path_of(url, folder)
        connection = opening.connect(path, reading=reading, wait=wait)
        try:
            journal = cls(path, connection, reading=reading, wait=wait)
        except BaseException:
            connection.close()
            raise
        try:
            if not reading:
                journal._settle_schema()
                opening.check_head(path, connection)
        except BaseException:
            journal.close()
            raise
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        for connection in (self._proof, self._connection):
            if connection is not None:
                connection.close()
        self._proof = None
        self._trouble = self._trouble or "it was closed"
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    # -- appending ---------------------------------------------------------------------------------

    def append(self, *entries: Entry) -> list[int]:
        """Append entries in one durable transaction (synchronous FULL), then sync the head sidecar.

        Returns:
            Their numbers, once they would survive a power cut.

        Raises:
            JournalError: They would not; this journal takes nothing more until it is opened again.
        """
        for entry in entries:
            if entry.stage in _OWN:
                raise JournalError(f"stage {entry.stage!r} is written by the journal itself.")
        if not entries:
            return []
        bodies = [_wrapped(entry) for entry in entries]
        with self._guarded(), self._connection.appending():
            numbers = self._write(list(zip(entries, bodies, strict=True)))
        self._sync_head()
        return numbers

    def keep(self, run: str, org: str, step: int, page: int, snapshots: Sequence[Snapshot]) -> None:
        """Keep one page of snapshots; see `keep_pages`."""
        self.keep_pages(run, org, step, {page: snapshots})

    def keep_pages(
        self,
        run: str,
        org: str,
        step: int,
        kept: Mapping[int, Sequence[Snapshot]],
        unseen: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Write pages of snapshots (zstd frames, an index row a record) durably and read them back.

        Args:
            run: The run.
            org: The organisation of the account that the records are in.
            step: Index of the plan's step.
            kept: Index of the page of that step's targets, to the targets of the page and the
                children that go along, all in one account.
            unseen: Kind to what was hidden of it, so that its snapshots are not complete.

        Raises:
            JournalError: What is read back is not what was written, or it could not be written.
        """
        made = [
            _Page.of(run, org, step, page, shots, unseen or {})
            for page, shots in kept.items()
            if shots
        ]
        if not made:
            return
        with self._guarded(), self._connection.appending():
            numbers = self._write([(one.entry, one.body) for one in made])
            for n, one in zip(numbers, made, strict=True):
                self._connection.run(self._insert_frame, [(n, f.first, f.data) for f in one.frames])
                self._connection.run(self._insert_captured, [(n, *row) for row in one.rows])
        with self._guarded():
            for n, one in zip(numbers, made, strict=True):
                self._prove(n, one.frames)
        self._sync_head()

    def map_ids(self, run: str, org: str, pairs: Sequence[tuple[RecordRef, RecordRef]]) -> None:
        """Remember that these new records stand for these old ones.

        Args:
            run: The restore that made them.
            org: The organisation of the old records' account.
            pairs: Old record, new record.

        Raises:
            JournalError: It could not be written durably.
        """
        if not pairs:
            return
        rows = [
            (position, org, old.kind, old.id, new.crm, new.kind, new.id)
            for position, (old, new) in enumerate(pairs)
        ]
        body = {"pairs": len(rows), "remade": chain.digest_rows(rows)}
        old = pairs[0][0]
        entry = Entry("remade", run, old.crm, org, old.kind, body=body)
        wrapped = _wrapped(entry)
        with self._guarded(), self._connection.appending():
            (n,) = self._write([(entry, wrapped)])
            self._connection.run(self._insert_remade, [(n, *row) for row in rows])
        self._sync_head()

    def _guarded(self) -> _Guarded:
        if self._reading:
            raise JournalError(f"the journal {self.path} was opened for reading only.")
        if self._trouble:
            raise JournalError(
                f"the journal {self.path} takes nothing more: {self._trouble}.",
                detail="See to the cause, then resume.",
            )
        return _Guarded(self)

    def _write(self, entries: Sequence[tuple[Entry, bytes]]) -> list[int]:
        last = self._connection.run(self._last)
        n, previous = last[0] if last else (0, chain.GENESIS)
        at = (datetime.now(UTC) - _EPOCH) // _MICROSECOND
        rows = []
        for e, body in entries:
            n += 1
            columns = (
                n, at, e.run, e.stage, e.crm, e.org, e.kind, e.step, e.page, e.batch, e.attempt,
            )  # fmt: skip
            previous = chain.link(previous, columns, body)
            rows.append((*columns, previous, body))
        self._connection.run(self._insert_entry, rows if len(rows) > 1 else rows[0])
        return [row[0] for row in rows]

    def _sync_head(self) -> None:
        # A second transaction, since the first gave the lock away with its commit. It writes nothing
        # and so costs no sync; what it vouches for may be another process's entry.
        with self._guarded(), self._connection.appending():
            n, digest = self._connection.run(self._last)[0]
            chain.write_head(self.path, chain.Head(n, digest), self._folder)

    def _prove(self, n: int, frames: Sequence[pages.Frame]) -> None:
        # Another connection: this one would answer out of its own memory.
        if self._proof is None:
            self._proof = Connection(self.path, wait=self._wait)
        with self._proof.telling("read back"):
            text = "SELECT first, data FROM frames WHERE n = ? ORDER BY first"
            found = self._proof.run(text, (n,))
        if [row[0] for row in found] != [frame.first for frame in frames]:
            raise JournalError("a snapshot was read back in part.", detail="See to the disk.")
        for row, frame in zip(found, frames, strict=True):
            try:
                same = hashlib.sha256(pages.expand(row[1])).digest() == frame.lines_sha256
            except ValueError:
                same = False
            if not same:
                raise JournalError(
                    f"a snapshot (entry {n}) was read back and is not what was written.",
                    detail="Nothing was sent. See to the disk, then resume.",
                )

    def _settle_schema(self) -> None:
        with self._guarded():
            migrated = opening.settle_schema(
                self.path, self._connection, self._folder, self._append_one
            )
        if migrated:
            self._sync_head()

    def _append_one(self, entry: Entry) -> None:
        self._write([(entry, _wrapped(entry))])

    # -- snapshots ---------------------------------------------------------------------------------

    def snapshots(self, run: str, refs: Collection[RecordRef]) -> dict[RecordRef, Record]:
        """The records as this run kept them (the latest keep of each); refs not kept are left out.

        Raises:
            JournalError: A snapshot is not what was written.
        """
        found = self._places(run, refs)
        wanted: dict[int, dict[int, RecordRef]] = {}
        for ref, (n, position) in found.items():
            wanted.setdefault(n, {})[position] = ref
        kept: dict[RecordRef, Record] = {}
        for n, positions in wanted.items():
            for position, snapshot in self._open(n, positions):
                kept[positions[position]] = snapshot.record
        return {ref: kept[ref] for ref in refs if ref in kept}

    def followers(
        self, run: str, parents: Collection[RecordRef]
    ) -> dict[RecordRef, list[Snapshot]]:
        """The children that this run kept with these parents (the latest keep).

        Parents without any are left out. Children may have been kept with their parent or after it,
        under the same step and page.

        Raises:
            JournalError: A snapshot is not what was written.
        """
        found = self._places(run, parents, targets=True)
        named = {f"{ref.kind}/{ref.id}": ref for ref in parents}
        children: dict[RecordRef, list[Snapshot]] = {}
        for since in sorted({n for n, _ in found.values()}):
            here = [r for r, (n, _) in found.items() if n == since]
            for n, positions in self._children(since, here).items():
                for _, snapshot in self._open(n, positions):
                    parent = snapshot.parent
                    assert parent is not None
                    ref = named[f"{parent.kind}/{parent.id}"]
                    children.setdefault(ref, []).append(snapshot)
        return children

    def _children(self, since: int, parents: Collection[RecordRef]) -> dict[int, list[int]]:
        """Where the children of these parents lie, from the entry of their parents' keep on."""
        e, c = _ENTRIES, _CAPTURED
        own = tables.entries.alias().c
        same = and_(
            own.n == since, e.run == own.run, e.step == own.step, e.page == own.page,
            e.stage == "snapshot", e.n >= since,
        )  # fmt: skip
        positions: dict[int, list[int]] = {}
        names = [name for r in parents for name in (r.id, f"{r.kind}/{r.id}")]
        for part in _chunks(names):
            statement = (
                select(c.n, c.position)
                .where(same, c.n == e.n, c.parent.in_(part))
                .order_by(c.n, c.position)
            )
            for n, position in self._connection.read(statement):
                positions.setdefault(n, []).append(position)
        return positions

    def _places(
        self, run: str, refs: Collection[RecordRef], *, targets: bool = False
    ) -> dict[RecordRef, tuple[int, int]]:
        """Entry and position of the latest keep of each ref in a run."""
        groups: dict[tuple[str, str], list[str]] = {}
        for ref in refs:
            groups.setdefault((ref.crm, ref.kind), []).append(ref.id)
        e, c = _ENTRIES, _CAPTURED
        found: dict[RecordRef, tuple[int, int]] = {}
        for (crm, kind), ids in groups.items():
            for part in _chunks(ids):
                statement = (
                    select(c.id, c.n, c.position)
                    .join_from(tables.captured, tables.entries, e.n == c.n)
                    .where(c.kind == kind, c.id.in_(part))
                    # Not by the run's index: by the ids, of which a run has a million others.
                    .where(e.run.concat("") == run, e.crm == crm)
                    .where(*([c.parent == ""] if targets else []))
                    .order_by(c.n, c.position)
                )
                for id_, n, position in self._connection.read(statement):
                    found[RecordRef(crm, kind, id_)] = (n, position)
        return found

    def _open(self, n: int, positions: Collection[int]) -> Iterator[tuple[int, Snapshot]]:
        """Read snapshots of one entry, each held against the digests that the chain covers."""
        entry = self._row(n)
        manifest = dict(self._written(entry).entry.body["frames"])
        firsts = sorted(manifest)
        left = sorted(positions)
        for first, after in zip(firsts, [*firsts[1:], None], strict=True):
            here = [p for p in left if p >= first and (after is None or p < after)]
            if here:
                lines = self._lines(n, first, manifest[first])
                for position in here:
                    yield position, pages.from_line(lines[position - first])

    def _lines(self, n: int, first: int, sha256: str) -> list[bytes]:
        statement = select(_FRAMES.data).where(_FRAMES.n == n, _FRAMES.first == first)
        found = self._connection.read(statement)
        if not found or hashlib.sha256(found[0][0]).hexdigest() != sha256:
            raise JournalError(
                f"the snapshot in entry {n} is not what was written.",
                detail="Run 'crm-bridge journal check', and bring the journal back from a backup.",
            )
        return pages.lines_of(found[0][0])

    def traces(self, org: str, kind: str, ids: Collection[str]) -> dict[str, list[Trace]]:
        """The runs that took these records, newest first (whatever the crm is called in the settings).

        One trace a run: that of its latest keep, and where it kept a record both as a target and as a
        child, that of the target.
        """
        e, c = _ENTRIES, _CAPTURED
        found: dict[str, list[Trace]] = {}
        for part in _chunks(ids):
            statement = (
                select(c.id, c.parent, e.run, e.step, e.page, e.at, e.crm, e.kind)
                .join_from(tables.captured, tables.entries, e.n == c.n)
                .where(e.org == org, c.kind == kind, c.id.in_(part))
                .order_by(c.n.desc(), c.position)
            )
            by_run: dict[tuple[str, str], Trace] = {}
            for id_, parent, run, *rest in self._connection.read(statement):
                trace = _trace(parent, run, *rest)
                known = by_run.get((id_, run))
                if known is None or (known.parent is not None and trace.parent is None):
                    by_run[id_, run] = trace
            for (id_, _), trace in by_run.items():
                found.setdefault(id_, []).append(trace)
        return found

    # -- entries -----------------------------------------------------------------------------------

    def entries(
        self,
        run: str | None = None,
        stages: Collection[str] = (),
        *,
        step: int | None = None,
        page: int | None = None,
        kind: str | None = None,
        from_page: int = 0,
    ) -> Iterator[Written]:
        """Stream entries in order; what is appended meanwhile is streamed as well.

        Args:
            run: Those of one run; None for all.
            stages: Those of these stages; empty for all.
            step: Those of one step.
            page: Those of one page.
            kind: Those of one kind.
            from_page: Those of this page and later ones.
        """
        e = _ENTRIES
        where: list[ColumnElement[bool]] = [e.page >= from_page] if from_page else []
        for column, value in ((e.run, run), (e.step, step), (e.page, page), (e.kind, kind)):
            if value is not None:
                where.append(column == value)
        if run is None or (step is not None and page is not None):
            yield from self._stream([*where, e.stage.in_(tuple(stages))] if stages else where)
            return
        # One stream a stage: the index gives each in order, and no page of them has to be sorted.
        named = stages or [
            row[0] for row in self._connection.read(select(e.stage).where(e.run == run).distinct())
        ]
        streams = [self._stream([*where, e.stage == stage]) for stage in sorted(set(named))]
        yield from heapq.merge(*streams, key=lambda written: written.n)

    def _stream(self, where: Sequence[ColumnElement[bool]]) -> Iterator[Written]:
        after = 0
        while True:
            statement = (
                select(tables.entries)
                .where(*where, _ENTRIES.n > after)
                .order_by(_ENTRIES.n)
                .limit(_STREAM)
            )
            rows = self._connection.read(statement)
            for row in rows:
                yield self._written(row)
            if len(rows) < _STREAM:
                return
            after = rows[-1].n

    def _row(self, n: int) -> Any:
        found = self._connection.read(select(tables.entries).where(_ENTRIES.n == n))
        if not found:
            raise JournalError(f"entry {n} is missing.", detail="Run 'crm-bridge journal check'.")
        return found[0]

    def _written(self, row: Any) -> Written:
        try:
            body = pages.unwrap(row.body)
            at = _EPOCH + row.at * _MICROSECOND
        except (ValueError, OverflowError, RecursionError):
            raise JournalError(
                f"entry {row.n} of the journal cannot be read.",
                detail="Run 'crm-bridge journal check', and bring the journal back from a backup.",
            ) from None
        entry = Entry(
            row.stage, row.run, row.crm, row.org, row.kind,
            row.step, row.page, row.batch, row.attempt, body,
        )  # fmt: skip
        return Written(row.n, at, entry)

    def latest(self, run: str, stage: str, *, step: int, page: int) -> Written | None:
        """The last entry of a stage for one page; None where there is none."""
        e = _ENTRIES
        rows = self._connection.read(
            select(tables.entries)
            .where(e.run == run, e.step == step, e.page == page, e.stage == stage)
            .order_by(e.n.desc())
            .limit(1)
        )
        return self._written(rows[0]) if rows else None

    def runs(self) -> list[Written]:
        """The `plan` entry of each run, newest first; the first one, where a run has several."""
        first = select(func.min(_ENTRIES.n)).where(_ENTRIES.stage == "plan").group_by(_ENTRIES.run)
        numbers = sorted((row[0] for row in self._connection.read(first)), reverse=True)
        return [self._written(self._row(n)) for n in numbers]

    def find_plan(self, digest: str) -> str | None:
        """The run that carried out the plan with this digest (`digest` in its `plan` entry's body).

        The newest, where there are several; None where there is none.
        """
        for written in self.runs():
            body = written.entry.body
            if isinstance(body, Mapping) and body.get("digest") == digest:
                return written.entry.run
        return None

    # -- remade ------------------------------------------------------------------------------------

    def remade(self, org: str, kind: str, ids: Collection[str]) -> dict[str, RecordRef]:
        """Old id to the record made in its place, by every restore so far.

        A chain of remakes is followed to its end. The record's crm is the name that it had when it was
        made.
        """
        newest = self._remade(org, kind, ids)
        return {id_: self._end_of(org, ref) for id_, ref in newest.items()}

    def remade_kinds(self, org: str) -> list[str]:
        """The kinds of which any record of an org was ever made anew."""
        statement = select(_REMADE.kind).where(_REMADE.org == org).distinct()
        return sorted(row[0] for row in self._connection.read(statement))

    def _end_of(self, org: str, ref: RecordRef) -> RecordRef:
        seen = {(ref.kind, ref.id)}
        while True:
            further = self._remade(org, ref.kind, [ref.id]).get(ref.id)
            if further is None or (further.kind, further.id) in seen:
                return ref
            ref = further
            seen.add((ref.kind, ref.id))

    def _remade(self, org: str, kind: str, ids: Collection[str]) -> dict[str, RecordRef]:
        m = _REMADE
        found: dict[str, RecordRef] = {}
        for part in _chunks(ids):
            statement = (
                select(m.id, m.new_crm, m.new_kind, m.new_id)
                .where(m.org == org, m.kind == kind, m.id.in_(part))
                .order_by(m.n, m.position)
            )
            for id_, crm, new_kind, new_id in self._connection.read(statement):
                found[id_] = RecordRef(crm, new_kind, new_id)
        return found

    # -- the whole ---------------------------------------------------------------------------------

    def check(self) -> Check:
        """Walk the whole chain and every table; what is found is told, not raised.

        Raises:
            JournalError: The file cannot be read at all.
        """
        return checking.check(self.path, wait=self._wait)

    def export(self) -> Iterator[Mapping[str, Any]]:
        """The events, one a record and stage, as JSON objects; see `export.events`."""
        plans = {w.entry.run: export.plan_of(w) for w in self.runs()}
        return export.events(self.entries(), plans, self._captured_rows, self._remade_rows)

    def _remade_rows(self, n: int) -> Iterator[tuple[str, str, str, str]]:
        c = tables.remade.c
        found = select(c.kind, c.id, c.new_kind, c.new_id).where(c.n == n).order_by(c.position)
        yield from self._connection.read(found)

    def _captured_rows(self, n: int) -> Iterator[tuple[str, str, str, str]]:
        c = _CAPTURED
        after, kept = -1, self._kept(n)
        while True:
            rows = self._connection.read(
                select(c.position, c.kind, c.id, c.effect)
                .where(c.n == n, c.position > after)
                .order_by(c.position)
                .limit(_AT_ONCE)
            )
            for _, kind, id_, effect in rows:
                yield kind, id_, effect, pages.sha256_of(next(kept))
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1][0]

    def _kept(self, n: int) -> Iterator[bytes]:
        """The lines of a `snapshot` entry, in their order."""
        for first, sha256 in self._written(self._row(n)).entry.body["frames"]:
            yield from self._lines(n, first, sha256)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of snapshots, ready to be written."""

    entry: Entry
    body: bytes
    frames: Sequence[pages.Frame]
    rows: Sequence[tuple[Any, ...]]

    @classmethod
    def of(
        cls,
        run: str,
        org: str,
        step: int,
        page: int,
        snapshots: Sequence[Snapshot],
        unseen: Mapping[str, Sequence[str]],
    ) -> _Page:
        crms = {snapshot.record.ref.crm for snapshot in snapshots}
        if len(crms) > 1:
            raise JournalError(f"a page of snapshots is of one account, not of {sorted(crms)}.")
        lines = [pages.to_line(snapshot) for snapshot in snapshots]
        frames = list(pages.frames_of(lines))
        kind = next((s.record.ref.kind for s in snapshots if not s.parent), "")
        kind = kind or snapshots[0].record.ref.kind
        rows = [
            (
                position,
                "",
                shot.record.ref.kind,
                shot.record.ref.id,
                _parent(shot.parent, kind),
                shot.effect,
                b"",
            )
            for position, shot in enumerate(snapshots)
        ]
        digest = chain.digest_rows([(*row[:-1], "") for row in rows])
        kinds = {row[2] for row in rows}
        missing = {kind: list(what) for kind, what in unseen.items() if kind in kinds}
        body = pages.manifest(frames, len(rows), digest, missing)
        entry = Entry("snapshot", run, crms.pop(), org, kind, step, page, body=body)
        return cls(entry, _wrapped(entry), frames, rows)


class _Guarded:
    """Remembers that something failed within it, so that the journal takes nothing more."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._journal._trouble = f"an append failed before ({str(error)[:160]})"


def _wrapped(entry: Entry) -> bytes:
    try:
        return pages.wrap(entry.body)
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(
            f"an entry of stage {entry.stage!r} cannot be kept: {str(error)[:160]}."
        ) from None


def _parent(ref: RecordRef | None, kind: str) -> str:
    """What an index row says of the parent: its id, and its kind where that is not the entry's."""
    if ref is None:
        return ""
    return ref.id if ref.kind == kind else f"{ref.kind}/{ref.id}"


def _trace(parent: str, run: str, step: int, page: int, at: int, crm: str, kind: str) -> Trace:
    moment = _EPOCH + at * _MICROSECOND
    if not parent:
        return Trace(run, step, page, None, moment)
    before, _, id_ = parent.partition("/") if "/" in parent else (kind, "", parent)
    return Trace(run, -1, -1, RecordRef(crm, before, id_), moment)
