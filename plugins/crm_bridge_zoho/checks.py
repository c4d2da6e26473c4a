"""What is told before anything is touched: marks, flags, scopes; and what `setup` makes.

https://www.zoho.com/crm/developer/docs/api/v7/modules-api.html, field-meta.html and
create-custom-field.html, read 2026-11-24.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.kit import (
    AdapterError,
    Finding,
    Operation,
    Outcome,
    Profile,
    Record,
    Rejected,
    Severity,
    State,
    Unauthorized,
    is_empty,
    skipped,
)
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.describes import APPROVAL, BIN_SCOPE, CONVERTED, Describes
from crm_bridge_zoho.looking import Looking
from crm_bridge_zoho.profile import LOCK, MARKER, MARKER_LABEL
from crm_bridge_zoho.queries import query
from crm_bridge_zoho.rows import SUCCESS, code_of

OWNER: Final = "Owner"
AWAY: Final = (State.DELETED, State.GONE)
MARK_LENGTH: Final = 50
"""Characters of the marker field."""


@dataclass(slots=True)
class Checks:
    """The small questions of one account.

    Args:
        client: The account.
        describes: Its metadata.
        looking: Its reads.
        profile: The vendor's table.
    """

    client: Client
    describes: Describes
    looking: Looking
    profile: Profile

    def markable(self, operation: Operation) -> bool:
        """Whether anything marks a record so: a field of the settings, or the marker."""
        own = self.client.settings.marks.values()
        words = ("void", "archive") if operation is Operation.RESTORE else (operation.value,)
        if any(by.get(word) for by in own for word in words):
            return True
        modules = self.describes.modules()
        return any(
            MARKER in self.describes.fields(kind)
            for kind in self.profile.aliases.values()
            if kind in modules
        )

    # --- before a plan ---------------------------------------------------------------------------

    def before(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterator[Finding | Outcome]:
        """What stands in the way of an operation on records of one kind."""
        if not records:
            return
        kind = records[0].ref.kind
        if operation in (Operation.VOID, Operation.ARCHIVE):
            yield from self._marks(operation, kind)
        if operation is Operation.DELETE and not self.describes.module(kind).bin:
            yield Finding(
                Severity.WARNING,
                "irreversible",
                f"what is deleted of {kind} goes to no bin: nothing brings it back.",
                "Zoho's metadata says recycle_bin_on_delete = false. It is left alone here; what "
                "goes with a record of another module comes back with that.",
                len(records),
            )
            for record in records:
                yield skipped(record.ref, "never", f"{kind} go to no bin when they are deleted.")
        if operation is not Operation.VOID and not self.describes.bin_open():
            yield Finding(
                Severity.WARNING,
                "rights",
                "the token may not look into the recycle bin.",
                f"It lacks the scope ZohoCRM.{BIN_SCOPE}: no call restores or purges what is "
                "deleted. Make a refresh token with it among the others.",
            )
        if operation is Operation.RESTORE:
            yield from self._taken(kind, [r for r in records if r.state in AWAY])
            gone = [r for r in records if r.state is State.GONE]
            yield from self._values_gone(kind, gone)
            yield from self._retired(kind, gone)
        if operation in (Operation.VOID, Operation.ARCHIVE, Operation.DELETE):
            yield self._automation(operation)
            for record in records:
                yield from self._held(operation, record)

    def _taken(self, kind: str, records: Sequence[Record]) -> Iterator[Outcome]:
        """Records that cannot come back, as another holds a value of theirs that must be unique."""
        for field in self.describes.fields(kind).values() if records else ():
            if not field.unique:
                continue
            mine = {str(v): r for r in records if not is_empty(v := r.fields.get(field.name))}
            for value, holder in self.looking.holders(kind, field.name, list(mine)).items():
                record = mine.get(value)
                if record is not None and record.ref.id != holder:
                    told = f"its {field.name} {value} must be unique, and is {kind}/{holder}'s now."
                    yield dataclasses.replace(
                        skipped(record.ref, "duplicate", told), details={"fields": [field.name]}
                    )

    def _values_gone(self, kind: str, records: Sequence[Record]) -> Iterator[Outcome]:
        """Records to be made anew with a value that is no longer among those of its picklist."""
        fields = self.describes.fields(kind) if records else {}
        for record in records:
            for name, value in record.fields.items():
                field = fields.get(name)
                if (
                    field is None
                    or field.type != "picklist"
                    or not field.picks
                    or not field.creates
                ):
                    continue
                if not is_empty(value) and str(value) not in field.picks:
                    told = f"{value!r} is no longer among the values of its {name}."
                    yield dataclasses.replace(
                        skipped(record.ref, "value_gone", told), details={"fields": [name]}
                    )

    def _retired(self, kind: str, records: Sequence[Record]) -> Iterator[Finding | Outcome]:
        """Records to be made anew that belong to a user who is not active."""
        owned = {r.ref: id for r in records if (id := _owner(r))}
        if not owned:
            return
        retired = self.describes.retired()
        if retired is None:
            yield Finding(
                Severity.NOTE,
                "vendor_note",
                f"whether the owners of {len(owned)} {kind} to be made anew are active is not known.",
                "The token lacks the scope ZohoCRM.users.READ.",
                len(owned),
            )
            return
        for ref, owner in owned.items():
            if owner in retired:
                told = f"its owner {owner} is not active."
                yield dataclasses.replace(
                    skipped(ref, "owner_inactive", told), details={"fields": [OWNER]}
                )

    @staticmethod
    def _held(operation: Operation, record: Record) -> Iterator[Outcome]:
        """What Zoho would refuse: a record that waits for an approval, a lead that is converted."""
        if APPROVAL in record.fields:
            told = f"it waits for an approval ({record.fields[APPROVAL]})."
            yield skipped(record.ref, "blocked", told)
        elif CONVERTED in record.fields and operation is not Operation.DELETE:
            yield skipped(record.ref, "blocked", "it is a converted lead, which no update writes.")

    def _automation(self, operation: Operation) -> Finding:
        if self.client.settings.workflows:
            return Finding(
                Severity.WARNING,
                "automation",
                "workflow rules, and what hangs on them, may fire.",
                "The settings say workflows = true.",
            )
        how = "wf_trigger=false" if operation is Operation.DELETE else "an empty trigger"
        more = ""
        if operation is Operation.DELETE:
            more = (
                "Documented for v2 to v7; whether v8 still honours it is said nowhere. A mass "
                "delete takes no such parameter."
            )
        return Finding(
            Severity.NOTE, "automation", f"workflow rules are kept silent, by {how}.", more
        )

    def _marks(self, operation: Operation, kind: str) -> Iterator[Finding]:
        """Whether the fields that mark exist, may be written, and take their values."""
        own = self.client.settings.marks
        given: Mapping[str, Any] = {}
        for name in (kind, *(a for a, k in self.profile.aliases.items() if k == kind), "*"):
            given = given or own.get(name, {}).get(operation.value, {})
        given = given or self.profile.marks_for(kind, operation)
        fields = self.describes.fields(kind)
        for name, value in given.items():
            field = fields.get(name)
            if name == LOCK:
                continue
            if field is None:
                yield Finding(
                    Severity.ERROR,
                    "blocked",
                    f"{kind} has no field {name}, which would mark it.",
                    f"Make it by `crm-bridge setup {self.client.crm}`, or name another in "
                    f"[crms.{self.client.crm}.marks.{kind}].",
                )
            elif not field.updates:
                yield Finding(
                    Severity.ERROR,
                    "blocked",
                    f"the field {name} of {kind} cannot be written.",
                    f"Name another in [crms.{self.client.crm}.marks.{kind}].",
                )
            elif field.type == "picklist" and field.picks and str(value) not in field.picks:
                yield Finding(
                    Severity.ERROR,
                    "blocked",
                    f"{name} of {kind} has no value {value!r}.",
                    f"It has: {', '.join(field.picks[:20])}.",
                )

    # --- setup ---------------------------------------------------------------------------------

    def make_marker(self) -> Iterator[Finding]:
        """Make the marker field where it is missing: on the common kinds and those of marks."""
        named = [self.profile.aliases.get(k, k) for k in self.client.settings.marks]
        modules = self.describes.modules()
        for kind in dict.fromkeys([*self.profile.aliases.values(), *named]):
            if kind not in modules:
                continue
            if MARKER in self.describes.fields(kind):
                yield Finding(Severity.NOTE, "vendor_note", f"{kind} has the field {MARKER}.")
                continue
            yield self._make(kind)

    def _make(self, kind: str) -> Finding:
        body = {
            "fields": [{"field_label": MARKER_LABEL, "data_type": "text", "length": MARK_LENGTH}]
        }
        how = (
            f"A person can: Setup > Modules and Fields > {kind} > a single line field labelled "
            f"{MARKER_LABEL!r} of {MARK_LENGTH} characters."
        )
        try:
            answer = self.client.tell(
                (), "POST", "/settings/fields", {"module": kind}, body,
                key="fields", scope="settings.fields.CREATE",
            )  # fmt: skip
        except (Rejected, Unauthorized) as error:
            if isinstance(error, Unauthorized) and error.renewable:
                raise
            return Finding(
                Severity.WARNING,
                "vendor_note",
                f"{kind}: {MARKER} was not made: {error.summary}",
                how,
            )
        if any(code_of(row) == SUCCESS for row in answer.rows("fields")):
            return Finding(Severity.NOTE, "vendor_note", f"{kind}: the field {MARKER} was made.")
        return Finding(Severity.WARNING, "vendor_note", f"{kind}: {MARKER} was not made.", how)

    # --- doctor --------------------------------------------------------------------------------

    def examined(self) -> Iterator[tuple[str, bool, str]]:
        """Check what a run needs, without touching anything: (name, ok, summary)."""
        ask = self.client.ask
        yield self._tried("modules", "the modules can be read", self.describes.modules)
        yield self._tried(
            "recycle bin", "the bin can be read",
            lambda: ask("/settings/recycle_bin", {"per_page": 1},
                        scope="settings.recycle_bin.READ"),
        )  # fmt: skip
        kind = self.profile.aliases["lead"]
        yield self._tried(
            "queries", "COQL can be asked",
            lambda: ask("/coql", scope="coql.READ",
                        query=query(kind, (), "")),
        )  # fmt: skip
        yield self._tried(
            "deleted",
            "what was deleted can be listed, by "
            + ("zcrmsdk" if self.client.settings.transport == "sdk" else "v8"),
            lambda: self.client.deleted(kind, "recycle", 1),
        )
        for own in self.profile.aliases.values():
            if self.client.settings.marks.get(own):
                continue
            try:
                there = MARKER in self.describes.fields(own)
            except AdapterError as error:
                yield f"marker {own}", False, error.summary
                continue
            told = "is there" if there else f"is missing: crm-bridge setup {self.client.crm}"
            yield f"marker {own}", there, f"{MARKER} {told}"

    @staticmethod
    def _tried(name: str, good: str, call: Callable[[], Any]) -> tuple[str, bool, str]:
        try:
            call()
        except AdapterError as error:
            return name, False, str(error)
        return name, True, good


def _owner(record: Record) -> str:
    """The id of the user that a record belongs to; empty where it names none."""
    value = record.fields.get(OWNER)
    return str(value.get("id") or "") if isinstance(value, Mapping) else ""
