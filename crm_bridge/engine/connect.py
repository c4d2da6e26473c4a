"""The accounts of one bridge: adapters made without a call, accounts connected at their first use."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from crm_bridge.adapter import Account, Adapter
from crm_bridge.clock import steady
from crm_bridge.config import Config
from crm_bridge.engine.accounts import Connected, contained, spelled, spelled_kind, with_marks
from crm_bridge.engine.lanes import Lanes
from crm_bridge.errors import AdapterError, BridgeError, PlanBlocked
from crm_bridge.guard import Guard
from crm_bridge.model.plans import TargetOrg
from crm_bridge.model.records import RecordRef
from crm_bridge.registry import Registry


class Accounts:
    """Every account that the settings name, opened when somebody needs it.

    Args:
        config: The settings.
        registry: The plugins.
        clock: Monotonic seconds, for pace and windows.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry,
        *,
        clock: Callable[[], float] = steady,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.config, self.registry = config, registry
        self._clock, self._sleep = clock, sleep
        self._adapters: dict[str, tuple[Adapter, Guard, Any]] = {}
        self._connected: dict[str, Connected] = {}

    def adapter(self, crm: str) -> Adapter:
        """The adapter of a crm; nothing is sent.

        Raises:
            SettingsError: The settings name no such crm, or not soundly.
            PluginError: No adapter of its vendor is there.
        """
        return self._made(crm)[0]

    def _made(self, crm: str) -> tuple[Adapter, Guard, Any]:
        if crm not in self._adapters:
            vendor = str(self.config.crm(crm)["vendor"])
            cls = self.registry.adapter_class(vendor)
            settings = self.config.typed(crm, cls.settings)
            guard = Guard(
                crm, cls.profile.rates, pace=settings.pace, clock=self._clock, sleep=self._sleep
            )
            try:
                adapter = cls.connect(crm, settings, guard)
            except BridgeError:
                raise
            except Exception as error:
                raise contained(error, crm) from error
            guard.renew = adapter.renew
            self._adapters[crm] = (adapter, guard, settings)
        return self._adapters[crm]

    def settings(self, crm: str) -> Any:
        """The typed settings of a crm; nothing is sent."""
        return self._made(crm)[2]

    def vendor(self, crm: str) -> str:
        """The vendor's name of a crm."""
        return str(self.config.crm(crm)["vendor"])

    def spell(self, crm: str, kind: str, id_: str) -> RecordRef:
        """An address as the vendor spells it; nothing is sent. Raises SettingsError."""
        return spelled(self.adapter(crm), crm, kind, id_)

    def spell_kind(self, crm: str, kind: str) -> str:
        """A kind as the vendor names it; nothing is sent. Raises SettingsError."""
        return spelled_kind(self.adapter(crm), crm, kind)

    def connected(self, crm: str) -> Connected:
        """The account, once its server said who we are, and that is what the settings claim.

        Raises:
            PlanBlocked: The server says another class than the settings (code `wrong_target`).
            AdapterError: It cannot be asked.
        """
        if crm not in self._connected:
            adapter, guard, settings = self._made(crm)
            lanes = self._lanes(adapter, guard, type(adapter).profile.lanes)
            login = json.dumps(self.config.crm(crm), sort_keys=True, default=str)
            try:
                guard.expect(self.vendor(crm), login)
                account, seen_at = self._asked(crm)
                if account.rates is not None:
                    guard.rates(account.rates, settings.pace)
                # As soon as the org is known: what follows counts together with other processes.
                guard.share(self.vendor(crm), account.org, login=login)
                profile = with_marks(self._called(crm, adapter.abilities), settings.marks)
            except BaseException:
                guard.together = None
                lanes.close()
                raise
            if profile.lanes != lanes.count:
                lanes.close()
                lanes = self._lanes(adapter, guard, profile.lanes)
            self._connected[crm] = Connected(
                crm, settings, adapter, guard, account, profile, lanes, seen_at
            )
            guard.prove = lambda: self._same_org(crm)
        return self._connected[crm]

    def _lanes(self, adapter: Adapter, guard: Guard, count: int) -> Lanes:
        lanes = Lanes(count, adapter.enter_lane, self._clock)
        guard.together = lanes.together
        return lanes

    def prove(self, crm: str, target: TargetOrg | None = None) -> Connected:
        """Ask the server anew who we are, before a run; the answer is the clock of its windows.

        Args:
            crm: The account.
            target: What a plan was made for.

        Raises:
            PlanBlocked: It is another org or another class (code `wrong_target`).
        """
        fresh = crm not in self._connected
        connected = self.connected(crm)
        if not fresh:
            connected.account, connected.seen_at = self._asked(crm)
        if target is not None:
            account, vendor = connected.account, self.vendor(crm)
            if (vendor, account.org) != (target.vendor, target.org):
                raise PlanBlocked(
                    f"the plan is for {target.vendor} org {target.org}, and {crm} is {vendor} org "
                    f"{account.org} ({account.name}).",
                    detail="Nothing was read or sent. Check the settings, or make a new plan.",
                    code="wrong_target",
                )
            if account.environment != target.environment:
                raise PlanBlocked(
                    f"the plan is for a {target.environment} org, and the server of {crm} says "
                    f"{account.environment}.",
                    detail="Nothing was read or sent. Make a new plan.",
                    code="wrong_target",
                )
        return connected

    def _asked(self, crm: str) -> tuple[Account, float]:
        adapter, guard, settings = self._made(crm)
        account = self._called(crm, adapter.whoami)
        if account.environment != settings.environment:
            raise PlanBlocked(
                f"the settings claim that {crm} is {settings.environment}, and its server says "
                f"{account.environment} (org {account.org}, {account.name}).",
                detail="Nothing was read or sent. Correct environment, or the login, in the settings.",
                code="wrong_target",
            )
        return account, guard.clock()

    def _same_org(self, crm: str) -> None:
        """For a new token: it must be for the very org, and the very user, that was proved before."""
        before = self._connected[crm].account
        account, _ = self._asked(crm)
        if account.org != before.org:
            raise PlanBlocked(
                f"{crm} was org {before.org}, and its new login is for org {account.org}.",
                detail="Nothing more was sent. Check who changed the login.",
                code="wrong_target",
            )
        if account.user != before.user:
            raise PlanBlocked(
                f"{crm} was spoken to as {before.user}, and its new login is {account.user}'s.",
                detail="Nothing more was sent: another user sees and may do other things. Check who "
                "changed the login, then resume.",
                code="wrong_target",
            )

    def _called(self, crm: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except BridgeError as error:
            if isinstance(error, AdapterError) and not error.summary.startswith(crm):
                error.args = (f"{crm}: {error.summary}", *error.args[1:])
            raise
        except Exception as error:
            raise contained(error, crm) from error

    def calls(self) -> int:
        """Calls to all vendors so far."""
        return sum(guard.calls for _, guard, _ in self._adapters.values())

    def begin(self) -> None:
        """Let accounts whose guard was halted by an earlier run be written again, after a fresh proof."""
        for crm, (_, guard, _) in self._adapters.items():
            if guard.halted is not None:
                guard.resume()
                self._connected.pop(crm, None)

    def close(self) -> None:
        """Let threads and connections go."""
        for connected in self._connected.values():
            connected.lanes.close()
        for adapter, guard, _ in self._adapters.values():
            with contextlib.suppress(Exception):
                adapter.close()
            guard.close()
        self._connected.clear()
        self._adapters.clear()


def versions_of(accounts: Accounts, crms: list[str]) -> dict[str, str]:
    """Names and versions of the bridge, the adapters' packages and their clients, for a plan.

    With what the settings say of each account's marks and of what no plan may touch: a digest of it,
    since a mark that was changed after a plan was looked at would write what nobody has seen.
    """
    from importlib.metadata import PackageNotFoundError, version

    def found(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "unknown"

    told = {"crm-bridge": found("crm-bridge")}
    lines = {line.vendor: line for line in accounts.registry.lines()}
    for crm in crms:
        vendor = accounts.vendor(crm)
        if line := lines.get(vendor):
            told[f"adapter {vendor}"] = f"{line.name} {line.version}"
        for client in getattr(type(accounts.adapter(crm)), "clients", ()):
            told[client] = found(client)
        settings = accounts.settings(crm)
        if settings.marks or settings.protect:
            meant = json.dumps([settings.marks, settings.protect], sort_keys=True, default=str)
            told[f"marks and protection of {crm}"] = hashlib.sha256(meant.encode()).hexdigest()[:12]
    return told
