"""`crm-bridge rehearse`: a saved plan and its undoing, tried on the vendors' simulators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crm_bridge.cli import lines
from crm_bridge.cli.options import pass_voice, verb
from crm_bridge.cli.voice import Voice, json_text, shown
from crm_bridge.errors import BridgeError

if TYPE_CHECKING:
    from crm_bridge.rehearsal import Certificate, Rehearsed


class NotWhole(BridgeError):
    """The rehearsal showed what the plan had not said."""

    code = "rehearsal"
    exit_code = 3


@verb("rehearse")
@click.argument("path", metavar="PLAN")
@click.option("--out", metavar="FILE", help="Write the certificate, as JSON.")
@pass_voice
def rehearse(voice: Voice, path: str, out: str | None) -> int:
    """Try a saved plan and its undoing on a simulator."""
    from crm_bridge import rehearsal
    from crm_bridge.cli import files, show

    if out:
        files.fits(out)
    with voice.bridge() as bridge:
        made = bridge.load_plan(path)
        with show.looking(voice, "rehearsing"):
            came = rehearsal.rehearse(bridge, made)
    for one in came.crms:
        _tell(voice, one)
    told = {"type": "certificate", **came.told()}
    if voice.json:
        voice.line(told, flush=True)
    if out:
        with files.writing(out) as file:
            file.write(json_text(told) + "\n")
    voice.say(
        f"score {came.score:.2%} in {came.seconds:.1f} s, for plan {came.plan}"
        + (f"; certificate in {out}" if out else "")
    )
    if not came.ok:
        raise NotWhole(
            f"the rehearsal of plan {came.plan} did not come out whole: {_why(came)}.",
            detail="Nothing was written to the accounts. Look at what differs before you apply it.",
        )
    return 0


def _different(one: Rehearsed) -> list[dict[str, Any]]:
    return [
        {"what": what, "records": count, "named": what not in one.unnamed}
        for what, count in sorted(one.differs.items())
    ]


def _tell(voice: Voice, one: Rehearsed) -> None:
    if voice.json:
        told = lines.proof(one.crm, one.records, one.equal, _different(one))
        count, why = one.not_loaded
        voice.line({**told, "vendor": one.vendor, "not_loaded": {"count": count, "why": why}})
        return
    voice.say(
        f"{one.crm}: {one.records} record(s) were loaded into a simulator of {one.vendor}, taken "
        f"away and brought back; {one.equal} are as they were, but for what the plan names"
    )
    if one.not_loaded[0]:
        voice.say(f"  {one.not_loaded[0]} could not be loaded: {shown(one.not_loaded[1])}")
    for each in _different(one):
        named = "the plan names it" if each["named"] else "NOT named by the plan"
        voice.say(f"  {shown(each['what'], 80)} differs in {each['records']}: {named}")


def _why(came: Certificate) -> str:
    unnamed = sum(len(one.unnamed) for one in came.crms)
    left = sum(one.not_loaded[0] for one in came.crms)
    told = [f"{unnamed} difference(s) that it had not named"] if unnamed else []
    told += [f"{left} record(s) that could not be loaded"] if left else []
    return " and ".join(told) or "not every record was as before"
