"""Salesforce for crm_bridge: the two hooks, and nothing that costs time before it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_bridge.kit import hookimpl

if TYPE_CHECKING:
    from crm_bridge.kit import Adapter
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
