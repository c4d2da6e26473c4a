"""Zoho CRM for crm_bridge: the two hooks, and nothing that costs time before it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_bridge.kit import hookimpl

if TYPE_CHECKING:
    from crm_bridge.kit import Adapter
    from crm_bridge.simulator import VendorSimulator


@hookimpl
def provide_adapters() -> list[type[Adapter]]:
    """Give Zoho CRM's adapter."""
    from crm_bridge_zoho.adapter import ZohoAdapter

    return [ZohoAdapter]


@hookimpl
def provide_simulators() -> list[type[VendorSimulator]]:
    """Give Zoho CRM on loopback."""
    from crm_bridge_zoho.simulator import ZohoSimulator

    return [ZohoSimulator]
