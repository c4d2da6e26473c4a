"""Deaths within this process, at a step that a test names; deterministic, and as thorough as SIGKILL.

A step is a transaction of the journal (before it, or after its commit), or a request (before it leaves,
or after the vendor applied it). Once dead, a process does nothing any more: nothing is appended,
nothing is sent, no lock is told that the run ended; only what the operating system does is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from crm_bridge.engine.lanes import Ask
from crm_bridge.engine.lock import OrgLock
from crm_bridge.journal import chain
from crm_bridge.journal.connection import Connection
from crm_bridge.testing.world import Tenant


class Died(BaseException):
    """The process is dead; only the test sees this."""


@dataclass
class Death:
    """Counts the steps of whatever runs under `at_work`, and dies at one of them.

    Attributes:
        at: The step to die at, from 1; 0 to live.
        after: Whether the step is still done.
        steps: Steps so far, each as `journal`, `head` or the verb of a request.
        during: Called at each request before it leaves.
    """

    at: int = 0
    after: bool = False
    steps: list[str] = field(default_factory=list)
    dead: bool = False
    during: Callable[[str], None] | None = None

    def step(self, name: str) -> bool:
        """Take a step; whether to die after it. Raises Died where it is not taken."""
        if self.dead:
            raise Died
        self.steps.append(name)
        if len(self.steps) == self.at:
            if not self.after:
                self.die()
            return True
        return False

    def die(self) -> None:
        """Die now."""
        self.dead = True
        raise Died

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let everything in this process count its steps."""
        appending, head = Connection.appending, chain.write_head
        request, release = Tenant.request, OrgLock.release
        death = self

        @contextmanager
        def counted(connection: Connection) -> Iterator[None]:
            dies = death.step("journal")
            with appending(connection):
                yield
            if dies:
                death.die()

        def write_head(*args: Any) -> None:
            dies = death.step("head")
            head(*args)
            if dies:
                death.die()

        def sent(tenant: Tenant, token: int, verb: str, *args: Any, **more: Any) -> Any:
            dies = death.step(verb)
            if death.during is not None:
                death.during(verb)
            answer = request(tenant, token, verb, *args, **more)
            if dies:
                death.die()
            return answer

        def let_go(lock: OrgLock, *, finished: bool) -> None:
            if not death.dead:
                release(lock, finished=finished)
            elif lock._handle >= 0:
                os.close(lock._handle)
                lock._handle = -1

        with ExitStack() as stack:
            for owner, name, new in (
                (Connection, "appending", counted),
                (chain, "write_head", write_head),
                (Tenant, "request", sent),
                (OrgLock, "release", let_go),
            ):
                stack.enter_context(patch.object(owner, name, new))
            yield


class _AtOnce:
    """As `Begun`, all of it done."""

    def __init__(self, made: list[tuple[Any, Any]]) -> None:
        self._made = made
        self.items = [item for item, _ in made]

    def each(self) -> Iterator[tuple[Any, Any]]:
        """As `Begun.each`."""
        yield from self._made

    def in_order(self) -> list[tuple[Any, Any]]:
        """As `Begun.in_order`."""
        return self._made

    def drop(self) -> None:
        """Nothing is left to do."""


class OneLane:
    """Lanes without threads, so that the same seed gives the same trace."""

    def __init__(self, count: int, enter: Callable[[], None], clock: Callable[[], float]) -> None:
        del clock
        self.count = 1
        self.beat: Callable[[], None] | None = None
        enter()

    def each(self, call: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """As `Lanes.each`."""
        for item in list(items):
            yield item, self._made(call, item)

    def begin(self, call: Callable[[Any], Any], items: Iterable[Any]) -> _AtOnce:
        """As `Lanes.begin`, at once; a death is not contained."""
        return _AtOnce(list(self.each(call, items)))

    def serve(
        self,
        call: Callable[..., Any],
        items: Iterable[Any],
        answer: Callable[[Ask[Any]], None],
    ) -> Iterator[list[tuple[Any, Any]]]:
        """As `Lanes.serve`; a death is not contained."""
        for item in list(items):
            yield [(item, self._made(call, item, answer))]

    @staticmethod
    def _made(call: Callable[..., Any], *given: Any) -> Any:
        try:
            return call(*given)
        except Died:
            raise
        except BaseException as error:
            return error

    def soon(self, call: Callable[[], Any]) -> Future[Any]:
        """As `Lanes.soon`, at once; a death is not contained."""
        answer: Future[Any] = Future()
        try:
            answer.set_result(call())
        except Died:
            raise
        except BaseException as error:
            answer.set_exception(error)
        return answer

    def together(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """As `Lanes.together`."""
        return [call() for call in calls]

    def close(self) -> None:
        """Nothing to let go."""


@contextmanager
def one_lane() -> Iterator[None]:
    """Connect every account with `OneLane`."""
    with patch("crm_bridge.engine.connect.Lanes", OneLane):
        yield


@contextmanager
def quick_disk() -> Iterator[None]:
    """Sync nothing: a death in this process loses nothing that was written, and tests are quicker."""
    tune = Connection._tune

    def quick(connection: Connection) -> None:
        tune(connection)
        connection.sql.exec_driver_sql("PRAGMA synchronous=OFF")

    with patch.object(Connection, "_tune", quick), patch("os.fsync", lambda number: None):
        yield
