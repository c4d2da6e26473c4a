"""Records made anew: inserts, rows that come with their record, ties, and lookups put back.

https://www.zoho.com/crm/developer/docs/api/v7/insert-records.html and
https://www.zoho.com/crm/developer/docs/api/v8/subforms.html, read 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.kit import (
    Link,
    Outcome,
    Record,
    RecordRef,
    State,
    Unreachable,
    Verdict,
    done,
    failed,
)
from crm_bridge_zoho.client import TITLE, Client
from crm_bridge_zoho.describes import ANY_MODULE, ATTACHMENTS, Describes
from crm_bridge_zoho.looking import KEPT, Looking
from crm_bridge_zoho.making import alike, made, pointed_at
from crm_bridge_zoho.rows import SUCCESS, Row, code_of, matched, refusal

_NO_WAY: Final = "no lookup of this account writes such rows"


@dataclass(slots=True)
class Anew:
    """What one account makes anew.

    Args:
        client: The account.
        describes: Its metadata.
        looking: Its reads.
    """

    client: Client
    describes: Describes
    looking: Looking

    def create(self, records: Sequence[Record]) -> Iterator[Outcome]:
        """Make records anew, under new ids, without a look for duplicates."""
        kind = records[0].ref.kind
        within = {"subform": self._rows_of, "linking": self._ties}
        if (inner := within.get(self.describes.module(kind).kind)) is not None:
            yield from inner(records)
            return
        fields = self.describes.fields(kind)
        alive = self._alive(records, kind)
        bodies = {record.ref: made(record, fields, alive) for record in records}
        good = [r.ref for r in records if bodies[r.ref][0] and kind != ATTACHMENTS]
        why = "nothing of it is kept that an insert takes"
        if kind == ATTACHMENTS:
            why = "the file itself is not kept, only its name"
        for record in records:
            if record.ref not in good:
                yield failed(record.ref, "never", why)
        if not good:
            return
        answer = self.client.tell(
            good, "POST", f"/{kind}", None,
            self.client.quiet({"data": [bodies[ref][0] for ref in good]}),
            scope=f"modules.{kind}.CREATE",
        )  # fmt: skip
        rows = answer.rows("data")
        if len(rows) != len(good):
            raise Unreachable(f"{TITLE} answered for {len(rows)} of {len(good)}.", answered=True)
        for ref, row in zip(good, rows, strict=True):
            yield self._made(ref, row, bodies[ref][1])

    def _rows_of(self, records: Sequence[Record]) -> Iterator[Outcome]:
        """Rows of a subform are made with their record: each is looked for, and none is sent."""
        taken: set[str] = set()
        rows: dict[str, list[Row]] = {}
        for record in records:
            parent = record.fields.get("Parent_Id")
            id = parent.get("id") if isinstance(parent, Mapping) else None
            if isinstance(id, str) and id not in rows:
                rows[id] = list(self.looking.rows_under(record.ref.kind, id))
            found = (
                str(row["id"]) for row in rows.get(str(id), ())
                if str(row["id"]) not in taken and alike(row, record.fields)
            )  # fmt: skip
            new = next(found, None)
            if new is None:
                yield failed(record.ref, "not_found", "its record has no such row.")
                continue
            taken.add(new)
            ref = RecordRef(self.client.crm, record.ref.kind, new)
            yield Outcome(record.ref, Verdict.ALREADY, State.LIVE, "row", new_ref=ref)

    def _ties(self, records: Sequence[Record]) -> Iterator[Outcome]:
        """Rows of a linking module are made by writing the lookup whose rows they are."""
        way = self._way(records[0].ref.kind)
        if way is not None:
            yield from self._tied(records, way)
            return
        for record in records:
            yield failed(record.ref, "never", _NO_WAY)

    def _way(self, linking: str) -> tuple[str, str, str, str] | None:
        """What writes the rows of a linking module: a module, its lookup, and both ends of a row."""
        ends = {n: f for n, f in self.describes.fields(linking).items() if f.type == "lookup"}
        for near, field in ends.items():
            own = self.describes.fields(field.target).values()
            name = next((f.name for f in own if f.inner == linking), "")
            far = next((n for n in ends if n != near), "")
            if name and far:
                return field.target, name, near, far
        return None

    def _tied(self, records: Sequence[Record], way: tuple[str, str, str, str]) -> Iterator[Outcome]:
        """Write ties as values of a multi-select lookup, then read which rows they became."""
        module, name, near, far = way
        alive = self._alive(records, records[0].ref.kind)
        whole = [r for r in records if {_end(r, near), _end(r, far)} <= alive]
        for record in records:
            if record not in whole:
                yield failed(record.ref, "not_found", "what it tied is not there")
        records = whole
        if not records:
            return
        rows: dict[str, dict[str, Any]] = {}
        torn = [r for r in records if not (_end(r, near) and _end(r, far))]
        records = [record for record in records if record not in torn]
        for record in torn:
            yield failed(
                record.ref, "parent_missing", "it names one record only, and so ties none."
            )
        if not records:
            return
        for record in records:
            here, there = _end(record, near), _end(record, far)
            row = rows.setdefault(here, {"id": here, name: []})
            row[name].append({name: {"id": there}})
        body = self.client.quiet({"data": list(rows.values())})
        refs = [record.ref for record in records]
        answer = self.client.tell(refs, "PUT", f"/{module}", None, body,
                                  scope=f"modules.{module}.UPDATE")  # fmt: skip
        targets = [RecordRef(self.client.crm, module, id) for id in rows]
        told = {ref.id: row for ref, row in matched(targets, answer.rows("data"))}
        found = {id: self.looking.single(module, id).get(name) for id in rows}
        for record in records:
            here, there = _end(record, near), _end(record, far)
            if code_of(told.get(here, {})) != SUCCESS:
                yield refusal(record.ref, told.get(here, {}))
                continue
            ties = (t for t in found[here] or () if isinstance(t.get(name), Mapping))
            new = next((str(t["id"]) for t in ties if t[name].get("id") == there), None)
            if new is None:
                yield failed(record.ref, "not_found", "no read shows the tie")
            else:
                yield done(record.ref, new_ref=RecordRef(self.client.crm, record.ref.kind, new))

    def _made(self, ref: RecordRef, row: Row, not_set: Mapping[str, str]) -> Outcome:
        details = row.get("details")
        id = details.get("id") if isinstance(details, Mapping) else None
        if code_of(row) != SUCCESS:
            return refusal(ref, row)
        if not isinstance(id, (str, int)):
            raise Unreachable(f"{TITLE} made a record and does not name it.", answered=True)
        new = RecordRef(self.client.crm, ref.kind, str(id))
        return done(ref, new_ref=new, details={"not_set": dict(not_set)} if not_set else {})

    def link(self, links: Sequence[tuple[RecordRef, Link]]) -> Iterator[Outcome]:
        """Point lookups where they led: an insert has set most, the others by one update."""
        kind = links[0][0].kind
        if not self.writes(kind):
            yield from self.tied(kind, [(ref, link.name, link.other.id) for ref, link in links])
            return
        fields = self.describes.fields(kind)
        names = list(dict.fromkeys(link.name for _, link in links if link.name in fields))
        there = {
            ref.id: {(one.name, one.other.id) for one in record.links}
            for ref, record in self._linked(links, names).items()
        }
        rows: dict[RecordRef, dict[str, Any]] = {}
        for ref, link in links:
            if (link.name, link.other.id) in there.get(ref.id, ()):
                continue
            field = fields.get(link.name)
            if field is None or not field.updates:
                continue
            value: Any = {"id": link.other.id}
            row = rows.setdefault(ref, {"id": ref.id})
            if field.type == "multiselectlookup":
                row.setdefault(link.name, []).append({link.name: value})
            else:
                row[link.name] = value
                if field.target == ANY_MODULE:
                    row[KEPT] = link.other.kind
        told = self._pointed(kind, rows)
        for ref, link in links:
            if (link.name, link.other.id) in there.get(ref.id, ()):
                yield done(ref)
            else:
                no = failed(ref, "refused", f"no update writes {link.name}.")
                yield told.get(ref, no) if link.name in rows.get(ref, ()) else no

    def writes(self, kind: str) -> bool:
        """Whether the rows of a module are written by themselves; linking rows are by a lookup."""
        return self.describes.module(kind).kind != "linking"

    def tied(self, kind: str, ties: Sequence[tuple[RecordRef, str, str]]) -> Iterator[Outcome]:
        """Give linking rows another end: ref, the name of the end, and the id to lead to.

        No call writes such a row, so what it tied is tied anew by the lookup whose row it is. The
        old row stays as it is, and leads to what is gone.
        """
        if (way := self._way(kind)) is None:
            for ref, _, _ in ties:
                yield failed(ref, "never", _NO_WAY)
            return
        module, name, near, far = way
        refs = list(dict.fromkeys(ref for ref, _, _ in ties))
        found = self.looking.rows(kind, [ref.id for ref in refs], [near, far])
        ends = {ref: {n: found.get(ref.id, {}).get(n) for n in (near, far)} for ref in refs}
        for ref, end, id in ties:
            ends[ref][end] = {"id": id}
        rows = [Record(ref, State.LIVE, fields) for ref, fields in ends.items()]
        shown = {
            id: {_end_of(tie.get(name)) for tie in self.looking.single(module, id).get(name) or ()}
            for id in dict.fromkeys(_end(row, near) for row in rows)
        }
        missing = [row for row in rows if _end(row, far) not in shown[_end(row, near)]]
        told = {o.ref: o for o in (self._tied(missing, way) if missing else ())}
        for ref in refs:
            outcome = told.get(ref)
            good = outcome is None or outcome.verdict is Verdict.DONE
            yield done(ref) if good or outcome is None else outcome

    def _linked(
        self, links: Sequence[tuple[RecordRef, Link]], names: Sequence[str]
    ) -> dict[RecordRef, Record]:
        refs = list(dict.fromkeys(ref for ref, _ in links))
        records = self.looking.read(refs[0].kind, [ref.id for ref in refs], names)
        return {record.ref: record for record in records}

    def _pointed(
        self, kind: str, rows: Mapping[RecordRef, Mapping[str, Any]]
    ) -> dict[RecordRef, Outcome]:
        if not rows:
            return {}
        answer = self.client.tell(
            list(rows), "PUT", f"/{kind}", None, self.client.quiet({"data": list(rows.values())}),
            scope=f"modules.{kind}.UPDATE",
        )  # fmt: skip
        return {
            ref: done(ref) if code_of(row) == SUCCESS else refusal(ref, row)
            for ref, row in matched(list(rows), answer.rows("data"))
        }

    def _alive(self, records: Sequence[Record], kind: str) -> frozenset[str]:
        """Ids that lookups of these lead to and that are there."""
        there: set[str] = set()
        for target, ids in pointed_at(records, self.looking, kind).items():
            there |= set(self.looking.rows(target, sorted(ids), ["Created_Time"]))
        return frozenset(there)


def _end(record: Record, name: str) -> str:
    """The id that a lookup of a linking row holds."""
    return _end_of(record.fields.get(name))


def _end_of(value: Any) -> str:
    return str(value.get("id", "")) if isinstance(value, Mapping) else ""
