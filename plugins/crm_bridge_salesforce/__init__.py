"""Salesforce for crm_bridge: its hooks, and nothing that costs time before it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from crm_bridge.kit import hookimpl

if TYPE_CHECKING:
    from crm_bridge.kit import Adapter, Finding
    from crm_bridge.model.plans import Plan, Scene
    from crm_bridge.simulator import VendorSimulator


@hookimpl
def provide_adapters() -> list[type[Adapter]]:
    """Give Salesforce's adapter."""
    from crm_bridge_salesforce.adapter import SalesforceAdapter

    return [SalesforceAdapter]


@hookimpl
def provide_simulators() -> list[type[VendorSimulator]]:
    """Give Salesforce on loopback."""
    from crm_bridge_salesforce.simulator import SalesforceSimulator

    return [SalesforceSimulator]


@hookimpl
def review_plan(plan: Plan, scene: Scene) -> Iterable[Finding]:
    """Warn where a plan may push older records out of a recycle bin."""
    from crm_bridge_salesforce.review import pressed

    return list(pressed(plan))
