"""Counts of everything that hangs on a batch: five relations a call instead of one.

An account has a hundred relations and most are empty, so a batch's are counted together, and only
those with something in them are read. A count is used once, and no later than `FRESH` seconds after
it was made: between a plan and its run each is counted anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from crm_bridge.kit import Batch, CascadeRule, Effect
from crm_bridge_salesforce import soql
from crm_bridge_salesforce.reading import Reader

FRESH: Final = 15.0
"""Seconds; the oldest count that is used."""
MOST: Final = 64
"""Batches whose counts wait to be used."""

_FOLLOW: Final = (Effect.FOLLOWS, Effect.MAY_FOLLOW)
_Key = tuple[str, tuple[str, ...], bool]
_Named = tuple[str, str]


class Tally:
    """What hangs on batches of one account.

    Args:
        reader: Its reads.
        clock: Monotonic seconds.
    """

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._clock = reader, clock
        self._lock = threading.Lock()
        self._locks: dict[_Key, threading.Lock] = {}
        self._waiting: dict[_Key, tuple[float, dict[_Named, int | None]]] = {}

    def of(self, batch: Batch, rule: CascadeRule) -> int | None:
        """How many live records hang on a batch by a rule; None where nobody can say."""
        ids = tuple(batch.ids)
        key, name = (batch.kind, ids, rule.effect in _FOLLOW), (rule.child, rule.via)
        with self._lock:
            own = self._locks.setdefault(key, threading.Lock())
        with own:
            made, counts = self._waiting.get(key, (0.0, {}))
            if name not in counts or self._clock() - made > FRESH:
                counts = self._counted(batch, rule)
                self._waiting[key] = (self._clock(), counts)
            found = counts.pop(name)
            if not counts:
                self._forget(key)
        self._trim()
        return found

    def _counted(self, batch: Batch, rule: CascadeRule) -> dict[_Named, int | None]:
        follows = rule.effect in _FOLLOW
        rules = self._reader.schema.rules(batch.kind)
        names = [(r.child, r.via) for r in rules if (r.effect in _FOLLOW) == follows]
        if (rule.child, rule.via) not in names:
            names = [(rule.child, rule.via)]
        queries = [
            soql.query(["COUNT()"], child, [soql.ids_in(via, batch.ids)], ordered=False)
            for child, via in names
        ]
        return dict(zip(names, self._reader.counts(queries), strict=True))

    def _forget(self, key: _Key) -> None:
        with self._lock:
            self._waiting.pop(key, None)
            self._locks.pop(key, None)

    def _trim(self) -> None:
        with self._lock:
            for key in list(self._waiting)[:-MOST]:
                self._waiting.pop(key, None)
                self._locks.pop(key, None)
