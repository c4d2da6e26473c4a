"""Salesforce: what is called, in the order that every adapter has."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, Self

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
    Operation,
    Outcome,
    Profile,
    Record,
    RecordRef,
    RecoveryWindow,
    Rejected,
    Severity,
    State,
    Support,
    Unauthorized,
    Unreachable,
    together,
)
from crm_bridge_salesforce import bulk, ids, soql
from crm_bridge_salesforce.checks import Checks, missing
from crm_bridge_salesforce.profile import BULK_ABOVE, ORIGIN, PROFILE, WIDE
from crm_bridge_salesforce.reading import Reader, moment, named_by
from crm_bridge_salesforce.schema import Kind
from crm_bridge_salesforce.tally import Tally
from crm_bridge_salesforce.wire import SalesforceSettings, Wire
from crm_bridge_salesforce.writing import Writer, settable

_MARKING: Final = (Operation.VOID, Operation.ARCHIVE)
_FORESEEN: Final = 4
"""Kinds that are described with the first question who we are, of those that were named by then."""
_TELLING: Final = frozenset(
    ["string", "email", "phone", "url", "picklist", "textarea", "reference"]
)
"""Types of the fields that a twin is looked for by."""


class SalesforceAdapter(Adapter):
    """One org, as one user."""

    settings = SalesforceSettings
    profile = PROFILE
    clients: ClassVar[tuple[str, ...]] = ("simple-salesforce",)

    def __init__(self, crm: str, settings: SalesforceSettings, gate: Gate) -> None:
        self.crm = crm
        self._settings, self._gate = settings, gate
        self._wire = Wire(settings)
        self._lock, self._edition = threading.Lock(), ""
        self._reader = Reader(crm, self._wire, gate, self._ready, settings.bin_days)
        self._writer = Writer(crm, self._wire, gate, self._ready)
        self._unstarted = bulk.Unstarted()
        self._checks = Checks(self._reader, self._wire)
        self._tally = Tally(self._reader)
        self._schema = self._reader.schema
        self._named: set[str] = set()

    @classmethod
    def connect(cls, crm: str, settings: SalesforceSettings, gate: Gate) -> Self:
        """Make the session and the client; nothing is sent."""
        return cls(crm, settings, gate)

    def find(
        self,
        kind: str,
        where: Sequence[Condition] = (),
        state: State = State.LIVE,
        native: str | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Record]:
        """Stream by SOQL, in the order of ids; `native` is SOQL, whole or what follows WHERE."""
        known = self._schema.kind(kind)
        deleted = state is State.DELETED
        if state not in (State.LIVE, State.DELETED):
            raise Rejected(f"Salesforce cannot list records that are {state}.")
        try:
            # What the vendor does not filter by is judged here, record by record.
            asked = [c for c in where if known.filters(c.field)]
            clauses = [soql.clause(condition, known.types) for condition in asked]
            mine = [soql.judge(c, known.types) for c in where if not known.filters(c.field)]
            names = self._names(known, where, fields)
            if native is not None:
                text = soql.native(native, names, kind)
        except ValueError as error:
            raise Rejected(f"{kind} cannot be searched so: {error}.") from None
        if deleted:
            if "IsDeleted" not in known.fields:
                return
            clauses.append("IsDeleted = true")

        def query_for(some: Sequence[str]) -> str:
            if native is not None:
                return text.replace(",".join(names), ",".join(some), 1)
            return soql.query(some, kind, clauses)

        for record in self._reader.found(known, query_for, names, deleted=deleted):
            if soql.exactly(record, where) and all(fits(record) for fits in mine):
                yield record

    def read(self, batch: Batch) -> Iterator[Record]:
        """Read whole, deleted ones too, with locks and the bin's list in the same call."""
        return self._reader.records(batch.kind, batch.ids)

    def delete(self, batch: Batch, job: Job | None = None) -> Iterable[Outcome]:
        """To the bin, by one collections call; with `job`, by a Bulk job."""
        if job is None:
            return self._writer.delete(batch.refs)
        return bulk.run(batch, "delete", job, self._writer.tell, self._unstarted)

    def purge(self, batch: Batch, job: Job | None = None) -> Iterable[Outcome]:
        """Out of the bin for good; with `job`, past the bin by a Bulk job."""
        if job is None:
            return self._writer.by_soap("emptyRecycleBin", batch.refs)
        return bulk.run(batch, "hardDelete", job, self._writer.tell, self._unstarted)

    def restore(self, batch: Batch) -> Iterable[Outcome]:
        """Out of the bin by SOAP, with what went along."""
        return self._writer.by_soap("undelete", batch.refs)

    def poll(self, handle: str, batch: Batch) -> Iterable[Outcome]:
        """How a Bulk job stands, and, once it has ended, what all three of its lists say."""
        at_once = partial(together, self._gate)
        return bulk.outcomes(handle, batch, self._reader.ask, self._unstarted, at_once)

    def update(self, changes: Sequence[Change]) -> Iterable[Outcome]:
        """Write fields, each record its own, by one collections call."""
        return self._writer.write([(change.ref, change.fields) for change in changes])

    def create(self, records: Sequence[Record]) -> Iterable[Outcome]:
        """Make anew what may be set; the rest is named, lookups to what is not there among it."""
        kind = self._schema.kind(records[0].ref.kind)
        there = self._reader.there(named_by(kind, [record.fields for record in records]))
        return self._writer.make(kind, records, there)

    def spell_kind(self, kind: str) -> str:
        """An API name as it is; an alias is resolved."""
        name = ids.spell_kind(super().spell_kind(kind))
        self._named.add(name)
        return name

    def spell_id(self, kind: str, id: str) -> str:
        """With 18 characters, its checksum and its kind held."""
        return ids.spell(self.spell_kind(kind), id)

    def relations(self, kind: str) -> tuple[CascadeRule, ...]:
        """By the account's own describe, custom objects included.

        A purge past the bin takes the same children along; a purge out of the bin finds them there.
        """
        rules = self._schema.rules(kind)
        if not self._checks.rights()["BulkApiHardDelete"]:
            return rules
        gone = [
            dataclasses.replace(
                rule,
                operation=Operation.PURGE,
                comes_back=False if rule.effect is Effect.FOLLOWS else None,
            )
            for rule in rules
        ]
        return (*gone, *rules)

    def children(self, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        """By one query of the child, page by page; none where a common count finds nothing."""
        if not self._schema.has(rule.child) or self._tally.of(batch, rule) == 0:
            return iter(())
        child = self._schema.kind(rule.child)
        if rule.via not in child.fields:
            return iter(())
        return self._reader.hanging(child, rule.via, batch.ids)

    def count(self, batch: Batch, rule: CascadeRule) -> int | None:
        """By counts of five relations a call; None where the child cannot be asked so."""
        return self._tally.of(batch, rule) if self._schema.has(rule.child) else None

    def precheck(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterable[Finding | Outcome]:
        """Rights, blockers, merges, how full the bin is, fields that are missing."""
        if not records:
            return
        kind = self._schema.kind(records[0].ref.kind)
        self._who()
        if operation in (Operation.DELETE, Operation.PURGE):
            yield from self._checks.taking(operation, kind, records)
        elif operation is Operation.RESTORE:
            marks = self._marks(kind.name, Operation.ARCHIVE)
            yield from self._checks.returning(kind, records, marks)
        elif any(row.support is Support.MARKED for row in self.profile.rows(operation, kind.name)):
            marks = self._marks(kind.name, operation)
            yield from self._checks.marking(kind, records, marks)

    def total(self, kind: str) -> int | None:
        """By `SELECT COUNT()`, which no page of records follows."""
        name = self._schema.kind(kind).name
        return self._reader.count(soql.query(["COUNT()"], name, [], ordered=False))

    def page(self, ref: RecordRef, state: State | None) -> str | None:
        """The record's page in Lightning, or the recycle bin's where it lies there."""
        if state is State.GONE:
            return None
        if state is State.DELETED:
            return f"{self._wire.home}/lightning/o/DeleteEvent/home"
        return f"{self._wire.home}/lightning/r/{ref.kind}/{ref.id}/view"

    def abilities(self) -> Profile:
        """Without SOAP for a token in JWT form, without hardDelete where the right is missing.

        More lanes for an edition that allows more at once. A purge is left out where nobody tells
        what lies in the bin: queryAll shows what was emptied out of it for a day more, so nothing
        would prove it. The window and the size from which on Bulk is used are those of the settings.
        """
        self._ready()
        rights = self._checks.rights()
        rows = [
            self._fitted(row)
            for row in self.profile.capabilities
            if self._wire.opaque or not row.means.startswith("SOAP")
            if rights["BulkApiHardDelete"] or row.way != "hard"
            if rights["BinList"] or row.operation is not Operation.PURGE
        ]
        narrow = self._edition in ("", "Developer Edition")
        lanes = self.profile.lanes if narrow else WIDE
        return dataclasses.replace(self.profile, capabilities=tuple(rows), lanes=lanes)

    def twin(self, record: Record) -> RecordRef | None:
        """By the field that holds the old id, where the org has one; else by all that was set.

        Without that field only records count that this user made after the snapshot was taken.
        """
        return next(iter(self.twins([record]).get(record.ref, ())), None)

    def twins(self, records: Sequence[Record]) -> Mapping[RecordRef, Sequence[RecordRef]]:
        """As `twin`, oldest first; nothing but that field tells one record from its like."""
        found: dict[RecordRef, list[RecordRef]] = {}
        for name in {record.ref.kind for record in records}:
            kind, some = self._schema.kind(name), [r for r in records if r.ref.kind == name]
            if ORIGIN not in kind.fields:
                found.update({record.ref: self._alike(kind, record) for record in some})
                continue
            by_id = {record.ref.id: record.ref for record in some}
            where = [soql.clause(Condition(ORIGIN, "in", list(by_id)), kind.types)]
            for row in self._reader.rows(soql.query(["Id", ORIGIN], kind.name, where)):
                ref = RecordRef(self.crm, kind.name, ids.whole(row["Id"]))
                found.setdefault(by_id[str(row[ORIGIN])], []).append(ref)
        return {ref: sorted(some) for ref, some in found.items()}

    def _alike(self, kind: Kind, record: Record) -> list[RecordRef]:
        """Records that hold all that a remake sets, made by us since the snapshot was taken."""
        given, _ = settable(kind, record)
        since = moment(record.fields.get("SystemModstamp"))
        where = [Condition("CreatedById", "=", self._who())] if "CreatedById" in kind.fields else []
        if since is not None and "CreatedDate" in kind.fields:
            where.append(Condition("CreatedDate", ">=", since))
        telling = [n for n in given if kind.fields[n].type in _TELLING and len(str(given[n])) < 256]
        where += [
            Condition(n, "=", given[n]) for n in telling[:6] if kind.fields[n].type != "textarea"
        ]
        return [
            r.ref
            for r in self.find(kind.name, where)
            if r.ref != record.ref and all(r.fields.get(n) == v for n, v in given.items())
        ]

    def prepare(self) -> Iterable[Finding]:
        """Say which marker fields are missing; an administrator makes them, field by field."""
        for kind in self._kinds_to_mark():
            for operation in _MARKING:
                why = missing(kind, self._marks(kind.name, operation))
                if why:
                    yield Finding(
                        Severity.WARNING, "vendor_note",
                        f"{kind.name} cannot be marked for {operation.value} yet.", why,
                    )  # fmt: skip

    def examine(self) -> Iterable[tuple[str, bool, str]]:
        """The token's form, the user's rights, the bin's list, the marker field."""
        self._ready()
        form = "opaque" if self._wire.opaque else "in JWT form, which SOAP and so undelete refuse"
        yield "token", self._wire.opaque, f"the access token is {form}"
        rights = self._checks.rights()
        other = "what others deleted" if rights["ModifyAllData"] else "only what it deleted"
        yield "restore", True, f"this user undeletes {other}"
        hard = "may" if rights["BulkApiHardDelete"] else "may not (Bulk API Hard Delete)"
        yield "purge", True, f"this user {hard} delete past the recycle bin"
        lists = rights["BinList"]
        yield "bin", True, (
            "the recycle bin's list can be asked" if lists else "the recycle bin has no list here, "
            "so nothing proves a purge, and none is offered"
        )  # fmt: skip
        for kind in self._kinds_to_mark():
            why = missing(kind, self._marks(kind.name, Operation.VOID))
            yield f"marks {kind.name}", not why, why or f"{kind.name} can be marked"

    def renew(self) -> None:
        """Log in again, where the settings hold more than a token."""
        if not self._wire.renewable:
            raise Unauthorized("the token does not hold, and a given token cannot be renewed.")
        self._gate.ask(self._wire.login)
        self._checks.user = ""

    def whoami(self) -> Account:
        """The org by its own record, the user by the login's."""
        query = "SELECT Id, Name, IsSandbox, OrganizationType FROM Organization"
        asked: list[Callable[[], Any]] = [
            partial(self._reader.ask, lambda client: client.query(query))
        ]
        self._ready()
        if not self._checks.told:
            # A new connection is asked for these next, and none of them needs the others.
            asked += [self._checks.rights, *self._schema.soon(sorted(self._named)[:_FORESEEN])]
        told = together(self._gate, asked)[0]
        now, quota = self._wire.now, self._wire.quota
        rows = told.get("records") if isinstance(told, dict) else None
        if not rows or not isinstance(rows[0].get("Id"), str):
            raise Unreachable("Salesforce does not say which org this is.", strange=True)
        org = rows[0]
        self._edition = str(org.get("OrganizationType") or "")
        environment = "sandbox" if org.get("IsSandbox") else "production"
        if self._settings.environment == "simulator":
            # Loopback alone is taken under this claim, so nothing else can answer.
            environment = "simulator"
        return Account(
            ids.whole(org["Id"]), str(org.get("Name") or ""), environment, self._who(), now, quota
        )

    def close(self) -> None:
        """Let connections go."""
        self._wire.close()

    # --- private ---------------------------------------------------------------------------------

    def _ready(self) -> None:
        if not self._wire.ready:
            with self._lock:
                if not self._wire.ready:
                    self._gate.ask(self._wire.login)

    def _who(self) -> str:
        """The user's id: as the login told it, else asked once."""
        if not self._checks.user:
            self._ready()
            if self._wire.identity is not None:
                self._checks.user = ids.whole(self._wire.identity[1])
            else:
                told = self._reader.ask(lambda client: client.oauth2("userinfo"))
                user = told.get("user_id") if isinstance(told, dict) else None
                if not isinstance(user, str):
                    raise Unreachable("Salesforce does not say who this is.", strange=True)
                self._checks.user = ids.whole(user)
        return self._checks.user

    def _names(self, kind: Kind, where: Sequence[Condition], fields: Sequence[str]) -> list[str]:
        if not fields:
            return ["Id", *kind.readable]
        strange = [name for name in fields if name not in kind.fields]
        if strange:
            raise ValueError(f"there is no field {strange[0]!r}")
        more = [c.field for c in where] + ["IsDeleted", "MasterRecordId", "SystemModstamp"]
        wanted = [*fields, *(n for n in more if n in kind.readable)]
        return ["Id", *dict.fromkeys(n for n in wanted if n != "Id")]

    def _marks(self, kind: str, operation: Operation) -> Mapping[str, Any]:
        own = self._settings.marks
        named = {self.profile.aliases.get(name, name): by for name, by in own.items()}
        told: Mapping[str, Any] = named.get(kind, {}).get(operation.value, {})
        return told or self.profile.marks_for(kind, operation)

    def _kinds_to_mark(self) -> Iterator[Kind]:
        named = [self.spell_kind(kind) for kind in self._settings.marks]
        for name in dict.fromkeys([*self.profile.aliases.values(), *named]):
            yield self._schema.kind(name)

    def _fitted(self, row: Capability) -> Capability:
        if row.window.days is not None and row.window.days != self._settings.bin_days:
            window = RecoveryWindow(row.window.undo, self._settings.bin_days, guaranteed=False)
            row = dataclasses.replace(row, window=window)
        if row.way == "bulk" and self._settings.bulk_above != BULK_ABOVE:
            row = dataclasses.replace(row, at_least=self._settings.bulk_above + 1)
        return row
