"""Commands that look after accounts and the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crm_bridge.cli import ask, lines
from crm_bridge.cli.options import Verb, common, near, pass_voice, verb
from crm_bridge.cli.voice import Voice, shown
from crm_bridge.errors import BridgeError, JournalError

if TYPE_CHECKING:
    from crm_bridge.model.plans import Finding

FLUSH = 500


NEEDED = frozenset({"settings", "login"})
"""Checks without which nothing runs at all (2); the others want somebody to look (3)."""
ADVICE = frozenset({"secrets"})
"""Checks that say what would be better; the account works without."""


class CheckFailed(BridgeError):
    """A check of `doctor` does not hold."""

    code = "doctor"
    exit_code = 3


@verb("doctor")
@click.argument("crm", required=False)
@pass_voice
def doctor(voice: Voice, crm: str | None) -> int:
    """Check logins, rights and settings."""
    wrong = []
    count = 0
    with voice.bridge() as bridge:
        for found in bridge.doctor(crm):
            count += 1
            if not found.ok:
                wrong += [] if found.name in ADVICE else [found]
            if voice.json:
                voice.line(lines.check(found), flush=True)
            else:
                sign = "ok   " if found.ok else "hint " if found.name in ADVICE else "WRONG"
                voice.out(f"{sign} {found.crm}: {found.name}: {shown(found.summary, 1000)}")
    if wrong:
        wrong.sort(key=lambda found: found.name not in NEEDED)
        failed = CheckFailed(
            f"{len(wrong)} of {count} check(s) do not hold; the first: {wrong[0].crm}, "
            f"{wrong[0].name}: {wrong[0].summary}"
        )
        failed.exit_code = 2 if wrong[0].name in NEEDED else 3
        raise failed
    return 0


@verb("setup")
@click.argument("crm", required=False)
@click.option("--example", metavar="VENDOR", help="Print a commented settings file for a vendor.")
@click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal.")
@pass_voice
def setup(voice: Voice, crm: str | None, example: str | None, yes: bool) -> int:
    """Make the marker field, or print an example of settings."""
    if (crm is None) == (example is None):
        raise click.UsageError("name a crm of the settings, or --example VENDOR.")
    if example is not None:
        from crm_bridge.cli.example import example_for

        voice.out(example_for(example))
        return 0
    assert crm is not None
    from crm_bridge.engine.doctor import would_make

    with voice.bridge() as bridge:
        _tell(voice, crm, found := bridge.setup(crm))
        if not would_make(found):
            voice.say("there is nothing to make")
            return 0
        if not yes:
            ask.sure(f"make this in {crm}")
        _tell(voice, crm, bridge.setup(crm, apply=True))
    return 0


def _tell(voice: Voice, crm: str, found: list[Finding]) -> None:
    from crm_bridge.cli import show

    if voice.json:
        for each in found:
            voice.line({"type": "finding", "crm": crm, **lines.finding(each)})
    else:
        show.findings(voice, found)


class Parts(click.Group):
    """A command with commands of its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which one may be."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}.{near(args[0], list(self.commands))}")
        return super().resolve_command(ctx, args)


@verb("check")
@pass_voice
def check(voice: Voice) -> int:
    """Find any row that was edited, dropped, swapped or cut."""
    with voice.bridge() as bridge:
        found = bridge.check_journal()
    if voice.json:
        voice.line(lines.journal(found))
    if not found.ok:
        raise JournalError(
            f"the journal does not check: {found.table}, row {found.row}: {found.why}.",
            detail="Nothing more is sent with it. Put back a copy of the file and of its .head.",
        )
    voice.say(f"the journal checks: {found.rows} row(s)")
    return 0


@verb("export")
@pass_voice
def export(voice: Voice) -> int:
    """Print every event, one JSON object a line."""
    with voice.bridge() as bridge:
        for count, event in enumerate(bridge.export_journal(), 1):
            voice.line(event, flush=count % FLUSH == 0)
            voice.still_read()
    return 0


journal = Parts(
    "journal", help="Check or export the journal.", params=common(), no_args_is_help=True
)
journal.add_command(check)
journal.add_command(export)

__all__ = ["Verb", "check", "doctor", "export", "journal", "setup"]
