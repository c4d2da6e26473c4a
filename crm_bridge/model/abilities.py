"""What a vendor can do, drawn as a table: one `Capability` row an operation and state.

The matrix, the plan, the warnings, the way back, the docs and the contract tests all read these rows.
Frozen data. No I/O.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from crm_bridge.model.records import State


class Operation(StrEnum):
    """What is asked for, meant by effect, the same in every CRM."""

    VOID = "void"
    ARCHIVE = "archive"
    DELETE = "delete"
    PURGE = "purge"
    RESTORE = "restore"


class Support(StrEnum):
    """How a row is carried out."""

    NATIVE = "native"
    MARKED = "marked"
    """We write agreed fields, keep the old values, and put them back."""
    REMADE = "remade"
    """Made anew from the snapshot, under a new id."""
    BY_HAND = "by_hand"
    """A person does it in the vendor's page; we give the link and the last day."""
    NOT_YET = "not_yet"
    NEVER = "never"


class Undo(StrEnum):
    """The best way back of a record."""

    SAME_ID = "same_id"
    NEW_ID = "new_id"
    BY_HAND = "by_hand"
    NONE = "none"


class Effect(StrEnum):
    """What happens to a related record when its parent goes."""

    FOLLOWS = "follows"
    MAY_FOLLOW = "may_follow"
    DETACHES = "detaches"
    BLOCKS = "blocks"
    MAY_BLOCK = "may_block"


ANY: Final[tuple[str, ...]] = ()
"""A row's `kinds` that holds for every kind."""

DOABLE: Final = frozenset({Support.NATIVE, Support.MARKED, Support.REMADE, Support.BY_HAND})
"""Rows that lead somewhere; the other two are noes with a reason."""

REACHES: Final[Mapping[Operation, tuple[State, ...]]] = {
    Operation.VOID: (State.VOIDED,),
    Operation.ARCHIVE: (State.ARCHIVED,),
    Operation.DELETE: (State.DELETED, State.GONE),
    Operation.PURGE: (State.GONE,),
    Operation.RESTORE: (State.LIVE,),
}
"""The states that an operation is after."""


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """How, and how long, a vendor can bring a record back.

    Attributes:
        undo: The way back.
        days: How long it is open; None where no limit is known.
        guaranteed: Whether the vendor promises it.
    """

    undo: Undo
    days: int | None = None
    guaranteed: bool = False

    def until(self, moment: datetime) -> datetime | None:
        """The last moment of the way back for what was done at `moment`; None where none is known."""
        return None if self.days is None else moment + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class CascadeRule:
    """One relation, and what it does to the child when the parent goes.

    Attributes:
        kind: The parent's kind.
        child: The child's kind.
        via: The child's field that names the parent, or the association.
        effect: What happens to the child.
        comes_back: Whether a restore of the parent brings it back; None where nobody says.
        operation: The operation that has this effect; None for any that takes the parent away.
        source: Where this is known from.
        note: What a person should know.
        between: Whether the child is only a row that ties two records: its ends make it anew, and
            nobody writes it.
    """

    kind: str
    child: str
    via: str
    effect: Effect
    comes_back: bool | None = None
    operation: Operation | None = None
    source: str = ""
    note: str = ""
    between: bool = False


@dataclass(frozen=True, slots=True)
class Capability:
    """One row of a vendor's lifecycle: an operation, the states it takes, the state it gives.

    Attributes:
        operation: What is asked for.
        support: How it is carried out.
        takes: States it may be applied to.
        gives: The state afterwards.
        window: The vendor's way back from `gives`, and for how long.
        kinds: Kinds that the row is for; `ANY` for all.
        batch: Records a call.
        way: The adapter's name for this row where an operation has several ("batch", "bulk").
        at_least: The row is taken from this many records on.
        job: The verb takes `(batch, job)` and saves the vendor's handle before it acts.
        sends: Write requests that one batch makes; more than one only for a job's fixed sequence.
        erases: A person's data go for good at their wish: it must not be made anew either.
        needs: Permissions and scopes, in the vendor's words.
        refuses: What of a record itself the vendor refuses it for, such as a lock.
        means: The vendor's own verb or call.
        source: Address of the page that says so.
        checked: When that was last read.
        note: What a person should know; the reason where `support` is a no.
    """

    operation: Operation
    support: Support
    takes: tuple[State, ...] = field(default=(), kw_only=True)
    gives: State | None = field(default=None, kw_only=True)
    window: RecoveryWindow = field(default=RecoveryWindow(Undo.NONE), kw_only=True)
    kinds: tuple[str, ...] = field(default=ANY, kw_only=True)
    batch: int = field(default=1, kw_only=True)
    way: str = field(default="batch", kw_only=True)
    at_least: int = field(default=1, kw_only=True)
    job: bool = field(default=False, kw_only=True)
    sends: int = field(default=1, kw_only=True)
    erases: bool = field(default=False, kw_only=True)
    needs: tuple[str, ...] = field(default=(), kw_only=True)
    refuses: tuple[str, ...] = field(default=(), kw_only=True)
    means: str = field(default="", kw_only=True)
    source: str = field(default="", kw_only=True)
    checked: date | None = field(default=None, kw_only=True)
    note: str = field(default="", kw_only=True)

    def is_for(self, kind: str) -> bool:
        """Whether this row speaks of records of `kind`."""
        return self.kinds == ANY or kind in self.kinds

    @property
    def doable(self) -> bool:
        """Whether the row leads anywhere at all."""
        return self.support in DOABLE


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds.

    Attributes:
        calls: Calls that the vendor takes.
        seconds: The span they are counted over.
        per: "account", or "interface" where the vendor counts each of its calls alone.
        interface: Only calls that the adapter names so are counted here; empty for all.
    """

    calls: int
    seconds: float
    per: str = "account"
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a record is worth to a business, so that a plan can tell what is at stake.

    Attributes:
        kind: The kind it is read from.
        name: What is summed, such as "open deals".
        amount: The field with the amount; empty where records are only counted.
        currency: The field with its currency; empty where the vendor keeps one for all.
        title: The field with the record's name for people.
        closed: Field to values that mean it is over and counts no more; a field that is empty is open.
        source: Where the fields are known from.
    """

    kind: str
    name: str
    amount: str = ""
    currency: str = ""
    title: str = ""
    closed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class LossRule:
    """What is not as it was after a way back, as the vendor's nature has it.

    Attributes:
        kind: The kind it happens to; `*` for all.
        support: The way back that has this loss; None for any.
        what: The field, or the thing for which there is no field ("memberships of static lists").
        why: The reason.
        source: Where that is known from.
        operation: The operation after which it happens; None for any that takes a record away.
    """

    kind: str
    support: Support | None
    what: str
    why: str
    source: str = ""
    operation: Operation | None = None


Marks = Mapping[str, Mapping[Operation, Mapping[str, Any]]]
"""Kind (or `*`) to operation to the fields that mark it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that is true of a vendor, as data.

    Attributes:
        vendor: Its name in the settings.
        title: Its name for people.
        capabilities: The table.
        cascades: What is known of relations before an account is asked.
        aliases: The four common words (`company`, `contact`, `lead`, `deal`) to the vendor's kinds.
        marks: Default marker fields, by kind or `*`; the settings may replace them.
        marker: The marker field as this vendor spells it; empty where there is none to make.
        lock: The pseudo-field that stands for a record lock; empty where the vendor has none.
        lock_batch: Records that one call locks; 0 where it takes as many as the mark's own row.
        vendor_set: Fields that the vendor writes itself; left out of equality.
        rates: How fast the vendor lets an account be asked.
        lanes: Calls under way at once.
        read_batch: Records that one `read` takes.
        child_batch: Records that one `children` or `count` takes; 0 for as many as `read_batch`.
        proof_calls: Calls that `whoami` makes.
        read_calls: Calls that a `read` of so many makes, for the prediction in a plan.
        away_calls: Calls that it makes once they are away; 0 for as many as `read_calls`.
        along_calls: Calls that it makes where they went along with others, and what takes them along is
            looked for in the bin; 0 for as many as `away_calls`.
        id_grammar: A regular expression that every id of this vendor matches whole.
        hosts: Suffixes on a label boundary that the vendor's own hosts end in.
        measures: What a record is worth, for the sums in a plan.
        losses: What is not as it was after a way back, named before anything is touched.
        notes: Findings that every plan of this vendor should carry, as (code, text).
        chinese: What this table and its adapter say to people, in Chinese; `{}` stands for what
            changes.
        source: Where rates and names are known from.
    """

    vendor: str
    title: str
    capabilities: tuple[Capability, ...]
    cascades: tuple[CascadeRule, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    marks: Marks = field(default_factory=dict)
    marker: str = ""
    lock: str = ""
    lock_batch: int = 0
    vendor_set: tuple[str, ...] = ()
    rates: tuple[Rate, ...] = ()
    lanes: int = 1
    read_batch: int = 100
    child_batch: int = 0
    proof_calls: int = 1
    read_calls: int = 1
    away_calls: int = 0
    along_calls: int = 0
    id_grammar: str = r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}"
    hosts: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    losses: tuple[LossRule, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    chinese: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def rows(self, operation: Operation, kind: str) -> tuple[Capability, ...]:
        """The rows for an operation on a kind; where a row names the kind, the general ones give way."""
        rows = tuple(c for c in self.capabilities if c.operation is operation and c.is_for(kind))
        named = tuple(c for c in rows if c.kinds != ANY)
        return named or rows

    def losses_of(self, kind: str, support: Support, operation: Operation) -> tuple[LossRule, ...]:
        """What is not as it was when a record comes back by a way of this support."""
        return tuple(
            loss
            for loss in self.losses
            if loss.kind in (kind, "*")
            and loss.support in (None, support)
            and loss.operation in (None, operation)
        )

    def marks_for(self, kind: str, operation: Operation) -> Mapping[str, Any]:
        """The fields that mark a record of this kind so; empty where none are agreed."""
        for name in (kind, "*"):
            if name in self.marks and self.marks[name].get(operation):
                return self.marks[name][operation]
        return {}

    def limited(self, keep: tuple[Capability, ...]) -> Profile:
        """The same vendor with fewer rows, for an account that can do less.

        Raises:
            ValueError: A row is not among this profile's own; an account never adds any.
        """
        if any(row not in self.capabilities for row in keep):
            raise ValueError(f"an account of {self.vendor} cannot claim more than its vendor")
        return dataclasses.replace(self, capabilities=keep)
