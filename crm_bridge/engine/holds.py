"""Holds: records that no plan may reach until somebody releases them, kept in the journal."""

from __future__ import annotations

from crm_bridge.errors import SettingsError
from crm_bridge.journal.store import Entry, Journal
from crm_bridge.model.records import RecordRef


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
