"""A CRM on loopback: the vendor's API, spoken over HTTP, with state and a clock one can turn.

The guide for authors stands at the top of `server.py`. Names resolve on first use, so that
importing this package loads neither uvicorn nor the seeds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_bridge.simulator.account import Account, Switch
    from crm_bridge.simulator.act import Act, Refused
    from crm_bridge.simulator.call import Call, Reply
    from crm_bridge.simulator.faults import Fault
    from crm_bridge.simulator.lifecycle import Link, RollingLimit, SimulatorClock, Store, Stored
    from crm_bridge.simulator.server import VendorSimulator
    from crm_bridge.simulator.settings import write_config
    from crm_bridge.simulator.start import Served, run_simulators, serving

_HOMES = {
    "Account": "account",
    "Act": "act",
    "Call": "call",
    "Fault": "faults",
    "Link": "lifecycle",
    "Refused": "act",
    "Reply": "call",
    "RollingLimit": "lifecycle",
    "Served": "start",
    "SimulatorClock": "lifecycle",
    "Store": "lifecycle",
    "Stored": "lifecycle",
    "Switch": "account",
    "VendorSimulator": "server",
    "run_simulators": "start",
    "serving": "start",
    "write_config": "settings",
}

__all__ = [
    "Account",
    "Act",
    "Call",
    "Fault",
    "Link",
    "Refused",
    "Reply",
    "RollingLimit",
    "Served",
    "SimulatorClock",
    "Store",
    "Stored",
    "Switch",
    "VendorSimulator",
    "run_simulators",
    "serving",
    "write_config",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
