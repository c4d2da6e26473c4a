"""Zoho CRM through the installed `crm-bridge`: what a script sees, and what a person does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from crm_bridge.simulator import serving
from crm_bridge_zoho.simulator import ZohoSimulator
from tests.journeys.zoho_records import unheld

PROGRAM = Path(sys.executable).with_name("crm-bridge")
WHY = ("--reason", "no activity since 2022", "--code", "stale", "--limit-share", "1")


@dataclass
class Shell:
    """A folder with settings, in which `crm-bridge` is called as a script calls it."""

    simulator: ZohoSimulator
    url: str
    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAM), *words],
            cwd=self.folder,
            env={**os.environ, "XDG_STATE_HOME": str(self.folder), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def lines(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """The JSON lines of a command that ends so."""
        done = self.run("--json", *words)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        trouble = [p["message"] for p in map(_problem, told) if p and p["code"] != "set_by_vendor"]
        assert done.returncode == code, f"{trouble} {done.stderr}"
        return told

    def control(self, name: str, body: dict[str, Any]) -> None:
        request = Request(f"{self.url}/__control__/{name}?crm=zoho", json.dumps(body).encode())
        urlopen(request).close()

    def plain(self, kind: str, count: int) -> list[str]:
        """Ids of live records that nothing holds."""
        return unheld(self.simulator.accounts[0].store, kind, count)

    def states(self, kind: str, ids: Sequence[str]) -> Counter[str]:
        store = self.simulator.accounts[0].store
        return Counter(store.get(kind, id).state for id in ids)

    def ties(self) -> set[tuple[str, str]]:
        """Contacts and the accounts to which their multi-select lookup leads."""
        rows = self.simulator.accounts[0].store.of("Contacts_X_Accounts", "live")
        return {(r.fields["Partner_Contacts"], r.fields["Partner_Accounts"]) for r in rows}

    def troubled(self) -> list[str]:
        """A hundred leads: 7 locked, 3 deleted before, 2 that wait for an approval, 1 forbidden."""
        ids = self.plain("Leads", 100)
        for act, some, more in (
            ("lock", ids[:7], {}),
            ("delete", ids[7:10], {}),
            ("require_approval", ids[10:12], {}),
            ("revoke", ids[12:13], {"right": "delete"}),
        ):
            self.control("ui", {"act": act, "kind": "Leads", "ids": some, "fields": more})
        (self.folder / "ids.csv").write_text("id\n" + "\n".join(ids) + "\n")
        return ids


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    simulator = ZohoSimulator(records=160, limits=False)
    with serving(simulator) as url:
        told = {**simulator.settings(simulator.accounts[0], url), "pace": "off"}
        rows = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
        own = ["[bridge]", 'journal = "sqlite:///journal.db"', 'actor = "tester"', 'settle = "2s"']
        (tmp_path / "crm_bridge.toml").write_text("\n".join([*own, "[crms.zoho]", *rows]) + "\n")
        yield Shell(simulator, url, tmp_path)


def test_a_script_reads_which_of_a_hundred_were_held_and_ends_three(shell: Shell) -> None:
    ids = shell.troubled()
    words = ("delete", "zoho:Leads", "--from", "ids.csv", *WHY, "--yes")
    plan, *outcomes, receipt = shell.lines(*words, code=3)
    assert (plan["type"], receipt["type"], len(outcomes)) == ("plan", "receipt", 100)
    told = Counter((one["verdict"], one["problem"] and one["problem"]["code"]) for one in outcomes)
    assert told.pop(("already", None), 0) == 3
    assert told == {
        ("done", None): 87, ("skipped", "locked"): 7, ("skipped", "blocked"): 2,
        ("failed", "rights"): 1,
    }  # fmt: skip
    assert {one["ref"] for one in outcomes} == {f"zoho:Leads/{id}" for id in ids}
    counted = Counter(one["verdict"] for one in outcomes)
    assert receipt["counts"] == {
        "done": 87, "already": 3, "pending": 0, "by_hand": 0, "failed": 1, "unknown": 0,
        "skipped": 9,
    }  # fmt: skip
    assert counted == {verdict: n for verdict, n in receipt["counts"].items() if n}
    assert sum(receipt["counts"].values()) == 100
    assert shell.states("Leads", ids) == {"deleted": 90, "live": 10}


def test_a_person_reads_the_same_and_the_receipt_adds_up(shell: Shell) -> None:
    shell.troubled()
    done = shell.run("delete", "zoho:Leads", "--from", "ids.csv", *WHY, "--yes")
    assert done.returncode == 3, done.stderr
    told = done.stdout + done.stderr
    for words in ("87 done", "3 already", "9 skipped", "1 failed", "locked", "blocked", "rights"):
        assert words in told, told


def test_after_sixty_one_days_the_window_is_over_and_a_remake_maps_ids_and_names_what_differs(
    shell: Shell,
) -> None:
    ids = shell.plain("Accounts", 6)
    words = ("delete", *(f"zoho:Accounts/{id}" for id in ids), *WHY, "--yes")
    run = shell.lines(*words)[-1]["run"]
    shell.control("clock", {"advance": "61d"})
    why = ("--reason", "a mistake", "--code", "wrong")
    over = shell.lines("restore", run, *why, "--yes", code=4)
    plan, error = over
    assert plan["counts"]["settled"] == 6
    assert [one["code"] for one in plan["findings"] if one["severity"] == "error"] == ["window"]
    assert (error["type"], error["code"]) == ("error", "window")
    assert "--remake" in error["detail"]
    assert shell.states("Accounts", ids) == {"gone": 6}
    ties = shell.ties()
    # Files are lost, and the plan of the delete said so: that is no failure.
    made = shell.lines("restore", run, "--remake", *why, "--yes")
    outcomes = [one for one in made if one["type"] == "outcome"]
    new = {one["ref"]: one["new_ref"] for one in outcomes}
    assert set(new) == {f"zoho:Accounts/{id}" for id in ids}
    assert len(set(new.values())) == 6
    assert shell.states("Accounts", [ref.rpartition("/")[2] for ref in new.values()]) == {"live": 6}
    assert all(one["details"]["not_set"] for one in outcomes)
    # Whoever was tied to an account that was made anew is tied to the new one.
    moved = {(who, new[f"zoho:Accounts/{id}"].rpartition("/")[2]) for who, id in ties if id in ids}
    assert moved
    assert moved <= shell.ties()
    told = " ".join(one["problem"]["message"] for one in outcomes if one["problem"])
    assert "Attachments" in told
    assert "nothing makes it anew" in told
    assert "Contacts_X_Accounts" not in told
    again = shell.run("show", made[-1]["run"])
    assert all(ref in again.stdout for ref in new.values()), again.stdout


def test_explain_names_what_zoho_refuses_a_delete_for_and_what_it_leaves_unsaid(
    shell: Shell,
) -> None:
    told = shell.run("explain", "zoho", "Accounts", "delete").stdout
    blocks = told.partition("what blocks")[2].partition("what only loses")[0]
    for code in ("RECORD_LOCKED", "NOT_APPROVED", "NO_PERMISSION"):
        assert code in blocks
    assert "nothing that is known" not in blocks
    assert "Contacts by Account_Name (may; the vendor does not say)" in told
    rows = shell.lines("explain", "zoho", "Accounts", "delete")
    assert any(row["type"] == "capability" and row["refuses"] for row in rows)


def _problem(line: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] | None = line.get("problem")
    return found
