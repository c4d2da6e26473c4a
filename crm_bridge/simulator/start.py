"""Bringing simulators up and down: several in one process for the command line, one in a test."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from crm_bridge.simulator.server import Receive, Scope, Send, VendorSimulator

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Served:
    """One account that can be reached."""

    crm: str
    vendor: str
    url: str


class _Protocol(H11Protocol):
    """Hands the application a way to cut the connection, which ASGI does not have."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        app = self.app

        async def with_cut(scope: Scope, receive: Receive, send: Send) -> None:
            scope["crm_bridge.cut"] = self._cut
            await app(scope, receive, send)

        self.app = with_cut

    def _cut(self) -> None:
        # Marked as disconnected first, or uvicorn answers 500 for the response that never came.
        self.cycle.disconnected = True
        self.transport.abort()


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever started it."""

    def capture_signals(self) -> Any:
        return nullcontext()


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's delay off; without, each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _server(simulator: VendorSimulator) -> _Server:
    return _Server(
        uvicorn.Config(
            simulator,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            # Clients pool connections: one that closes under them looks like a lost answer.
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
        )
    )


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def run_simulators(
    vendors: Sequence[type[VendorSimulator]],
    *,
    seed: int = 1,
    records: int = 1000,
    port: int = 0,
    latency: float = 0.0,
    limits: bool = True,
    on_ready: Callable[[list[tuple[VendorSimulator, str]], list[Served]], None] | None = None,
) -> int:
    """Serve all vendors in this process until SIGINT or SIGTERM; give the exit code, 0.

    `port` 0 takes free ports, P takes P, P+1 ... in the order given. `on_ready` is called once
    when all answer, with each simulator and its url (for `write_config`) and a `Served` for each
    account.
    """
    listeners: list[socket.socket] = []
    try:
        for i in range(len(vendors)):
            listeners.append(_listen(port + i if port else 0))
        simulators = [
            v(seed=seed, records=records, latency=latency, limits=limits) for v in vendors
        ]
        pairs = list(zip(simulators, map(_url, listeners), strict=True))
        asyncio.run(_serve(pairs, listeners, on_ready))
    finally:
        for listener in listeners:
            listener.close()
    return 0


def served(pairs: Sequence[tuple[VendorSimulator, str]]) -> list[Served]:
    """Every account of these simulators, in order."""
    return [Served(a.crm, s.vendor, url) for s, url in pairs for a in s.accounts]


async def _serve(
    pairs: list[tuple[VendorSimulator, str]],
    listeners: list[socket.socket],
    on_ready: Callable[[list[tuple[VendorSimulator, str]], list[Served]], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    servers = [_server(simulator) for simulator, _ in pairs]

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    try:
        while not all(server.started for server in servers):
            if any(task.done() for task in tasks) or any(s.should_exit for s in servers):
                break
            await asyncio.sleep(0.005)
        else:
            if on_ready is not None:
                on_ready(pairs, served(pairs))
    except BaseException:
        stop()
        raise
    finally:
        await asyncio.gather(*tasks)


@contextmanager
def serving(simulator: VendorSimulator, port: int = 0) -> Iterator[str]:
    """Serve a simulator from a thread of this process; gives its url."""
    listener = _listen(port)
    server = _server(simulator)
    up = threading.Event()
    startup = server.startup

    async def announced(sockets: list[socket.socket] | None = None) -> None:
        await startup(sockets=sockets)
        up.set()

    server.startup = announced  # type: ignore[method-assign]

    def run() -> None:
        try:
            asyncio.run(server.serve(sockets=[listener]))
        finally:
            up.set()

    thread = threading.Thread(target=run, name=f"simulator-{simulator.vendor}", daemon=True)
    thread.start()
    up.wait()
    if not server.started:
        raise RuntimeError(f"the {simulator.vendor} simulator did not start")
    try:
        yield _url(listener)
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()
