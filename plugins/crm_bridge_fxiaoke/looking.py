"""How records are seen: searched for, read by their ids, and told again after a remake.

Whether voided records show is not known of a given enterprise: a search may show them where it asks
for the deletion mark, or never; a `get` may show them, or answer as for a deleted one. Each way is
tried, cheapest first, and what no way shows is `unreadable`: the journal then decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from crm_bridge.kit import (
    Batch,
    Outcome,
    Record,
    RecordRef,
    Rejected,
    State,
    Unreachable,
    done,
)
from crm_bridge_fxiaoke import queries
from crm_bridge_fxiaoke.client import Client, path_of
from crm_bridge_fxiaoke.describes import Describes
from crm_bridge_fxiaoke.queries import VOIDED_ONLY, Filter, matching
from crm_bridge_fxiaoke.records import record_of, remade

APPROVALS: Final = "/cgi/crm/object/approvalInstances/query"


class Looking:
    """The reads of one account.

    Args:
        crm: The account's name.
        client: The wire.
        describes: Its objects and fields.
    """

    def __init__(self, crm: str, client: Client, describes: Describes) -> None:
        self._crm, self._client, self._describes = crm, client, describes

    def search(
        self, kind: str, where: Sequence[Filter], state: State, fields: Sequence[str]
    ) -> Iterator[Record]:
        """Records of one state that meet these filters.

        Raises:
            Rejected: The state cannot be listed, or the query is refused.
        """
        more: tuple[Filter, ...] = ()
        if state is State.VOIDED:
            more = VOIDED_ONLY
        elif state is State.PENDING:
            more = (matching("life_status", "EQ", "in_change"),)
        elif state is not State.LIVE:
            raise Rejected(f"FxiaoKe keeps no records that are {state.value}.")
        described = self._describes.fields(kind)
        seen = False
        for row in queries.rows_of(self._client, kind, [*where, *more], fields):
            record = record_of(self._crm, kind, row, described)
            if record.state is not state:
                continue
            seen = True
            kept = {k: v for k, v in record.fields.items() if not fields or k in fields}
            yield Record(
                record.ref,
                record.state,
                kept,
                () if fields else record.links,
                record.changed_at,
                locked=record.locked,
            )
        if state is State.VOIDED and not seen and not self._shows_voided(kind):
            raise Rejected(
                f"no search shows voided {kind}: there are none, or FxiaoKe keeps them from it.",
                detail="The runs of the journal tell what was voided: crm-bridge runs.",
            )

    def read(self, batch: Batch) -> Iterator[Record]:
        """Each record of a batch, once."""
        fields = self._describes.fields(batch.kind)
        wanted = {ref.id: ref for ref in batch}
        for more in ((), VOIDED_ONLY):
            if not wanted:
                return
            for row in self._rows(batch.kind, wanted, more):
                del wanted[row["_id"]]
                record = record_of(self._crm, batch.kind, row, fields)
                yield self._waiting(record) if record.state is State.PENDING else record
        if not wanted:
            return
        told = self._shows_voided(batch.kind)
        for ref in wanted.values():
            if told:
                # Neither in daily work nor voided, and this vendor shows both: there is no trace.
                yield Record(ref, State.GONE)
            else:
                yield self._alone(ref)

    def twin(self, record: Record) -> RecordRef | None:
        """The oldest live record that holds all that a remake of this snapshot was given."""
        return next(iter(self.twins(record)), None)

    def twins(self, record: Record) -> list[RecordRef]:
        """Every live record that holds all of that, oldest first."""
        fields = self._describes.fields(record.ref.kind)
        given, _ = remade(record, fields)
        # The first creation time is written to the second life: nothing else has both.
        if not given.get("name") or not given.get("create_time"):
            return []
        where = [
            matching("create_time", "EQ", str(given["create_time"])),
            matching("name", "EQ", given["name"]),
            matching("_id", "N", record.ref.id),
        ]
        found = [
            twin
            for row in queries.rows_of(self._client, record.ref.kind, where)
            if (twin := record_of(self._crm, record.ref.kind, row, fields)).state is State.LIVE
            and all(twin.fields.get(name) == value for name, value in given.items())
            and (record.changed_at is None or twin.changed_at is None
                 or twin.changed_at > record.changed_at)
        ]  # fmt: skip
        return [twin.ref for twin in sorted(found, key=lambda one: (str(one.changed_at), one.ref))]

    def made_along(self, record: Record) -> Outcome | None:
        """The money account that the platform made by itself with an account that is made anew.

        Args:
            record: The snapshot of the old one, naming the new account already.
        """
        fields = self._describes.fields(record.ref.kind)
        owners = [
            matching(name, "EQ", record.fields[name])
            for name, field in fields.items()
            if field.target == "AccountObj" and record.fields.get(name)
        ]
        if not owners:
            return None
        rows = list(queries.rows_of(self._client, record.ref.kind, owners))
        if len(rows) != 1 or rows[0]["_id"] == record.ref.id:
            return None
        new = record_of(self._crm, record.ref.kind, rows[0], fields)
        why = "it is the one that the platform made with the new account"
        not_set = {n: why for n, v in record.fields.items() if new.fields.get(n) != v}
        return done(record.ref, new_ref=new.ref, details={"not_set": not_set})

    # --- private ---------------------------------------------------------------------------------

    def _rows(
        self, kind: str, wanted: Mapping[str, RecordRef], more: Sequence[Filter]
    ) -> list[Mapping[str, Any]]:
        where = [matching("_id", "IN", *wanted), *more]
        try:
            rows, _ = queries.page(self._client, kind, where)
        except Rejected:
            if not more:
                raise
            return []  # a deletion mark that no filter takes shows nothing
        ids = [row["_id"] for row in rows]
        strange = [r for r in rows if r.get("object_describe_api_name", kind) != kind]
        if len(set(ids)) != len(ids) or set(ids) - set(wanted) or strange:
            raise Unreachable(
                f"FxiaoKe answered with other {kind} than those asked for.", answered=True
            )
        return rows

    def _shows_voided(self, kind: str) -> bool:
        """Whether a search of this enterprise shows voided records of a kind: it shows one now."""
        try:
            rows, _ = queries.page(self._client, kind, VOIDED_ONLY, ["name"], limit=1)
        except Rejected:
            return False
        return bool(rows)

    def _alone(self, ref: RecordRef) -> Record:
        """One that no search shows: a get may show a voided one, and its refusal tells nothing."""
        asked = {"dataObjectApiName": ref.kind, "objectDataId": ref.id}
        try:
            row = self._client.ask(path_of(ref.kind, "get"), asked).data
        except Rejected:
            return Record(ref, State.GONE, unreadable=True)
        if not row:
            return Record(ref, State.GONE, unreadable=True)
        if row.get("_id") != ref.id:
            raise Unreachable(f"FxiaoKe answered {ref} with another record.", answered=True)
        return record_of(self._crm, ref.kind, row, self._describes.fields(ref.kind))

    def _waiting(self, record: Record) -> Record:
        """A record in an approval, with the instance that somebody has to pass."""
        told = "变更中: an approval runs"
        try:
            answer = self._client.ask(APPROVALS, dataId=record.ref.id).body
        except Rejected:
            answer = {}
        found = answer.get("instances")
        rows = [r for r in found if isinstance(r, Mapping)] if isinstance(found, list) else []
        running = [r for r in rows if r.get("state") == "in_progress"]
        if running:
            last = max(running, key=lambda r: str(r.get("createTime") or ""))
            told = (
                f"approval instance {last.get('instanceId')} ({last.get('triggerType')}) "
                "waits for somebody to pass it"
            )
        return Record(
            record.ref, record.state, record.fields, record.links, record.changed_at, told
        )
