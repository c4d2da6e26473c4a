"""Places: how many calls are under way at one time, over all processes of this machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from crm_bridge.clock import steady
from crm_bridge.errors import SettingsError
from crm_bridge.secrets import own_folder

LONGEST: Final = 15.0
"""Seconds; who waited so long goes without a place, and the vendor may say that it is busy."""
PAUSE: Final = 0.01
"""Seconds between two looks for a place that was given back."""


def pace_folder() -> Path:
    """Where the processes of this machine keep what they count together, in the user's state folder."""
    import platformdirs

    return Path(platformdirs.user_state_dir("crm-bridge")) / "pace"


def digest(*words: str) -> str:
    """A name for whom calls are counted, from which nobody reads who that is."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:24]


class Places:
    """So many calls at one time: a file a place, locked by the process whose call has it.

    The kernel lets a place go with its process, however that ends. A process that is stopped keeps
    its places, which is why nobody waits for one without end.

    Args:
        who: Whom the vendor counts together; only a digest of it is written down.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.
        folder: Where the files lie; the user's state folder if None.
    """

    def __init__(
        self,
        who: str,
        *,
        clock: Callable[[], float] = steady,
        sleep: Callable[[float], None] = time.sleep,
        folder: Path | None = None,
    ) -> None:
        self._stem = (folder or pace_folder()) / digest(who)
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._free: deque[int] = deque()
        self._made = 0
        self._files: dict[int, int] = {}

    def open(self, calls: int) -> None:
        """Let so many calls be under way at one time; fewer than before are not taken back.

        Args:
            calls: How many.
        """
        with self._lock:
            self._free.extend(range(self._made, calls))
            self._made = max(self._made, calls)

    def take(self) -> int | None:
        """Have a place, as soon as one is free; None where none is to be had."""
        end = self._clock() + LONGEST
        while True:
            with self._lock:
                try:
                    for _ in range(len(self._free)):
                        place = self._free.popleft()
                        if self._held(place):
                            return place
                        self._free.append(place)
                except (OSError, SettingsError):
                    # A full disk or a folder that takes no file: other processes are not counted any
                    # more, and the vendor's 429 is heard all the same.
                    self._free.append(place)
                    return None
            if self._clock() >= end:
                return None
            self._sleep(PAUSE)

    def give(self, place: int) -> None:
        """Give a place back."""
        with self._lock:
            if place in self._files:
                fcntl.flock(self._files[place], fcntl.LOCK_UN)
            self._free.append(place)

    def close(self) -> None:
        """Let the files go, and every place with them."""
        with self._lock:
            while self._files:
                os.close(self._files.popitem()[1])

    def _held(self, place: int) -> bool:
        if place not in self._files:
            own_folder(self._stem.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._files[place] = os.open(self._stem.with_suffix(f".{place}"), flags, 0o600)
        try:
            fcntl.flock(self._files[place], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
