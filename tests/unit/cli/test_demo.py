"""The demo, as a newcomer runs it."""

import json
import subprocess
import sys

from crm_bridge import registry


def test_the_demo_proves_every_installed_vendor(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "crm_bridge", "demo", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    proofs = [line for line in lines if line["type"] == "proof"]
    assert len(proofs) == len(registry.Registry().vendors(ours_only=True))
    for proof in proofs:
        assert proof["records"] > 100
        assert proof["equal"] > 0.9 * proof["records"]
        assert all(each["named"] for each in proof["different"])
        told = [line for line in lines if line["type"] == "receipt"]
        assert {"void", "archive", "delete", "restore"} <= {line["operation"] for line in told}
        assert all(line["counts"]["unknown"] == 0 for line in told)
    assert not list(tmp_path.iterdir())
