"""The recycle bin, and what Zoho lists as gone for good.

https://www.zoho.com/crm/developer/docs/api/v7/get-recycle-bin.html and get-deleted-records.html,
read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.kit import Record, RecordRef, Rejected, State
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.describes import BIN_SCOPE, UNTOLD, Describes
from crm_bridge_zoho.queries import PAGE
from crm_bridge_zoho.values import id_of, module_of, moment, parts

IDS: Final = 100
"""Ids that one call may name."""
GONE_PAGES: Final = 25
"""Pages of what was deleted for good that are looked through for evidence; 200 ids each."""


@dataclass(slots=True)
class Bin:
    """The bin of one account.

    Args:
        client: The account.
        describes: Its metadata.
    """

    client: Client
    describes: Describes

    def missing(self, kind: str, ids: Sequence[str], hidden: bool) -> Iterator[Record]:
        """Where records stand that no list shows: in the bin, gone for good, or nowhere."""
        if not ids:
            return
        binned = self.binned(kind, ids)
        left = [id for id in ids if id not in binned]
        gone = self._gone(kind, left) if left else frozenset()
        for id in ids:
            ref = RecordRef(self.client.crm, kind, id)
            if id in binned:
                when = moment(binned[id].get("deleted_time"))
                yield Record(ref, State.DELETED, changed_at=when, evidence="listed in the bin")
            elif id in gone:
                yield Record(ref, State.GONE, evidence="listed as deleted for good")
            else:
                yield Record(ref, State.GONE, unreadable=hidden)

    # --- the bin -------------------------------------------------------------------------------

    def binned(self, kind: str, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Which of these records of a module are in the bin, each with its entry."""
        if not self.describes.bin_open():
            # Without the scope of the bin the list of deleted records tells the same.
            wanted = frozenset(ids)
            rows = self._deleted(kind, "recycle")
            return {id_of(row): row for row in rows if id_of(row) in wanted}
        found: dict[str, Mapping[str, Any]] = {}
        for part in parts(ids, IDS):
            params = {"ids": ",".join(part), "per_page": PAGE}
            answer = self.client.ask("/settings/recycle_bin", params, scope=BIN_SCOPE)
            for row in answer.rows("recycle_bin"):
                if id_of(row) in part and module_of(row) in (kind, ""):
                    found[id_of(row)] = row
        return found

    def _gone(self, kind: str, ids: Sequence[str]) -> frozenset[str]:
        """Which of these are listed as deleted for good; Zoho lists them for 120 days."""
        wanted, found = set(ids), set[str]()
        try:
            for row in self._deleted(kind, "permanent", GONE_PAGES):
                if id_of(row) in wanted:
                    found.add(id_of(row))
                    if found == wanted:
                        break
        except Rejected as error:
            if error.vendor_code not in UNTOLD:
                raise
        return frozenset(found)

    def _deleted(
        self, kind: str, which: str, most: int | None = None
    ) -> Iterator[Mapping[str, Any]]:
        page = 1
        while True:
            answer = self.client.deleted(kind, which, page)
            yield from answer.rows("data")
            if not answer.more or (most is not None and page >= most):
                return
            page += 1

    def find(self, kind: str) -> Iterator[Record]:
        """What lies in the bin; its values are shown by no call."""
        self.describes.module(kind)
        for row in self._deleted(kind, "recycle"):
            ref = RecordRef(self.client.crm, kind, id_of(row))
            yield Record(
                ref, State.DELETED, changed_at=moment(row.get("deleted_time")),
                evidence="listed in the bin",
            )  # fmt: skip
