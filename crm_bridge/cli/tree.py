"""How a plan looks to a person: its steps, below each what hangs on it, and what would be lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from crm_bridge.cli.show import BACK, COLOURS, EFFECTS, way
from crm_bridge.cli.voice import Voice, shown
from crm_bridge.engine.plan import touch_findings
from crm_bridge.report.losses import SET, Together, together
from crm_bridge.report.picture import ALONG, branches

if TYPE_CHECKING:
    from rich.text import Text

    from crm_bridge.model.plans import Finding, Loss, Plan, Sum, Touch

COMES_BACK: Final = {
    True: "; come back with it",
    False: "; do not come back",
    None: "; nobody says whether they come back",
}
NAMED: Final = 8
"""Losses of one kind that are told one by one."""


def plan(voice: Voice, made: Plan, *, told: set[str] | None = None) -> None:
    """Print what a plan would do: steps, what goes along, what would be lost, what to know.

    Args:
        voice: Where to.
        made: The plan.
        told: Notes that were printed before and are left out now; grows by those that are printed.
    """

    def make() -> Any:
        from rich.text import Text
        from rich.tree import Tree

        root = Tree(_head(made), guide_style="dim")
        _steps(root, made)
        if made.counts.settled:
            settled = made.counts.settled
            root.add(Text(f"{settled} settled already: nothing is sent for them", "dim"))
        if made.operation.value != "restore":
            _losses(root, made.losses)
        # Drawn above, each with its number.
        drawn = {
            one.summary for one in touch_findings(made.touches) if one.severity.value == "note"
        }
        for found in made.findings:
            if found.summary in drawn:
                continue
            if told is not None and found.severity.value == "note":
                if found.summary in told:
                    continue
                told.add(found.summary)
            root.add(_finding(found))
        root.add(Text(f"about {made.counts.calls} call(s) to the vendor; plan {made.id}", "dim"))
        return root

    voice.table(make)
    if made.confirm and not made.blocked:
        voice.say(f'nothing brings these back; it is asked for by name: --confirm "{made.confirm}"')


def _head(made: Plan) -> Text:
    from rich.text import Text

    head = Text()
    head.append(f"{made.operation.value} {made.counts.records} record(s)", "bold")
    for crm, target in made.targets.items():
        head.append(f"  {crm}: org {shown(target.org, 64)}, ", "dim")
        risky = target.environment == "production"
        head.append(target.environment, "bold red" if risky else "dim")
    if made.reason or made.code:
        why = shown(made.reason) or "no reason in words"
        head.append(f"\nbecause: {why} ({made.code or 'no code'})", "dim")
    _sums(head, made.sums)
    return head


def _sums(line: Text, sums: Iterable[Sum]) -> None:
    """What records are worth, currency by currency, each with the number of its records."""
    for one in sums:
        parts = [f"{one.count} {shown(one.name, 60)}"]
        if one.amount is not None:
            parts = [f"{one.amount:,}", shown(one.currency, 8), "in", *parts]
        line.append("\n" + " ".join(filter(None, parts)), "bold")


def _steps(root: Any, made: Plan) -> None:
    from rich.text import Text

    told: set[int] = set()
    for number, step in enumerate(made.steps, 1):
        row = step.capability
        each = f"{row.batch} a call" if row.batch > 1 else "one a call"
        what = f"{row.operation.value} {len(step.targets)} {step.kind} in {step.crm}"
        line = Text(f"{number}. {what}")
        line.append(f"  {row.support.value.replace('_', ' ')}, {each}", "dim")
        if row.means:
            line.append(f", {row.means}", "dim")
        # Where another step follows on the same records, that one decides.
        last = not any(other.after == number - 1 for other in made.steps)
        if row.operation.value != "restore" and last:
            line.append(f"\n   {way(row, made.made_at)}", "dim")
        branch = root.add(line)
        for at in branches(made.touches, step.crm, step.kind, 0):
            _touch(branch, made.touches, at, told)
    for at in range(len(made.touches)):
        _touch(root, made.touches, at, told)


def _touch(branch: Any, touches: Sequence[Touch], at: int, told: set[int]) -> None:
    """A relation, and below it what hangs on its records in turn."""
    if at in told:
        return
    told.add(at)
    touch = touches[at]
    twig = branch.add(touch_line(at + 1, touch))
    if touch.rule.effect.value in ALONG:
        for other in branches(touches, touch.crm, touch.rule.child, touch.depth):
            _touch(twig, touches, other, told)


def touch_line(number: int, touch: Touch) -> Text:
    """One relation: its number, how many, what becomes of them, what they are worth."""
    from rich.text import Text

    rule = touch.rule
    line = Text()
    line.append(f"[{number}] ", "dim")
    line.append(f"{'not counted:' if touch.count is None else touch.count} {rule.child} ")
    line.append(EFFECTS[rule.effect.value], COLOURS[rule.effect.value])
    line.append(f" by {shown(rule.via)}", "dim")
    if rule.effect.value in ALONG:
        line.append(COMES_BACK[rule.comes_back], "dim" if rule.comes_back else "red")
    if touch.count is None and rule.note:
        line.append(f" ({shown(rule.note)})", "dim")
    _sums(line, touch.sums)
    if touch.largest:
        line.append("\nthe largest: ", "dim")
        line.append(
            ", ".join(
                shown(one.title, 60) + ("" if one.amount is None else f" {one.amount:,}")
                for one in touch.largest
            ),
            "dim",
        )
    return line


def _losses(root: Any, losses: Sequence[Loss]) -> None:
    """By which way each kind would come back, and what would differ then."""
    from rich.text import Text

    targets, along = together(losses)
    for one, how in [
        *((t, "brought back") for t in targets),
        *((a, "what goes along") for a in along),
    ]:
        loss, kinds = one.first, ", ".join(f"{each.count} {each.kind}" for each in one.losses)
        days = "" if loss.days is None else f" for {loss.days} days"
        sure = "" if loss.days is None or loss.guaranteed else ", not guaranteed"
        line = Text(f"{how}: {kinds} in {loss.crm}: ")
        line.append(f"{BACK[loss.undo]}{days}{sure}", "red" if loss.undo == "none" else "green")
        if loss.undo == "none":
            root.add(line)
            continue
        if loss.along:
            _along(line, one)
        else:
            _differs(line, "then", one.own)
            if one.later is not None:
                line.append("\nafter that only made anew, and then:")
                _differs(line, "", one.later)
        root.add(line)


def _along(line: Text, one: Together) -> None:
    if one.first.days is not None:
        line.append("; after that " + ("nothing" if one.later is None else "only made anew"))
    for what, why in dict.fromkeys((*one.own, *(one.later or ()))):
        line.append(f"\n  {shown(what, 80)}: {shown(why, 300)}", "yellow")


def _differs(line: Text, when: str, differs: Sequence[tuple[str, str]]) -> None:
    ours = [(what, why) for what, why in differs if why != SET]
    count = len(differs) - len(ours)
    if when:
        line.append(f"\n{when}: " + ("" if differs else "nothing is known that would differ"))
    for what, why in ours[:NAMED]:
        line.append(f"\n  {shown(what, 80)}: {shown(why, 300)}", "yellow")
    if len(ours) > NAMED:
        line.append(f"\n  and {len(ours) - NAMED} more, all in --json and in the report", "yellow")
    if count:
        line.append(f"\n  {count} field(s) that the vendor writes itself", "dim")


def _finding(found: Finding) -> Text:
    from rich.text import Text

    line = Text()
    line.append(found.severity.value, COLOURS[found.severity.value])
    line.append(f" {shown(found.summary, 600)}")
    if found.detail:
        line.append(f"\n{shown(found.detail, 600)}", "dim")
    refs = found.refs[:5]
    if refs:
        more = (found.count or len(found.refs)) - len(refs)
        told = ", ".join(map(str, refs))
        line.append(f"\n{told}{f' and {more} more' if more > 0 else ''}", "dim")
    return line
