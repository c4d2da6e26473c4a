"""Commands, and the options that several of them share."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from crm_bridge.cli.voice import Voice

F = TypeVar("F", bound=Callable[..., Any])

OPERATIONS: Final = ("void", "archive", "delete", "purge", "restore")
CODES: Final = ("left", "wrong", "duplicate", "moved", "closed", "stale", "request", "other")
"""Why a record goes, in one word."""


def near(word: str, words: Sequence[str]) -> str:
    """`Did you mean 'x'?` with a blank before it, where one of the words is like it; else empty."""
    found = difflib.get_close_matches(word, list(words), 1, 0.5)
    return f" Did you mean {found[0]!r}?" if found else ""


class Word(click.Choice[str]):
    """One of a few words; a wrong one is told the nearest right one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take the word, or refuse it."""
        if value in self.choices:
            return value
        return self.fail(
            f"{value!r} is none of {', '.join(map(str, self.choices))}."
            + near(str(value), [str(c) for c in self.choices]),
            param,
            ctx,
        )


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        voice = ctx.find_object(Voice)
        if value and voice is not None:
            setattr(voice, name, value)
        return value

    return callback


def common() -> list[click.Parameter]:
    """The three options that stand before or after any subcommand."""
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            expose_value=False,
            callback=_set("config"),
            help="Settings (./crm_bridge.toml, then the user's config folder).",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_set("json"),
            is_eager=True,
            help="One JSON object a line on stdout; words on stderr.",
        ),
        click.Option(
            ["--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_set("quiet"),
            help="No progress and no words.",
        ),
    ]


class Verb(click.Command):
    """A command that takes the three common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common()


def verb(name: str, **kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command."""
    return click.command(name, cls=Verb, **kwargs)


def pass_voice(function: F) -> F:
    """Hand the voice to a command as its first argument."""
    return click.make_pass_decorator(Voice, ensure=True)(function)  # type: ignore[return-value]


def together(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several decorators as one, in the order that they are read."""

    def all_of(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return all_of


where = together(
    click.option(
        "--where",
        multiple=True,
        metavar="COND",
        help='"FIELD OP VALUE"; all conditions hold together.',
    ),
    click.option("--native", metavar="QUERY", help="A query in the vendor's own language."),
)

planning = together(
    click.argument("targets", nargs=-1, metavar="[TARGET]..."),
    where,
    click.option(
        "--from",
        "source",
        metavar="FILE",
        help="Ids from a CSV, JSON lines or Excel file; TARGET is then a kind.",
    ),
    click.option("--reason", default="", metavar="TEXT", help="Why, in words."),
    click.option(
        "--code", type=Word(CODES), metavar="CODE", help=f"Why, in one word: {', '.join(CODES)}."
    ),
    click.option(
        "--limit-records",
        type=click.IntRange(min=0),
        metavar="N",
        help="Most records a plan may take (1000).",
    ),
    click.option(
        "--limit-share",
        type=click.FloatRange(0, 1),
        metavar="X",
        help="Largest share of a kind's live records (0.5).",
    ),
)

along = click.option(
    "--with-children",
    multiple=True,
    metavar="KIND,...",
    help="Take related records of these kinds along, in an order that blocks nothing.",
)

undoing = click.option(
    "--undo-on-failure",
    is_flag=True,
    help="Where not everything that was sent is done, bring back what was.",
)

restoring = together(
    click.option(
        "--remake", is_flag=True, help="Make anew, under a new id, what nothing else brings back."
    ),
    click.option(
        "--on-conflict",
        type=Word(("skip", "null", "create", "overwrite")),
        default=None,
        metavar="skip|null|create|overwrite",
        help="What to do with what stands in the way (skip).",
    ),
    click.option("--only", multiple=True, metavar="REF", help="Of a run, only these records."),
)

applying = together(
    click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal."),
    click.option(
        "--confirm",
        metavar="TEXT",
        help="The text that the plan prints where nothing brings the records back.",
    ),
)

out = click.option("--out", metavar="FILE", help="Write CSV or JSON lines, by the file's ending.")
