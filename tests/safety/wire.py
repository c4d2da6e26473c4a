"""A reverse proxy between the command and a simulator, which does what bad networks do.

Requests are counted as they arrive. At the one that was chosen, one thing goes wrong; everything else
passes unharmed. Each request goes upstream over a connection of its own, so that no trouble here is
trouble of the simulator's.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.safety.answers import LIES, lying

KINDS = (
    "killed_before",
    "killed_after",
    "lost",
    "cut",
    "unwell_after",
    "other_answer",
    "not_arrived",
    "ghost",
    "doubled",
)
"""What can go wrong with one request; see `Wire._trouble`."""
KILLS = ("killed_before", "killed_after")
NEVER = ("not_arrived", "busy")
"""What keeps a request from the vendor for good; `busy` is answered on the way, with a 429."""

_UNWELL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n"
    b"<html>no</html>"
)
_BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Passed:
    """One request as it passed: its number, first line, whether it reached the simulator."""

    n: int
    line: str
    arrived: int = 0


@dataclass
class Wire:
    """A proxy before `upstream` (host, port); `url` is where it listens.

    Attributes:
        at: The number of the request that goes wrong, from 1; 0 for none.
        kind: What goes wrong with it; nothing where it is empty.
        victim: The process that a kill is for.
        passed: Every request so far.
        late: Seconds after which a ghost arrives.
    """

    upstream: tuple[str, int]
    at: int = 0
    kind: str = ""
    victim: int = 0
    late: float = 0.08
    passed: list[Passed] = field(default_factory=list)
    url: str = ""
    struck: bool = False
    on_request: Callable[[int], None] | None = None
    _last: bytes = b""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ghosts: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Wire:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()
        self.calm()

    def begin(self, at: int = 0, kind: str = "") -> None:
        """Count from one again, and let one thing go wrong."""
        self.calm()
        with self._lock:
            self.passed, self.at, self.kind, self.struck, self.victim = [], at, kind, False, 0
            self._last = b""

    def calm(self) -> None:
        """Wait until every ghost has arrived."""
        for ghost in self._ghosts:
            ghost.join(5)
        self._ghosts.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with client, client.makefile("rb") as reader:
                while (request := _message(reader)) is not None:
                    answer = self._one(request)
                    if answer is None:
                        # A reset, as from a peer that fell over, not a polite end.
                        client.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                        )
                        return
                    client.sendall(answer[0])
                    if answer[1]:
                        return
        except OSError:
            return

    def _one(self, request: bytes) -> tuple[bytes, bool] | None:
        with self._lock:
            passed = Passed(len(self.passed) + 1, request.split(b"\r\n", 1)[0].decode("latin-1"))
            self.passed.append(passed)
            strikes = bool(self.kind) and passed.n == self.at and not self.struck
            self.struck = self.struck or strikes
        if self.on_request is not None:
            self.on_request(passed.n)
        if strikes:
            return self._trouble(request, passed)
        answer = self._forward(request, passed)
        self._last = answer
        return answer, False

    def _trouble(self, request: bytes, passed: Passed) -> tuple[bytes, bool] | None:
        kind = self.kind
        if kind == "killed_before":
            os.kill(self.victim, signal.SIGKILL)
            return None
        if kind == "not_arrived":
            return None
        if kind == "ghost":
            ghost = threading.Timer(self.late, self._forward, (request, passed))
            self._ghosts.append(ghost)
            ghost.start()
            return None
        if kind == "busy":
            return _BUSY, False
        answer = self._forward(request, passed)
        if kind == "killed_after":
            os.kill(self.victim, signal.SIGKILL)
            return None
        if kind == "lost":
            return None
        if kind == "cut":
            return answer[: max(1, len(answer) - 20)], True
        if kind == "unwell_after":
            return _UNWELL, False
        if kind in LIES:
            return lying(kind, answer), False
        if kind == "other_answer":
            return self._last or answer, False
        assert kind == "doubled", kind
        return self._forward(request, passed), False

    def _forward(self, request: bytes, passed: Passed) -> bytes:
        passed.arrived += 1
        with socket.create_connection(self.upstream, timeout=30) as up:
            up.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up.sendall(request)
            with up.makefile("rb") as reader:
                answer = _message(reader, request.startswith(b"HEAD"))
        return answer or b""


def _message(reader: object, bodiless: bool = False) -> bytes | None:
    """One whole HTTP message, as it came; None where the peer has gone."""
    head = b""
    length, chunked = 0, False
    while True:
        line: bytes = reader.readline(1 << 20)  # type: ignore[attr-defined]
        if not line:
            return None
        head += line
        if line in (b"\r\n", b"\n"):
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"transfer-encoding":
            chunked = b"chunked" in value.lower()
    if bodiless:
        return head
    if not chunked:
        return head + (reader.read(length) if length else b"")  # type: ignore[attr-defined]
    body = b""
    while True:
        line = reader.readline()  # type: ignore[attr-defined]
        body += line
        size = int(line.split(b";")[0], 16)
        body += reader.read(size + 2)  # type: ignore[attr-defined]
        if not size:
            return head + body
