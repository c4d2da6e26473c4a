"""Lanes: threads that only call. The main thread plans, writes the journal and hands out work."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
        for some in self.serve(call, items, lambda ask: ask.granted()):
            yield from some

    def serve(
        self,
        call: Callable[..., R],
        items: Iterable[T],
        answer: Callable[[Ask[Any]], None],
        asks: bool = False,
    ) -> Iterator[list[tuple[T, R | BaseException]]]:
        """As `each`, all that is there at once; lanes' questions are answered by `answer`, in this thread.

        The caller may write down together what came together: with a slow vendor that is one answer
        at a time, with a quick one several.

        Args:
            call: Called in a lane with the item, and with a function that sends an `Ask` where `asks`.
            items: What to call it for.
            answer: Handles an `Ask`.
            asks: Whether `call` takes that second argument.
        """
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def work(item: T) -> None:
            try:
                result: Any = call(item, done.put) if asks else call(item)
            except BaseException as error:
                # A plugin may raise anything, SystemExit included; it is contained here.
                result = error
            done.put((item, result))

        # The list is bounded by the caller (a stretch); never a whole plan.
        waiting: Sequence[T] = list(items)
        for item in waiting:
            self._pool.submit(work, item)
        left = len(waiting)
        while left:
            try:
                got = done.get(timeout=BEAT)
            except queue.Empty:
                self._live()
                continue
            self._live()
            came: list[tuple[T, R | BaseException]] = []
            while True:
                if isinstance(got, Ask):
                    answer(got)
                else:
                    came.append(got)
                try:
                    got = done.get_nowait()
                except queue.Empty:
                    break
            left -= len(came)
            if came:
                yield came

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
        shared = [None, *(self._pool.submit(call) for call in calls[1:])]
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
