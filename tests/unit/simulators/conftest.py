"""Simulated vendors, served once for the tests of a module and begun anew for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_bridge.simulator import serving
from crm_bridge_hubspot.simulator import HubspotSimulator
from crm_bridge_salesforce.simulator import SalesforceSimulator
from tests.unit.simulators.hubspot_portal import Portal
from tests.unit.simulators.salesforce_org import SalesforceOrg


@pytest.fixture(scope="module")
def served_hubspot() -> Iterator[tuple[HubspotSimulator, str]]:
    simulator = HubspotSimulator(records=40, limits=False)
    with serving(simulator) as url:
        yield simulator, url


@pytest.fixture
def hub(served_hubspot: tuple[HubspotSimulator, str]) -> Portal:
    for index in (1, 0):
        portal = Portal(*served_hubspot, index)
        portal.control("reset", {})
    return portal


@pytest.fixture
def limited_hub() -> Iterator[Portal]:
    simulator = HubspotSimulator(records=20)
    with serving(simulator) as url:
        yield Portal(simulator, url)


@pytest.fixture(scope="module")
def served_salesforce() -> Iterator[tuple[SalesforceSimulator, str]]:
    simulator = SalesforceSimulator(records=40)
    with serving(simulator) as url:
        yield simulator, url


@pytest.fixture
def sf(served_salesforce: tuple[SalesforceSimulator, str]) -> SalesforceOrg:
    for index in (1, 0):
        org = SalesforceOrg(*served_salesforce, index)
        org.control("reset", {})
        org.login()
    return org
