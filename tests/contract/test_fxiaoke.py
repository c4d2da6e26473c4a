"""FxiaoKe keeps every promise over real HTTP, with one switch moved at a time."""

from crm_bridge_fxiaoke.adapter import FxiaokeAdapter

from crm_bridge.testing.contract import SimulatedContract


class TestFxiaoke(SimulatedContract):
    adapter_class = FxiaokeAdapter
    troubles = {"expired": {"error_code": 20016}}
