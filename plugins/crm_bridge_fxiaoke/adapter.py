"""FxiaoKe for crm_bridge: void, recover and delete natively, archive by a mark, or make anew.

The success of a call is not the success of what it asks for (an approval may hold it), and a
refusal has a code that nobody has published. The core reads back after every write: the reads here
see to it that a read can tell.
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
    State,
    Support,
    done,
    failed,
    is_loopback,
    unknown,
)
from crm_bridge_fxiaoke import queries
from crm_bridge_fxiaoke.answers import is_business
from crm_bridge_fxiaoke.checks import Checks
from crm_bridge_fxiaoke.client import Client, path_of
from crm_bridge_fxiaoke.describes import LOOKUPS, Describes
from crm_bridge_fxiaoke.looking import Looking
from crm_bridge_fxiaoke.profile import LOCK, MONEY, PROFILE
from crm_bridge_fxiaoke.records import record_of, remade
from crm_bridge_fxiaoke.returning import Returning
from crm_bridge_fxiaoke.settings import FxiaokeSettings, checked_url

BULK_VOID = "/cgi/crm/custom/data/invalid"
LOCK_PATH, UNLOCK_PATH = "/cgi/crm/v2/object/lock", "/cgi/crm/v2/object/unlock"
PEOPLE = "PersonnelObj"
QUIET: Mapping[str, Any] = {"triggerApprovalFlow": False, "triggerWorkFlow": False}
"""Marks and remakes are no new business: they start no approval and no automation, where asked so.
https://developer.fxiaoke.com/openapi_v2/object/CustomersAndContacts/AccountObj/update.html"""


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
        returning = Returning(self._client, self._describes)
        self._checks = Checks(settings, self._describes, returning)
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
        """By a query on ids; what that does not show is looked for among the voided, then alone."""
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
        """Write one record's fields; or lock, or unlock, a list, in changes of their own.

        Raises:
            ValueError: Fields of several records, or the lock beside other fields: two calls.
        """
        if any(LOCK in change.fields for change in changes):
            return self._locked(changes)
        (change,) = changes
        ref = change.ref
        written = {"dataObjectApiName": ref.kind, "_id": ref.id, **change.fields}
        data = {"object_data": written}
        return [self._one(ref, path_of(ref.kind, "update"), data, **QUIET)]

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
            own = self._looking.made_along(record) if ref.kind == MONEY else None
            return [own or _refused(ref, no)]
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
        """What hangs on an object, by this enterprise's describes; else what is known of all."""
        try:
            own = tuple(self._describes.rules(kind))
        except Rejected:
            own = ()
        told = {(rule.child, rule.via, rule.operation) for rule in own}
        known = (r for r in super().relations(kind) if self._has(r.child, r.via))
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
        """Approvals that run, pools, what is not in effect, marks that lack, what hinders a remake."""
        return self._checks.before(operation, records)

    def total(self, kind: str) -> int | None:
        """What a query counts, those in an approval apart."""
        where = [queries.NOT_PENDING]
        return queries.page(self._client, kind, where, ["name"], limit=1, count=True)[1]

    def abilities(self) -> Profile:
        """Without bulk voids unless the settings ask; without marks where none can be."""
        marked = not self._checks.unmarkable()
        return self.profile.limited(
            tuple(
                row
                for row in self.profile.capabilities
                if (row.way != "bulk" or self._settings.bulk_void)
                and (row.support is not Support.MARKED or marked)
            )
        )

    def twin(self, record: Record) -> RecordRef | None:
        """The oldest live record with all that a remake of this snapshot was given."""
        return self._looking.twin(record)

    def twins(self, records: Sequence[Record]) -> Mapping[RecordRef, Sequence[RecordRef]]:
        """All live records with all of that."""
        return {record.ref: self._looking.twins(record) for record in records}

    def prepare(self) -> Iterable[Finding]:
        """No call makes a field: say which ones an administrator adds."""
        return self._checks.setup()

    def examine(self) -> Iterable[tuple[str, bool, str]]:
        """The login, the acting user, and the fields that marks are written to."""
        me = self.whoami()
        yield "login", True, f"enterprise {me.org} as {me.user}, {self._settings.auth} style"
        yield from self._checks.examined()

    def renew(self) -> None:
        """Get another token."""
        self._client.login.renew()

    def whoami(self) -> Account:
        """The enterprise that the token is for, proved by a call that the server checks.

        The answer of the login names the enterprise (`ea`, or the corpId of the legacy style), and
        the server refuses a token beside another enterprise's name.
        """
        self._describes.again()
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
        return self._taken(batch, path, {"dataObjectApiName": batch.kind, "idList": batch.ids})

    def _taken(
        self, refs: Sequence[RecordRef], path: str, data: Mapping[str, Any]
    ) -> list[Outcome]:
        """A list is taken or refused as one, and the answer names no record."""
        try:
            self._client.tell(refs, path, data)
        except Rejected as no:
            if len(refs) == 1:
                return [_refused(refs[0], no)]
            raise
        return [done(ref) for ref in refs]

    def _locked(self, changes: Sequence[Change]) -> list[Outcome]:
        """One call locks, another unlocks: where both are asked for, some are to come again."""
        if any(set(change.fields) != {LOCK} for change in changes):
            raise ValueError(f"{LOCK} is written by a call of its own")
        locking = [change.fields[LOCK] in (True, 1, "1") for change in changes]
        now = [c.ref for c, own in zip(changes, locking, strict=True) if own is locking[0]]
        later = [c.ref for c in changes if c.ref not in now]
        # 0: these records alone. Their details keep the locks that others gave them.
        data = {
            "dataObjectApiName": now[0].kind,
            "dataIds": [ref.id for ref in now],
            "detailObjStrategy": 0,
        }
        told = self._taken(now, LOCK_PATH if locking[0] else UNLOCK_PATH, data)
        why = "locks and unlocks are calls of their own."
        return [*told, *(failed(ref, "not_sent", why, passing=True) for ref in later)]

    def _hanging(self, batch: Batch, rule: CascadeRule) -> queries.Filter:
        field = self._describes.fields(rule.child).get(rule.via)
        many = field is not None and field.type == LOOKUPS
        return queries.matching(rule.via, "HASANYOF" if many else "IN", *batch.ids)

    def _has(self, kind: str, name: str) -> bool:
        """Whether this enterprise has the object with that field."""
        try:
            return name in self._describes.fields(kind)
        except Rejected:
            return False


def _refused(ref: RecordRef, no: Rejected) -> Outcome:
    return failed(ref, "refused", no.summary, vendor_code=no.vendor_code, request_id=no.request_id)


def _contains(value: Any, wanted: Any) -> bool:
    """Whether a text holds the wanted one as it stands, were LIKE to take a `%` for a wildcard."""
    if not isinstance(value, str):
        return True
    return str(wanted).casefold() in value.casefold()
