"""How a journal is opened: made where there is none, migrated where older, refused where it does not fit."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from sqlalchemy import select

from crm_bridge.errors import JournalError
from crm_bridge.journal import chain, pages, place, tables
from crm_bridge.journal.connection import Connection, told
from crm_bridge.journal.rows import Entry

_RECENT: Final = 32
"""Rows before the head that are hashed again at each opening."""

_SCHEMA: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
)


def connect(path: Path, *, reading: bool, wait: float) -> Connection:
    """Open the file, making it unless it is only read.

    Raises:
        JournalError: It is missing while its head is there or while it is only read, cannot be opened,
            or lies where no journal may.
    """
    _refuse_missing(path, reading=reading)
    found = place.prepare(path)
    connection = Connection(path, wait=wait)
    try:
        place.same_file(path, found)
        return connection
    except BaseException:
        connection.close()
        raise


def _refuse_missing(path: Path, *, reading: bool) -> None:
    try:
        if os.path.lexists(path):
            return
        head = chain.read_head(path) if os.path.lexists(chain.head_of(path)) else None
    except OSError as error:
        raise told(error, path, "opened") from None
    if head is not None and head.count:
        trouble = JournalError(
            f"the journal {path} is gone, while its head tells of {head.count} entries.",
            detail="Bring it back from a backup; a new one would not know what was taken.",
        )
        trouble.damage = f"it is gone, while its head tells of {head.count} entries"
        raise trouble
    if reading:
        raise JournalError(f"there is no journal at {path}.", detail="It is made by the first run.")


def schema_digest(connection: Connection) -> str:
    """Digest over the tables and indexes as the file itself describes them."""
    return chain.digest_rows([tuple(row) for row in connection.run(_SCHEMA)])


def settle_schema(
    path: Path,
    connection: Connection,
    folder: int,
    append: Callable[[Entry], None],
    migrations: Sequence[tables.Migration] = tables.MIGRATIONS,
) -> bool:
    """Bring the tables to what this program knows, each migration recorded in the chain.

    Args:
        path: The journal's file; a copy of an older one is kept beside it.
        connection: To it.
        folder: A descriptor of its folder.
        append: Writes an entry within the transaction under way.
        migrations: Those that this program knows.

    Returns:
        Whether anything was applied; the head is then to be synced.

    Raises:
        JournalError: Not a journal, newer than this program, or a migration failed.
    """
    known = [migration.__name__ for migration in migrations]
    if not _to_do(path, connection, known):
        return False
    if _tables(connection):
        _copy(path, connection, _to_do(path, connection, known)[0])
    elif chain.read_head(path) is None:
        # Before the first entry, so that a journal without a head is always one that lost it.
        with connection.appending():
            if not _tables(connection):
                chain.write_head(path, chain.Head(0, chain.GENESIS), folder)
    elif chain.read_head(path) != chain.Head(0, chain.GENESIS):
        raise JournalError(
            f"the journal {path} is empty, while its head tells of entries.",
            detail="Bring it back from a backup; a new one would not know what was taken.",
        )
    with connection.appending():
        # Asked again under the lock: another process may have done it meanwhile.
        to_do = _to_do(path, connection, known)
        for migration in migrations:
            if migration.__name__ in to_do:
                migration(connection.sql)
                append(_record(migration.__name__, schema_digest(connection)))
    return True


def _record(name: str, digest: str) -> Entry:
    try:
        program = version("crm-bridge")
    except PackageNotFoundError:
        program = "unknown"
    return Entry("migration", body={"name": name, "program": program, "schema": digest})


def _tables(connection: Connection) -> bool:
    with connection.telling("opened"):
        return bool(connection.run("SELECT 1 FROM sqlite_master LIMIT 1"))


def applied(connection: Connection) -> list[str]:
    """The names of the migrations that the chain tells of."""
    e = tables.entries.c
    statement = select(e.body).where(e.run == "", e.stage == "migration").order_by(e.n)
    try:
        return [str(pages.unwrap(row[0])["name"]) for row in connection.read(statement)]
    except (ValueError, KeyError, TypeError):
        return ["?"]


def _to_do(path: Path, connection: Connection, known: Sequence[str]) -> list[str]:
    if not _tables(connection):
        return list(known)
    with connection.telling("opened"):
        found = {row[0] for row in connection.run("SELECT name FROM sqlite_master")}
    if "entries" not in found:
        raise JournalError(
            f"{path} is a database, but not a journal.",
            detail="Name another file; this one is left as it is.",
        )
    done = applied(connection)
    if strange := [name for name in done if name not in known]:
        raise JournalError(
            f"the journal {path} was written by a newer crm-bridge (it has {', '.join(strange)}).",
            detail="Upgrade crm-bridge; the journal is left as it is.",
        )
    if not done:
        raise JournalError(
            f"the journal {path} does not tell how it was made.",
            detail="Bring it back from a backup; 'crm-bridge journal check' tells what still holds.",
        )
    return [name for name in known if name not in done]


def _copy(path: Path, connection: Connection, before: str) -> None:
    copy = path.with_name(f"{path.name}.before-{before}")
    copy.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(copy, flags, 0o600)
        target = sqlite3.connect(copy)
        try:
            connection.driver.backup(target)
        finally:
            target.close()
        os.fsync(descriptor)
        os.close(descriptor)
    except (OSError, sqlite3.Error) as error:
        raise told(error, path, f"copied to {copy.name} before it is migrated") from None


def check_head(path: Path, connection: Connection) -> None:
    """Hold the head beside the journal against the last rows.

    Raises:
        JournalError: It is missing, the chain ends before it or lacks it, or a last row was edited.
    """
    head = chain.read_head(path)
    if head is None:
        raise _does_not_check(f"the head {chain.head_of(path)} is missing")
    e = tables.entries.c
    last = connection.run("SELECT n FROM entries ORDER BY n DESC LIMIT 1")
    count = last[0][0] if last else 0
    if count < head.count:
        raise _does_not_check(f"the chain ends at entry {count}, its head tells of {head.count}")
    since = max(0, min(head.count, count - _RECENT) - 1)
    previous = None if since else chain.GENESIS
    if head.count == 0 and head.hash != chain.GENESIS:
        raise _does_not_check("the head was edited")
    statement = select(tables.entries).where(e.n >= since).order_by(e.n)
    for row in connection.read(statement):
        *columns, digest, body = row
        if previous is not None and chain.link(previous, columns, body) != digest:
            raise _does_not_check(f"entry {row.n} was edited")
        if row.n == head.count and digest != head.hash:
            raise _does_not_check(f"entry {row.n} is not the one that the head tells of")
        previous = digest


def _does_not_check(why: str) -> JournalError:
    return JournalError(
        f"the journal does not check: {why}.",
        detail="Run 'crm-bridge journal check', and bring the journal and its .head back from one backup.",
    )
