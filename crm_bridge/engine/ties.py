"""Ties between records of one plan: what a run itself cuts while it takes them is no stranger's change.

A record that names another target loses that tie when the other one goes first. The plan writes such
ties down, so that the run can tell its own doing, and the capsule holds the record as it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.inspect import TAKEN_ALONG, flat, rules_for
from crm_bridge.journal.store import Journal
from crm_bridge.model.abilities import Operation
from crm_bridge.model.plans import Target, Tie
from crm_bridge.model.records import Link, Record, RecordRef, is_empty


def lookups_among(
    connected: Connected, kind: str, kinds: Collection[str], operations: Collection[Operation]
) -> dict[str, list[str]]:
    """Fields by which records of `kind` name records of `kinds`, each with those kinds."""
    found: dict[str, list[str]] = {}
    for parent in kinds:
        for rule in rules_for(connected, parent, operations):
            if rule.child == kind and rule.via:
                found.setdefault(rule.via, []).append(parent)
    return found


def kinds_along(
    connected: Connected, kinds: Collection[str], operations: Collection[Operation]
) -> frozenset[str]:
    """The kinds that go along with records of these kinds, or may, to any depth."""
    found, level = set[str](), set(kinds)
    while level:
        connected.learn(sorted(level))
        below = {
            rule.child
            for kind in level
            for rule in rules_for(connected, kind, operations)
            if rule.effect in TAKEN_ALONG
        }
        level = below - found
        found |= below
    return frozenset(found)


def ties_of(
    record: Record,
    lookups: Mapping[str, Sequence[str]],
    selected: Callable[[RecordRef], bool],
    along: Callable[[RecordRef], bool] = lambda ref: False,
) -> tuple[Tie, ...]:
    """The ties of a record to what the plan takes.

    Args:
        record: A target.
        lookups: Its fields that name records, each with their kinds.
        selected: Tells the plan's targets.
        along: Tells what may go along with them; what does, is not known yet.
    """
    if not lookups and not record.links:
        return ()
    crm, found = record.ref.crm, list[Tie]()
    for name, kinds in lookups.items():
        value = record.fields.get(name)
        for one in flat(value):
            named = [ref for kind in kinds if (ref := _ref(crm, kind, one)) is not None]
            # What leads to a target leads nowhere else; a link tells the kind as well.
            some = [ref for ref in named if selected(ref)]
            if not some and not isinstance(value, list):
                told = {link.other for link in record.links if link.name == name}
                some = [ref for ref in named if along(ref) and (not told or ref in told)]
            found += [Tie(ref, name, value) for ref in some]
    found += [
        Tie(link.other, "", [link.name, link.label])
        for link in record.links
        if selected(link.other)
    ]
    return tuple(found)


def _ref(crm: str, kind: str, text: object) -> RecordRef | None:
    """The address of what a part of a lookup's value names; None where it is no id."""
    try:
        return RecordRef(crm, kind, text) if isinstance(text, str) else None
    except ValueError:
        return None


def as_planned(
    record: Record,
    target: Target,
    vendor_set: tuple[str, ...],
    journal: Journal,
    run: str,
    org: str,
) -> Record | None:
    """The record as the plan saw it, where nothing but this run's own cuts stands between.

    Args:
        record: As it is now; its fingerprint is not the plan's.
        target: As the plan saw it.
        vendor_set: Fields that the vendor writes itself.
        journal: The memory.
        run: The run.
        org: The account's own name.
    """
    fields, links = dict(record.fields), list(record.links)
    cut: dict[tuple[str, str], set[str]] = {}
    for tie in target.ties:
        if tie.field and tie.other.id in flat(record.fields.get(tie.field)):
            continue
        if tie.field and (is_empty(record.fields.get(tie.field)) or isinstance(tie.was, list)):
            fields[tie.field] = tie.was
        elif not tie.field and (link := Link(tie.was[0], tie.other, tie.was[1])) not in links:
            links.append(link)
        else:
            continue
        # A lookup may lead to one of several kinds, and only the id tells the record.
        cut.setdefault((tie.field, tie.other.id), set()).add(tie.other.kind)
    whole = dataclasses.replace(record, fields=fields, links=tuple(links))
    if not cut or whole.fingerprint(vendor_set) != target.fingerprint:
        return None
    return whole if all(_ours(cut, journal, run, org)) else None


def mended(record: Record, before: Record) -> Record:
    """A record with the values and links that it had when this run kept it first, and has lost."""
    lost = {
        name: was
        for name, was in before.fields.items()
        if not is_empty(was) and is_empty(record.fields.get(name))
    }
    links = [link for link in before.links if link not in record.links]
    if not lost and not links:
        return record
    return dataclasses.replace(
        record, fields={**record.fields, **lost}, links=(*record.links, *links)
    )


def _ours(
    cut: Mapping[tuple[str, str], set[str]], journal: Journal, run: str, org: str
) -> Iterator[bool]:
    """Of each record that was cut off, whether this run took it, or took it along."""
    for (_, id_), kinds in cut.items():
        yield any(
            trace.run == run
            for kind in kinds
            for trace in journal.traces(org, kind, [id_]).get(id_, ())
        )
