"""What has to be made anew with a record: what had gone along with it, its links, and its ties."""

from __future__ import annotations

from collections.abc import Sequence

from crm_bridge.adapter import Adapter
from crm_bridge.engine import beside
from crm_bridge.engine.accounts import Connected, tells_twins, twins_of
from crm_bridge.engine.history import History
from crm_bridge.engine.impact import pairs
from crm_bridge.engine.lanes import batched
from crm_bridge.engine.parents import is_away
from crm_bridge.engine.plan import ordered
from crm_bridge.engine.restore import Renames, pointed, read_each
from crm_bridge.engine.send import Street, look_for_made, send
from crm_bridge.engine.work import Item, Phase, went_through, with_problem
from crm_bridge.errors import BridgeError
from crm_bridge.journal.rows import Snapshot
from crm_bridge.model.abilities import Capability, Effect, Operation, Support
from crm_bridge.model.plans import Step, Target
from crm_bridge.model.records import Change, Link, Record, RecordRef, State, is_empty
from crm_bridge.model.results import Outcome, Verdict, unknown


class Anew:
    """Completes records that were made anew.

    Args:
        street: What the sends of this run have in common.
        history: The journal and what it knows.
        renames: Which new records stand for old ones.
    """

    def __init__(self, street: Street, history: History, renames: Renames) -> None:
        self._street, self._history, self._renames = street, history, renames
        self._connected: Connected = street.connected
        self._roots: dict[RecordRef, Item] = {}

    def complete(self, last: Phase, items: Sequence[Item]) -> None:
        """Remember the new ids, make anew what had followed, and put links and ties back."""
        made = [i for i in items if i.outcome is not None and i.outcome.new_ref is not None]
        self._remember(made)
        self._told_once(made)
        children = self._children(last, made)
        self._links([*made, *children])
        self._ties([*children, *made])
        fresh = read_each(
            self._connected,
            [i.outcome.new_ref for i in made if i.outcome is not None and i.outcome.new_ref],
        )
        for item in made:
            assert item.outcome is not None
            assert item.outcome.new_ref is not None
            item.after = fresh.get(item.outcome.new_ref, item.after)

    def _told_once(self, items: Sequence[Item]) -> None:
        """Name what was made twice: a create that something on the way doubled is found by nobody else."""
        sources = [i.source for i in items if i.source is not None]
        if type(self._connected.adapter).twins is Adapter.twins or not sources:
            return
        found: dict[RecordRef, Sequence[RecordRef]] = {}
        trouble = ""
        for some in batched(sources, 200):
            try:
                found.update(twins_of(self._connected, some))
            except BridgeError as error:
                trouble = error.summary
        # Records that were alike are made anew alike; each of those stands for one.
        new = self._street.made
        new.update(i.outcome.new_ref for i in items if i.outcome and i.outcome.new_ref)
        for item in items:
            assert item.outcome is not None
            others = [ref for ref in found.get(item.ref, ()) if ref not in new]
            if others:
                item.outcome = with_problem(
                    item.outcome,
                    "doubled",
                    f"it was made anew more than once; beside it stands {others[0]}.",
                    {"doubled": [str(ref) for ref in others]},
                )
            elif trouble:
                item.outcome = with_problem(
                    item.outcome, "doubled", f"whether it was made twice cannot be asked: {trouble}"
                )

    def _remember(self, items: Sequence[Item]) -> None:
        made = [
            (i.ref, i.outcome.new_ref)
            for i in items
            if i.outcome is not None and i.outcome.new_ref is not None
        ]
        org = self._connected.account.org
        for some in batched(made, 200):
            self._street.journal.map_ids(self._street.run, org, some)
        if made:
            self._renames.again()

    def _children(self, last: Phase, parents: Sequence[Item]) -> list[Item]:
        """Make anew what went along and is gone, kind by kind, each under its parent's page."""
        made: list[Item] = []
        waiting: dict[str, list[tuple[Item, Snapshot]]] = {}
        for item in parents:
            for snapshot in item.followers:
                waiting.setdefault(snapshot.record.ref.kind, []).append((item, snapshot))
        for kind in self._parents_first(last.step.kind, list(waiting)):
            some = waiting[kind]
            missing = self._missing(kind, some)
            row = self._row(kind)
            if row is None:
                for item, snapshot in missing:
                    # The table says so, and so did the loss statement.
                    _named(item, f"{snapshot.record.ref} went along, and nothing makes it anew")
            elif missing:
                made += self._make(last, row, missing)
        return made

    def _parents_first(self, parent: str, kinds: list[str]) -> list[str]:
        """Kinds so that what hangs on another kind is made after it."""
        rules = [r for kind in (parent, *kinds) for r in self._connected.adapter.relations(kind)]
        return ordered(kinds, rules, Operation.RESTORE)

    def _row(self, kind: str) -> Capability | None:
        rows = self._connected.profile.rows(Operation.RESTORE, kind)
        return next((row for row in rows if row.support is Support.REMADE), None)

    def _missing(
        self, kind: str, some: Sequence[tuple[Item, Snapshot]]
    ) -> list[tuple[Item, Snapshot]]:
        refs = [snapshot.record.ref for _, snapshot in some]
        known = self._street.journal.remade(
            self._connected.account.org, kind, [ref.id for ref in refs]
        )
        now = read_each(self._connected, refs)
        return [
            (item, snapshot)
            for item, snapshot in some
            if snapshot.record.ref.id not in known
            and not self._stands(snapshot.record, now.get(snapshot.record.ref))
        ]

    def _stands(self, before: Record, now: Record | None) -> bool:
        """Whether a record is there, live or marked, or lies where it lay before."""
        if now is None or now.unreadable:
            return False
        same = now.state is before.state and now.state not in (State.DELETED, State.GONE)
        return same or not is_away(self._connected, now)

    def _make(
        self,
        last: Phase,
        row: Capability,
        missing: Sequence[tuple[Item, Snapshot]],
        again: bool = False,
    ) -> list[Item]:
        kind = missing[0][1].record.ref.kind
        renamed = self._renames.of([s.record for _, s in missing])
        children = []
        for item, snapshot in missing:
            child = Item(Target(snapshot.record.ref, ""), item.step, item.page)
            child.source = pointed(snapshot.record, renamed)
            self._roots[child.ref] = item
            children.append(child)
        if not again:
            self._tried_before(kind, children)
        phase = Phase(last.number + 1, Step(self._connected.crm, kind, row, ()), "create")
        send(self._street, phase, [c for c in children if c.outcome is None])
        for (item, snapshot), child in zip(missing, children, strict=True):
            if child.outcome is None:
                child.outcome = went_through(child, last)
            if child.outcome.new_ref is not None:
                continue
            if child.outcome.verdict is Verdict.FAILED and not again:
                # It may name what is made anew only later: once more when all is back.
                self._street.unmade.append((item, snapshot))
            else:
                why = child.outcome.problem.message if child.outcome.problem else "it failed"
                _lost(item, snapshot, why)
        done = [c for c in children if c.outcome is not None and c.outcome.new_ref is not None]
        self._remember(done)
        self._told_once(done)
        for (item, _), child in zip(missing, children, strict=True):
            assert child.outcome is not None
            if child.outcome.new_ref is not None:
                item.made.append(child)
            if twice := child.outcome.details.get("doubled"):
                assert item.outcome is not None
                told = f"{child.ref} went along and was made anew more than once: {twice[0]}."
                item.outcome = with_problem(item.outcome, "doubled", told)
        return done

    def _tried_before(self, kind: str, children: Sequence[Item]) -> None:
        """Children that an earlier part of this run may have made: looked for, never made twice."""
        tried: set[str] = set()
        for written in self._street.journal.entries(
            self._street.run, ("intent",), step=children[0].step, kind=kind
        ):
            if written.entry.body.get("what") == "create":
                tried.update(written.entry.body["ids"])
        doubtful = [c for c in children if c.ref.id in tried and c.source is not None]
        if not tells_twins(self._connected):
            for child in doubtful:
                # One too few can be told and mended by a person; one too many is found by nobody.
                child.outcome = unknown(
                    child.ref, "whether it was made anew before cannot be told; look for it."
                )
            return
        made = look_for_made(self._street, kind, doubtful)
        for child in doubtful:
            if (twin := made.get(child.ref)) is not None:
                child.outcome = Outcome(
                    child.ref, Verdict.DONE, State.LIVE, "read_back", new_ref=twin
                )

    def _links(self, items: Sequence[Item]) -> None:
        """Put back associations that the vendor keeps outside the fields."""
        if type(self._connected.adapter).link is Adapter.link:
            return
        wanted: list[tuple[Item, RecordRef, Link]] = []
        renamed = self._renames.of([i.source for i in items if i.source is not None])
        for item in items:
            if item.source is None or item.outcome is None or item.outcome.new_ref is None:
                continue
            for link in pointed(item.source, renamed).links:
                wanted.append((item, item.outcome.new_ref, link))
        if self._street.resumed:
            wanted = self._not_there(wanted)
        # What one of them names may be made anew only later: it is tried once more when all is back.
        self._street.unlinked += [(item, ref, link) for item, ref, link, _ in self._link(wanted)]

    def make_again(self, last: Phase) -> list[Item]:
        """Make children that could not be made before; gives the items that they went along with."""
        waiting, self._street.unmade = self._street.unmade, []
        by_kind: dict[str, list[tuple[Item, Snapshot]]] = {}
        for item, snapshot in waiting:
            # What is said of it now is said of what `plain` holds: it was told before.
            item.outcome = item.plain
            by_kind.setdefault(snapshot.record.ref.kind, []).append((item, snapshot))
        made: list[Item] = []
        for kind in self._parents_first(last.step.kind, list(by_kind)):
            # One that went along with several is made once.
            once = {s.record.ref: (item, s) for item, s in self._missing(kind, by_kind[kind])}
            if (row := self._row(kind)) is not None and once:
                made += self._make(last, row, list(once.values()), again=True)
        self._links(made)
        self._ties(made)
        for item, _ in waiting:
            item.plain = item.outcome
        return [item for item, _ in waiting]

    def link_again(self) -> list[Item]:
        """Put back what could not be put back before; gives the items that it belongs to."""
        waiting, self._street.unlinked = self._street.unlinked, []
        renamed = self._renames.of([i.source for i, _, _ in waiting if i.source is not None])
        wanted = [
            (item, ref, next(iter(pointed(Record(ref, State.LIVE, {}, (link,)), renamed).links)))
            for item, ref, link in waiting
        ]
        for item, _, link, why in self._link(self._not_there(wanted)):
            if item.plain is not None:
                item.plain = with_problem(
                    item.plain, "links", f"its {link.name} with {link.other} is not back: {why}"
                )
        return [item for item, _, _ in waiting]

    def _not_there(
        self, wanted: Sequence[tuple[Item, RecordRef, Link]]
    ) -> list[tuple[Item, RecordRef, Link]]:
        """Those associations that a look does not find: an answer that was lost may have been a yes."""
        if not wanted:
            return []
        now = read_each(self._connected, [ref for _, ref, _ in wanted])
        beside.seen(self._street, [(item, ref) for item, ref, _ in wanted], now)
        return [
            (item, ref, link)
            for item, ref, link in wanted
            if ref not in now or link not in now[ref].links
        ]

    def _link(
        self, wanted: Sequence[tuple[Item, RecordRef, Link]]
    ) -> list[tuple[Item, RecordRef, Link, str]]:
        """Put associations back; gives those that are not back, and why."""
        # A vendor's call is for one pair of kinds.
        pairs: dict[tuple[str, str], list[tuple[Item, RecordRef, Link]]] = {}
        for item, ref, link in wanted:
            pairs.setdefault((ref.kind, link.other.kind), []).append((item, ref, link))
        left: list[tuple[Item, RecordRef, Link, str]] = []
        for (kind, _), some in pairs.items():
            for part in batched(some, beside.AT_ONCE):
                left += self._link_some(kind, part)
        return left

    def _link_some(
        self, kind: str, part: Sequence[tuple[Item, RecordRef, Link]]
    ) -> list[tuple[Item, RecordRef, Link, str]]:
        refs = tuple(dict.fromkeys(ref for _, ref, _ in part))
        outcomes, trouble = beside.write(
            self._street,
            part[0][0],
            kind,
            refs,
            "link",
            lambda: self._connected.adapter.link([(ref, link) for _, ref, link in part]),
        )
        failures = {o.ref: o for o in outcomes if o.verdict is not Verdict.DONE}
        if trouble:
            part = self._not_there(part)
        left = []
        for item, ref, link in part:
            problem = failures[ref].problem if ref in failures else None
            if trouble or ref in failures:
                why = trouble or (problem.message if problem else "refused")
                left.append((item, ref, link, why))
        return left

    def _ties(self, made: Sequence[Item]) -> None:
        """Records that stayed, and lost the tie to what is made anew, are tied to the new one.

        Args:
            made: Targets, and what had gone along with them: that may be named by such records as well.
        """
        new = {(i.ref.kind, i.ref.id): i for i in made}
        kinds = {kind for kind, _ in new}
        ties: dict[RecordRef, tuple[Item, str]] = {}
        sources = [self._roots.get(i.ref, i).target.source for i in made]
        for run in {source.partition(" ")[0] for source in sources if source}:
            for touch in self._history.plan(run).touches:
                # What may have followed and is there all the same has lost its tie as well.
                rule = touch.rule
                if rule.kind not in kinds or rule.between or rule.effect is Effect.FOLLOWS:
                    continue
                for parent, ref in pairs(touch):
                    item = new.get((touch.rule.kind, parent))
                    if item is not None and not _linked(item, ref):
                        ties[ref] = (item, touch.rule.via)
        now = read_each(self._connected, list(ties))
        if self._street.resumed:
            beside.seen(self._street, [(item, ref) for ref, (item, _) in ties.items()], now)
        changes: list[tuple[Item, Change]] = []
        for ref, (item, via) in ties.items():
            record = now.get(ref)
            assert item.outcome is not None
            assert item.outcome.new_ref is not None
            if (
                record is not None
                and not is_away(self._connected, record)
                and _untied(record.fields.get(via), item.ref.id)
            ):
                if record.locked:
                    root = self._roots.get(item.ref, item)
                    _named(root, f"{ref} is locked, and so is not tied to it again")
                    continue
                expect = {via: record.fields.get(via)}
                new_ref = item.outcome.new_ref
                changes.append((item, Change(ref, {via: new_ref.id}, expect, {via: new_ref})))
        for one, change, why in beside.update(self._street, changes, "tie"):
            item = self._roots.get(one.ref, one)
            assert item.outcome is not None
            item.outcome = with_problem(
                item.outcome,
                "links",
                f"{change.ref} is not tied to it again{': ' if why else ''}{why}.",
            )


def _lost(item: Item, snapshot: Snapshot, why: str) -> None:
    assert item.outcome is not None
    item.outcome = with_problem(
        item.outcome, "followers", f"{snapshot.record.ref} went along and is not made anew: {why}."
    )


def _named(item: Item, told: str) -> None:
    """Tell what the loss statement had told beforehand: it is no surprise."""
    assert item.outcome is not None
    item.outcome = with_problem(item.outcome, "set_by_vendor", f"as the plan said: {told}.")


def _linked(item: Item, ref: RecordRef) -> bool:
    """Whether a tie is one of the record's own links, which are put back as such."""
    return item.source is not None and any(link.other.id == ref.id for link in item.source.links)


def _untied(value: object, old: str) -> bool:
    """Whether a lookup names nothing, or still the record that is gone."""
    if is_empty(value) or value == old:
        return True
    return isinstance(value, dict) and value.get("id") == old
