"""After the sends: what went along, what came back, and how whole it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_bridge.engine import beside
from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.anew import Anew
from crm_bridge.engine.history import History
from crm_bridge.engine.inspect import TAKEN_ALONG
from crm_bridge.engine.restore import (
    Comparison,
    Reading,
    Renames,
    begin_each,
    compare,
    read_each,
    there,
)
from crm_bridge.engine.send import Street
from crm_bridge.engine.verify import Renamed
from crm_bridge.engine.work import Item, Phase, went_through, with_problem
from crm_bridge.journal.rows import Snapshot
from crm_bridge.model.abilities import Effect, Operation, Support
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import Change, Record, RecordRef, is_empty
from crm_bridge.model.results import Outcome, Problem, Verdict


class Aftermath:
    """What is left to do for items that went through, and what is to be said of them.

    Args:
        street: What the sends of this run have in common.
        plan: The plan.
        history: The journal and what it knows.
        renames: Which new records stand for old ones.
    """

    def __init__(self, street: Street, plan: Plan, history: History, renames: Renames) -> None:
        self._street, self._plan, self._history = street, plan, history
        self._renames = renames
        self._connected: Connected = street.connected
        self._reading: Reading | None = None

    def conclude(
        self, phases: Sequence[Phase], items: Sequence[Item], now: datetime | None = None
    ) -> None:
        """Give each item that got through its outcome, dated by the vendor's clock where `now` tells it."""
        last = phases[-1]
        for item in items:
            if item.hung:
                self._street.hung.append(item)
            if item.outcome is None:
                item.outcome = went_through(item, last, self._connected, now)
        done = [i for i in items if i.outcome is not None and i.outcome.verdict is Verdict.DONE]
        if self._plan.operation is not Operation.RESTORE:
            self._went_along([i for i in done if i.followers])
            return
        if last.row.support is Support.REMADE:
            Anew(self._street, self._history, self._renames).complete(last, done)
        for item in done:
            item.plain = item.outcome
        self._came_back(last, [i for i in done if i.source is not None])

    # --- what went along ---------------------------------------------------------------------------

    def look_along(self, items: Sequence[Item]) -> None:
        """Have it read, while items are read back, whether what was to follow them did."""
        if self._reading is None and self._plan.operation is not Operation.RESTORE:
            told = [i for i in items if i.answer and i.answer.verdict is Verdict.DONE]
            self._reading = begin_each(self._connected, _to_follow(told))

    def _went_along(self, items: Sequence[Item]) -> None:
        """Children were announced to follow: each is read back, and a difference is its parent's."""
        reading, self._reading = self._reading, None
        found = read_each(self._connected, (), reading) if reading is not None else {}
        # What was not seen to have gone may only have been looked at too soon.
        found.update(
            self._read(
                [
                    ref
                    for ref, snapshot in _to_follow(items).items()
                    if ref not in found or self._as_before(snapshot, found[ref])
                ]
            )
        )
        for item in items:
            stayed = [
                s.record.ref
                for s in item.followers
                if s.effect == Effect.FOLLOWS and self._as_before(s, found.get(s.record.ref))
            ]
            if stayed and item.outcome is not None:
                item.outcome = with_problem(
                    item.outcome,
                    "followers",
                    f"{len(stayed)} of {len(item.followers)} that were to follow did not: "
                    f"{_named(stayed)}.",
                    {"stayed": [str(ref) for ref in stayed]},
                )

    # --- what came back ----------------------------------------------------------------------------

    def _came_back(self, last: Phase, items: Sequence[Item]) -> None:
        """Hold records, and what went along with them, against what was kept."""
        renamed = self._renames.of([i.source for i in items if i.source is not None])
        for item in items:
            now = item.after or item.before
            if now is None or item.source is None or item.outcome is None:
                continue
            not_set = {*item.outcome.details.get("not_set", ()), *item.target.without}
            ref = item.outcome.new_ref or item.ref
            found = self._held(item, ref, item.source, now, renamed, not_set, last.row.support)
            item.outcome = told(item.outcome, found.matters, found.named)
        if last.row.support is Support.REMADE:
            self._made_back(items)
        else:
            self._children_back(last, items)

    def _held(
        self,
        item: Item,
        ref: RecordRef,
        kept: Record,
        now: Record,
        renamed: Renamed,
        not_set: Collection[str],
        support: Support,
    ) -> Comparison:
        """Hold what is there now against what was kept, and remember what may be mended at the end."""
        found = compare(kept, now, self._connected, renamed, not_set, support)
        # What a remake could not set may have been a lookup to what is only made later.
        left = {n: v for n, v in found.named.items() if n in not_set and is_empty(v[1])}
        self._may_be_mended(item, ref, {**found.matters, **left}, kept)
        return found

    def _made_back(self, items: Sequence[Item]) -> None:
        """Hold what was made anew with its parent against what was kept as well."""
        renamed = self._renames.of(
            [c.source for i in items for c in i.made if c.source is not None]
        )
        for item in items:
            differ = {}
            for child in item.made:
                if child.source is None or child.outcome is None or child.after is None:
                    continue
                ref = child.outcome.new_ref or child.ref
                not_set = child.outcome.details.get("not_set", ())
                found = self._held(
                    item, ref, child.source, child.after, renamed, not_set, Support.REMADE
                )
                if found.matters:
                    differ[str(ref)] = found.matters
                self._street.kinds.add(ref.kind)
            if differ and item.outcome is not None:
                item.outcome = with_problem(
                    item.outcome,
                    "followers",
                    f"of what went along and was made anew, {len(differ)} differ "
                    f"({_named(list(differ))}).",
                    {"followers_differ": differ},
                )

    def _children_back(self, last: Phase, items: Sequence[Item]) -> None:
        """Children that went along come back with their parent, where anybody promised it."""
        promised: dict[tuple[str, str], bool] | None = None
        found = self._read([s.record.ref for i in items for s in i.followers])
        renamed = self._renames.of([s.record for i in items for s in i.followers])
        self._street.kinds.update(ref.kind for ref in found)
        for item in items:
            assert item.outcome is not None
            lost, differ = [], {}
            for snapshot in item.followers:
                ref, now = snapshot.record.ref, found.get(snapshot.record.ref)
                if now is None or not self._as_before(snapshot, now):
                    if promised is None:
                        kinds = {s.record.ref.kind for i in items for s in i.followers}
                        promised = self._promised({last.step.kind, *kinds})
                    if promised.get((ref.kind, snapshot.via), True):
                        lost.append(ref)
                        # It may hang on another record as well, which comes back later.
                        self._street.untied.append((item, ref, "", ("", "")))
                    continue
                matters = compare(
                    snapshot.record, now, self._connected, renamed, support=last.row.support
                ).matters
                if matters:
                    differ[str(ref)] = matters
                    self._may_be_mended(item, ref, matters, snapshot.record)
            if lost or differ:
                told_of = [f"{len(lost)} did not come back ({_named(lost)})"] if lost else []
                told_of += [f"{len(differ)} differ ({_named(list(differ))})"] if differ else []
                item.outcome = with_problem(
                    item.outcome,
                    "followers",
                    f"of what went along, {' and '.join(told_of)}.",
                    {"lost": [str(ref) for ref in lost], "followers_differ": differ},
                )

    def _as_before(self, snapshot: Snapshot, now: Record | None) -> bool:
        """Whether what went along stands where it stood: one that was marked void is so again."""
        if now is None or now.unreadable:
            return False
        return now.state is self._connected.judged(snapshot.record).state

    def _promised(self, kinds: Collection[str]) -> dict[tuple[str, str], bool]:
        """(child, via) to whether it was said to come back, over all floors of what went along.

        A snapshot names its target and not the record right above it, so where two rules share a child
        and a field, only what both promise is promised.
        """
        told: dict[tuple[str, str], bool] = {}
        for kind in sorted(kinds):
            for rule in self._connected.adapter.relations(kind):
                if rule.effect in TAKEN_ALONG:
                    key = (rule.child, rule.via)
                    told[key] = told.get(key, True) and rule.comes_back is True
        return told

    def compare_again(self, last: Phase, items: Sequence[Item]) -> None:
        """Hold what an earlier part of this run brought back against what was kept, once more.

        A remake's own losses are told where it is made, and stay told.
        """
        if last.row.support is Support.REMADE:
            return
        fresh = self._read([item.ref for item in items])
        for item in items:
            assert item.outcome is not None
            kept = {k: v for k, v in item.outcome.details.items() if k not in _COMPARED}
            item.outcome = dataclasses.replace(item.outcome, problem=None, details=kept)
            item.plain, item.after = item.outcome, fresh.get(item.ref)
        self._came_back(last, [item for item in items if item.source is not None])

    # --- what the vendor did not tie again ---------------------------------------------------------

    def _may_be_mended(
        self, item: Item, ref: RecordRef, matters: Mapping[str, Sequence[Any]], kept: Record
    ) -> None:
        """Remember what differs: it may be right once all is back, or be a lookup left empty."""
        for name, (was, _) in matters.items():
            id_ = _id_of(was)
            # A lookup may lead to several kinds; the snapshot's own link tells which.
            leads = (k.other.kind for k in kept.links if k.name == name and k.other.id == id_)
            self._street.untied.append((item, ref, name, (next(leads, ""), id_)))

    def mend(self, last: Phase) -> list[Item]:
        """Once all is back, put back associations and write lookups that the way back left empty.

        Only a field that relations name as a lookup, that is empty still, and whose record is live.

        Returns:
            The items that are to be looked at again.
        """
        self._renames.again()
        anew = Anew(self._street, self._history, self._renames)
        linked = [*anew.make_again(last), *anew.link_again()]
        untied, self._street.untied = self._street.untied, []
        crm = self._connected.crm
        own = {step.kind for step in self._plan.steps if step.crm == crm}
        # What a lookup led to may have come back in another run, long before.
        told_kinds = {told for _, _, _, (told, _) in untied if told}
        lookups = self._lookups({*own, *self._street.kinds, *told_kinds})
        wanted: dict[tuple[str, str], RecordRef] = {}
        for _, ref, name, (told, id_) in untied:
            kinds = lookups.get((ref.kind, name), [])
            for kind in [told] if told and kinds else kinds:
                if id_ and (told or self._may_be(kind, id_)):
                    wanted[kind, id_] = RecordRef(crm, kind, self._renames.id_of(kind, id_))
        parents = self._read(sorted(set(wanted.values())))
        now = self._read(list(dict.fromkeys(ref for _, ref, _, _ in untied)))
        changes: dict[RecordRef, tuple[Item, dict[str, RecordRef]]] = {}
        for item, ref, name, (told, id_) in untied:
            record = now.get(ref)
            if record is None or not is_empty(record.fields.get(name)):
                continue
            kinds = lookups.get((ref.kind, name), [])
            for kind in [told] if told and kinds else kinds:
                parent = wanted.get((kind, id_))
                if parent is not None and there(parents.get(parent)):
                    changes.setdefault(ref, (item, {}))[1][name] = parent
        todo = [
            (item, Change(ref, {n: r.id for n, r in leads.items()}, dict.fromkeys(leads), leads))
            for ref, (item, leads) in changes.items()
        ]
        beside.seen(self._street, [(item, change.ref) for item, change in todo], now)
        beside.update(self._street, todo, "mend")
        return list({id(i): i for i in (*linked, *(item for item, _, _, _ in untied))}.values())

    def look_again(self, last: Phase, items: Sequence[Item]) -> None:
        """Hold items against what was kept once more, now that all is mended."""
        for item in items:
            item.outcome = item.plain
        now_at = {id(i): (i.plain.new_ref if i.plain else None) or i.ref for i in items}
        fresh = self._read(list(now_at.values()))
        children = [c for i in items for c in i.made if c.outcome is not None]
        again = self._read([c.outcome.new_ref or c.ref for c in children if c.outcome is not None])
        for item in items:
            item.after = fresh.get(now_at[id(item)], item.after)
        for child in children:
            assert child.outcome is not None
            child.after = again.get(child.outcome.new_ref or child.ref, child.after)
        self._came_back(last, items)
        self._street.untied = []

    def _may_be(self, kind: str, id_: str) -> bool:
        """Whether an id can be one of this kind, where its spelling tells."""
        try:
            return bool(self._connected.adapter.spell_id(kind, id_))
        except ValueError:
            return False

    def _lookups(self, kinds: Collection[str]) -> dict[tuple[str, str], list[str]]:
        """(kind, field) to the kinds of the record that the field may name, among what came back."""
        found: dict[tuple[str, str], list[str]] = {}
        for kind in sorted(kinds):
            for rule in self._connected.adapter.relations(kind):
                some = found.setdefault((rule.child, rule.via), [])
                if rule.via and kind not in some:
                    some.append(kind)
        return found

    # --- a late look -------------------------------------------------------------------------------

    def late_look(
        self, phases: Sequence[Phase], items: Sequence[Item], rows: Mapping[str, Outcome]
    ) -> list[Outcome]:
        """Read once more what was ever in doubt; gives the outcomes that changed by it."""
        last, changed = phases[-1], []
        if last.what == "create":
            return []
        found = self._read([item.ref for item in items])
        for item in items:
            outcome, now = rows.get(item.ref.id), found.get(item.ref)
            if outcome is None or now is None or now.unreadable:
                continue
            reached = last.reached(item, now, self._connected)
            if reached and outcome.verdict in (Verdict.UNKNOWN, Verdict.FAILED):
                changed.append(
                    Outcome(item.ref, Verdict.DONE, now.state, "read_back", details=outcome.details)
                )
            elif not reached and outcome.verdict is Verdict.DONE:
                changed.append(
                    dataclasses.replace(
                        outcome,
                        state=now.state,
                        problem=Problem(
                            "changed",
                            f"a later look found it {now.state.value}; somebody else, or "
                            "an earlier request that arrived late, moved it.",
                        ),
                    )
                )
        return changed

    def _read(self, refs: Sequence[RecordRef]) -> dict[RecordRef, Record]:
        return read_each(self._connected, refs)


def _to_follow(items: Sequence[Item]) -> dict[RecordRef, Snapshot]:
    """What was announced to go along with these for sure, as it was kept."""
    return {s.record.ref: s for i in items for s in i.followers if s.effect == Effect.FOLLOWS}


_COMPARED = frozenset({"lost", "followers_differ", "differs", "set_by_vendor"})
"""Details that tell what a comparison found."""


def told(
    outcome: Outcome, matters: Mapping[str, list[Any]], named: Mapping[str, list[Any]]
) -> Outcome:
    """The outcome with what differs from the snapshot, told by name."""
    if matters:
        return with_problem(
            outcome,
            "differs",
            f"{len(matters)} field(s) are not as they were: {', '.join(sorted(matters))}.",
            {"differs": dict(matters), "set_by_vendor": dict(named)},
        )
    if named:
        details = {**outcome.details, "set_by_vendor": dict(named)}
        return dataclasses.replace(
            outcome,
            details=details,
            problem=outcome.problem
            or Problem(
                "set_by_vendor",
                f"the vendor sets these itself, or the plan named them: {', '.join(sorted(named))}.",
            ),
        )
    return outcome


def _id_of(value: Any) -> str:
    """The id that a lookup's value names."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) else ""


def _named(refs: Sequence[Any]) -> str:
    shown = ", ".join(str(ref) for ref in refs[:3])
    return shown + (" …" if len(refs) > 3 else "")
