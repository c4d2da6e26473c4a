"""Guard: the one door out. Paces, asks again where that is safe, and never writes twice in doubt."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from crm_bridge.clock import steady
from crm_bridge.errors import BridgeError, Busy, SettingsError, Unauthorized, Unreachable
from crm_bridge.model.abilities import Rate
from crm_bridge.model.records import RecordRef
from crm_bridge.places import Places, digest, pace_folder
from crm_bridge.secrets import own_folder
from crm_bridge.transport import departing

T = TypeVar("T")

READ_TRIES: Final = 5
"""Times that a read is made before its trouble is told."""
BREAKER: Final = 6
"""Answers in a row that are none (5xx, connections lost), of all calls or of the writes among them,
before nothing more is sent."""
BUSY_ROUNDS: Final = 12
"""Times in a row that everybody waits for a busy vendor before nothing more is sent."""
LONGEST_WAIT: Final = 90.0
"""Seconds; a vendor that asks for more is taken at its word by stopping, resumable."""
MARGIN: Final = 1.03
"""A vendor counts when a request arrives, we when it leaves; the window is held a little wider."""

AHEAD: Final = 10_000
"""Milliseconds; what others counted while this process waited for its turn is ahead of its clock by
less, and what stands there from before the machine was started anew by more."""


class NotSent(BridgeError):
    """A write that surely did not leave: the run was halted, or it had no intent.

    Attributes:
        why: `signal`, `breaker`, `lock`, `journal`, `target`, `stale`, `busy`, `intent`.
    """

    code = "not_sent"
    exit_code = 6

    def __init__(self, summary: str, why: str) -> None:
        super().__init__(summary)
        self.why = why


@dataclass(slots=True, eq=False)
class Counted:
    """Calls that one piece of work made, in whichever lanes; see `Guard.counting`.

    Attributes:
        calls: How many, without those that are made once a connection.
    """

    guard: Guard
    calls: int = 0


_COUNTING: ContextVar[tuple[Counted, ...]] = ContextVar("counting", default=())


@dataclass(slots=True)
class Permit:
    """The leave to make one batch's writes, given once its intent is durable.

    Attributes:
        refs: The records that the writes may name.
        sends: How many writes may be made.
        check: Asked right before each write; raises `NotSent` where it may no longer leave.
        sent: Writes that left.
        at: When the last of them left, by the guard's clock; None where none did.
    """

    refs: frozenset[RecordRef]
    sends: int
    check: Callable[[], None]
    sent: int = 0
    at: float | None = None


@dataclass(slots=True)
class _Pace:
    """Rates of one account, held by pyrate-limiter's buckets and our clock.

    Attributes:
        rates: The rates.
        place: A file in which the processes of this machine count together; None to count alone.
        begun: When it was begun, in milliseconds of our clock; what is counted later stands there from
            before the machine was started anew.
    """

    rates: Sequence[Rate]
    place: Path | None = None
    begun: int = 0
    _buckets: dict[tuple[int, str], Any] = field(default_factory=dict)
    _shared: Any = None
    _turnstile: int = -1

    def wait(self, interface: str, now: float) -> float:
        """Take a turn; returns 0 where it is taken, else seconds to wait before trying again."""
        if not self.rates:
            return 0.0
        try:
            return self._turn(interface, int(now * 1000))
        except (OSError, sqlite3.Error, SettingsError):
            if self.place is None:
                raise
            # A full disk or a folder that takes no file: other processes are not counted any more,
            # and the vendor's 429 is heard all the same.
            self.close()
            self.place = None
            return self._turn(interface, int(now * 1000))

    def _turn(self, interface: str, stamp: int) -> float:
        from pyrate_limiter import RateItem

        with self._alone():
            mine = [
                self._bucket(number, rate, interface, stamp)
                for number, rate in enumerate(self.rates)
                if not rate.interface or rate.interface == interface
            ]
            # All or none: a turn in one bucket must not be spent where another says wait.
            for bucket in mine:
                bucket.leak(stamp)
                limit = bucket.rates[0]
                if bucket.count() >= limit.limit:
                    oldest = bucket.peek(bucket.count() - 1)
                    left: float = (oldest.timestamp + limit.interval + 1 - stamp) / 1000
                    return max(0.005, left)
            for bucket in mine:
                bucket.put(RateItem(interface, stamp))
        return 0.0

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the other processes of this machine out while a turn is taken."""
        if self.place is None:
            yield
            return
        if self._turnstile < 0:
            own_folder(self.place.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._turnstile = os.open(self.place.with_suffix(".turn"), flags, 0o600)
        fcntl.flock(self._turnstile, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)

    def _bucket(self, number: int, rate: Rate, interface: str, stamp: int) -> Any:
        from pyrate_limiter import InMemoryBucket, SQLiteBucket
        from pyrate_limiter import Rate as Limit

        key = (number, interface if rate.per == "interface" else "")
        if key not in self._buckets:
            limit = Limit(rate.calls, max(1, int(rate.seconds * 1000 * MARGIN)))
            if self.place is None:
                self._buckets[key] = InMemoryBucket([limit])
            else:
                table = f"rate_{number}_{re.sub(r'[^A-Za-z0-9]', '_', key[1])}"
                self._buckets[key] = SQLiteBucket(
                    [limit], self._table(table, max(stamp, self.begun)), table
                )
        return self._buckets[key]

    def _table(self, table: str, stamp: int) -> Any:
        """The shared counts; what a machine counted before it was started anew is forgotten."""
        if self._shared is None:
            assert self.place is not None
            self._shared = sqlite3.connect(
                self.place, isolation_level=None, check_same_thread=False, timeout=30
            )
            os.chmod(self.place, 0o600)
            self._shared.execute("PRAGMA journal_mode = WAL")
            # Nothing here outlives a power cut: the counts are of the last seconds.
            self._shared.execute("PRAGMA synchronous = OFF")
        self._shared.execute(
            f'CREATE TABLE IF NOT EXISTS "{table}" (name VARCHAR, item_timestamp INTEGER)'
        )
        self._shared.execute(
            f'CREATE INDEX IF NOT EXISTS "{table}_at" ON "{table}" (item_timestamp)'
        )
        self._shared.execute(f'DELETE FROM "{table}" WHERE item_timestamp > ?', (stamp + AHEAD,))  # noqa: S608
        return self._shared

    def moved(self, rates: Sequence[Rate], place: Path | None, now: float) -> _Pace:
        """The same account under other rates, or counted elsewhere; what was counted stays counted."""
        fresh = _Pace(rates, place, int(now * 1000))
        counted = {
            (item.name, item.timestamp, id(item))
            for bucket in self._buckets.values()
            for item in getattr(bucket, "items", ())
        }
        self.close()
        for name, stamp, _ in sorted(counted, key=lambda one: one[1]):
            fresh.wait(name, stamp / 1000)
        return fresh

    def close(self) -> None:
        """Let the shared file go."""
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._turnstile >= 0:
            os.close(self._turnstile)
            self._turnstile = -1
        self._buckets.clear()


class Guard:
    """The gate of one account.

    Args:
        crm: The account's name.
        rates: The rates that the vendor documents.
        pace: `documented`, `off`, or a factor of the documented rates.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        crm: str,
        rates: Sequence[Rate] = (),
        *,
        pace: str | float = "documented",
        clock: Callable[[], float] = steady,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.crm = crm
        self.clock, self.sleep = clock, sleep
        self.calls = 0
        self.writes = 0
        self.halted: str | None = None
        self.renew: Callable[[], None] | None = None
        self.prove: Callable[[], None] | None = None
        self.together: Callable[[Sequence[Callable[[], Any]]], list[Any]] | None = None
        self._paced = pace != "off"
        self._pace = _Pace(_scaled(rates, pace) if self._paced else ())
        self._places: Places | None = None
        self._lock = threading.RLock()
        self._renewing = threading.RLock()
        self._here = threading.local()
        self._hold_until = 0.0
        self._busy_rounds = 0
        self._failures = 0
        self._lost_writes = 0
        self._login = 0
        self._unproven = False

    # --- what adapters call ------------------------------------------------------------------------

    def ask(self, call: Callable[[], T], *, interface: str = "") -> T:
        """Make a read; see `adapter.Gate`."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        def again(error: BaseException) -> bool:
            if isinstance(error, Busy):
                return not error.until_reset and self.halted is None
            return isinstance(error, Unreachable) and not error.strange and self.halted is None

        def waiting(state: Any) -> float:
            error = state.outcome.exception()
            if isinstance(error, Busy):
                return 0.0  # `_once` holds everybody
            return float(min(8.0, 0.2 * 2 ** (state.attempt_number - 1)))

        def enough(state: Any) -> bool:
            error = state.outcome.exception()
            if isinstance(error, Busy):
                return self._busy_rounds > BUSY_ROUNDS
            return bool(stop_after_attempt(READ_TRIES)(state))

        retrying = Retrying(
            retry=retry_if_exception(again),
            wait=waiting,
            stop=enough,
            sleep=self.sleep,
            reraise=True,
        )
        login = self._login
        try:
            found: T = retrying(self._once, call, interface)
            return found
        except Unauthorized as error:
            if not error.renewable or getattr(self._here, "renewing", False):
                raise
            self.log_in_again(login)
            renewed: T = retrying(self._once, call, interface)
            return renewed

    def tell(self, refs: Iterable[RecordRef], call: Callable[[], T], *, interface: str = "") -> T:
        """Make a write; see `adapter.Gate`."""
        permit: Permit | None = getattr(self._here, "permit", None)
        named = frozenset(refs)
        if permit is None or permit.sent >= permit.sends or not named <= permit.refs:
            raise NotSent(
                f"{self.crm}: a write was held back, for no durable intent names it.", "intent"
            )
        if self.halted is not None:
            raise NotSent(f"{self.crm}: the run has stopped.", self.halted)
        if self._unproven:
            self._prove_again()

        def may_leave() -> None:
            if self.halted is not None:
                raise NotSent(f"{self.crm}: the run has stopped.", self.halted)
            permit.check()

        def last_look() -> None:
            may_leave()
            permit.sent += 1
            permit.at = self.clock()
            with self._lock:
                self.writes += 1

        def leave() -> T:
            # Asked again when the connection stands: a process may sleep for hours before that.
            try:
                with departing(may_leave):
                    return call()
            except NotSent:
                permit.sent -= 1
                with self._lock:
                    self.writes -= 1
                    self.calls -= 1
                raise

        return self._once(leave, interface, last_look)

    def login_changed(self) -> None:
        """An adapter says that it uses another token from now on: who we are is proved before a write."""
        self._unproven = True

    def made_once(self, calls: int = 1) -> None:
        """An adapter says that so many of its calls are made once a connection, such as metadata."""
        self._count(-calls)

    def served_at_once(self, who: str, calls: int) -> None:
        """An adapter says how many calls the vendor serves at one time; see `adapter.served_at_once`."""
        if not self._paced:
            return
        with self._lock:
            if self._places is None:
                self._places = Places(who)
            self._places.open(calls)

    # --- what the bridge calls ---------------------------------------------------------------------

    @contextlib.contextmanager
    def counting(self) -> Iterator[Counted]:
        """Count the calls of what is done meanwhile, in this thread and in lanes on its behalf.

        Those that are made once a connection are left out: what the same would take again.
        """
        counted = Counted(self)
        before = _COUNTING.set((*_COUNTING.get(), counted))
        try:
            yield counted
        finally:
            _COUNTING.reset(before)

    def _count(self, calls: int) -> None:
        with self._lock:
            for counted in _COUNTING.get():
                if counted.guard is self:
                    counted.calls += calls

    @contextlib.contextmanager
    def permitted(self, permit: Permit) -> Iterator[Permit]:
        """Let this thread make the writes of one permit."""
        self._here.permit = permit
        try:
            yield permit
        finally:
            self._here.permit = None

    def rates(self, rates: Sequence[Rate], pace: str | float) -> None:
        """Keep to the rates that the account itself told, in place of its vendor's general ones."""
        with self._lock:
            scaled = () if pace == "off" else _scaled(rates, pace)
            self._pace = self._pace.moved(scaled, self._pace.place, self.clock())

    def expect(self, vendor: str, login: str, folder: Path | None = None) -> None:
        """Count the first calls, too, together with every process that has the same login.

        Nothing but the pace relies on it: for whom a login is, its server alone says.

        Args:
            vendor: The vendor.
            login: What the settings say of it; kept as a digest only.
            folder: Where the counts lie; the user's state folder if None.
        """
        if not self._pace.rates or self._pace.place is not None:
            return
        folder = folder or pace_folder()
        name = f"{vendor}-{digest(vendor, login)}.db"
        place = _noted(folder / f"{name}.login", vendor) or name
        with self._lock:
            self._pace = self._pace.moved(self._pace.rates, folder / place, self.clock())

    def share(self, vendor: str, org: str, folder: Path | None = None, *, login: str = "") -> None:
        """Count calls together with every process of this machine that asks the same org.

        Args:
            vendor: The vendor.
            org: The organisation, as the server named it.
            folder: As for `expect`.
            login: As for `expect`, which will know by it where this org is counted.
        """
        if not self._pace.rates:
            return
        folder = folder or pace_folder()
        own = f"{vendor}-{digest(vendor, login or org)}.db"
        place = own
        with contextlib.suppress(OSError, SettingsError):
            own_folder(folder)
            # Where the first who asked this org counted, all count.
            about = folder / f"{vendor}-{digest(vendor, org)}.org"
            place = _noted(about, vendor) or _note(about, own, vendor)
            if login and place != own:
                _note(folder / f"{own}.login", place, vendor)
        with self._lock:
            self._pace = self._pace.moved(self._pace.rates, folder / place, self.clock())

    def close(self) -> None:
        """Let the shared counts and places go."""
        with self._lock:
            self._pace.close()
            if self._places is not None:
                self._places.close()

    def resume(self) -> None:
        """Let a new run begin where an earlier one was halted; who we are is proved before a write."""
        with self._lock:
            self.halted = None
            self._failures = self._lost_writes = self._busy_rounds = 0
            self._hold_until = 0.0
            self._unproven = True

    def halt(self, why: str) -> None:
        """Let nothing destructive leave any more."""
        if self.halted is None:
            self.halted = why

    def log_in_again(self, seen: int | None = None) -> None:
        """Get a new token and prove who we are; one thread does it, the others use what it got.

        Raises:
            Unauthorized: There is no other token.
            PlanBlocked: The new token is for somebody else; the guard is halted.
        """
        with self._renewing:
            if seen is not None and seen != self._login:
                return
            if self.renew is None:
                raise Unauthorized(f"{self.crm}: the login does not hold.")
            self._here.renewing = True
            try:
                self.renew()
                self._login += 1
                self._unproven = True
                self._prove_again()
            finally:
                self._here.renewing = False

    @property
    def login(self) -> int:
        """Counts the logins; a thread that saw a refusal tells which login it was made with."""
        return self._login

    def _prove_again(self) -> None:
        with self._renewing:
            if not self._unproven or self.prove is None:
                self._unproven = False
                return
            try:
                self.prove()
            except BridgeError:
                self.halt("target")
                raise
            self._unproven = False

    def _once(
        self, call: Callable[[], T], interface: str, last_look: Callable[[], None] | None = None
    ) -> T:
        if self.halted == "breaker":
            raise Unreachable(f"{self.crm}: too many calls in a row went wrong.", sent=False)
        self._turn(interface)
        with self._served():
            if last_look is not None:
                last_look()
            with self._lock:
                self.calls += 1
                self._count(1)
            left = self.clock()
            try:
                result = call()
            except Busy as error:
                self._wait_for(error, left)
                raise
            except Unreachable as error:
                self._count_failure(error, write=last_look is not None)
                raise
        with self._lock:
            self._failures = self._busy_rounds = 0
            if last_look is not None:
                self._lost_writes = 0
        return result

    @contextlib.contextmanager
    def _served(self) -> Iterator[None]:
        """Be one of the calls that the vendor serves at one time."""
        place = self._places.take() if self._places is not None else None
        try:
            yield
        finally:
            if self._places is not None and place is not None:
                self._places.give(place)

    def _count_failure(self, error: Unreachable, *, write: bool) -> None:
        with self._lock:
            self._failures += 1
            self._lost_writes += write
            # Counted apart: a vendor whose reads are well may lose every write.
            if max(self._failures, self._lost_writes) >= BREAKER:
                self.halt("breaker")
        if error.sent and not error.strange:
            self._hold(min(4.0, 0.1 * 2**self._failures))

    def _turn(self, interface: str) -> None:
        while True:
            with self._lock:
                now = self.clock()
                wait = max(self._hold_until - now, 0.0)
                if wait <= 0:
                    wait = self._pace.wait(interface, now)
                if wait <= 0:
                    return
            self.sleep(wait)

    def _hold(self, seconds: float) -> None:
        with self._lock:
            self._hold_until = max(self._hold_until, self.clock() + seconds)

    def _wait_for(self, busy: Busy, left: float) -> None:
        """Make everybody wait as told; calls that were under way together count as one round."""
        with self._lock:
            if self._hold_until > left:
                return
            self._busy_rounds += 1
            told = busy.retry_after
            wait = min(10.0, 0.25 * 2**self._busy_rounds) if told is None else max(told, 0.05)
            if busy.until_reset or wait > LONGEST_WAIT or self._busy_rounds > BUSY_ROUNDS:
                self.halt("busy")
                return
            self._hold_until = self.clock() + wait


def _noted(note: Path, vendor: str) -> str | None:
    """The name of a file of counts that stands in a note; None where none does."""
    try:
        name = note.read_text()
    except (OSError, ValueError):
        return None
    return name if re.fullmatch(rf"{re.escape(vendor)}-[0-9a-f]{{24}}\.db", name) else None


def _note(note: Path, name: str, vendor: str) -> str:
    """Note the name of a file of counts; gives what stands there, as another may have been quicker."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fresh = note.with_suffix(f"{note.suffix}.{os.getpid()}-{threading.get_ident()}")
    file = os.fdopen(os.open(fresh, flags, 0o600), "w")
    try:
        with file:
            file.write(name)
        os.link(fresh, note)
    except FileExistsError:
        return _noted(note, vendor) or name
    finally:
        fresh.unlink()
    return name


def _scaled(rates: Sequence[Rate], pace: str | float) -> tuple[Rate, ...]:
    factor = 1.0 if isinstance(pace, str) else float(pace)
    return tuple(Rate(max(1, int(r.calls * factor)), r.seconds, r.per, r.interface) for r in rates)
