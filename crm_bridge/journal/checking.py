"""The walk that finds an edit: every entry hashed again, every owned row held against its digest."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from crm_bridge.errors import JournalError
from crm_bridge.journal import chain, opening, pages
from crm_bridge.journal.connection import WAIT, Connection, told
from crm_bridge.journal.rows import Check

_CHUNK: Final = 64

_ENTRIES: Final = (
    "SELECT n, at, run, stage, crm, org, kind, step, page, batch, attempt, hash, body FROM entries"
    " WHERE n > ? ORDER BY n LIMIT ?"
)
_FRAMES: Final = "SELECT first, data FROM frames WHERE n = ? ORDER BY first"
_CAPTURED: Final = (
    "SELECT position, org, kind, id, parent, effect, sha256 FROM captured WHERE n = ? "
    "ORDER BY position"
)
_REMADE: Final = (
    "SELECT position, org, kind, id, new_crm, new_kind, new_id FROM remade WHERE n = ?"
    " ORDER BY position"
)
_OWNERS: Final = {"frames": "snapshot", "captured": "snapshot", "remade": "remade"}


class _Found(Exception):
    """The first row that is not as it was written."""

    def __init__(self, table: str, row: int, why: str) -> None:
        super().__init__(why)
        self.table, self.row, self.why = table, row, why


@dataclass(slots=True)
class _Walk:
    """A walk over one moment of the journal.

    Attributes:
        connection: It gives text as bytes.
        head: The head as it was read before the walk.
        rows: Rows looked at so far.
        table: Where the walk is, for damage that the database itself reports.
        n: The entry where it is.
        schema: The digest of the tables that the last migration recorded.
    """

    connection: Connection
    head: chain.Head | None
    rows: int = 0
    table: str = "schema"
    n: int = 0
    schema: str = ""
    _owned: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OWNERS, 0))

    def walk(self) -> None:
        """Look at everything.

        Raises:
            _Found: At the first row that does not fit.
        """
        self._tables_are_ours()
        previous = chain.GENESIS
        for row in self._entries():
            self.n += 1
            self.table = "entries"
            previous = self._entry(row, previous)
        self._ends_where_the_head_says()
        for table, stage in _OWNERS.items():
            self.table = table
            self._no_row_without_owner(table, stage)
        self._file_is_sound()

    def _tables_are_ours(self) -> None:
        names = {bytes(row[0]) for row in self.connection.run("SELECT name FROM sqlite_master")}
        for table in ("entries", *_OWNERS):
            if table.encode() not in names:
                raise _Found(table, 0, "the table is missing")

    def _entries(self) -> Iterator[Any]:
        after = -(1 << 63)
        while rows := self.connection.run(_ENTRIES, (after, _CHUNK)):
            yield from rows
            after = rows[-1][0]
            if after == (1 << 63) - 1:
                return

    def _entry(self, row: Sequence[Any], previous: bytes) -> bytes:
        *columns, digest, body = row
        n = columns[0]
        self.rows += 1
        if n < self.n:
            raise _Found("entries", n, "it was added: entries are numbered from 1")
        if n > self.n:
            raise _Found("entries", self.n, f"it is missing: entry {n} follows {self.n - 1}")
        if chain.link(previous, columns, body) != digest:
            raise _Found("entries", n, "its hash does not fit its columns and the entry before it")
        if self.head and self.head.count == n and self.head.hash != digest:
            raise _Found("entries", n, "it is not the entry that the head tells of")
        stage = bytes(columns[3])
        if stage in (b"snapshot", b"remade", b"migration"):
            self._owned_rows(n, stage, pages.unwrap(body))
        return bytes(digest)

    def _owned_rows(self, n: int, stage: bytes, body: Any) -> None:
        if stage == b"migration":
            self.schema = body["schema"]
        elif stage == b"remade":
            self._index("remade", _REMADE, n, body["pairs"], body["remade"])
        else:
            self.table = "frames"
            frames = self.connection.run(_FRAMES, (n,))
            self._count("frames", len(frames))
            kept = [[first, hashlib.sha256(data).hexdigest()] for first, data in frames]
            if kept != body["frames"]:
                raise _Found("frames", n, self._frames_differ(kept, body["frames"]))
            self._index("captured", _CAPTURED, n, body["records"], body["captured"])

    @staticmethod
    def _frames_differ(kept: list[Any], due: list[Any]) -> str:
        if len(kept) != len(due):
            return f"there are {len(kept)} frames, and {len(due)} were written"
        where = next(i for i, pair in enumerate(kept) if pair != due[i])
        return f"frame {where} of the snapshot is not what was written"

    def _index(self, table: str, text: str, n: int, count: int, digest: str) -> None:
        self.table = table
        rows = self.connection.run(text, (n,))
        self._count(table, len(rows))
        if len(rows) != count:
            raise _Found(table, n, f"there are {len(rows)} rows, and {count} were written")
        if table == "captured":
            rows = [(*row[:-1], row[-1].hex()) for row in rows]
        if chain.digest_rows([tuple(row) for row in rows]) != digest:
            raise _Found(table, n, "its rows are not what was written")

    def _count(self, table: str, rows: int) -> None:
        self.rows += rows
        self._owned[table] += rows

    def _ends_where_the_head_says(self) -> None:
        if self.head is None:
            raise _Found("head", 0, "the head beside the journal is missing")
        if self.n < self.head.count:
            why = f"the chain was cut: it ends at {self.n}, and the head tells of {self.head.count}"
            raise _Found("entries", self.n + 1, why)
        if self.head.count == 0 and self.head.hash != chain.GENESIS:
            raise _Found("head", 0, "it was edited")

    def _no_row_without_owner(self, table: str, stage: str) -> None:
        total = self.connection.run(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
        if total == self._owned[table]:
            return
        text = (
            f"SELECT t.n FROM {table} t LEFT JOIN entries e ON e.n = t.n AND e.stage = ?"  # noqa: S608
            " WHERE e.n IS NULL ORDER BY t.n LIMIT 1"
        )
        stray = self.connection.run(text, (stage,))
        row = stray[0][0] if stray else 0
        raise _Found(table, row, "it was added: no entry owns it")

    def _file_is_sound(self) -> None:
        self.table, self.n = "schema", 0
        if opening.schema_digest(self.connection) != self.schema:
            raise _Found("schema", 0, "the tables or indexes are not those that were made")
        sound = self.connection.run("PRAGMA integrity_check(1)")[0][0]
        if sound != b"ok":
            words = sound.decode("utf-8", "replace")[:160]
            raise _Found("schema", 0, f"the file is damaged: {words}")


def check(path: Path, *, wait: float = WAIT) -> Check:
    """Walk the whole chain and every table, as they are at one moment.

    Args:
        path: The journal's file.
        wait: Seconds to wait for another writer.

    Raises:
        JournalError: The file cannot be opened.
    """
    connection = Connection(path, wait=wait, raw_text=True)
    try:
        try:
            # Before the walk: a head that is read later may tell of entries that the walk cannot see.
            head = chain.read_head(path)
        except JournalError as error:
            return Check(False, 0, "head", 0, str(error))
        walk = _Walk(connection, head)
        try:
            with connection.looking():
                walk.walk()
        except _Found as found:
            return Check(False, walk.rows, found.table, found.row, found.why)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            why = f"it cannot be read: {str(error)[:160]}"
            return Check(False, walk.rows, walk.table, walk.n, why)
        except (SQLAlchemyError, sqlite3.Error) as error:
            why = told(error, path, "read").summary
            return Check(False, walk.rows, walk.table, walk.n, why)
        return Check(True, walk.rows)
    finally:
        connection.close()
