"""`crm-bridge`: the commands by name, loaded when they are called, and how each of them ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from crm_bridge.cli.options import common, near
from crm_bridge.cli.voice import Closed, Voice, shown
from crm_bridge.errors import BridgeError, PlanMoved

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo:demo", "Every installed vendor on loopback, there and back, with a proof."),
    "simulator": ("simulate:simulator", "CRMs on loopback to try things with."),
    "find": ("look:find", "Show records."),
    "plan": ("act:plan", "Say what would happen; change nothing."),
    "apply": ("act:apply", "Carry out a saved plan."),
    "rehearse": ("rehearse:rehearse", "Try a saved plan and its undoing on a simulator."),
    "void": ("act:void", "Mark as no longer valid; kept whole."),
    "archive": ("act:archive", "Put away; kept whole."),
    "delete": ("act:delete", "The vendor's ordinary delete."),
    "purge": ("act:purge", "Gone for good, now."),
    "restore": ("act:restore", "Bring back what a run took, or single records."),
    "resume": ("act:resume", "Go on with a run that stopped half-way."),
    "verify": ("act:verify", "Read back what a run left open."),
    "show": ("look:show", "A run or a saved plan."),
    "runs": ("look:runs", "The runs, newest first."),
    "expiring": ("look:expiring", "What cannot be undone after a date."),
    "report": ("report:report", "A page or a workbook of a run or a saved plan."),
    "hold": ("holding:hold", "Put a record out of any plan's reach."),
    "release": ("holding:release", "Let plans reach a held record again."),
    "matrix": ("facts:matrix", "What each vendor can do."),
    "explain": ("facts:explain", "All that is known of one operation on one kind."),
    "doctor": ("care:doctor", "Check logins, rights and settings."),
    "setup": ("care:setup", "Make the marker field, or print an example of settings."),
    "plugins": ("facts:plugins", "The installed vendors."),
    "journal": ("care:journal", "Check or export the journal."),
}
"""Name to where it stands and what it does in one line: `--help` imports none of them."""

NEXT: Final = {
    "unreachable": "Check base_url and the network, and try again: crm-bridge doctor",
    "busy": "Try again later: crm-bridge doctor tells what is left today.",
    "unauthorized": "Check the login and its rights: crm-bridge doctor",
    "rejected": "Check how the kind, the fields and the conditions are spelled.",
}
"""What to do next, for errors that a vendor's answer made and that say nothing of it themselves."""

TRACE: Final = "CRM_BRIDGE_TRACEBACK"
"""Set in the environment, a fault of ours prints where it happened."""


class Commands(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in COMMANDS:
            return None
        home, _, name = COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(f"crm_bridge.cli.{home}"), name)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which one may be."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}.{near(args[0], list(COMMANDS))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"crm-bridge {version('crm-bridge')}")
        ctx.exit()


app = Commands(
    "crm-bridge",
    help="Void, archive, delete and restore records across CRMs: see it first, keep it whole, "
    "bring it back.",
    params=[
        *common(),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_version,
            help="Show the version.",
        ),
    ],
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
"""The command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code.

    Args:
        argv: The words after the program's name; None for those of the process.
    """
    from crm_bridge.cli.ending import Interrupted, Signals

    words = list(sys.argv[1:] if argv is None else argv)
    voice = Voice()
    try:
        with Signals() as signals:
            voice.signals = signals
            code = _run(words, voice)
            voice.flush()
            return code if signals.received is None else 128 + signals.received
    except Interrupted as stopped:
        voice.aside("stopped; nothing is under way.")
        voice.flush()
        return 128 + stopped.number


def _run(words: list[str], voice: Voice) -> int:
    try:
        code = app.main(words, prog_name="crm-bridge", obj=voice, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and later
            voice.aside(error.format_message())
            return 2
        _before_parsing(words, voice)
        summary, detail = _usage(error)
        return _error(voice, 2, "usage", summary, detail)
    except click.ClickException as error:
        return _error(voice, 2, "usage", error.format_message())
    except click.Abort:
        return 130
    except Closed:
        return 0
    except BridgeError as error:
        detail = error.detail or NEXT.get(error.code, "")
        moved = error.moved if isinstance(error, PlanMoved) else ()
        return _error(voice, error.exit_code, error.code, error.summary, detail, moved)
    except Exception as error:
        return _fault(voice, error)


def _before_parsing(words: list[str], voice: Voice) -> None:
    """Wrong words may keep the options behind them from being seen."""
    before = words[: words.index("--")] if "--" in words else words
    voice.json = voice.json or "--json" in before


def _usage(error: click.UsageError) -> tuple[str, str]:
    help_of = error.ctx.command_path if error.ctx else "crm-bridge"
    detail = f"See: {help_of} --help"
    if isinstance(error, click.NoSuchOption):
        known = [o for p in error.ctx.command.params for o in p.opts] if error.ctx else []
        return f"there is no option {error.option_name!r}.{near(error.option_name, known)}", detail
    return error.format_message(), detail


def _error(
    voice: Voice, code: int, name: str, summary: str, detail: str = "", moved: Sequence[Any] = ()
) -> int:
    """One line that says what happened and what to do next, and one for a program."""
    if voice.json:
        from crm_bridge.cli import lines

        voice.line(lines.error(name, summary, detail, moved), flush=True)
    if not (voice.json and voice.quiet):
        voice.aside(f"crm-bridge: {shown(f'{summary} {detail}'.strip(), 4000)}")
    return code


def _fault(voice: Voice, error: Exception) -> int:
    """A fault of ours: short, and nothing of what the exception holds, which may be a secret."""
    kind = type(error).__name__
    if os.environ.get(TRACE):
        import traceback

        voice.aside("".join(traceback.format_tb(error.__traceback__)) + kind)
        detail = "Please report it, with the trace above."
    else:
        detail = f"The journal is safe. To see where: run it again with {TRACE}=1 set."
    return _error(voice, 1, "fault", f"a fault of crm-bridge itself: {kind}.", detail)


def refuse(summary: str) -> Any:
    """End with wrong words."""
    raise click.UsageError(summary, click.get_current_context())


if __name__ == "__main__":
    sys.exit(main())
