"""Commands that put a record out of any plan's reach, and let plans reach it again."""

from __future__ import annotations

import click

from crm_bridge.cli.options import pass_voice, verb
from crm_bridge.cli.voice import Voice

REASON = click.option("--reason", required=True, metavar="TEXT", help="Why, in words.")


@verb("hold")
@click.argument("ref", metavar="REF")
@REASON
@pass_voice
def hold(voice: Voice, ref: str, reason: str) -> int:
    """Put a record out of any plan's reach."""
    with voice.bridge() as bridge:
        bridge.hold(ref, reason)
    _tell(voice, ref, reason, held=True)
    return 0


@verb("release")
@click.argument("ref", metavar="REF")
@REASON
@pass_voice
def release(voice: Voice, ref: str, reason: str) -> int:
    """Let plans reach a held record again."""
    with voice.bridge() as bridge:
        bridge.release(ref, reason)
    _tell(voice, ref, reason, held=False)
    return 0


def _tell(voice: Voice, ref: str, reason: str, *, held: bool) -> None:
    if voice.json:
        voice.line({"type": "hold", "ref": ref, "held": held, "reason": reason})
    voice.say(
        f"{ref} is held: no plan takes it until crm-bridge release {ref} --reason TEXT"
        if held
        else f"{ref} is released"
    )
