"""Record locks: where they are configured, how ours is told from others', how it goes on and off.

A lock needs a configuration for the module, and blocks a delete only where that lists `delete`.
https://www.zoho.com/crm/developer/docs/api/v7/lock-records.html, unlock-records.html and
add-record-locking-config.html, read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.kit import (
    Outcome,
    RecordRef,
    Rejected,
    State,
    Unauthorized,
    already,
    done,
    failed,
)
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.rows import SUCCESS, code_of, refusal

LOCKS: Final = "Locking_Information__s"
REASON: Final = "archived by crm-bridge"
"""By this a lock is known as ours."""
_SCOPE: Final = "modules.lockinginformation"


@dataclass(slots=True)
class Locking:
    """The locks of one account.

    Args:
        client: The account.
    """

    client: Client

    def configured(self, kind: str) -> bool:
        """Whether records of a module can be locked."""
        try:
            answer = self.client.ask(
                "/settings/record_locking_configurations", {"module": kind},
                scope="settings.record_locking_configurations.READ",
            )  # fmt: skip
        except Unauthorized as error:
            if error.renewable:
                raise
            return False
        except Rejected:
            # An edition without the feature, or a module that it is not for.
            return False
        return bool(answer.rows("record_locking_configurations"))

    def lock(self, ref: RecordRef) -> Outcome:
        """Put our lock on a record."""
        body = {"data": [{"Locked_Reason__s": REASON}]}
        return self._told(ref, "POST", f"/{ref.kind}/{ref.id}/{LOCKS}", body)

    def unlock(self, ref: RecordRef) -> Outcome:
        """Take our own lock off; nobody else's."""
        locks = self._locks(ref)
        if not locks:
            return already(ref, state=State.LIVE)
        ours = [one for one in locks if one.get("Locked_Reason__s") == REASON]
        if not ours:
            return failed(ref, "locked", "the lock on it is not ours; it stays.")
        return self._told(ref, "DELETE", f"/{ref.kind}/{ref.id}/{LOCKS}/{ours[0].get('id')}", None)

    def _locks(self, ref: RecordRef) -> Sequence[Any]:
        names = "Locked_For__s,Locked_Reason__s,Lock_Source__s,Locked_Time__s,Locked_By__s"
        path = f"/{ref.kind}/{ref.id}/{LOCKS}"
        return self.client.ask(path, {"fields": names}, scope=f"{_SCOPE}.READ").rows("data")

    def _told(self, ref: RecordRef, method: str, path: str, body: Any) -> Outcome:
        try:
            answer = self.client.tell((ref,), method, path, None, body, scope=f"{_SCOPE}.ALL")
        except Rejected as error:
            if error.vendor_code not in ("NOT_ALLOWED", "INVALID_DATA"):
                raise
            code = "locked" if error.vendor_code == "NOT_ALLOWED" else "not_found"
            return failed(ref, code, error.summary, vendor_code=error.vendor_code)
        for row in answer.rows("data"):
            return done(ref) if code_of(row) == SUCCESS else refusal(ref, row)
        return failed(ref, "refused", "Zoho CRM answered without a row.")
