"""How the demo is told: plans, receipts and proofs as they come, and a table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_bridge.cli import lines
from crm_bridge.cli.truth import Key, Named, Proof, Truth
from crm_bridge.cli.voice import Voice, shown

if TYPE_CHECKING:
    from crm_bridge.model.abilities import Profile
    from crm_bridge.model.plans import Plan
    from crm_bridge.model.records import Record
    from crm_bridge.model.results import Receipt


@dataclass(slots=True)
class Story:
    """One vendor's part.

    Attributes:
        crm: The account's name.
        profile: What is true of the vendor.
        truth: Its simulator's own word.
        named: What the plans said would differ.
        ids: Old records to those made in their place.
        told: Counts for the summary, by operation.
        notes: Notes of plans that were shown already.
        wrong: What did not go as the plans said.
    """

    crm: str
    profile: Profile
    truth: Truth
    named: Named = field(default_factory=Named)
    ids: dict[Key, Key] = field(default_factory=dict)
    told: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def welcome(voice: Voice, vendors: Sequence[str], records: int, folder: Path) -> None:
    """Say what is there, and that nothing leaves the machine."""
    voice.say(
        f"{len(vendors)} CRM(s) on loopback: {', '.join(vendors)}. Each has {records} invented "
        f"companies and {records} leads, with contacts,\ndeals and activities. Nothing leaves "
        f"this machine; settings and journal are in {folder}, until the end."
    )


def heading(voice: Voice, text: str) -> None:
    """Begin a part."""

    def make() -> Any:
        from rich.rule import Rule

        return Rule(text, align="left", style="bold")

    voice.say("")
    voice.table(make)


def some(voice: Voice, found: Sequence[Record]) -> None:
    """Show two of the records, and how many more there are."""
    from crm_bridge.cli.look import brief

    for record in found[:2]:
        voice.say(f"  {brief(record)[:160]}")
    if len(found) > 2:
        voice.say(f"  and {len(found) - 2} more")


def plan(voice: Voice, made: Plan, told: set[str]) -> None:
    """Show a plan; notes that were told are left out."""
    from crm_bridge.cli import tree

    if voice.json:
        voice.line(lines.plan(made), flush=True)
    else:
        tree.plan(voice, made, told=told)


def receipt(voice: Voice, came: Receipt) -> None:
    """Show what a run came to."""
    from crm_bridge.cli import show

    if not voice.json:
        show.receipt(voice, came)
        return
    for each in came.outcomes:
        voice.line(lines.outcome(came.run, each))
    voice.line(lines.receipt(came), flush=True)


def prove(voice: Voice, story: Story, proof: Proof) -> None:
    """Show a proof."""
    different = [
        {
            "ref": f"{story.crm}:{d.kind}/{d.id}",
            "what": d.what,
            "was": d.was,
            "is": d.now,
            "named": d.named or None,
        }
        for d in proof.different
    ]
    if voice.json:
        voice.line(lines.proof(story.crm, proof.records, proof.equal, different), flush=True)
    named = [d for d in proof.different if d.named]
    rest = [d for d in proof.different if not d.named]
    voice.say(
        f"\nproof: {proof.records} records read from the simulator's own truth and compared field "
        f"by field:\n{proof.equal} equal, {len(named)} difference(s) that the plans had named, "
        f"{len(rest)} that nobody named"
        + (f"; {len(story.ids)} record(s) live on under a new id" if story.ids else "")
    )
    for each in (rest or named)[:5]:
        voice.say(
            f"  {each.kind}/{each.id} {shown(each.what, 60)}: was {_value(each.was)}, is "
            f"{_value(each.now)}" + (f" ({shown(each.named, 100)})" if each.named else "")
        )


def _value(value: Any) -> str:
    return "nothing" if value is None else f"{shown(value, 60)!r}"


def summary(voice: Voice, proofs: Sequence[tuple[Story, Proof]]) -> None:
    """Show all vendors side by side."""
    from crm_bridge.cli import show

    heading(voice, "there and back again")
    show.table(
        voice,
        ("vendor", "void", "archive", "delete", "restore", "records", "equal", "proof"),
        (
            (
                story.profile.title,
                *(
                    show.counts(story.told[o]) if o in story.told else "not offered"
                    for o in ("void", "archive", "delete", "restore")
                ),
                proof.records,
                proof.equal,
                "holds" if proof.holds and not story.wrong else "FAILS",
            )
            for story, proof in proofs
        ),
    )
    voice.say("next: crm-bridge simulator --write-config crm_bridge.toml, and try it by hand")
