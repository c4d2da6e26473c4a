"""The garbage collector, while records go through by the million."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

RARELY: Final = 50_000
"""New objects after which cycles are looked for; Python's own is 700."""

_lock = threading.Lock()
_asking: list[tuple[int, int, int]] = []
"""For each that asks now, what it found; the first found what is to be put back."""


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Look for cycles less often: records have none, and each look walks all that are held.

    Objects that are let go are freed at once all the same. The setting is the process's: it is put back
    once the last that asked for it ends, and one that looks more seldom already is left alone.
    """
    with _lock:
        now = gc.get_threshold()
        _asking.append(now)
        if 0 < now[0] < RARELY:
            gc.set_threshold(RARELY, *now[1:])
    try:
        yield
    finally:
        with _lock:
            first = _asking[0]
            _asking.pop()
            if not _asking:
                gc.set_threshold(*first)
