"""How records are found: by the list, by the recycling bin, by searches that only narrow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from crm_bridge.kit import Condition, Record, Rejected, State, Unreachable
from crm_bridge_hubspot.conditions import Filter, checked, filters, meets
from crm_bridge_hubspot.profile import BATCH
from crm_bridge_hubspot.reading import Reader, parts
from crm_bridge_hubspot.schema import Ask, KindSchema, Schema, rows

PAGE: Final = 100
"""Records of one list page; more is refused."""
SEARCH_PAGE: Final = 200
"""Records of one search page."""
MOST_FOUND: Final = 10_000
"""Records that one query of a search gives in all
(https://developers.hubspot.com/docs/api-reference/2026-03/crm/search-the-crm)."""
SHORT_QUERY: Final = 1500
"""Characters of property names that a GET carries here; HubSpot refuses long URLs with 414."""


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds records of one portal.

    Attributes:
        ask: Makes one read through the gate.
        schema: The portal's schema.
        reader: Reads by id what a search found.
    """

    ask: Ask
    schema: Schema
    reader: Reader

    def records(
        self, kind: str, where: Sequence[Condition], archived: bool, native: str | None,
        fields: Sequence[str],
    ) -> Iterator[Record]:  # fmt: skip
        """Stream what meets all conditions, page by page.

        Args:
            kind: The kind.
            where: Conditions; each record is held against them here.
            archived: Whether the recycling bin is listed instead.
            native: The JSON body of a search, instead of conditions.
            fields: Properties that are wanted; empty for all.

        Raises:
            Rejected: HubSpot knows no such kind or property.
        """
        schema = self.schema.of(kind)
        checked(schema, where, fields)
        names = sorted({*fields, *(c.field for c in where)} if fields else schema.properties)
        state = State.DELETED if archived else State.LIVE
        for record in self._pages(schema, where, native, names, archived):
            if record.state is state and all(meets(schema, record.fields, c) for c in where):
                kept = {k: v for k, v in record.fields.items() if not fields or k in fields}
                yield replace(record, fields=kept)

    def _pages(
        self, schema: KindSchema, where: Sequence[Condition], native: str | None,
        names: Sequence[str], archived: bool,
    ) -> Iterator[Record]:  # fmt: skip
        kind = schema.kind
        narrowed = [] if archived else filters(schema, where)
        if native is not None:
            pages = self._native(kind, native)
        elif narrowed:
            pages = self._searched(kind, narrowed)
        elif sum(len(name) + len("&properties=") for name in names) < SHORT_QUERY:
            for page in self._listed(kind, names, archived):
                yield from (self.reader.record(kind, row) for row in page)
            return
        else:
            listed = self._listed(kind, ["hs_object_id"], archived)
            pages = ([str(row.get("id")) for row in page] for page in listed)
        for ids in pages:
            for part in parts(ids, BATCH):
                found = self.reader.batch(kind, part, names, archived)
                yield from (self.reader.record(kind, row) for row in found.rows.values())

    def _listed(
        self, kind: str, names: Sequence[str], archived: bool
    ) -> Iterator[list[dict[str, Any]]]:
        after: str | None = None
        while True:
            query = [("limit", str(PAGE)), ("archived", "true" if archived else "false")]
            query += [("properties", name) for name in names]
            query += [("after", after)] if after else []
            told = self.ask("page", (kind,), query, None)
            yield rows(told)
            after = ((told.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return

    def _searched(self, kind: str, narrowed: Sequence[Filter]) -> Iterator[list[str]]:
        """Pages by id and not by cursor, so that 10,000 are no end."""
        last = "0"
        while True:
            beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": last}
            told = self.ask("search", (kind,), (), {
                "filterGroups": [{"filters": [*narrowed, beyond]}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": ["hs_object_id"], "limit": SEARCH_PAGE,
            })  # fmt: skip
            ids = sorted((str(row.get("id")) for row in rows(told)), key=int)
            if not ids:
                return
            yield ids
            if len(ids) < SEARCH_PAGE:
                if (total := told.get("total")) and total > len(ids):
                    raise Unreachable(
                        f"HubSpot found {total} records here and gave {len(ids)}: its "
                        "pages have a gap.", answered=True,
                    )  # fmt: skip
                return
            last = ids[-1]

    def _native(self, kind: str, native: str) -> Iterator[list[str]]:
        try:
            body = json.loads(native)
        except ValueError:
            body = None
        if not isinstance(body, dict) or set(body) - {"filterGroups", "query", "sorts"}:
            raise Rejected(
                "HubSpot's own query is the JSON body of a search.",
                detail='Such as {"filterGroups": [{"filters": [...]}]} or {"query": "acme"}.',
            )
        after: str | None = None
        while True:
            more = {"properties": ["hs_object_id"], "limit": SEARCH_PAGE}
            told = self.ask(
                "search", (kind,), (), {**body, **more, **({"after": after} if after else {})}
            )
            if (told.get("total") or 0) > MOST_FOUND:
                raise Rejected(
                    f"this query finds {told['total']} records, and HubSpot gives {MOST_FOUND} of "
                    "one query at most.", detail="Narrow it, or ask by --where.",
                )  # fmt: skip
            yield [str(row.get("id")) for row in rows(told)]
            after = ((told.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return
