"""Which of a simulated Zoho account's records a test may take."""

from __future__ import annotations

from typing import Any


def unheld(store: Any, kind: str, count: int) -> list[str]:
    """Ids of live records that nothing holds: no lock, no approval, no conversion, no mark.

    Args:
        store: The account's store.
        kind: Their kind.
        count: How many.
    """
    found = [
        r.id
        for r in store.of(kind, "live")
        if not r.locked and not r.meta.get("approval") and not r.meta.get("converted")
        if "CRM_Bridge_Status" not in r.fields
    ]
    assert len(found) >= count
    return found[:count]
