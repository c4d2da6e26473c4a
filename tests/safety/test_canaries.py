"""Secrets and values planted beforehand are nowhere in what a run leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.safety.ground import PLAIN, WHY, Ground, Scene, Truth
from tests.safety.wire import KINDS

NOT_SECRET = {"vendor", "environment", "base_url", "pace"}
OURS = ("crm_bridge.toml", "crm_bridge.db", "xdg-cache")
"""Where secrets stand because somebody put them there, or by design: settings, tokens (0600)."""


@pytest.fixture(scope="module", params=tuple(PLAIN))
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    with Ground(request.param) as one:
        yield one


def secrets_of(ground: Ground) -> dict[str, str]:
    """Every secret in the settings, and every token that the vendor gave out."""
    from crm_bridge.adapter import Settings  # noqa: F401
    from crm_bridge.registry import adapter_class
    from crm_bridge.secrets import Secret

    cls = adapter_class(ground.vendor).settings
    table = ground.simulator.settings(ground.simulator.accounts[0], ground.wire.url)
    hints = {name: str(hint) for name, hint in cls.__annotations__.items()}
    found = {
        name: str(value)
        for name, value in table.items()
        if name not in NOT_SECRET and isinstance(value, str) and "Secret" in hints.get(name, "")
    }
    assert found, (ground.vendor, Secret)
    return found


def left_behind(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def values_of(truth: Truth, targets: list[str]) -> set[str]:
    """Values of the records that were taken, long enough to be nobody else's."""
    return {
        value
        for ref in targets
        for value in _texts(truth[ref.partition(":")[2]][1])
        if len(value) >= 12 and not value.startswith(("http", "20"))
    }


def _texts(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, str) and "id" not in name.lower() and "owner" not in name.lower():
            yield value


def test_nothing_of_it_is_in_what_a_run_left_behind(ground: Ground, tmp_path: Path) -> None:
    verb = "void" if ground.vendor == "fxiaoke" else "delete"
    scene = Scene(ground, verb)
    scene.prepare()
    words = scene.set_the_stage(tmp_path)
    truth = ground.truth()
    noisy = {"CRM_BRIDGE_TRACEBACK": "1", "PYTHONASYNCIODEBUG": "1", "CRM_BRIDGE_LOG": "debug"}
    for number, kind in enumerate((*KINDS[2:6], "")):
        ground.wire.begin(3 + 2 * number, kind)
        ground.run(tmp_path, *(words if not number else ("doctor",)), env=noisy)
    ground.wire.begin()
    ground.run(tmp_path, "runs", env=noisy)
    ground.run(tmp_path, verb, "nowhere:X/1", *WHY, env=noisy)
    secrets, values = secrets_of(ground), values_of(truth, scene.targets)
    tokens = _tokens(tmp_path)
    for path, data in left_behind(tmp_path):
        where = path.relative_to(tmp_path).parts[0]
        if where != "crm_bridge.toml" and where != "xdg-cache":
            for name, secret in secrets.items():
                assert secret.encode() not in data, (path.name, name)
            for token in tokens:
                assert token.encode() not in data, (path.name, "a token")
        if not where.startswith(OURS):
            for value in values:
                assert value.encode() not in data, (path.name, value)
        if where == "xdg-cache" and path.suffix == ".json":
            assert path.stat().st_mode & 0o077 == 0


def _tokens(folder: Path) -> set[str]:
    import json

    found: set[str] = set()
    for path in (folder / "xdg-cache").rglob("*.json"):
        found |= {
            v
            for v in json.loads(path.read_text()).values()
            if isinstance(v, str) and len(v) > 16 and "://" not in v
        }
    return found


def test_a_process_with_secrets_leaves_no_core(ground: Ground, tmp_path: Path) -> None:
    ground.settings(tmp_path)
    limits: list[str] = []

    def look(_: int) -> None:
        limits.append(Path(f"/proc/{ground.wire.victim}/limits").read_text())

    ground.wire.begin()
    pid, stem = ground.nursery.start(tmp_path, "--json", "doctor", ground.crm)
    ground.wire.victim, ground.wire.on_request = pid, look
    ground.nursery.wait(tmp_path, pid, stem)
    ground.wire.on_request = None
    (line,) = [line for line in limits[-1].splitlines() if line.startswith("Max core file size")]
    assert line.split()[4] == "0"
