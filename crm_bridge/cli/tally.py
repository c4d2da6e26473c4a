"""Runs counted by their code, crm, kind or month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from crm_bridge.model.abilities import Operation
from crm_bridge.model.results import Verdict

if TYPE_CHECKING:
    from crm_bridge.bridge import Bridge, RunSummary

BY: Final = ("code", "crm", "kind", "month")
NO_CODE: Final = "none"
"""The key of runs without a reason code."""


@dataclass(slots=True)
class Tally:
    """What came of all runs of one key.

    Attributes:
        key: A code, a crm, a kind of a crm, or a month.
        runs: How many.
        counts: Each verdict to its number of records.
    """

    key: str
    runs: set[str] = field(default_factory=set)
    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))


def tallied(bridge: Bridge, runs: Sequence[RunSummary], by: str) -> list[Tally]:
    """Count runs and their records; the key with most records first, months in order."""
    found: dict[str, Tally] = {}
    for run in runs:
        for key, counts in _parts(bridge, run, by):
            tally = found.setdefault(key, Tally(key))
            tally.runs.add(run.run)
            for verdict, count in counts.items():
                tally.counts[verdict] += count
    if by == "month":
        return sorted(found.values(), key=lambda one: one.key)
    return sorted(found.values(), key=lambda one: (-sum(one.counts.values()), one.key))


def _parts(bridge: Bridge, run: RunSummary, by: str) -> Iterator[tuple[str, Mapping[Verdict, int]]]:
    if by == "code":
        # Nobody is asked why something comes back.
        if run.operation is Operation.RESTORE and run.code is None:
            return
        yield run.code or NO_CODE, run.counts
    elif by == "month":
        yield run.started.strftime("%Y-%m"), run.counts
    elif by == "crm" and len(run.crms) == 1:
        yield run.crms[0], run.counts
    else:
        # A run may be of several: its records tell.
        parts: dict[str, dict[Verdict, Any]] = {}
        for came in bridge.receipt(run.run).outcomes:
            key = came.ref.crm if by == "crm" else f"{came.ref.crm}:{came.ref.kind}"
            counts = parts.setdefault(key, dict.fromkeys(Verdict, 0))
            counts[came.verdict] += 1
        yield from parts.items()
