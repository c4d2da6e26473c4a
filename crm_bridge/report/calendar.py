"""What cannot be undone after a moment, as a calendar that a person subscribes to (RFC 5545)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Protocol

from crm_bridge.report.matter import whole

OCTETS: Final = 75
"""The longest content line, without its end (RFC 5545, 3.1)."""
_PRODUCT: Final = "-//crm-bridge//expiring//EN"


class Deadline(Protocol):
    """A line of `expiring`: so many records of a run cannot be undone any more after a moment."""

    @property
    def run(self) -> str:
        """The run that took them."""
        ...

    @property
    def crm(self) -> str:
        """The account."""
        ...

    @property
    def kind(self) -> str:
        """Their kind."""
        ...

    @property
    def count(self) -> int:
        """How many."""
        ...

    @property
    def until(self) -> datetime:
        """The last moment."""
        ...

    @property
    def guaranteed(self) -> bool:
        """Whether the vendor promises it."""
        ...


def calendar(deadlines: Iterable[Deadline], now: datetime) -> Iterator[str]:
    """The lines of a calendar, each folded and with its line end.

    An event keeps its UID while its run, crm and kind are the same: a calendar that reads the file
    again moves it and makes no second one.

    Args:
        deadlines: What ends.
        now: When the calendar is made.
    """
    yield from _lines(
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{_PRODUCT}",
        "CALSCALE:GREGORIAN",
        "X-WR-CALNAME:crm-bridge: last days to undo",
    )
    some = False
    for one in deadlines:
        some = True
        yield from _event(one, now)
    if not some:
        # A calendar without any component is none by the RFC; this one changes nothing.
        yield from _lines(
            "BEGIN:VTIMEZONE",
            "TZID:Etc/UTC",
            "BEGIN:STANDARD",
            "DTSTART:19700101T000000",
            "TZOFFSETFROM:+0000",
            "TZOFFSETTO:+0000",
            "TZNAME:UTC",
            "END:STANDARD",
            "END:VTIMEZONE",
        )
    yield from _lines("END:VCALENDAR")


def _event(one: Deadline, now: datetime) -> Iterator[str]:
    what = f"{one.count} {one.kind} in {one.crm}"
    word = (
        "The vendor guarantees this window."
        if one.guaranteed
        else ("The vendor does not guarantee this window: it may close sooner.")
    )
    key = hashlib.sha256(f"{one.run}\0{one.crm}\0{one.kind}".encode()).hexdigest()[:32]
    yield from _lines(
        "BEGIN:VEVENT",
        f"UID:{key}@crm-bridge",
        f"DTSTAMP:{_stamp(now)}",
        f"DTSTART:{_stamp(one.until)}",
        f"SUMMARY:{_text(f'Last moment to undo: {what}')}",
        "DESCRIPTION:"
        + _text(
            f"After this moment {what}, taken by run {one.run}, cannot be brought back as before."
            f"\n{word}\nTo bring them back: crm-bridge restore {one.run}\n"
            f"To look at them: crm-bridge show {one.run}"
        ),
        "TRANSP:TRANSPARENT",
        "CATEGORIES:CRM-BRIDGE",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_text(f'Tomorrow is the last day to undo: {what}')}",
        "TRIGGER:-P1D",
        "END:VALARM",
        "END:VEVENT",
    )


def _stamp(moment: datetime) -> str:
    """A moment in UTC, to the second and never later than it is."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    """A value of type TEXT (RFC 5545, 3.3.11)."""
    value = whole(value).replace("\r", "").replace("\t", " ")
    for sign in "\\;,":
        value = value.replace(sign, f"\\{sign}")
    return value.replace("\n", "\\n")


def _lines(*texts: str) -> Iterator[str]:
    """Content lines, folded at 75 octets and never within a character."""
    for text in texts:
        parts, room, part = [], OCTETS, ""
        size = 0
        for sign in text:
            wide = len(sign.encode())
            if size + wide > room:
                parts.append(part)
                # The blank that marks a folded line counts as well.
                part, size, room = "", 0, OCTETS - 1
            part += sign
            size += wide
        parts.append(part)
        yield "\r\n ".join(parts) + "\r\n"
