"""What would stand in the way, found before anything is touched: rights, blockers, merges, the bin.

Rights on records: UserRecordAccess, at most 200 ids a query,
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
sforce_api_objects_userrecordaccess.htm; rights of the user: UserPermissionAccess, in the same book.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from crm_bridge.kit import (
    AdapterError,
    CascadeRule,
    Effect,
    Finding,
    Operation,
    Outcome,
    Record,
    RecordRef,
    Severity,
    State,
    skipped,
)
from crm_bridge_salesforce import soql
from crm_bridge_salesforce.ids import whole
from crm_bridge_salesforce.reading import MOST_IDS, Reader
from crm_bridge_salesforce.remaking import hindrances
from crm_bridge_salesforce.review import room_told
from crm_bridge_salesforce.schema import Kind
from crm_bridge_salesforce.wire import Wire

RIGHTS: Final = ("ModifyAllData", "BulkApiHardDelete")
BIN_PER_MB: Final = 25
"""Records of the bin for each MB of data storage, as the vendor's Help has it."""
BIN_PER_USER: Final = 5000
"""Records of the bin for each licence, as the vendor's SOAP guide has it."""
NEARLY: Final = 0.8
FRESH: Final = timedelta(seconds=60)
DEPTH: Final = 3
"""Levels of children that are asked whether something in them blocks."""


class Checks:
    """What one account is asked beforehand.

    Args:
        reader: Its reads.
        wire: Its client.
    """

    def __init__(self, reader: Reader, wire: Wire) -> None:
        self._reader, self._wire, self._schema = reader, wire, reader.schema
        self._rights: dict[str, bool] | None = None
        self._bin: tuple[datetime, tuple[Finding, ...]] | None = None
        self._weighing = threading.Lock()
        self.user = ""

    @property
    def told(self) -> bool:
        """Whether the user's rights are known."""
        return self._rights is not None

    def rights(self) -> Mapping[str, bool]:
        """The user's own rights, as far as the account tells them; asked once.

        `BinList` stands for the right to ask what lies in the bin.
        """
        if self._rights is None:
            names = [f"Permissions{right}" for right in RIGHTS]
            query = soql.query(names, "UserPermissionAccess", [], ordered=False)
            told, listed = self._reader.together(
                [(query, False), ("SELECT Record FROM DeleteEvent LIMIT 1", False)]
            )
            for part in (told, listed):
                if isinstance(part, AdapterError) and not part.vendor_code:
                    raise part
            row: Mapping[str, Any] = told[0] if isinstance(told, list) and told else {}
            self._rights = {r: row.get(f"Permissions{r}") is True for r in RIGHTS}
            self._rights["BinList"] = isinstance(listed, list)
        return self._rights

    def taking(
        self, operation: Operation, kind: Kind, records: Sequence[Record]
    ) -> Iterator[Finding | Outcome]:
        """For a delete or a purge of these records."""
        yield from self._merged(records)
        live = [r for r in records if r.state not in (State.DELETED, State.GONE)]
        if not kind.deletable:
            yield Finding(
                Severity.ERROR, "rights", f"this user may not delete any {kind.name}.",
                "Describe says deletable=false: the kind has no delete, or the right is missing.",
            )  # fmt: skip
        if operation is Operation.DELETE:
            if not kind.undeletable:
                yield Finding(
                    Severity.WARNING, "irreversible", f"nothing undeletes a {kind.name}.",
                    "Describe says undeletable=false.",
                )  # fmt: skip
            if not self._wire.opaque:
                yield Finding(
                    Severity.WARNING, "rights", "this login cannot undelete what it deletes.",
                    "Its access token is in JWT form, which SOAP refuses, and only SOAP undeletes. "
                    "Turn the app's JWT-based access tokens off.",
                )  # fmt: skip
            yield from self._pressure()
        if kind.files:
            yield Finding(
                Severity.WARNING, "not_captured",
                f"the contents of {', '.join(kind.files)} of {kind.name} are not kept.",
                "An undelete brings them back; a record that is made anew has none.",
            )  # fmt: skip
        for start in range(0, len(live), MOST_IDS):
            yield from self._hindered(kind, live[start : start + MOST_IDS])

    def marking(
        self, kind: Kind, records: Sequence[Record], marks: Mapping[str, Any]
    ) -> Iterator[Finding | Outcome]:
        """For a void or an archive that writes these fields."""
        yield from self._merged(records)
        why = missing(kind, marks)
        live = [r for r in records if r.state not in (State.DELETED, State.GONE)]
        if why:
            yield from (skipped(record.ref, "not_yet", why) for record in live)
            return
        for start in range(0, len(live), MOST_IDS):
            some = live[start : start + MOST_IDS]
            (told,) = self._reader.together([(self._access("Edit", some), False)])
            yield from self._without(some, told, "Edit")

    def returning(
        self, kind: Kind, records: Sequence[Record], marks: Mapping[str, Any]
    ) -> Iterator[Finding | Outcome]:
        """For a restore of these records, whose fields are those of their snapshots."""
        if why := missing(kind, marks):
            marked = (r for r in records if r.state not in (State.DELETED, State.GONE))
            yield from (skipped(record.ref, "not_yet", why) for record in marked)
        if gone := [r for r in records if r.state is State.GONE]:
            yield from hindrances(self._reader, kind, gone)
        binned = [r for r in records if r.state is State.DELETED]
        if not binned:
            return
        if not self._wire.opaque:
            yield Finding(
                Severity.ERROR, "rights", "this login cannot undelete.",
                "Its access token is in JWT form, which SOAP refuses, and only SOAP undeletes.",
            )  # fmt: skip
        if not self.rights()["ModifyAllData"]:
            yield Finding(
                Severity.NOTE, "rights", "only what this very user deleted can be brought back.",
                "Undeleting what others deleted needs Modify All Data.",
            )  # fmt: skip
        if "MasterRecordId" not in kind.fields:
            return
        for start in range(0, len(binned), MOST_IDS):
            some = binned[start : start + MOST_IDS]
            refs = {record.ref.id: record.ref for record in some}
            where = [soql.ids_in("Id", list(refs)), "MasterRecordId != null"]
            query = soql.query(["Id", "MasterRecordId"], kind.name, where, ordered=False)
            for row in self._reader.rows(query, deleted=True):
                yield _merged_into(refs[whole(row["Id"])], whole(row["MasterRecordId"]))

    # --- private ---------------------------------------------------------------------------------

    def _merged(self, records: Sequence[Record]) -> Iterator[Outcome]:
        for record in records:
            if record.evidence.startswith("merged into "):
                yield _merged_into(record.ref, record.evidence.removeprefix("merged into "))

    def _access(self, right: str, records: Sequence[Record]) -> str:
        where = [f"UserId = {soql.quoted(self.user)}",
                 soql.ids_in("RecordId", [r.ref.id for r in records])]  # fmt: skip
        names = ["RecordId", f"Has{right}Access"]
        return soql.query(names, "UserRecordAccess", where, ordered=False)

    @staticmethod
    def _without(
        records: Sequence[Record], told: list[Mapping[str, Any]] | AdapterError, right: str
    ) -> Iterator[Outcome]:
        """Those that the user may not touch; kinds without sharing are not told, and pass."""
        if isinstance(told, AdapterError):
            return
        refused = {whole(r["RecordId"]) for r in told if r.get(f"Has{right}Access") is False}
        for record in records:
            if record.ref.id in refused:
                yield skipped(
                    record.ref, "rights", f"this user has no {right.lower()} access to it."
                )

    def _hindered(self, kind: Kind, records: Sequence[Record]) -> Iterator[Finding | Outcome]:
        ids = [record.ref.id for record in records]
        refs = {record.ref.id: record.ref for record in records}
        # What blocks the records themselves is listed by the core, which knows what else the plan takes.
        rules = [
            r
            for r in self._schema.rules(kind.name)
            if _stops(r.effect) and r.effect is not Effect.BLOCKS
        ]
        queries = [(self._access("Delete", records), False)]
        queries += [(self._counting(r.child, r.via, ids, r.effect), False) for r in rules]
        access, *counts = self._reader.together(queries)
        yield from self._without(records, access, "Delete")
        why = self._activated(kind, records)
        for rule, told in zip(rules, counts, strict=True):
            why |= _reasons(rule.child, rule.via, told)
        won: set[str] = set()
        if kind.name == "Account":
            kept, won = self._deals(ids)
            why = kept | why
        deeper, perhaps = self._below(kind.name, [id_ for id_ in ids if id_ not in why])
        why |= deeper
        for id_, reason in why.items():
            yield skipped(refs[id_], "blocked", reason)
        if perhaps:
            yield Finding(
                Severity.WARNING, "blocked",
                f"{len(perhaps)} {kind.name} have followers that others name, which may block it.",
                "All that names them goes along too; nobody says whether it blocks all the same.",
                len(perhaps), tuple(refs[id_] for id_ in ids if id_ in perhaps),
            )  # fmt: skip
        if asked := [refs[id_] for id_ in ids if id_ in won and id_ not in why]:
            yield Finding(
                Severity.WARNING, "blocked",
                f"{len(asked)} Account have won opportunities, which may block it.",
                "The page asks a person; nobody says whether the API refuses or deletes.",
                len(asked), tuple(asked),
            )  # fmt: skip

    def _activated(self, kind: Kind, records: Sequence[Record]) -> dict[str, str]:
        """Contracts and orders that are activated, and products of such orders."""
        why = {
            record.ref.id: f"an activated {kind.name} is not deleted; its status keeps it."
            for record in records
            if kind.name in ("Contract", "Order") and record.fields.get("StatusCode") == "Activated"
        }
        orders = [str(r.fields["OrderId"]) for r in records if r.fields.get("OrderId")]
        if kind.name == "OrderItem" and orders:
            where = [soql.ids_in("Id", list(dict.fromkeys(orders))), "StatusCode = 'Activated'"]
            query = soql.query(["Id"], "Order", where)
            active = {whole(row["Id"]) for row in self._reader.rows(query)}
            why |= {
                r.ref.id: f"its order {r.fields['OrderId']} is activated, and keeps its products."
                for r in records
                if r.fields.get("OrderId") in active
            }
        return why

    @staticmethod
    def _counting(child: str, via: str, ids: Sequence[str], effect: Effect) -> str:
        where = [soql.ids_in(via, ids)]
        if effect is Effect.MAY_FOLLOW:
            where.append("StatusCode = 'Activated'")
        names = [via, "COUNT(Id) many"]
        return soql.query(names, child, where, ordered=False, tail=f" GROUP BY {via}")

    def _below(self, kind: str, ids: Sequence[str]) -> tuple[dict[str, str], set[str]]:
        """Parents whose children would follow, and whose children's own hangers-on block.

        Returns:
            Why, for each that is blocked; and those where all that blocks a child goes along with
            the same parent, of which nobody says whether it blocks then.
        """
        going = {id_: id_ for id_ in ids}
        walked, level = {kind}, {kind: list(ids)}
        why: dict[str, str] = {}
        ties: dict[str, dict[str, tuple[str, str, str]]] = {}
        for left in range(DEPTH - 1, -1, -1):
            below: dict[str, list[str]] = {}
            for parent, some in level.items():
                for rule in self._along(parent):
                    if self._can_block(rule.child, left):
                        found = self._children_of(rule, some)
                        fresh = [child for child in found if child not in going]
                        going |= {child: going[found[child]] for child in fresh}
                        below.setdefault(rule.child, []).extend(fresh)
            walked |= set(below)
            for child, some in below.items():
                for start in range(0, len(some), MOST_IDS):
                    sure, by = self._stopped(child, some[start : start + MOST_IDS])
                    for one, reason in sure.items():
                        why.setdefault(going[one], f"{child} {one}: {reason}")
                    for name, those in by.items():
                        ties.setdefault(name, {}).update(
                            {id_: (child, one, via) for id_, (one, via) in those.items()}
                        )
            level = below
        perhaps: set[str] = set()
        for name, blockers in ties.items():
            along = self._gone_with(name, list(blockers), walked, going)
            for id_, (child, one, field) in blockers.items():
                root = going[one]
                if root in along.get(id_, ()):
                    perhaps.add(root)
                else:
                    told = f"{name} {id_} ({field}) keeps it from being deleted."
                    why.setdefault(root, f"{child} {one}: {told}")
        return why, perhaps - set(why)

    def _children_of(self, rule: CascadeRule, ids: Sequence[str]) -> dict[str, str]:
        """Each record of a relation to the parent that it hangs on."""
        found: dict[str, str] = {}
        for start in range(0, len(ids), MOST_IDS):
            where = [soql.ids_in(rule.via, ids[start : start + MOST_IDS])]
            query = soql.query(["Id", rule.via], rule.child, where)
            found |= {whole(r["Id"]): whole(r[rule.via]) for r in self._reader.rows(query)}
        return found

    def _stopped(
        self, kind: str, ids: Sequence[str]
    ) -> tuple[dict[str, str], dict[str, dict[str, tuple[str, str]]]]:
        """What keeps these: for sure, in words; and kind to blocker to (what it keeps, its field)."""
        rules = [r for r in self._schema.rules(kind) if _stops(r.effect)]
        queries = [
            self._counting(r.child, r.via, ids, r.effect)
            if r.effect is Effect.MAY_FOLLOW
            else soql.query(["Id", r.via], r.child, [soql.ids_in(r.via, ids)])
            for r in rules
        ]
        sure: dict[str, str] = {}
        by: dict[str, dict[str, tuple[str, str]]] = {}
        told = self._reader.together([(query, False) for query in queries])
        for rule, rows in zip(rules, told, strict=True):
            if rule.effect is Effect.MAY_FOLLOW:
                sure |= _reasons(rule.child, rule.via, rows)
            elif not isinstance(rows, AdapterError):
                found = {whole(r["Id"]): (whole(r[rule.via]), rule.via) for r in rows}
                by.setdefault(rule.child, {}).update(found)
        return sure, by

    def _gone_with(
        self, kind: str, ids: Sequence[str], walked: set[str], going: Mapping[str, str]
    ) -> dict[str, set[str]]:
        """Each of these records to the roots that take it along by a tie of its own."""
        vias = sorted(
            {
                rule.via
                for parent in walked
                for rule in self._schema.rules(parent)
                if rule.child == kind and rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW)
            }
        )
        found: dict[str, set[str]] = {}
        for start in range(0, len(ids) if vias else 0, MOST_IDS):
            where = [soql.ids_in("Id", ids[start : start + MOST_IDS])]
            for row in self._reader.rows(soql.query(["Id", *vias], kind, where)):
                named = [whole(row[via]) for via in vias if isinstance(row.get(via), str)]
                found[whole(row["Id"])] = {going[one] for one in named if one in going}
        return found

    def _along(self, kind: str) -> list[CascadeRule]:
        """What follows a kind, each child described."""
        rules = self._schema.rules(kind)
        found = [r for r in rules if r.effect is Effect.FOLLOWS and r.child != kind]
        self._schema.learn(rule.child for rule in found)
        return found

    def _can_block(self, kind: str, depth: int) -> bool:
        if any(_stops(rule.effect) for rule in self._schema.rules(kind)):
            return True
        return depth > 0 and any(
            self._can_block(rule.child, depth - 1) for rule in self._along(kind)
        )

    def _deals(self, ids: Sequence[str]) -> tuple[dict[str, str], set[str]]:
        """Accounts whose opportunities keep them: of other owners for sure, won ones perhaps."""
        if not self._schema.has("Opportunity"):
            return {}, set()
        mine = f"OwnerId != {soql.quoted(self.user)}"
        grouped = [
            soql.query(
                ["AccountId", "COUNT(Id) many"], "Opportunity",
                [soql.ids_in("AccountId", ids), where], ordered=False, tail=" GROUP BY AccountId",
            )
            for where in (mine, "IsWon = true")
        ]  # fmt: skip
        others, won = self._reader.together([(query, False) for query in grouped])
        why = {
            id_: reason.replace("keep it", "of other owners keep it")
            for id_, reason in _reasons("Opportunity", "AccountId", others).items()
        }
        return why, set(_reasons("Opportunity", "AccountId", won))

    def _pressure(self) -> Iterator[Finding]:
        """How full the bin is, by both capacities that the vendor publishes."""
        # Many batches come at once. It is told with the first; the others need not wait for it.
        if not self._weighing.acquire(blocking=False):
            return
        try:
            now = self._wire.now
            if self._bin is None or abs(now - self._bin[0]) > FRESH:
                self._bin = (now, tuple(self._weighed()))
            found = self._bin[1]
        finally:
            self._weighing.release()
        yield from found

    def _weighed(self) -> Iterator[Finding]:
        queries = (
            "SELECT COUNT() FROM DeleteEvent", "SELECT COUNT() FROM User WHERE IsActive = true"
        )  # fmt: skip
        lies, users = self._reader.counts(queries)
        limits = self._reader.ask(lambda client: client.limits())
        storage = (limits or {}).get("DataStorageMB", {}).get("Max")
        rules = []
        if isinstance(storage, int):
            rules.append((BIN_PER_MB * storage, f"{BIN_PER_MB} for each of {storage} MB"))
        if users:
            rules.append((BIN_PER_USER * users, f"{BIN_PER_USER} for each of {users} users"))
        if lies is None or not rules:
            return
        told = ", or ".join(f"{most} ({why})" for most, why in rules)
        most = min(most for most, _ in rules)
        yield Finding(
            Severity.WARNING if lies > NEARLY * most else Severity.NOTE, "window",
            f"{room_told(self._reader.crm)} {lies} record(s); {max(0, most - lies)} more fit.",
            f"The vendor's pages give its room as {told}. Over it, the oldest are dropped once "
            "they have been there for two hours.", max(0, most - lies),
        )  # fmt: skip


def missing(kind: Kind, marks: Mapping[str, Any]) -> str:
    """Why these fields cannot be written on a kind; empty where they can."""
    for name, value in marks.items():
        field = kind.fields.get(name)
        if field is None:
            return (
                f"{kind.name} has no field {name}; an administrator adds it: Setup > Object "
                f"Manager > {kind.label} > Fields & Relationships > New > Text (40), API name "
                f"{name}, visible and editable for this user."
            )
        if not field.updateable:
            return f"this user may not write {kind.name}.{name}."
        if field.values and value not in (None, "") and str(value) not in field.values:
            return f"{kind.name}.{name} takes none but {', '.join(sorted(field.values))}."
    return ""


def _stops(effect: Effect) -> bool:
    return effect in (Effect.BLOCKS, Effect.MAY_FOLLOW)


def _reasons(child: str, via: str, told: list[Mapping[str, Any]] | AdapterError) -> dict[str, str]:
    if isinstance(told, AdapterError):
        # A kind that cannot be grouped so: the vendor itself says no at the send, row by row.
        return {}
    return {
        whole(row[via]): f"{row.get('many')} {child} ({via}) keep it from being deleted."
        for row in told
        if isinstance(row.get(via), str)
    }


def _merged_into(ref: RecordRef, other: str) -> Outcome:
    return skipped(
        ref, "merged",
        f"it was merged into {other}; its children hang on that one now, and stay there.",
    )  # fmt: skip
