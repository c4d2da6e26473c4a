"""`crm-bridge demo`: every installed vendor on loopback, there and back, with a proof at the end.

One story for all of them, told by each vendor's table: what the table says of a way back decides
whether the bridge brings a record back, a person does (played through the simulator's page), or it
is made anew. Nothing here knows a vendor by name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from crm_bridge.cli import telling
from crm_bridge.cli.options import pass_voice, verb
from crm_bridge.cli.telling import Story
from crm_bridge.cli.truth import Key, Proof, Truth, changed, compare
from crm_bridge.cli.voice import Voice, shown
from crm_bridge.errors import BridgeError

if TYPE_CHECKING:
    from crm_bridge.bridge import Bridge
    from crm_bridge.model.abilities import Profile
    from crm_bridge.model.plans import Plan
    from crm_bridge.model.records import Record
    from crm_bridge.model.results import Receipt

ACTS: Final = (
    ("void", "lead", "entered twice at the fair", "wrong"),
    ("archive", "contact", "no longer at their company", "moved"),
    ("delete", "company", "left the market", "left"),
)
"""Operation, on which of the four common words, why, and in one word."""

ORDER: Final = ("lead", "contact", "company", "deal")


APART: Final = 5
"""The demo looks at so many records for each one that it takes."""


class NotProven(BridgeError):
    """The demo did not come out as its plans said."""

    code = "not_proven"
    exit_code = 3


@verb("demo")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    metavar="N",
    help="Same seed, same records (7).",
)
@click.option(
    "--records",
    type=click.IntRange(min=20),
    default=60,
    metavar="N",
    help="Companies, and leads, of each vendor (60).",
)
@click.option(
    "--take",
    type=click.IntRange(min=1),
    default=6,
    metavar="N",
    help="Records that each operation takes (6).",
)
@pass_voice
def demo(voice: Voice, seed: int, records: int, take: int) -> int:
    """Every installed vendor on loopback, there and back, with a proof."""
    from crm_bridge import bridge, registry
    from crm_bridge.simulator import serving, write_config

    vendors = registry.simulators()
    if not vendors:
        raise NotProven("no vendor with a simulator is installed.")
    proofs: list[tuple[Story, Proof]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_own_folder()))
        pairs = []
        for vendor in vendors:
            # Rates and quotas would only make it slow to watch.
            simulator = vendor(seed=seed, records=records, limits=False)
            pairs.append((simulator, stack.enter_context(serving(simulator))))
        settings = folder / "crm_bridge.toml"
        write_config(settings, pairs)
        telling.welcome(voice, [v.vendor for v in vendors], records, folder)
        with bridge.Bridge.open(settings) as opened:
            for simulator, url in pairs:
                crm = simulator.accounts[0].crm
                profile = registry.adapter_class(simulator.vendor).profile
                story = Story(crm, profile, Truth(url, crm))
                proofs.append((story, _tell(voice, opened, story, take)))
    telling.summary(voice, proofs)
    wrong = [text for story, _ in proofs for text in story.wrong]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise NotProven(f"the demo did not come out as planned: {wrong[0]}{more}.")
    return 0


@contextmanager
def _own_folder() -> Iterator[str]:
    """A folder for settings, journal, locks and tokens; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="crm-bridge-demo.") as folder:
        names = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        before = {name: os.environ.get(name) for name in names}
        os.environ.update(dict.fromkeys(names, folder))
        try:
            yield folder
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _tell(voice: Voice, bridge: Bridge, story: Story, take: int) -> Proof:
    """One vendor from its first look to its proof."""
    telling.heading(voice, f"{story.profile.title}  ({story.crm})")
    start = story.truth.records()
    voice.say(f"{len(start)} records are there, as the simulator itself says.")
    runs = []
    for operation, word, reason, code in ACTS:
        receipt = _take_away(voice, bridge, story, take, operation, word, reason, code)
        if receipt is not None:
            runs.append(receipt)
    for receipt in reversed(runs):
        _bring_back(voice, bridge, story, receipt)
    _remember_ids(bridge, story, start)
    proof = compare(start, story.truth.records(), story.ids, story.named)
    telling.prove(voice, story, proof)
    if rest := [each for each in proof.different if not each.named]:
        story.wrong.append(f"{story.crm}: {len(rest)} difference(s) that no plan named")
    return proof


# --- there ---------------------------------------------------------------------------------------


def _take_away(
    voice: Voice,
    bridge: Bridge,
    story: Story,
    take: int,
    operation: str,
    word: str,
    reason: str,
    code: str,
) -> Receipt | None:
    """Find some records, plan, apply, and look at the truth."""
    for kind in _kinds(story.profile, operation, word):
        before = story.truth.records()
        found = _chosen(bridge.find(f"{story.crm}:{kind}", limit=take * APART), before, take)
        if not found:
            continue
        plan = bridge.plan(operation, found, reason=reason, code=code, limit_share=1.0)
        if plan.steps:
            break
    else:
        voice.say(f"\n{operation}: {_why_not(story.profile, operation)}")
        return None
    target = f"{story.crm}:{kind}/..."
    voice.say(f'\n$ crm-bridge {operation} {target} --reason "{reason}" --code {code}')
    telling.some(voice, found)
    if free := _unblocked(voice, plan, found):
        plan = bridge.plan(operation, free, reason=reason, code=code, limit_share=1.0)
    telling.plan(voice, plan, story.notes)
    if plan.confirm:
        voice.say(f"typed, since nothing brings these back: {plan.confirm}")
    receipt = bridge.apply(plan, confirm=plan.confirm)
    telling.receipt(voice, receipt)
    _check(voice, story, plan, receipt, changed(before, story.truth.records()))
    for touch in plan.touches:
        rule, why = touch.rule, f"the plan of {operation} named it"
        if rule.effect.value in ("follows", "may_follow") and rule.comes_back is not True:
            story.named.kinds[rule.child] = why
        if rule.comes_back is not True and rule.via:
            story.named.fields[rule.child, rule.via] = why
    return receipt


def _chosen(found: Iterable[Record], truth: Mapping[Key, Any], take: int) -> list[Record]:
    """Records from here and there, since neighbours are alike.

    What was put away before the story began is no part of it: records that such ones still point to
    are left alone, for a plan tells of living records only.
    """
    away = {
        (link["kind"], link["id"])
        for record in truth.values()
        if record["state"] != "live"
        for link in record["links"]
    }
    free = [record for record in found if (record.ref.kind, record.ref.id) not in away]
    return free[:: max(1, len(free) // take)][:take]


def _unblocked(voice: Voice, plan: Plan, found: Sequence[Record]) -> list[Record]:
    """The records without those that the vendor would refuse; empty where there are none such."""
    from crm_bridge.engine.impact import pairs
    from crm_bridge.model.abilities import Effect

    blocked: dict[str, str] = {}
    for touch in plan.touches:
        if touch.rule.effect in (Effect.BLOCKS, Effect.MAY_BLOCK):
            blocked.update({parent: touch.rule.child for parent, _ in pairs(touch)})
    free = [record for record in found if record.ref.id not in blocked]
    if not blocked or not free:
        return []
    voice.say(
        f"a first plan said that {', '.join(sorted(set(blocked.values())))} would block "
        f"{len(blocked)} of these, so it is made again without them:"
    )
    return free


def _kinds(profile: Profile, operation: str, word: str) -> list[str]:
    """The vendor's kinds, the one the story wants first, that the table has a way for."""
    from crm_bridge.model.abilities import Operation

    words = [word, *(w for w in ORDER if w != word)]
    kinds = [profile.aliases[w] for w in words if w in profile.aliases]
    return [k for k in kinds if any(r.doable for r in profile.rows(Operation(operation), k))]


def _why_not(profile: Profile, operation: str) -> str:
    notes = [r.note for r in profile.capabilities if r.operation.value == operation and r.note]
    return f"{profile.title} has no way. {notes[0] if notes else ''}".strip()


def _check(voice: Voice, story: Story, plan: Plan, receipt: Receipt, moved: set[Key]) -> None:
    """Hold what the receipt says against what the simulator says."""
    from crm_bridge.model.results import Verdict

    done = {(o.ref.kind, o.ref.id) for o in receipt.outcomes if o.verdict is Verdict.DONE}
    children = {touch.rule.child for touch in plan.touches}
    along = {key for key in moved - done if key[0] in children}
    strays = moved - done - along
    voice.say(
        f"the simulator's own truth: {len(moved & done)} of {len(done)} are where the receipt says"
        + (f", {len(along)} went along or lost a link, as the plan said" if along else "")
        + f", {len(strays)} other record(s) touched"
    )
    what = f"{story.crm}: {receipt.operation.value}"
    if not done:
        story.wrong.append(f"{what}: nothing was done")
    if done - moved:
        story.wrong.append(f"{what}: {len(done - moved)} record(s) said to be done are as before")
    if strays:
        story.wrong.append(f"{what}: {len(strays)} record(s) were touched that no plan named")
    _count(story, receipt)


# --- and back ------------------------------------------------------------------------------------


def _bring_back(voice: Voice, bridge: Bridge, story: Story, taken: Receipt) -> None:
    """Restore a run by the best way that its own outcomes name."""
    from crm_bridge.model.abilities import Undo

    remake = any(o.undo is Undo.NEW_ID for o in taken.outcomes)
    option = " --remake" if remake else ""
    voice.say(f"\n$ crm-bridge restore {taken.run}{option}     # what {taken.operation.value} took")
    plan = bridge.plan("restore", taken, remake=remake)
    telling.plan(voice, plan, story.notes)
    receipt = bridge.apply(plan, confirm=plan.confirm)
    telling.receipt(voice, receipt)
    receipt = _person(voice, bridge, story, receipt)
    for came in receipt.outcomes:
        if came.new_ref is not None:
            key = (came.ref.kind, came.ref.id)
            story.ids[key] = (came.new_ref.kind, came.new_ref.id)
            reasons = came.details.get("not_set") or {}
            story.named.remade.setdefault(key, {}).update(
                reasons if isinstance(reasons, dict) else dict.fromkeys(reasons, "cannot be set")
            )
    _count(story, receipt)


def _person(voice: Voice, bridge: Bridge, story: Story, receipt: Receipt) -> Receipt:
    """Play the person that some vendors want, then let the bridge see it."""
    from crm_bridge.model.results import Verdict

    waiting: dict[str, list[str]] = {}
    link = None
    for came in receipt.outcomes:
        if came.verdict is Verdict.BY_HAND:
            waiting.setdefault(came.ref.kind, []).append(came.ref.id)
            link = link or came.link
    if not waiting:
        return receipt
    count = sum(map(len, waiting.values()))
    voice.say(
        f"\n{story.profile.title} lets only a person bring {count} of these back"
        + (f", at {shown(link)}" if link else "")
        + ".\nHere the demo plays that person, and then:"
    )
    for kind, ids in waiting.items():
        story.truth.person("restore", kind, ids)
    voice.say(f"\n$ crm-bridge verify {receipt.run}")
    receipt = bridge.verify(receipt.run)
    telling.receipt(voice, receipt)
    return receipt


def _remember_ids(bridge: Bridge, story: Story, start: dict[Key, Any]) -> None:
    """The journal's map of ids also has the children that were made anew with their parents.

    What the vendor's profile says of such a way back is named of them as well.
    """
    from crm_bridge.model.abilities import Support

    if not story.ids:
        return
    org = bridge.accounts.connected(story.crm).account.org
    kinds: dict[str, list[str]] = {}
    for kind, id_ in start:
        kinds.setdefault(kind, []).append(id_)
    for kind, ids in kinds.items():
        lost = {
            name: loss.why
            for loss in story.profile.losses
            if loss.kind == kind and loss.support in (None, Support.REMADE)
            for name in loss.what.split(", ")
        }
        for old, new in bridge.history.journal.remade(org, kind, ids).items():
            if (kind, old) not in story.ids:
                story.ids[kind, old] = (new.kind, new.id)
                story.named.remade.setdefault((kind, old), {}).update(lost)


def _count(story: Story, receipt: Receipt) -> None:
    told = story.told.setdefault(receipt.operation.value, {})
    for verdict, count in receipt.counts.items():
        told[verdict.value] = told.get(verdict.value, 0) + count
