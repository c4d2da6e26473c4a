"""The contract between the bridge and an adapter: what each side owes the other.

An adapter is a translator. It never retries, paces, logs, asks the user, or keeps state of records
between calls; the bridge does. Trouble with one record is an `Outcome`; trouble with a call is one of
`Busy`, `Unreachable`, `Unauthorized`, `Rejected`. A vendor's own exception never leaves its adapter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol, Self, TypeVar

import msgspec

from crm_bridge.model.abilities import Capability, CascadeRule, Operation, Profile, Rate, Support
from crm_bridge.model.plans import Batch, Finding
from crm_bridge.model.records import Change, Condition, Link, Record, RecordRef, State
from crm_bridge.model.results import Outcome

T = TypeVar("T")


class Settings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What every `[crms.NAME]` table may hold; a vendor's own class adds its keys.

    Attributes:
        vendor: The vendor's name, which is the adapter's entry-point name.
        environment: production, sandbox or simulator; `whoami()` must agree.
        base_url: Where the API lives; empty for the vendor's usual host.
        pace: `documented`, `off`, or a factor of the documented rates.
        reserve: Share of the daily quota that is kept for a restore.
        marks: Kind to `void` / `archive` to the fields that mark a record so.
        protect: What no plan may touch.
        waive_hidden: Kinds that may be deleted though fields of theirs are hidden from this user.
        settings_hosts: Hosts beyond the vendor's own that may be spoken to; filled from `[bridge]`.
        deadline: Seconds for one request, from connect to the last byte; filled from `[bridge]`.
        proxies: Whether environment proxies are used; filled from `[bridge]`.
        extra_ca: A file with one more certificate authority; filled from `[bridge]`.
    """

    vendor: str
    environment: str = "production"
    base_url: str = ""
    pace: str | float = "documented"
    reserve: float = 0.1
    marks: dict[str, dict[str, dict[str, Any]]] = {}
    protect: dict[str, list[str]] = {}
    waive_hidden: tuple[str, ...] = ()
    settings_hosts: tuple[str, ...] = ()
    deadline: float = 60.0
    proxies: bool = False
    extra_ca: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a daily allowance.

    Attributes:
        limit: Calls a day.
        left: Calls left.
        resets_at: When it fills again (UTC).
    """

    limit: int
    left: int
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server says that we are.

    Attributes:
        org: The organisation's id, as the server names it.
        name: Its name for people.
        environment: production, sandbox or simulator; `class` in JSON.
        user: The acting user.
        now: The server's clock (its Date header), UTC.
        quota: What is left today, where the vendor tells.
        rates: Rates of this account, where the vendor tells others than its profile.
    """

    org: str
    name: str
    environment: str
    user: str
    now: datetime
    quota: Quota | None = None
    rates: tuple[Rate, ...] | None = None


class Gate(Protocol):
    """The one door out: every request to the vendor goes through it."""

    def ask(self, call: Callable[[], T], *, interface: str = "") -> T:
        """Make a read: paced, within the deadline, repeated on `Busy` and `Unreachable`.

        Args:
            call: Makes exactly one request.
            interface: The vendor's name of the call, where its rates count each call alone.
        """
        ...

    def tell(self, refs: Iterable[RecordRef], call: Callable[[], T], *, interface: str = "") -> T:
        """Make a write: refused unless the intent for these records is durable; never repeated.

        Args:
            refs: The records that the request names; empty for a request about the schema.
            call: Makes exactly one request.
            interface: As for `ask`.
        """
        ...


def made_once(gate: Gate, calls: int = 1) -> None:
    """Say that so many calls were for the connection and not for the records, such as metadata.

    A plan tells what applying it takes by what its own reads took; those need not be made again.

    Args:
        gate: The account's gate; one that counts nothing leaves it at that.
        calls: How many.
    """
    told: Callable[[int], None] | None = getattr(gate, "made_once", None)
    if told is not None:
        told(calls)


def served_at_once(gate: Gate, who: str, calls: int) -> None:
    """Say how many calls the vendor serves at one time; what comes beside them it refuses.

    All processes of this machine that say the same `who` keep to it together.

    Args:
        gate: The account's gate; one that keeps to nothing leaves it at that.
        who: Whom the vendor counts together; kept as a digest only.
        calls: How many.
    """
    told: Callable[[str, int], None] | None = getattr(gate, "served_at_once", None)
    if told is not None:
        told(who, calls)


def together(gate: Gate, calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make reads that need nothing of each other, at once where lanes of the account are idle.

    Args:
        gate: The account's gate; one that has no lanes makes them one after another.
        calls: Each makes its reads by `gate.ask`, in any thread that entered its lane.

    Returns:
        What they gave, in their order.

    Raises:
        BaseException: The first that one of them raised, in their order; the others have ended then.
    """
    spread: Callable[[Sequence[Callable[[], T]]], list[T]] | None = getattr(gate, "together", None)
    return [call() for call in calls] if spread is None else spread(calls)


class Job(Protocol):
    """The way a vendor's job becomes known to the journal before it starts to act."""

    def save(self, handle: str) -> None:
        """Keep the vendor's handle of the job; returns once it is durable."""
        ...


class Adapter(ABC):
    """One account of one CRM.

    A batch is of one kind, in one account, and no longer than its capability allows. A verb makes
    exactly one write request, by one `gate.tell(batch, call)`; a job makes the fixed sequence that its
    row names (`Capability.sends`), each by its own `tell`. Outcomes are matched by what the vendor
    echoes, or by position where it echoes nothing; a record with no outcome is `unknown`.
    """

    profile: ClassVar[Profile]
    settings: ClassVar[type[Settings]]
    crm: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Hold the profile against the methods: a claimed verb without its method is a TypeError."""
        super().__init_subclass__(**kwargs)
        if "profile" not in cls.__dict__:
            return
        for row in cls.profile.capabilities:
            method = {
                Support.NATIVE: row.operation.value,
                Support.MARKED: "update",
                Support.REMADE: "create",
            }.get(row.support)
            if method and getattr(cls, method) is getattr(Adapter, method):
                raise TypeError(
                    f"{cls.__name__} claims {row.operation.value} ({row.support.value}) "
                    f"and has no method {method}()"
                )

    # --- owed by every adapter -------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def connect(cls, crm: str, settings: Any, gate: Gate) -> Self:
        """Make the adapter of one account; import the vendor's client here and nowhere above.

        Sends nothing. Every later request goes through `gate`.
        """

    @abstractmethod
    def find(
        self,
        kind: str,
        where: Sequence[Condition] = (),
        state: State = State.LIVE,
        native: str | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Record]:
        """Stream the records of a kind that meet all conditions; each page is one `gate.ask`.

        Args:
            kind: A kind by the vendor's own name.
            where: Typed conditions; values are data, never part of the query's grammar.
            state: `LIVE`, or `DELETED` / `VOIDED` where the vendor itself keeps such a state.
            native: A query in the vendor's own language, instead of `where`.
            fields: Fields that are wanted; empty for all.

        Raises:
            Rejected: The vendor does not know the kind or a field, or cannot list that state.
        """

    @abstractmethod
    def read(self, batch: Batch) -> Iterator[Record]:
        """Read records whole, each once, in any order; at most `profile.read_batch` of them.

        A missing one comes as `GONE` (with `evidence` where the vendor proves that it was there); one
        that the vendor hides without saying whether it exists comes with `unreadable=True`. A record
        whose id in the answer is another one is never passed off as the one asked for.
        """

    @abstractmethod
    def whoami(self) -> Account:
        """Ask the server who we are: the wrong-target guard, and the clock of windows."""

    # --- the verbs, as far as the profile claims them ---------------------------------------------

    def void(self, batch: Batch) -> Iterable[Outcome]:
        """Take the records out of daily work, as the vendor itself does."""
        raise NotImplementedError

    def archive(self, batch: Batch) -> Iterable[Outcome]:
        """Put the records away, as the vendor itself does."""
        raise NotImplementedError

    def delete(self, batch: Batch) -> Iterable[Outcome]:
        """Do the vendor's ordinary delete; a row with `job=True` takes `(batch, job)`."""
        raise NotImplementedError

    def purge(self, batch: Batch) -> Iterable[Outcome]:
        """Remove the records for good."""
        raise NotImplementedError

    def restore(self, batch: Batch) -> Iterable[Outcome]:
        """Bring the records back from the row's `takes`."""
        raise NotImplementedError

    def poll(self, handle: str, batch: Batch) -> Iterable[Outcome]:
        """Tell how a job stands: `PENDING` while it runs. Never starts it anew."""
        raise NotImplementedError

    def update(self, changes: Sequence[Change]) -> Iterable[Outcome]:
        """Write fields, each record its own values, in one request; `profile.lock` is a pseudo-field.

        A lookup may be given as the id alone.
        """
        raise NotImplementedError

    def create(self, records: Sequence[Record]) -> Iterable[Outcome]:
        """Make records anew from snapshots; each outcome is for the old ref and carries `new_ref`.

        What cannot be set is named in `details["not_set"]`, a mapping of field to reason.
        """
        raise NotImplementedError

    def link(self, links: Sequence[tuple[RecordRef, Link]]) -> Iterable[Outcome]:
        """Put associations back after a remake; one outcome for each pair, for its first record."""
        raise NotImplementedError

    # --- may be given: the bridge does without where they are not ---------------------------------

    def spell_kind(self, kind: str) -> str:
        """The vendor's own name of a kind; aliases are resolved. Pure: sends nothing.

        Raises:
            ValueError: No kind can be named so.
        """
        return self.profile.aliases.get(kind, kind)

    def spell_id(self, kind: str, id: str) -> str:
        """The vendor's own spelling of an id (18 characters of Salesforce). Pure: sends nothing.

        Raises:
            ValueError: It is not an id of this vendor, or not one of this kind.
        """
        import re

        if not re.fullmatch(self.profile.id_grammar, id):
            raise ValueError(f"{id!r} is not an id of {self.profile.title}")
        return id

    def relations(self, kind: str) -> tuple[CascadeRule, ...]:
        """This account's own rules for what hangs on a kind, over the profile's."""
        return tuple(rule for rule in self.profile.cascades if rule.kind == kind)

    def children(self, batch: Batch, rule: CascadeRule) -> Iterator[Record]:
        """Read whole the live records that hang on these by this rule."""
        return iter(())

    def count(self, batch: Batch, rule: CascadeRule) -> int | None:
        """How many live records hang on these by this rule; None where nobody can say."""
        return None

    def hidden(self, kind: str) -> Sequence[str] | None:
        """What of this kind's records is hidden from this user: fields, or classes of fields.

        Empty where all is shown, None where nobody can say. Asked for kinds whose records were read,
        so what was learned for that is not asked again.
        """
        return None

    def read_cost(self, records: Sequence[Record]) -> int | None:
        """How many calls a read of these records of one kind takes, by what snapshots show of them.

        None where that is as many as the profile says, whatever they hold.
        """
        return None

    def precheck(
        self, operation: Operation, records: Sequence[Record]
    ) -> Iterable[Finding | Outcome]:
        """Say beforehand what would stand in the way: rights, unique values taken, inactive owners.

        A `Finding` speaks of the plan; an `Outcome` (skipped, failed) settles one record. For a
        restore the records are the snapshots, with the state that each has now; an outcome about
        values that are not to be had (taken, inactive, no longer in a list, gone) names their fields
        in `details["fields"]`, so that somebody may choose to leave those empty.
        """
        return ()

    def total(self, kind: str) -> int | None:
        """How many live records of a kind there are; None where nobody can say."""
        return None

    def page(self, ref: RecordRef, state: State | None) -> str | None:
        """Where a person sees the record, or restores it by hand."""
        return None

    def abilities(self) -> Profile:
        """What this very account can do: the profile, or fewer rows of it (`Profile.limited`)."""
        return self.profile

    def twin(self, record: Record) -> RecordRef | None:
        """A live record that was made anew from this snapshot, if one can be told; of several the oldest.

        None means that there is none: a remake in doubt is then sent again.
        """
        return None

    def twins(self, records: Sequence[Record]) -> Mapping[RecordRef, Sequence[RecordRef]]:
        """All live records that were made anew from each snapshot, where a vendor may make one twice.

        Asked once a remake was said to be done: something on the way may have doubled the request. A
        vendor that refuses the second one by itself, or shows nothing to tell it by, answers nothing.
        """
        return {}

    def prepare(self) -> Iterable[Finding]:
        """Make the marker field where the vendor's API can (`gate.tell((), call)`), or say what to make."""
        return ()

    def examine(self) -> Iterable[tuple[str, bool, str]]:
        """Check the account for `doctor`: (name, ok, summary) each."""
        return ()

    def renew(self) -> None:
        """Get a new token in place of the one that was refused.

        Raises:
            Unauthorized: There is no other.
        """
        from crm_bridge.errors import Unauthorized

        raise Unauthorized("the login does not hold, and there is no way to renew it.")

    def enter_lane(self) -> None:  # noqa: B027 most need nothing
        """Called once in each worker thread, before its first call."""

    def close(self) -> None:  # noqa: B027 most hold nothing
        """Let connections go."""


__all__ = [
    "Account",
    "Adapter",
    "Batch",
    "Capability",
    "Gate",
    "Job",
    "Mapping",
    "Quota",
    "Settings",
]
