"""How records and their associations are read, and how an answer under another id is told apart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any

from crm_bridge.kit import (
    Link,
    Record,
    RecordRef,
    Rejected,
    State,
    Unauthorized,
    Unreachable,
    is_empty,
)
from crm_bridge_hubspot.profile import BATCH, BIN_DAYS, LINKS_BATCH
from crm_bridge_hubspot.schema import Ask, Schema, Spread, rows
from crm_bridge_hubspot.troubles import NOT_FOUND, code_of

TOLD = 20_000
"""Records whose associations are remembered."""

MERGED: str = "merged into "
"""What the evidence of a merged record begins with."""

_MERGED_LISTS = ("hs_merged_object_ids", "hs_calculated_merged_vids")
_NO_SUCH = frozenset({NOT_FOUND, "NO_ASSOCIATIONS_FOUND"})

Row = Mapping[str, Any]


def parts(items: Sequence[str], size: int) -> Iterator[list[str]]:
    """A list in pieces of so many."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


@dataclass(frozen=True, slots=True)
class Found:
    """What one batch/read said of the ids that it was asked for.

    Attributes:
        rows: Id to row, of those that answered under their own id.
        merged: Id to the id that answered in its place.
        missing: Those that HubSpot does not show.
    """

    rows: Mapping[str, Row]
    merged: Mapping[str, str]
    missing: tuple[str, ...]


class Told:
    """Associations as a read told them a moment ago: whole records come with all of theirs.

    What was told is forgotten after a minute of HubSpot's clock, with every write of ours, and where
    it is of too many records. What a run sends stands on a read of its own all the same: associations
    are part of a record's fingerprint, so one that gained or lost any since is left out as changed.

    Args:
        now: HubSpot's clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._links: OrderedDict[tuple[str, str], tuple[datetime, Sequence[Link]]] = OrderedDict()
        self._lock = Lock()

    def note(self, kind: str, found: Mapping[str, Sequence[Link]]) -> None:
        """Remember all associations of these records."""
        at = self._now()
        with self._lock:
            for id, links in found.items():
                self._links[kind, id] = (at, links)
                self._links.move_to_end((kind, id))
            while len(self._links) > TOLD:
                self._links.popitem(last=False)

    def of(self, kind: str, ids: Sequence[str]) -> dict[str, Sequence[Link]]:
        """All associations of those among these records of which they were told of late."""
        now, late = self._now(), timedelta(minutes=1)
        with self._lock:
            # One turn for all of them: lanes that ask for each record in turn only wait for another.
            known = [(id, self._links.get((kind, id))) for id in ids]
        return {id: said[1] for id, said in known if said is not None and abs(now - said[0]) < late}

    def forget(self) -> None:
        """Ask anew from now on."""
        with self._lock:
            self._links.clear()


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one portal.

    Attributes:
        crm: The account's name.
        ask: Makes one read through the gate.
        spread: Makes several at once.
        schema: The portal's schema.
        now: HubSpot's clock, by the Date of its last answer.
        told: The associations that it was told of late.
    """

    crm: str
    ask: Ask
    spread: Spread
    schema: Schema
    now: Callable[[], datetime]
    told: Told

    def records(self, kind: str, ids: Sequence[str]) -> Iterator[Record]:
        """Read records whole, with their associations, each once.

        Live ones first; what is not among them is looked for in the recycling bin, and what is not
        there either by its path, which alone surely tells a merged record from one that never was:
        https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies
        """
        wanted = list(dict.fromkeys(ids))
        names = sorted(self.schema.of(kind).properties)
        live: dict[str, Row] = {}
        missing: list[str] = []
        for found in self._batches(kind, wanted, names, archived=False):
            live |= found.rows
            missing += found.missing
            for id, survivor in found.merged.items():
                yield self._merged(kind, id, survivor)
        links = self.links(kind, sorted(live)) if live else {}
        for id, row in live.items():
            yield self.record(kind, row, links.get(id, ()))
        for found in self._batches(kind, missing, names, archived=True):
            yield from self._hidden(kind, found)

    def _batches(
        self, kind: str, ids: Sequence[str], names: Sequence[str], archived: bool
    ) -> list[Found]:
        return self.spread(
            [partial(self.batch, kind, part, names, archived) for part in parts(ids, BATCH)]
        )

    def _hidden(self, kind: str, found: Found) -> Iterator[Record]:
        for row in found.rows.values():
            yield self.record(kind, row)
        for id, survivor in found.merged.items():
            yield self._merged(kind, id, survivor)
        for id in found.missing:
            yield self._traceless(kind, id)

    def _traceless(self, kind: str, id: str) -> Record:
        try:
            told = self.ask("one", (kind, id), [("archived", "false")], None)
        except Rejected as error:
            if error.vendor_code == NOT_FOUND:
                return Record(RecordRef(self.crm, kind, id), State.GONE)
            raise
        own = _id(told)
        if own != id:
            return self._merged(kind, id, own)
        # It was not there a moment ago, and is now: somebody brought it back in between.
        (again,) = self.batch(kind, [id], sorted(self.schema.of(kind).properties)).rows.values()
        return self.record(kind, again, self.links(kind, [id]).get(id, ()))

    def _merged(self, kind: str, id: str, survivor: str) -> Record:
        ref = RecordRef(self.crm, kind, id)
        return Record(ref, State.GONE, evidence=f"{MERGED}{kind}/{survivor}")

    def batch(
        self, kind: str, ids: Sequence[str], names: Sequence[str], archived: bool = False
    ) -> Found:
        """One batch/read, of at most 100 ids; an answer with another id is never passed off."""
        told = self.ask(
            "read", (kind,), [("archived", "true" if archived else "false")],
            {"inputs": [{"id": id} for id in ids], "properties": list(names),
             "propertiesWithHistory": []},
        )  # fmt: skip
        asked = set(ids)
        own: dict[str, Row] = {}
        strange: dict[str, Row] = {}
        for row in rows(told):
            (own if _id(row) in asked else strange)[_id(row)] = row
        named = set(_missing(told))
        merged: dict[str, str] = {}
        missing: list[str] = []
        for id in ids:
            if id in own:
                continue
            survivor = _survivor(id, [*strange.values(), *own.values()])
            if survivor is None and id not in named and len(asked) == 1 and strange:
                survivor = next(iter(strange))
            if survivor is not None:
                merged[id] = survivor
            elif id in named or len(asked) == 1 or archived or not strange:
                missing.append(id)
            else:
                # Something answered in its place and does not say for whom: ask for it alone.
                alone = self.batch(kind, [id], names, archived)
                merged |= alone.merged
                missing += alone.missing
                own |= alone.rows
        return Found(own, merged, tuple(missing))

    def record(self, kind: str, row: Row, links: Iterable[Link] = ()) -> Record:
        """A row as a record; values are kept as HubSpot spells them."""
        values = row.get("properties")
        if not isinstance(values, dict):
            raise Unreachable(f"HubSpot's answer has a {kind} without properties.", strange=True)
        ref = RecordRef(self.crm, kind, _id(row))
        fields = {name: value for name, value in values.items() if not is_empty(value)}
        changed = moment_of(row.get("updatedAt"))
        if not row.get("archived"):
            return Record(ref, State.LIVE, fields, tuple(links), changed)
        archived_at = moment_of(row.get("archivedAt"))
        over = archived_at is not None and self.now() > archived_at + timedelta(days=BIN_DAYS)
        if over:
            # How long the API still shows what the bin has let go of nobody says.
            return Record(ref, State.GONE, evidence=f"deleted on {archived_at:%Y-%m-%d}, and its "
                          f"{BIN_DAYS} days in the recycling bin are over")  # fmt: skip
        return Record(ref, State.DELETED, fields, (), archived_at or changed)

    # --- associations ----------------------------------------------------------------------------

    def links(self, kind: str, ids: Sequence[str]) -> dict[str, list[Link]]:
        """Every association of these records, labels included, with every kind of the portal."""
        found: dict[str, list[Link]] = {id: [] for id in ids}
        pairs = [partial(self._pair, kind, other, ids) for other in self.schema.pairs(kind)]
        for some in self.spread(pairs):
            for id, link in some:
                found.setdefault(id, []).append(link)
        self.told.note(kind, {id: found[id] for id in ids})
        return found

    def hanging(self, kind: str, other: str, ids: Sequence[str]) -> Iterator[tuple[str, Link]]:
        """The associations of these records with one kind; asked for only where no read told them."""
        told = self.told.of(kind, ids)
        for id, links in told.items():
            yield from ((id, link) for link in links if link.other.kind == other)
        unknown = [id for id in ids if id not in told]
        if unknown:
            yield from self.pair(kind, other, unknown)

    def _pair(self, kind: str, other: str, ids: Sequence[str]) -> list[tuple[str, Link]]:
        return list(self.pair(kind, other, ids))

    def pair(self, kind: str, other: str, ids: Sequence[str]) -> Iterator[tuple[str, Link]]:
        """The associations of these records with one kind, all pages; (id, link) each."""
        for part in parts(ids, LINKS_BATCH):
            inputs: list[dict[str, str]] = [{"id": id} for id in part]
            while inputs:
                told = self._linked(kind, other, inputs)
                if told is None:
                    return
                inputs = []
                for row in rows(told):
                    id = _id(row.get("from"))
                    yield from ((id, link) for link in self._links_of(other, row))
                    after = ((row.get("paging") or {}).get("next") or {}).get("after")
                    if after:
                        inputs.append({"id": id, "after": str(after)})

    def _linked(self, kind: str, other: str, inputs: list[dict[str, str]]) -> Any:
        """One page; None where no such two kinds are associated, or the token may not see it."""
        try:
            told = self.ask("links", (kind, other), (), {"inputs": inputs})
        except Unauthorized as error:
            if error.renewable or error.vendor_code != "MISSING_SCOPES":
                raise
            self.schema.closed_pair(kind, other)
            return None
        except Rejected:
            self.schema.no_pair(kind, other)
            return None
        for trouble in told.get("errors") or ():
            category, sub = trouble.get("category"), str(trouble.get("subCategory") or "")
            if category not in _NO_SUCH and sub.rpartition(".")[2] not in _NO_SUCH:
                # Links that could not be read must not pass for links that are not there.
                raise Unreachable(
                    f"HubSpot did not give all associations of {kind} with {other} "
                    f"({code_of(trouble) or 'no code'}).", answered=True,
                )  # fmt: skip
        return told

    def _links_of(self, other: str, row: Row) -> Iterator[Link]:
        for to in row.get("to") or ():
            far = RecordRef(self.crm, other, str(to.get("toObjectId")))
            for type in to.get("associationTypes") or ():
                name = f"{type.get('category')}/{type.get('typeId')}"
                yield Link(name, far, type.get("label") or None)


def _id(row: Any) -> str:
    id = row.get("id") if isinstance(row, dict) else None
    if not isinstance(id, (str, int)):
        raise Unreachable("HubSpot's answer has a record without an id.", strange=True)
    return str(id)


def _missing(told: Row) -> Iterator[str]:
    """The ids that a 207 says are not there; one entry lists them all.

    Raises:
        Unreachable: Some could not be read for another reason, which proves nothing.
    """
    for error in told.get("errors") or ():
        if not isinstance(error, dict) or error.get("category") != NOT_FOUND:
            told_code = code_of(error) if isinstance(error, dict) else None
            raise Unreachable(
                f"HubSpot did not read all that was asked for ({told_code or 'no code'}).",
                answered=True,
            )
        context = error.get("context")
        for name in ("ids", "id"):
            for id in (context or {}).get(name) or ():
                yield str(id)


def _survivor(id: str, found: Iterable[Row]) -> str | None:
    """The record that says it took this one in."""
    for row in found:
        values = row.get("properties")
        for name in _MERGED_LISTS:
            listed = values.get(name) if isinstance(values, dict) else None
            if isinstance(listed, str) and id in listed.replace(",", ";").split(";"):
                return _id(row)
    return None


def moment_of(value: Any) -> datetime | None:
    """A moment as HubSpot writes it, in UTC; None where it writes none."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None
    except ValueError:
        return None
