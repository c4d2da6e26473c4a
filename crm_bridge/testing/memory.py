"""A whole CRM in memory: the smallest adapter that does everything an adapter can.

It speaks to a `World` that a test has entered, and to nothing else. Read it before you write your
own: the order of its methods is the order of every adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date
from functools import partial
from typing import Any, Final, Self, TypeVar

from crm_bridge.kit import (
    Account,
    Adapter,
    Batch,
    Capability,
    CascadeRule,
    Change,
    Condition,
    Effect,
    Finding,
    Gate,
    Job,
    Link,
    Operation,
    Outcome,
    Profile,
    Quota,
    Rate,
    Record,
    RecordRef,
    RecoveryWindow,
    Rejected,
    Secret,
    Settings,
    SettingsError,
    State,
    Support,
    Undo,
    already,
    done,
    failed,
    hookimpl,
    is_empty,
    pending,
    skipped,
)
from crm_bridge.testing.world import BIN_DAYS, FIELDS, KINDS, VENDOR_SET, Entry, World, meets

T = TypeVar("T")

PAGE: Final = 50
"""Records that one search answers at once."""

SOURCE: Final = "crm_bridge/testing/world.py"
CHECKED: Final = date(2026, 11, 22)
DETAILS: Final = {
    "not_found": "there is no such record",
    "in_bin": "the record is in the bin",
    "not_in_bin": "the record is not in the bin",
    "locked": "the record is locked",
    "blocked": "deals hang on the company",
    "refused": "the world refuses",
    "unknown_field": "there is no such field, or nobody may write it",
}


class MemorySettings(Settings, kw_only=True, frozen=True):
    """The keys of `[crms.NAME]`.

    Attributes:
        world: The name of the `World` to speak to.
        account: The account's name there; the crm's own if empty.
        token: The login; any will do.
    """

    world: str
    account: str = ""
    token: Secret = Secret("memory-key")


def _row(operation: Operation, support: Support, **facts: Any) -> Capability:
    return Capability(operation, support, source=SOURCE, checked=CHECKED, **facts)


def _rule(child: str, effect: Effect, comes_back: bool | None) -> CascadeRule:
    return CascadeRule("Company", child, "company", effect, comes_back, Operation.DELETE, SOURCE)


_LIVE, _MARKED = (State.LIVE,), (State.VOIDED, State.ARCHIVED)
_BIN: Final = RecoveryWindow(Undo.SAME_ID, BIN_DAYS, guaranteed=True)
_FOR_GOOD: Final = RecoveryWindow(Undo.SAME_ID)
_ANY_LIVE: Final = (State.LIVE, *_MARKED)
MARKS: Final = {
    "*": {
        Operation.VOID: {"crm_bridge_status": "void"},
        Operation.ARCHIVE: {"crm_bridge_status": "archived"},
    }
}
PROFILE: Final = Profile(
    vendor="memory",
    title="Memory",
    capabilities=(
        _row(Operation.VOID, Support.MARKED, takes=_LIVE, gives=State.VOIDED, batch=10,
             window=_FOR_GOOD),
        _row(Operation.ARCHIVE, Support.MARKED, takes=_LIVE, gives=State.ARCHIVED, batch=10,
             window=_FOR_GOOD),
        _row(Operation.DELETE, Support.NATIVE, takes=_ANY_LIVE, gives=State.DELETED, batch=10,
             window=_BIN),
        _row(Operation.DELETE, Support.NATIVE, takes=_ANY_LIVE, gives=State.DELETED, batch=500,
             window=_BIN, way="bulk", at_least=50, job=True, sends=2),
        _row(Operation.PURGE, Support.NATIVE, takes=(State.DELETED,), gives=State.GONE, batch=10),
        _row(Operation.RESTORE, Support.NATIVE, takes=(State.DELETED,), gives=State.LIVE, batch=10),
        _row(Operation.RESTORE, Support.MARKED, takes=_MARKED, gives=State.LIVE, batch=10),
        _row(Operation.RESTORE, Support.REMADE, takes=(State.GONE,), gives=State.LIVE, batch=10),
    ),
    cascades=(
        _rule("Contact", Effect.DETACHES, True),
        _rule("Note", Effect.FOLLOWS, True),
        _rule("Deal", Effect.MAY_BLOCK, None),
    ),
    aliases={"company": "Company", "contact": "Contact", "lead": "Lead", "deal": "Deal"},
    marks=MARKS,
    marker="crm_bridge_status",
    lock="locked",
    vendor_set=VENDOR_SET,
    rates=(Rate(calls=1000, seconds=1),),
    lanes=2,
    read_batch=100,
    id_grammar=rf"({'|'.join(KINDS.values())})-[0-9]{{6}}",
    source=SOURCE,
)  # fmt: skip


class MemoryAdapter(Adapter):
    """One account of a `World`."""

    settings = MemorySettings
    profile = PROFILE

    def __init__(self, crm: str, settings: MemorySettings, gate: Gate, world: World) -> None:
        self.crm = crm
        self._settings = settings
        self._gate = gate
        self._tenant = world[settings.account or crm]
        self._token = self._tenant.token

    @classmethod
    def connect(cls, crm: str, settings: MemorySettings, gate: Gate) -> Self:
        """Find the world by its name."""
        try:
            return cls(crm, settings, gate, World.named(settings.world))
        except KeyError:
            raise SettingsError(f"no world {settings.world!r} is entered.") from None

    def find(
        self,
        kind: str,
        where: Sequence[Condition] = (),
        state: State = State.LIVE,
        native: str | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Record]:
        """Stream by pages of `PAGE`, in the order of ids; `native` is `field=value`."""
        conditions = list(where)
        if native is not None:
            name, _, value = native.partition("=")
            conditions = [Condition(name, "=", value)]
        strange = {c.field for c in conditions} | set(fields)
        if kind not in KINDS or strange - FIELDS or state not in (State.LIVE, State.DELETED):
            raise Rejected(f"there is no {kind} with {sorted(strange)} that is {state}.")
        last = ""
        while page := self._ask("find", (), partial(self._page, kind, conditions, state, last)):
            last = page[-1].id
            for entry in page:
                record = self._record(entry)
                kept = {k: v for k, v in record.fields.items() if not fields or k in fields}
                yield Record(record.ref, record.state, kept, record.links, record.changed_at,
                             locked=record.locked)  # fmt: skip

    def read(self, batch: Batch) -> Iterator[Record]:
        """Read by ids; the world answers in the order it was asked in."""
        shown = self._ask("read", batch.ids, lambda: [self._tenant.show(one) for one in batch.ids])
        for ref, entry in zip(batch, deepcopy(shown), strict=True):
            if entry is None or entry.kind != ref.kind:
                yield Record(ref, State.GONE)
            elif entry.id != ref.id:
                yield Record(ref, State.GONE, evidence=f"merged into {entry.id}")
            elif entry.state is State.GONE:
                yield Record(ref, State.GONE, evidence="listed as gone for good")
            else:
                yield self._record(entry)

    def delete(self, batch: Batch, job: Job | None = None) -> Iterable[Outcome]:
        """To the bin; with `job`, by a job that is made, known, and only then started."""
        if job is None:
            yield from self._each(batch, "delete", self._tenant.delete)
            return
        jobs, handle = self._tenant.jobs, f"job-{len(self._tenant.jobs) + 1}"
        self._tell(batch, "make_job", lambda: jobs.update({handle: (batch.ids, -1)}))
        job.save(handle)
        self._tell(batch, "start_job", lambda: self._tenant.start(handle))
        yield from (pending(ref, "the job runs", details={"job": handle}) for ref in batch)

    def purge(self, batch: Batch) -> Iterable[Outcome]:
        """Out of the bin for good."""
        return self._each(batch, "purge", self._tenant.purge)

    def restore(self, batch: Batch) -> Iterable[Outcome]:
        """Out of the bin, back to where it was."""
        return self._each(batch, "restore", self._tenant.restore)

    def poll(self, handle: str, batch: Batch) -> Iterable[Outcome]:
        """How the job stands; one that never started is as if it had never been."""
        if self._ask("poll", (), lambda: self._tenant.still_runs(handle)):
            yield from (pending(ref, "the job runs") for ref in batch)
            return
        for record in self.read(batch):
            gone = record.state is State.DELETED
            yield done(record.ref) if gone else failed(record.ref, "refused", DETAILS["refused"])

    def update(self, changes: Sequence[Change]) -> Iterable[Outcome]:
        """Write fields, each record its own."""
        fields = {change.ref.id: change.fields for change in changes}
        refs = [change.ref for change in changes]
        return self._each(refs, "update", lambda one: self._tenant.write(one, fields[one]))

    def create(self, records: Sequence[Record]) -> Iterable[Outcome]:
        """Make anew; what the world writes itself is not set."""
        refs = [record.ref for record in records]
        made = self._tell(refs, "create", lambda: [
            self._tenant.make(r.ref.kind, r.fields, r.ref.id) for r in records])  # fmt: skip
        for record, new in zip(records, made, strict=True):
            missing = {k: "the world writes it itself" for k in record.fields if k in VENDOR_SET}
            new_ref = RecordRef(self.crm, record.ref.kind, new)
            yield done(record.ref, new_ref=new_ref, details={"not_set": missing})

    def link(self, links: Sequence[tuple[RecordRef, Link]]) -> Iterable[Outcome]:
        """Associate each with its other."""
        ties = [(ref, self._tenant.tie, link) for ref, link in links]
        codes = self._tell([ref for ref, _ in links], "link", lambda: [
            tie(ref.id, link) for ref, tie, link in ties])  # fmt: skip
        for (ref, _), code in zip(links, codes, strict=True):
            yield self._outcome(ref, code)

    def spell_kind(self, kind: str) -> str:
        """Resolve an alias; the kinds are known and closed."""
        kind = super().spell_kind(kind)
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind; there are {', '.join(KINDS)}")
        return kind

    def spell_id(self, kind: str, id: str) -> str:
        """Ids begin with two letters of their kind."""
        if not super().spell_id(kind, id).startswith(KINDS[self.spell_kind(kind)]):
            raise ValueError(f"{id!r} is not an id of a {kind}")
        return id

    def relations(self, kind: str) -> tuple[CascadeRule, ...]:
        """The profile's rules, where deals of this account block for sure or surely do not."""
        rules = super().relations(kind)
        if self._tenant.blocking:
            return tuple(
                _rule("Deal", Effect.BLOCKS, None) if r.child == "Deal" else r for r in rules
            )
        return tuple(rule for rule in rules if rule.child != "Deal")

    def children(self, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        """All at once."""
        find = lambda: self._tenant.hanging(batch.ids, rule.child, rule.via)  # noqa: E731
        return (self._record(entry) for entry in self._ask("children", (), find))

    def count(self, batch: Batch, rule: CascadeRule) -> int | None:
        """As many as there are."""
        find = lambda: self._tenant.hanging(batch.ids, rule.child, rule.via)  # noqa: E731
        return len(self._ask("count", (), find))

    def precheck(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterable[Finding | Outcome]:
        """Merged records are left alone."""
        for record in records:
            if record.evidence.startswith("merged"):
                yield skipped(record.ref, "merged", record.evidence)

    def total(self, kind: str) -> int | None:
        """Live records."""
        mine = self._tenant.records
        return self._ask("total", (), lambda: sum(
            e.kind == kind and e.state is State.LIVE for e in mine.values()))  # fmt: skip

    def page(self, ref: RecordRef, state: State | None) -> str | None:
        """A page that nobody can open."""
        return f"https://memory.invalid/{self._tenant.name}/{ref.kind}/{ref.id}"

    def abilities(self) -> Profile:
        """Without what this account may not do."""
        rows = self.profile.capabilities
        return self.profile.limited(
            tuple(row for row in rows if row.operation not in self._tenant.lacks)
        )

    def twin(self, record: Record) -> RecordRef | None:
        """By the field that tells what a record was made from."""
        return next(iter(self.twins([record]).get(record.ref, ())), None)

    def twins(self, records: Sequence[Record]) -> Mapping[RecordRef, Sequence[RecordRef]]:
        """By that field as well; nothing here keeps a record from being made twice."""
        found: dict[RecordRef, list[RecordRef]] = {}
        by_id = {record.ref.id: record.ref for record in records}
        for kind in {record.ref.kind for record in records}:
            for made in self.find(kind, [Condition("made_from", "in", list(by_id))]):
                found.setdefault(by_id[str(made.fields["made_from"])], []).append(made.ref)
        return found

    def renew(self) -> None:
        """Another token."""
        self._token = self._ask("token", (), lambda: self._tenant.token)

    def whoami(self) -> Account:
        """The account's own name and the world's clock."""
        now = self._ask("whoami", (), lambda: self._tenant.world.now)
        name = self._tenant.name
        return Account(f"org-{name}", f"World of {name}", "simulator", "tester", now,
                       Quota(100_000, 100_000 - len(self._tenant.log)))  # fmt: skip

    # --- private ---------------------------------------------------------------------------------

    def _ask(self, verb: str, ids: Iterable[str], effect: Callable[[], T]) -> T:
        return self._gate.ask(lambda: self._tenant.request(self._token, verb, ids, effect))

    def _tell(self, refs: Iterable[RecordRef], verb: str, effect: Callable[[], T]) -> T:
        refs = tuple(refs)
        ids = [ref.id for ref in refs]
        return self._gate.tell(
            refs, lambda: self._tenant.request(self._token, verb, ids, effect, write=True)
        )

    def _each(
        self, refs: Sequence[RecordRef], verb: str, act: Callable[[str], str]
    ) -> Iterator[Outcome]:
        answer = self._tell(refs, verb, lambda: {ref.id: act(ref.id) for ref in refs})
        kind = refs[0].kind
        return (self._outcome(RecordRef(self.crm, kind, one), code) for one, code in answer.items())

    @staticmethod
    def _outcome(ref: RecordRef, code: str) -> Outcome:
        if code == "":
            return done(ref)
        if code == "already":
            return already(ref)
        if code == "pending":
            return pending(ref, "waits for an approval", details={"instance": f"ap-{ref.id}"})
        return failed(ref, code, DETAILS[code], vendor_code=code.upper())

    def _page(self, kind: str, where: Sequence[Condition], state: State, last: str) -> list[Entry]:
        shown = (self._tenant.show(one) for one in list(self._tenant.records) if one > last)
        fits = (
            e
            for e in shown
            if e and e.kind == kind and e.state is state and all(meets(e.fields, c) for c in where)
        )
        return deepcopy([entry for entry, _ in zip(fits, range(PAGE), strict=False)])

    def _record(self, entry: Entry) -> Record:
        ref = RecordRef(self.crm, entry.kind, entry.id)
        fields: Mapping[str, Any] = {k: v for k, v in entry.fields.items() if not is_empty(v)}
        return Record(ref, entry.state, fields, entry.links, entry.changed_at, locked=entry.locked)


@hookimpl
def provide_adapters() -> list[type[Adapter]]:
    """Give the memory adapter, where a test registers this module as a plugin."""
    return [MemoryAdapter]
