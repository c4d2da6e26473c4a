from crm_bridge_acme import Acme

from crm_bridge.testing.contract import AdapterContract


class TestAcme(AdapterContract):
    adapter_class = Acme
