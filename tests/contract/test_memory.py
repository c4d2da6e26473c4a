"""The memory adapter keeps every promise."""

from collections.abc import Iterator

import pytest

from crm_bridge.testing.contract import AdapterContract
from crm_bridge.testing.memory import MemoryAdapter
from crm_bridge.testing.world import World


class TestMemory(AdapterContract):
    adapter_class = MemoryAdapter

    @pytest.fixture(scope="class")
    @classmethod
    def ground(cls) -> Iterator[World]:
        with World(records=30) as world:
            yield world
