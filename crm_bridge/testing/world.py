"""The vendor behind the memory adapter: records, bin, cascades, locks, approvals, jobs, trouble.

Deterministic: no thread of its own, no clock but the one that a test turns, the same calls, the
same answers. A `World` is the contract suite's ground and the plaything of the core's own tests.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeVar

from crm_bridge.kit import (
    Busy,
    Condition,
    Link,
    Operation,
    RecordRef,
    Rejected,
    State,
    Unauthorized,
    Unreachable,
    is_empty,
)
from crm_bridge.testing.ground import Arrived, CannotDo, Ground, Truth, Truths

T = TypeVar("T")

KINDS: Final = {"Company": "co", "Contact": "ct", "Lead": "ld", "Deal": "de", "Note": "no"}
"""Each kind with what its ids begin with."""

FIELDS: Final = frozenset(
    [
        "name",
        "email",
        "phone",
        "note",
        "size",
        "amount",
        "company",
        "created",
        "crm_bridge_status",
        "revision",
        "made_from",
    ]
)
VENDOR_SET: Final = ("revision", "made_from")
BIN_DAYS: Final = 30

BEFORE: Final[Mapping[str, Callable[..., Exception]]] = {
    "busy": lambda retry_after=7.0: Busy("the world is busy.", retry_after),
    "unwell": lambda: Unreachable("the world is unwell.", answered=True),
    "not_sent": lambda: Unreachable("no connection.", sent=False),
    "cut_before": lambda: Unreachable("the connection was cut."),
    "redirect": lambda: Unreachable("answered with a redirect.", strange=True),
    "rejected": lambda: Rejected("the list was refused.", divisible=True),
    "denied": lambda: Unauthorized("the right to do so was taken away."),
    "crash": lambda: RuntimeError("a bug in the adapter"),
}
"""Faults that end a call before anything is applied."""

AFTER: Final[Mapping[str, Callable[..., Exception]]] = {
    "cut_after": lambda: Unreachable("the connection was cut."),
    "page": lambda: Unreachable("answered with a page.", strange=True),
    "torn": lambda: Unreachable("the answer was cut short.", strange=True),
}
"""Faults that lose the answer of what was applied."""

LIES: Final = frozenset({"expired", "lies_done", "lies_failed", "wrong_ids", "rows_missing", "lag"})
"""Faults that are no errors.

`lies_done`: said done, nothing done. `lies_failed`: done, said refused. `wrong_ids`: rows in other
names. `rows_missing`: the last row is not answered. `lag` (n=2): reads show it as it was n times
more. `expired`: the token dies, and `renew()` gets another.
"""


@dataclass(slots=True)
class Entry:
    """One record as the world stores it."""

    kind: str
    id: str
    fields: dict[str, Any]
    changed_at: datetime
    state: State = State.LIVE
    links: tuple[Link, ...] = ()
    locked: bool = False
    merged_into: str | None = None
    deleted_at: datetime | None = None
    took: list[tuple[str, str]] = field(default_factory=list)
    """What its delete did to others: (id, "follows") or (id, the field that was emptied)."""


@dataclass(slots=True)
class Fault:
    """Trouble that waits for the next call it is meant for."""

    name: str
    on: str  # a verb, "write", "read", or "" for any call
    times: int
    given: dict[str, Any]
    path: str = ""  # only calls to this place


class Tenant:
    """One account of the world; what the vendor's server knows and does.

    Attributes:
        blocking: Whether a company with live deals refuses its delete.
        approvals: Ids whose delete waits for an approval.
        lacks: Operations that this account may not do.
        job_polls: How often a job says that it still runs.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.records: dict[str, Entry] = {}
        self.log: list[Arrived] = []
        self.faults: list[Fault] = []
        self.jobs: dict[str, tuple[list[str], int]] = {}
        self.stale: dict[str, tuple[Entry, int]] = {}
        self.approvals: set[str] = set()
        self.lacks: set[Operation] = set()
        self.blocking = False
        self.job_polls = 1
        self.token = 1
        self._made = 0
        self._binned: set[str] = set()
        self._changed: list[str] = []

    # --- the wire --------------------------------------------------------------------------------

    def request(
        self,
        token: int,
        verb: str,
        ids: Iterable[str],
        effect: Callable[[], T],
        *,
        write: bool = False,
        place: str = "",
    ) -> T:
        """Receive one request: meet the fault that is due, apply the effect, answer."""
        with self.world.lock:
            named = tuple(ids)
            path = f"/{place or verb}"
            fault = self._due(verb, write, path)
            name, given = (fault.name, fault.given) if fault else ("", {})
            self._sweep()
            self._changed.clear()
            try:
                if name == "expired":
                    self.token += 1
                if token != self.token and verb != "token":
                    raise Unauthorized("the token has expired.", renewable=True)
                if name in BEFORE:
                    raise BEFORE[name](**given)
                answer: T = self._answer(name, given, named, effect)
                if name in AFTER:
                    raise AFTER[name](**given)
                return answer
            finally:
                changed = tuple(dict.fromkeys(self._changed))
                self.log.append(Arrived(len(self.log) + 1, verb, path, write, named, changed))

    def _due(self, verb: str, write: bool, path: str) -> Fault | None:
        for fault in self.faults:
            fits = fault.on in ("", verb, "write" if write else "read")
            if fits and fault.path in ("", path) and verb != "token":
                fault.times -= 1
                if fault.times < 1:
                    self.faults.remove(fault)
                return fault
        return None

    def _answer(
        self, name: str, given: dict[str, Any], ids: tuple[str, ...], effect: Callable[[], T]
    ) -> Any:
        if name == "lies_done":
            return dict.fromkeys(ids, "")
        if name == "lag":
            for one in ids:
                if one in self.records:
                    self.stale[one] = (deepcopy(self.records[one]), given.get("n", 2))
        answer: Any = effect()
        if isinstance(answer, dict):
            if name == "lies_failed":
                answer = dict.fromkeys(answer, "refused")
            elif name == "wrong_ids":
                answer = {f"{one[:3]}9{one[4:]}": code for one, code in answer.items()}
            elif name == "rows_missing" and answer:
                answer.popitem()
        return answer

    # --- what the vendor does --------------------------------------------------------------------

    def add(self, kind: str, **fields: Any) -> RecordRef:
        """Put a record in, as a person would; gives its address."""
        self._made += 1
        one = f"{KINDS[kind]}-{self._made:06d}"
        values = {"created": "2026-01-02T03:04:05Z", "revision": 1, **fields}
        self.records[one] = entry = Entry(kind, one, values, self.world.now)
        self._touch(entry, 0)
        return RecordRef(self.name, kind, one)

    def show(self, one: str) -> Entry | None:
        """What a read shows: a lagging record as it was, for a merged one the one it is in."""
        if one in self.stale:
            old, left = self.stale[one]
            if left > 0:
                self.stale[one] = (old, left - 1)
                return old
            del self.stale[one]
        entry = self.records.get(one)
        return self.records.get(entry.merged_into) if entry and entry.merged_into else entry

    def hanging(self, ids: Iterable[str], child: str, via: str) -> list[Entry]:
        """The live records of a kind whose field names one of these."""
        wanted = frozenset(ids)
        return [
            e
            for e in self.records.values()
            if e.kind == child and e.state is State.LIVE and e.fields.get(via) in wanted
        ]

    def delete(self, one: str) -> str:
        """Move a record to the bin; the answer is a code, empty where it was done."""
        entry = self.records.get(one)
        if entry is None or entry.state is State.GONE:
            return "not_found"
        if entry.state is State.DELETED:
            return "already"
        if entry.state is State.PENDING:
            return "pending"
        if one in self.approvals:
            entry.state = State.PENDING
            self._touch(entry, 0)
            return "pending"
        if entry.locked:
            return "locked"
        if self.blocking and self.hanging([one], "Deal", "company"):
            return "blocked"
        self._bin(entry)
        return ""

    def _bin(self, entry: Entry) -> None:
        entry.took.clear()
        for note in self.hanging([entry.id], "Note", "company"):
            self._bin(note)
            entry.took.append((note.id, "follows"))
        for contact in self.hanging([entry.id], "Contact", "company"):
            del contact.fields["company"]
            self._touch(contact)
            entry.took.append((contact.id, "company"))
        entry.state, entry.deleted_at = State.DELETED, self.world.now
        self._binned.add(entry.id)
        self._touch(entry)

    def restore(self, one: str) -> str:
        """Bring a record back from the bin, with what followed it."""
        entry = self.records.get(one)
        if entry is None or entry.state is State.GONE:
            return "not_found"
        if entry.state is not State.DELETED:
            return "already"
        entry.state, entry.deleted_at = State.LIVE, None
        self._binned.discard(one)
        for other, how in entry.took:
            child = self.records[other]
            if how == "follows" and child.state is State.DELETED:
                self.restore(other)
            elif how != "follows" and how not in child.fields:
                child.fields[how] = one
                self._touch(child)
        self._touch(entry)
        return ""

    def purge(self, one: str) -> str:
        """Empty one record out of the bin for good."""
        entry = self.records.get(one)
        if entry is None:
            return "not_found"
        if entry.state is State.GONE:
            return "already"
        if entry.state is not State.DELETED:
            return "not_in_bin"
        self._binned.discard(one)
        entry.state, entry.links = State.GONE, ()
        self._touch(entry)
        entry.fields = {}
        return ""

    def write(self, one: str, fields: Mapping[str, Any]) -> str:
        """Write fields; None empties one, `locked` locks and unlocks."""
        entry = self.records.get(one)
        if entry is None or entry.state is State.GONE:
            return "not_found"
        if entry.state is not State.LIVE:
            return "in_bin"
        if set(fields) - FIELDS - {"locked"} or set(fields) & set(VENDOR_SET):
            return "unknown_field"
        if entry.locked and "locked" not in fields:
            return "locked"
        for name, value in fields.items():
            if name == "locked":
                entry.locked = bool(value)
            elif is_empty(value):
                entry.fields.pop(name, None)
            else:
                entry.fields[name] = value
        self._touch(entry)
        return ""

    def make(self, kind: str, fields: Mapping[str, Any], made_from: str) -> str:
        """Make a record anew; the answer is its id."""
        kept = {k: v for k, v in fields.items() if k in FIELDS - set(VENDOR_SET)}
        return self.add(kind, **kept, made_from=made_from).id

    def tie(self, one: str, link: Link) -> str:
        """Associate a record with another."""
        entry = self.records.get(one)
        if entry is None or entry.state is not State.LIVE:
            return "not_found"
        if link not in entry.links:
            entry.links += (link,)
            self._touch(entry)
        return ""

    def start(self, handle: str) -> None:
        """Let a job act on all that it was given."""
        ids, _ = self.jobs[handle]
        for one in ids:
            self.delete(one)
        self.jobs[handle] = (ids, self.job_polls)

    def still_runs(self, handle: str) -> bool:
        """Whether a job has not ended yet; each question brings its end nearer."""
        ids, left = self.jobs[handle]
        self.jobs[handle] = (ids, left - 1)
        return left > 0

    def settle(self, one: str, passed: bool) -> None:
        """Let a person pass or reject the approval of a delete."""
        self.approvals.discard(one)
        entry = self.records[one]
        entry.state = State.LIVE
        if passed:
            self._bin(entry)

    def _touch(self, entry: Entry, revisions: int = 1) -> None:
        entry.changed_at = self.world.now
        entry.fields["revision"] = entry.fields.get("revision", 0) + revisions
        self._changed.append(f"{entry.kind}/{entry.id}")

    def _sweep(self) -> None:
        for one in sorted(self._binned):
            since = self.records[one].deleted_at
            if since and self.world.now > since + timedelta(days=BIN_DAYS):
                self.purge(one)


class World(Ground):
    """Accounts of the memory vendor that share a clock and nothing else.

    A world is reached by its name, in the settings' key `world`, for as long as it is entered:

        with World("w1", records=30) as world:
            ...  # [crms.mem] vendor = "memory", world = "w1"

    Args:
        name: What the settings call it; one of its own if empty.
        records: Companies and leads that each account begins with; of the others in proportion.
    """

    _entered: ClassVar[dict[str, World]] = {}

    def __init__(self, name: str = "", records: int = 0) -> None:
        self.name = name or f"world-{id(self):x}"
        self.records = records
        self.crms = ("mem", "mem2")
        self.lock = threading.RLock()
        self.reset()

    def __enter__(self) -> World:
        if self.name in self._entered:
            raise ValueError(f"there is a world {self.name!r} already")
        self._entered[self.name] = self
        return self

    def __exit__(self, *exc: object) -> None:
        del self._entered[self.name]

    @classmethod
    def named(cls, name: str) -> World:
        """The world of that name that is entered now.

        Raises:
            KeyError: There is none.
        """
        return cls._entered[name]

    def __getitem__(self, crm: str) -> Tenant:
        """The account of that name; a new one is empty."""
        return self.tenants.setdefault(crm, Tenant(self, crm))

    # --- the ground ------------------------------------------------------------------------------

    def reset(self) -> None:
        """Begin anew, with the same records and the clock where it began."""
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
        self.tenants: dict[str, Tenant] = {}
        for crm in self.crms:
            if self.records:
                _seed(self[crm], self.records)

    def settings(self, crm: str) -> Mapping[str, Any]:
        """The account's table."""
        return {"vendor": "memory", "environment": "simulator", "world": self.name}

    def truth(self, crm: str) -> Truths:
        """Every record of the account."""
        return {
            (e.kind, e.id): Truth(
                e.kind,
                e.id,
                e.state.value,
                {k: v for k, v in e.fields.items() if not is_empty(v)},
                frozenset((o.name, o.other.kind, o.other.id, o.label) for o in e.links),
                e.locked,
                frozenset(VENDOR_SET),
                e.merged_into,
            )
            for e in deepcopy(list(self[crm].records.values()))
        }

    def arrived(self, crm: str, since: int = 0) -> list[Arrived]:
        """The requests of the account."""
        return [line for line in self[crm].log if line.n > since]

    def trouble(
        self,
        crm: str,
        name: str,
        *,
        like: Arrived | None = None,
        times: int = 1,
        location: str = "",
        on: str = "",
        **given: Any,
    ) -> None:
        """Cause a fault of `BEFORE`, `AFTER` or `LIES` at the next calls.

        Args:
            crm: The account.
            name: Which fault.
            like: Only calls to the same place as this one.
            times: At so many calls.
            location: Nothing here is redirected anywhere.
            on: A verb, "write", "read", or empty for any call.
            given: `retry_after` for busy, `n` for lag.
        """
        if name not in {*BEFORE, *AFTER, *LIES}:
            raise ValueError(f"no fault {name!r}")
        self[crm].faults.append(Fault(name, on, times, given, like.path if like else ""))

    def turn(self, crm: str, by: timedelta) -> None:
        """Turn the clock of the whole world forward."""
        self.now += by

    def act(
        self,
        crm: str,
        act: str,
        kind: str,
        ids: Iterable[str],
        *,
        into: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Lock, unlock, edit, delete, restore, merge, require_approval, approve or reject."""
        tenant = self[crm]
        acts: dict[str, Callable[[str], Any]] = {
            "lock": lambda one: tenant.write(one, {"locked": True}),
            "unlock": lambda one: tenant.write(one, {"locked": False}),
            "edit": lambda one: tenant.write(one, fields or {}),
            "delete": tenant.delete,
            "restore": tenant.restore,
            "require_approval": tenant.approvals.add,
            "approve": lambda one: tenant.settle(one, True),
            "reject": lambda one: tenant.settle(one, False),
            "merge": lambda one: self._merge(tenant, one, into or ""),
        }
        if act not in acts:
            raise CannotDo(f"nobody here can {act}")
        for one in ids:
            acts[act](one)

    @staticmethod
    def _merge(tenant: Tenant, one: str, into: str) -> None:
        loser = tenant.records[one]
        loser.state, loser.merged_into = State.GONE, into
        loser.fields, loser.links = {}, ()


def meets(fields: Mapping[str, Any], condition: Condition) -> bool:
    """Whether these fields meet a condition; an empty value meets only `is empty` and `!=`."""
    value, wanted = fields.get(condition.field), condition.value
    match condition.op:
        case "is empty":
            return is_empty(value)
        case "is not empty":
            return not is_empty(value)
        case "=":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case "in":
            return value in wanted
        case "contains":
            return str(wanted).casefold() in str(value or "").casefold()
    if is_empty(value):
        return False
    compare: Callable[[Any, Any], Any] = {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }[condition.op]
    return bool(compare(value, wanted))


def _seed(tenant: Tenant, records: int) -> None:
    from crm_bridge.simulator.seed import (
        TEXT_SORTS,
        Awkward,
        activities,
        companies,
        deals,
        people,
        sizes,
    )

    seed, size = f"1:{tenant.name}", sizes(records)
    sorts = {kind: Awkward(count, TEXT_SORTS) for kind, count in size.items()}
    parents: list[str] = []

    def owned(row: Any) -> Iterator[tuple[str, Any]]:
        if row.parent >= 0:
            yield "company", parents[row.parent]

    for c in companies(seed, sorts["company"]):
        values = {"phone": c.phone, "note": c.note, "size": c.number, "amount": Decimal(c.revenue)}
        parents.append(tenant.add("Company", name=c.name, **values).id)
    for kind, count in (("Contact", records), ("Lead", 0)):
        for p in people(seed, kind.lower(), sorts[kind.lower()], count):
            values = {"email": p.email, "phone": p.phone, "note": p.note, "size": p.number}
            tenant.add(kind, name=p.name, **values, **dict(owned(p)))
    for d in deals(seed, sorts["deal"], records):
        tenant.add("Deal", name=d.name, amount=Decimal(d.amount), **dict(owned(d)))
    for a in activities(seed, sorts["activity"], records):
        tenant.add("Note", name=a.subject, note=a.text, **dict(owned(a)))
