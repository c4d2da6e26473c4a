"""After the sends: what went along, what came back and how whole, and what is made anew with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.history import History
from crm_bridge.engine.impact import pairs
from crm_bridge.engine.inspect import TAKEN_ALONG
from crm_bridge.engine.lanes import batched
from crm_bridge.engine.restore import Renames, compare, pointed, there
from crm_bridge.engine.send import Street, send
from crm_bridge.engine.work import Item, Phase, with_problem
from crm_bridge.errors import BridgeError
from crm_bridge.guard import Permit
from crm_bridge.journal.rows import Snapshot
from crm_bridge.model.abilities import Effect, Operation, Support
from crm_bridge.model.plans import Plan, Step, Target
from crm_bridge.model.records import Change, Link, Record, RecordRef, State, is_empty
from crm_bridge.model.results import Outcome, Problem, Verdict

LINKS: Final = 100
"""Associations that are put back in one request at the most."""


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

    def conclude(self, phases: Sequence[Phase], items: Sequence[Item]) -> None:
        """Give each item that got through its outcome."""
        last = phases[-1]
        for item in items:
            if item.hung:
                self._street.hung.append(item)
            if item.outcome is None:
                item.outcome = self._through(item, last)
        done = [i for i in items if i.outcome is not None and i.outcome.verdict is Verdict.DONE]
        if self._plan.operation is Operation.RESTORE:
            self._came_back(last, done)
        else:
            self._went_along(last, [i for i in done if i.followers])

    @staticmethod
    def _through(item: Item, last: Phase) -> Outcome:
        after, answer = item.after, item.answer
        seen = after is not None and not after.unreadable
        state = after.state if after is not None and seen else last.row.gives
        return Outcome(
            item.ref,
            Verdict.DONE,
            state,
            "read_back" if seen else (item.evidence or "row"),
            new_ref=answer.new_ref if answer else None,
            details=answer.details if answer else {},
        )

    # --- what went along ---------------------------------------------------------------------------

    def _went_along(self, last: Phase, items: Sequence[Item]) -> None:
        """Children were announced to follow: each is read back, and a difference is its parent's."""
        found = self._read(
            [s.record.ref for i in items for s in i.followers if s.effect == Effect.FOLLOWS]
        )
        for item in items:
            stayed = [
                s.record.ref
                for s in item.followers
                if s.effect == Effect.FOLLOWS and self._as_before(s, found.get(s.record.ref))
            ]
            if stayed and item.outcome is not None:
                item.outcome = with_problem(
                    item.outcome, "followers",
                    f"{len(stayed)} of {len(item.followers)} that were to follow did not: "
                    f"{_named(stayed)}.",
                    {"stayed": [str(ref) for ref in stayed]},
                )
        del last

    # --- what came back ----------------------------------------------------------------------------

    def _came_back(self, last: Phase, items: Sequence[Item]) -> None:
        if last.row.support is Support.REMADE:
            self._made_anew(last, items)
        compared = [i for i in items if i.source is not None]
        renamed = self._renames.of([i.source for i in compared if i.source is not None])
        for item in compared:
            now = self._now(item)
            if now is None or item.source is None or item.outcome is None:
                continue
            not_set = {*item.outcome.details.get("not_set", ()), *item.target.without}
            found = compare(item.source, now, self._connected, renamed, not_set)
            item.outcome = told(item.outcome, found.matters, found.named)
        self._children_back(last, compared)

    def _now(self, item: Item) -> Record | None:
        """The record as it was read last."""
        return item.after or item.before

    def _children_back(self, last: Phase, items: Sequence[Item]) -> None:
        """Children that went along come back with their parent, where anybody promised it."""
        if last.row.support is Support.REMADE:
            return
        promised: dict[tuple[str, str], bool] | None = None
        found = self._read([s.record.ref for i in items for s in i.followers])
        renamed = self._renames.of([s.record for i in items for s in i.followers])
        for item in items:
            assert item.outcome is not None
            lost, differ = [], {}
            for snapshot in item.followers:
                ref, now = snapshot.record.ref, found.get(snapshot.record.ref)
                if not self._as_before(snapshot, now):
                    if promised is None:
                        kinds = {s.record.ref.kind for i in items for s in i.followers}
                        promised = self._promised({last.step.kind, *kinds})
                    if promised.get((ref.kind, snapshot.via), True):
                        lost.append(ref)
                    continue
                assert now is not None
                matters = compare(snapshot.record, now, self._connected, renamed).matters
                if matters:
                    differ[str(ref)] = matters
            if lost or differ:
                told_of = [f"{len(lost)} did not come back ({_named(lost)})"] if lost else []
                told_of += [f"{len(differ)} differ ({_named(list(differ))})"] if differ else []
                item.outcome = with_problem(
                    item.outcome, "followers", f"of what went along, {' and '.join(told_of)}.",
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

    # --- what is made anew -------------------------------------------------------------------------

    def _made_anew(self, last: Phase, items: Sequence[Item]) -> None:
        """New ids are remembered, what had followed is made anew as well, and links are put back."""
        made = [i for i in items if i.outcome is not None and i.outcome.new_ref is not None]
        self._remember(made)
        children = self._remake_children(last, made)
        self._put_links_back([*made, *children])
        self._tie_again(last.step.kind, made)
        fresh = self._read(
            [i.outcome.new_ref for i in made if i.outcome is not None and i.outcome.new_ref]
        )
        for item in made:
            assert item.outcome is not None and item.outcome.new_ref is not None
            item.after = fresh.get(item.outcome.new_ref, item.after)

    def _remember(self, items: Sequence[Item]) -> None:
        pairs = [
            (i.ref, i.outcome.new_ref)
            for i in items
            if i.outcome is not None and i.outcome.new_ref is not None
        ]
        org = self._connected.account.org
        for some in batched(pairs, 200):
            self._street.journal.map_ids(self._street.run, org, some)
        if pairs:
            self._renames.again()

    def _remake_children(self, last: Phase, parents: Sequence[Item]) -> list[Item]:
        """Make anew what went along and is gone, kind by kind, each under its parent's page."""
        org, journal = self._connected.account.org, self._street.journal
        made: list[Item] = []
        waiting: dict[str, list[tuple[Item, Snapshot]]] = {}
        for item in parents:
            for snapshot in item.followers:
                waiting.setdefault(snapshot.record.ref.kind, []).append((item, snapshot))
        for kind, some in waiting.items():
            row = next(
                (
                    r
                    for r in self._connected.profile.rows(Operation.RESTORE, kind)
                    if r.support is Support.REMADE
                ),
                None,
            )
            known = journal.remade(org, kind, [s.record.ref.id for _, s in some])
            now = self._read([s.record.ref for _, s in some])
            missing = [
                (item, s)
                for item, s in some
                if s.record.ref.id not in known and not there(now.get(s.record.ref))
            ]
            if row is None or not missing:
                for item, snapshot in missing:
                    self._lost(item, snapshot, "nothing makes it anew")
                continue
            renamed = self._renames.of([s.record for _, s in missing])
            children = []
            for item, snapshot in missing:
                ref = snapshot.record.ref
                child = Item(Target(ref, ""), item.step, item.page)
                child.source = pointed(snapshot.record, renamed)
                child.before = now.get(ref)
                children.append(child)
            self._tried_before(kind, children)
            step = Step(self._connected.crm, kind, row, ())
            send(
                self._street, Phase(last.number + 1, step, "create"),
                [c for c in children if c.outcome is None],
            )
            for (item, snapshot), child in zip(missing, children, strict=True):
                if child.outcome is None:
                    child.outcome = self._through(child, last)
                if child.outcome.new_ref is None:
                    why = child.outcome.problem.message if child.outcome.problem else "it failed"
                    self._lost(item, snapshot, why)
            done = [c for c in children if c.outcome is not None and c.outcome.new_ref is not None]
            self._remember(done)
            made += done
        return made

    def _tried_before(self, kind: str, children: Sequence[Item]) -> None:
        """Children that an earlier part of this run may have made: looked for, never made twice."""
        tried: set[str] = set()
        for written in self._street.journal.entries(
            self._street.run, ("intent",), step=children[0].step, kind=kind
        ):
            if written.entry.body.get("what") == "create":
                tried.update(written.entry.body["ids"])
        for child in children:
            if child.ref.id not in tried or child.source is None:
                continue
            twin = self._connected.adapter.twin(child.source)
            if twin is not None:
                child.outcome = Outcome(
                    child.ref, Verdict.DONE, State.LIVE, "read_back", new_ref=twin
                )

    @staticmethod
    def _lost(item: Item, snapshot: Snapshot, why: str) -> None:
        assert item.outcome is not None
        item.outcome = with_problem(
            item.outcome, "followers", f"{snapshot.record.ref} went along and is not made anew: {why}."
        )

    def _put_links_back(self, items: Sequence[Item]) -> None:
        """Associations that the vendor keeps outside the fields, and lookups of records that stayed."""
        # A vendor's call is for one pair of kinds.
        wanted: dict[tuple[str, str], list[tuple[Item, RecordRef, Link]]] = {}
        sources = [i.source for i in items if i.source is not None]
        renamed = self._renames.of(sources)
        for item in items:
            if item.source is None or item.outcome is None or item.outcome.new_ref is None:
                continue
            for link in pointed(item.source, renamed).links:
                pair = (item.ref.kind, link.other.kind)
                wanted.setdefault(pair, []).append((item, item.outcome.new_ref, link))
        for (kind, _), some in wanted.items():
            for part in batched(some, LINKS):
                self._link(kind, part)

    def _link(self, kind: str, part: Sequence[tuple[Item, RecordRef, Link]]) -> None:
        refs = tuple(dict.fromkeys(ref for _, ref, _ in part))
        outcomes, trouble = self._write(
            part[0][0], kind, refs, "link",
            lambda: self._connected.adapter.link([(ref, link) for _, ref, link in part]),
        )
        failures = {o.ref: o for o in outcomes if o.verdict is not Verdict.DONE}
        for item, ref, link in part:
            problem = failures[ref].problem if ref in failures else None
            if trouble or ref in failures:
                self._unlinked(item, link, trouble or (problem.message if problem else "refused"))

    def _tie_again(self, kind: str, parents: Sequence[Item]) -> None:
        """Records that stayed, and lost the tie to what is made anew, are tied to the new one."""
        new = {i.ref.id: i for i in parents}
        ties: dict[RecordRef, tuple[Item, str]] = {}
        for run in {i.target.source.partition(" ")[0] for i in parents if i.target.source}:
            for touch in self._history.plan(run).touches:
                if touch.rule.kind != kind or touch.rule.effect in TAKEN_ALONG:
                    continue
                for parent, ref in pairs(touch):
                    item = new.get(parent)
                    if item is not None and not _linked(item, ref):
                        ties[ref] = (item, touch.rule.via)
        now = self._read(list(ties))
        changes: dict[str, list[tuple[Item, Change]]] = {}
        for ref, (item, via) in ties.items():
            record = now.get(ref)
            assert item.outcome is not None and item.outcome.new_ref is not None
            if not there(record) or record is None or not _untied(record.fields.get(via), item.ref.id):
                continue
            change = Change(ref, {via: item.outcome.new_ref.id}, {via: record.fields.get(via)})
            changes.setdefault(ref.kind, []).append((item, change))
        for child, some in changes.items():
            for part in batched(some, self._at_once(child)):
                refs = tuple(change.ref for _, change in part)
                outcomes, trouble = self._write(
                    part[0][0], child, refs, "tie",
                    lambda p=part: self._connected.adapter.update([change for _, change in p]),  # type: ignore[misc]
                )
                done = {o.ref for o in outcomes if o.verdict is Verdict.DONE}
                for item, change in part:
                    if change.ref not in done:
                        assert item.outcome is not None
                        item.outcome = with_problem(
                            item.outcome, "links",
                            f"{change.ref} is not tied to it again{': ' if trouble else ''}{trouble}.",
                        )

    def _at_once(self, kind: str) -> int:
        """Records that one `update` takes: the rows that are marked say so; one where none does."""
        rows = [
            row.batch
            for row in self._connected.profile.capabilities
            if row.support is Support.MARKED and row.is_for(kind)
        ]
        return min([LINKS, *rows]) if rows else 1

    def _write(
        self, first: Item, kind: str, refs: Sequence[RecordRef], what: str,
        call: Callable[[], Iterable[Outcome]],
    ) -> tuple[list[Outcome], str]:
        """One write beside the street: its intent durable first, its answer written down.

        Returns:
            The outcomes, and why there are none.
        """
        street, trouble = self._street, ""
        street.batch += 1
        street.journal.append(
            street.entry(
                "intent", first, kind, batch=street.batch, attempt=1,
                body={"ids": [r.id for r in refs], "operation": "restore", "what": what, "sends": 1},
            )
        )
        permit = Permit(frozenset(refs), 1, street.check)
        outcomes: list[Outcome] = []
        try:
            with self._connected.guard.permitted(permit):
                outcomes = list(call())
        except Exception as error:
            trouble = contained(error, self._connected.crm).summary
        done = {o.ref for o in outcomes if o.verdict is Verdict.DONE}
        lost = "unknown" if permit.sent else "not_sent"
        rows = [
            [r.id, lost if trouble else "applied" if r in done else "refused", what] for r in refs
        ]
        street.journal.append(
            street.entry(
                "outcome", first, kind, batch=street.batch, attempt=1,
                body={"rows": rows, "sent": permit.sent},
            )
        )
        return outcomes, trouble

    @staticmethod
    def _unlinked(item: Item, link: Link, why: str) -> None:
        assert item.outcome is not None
        item.outcome = with_problem(
            item.outcome, "links", f"its {link.name} with {link.other} is not back: {why}"
        )

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
                        outcome, state=now.state,
                        problem=Problem(
                            "changed", f"a later look found it {now.state.value}; somebody else, or "
                            "an earlier request that arrived late, moved it.",
                        ),
                    )
                )
        return changed

    def _read(self, refs: Sequence[RecordRef]) -> dict[RecordRef, Record]:
        """Read records of any kinds; what cannot be read is left out."""
        by_kind: dict[str, list[RecordRef]] = {}
        for ref in dict.fromkeys(refs):
            by_kind.setdefault(ref.kind, []).append(ref)
        found: dict[RecordRef, Record] = {}
        for some in by_kind.values():
            try:
                found.update(self._connected.read(some))
            except BridgeError:
                continue
        return found


def told(
    outcome: Outcome, matters: Mapping[str, list[Any]], named: Mapping[str, list[Any]]
) -> Outcome:
    """The outcome with what differs from the snapshot, told by name."""
    if matters:
        return with_problem(
            outcome, "differs",
            f"{len(matters)} field(s) are not as they were: {', '.join(sorted(matters))}.",
            {"differs": dict(matters), "set_by_vendor": dict(named)},
        )
    if named:
        details = {**outcome.details, "set_by_vendor": dict(named)}
        return dataclasses.replace(
            outcome,
            details=details,
            problem=outcome.problem
            or Problem("set_by_vendor", f"the vendor sets these itself: {', '.join(sorted(named))}."),
        )
    return outcome


def _linked(item: Item, ref: RecordRef) -> bool:
    """Whether a tie is one of the record's own links, which are put back as such."""
    return item.source is not None and any(link.other.id == ref.id for link in item.source.links)


def _untied(value: Any, old: str) -> bool:
    """Whether a lookup names nothing, or still the record that is gone."""
    if is_empty(value) or value == old:
        return True
    return isinstance(value, dict) and value.get("id") == old


def _named(refs: Sequence[Any]) -> str:
    shown = ", ".join(str(ref) for ref in refs[:3])
    return shown + (" …" if len(refs) > 3 else "")
