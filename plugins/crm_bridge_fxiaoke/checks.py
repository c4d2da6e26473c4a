"""What stands in the way, told before anything is touched; and what `setup` and `doctor` say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from crm_bridge.kit import (
    Finding,
    Operation,
    Outcome,
    Record,
    RecordRef,
    Rejected,
    Severity,
    State,
    is_empty,
    skipped,
)
from crm_bridge_fxiaoke.describes import Describes
from crm_bridge_fxiaoke.profile import LOCK, MARKER, PROFILE
from crm_bridge_fxiaoke.records import UNDER_REVIEW
from crm_bridge_fxiaoke.returning import Returning
from crm_bridge_fxiaoke.settings import FxiaokeSettings

POOLS: Final = {"AccountObj": "high_seas_id", "LeadsObj": "leads_pool_id"}
"""The fields that name a pool (公海, 线索池); a record in one has no owner."""

_FEW: Final = 20
_HOW: Final = (
    "An administrator adds it in the management of the object's fields, as a text field of this "
    "API name: no call of FxiaoKe's API makes one."
)


class Checks:
    """The looks before a plan, and over an account.

    Args:
        settings: The account's settings, for their marks.
        describes: Its objects and fields.
        returning: What stands in the way of a remake.
    """

    def __init__(
        self, settings: FxiaokeSettings, describes: Describes, returning: Returning
    ) -> None:
        self._settings, self._describes, self._returning = settings, describes, returning

    def before(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterator[Finding | Outcome]:
        """What stands in the way of an operation on records of one kind."""
        if not records:
            return
        if operation is Operation.RESTORE:
            yield from self._returning.before(records)
            return
        kind = records[0].ref.kind
        if operation is Operation.ARCHIVE and (missing := self._missing(kind)):
            yield Finding(
                Severity.ERROR, "blocked",
                f"{kind} has no field {', '.join(missing)}, which would mark it.", _HOW,
            )  # fmt: skip
        unsure: list[RecordRef] = []
        for record in records:
            life = record.fields.get("life_status")
            if record.state not in (State.LIVE, State.ARCHIVED):
                continue
            if life == UNDER_REVIEW:
                yield skipped(
                    record.ref, "pending", "审核中: the approval for its making still runs."
                )
            elif _pooled(record):
                yield skipped(
                    record.ref, "rights",
                    "it lies in a pool (公海), where nobody has rights on it: claim it first.",
                )  # fmt: skip
            elif life == "ineffective":
                unsure.append(record.ref)
        if unsure and operation is not Operation.ARCHIVE:
            yield Finding(
                Severity.WARNING, "vendor_note",
                f"{len(unsure)} {kind} are not in effect (未生效), and may not be voided.",
                "The vendor's pages say that only what is in effect can be voided, and its engine "
                "did void them; it is tried.",
                len(unsure), tuple(unsure[:_FEW]),
            )  # fmt: skip

    def unmarkable(self) -> bool:
        """Whether no object of this account has the fields that the settings would mark it by."""
        named = [kind for kind in self._named() if self._marks(kind)]
        return all(self._missing(kind) for kind in named)

    def setup(self) -> Iterator[Finding]:
        """Which fields an administrator has yet to make."""
        named = self._named()
        for kind in named or PROFILE.aliases.values():
            names = self._missing(kind) if named else self._without(kind, {MARKER})
            if names:
                yield Finding(
                    Severity.WARNING, "vendor_note",
                    f"{kind} has no field {', '.join(names)}.", _HOW,
                )  # fmt: skip
        if not named:
            yield Finding(
                Severity.NOTE, "vendor_note", "the settings name no field that marks an archive.",
                f'Then write: [crms.X.marks.KIND] archive = {{ {MARKER} = "archived", '
                f'{LOCK} = "1" }}',
            )  # fmt: skip

    def examined(self) -> Iterator[tuple[str, bool, str]]:
        """Whether the fields that the settings name are there."""
        for kind in self._named():
            names = self._missing(kind)
            told = f"no field {', '.join(names)}. {_HOW}" if names else "the marker field is there"
            yield f"marks of {kind}", not names, told

    # --- private ---------------------------------------------------------------------------------

    def _named(self) -> list[str]:
        kinds = (PROFILE.aliases.get(kind, kind) for kind in self._settings.marks)
        return [kind for kind in dict.fromkeys(kinds) if kind != "*"]

    def _marks(self, kind: str) -> set[str]:
        marks = self._settings.marks
        words = [word for word, own in PROFILE.aliases.items() if own == kind]
        by: Mapping[str, Mapping[str, object]] = next(
            (marks[name] for name in (kind, *words, "*") if name in marks), {}
        )
        return {name for fields in by.values() for name in fields} - {LOCK}

    def _missing(self, kind: str) -> list[str]:
        return self._without(kind, self._marks(kind))

    def _without(self, kind: str, names: set[str]) -> list[str]:
        if not names:
            return []
        try:
            return sorted(names - set(self._describes.fields(kind)))
        except Rejected:
            return sorted(names)


def _pooled(record: Record) -> bool:
    pool = POOLS.get(record.ref.kind)
    return bool(pool and record.fields.get(pool) and is_empty(record.fields.get("owner")))
