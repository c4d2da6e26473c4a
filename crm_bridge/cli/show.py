"""How plans, receipts and lists look to a person. Rich is imported here and nowhere earlier."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from crm_bridge.cli.voice import Voice, is_terminal, moment, shown

if TYPE_CHECKING:
    from crm_bridge.bridge import Expiring, RunSummary
    from crm_bridge.cli.tally import Tally
    from crm_bridge.model.abilities import Capability
    from crm_bridge.model.plans import Finding, Plan
    from crm_bridge.model.results import Outcome, Receipt

COLOURS: Final = {
    "error": "bold red",
    "warning": "yellow",
    "note": "cyan",
    "done": "green",
    "already": "green",
    "pending": "yellow",
    "by_hand": "yellow",
    "failed": "red",
    "unknown": "bold red",
    "skipped": "yellow",
    "follows": "yellow",
    "may_follow": "yellow",
    "blocks": "red",
    "may_block": "red",
    "detaches": "cyan",
}

BACK: Final = {
    "same_id": "comes back as it was",
    "new_id": "can only be made anew, under a new id",
    "by_hand": "a person brings it back, in the vendor's page",
    "none": "nothing brings it back",
}

EFFECTS: Final = {
    "follows": "follow",
    "may_follow": "may follow",
    "detaches": "lose their link",
    "blocks": "block",
    "may_block": "may block",
}


def day(value: datetime | None) -> str:
    """A day for a person."""
    return value.strftime("%Y-%m-%d") if value else "no limit known"


@contextmanager
def looking(voice: Voice, what: str) -> Iterator[None]:
    """Say what is under way while a terminal waits."""
    if voice.quiet or not is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what, spinner="dots"):
        yield


def table(
    voice: Voice, columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = ""
) -> None:
    """Print a table; every value is shown escaped."""

    def make() -> Any:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        made = Table(
            box=SIMPLE_HEAD,
            title=Text(title) if title else None,
            title_justify="left",
            pad_edge=False,
        )
        for name in columns:
            made.add_column(name, overflow="fold")
        for row in rows:
            made.add_row(*(Text(t := shown(value), COLOURS.get(t, "")) for value in row))
        return made

    voice.table(make)


def way(row: Capability, made_at: datetime | None = None) -> str:
    """How a record comes back from what this row does, and for how long."""
    window = row.window
    if window.days is None:
        return BACK[window.undo.value]
    until = f"until {day(window.until(made_at))}" if made_at else f"for {window.days} days"
    return f"{BACK[window.undo.value]}, {until}{'' if window.guaranteed else ' (not guaranteed)'}"


def findings(voice: Voice, found: Iterable[Finding]) -> None:
    """Print findings that belong to no plan."""
    for each in found:
        voice.say(f"{each.severity.value}: {shown(f'{each.summary} {each.detail}'.strip(), 2000)}")


def counts(found: Mapping[Any, int]) -> str:
    """Counts in words, such as `286 done, 4 pending`."""
    told = [f"{n} {str(getattr(v, 'value', v)).replace('_', ' ')}" for v, n in found.items() if n]
    return ", ".join(told) or "nothing"


def receipt(voice: Voice, came: Receipt) -> None:
    """Print what a run came to: the counts, what is not simply done, and the way back."""
    from crm_bridge.model.abilities import Undo
    from crm_bridge.model.results import HARMLESS

    until: datetime | None = None
    ways: dict[Undo, int] = {}
    odd: dict[tuple[str, str, str], list[Any]] = {}
    for each in came.outcomes:
        if each.undo is not None:
            ways[each.undo] = ways.get(each.undo, 0) + 1
        if each.recoverable_until and (until is None or each.recoverable_until < until):
            until = each.recoverable_until
        problem = each.problem
        if each.verdict.value not in ("done", "already") or (
            problem and problem.code not in HARMLESS
        ):
            key = (
                each.verdict.value,
                problem.code if problem else "",
                (problem.vendor_code or "") if problem else "",
            )
            # One of each sort is shown; a run of a million is not held.
            odd.setdefault(key, [0, each])[0] += 1
    voice.say(
        f"run {came.run}: {came.operation.value}: {counts(came.counts)}; "
        f"{came.calls} call(s), {came.seconds:.1f} s"
    )
    if came.halted:
        more = "" if came.note else f"; to go on: crm-bridge resume {came.run}"
        voice.say(f"it stopped early ({came.halted}){more}")
    if came.note:
        voice.say(shown(came.note, 1000))
    if odd:
        table(
            voice,
            ("records", "verdict", "why", "such as", "where a person looks"),
            ((n, *_odd(first)) for n, first in odd.values()),
        )
        voice.say(f"each of them: crm-bridge show {came.run}")
    if came.operation.value == "restore":
        return
    for undo, count in ways.items():
        voice.say(f"{count}: {BACK[undo.value]}")
    if until:
        voice.say(f"the first way back closes on {day(until)}")
    if any(u is not Undo.NONE for u in ways):
        anew = " --remake" if set(ways) <= {Undo.NEW_ID, Undo.NONE} else ""
        voice.say(f"to bring them back: crm-bridge restore {came.run}{anew}")


def _odd(came: Outcome) -> tuple[str, str, str, str]:
    problem = came.problem
    why = f"{problem.code}: {problem.message}" if problem else ""
    return came.verdict.value, why, str(came.ref), came.link or ""


def outcome(came: Outcome) -> str:
    """One record of a run in one line."""
    verdict, why, record, link = _odd(came)
    state = f" ({came.state.value})" if came.state else ""
    new = f" -> {came.new_ref}" if came.new_ref else ""
    return f"{record}  {verdict}{state}{new}  {shown(why)}  {shown(link)}".rstrip()


def runs(voice: Voice, found: Sequence[RunSummary]) -> None:
    """Print runs."""
    if not found:
        voice.say("no runs")
        return
    table(
        voice,
        ("run", "operation", "started (UTC)", "by", "why", "crms", "state", "outcome"),
        (
            (
                r.run,
                r.operation.value,
                (moment(r.started) or "")[:16].replace("T", " "),
                r.by,
                f"{r.reason} ({r.code})" if r.code else r.reason,
                ", ".join(r.crms),
                r.state,
                counts(r.counts),
            )
            for r in found
        ),
    )


def tally(voice: Voice, by: str, found: Sequence[Tally]) -> None:
    """Print runs that were counted."""
    if not found:
        voice.say("no runs")
        return
    table(
        voice,
        (by, "runs", "records", "outcome"),
        ((t.key, len(t.runs), sum(t.counts.values()), counts(t.counts)) for t in found),
    )


def expiring(voice: Voice, found: Sequence[Expiring], within: str) -> None:
    """Print what cannot be undone after a date."""
    if not found:
        voice.say(f"nothing becomes final within {within}")
        return
    table(
        voice,
        ("until (UTC)", "run", "crm", "kind", "records", "vendor's word"),
        (
            (
                (moment(e.until) or "")[:16].replace("T", " "),
                e.run,
                e.crm,
                e.kind,
                e.count,
                "guaranteed" if e.guaranteed else "not guaranteed",
            )
            for e in found
        ),
    )


LIST_COLUMNS: Final = ("ref", "step", "operation", "support", "verdict", "code", "message")


def write_list(path: str, made: Plan) -> int:
    """Write the targets of a plan as CSV, for people; it cannot be applied."""
    from crm_bridge.cli.files import write_rows

    def rows() -> Iterator[dict[str, Any]]:
        for number, step in enumerate(made.steps, 1):
            if step.after is None:
                for ref in step.refs:
                    yield {
                        "ref": str(ref),
                        "step": number,
                        "operation": step.capability.operation.value,
                        "support": step.capability.support.value,
                    }
        for came in made.settled:
            yield {
                "ref": str(came.ref),
                "verdict": came.verdict.value,
                "code": came.problem.code if came.problem else None,
                "message": came.problem.message if came.problem else None,
            }

    return write_rows(path, LIST_COLUMNS, rows())
