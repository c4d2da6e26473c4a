"""The clock for durations: it never jumps, and goes on while the machine sleeps."""

from __future__ import annotations

import time
from typing import Final


def steady() -> float:
    """Seconds since some moment; a laptop that was closed for an hour finds them an hour later.

    `time.monotonic` stands still while a Linux machine is suspended, so that a lease, or a read's age,
    would seem young after a night's sleep.
    """
    return time.clock_gettime(_CLOCK)


_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
