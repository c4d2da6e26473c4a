"""What would happen: findings, touches, steps and the plan that holds them.

Sequences of records are lazy: a plan of a million records holds counts and a digest, and reads its
pages again when it is walked. Frozen data. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from crm_bridge.model.abilities import Capability, CascadeRule, Operation
from crm_bridge.model.records import Condition, RecordRef

T_co = TypeVar("T_co", covariant=True)

PAGE = 200
"""Records a page: in a plan file, in the journal and in a snapshot."""


class Lazy(Protocol[T_co]):
    """A sequence that can be walked again and again and knows its length, and holds no million rows."""

    def __iter__(self) -> Iterator[T_co]:
        """Walk it from the start."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...


class Severity(StrEnum):
    """What a finding asks for: an ERROR blocks, a WARNING asks, a NOTE tells."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


FINDING_CODES = frozenset(
    {
        "doubles", "missing", "limit_records", "limit_share", "irreversible", "stale", "moved",
        "wrong_target", "protected", "blocked", "follows", "may_follow", "not_captured", "window",
        "quota", "rights", "automation", "void_instead", "no_reason", "vendor_note",
    }
)  # fmt: skip
"""The closed list of what a finding may speak of."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should know of a plan.

    Attributes:
        severity: What it asks for.
        code: One of `FINDING_CODES`.
        summary: A title.
        detail: Why, and what to do about it.
        count: Records it speaks of; None where it speaks of the plan.
        refs: Those records, or the first of them.
    """

    severity: Severity
    code: str
    summary: str
    detail: str = ""
    count: int | None = None
    refs: tuple[RecordRef, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in FINDING_CODES:
            raise ValueError(f"{self.code!r} is not a code of a finding")


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount that hangs on records, such as the open deals of companies that go.

    Attributes:
        name: What is summed: "open deals".
        currency: Its currency; empty where the account keeps one for all.
        amount: The sum; None where records are only counted.
        count: Records in it.
    """

    name: str
    currency: str
    amount: Decimal | None
    count: int


@dataclass(frozen=True, slots=True)
class Largest:
    """One of the weightiest records of a sum, by the name that people know it by."""

    ref: RecordRef
    title: str
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Touch:
    """A relation that the plan reaches: "312 Contacts follow".

    Attributes:
        crm: The account.
        rule: The relation and its effect.
        count: Records on it; None where they were not counted.
        refs: Those records, each once; empty where they were only counted.
        depth: 1 for what hangs on the targets themselves, 2 for what hangs on that, and so on.
        parents: For each of `refs` the id of the record that it hangs on, in the same order.
        sums: What they are worth.
        largest: The weightiest of them.
    """

    crm: str
    rule: CascadeRule
    count: int | None
    refs: Lazy[RecordRef] = ()
    depth: int = 1
    parents: Lazy[str] = ()
    sums: tuple[Sum, ...] = ()
    largest: tuple[Largest, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """By which way records of one kind would come back, and what would not be as it was.

    Attributes:
        crm: The account.
        kind: Their kind.
        count: How many.
        undo: The way back, as a word: same_id, new_id, by_hand, none.
        days: How long that way is open; None where no limit is known, or none is left.
        guaranteed: Whether the vendor promises it.
        differs: Field or thing, and why it would differ.
        later: The same for the way that is left when that one is over; None where none is.
        along: Whether they are no targets, and go along with others.
    """

    crm: str
    kind: str
    count: int
    undo: str
    days: int | None
    guaranteed: bool
    differs: tuple[tuple[str, str], ...] = ()
    later: tuple[tuple[str, str], ...] | None = None
    along: bool = False


@dataclass(frozen=True, slots=True)
class Tie:
    """What ties a record to another target of its plan.

    Attributes:
        other: That target.
        field: The lookup that names it; empty for an association.
        was: The lookup's whole value; for an association its name and its label.
    """

    other: RecordRef
    field: str
    was: Any


@dataclass(frozen=True, slots=True)
class Target:
    """One record of a step, as it was when the plan was made.

    Attributes:
        ref: Its address.
        fingerprint: Of the record as it was read; empty where it could not be read.
        evidence: By what its state is known where a read cannot tell; empty where a read did.
        source: For a restore, the run and the address whose snapshot it comes from, as
            "run crm:Kind/id"; empty otherwise.
        without: For a remake, fields that are left empty since their values are not to be had any
            more.
        ties: What it names among the other targets, since the run itself may cut that.
    """

    ref: RecordRef
    fingerprint: str
    evidence: str = ""
    source: str = ""
    without: tuple[str, ...] = ()
    ties: tuple[Tie, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Records of one kind that go the same way.

    Attributes:
        crm: The account.
        kind: Their kind.
        capability: The row they go by.
        targets: The records, in order.
        after: The index of the step whose records these are, where one operation takes two rows
            (FxiaoKe: void, then delete); None where the step stands alone.
    """

    crm: str
    kind: str
    capability: Capability
    targets: Lazy[Target]
    after: int | None = None

    @property
    def refs(self) -> Iterator[RecordRef]:
        """The addresses alone."""
        return (target.ref for target in self.targets)


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals of a plan; each can be opened to the list behind it.

    Attributes:
        records: Targets, doubles removed.
        steps: Steps.
        calls: Calls to the vendors that applying will take, predicted.
        settled: Targets that need no call because their verdict is known.
    """

    records: int
    steps: int
    calls: int
    settled: int


@dataclass(frozen=True, slots=True)
class TargetOrg:
    """The account that a plan was made for, as its own server named it.

    Attributes:
        org: The organisation's id.
        environment: production, sandbox or simulator; `class` in JSON.
        vendor: The vendor's name.
    """

    org: str
    environment: str
    vendor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a run will do, and nothing else; immutable, and sealed by its digest.

    Attributes:
        id: `p-20261122-7f3a`.
        made_at: UTC.
        by: Who made it.
        operation: What is asked for.
        reason: Why, in words.
        code: Why, as one of the reason codes.
        targets: Each crm to the org that its server told.
        versions: Names and versions of bridge, adapters and clients.
        steps: What will be sent, in order.
        touches: What goes along.
        findings: What a person should know.
        settled: Outcomes that are known already.
        counts: Totals.
        irreversible: Whether a step's targets have no way back but being made anew.
        confirm: The text that a person must type; None where none is asked for.
        losses: By which way each would come back, and what would differ then.
        sums: What the targets themselves are worth.
        options: How it was asked for (remake, on_conflict, conditions), for the digest and for reading.
        digest: SHA-256 over all of the above.
    """

    id: str
    made_at: datetime
    by: str
    operation: Operation
    reason: str
    code: str | None
    targets: Mapping[str, TargetOrg]
    versions: Mapping[str, str]
    steps: tuple[Step, ...]
    touches: tuple[Touch, ...]
    findings: tuple[Finding, ...]
    settled: Lazy[Any]
    counts: Counts
    irreversible: bool
    confirm: str | None
    losses: tuple[Loss, ...] = ()
    sums: tuple[Sum, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def blocked(self) -> bool:
        """Whether an ERROR keeps it from running."""
        return any(f.severity is Severity.ERROR for f in self.findings)

    def __str__(self) -> str:
        lines = [
            f"{self.operation.value} {self.counts.records} record(s), plan {self.id}"
            + (f", because {self.reason}" if self.reason else "")
        ]
        lines += [
            f"  {i + 1}. {step.crm}: {step.capability.operation.value} {len(step.targets)} {step.kind}"
            f" ({step.capability.support.value})"
            for i, step in enumerate(self.steps)
        ]
        lines += [
            f"  {'?' if t.count is None else t.count} {t.rule.child} {t.rule.effect.value}"
            for t in self.touches
        ]
        lines += [f"  {f.severity.value}: {f.summary}" for f in self.findings]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Protection:
    """What no plan may touch in one crm.

    Attributes:
        kinds: Kinds that are out of reach.
        where: Conditions; a record that meets any of them is out of reach.
    """

    kinds: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a reviewer sees beside the plan.

    Attributes:
        accounts: Each crm to its `Account`.
        totals: (crm, kind) to the number of live records; None where it is not known.
        protect: Each crm to what is out of reach.
        limits: The caps in force: `records` and `share`; None where a cap does not hold.
        now: The vendor's clock.
        require_reason: Whether a plan without a reason is blocked.
    """

    accounts: Mapping[str, Any]
    totals: Mapping[tuple[str, str], int | None]
    protect: Mapping[str, Protection]
    limits: Mapping[str, float | None]
    now: datetime
    require_reason: bool = False


@dataclass(frozen=True, slots=True)
class Batch(Sequence[RecordRef]):
    """Records of one kind, in one account, no more than the capability allows in one call.

    Attributes:
        crm: The account.
        kind: Their kind.
        capability: The row they go by; None for a plain read.
        refs: The addresses, in order.
    """

    crm: str
    kind: str
    capability: Capability | None
    refs: tuple[RecordRef, ...]

    def __getitem__(self, index: Any) -> Any:
        return self.refs[index]

    def __len__(self) -> int:
        return len(self.refs)

    def __iter__(self) -> Iterator[RecordRef]:
        return iter(self.refs)

    @property
    def ids(self) -> list[str]:
        """The ids alone, in order."""
        return [ref.id for ref in self.refs]
