"""A command loads the client of the vendor that it speaks to, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from crm_bridge.registry import Registry
from crm_bridge.simulator import serving
from crm_bridge.simulator.settings import write_config

OTHERS = {"simple_salesforce", "hubspot", "zcrmsdk"}
PLUGINS = {"crm_bridge_salesforce", "crm_bridge_hubspot", "crm_bridge_zoho"}
WORD = (
    "import sys; from crm_bridge.cli.app import main; rc = main(sys.argv[1:]); "
    "sys.stdout.flush(); print(*sorted({m.partition('.')[0] for m in sys.modules}), "
    "file=sys.stderr); raise SystemExit(rc)"
)


def run(folder: Path, *words: str) -> tuple[list[dict], set[str]]:
    told = subprocess.run(
        [sys.executable, "-c", WORD, *words, "--json", "--quiet"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    return lines, set(told.stderr.splitlines()[-1].split())


def test_a_void_in_fxiaoke_loads_no_other_vendors_client(tmp_path):
    (simulator,) = Registry().simulators(["fxiaoke"])
    running = simulator(records=30, limits=False)
    with serving(running) as url:
        write_config(tmp_path / "crm_bridge.toml", [(running, url)])
        lines, _ = run(tmp_path, "find", "fxk:LeadsObj", "--limit", "1")
        lines, loaded = run(
            tmp_path, "void", lines[0]["ref"], "--yes", "--reason", "left", "--code", "left"
        )
    assert lines[-1]["counts"]["done"] == 1
    assert "crm_bridge_fxiaoke" in loaded
    assert not loaded & (OTHERS | PLUGINS)
