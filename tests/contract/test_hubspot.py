"""HubSpot's adapter keeps every promise over HTTP: `v3` by the client, `2026-09` beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from crm_bridge.kit import Operation, Support
from crm_bridge.simulator import serving
from crm_bridge.testing.contract import SimulatedContract
from crm_bridge.testing.ground import Ground, SimulatedGround
from crm_bridge_hubspot.adapter import HubspotAdapter

BLIND = frozenset({(Operation.DELETE, Support.NATIVE), (Operation.PURGE, Support.NATIVE)})
"""batch/archive and gdpr-delete answer 204 whatever the ids are."""

FIELDS = {
    "leads": ("hs_lead_name", "hs_lead_label"),
    "contacts": ("message", "account_number"),
    "companies": ("name", "account_number"),
    "deals": ("dealname", "amount"),
}
"""HubSpot's numbers are texts on the wire, so the suite cannot find them by itself."""


class Dated(SimulatedGround):
    """The same portals, asked by dated paths."""

    def settings(self, crm: str) -> Mapping[str, Any]:
        """The table with another path version."""
        return {**super().settings(crm), "path_version": "2026-09"}


class TestHubspot(SimulatedContract):
    adapter_class = HubspotAdapter
    blind = BLIND
    fields = FIELDS


class TestHubspotByDatedPaths(SimulatedContract):
    adapter_class = HubspotAdapter
    blind = BLIND
    fields = FIELDS

    @pytest.fixture(scope="class")
    @classmethod
    def ground(cls) -> Iterator[Ground]:
        simulator = cls.simulator()(records=cls.companies, limits=False)
        with serving(simulator) as url:
            yield Dated(simulator, url)
