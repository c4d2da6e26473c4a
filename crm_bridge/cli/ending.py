"""How a command ends: the exit code of a receipt, and what a signal does to a run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from crm_bridge.model.results import Receipt

REFUSED: Final = frozenset({"lock", "journal", "target"})
"""Why a run stopped, where that means: refused (4)."""
LOGIN: Final = "login"
"""Why a run stopped, where that means: wrong login (2) as long as nothing was done, else 3."""
FAULT: Final = "adapter"
"""Why a run stopped, where that means: a fault of ours (1)."""
ORDER: Final = (1, 2, 4, 5, 6, 3, 0)
"""Exit codes; of several that apply the first one here is the one."""


def worst(*codes: int) -> int:
    """The exit code of several runs."""
    return min(codes, key=ORDER.index)


def code_of(receipt: Receipt) -> int:
    """The exit code of a run: the first that applies of 1, 2, 4, 5, 6, 3, else 0.

    Whatever else stopped it (the breaker, no answer, a vendor that is busy, no quota) is resumed
    later.
    """
    from crm_bridge.model.results import Verdict

    count = receipt.counts
    known = sum(count.get(v, 0) for v in Verdict if v is not Verdict.SKIPPED)
    if receipt.halted == FAULT:
        return 1
    if receipt.halted == LOGIN and not known:
        return 2
    if receipt.halted in REFUSED or _all_too_late(receipt):
        return 4
    if count.get(Verdict.UNKNOWN, 0):
        return 5
    if receipt.halted not in (None, LOGIN):
        return 6
    return 0 if receipt.ok else 3


def _all_too_late(receipt: Receipt) -> bool:
    from crm_bridge.model.results import Verdict

    total = sum(receipt.counts.values())
    return (
        total > 0
        and receipt.counts.get(Verdict.FAILED, 0) == total
        and all(o.problem and o.problem.code == "window_over" for o in receipt.outcomes)
    )


class Interrupted(BaseException):
    """A signal, at a moment when nothing was under way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """SIGINT and SIGTERM: within a run they stop it in order, before and after it they end it.

    Attributes:
        received: The signal that came first; None while none has.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._stop: Callable[[], Any] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextmanager
    def stopping(self, stop: Callable[[], Any]) -> Iterator[None]:
        """While a run is under way, the first signal calls `stop`."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            # Same guarantees as kill -9: the journal has all that is needed to resume.
            os._exit(128 + number)
        self.received = number
        if self._stop is None:
            raise Interrupted(number)
        self._stop()
        # Not by print: the main thread may be in the middle of one.
        with suppress(OSError):
            os.write(
                2,
                b"\nstopping: the calls under way are finished and written down; "
                b"once more ends at once.\n",
            )
