"""A stranger's adapter in one file, as `plugins/README.md` tells it, joins by the public door."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import crm_bridge

EXAMPLE = Path(__file__).parent / "third_party_example"
SHOWN = ("crm_bridge_acme.py", "crm_bridge_acme_simulator.py", "test_acme.py", "pyproject.toml")
HOUSE = Path(crm_bridge.__file__).parents[1]
README = Path(__file__).parents[2] / "plugins" / "README.md"

LOOK = """
import sys
from crm_bridge import config, registry

settings = config.load("crm_bridge.toml")
lines = [line for line in registry.plugins() if line.vendor == "acme"]
assert [(line.name, line.version) for line in lines] == [("crm-bridge-acme", "0.1.0")], lines
assert "crm_bridge_acme" not in sys.modules, "installed is not named: nothing of it may run yet"
vendor = settings.crm("acme-test")["vendor"]
adapter = registry.adapter_class(vendor)
typed = settings.typed("acme-test", adapter.settings)
assert adapter.__name__ == "Acme", adapter
assert typed.token.reveal() == "s3cret", typed
print("found", adapter.__module__)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example installed as pip would: its modules, and a dist-info with the entry point."""
    site = tmp_path / "site"
    site.mkdir()
    for name in SHOWN:
        if name.startswith("crm_bridge"):
            shutil.copy(EXAMPLE / name, site)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = site / f"crm_bridge_acme-{project['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in table.items())
        for group, table in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(points)
    return site


def run(site: Path, *command: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(site), str(HOUSE)])
    return subprocess.run(
        [sys.executable, *command],
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_it_is_found_once_the_settings_name_its_vendor(site: Path) -> None:
    (site.parent / "crm_bridge.toml").write_text(
        '[crms.acme-test]\nvendor = "acme"\nbase_url = "https://acme.example"\ntoken = "s3cret"\n'
    )
    told = run(site, "-c", LOOK)
    assert told.stdout == "found crm_bridge_acme\n", told.stderr


def test_it_keeps_every_promise(site: Path) -> None:
    shutil.copy(EXAMPLE / "test_acme.py", site.parent)
    told = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py")
    assert told.returncode == 0, told.stdout + told.stderr
    assert " passed" in told.stdout


@pytest.mark.parametrize("name", SHOWN)
def test_the_tutorial_shows_it_as_it_is(name: str) -> None:
    assert (EXAMPLE / name).read_text().strip() in README.read_text()
