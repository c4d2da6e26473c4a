"""Files that `--out` writes: whole or not at all, never through a link, safe in a spreadsheet.

A spreadsheet runs what begins with `=`, `+`, `-` or `@`. In CSV such a value gets a `'` in front,
also within a value after a sign that another dialect would take for a separator or a quote. `plain`
takes exactly those away again, so nothing is lost; JSON lines hold every value as it is.
"""

from __future__ import annotations

import csv
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from crm_bridge.cli.voice import json_text
from crm_bridge.errors import SettingsError

if TYPE_CHECKING:
    from crm_bridge.model.records import Record
    from crm_bridge.model.results import Outcome

_ACTS: Final = "=+\\-@\t\r\0\uff1d\uff0b\uff0d\uff20'"
_AFTER: Final = ",;|\t\n\r\"'"
_UNSAFE: Final = re.compile(f"(?:^|(?<=[{_AFTER}]))(?=[{_ACTS}])")
_LINES: Final = (".jsonl", ".ndjson", ".json")


def safe(value: str) -> str:
    """A value as a spreadsheet may see it: nothing in it is run. `plain` is the inverse."""
    return _UNSAFE.sub("'", value)


def plain(value: str) -> str:
    """The value that `safe` was given."""
    found: list[str] = []
    at, before = 0, ""
    while at < len(value):
        sign = value[at]
        if sign == "'" and (not before or before in _AFTER):
            at += 1
            sign = value[at] if at < len(value) else ""
        found.append(sign)
        before = sign
        at += 1
    return "".join(found)


def cell(value: Any) -> str:
    """One value as a cell of a CSV file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return safe(json_text(value))
    # What UTF-8 has no form for is spelled out here; the JSON twin keeps it.
    return safe(str(value).encode("utf-8", "backslashreplace").decode())


def is_lines(path: str) -> bool:
    """Whether a file is JSON lines, by its ending; else it is CSV.

    Raises:
        SettingsError: It is neither.
    """
    ending = Path(path).suffix.lower()
    if ending in _LINES:
        return True
    if ending == ".csv":
        return False
    raise SettingsError(
        f"--out {path!r} is neither CSV nor JSON lines by its ending.",
        detail="Name it .csv or .jsonl.",
        code="out",
    )


@contextmanager
def writing(path: str) -> Iterator[IO[str]]:
    """Write a file whole or not at all: mode 0600, and never through a link.

    Raises:
        SettingsError: The place is a link or no plain file, or cannot be written.
    """
    target = Path(path)
    _fit(target)
    try:
        # In the same folder, for the rename to be atomic; mkstemp makes it for its owner only.
        number, name = tempfile.mkstemp(prefix=".crm-bridge.", dir=target.parent)
    except OSError as error:
        raise _cannot(path, error) from None
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise _cannot(path, error) from None
        _fit(target)
        try:
            os.replace(name, target)
        except OSError as error:
            raise _cannot(path, error) from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def fits(path: str) -> None:
    """Refuse a place that could not be written, before anything is asked of a vendor."""
    _fit(Path(path))
    if not Path(path).parent.is_dir():
        raise SettingsError(
            f"{path} cannot be written: there is no folder {Path(path).parent}.",
            detail="Make it, or name another place.",
            code="out",
        )


def _fit(target: Path) -> None:
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot(str(target), error) from None
    if not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else "no plain file"
        raise SettingsError(
            f"{target} is {what}, and is left alone.", detail="Name another file.", code="out"
        )


def _cannot(path: str, error: OSError) -> SettingsError:
    return SettingsError(
        f"{path} cannot be written: {error.strerror or error}.",
        detail="Name another place.",
        code="out",
    )


def write_rows(path: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as CSV or JSON lines by the file's ending; gives their number."""
    count = 0
    as_lines = is_lines(path)
    with writing(path) as file:
        sheet = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        if not as_lines:
            sheet.writerow(columns)
        for row in rows:
            count += 1
            if as_lines:
                file.write(json_text(row) + "\n")
            else:
                sheet.writerow([cell(row.get(name)) for name in columns])
    return count


OUTCOME_COLUMNS: Final = (
    "ref",
    "verdict",
    "state",
    "code",
    "message",
    "vendor_code",
    "undo",
    "recoverable_until",
    "new_ref",
    "link",
)
"""The first column makes the file one that `--from` takes."""


def outcome_row(came: Outcome) -> dict[str, Any]:
    """An outcome as a row."""
    from crm_bridge.cli.voice import moment

    problem = came.problem
    return {
        "ref": str(came.ref),
        "verdict": came.verdict.value,
        "state": came.state.value if came.state else None,
        "code": problem.code if problem else None,
        "message": problem.message if problem else None,
        "vendor_code": problem.vendor_code if problem else None,
        "undo": came.undo.value if came.undo else None,
        "recoverable_until": moment(came.recoverable_until),
        "new_ref": str(came.new_ref) if came.new_ref else None,
        "link": came.link,
    }


class Records:
    """Records on their way into a file; which columns there are is known at the end only.

    Args:
        path: The file.
        fields: The columns that were asked for; empty for all that any record has.
    """

    def __init__(self, path: str, fields: Sequence[str] = ()) -> None:
        fits(path)
        self._lines = is_lines(path)
        self._path = path
        self._asked = tuple(fields)
        self._fields: dict[str, None] = dict.fromkeys(fields)
        self._links = False
        # It has no name, so nothing is left behind whatever happens.
        self._spool: IO[str] = tempfile.TemporaryFile(  # noqa: SIM115 - closed by `close`
            "w+", encoding="utf-8", newline=""
        )
        self.count = 0

    def add(self, found: Record, line: Mapping[str, Any]) -> None:
        """Take one record and its line."""
        if not self._asked:
            self._fields.update(dict.fromkeys(found.fields))
        self._links = self._links or bool(found.links)
        self.count += 1
        self._spool.write(json_text(line) + "\n")

    def close(self) -> None:
        """Write the file."""
        import json
        from decimal import Decimal

        self._spool.seek(0)
        with self._spool as spool:
            if self._lines:
                with writing(self._path) as file:
                    for text in spool:
                        file.write(text)
                return
            columns = ["ref", "state", *self._fields, *(["links"] if self._links else [])]

            def rows() -> Iterator[dict[str, Any]]:
                for text in spool:
                    line = json.loads(text, parse_float=Decimal)
                    yield {
                        **line["fields"],
                        "ref": line["ref"],
                        "state": line["state"],
                        **({"links": line["links"]} if self._links else {}),
                    }

            write_rows(self._path, columns, rows())
