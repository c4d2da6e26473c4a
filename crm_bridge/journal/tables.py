"""The schema: append-only tables, and the migrations that make them.

Only `Text`, `LargeBinary` and `BigInteger`, so that the same tables can stand in PostgreSQL. In SQLite
they are STRICT: a column never holds another type than its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

metadata: Final = MetaData()

entries: Final = Table(
    "entries",
    metadata,
    Column("n", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", _NUMBER, nullable=False),  # microseconds since 1970, UTC
    Column("run", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("crm", Text, nullable=False),
    Column("org", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step", _NUMBER, nullable=False),
    Column("page", _NUMBER, nullable=False),
    Column("batch", _NUMBER, nullable=False),
    Column("attempt", _NUMBER, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # Last, so that a walk over the other columns need not read it.
    Column("body", LargeBinary, nullable=False),
    # Both end in the row's number, so that a stream in order needs no sorting.
    Index("entries_by_stage", "run", "stage"),
    Index("entries_by_page", "run", "step", "page", "stage"),
    sqlite_strict=True,
)
"""One row a batch and stage; `hash` chains all its other columns to the row before."""

frames: Final = Table(
    "frames",
    metadata,
    Column("n", _NUMBER, primary_key=True, autoincrement=False),
    Column("first", _NUMBER, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_strict=True,
)
"""The records of a `snapshot` entry, compressed; `first` is the position of a frame's first record."""

captured: Final = Table(
    "captured",
    metadata,
    Column("n", _NUMBER, primary_key=True, autoincrement=False),
    Column("position", _NUMBER, primary_key=True, autoincrement=False),
    Column("org", Text, nullable=False),  # empty since m002: that of the entry
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("parent", Text, nullable=False),  # id of who takes it along, or Kind/id
    Column("effect", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),  # empty since m002: the frame's covers it
    Index("captured_by_id", "org", "kind", "id"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
"""One row a record of a snapshot: where to find it again."""

remade: Final = Table(
    "remade",
    metadata,
    Column("n", _NUMBER, primary_key=True, autoincrement=False),
    Column("position", _NUMBER, primary_key=True, autoincrement=False),
    Column("org", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("new_crm", Text, nullable=False),
    Column("new_kind", Text, nullable=False),
    Column("new_id", Text, nullable=False),
    Index("remade_by_id", "org", "kind", "id"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
"""Which new record stands for which old one."""


def m001_initial(connection: Connection) -> None:
    """Make the tables. A later change is a migration of its own and leaves this one as it is."""
    metadata.create_all(connection, checkfirst=False)


def m002_found_by_id(connection: Connection) -> None:
    """Find records by id alone: the entry names the org, and ids of two kinds seldom are one.

    Rows from before it name the org themselves, and their parents as Kind/id.
    """
    connection.exec_driver_sql("DROP INDEX captured_by_id")
    connection.exec_driver_sql("CREATE INDEX captured_by_id ON captured (id)")


Migration = Callable[[Connection], None]

MIGRATIONS: Final[tuple[Migration, ...]] = (m001_initial, m002_found_by_id)
"""In the order in which they are applied, each once; the chain tells which were."""
