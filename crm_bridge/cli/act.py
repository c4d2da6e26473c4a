"""Commands that change a CRM, or say how it would be changed."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from crm_bridge.cli import again, ask, ending, lines, options
from crm_bridge.cli.options import Word, pass_voice, verb
from crm_bridge.cli.progress import Progress
from crm_bridge.cli.voice import Voice
from crm_bridge.errors import PlanMoved

if TYPE_CHECKING:
    from crm_bridge.bridge import Bridge
    from crm_bridge.model.plans import Plan
    from crm_bridge.model.results import Receipt

RUN: Final = re.compile(r"r-\d{8}-[0-9a-z]+")


@verb("plan")
@click.argument("operation", type=Word(options.OPERATIONS))
@options.planning
@options.along
@options.restoring
@click.option(
    "--out",
    metavar="PLAN",
    help="Save the plan for `apply`; with .csv write the list of records instead.",
)
@pass_voice
def plan(voice: Voice, operation: str, out: str | None, **asked: Any) -> int:
    """Say what would happen; change nothing."""
    from crm_bridge.cli import files, show

    meant = _targets(operation, asked)
    if out:
        files.fits(out)
    with voice.bridge() as bridge:
        made = planned(voice, bridge, operation, meant, asked)
        if out and out.lower().endswith(".csv"):
            count = show.write_list(out, made)
            voice.say(f"{count} record(s) listed in {out}")
        elif out:
            bridge.save_plan(made, out)
        _tell_plan(voice, made)
        if out and not made.blocked and not out.lower().endswith(".csv"):
            voice.say(f"saved; to carry it out: crm-bridge apply {out}")
        refuse_blocked(made)
    return 0


@verb("apply")
@click.argument("path", metavar="PLAN")
@options.applying
@click.option(
    "--replan-moved",
    is_flag=True,
    help="Plan records anew that moved since the plan was made, and go on with them.",
)
@click.option("--without-moved", is_flag=True, help="Leave them out, and go on with the rest.")
@options.undoing
@pass_voice
def apply(
    voice: Voice,
    path: str,
    yes: bool,
    confirm: str | None,
    replan_moved: bool,
    without_moved: bool,
    undo_on_failure: bool,
) -> int:
    """Carry out a saved plan."""
    if replan_moved and without_moved:
        raise click.UsageError("--replan-moved takes along what --without-moved leaves out.")
    with _acting(voice) as bridge:
        made = bridge.load_plan(path)
        if undo_on_failure and made.operation.value == "restore":
            raise click.UsageError("--undo-on-failure is not for a restore, which undoes a run.")
        if not voice.json:
            _tell_plan(voice, made)
        try:
            return carry_out(voice, bridge, made, yes=yes, confirm=confirm, undo=undo_on_failure)
        except PlanMoved as error:
            if not (replan_moved or without_moved):
                raise
            again.tell_moved(voice, error.moved, made.counts.records)
            anew = again.planned_again(bridge, made, error, leave_out=without_moved)
            _tell_plan(voice, anew)
            # A text that was typed for another plan says nothing of this one.
            return carry_out(voice, bridge, anew, yes=yes, confirm=None, undo=undo_on_failure)


def _direct(operation: str, told: str) -> click.Command:
    @verb(operation, help=told)
    @options.planning
    @options.along
    @options.applying
    @options.undoing
    @pass_voice
    def command(
        voice: Voice, yes: bool, confirm: str | None, undo_on_failure: bool, **asked: Any
    ) -> int:
        return _plan_and_apply(
            voice, operation, asked, yes=yes, confirm=confirm, undo=undo_on_failure
        )

    return command


void = _direct("void", "Mark as no longer valid; kept whole.")
archive = _direct("archive", "Put away; kept whole.")
delete = _direct("delete", "The vendor's ordinary delete.")
purge = _direct("purge", "Gone for good, now.")


@verb("restore")
@options.planning
@options.restoring
@options.applying
@pass_voice
def restore(voice: Voice, yes: bool, confirm: str | None, **asked: Any) -> int:
    """Bring back what a run took, or single records."""
    return _plan_and_apply(voice, "restore", asked, yes=yes, confirm=confirm)


@verb("resume")
@click.argument("run", metavar="RUN")
@click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal.")
@pass_voice
def resume(voice: Voice, run: str, yes: bool) -> int:
    """Go on with a run that stopped half-way."""
    with _acting(voice) as bridge:
        if not yes:
            ask.sure(f"resume {run}")
        with _stopping(voice, bridge):
            receipt = bridge.resume(run)
        return finished(voice, receipt)


@verb("verify")
@click.argument("run", metavar="RUN")
@pass_voice
def verify(voice: Voice, run: str) -> int:
    """Read back what a run left open."""
    with _acting(voice) as bridge:
        return finished(voice, bridge.verify(run))


def _plan_and_apply(
    voice: Voice,
    operation: str,
    asked: dict[str, Any],
    *,
    yes: bool,
    confirm: str | None,
    undo: bool = False,
) -> int:
    meant = _targets(operation, asked)
    with _acting(voice) as bridge:
        made = planned(voice, bridge, operation, meant, asked)
        _tell_plan(voice, made)
        return carry_out(voice, bridge, made, yes=yes, confirm=confirm, undo=undo)


def planned(
    voice: Voice,
    bridge: Bridge,
    operation: str,
    meant: tuple[Any, str | None],
    asked: dict[str, Any],
) -> Plan:
    """Make the plan that the options ask for."""
    targets, kind = meant
    reason, code = ask.why(operation, asked["reason"], asked["code"])
    chosen: dict[str, Any] = {}
    for name in ("limit_records", "limit_share", "on_conflict"):
        if asked.get(name) is not None:
            # What nobody said is left to the settings.
            chosen[name] = asked[name]
    if operation == "restore":
        chosen["remake"] = asked["remake"]
        chosen["only"] = asked["only"]
    if kind:
        chosen["kind"] = kind
    if children := _kinds(asked):
        chosen["with_children"] = children
    from crm_bridge.cli import show

    with show.looking(voice, f"looking at what is to {operation}"):
        return bridge.plan(
            operation,
            targets,
            where=asked["where"],
            native=asked["native"],
            reason=reason,
            code=code,
            **chosen,
        )


def _kinds(asked: dict[str, Any]) -> list[str]:
    """The kinds of `--with-children`, which takes several at once and stands several times."""
    told = [k.strip() for some in asked.get("with_children", ()) for k in some.split(",")]
    return list(dict.fromkeys(kind for kind in told if kind))


def _targets(operation: str, asked: dict[str, Any]) -> tuple[Any, str | None]:
    """The targets as the bridge takes them, and the kind of a file that holds ids alone."""
    words: tuple[str, ...] = asked["targets"]
    source: str | None = asked["source"]
    for name in ("remake", "on_conflict", "only"):
        if operation != "restore" and asked.get(name):
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to restore.")
    if operation == "restore" and asked.get("with_children"):
        raise click.UsageError(
            "--with-children is for taking away; what a run took comes back with it by itself."
        )
    if source is not None:
        if asked["where"] or asked["native"]:
            raise click.UsageError("--from names the records; --where would name others.")
        if len(words) > 1:
            raise click.UsageError("--from takes one TARGET at most: the kind of its ids.")
        return Path(source), words[0] if words else None
    if not words:
        raise click.UsageError(
            f"name what to {operation}: crm:Kind/id, crm:Kind with --where, or --from FILE."
        )
    runs = [word for word in words if RUN.fullmatch(word)]
    if runs:
        if operation != "restore":
            raise click.UsageError(f"{runs[0]} is a run; only restore takes one.")
        if len(words) > 1:
            raise click.UsageError("restore takes one RUN, or TARGETs.")
        return runs[0], None
    if (asked["where"] or asked["native"]) and any("/" in word for word in words):
        raise click.UsageError("--where and --native go with a kind (crm:Kind), not with a record.")
    return (words[0] if len(words) == 1 and "/" not in words[0] else list(words)), None


def refuse_blocked(made: Plan) -> None:
    """Raise where an ERROR keeps the plan from running."""
    from crm_bridge.errors import PlanBlocked
    from crm_bridge.model.plans import Severity

    errors = [f for f in made.findings if f.severity is Severity.ERROR]
    if errors:
        first = errors[0]
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        raise PlanBlocked(
            f"the plan is blocked: {first.summary}{more}",
            detail=first.detail,
            code=first.code,
            findings=errors,
        )


def carry_out(
    voice: Voice,
    bridge: Bridge,
    made: Plan,
    *,
    yes: bool,
    confirm: str | None,
    undo: bool = False,
) -> int:
    """Ask, apply, tell, and undo it where that was asked for; gives the exit code."""
    refuse_blocked(made)
    ask.go_ahead(voice, made, yes=yes, confirm=confirm)
    with _stopping(voice, bridge):
        receipt = bridge.apply(made, confirm=made.confirm)
    code = finished(voice, receipt)
    if not undo or not again.failed(made, receipt):
        return code
    back = again.undoing(voice, bridge, receipt)
    if back is None:
        return code
    _tell_plan(voice, back)
    with _stopping(voice, bridge):
        undone = bridge.apply(back)
    # What was asked for is not done, however well it was undone.
    return ending.worst(code, finished(voice, undone))


def finished(voice: Voice, receipt: Receipt) -> int:
    """Tell what a run came to; gives the exit code."""
    if voice.json:
        for came in receipt.outcomes:
            voice.line(lines.outcome(receipt.run, came))
        voice.line(lines.receipt(receipt), flush=True)
    elif not voice.quiet:
        from crm_bridge.cli import show

        show.receipt(voice, receipt)
    if voice.broken is not None:
        voice.aside(
            f"the output could not be written ({voice.broken.strerror or voice.broken}); the run "
            f"is not touched by that: crm-bridge show {receipt.run}"
        )
    return ending.code_of(receipt)


def _tell_plan(voice: Voice, made: Plan) -> None:
    if voice.json:
        voice.line(lines.plan(made), flush=True)
    else:
        from crm_bridge.cli import tree

        tree.plan(voice, made)


class _acting:
    """A bridge with its progress shown."""

    def __init__(self, voice: Voice) -> None:
        self._progress = Progress(voice)
        self._bridge = voice.bridge(self._progress)

    def __enter__(self) -> Bridge:
        return self._bridge.__enter__()

    def __exit__(self, *exc: Any) -> None:
        self._progress.close()
        self._bridge.__exit__(*exc)


def _stopping(voice: Voice, bridge: Bridge) -> Any:
    """While a run is under way a signal stops it in order."""
    return voice.signals.stopping(bridge.stop) if voice.signals else nullcontext()
