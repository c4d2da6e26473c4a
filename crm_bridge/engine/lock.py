"""One writer per org, over all journals of a machine: an OS lock with holder, epoch and lease.

The lock's file lies in the user's state folder, keyed by vendor and org id, so that the same org under
two names in two settings files is one org. The OS lock tells of a live holder on this machine; the
epoch tells a process that slept through its lease that somebody else has written since.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from crm_bridge.clock import steady
from crm_bridge.errors import PlanBlocked
from crm_bridge.secrets import own_folder


def lock_folder() -> Path:
    """Where locks lie: the user's state folder."""
    import platformdirs

    return Path(platformdirs.user_state_dir("crm-bridge")) / "locks"


@dataclass(slots=True)
class OrgLock:
    """The claim of one run on one org.

    Attributes:
        path: The lock's file.
        epoch: Counts the claims on this org; every claim is a new one.
        lease: Seconds that a claim holds without being renewed.
    """

    path: Path
    lease: float
    run: str
    journal: str
    clock: Callable[[], float] = steady
    epoch: int = 0
    _handle: int = -1
    _renewed: float = 0.0
    _lost: bool = field(default=False)

    @classmethod
    def take(
        cls,
        vendor: str,
        org: str,
        *,
        run: str,
        journal: str,
        lease: float,
        folder: Path | None = None,
        clock: Callable[[], float] = steady,
    ) -> Self:
        """Claim an org for a run.

        Raises:
            PlanBlocked: Another run holds it, or an unfinished run of another journal does; its name
                is told (code `locked`).
        """
        folder = folder or lock_folder()
        own_folder(folder)
        name = hashlib.sha256(f"{vendor}\0{org}".encode()).hexdigest()[:24]
        lock = cls(folder / f"{vendor}-{name}.lock", lease, run, journal, clock)
        lock._handle = _opened(lock.path)
        try:
            fcntl.flock(lock._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held = lock._read()
            os.close(lock._handle)
            raise PlanBlocked(
                f"{vendor} org {org} is being written by {_holder(held)}.",
                detail="Wait until that run ends, then apply again: crm-bridge runs",
                code="locked",
            ) from None
        last = lock._read()
        if _alive_elsewhere(last, lock.lease):
            os.close(lock._handle)
            raise PlanBlocked(
                f"{vendor} org {org} is being written by {_holder(last)}.",
                detail="Its lease has not run out yet; wait, then apply again.",
                code="locked",
            )
        left = last.get("unfinished")
        other = left if isinstance(left, dict) else {}
        theirs = str(other.get("journal", ""))
        if theirs and theirs != journal and os.path.exists(theirs):
            os.close(lock._handle)
            raise PlanBlocked(
                f"run {other.get('run')} on {vendor} org {org} is unfinished, in another journal "
                f"({other.get('journal')}).",
                detail=f"Finish it there first: crm-bridge resume {other.get('run')}",
                code="locked",
            )
        lock.epoch = int(last.get("epoch", 0)) + 1
        lock._write(unfinished={"run": run, "journal": journal})
        return lock

    def check(self) -> None:
        """Renew the lease where it is half over; called right before each batch.

        Raises:
            PlanBlocked: Somebody else wrote since, or this process slept through its lease (code
                `lock_lost`).
        """
        now = self.clock()
        if self._lost or now - self._renewed > self.lease:
            # Asleep for longer than the lease: another may have come and gone. The OS lock was ours
            # all the time on this machine, but nothing says so of a shared home folder.
            self._lost = True
        elif now - self._renewed > self.lease / 2:
            if int(self._read().get("epoch", -1)) != self.epoch:
                self._lost = True
            else:
                self._write(unfinished={"run": self.run, "journal": self.journal}, now=now)
        if self._lost:
            raise PlanBlocked(
                f"run {self.run} lost its claim on the org.",
                detail=f"Nothing more was sent; run: crm-bridge resume {self.run}",
                code="lock_lost",
            )

    def rest(self) -> None:
        """Renew the claim while we wait or read; a process that was stopped does not get here in time."""
        now = self.clock()
        if not self._lost and self.lease / 10 <= now - self._renewed <= self.lease:
            self._write(unfinished={"run": self.run, "journal": self.journal}, now=now)

    def release(self, *, finished: bool) -> None:
        """Let the org go; an unfinished run stays written there for other journals to see."""
        if self._handle < 0:
            return
        with contextlib.suppress(OSError):
            if int(self._read().get("epoch", -1)) == self.epoch:
                self._write(
                    unfinished=None if finished else {"run": self.run, "journal": self.journal},
                    free=True,
                )
        os.close(self._handle)
        self._handle = -1

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(ValueError, TypeError, OverflowError, OSError):
            value = json.loads(os.pread(self._handle, 65536, 0) or b"{}")
            if isinstance(value, dict):
                return {**value, "epoch": int(value.get("epoch", 0)), "until": _seconds(value)}
        return {}

    def _write(
        self, *, unfinished: Mapping[str, str] | None, free: bool = False, now: float | None = None
    ) -> None:
        # The claim counts from before it is written: whoever is stopped in here wakes without it.
        self._renewed = self.clock() if now is None else now
        data = json.dumps(
            {
                "epoch": self.epoch,
                "pid": 0 if free else os.getpid(),
                "host": socket.gethostname(),
                "run": self.run,
                "until": 0 if free else time.time() + self.lease,
                "unfinished": dict(unfinished) if unfinished else None,
            }
        ).encode()
        os.pwrite(self._handle, data, 0)
        os.ftruncate(self._handle, len(data))
        os.fsync(self._handle)


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
        why = "it is no plain file"
    except OSError as error:
        why = error.strerror or str(error)
    raise PlanBlocked(
        f"the lock {path} cannot be taken: {why}.",
        detail="Nothing was sent. Take away what lies there, and look who put it there.",
        code="locked",
    )


def _seconds(value: Mapping[str, Any]) -> float:
    until = value.get("until", 0)
    return float(until) if isinstance(until, (int, float)) else 0.0


def _alive_elsewhere(last: Mapping[str, Any], lease: float) -> bool:
    """A holder on another host that shares this folder, whose lease still runs."""
    if not last.get("pid") or last.get("host") == socket.gethostname():
        return False
    return float(last.get("until", 0)) > time.time()


def _holder(held: Mapping[str, Any]) -> str:
    return (
        f"run {held.get('run', '?')} (process {held.get('pid', '?')} on {held.get('host', '?')}, "
        f"epoch {held.get('epoch', '?')})"
    )
