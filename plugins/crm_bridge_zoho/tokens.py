"""The access token of an account: shared by all processes of the machine, and asked for rarely.

A token lives an hour. At most 10 are given out in 10 minutes for one refresh token, and the 16th
that is alive ends the oldest (https://www.zoho.com/crm/developer/docs/api/v8/token-validity.html).
So what was asked for, and when, is kept in one file beside the token, under a lock, and judged by
the vendor's clock.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.kit import Busy, TokenFile

MOST: Final = 10
SPAN: Final = 600
"""At most `MOST` tokens in so many seconds."""
SPARE: Final = 120
"""Seconds before its end from which a token is replaced."""
MARGIN: Final = 3
"""Seconds: the vendor counts when a request arrives, we when it leaves."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What the vendor gave for a refresh token.

    Attributes:
        token: The access token; never printed.
        seconds: How long it lives.
        api: Where the vendor says that the account's API is.
        at: The vendor's clock, seconds since 1970.
    """

    token: str
    seconds: float
    api: str
    at: float

    def __repr__(self) -> str:
        return f"Granted(seconds={self.seconds}, api={self.api!r})"


class Tokens:
    """The token of one account.

    Attributes:
        token: The token that was had last, whether it holds or not; never printed.
        api: Where the vendor says that the account's API is.

    Args:
        key: What tells accounts apart: login host, client, refresh token.
        grant: Asks the vendor for a token; makes exactly one request.
    """

    def __init__(self, key: tuple[str, str, str], grant: Callable[[], Granted]) -> None:
        host, client, secret = key
        digest = hashlib.sha256(secret.encode()).hexdigest()
        self._file = TokenFile("zoho", host, client, digest)
        self._grant = grant
        self.token, self._until, self._skew = "", 0.0, 0.0
        self._lock = threading.Lock()
        self.api = ""

    def __repr__(self) -> str:
        return "Tokens(***)"

    @property
    def held(self) -> str:
        """The token that holds now; empty where there is none."""
        return self.token if self._now() < self._until else ""

    def clock(self, vendor: float) -> None:
        """Hear what the vendor's clock says, seconds since 1970."""
        self._skew = vendor - time.time()

    def adopt(self, refused: str = "") -> bool:
        """Take the token that another thread or process has got; whether there is one."""
        if self.held and self.token != refused:
            return True
        with self._lock:
            return self._take(self._file.read() or {}, refused)

    def get(self, refused: str = "") -> None:
        """Have a token other than the refused one; asks the vendor once, or not at all.

        Raises:
            Busy: The vendor gives no more for a while.
            Unauthorized: It gives none.
        """
        with self._file.locked(), self._lock:
            kept = self._file.read() or {}
            if self._take(kept, refused):
                return
            now = self._now()
            # A Date is told in whole seconds, so that our own stamps may lie a little ahead of it.
            asked = sorted(t for t in kept.get("asked", []) if abs(now - t) < SPAN + MARGIN)
            if len(asked) >= MOST:
                raise Busy(
                    f"Zoho gives {MOST} tokens in ten minutes, and they are spent.",
                    asked[0] + SPAN + MARGIN - now,
                )
            # Kept before it is asked: one whose answer is lost was counted by the vendor too.
            self._file.write({**kept, "asked": [*asked, now]})
            given = self._grant()
            self.clock(given.at)
            told: dict[str, Any] = {
                "token": given.token,
                "until": given.at + given.seconds - SPARE,
                "api": given.api,
                "asked": [*asked, max(now, given.at)],
            }
            self._file.write(told)
            self._take(told, refused)

    def _now(self) -> float:
        return time.time() + self._skew

    def _take(self, kept: dict[str, Any], refused: str) -> bool:
        token, until = kept.get("token"), kept.get("until")
        if not isinstance(token, str) or not isinstance(until, (int, float)) or token == refused:
            return False
        if not token or self._now() >= until:
            return False
        self.token, self._until = token, float(until)
        self.api = str(kept.get("api", ""))
        return True
