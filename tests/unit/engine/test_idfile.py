"""Files of ids: read strictly, each damage named with its row and column, nothing repaired."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.engine.idfile import MAX_CELL, read_ids, sound
from crm_bridge.errors import SettingsError


def file(tmp_path: Path, text: str | bytes, name: str = "ids.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def ids(path: Path) -> list[str]:
    return [line.id for line in read_ids(path)[0]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id\na\nb\n", ["a", "b"]),
        ("\ufeffid\r\na\r\n", ["a"]),
        ('id,name\na,"x, y"\nb,"line\nbreak"\n', ["a", "b"]),
        ('id\n"00Q1"\n\n00Q2\n', ["00Q1", "00Q2"]),
        ("ref\nsf:Lead/00Q1\n", ["00Q1"]),
        ("crm,kind,id\nsf,Lead,00Q1\n", ["00Q1"]),
    ],
)
def test_what_is_sound_is_read(tmp_path: Path, text: str, found: list[str]) -> None:
    assert ids(file(tmp_path, text)) == found


def test_other_columns_are_ignored_and_said_so(tmp_path: Path) -> None:
    lines, ignored = read_ids(file(tmp_path, "id,name\na,b\n"))
    assert ignored == ["name"]
    assert [line.where for line in lines] == [f"{tmp_path / 'ids.csv'}, row 2, column id"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("name\na\n", "no column id"),
        ("id,id\na,b\n", "twice"),
        ("kind,id\nLead,a\n", "none 'crm'"),
        ("name,amount,id\na,1,2\nb,3,4,5\n", "row 3: it has 4 cells"),
        ("name,id,amount\n1,2\n", "row 2: it has 2 cells"),
        (f'id,name\n1,"{"x" * 2**20}"\n', "row 2: longer than"),
        ("id;name\na;b\n", "semicolon"),
        ("id\tname\na\tb\n", "tab"),
        ('id\n"a\n', "not plain CSV"),
        (b"id\n\xff\xfe\n", "UTF-8"),
        ("id\n4.87688E+18\n", "rounded"),
        ("id\n a\n", "blank"),
        ("id\na\u200b\n", "cannot be seen"),
        ("id\n１２３\n", "row 2, column id"),
        ("id\nＡ1\n", "full-width"),
        ("id\na\u00a0\n", "row 2"),
        ("id,name\n,x\n", "empty"),
        ("ref\nnonsense\n", "address"),
        (f"id\n{'a' * (MAX_CELL + 1)}\n", "longer"),
        ("id\na\nb\n\x00\n", "row 4"),
    ],
)
def test_what_is_damaged_is_refused_with_its_place(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        ids(file(tmp_path, text))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id":"a","id":"b"}\n', "row 1"),
        ('{"id":NaN}\n', "row 1"),
        ("{}\n", "neither"),
        ('{"id":12345678901234567}\n', "15 digits"),
        ('{"id":1.5}\n', "lost digits"),
        ('{"id":true}\n', "number"),
        ("[" * 100_000 + "\n", "row 1"),
        ('{"id":"a"} x\n', "row 1"),
        ('{"id":"\\ud800"}\n', "row 1"),
    ],
)
def test_strange_lines_of_json_are_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ids(file(tmp_path, text, "ids.jsonl"))
    assert told in str(refused.value)


def test_lines_of_json_are_read(tmp_path: Path) -> None:
    text = '{"ref":"sf:Lead/1"}\n"sf:Lead/2"\n\n{"crm":"sf","kind":"Lead","id":3}\n'
    assert ids(file(tmp_path, text, "ids.jsonl")) == ["1", "2", "3"]


def test_pipes_folders_and_missing_files_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("pipe.csv", "folder.csv", "missing.csv"):
        with pytest.raises(SettingsError):
            read_ids(tmp_path / name)
    with pytest.raises(SettingsError, match="ending"):
        read_ids(file(tmp_path, "id\na\n", "ids.txt"))


@given(st.text(max_size=30))
def test_an_id_is_taken_as_it_is_or_refused(text: str) -> None:
    told = None
    try:
        assert sound("f", 1, "id", text) == text
    except SettingsError as error:
        told = error
    if told is not None:
        assert told.code == "malformed_id"
        assert "row 1, column id" in told.summary
        assert told.summary.isascii()
