"""Commands that only look: records, runs, plans, deadlines."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from crm_bridge.cli import lines, options
from crm_bridge.cli.act import RUN
from crm_bridge.cli.options import Word, pass_voice, verb
from crm_bridge.cli.tally import BY
from crm_bridge.cli.voice import Voice, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crm_bridge.bridge import Bridge, RunSummary
    from crm_bridge.model.plans import Plan
    from crm_bridge.model.records import Record
    from crm_bridge.model.results import Outcome

STATES: Final = ("live", "voided", "archived", "deleted", "gone", "pending")
FLUSH: Final = 200
"""Lines after which a reader is given what there is."""


@verb("find")
@click.argument("target", metavar="TARGET")
@options.where
@click.option("--state", type=Word(STATES), metavar="STATE", help=f"One of {', '.join(STATES)}.")
@click.option("--fields", default="", metavar="a,b", help="Only these fields.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")
@options.out
@pass_voice
def find(
    voice: Voice,
    target: str,
    where: tuple[str, ...],
    native: str | None,
    state: str | None,
    fields: str,
    limit: int | None,
    out: str | None,
) -> int:
    """Show records."""
    from crm_bridge.cli import files

    wanted = tuple(name.strip() for name in fields.split(",") if name.strip())
    file = files.Records(out, wanted) if out else None
    count = 0
    with voice.bridge() as bridge:
        found = bridge.find(target, *where, state=state, native=native, fields=wanted, limit=limit)
        for record in _named(target, found):
            count += 1
            line = lines.record(record) if voice.json or file else {}
            if file:
                file.add(record, line)
            if voice.json:
                voice.line(line, flush=count % FLUSH == 0)
            elif not file:
                voice.out(brief(record, wanted))
            if not file:
                voice.still_read()
        if file:
            file.close()
    voice.say(f"{count} record(s){f' written to {out}' if out else ''}")
    return 0


def _named(target: str, found: Iterable[Record]) -> Iterator[Record]:
    """The records; what a vendor refuses names the kind that was asked for."""
    from crm_bridge.errors import AdapterError

    try:
        yield from found
    except AdapterError as error:
        if target not in error.summary:
            error.args = (f"{target}: {error.summary}",)
        raise


TELLING: Final = ("name", "subject", "title", "email", "phone", "amount", "stage", "status")
"""Words in a field's name that tell a person which record this is, the most telling first."""


def brief(found: Record, wanted: Sequence[str] = ()) -> str:
    """One record in one line: its address, its state, and what is asked for or tells most."""
    fields = found.fields
    names = (
        wanted
        or sorted(
            (n for n, v in fields.items() if isinstance(v, str) and v and _tells(n) is not None),
            key=lambda n: (_tells(n), len(n)),
        )[:4]
    )
    told = "  ".join(f"{shown(n, 60)}={shown(fields.get(n), 60)}" for n in names)
    return f"{found.ref}  {found.state.value}  {told}".rstrip()


def _tells(name: str) -> int | None:
    plain = name.lower()
    if "api_name" in plain or plain.startswith("_"):
        return None
    return next((i for i, word in enumerate(TELLING) if word in plain), None)


@verb("show")
@click.argument("what", metavar="RUN | PLAN")
@click.option("--failed", is_flag=True, help="Of a run, only the records that failed.")
@click.option(
    "--touch",
    type=int,
    metavar="N",
    help="The records behind the number [N] of what a plan touches.",
)
@options.out
@pass_voice
def show(voice: Voice, what: str, failed: bool, touch: int | None, out: str | None) -> int:
    """A run or a saved plan."""
    from crm_bridge.cli import files

    if out:
        files.fits(out)
        files.is_lines(out)
    if touch is not None and failed:
        raise click.UsageError("--failed shows targets, --touch what hangs on them.")
    with voice.bridge() as bridge:
        is_run = RUN.fullmatch(what) is not None and not Path(what).exists()
        if is_run and touch is None:
            return _show_run(voice, bridge, what, failed, out)
        if failed:
            raise click.UsageError("--failed belongs to a run; this is a plan.")
        from crm_bridge.cli import tree

        made = bridge.plan_of(what) if is_run else bridge.load_plan(what)
        if touch is not None:
            return _show_touch(voice, made, touch, out)
        if voice.json:
            voice.line(lines.plan(made))
        else:
            tree.plan(voice, made)
        if out:
            _write_plan(voice, made, out)
    return 0


TOUCH_COLUMNS: Final = ("ref", "parent", "via", "effect", "comes_back", "depth")


def _show_touch(voice: Voice, made: Plan, number: int, out: str | None) -> int:
    """Open one number of a plan to the list behind it."""
    from crm_bridge.cli import files
    from crm_bridge.cli.tree import touch_line
    from crm_bridge.model.plans import Touch

    if not 1 <= number <= len(made.touches):
        raise click.UsageError(
            f"there is no touch {number}: the plan has {len(made.touches)}, numbered from 1."
        )
    touch: Touch = made.touches[number - 1]

    def rows() -> Iterator[dict[str, Any]]:
        parents = iter(touch.parents)
        for ref in touch.refs:
            yield lines.touched(number, touch, ref, next(parents, ""))

    if voice.json:
        voice.line({"type": "touch", **lines.touch(number, touch)})
    else:
        voice.say(touch_line(number, touch).plain)
    if out:
        count = files.write_rows(out, TOUCH_COLUMNS, rows())
        voice.say(f"{count} record(s) written to {out}")
    else:
        for row in rows():
            if voice.json:
                voice.line(row)
            else:
                voice.out(f"{row['ref']}  of {row['parent']}" if row["parent"] else row["ref"])
            voice.still_read()
    if not len(touch.refs):
        why = "they were not counted" if touch.count is None else "they were only counted"
        voice.say(f"there is no list: {why}. {shown(touch.rule.note, 600)}".rstrip())
    return 0


def _write_plan(voice: Voice, made: Any, out: str) -> None:
    from crm_bridge.cli.show import write_list

    voice.say(f"{write_list(out, made)} record(s) listed in {out}")


def _show_run(voice: Voice, bridge: Bridge, run: str, failed: bool, out: str | None) -> int:
    from crm_bridge.cli import files
    from crm_bridge.cli import show as look

    receipt = bridge.receipt(run)
    summary = next((r for r in bridge.runs() if r.run == run), None)

    def outcomes() -> Iterator[Outcome]:
        return (o for o in receipt.outcomes if not failed or o.verdict.value == "failed")

    if voice.json:
        if summary is not None:
            voice.line(lines.run(summary))
        for came in outcomes():
            voice.line(lines.outcome(run, came))
            if not out:
                voice.still_read()
        voice.line(lines.receipt(receipt))
    else:
        if summary is not None:
            look.runs(voice, [summary])
        if not out:
            for came in outcomes():
                voice.out(look.outcome(came))
                voice.still_read()
        look.receipt(voice, receipt)
    if out:
        count = files.write_rows(out, files.OUTCOME_COLUMNS, map(files.outcome_row, outcomes()))
        voice.say(f"{count} record(s) written to {out}, ready for --from")
    return 0


@verb("runs")
@click.option(
    "--attention",
    is_flag=True,
    help="Only those with something pending, by hand, failed, unknown or unfinished.",
)
@click.option("--by", type=Word(BY), metavar="|".join(BY), help="Counted instead of listed.")
@pass_voice
def runs(voice: Voice, attention: bool, by: str | None) -> int:
    """The runs, newest first."""
    with voice.bridge() as bridge:
        found: list[RunSummary] = bridge.attention() if attention else bridge.runs()
        found = sorted(found, key=lambda r: r.started, reverse=True)
        if by is not None:
            return _tally(voice, bridge, found, by)
        if voice.json:
            for each in found:
                voice.line(lines.run(each))
                voice.still_read()
        else:
            from crm_bridge.cli import show as look

            look.runs(voice, found)
    return 0


def _tally(voice: Voice, bridge: Bridge, found: Sequence[RunSummary], by: str) -> int:
    from crm_bridge.cli.tally import tallied

    told = tallied(bridge, found, by)
    if voice.json:
        for one in told:
            voice.line(lines.tally(by, one.key, len(one.runs), one.counts))
    else:
        from crm_bridge.cli import show as look

        look.tally(voice, by, told)
    return 0


@verb("expiring")
@click.option("--within", default="7d", metavar="7d", help="How far ahead (7d).")
@click.option("--calendar", metavar="FILE.ics", help="Write them for a calendar that subscribes.")
@pass_voice
def expiring(voice: Voice, within: str, calendar: str | None) -> int:
    """What cannot be undone after a date."""
    from crm_bridge.cli import files

    if calendar:
        if Path(calendar).suffix.lower() not in (".ics", ".ical"):
            raise click.UsageError("a calendar's name ends with .ics.")
        files.fits(calendar)
    with voice.bridge() as bridge, _looking(voice):
        found = sorted(bridge.expiring(within), key=lambda e: (e.until, e.crm, e.kind))
    if calendar:
        from crm_bridge.report.calendar import calendar as events

        with files.writing(calendar) as file:
            file.writelines(events(found, datetime.now(UTC)))
        voice.say(f"{len(found)} deadline(s) written to {calendar}")
    if voice.json:
        for each in found:
            voice.line(lines.expiring(each))
    else:
        from crm_bridge.cli import show as look

        look.expiring(voice, found, within)
    return 0


def _looking(voice: Voice) -> Any:
    if voice.quiet or voice.json:
        return nullcontext()
    from crm_bridge.cli import show as look

    return look.looking(voice, "looking")
