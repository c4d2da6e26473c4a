"""An Excel workbook of a plan or a run: records, children, links, fields, outcomes.

Every value of a CRM is a cell of text: `+86 ...` and `=1+1` stay what they are, also when somebody
edits the cell, and no digit of a number is lost. Rows are written as they come; nothing holds all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

from crm_bridge.errors import SettingsError
from crm_bridge.model.plans import PAGE, Touch
from crm_bridge.model.records import Record, RecordRef, is_empty
from crm_bridge.report.matter import Line, Matter, differences, text_of, title_of

ROWS: Final = 1_048_576
"""Rows that a sheet holds, the first of which names its columns."""
CELL: Final = 32_767
"""UTF-16 units that a cell holds."""
_ACTS: Final = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
_DIGITS: Final = 15
"""Digits that a number of a spreadsheet keeps."""

SHEETS: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "summary": (("what", 26), ("value", 80)),
    "records": (
        ("record", 38),
        ("name", 34),
        ("step", 6),
        ("operation", 11),
        ("support", 10),
        ("kind", 18),
        ("id", 24),
        ("crm", 10),
    ),
    "children": (
        ("touch", 7),
        ("depth", 7),
        ("parent", 38),
        ("child", 38),
        ("name", 34),
        ("by", 26),
        ("effect", 12),
        ("comes back", 12),
    ),
    "sums": (
        ("touch", 7),
        ("of", 26),
        ("what", 20),
        ("currency", 10),
        ("amount", 18),
        ("records", 9),
    ),
    "links": (("record", 38), ("relation", 26), ("other record", 38), ("label", 20)),
    "fields": (("record", 38), ("field", 30), ("before", 50), ("after", 50), ("changed", 10)),
    "differences": (
        ("record", 38),
        ("field", 30),
        ("before", 50),
        ("now", 50),
        ("named beforehand", 18),
    ),
    "outcomes": (
        ("record", 38),
        ("verdict", 10),
        ("state", 10),
        ("code", 16),
        ("message", 60),
        ("vendor code", 22),
        ("request id", 22),
        ("way back", 10),
        ("until (UTC)", 22),
        ("new record", 38),
        ("link", 50),
    ),
    "losses": (
        ("crm", 10),
        ("kind", 18),
        ("records", 9),
        ("way back", 10),
        ("days", 7),
        ("guaranteed", 11),
        ("differs afterwards", 34),
        ("why", 60),
        ("when", 22),
    ),
}
"""Each sheet's columns with their widths, in the order of the book."""


def write_workbook(path: str | Path, matter: Matter) -> int:
    """Write the workbook; gives the number of records in it.

    The file is written in place: hand it a name that nobody else reads.

    Raises:
        SettingsError: The extra `[excel]` is not installed.
        BridgeError: Something behind the matter cannot be read.
    """
    try:
        import xlsxwriter
    except ImportError:
        raise SettingsError(
            "for a workbook xlsxwriter is needed.",
            detail='Install it: pip install "crm-bridge[excel]"',
            code="excel",
        ) from None
    book = _Book(
        xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "default_date_format": "yyyy-mm-dd hh:mm",
            },
        )
    )
    for name, columns in SHEETS.items():
        book.add(name, columns)
    _summary(book, matter)
    _losses(book, matter)
    count = 0
    for lines in _batched(matter.lines(), PAGE):
        count += len(lines)
        _lines(book, matter, lines)
    for number, touch in enumerate(matter.plan.touches, 1):
        _touch(book, matter, number, touch)
    book.close()
    return count


class _Book:
    """Sheets by name, each written row by row; one that is full goes on in another."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._head = book.add_format({"bold": True, "bottom": 1, "bg_color": "#E8EEF4"})
        self._text = book.add_format({"num_format": "@", "valign": "top"})
        # Text that a spreadsheet would run after an edit of the cell, or after a way through CSV.
        self._quoted = book.add_format({"num_format": "@", "valign": "top", "quote_prefix": True})
        self._number = book.add_format({"valign": "top"})
        self._sheets: dict[str, tuple[Any, int, int, tuple[tuple[str, int], ...]]] = {}

    def add(self, name: str, columns: tuple[tuple[str, int], ...], part: int = 1) -> None:
        """Begin a sheet."""
        sheet = self._book.add_worksheet(name if part == 1 else f"{name} ({part})")
        for at, (_, width) in enumerate(columns):
            sheet.set_column(at, at, width)
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        for at, (title, _) in enumerate(columns):
            sheet.write_string(0, at, title, self._head)
        self._sheets[name] = (sheet, 1, part, columns)

    def row(self, name: str, *values: Any) -> None:
        """Write a row: numbers as numbers where a spreadsheet keeps their digits, else as text."""
        sheet, at, part, columns = self._sheets[name]
        if at >= ROWS:
            self.add(name, columns, part + 1)
            sheet, at, part, columns = self._sheets[name]
        for column, value in enumerate(values):
            self._cell(sheet, at, column, value)
        self._sheets[name] = (sheet, at + 1, part, columns)

    def _cell(self, sheet: Any, row: int, column: int, value: Any) -> None:
        if value is None or value == "":
            return
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and _exact(value):
            sheet.write_number(row, column, value, self._number)
            return
        text = _cut(text_of(value))
        style = self._quoted if text[:1] in _ACTS else self._text
        if text.startswith("<r>") and text.endswith("</r>"):
            # xlsxwriter would take it for its own mark-up of formatted text and write it unescaped.
            sheet.write_rich_string(row, column, text[:3], self._number, text[3:], style)
            return
        sheet.write_string(row, column, text, style)

    def close(self) -> None:
        """Finish each sheet with a filter over its rows, and write the file."""
        for sheet, rows, _, columns in self._sheets.values():
            if rows > 1:
                sheet.autofilter(0, 0, rows - 1, len(columns) - 1)
        self._book.close()


def _exact(value: int | Decimal) -> bool:
    number = Decimal(value)
    if not number.is_finite() or abs(number) >= 10**_DIGITS:
        return False
    return len(number.normalize().as_tuple().digits) <= _DIGITS


def _cut(text: str) -> str:
    """Text that fits a cell; what is cut says so."""
    if len(text) * 2 <= CELL or len(text.encode("utf-16-le")) <= CELL * 2:
        return text
    told = f" ... (cut; {len(text)} signs in all)"
    kept = text.encode("utf-16-le")[: (CELL - len(told)) * 2].decode("utf-16-le", "ignore")
    return kept + told


def _batched(lines: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while some := list(islice(lines, size)):
        yield some


def _at(value: datetime | None) -> str:
    return "" if value is None else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "nobody says"}[value]


def _summary(book: _Book, matter: Matter) -> None:
    plan, came = matter.plan, matter.receipt
    rows: list[tuple[str, Any]] = [
        ("operation", plan.operation.value),
        ("records", plan.counts.records),
        ("settled before anything is sent", plan.counts.settled),
        ("by", plan.by),
        ("reason", plan.reason),
        ("code", plan.code),
        ("plan", plan.id),
        ("plan made at (UTC)", _at(plan.made_at)),
        ("digest", plan.digest),
        ("nothing brings the targets back", _yes(plan.irreversible)),
    ]
    rows += [
        (f"account {crm}", f"{one.vendor}, org {one.org}, {one.environment}")
        for crm, one in plan.targets.items()
    ]
    if came is not None:
        rows += [("run", came.run), ("started (UTC)", _at(matter.started)), ("state", matter.state)]
        rows += [(verdict.value, count) for verdict, count in came.counts.items()]
        rows += [("calls", came.calls), ("stopped early", came.halted), ("note", came.note)]
    rows += [(f"{f.severity.value}: {f.code}", f"{f.summary} {f.detail}") for f in plan.findings]
    rows += [("note", note) for note in matter.notes]
    rows += [("report made at (UTC)", _at(matter.made_at))]
    for what, value in rows:
        book.row("summary", what, value)
    for one in plan.sums:
        book.row("sums", None, "the targets", one.name, one.currency, one.amount, one.count)


def _losses(book: _Book, matter: Matter) -> None:
    for loss in matter.plan.losses:
        head = (
            loss.crm,
            loss.kind,
            loss.count,
            loss.undo,
            loss.days,
            _yes(loss.guaranteed),
        )
        for what, why in loss.differs:
            book.row("losses", *head, what, why, "within the window")
        for what, why in loss.later or ():
            book.row("losses", *head, what, why, "after it")
        if not loss.differs and not loss.later:
            book.row("losses", *head)


def _lines(book: _Book, matter: Matter, lines: Sequence[Line]) -> None:
    kept = matter.records(lines)
    for line in lines:
        ref, before = line.ref, kept.get(line.ref)
        row = matter.plan.steps[line.step - 1].capability if line.step else None
        book.row(
            "records",
            str(ref),
            title_of(before),
            line.step,
            row.operation.value if row else matter.plan.operation.value,
            row.support.value if row else "settled",
            ref.kind,
            ref.id,
            ref.crm,
        )
        if before is not None:
            _fields(book, ref, before, matter.after(line, before))
            for link in before.links:
                book.row("links", str(ref), link.name, str(link.other), link.label)
        _outcome(book, line)
    for one in differences(lines):
        book.row("differences", one.ref, one.field, one.was, one.now, _yes(one.named))


def _fields(book: _Book, ref: RecordRef, before: Record, after: Mapping[str, Any] | None) -> None:
    names = [*before.fields, *(n for n in after or () if n not in before.fields)]
    for name in names:
        was = before.fields.get(name)
        now = None if after is None else after.get(name)
        if is_empty(was) and is_empty(now):
            continue
        changed = "" if after is None else _yes(text_of(was) != text_of(now))
        # Text always, so that no digit is lost and nothing is read as a date.
        book.row("fields", str(ref), name, text_of(was), text_of(now), changed)


def _outcome(book: _Book, line: Line) -> None:
    came = line.outcome
    if came is None:
        return
    problem = came.problem
    book.row(
        "outcomes",
        str(came.ref),
        came.verdict.value,
        came.state.value if came.state else "",
        problem.code if problem else "",
        problem.message if problem else "",
        problem.vendor_code if problem else "",
        problem.request_id if problem else "",
        came.undo.value if came.undo else "",
        _at(came.recoverable_until),
        str(came.new_ref) if came.new_ref else "",
        came.link,
    )


def _touch(book: _Book, matter: Matter, number: int, touch: Touch) -> None:
    rule = touch.rule
    for one in touch.sums:
        book.row("sums", number, rule.child, one.name, one.currency, one.amount, one.count)
    back = _yes(rule.comes_back) if rule.effect.value in ("follows", "may_follow") else "stays"
    parents = iter(touch.parents)
    for refs in _batched(iter(touch.refs), PAGE):
        kept = matter.along(refs)
        for ref in refs:
            parent = next(parents, "")
            above = f"{touch.crm}:{rule.kind}/{parent}" if parent else ""
            book.row(
                "children",
                number,
                touch.depth,
                above,
                str(ref),
                title_of(kept.get(ref)),
                rule.via,
                rule.effect.value,
                back,
            )
            if (before := kept.get(ref)) is not None:
                _fields(book, ref, before, None)
                for link in before.links:
                    book.row("links", str(ref), link.name, str(link.other), link.label)
    if not len(touch.refs):
        count = "not counted" if touch.count is None else touch.count
        book.row(
            "children",
            number,
            touch.depth,
            "",
            f"{count} {rule.child}, not listed",
            "",
            rule.via,
            rule.effect.value,
            back,
        )
