"""The way back: what a run took, what became of it on its return, and what has to be made anew with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.connect import Accounts
from crm_bridge.engine.history import History
from crm_bridge.engine.lanes import Begun, batched
from crm_bridge.engine.plan import Known
from crm_bridge.engine.select import Selection
from crm_bridge.engine.verify import Renamed, differences
from crm_bridge.errors import SettingsError
from crm_bridge.journal.store import Journal
from crm_bridge.model.abilities import Operation, Profile, Support
from crm_bridge.model.plans import PAGE, Batch
from crm_bridge.model.records import Record, RecordRef, State
from crm_bridge.model.results import Verdict

_BACK: Final = (Verdict.DONE, Verdict.PENDING, Verdict.UNKNOWN)
"""Outcomes of a run that took a record, or may have."""


@dataclass(frozen=True, slots=True)
class Source:
    """A record that is to come back.

    Attributes:
        ref: The record.
        before: Its snapshot; None where no run kept one.
        known: The run that took it; None where none did.
    """

    ref: RecordRef
    before: Record | None = None
    known: Known | None = None


def taken_by(
    history: History, run: str, only: Collection[RecordRef] = ()
) -> Iterator[list[Source]]:
    """Exactly what a run took, page by page, in its order.

    Args:
        history: The journal's knowledge.
        run: The run.
        only: These records alone; empty for all.

    Raises:
        SettingsError: There is no such run, or it took nothing away by itself.
    """
    plan = history.plan(run)
    if plan.operation is Operation.RESTORE:
        raise SettingsError(
            f"run {run} was a restore itself.",
            detail="To take its records away again, make a new plan for them.",
            code="run",
        )
    wanted = set(only)
    for step, _, outcomes in history.pages(run):
        if step < 0:
            continue
        row = _last_row(plan.steps, step)
        half_way = _half_way(plan.steps, step)
        back = [
            o
            for o in outcomes
            if (o.verdict in _BACK or (o.verdict is Verdict.FAILED and o.state in half_way))
            and (not wanted or o.ref in wanted)
        ]
        if not back:
            continue
        kept = history.journal.snapshots(run, [o.ref for o in back])
        yield [Source(o.ref, kept.get(o.ref), Known(run, plan.operation, o, row)) for o in back]


def _half_way(steps: Sequence[Any], step: int) -> set[State | None]:
    """Where a record stands that the first of two steps took, and the second one refused."""
    after = next((n for n, other in enumerate(steps) if other.after == step), None)
    if after is None:
        return set()
    return {steps[step].capability.gives, *_half_way(steps, after)}


def _last_row(steps: Sequence[Any], step: int) -> Any:
    after = next((n for n, other in enumerate(steps) if other.after == step), None)
    return steps[step].capability if after is None else _last_row(steps, after)


def sources_of(
    history: History, accounts: Accounts, selection: Selection
) -> Iterator[list[Source]]:
    """For records that are named: each with the newest run that took it, if any did."""
    for crm in selection.crms:
        org = accounts.connected(crm).account.org
        for kind, refs in selection.of(crm).items():
            for some in batched(refs, PAGE):
                known = history.known(org, kind, [ref.id for ref in some], taken=True)
                by_run: dict[str, list[RecordRef]] = {}
                for ref in some:
                    if found := known.get(ref.id):
                        # The crm may have had another name in the settings when that run was made.
                        then = RecordRef(found.outcome.ref.crm, kind, ref.id)
                        by_run.setdefault(found.run, []).append(then)
                kept: dict[str, Record] = {}
                for run, those in by_run.items():
                    for ref, record in history.journal.snapshots(run, those).items():
                        kept[ref.id] = record
                yield [Source(ref, kept.get(ref.id), known.get(ref.id)) for ref in some]


class Renames:
    """Which new record stands for which old one, as far as an account's records name them.

    Args:
        journal: The memory.
        connected: The account.
    """

    def __init__(self, journal: Journal, connected: Connected) -> None:
        self._journal, self._connected = journal, connected
        self._fields: dict[str, dict[str, list[str]]] = {}
        self._kinds: tuple[str, ...] | None = None

    def again(self) -> None:
        """Look anew, since more was made."""
        self._kinds = None
        self._fields.clear()

    def id_of(self, kind: str, id_: str) -> str:
        """The id of the record that stands for this one now; its own where none does."""
        found = self._journal.remade(self._connected.account.org, kind, [id_])
        return found[id_].id if id_ in found else id_

    def of(self, records: Iterable[Record]) -> Renamed:
        """Every rename that these records' lookups and links speak of."""
        org = self._connected.account.org
        if self._kinds is None:
            self._kinds = tuple(self._journal.remade_kinds(org))
        if not self._kinds:
            return Renamed()
        asked: dict[str, set[str]] = {}
        for record in records:
            for kind, names in self._lookups(record.ref.kind).items():
                for name in names:
                    asked.setdefault(kind, set()).update(_ids(record.fields.get(name)))
            for link in record.links:
                if link.other.kind in self._kinds:
                    asked.setdefault(link.other.kind, set()).add(link.other.id)
        found: dict[tuple[str, str], str] = {}
        for kind, ids in asked.items():
            for old, new in self._journal.remade(org, kind, ids).items():
                found[kind, old] = new.id
        return Renamed(found, dict(self._fields))

    def _lookups(self, kind: str) -> Mapping[str, list[str]]:
        """Kinds that were ever made anew, to the fields by which a record of `kind` names them."""
        if kind not in self._fields:
            lookups: dict[str, list[str]] = {}
            for parent in self._kinds or ():
                names = [
                    rule.via
                    for rule in self._connected.adapter.relations(parent)
                    if rule.child == kind and rule.via
                ]
                if names:
                    lookups[parent] = names
            self._fields[kind] = lookups
        return self._fields[kind]


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _ids(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _ids(inner)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a record that came back differs in from what was kept.

    Attributes:
        matters: Field to [before, now].
        named: The same, where the plan or the vendor named it beforehand.
    """

    matters: Mapping[str, list[Any]]
    named: Mapping[str, list[Any]]


def compare(
    before: Record,
    now: Record,
    connected: Connected,
    renamed: Renamed,
    not_set: Collection[str] = (),
    support: Support | None = None,
) -> Comparison:
    """Hold a record against its snapshot.

    Args:
        before: The snapshot.
        now: As it is now.
        connected: The account.
        renamed: New records that stand for old ones.
        not_set: Fields that a remake could not set, and said so.
        support: The way that it came back by; what the vendor's table names of it is no surprise.
    """
    matter, theirs = differences(before, now, connected.profile.vendor_set, renamed)
    named = dict(theirs)
    losses = {
        what.strip()
        for loss in connected.profile.losses
        if loss.kind in (before.ref.kind, "*") and loss.support in (None, support)
        for what in loss.what.split(",")
    }
    for name in list(matter):
        anew = support is Support.REMADE and _rows_alike(matter[name], connected.profile)
        if name in not_set or name in losses or anew:
            named[name] = matter.pop(name)
    return Comparison(matter, named)


def _rows_alike(pair: Sequence[Any], profile: Profile) -> bool:
    """Whether rows within two records hold the same, but for the ids and stamps that made them anew."""
    own = {"id", *profile.vendor_set}
    told = []
    for value in pair:
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            return False
        told.append([{k: v for k, v in row.items() if k not in own} for row in value])
    # A row that is nothing but its id names a record.
    return all(told[0]) and told[0] == told[1]


def pointed(record: Record, renamed: Renamed) -> Record:
    """A snapshot whose lookups and links name the records that stand for the old ones now."""
    fields = renamed.fields_of(record)
    links = tuple(
        dataclasses.replace(
            link,
            other=dataclasses.replace(
                link.other, id=renamed.ids.get((link.other.kind, link.other.id), link.other.id)
            ),
        )
        for link in record.links
    )
    return dataclasses.replace(record, fields=fields, links=links)


Reading = Begun[Batch, dict[RecordRef, Record]]
"""Records of any kinds that are being read."""


def begin_each(connected: Connected, refs: Iterable[RecordRef]) -> Reading:
    """Have records of any kinds read; for `read_each`."""
    by_kind: dict[str, list[RecordRef]] = {}
    for ref in dict.fromkeys(refs):
        by_kind.setdefault(ref.kind, []).append(ref)
    batches = [batch for some in by_kind.values() for batch in connected.batches(some)]
    return connected.lanes.begin(connected.read_one, batches)


def read_each(
    connected: Connected, refs: Iterable[RecordRef], begun: Reading | None = None
) -> dict[RecordRef, Record]:
    """Read records of any kinds; what cannot be read is left out.

    Args:
        connected: The account.
        refs: The records.
        begun: Their `begin_each`, where that has been done.
    """
    found: dict[RecordRef, Record] = {}
    unread: set[str] = set()
    for batch, result in (begun or begin_each(connected, refs)).each():
        if isinstance(result, BaseException):
            unread.add(batch.kind)
        else:
            found.update(result)
    return {ref: record for ref, record in found.items() if ref.kind not in unread}


def there(record: Record | None) -> bool:
    """Whether a record is live, and seen to be."""
    return record is not None and not record.unreadable and record.state is State.LIVE
