"""How the command line speaks: JSON lines on stdout, words for a person, nothing raw of a record.

What a record holds was written by strangers. On its way to a terminal every sign that could move
the cursor, hide text or turn its direction is shown as its code, and what is very long is cut.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from crm_bridge.bridge import Bridge
    from crm_bridge.cli.ending import Signals

LIMIT: Final = 200
"""Characters of one value that a person is shown."""

_ODD: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ASIDE: Final = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_TOKEN: Final = secrets.token_hex(16)
_NUMBER: Final = re.compile(f'"{_TOKEN}:([^"]*)"')


def _code(sign: str) -> str:
    number = ord(sign)
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(sign) or (
        f"\\x{number:02x}"
        if number < 0x100
        else f"\\u{number:04x}"
        if number < 0x10000
        else f"\\U{number:08x}"
    )


def shown(value: object, limit: int = LIMIT) -> str:
    """A value as a terminal may show it: one line, no sign with an effect, at most `limit` long."""
    text = value if isinstance(value, str) else _plain(value)
    cut = len(text) > limit
    head = text[: limit - 1] if cut else text
    if not head.isascii() or not head.isprintable():
        head = "".join(_code(c) if unicodedata.category(c) in _ODD else c for c in head)
    return head + "…" if cut else head


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list, tuple)):
        return json_text(value)
    return str(value)


def moment(value: datetime | None) -> str | None:
    """A moment as ISO 8601 in UTC, with `Z`."""
    if value is None:
        return None
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat() + "Z"


def _other(value: Any) -> Any:
    if isinstance(value, Decimal):
        # Every digit stays; no float on the way. The token is new in each process, so that no value
        # of a record can pass for a number.
        return f"{_TOKEN}:{value}"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def json_text(value: Any) -> str:
    """One line of JSON: numbers with every digit, signs that act on a terminal escaped."""
    text = json.dumps(value, default=_other, ensure_ascii=False, separators=(",", ":"))
    text = _NUMBER.sub(r"\1", text)
    return _ASIDE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


class Closed(Exception):
    """Nobody reads stdout any more; raised only where nothing but printing is left to do."""


class Voice:
    """What a command is asked to be: which settings, how it speaks, and to whom.

    Attributes:
        config: The settings file by name; None for the usual places.
        json: Whether stdout carries JSON lines.
        quiet: Whether words and progress are left out.
        broken: Why stdout takes nothing more; None while it does.
        signals: What SIGINT and SIGTERM do; None outside `main`.
    """

    def __init__(self) -> None:
        self.config: str | None = None
        self.json = False
        self.quiet = False
        self.broken: OSError | None = None
        self.signals: Signals | None = None

    # --- stdout --------------------------------------------------------------------------------

    def line(self, value: Mapping[str, Any], *, flush: bool = False) -> None:
        """Print one JSON line on stdout."""
        self.out(json_text(value), flush=flush)

    def out(self, text: str, *, flush: bool = False) -> None:
        """Print a line of a result on stdout. Never raises: effects do not depend on printing."""
        if self.broken is not None or sys.stdout is None:
            return
        try:
            raw = getattr(sys.stdout, "buffer", None)
            if raw is None:
                sys.stdout.write(text + "\n")
            else:
                sys.stdout.flush()
                raw.write(text.encode("utf-8", "backslashreplace") + b"\n")
            if flush:
                sys.stdout.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def flush(self) -> None:
        """Hand on what is buffered for stdout. Never raises."""
        if self.broken is not None or sys.stdout is None:
            return
        try:
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.broken = error if isinstance(error, OSError) else OSError(str(error))
        # The interpreter flushes stdout once more at its end, which would be one more error.
        try:
            void = os.open(os.devnull, os.O_WRONLY)
            os.dup2(void, sys.stdout.fileno())
            os.close(void)
        except (OSError, ValueError, AttributeError):
            pass

    def still_read(self) -> None:
        """Raise `Closed` where stdout takes nothing more: for loops that only print."""
        if self.broken is not None:
            raise Closed

    # --- words ---------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Words for a person: on stdout, or on stderr beside JSON lines; left out when quiet."""
        if self.quiet:
            return
        if self.json:
            self.aside(text)
        else:
            self.out(text)

    def aside(self, text: str) -> None:
        """Words on stderr, whatever the mode. Never raises."""
        try:
            if sys.stderr is not None:
                encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
                sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
                sys.stderr.flush()
        except (OSError, ValueError):
            pass

    def table(self, make: Callable[[], Any]) -> None:
        """Print what rich draws, where words would go; `make` runs only if somebody looks."""
        if self.quiet:
            return
        from io import StringIO

        stream = sys.stderr if self.json else sys.stdout
        tty = is_terminal(stream)
        from rich.console import Console

        made = StringIO()
        # Drawn into memory first: printing is then one write that cannot break off half-way.
        console = Console(
            file=made,
            force_terminal=tty,
            width=None if tty else 120,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        console.print(make())
        text = made.getvalue().rstrip("\n")
        if self.json:
            self.aside(text)
        else:
            self.out(text)

    # --- the bridge ----------------------------------------------------------------------------

    def bridge(self, *observers: Any) -> Bridge:
        """Open the bridge with these settings."""
        from crm_bridge import bridge

        return bridge.Bridge.open(self.config, observers=observers)


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person sits at the other end."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
