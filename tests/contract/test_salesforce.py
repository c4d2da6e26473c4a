"""Salesforce keeps every promise over real HTTP, with one switch moved at a time."""

from __future__ import annotations

from crm_bridge.testing.contract import SimulatedContract
from crm_bridge_salesforce.adapter import SalesforceAdapter


class TestSalesforce(SimulatedContract):
    adapter_class = SalesforceAdapter
