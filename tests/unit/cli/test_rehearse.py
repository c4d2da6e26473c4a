"""A large plan is carried out once it was rehearsed, end to end over a simulator on loopback."""

import json

import pytest

from crm_bridge.cli.app import main
from crm_bridge.registry import Registry
from crm_bridge.simulator import serving, write_config


@pytest.fixture
def settings(tmp_path):
    """Settings of a simulated HubSpot that asks for a rehearsal above three records."""
    (simulator,) = [c for c in Registry().simulators(["hubspot"]) if c.vendor == "hubspot"]
    made = simulator(records=20, limits=False)
    path = tmp_path / "crm_bridge.toml"
    with serving(made) as url:
        write_config(path, [(made, url)])
        text = path.read_text()
        path.write_text(text.replace("[bridge]", "[bridge]\nrehearse_above = 3", 1))
        yield path


@pytest.fixture
def said(capfd, settings):
    """Runs a command; its code and its JSON lines."""

    def go(*words):
        capfd.readouterr()
        code = main(["--config", str(settings), "--json", *words])
        return code, [json.loads(line) for line in capfd.readouterr().out.splitlines()]

    return go


def test_a_large_plan_is_applied_after_its_rehearsal_and_not_before(said, tmp_path):
    _, found = said("find", "hub:company", "--limit", "5")
    plan, certificate = str(tmp_path / "left.plan"), tmp_path / "certificate.json"
    why = ("--reason", "left", "--code", "left", "--limit-share", "1")
    _, (made,) = said("plan", "void", *(r["ref"] for r in found), *why, "--out", plan)
    code, lines = said("apply", plan, "--yes")
    assert (code, lines[-1]["code"]) == (4, "not_rehearsed")
    code, lines = said("rehearse", plan, "--out", str(certificate))
    assert [line["type"] for line in lines][:2] == ["proof", "certificate"]
    proof, told = lines[0], lines[1]
    assert proof["crm"] == "hub"
    assert proof["records"] >= 5
    assert code == (0 if told["ok"] else 3)
    assert told["digest"] == made["digest"]
    assert json.loads(certificate.read_text()) == told
    code, lines = said("apply", plan, "--yes")
    assert code == 0
    assert lines[-1]["counts"]["done"] == 5
    code, lines = said("rehearse", str(tmp_path / "no.plan"))
    assert code == 2
