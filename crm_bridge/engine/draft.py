"""Makes a plan: records are read, walk the vendor's table, and what would go along is counted."""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from itertools import islice
from math import ceil
from typing import Any

from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.collecting import seldom_collecting
from crm_bridge.engine.connect import Accounts, versions_of
from crm_bridge.engine.forecast import WEIGHED, children_back, dearer
from crm_bridge.engine.hidden import Unseen, unseen, unseen_findings
from crm_bridge.engine.history import History
from crm_bridge.engine.holds import Bars, along, bars_of
from crm_bridge.engine.impact import LISTED, TouchBook, Weight
from crm_bridge.engine.inspect import TAKEN_ALONG, followers
from crm_bridge.engine.lanes import HELD, Begun, batched
from crm_bridge.engine.parents import missing_parents
from crm_bridge.engine.plan import (
    Known,
    Taken,
    Way,
    confirm_text,
    counts_of,
    judge,
    judge_restore,
    lasting,
    losses_of,
    ordered,
    reads_of,
    settled_findings,
    step_findings,
    steps_of,
    touch_findings,
    way,
)
from crm_bridge.engine.planfile import sealed, settled_of, settled_row, target_of, target_row
from crm_bridge.engine.restore import Source, read_each, sources_of
from crm_bridge.engine.select import Selection, mark_of
from crm_bridge.engine.spool import Spool
from crm_bridge.engine.ties import kinds_along, lookups_among, ties_of
from crm_bridge.engine.work import dated, vendor_now
from crm_bridge.errors import BridgeError
from crm_bridge.model.abilities import Capability, Effect, Operation, Profile, Support
from crm_bridge.model.plans import (
    Finding,
    Lazy,
    Plan,
    Scene,
    Severity,
    Target,
    TargetOrg,
    Touch,
)
from crm_bridge.model.records import Record, RecordRef, State
from crm_bridge.model.results import Outcome, Verdict, skipped

_Tells = Callable[[RecordRef], bool]

STRETCH = 1000
"""Records that are looked at together at the least while a plan is made; every lane has its share."""

_LISTED = 200
"""Records that a finding lists where no touch does."""

_SHOWN = 5
"""Records that a finding names."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for.

    Attributes:
        operation: What is to be done.
        reason: Why, in words.
        code: Why, as a code.
        by: Who.
        remake: Whether a restore may make records anew.
        on_conflict: What a restore does with what stands in its way.
        limits: `records` and `share`; None where a cap does not hold.
        require_reason: Whether a plan without a reason is blocked.
        told: How it was asked for, for the digest and for reading.
    """

    operation: Operation
    reason: str = ""
    code: str | None = None
    by: str = ""
    remake: bool = False
    on_conflict: str = "skip"
    limits: Mapping[str, float | None] = field(default_factory=dict)
    require_reason: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Returning:
    """A record that is to come back.

    Attributes:
        crm: The account's name in the settings.
        source: The record, its snapshot and the run that took it.
        way: By which rows.
        fingerprint: Of the record as it was read now.
        missing: Its lookups that name what is not there.
        without: Fields that are left empty.
    """

    crm: str
    source: Source
    way: Way
    fingerprint: str
    missing: Mapping[str, RecordRef]
    without: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    wish: Wish
    accounts: Accounts
    history: Callable[[], History]
    groups: dict[tuple[str, str, tuple[Capability, ...]], Spool[Target]] = field(
        default_factory=dict
    )
    settled: Spool[Outcome] = field(default_factory=lambda: Spool(settled_row, settled_of))
    tally: dict[str, tuple[int, list[RecordRef], str]] = field(default_factory=dict)
    told: dict[tuple[str, str], Finding] = field(default_factory=dict)
    book: TouchBook = field(default_factory=TouchBook)
    weight: Weight = field(default_factory=Weight)
    kinds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lookups: dict[tuple[str, str], tuple[Mapping[str, Sequence[str]], _Tells]] = field(
        default_factory=dict
    )
    waiting: list[_Returning] = field(default_factory=list)
    bars: dict[str, Bars] = field(default_factory=dict)
    stays: dict[int, str] = field(default_factory=dict)
    looked: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    some: dict[str, list[RecordRef]] = field(default_factory=dict)
    dearer: dict[str, int] = field(default_factory=dict)
    ways: dict[str, Callable[[str, State], Way | None]] = field(default_factory=dict)
    orphans: dict[RecordRef, set[str]] = field(default_factory=dict)
    totals: dict[tuple[str, str], Future[int | None]] = field(default_factory=dict)

    def read(self, connected: Connected, refs: Sequence[RecordRef]) -> dict[RecordRef, Record]:
        """Read records of one kind, and count what that took."""
        with connected.guard.counting() as counted:
            found = connected.read_surely(refs)
        key, profile = (connected.crm, refs[0].kind), connected.profile
        made, (calls, records) = counted.calls, self.looked.get(key, (0, 0))
        if profile.read_calls > 1:
            # The first read of a kind asks for the kind itself as well, and a plan may read smaller
            # parts; the run does neither.
            made = min(made, ceil(len(refs) / max(1, profile.read_batch)) * profile.read_calls)
        self.looked[key] = (calls + made, records + len(refs))
        return found

    def settle(self, connected: Connected, outcome: Outcome) -> None:
        """Note a target whose verdict is known already."""
        rows = connected.profile.rows(self.wish.operation, outcome.ref.kind)
        if outcome.verdict in (Verdict.BY_HAND, Verdict.PENDING, Verdict.FAILED) and rows:
            outcome = dated(outcome, rows[0], connected)
        self.settled.append(outcome)
        if outcome.verdict is Verdict.SKIPPED and outcome.problem is not None:
            self.stays[mark_of(outcome.ref)] = outcome.problem.code
        if outcome.problem is not None:
            count, refs, message = self.tally.get(
                outcome.problem.code, (0, [], outcome.problem.message)
            )
            self.tally[outcome.problem.code] = (count + 1, [*refs, outcome.ref][:_SHOWN], message)

    def go(self, way: Way, target: Target) -> None:
        """Note a target that goes a way."""
        key = (target.ref.crm, target.ref.kind, way.rows)
        if key not in self.groups:
            self.groups[key] = Spool(target_row, target_of(*key[:2]))
            if self.wish.operation is not Operation.RESTORE and key[:2] not in self.totals:
                connected = self.accounts.connected(key[0])
                self.totals[key[:2]] = connected.lanes.soon(partial(_total, connected, key[1]))
        self.groups[key].append(target)

    def back(self, one: _Returning) -> None:
        """Note a record that comes back."""
        known = one.source.known
        run, then = (known.run, known.outcome.ref) if known else ("", one.source.ref)
        if run and one.way.rows[-1].support is Support.NATIVE:
            self.runs[run] = self.runs.get(run, 0) + 1
            if len(some := self.some.setdefault(run, [])) < WEIGHED:
                some.append(then)
        source = f"{run} {then}" if one.source.before is not None else ""
        target = Target(
            one.source.ref, one.fingerprint, one.way.evidence, source, tuple(one.without)
        )
        self.go(one.way, target)

    def coming(
        self, wanted: Collection[RecordRef], also: Collection[RecordRef] = ()
    ) -> set[RecordRef]:
        """Which of these the plan brings back by now, as targets or along with them.

        Args:
            wanted: Records that others name.
            also: Records that come back too, if nothing keeps them.
        """
        # Beside each of them, what took it along where that is brought back.
        roots: dict[RecordRef, set[RecordRef]] = {ref: {ref} for ref in wanted}
        by_kind: dict[tuple[str, str], list[str]] = {}
        for ref in wanted:
            by_kind.setdefault((ref.crm, ref.kind), []).append(ref.id)
        for (crm, kind), ids in by_kind.items():
            org = self.accounts.connected(crm).account.org
            for id_, traces in self.history().journal.traces(org, kind, ids).items():
                taker = traces[0].parent
                if taker is not None:
                    roots[RecordRef(crm, kind, id_)].add(RecordRef(crm, taker.kind, taker.id))
        asked = {root for some in roots.values() for root in some}
        kinds = {(ref.crm, ref.kind) for ref in asked}
        there = {
            target.ref
            for (crm, kind, _), targets in self.groups.items()
            if (crm, kind) in kinds
            for target in targets
            if target.ref in asked
        }
        there |= asked.intersection(also)
        return {ref for ref, some in roots.items() if not some.isdisjoint(there)}

    def say(self, finding: Finding) -> None:
        """Note a finding; the same one of another stretch is counted together with it."""
        number = "" if finding.count is None else str(finding.count)
        # "12 Account may block" and "5 Account may block" are one finding, of 17.
        words = finding.summary.replace(number, "\0", 1) if number else finding.summary
        before = self.told.get((finding.code, words))
        if before is not None and before.count is not None and finding.count is not None:
            count = before.count + finding.count
            finding = dataclasses.replace(
                before,
                count=count,
                summary=words.replace("\0", str(count), 1),
                refs=(*before.refs, *finding.refs)[:_SHOWN],
            )
        self.told[finding.code, words] = finding


@seldom_collecting()
def make_plan(
    wish: Wish,
    selection: Selection,
    accounts: Accounts,
    history: Callable[[], History],
    review: Callable[..., Iterable[Iterable[Finding]]],
) -> Plan:
    """Make a plan for records that are to be taken away.

    Args:
        wish: What is asked for.
        selection: For which records.
        accounts: The accounts.
        history: Opens the journal's knowledge, where a read alone does not tell.
        review: The hook `review_plan`.

    Raises:
        BridgeError: An account or a record could not be read.
    """
    draft = _Draft(wish, accounts, history)
    if selection.doubles:
        draft.say(
            Finding(
                Severity.NOTE,
                "doubles",
                f"{selection.doubles} address(es) stood there more than once, and count once.",
                "A record is never sent twice.",
                selection.doubles,
                tuple(selection.again),
            )
        )
    draft.book.selected = selection.__contains__
    draft.book.listing = len(selection) <= LISTED
    try:
        for crm in selection.crms:
            connected = accounts.connected(crm)
            draft.bars[crm] = bars_of(draft.history().journal, connected)
            draft.ways[crm] = cache(partial(way, connected.profile, wish.operation))
            draft.kinds[crm] = tuple(selection.of(crm))
            if _beyond_today(draft, connected, selection.of(crm)):
                continue
            # What stays by itself keeps its parents, so it is looked at before them.
            for kind in _children_first(connected, draft.kinds[crm]):
                for part in batched(selection.of(crm)[kind], _stretch(connected)):
                    _inspect(draft, connected, part)
            draft.book.finish(connected)
    except BaseException:
        draft.book.drop()
        raise
    _loosened(draft)
    return _finish(draft, selection.crms, review)


def _loosened(draft: _Draft) -> None:
    """Name the targets that stay while what they name goes; no touch counts a target."""
    loose = draft.book.loosened
    stay = {o.ref for o in draft.settled if o.ref in loose} if loose else set()
    if stay:
        draft.say(
            Finding(
                Severity.NOTE,
                "vendor_note",
                f"{len(stay)} target(s) that stay lose a tie to what goes.",
                "They name records that this plan takes, or takes along.",
                len(stay),
                tuple(sorted(stay)[:_LISTED]),
            )
        )


@seldom_collecting()
def make_restore(
    wish: Wish,
    sources: Iterator[list[Source]],
    accounts: Accounts,
    history: Callable[[], History],
    review: Callable[..., Iterable[Iterable[Finding]]],
    doubles: int = 0,
) -> Plan:
    """Make a plan that brings records back.

    Args:
        wish: What is asked for.
        sources: The records, in stretches of one kind each, with the runs that took them.
        accounts: The accounts.
        history: The journal's knowledge.
        review: The hook `review_plan`.
        doubles: Addresses that stood there more than once.

    Raises:
        BridgeError: An account or a record could not be read.
    """
    draft = _Draft(wish, accounts, history)
    if doubles:
        draft.say(
            Finding(
                Severity.NOTE,
                "doubles",
                f"{doubles} address(es) stood there more than once, and count once.",
                "",
                doubles,
            )
        )
    crms: list[str] = []
    for some in sources:
        connected = accounts.connected(some[0].ref.crm)
        if connected.crm not in crms:
            crms.append(connected.crm)
        _inspect_restore(draft, connected, some)
    if draft.waiting:
        _parents(draft, accounts)
    return _finish(draft, crms, review)


def _stretch(connected: Connected) -> int:
    """Records that are looked at together: as many whole rounds of all lanes as may be held at once."""
    wave = connected.profile.read_batch * connected.profile.lanes
    return max(STRETCH, HELD // wave * wave if wave <= HELD else HELD)


def _beyond_today(
    draft: _Draft, connected: Connected, kinds: Mapping[str, Lazy[RecordRef]]
) -> bool:
    """Whether reading for the plan alone takes more calls than today has; said before any is made.

    A plan that was begun all the same would use up the day, break off and leave nothing: the next
    day it would begin at its first record again. So it is not begun, and says how to part it.
    """
    quota, profile = connected.account.quota, connected.profile
    if quota is None:
        return False
    looks = {kind: _reads(len(refs), profile) for kind, refs in kinds.items()}
    if sum(looks.values()) <= quota.left:
        return False
    total = sum(len(refs) for refs in kinds.values())
    calls = sum(looks.values())
    for kind, refs in kinds.items():
        rows = profile.rows(draft.wish.operation, kind)
        sends = min((ceil(len(refs) / max(1, r.batch)) * r.sends for r in rows), default=0)
        # Once more before each write, and once more after it.
        calls += 2 * looks[kind] + sends
    reserve = int(quota.limit * connected.settings.reserve)
    left = max(0, quota.left - reserve)
    days = 1 + ceil((calls - left) / max(1, quota.limit - reserve))
    today = min(total, left * total // calls)
    when = f" at {quota.resets_at:%Y-%m-%d %H:%M} UTC" if quota.resets_at else ""
    share = f"about {today} of the {total} records" if today else f"none of the {total} records"
    draft.say(
        Finding(
            Severity.ERROR,
            "quota",
            f"{connected.crm} has {quota.left} calls left today, {reserve} of them kept for a "
            f"restore; to read these {total} records, take them and look again needs at least "
            f"{calls}.",
            f"It takes {days} days. Today {share} can be done: plan and carry out so many, and the "
            f"others after the reset{when}. None was read for this plan.",
            calls,
        )
    )
    return True


def _reads(count: int, profile: Profile) -> int:
    return ceil(count / max(1, profile.read_batch)) * profile.read_calls


def _inspect(draft: _Draft, connected: Connected, refs: Sequence[RecordRef]) -> None:
    """Look at records of one kind, and give each its way or its verdict."""
    operation, profile = draft.wish.operation, connected.profile
    found = draft.read(connected, refs)
    hidden = [
        r for r in refs if found[r].unreadable or found[r].state in (State.GONE, State.DELETED)
    ]
    known = _known(draft, connected, hidden)
    records = [found[ref] for ref in refs]
    checking = _begin_precheck(connected, operation, records)
    # While the lanes ask: what needs nothing but the records themselves.
    staying: list[tuple[Record, Outcome]] = []
    going: dict[tuple[Capability, ...], list[tuple[Record, Way]]] = {}
    for record in records:
        verdict = _judged(draft, connected, record, known.get(record.ref.id))
        if isinstance(verdict, Outcome):
            staying.append((record, verdict))
        else:
            going.setdefault(verdict.rows, []).append((record, verdict))
    reaching = {
        rows: draft.book.begin_reach(
            connected, {row.operation for row in rows}, [record.ref for record, _ in some]
        )
        for rows, some in going.items()
    }
    prints = {
        rows: [record.fingerprint(profile.vendor_set) for record, _ in some]
        for rows, some in going.items()
    }
    settled = _prechecked(draft, connected, records, checking)
    for record, verdict in staying:
        # What is gone by a merge was not deleted before: its adapter knows better.
        if verdict.verdict is Verdict.FAILED or (
            record.state is State.GONE and verdict.verdict is Verdict.ALREADY
        ):
            verdict = settled.get(record.ref, verdict)
        draft.settle(connected, verdict)
    for rows, some in going.items():
        operations = {row.operation for row in rows}
        blockers = draft.book.blockers(connected, operations, [r.ref for r, _ in some])
        free = [r.ref for r, _ in some if r.ref not in settled and r.ref.id not in blockers]
        barred = _barred(draft, connected, operations, free)
        gone: list[RecordRef] = []
        lookups = _lookups(draft, connected, some[0][0].ref.kind, operations)
        for (record, chosen), print_ in zip(some, prints[rows], strict=True):
            ref = record.ref
            outcome = settled.get(ref)
            if outcome is None and (by := blockers.get(ref.id)) is not None:
                outcome = skipped(ref, "blocked", f"{by} hangs on it and keeps it from going.")
            if outcome is None and (bar := barred.get(ref)) is not None:
                outcome = skipped(ref, *bar)
            if outcome is not None:
                draft.settle(connected, outcome)
                continue
            ties = () if lookups is None else ties_of(record, *lookups)
            draft.go(chosen, Target(ref, print_, chosen.evidence, ties=ties))
            draft.weight.add(record, profile.measures)
            gone.append(ref)
        draft.book.reach(connected, operations, gone, reaching[rows])
        if lasting(rows[-1], profile, refs[0].kind):
            _orphans(draft, connected, [record for record, _ in some if record.ref in set(gone)])


def _barred(
    draft: _Draft,
    connected: Connected,
    operations: Collection[Operation],
    refs: Sequence[RecordRef],
) -> dict[RecordRef, tuple[str, str]]:
    """Targets that would take along what is out of reach, or a target that stays; each with why."""
    bars, found = draft.bars[connected.crm], dict[RecordRef, tuple[str, str]]()
    if not refs or not (bars or draft.stays):
        return found
    goes = kinds_along(connected, {refs[0].kind}, operations)
    if not (bars.reach(goes) or (draft.stays and goes.intersection(draft.kinds[connected.crm]))):
        # Nothing that is out of reach can hang on these: no call is made for it.
        return found

    def aside(record: Record, root: RecordRef) -> None:
        if (code := draft.stays.get(mark_of(record.ref))) is not None:
            told = f"{record.ref} would go along with it, and is left alone: {code}."
            found.setdefault(root, ("blocked", told))

    for one in followers(connected, operations, refs, draft.book.selected, aside):
        if (bar := bars.of(one.record)) is not None:
            found.setdefault(one.root, along(one.record, bar))
    return found


def _children_first(connected: Connected, kinds: Sequence[str]) -> list[str]:
    """Kinds so that what goes along with another kind comes before it."""
    rules = [r for kind in kinds for r in connected.adapter.relations(kind)]
    return ordered(kinds, [r for r in rules if r.effect in TAKEN_ALONG], Operation.RESTORE)[::-1]


def _orphans(draft: _Draft, connected: Connected, records: Sequence[Record]) -> None:
    """Targets that only a remake brings back, and that name what is away already: it cannot name that."""
    missing = missing_parents(connected, draft.history().journal, records, {})
    for ref, mine in missing.items():
        fields = {name for name, other in mine.items() if not draft.book.selected(other)}
        if fields:
            draft.orphans[ref] = fields


def _orphaned(draft: _Draft) -> dict[tuple[str, str], tuple[int, set[str], list[RecordRef]]]:
    """Orphans by crm and kind; what names an orphan is one too, since that is not made anew before it."""
    new = set(draft.orphans)
    while new:
        named, new = new, set()
        for (crm, kind, rows), targets in draft.groups.items():
            if not lasting(rows[-1], draft.accounts.connected(crm).profile, kind):
                continue
            for target in targets:
                ties = {tie.field for tie in target.ties if tie.field and tie.other in named}
                if ties and target.ref not in draft.orphans:
                    new.add(target.ref)
                if ties:
                    draft.orphans.setdefault(target.ref, set()).update(ties)
    found: dict[tuple[str, str], tuple[int, set[str], list[RecordRef]]] = {}
    for ref, names in draft.orphans.items():
        count, known, refs = found.get((ref.crm, ref.kind), (0, set(), []))
        found[ref.crm, ref.kind] = (count + 1, known | names, [*refs, ref][:_LISTED])
    return found


def _lookups(
    draft: _Draft, connected: Connected, kind: str, operations: Collection[Operation]
) -> tuple[Mapping[str, Sequence[str]], _Tells, _Tells] | None:
    """Lookups of this kind to what the run takes, which it may cut itself; None where it cuts none."""
    native = any(
        row.support is Support.NATIVE
        for operation in operations
        for row in connected.profile.rows(operation, kind)
    )
    if not native:
        return None
    key, own = (connected.crm, kind), draft.kinds[connected.crm]
    if key not in draft.lookups:
        along = kinds_along(connected, own, operations)
        known = lookups_among(connected, kind, {*own, *along}, operations)
        grammar = re.compile(connected.profile.id_grammar)
        draft.lookups[key] = (
            known,
            lambda ref: ref.kind in along and grammar.fullmatch(ref.id) is not None,
        )
    lookups, goes_along = draft.lookups[key]
    return lookups, draft.book.selected, goes_along


def _judged(
    draft: _Draft,
    connected: Connected,
    record: Record,
    known: Known | None,
) -> Way | Outcome:
    """Which way a record goes, or why it goes none."""
    if (bar := draft.bars[connected.crm].of(record)) is not None:
        return skipped(record.ref, *bar)
    ways = draft.ways[connected.crm]
    return judge(draft.wish.operation, record, connected.profile, known, ways)


def _known(draft: _Draft, connected: Connected, refs: Sequence[RecordRef]) -> Mapping[str, Known]:
    if not refs:
        return {}
    return draft.history().known(connected.account.org, refs[0].kind, [ref.id for ref in refs])


Checking = Begun[tuple[Record, ...], list[Finding | Outcome]]


def _begin_precheck(
    connected: Connected, operation: Operation, records: Sequence[Record]
) -> Checking:
    """Have the adapter asked what stands in the way of these."""
    parts = batched(records, max(1, connected.profile.read_batch))
    return connected.lanes.begin(
        lambda part: list(connected.adapter.precheck(operation, part)), parts
    )


def _prechecked(
    draft: _Draft, connected: Connected, records: Sequence[Record], checking: Checking
) -> dict[RecordRef, Outcome]:
    """What the adapter knows to stand in the way, record by record; findings go to the plan."""
    asked = {record.ref for record in records}
    settled: dict[RecordRef, Outcome] = {}
    for _, found in checking.in_order():
        if isinstance(found, BaseException):
            raise contained(found, connected.crm)
        for one in found:
            if isinstance(one, Finding):
                draft.say(one)
            elif isinstance(one, Outcome) and one.ref in asked:
                before = settled.get(one.ref)
                settled[one.ref] = one if before is None else _both(before, one)
    return settled


def _both(first: Outcome, second: Outcome) -> Outcome:
    """Two things that stand in one record's way, told as one; what both can leave empty, they can."""
    problem = first.problem
    if problem is not None and second.problem is not None:
        message = f"{problem.message} {second.problem.message}"
        problem = dataclasses.replace(problem, message=message)
    details = {**first.details, **second.details}
    if "fields" in first.details and "fields" in second.details:
        details["fields"] = [*first.details["fields"], *second.details["fields"]]
        details["missing"] = {
            **first.details.get("missing", {}), **second.details.get("missing", {})
        }  # fmt: skip
    else:
        details.pop("fields", None)
    return dataclasses.replace(first, problem=problem, details=details)


def _inspect_restore(draft: _Draft, connected: Connected, sources: Sequence[Source]) -> None:
    wish, profile = draft.wish, connected.profile
    refs = [source.ref for source in sources]
    found = draft.read(connected, refs)
    history = draft.history()
    remade = history.journal.remade(connected.account.org, refs[0].kind, [r.id for r in refs])
    befores: list[Record] = []
    taken: dict[RecordRef, Taken] = {}
    for source in sources:
        now = found[source.ref]
        new_ref = remade.get(source.ref.id)
        taken[source.ref] = Taken(now, source.before, source.known, new_ref)
        befores.append(
            now if source.before is None else dataclasses.replace(source.before, state=now.state)
        )
    moment = vendor_now(connected)
    verdicts = {
        ref: judge_restore(
            one, profile, remake=wish.remake, on_conflict=wish.on_conflict, now=moment
        )
        for ref, one in taken.items()
    }
    going = [before for before in befores if _may_go(verdicts[before.ref])]
    checking = _begin_precheck(connected, Operation.RESTORE, going)
    settled = _prechecked(draft, connected, going, checking)
    back = [before for before in going if not _is_remake(verdicts[before.ref])]
    # What is read back may take more than a list of it.
    draft.dearer[connected.crm] = draft.dearer.get(connected.crm, 0) + dearer(connected, back)
    anew = [before for before in going if _is_remake(verdicts[before.ref])]
    missing = missing_parents(connected, history.journal, anew, settled) if anew else {}
    for source in sources:
        verdict, conflict = verdicts[source.ref], settled.get(source.ref)
        if isinstance(verdict, Outcome):
            by_hand = verdict.verdict is Verdict.BY_HAND and conflict is not None
            draft.settle(connected, conflict if by_hand and conflict is not None else verdict)
            continue
        print_ = taken[source.ref].now.fingerprint(profile.vendor_set)
        one = _Returning(connected.crm, source, verdict, print_, missing.get(source.ref, {}))
        if conflict is not None and (left := _beside(conflict, one.missing)):
            one.without = _left_empty(wish, verdict, left)
            if not one.without:
                draft.settle(connected, _refused(wish, left))
                continue
        if one.missing:
            draft.waiting.append(one)
        else:
            draft.back(one)
    there = [
        source
        for source in sources
        if (told := verdicts[source.ref]) is not None
        and isinstance(told, Outcome)
        and (told.verdict, told.state) == (Verdict.ALREADY, State.LIVE)
        and source.known is not None
    ]
    if there:
        _stragglers(draft, connected, there)


def _stragglers(draft: _Draft, connected: Connected, there: Sequence[Source]) -> None:
    """What went along with records that are back already, and is not: it comes back by itself."""
    journal, org = draft.history().journal, connected.account.org
    by_run: dict[str, list[Source]] = {}
    for source in there:
        if source.known is not None:
            by_run.setdefault(source.known.run, []).append(source)
    for run, some in by_run.items():
        known = {source.ref: source.known for source in some}
        along = journal.followers(run, list(known))
        # What only may have followed stayed, for all we know; then somebody else took it.
        children = [
            (parent, s.record)
            for parent, kept in along.items()
            for s in kept
            if s.effect == Effect.FOLLOWS
        ]
        now = read_each(connected, [record.ref for _, record in children])
        left: dict[str, dict[RecordRef, Source]] = {}
        for parent, record in children:
            ref, took = record.ref, known[parent]
            rows = connected.profile.rows(Operation.RESTORE, ref.kind)
            if took is None or ref not in now or not any(
                row.support is Support.NATIVE and now[ref].state in row.takes for row in rows
            ):  # fmt: skip
                continue
            outcome = Outcome(ref, Verdict.DONE, now[ref].state, "read_back")
            then = dataclasses.replace(took, outcome=outcome)
            left.setdefault(ref.kind, {})[ref] = Source(ref, record, then)
        for kind, sources in left.items():
            traces = journal.traces(org, kind, [ref.id for ref in sources])
            alone: list[Source] = []
            for ref, source in sources.items():
                mine = traces.get(ref.id, ())
                if not mine or any(t.parent is None for t in mine if t.run == run):
                    # What was a target of that run as well is brought back as such.
                    continue
                if mine[0].run == run:
                    alone.append(source)
                else:
                    why = f"it was back, and run {mine[0].run} took it then; restore that one."
                    stays = skipped(ref, "changed", why)
                    draft.settle(connected, dataclasses.replace(stays, state=now[ref].state))
            if alone:
                _inspect_restore(draft, connected, alone)


def _may_go(verdict: Way | Outcome) -> bool:
    return isinstance(verdict, Way) or verdict.verdict is Verdict.BY_HAND


def _is_remake(verdict: Way | Outcome) -> bool:
    return isinstance(verdict, Way) and verdict.rows[-1].support is Support.REMADE


def _beside(conflict: Outcome, missing: Mapping[str, RecordRef]) -> Outcome | None:
    """What stands in the way beside parents that are missing; None where nothing else does."""
    fields = conflict.details.get("fields", ())
    told = conflict.details.get("missing", {})
    if not fields or not told:
        return conflict
    left = [name for name in fields if name not in told]
    # What the adapter missed may be there by now: then its field is written like any other.
    if not left:
        return None
    return dataclasses.replace(conflict, details={**conflict.details, "fields": left})


def _left_empty(wish: Wish, way: Way, conflict: Outcome) -> tuple[str, ...]:
    """With `on_conflict = "null"` what is written leaves out the fields that stand in its way."""
    if wish.on_conflict != "null" or way.rows[-1].support not in (Support.REMADE, Support.MARKED):
        return ()
    return tuple(conflict.details.get("fields", ()))


def _refused(wish: Wish, conflict: Outcome) -> Outcome:
    """With `on_conflict = "create"` what cannot be made says so."""
    if wish.on_conflict != "create" or conflict.problem is None:
        return conflict
    told = f"{conflict.problem.message} Nothing makes that: create makes missing parents only."
    problem = dataclasses.replace(conflict.problem, message=told)
    return dataclasses.replace(conflict, problem=problem)


def _parents(draft: _Draft, accounts: Accounts) -> None:
    """Decide what waits for its parents, once all that this plan brings back is known."""
    wish, asked = draft.wish, set[RecordRef]()
    while wish.on_conflict == "create":
        wanted = {ref for one in draft.waiting for ref in one.missing.values()} - asked
        wanted -= draft.coming(wanted) | {one.source.ref for one in draft.waiting}
        wanted -= {outcome.ref for outcome in draft.settled} if wanted else set()
        if not wanted:
            break
        asked |= wanted
        selection = Selection()
        for ref in sorted(wanted):
            selection.add(ref)
        for some in sources_of(draft.history(), accounts, selection):
            # A parent that no run kept is no target; its child says what is missing.
            if kept := [source for source in some if source.before is not None]:
                _inspect_restore(draft, accounts.connected(kept[0].ref.crm), kept)
    waiting, draft.waiting = draft.waiting, []
    left: list[tuple[_Returning, set[RecordRef]]] = []
    while waiting:
        wanted = {ref for one in waiting for ref in one.missing.values()}
        # Records that name each other come back together; what is empty then is filled at the end.
        coming = draft.coming(wanted, {one.source.ref for one in waiting})
        if wish.on_conflict == "null":
            for one in waiting:
                away = (name for name, ref in one.missing.items() if ref not in coming)
                one.without = tuple(dict.fromkeys((*one.without, *away)))
            break
        lacking = [one for one in waiting if not coming.issuperset(one.missing.values())]
        if not lacking:
            break
        left += [(one, coming) for one in lacking]
        waiting = [one for one in waiting if coming.issuperset(one.missing.values())]
    for one in waiting:
        draft.back(one)
    for one, coming in left:
        missing = {name: ref for name, ref in one.missing.items() if ref not in coming}
        name, parent = next(iter(missing.items()))
        how = (
            "no run of this journal kept it, so it cannot be made either."
            if wish.on_conflict == "create"
            else "--on-conflict null leaves that empty, create brings it back as well."
        )
        draft.settle(
            accounts.connected(one.crm),
            dataclasses.replace(
                skipped(
                    one.source.ref,
                    "parent_missing",
                    f"its {name} names {parent}, which is not there; {how}",
                ),
                state=State.GONE,
                details={"fields": list(missing)},
            ),
        )
    if made := asked & draft.coming(asked):
        draft.say(
            Finding(
                Severity.WARNING,
                "vendor_note",
                f"{len(made)} missing parent(s) are brought back as well.",
                "That is what --on-conflict create asks for.",
                len(made),
                tuple(sorted(made)[:_SHOWN]),
            )
        )


def _finish(
    draft: _Draft, crms: Sequence[str], review: Callable[..., Iterable[Iterable[Finding]]]
) -> Plan:
    """Steps, counts, findings and the seal."""
    wish, accounts = draft.wish, draft.accounts
    connected = {crm: accounts.connected(crm) for crm in crms}
    profiles = {crm: one.profile for crm, one in connected.items()}
    touches = draft.book.touches()
    rules = {
        crm: [r for k in _kinds(draft, crm) for r in connected[crm].adapter.relations(k)]
        for crm in crms
    }
    steps = steps_of(draft.groups, profiles, rules, wish.operation)
    kept = dict(draft.book.calls)
    for touch in touches:
        if touch.rule.effect is Effect.FOLLOWS:
            looks = reads_of(profiles[touch.crm], touch.count or 0, along=True)
            kept[touch.crm] = kept.get(touch.crm, 0) + looks
    returning = children_back(draft.runs, draft.some, accounts, profiles, draft.history)
    for crm, looks in (*returning.items(), *draft.dearer.items()):
        kept[crm] = kept.get(crm, 0) + looks
    orphans = _orphaned(draft)
    restoring = wish.operation is Operation.RESTORE
    hidden = Unseen() if restoring else unseen(steps, touches, connected)
    counts = counts_of(steps, len(draft.settled), profiles, kept, draft.looked)
    now = datetime.now(UTC)
    plan = Plan(
        id=f"p-{now:%Y%m%d}-{secrets.token_hex(4)}",
        made_at=now,
        by=wish.by,
        operation=wish.operation,
        reason=wish.reason,
        code=wish.code,
        targets={
            crm: TargetOrg(one.account.org, one.account.environment, accounts.vendor(crm))
            for crm, one in connected.items()
        },
        versions=versions_of(accounts, list(crms)),
        steps=steps,
        touches=touches,
        findings=(
            *draft.told.values(),
            *settled_findings(draft.tally, counts.records),
            *step_findings(steps, profiles),
            *touch_findings(touches),
            *_orphan_findings(orphans),
            *unseen_findings(hidden),
            *_untied_findings(draft, touches),
        ),
        settled=draft.settled,
        counts=counts,
        irreversible=any(
            lasting(step.capability, profiles[step.crm], step.kind)
            for number, step in enumerate(steps)
            if not any(other.after == number for other in steps)
        ),
        confirm=None if restoring else confirm_text(steps, profiles),
        losses=losses_of(
            steps,
            profiles,
            touches,
            {key: (count, tuple(sorted(names))) for key, (count, names, _) in orphans.items()},
            hidden.fields,
        ),
        sums=draft.weight.told(),
        options={
            **wish.told,
            "remake": wish.remake,
            "on_conflict": wish.on_conflict,
            **({"waived": told} if (told := hidden.told()) else {}),
            "notes": {crm: [list(n) for n in p.notes] for crm, p in profiles.items() if p.notes},
        },
    )
    scene = Scene(
        accounts={crm: one.account for crm, one in connected.items()},
        totals={key: asked.result() for key, asked in draft.totals.items()},
        protect={crm: bars.protection for crm, bars in draft.bars.items()},
        limits={
            **wish.limits,
            **{f"reserve {crm}": one.settings.reserve for crm, one in connected.items()},
        },
        now=max((vendor_now(one) for one in connected.values()), default=now),
        require_reason=wish.require_reason,
    )
    more = [finding for some in review(plan=plan, scene=scene) or () for finding in some or ()]
    return sealed(dataclasses.replace(plan, findings=_sorted([*plan.findings, *more])))


def _untied_findings(draft: _Draft, touches: Iterable[Touch]) -> Iterator[Finding]:
    """What is out of reach and stays, but loses a tie to what goes."""
    for touch in touches:
        bars, rule = draft.bars.get(touch.crm), touch.rule
        if not bars or rule.effect is not Effect.DETACHES:
            continue
        refs: tuple[RecordRef, ...] = tuple(
            islice((ref for ref in touch.refs if (ref.kind, ref.id) in bars.held), _LISTED)
        )
        count = touch.count if rule.child in bars.protection.kinds else len(refs)
        if count != 0:
            yield Finding(
                Severity.WARNING,
                "protected",
                f"{'some' if count is None else count} {rule.child} that are out of reach stay, and "
                f"lose their tie by {rule.via}.",
                "They name records that this plan takes.",
                count,
                refs,
            )


def _orphan_findings(
    orphans: Mapping[tuple[str, str], tuple[int, Collection[str], Sequence[RecordRef]]],
) -> Iterator[Finding]:
    for (_, kind), (count, names, refs) in orphans.items():
        yield Finding(
            Severity.WARNING,
            "not_captured",
            f"{count} {kind} name a record that is away already, in {', '.join(sorted(names))}.",
            "Made anew they cannot name it: a restore leaves them out, unless --on-conflict null "
            "leaves that empty.",
            count,
            tuple(refs),
        )


def _kinds(draft: _Draft, crm: str) -> list[str]:
    """The kinds of a crm that are in the plan; with one alone there is nothing to order."""
    kinds = list(dict.fromkeys(kind for c, kind, _ in draft.groups if c == crm))
    return kinds if len(kinds) > 1 else []


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def _total(connected: Connected, kind: str) -> int | None:
    """How many records of a kind there are; None where nobody can say. Of no use to the run itself."""
    try:
        return connected.adapter.total(kind)
    except BridgeError:
        return None
    except Exception as error:
        raise contained(error, connected.crm) from error
    finally:
        connected.guard.made_once()
