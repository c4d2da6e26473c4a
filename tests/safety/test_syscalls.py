"""What the kernel saw: everything that a send rests on was synced before it left."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.safety.ground import Ground, Scene

_SEND = re.compile(r'(?:sendto|write)\(\d+<TCP[^\]]*\]>, "POST ([^ ?]+)')
_WAL = re.compile(r"(pwrite64|write|fdatasync|fsync)\(\d+<[^>]*crm_bridge\.db(-wal|\.head[^>]*)?>")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_send_leaves_while_the_journal_is_unsynced(tmp_path: Path) -> None:
    with Ground("fxiaoke") as ground:
        # One record: with more, an outcome may be written while another lane sends.
        scene = Scene(ground, "void", 1)
        words = scene.set_the_stage(tmp_path)
        env = {
            **os.environ,
            **{f"XDG_{n}_HOME": str(tmp_path / n) for n in ("STATE", "CACHE", "DATA", "CONFIG")},
        }
        trace = tmp_path / "trace"
        done = subprocess.run(
            [
                "strace",
                "-f",
                "-yy",
                "-s",
                "120",
                "-o",
                str(trace),
                "-e",
                "trace=pwrite64,write,fdatasync,fsync,sendto",
                sys.executable,
                "-m",
                "crm_bridge",
                "--json",
                *words,
            ],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            check=False,
            timeout=120,
        )
        if b"ptrace" in done.stderr and done.returncode:
            pytest.skip("this machine lets nobody trace")
        assert done.returncode == 0, done.stderr
        writes = {line["path"] for line in ground.log() if line["write"]}
    unsynced, sends, syncs = 0, 0, 0
    for line in trace.read_text(errors="replace").splitlines():
        if found := _WAL.search(line):
            if found[1] in ("fdatasync", "fsync"):
                syncs, unsynced = syncs + 1, 0
            elif found[2] == "-wal":
                unsynced += 1
        elif (found := _SEND.search(line)) and found[1] in writes:
            sends += 1
            assert unsynced == 0, line
    assert sends == 1
    assert syncs >= 3
