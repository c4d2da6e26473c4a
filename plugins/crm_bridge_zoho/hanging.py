"""What hangs on a record: by lookups, in subforms, as notes and attachments.

https://www.zoho.com/crm/developer/docs/api/v7/get-related-records.html and
https://www.zoho.com/crm/developer/docs/api/v8/subforms.html, read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_bridge.kit import CascadeRule, Record, Rejected
from crm_bridge_zoho.bin import IDS
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.describes import ANY_MODULE, ATTACHMENTS, Describes
from crm_bridge_zoho.looking import NAMES, Looking
from crm_bridge_zoho.queries import CRITERIA, PAGE, UNASKABLE, VALUES, any_of, hanging
from crm_bridge_zoho.values import id_of, parts


@dataclass(slots=True)
class Hanging:
    """The relations of one account.

    Args:
        client: The account.
        describes: Its metadata.
        looking: Its reads.
    """

    client: Client
    describes: Describes
    looking: Looking
    _listed: set[str] = field(default_factory=set)

    def hung(self, rule: CascadeRule, ids: Sequence[str]) -> list[str]:
        """Ids of the live records that hang on these by a rule."""
        lookup = self.describes.fields(rule.child).get(rule.via)
        if lookup is None:
            return []
        if lookup.type == "multiselectlookup":
            return self._tied(rule, lookup.inner, ids)
        if lookup.target != ANY_MODULE:
            return self._rows(rule, ids)
        if rule.child not in self._listed:
            try:
                return self._queried(rule, [any_of(rule.via, p) for p in parts(ids, CRITERIA)])
            except Rejected as error:
                if error.vendor_code not in UNASKABLE:
                    raise
                self._listed.add(rule.child)
        if rule.child == ATTACHMENTS:
            return [id_of(row) for row in self._parts_of(rule, ids)]
        listed = self.describes.list_of(rule.kind, rule.child)
        return [
            id_of(row)
            for id in (ids if listed else ())
            for row in self._under(rule.kind, id, listed, (rule.via,))
            if _names(row.get(rule.via), id)
        ]

    def _rows(self, rule: CascadeRule, ids: Sequence[str]) -> list[str]:
        """Those of a lookup to one module; rows of subforms only where queries show them."""
        try:
            return self._queried(rule, [hanging(rule.via, p) for p in parts(ids, VALUES)])
        except Rejected as error:
            inner = self.describes.module(rule.child).kind == "subform"
            if not inner or error.vendor_code not in UNASKABLE:
                raise
            return []

    def _tied(self, rule: CascadeRule, linking: str, ids: Sequence[str]) -> list[str]:
        """Those at the other end of the rows of a linking module."""
        ends = {f.target: f.name for f in self.describes.fields(linking).values() if f.target}
        if not {rule.kind, rule.child} <= set(ends):
            return []
        back, other = ends[rule.kind], ends[rule.child]
        asked = CascadeRule(rule.kind, linking, back, rule.effect)
        ties = self._queried(asked, [hanging(back, part) for part in parts(ids, VALUES)])
        rows = self.looking.rows(linking, ties, [other])
        ends_at = (row.get(other) for row in rows.values())
        return list(dict.fromkeys(id_of(one) for one in ends_at if isinstance(one, Mapping)))

    def _queried(self, rule: CascadeRule, asked: Sequence[str]) -> list[str]:
        found: dict[str, None] = {}
        for one in asked:
            for some in self.looking.by_query(rule.child, [one]):
                found.update(dict.fromkeys(some))
        return list(found)

    def children(self, rule: CascadeRule, ids: Sequence[str]) -> Iterator[Record]:
        """The live records that hang on these by a rule, whole."""
        hung = self.hung(rule, ids)
        if rule.child == ATTACHMENTS and rule.child in self._listed:
            for row in self._parts_of(rule, ids):
                yield self.looking.record(rule.child, row)
            return
        for part in parts(hung, IDS):
            rows = self.looking.rows(rule.child, part, self.describes.plain(rule.child))
            self.looking.mend(rule.child, rows)
            yield from (self.looking.record(rule.child, row) for row in rows.values())

    def _parts_of(self, rule: CascadeRule, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Attachments of records: they are listed under each record only."""
        names = self.describes.plain(rule.child)
        for id in ids:
            listed = self.describes.list_of(rule.kind, rule.child) or rule.child
            for row in self._under(rule.kind, id, listed, names):
                # The row may leave out what the address says already.
                yield {**row, rule.via: row.get(rule.via) or {"id": id, "module": rule.kind}}

    def _under(
        self, kind: str, id: str, listed: str, names: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        params: dict[str, Any] = {"fields": ",".join(names[:NAMES]), "per_page": PAGE, "page": 1}
        while True:
            answer = self.client.ask(f"/{kind}/{id}/{listed}", params)
            rows += answer.rows("data")
            if not answer.more:
                return rows
            params["page"] += 1


def _names(value: Any, id: str) -> bool:
    return value == id or (isinstance(value, Mapping) and value.get("id") == id)
