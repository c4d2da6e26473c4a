"""Void, archive, delete and restore records across CRMs: see it first, keep it whole, bring it back.

    from crm_bridge import Bridge

    with Bridge.open("crm_bridge.toml") as bridge:
        plan = bridge.plan("delete", bridge.find("sf-prod:Lead", "LastActivityDate < today-3w"))
        print(plan)
        receipt = bridge.apply(plan)
        bridge.apply(bridge.plan("restore", receipt))

Names resolve on first use, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from crm_bridge.bridge import Bridge
    from crm_bridge.errors import (
        AdapterError,
        BridgeError,
        Busy,
        JournalError,
        PlanBlocked,
        PluginError,
        Rejected,
        RunFailed,
        SettingsError,
        Unauthorized,
        Unreachable,
    )
    from crm_bridge.model.abilities import Operation
    from crm_bridge.model.plans import Plan
    from crm_bridge.model.records import Condition, Record, RecordRef, State
    from crm_bridge.model.results import Outcome, Receipt, Verdict

_HOMES: Final = {
    "Bridge": "bridge",
    **dict.fromkeys(
        (
            "AdapterError", "BridgeError", "Busy", "JournalError", "PlanBlocked", "PluginError",
            "Rejected", "RunFailed", "SettingsError", "Unauthorized", "Unreachable",
        ),
        "errors",
    ),
    "Operation": "model.abilities",
    "Plan": "model.plans",
    **dict.fromkeys(("Condition", "Record", "RecordRef", "State"), "model.records"),
    **dict.fromkeys(("Outcome", "Receipt", "Verdict"), "model.results"),
}  # fmt: skip

__all__ = [
    "AdapterError",
    "Bridge",
    "BridgeError",
    "Busy",
    "Condition",
    "JournalError",
    "Operation",
    "Outcome",
    "Plan",
    "PlanBlocked",
    "PluginError",
    "Receipt",
    "Record",
    "RecordRef",
    "Rejected",
    "RunFailed",
    "SettingsError",
    "State",
    "Unauthorized",
    "Unreachable",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
