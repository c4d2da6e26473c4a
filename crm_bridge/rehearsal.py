"""Rehearsal: a plan is carried out and undone on the vendor's simulator, with what it would take.

What the plan names, and what would follow, is read from the true account and made in a simulator of
the same vendor on loopback. There the same operation runs, is undone by the same ways (a person's
part is played), and every record is held against what it was. Nothing is written to the true account.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crm_bridge.bridge import Bridge
from crm_bridge.engine.accounts import Connected, contained
from crm_bridge.engine.inspect import followers
from crm_bridge.engine.lanes import batched
from crm_bridge.engine.restore import Renames, compare
from crm_bridge.engine.verify import Renamed, repoint
from crm_bridge.errors import SettingsError
from crm_bridge.guard import Permit
from crm_bridge.journal.store import Entry
from crm_bridge.model.abilities import Operation, Support
from crm_bridge.model.plans import Plan
from crm_bridge.model.records import Record, RecordRef, is_empty
from crm_bridge.model.results import Verdict

if TYPE_CHECKING:
    from crm_bridge.simulator import VendorSimulator

BACKGROUND: Final = 20
"""Records that the simulator begins with by itself, beside what is loaded."""


@dataclass(slots=True)
class Rehearsed:
    """What came of one crm.

    Attributes:
        crm: Its name in the settings.
        vendor: Its vendor.
        records: Records that were loaded: targets and what would follow.
        equal: Those that were as before at the end, what the loss statement named apart.
        differs: Kind and field to the number of records in which it differed.
        unnamed: Those of `differs` that the loss statement did not name.
        not_loaded: Records that the simulator did not take, with the first reason.
    """

    crm: str
    vendor: str
    records: int = 0
    equal: int = 0
    differs: dict[str, int] = field(default_factory=dict)
    unnamed: dict[str, int] = field(default_factory=dict)
    not_loaded: tuple[int, str] = (0, "")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a rehearsal showed.

    Attributes:
        plan: The plan's id.
        digest: The plan's seal.
        crms: What came of each crm.
        seconds: How long it took.
    """

    plan: str
    digest: str
    crms: tuple[Rehearsed, ...]
    seconds: float

    @property
    def score(self) -> float:
        """Share of the loaded records that came back as they were, losses that were named apart."""
        total = sum(one.records for one in self.crms)
        return sum(one.equal for one in self.crms) / total if total else 0.0

    @property
    def ok(self) -> bool:
        """Whether everything was loaded and came back, but for what was named."""
        return self.score == 1.0 and not any(one.not_loaded[0] for one in self.crms)

    def told(self) -> dict[str, Any]:
        """The certificate as plain data, for a file and for the journal."""
        return {
            "plan": self.plan,
            "digest": self.digest,
            "score": round(self.score, 6),
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "crms": [dataclasses.asdict(one) for one in self.crms],
        }


def rehearse(bridge: Bridge, plan: Plan) -> Certificate:
    """Carry a plan out, and undo it, on simulators; the journal remembers the certificate.

    Args:
        bridge: The bridge to the true accounts; only reads are sent there.
        plan: The plan.

    Raises:
        SettingsError: A vendor of the plan has no simulator, or the plan is a restore.
        BridgeError: Something could not be read.
    """
    if plan.operation is Operation.RESTORE:
        raise SettingsError(
            "a restore is not rehearsed; what it undoes is.",
            detail="Rehearse the other plan.",
            code="rehearse",
        )
    began = time.monotonic()
    done = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_own_folder()))
        for crm in plan.targets:
            done.append(_one(bridge, plan, crm, folder, stack))
    certificate = Certificate(plan.id, plan.digest, tuple(done), time.monotonic() - began)
    bridge.history.journal.append(Entry("rehearsal", "", body=certificate.told()))
    return certificate


def _one(bridge: Bridge, plan: Plan, crm: str, folder: Path, stack: ExitStack) -> Rehearsed:
    from crm_bridge.simulator import serving, write_config

    connected = bridge.accounts.connected(crm)
    vendor = plan.targets[crm].vendor
    classes = [c for c in bridge.registry.simulators([vendor]) if c.vendor == vendor]
    if not classes:
        raise SettingsError(f"{vendor} has no simulator to rehearse on.", code="rehearse")
    simulator = classes[0](records=BACKGROUND, limits=False)
    url = stack.enter_context(serving(simulator))
    settings = folder / f"{crm}.toml"
    write_config(settings, [(simulator, url)])
    stage = stack.enter_context(Bridge.open(settings))
    there_crm = simulator.accounts[0].crm
    result = Rehearsed(crm, vendor)
    capsule = list(_capsule(plan, connected))
    _cleared(simulator, {record.ref.kind for record in capsule})
    made = _load(stage, simulator, capsule, connected, result)
    targets = [
        made[ref]
        for step in plan.steps
        if step.crm == crm and step.after is None
        for ref in step.refs
        if ref in made
    ]
    if not targets:
        return result
    _play(stage, simulator, plan, there_crm, targets, list(made.values()), result)
    return result


def _cleared(simulator: VendorSimulator, kinds: set[str]) -> None:
    """Make room: values of what the simulator begins with could stand in the way of what is loaded."""
    store = simulator.accounts[0].store
    for kind in kinds & set(store.kinds()):
        for record in list(store.of(kind)):
            store.remove(record)


def _capsule(plan: Plan, connected: Connected) -> Iterator[Record]:
    """What the plan would take: its targets, and what would follow, each once."""
    seen: set[RecordRef] = set()
    for number, step in enumerate(plan.steps):
        if step.crm != connected.crm or step.after is not None:
            continue
        operations = {step.capability.operation} | {
            other.capability.operation for other in plan.steps if other.after == number
        }
        for refs in batched(step.refs, 1000):
            for record in connected.read(refs).values():
                if record.ref not in seen and not record.unreadable:
                    seen.add(record.ref)
                    yield record
            for follower in followers(connected, operations, refs):
                # A row between two records is no record of its own.
                if follower.record.ref not in seen and not follower.rule.between:
                    seen.add(follower.record.ref)
                    yield follower.record


def _load(
    stage: Bridge,
    simulator: VendorSimulator,
    capsule: Sequence[Record],
    source: Connected,
    result: Rehearsed,
) -> dict[RecordRef, RecordRef]:
    """Make the capsule in the simulator, parents first, lookups within it re-pointed."""
    account = simulator.accounts[0]
    crm = account.crm
    connected = stage.accounts.connected(crm)
    by_kind: dict[str, list[Record]] = {}
    for record in capsule:
        by_kind.setdefault(record.ref.kind, []).append(record)
    lookups = _lookups(source, list(by_kind))
    made: dict[RecordRef, RecordRef] = {}
    failed, why = 0, ""
    for kind in _parents_first(list(by_kind), lookups):
        row = next(
            (
                r
                for r in connected.profile.rows(Operation.RESTORE, kind)
                if r.support is Support.REMADE
            ),
            None,
        )
        ids = {ref.id: new.id for ref, new in made.items()}
        ready = [_fitted(r, lookups.get(kind, ()), ids, crm) for r in by_kind[kind]]
        if row is None:
            for record in ready:
                if id_ := simulator.load(account, kind, record.fields):
                    old = RecordRef(source.crm, kind, record.ref.id)
                    made[old] = RecordRef(crm, kind, id_)
                else:
                    failed += 1
                    why = why or f"{connected.profile.title} makes no {kind} by a call"
            continue
        ready = _without_conflicts(connected, ready)
        for part in batched(ready, row.batch):
            refs = frozenset(record.ref for record in part)
            try:
                with connected.guard.permitted(Permit(refs, 1, lambda: None)):
                    outcomes = list(connected.adapter.create(list(part)))
            except Exception as error:
                failed += len(part)
                why = why or contained(error, crm).summary
                continue
            fields = {record.ref: record.fields for record in part}
            for outcome in outcomes:
                ref, new = outcome.ref, outcome.new_ref
                if new is None and outcome.verdict is Verdict.FAILED:
                    # What no call makes may stand there all the same, such as a file.
                    id_ = simulator.load(account, kind, fields[ref])
                    new = RecordRef(crm, kind, id_) if id_ else None
                if new is not None:
                    made[RecordRef(source.crm, ref.kind, ref.id)] = new
                else:
                    failed += 1
                    why = why or (outcome.problem.message if outcome.problem else "refused")
    result.records, result.not_loaded = len(made), (failed, why)
    return made


def _lookups(source: Connected, kinds: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    """Each kind to the fields that name a record of another kind of the capsule."""
    found: dict[str, set[tuple[str, str]]] = {}
    for parent in kinds:
        for rule in source.adapter.relations(parent):
            if rule.child in kinds and rule.via:
                found.setdefault(rule.child, set()).add((rule.via, parent))
    return found


def _parents_first(kinds: Sequence[str], lookups: Mapping[str, set[tuple[str, str]]]) -> list[str]:
    from graphlib import CycleError, TopologicalSorter

    graph = {
        kind: {parent for _, parent in lookups.get(kind, ()) if parent != kind} for kind in kinds
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return list(kinds)


def _fitted(record: Record, lookups: Any, ids: Mapping[str, str], crm: str) -> Record:
    """A record for the simulator: lookups within the capsule re-pointed, others left out."""
    fields = dict(record.fields)
    # A field that names records of several kinds is re-pointed once.
    for name in {name for name, _ in lookups}:
        value = fields.get(name)
        if is_empty(value):
            continue
        pointed = repoint(value, ids)
        if pointed == value:
            fields.pop(name)
        else:
            fields[name] = pointed
    ref = RecordRef(crm, record.ref.kind, record.ref.id)
    return dataclasses.replace(record, ref=ref, fields=fields, links=())


def _without_conflicts(connected: Connected, records: Sequence[Record]) -> list[Record]:
    """Records without values that only the true account knows, such as its users."""
    left: dict[RecordRef, set[str]] = {}
    for one in connected.adapter.precheck(Operation.RESTORE, records):
        ref = getattr(one, "ref", None)
        if ref is not None:
            left.setdefault(ref, set()).update(getattr(one, "details", {}).get("fields", ()))
    return [
        dataclasses.replace(
            r, fields={k: v for k, v in r.fields.items() if k not in left.get(r.ref, ())}
        )
        for r in records
    ]


def _play(
    stage: Bridge,
    simulator: VendorSimulator,
    plan: Plan,
    crm: str,
    targets: Sequence[RecordRef],
    loaded: Sequence[RecordRef],
    result: Rehearsed,
) -> None:
    """The operation, its undoing by every way there is, and the comparison."""
    connected = stage.accounts.connected(crm)
    before = _read(connected, loaded)
    same = stage.plan(
        plan.operation,
        targets,
        reason="rehearsal",
        code="other",
        limit_records=None,
        limit_share=None,
    )
    named = {
        (loss.kind, name.strip())
        for loss in same.losses
        for what, _ in (*loss.differs, *(loss.later or ()))
        for name in what.split(",")
    }
    # Of what goes along the plan itself says what need not come back.
    unpromised = {
        ref for touch in same.touches if touch.rule.comes_back is not True for ref in touch.refs
    }
    receipt = stage.apply(same, confirm=same.confirm)
    back = stage.plan("restore", receipt, remake=same.irreversible)
    if not back.blocked:
        undone = stage.apply(back)
        by_hand = [o.ref for o in undone.outcomes if o.verdict is Verdict.BY_HAND]
        for kind in {ref.kind for ref in by_hand}:
            _person(simulator, kind, [ref.id for ref in by_hand if ref.kind == kind])
    renames = Renames(stage.history.journal, connected)
    org = connected.account.org
    new = {
        RecordRef(crm, kind, old): ref
        for kind in {ref.kind for ref in loaded}
        for old, ref in stage.history.journal.remade(
            org, kind, [r.id for r in loaded if r.kind == kind]
        ).items()
    }
    now = _read(connected, [new.get(ref, ref) for ref in loaded])
    renamed: Renamed = renames.of(before.values())
    for ref, was in before.items():
        found = now.get(new.get(ref, ref))
        # What is marked is not live, and stood so before.
        if found is None or found.unreadable or found.state is not was.state:
            what = set() if ref in unpromised else {"(not back)"}
        else:
            compared = compare(was, found, connected, renamed)
            what = set(compared.matters)
        unnamed = {name for name in what if (ref.kind, name) not in named}
        for name in what:
            key = f"{ref.kind}.{name}"
            result.differs[key] = result.differs.get(key, 0) + 1
        for name in unnamed:
            key = f"{ref.kind}.{name}"
            result.unnamed[key] = result.unnamed.get(key, 0) + 1
        result.equal += not unnamed


def _read(connected: Connected, refs: Sequence[RecordRef]) -> dict[RecordRef, Record]:
    by_kind: dict[str, list[RecordRef]] = {}
    for ref in refs:
        by_kind.setdefault(ref.kind, []).append(ref)
    found: dict[RecordRef, Record] = {}
    for some in by_kind.values():
        found.update(connected.read(some))
    return found


def _person(simulator: VendorSimulator, kind: str, ids: Sequence[str]) -> None:
    """What a person does in the vendor's page, where only a person can."""
    from crm_bridge.simulator import Act

    list(simulator.ui(simulator.accounts[0], Act("restore", kind, tuple(ids))))


@contextmanager
def _own_folder() -> Iterator[str]:
    """A folder for the rehearsal's settings, journal, locks and tokens; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="crm-bridge-rehearsal.") as folder:
        names = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
        before = {name: os.environ.get(name) for name in names}
        os.environ.update(dict.fromkeys(names, folder))
        try:
            yield folder
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
