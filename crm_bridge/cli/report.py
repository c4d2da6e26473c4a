"""`crm-bridge report`: a run or a saved plan as a page, as a workbook, or as both."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm_bridge.cli import files
from crm_bridge.cli.act import RUN
from crm_bridge.cli.options import Word, pass_voice, verb
from crm_bridge.cli.voice import Voice

if TYPE_CHECKING:
    from crm_bridge.bridge import Bridge
    from crm_bridge.report.matter import Matter


@verb("report")
@click.argument("what", metavar="RUN | PLAN")
@click.option("--html", metavar="FILE", help="A page for people: it needs no network, and prints.")
@click.option(
    "--excel", metavar="FILE", help="A workbook: records, children, links, fields, outcomes."
)
@click.option(
    "--lang",
    type=Word(("en", "zh")),
    default="en",
    metavar="en|zh",
    help="The language that the page opens in (en); it holds both.",
)
@pass_voice
def report(voice: Voice, what: str, html: str | None, excel: str | None, lang: str) -> int:
    """A page or a workbook of a run or a saved plan."""
    if not html and not excel:
        raise click.UsageError("name a file: --html FILE, --excel FILE, or both.")
    for path in (html, excel):
        if path:
            files.fits(path)
    if excel and Path(excel).suffix.lower() != ".xlsx":
        raise click.UsageError("a workbook's name ends with .xlsx.")
    from crm_bridge.cli import show

    with voice.bridge() as bridge:
        matter = _matter(bridge, what)
        with show.looking(voice, "writing the report"):
            if html:
                _page(html, matter, lang)
            if excel:
                _workbook(excel, matter)
    for kind, path in (("html", html), ("excel", excel)):
        if path:
            if voice.json:
                voice.line(
                    {
                        "type": "report",
                        "format": kind,
                        "file": path,
                        "of": what,
                        "records": matter.plan.counts.records,
                    }
                )
            voice.say(f"{what}: written to {path}")
    for note in matter.notes:
        voice.aside(note)
    return 0


def _matter(bridge: Bridge, what: str) -> Matter:
    from crm_bridge.cli import gather

    if RUN.fullmatch(what) and not Path(what).exists():
        return gather.of_run(bridge, what)
    return gather.of_plan(bridge, bridge.load_plan(what))


def _page(path: str, matter: Matter, lang: str) -> None:
    from crm_bridge.report.page import page

    with files.writing(path) as file:
        for piece in page(matter, lang):
            file.write(piece)


def _workbook(path: str, matter: Matter) -> None:
    from crm_bridge.report.workbook import write_workbook

    # In a folder of its own beside the place where it will lie: whole or not at all, for its owner.
    with tempfile.TemporaryDirectory(prefix=".crm-bridge.", dir=Path(path).parent) as folder:
        draft = Path(folder) / "report.xlsx"
        write_workbook(draft, matter)
        draft.chmod(0o600)
        files.fits(path)
        os.replace(draft, path)
