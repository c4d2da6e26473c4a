"""FxiaoKe keeps every promise over real HTTP, with one switch moved at a time."""

from __future__ import annotations

from crm_bridge.testing.contract import SimulatedContract
from crm_bridge_fxiaoke.adapter import FxiaokeAdapter

FIELDS = {
    "AccountObj": ("name", "employees__c"),
    "ContactObj": ("name", "create_time"),
    "LeadsObj": ("name", "create_time"),
    "NewOpportunityObj": ("name", "amount"),
}
"""FxiaoKe's numbers are texts on the wire, so the suite cannot find them by itself."""

TROUBLES = {"expired": {"error_code": 20016}}
"""A dead token too is answered by HTTP 200."""


class TestFxiaoke(SimulatedContract):
    adapter_class = FxiaokeAdapter
    companies = 24
    fields = FIELDS
    troubles = TROUBLES
