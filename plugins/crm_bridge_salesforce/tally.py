"""Counts of everything that hangs on a batch: five relations a call instead of one.

An account has a hundred relations and most are empty, so a batch's are counted together, and only
those with something in them are read. A count is used once, and no later than `FRESH` seconds after
it was made: between a plan and its run each is counted anew.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from crm_bridge.kit import Batch, CascadeRule, Effect
from crm_bridge_salesforce import soql
from crm_bridge_salesforce.reading import QUERIES, Reader

FRESH: Final = 15.0
"""Seconds; the oldest count that is used."""
MOST: Final = 160
"""Batches whose counts wait to be used."""

_FOLLOW: Final = (Effect.FOLLOWS, Effect.MAY_FOLLOW)
_Key = tuple[str, tuple[str, ...], bool]
_Named = tuple[str, str]


class _Count:
    """The counts of one batch: whichever lanes need them make them, each a part.

    Args:
        made: When it was begun; monotonic seconds.
        names: Child and field of each relation.
        queries: What counts each.
    """

    def __init__(self, made: float, names: Sequence[_Named], queries: Sequence[str]) -> None:
        self.made = made
        self.found: dict[_Named, int | None] = {}
        self._left = set(names)
        asked = list(zip(names, queries, strict=True))
        self._todo = deque(asked[n : n + QUERIES] for n in range(0, len(asked), QUERIES))
        self._open = len(self._todo)
        self._trouble: BaseException | None = None
        self._turn = threading.Condition()

    def make(self, count: Callable[[Sequence[str]], Iterable[int | None]]) -> None:
        """Do what nobody has begun, and wait for what others have; raises what any of them met."""
        while True:
            try:
                part = self._todo.popleft()
            except IndexError:
                break
            told: Iterable[int | None] = ()
            trouble: BaseException | None = None
            try:
                told = list(count([query for _, query in part]))
            except BaseException as error:
                trouble = error
            with self._turn:
                self.found.update(zip((name for name, _ in part), told, strict=False))
                self._trouble = self._trouble or trouble
                self._open -= 1
                self._turn.notify_all()
        with self._turn:
            self._turn.wait_for(lambda: not self._open)
            if self._trouble is not None:
                raise self._trouble

    def take(self, name: _Named) -> tuple[int | None, bool]:
        """One of the counts, once, and whether it was the last."""
        with self._turn:
            self._left.discard(name)
            return self.found[name], not self._left

    def has(self, name: _Named) -> bool:
        """Whether a count was not taken yet, made or not."""
        with self._turn:
            return name in self._left


class Tally:
    """What hangs on batches of one account.

    Args:
        reader: Its reads.
        clock: Monotonic seconds.
    """

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._clock = reader, clock
        self._lock = threading.Lock()
        self._counts: dict[_Key, _Count] = {}

    def of(self, batch: Batch, rule: CascadeRule) -> int | None:
        """How many live records hang on a batch by a rule; None where nobody can say."""
        key = (batch.kind, tuple(batch.ids), rule.effect in _FOLLOW)
        name = (rule.child, rule.via)
        with self._lock:
            count = self._counts.get(key)
            if count is None or not count.has(name) or self._clock() - count.made > FRESH:
                count = self._counts[key] = self._count(batch, rule)
                for old in list(self._counts)[:-MOST]:
                    del self._counts[old]
        try:
            count.make(self._reader.counts)
        except BaseException:
            self._forget(key, count)
            raise
        found, last = count.take(name)
        if last:
            self._forget(key, count)
        return found

    def _count(self, batch: Batch, rule: CascadeRule) -> _Count:
        follows = rule.effect in _FOLLOW
        rules = self._reader.schema.rules(batch.kind)
        names = [(r.child, r.via) for r in rules if (r.effect in _FOLLOW) == follows]
        if (rule.child, rule.via) not in names:
            names = [(rule.child, rule.via)]
        ids = soql.listed(batch.ids)
        queries = [
            soql.query(["COUNT()"], child, [f"{via} IN {ids}"], ordered=False)
            for child, via in names
        ]
        return _Count(self._clock(), names, queries)

    def _forget(self, key: _Key, count: _Count) -> None:
        with self._lock:
            if self._counts.get(key) is count:
                del self._counts[key]
