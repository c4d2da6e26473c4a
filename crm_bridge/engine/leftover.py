"""What an earlier part of a run left of a step: what was tried, what is known, what is still to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from crm_bridge.engine.work import TURNED_AWAY
from crm_bridge.journal.store import Entry, Journal, Written
from crm_bridge.model.results import Outcome, Verdict

_DONE: Final = Verdict.DONE.value
_APART: Final = ("followers", "differs")
"""Problem codes of records that are compared once more, since what they miss may have come since."""


def _unfinished(verdict: str, code: str | None) -> bool:
    return verdict == Verdict.UNKNOWN or (verdict == Verdict.SKIPPED and code == "not_sent")


def _open(verdict: str, code: str | None, details: Mapping[str, Any]) -> bool:
    lost = verdict == Verdict.FAILED and details.get("answers_lost")
    return _unfinished(verdict, code) or verdict == Verdict.PENDING or bool(lost)


def unfinished(outcome: Outcome) -> bool:
    """Whether a resume would take this record up: unknown, or never sent."""
    return _unfinished(outcome.verdict, outcome.problem.code if outcome.problem else None)


def open_still(outcome: Outcome) -> bool:
    """Whether a resume has anything to do for an outcome."""
    code = outcome.problem.code if outcome.problem else None
    return _open(outcome.verdict, code, outcome.details)


def compared_again(outcome: Outcome) -> bool:
    """Whether a resumed restore compares this record once more."""
    return outcome.problem is not None and outcome.problem.code in _APART


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The newest verdicts of a page, without the records.

    Attributes:
        counts: Records by verdict.
        left: How many of them are unfinished.
        until: When the windows end that they opened; ISO 8601.
        open: Ids of those that a resume has something to do for.
        apart: How many a resumed restore compares once more.
    """

    counts: Counter[str]
    left: int
    until: frozenset[str]
    open: frozenset[str]
    apart: int

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Self:
        """Of the rows of a verdict entry, which are a million: none of them is made an outcome."""
        rest = [row for row in rows if row[1] != _DONE or row[3]]
        return cls(
            Counter(row[1] for row in rows),
            sum(_unfinished(row[1], row[3]) for row in rest),
            frozenset(row[4]["until"] for row in rows if "until" in row[4]),
            frozenset(row[0] for row in rest if _open(row[1], row[3], row[4].get("details", {}))),
            sum(row[3] in _APART for row in rest),
        )


@dataclass(slots=True)
class Leftover:
    """What an earlier part of a run left of a step.

    What is settled for good is only counted, so that a million records leave little.

    Attributes:
        pages: The newest verdicts by page.
        tried: Ids without a last word that were intended, and whether it is sure that none of that
            was applied.
        asked: The phase of the newest intent of each.
        told_done: Those of which the vendor said last that it was done, and not only begun.
        turned_away: Those of which it was said last that their whole call was turned away.
        newest: When the newest intent, job or answer was written down; None for none.
        jobs: The vendor's jobs, by their handle.
        answered: Handles of jobs whose results were read.
    """

    pages: dict[int, Verdicts] = field(default_factory=dict)
    tried: dict[str, bool] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    told_done: set[str] = field(default_factory=set)
    turned_away: set[str] = field(default_factory=set)
    newest: datetime | None = None
    jobs: dict[str, Entry] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    _beside: set[int] = field(default_factory=set)

    def finished(self, page: int, *, comparing: bool = False) -> bool:
        """Whether nothing is left to do for a page.

        Args:
            page: Its number.
            comparing: Whether records are compared once more.
        """
        found = self.pages.get(page)
        return found is not None and not found.open and not (comparing and found.apart)

    def _send(self, body: Any, ids: Iterable[str]) -> None:
        for id_ in ids:
            self.tried[id_] = False
            self.asked[id_] = body["phase"]
            self.told_done.discard(id_)
            self.turned_away.discard(id_)

    def _answer(self, rows: Iterable[Sequence[Any]]) -> None:
        for id_, word, why in rows:
            away = word == "refused" and why in TURNED_AWAY
            self.tried[id_] = word in ("refused", "not_sent") and not away
            if away:
                self.turned_away.add(id_)
            if word == "applied" and why != "pending":
                self.told_done.add(id_)

    def _forget(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            if self.tried.pop(id_, None) is not None:
                self.asked.pop(id_, None)
                self.told_done.discard(id_)
                self.turned_away.discard(id_)

    def _see(self, written: Written, kind: str) -> None:
        entry, body = written.entry, written.entry.body
        if entry.stage == "outcome" and self.jobs:
            words = {row[0]: row[1] for row in body["rows"]}
            self.answered |= {
                handle
                for handle, job in self.jobs.items()
                if {words.get(id_) for id_ in job.body["ids"]} & {"applied", "refused"}
            }
        if entry.stage != "outcome":
            self.newest = max(self.newest or written.at, written.at)
            if entry.stage == "job":
                self.jobs[body["handle"]] = entry
        self._note(entry, kind, None)

    def _note(self, entry: Entry, kind: str, only: Collection[str] | None) -> None:
        if entry.stage == "intent" and "phase" not in entry.body:
            # A link, or a lookup that was put back: no step of a record's own way.
            self._beside.add(entry.batch)
            return
        if entry.stage == "outcome" and entry.batch in self._beside:
            return
        self._beside.discard(entry.batch)
        if entry.kind != kind or entry.stage == "job":
            return
        if entry.stage == "intent":
            self._send(entry.body, (i for i in entry.body["ids"] if only is None or i in only))
        else:
            rows = (row[:3] for row in entry.body["rows"] if only is None or row[0] in only)
            self._answer(rows)


def leftover(journal: Journal, run: str, step: int, kind: str) -> Leftover:
    """Follow what a run wrote of a step, in order.

    Args:
        journal: The journal.
        run: The run.
        step: The step's number.
        kind: The kind of its records.
    """
    found = Leftover()
    again: set[int] = set()
    for written in journal.entries(run, ("intent", "job", "outcome", "verdict"), step=step):
        entry = written.entry
        if entry.stage != "verdict":
            found._see(written, kind)
            continue
        rows = entry.body["rows"]
        if entry.page in found.pages:
            again.add(entry.page)
        found.pages[entry.page] = now = Verdicts.of(rows)
        found._forget(row[0] for row in rows if row[0] not in now.open)
    # What was settled and is open again was forgotten on the way.
    reopened = {id_ for page in again for id_ in found.pages[page].open}
    if reopened:
        for written in journal.entries(run, ("intent", "outcome"), step=step):
            found._note(written.entry, kind, reopened)
    return found
