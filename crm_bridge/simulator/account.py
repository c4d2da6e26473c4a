"""One of the accounts that a simulator holds: its clock, records, switches, faults and log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm_bridge.simulator.faults import Faults
from crm_bridge.simulator.lifecycle import SimulatorClock, Store


@dataclass(frozen=True)
class Switch:
    """A point that nobody has confirmed: its default, and what it may be set to.

    Without `values` anything of the default's type is taken.
    """

    default: Any
    values: tuple[Any, ...] = ()
    about: str = ""

    def refusal(self, value: Any) -> str | None:
        """Why a value may not be set, or None."""
        if self.values:
            fits = any(value == v and type(value) is type(v) for v in self.values)
            said = ", ".join(repr(v) for v in self.values)
        else:
            fits = type(value) is type(self.default)
            said = f"a value like {self.default!r}"
        return None if fits else f"{value!r} is not one of its positions: {said}"


class Account:
    """One account of the vendor. The vendor's code keeps its own things in `keys` and `memory`."""

    def __init__(self, crm: str, index: int, switches: Mapping[str, Switch], limits: bool) -> None:
        self.crm = crm
        self.index = index  # 0 for the first, 1 for the second
        self.limits = limits  # False: rate limits and quotas are off
        self.clock = SimulatorClock()
        self.faults = Faults()
        self.keys: dict[str, str] = {}  # org id, client id, secrets: new at each start
        self.memory: dict[str, Any] = {}  # tokens, quotas, approvals ...: emptied by a reset
        self.store = Store(self.clock)
        self.seed = 1
        self.records = 0
        self.log: list[dict[str, Any]] = []
        self.logged = 0
        self._defaults = {name: switch.default for name, switch in switches.items()}
        self.switches: dict[str, Any] = dict(self._defaults)

    def begin(self, seed: int, records: int) -> None:
        """Forget all that happened; keys and the numbering of the log go on."""
        self.seed = seed
        self.records = records
        self.clock.reset()
        self.faults.clear()
        self.memory.clear()
        self.log.clear()
        self.switches = dict(self._defaults)
        self.store = Store(self.clock)

    def default(self, switch: str, value: Any) -> None:
        """Fix a default for the life of this account (codes that change at a start)."""
        self._defaults[switch] = self.switches[switch] = value

    def note(self, entry: dict[str, Any]) -> None:
        """Number a line and put it in the log."""
        self.logged += 1
        self.log.append({"n": self.logged, **entry})
