"""An edit anywhere in the journal is found, and named: every table, every column, every region of bytes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_bridge.errors import JournalError
from crm_bridge.journal.store import Entry, Journal, Snapshot
from crm_bridge.model.records import Record, RecordRef, State

URL = "sqlite:///journal.db"
Edit = Callable[[sqlite3.Connection], object]


def ref(one: str) -> RecordRef:
    return RecordRef("mem", "Lead", one)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Journal.open(URL, folder=tmp_path) as journal:
        for n in range(3):
            journal.append(Entry("plan", f"r-{n}", body={"plan": f"p-{n}", "digest": "d"}))
            journal.keep(
                f"r-{n}",
                "org",
                0,
                0,
                [
                    Snapshot(Record(ref(f"{n}{i}"), State.LIVE, {"name": f"canary {i}" * 20}))
                    for i in range(30)
                ],
            )
            journal.map_ids(f"r-{n}", "org", [(ref(f"{n}0"), ref(f"{n}9"))])
    return tmp_path


def raw(folder: Path, edit: Edit) -> None:
    connection = sqlite3.connect(folder / "journal.db", isolation_level=None)
    edit(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def checked(folder: Path) -> tuple[bool, str | None, str | None]:
    with Journal.open(URL, folder=folder, reading=True) as journal:
        found = journal.check()
    return found.ok, found.table, found.why


def test_a_whole_journal_checks(folder: Path) -> None:
    assert checked(folder)[0]


def _columns(table: str) -> list[str]:
    return {
        "entries": [
            "at",
            "run",
            "stage",
            "crm",
            "org",
            "kind",
            "step",
            "page",
            "batch",
            "attempt",
            "hash",
            "body",
        ],
        "frames": ["first", "data"],
        "captured": ["position", "org", "kind", "id", "parent", "effect", "sha256"],
        "remade": ["position", "org", "kind", "id", "new_crm", "new_kind", "new_id"],
    }[table]


@pytest.mark.parametrize(
    ("table", "column"),
    [(t, c) for t in ("entries", "frames", "captured", "remade") for c in _columns(t)],
)
def test_an_edited_value_is_found(folder: Path, table: str, column: str) -> None:
    def edit(db: sqlite3.Connection) -> None:
        (kind,) = db.execute(f"SELECT typeof({column}) FROM {table} LIMIT 1").fetchone()
        new = {
            "integer": f"{column} + 77",
            "text": f"{column} || 'x'",
            "blob": f"cast({column} || x'00' AS BLOB)",
        }[kind]
        where = f"n = (SELECT n FROM {table} ORDER BY n LIMIT 1 OFFSET 2)"
        if table in ("captured", "remade"):
            where += f" AND position = (SELECT max(position) FROM {table})"
        db.execute(f"UPDATE {table} SET {column} = {new} WHERE {where}")

    raw(folder, edit)
    ok, told, why = checked(folder)
    assert not ok
    assert told == table, (told, why)


EDITS: dict[str, str] = {
    "an entry in the middle dropped": "DELETE FROM entries WHERE n = 4",
    "the tail cut": "DELETE FROM entries WHERE n > 5",
    "all entries dropped": "DELETE FROM entries",
    "a snapshot dropped": "DELETE FROM frames WHERE n = (SELECT min(n) FROM frames)",
    "a captured row dropped": "DELETE FROM captured WHERE position = 3",
    "a remade row dropped": "DELETE FROM remade WHERE n = (SELECT min(n) FROM remade)",
    "two entries swapped": "UPDATE entries SET n = CASE n WHEN 3 THEN -4 WHEN 4 THEN -3 END "
    "WHERE n IN (3, 4); UPDATE entries SET n = -n WHERE n < 0",
    "two snapshots swapped": "UPDATE frames SET data = (SELECT data FROM frames f WHERE f.n != "
    "frames.n LIMIT 1)",
    "a stray snapshot": "INSERT INTO frames SELECT 9999, first, data FROM frames LIMIT 1",
    "a stray captured row": "INSERT INTO captured SELECT 9999, position, org, kind, id, parent, "
    "effect, sha256 FROM captured LIMIT 1",
    "a stray remade row": "INSERT INTO remade SELECT 9999, position, org, kind, id, new_crm, "
    "new_kind, new_id FROM remade LIMIT 1",
    "an index dropped": "DROP INDEX IF EXISTS {index}",
    "a table added": "CREATE TABLE sneaky (a)",
    "a trigger added": "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM frames; END",
    "a table dropped": "DROP TABLE remade",
}


@pytest.mark.parametrize("name", EDITS)
def test_a_change_of_rows_or_tables_is_found(folder: Path, name: str) -> None:
    def edit(db: sqlite3.Connection) -> None:
        (index,) = db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchone()
        db.executescript(EDITS[name].format(index=index))

    raw(folder, edit)
    ok, table, why = checked(folder)
    assert not ok
    assert table
    assert why


def test_a_flipped_byte_anywhere_in_the_file_is_found_or_harmless(folder: Path) -> None:
    """Bytes that no row stands in (free space) may change; whatever a row tells may not."""
    raw(folder, lambda db: None)
    whole = (folder / "journal.db").read_bytes()
    told = _told(folder)
    harmless = [
        at
        for at in range(100, len(whole), max(1, len(whole) // 120))
        if not _flip_is_found(folder, whole, at)
        if _told(folder) != told
    ]
    (folder / "journal.db").write_bytes(whole)
    assert harmless == []
    assert checked(folder)[0]


def test_a_flipped_byte_in_any_value_of_any_row_is_found(folder: Path) -> None:
    raw(folder, lambda db: None)
    whole = (folder / "journal.db").read_bytes()
    database = sqlite3.connect(folder / "journal.db")
    tables = [
        row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    values = {
        (table, value.encode() if isinstance(value, str) else value)
        for table in tables
        for row in database.execute(f"SELECT * FROM {table}")
        for value in row
        if isinstance(value, (str, bytes)) and len(value) > 15
    }
    database.close()
    missed = [
        (table, value[:30])
        for table, value in sorted(values)
        # A value that is longer than its page goes on elsewhere; its beginning is in one piece.
        for at in [whole.find(value[:16])]
        if at >= 0 and not _flip_is_found(folder, whole, at + 7)
    ]
    (folder / "journal.db").write_bytes(whole)
    assert len(values) > 20
    assert missed == []


def _told(folder: Path) -> object:
    with Journal.open(URL, folder=folder, reading=True) as journal:
        kept = [journal.snapshots(f"r-{n}", [ref(f"{n}{i}") for i in range(30)]) for n in range(3)]
        made = journal.remade("org", "Lead", [f"{n}0" for n in range(3)])
        return list(journal.export()), kept, made


def _flip_is_found(folder: Path, whole: bytes, at: int) -> bool:
    (folder / "journal.db").write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
    for name in ("journal.db-wal", "journal.db-shm"):
        (folder / name).unlink(missing_ok=True)
    try:
        return not checked(folder)[0]
    except JournalError:
        return True


@pytest.mark.parametrize("spoil", ["gone", "empty", "other", "behind", "count"])
def test_a_spoilt_head_is_found(folder: Path, spoil: str) -> None:
    head = folder / "journal.db.head"
    text = head.read_text()
    if spoil == "gone":
        head.unlink()
    elif spoil == "empty":
        head.write_text("")
    elif spoil == "other":
        head.write_text(text.replace(text[-4], "0" if text[-4] != "0" else "1"))
    elif spoil == "behind":
        head.write_text('{"count":3,"hash":"' + "0" * 64 + '"}\n')
    else:
        head.write_text(text.replace('"count":', '"count":9'))
    assert not checked(folder)[0]
    with pytest.raises(JournalError):
        Journal.open(URL, folder=folder)


def test_a_journal_that_is_gone_while_its_head_is_there_is_not_begun_anew(folder: Path) -> None:
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(JournalError, match="gone"):
        Journal.open(URL, folder=folder)
    assert not (folder / "journal.db").exists()


def test_a_file_that_was_rolled_back_does_not_fit_its_head(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    raw(folder, lambda db: None)
    shutil.copy(folder / "journal.db", old)
    with Journal.open(URL, folder=folder) as journal:
        journal.append(Entry("halt", "r-9"))
    for name in ("journal.db-wal", "journal.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(old, folder / "journal.db")
    with pytest.raises(JournalError, match="ends at"):
        Journal.open(URL, folder=folder)
    assert not checked(folder)[0]


def test_a_newer_schema_is_left_as_it_is(folder: Path) -> None:
    with Journal.open(URL, folder=folder) as journal:
        with journal._guarded(), journal._connection.appending():
            journal._append_one(Entry("migration", body={"name": "m999_future", "schema": "x"}))
        journal._sync_head()
    with pytest.raises(JournalError, match="newer"):
        Journal.open(URL, folder=folder)


def test_the_head_may_lag_behind_a_crash_and_then_it_still_checks(folder: Path) -> None:
    head = (folder / "journal.db.head").read_text()
    with Journal.open(URL, folder=folder) as journal:
        journal.append(Entry("halt", "r-9"))
    (folder / "journal.db.head").write_text(head)
    with Journal.open(URL, folder=folder) as journal:
        assert journal.check().ok
        journal.append(Entry("halt", "r-10"))
        assert journal.check().ok
