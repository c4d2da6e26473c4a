"""FxiaoKe for crm_bridge: void, recover and delete natively, archive by a mark, remake from a snapshot.

The success of a call is not the success of what it asks for (an approval may hold it), and a refusal
has a code that nobody has published: the core reads back after every write, and so every call here is
made so that a read can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from crm_bridge.kit import (
    Account,
    Adapter,
    Batch,
    CascadeRule,
    Change,
    Condition,
    Finding,
    Gate,
    Operation,
    Outcome,
    Profile,
    Record,
    RecordRef,
    Rejected,
    Severity,
    State,
    done,
    failed,
    is_empty,
    is_loopback,
    skipped,
    unknown,
)
from crm_bridge_fxiaoke import queries
from crm_bridge_fxiaoke.answers import is_business
from crm_bridge_fxiaoke.client import Client, path_of
from crm_bridge_fxiaoke.describes import LOOKUPS, Describes
from crm_bridge_fxiaoke.looking import Looking
from crm_bridge_fxiaoke.profile import LOCK, PROFILE
from crm_bridge_fxiaoke.records import UNDER_REVIEW, record_of, remade
from crm_bridge_fxiaoke.settings import FxiaokeSettings, checked_url

BULK_VOID = "/cgi/crm/custom/data/invalid"
LOCK_PATH, UNLOCK_PATH = "/cgi/crm/v2/object/lock", "/cgi/crm/v2/object/unlock"
PEOPLE = "PersonnelObj"
QUIET: Mapping[str, Any] = {"triggerApprovalFlow": False, "triggerWorkFlow": False}
"""Marks and remakes are no new business: they start no approval and no automation, where asked so.
https://developer.fxiaoke.com/openapi_v2/object/CustomersAndContacts/AccountObj/update.html"""
POOLS = {"AccountObj": "high_seas_id", "LeadsObj": "leads_pool_id"}


class FxiaokeAdapter(Adapter):
    """One enterprise of FxiaoKe, as one acting employee."""

    settings = FxiaokeSettings
    profile = PROFILE

    def __init__(self, crm: str, settings: FxiaokeSettings, gate: Gate) -> None:
        self.crm = crm
        self._settings = settings
        self._url = checked_url(settings)
        self._client = Client(settings, self._url, gate)
        self._describes = Describes(self._client)
        self._looking = Looking(crm, self._client, self._describes)

    @classmethod
    def connect(cls, crm: str, settings: FxiaokeSettings, gate: Gate) -> Self:
        """Make the session; nothing is sent.

        Raises:
            SettingsError: The acting user is missing, or the host is none of the vendor's API.
            PlanBlocked: A simulator's address under another claim, or the other way round.
        """
        return cls(crm, settings, gate)

    def find(
        self,
        kind: str,
        where: Sequence[Condition] = (),
        state: State = State.LIVE,
        native: str | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Record]:
        """Stream by pages of 100, in the order of ids; `native` is the vendor's filters as JSON.

        Live records are those in daily work; `VOIDED` needs a vendor that shows them, `PENDING` are
        those in an approval.

        Raises:
            Rejected: An unknown object, field or operator; a state that cannot be listed.
        """
        described = self._describes.fields(kind)
        for name in fields:
            queries.known(kind, name, described)
        if native is not None:
            asked = queries.native_filters(native)
        else:
            asked = queries.filters(kind, where, described)
        texts = [c for c in where if native is None and c.op == "contains"]
        for record in self._looking.search(kind, asked, state, fields):
            if all(_contains(record.fields.get(c.field), c.value) for c in texts):
                yield record

    def read(self, batch: Batch) -> Iterator[Record]:
        """Read by a query on ids; what it does not show is looked for among the voided, then alone."""
        return self._looking.read(batch)

    def void(self, batch: Batch) -> Iterable[Outcome]:
        """作废, one record a call; custom objects in a list where the row says so."""
        if batch.capability is not None and batch.capability.way == "bulk":
            return self._list(batch, BULK_VOID)
        (ref,) = batch.refs
        data = {"dataObjectApiName": batch.kind, "object_data_id": ref.id}
        return [self._one(ref, path_of(batch.kind, "invalid"), data)]

    def delete(self, batch: Batch) -> Iterable[Outcome]:
        """删除, in a list; for ever."""
        return self._list(batch, path_of(batch.kind, "delete"))

    def purge(self, batch: Batch) -> Iterable[Outcome]:
        """The same call as a delete: there is no bin after the void."""
        return self._list(batch, path_of(batch.kind, "delete"))

    def restore(self, batch: Batch) -> Iterable[Outcome]:
        """恢复, in a list."""
        return self._list(batch, path_of(batch.kind, "recover"))

    def update(self, changes: Sequence[Change]) -> Iterable[Outcome]:
        """Write one record's fields; the lock is a call of its own, and comes in a change of its own.

        Raises:
            ValueError: More than one record, or the lock beside other fields: that would be two calls.
        """
        (change,) = changes
        ref = change.ref
        if LOCK in change.fields:
            if len(change.fields) > 1:
                raise ValueError(f"{LOCK} is written by a call of its own")
            locking = change.fields[LOCK] in (True, "1", 1)
            # 0: this record alone. Its details keep the locks that others gave them.
            data = {"dataObjectApiName": ref.kind, "dataIds": [ref.id], "detailObjStrategy": 0}
            return [self._one(ref, LOCK_PATH if locking else UNLOCK_PATH, data)]
        written = {"dataObjectApiName": ref.kind, "_id": ref.id, **change.fields}
        return [
            self._one(ref, path_of(ref.kind, "update"), {"object_data": written}, **QUIET)
        ]

    def create(self, records: Sequence[Record]) -> Iterable[Outcome]:
        """Make one record anew, with its first creation time and author.

        Raises:
            ValueError: More than one record; a create takes one.
        """
        (record,) = records
        ref = record.ref
        given, not_set = remade(record, self._describes.fields(ref.kind))
        data = {"object_data": {"dataObjectApiName": ref.kind, **given}}
        top = {
            **QUIET,
            "hasSpecifyTime": "create_time" in given,
            "hasSpecifyCreatedBy": "created_by" in given,
        }
        try:
            answer = self._client.tell([ref], path_of(ref.kind, "create"), data, **top)
        except Rejected as no:
            return [_refused(ref, no)]
        id = answer.body.get("dataId")
        # The answer for a custom object may not name it; then it is told by what was written.
        new = RecordRef(self.crm, ref.kind, id) if isinstance(id, str) and id else self.twin(record)
        if new is None:
            return [unknown(ref, "it was made anew, and the answer does not say under which id.")]
        return [done(ref, new_ref=new, details={"not_set": not_set})]

    def spell_kind(self, kind: str) -> str:
        """The API name of an object: `AccountObj`, or `object_x__c` for one that a tenant made.

        Raises:
            ValueError: No object is named so.
        """
        import re

        kind = super().spell_kind(kind)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,120}(Obj|__c)", kind):
            raise ValueError(f"{kind!r} is no object of FxiaoKe; they end in Obj or __c")
        return kind

    def relations(self, kind: str) -> tuple[CascadeRule, ...]:
        """What hangs on an object in this enterprise, by its describes; else what the profile knows."""
        try:
            own = tuple(self._describes.rules(kind))
        except Rejected:
            own = ()
        told = {(rule.child, rule.via, rule.operation) for rule in own}
        known = (r for r in super().relations(kind) if self._has(r.child))
        return (*own, *(r for r in known if (r.child, r.via, r.operation) not in told))

    def children(self, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        """By a query on the field that names the parent."""
        described = self._describes.fields(rule.child)
        for row in queries.rows_of(self._client, rule.child, [self._hanging(batch, rule)]):
            record = record_of(self.crm, rule.child, row, described)
            if record.state is State.LIVE:
                yield record

    def count(self, batch: Batch, rule: CascadeRule) -> int | None:
        """The total of the same query, without its rows."""
        where = [self._hanging(batch, rule), queries.NOT_PENDING]
        return queries.page(self._client, rule.child, where, ["name"], limit=1, count=True)[1]

    def precheck(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterable[Finding | Outcome]:
        """Records in a create-approval are left alone; those not in effect, or in a pool, are named."""
        if operation is Operation.RESTORE:
            return
        unsure, pooled = [], []
        for record in records:
            if record.state is not State.LIVE:
                continue
            life = record.fields.get("life_status")
            if life == UNDER_REVIEW:
                yield skipped(record.ref, "pending", "审核中: its approval for being made still runs.")
            elif life == "ineffective":
                unsure.append(record.ref)
            pool = POOLS.get(record.ref.kind)
            if pool and record.fields.get(pool) and is_empty(record.fields.get("owner")):
                pooled.append(record.ref)
        if unsure and operation is not Operation.ARCHIVE:
            yield Finding(
                Severity.WARNING, "vendor_note",
                f"{len(unsure)} record(s) are not in effect (未生效), and may not be voided.",
                "The vendor's pages contradict each other on it; it is tried.",
                len(unsure), tuple(unsure[:20]),
            )
        if pooled:
            yield Finding(
                Severity.WARNING, "rights",
                f"{len(pooled)} record(s) lie in a pool, where nobody has rights on them.",
                "Claim them first if the vendor refuses (无此操作的数据权限).",
                len(pooled), tuple(pooled[:20]),
            )

    def total(self, kind: str) -> int | None:
        """What a query counts, those in an approval apart."""
        where = [queries.NOT_PENDING]
        return queries.page(self._client, kind, where, ["name"], limit=1, count=True)[1]

    def abilities(self) -> Profile:
        """Lists of custom objects are voided only where the settings ask for it."""
        return self.profile.limited(
            tuple(
                row
                for row in self.profile.capabilities
                if row.way != "bulk" or self._settings.bulk_void
            )
        )

    def twin(self, record: Record) -> RecordRef | None:
        """The one live record with all that a remake of this snapshot was given."""
        return self._looking.twin(record)

    def prepare(self) -> Iterable[Finding]:
        """No call makes a field: say which ones an administrator adds."""
        for kind, names in self._unmarked():
            yield Finding(
                Severity.WARNING, "vendor_note",
                f"{kind} has no field {', '.join(names)}.",
                "An administrator adds it: Management > Objects > the object > Fields, a single-line "
                "text field of this API name. No call of FxiaoKe's API makes one.",
            )
        if not any("archive" in by for by in self._settings.marks.values()):
            yield Finding(
                Severity.NOTE, "vendor_note", "no field marks what is archived.",
                self.profile.rows(Operation.ARCHIVE, PEOPLE)[0].note,
            )

    def examine(self) -> Iterable[tuple[str, bool, str]]:
        """The login, the acting user, and the fields that marks are written to."""
        me = self.whoami()
        yield "login", True, f"enterprise {me.org} as {me.user}, {self._settings.auth} style"
        missing = {kind: names for kind, names in self._unmarked()}
        for kind in self._marked_kinds():
            names = missing.get(kind)
            told = f"no field {', '.join(names)}" if names else "its marker fields are there"
            yield f"marks {kind}", not names, told

    def renew(self) -> None:
        """Get another token."""
        self._client.login.renew()

    def whoami(self) -> Account:
        """The enterprise that the token is for, proved by a call that the server checks it against.

        The answer of the login names the enterprise (`ea`, or the corpId of the legacy style), and the
        server refuses a token beside another enterprise's name.
        """
        name = ""
        where = [] if self._settings.auth == "legacy" else [
            queries.matching("user_id", "EQ", self._settings.user_id)
        ]  # fmt: skip
        data = {
            "dataObjectApiName": PEOPLE,
            "search_query_info": {"limit": 1, "offset": 0, "filters": where, "orders": []},
            "find_explicit_total_num": False,
        }
        try:
            answer = self._client.ask(path_of(PEOPLE, "query"), data)
            rows = answer.data.get("dataList")
            if where and isinstance(rows, list) and rows and isinstance(rows[0], Mapping):
                name = str(rows[0].get("name") or "")
        except Rejected as no:
            # Personnel needs a sharing rule of its own, even for administrators.
            if not is_business(no):
                raise
            answer = self._client.ask("/cgi/crm/v2/object/list", {})
        held = self._client.login.current
        environment = "simulator" if is_loopback(self._url) else self._settings.environment
        user = f"{held.user} {name}".strip()
        return Account(held.tenant, held.tenant, environment, user, answer.now)

    def close(self) -> None:
        """Let connections go."""
        self._client.close()

    # --- private ---------------------------------------------------------------------------------

    def _one(self, ref: RecordRef, path: str, data: Mapping[str, Any], **top: Any) -> Outcome:
        try:
            self._client.tell([ref], path, data, **top)
        except Rejected as no:
            return _refused(ref, no)
        return done(ref)

    def _list(self, batch: Batch, path: str) -> list[Outcome]:
        """A list is taken or refused as one, and the answer names no record."""
        data = {"dataObjectApiName": batch.kind, "idList": batch.ids}
        try:
            self._client.tell(batch, path, data)
        except Rejected as no:
            if len(batch) == 1:
                return [_refused(batch.refs[0], no)]
            raise
        return [done(ref) for ref in batch]

    def _hanging(self, batch: Batch, rule: CascadeRule) -> queries.Filter:
        field = self._describes.fields(rule.child).get(rule.via)
        many = field is not None and field.type == LOOKUPS
        return queries.matching(rule.via, "HASANYOF" if many else "IN", *batch.ids)

    def _has(self, kind: str) -> bool:
        try:
            return bool(self._describes.fields(kind))
        except Rejected:
            return False

    def _marked_kinds(self) -> list[str]:
        return [self.spell_kind(kind) for kind in self._settings.marks if kind != "*"]

    def _unmarked(self) -> Iterator[tuple[str, list[str]]]:
        """Objects whose settings name marker fields that they do not have."""
        for kind, by in self._settings.marks.items():
            if kind == "*":
                continue
            own = self.spell_kind(kind)
            names = {name for fields in by.values() for name in fields} - {LOCK}
            try:
                missing = sorted(names - set(self._describes.fields(own)))
            except Rejected:
                missing = sorted(names)
            if missing:
                yield own, missing


def _refused(ref: RecordRef, no: Rejected) -> Outcome:
    return failed(
        ref, "refused", no.summary, vendor_code=no.vendor_code, request_id=no.request_id
    )


def _contains(value: Any, wanted: Any) -> bool:
    """Whether a text holds the wanted one as it stands, were LIKE to take a `%` for a wildcard."""
    if not isinstance(value, str):
        return True
    return str(wanted).casefold() in value.casefold()
