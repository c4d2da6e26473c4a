"""Files of ids: CSV, JSON lines and Excel, each id with its row and column, never repaired."""

from __future__ import annotations

import csv
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, AnyStr, Final

from crm_bridge.errors import SettingsError
from crm_bridge.model.exact import StrangeAnswer, strict_json

MAX_CELL: Final = 4096
"""Characters; an id or an address is never longer."""
MAX_ROW: Final = 2**20
"""Bytes of one line of JSON."""

_COLUMNS: Final = ("ref", "crm", "kind", "id")
_SCIENTIFIC: Final = re.compile(r"[+-]?\d(\.\d+)?[eE][+-]?\d+")


@dataclass(frozen=True, slots=True)
class Line:
    """One record that a file names.

    Attributes:
        where: `row 12, column id`, for messages.
        crm: The account; empty where the file does not name it.
        kind: The kind; empty where the file does not name it.
        id: The id.
    """

    where: str
    crm: str
    kind: str
    id: str


def read_ids(path: Path) -> tuple[Iterator[Line], list[str]]:
    """Read a file of ids.

    Args:
        path: `.csv`, `.jsonl` / `.ndjson` / `.json` (JSON lines), or `.xlsx` / `.xls` / `.ods`. Columns
            `id`, or `ref`, or `crm`, `kind` and `id`.

    Returns:
        The lines, to be walked once, and the names of the columns that are ignored (known at once
        for CSV and Excel, none for JSON lines).

    Raises:
        SettingsError: It cannot be read, has no such column, or holds a damaged id; row and column are
            named. Raised while walking as well.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SettingsError(f"{path} is not a plain file.", code="file")
    except OSError as error:
        raise SettingsError(
            f"the file of ids {path} cannot be read: {error.strerror}.", code="file"
        ) from None
    ending = path.suffix.lower()
    if ending == ".csv":
        rows = _csv_rows(path)
    elif ending in (".xlsx", ".xls", ".xlsb", ".ods"):
        rows = _sheet_rows(path)
    elif ending in (".jsonl", ".ndjson", ".json"):
        return _json_lines(path), []
    else:
        raise SettingsError(
            f"{path} is of no kind that is known by its ending.",
            detail="Name a file that ends in .csv, .jsonl or .xlsx.",
            code="file",
        )
    header = next(rows, None)
    if header is None:
        raise SettingsError(f"{path} is empty.", code="empty")
    names = [str(name).strip() if name is not None else "" for name in header[1]]
    places = _places(path, names)
    ignored = [name for name in names if name and name not in places]
    width = len(header[1]) if ending == ".csv" else 0
    return _lines(path, rows, places, width), ignored


def _places(path: Path, names: Sequence[str]) -> dict[str, int]:
    for name in _COLUMNS:
        if names.count(name) > 1:
            raise SettingsError(f"{path}, row 1: the column {name!r} stands twice.", code="file")
    if "ref" in names:
        return {"ref": names.index("ref")}
    if "id" not in names:
        raise SettingsError(
            f"{path}, row 1: there is no column id.",
            detail="Name the columns in the first row: id, or ref, or crm, kind and id.",
            code="file",
        )
    given = [name for name in ("crm", "kind") if name in names]
    if len(given) == 1:
        raise SettingsError(
            f"{path}, row 1: there is a column {given[0]!r} and none "
            f"{'crm' if given == ['kind'] else 'kind'!r}.",
            detail="Columns crm, kind and id stand together; with id alone the target is crm:Kind.",
            code="file",
        )
    return {name: names.index(name) for name in ("crm", "kind", "id") if name in names}


def _lines(
    path: Path,
    rows: Iterator[tuple[int, Sequence[Any]]],
    places: Mapping[str, int],
    width: int,
) -> Iterator[Line]:
    for number, row in rows:
        if not any(str(cell).strip() for cell in row if cell is not None):
            continue
        if width and len(row) != width:
            # A comma that was not quoted moves every cell behind it: a sum would pass for an id.
            raise SettingsError(
                f"{path}, row {number}: it has {len(row)} cells, and the first row has {width}.",
                detail="Quote cells that hold a comma (RFC 4180); nothing ran.",
                code="file",
            )
        found = {
            name: sound(path, number, name, row[at] if at < len(row) else None)
            for name, at in places.items()
        }
        yield _line(path, number, found)


def _line(path: Path, number: int, found: Mapping[str, str]) -> Line:
    where = f"{path}, row {number}"
    if "ref" in found:
        crm, colon, rest = found["ref"].partition(":")
        kind, slash, id_ = rest.partition("/")
        if not colon or not slash or not crm or not kind or not id_:
            raise SettingsError(
                f"{where}, column ref: {found['ref']!r} is not an address.",
                detail="One looks like crm:Kind/id.",
                code="malformed_id",
            )
        return Line(f"{where}, column ref", crm, kind, id_)
    return Line(f"{where}, column id", found.get("crm", ""), found.get("kind", ""), found["id"])


def sound(path: Path | str, number: int, column: str, value: Any) -> str:
    """Refuse an id that a spreadsheet or an editor has damaged; nothing is repaired.

    Raises:
        SettingsError: With row and column (code `malformed_id`).
    """
    if isinstance(value, str) and _plain(value):
        return value
    where = f"{path}, row {number}, column {column}"
    if value is None or value == "":
        raise _damaged(where, "", "it is empty")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _damaged(where, value, "it is a number that may have lost digits; keep ids as text")
    if isinstance(value, int) and abs(value) >= 10**15:
        raise _damaged(where, value, "a spreadsheet keeps 15 digits of a number; keep ids as text")
    text = str(value)
    if len(text) > MAX_CELL:
        raise _damaged(where, text[:40] + "…", f"it is longer than {MAX_CELL} characters")
    if _SCIENTIFIC.fullmatch(text):
        raise _damaged(where, text, "a spreadsheet rounded it; nobody can bring its digits back")
    for char in text:
        if char == "\ufeff":
            raise _damaged(where, text, "it holds a byte order mark")
        if char.isspace() or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zs"):
            raise _damaged(where, text, "it holds a blank or a sign that cannot be seen")
        if char.isdigit() and not char.isascii():
            raise _damaged(where, text, "it holds digits that are not 0 to 9")
        if unicodedata.normalize("NFKC", char) != char:
            raise _damaged(where, text, "it holds full-width signs")
    return text


def _plain(text: str) -> bool:
    """Whether nothing of it can be damage, as of nearly every id of a long list."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    return 0 < len(text) <= MAX_CELL and not _SCIENTIFIC.fullmatch(text)


def _damaged(where: str, value: Any, why: str) -> SettingsError:
    shown = f" {value!a}" if value != "" else ""
    return SettingsError(
        f"{where}: the id{shown} is damaged: {why}.",
        detail="Export the list again with ids as text; nothing was repaired, and nothing ran.",
        code="malformed_id",
    )


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    # A mark at the very start of a file tells its encoding and is no part of its first cell.
    with path.open(encoding="utf-8-sig", newline="") as file:
        number = 1
        try:
            first = file.readline(MAX_ROW)
            if "," not in first and (";" in first or "\t" in first):
                other = "a semicolon" if ";" in first else "a tab"
                raise SettingsError(
                    f"{path}, row 1: its cells are parted by {other}, not by a comma.",
                    detail="Save it as CSV with commas (RFC 4180).",
                    code="file",
                )
            file.seek(0)
            reader = csv.reader(_bounded(path, file), _Strict, strict=True)
            for row in reader:
                number = reader.line_num
                yield number, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path}, after row {number}: it is not plain CSV in UTF-8: {error}.", code="file"
            ) from None


def _bounded(path: Path, file: IO[AnyStr]) -> Iterator[AnyStr]:
    """The lines of a file, none of them taken into memory where it is longer than any that is due."""
    number = 0
    while line := file.readline(MAX_ROW + 1):
        number += 1
        if len(line) > MAX_ROW:
            unit = "bytes" if isinstance(line, bytes) else "characters"
            raise SettingsError(f"{path}, row {number}: longer than {MAX_ROW} {unit}.", code="file")
        yield line


class _Strict(csv.excel):
    """RFC 4180 and nothing else."""


def _sheet_rows(path: Path) -> Iterator[tuple[int, list[Any]]]:
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_path(str(path))
        sheet = workbook.get_sheet_by_index(0)
        rows = list(sheet.to_python(skip_empty_area=False))
    except Exception as error:
        raise SettingsError(
            f"{path} is not a workbook that can be read: {str(error)[:120]}.", code="file"
        ) from None
    for number, row in enumerate(rows, 1):
        # Excel knows numbers only as floats; a whole and short one is what was typed.
        yield (
            number,
            [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in row],
        )


def _json_lines(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        for number, raw in enumerate(_bounded(path, file), 1):
            if not raw.strip():
                continue
            try:
                value = strict_json(raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw)
            except StrangeAnswer as error:
                raise SettingsError(f"{path}, row {number}: {error}.", code="file") from None
            if isinstance(value, str):
                value = {"ref": value}
            if not isinstance(value, dict) or not ({"ref", "id"} & set(value)):
                raise SettingsError(
                    f"{path}, row {number}: it names neither ref nor id.",
                    detail='Each line is an object such as {"ref": "crm:Kind/id"}, or {"id": "..."}.',
                    code="file",
                )
            names = ("ref",) if "ref" in value else ("crm", "kind", "id")
            found = {
                name: sound(path, number, name, value[name]) for name in names if name in value
            }
            yield _line(path, number, found)
