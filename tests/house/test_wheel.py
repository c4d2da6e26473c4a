"""The wheel holds four plugins with all their files, and works outside the tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ("salesforce", "hubspot", "zoho", "fxiaoke")
FOLDERS = {"crm_bridge": ROOT / "crm_bridge"} | {
    f"crm_bridge_{name}": ROOT / "plugins" / f"crm_bridge_{name}" for name in PLUGINS
}
WORD = (
    "import sys, crm_bridge; assert crm_bridge.__file__.startswith(sys.argv[1]); "
    "from crm_bridge.cli.app import main; raise SystemExit(main(sys.argv[2:]))"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run(site: Path, *words: str) -> list[dict[str, object]]:
    told = subprocess.run(
        [sys.executable, "-c", WORD, str(site), *words, "--json"],
        cwd=site.parent, env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_it_holds_every_file_of_the_packages_and_no_other(wheel):
    held = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    here = {
        f"{package}/{path.relative_to(folder)}"
        for package, folder in FOLDERS.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == here
    assert {"crm_bridge/py.typed", "crm_bridge/report/page.html.j2",
            "crm_bridge_salesforce/simulator_describes.json"} <= held  # fmt: skip


def test_it_finds_its_plugins_outside_the_tree(site):
    assert {line["vendor"] for line in run(site, "plugins")} == set(PLUGINS)


def test_it_tells_what_each_vendor_can_do_outside_the_tree(site):
    assert {line["vendor"] for line in run(site, "matrix")} == set(PLUGINS)
