"""What is out of any plan's reach: records that are held, and what the settings protect."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.conditions import parse_all
from crm_bridge.engine.inspect import meets
from crm_bridge.errors import SettingsError
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.plans import Protection
from crm_bridge.model.records import Record, RecordRef


@dataclass(frozen=True, slots=True)
class Bars:
    """What keeps records of one account from being taken, or taken along.

    Attributes:
        protection: What the settings protect.
        held: (kind, id) to the words of each hold.
    """

    protection: Protection = field(default_factory=Protection)
    held: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.held or self.protection.kinds or self.protection.where)

    def reach(self, kinds: Collection[str]) -> bool:
        """Whether anything of these kinds may be out of reach."""
        some = {*self.protection.kinds, *(kind for kind, _ in self.held)}
        return bool(self.protection.where) or not some.isdisjoint(kinds)

    def of(self, record: Record) -> tuple[str, str] | None:
        """The code and the words of what bars a record; None where nothing does."""
        if record.ref.kind in self.protection.kinds:
            return "protected", f"{record.ref.kind} are out of reach in the settings."
        for condition in self.protection.where:
            if meets(record, condition):
                told = f"{condition.field} {condition.op} {condition.value}"
                return "protected", f"the settings protect what has {told}."
        why = self.held.get((record.ref.kind, record.ref.id))
        return None if why is None else ("held", why)


def bars_of(journal: Journal, connected: Connected) -> Bars:
    """What is out of reach in one account, as of now."""
    protect = connected.settings.protect
    protection = Protection(
        tuple(connected.adapter.spell_kind(kind) for kind in protect.get("kinds", ())),
        parse_all(protect.get("where", ()), connected.account.now.date()),
    )
    return Bars(protection, holds(journal, connected.account.org))


def along(record: Record, bar: tuple[str, str]) -> tuple[str, str]:
    """The same for what would take that record along."""
    return bar[0], f"{record.ref} would go along with it, and is out of reach: {bar[1]}"


def holds(journal: Journal, org: str) -> dict[tuple[str, str], str]:
    """(kind, id) to the words of each hold that stands on an org."""
    found: dict[tuple[str, str], str] = {}
    for written in journal.entries("", ("hold", "release")):
        e = written.entry
        if e.org != org:
            continue
        for id_ in e.body["ids"]:
            if e.stage == "release":
                found.pop((e.kind, id_), None)
            else:
                found[e.kind, id_] = (
                    f"held since {written.at:%Y-%m-%d} by {e.body['by']}: {e.body['reason']}"
                )
    return found


def mark_held(journal: Journal, stage: str, ref: RecordRef, org: str, reason: str, by: str) -> None:
    """Write down a `hold` or a `release`.

    Raises:
        SettingsError: A record is to be released that is not held (code `held`).
    """
    if stage == "release" and (ref.kind, ref.id) not in holds(journal, org):
        raise SettingsError(f"{ref} is not held.", code="held")
    body = {"ids": [ref.id], "reason": reason, "by": by}
    journal.append(Entry(stage, "", ref.crm, org, ref.kind, body=body))
