"""Bridge: the one door in, and the street in one file."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from crm_bridge import config as settings
from crm_bridge.clock import steady
from crm_bridge.errors import JournalError, PlanBlocked, SettingsError
from crm_bridge.model.abilities import Capability, CascadeRule, Operation
from crm_bridge.model.plans import Finding, Lazy, Plan, Severity
from crm_bridge.model.records import Condition, Record, RecordRef, State
from crm_bridge.model.results import Event, Receipt, Verdict
from crm_bridge.registry import PluginLine, Registry

if TYPE_CHECKING:
    from crm_bridge.engine.connect import Accounts
    from crm_bridge.engine.draft import Wish
    from crm_bridge.engine.history import History
    from crm_bridge.engine.run import Terms
    from crm_bridge.engine.select import Selection
    from crm_bridge.journal.store import Check, Journal

CODES = ("left", "wrong", "duplicate", "moved", "closed", "stale", "request", "other")
"""Reason codes: no longer a customer, wrong data, a duplicate, moved, left the market, not active any
more, asked for by the person, and what none of these says."""

CONFLICTS = ("skip", "null", "create", "overwrite")
"""What a restore may do with what stands in its way."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of `runs`.

    Attributes:
        run: `r-20261122-7f3a91c2`.
        operation: What was asked for.
        started: UTC.
        by: Who.
        reason: Why, in words.
        code: Why, as a code.
        crms: The accounts.
        state: `finished`, or `unfinished` where something is unknown, not sent or without a verdict.
        counts: Each verdict to its number.
    """

    run: str
    operation: Operation
    started: datetime
    by: str
    reason: str
    code: str | None
    crms: tuple[str, ...]
    state: str
    counts: Mapping[Verdict, int]


@dataclass(frozen=True, slots=True)
class Expiring:
    """A line of `expiring`: what cannot be undone any more after a moment.

    Attributes:
        run: The run that took them.
        crm: The account.
        kind: Their kind.
        count: How many.
        until: The earliest of their last moments (UTC).
        guaranteed: Whether the vendor promises its window.
    """

    run: str
    crm: str
    kind: str
    count: int
    until: datetime
    guaranteed: bool


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A line of `doctor`: one thing that was looked at, and what was found."""

    crm: str
    name: str
    ok: bool
    summary: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A line of `matrix`; `kind` is `*` where the row is for every kind."""

    vendor: str
    title: str
    kind: str
    capability: Capability


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one operation on one kind of one vendor."""

    vendor: str
    kind: str
    operation: Operation
    rows: tuple[Capability, ...]
    way_back: tuple[Capability, ...]
    cascades: tuple[CascadeRule, ...]


class Found:
    """What a search finds: records, asked for anew each time they are walked."""

    def __init__(self, walk: Callable[[], Iterator[Record]]) -> None:
        self._walk = walk

    def __iter__(self) -> Iterator[Record]:
        return self._walk()


class Bridge:
    """One way to void, archive, delete and restore records; use `Bridge.open`.

    Args:
        config: The settings.
        registry: The plugins.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.

    Attributes:
        config_path: The settings file; None where there is none.
    """

    def __init__(
        self,
        config: settings.Config,
        registry: Registry,
        *,
        clock: Callable[[], float] = steady,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.config, self.registry = config, registry
        self.config_path = config.path
        self._clock, self._sleep = clock, sleep
        self._stopped = threading.Event()
        self._accounts: Accounts | None = None
        self._history: History | None = None
        self._made: set[str] = set()

    @classmethod
    def open(
        cls, config: str | Path | settings.Config | None = None, *, observers: Iterable[Any] = ()
    ) -> Self:
        """Open the bridge that a settings file describes.

        Opens nothing but the settings: the journal opens at its first need, an account at its first use.

        Args:
            config: The file; None for `./crm_bridge.toml`, then the user's config folder.
            observers: pluggy plugins with `observe` or `review_plan`.

        Raises:
            SettingsError: The file is not as it must be; the line and the nearest key are named.
        """
        from crm_bridge.engine.review import Review

        found = config if isinstance(config, settings.Config) else settings.load(config)
        return cls(found, Registry([Review(), *observers]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let connections, threads and the journal go; may be called twice."""
        if self._accounts is not None:
            self._accounts.close()
            self._accounts = None
        if self._history is not None:
            self._history.journal.close()
            self._history = None

    # --- what is opened when it is needed ----------------------------------------------------------

    @property
    def accounts(self) -> Accounts:
        """The accounts, each opened at its first use."""
        if self._accounts is None:
            from crm_bridge.engine.connect import Accounts

            self._accounts = Accounts(
                self.config, self.registry, clock=self._clock, sleep=self._sleep
            )
        return self._accounts

    @property
    def history(self) -> History:
        """What the journal knows; it opens now.

        Raises:
            JournalError: It does not fit its head, is newer than this program, or lies where none may.
        """
        if self._history is None:
            from crm_bridge.engine.history import History
            from crm_bridge.journal.store import Journal

            url, folder = self._journal_place()
            self._history = History(Journal.open(url, folder=folder))
        return self._history

    def _journal_place(self) -> tuple[str, Path | None]:
        url = self.config.bridge.journal
        if url:
            return url, self.config_path.parent if self.config_path else None
        import platformdirs

        folder = Path(platformdirs.user_data_dir("crm-bridge"))
        return "sqlite:///crm_bridge.db", folder

    def _reading(self) -> Journal:
        from crm_bridge.journal.store import Journal

        url, folder = self._journal_place()
        return Journal.open(url, folder=folder, reading=True)

    # --- looking -----------------------------------------------------------------------------------

    def find(
        self,
        target: str,
        *where: str | Condition,
        state: State | str | None = None,
        native: str | None = None,
        fields: Sequence[str] = (),
        limit: int | None = None,
    ) -> Found:
        """Look for records; lazy, and asked anew at each walk.

        Args:
            target: `crm:Kind`.
            where: Conditions that all hold together.
            state: Where they stand; live if None, and marked ones are not live.
            native: A query in the vendor's own language.
            fields: Fields that are wanted; empty for all.
            limit: At most so many.

        Raises:
            SettingsError: The words are malformed; nothing was asked.
            Rejected: While walking: the vendor does not know a field, or cannot list that state.
        """
        from crm_bridge.engine.conditions import parse_all
        from crm_bridge.engine.search import search

        crm, colon, name = target.partition(":")
        if not colon or "/" in name or not name:
            raise SettingsError(
                f"{target!a} is not a kind of a crm.",
                detail="One looks like crm:Kind, such as sf-prod:Account.",
                code="target",
            )
        kind = self.accounts.spell_kind(crm, name)
        parse_all(where)
        wanted = _word(State, state, "state") if state is not None else State.LIVE

        def walk() -> Iterator[Record]:
            from itertools import islice

            found = search(self.accounts.connected(crm), kind, where, wanted, native, fields)
            return islice(found, limit)

        return Found(walk)

    def matrix(self, vendor: str | None = None) -> list[MatrixRow]:
        """What each installed vendor can do, row by row of its table; works without settings."""
        return self.matrix_of(vendor, self.registry)

    @classmethod
    def matrix_of(
        cls, vendor: str | None = None, registry: Registry | None = None
    ) -> list[MatrixRow]:
        """The same without a bridge."""
        registry = registry or Registry()
        rows = []
        for name in [vendor] if vendor else registry.vendors(ours_only=True):
            profile = registry.adapter_class(name).profile
            for capability in profile.capabilities:
                for kind in capability.kinds or ("*",):
                    rows.append(MatrixRow(profile.vendor, profile.title, kind, capability))
        return rows

    def explain(self, vendor: str, kind: str, operation: Operation | str) -> Explanation:
        """What is known of an operation on a kind: its rows, the ways back, what goes along.

        Raises:
            SettingsError: There is no such operation or kind.
            PluginError: There is no such vendor.
        """
        from crm_bridge.engine.explain import explained

        wanted = _word(Operation, operation, "operation")
        profile = self.registry.adapter_class(vendor).profile
        rows, back, cascades = explained(profile, kind, wanted)
        kind = profile.aliases.get(kind, kind)
        return Explanation(vendor, kind, wanted, rows, back, cascades)

    def doctor(self, crm: str | None = None) -> Iterator[CheckLine]:
        """Look whether settings, login, rights and marks of one crm, or of all, hold; reads only."""
        from crm_bridge.engine.doctor import examined

        if crm is not None:
            self.config.crm(crm)
        for name in [crm] if crm else list(self.config.crms):
            for what, ok, summary in examined(self.accounts, name):
                yield CheckLine(name, what, ok, summary)

    def plugins(self) -> list[PluginLine]:
        """What is installed; imports nothing."""
        return self.registry.lines()

    # --- planning ----------------------------------------------------------------------------------

    def plan(
        self,
        operation: Operation | str,
        targets: Any,
        *,
        where: Sequence[str | Condition] = (),
        reason: str = "",
        code: str | None = None,
        remake: bool = False,
        limit_records: int | None = 1000,
        limit_share: float | None = 0.5,
        on_conflict: str = "skip",
        only: Sequence[Any] = (),
        native: str | None = None,
        kind: str | None = None,
        with_children: Sequence[str] = (),
    ) -> Plan:
        """Say what would happen; nothing is changed.

        Args:
            operation: `void`, `archive`, `delete`, `purge` or `restore`.
            targets: An iterable of refs, strings or records; one string (`crm:Kind/id`, or `crm:Kind`
                with conditions); a path to a file of ids; for a restore also a receipt or a run's name.
            where: Conditions, for a `crm:Kind`.
            reason: Why, for the audit.
            code: One of `CODES`.
            remake: Whether a restore may make records anew where nothing else is left.
            limit_records: The most targets; None for no cap. Where the settings name another cap
                than 1,000, that one stands in place of the default.
            limit_share: The largest share of a kind's live records, likewise.
            on_conflict: One of `CONFLICTS`, for a restore.
            only: For a restore of a run: these records alone.
            native: A query in the vendor's own language, for a `crm:Kind`.
            kind: `crm:Kind` for a file that holds ids alone.
            with_children: Kinds of related records that are taken along in the right order, as
                steps of the same plan.

        Raises:
            SettingsError: Words, ids or settings are malformed, or nothing is selected.
            PlanBlocked: The server is not the one that the settings claim.
            AdapterError: An account cannot be asked.
        """
        from crm_bridge.engine.along import take_along
        from crm_bridge.engine.conditions import parse_all
        from crm_bridge.engine.draft import Wish, make_plan

        wanted = _word(Operation, operation, "operation")
        if code is not None and code not in CODES:
            raise SettingsError(
                f"{code!a} is no reason code.",
                detail=f"Codes: {', '.join(CODES)}.",
                code="code",
            )
        if on_conflict not in CONFLICTS:
            raise SettingsError(
                f"{on_conflict!a} is nothing that a restore can do.",
                detail=f"Choose one of {', '.join(CONFLICTS)}.",
                code="on_conflict",
            )
        parse_all(where)
        bridge = self.config.bridge
        wish = Wish(
            operation=wanted,
            reason=reason,
            code=code,
            by=self._actor(),
            remake=remake,
            on_conflict=on_conflict,
            limits={
                "records": bridge.limit_records if limit_records == 1000 else limit_records,
                "share": bridge.limit_share if limit_share == 0.5 else limit_share,
            },
            require_reason=bridge.require_reason,
            told={
                "where": [str(w) for w in where],
                "native": native,
                "with_children": list(with_children),
                "limits": {"records": limit_records, "share": limit_share},
            },
        )
        if wanted is Operation.RESTORE:
            return self._fresh_one(self._plan_restore(wish, targets, where, native, kind, only))
        if isinstance(targets, Receipt) or only:
            raise SettingsError(
                f"a {wanted.value} is not made of a run; only a restore is.", code="target"
            )
        selection = self._select(targets, where, native, kind)
        if with_children:
            take_along(selection, self.accounts, with_children, wanted)
        return self._fresh_one(
            make_plan(wish, selection, self.accounts, lambda: self.history, self._review)
        )

    def _fresh_one(self, plan: Plan) -> Plan:
        self._made.add(plan.digest)
        return plan

    def _plan_restore(
        self,
        wish: Wish,
        targets: Any,
        where: Sequence[str | Condition],
        native: str | None,
        kind: str | None,
        only: Sequence[Any],
    ) -> Plan:
        import dataclasses

        from crm_bridge.engine.draft import make_restore
        from crm_bridge.engine.restore import sources_of, taken_by

        run = targets.run if isinstance(targets, Receipt) else targets
        if isinstance(run, str) and ":" not in run and not isinstance(targets, Path):
            # A run is restored whole: it knows no caps, since it was within them when it ran.
            wish = dataclasses.replace(
                wish,
                limits={"records": None, "share": None},
                told={**wish.told, "run": run, "only": bool(only)},
            )
            refs = list(self._select(list(only), (), None, None).refs()) if only else []
            sources = taken_by(self.history, run, refs)
            plan = make_restore(wish, sources, self.accounts, lambda: self.history, self._review)
            if not plan.counts.records:
                raise SettingsError(
                    f"run {run} took nothing that could come back.",
                    detail=f"Look at it: crm-bridge show {run}",
                    code="empty",
                )
            return plan
        if only:
            raise SettingsError("--only goes with a run.", code="target")
        selection = self._select(targets, where, native, kind, State.GONE)
        return make_restore(
            wish,
            sources_of(self.history, self.accounts, selection),
            self.accounts,
            lambda: self.history,
            self._review,
            selection.doubles,
        )

    def _select(
        self,
        targets: Any,
        where: Sequence[str | Condition],
        native: str | None,
        kind: str | None,
        state: State = State.LIVE,
    ) -> Selection:
        from crm_bridge.engine.search import search, search_away
        from crm_bridge.engine.select import select

        def look(
            crm: str, name: str, conditions: Sequence[str | Condition], query: str | None
        ) -> Iterator[Record]:
            connected = self.accounts.connected(crm)
            if state is State.LIVE:
                return search(connected, name, conditions, State.LIVE, query)
            return search_away(connected, name, conditions, query)

        return select(
            targets,
            spell=self.accounts.spell,
            spell_kind=self.accounts.spell_kind,
            search=look,
            where=where,
            native=native,
            kind=kind,
        )

    def _review(self, plan: Plan, scene: Any) -> Any:
        return self.registry.hook.review_plan(plan=plan, scene=scene)

    def _actor(self) -> str:
        actor = self.config.bridge.actor
        if not actor.startswith("env:"):
            return actor
        found = os.environ.get(actor[4:], "")
        if found:
            return found
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return f"uid {os.getuid()}"

    def save_plan(self, plan: Plan, path: str | Path) -> None:
        """Write a plan to a file, whole or not at all; only `apply` may consume it."""
        from crm_bridge.engine import planfile

        planfile.save(plan, path)

    def load_plan(self, path: str | Path) -> Plan:
        """Read a saved plan; raises PlanBlocked (code `stale`) where a byte of it was changed."""
        from crm_bridge.engine import planfile

        return planfile.load(path)

    # --- acting ------------------------------------------------------------------------------------

    def apply(self, plan: Plan | str | Path, *, confirm: str | None = None) -> Receipt:
        """Carry out a plan: the only word in the library that changes a CRM.

        Args:
            plan: The plan, or the file that it was saved to.
            confirm: The text that `plan.confirm` asks for.

        Raises:
            PlanBlocked: It is blocked, stale, not confirmed, for another org, or the org is locked.
            JournalError: The journal takes nothing more; nothing is sent without it.
        """
        from crm_bridge.engine.run import Run

        if not isinstance(plan, Plan):
            plan = self.load_plan(plan)
        if plan.blocked:
            errors = [f for f in plan.findings if f.severity is Severity.ERROR]
            raise PlanBlocked(
                f"the plan is blocked: {errors[0].summary}",
                detail=errors[0].detail,
                findings=errors,
            )
        if (earlier := self.history.applied(plan.digest)) is not None:
            return self._applied_before(earlier)
        if plan.confirm is not None and confirm != plan.confirm:
            raise PlanBlocked(
                "this cannot be undone, and is not confirmed."
                if confirm is None
                else f"{confirm!a} is not what the plan asks to be confirmed by.",
                detail=f'Type it exactly: --confirm "{plan.confirm}"',
                code="not_confirmed",
            )
        self._fresh(plan)
        self._rehearsed(plan)
        # What this bridge planned a moment ago is read again page by page; what comes from a file is
        # read whole before the first send.
        fresh = plan.digest in self._made
        self._made.discard(plan.digest)
        return Run(
            plan, self.accounts, self.history, self._terms(), self._observe, look_ahead=not fresh
        ).go()

    def replan(self, plan: Plan, *, without: Collection[RecordRef] = ()) -> Plan:
        """Make a plan anew for the same records, as they are now.

        Args:
            plan: The plan that is not fresh any more.
            without: Records that are to be left out, such as those that moved.

        Raises:
            SettingsError: Nothing is left.
        """
        out = set(without)

        def refs() -> Iterator[RecordRef]:
            for step in plan.steps:
                if step.after is None:
                    yield from (ref for ref in step.refs if ref not in out)
            yield from (o.ref for o in plan.settled if o.ref not in out)

        options = plan.options
        again: dict[str, Any] = {"reason": plan.reason, "code": plan.code}
        if plan.operation is Operation.RESTORE:
            again |= {"remake": options["remake"], "on_conflict": options["on_conflict"]}
            if run := options.get("run"):
                return self.plan(plan.operation, run, only=list(refs()), **again)
        limits = options.get("limits", {})
        again |= {f"limit_{name}": limits.get(name) for name in ("records", "share")}
        return self.plan(plan.operation, refs(), **again)

    def _applied_before(self, run: str) -> Receipt:
        """A plan is carried out once: what is left of it is resumed, and else nothing is sent."""
        import dataclasses

        if self._summary(run).state == "unfinished":
            return self.resume(run)
        receipt = self.history.receipt(
            run, note=f"this plan was applied before, by run {run}; nothing was sent."
        )
        return dataclasses.replace(receipt, calls=0, seconds=0.0, halted=None)

    def _fresh(self, plan: Plan) -> None:
        """Refuse a plan that is too old, or that other programs or settings made."""
        from crm_bridge.engine.connect import versions_of

        age = (datetime.now(UTC) - plan.made_at).total_seconds()
        most = settings.seconds_of(self.config.bridge.plan_max_age)
        if age > most or age < -300:
            raise PlanBlocked(
                f"the plan was made at {plan.made_at:%Y-%m-%d %H:%M} UTC, and may be "
                f"{self.config.bridge.plan_max_age} old at the most.",
                detail="Make it anew, and look at it again.",
                code="stale",
            )
        for crm, target in plan.targets.items():
            if self.accounts.vendor(crm) != target.vendor:
                raise PlanBlocked(
                    f"the plan is for {crm} of {target.vendor}, and the settings say "
                    f"{self.accounts.vendor(crm)}.",
                    code="wrong_target",
                )
        now = versions_of(self.accounts, list(plan.targets))
        moved = [
            f"{name} was {plan.versions.get(name, 'not there')}, and is {now.get(name, 'not there')}"
            for name in dict.fromkeys([*plan.versions, *now])
            if now.get(name) != plan.versions.get(name)
        ]
        if moved:
            raise PlanBlocked(
                f"the plan was made by other programs or settings: {'; '.join(moved)}.",
                detail="Make it anew with these.",
                code="stale",
            )

    def _rehearsed(self, plan: Plan) -> None:
        """Refuse a large plan that nobody rehearsed, where the settings ask for it."""
        most = self.config.bridge.rehearse_above
        if not most or plan.counts.records <= most or plan.operation is Operation.RESTORE:
            return
        last = None
        for written in self.history.journal.entries("", ("rehearsal",)):
            if written.entry.body.get("digest") == plan.digest:
                last = written.entry.body
        if last is None:
            raise PlanBlocked(
                f"the plan takes {plan.counts.records} records, and above {most} it must be "
                "rehearsed.",
                detail="Save it with --out, then: crm-bridge rehearse PLAN",
                code="not_rehearsed",
            )
        unnamed = sorted(name for one in last["crms"] for name in one["unnamed"])
        if unnamed:
            raise PlanBlocked(
                f"its rehearsal showed differences that the plan does not name: {', '.join(unnamed)}.",
                detail="Look at the certificate: crm-bridge rehearse PLAN --out FILE",
                code="not_rehearsed",
            )

    def resume(self, run: str) -> Receipt:
        """Go on with a run that died or was stopped; settles what is unknown, sends what was not sent.

        Raises:
            SettingsError: There is no such run.
            PlanBlocked: As for `apply`; or the run was undone since (code `undone`).
        """
        from crm_bridge.engine.run import Run

        plan = self.history.plan(run)
        if not self.history.whole(run):
            raise PlanBlocked(
                f"run {run} died before its plan was written down whole, and sent nothing.",
                detail="Apply the plan again.",
                code="not_begun",
            )
        if (back := self.history.undone_by(run)) is not None:
            raise PlanBlocked(
                f"run {run} was undone by run {back}; what it had not sent is not sent now.",
                detail=f"Make a new plan. What is in doubt is looked at by: crm-bridge verify {run}",
                code="undone",
            )
        return Run(plan, self.accounts, self.history, self._terms(), self._observe, run).go()

    def verify(self, run: str) -> Receipt:
        """Look again at what a run did; settles what is pending, by hand or unknown. Reads only."""
        from crm_bridge.engine.lookback import look_again

        return look_again(run, self.accounts, self.history, self._terms(), self._observe)

    def stop(self) -> None:
        """Ask the run under way to finish the batch in flight and end; called from a signal handler."""
        self._stopped.set()

    def hold(self, ref: RecordRef | str, reason: str) -> None:
        """Put a record out of any plan's reach until it is released; journalled with who and why.

        Raises:
            SettingsError: The address is malformed, or no reason is given.
        """
        self._mark_held("hold", ref, reason)

    def release(self, ref: RecordRef | str, reason: str) -> None:
        """Let plans reach a held record again; journalled with who and why.

        Raises:
            SettingsError: The address is malformed, is not held, or no reason is given.
        """
        self._mark_held("release", ref, reason)

    def _mark_held(self, stage: str, ref: RecordRef | str, reason: str) -> None:
        from crm_bridge.engine.holds import mark_held

        if not reason.strip():
            raise SettingsError(f"a {stage} needs a reason.", detail="Say why: --reason TEXT")
        wanted = next(iter(self._select([ref], (), None, None).refs()))
        org = self.accounts.connected(wanted.crm).account.org
        mark_held(self.history.journal, stage, wanted, org, reason, self._actor())

    def _terms(self) -> Terms:
        from crm_bridge.engine.run import Terms

        bridge = self.config.bridge
        return Terms(
            settle=settings.seconds_of(bridge.settle),
            read_max_age=settings.seconds_of(bridge.read_max_age),
            lease=settings.seconds_of(bridge.lease),
            sleep=self._sleep,
            clock=self._clock,
            stopped=self._stopped,
        )

    def _observe(self, event: Event) -> None:
        for plugin in self.registry.manager.get_plugins():
            seen = getattr(plugin, "observe", None)
            if seen is None:
                continue
            try:
                seen(event)
            except Exception as error:
                import logging

                logging.getLogger("crm_bridge").warning(
                    "an observer raised %s, which changes nothing.", type(error).__name__
                )

    def setup(self, crm: str, *, apply: bool = False) -> list[Finding]:
        """Make the fields that marks need, or say what to make.

        Args:
            crm: The account.
            apply: False tells what would be made; True makes it, and journals it.
        """
        from crm_bridge.engine.doctor import prepared

        return prepared(self.accounts.connected(crm), lambda: self.history.journal, apply=apply)

    # --- remembering -------------------------------------------------------------------------------

    def receipt(self, run: str) -> Receipt:
        """What a run came to, as it stands now; raises SettingsError where there is none."""
        back = self.history.undone_by(run)
        note = f"it was undone since, by run {back}: nothing of it is gone on with." if back else ""
        return self.history.receipt(run, note=note)

    def plan_of(self, run: str) -> Plan:
        """The plan that a run carried out."""
        return self.history.plan(run)

    def runs(self) -> list[RunSummary]:
        """All runs, newest first."""
        return [self._summary(written.entry.run) for written in self.history.journal.runs()]

    def attention(self) -> list[RunSummary]:
        """Runs that wait for somebody: pending, unknown, by hand, failed, or to be gone on with."""
        wanted = (Verdict.PENDING, Verdict.UNKNOWN, Verdict.BY_HAND, Verdict.FAILED)
        return [
            run
            for run in self.runs()
            # What was undone since is not gone on with.
            if (run.state == "unfinished" and self.history.undone_by(run.run) is None)
            or any(run.counts.get(v) for v in wanted)
        ]

    def _summary(self, run: str) -> RunSummary:
        from crm_bridge.engine.remember import summarized

        return RunSummary(*summarized(self.history, run))

    def expiring(self, within: timedelta | str = "7d") -> list[Expiring]:
        """What cannot be undone any more after a while, by run, crm and kind, earliest first.

        Args:
            within: How far to look ahead, judged by each vendor's own clock.
        """
        from crm_bridge.engine.remember import expiring

        span = settings.within(within) if isinstance(within, str) else within
        return [Expiring(*row) for row in expiring(self.history, self.accounts, span)]

    def check_journal(self) -> Check:
        """Walk the whole chain; what is found is told, not raised."""
        from crm_bridge.journal.rows import Check

        try:
            journal = self._reading()
        except JournalError as error:
            if not error.damage:
                raise
            return Check(False, 0, "file", 0, error.damage)
        try:
            return journal.check()
        finally:
            journal.close()

    def export_journal(self) -> Iterator[Mapping[str, Any]]:
        """The journal's events, one a record and stage."""
        journal = self._reading()
        try:
            yield from journal.export()
        finally:
            journal.close()


def _word(cls: Any, word: Any, what: str) -> Any:
    """A word of a closed list; raises SettingsError naming the nearest."""
    try:
        return cls(word)
    except ValueError:
        import difflib

        known = [one.value for one in cls]
        near = difflib.get_close_matches(str(word), known, 1)
        raise SettingsError(
            f"{word!a} is no {what}.",
            detail=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}.",
            code=what,
        ) from None


__all__ = [
    "Bridge",
    "CheckLine",
    "Expiring",
    "Explanation",
    "Found",
    "Lazy",
    "MatrixRow",
    "PluginLine",
    "RecordRef",
    "RunSummary",
]
