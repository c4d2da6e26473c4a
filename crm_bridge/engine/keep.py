"""The capsule: every record as it is now, and the children that would follow, durable before a send."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from crm_bridge.engine.accounts import Connected, tells_twins, twin_of
from crm_bridge.engine.ahead import Seen
from crm_bridge.engine.hidden import incomplete
from crm_bridge.engine.holds import Bars, along
from crm_bridge.engine.inspect import Reach, begin_followers, followers
from crm_bridge.engine.lanes import Begun
from crm_bridge.engine.ties import as_planned, mended
from crm_bridge.engine.verify import done_and_undone, written_since
from crm_bridge.engine.work import Item, Phase
from crm_bridge.errors import BridgeError
from crm_bridge.journal.store import Entry, Journal, Snapshot
from crm_bridge.model.abilities import Capability, Operation, Support
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import Record, RecordRef, State
from crm_bridge.model.results import Outcome, Problem, Verdict, failed, skipped, unknown


def keep(
    items: Sequence[Item],
    *,
    plan: Plan,
    run: str,
    connected: Connected,
    phases: Sequence[Phase],
    journal: Journal,
    announced: Callable[[RecordRef], bool],
    tried: Mapping[RecordRef, Outcome | None],
    bars: Bars,
    taken: Collection[RecordRef] = (),
    seen: Seen | None = None,
) -> None:
    """Read these items anew, settle those that moved, and keep the rest with what would follow.

    Args:
        items: Items of one kind, of one or several pages.
        plan: The plan; each record must still be as it says.
        run: The run.
        connected: The account.
        phases: What would be sent.
        journal: Where the capsule goes.
        announced: Tells what the plan's touches and targets name; a child beyond them is a
            conflict.
        tried: Items that an earlier part of this run may have sent already, with what was known then.
        bars: What is out of reach by now, whatever the plan knew.
        taken: Records that this run took along already, as somebody's followers.
        seen: What a look ahead read of them while it is fresh; None to read them now.

    Raises:
        JournalError: The capsule did not become durable; nothing may be sent.
        BridgeError: The records could not be read.
    """
    refs = [item.ref for item in items]
    restoring = plan.operation is Operation.RESTORE
    operations = {phase.row.operation for phase in phases}
    # Most of them go on as planned, so what hangs on many is asked before they are judged.
    many = len(refs) > connected.profile.read_batch
    ahead = operations if many and seen is None and not (tried or restoring) else None
    with _asked(connected, refs, seen, ahead) as (now, hanging):
        made = _made_before(items, connected, phases, journal)
        kept = journal.snapshots(run, [ref for ref in refs if ref in tried]) if tried else {}
        for item in items:
            item.before = now[item.ref]
            item.whole = _whole(item, item.before, connected, journal, run)
            item.outcome = _judge(item, item.before, connected, phases, tried, taken, made, kept)
            # What was sent before is settled as it is; a restore takes nothing away.
            if item.outcome is None and item.ref not in tried and not restoring:
                bar = bars.of(item.before)
                item.outcome = skipped(item.ref, *bar) if bar is not None else None
        _write_down(items, run, connected, journal, tried)
        going = [item for item in items if item.outcome is None]
        if not restoring:
            _with_followers(going, connected, operations, announced, seen, hanging)
            _barred(going, bars, tried)
            _made_whole(going, journal, run)
            _as_kept_before(going, connected, journal)
    pages: dict[tuple[int, int], list[Snapshot]] = {}
    for item in going:
        if item.outcome is not None:
            continue
        assert item.before is not None
        page = pages.setdefault((item.step, item.page), [])
        page.append(Snapshot(item.whole or item.before))
        if not restoring:
            page += item.followers
    for step in sorted({step for step, _ in pages}):
        some = {page: kept for (one, page), kept in pages.items() if one == step}
        kinds = {shot.record.ref.kind for kept in some.values() for shot in kept}
        unseen = {} if restoring else incomplete(connected, kinds)
        journal.keep_pages(run, connected.account.org, step, some, unseen)


@contextlib.contextmanager
def _asked(
    connected: Connected,
    refs: Sequence[RecordRef],
    seen: Seen | None,
    ahead: Collection[Operation] | None,
) -> Iterator[tuple[Mapping[RecordRef, Record], Begun[Reach, list[Record]] | None]]:
    """The records as they are now, and what hangs on them, which is still being asked."""
    if seen is not None:
        yield seen.records, None
        return
    reading = connected.begin_read(refs)
    hanging = begin_followers(connected, ahead, refs) if ahead is not None else None
    try:
        yield connected.read_surely(refs, reading), hanging
    finally:
        if hanging is not None:
            hanging.drop()


def _whole(
    item: Item, record: Record, connected: Connected, journal: Journal, run: str
) -> Record | None:
    """The record with the ties that this run cut before it; None where there are none."""
    vendor_set = connected.profile.vendor_set
    if not item.target.ties or record.unreadable:
        return None
    if record.fingerprint(vendor_set) == item.target.fingerprint:
        return None
    return as_planned(record, item.target, vendor_set, journal, run, connected.account.org)


def _as_kept_before(items: Sequence[Item], connected: Connected, journal: Journal) -> None:
    """What no read shows any more is kept as an earlier run kept it, with what hung on it then."""
    hidden = {
        item.ref: item
        for item in items
        if item.outcome is None and item.before is not None and item.before.unreadable
    }
    if not hidden:
        return
    kind = next(iter(hidden)).kind
    traces = journal.traces(connected.account.org, kind, [ref.id for ref in hidden])
    for ref, item in hidden.items():
        for trace in traces.get(ref.id, ()):
            record = journal.snapshots(trace.run, [ref]).get(ref)
            if record is not None and not record.unreadable:
                item.whole = record
                known = {s.record.ref for s in item.followers}
                earlier = journal.followers(trace.run, [ref]).get(ref, [])
                item.followers += [s for s in earlier if s.record.ref not in known]
                break


def _write_down(
    items: Sequence[Item],
    run: str,
    connected: Connected,
    journal: Journal,
    tried: Mapping[RecordRef, Outcome | None],
) -> None:
    """This read is the read-back of what an earlier part of the run left in doubt."""
    if not tried:
        return
    pages: dict[tuple[int, int], list[Item]] = {}
    for item in items:
        if item.ref in tried:
            pages.setdefault((item.step, item.page), []).append(item)
    entries = []
    for (step, page), some in pages.items():
        about = (run, some[0].ref.crm, connected.account.org, some[0].ref.kind, step, page)
        rows = [[i.ref.id, _seen(i.before)] for i in some]
        entries.append(Entry("settle", *about, body={"ids": [i.ref.id for i in some]}))
        entries.append(Entry("readback", *about, body={"rows": rows}))
    journal.append(*entries)


def _seen(record: Record | None) -> str:
    return "unreadable" if record is None or record.unreadable else record.state.value


def _judge(
    item: Item,
    record: Record,
    connected: Connected,
    phases: Sequence[Phase],
    tried: Mapping[RecordRef, Outcome | None],
    taken: Collection[RecordRef],
    made: Mapping[str, RecordRef],
    kept_before: Mapping[RecordRef, Record],
) -> Outcome | None:
    """What the fresh read settles: a verdict, or None where the item goes on."""
    ref, last = item.ref, phases[-1].row
    vendor_set = connected.profile.vendor_set
    marked = last.support is Support.MARKED
    known_only = item.target.evidence.startswith("journal")
    if (new := made.get(ref.id)) is not None and ref not in tried:
        # With its parent, earlier in this run: a record is made anew once.
        return Outcome(ref, Verdict.DONE, State.LIVE, "journal", new_ref=new)
    if ref in tried:
        return _tried(item, record, connected, phases, tried[ref], made, kept_before.get(ref))
    if record.unreadable and known_only:
        item.alone = True
        return None
    if record.unreadable:
        return failed(ref, "unreadable", "it was read for the plan and cannot be read now.")
    verb = not marked and last.support is not Support.REMADE
    if verb and phases[-1].reached(item, record, connected):
        if ref in taken:
            return Outcome(ref, Verdict.DONE, record.state, "read_back")
        return Outcome(ref, Verdict.ALREADY, record.state, "read_back")
    moved = item.whole is None and record.fingerprint(vendor_set) != item.target.fingerprint
    if moved and record.state is State.PENDING:
        return skipped(ref, "pending", record.evidence or "it waits for an approval or a job.")
    # No vendor tells of a lock in the fields alone, and a plan takes nothing that is locked.
    if record.locked and last.operation is not Operation.RESTORE:
        return skipped(ref, "locked", "somebody locked it since the plan was made.")
    if moved and _in_a_bin(record, last):
        # Nobody edits what lies there; what came back before it may have tied it again.
        return None
    if moved:
        return dataclasses.replace(
            skipped(ref, "changed", "it is not as the plan saw it; make a new plan for it."),
            state=record.state,
        )
    return None


def _in_a_bin(record: Record, row: Capability) -> bool:
    """Whether a restore finds a record where the vendor itself put it away."""
    return (
        row.operation is Operation.RESTORE
        and row.support is Support.NATIVE
        and record.state in row.takes
    )


def _tried(
    item: Item,
    record: Record,
    connected: Connected,
    phases: Sequence[Phase],
    before: Outcome | None,
    made: Mapping[str, RecordRef],
    kept: Record | None,
) -> Outcome | None:
    """For what may have been sent before this part of the run began: the read decides."""
    ref = item.ref
    item.hung = True
    for phase in reversed(phases):
        if phase.what == "create":
            return _made(item, connected, made)
        if phase.reached(item, record, connected):
            if phase is phases[-1]:
                return Outcome(ref, Verdict.DONE, record.state, "read_back")
            item.start = phase.number + 1
            return None
    if record.state is State.PENDING:
        return Outcome(
            ref,
            Verdict.PENDING,
            State.PENDING,
            "read_back",
            Problem("pending", record.evidence or "it still waits."),
        )
    if before is not None and before.verdict is Verdict.PENDING:
        return failed(ref, "refused", "the approval was turned down; it is as it was.")
    if record.unreadable:
        if item.turned_away and item.target.evidence.startswith("journal"):
            item.alone = True
            return None
        last = phases[-1]
        was_seen = not item.target.evidence.startswith("journal")
        hides = last.what == "verb" and last.row.gives is not State.LIVE
        if item.asked == last.number and was_seen and hides:
            # It was there, it was asked to go, and no read shows it any more.
            return Outcome(ref, Verdict.DONE, last.row.gives, "read_back")
        return unknown(ref, "no read shows it, so nobody can say whether it was applied.")
    if item.told_done:
        # Not again: it was done, and somebody brought it back since; or it never was, and never will.
        return dataclasses.replace(
            failed(ref, "not_applied", "the vendor said done, and a read shows that it is not."),
            state=record.state,
        )
    if (item.whole or record).fingerprint(connected.profile.vendor_set) == item.target.fingerprint:
        if written_since(item, kept, record):
            return dataclasses.replace(done_and_undone(ref), state=record.state)
        return None
    return skipped(ref, "changed", "it is neither as the plan saw it nor where the run leads.")


def _made_before(
    items: Sequence[Item], connected: Connected, phases: Sequence[Phase], journal: Journal
) -> Mapping[str, RecordRef]:
    """Old ids of what was made anew before, also with its parent in this very run, to the new ones."""
    if not items or phases[-1].what != "create":
        return {}
    ids = [item.ref.id for item in items]
    return journal.remade(connected.account.org, items[0].ref.kind, ids)


def _made(item: Item, connected: Connected, made: Mapping[str, RecordRef]) -> Outcome | None:
    """Whether a remake that was in doubt has been made; it is never made twice."""
    if item.source is None:
        return None
    if (new := made.get(item.ref.id)) is not None:
        return Outcome(item.ref, Verdict.DONE, State.LIVE, "journal", new_ref=new)
    if not tells_twins(connected):
        return unknown(
            item.ref, "whether it was made anew cannot be told; look in the vendor's page."
        )
    twin = twin_of(connected, item.source)
    if twin is not None:
        return Outcome(item.ref, Verdict.DONE, State.LIVE, "read_back", new_ref=twin)
    return None


def _with_followers(
    going: Sequence[Item],
    connected: Connected,
    operations: Collection[Operation],
    announced: Callable[[RecordRef], bool],
    seen: Seen | None,
    hanging: Begun[Reach, list[Record]] | None,
) -> None:
    """Read the children that would follow, and leave out parents that gained one since the plan."""
    if not going:
        return
    by_ref = {item.ref: item for item in going}
    if seen is None:
        for follower in followers(connected, operations, list(by_ref), begun=hanging):
            item = by_ref.get(follower.root)
            if item is None:
                raise BridgeError(f"{follower.record.ref} hangs on nothing that the plan names.")
            rule = follower.rule
            item.followers.append(Snapshot(follower.record, item.ref, rule.via, rule.effect.value))
    else:
        for item in going:
            item.followers = seen.along.get(item.ref, [])
    for item in going:
        gained = [s.record.ref for s in item.followers if not announced(s.record.ref)]
        if gained:
            item.outcome = skipped(
                item.ref,
                "changed",
                f"{gained[0]} hangs on it now, which the plan did not announce.",
            )


def _barred(going: Sequence[Item], bars: Bars, tried: Mapping[RecordRef, Outcome | None]) -> None:
    """Leave out what would take along a record that is out of reach."""
    for item in going if bars else ():
        if item.outcome is not None or item.ref in tried:
            continue
        for snapshot in item.followers:
            if (bar := bars.of(snapshot.record)) is not None:
                item.outcome = skipped(item.ref, *along(snapshot.record, bar))
                break


def _made_whole(going: Sequence[Item], journal: Journal, run: str) -> None:
    """Children that this run kept before, as others' children: what it cut since is put back."""
    refs = [s.record.ref for item in going if item.outcome is None for s in item.followers]
    before = journal.snapshots(run, refs) if refs else {}
    for item in going if before else ():
        item.followers = [
            dataclasses.replace(s, record=mended(s.record, before[s.record.ref]))
            if s.record.ref in before
            else s
            for s in item.followers
        ]


def restore_sources(journal: Journal, items: Sequence[Item]) -> None:
    """Give each item of a restore its snapshot from the run that took it, and its followers."""
    by_run: dict[str, list[Item]] = {}
    for item in items:
        run, _, _ = item.target.source.partition(" ")
        if run:
            by_run.setdefault(run, []).append(item)
    for run, some in by_run.items():
        refs = [item.ref for item in some]
        found = journal.snapshots(run, refs)
        along = journal.followers(run, refs)
        for item in some:
            item.source = found.get(item.ref)
            if item.source is not None and item.target.without:
                left = {k: v for k, v in item.source.fields.items() if k not in item.target.without}
                item.source = dataclasses.replace(item.source, fields=left)
            item.followers = along.get(item.ref, [])
