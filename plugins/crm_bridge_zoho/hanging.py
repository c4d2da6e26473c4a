"""What hangs on a record: by lookups, in subforms, as notes and attachments.

https://www.zoho.com/crm/developer/docs/api/v7/get-related-records.html and
https://www.zoho.com/crm/developer/docs/api/v8/subforms.html, read 2026-11-24.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crm_bridge.kit import CascadeRule, Effect, Record, Rejected
from crm_bridge_zoho.bin import IDS
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.describes import ANY_MODULE, ATTACHMENTS, Describes
from crm_bridge_zoho.looking import NAMES, Looking
from crm_bridge_zoho.queries import CRITERIA, PAGE, UNASKABLE, any_of
from crm_bridge_zoho.values import id_of, lookup_of, parts


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
    _proofs: dict[tuple[str, str], bool] = field(default_factory=dict)
    _turns: dict[tuple[str, str], threading.Lock] = field(default_factory=dict)
    _first: threading.Lock = field(default_factory=threading.Lock)
    _listing: bool = False

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
                return self._of_several(rule, ids)
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
            return self._leading(rule, ids)
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
        ties = self._leading(asked, ids)
        rows = self.looking.rows(linking, ties, [other])
        ends_at = (row.get(other) for row in rows.values())
        return list(dict.fromkeys(id_of(one) for one in ends_at if isinstance(one, Mapping)))

    def _of_several(self, rule: CascadeRule, ids: Sequence[str]) -> list[str]:
        """Those of a lookup to several modules: many parents a query, where that was proved."""
        if len(ids) > CRITERIA:
            many = self._takes_many(rule, ids)
            if many is None:
                return []
            if many:
                return self._leading(rule, ids)
        return self._queried(rule, [any_of(rule.via, p) for p in parts(ids, CRITERIA)])

    def _takes_many(self, rule: CascadeRule, ids: Sequence[str]) -> bool | None:
        """Whether `in` finds for many ids what it should; None where no row leads anywhere at all.

        No page says it for lookups to several modules, and some who use it say that it is not to be
        relied on. So it is held once against rows that are known, and nothing is lost by it.
        """
        turn = self._turns.setdefault((rule.child, rule.via), threading.Lock())
        if not turn.acquire(blocking=False):
            # Many batches come at once: while another lane proves this, prove what comes next.
            for one in self._of_any(rule.kind):
                key = (one.child, one.via)
                if key not in self._turns:
                    with self._turns.setdefault(key, threading.Lock()):
                        self._proof(one, ids)
            turn.acquire()
        try:
            return self._proof(rule, ids)
        finally:
            turn.release()

    def _of_any(self, kind: str) -> Iterator[CascadeRule]:
        """What goes along with a kind by lookups to several modules."""
        for rule in self.describes.rules(kind):
            if rule.effect in (Effect.FOLLOWS, Effect.MAY_FOLLOW):
                lookup = self.describes.fields(rule.child).get(rule.via)
                if lookup is not None and lookup.target == ANY_MODULE:
                    yield rule

    def _proof(self, rule: CascadeRule, ids: Sequence[str]) -> bool | None:
        key = (rule.child, rule.via)
        if key not in self._proofs:
            try:
                proved = self._proved(rule, ids)
            except Rejected as error:
                if error.vendor_code not in UNASKABLE:
                    raise
                proved = False
            if proved is None:
                return None
            self._proofs[key] = proved
            self.client.once(2)
        return self._proofs[key]

    def _proved(self, rule: CascadeRule, ids: Sequence[str]) -> bool | None:
        """Ask for the first rows that lead anywhere, and once more by where they lead."""
        rows = next(self.looking.pages(rule.child, [f"{rule.via} is not null"], rule.via), [])
        if not rows:
            return None
        # The first list of an account goes alone: where it is refused, only one query learns it.
        with self._first:
            if not self._listing:
                proved = self._found_again(rule, rows, ids)
                self._listing = True
                return proved
        return self._found_again(rule, rows, ids)

    def _found_again(
        self, rule: CascadeRule, rows: Sequence[Mapping[str, Any]], ids: Sequence[str]
    ) -> bool:
        """Ask for rows that are known by where they lead."""
        leads: dict[str, None] = {}
        known: list[str] = []
        for row in rows:
            leads[lookup_of(row.get(rule.via))] = None
            if len(leads) > self.looking.span.values:
                break
            known.append(id_of(row))
        asked = list(leads)[: self.looking.span.values]
        if len(asked) == 1:
            # A value that leads nowhere must not keep another from being found.
            asked = [next(id for id in ids if id not in leads), *asked]
        found = next(self.looking.leading(rule.child, rule.via, asked), [])
        if len(asked) > self.looking.span.values:
            # So many were refused, and asked for in parts.
            return self._found_again(rule, rows, ids)
        # Both are the first of their kind by id: whatever leads anywhere, and to one of these.
        return [id_of(row) for row in found][: len(known)] == known

    def _leading(self, rule: CascadeRule, ids: Sequence[str]) -> list[str]:
        def asked(part: Sequence[str]) -> list[str]:
            pages = self.looking.leading(rule.child, rule.via, part)
            return [id_of(row) for rows in pages for row in rows]

        found = self.client.together(
            [partial(asked, part) for part in parts(ids, self.looking.span.ids)]
        )
        return list(dict.fromkeys(id for some in found for id in some))

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
        names = self.describes.plain(rule.child) if hung else []

        def whole(part: Sequence[str]) -> list[Record]:
            rows = self.looking.rows(rule.child, part, names)
            self.looking.mend(rule.child, rows)
            return [self.looking.record(rule.child, row) for row in rows.values()]

        for some in self.client.together([partial(whole, part) for part in parts(hung, IDS)]):
            yield from some

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
