"""The writes: delete, purge, restore, update; one request each, judged row by row.

https://www.zoho.com/crm/developer/docs/api/v7/delete-records.html, mass-delete.html,
del-recycle-bin-records.html, update-records.html and
https://www.zoho.com/crm/developer/docs/api/v8/restore-recycle-bin-records.html, read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from crm_bridge.kit import (
    Batch,
    Change,
    Outcome,
    Record,
    RecordRef,
    Rejected,
    State,
    already,
    done,
    failed,
    is_empty,
    pending,
)
from crm_bridge_zoho.bin import IDS
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.describes import ANY_MODULE, Describes, Field
from crm_bridge_zoho.locking import Locking
from crm_bridge_zoho.looking import KEPT, Looking
from crm_bridge_zoho.making import sent
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
        rows = [_row(change, fields) for change in changes]
        refs = [change.ref for change in changes]
        answer = self.client.tell(
            refs, "PUT", f"/{kind}", None, self.client.quiet({"data": rows}),
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


def _not_in_bin(record: Record) -> Outcome:
    if record.state is State.LIVE:
        return already(record.ref, state=State.LIVE)
    return failed(record.ref, "not_found", "it is not in the bin any more.", vendor_code=NO_SUCH)


def _or_none(value: Any) -> Any:
    return None if is_empty(value) else value


def _row(change: Change, fields: Mapping[str, Field]) -> dict[str, Any]:
    row = {"id": change.ref.id}
    row |= {n: _or_none(sent(fields[n], v)) for n, v in change.fields.items()}
    for name, ref in change.leads.items():
        # A lookup to several modules is written with the one that it leads to.
        if fields[name].target == ANY_MODULE:
            row[KEPT] = ref.kind
    return row
