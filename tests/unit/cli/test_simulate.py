"""`crm-bridge simulator`, as a program starts and stops it."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

from crm_bridge import config

VENDOR = "fxiaoke"


@contextmanager
def started(*words, cwd):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "crm_bridge",
            "simulator",
            "--vendor",
            VENDOR,
            "--records",
            "20",
            "--json",
            *words,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )
    lines = []
    try:
        for text in process.stdout:
            lines.append(json.loads(text))
            if lines[-1]["type"] == "ready":
                break
        yield process, lines
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_it_writes_settings_that_fit_then_says_ready_and_stops_cleanly(tmp_path):
    path = tmp_path / "c.toml"
    with started("--write-config", str(path), cwd=tmp_path) as (process, lines):
        assert [line["type"] for line in lines] == ["simulator", "simulator", "ready"]
        first, second, _ = lines
        assert first["url"] == second["url"]
        assert second["crm"] == f"{first['crm']}2"
        found = config.load(path)
        assert set(found.crms) == {first["crm"], second["crm"]}
        assert found.bridge.journal == "sqlite:///crm_bridge.db"
        assert "pace" not in found.crms[first["crm"]]
        with urllib.request.urlopen(f"{first['url']}/__control__/state") as answer:
            assert json.load(answer)["crm"] == first["crm"]
        assert [p.name for p in tmp_path.iterdir()] == ["c.toml"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_without_limits_the_settings_take_the_pace_off(tmp_path):
    path = tmp_path / "c.toml"
    with started("--write-config", str(path), "--no-limits", cwd=tmp_path) as (_, lines):
        assert config.load(path).crms[lines[0]["crm"]]["pace"] == "off"


def test_a_port_that_is_taken_is_one_line(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = run("simulator", "--vendor", VENDOR, "--port", str(taken.getsockname()[1]))
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "--port" in ran.err


def test_a_place_for_settings_that_cannot_be_is_refused_before_the_start(run, tmp_path):
    assert run("simulator", "--vendor", VENDOR, "--write-config", f"{tmp_path}/no/c.toml").code == 2


def test_a_vendor_that_is_not_there_is_told_the_nearest(run):
    ran = run("simulator", "--vendor", "fxiaok")
    assert ran.code == 2
    assert "'fxiaoke'" in ran.err
