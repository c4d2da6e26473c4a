"""The vendors' tables as Markdown, for pages that are generated and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crm_bridge.bridge import MatrixRow
    from crm_bridge.model.abilities import Capability, CascadeRule

OPERATIONS: Final = ("void", "archive", "delete", "purge", "restore")
WORDS: Final = {"by_hand": "**by hand**", "not_yet": "not yet", "never": "never"}


def cells(rows: Iterable[MatrixRow]) -> tuple[Sequence[str], list[list[str]]]:
    """The matrix as headlines and rows of short texts: a vendor a row, an operation a column."""
    vendors: dict[str, tuple[str, list[MatrixRow]]] = {}
    for row in rows:
        vendors.setdefault(row.vendor, (row.title, []))[1].append(row)
    body = [
        [title, *("; ".join(_cell(own, operation)) or "-" for operation in OPERATIONS)]
        for title, own in vendors.values()
    ]
    return ("vendor", *OPERATIONS), body


def _cell(rows: Iterable[MatrixRow], operation: str) -> list[str]:
    """Each different way once, with the kinds that it is for where it is not for all."""
    told: dict[str, list[str]] = {}
    for row in rows:
        if row.capability.operation.value == operation:
            told.setdefault(_short(row.capability), []).append(row.kind)
    return [text if "*" in kinds else f"{text} ({_kinds(kinds)})" for text, kinds in told.items()]


def _kinds(kinds: Sequence[str]) -> str:
    unique = list(dict.fromkeys(kinds))
    return ", ".join(unique[:3]) + (f" and {len(unique) - 3} more" if len(unique) > 3 else "")


def _short(row: Capability) -> str:
    text = row.support.value.replace("_", " ")
    if not row.doable:
        return text
    if row.takes and row.gives:
        text += f" {'/'.join(s.value for s in row.takes)}→{row.gives.value}"
    if row.support.value in ("native", "marked"):
        text += f", {row.batch} a call" if row.batch > 1 else ", one a call"
    if row.window.days is not None:
        text += f", {row.window.days} days{'' if row.window.guaranteed else ' (not guaranteed)'}"
    return text


def matrix(rows: Iterable[MatrixRow]) -> str:
    """The matrix: what each vendor can do."""
    columns, body = cells(rows)
    return table(("", *columns[1:]), body)


def windows(rows: Iterable[MatrixRow]) -> str:
    """Each row of the table with its window and where it is known from."""
    return table(
        ("vendor", "operation", "kinds", "how", "records a call", "way back", "days", "source"),
        (
            (
                row.title,
                own.operation.value,
                "all" if row.kind == "*" else row.kind,
                own.support.value.replace("_", " "),
                str(own.batch) if own.doable else "",
                own.window.undo.value.replace("_", " ") if own.doable else own.note,
                ""
                if own.window.days is None
                else f"{own.window.days}{'' if own.window.guaranteed else ', not guaranteed'}",
                _link(own.source, own.checked.isoformat() if own.checked else ""),
            )
            for row in rows
            for own in (row.capability,)
        ),
    )


def cascades(title: str, rules: Iterable[CascadeRule]) -> str:
    """What goes along with a record of one vendor."""
    back = {True: "yes", False: "no", None: "nobody says"}
    return table(
        (title, "child", "by", "effect", "comes back", "source"),
        (
            (
                r.kind,
                r.child,
                r.via,
                r.effect.value.replace("_", " "),
                back[r.comes_back],
                _link(r.source, ""),
            )
            for r in rules
        ),
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of GitHub's kind."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(map(_text, row))} |" for row in rows]
    return "\n".join(lines)


def _text(value: str) -> str:
    return re.sub(r"\s+", " ", value).replace("|", "\\|").strip()


def _link(source: str, checked: str) -> str:
    first = source.split()[0] if source else ""
    linked = f"[source]({first})" if first.startswith("http") else source
    return f"{linked}, {checked}" if checked and linked else linked
