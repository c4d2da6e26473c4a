"""Reading and finding: lists and single records, the bin, and what is gone for good.

https://www.zoho.com/crm/developer/docs/api/v7/get-records.html, get-recycle-bin.html,
get-deleted-records.html and https://www.zoho.com/crm/developer/docs/api/v8/subforms.html,
read 2026-11-24.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from crm_bridge.kit import (
    Condition,
    Link,
    Record,
    RecordRef,
    Rejected,
    State,
    Unreachable,
)
from crm_bridge_zoho.bin import IDS, Bin
from crm_bridge_zoho.client import TITLE, Answer, Client
from crm_bridge_zoho.describes import (
    APPROVAL,
    CONVERTED,
    SINGLE,
    UNTOLD,
    Describes,
    Field,
)
from crm_bridge_zoho.profile import LOCK
from crm_bridge_zoho.queries import (
    PAGE,
    TEXTS,
    UNASKABLE,
    Span,
    checked,
    criteria,
    hanging,
    meets,
    one_of,
    query,
)
from crm_bridge_zoho.values import id_of, lookup_of, module_of, moment, parts

NAMES: Final = 50
"""Fields that one call may name."""
CUT: Final = 500
"""Characters at which lists cut rich text."""
PAGES: Final = 10
"""Pages that go by number; what lies beyond goes by page_token."""

LEADS: Final = "Leads"
KEPT: Final = "$se_module"
"""Of the `$` keys only this is a value of the record: the module of a lookup to several."""


@dataclass(slots=True)
class Looking:
    """The reads of one account.

    Args:
        client: The account.
        describes: Its metadata.
        bin: Its recycle bin.
    """

    client: Client
    describes: Describes
    bin: Bin
    span: Span = dataclasses.field(default_factory=Span, init=False)

    # --- reading -------------------------------------------------------------------------------

    def read(self, kind: str, ids: Sequence[str], names: Sequence[str] = ()) -> Iterator[Record]:
        """Records whole; what is not there is looked for in the bin and among what is gone."""
        plain = self.describes.plain(kind)
        try:
            wanted = [n for n in plain if not names or n in names]
            rows = self.rows(kind, ids, [*wanted, *self.describes.signs(kind)])
        except Rejected as error:
            if error.vendor_code not in UNTOLD or kind not in self.describes.modules():
                raise
            # Such as attachments where they are shown under their record only: the bin may tell.
            rows, hidden = {}, True
        else:
            hidden = False
        self.mend(kind, rows, names)
        for id in ids:
            if id in rows:
                yield self.record(kind, rows[id])
        yield from self.bin.missing(kind, [id for id in ids if id not in rows], hidden)

    def standing(self, kind: str, ids: Sequence[str]) -> Iterator[Record]:
        """Where records stand, without their values."""
        rows = self.rows(kind, ids, ["Created_Time"])
        for id in ids:
            if id in rows:
                yield Record(RecordRef(self.client.crm, kind, id), State.LIVE)
        yield from self.bin.missing(kind, [id for id in ids if id not in rows], False)

    def rows(
        self, kind: str, ids: Sequence[str], names: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Rows of a list by their ids, with so many fields joined from calls of 50 names each."""
        found: dict[str, dict[str, Any]] = {}
        there = list(ids)
        for some in parts(names, NAMES) or [["Created_Time"]]:
            found, fresh = {}, found
            for part in parts(there, IDS):
                for row in self._listed(kind, part, some):
                    id = id_of(row)
                    if id in part:
                        found[id] = {**fresh.get(id, {}), **row}
            there = [id for id in there if id in found]
        return found

    def _listed(
        self, kind: str, ids: Sequence[str], names: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        params = {"ids": ",".join(ids), "fields": ",".join(names), "per_page": PAGE}
        try:
            answer = self.client.ask(f"/{kind}", params, scope=f"modules.{kind}.READ")
        except Rejected as error:
            shown = [name for name in names if name[:1] != "$"]
            if shown and len(shown) < len(names):
                # What cannot be shown here is told by the refusal of a write at the latest.
                return self._listed(kind, ids, shown)
            # How many ids a call takes is told nowhere; fewer are tried.
            if not error.divisible or len(ids) < 2:
                raise
            half = len(ids) // 2
            return [*self._listed(kind, ids[:half], names), *self._listed(kind, ids[half:], names)]
        return answer.rows("data")

    def mend(
        self, kind: str, rows: Mapping[str, dict[str, Any]], names: Sequence[str] = ()
    ) -> None:
        """Put in what lists leave out or cut: subforms, multi-select lookups, long rich text."""
        fields = self.describes.fields(kind).values()
        wanted = [f for f in fields if not names or f.name in names]
        single = [f for f in wanted if f.type in SINGLE]
        rich = [f.name for f in wanted if f.rich]
        filled = self._filled(kind, single, list(rows)) if single and rows else frozenset[str]()
        for id, row in rows.items():
            if single:
                whole = self.single(kind, id) if id in filled else {}
                row.update({f.name: whole.get(f.name, []) for f in single})
            cut = [n for n in rich if isinstance(row.get(n), str) and len(row[n]) >= CUT]
            if cut:
                path = f"/{kind}/{id}/actions/fetch_full_data"
                for whole in self.client.ask(path, {"fields": ",".join(cut)}).rows("data"):
                    row.update({n: whole[n] for n in cut if n in whole})

    def cost(self, kind: str, records: Sequence[Record]) -> int:
        """Calls that `read` makes for records that are there and hold this."""
        fields = self.describes.fields(kind).values()
        single = [f for f in fields if f.type in SINGLE]
        asked = all(self.describes.back(kind, f) for f in single)
        lists = -(-len([*self.describes.plain(kind), *self.describes.signs(kind)]) // NAMES)
        calls = -(-len(records) // IDS) * (lists + (len(single) if asked else 0))
        for record in records:
            value = record.fields.get
            calls += bool(single) and (not asked or any(value(f.name) for f in single))
            calls += any(f.rich and len(str(value(f.name) or "")) >= CUT for f in fields)
        return calls

    def single(self, kind: str, id: str) -> Mapping[str, Any]:
        """One record as only its own address shows it; empty where it is not there."""
        answer = self.client.ask(f"/{kind}/{id}", scope=f"modules.{kind}.READ")
        for row in answer.rows("data"):
            if id_of(row) == id:
                return row
        return {}

    def rows_under(self, kind: str, parent: str) -> Iterator[Mapping[str, Any]]:
        """The rows of a subform module that belong to a record, as its own read shows them."""
        field = self.describes.fields(kind).get("Parent_Id")
        if field is None or field.target not in self.describes.modules():
            return
        names = [f.name for f in self.describes.fields(field.target).values() if f.inner == kind]
        whole = self.single(field.target, parent)
        for name in names:
            rows = whole.get(name)
            yield from (row for row in (rows if isinstance(rows, list) else ()) if id_of(row))

    def record(self, kind: str, row: Mapping[str, Any]) -> Record:
        """A live row as a record."""
        fields = {k: v for k, v in row.items() if k != "id" and (k[:1] != "$" or _tells(k, v))}
        return Record(
            RecordRef(self.client.crm, kind, id_of(row)),
            State.LIVE,
            fields,
            tuple(self._links(kind, row)),
            moment(row.get("Modified_Time")),
            locked=row.get(LOCK) is True,
        )

    def _links(self, kind: str, row: Mapping[str, Any]) -> Iterator[Link]:
        """Where lookups of a row lead, each under the name of its field."""
        for field in self.describes.lookups(kind):
            value = row.get(field.name)
            if not value:
                continue
            if field.type == "lookup":
                values = [value]
            elif isinstance(value, list):
                values = [one.get(field.name) for one in value if isinstance(one, Mapping)]
            else:
                continue
            for one in values:
                target = self.target(field, one, row)
                if isinstance(one, Mapping) and target and id_of(one):
                    yield Link(field.name, RecordRef(self.client.crm, target, id_of(one)))

    def target(self, field: Field, value: Any, row: Mapping[str, Any]) -> str:
        """The module that a lookup's value leads to; empty where nothing tells."""
        if field.target in self.describes.modules():
            return field.target
        told = module_of(value) if isinstance(value, Mapping) else ""
        told = told or str(row.get(KEPT) or "")
        return told if told in self.describes.modules() else ""

    # --- finding -------------------------------------------------------------------------------

    def find(
        self, kind: str, where: Sequence[Condition], native: str | None, fields: Sequence[str]
    ) -> Iterator[Record]:
        """Live records that meet all conditions; with the fields that are wanted, or all."""
        known = self.describes.fields(kind)
        checked(where, known)
        if strange := [f for f in fields if f not in known]:
            raise Rejected(f"there is no field {strange[0][:80]!r}.")
        asked = criteria(where, known) if native is None else [_native(native)]
        names = list(fields) or self.describes.plain(kind)
        own = ("Modified_Time", LOCK)
        every = dict.fromkeys([*names, *(c.field for c in where), *own])
        named = [n for n in every if n in known]
        plain = [n for n in named if known[n].type not in SINGLE]
        pages = self.by_query(kind, asked) if asked else self._by_pages(kind)
        if asked and native is None and kind == LEADS:
            # A query shows no converted leads; their own list is short, and is judged here.
            pages = chain(pages, self._by_pages(kind, "true"))
        kept = {*fields} if fields else None
        for ids in pages:
            rows = self.rows(kind, ids, [*plain, *self.describes.signs(kind)])
            self.mend(kind, rows, named)
            for id in ids:
                if id not in rows:
                    continue
                record = self.record(kind, rows[id])
                if all(meets({**record.fields, "id": id}, c) for c in where):
                    yield record if kept is None else _only(record, kept)

    def by_query(self, kind: str, asked: Sequence[str]) -> Iterator[list[str]]:
        """Ids by COQL, page by page; a page begins after the last id of the one before."""
        for rows in self.pages(kind, asked):
            yield [id_of(row) for row in rows]

    def leading(
        self, kind: str, via: str, ids: Sequence[str], column: str = ""
    ) -> Iterator[list[Mapping[str, Any]]]:
        """Pages of the rows whose lookup leads to any of these, as many ids a query as it takes."""
        for part in parts(ids, self.span.ids):
            tried = (self.span.values, self.span.ins)
            try:
                yield from self.pages(kind, [hanging(via, part, tried[0])], column)
            except Rejected as error:
                # Refused at the first page, so nothing of this part was given out.
                if not self.span.shorter(tried, error.vendor_code):
                    raise
                yield from self.leading(kind, via, part, column)

    def pages(
        self, kind: str, asked: Sequence[str], column: str = ""
    ) -> Iterator[list[Mapping[str, Any]]]:
        """Rows by COQL with their ids and one more column, page by page, in the order of ids."""
        after = ""
        while True:
            answer = self.coql(query(kind, asked, after, column))
            rows = answer.page()
            if rows:
                yield rows
            if not answer.more or not rows:
                return
            last = max((id_of(row) for row in rows), key=int)
            if after and int(last) <= int(after):
                raise Unreachable(f"{TITLE} gave a page twice.", answered=True)
            after = last

    def _filled(self, kind: str, fields: Sequence[Field], ids: Sequence[str]) -> frozenset[str]:
        """Which of these records have a value that only a read of each alone would show."""
        found: set[str] = set()
        for field in fields:
            back = self.describes.back(kind, field)
            if not back:
                return frozenset(ids)
            try:
                for rows in self.leading(field.inner, back, ids, back):
                    found.update(lookup_of(row.get(back)) for row in rows)
            except Rejected as error:
                if error.vendor_code not in UNASKABLE:
                    raise
                return frozenset(ids)
        return frozenset(found)

    def holders(self, kind: str, name: str, values: Sequence[str]) -> dict[str, str]:
        """Which live record of a module holds each of these values of a field."""
        found: dict[str, str] = {}
        for part in parts(values, TEXTS):
            asked = one_of(name, part)
            for ids in self.by_query(kind, [asked]) if asked else ():
                for id, row in self.rows(kind, ids, [name]).items():
                    found.setdefault(str(row.get(name)), id)
        return found

    def coql(self, text: str) -> Answer:
        """Ask a query."""
        return self.client.ask("/coql", scope="coql.READ", query=text)

    def _by_pages(self, kind: str, converted: str = "both") -> Iterator[list[str]]:
        """All ids: pages by number as far as they go, then by token."""
        name = next(iter(self.describes.plain(kind)), "Created_Time")
        params: dict[str, Any] = {
            "fields": name, "per_page": PAGE, "page": 1, "sort_by": "id", "sort_order": "asc",
        }  # fmt: skip
        if kind == LEADS:
            # Converted leads are left out of lists unless they are asked for.
            params["converted"] = converted
        while True:
            answer = self.client.ask(f"/{kind}", params, scope=f"modules.{kind}.READ")
            ids = [id_of(row) for row in answer.page()]
            if ids:
                yield ids
            if not answer.more:
                return
            token = answer.body["info"].get("next_page_token")
            if "page" in params and params["page"] < PAGES:
                params["page"] += 1
            elif isinstance(token, str) and token:
                params.pop("page", None)
                params["page_token"] = token
            else:
                raise Unreachable(f"{TITLE} has more pages and no token for them.", answered=True)

    def total(self, kind: str) -> int | None:
        """How many live records a module has."""
        answer = self.client.ask(f"/{kind}/actions/count", scope=f"modules.{kind}.READ")
        count = answer.body.get("count")
        return count if isinstance(count, int) and not isinstance(count, bool) else None


def _tells(name: str, value: Any) -> bool:
    """Whether a `$` key says something of the record that is not so of every other."""
    if name == APPROVAL:
        return value not in (None, "", "approved")
    return name == KEPT or (name == CONVERTED and value is True)


def _native(text: str) -> str:
    """Criteria of COQL, as they stand behind `where`.

    Raises:
        Rejected: They are a whole query, which would name a module of its own.
    """
    told = text.strip()
    if not told or told.lower().startswith("select "):
        raise Rejected("a native query is what stands behind `where` in COQL, and no more.")
    return f"({told})"


def _only(record: Record, names: Iterable[str]) -> Record:
    kept = {n: v for n, v in record.fields.items() if n in names}
    return Record(
        record.ref, record.state, kept, record.links, record.changed_at, locked=record.locked
    )
