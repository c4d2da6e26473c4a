"""Zoho CRM keeps every promise over real HTTP, with one switch moved at a time."""

from crm_bridge.testing.contract import SimulatedContract
from crm_bridge_zoho.adapter import ZohoAdapter


class TestZoho(SimulatedContract):
    adapter_class = ZohoAdapter
