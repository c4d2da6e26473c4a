"""Commands that tell facts: what each vendor can do, and which are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from crm_bridge.cli import lines, options
from crm_bridge.cli.options import Word, pass_voice, verb
from crm_bridge.cli.voice import Voice, shown

if TYPE_CHECKING:
    from crm_bridge.bridge import Explanation, MatrixRow
    from crm_bridge.model.abilities import Capability, CascadeRule

BLOCKS: Final = "what blocks"


@verb("matrix")
@click.argument("vendor", required=False)
@click.option("--markdown", is_flag=True, help="As tables for a page.")
@pass_voice
def matrix(voice: Voice, vendor: str | None, markdown: bool) -> int:
    """What each vendor can do."""
    from crm_bridge.bridge import Bridge

    rows = Bridge.matrix_of(vendor)
    if voice.json:
        for row in rows:
            voice.line(lines.capability(row))
    elif markdown:
        from crm_bridge.cli import markdown as page

        voice.out(page.matrix(rows))
        voice.out("")
        voice.out(page.windows(rows))
    else:
        _tables(voice, rows, vendor is not None)
    return 0


def _tables(voice: Voice, rows: list[MatrixRow], whole: bool) -> None:
    from crm_bridge.cli import markdown as page
    from crm_bridge.cli import show

    columns, body = page.cells(rows)
    show.table(voice, columns, body)
    if whole:
        show.table(
            voice,
            ("operation", "kind", "how", "records a call", "way back", "source", "note"),
            (
                (
                    row.operation.value,
                    each.kind,
                    row.support.value,
                    row.batch,
                    show.way(row),
                    row.source,
                    row.note,
                )
                for each in rows
                for row in (each.capability,)
            ),
        )
    else:
        voice.say("one vendor's table, with sources: crm-bridge matrix VENDOR")


@verb("explain")
@click.argument("vendor")
@click.argument("kind")
@click.argument("operation", type=Word(options.OPERATIONS))
@pass_voice
def explain(voice: Voice, vendor: str, kind: str, operation: str) -> int:
    """All that is known of one operation on one kind."""
    with voice.bridge() as bridge:
        told = bridge.explain(vendor, kind, operation)
    if voice.json:
        from crm_bridge.bridge import MatrixRow

        for row in (*told.rows, *told.way_back):
            voice.line(lines.capability(MatrixRow(told.vendor, told.vendor, told.kind, row)))
        for rule in told.cascades:
            voice.line(lines.cascade(told.vendor, rule))
        return 0
    _explanation(voice, told)
    return 0


def _explanation(voice: Voice, told: Explanation) -> None:
    voice.say(f"{told.operation.value} of {shown(told.kind)} in {told.vendor}")
    voice.say("\nwhat happens")
    for row in told.rows:
        voice.say(_row(row))
    refused = tuple(dict.fromkeys(what for row in told.rows for what in row.refuses))
    groups = (
        ("what follows", ("follows", "may_follow")),
        (BLOCKS, ("blocks", "may_block")),
        ("what only loses its link", ("detaches",)),
    )
    for title, effects in groups:
        rules = [r for r in told.cascades if r.effect.value in effects]
        own = refused if title == BLOCKS else ()
        # Of the record itself only the notes above may tell where the table does not.
        none = ": no related record that is known" if title == BLOCKS else ": nothing that is known"
        voice.say(f"\n{title}" + ("" if rules or own else none))
        for what in own:
            voice.say(f"  the record itself: {shown(what, 1000)}")
        for rule in rules:
            voice.say(_rule(rule))
    voice.say("\nthe way back" + ("" if told.way_back else ": none"))
    for row in told.way_back:
        voice.say(_row(row))


def _row(row: Capability) -> str:
    from crm_bridge.cli.show import way

    takes = "/".join(s.value for s in row.takes) or "any"
    gives = row.gives.value if row.gives else "-"
    parts = [f"  {row.support.value.replace('_', ' ')}: {takes} -> {gives}"]
    if row.doable:
        parts.append(f"{row.batch} a call" if row.batch > 1 else "one a call")
        if row.at_least > 1:
            parts.append(f"from {row.at_least} records on")
    if row.means:
        parts.append(row.means)
    text = ", ".join(parts)
    if row.doable and row.operation.value != "restore":
        text += f"\n    way back: {way(row)}"
    if row.needs:
        text += f"\n    needs: {', '.join(row.needs)}"
    if row.note:
        text += f"\n    {shown(row.note, 1000)}"
    return text + _source(row.source, row.checked.isoformat() if row.checked else "")


def _rule(rule: CascadeRule) -> str:
    may = " (may; the vendor does not say)" if rule.effect.value.startswith("may_") else ""
    text = f"  {rule.child} by {shown(rule.via)}{may}"
    if rule.effect.value in ("follows", "may_follow"):
        text += {
            True: ": comes back with it",
            False: ": does not come back",
            None: ": nobody says whether it comes back",
        }[rule.comes_back]
    if rule.note:
        text += f"\n    {shown(rule.note, 1000)}"
    return text + _source(rule.source, "")


def _source(source: str, checked: str) -> str:
    if not source:
        return ""
    return f"\n    source: {shown(source, 500)}" + (f" (read {checked})" if checked else "")


@verb("plugins")
@pass_voice
def plugins(voice: Voice) -> int:
    """The installed vendors."""
    from crm_bridge import registry

    found = registry.plugins()
    if voice.json:
        for each in found:
            voice.line(lines.plugin(each))
        return 0
    from crm_bridge.cli import show

    show.table(
        voice, ("vendor", "package", "version"), ((p.vendor, p.name, p.version) for p in found)
    )
    return 0
