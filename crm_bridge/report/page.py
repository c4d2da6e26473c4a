"""One HTML page of a plan or a run, for people who look and print.

The page needs no network and holds no script: its language is switched by style alone, and its own
policy forbids whatever could be smuggled in. Everything that a CRM sent is escaped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from crm_bridge.model.abilities import Undo
from crm_bridge.model.plans import PAGE, Finding, Severity
from crm_bridge.model.results import Verdict
from crm_bridge.report import picture
from crm_bridge.report.chinese import chinese
from crm_bridge.report.losses import SET, Together, together
from crm_bridge.report.matter import Different, Line, Matter, differences, text_of, title_of
from crm_bridge.report.words import LANGUAGES, words

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

SHOWN: Final = 5000
"""Records that the page lists; a browser shows no more with ease."""
DIFFERENT: Final = 500
"""Differences that the page lists."""
VALUE: Final = 300
"""Signs of one value that the page shows."""

_UNDO: Final = {
    "same_id": "same_id",
    "new_id": "undo.new_id",
    "by_hand": "undo.by_hand",
    "none": "undo.none",
}


@dataclass(slots=True)
class _Gathered:
    """What one walk over the targets told.

    Attributes:
        total: Targets.
        odd: Those to be looked at.
        shown: Those that the page lists.
        deadline: The first moment at which a way back closes.
        different: What came back otherwise, unsaid beforehand, as far as it is listed.
        unnamed: How many of these there are.
        named: Field to the number of records in which it differs as had been said beforehand.
    """

    total: int = 0
    odd: int = 0
    shown: list[Line] = field(default_factory=list)
    deadline: datetime | None = None
    different: list[Different] = field(default_factory=list)
    unnamed: int = 0
    named: dict[str, int] = field(default_factory=dict)


def page(matter: Matter, lang: str = "en") -> Iterator[str]:
    """The page, piece by piece.

    Args:
        matter: What it is of.
        lang: The language it opens in, one of `LANGUAGES`.

    Raises:
        BridgeError: Something behind the matter cannot be read.
    """
    assert lang in LANGUAGES
    plan, came = matter.plan, matter.receipt
    gathered = _gather(matter)
    deadline = gathered.deadline.strftime("%Y-%m-%d") if gathered.deadline else None
    windows = picture.windows_of(plan)
    targets, along = together(plan.losses)
    if came is None:
        deadline = min((w.until for w in windows if w.until), default=None)
    context: dict[str, Any] = {
        "lang": lang,
        "m": matter,
        "plan": plan,
        "came": came,
        "title": _title(matter, lang),
        "gathered": gathered,
        "deadline": deadline,
        "follow": sum(t.count or 0 for t in plan.touches if t.rule.effect.value in picture.ALONG),
        "done": came.counts.get(Verdict.DONE, 0) if came else 0,
        "worth": _worth(matter),
        "tree": picture.tree_of(plan),
        "heavy": [(n, t) for n, t in enumerate(plan.touches, 1) if t.largest],
        "windows": windows,
        "shares": picture.shares_of(
            [(v.value, came.counts.get(v, 0)) for v in Verdict] if came else []
        ),
        "losses": [_loss(one) for one in targets],
        "along": [_loss(one) for one in along],
        "errors": _grouped(plan.findings, Severity.ERROR),
        "warnings": _grouped(plan.findings, Severity.WARNING),
        "notes": [f for f in plan.findings if f.severity is Severity.NOTE],
        "rows": _rows(matter, gathered.shown),
        "p": picture,
        "undo_word": _UNDO.get,
        "said": lambda text, most=900: _said(text, matter.chinese, most),
    }
    yield from _template().generate(context)


def _gather(matter: Matter) -> _Gathered:
    """Walk the targets once; what is to be looked at comes first, only what is shown is held."""
    found = _Gathered()
    odd: deque[Line] = deque()
    plain: deque[Line] = deque()
    for line in matter.lines():
        found.total += 1
        found.odd += line.odd
        some = odd if line.odd else plain
        if len(some) < SHOWN:
            some.append(line)
        came = line.outcome
        if came is not None and came.recoverable_until and came.undo not in (None, Undo.NONE):
            until = came.recoverable_until
            if found.deadline is None or until < found.deadline:
                found.deadline = until
        for one in differences([line]):
            if one.named:
                found.named[one.field] = found.named.get(one.field, 0) + 1
                continue
            found.unnamed += 1
            if len(found.different) < DIFFERENT:
                found.different.append(one)
    found.shown = [*odd, *islice(plain, max(0, SHOWN - len(odd)))]
    return found


def _grouped(findings: Sequence[Finding], severity: Severity) -> list[list[Finding]]:
    """Findings of one severity, those of one code together."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity is severity:
            groups.setdefault(finding.code, []).append(finding)
    return list(groups.values())


def _worth(matter: Matter) -> list[tuple[str, str, Decimal | None, int, str]]:
    """Name, currency, amount, records, and what becomes of them, over the whole plan."""
    sums: dict[tuple[str, str, str], list[Any]] = {}
    told = [(one, "worth.own") for one in matter.plan.sums]
    told += [(one, t.rule.effect.value) for t in matter.plan.touches for one in t.sums]
    for one, word in told:
        row = sums.setdefault((one.name, one.currency, word), [None, 0])
        row[1] += one.count
        if one.amount is not None:
            row[0] = (row[0] or Decimal(0)) + one.amount
    return [(n, c, amount, count, word) for (n, c, word), (amount, count) in sums.items()]


def _loss(one: Together) -> dict[str, Any]:
    """Losses with what the vendor writes itself set apart: a long list of little weight."""

    def parts(differs: Any) -> dict[str, Any]:
        return {
            "set": [what for what, why in differs if why == SET],
            "other": [(what, why) for what, why in differs if why != SET],
        }

    return {
        "kinds": [(loss.count, loss.kind) for loss in one.losses],
        "loss": one.first,
        "within": parts(one.own),
        "later": None if one.later is None else parts(one.later),
        "along": tuple(dict.fromkeys((*one.own, *(one.later or ())))),
    }


def _rows(matter: Matter, lines: list[Line]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(lines), PAGE):
        some = lines[start : start + PAGE]
        kept = matter.records(some)
        for line in some:
            came = line.outcome
            link = came.link if came else None
            yield {
                "line": line,
                "title": title_of(kept.get(line.ref)),
                "came": came,
                # A link that is followed leads to a page and does nothing else.
                "link": link if link and link.startswith(("https://", "http://")) else None,
                "deadline": came.recoverable_until.strftime("%Y-%m-%d")
                if came and came.recoverable_until
                else "",
            }


def _title(matter: Matter, lang: str) -> str:
    at = LANGUAGES.index(lang)
    what = words(matter.plan.operation.value)[at]
    name = matter.run or matter.plan.id
    return f"{what}: {matter.plan.counts.records} {words('records')[at]} ({name})"


def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    look = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    look.filters.update(n=_number, v=_value, w=_word, s=_word_svg)
    text = resources.files("crm_bridge.report").joinpath("page.html.j2").read_text("utf-8")
    return look.from_string(text)


def _word(key: str) -> Markup:
    """A word in both languages; the page shows one of them."""
    from markupsafe import escape

    english, chinese = words(key)
    if english == chinese:
        return escape(english)
    return _both(english, chinese)


def _both(english: str, chinese: str) -> Markup:
    from markupsafe import Markup

    return Markup(
        '<span class="en" lang="en">{}</span><span class="zh" lang="zh">{}</span>'
    ).format(english, chinese)


def _word_svg(key: str) -> Markup:
    from markupsafe import Markup

    return Markup('<tspan class="en">{}</tspan><tspan class="zh">{}</tspan>').format(*words(key))


def _said(text: Any, more: Mapping[str, str], most: int = 900) -> Markup:
    """A sentence of ours or of a plugin's: in both languages where somebody gave it in Chinese."""
    from markupsafe import Markup

    english, told = _value(text, most), chinese(str(text), more)
    if told is None:
        return Markup("<bdi>{}</bdi>").format(english)
    return _both(english, _value(told, most))


def _number(value: Any, svg: bool = False) -> Markup:
    """A number with room between its thousands; copied, it is the plain number that JSON has."""
    from markupsafe import Markup, escape

    text = text_of(value)
    whole, dot, rest = text.partition(".")
    sign = "-" if whole.startswith("-") else ""
    digits = whole.removeprefix("-")
    if not digits.isdigit() or len(digits) < 5:
        return escape(text)
    first = len(digits) % 3 or 3
    groups = [digits[:first], *(digits[i : i + 3] for i in range(first, len(digits), 3))]
    part = Markup('<tspan dx="2.5">{}</tspan>') if svg else Markup('<span class="k">{}</span>')
    return (
        escape(sign + groups[0])
        + Markup("").join(part.format(group) for group in groups[1:])
        + escape(dot + rest)
    )


def _value(value: Any, limit: int = VALUE) -> str:
    """A value as the page shows it, cut where it is very long."""
    text = text_of(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
