"""The SQLite file: opened so that what is committed is durable, its errors told in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Executable, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from crm_bridge.errors import JournalError

WAIT: Final = 30.0
"""Seconds to wait for another writer."""

_WORDS: Final[dict[int, tuple[str, str]]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "Make room; then resume."),
    sqlite3.SQLITE_IOERR: (
        "the disk cannot be read or written (a fault, a quota or a size limit)",
        "See to the disk; then run 'crm-bridge journal check' and resume.",
    ),
    sqlite3.SQLITE_BUSY: (
        "it is locked by another process",
        "Wait for it, or end it; then resume.",
    ),
    sqlite3.SQLITE_LOCKED: ("it is locked", "Wait for the other run to end; then resume."),
    sqlite3.SQLITE_READONLY: ("it is read-only", "Make the file and its folder yours to write."),
    sqlite3.SQLITE_PERM: ("it may not be written", "Make the file and its folder yours to write."),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "Look at the rights of the file and its folder.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "it is not a journal",
        "Bring it back from a backup, or name another file; it is not overwritten.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged",
        "Bring it back from a backup together with its .head; 'crm-bridge journal check' tells where.",
    ),
}
_DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


def told(error: Exception, path: Path, doing: str) -> JournalError:
    """What an error of the database or the disk means for the journal.

    Args:
        error: As it was caught.
        path: The journal's file.
        doing: What was tried, such as "written".
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _WORDS:
        what, next_ = _WORDS[code & 0xFF]
    elif isinstance(cause, OSError):
        what, next_ = cause.strerror or "the disk refused", "See to the disk; then resume."
    else:
        # Names and values never: SQLAlchemy's own text would quote the row.
        what = f"{type(cause).__name__}: {str(cause)[:160]}"
        next_ = "Run 'crm-bridge journal check'."
    trouble = JournalError(f"the journal {path} cannot be {doing}: {what}.", detail=next_)
    if code is not None and code & 0xFF in _DAMAGED:
        trouble.damage = what
    return trouble


class Connection:
    """One connection to the journal's file, in autocommit; transactions are begun by hand."""

    def __init__(self, path: Path, *, wait: float = WAIT, raw_text: bool = False) -> None:
        """Connect to a file that is there already.

        Args:
            path: The file.
            wait: Seconds to wait for another writer.
            raw_text: Give text as bytes, for a check that must not trip over what is not UTF-8.
        """
        self.path = path
        address = f"file:{quote(str(path))}?mode=rw"

        def connect() -> sqlite3.Connection:
            made = sqlite3.connect(
                address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False
            )
            if raw_text:
                made.text_factory = bytes
            return made

        self._engine = create_engine(
            "sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )  # fmt: skip
        with self.telling("opened"):
            self._sql: SqlConnection = self._engine.connect()
        try:
            with self.telling("opened"):
                self._tune()
        except BaseException:
            self.close()
            raise

    def _tune(self) -> None:
        mode = self._sql.exec_driver_sql("PRAGMA journal_mode=WAL").scalar()
        if mode not in ("wal", b"wal"):
            raise JournalError(
                f"the journal {self.path} cannot be opened: its file system has no shared memory.",
                detail="Name a folder on a disk of this machine.",
            )
        # Committed is not durable below FULL: with NORMAL a WAL is not synced before a checkpoint.
        for word in (
            "synchronous=FULL",
            "trusted_schema=OFF",
            "cell_size_check=ON",
            "cache_size=-8000",
        ):
            self._sql.exec_driver_sql(f"PRAGMA {word}")

    @property
    def sql(self) -> SqlConnection:
        """SQLAlchemy's connection, for migrations."""
        return self._sql

    @property
    def driver(self) -> sqlite3.Connection:
        """The driver's connection, for a copy of the whole file."""
        return cast(sqlite3.Connection, self._sql.connection.driver_connection)

    def close(self) -> None:
        """Let go of the file."""
        with suppress(SQLAlchemyError, sqlite3.Error, AttributeError):
            self._sql.close()
        self._engine.dispose()

    @contextmanager
    def telling(self, doing: str) -> Iterator[None]:
        """Turn errors of the database and the disk into `JournalError`."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
            raise told(error, self.path, doing) from None

    @contextmanager
    def appending(self) -> Iterator[None]:
        """A transaction that holds the append lock; committed durably, or not at all."""
        with self.telling("written"):
            self._sql.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.exec_driver_sql("COMMIT")
            except BaseException:
                self.roll_back()
                raise

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A transaction that sees one moment of the file."""
        self._sql.exec_driver_sql("BEGIN")
        try:
            yield
        finally:
            self.roll_back()

    def roll_back(self) -> None:
        """End a transaction that may be over already."""
        with suppress(SQLAlchemyError, sqlite3.Error):
            if self.driver.in_transaction:
                self._sql.exec_driver_sql("ROLLBACK")

    def prepared(self, statement: Any) -> str:
        """The text of a statement, compiled once for the paths that run often."""
        return str(statement.compile(dialect=self._engine.dialect))

    def run(self, text: str, values: Any = ()) -> Sequence[Any]:
        """Execute a prepared text with its values, or with a list of them; all rows."""
        result = self._sql.exec_driver_sql(text, values)
        return result.fetchall() if result.returns_rows else ()

    def read(self, statement: Executable, doing: str = "read") -> Sequence[Any]:
        """All rows of a bounded query; no cursor stays open, so that the next append finds no reader."""
        with self.telling(doing):
            return self._sql.execute(statement).fetchall()
