"""What tests share: a bridge over a CRM in memory, with a clock that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config, load
from crm_bridge.engine.review import Review
from crm_bridge.registry import Registry
from crm_bridge.testing import memory
from crm_bridge.testing.world import World

# Nothing here is timed: a busy machine is no fault of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How far the suites go; `tests/README.md` tells more."""
    parser.addoption(
        "--positions",
        choices=("some", "all"),
        default="some",
        help="Switches are moved for the core of the promises (some), or for all that mind (all).",
    )
    parser.addoption("--soak", action="store_true", help="try every crash point (an hour and more)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to start where a command would find the way to a true account.

    Raises:
        pytest.UsageError: The settings here, or the user's, name a production org.
    """
    del config
    found = load()
    true = [name for name, table in found.crms.items() if table.get("environment") != "simulator"]
    if true:
        raise pytest.UsageError(
            f"{found.path} names true accounts ({', '.join(true)}); tests write and delete, so they "
            "do not start beside it. Move it away, or set XDG_CONFIG_HOME to an empty folder."
        )


class Clock:
    """Monotonic seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks, tokens and journals of a test lie in its own folder; no person's login is seen."""
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture
def clock() -> Clock:
    """A clock to sleep by."""
    return Clock()


@pytest.fixture
def world() -> Iterator[World]:
    """A CRM in memory with two accounts."""
    with World(records=30) as world:
        yield world


@pytest.fixture
def open_bridge(world: World, clock: Clock, tmp_path: Path) -> Iterator[Callable[..., Bridge]]:
    """Opens bridges over the world; each call is a process of its own, with the same journal."""
    opened: list[Bridge] = []

    def open_one(*observers: Any, **bridge: Any) -> Bridge:
        settings = {
            name: {"vendor": "memory", "environment": "simulator", "world": world.name}
            for name in world.crms
        }
        given = {"settle": "2s", "lease": "60s", **bridge}
        config = Config(
            tmp_path / "crm_bridge.toml",
            BridgeSettings(journal="sqlite:///journal.db", actor="tester", **given),
            settings,
        )
        registry = Registry([Review(), *observers])
        registry.manager.register(memory, name="memory")
        one = Bridge(config, registry, clock=clock, sleep=clock.sleep)
        opened.append(one)
        return one

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def bridge(open_bridge: Callable[..., Bridge]) -> Bridge:
    """One bridge over the world."""
    return open_bridge()
