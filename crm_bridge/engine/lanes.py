"""Lanes: threads that only call. The main thread plans, writes the journal and hands out work."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar

from crm_bridge.clock import steady

BEAT: Final = 2.0
"""Seconds between two signs of life while calls are under way."""

HELD: Final = 10_000
"""Records that are held whole at once, at the most; only a batch that is larger takes more."""

T = TypeVar("T")
R = TypeVar("R")


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Cut a sequence into tuples of at most `size`."""
    from itertools import islice

    walk = iter(items)
    while batch := tuple(islice(walk, size)):
        yield batch


class Ask(Generic[T]):
    """A request of a lane's to the main thread, which alone writes the journal.

    Args:
        what: What is to be made durable.
    """

    def __init__(self, what: T) -> None:
        self.what = what
        self._answer: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def granted(self) -> None:
        """Tell the lane that it is durable."""
        self._answer.put(None)

    def refused(self, error: BaseException) -> None:
        """Tell the lane that it is not."""
        self._answer.put(error)

    def wait(self) -> None:
        """Wait for the main thread; raises what it was refused with."""
        error = self._answer.get()
        if error is not None:
            raise error


class Begun(Generic[T, R]):
    """Calls that lanes make as they are idle.

    Args:
        pool: The lanes.
        live: Called whenever something came, or nothing did for `BEAT` seconds.
        call: Called in a lane with an item; where there is an `answer`, with a function that sends an
            `Ask` as well.
        items: What to call it for.
        answer: Handles an `Ask`, in the thread that takes the results.

    Attributes:
        items: What it is called for.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        live: Callable[[], None],
        call: Callable[..., R],
        items: Iterable[T],
        answer: Callable[[Ask[Any]], None] | None = None,
    ) -> None:
        self._live, self._answer = live, answer
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # The list is bounded by the caller (a stretch); never a whole plan.
        self.items: Sequence[T] = list(items)

        def work(item: T) -> None:
            try:
                result: Any = call(item) if answer is None else call(item, self._done.put)
            except BaseException as error:
                # A plugin may raise anything, SystemExit included; it is contained here.
                result = error
            self._done.put((item, result))

        # Each in the context of who began it, so that calls are counted as made for that.
        self._futures = [pool.submit(copy_context().run, work, item) for item in self.items]

    def each(self) -> Iterator[tuple[T, R | BaseException]]:
        """(item, result or what was raised), as they come."""
        for some in self.together():
            yield from some

    def in_order(self) -> list[tuple[T, R | BaseException]]:
        """As `each`, once all are there, in the order of the items."""
        found = {id(item): result for item, result in self.each()}
        return [(item, found[id(item)]) for item in self.items]

    def together(self) -> Iterator[list[tuple[T, R | BaseException]]]:
        """As `each`, all that is there at once."""
        left = len(self.items)
        while left:
            try:
                got = self._done.get(timeout=BEAT)
            except queue.Empty:
                self._live()
                continue
            self._live()
            came: list[tuple[T, R | BaseException]] = []
            while True:
                if isinstance(got, Ask):
                    assert self._answer is not None
                    self._answer(got)
                else:
                    came.append(got)
                try:
                    got = self._done.get_nowait()
                except queue.Empty:
                    break
            left -= len(came)
            if came:
                yield came

    def drop(self) -> None:
        """Make none of the calls that no lane has begun; nobody takes the results."""
        for future in self._futures:
            future.cancel()


class Lanes:
    """A pool of threads of one account; each enters its lane once.

    Args:
        count: Calls under way at once.
        enter: Called in each thread before its first call.
        clock: Monotonic seconds.

    Attributes:
        beat: Called in the main thread every `BEAT` seconds while lanes are at work, however quickly
            they answer.
    """

    def __init__(
        self, count: int, enter: Callable[[], None], clock: Callable[[], float] = steady
    ) -> None:
        self.count = max(1, count)
        self.beat: Callable[[], None] | None = None
        self._clock, self._beaten = clock, clock()
        self._pool = ThreadPoolExecutor(self.count, "lane", initializer=enter)

    def each(
        self, call: Callable[[T], R], items: Iterable[T]
    ) -> Iterator[tuple[T, R | BaseException]]:
        """Make a call for each item; yields (item, result or what was raised), as they come."""
        return self.begin(call, items).each()

    def begin(self, call: Callable[[T], R], items: Iterable[T]) -> Begun[T, R]:
        """Have a call made for each item as lanes are idle; what comes of them is taken later.

        What has been begun before is done first, so a phase may be begun before the one before it has
        come to its end, wherever it needs nothing of it: no lane is idle while another one is slow.
        """
        return Begun(self._pool, self._live, call, items)

    def serve(
        self,
        call: Callable[..., R],
        items: Iterable[T],
        answer: Callable[[Ask[Any]], None],
    ) -> Iterator[list[tuple[T, R | BaseException]]]:
        """As `each`, all that is there at once; lanes' questions are answered by `answer`, in this thread.

        The caller may write down together what came together: with a slow vendor that is one answer
        at a time, with a quick one several.

        Args:
            call: Called in a lane with the item, and with a function that sends an `Ask`.
            items: What to call it for.
            answer: Handles an `Ask`.
        """
        return Begun(self._pool, self._live, call, items, answer).together()

    def _live(self) -> None:
        now = self._clock()
        if self.beat is not None and now - self._beaten >= BEAT:
            self._beaten = now
            self.beat()

    def soon(self, call: Callable[[], R]) -> Future[R]:
        """Have a lane make a call as soon as one is idle; who needs its answer asks for it later.

        Args:
            call: The call.
        """
        return self._pool.submit(call)

    def together(self, calls: Sequence[Callable[[], R]]) -> list[R]:
        """Make calls that need nothing of each other; see `adapter.together`.

        The thread that asks makes them itself, one after another, and lanes that have nothing else to
        do take some of them over: nobody ever waits for a call that nobody has begun.

        Args:
            calls: The calls.
        """
        shared = [None, *(self._pool.submit(copy_context().run, call) for call in calls[1:])]
        results: list[R] = []
        trouble: BaseException | None = None
        for call, future in zip(calls, shared, strict=False):
            left = future is None or future.cancel()
            if left and trouble is not None:
                continue
            try:
                results.append(call() if future is None or left else future.result())
            except BaseException as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return results

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
