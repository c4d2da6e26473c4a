"""The journal keeps what it is given, exactly, and tells when it cannot."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_bridge.errors import JournalError, SettingsError
from crm_bridge.journal import opening, place, store, tables
from crm_bridge.journal.store import Entry, Journal, Snapshot
from crm_bridge.model.records import Link, Record, RecordRef, State

URL = "sqlite:///journal.db"


def ref(one: str, kind: str = "Lead") -> RecordRef:
    return RecordRef("mem", kind, one)


def record(one: str = "1", **fields: Any) -> Record:
    return Record(ref(one), State.LIVE, fields)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(URL, folder=tmp_path) as one:
        yield one


def test_entries_are_numbered_and_come_back_as_they_were(journal: Journal) -> None:
    body = {"ids": ["a", "b"], "n": 12345678901234567890, "d": "1.10"}
    first = journal.append(Entry("intent", "r-1", "mem", "org", "Lead", 0, 0, 3, 1, body))
    second = journal.append(Entry("settle", "r-1"), Entry("halt", "r-2"))
    assert second == [first[0] + 1, first[0] + 2]
    (found,) = journal.entries("r-1", ("intent",))
    assert found.entry.body == body
    assert found.entry.batch == 3
    assert journal.check().ok


AWKWARD = {
    "emoji": "🚀",
    "rtl": "\u202eabc",
    "nul": "a\0b",
    "surrogate": "\ud800",
    "big": 2**70,
    "minus_zero": "-0",
    "decimal": Decimal("1.100000000000000001"),
    "nfd": "e\u0301",
    "nfc": "é",
    "nested": {"a": [None, {"b": "\x1b]52;"}]},
    "empty": "",
    "long": "x" * 100_000,
}


def test_awkward_values_are_kept_as_they_are(journal: Journal) -> None:
    kept = record("1", **AWKWARD)
    journal.keep("r-1", "org", 0, 0, [Snapshot(kept)])
    found = journal.snapshots("r-1", [ref("1")])[ref("1")]
    assert found.fields == kept.fields
    assert str(found.fields["decimal"]) == "1.100000000000000001"
    assert found.fingerprint(()) == kept.fingerprint(())
    assert journal.check().ok


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.booleans() | st.none()))
def test_any_fields_are_kept_as_they_are(fields: dict[str, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name, Journal.open(URL, folder=Path(name)) as journal:
        kept = Record(ref("1"), State.LIVE, fields, (Link("l", ref("2"), None),))
        journal.keep("r", "org", 0, 0, [Snapshot(kept)])
        assert journal.snapshots("r", [ref("1")])[ref("1")] == kept


def test_a_thousand_fields_and_a_page_of_records(journal: Journal) -> None:
    many = [record(str(n), **{f"f{i}": f"{n}-{i}" for i in range(1000)}) for n in range(20)]
    journal.keep("r", "org", 0, 0, [Snapshot(one) for one in many])
    found = journal.snapshots("r", [one.ref for one in many])
    assert [found[one.ref] for one in many] == many


def test_the_latest_keep_of_a_run_counts_and_other_runs_do_not(journal: Journal) -> None:
    journal.keep("r-1", "org", 0, 0, [Snapshot(record("1", a="old"))])
    journal.keep("r-1", "org", 0, 0, [Snapshot(record("1", a="new"))])
    journal.keep("r-2", "org", 0, 0, [Snapshot(record("1", a="other"))])
    assert journal.snapshots("r-1", [ref("1")])[ref("1")].fields == {"a": "new"}
    assert [t.run for t in journal.traces("org", "Lead", ["1"])["1"]] == ["r-2", "r-1"]


def test_children_are_kept_with_their_parent(journal: Journal) -> None:
    child = Record(ref("n", "Note"), State.LIVE, {"text": "x"})
    journal.keep(
        "r", "org", 0, 0, [Snapshot(record("1")), Snapshot(child, ref("1"), "company", "follows")]
    )
    assert journal.followers("r", [ref("1")])[ref("1")][0].record == child
    (trace,) = journal.traces("org", "Note", ["n"])["n"]
    assert trace.parent == ref("1")


def test_a_chain_of_remakes_is_followed_to_its_end(journal: Journal) -> None:
    journal.map_ids("r-1", "org", [(ref("1"), ref("2"))])
    journal.map_ids("r-2", "org", [(ref("2"), ref("3"))])
    assert journal.remade("org", "Lead", ["1", "2", "9"]) == {"1": ref("3"), "2": ref("3")}
    assert journal.remade("elsewhere", "Lead", ["1"]) == {}


def test_stages_of_the_journals_own_cannot_be_appended(journal: Journal) -> None:
    with pytest.raises(JournalError):
        journal.append(Entry("snapshot", "r"))


def test_what_cannot_be_kept_is_refused_and_nothing_is_lost(journal: Journal) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for body in (deep, object()):
        with pytest.raises(JournalError):
            journal.append(Entry("intent", "r", body=body))
    assert journal.check().ok


def test_a_journal_open_for_reading_appends_nothing(tmp_path: Path, journal: Journal) -> None:
    with Journal.open(URL, folder=tmp_path, reading=True) as other, pytest.raises(JournalError):
        other.append(Entry("halt", "r"))


def test_two_processes_append_to_one_chain(tmp_path: Path, journal: Journal) -> None:
    with Journal.open(URL, folder=tmp_path) as other:
        for n in range(10):
            (journal if n % 2 else other).append(Entry("halt", f"r-{n}"))
    assert journal.check().ok


def test_a_locked_journal_is_waited_for_and_then_told(tmp_path: Path, journal: Journal) -> None:
    holder = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with (
        Journal.open(URL, folder=tmp_path, wait=0.05) as other,
        pytest.raises(JournalError, match="locked"),
    ):
        other.append(Entry("halt", "r"))
    holder.close()


# --- where it lies -------------------------------------------------------------------------------------


def test_it_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Journal.open("sqlite:///a/b/journal.db", folder=tmp_path) as journal:
            journal.append(Entry("halt", "r"))
            for path in (tmp_path / "a/b").iterdir():
                assert path.stat().st_mode & 0o077 == 0, path
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name", ["journal.db", "journal.db.head", "journal.db-wal", "journal.db-shm"]
)
@pytest.mark.parametrize("how", ["link", "pipe"])
def test_links_and_pipes_in_its_place_are_refused(tmp_path: Path, name: str, how: str) -> None:
    victim = tmp_path / "victim"
    if how == "link":
        (tmp_path / name).symlink_to(victim)
    else:
        os.mkfifo(tmp_path / name, 0o600)
    with pytest.raises(JournalError):
        Journal.open(URL, folder=tmp_path)
    assert not victim.exists()


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    Journal.open(URL, folder=tmp_path).close()
    (tmp_path / "journal.db").chmod(0o666)
    with pytest.raises(JournalError, match="chmod 600"):
        Journal.open(URL, folder=tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:canary@h/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///a?mode=ro",
        "x",
        "",
    ],
)
def test_addresses_of_no_file_are_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        Journal.open(url, folder=tmp_path)
    assert "canary" not in str(refused.value)


def test_a_network_share_is_told_by_its_mount() -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nserver:/x /home/me nfs4 rw 0 0\nx /a\\040b cifs rw 0 0\n"
    assert place.file_system(Path("/home/me/x.db"), mounts) == "nfs4"
    assert place.file_system(Path("/home/other"), mounts) == "ext4"
    assert place.file_system(Path("/a b/c"), mounts) == "cifs"


@pytest.mark.parametrize(
    "text", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 4096]
)
def test_what_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(JournalError):
        Journal.open(URL, folder=tmp_path)
    assert path.read_bytes() == text


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("CREATE TABLE mine (a)")
    (tmp_path / "journal.db").chmod(0o600)
    with pytest.raises(JournalError, match="not a journal"):
        Journal.open(URL, folder=tmp_path)


def test_a_journal_from_before_is_migrated_and_finds_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = Snapshot(Record(ref("c", "Note"), State.LIVE, {}), ref("1"), "Parent", "follows")
    kept = {0: [Snapshot(record("1", Name="Ann")), child]}
    with monkeypatch.context() as before:
        before.setattr(opening.settle_schema, "__defaults__", ((tables.m001_initial,),))
        before.setattr(store, "_parent", lambda one, kind: str(one)[4:] if one else "")
        with Journal.open(URL, folder=tmp_path) as old:
            old.keep_pages("r-1", "org", 0, kept)
    with Journal.open(URL, folder=tmp_path) as journal:
        assert journal.check().ok
        journal.keep_pages("r-2", "org", 0, kept)
        for run in ("r-1", "r-2"):
            assert journal.snapshots(run, [ref("1")])[ref("1")].fields == {"Name": "Ann"}
            assert journal.followers(run, [ref("1")])[ref("1")] == [child]
        traces = journal.traces("org", "Note", ["c"])["c"]
        assert [(trace.run, trace.parent) for trace in traces] == [
            ("r-2", ref("1")),
            ("r-1", ref("1")),
        ]
        assert journal.traces("another", "Note", ["c"]) == {}
        assert journal.check().ok
    assert (tmp_path / "journal.db.before-m002_found_by_id").exists()


def test_children_are_found_with_their_parent_and_after_it(journal: Journal) -> None:
    for odd in ("1", "a-b"):
        note = Snapshot(Record(ref("n" + odd, "Note"), State.LIVE, {}), ref(odd), "P", "follows")
        journal.keep_pages("r-1", "org", 0, {len(odd): [Snapshot(record(odd)), note]})
        # What is found later is kept by itself, under the page of its parent.
        late = Snapshot(Record(ref("l" + odd, "Task"), State.LIVE, {}), ref(odd), "P", "follows")
        journal.keep_pages("r-1", "org", 0, {len(odd): [late]})
        assert journal.followers("r-1", [ref(odd)]) == {ref(odd): [note, late]}
        (trace,) = journal.traces("org", "Task", ["l" + odd])["l" + odd]
        assert trace.parent == ref(odd)


def test_a_record_is_found_by_its_id_however_many_a_run_kept(journal: Journal) -> None:
    def work() -> int:
        steps = [0]

        def count() -> int:
            steps[0] += 1
            return 0

        driver = journal._connection.driver
        driver.set_progress_handler(count, 10)
        assert len(journal.snapshots("r-1", [ref("1")])) == 1
        assert "1" in journal.traces("org", "Lead", ["1"])
        driver.set_progress_handler(None, 0)
        return steps[0]

    journal.keep("r-1", "org", 0, 0, [Snapshot(record("1"))])
    few = work()
    for page in range(1, 300):
        journal.keep("r-1", "org", 0, page, [Snapshot(record(f"{page}0"))])
    assert work() <= few * 2
