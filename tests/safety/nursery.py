"""Processes by the hundred: one that has imported everything forks a true process for each command.

A child can be killed, stopped and starved like any other; it only did not have to load the vendors'
clients again. Run as a program this is the parent of them all: it reads orders from its input, one
JSON object a line, and answers in kind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

SIGKILLED = -signal.SIGKILL

_LOADED: set[str] = set()
"""Modules that the parent has, and its children need not load."""

CLIENTS = {
    "simple-salesforce": "simple_salesforce",
    "hubspot-api-client": "hubspot",
    "zcrmsdk": "zcrmsdk",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code (or minus the signal), and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it printed as JSON; a line that a kill cut short is left out."""
        found = []
        for line in self.out.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def of(self, type_: str) -> list[dict[str, Any]]:
        """Its lines of one type."""
        return [line for line in self.lines if line["type"] == type_]


class Nursery:
    """Starts commands; one at a time, or several at once by `start` and `wait`."""

    def __enter__(self) -> Nursery:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.safety.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self._parent.stdout is not None
        assert self._parent.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        self._parent.wait(10)
        assert self._parent.stdout is not None
        self._parent.stdout.close()

    def start(self, folder: Path, *words: str, **more: Any) -> tuple[int, str]:
        """Start a command in a folder; gives its process id and the stem of its outputs.

        Args:
            folder: Its working folder, and where its locks, tokens and outputs lie.
            words: The words after `crm-bridge`.
            more: `die_at=(stage, n, before)`, `file_limit=bytes`, `env={...}`.
        """
        self._count = getattr(self, "_count", 0) + 1
        stem = f"out-{self._count}"
        order = {"cwd": str(folder), "argv": list(words), "stem": stem, **more}
        self._say(order)
        return int(self._hear()["pid"]), stem

    def wait(self, folder: Path, pid: int, stem: str) -> Ended:
        """Wait until it has ended."""
        self._say({"wait": pid, "loaded": str(folder / f"{stem}.loaded")})
        code = int(self._hear()["code"])
        out, err = (folder / f"{stem}.{end}" for end in ("out", "err"))
        return Ended(code, out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace"))

    def run(self, folder: Path, *words: str, **more: Any) -> Ended:
        """Start it and wait for it."""
        return self.wait(folder, *self.start(folder, *words, **more))

    def _say(self, order: dict[str, Any]) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._parent.stdout is not None
        found: dict[str, Any] = json.loads(self._parent.stdout.readline())
        return found


def _serve() -> None:
    import crm_bridge.bridge
    import crm_bridge.cli.act
    import crm_bridge.cli.app
    import crm_bridge.cli.care
    import crm_bridge.cli.look
    import crm_bridge.engine.run
    import crm_bridge.journal.store  # noqa: F401
    from crm_bridge.registry import Registry

    registry = Registry()
    for vendor in registry.vendors(ours_only=True):
        for client in getattr(registry.adapter_class(vendor), "clients", ()):
            import_module(CLIENTS.get(client, client))
    # Imported in a way of its own: it asks for a database driver that nobody needs.
    from crm_bridge_zoho.sdk import library

    library()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        _LOADED.clear()
        _LOADED.update(sys.modules)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            _learn(order["loaded"])
            print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _child(order)
        print(json.dumps({"pid": pid}), flush=True)


def _learn(loaded: str) -> None:
    """Load what a child that came to its end had to load, so that the next one finds it here."""
    with contextlib.suppress(OSError):
        names = Path(loaded).read_text().split()
        os.unlink(loaded)
        broken: set[str] = set()
        for name in names:
            if name.partition(".")[0] in broken:
                continue
            try:
                import_module(name)
            except Exception:
                broken.add(name.partition(".")[0])


def _child(order: dict[str, Any]) -> None:
    code = 70
    try:
        os.chdir(order["cwd"])
        for end, number in (("out", 1), ("err", 2)):
            made = os.open(f"{order['stem']}.{end}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(made, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for name in ("STATE", "CACHE", "DATA", "CONFIG"):
            os.environ[f"XDG_{name}_HOME"] = f"{order['cwd']}/xdg-{name.lower()}"
        os.environ.update(order.get("env", {}))
        if order.get("die_at"):
            _die_at(*order["die_at"])
        if order.get("file_limit"):
            import resource

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"],) * 2)
        from crm_bridge.cli.app import main

        code = main(order["argv"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        new = [name for name in list(sys.modules) if name not in _LOADED]
        if new:
            with contextlib.suppress(OSError):  # a full disk may be what is tried
                Path(f"{order['stem']}.loaded").write_text("\n".join(new))
        os._exit(code)


def _die_at(n: int, when: str) -> None:
    """Die by SIGKILL at the n-th transaction of the journal: before it, in it, or after its commit."""
    from contextlib import contextmanager

    from crm_bridge.journal import chain
    from crm_bridge.journal.connection import Connection

    appending, write_head = Connection.appending, chain.write_head
    count = 0

    def die() -> None:
        os.close(os.open("died", os.O_CREAT | os.O_WRONLY, 0o600))
        os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def counted(self: Connection) -> Any:
        nonlocal count
        count += 1
        if count == n and when == "before":
            die()
        with appending(self):
            yield
            if count == n and when == "within":
                die()
        if count == n and when == "after":
            die()

    def head(*args: Any) -> None:
        if count == n and when == "head":
            die()
        write_head(*args)

    Connection.appending = counted  # type: ignore[method-assign]
    chain.write_head = head  # type: ignore[assignment]


if __name__ == "__main__":
    _serve()
