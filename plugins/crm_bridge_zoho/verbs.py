"""The writes: delete, purge, restore, update, create; one request each, judged row by row.

https://www.zoho.com/crm/developer/docs/api/v7/delete-records.html, mass-delete.html,
del-recycle-bin-records.html, update-records.html, insert-records.html and
https://www.zoho.com/crm/developer/docs/api/v8/restore-recycle-bin-records.html, read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from crm_bridge.kit import (
    Batch,
    Change,
    Link,
    Outcome,
    Record,
    RecordRef,
    Rejected,
    State,
    Unreachable,
    Verdict,
    already,
    done,
    failed,
    is_empty,
    pending,
)
from crm_bridge_zoho.client import TITLE, Client
from crm_bridge_zoho.describes import ATTACHMENTS, Describes
from crm_bridge_zoho.locking import Locking
from crm_bridge_zoho.looking import IDS, Looking
from crm_bridge_zoho.making import alike, made, pointed_at, sent
from crm_bridge_zoho.profile import LOCK
from crm_bridge_zoho.rows import (
    NO_SUCH,
    SCHEDULED,
    SUCCESS,
    Row,
    code_of,
    field_of,
    matched,
    refusal,
)

_BIN: Final = "/settings/recycle_bin"
WAITING: Final = "Zoho CRM has scheduled it; it is still in the bin."


@dataclass(slots=True)
class Verbs:
    """The writes of one account.

    Args:
        client: The account.
        describes: Its metadata.
        looking: Its reads.
    """

    client: Client
    describes: Describes
    looking: Looking
    _refused: dict[str, dict[RecordRef, Outcome]] = field(default_factory=dict)

    # --- away ----------------------------------------------------------------------------------

    def delete(self, batch: Batch) -> Iterator[Outcome]:
        """To the bin; 100 at once, or 500 by mass delete where the row says so."""
        if batch.capability is not None and batch.capability.way == "mass":
            body = {"ids": batch.ids}
            answer = self.client.tell(
                batch, "POST", f"/{batch.kind}/actions/mass_delete", None, body,
                scope="mass_delete.DELETE",
            )  # fmt: skip
        else:
            answer = self.client.delete(batch.refs, batch.kind)
        lost: list[tuple[RecordRef, Row]] = []
        for ref, row in matched(batch.refs, answer.rows("data")):
            if code_of(row) == SUCCESS:
                yield done(ref)
            elif code_of(row) == SCHEDULED:
                yield pending(ref, "Zoho CRM has scheduled it.")
            elif code_of(row) == NO_SUCH and not field_of(row):
                lost.append((ref, row))
            else:
                yield refusal(ref, row)
        yield from self._was_gone(lost)

    def _was_gone(self, lost: Sequence[tuple[RecordRef, Row]]) -> Iterator[Outcome]:
        """One code says that a record was deleted before, and that there never was one: ask."""
        rows = dict(lost)
        for record in self._found(list(rows)):
            if record.state in (State.DELETED, State.GONE) and record.evidence:
                yield already(record.ref, state=record.state)
            elif record.state is State.GONE:
                yield failed(record.ref, "not_found", "Zoho CRM shows no trace of it.",
                             vendor_code=NO_SUCH)  # fmt: skip
            else:
                yield refusal(record.ref, rows[record.ref])

    def _found(self, refs: Sequence[RecordRef]) -> Iterator[Record]:
        for start in range(0, len(refs), IDS):
            part = refs[start : start + IDS]
            yield from self.looking.standing(part[0].kind, [ref.id for ref in part])

    def purge(self, batch: Batch) -> Iterator[Outcome]:
        """Out of the bin for good."""
        params = {"ids": ",".join(batch.ids)}
        answer = self.client.tell(
            batch, "DELETE", _BIN, params, key="recycle_bin", scope="settings.recycle_bin.DELETE"
        )
        lost = []
        for ref, row in matched(batch.refs, answer.rows("recycle_bin")):
            if code_of(row) == SUCCESS:
                yield done(ref)
            elif code_of(row) == SCHEDULED:
                yield pending(ref, "Zoho CRM has scheduled it.")
            elif code_of(row) == NO_SUCH:
                lost.append((ref, row))
            else:
                yield refusal(ref, row)
        for record in self._found([ref for ref, _ in lost]):
            if record.state is State.GONE and record.evidence:
                yield already(record.ref, state=State.GONE)
            else:
                yield failed(record.ref, "not_found", "it is not in the bin.", vendor_code=NO_SUCH)

    # --- back ----------------------------------------------------------------------------------

    def restore(self, batch: Batch, handle: str) -> Iterator[Outcome]:
        """Out of the bin; what Zoho schedules is pending until a poll finds it back."""
        body = {"ids": batch.ids}
        answer = self.client.tell(
            batch, "POST", f"{_BIN}/actions/restore", None, body,
            key="recycle_bin", scope="settings.recycle_bin.UPDATE",
        )  # fmt: skip
        outcomes, lost = [], []
        for ref, row in matched(batch.refs, answer.rows("recycle_bin")):
            if code_of(row) == SUCCESS:
                outcomes.append(done(ref))
            elif code_of(row) == SCHEDULED:
                outcomes.append(pending(ref, WAITING))
            elif code_of(row) == NO_SUCH:
                lost.append(ref)
            else:
                outcomes.append(refusal(ref, row))
        outcomes += map(_not_in_bin, self._found(lost))
        # A refused record lies in the bin like one that waits: only the answer tells them apart.
        refused = {o.ref: o for o in outcomes if o.problem is not None and o.problem.vendor_code}
        if refused:
            self._refused[handle] = refused
        yield from outcomes

    def poll(self, handle: str, batch: Batch) -> Iterator[Outcome]:
        """How a restore stands: in the bin it waits, or was refused; read live it is back."""
        refused = self._refused.get(handle, {})
        for record in self._found(list(batch)):
            if record.state is State.LIVE:
                yield done(record.ref, state=State.LIVE)
            elif record.ref in refused:
                yield refused[record.ref]
            elif record.state is State.DELETED:
                yield pending(record.ref, WAITING)
            else:
                yield _not_in_bin(record)

    # --- fields --------------------------------------------------------------------------------

    def update(self, changes: Sequence[Change]) -> Iterator[Outcome]:
        """Write fields, each record its own; the lock is a field that takes one record."""
        kind = changes[0].ref.kind
        if any(LOCK in change.fields for change in changes):
            if len(changes) > 1 or len(changes[0].fields) > 1:
                raise Rejected("a lock goes on and off one record at a time, by itself.", True)
            locking, wanted = Locking(self.client), changes[0].fields[LOCK]
            off = wanted in (None, False, "", "0", "false", "False")
            yield locking.unlock(changes[0].ref) if off else locking.lock(changes[0].ref)
            return
        fields = self.describes.fields(kind)
        good: list[Change] = []
        for change in changes:
            wrong = [n for n in change.fields if n not in fields or not fields[n].updates]
            # Zoho drops names that it does not know and says that all is well.
            if wrong:
                yield failed(change.ref, "refused", f"no update writes the field {wrong[0]}.")
            else:
                good.append(change)
        if good:
            yield from self._updated(kind, good)

    def _updated(self, kind: str, changes: Sequence[Change]) -> Iterator[Outcome]:
        fields = self.describes.fields(kind)
        rows = [
            {"id": c.ref.id, **{n: _or_none(sent(fields[n], v)) for n, v in c.fields.items()}}
            for c in changes
        ]
        refs = [change.ref for change in changes]
        answer = self.client.tell(
            refs, "PUT", f"/{kind}", None, self._quiet({"data": rows}),
            scope=f"modules.{kind}.UPDATE",
        )  # fmt: skip
        lost = []
        for ref, row in matched(refs, answer.rows("data")):
            if code_of(row) == SUCCESS:
                yield done(ref)
            elif code_of(row) == NO_SUCH and not field_of(row):
                lost.append((ref, row))
            else:
                yield refusal(ref, row)
        told = dict(lost)
        for record in self._found(list(told)):
            if record.state is State.LIVE:
                yield refusal(record.ref, told[record.ref])
                continue
            code = "in_bin" if record.state is State.DELETED else "not_found"
            yield failed(record.ref, code, "there is no live record to write.", vendor_code=NO_SUCH)

    def _quiet(self, body: dict[str, Any]) -> dict[str, Any]:
        """Keep workflow rules silent unless the settings let them fire."""
        return body if self.client.settings.workflows else {**body, "trigger": []}

    # --- anew ----------------------------------------------------------------------------------

    def create(self, records: Sequence[Record]) -> Iterator[Outcome]:
        """Make records anew, under new ids, without a look for duplicates."""
        kind = records[0].ref.kind
        if self.describes.module(kind).kind == "subform":
            yield from self._rows_of(records)
            return
        fields = self.describes.fields(kind)
        alive = self._alive(records, kind)
        bodies = {record.ref: made(record, fields, alive) for record in records}
        good = [r.ref for r in records if bodies[r.ref][0] and kind != ATTACHMENTS]
        why = "nothing of it is kept that an insert takes"
        if kind == ATTACHMENTS:
            why = "the file itself is not kept, only its name"
        for record in records:
            if record.ref not in good:
                yield failed(record.ref, "never", why)
        if not good:
            return
        answer = self.client.tell(
            good, "POST", f"/{kind}", None, self._quiet({"data": [bodies[ref][0] for ref in good]}),
            scope=f"modules.{kind}.CREATE",
        )  # fmt: skip
        rows = answer.rows("data")
        if len(rows) != len(good):
            raise Unreachable(f"{TITLE} answered for {len(rows)} of {len(good)}.", answered=True)
        for ref, row in zip(good, rows, strict=True):
            yield self._made(ref, row, bodies[ref][1])

    def _rows_of(self, records: Sequence[Record]) -> Iterator[Outcome]:
        """Rows of a subform are made with their record: each is looked for, and none is sent."""
        taken: set[str] = set()
        rows: dict[str, list[Row]] = {}
        for record in records:
            parent = record.fields.get("Parent_Id")
            id = parent.get("id") if isinstance(parent, Mapping) else None
            if isinstance(id, str) and id not in rows:
                rows[id] = list(self.looking.rows_under(record.ref.kind, id))
            found = (
                str(row["id"]) for row in rows.get(str(id), ())
                if str(row["id"]) not in taken and alike(row, record.fields)
            )  # fmt: skip
            new = next(found, None)
            if new is None:
                yield failed(record.ref, "not_found", "its record has no such row.")
                continue
            taken.add(new)
            ref = RecordRef(self.client.crm, record.ref.kind, new)
            yield Outcome(record.ref, Verdict.ALREADY, State.LIVE, "row", new_ref=ref)

    def _made(self, ref: RecordRef, row: Row, not_set: Mapping[str, str]) -> Outcome:
        details = row.get("details")
        id = details.get("id") if isinstance(details, Mapping) else None
        if code_of(row) != SUCCESS:
            return refusal(ref, row)
        if not isinstance(id, (str, int)):
            raise Unreachable(f"{TITLE} made a record and does not name it.", answered=True)
        new = RecordRef(self.client.crm, ref.kind, str(id))
        return done(ref, new_ref=new, details={"not_set": dict(not_set)} if not_set else {})

    def link(self, links: Sequence[tuple[RecordRef, Link]]) -> Iterator[Outcome]:
        """Point lookups where they led: an insert has set most, the others by one update."""
        kind = links[0][0].kind
        fields = self.describes.fields(kind)
        names = list(dict.fromkeys(link.name for _, link in links if link.name in fields))
        there = {
            ref.id: {(one.name, one.other.id) for one in record.links}
            for ref, record in self._linked(links, names).items()
        }
        rows: dict[RecordRef, dict[str, Any]] = {}
        for ref, link in links:
            if (link.name, link.other.id) in there.get(ref.id, ()):
                continue
            field = fields.get(link.name)
            if field is None or not field.updates:
                continue
            value: Any = {"id": link.other.id}
            row = rows.setdefault(ref, {"id": ref.id})
            if field.type == "multiselectlookup":
                row.setdefault(link.name, []).append({link.name: value})
            else:
                row[link.name] = value
        told = self._pointed(kind, rows)
        for ref, link in links:
            if (link.name, link.other.id) in there.get(ref.id, ()):
                yield done(ref)
            else:
                no = failed(ref, "refused", f"no update writes {link.name}.")
                yield told.get(ref, no) if link.name in rows.get(ref, ()) else no

    def _linked(
        self, links: Sequence[tuple[RecordRef, Link]], names: Sequence[str]
    ) -> dict[RecordRef, Record]:
        refs = list(dict.fromkeys(ref for ref, _ in links))
        records = self.looking.read(refs[0].kind, [ref.id for ref in refs], names)
        return {record.ref: record for record in records}

    def _pointed(
        self, kind: str, rows: Mapping[RecordRef, Mapping[str, Any]]
    ) -> dict[RecordRef, Outcome]:
        if not rows:
            return {}
        answer = self.client.tell(
            list(rows), "PUT", f"/{kind}", None, self._quiet({"data": list(rows.values())}),
            scope=f"modules.{kind}.UPDATE",
        )  # fmt: skip
        return {
            ref: done(ref) if code_of(row) == SUCCESS else refusal(ref, row)
            for ref, row in matched(list(rows), answer.rows("data"))
        }

    def _alive(self, records: Sequence[Record], kind: str) -> frozenset[str]:
        """Ids that lookups of these lead to and that are there."""
        there: set[str] = set()
        for target, ids in pointed_at(records, self.looking, kind).items():
            there |= set(self.looking.rows(target, sorted(ids), ["Created_Time"]))
        return frozenset(there)


def _not_in_bin(record: Record) -> Outcome:
    if record.state is State.LIVE:
        return already(record.ref, state=State.LIVE)
    return failed(record.ref, "not_found", "it is not in the bin any more.", vendor_code=NO_SUCH)


def _or_none(value: Any) -> Any:
    return None if is_empty(value) else value


