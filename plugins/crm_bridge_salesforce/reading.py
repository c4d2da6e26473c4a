"""Reads of one account: records whole, in whatever state they are, and what hangs on them.

One `POST composite` reads 200 records and, in the same call, what is locked and what lies in the
bin:
https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-composite-post.html
(at most five queries in one).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from crm_bridge.kit import (
    AdapterError,
    Gate,
    Record,
    RecordRef,
    Rejected,
    State,
    Unreachable,
    together,
)
from crm_bridge_salesforce import soql
from crm_bridge_salesforce.ids import whole
from crm_bridge_salesforce.schema import PLACED, Kind, Schema
from crm_bridge_salesforce.troubles import judged, told_in
from crm_bridge_salesforce.wire import Wire

T = TypeVar("T")

QUERIES: Final = 5
"""Queries that one composite call takes."""
MOST_IDS: Final = 200


@dataclass(frozen=True, slots=True)
class Bin:
    """What the recycle bin's own list says of some ids.

    Attributes:
        asked: Whether it could be asked at all.
        since: Id to the moment of its delete, for those that lie in the bin.
    """

    asked: bool
    since: Mapping[str, datetime]


class Reader:
    """What is asked of one account.

    Args:
        crm: Its name in the settings.
        wire: Its client.
        gate: Its gate.
        ready: Gets a token where there is none yet.
        bin_days: How long the recycle bin keeps.
    """

    def __init__(
        self, crm: str, wire: Wire, gate: Gate, ready: Callable[[], None], bin_days: int
    ) -> None:
        self.crm, self._wire, self._gate, self._ready = crm, wire, gate, ready
        self._window = timedelta(days=bin_days)
        self._calls = itertools.count(1)
        self.schema = Schema(self.path, self.paths, partial(together, gate))

    # --- plain asking ----------------------------------------------------------------------------

    def ask(self, call: Callable[[Any], T]) -> T:
        """Make one read through the client."""
        self._ready()
        return self._gate.ask(lambda: self._wire.call(call))

    def path(self, path: str) -> Any:
        """Read one path below the API's version."""
        return self.ask(lambda client: client.restful(path))

    def paths(self, paths: Sequence[str]) -> list[Any]:
        """Read several paths below the API's version in one call; None for what is refused."""
        told = self._composite([(path, {}) for path in paths])
        return [None if isinstance(part, AdapterError) else part for part in told]

    def rows(self, query: str, *, deleted: bool = False) -> Iterator[Mapping[str, Any]]:
        """The rows of a query, page by page; each page is one call."""
        page = self.ask(lambda client: client.query(query, include_deleted=deleted))
        yield from self._walk(page)

    def count(self, query: str) -> int:
        """How many rows a `SELECT COUNT()` finds."""
        return _total(self.ask(lambda client: client.query(query)))

    def together(
        self, queries: Sequence[tuple[str, bool]]
    ) -> list[list[Mapping[str, Any]] | AdapterError]:
        """Several queries, five in one call; each by itself gives its rows, or its trouble.

        Args:
            queries: SOQL, and whether deleted rows are wanted.
        """
        return [
            part if isinstance(part, AdapterError) else list(self._walk(part))
            for start in range(0, len(queries), QUERIES)
            for part in self._queries(queries[start : start + QUERIES])
        ]

    def counts(self, queries: Sequence[str]) -> Iterator[int | None]:
        """Several `SELECT COUNT()`, five in one call; None where one cannot be asked so."""
        for start in range(0, len(queries), QUERIES):
            for part in self._queries([(q, False) for q in queries[start : start + QUERIES]]):
                if isinstance(part, AdapterError):
                    _must_be_refused(part)
                    yield None
                else:
                    yield _total(part)

    def _queries(self, queries: Sequence[tuple[str, bool]]) -> list[Any]:
        words = {False: "query/", True: "queryAll/"}
        return self._composite([(words[deleted], {"q": text}) for text, deleted in queries])

    def _composite(self, parts: Sequence[tuple[str, Mapping[str, str]]]) -> list[Any]:
        """One call of several reads: each one's body, or its trouble.

        Each call has names of its own for its parts, so that the answer to another is known as one.
        """

        def post(client: Any) -> list[Mapping[str, Any]]:
            root, own = f"/services/data/v{client.sf_version}", next(self._calls)
            asked = [
                {
                    "method": "GET",
                    "referenceId": f"q{own}n{n}",
                    "url": f"{root}/{path}" + (f"?q={quote(more['q'], safe='')}" if more else ""),
                }
                for n, (path, more) in enumerate(parts)
            ]
            body = {"allOrNone": False, "compositeRequest": asked}
            told = client.restful("composite", method="POST", json=body) or {}
            answers = {one["referenceId"]: one for one in told.get("compositeResponse", ())}
            if set(answers) != {one["referenceId"] for one in asked}:
                raise Unreachable(
                    "Salesforce answered a call of several reads with other ones.", answered=True
                )
            return [answers[one["referenceId"]] for one in asked]

        found: list[Any] = []
        for one in self.ask(post):
            status = int(one["httpStatusCode"])
            fine = status == 200
            found.append(one["body"] if fine else judged(status, *told_in(one["body"]), {}))
        return found

    def _walk(self, page: Any) -> Iterator[Mapping[str, Any]]:
        due = page.get("totalSize") if isinstance(page, dict) else None
        given = 0
        while True:
            if not isinstance(page, dict) or not isinstance(page.get("records"), list):
                raise Unreachable("Salesforce answered strangely: no rows.", strange=True)
            yield from page["records"]
            given += len(page["records"])
            if page.get("done", True):
                if isinstance(due, int) and given != due:
                    raise Unreachable(
                        f"Salesforce found {due} records and gave {given}: its pages have a gap.",
                        answered=True,
                    )
                return
            address = str(page.get("nextRecordsUrl", ""))
            page = self._gate.ask(lambda at=address: self._wire.more(at))  # type: ignore[misc]

    # --- records ---------------------------------------------------------------------------------

    def records(self, kind_name: str, ids: Sequence[str]) -> Iterator[Record]:
        """Records whole, each id once, in whatever state it is."""
        kind = self.schema.kind(kind_name)
        mine = [one for one in ids if not kind.prefix or one.startswith(kind.prefix)]
        found: dict[str, Record] = {}
        for start in range(0, len(mine), MOST_IDS):
            found.update(self._some(kind, mine[start : start + MOST_IDS]))
        for one in ids:
            ref = RecordRef(self.crm, kind_name, one)
            yield found.get(one) or Record(ref, State.GONE)

    def _some(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        rows, locked, bin_ = self._whole(kind, ids)
        hidden = [row for row in rows.values() if row.get("IsDeleted")]
        unlisted = [row for row in hidden if row["Id"] not in bin_.since]
        parents = Bin(False, {})
        if bin_.asked and unlisted:
            parents = self._in_bin(named_by(kind, unlisted))
        return {
            id_: self._record(kind, row, id_ in locked, bin_, parents) for id_, row in rows.items()
        }

    def _whole(
        self, kind: Kind, ids: Sequence[str]
    ) -> tuple[dict[str, dict[str, Any]], set[str], Bin]:
        """All readable fields, what is locked, what the bin lists; again where that moved."""
        wanted = soql.ids_in("Id", ids)
        stamp = ["SystemModstamp"] if "SystemModstamp" in kind.fields else []
        room = soql.LONGEST - soql.length(wanted) - 200
        lists = list(soql.portions([n for n in kind.readable if n not in stamp], room))
        queries = [
            (soql.query(["Id", *stamp, *names], kind.name, [wanted], ordered=False), True)
            for names in lists or [[]]
        ]
        queries += [(_locks(ids), False), (_binned(ids), False)]
        for _ in range(3):
            *parts, locks, listed = self.together(queries)
            rows: dict[str, dict[str, Any]] = {}
            torn = False
            for part in parts:
                if isinstance(part, AdapterError):
                    raise part
                for row in part:
                    seen = rows.setdefault(whole(row["Id"]), {})
                    torn = torn or bool(seen and stamp and seen.get(stamp[0]) != row.get(stamp[0]))
                    seen.update(row)
            if not torn and all(len(rows) == len(part) for part in parts if isinstance(part, list)):
                return rows, _targets(locks), _bin_of(listed)
        raise Unreachable("records changed between the parts of a read.", answered=True)

    def _in_bin(self, ids: Sequence[str]) -> Bin:
        since: dict[str, datetime] = {}
        for start in range(0, len(ids), MOST_IDS):
            (told,) = self.together([(_binned(ids[start : start + MOST_IDS]), False)])
            part = _bin_of(told)
            if not part.asked:
                return part
            since.update(part.since)
        return Bin(True, since)

    def _record(
        self, kind: Kind, row: Mapping[str, Any], locked: bool, bin_: Bin, parents: Bin
    ) -> Record:
        ref = RecordRef(self.crm, kind.name, whole(row["Id"]))
        state, evidence = self._state(kind, row, bin_, parents)
        if state is State.GONE:
            return Record(ref, state, evidence=evidence)
        return Record(
            ref, state, values(row), (), moment(row.get("SystemModstamp")), evidence, locked
        )

    def _state(
        self, kind: Kind, row: Mapping[str, Any], bin_: Bin, parents: Bin
    ) -> tuple[State, str]:
        if not row.get("IsDeleted"):
            return State.LIVE, ""
        id_ = whole(row["Id"])
        if master := row.get("MasterRecordId"):
            return State.DELETED, f"merged into {whole(master)}"
        if not bin_.asked:
            # Nobody lists the bin to this user; a row that is older than any bin is in none.
            at = moment(row.get("SystemModstamp"))
            if at is not None and self._wire.now - at > self._window:
                return State.GONE, f"deleted on {at:%Y-%m-%d}, longer ago than the bin keeps"
            return State.DELETED, ""
        if id_ in bin_.since:
            return State.DELETED, ""
        if any(one in parents.since for one in named_by(kind, [row])):
            return State.DELETED, "went to the bin with its parent"
        # queryAll shows a row for about a day after the bin was emptied; that brings nothing back.
        return State.GONE, "deleted, and no longer in the recycle bin"

    def found(
        self,
        kind: Kind,
        query_for: Callable[[Sequence[str]], str],
        names: Sequence[str],
        *,
        deleted: bool,
    ) -> Iterator[Record]:
        """Records that a query finds, by pages.

        Args:
            kind: Their kind.
            query_for: Makes the query that asks for these fields.
            names: Fields that are wanted.
            deleted: Whether only what lies in the bin is wanted.
        """
        query = query_for(names)
        split = soql.length(query) > soql.LONGEST
        pages = self.rows(query_for(["Id"]) if split else query, deleted=deleted)
        for some in _chunks(pages, MOST_IDS):
            if split or deleted:
                ids = [whole(row["Id"]) for row in some]
                records: Iterable[Record] = self.records(kind.name, ids)
            else:
                records = (
                    self._record(kind, row, False, Bin(False, {}), Bin(False, {})) for row in some
                )
            wanted = State.DELETED if deleted else State.GONE
            for record in records:
                if (record.state is wanted) == deleted:
                    yield record

    def there(self, ids: Sequence[str]) -> set[str]:
        """Which of these ids, of whatever kinds, are live records."""
        by_prefix: dict[str, list[str]] = {}
        for one in ids:
            by_prefix.setdefault(one[:3], []).append(one)
        kinds = {str(told.get("keyPrefix")): name for name, told in self.schema.all().items()}
        queries = [
            (
                soql.query(["Id"], kinds[prefix], [soql.ids_in("Id", some[at : at + MOST_IDS])]),
                False,
            )
            for prefix, some in by_prefix.items()
            if prefix in kinds
            for at in range(0, len(some), MOST_IDS)
        ]
        found: set[str] = set()
        for part in self.together(queries):
            if isinstance(part, AdapterError):
                _must_be_refused(part)
                continue
            found.update(whole(row["Id"]) for row in part)
        return found

    def hanging(self, child: Kind, via: str, ids: Sequence[str]) -> Iterator[Record]:
        """The live records of a kind whose field names one of these, whole."""
        wanted = soql.ids_in(via, ids)
        names = ["Id", *child.readable]

        def query_for(some: Sequence[str]) -> str:
            return soql.query(some, child.name, [wanted])

        return self.found(child, query_for, names, deleted=False)


def _total(told: Any) -> int:
    if not isinstance(told, dict) or not isinstance(told.get("totalSize"), int):
        raise Unreachable("Salesforce answered strangely: a count without one.", strange=True)
    return int(told["totalSize"])


def _locks(ids: Sequence[str]) -> str:
    """Records in a pending approval, which locks them."""
    pending = ["Status = 'Pending'", soql.ids_in("TargetObjectId", ids)]
    return soql.query(["TargetObjectId"], "ProcessInstance", pending, ordered=False)


def _binned(ids: Sequence[str]) -> str:
    """What the Lightning recycle bin lists of these."""
    listed = [soql.ids_in("Record", ids)]
    return soql.query(["Record", "DeletedDate"], "DeleteEvent", listed, ordered=False)


def _targets(told: list[Mapping[str, Any]] | AdapterError) -> set[str]:
    if isinstance(told, AdapterError):
        _must_be_refused(told)
        return set()
    return {whole(row["TargetObjectId"]) for row in told}


def _bin_of(told: list[Mapping[str, Any]] | AdapterError) -> Bin:
    if isinstance(told, AdapterError):
        _must_be_refused(told)
        return Bin(False, {})
    now = datetime.now(UTC)
    return Bin(
        True,
        {whole(row["Record"]): moment(row.get("DeletedDate")) or now for row in told},
    )


def _must_be_refused(error: AdapterError) -> None:
    """A list that this user may not query is no trouble; a vendor that is unwell is."""
    if not isinstance(error, Rejected) and not error.vendor_code:
        raise error


def named_by(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids that the lookups of these rows name, each once."""
    lookups = [f.name for f in kind.fields.values() if f.refers]
    named = (row.get(name) for row in rows for name in lookups)
    return list(dict.fromkeys(whole(one) for one in named if isinstance(one, str) and one))


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    some: list[T] = []
    for row in rows:
        some.append(row)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


def values(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's fields, without what its address and its state tell."""
    return {k: v for k, v in row.items() if k != "attributes" and k not in PLACED}


def moment(text: Any) -> datetime | None:
    """A time as the vendor writes it, 2013-05-07T22:07:19.000+0000, in UTC."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None
