"""Files that are written: safe in a spreadsheet, whole or not at all, never through a link."""

import csv
import io
import json
import os
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.cli import files
from crm_bridge.errors import SettingsError
from crm_bridge.model.records import Link, Record, RecordRef, State

AWKWARD = st.text(st.sampled_from("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20',;|\"ab1 中"), max_size=12)
ACTS = "=+-@\t\r\0\uff1d\uff0b\uff0d\uff20"


@given(AWKWARD | st.text(max_size=50))
def test_what_is_made_safe_can_be_made_plain_again(value):
    assert files.plain(files.safe(value)) == value


@given(AWKWARD)
def test_no_part_of_a_safe_value_begins_with_what_a_spreadsheet_runs(value):
    for part in re.split('[,;|\t\n\r"]', files.safe(value).replace("\t", " ")):
        assert not part or part[0] not in "=+-@\0\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize(
    "value", ["+86 138", "-5", "=1+1", "@x", "\uff1d1", "\tx", "'=1", "a;=1", "it's"]
)
def test_a_csv_of_ours_gives_back_the_exact_value(tmp_path, value):
    path = tmp_path / "x.csv"
    files.write_rows(str(path), ("a", "b"), [{"a": value, "b": 1}])
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert files.plain(rows[0]["a"]) == value
    assert rows[0]["a"][0] not in ACTS


def records():
    ref = RecordRef("acme", "Company", "c1")
    yield Record(ref, State.LIVE, {"name": "=1+1", "amount": Decimal("1.10"), "tags": ["a", "b"]})
    yield Record(
        RecordRef("acme", "Company", "c2"),
        State.VOIDED,
        {"phone": "+86 138", "none": None},
        (Link("contacts", RecordRef("acme", "Contact", "k1"), "boss"),),
    )


def test_records_found_are_written_as_csv_with_every_field_that_any_of_them_has(
    run, bridge, tmp_path
):
    bridge.records = list(records())
    path = tmp_path / "found.csv"
    assert run("find", "acme:Company", "--out", str(path)).code == 0
    rows = list(csv.reader(io.StringIO(path.read_text())))
    assert rows[0] == ["ref", "state", "name", "amount", "tags", "phone", "none", "links"]
    assert rows[1][:5] == ["acme:Company/c1", "live", "'=1+1", "1.10", '["a","b"]']
    assert rows[2][5] == "'+86 138"
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_records_found_are_written_as_json_lines_without_any_loss(run, bridge, tmp_path):
    bridge.records = list(records())
    path = tmp_path / "found.jsonl"
    ran = run("--json", "find", "acme:Company", "--out", str(path))
    assert ran.code == 0
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert written == ran.lines
    assert written[0]["fields"]["name"] == "=1+1"
    assert '"amount":1.10' in path.read_text()


@pytest.mark.parametrize("name", ["x.xlsx", "x", "x.txt"])
def test_an_ending_that_is_neither_is_refused_before_anything_is_asked(run, bridge, tmp_path, name):
    ran = run("find", "acme:Company", "--out", str(tmp_path / name))
    assert ran.code == 2
    assert not bridge.told("find")
    assert not list(tmp_path.iterdir())


def test_a_link_is_never_written_through(run, bridge, tmp_path):
    secret = tmp_path / "authorized_keys"
    secret.write_text("mine")
    (tmp_path / "out.csv").symlink_to(secret)
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "elsewhere")
    for name in ("out.csv", "dangling.csv"):
        ran = run("find", "acme:Company", "--out", str(tmp_path / name))
        assert ran.code == 2
        assert "link" in ran.err
    assert secret.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_a_pipe_or_a_missing_folder_is_refused(run, bridge, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert run("find", "acme:Company", "--out", str(tmp_path / "pipe.csv")).code == 2
    assert run("find", "acme:Company", "--out", str(tmp_path / "no" / "x.csv")).code == 2


def test_a_file_is_there_whole_or_as_it_was(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("before")

    def rows():
        yield {"a": 1}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        files.write_rows(str(path), ("a",), rows())
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_a_full_disk_is_one_line(tmp_path):
    with (
        pytest.raises(SettingsError, match="cannot be written"),
        files.writing(str(tmp_path / "x.csv")),
    ):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_lone_surrogates_and_nul_reach_a_csv_without_breaking_it(tmp_path):
    path = tmp_path / "x.csv"
    files.write_rows(str(path), ("a",), [{"a": "x\ud800y\0z"}])
    assert path.read_bytes().decode("utf-8")
