"""A vendor to bench against: its simulator in a process of its own, with a latency, limits on or off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stage:
    """A running simulator.

    Attributes:
        vendor: Its vendor.
        crm: Its first account.
        url: Where it answers.
        config: The settings that fit it.
    """

    vendor: str
    crm: str
    url: str
    config: Path

    def ids(self, kind: str, count: int) -> list[str]:
        """Ids of live records that nobody locked, by the simulator's own truth."""
        with urllib.request.urlopen(
            f"{self.url}/__control__/records?kind={kind}&state=live&crm={self.crm}", timeout=300
        ) as answer:
            rows = [json.loads(line) for line in answer]
        found = [row["id"] for row in rows if not row["locked"]]
        if len(found) < count:
            raise ValueError(f"{self.vendor} has {len(found)} {kind}, and {count} are needed")
        return found[:count]

    def seeded(self) -> int:
        """Have the simulator make all its records now; it would make those of a kind when asked first.

        Returns:
            How many there are.
        """
        address = f"{self.url}/__control__/records?crm={self.crm}"
        with urllib.request.urlopen(address, timeout=300) as answer:
            return sum(1 for _ in answer)

    def control(self, route: str, body: dict[str, Any]) -> None:
        """Ask something of the control routes."""
        request = urllib.request.Request(
            f"{self.url}/__control__/{route}?crm={self.crm}",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=300).close()

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """The requests that arrived after the one with this number."""
        with urllib.request.urlopen(
            f"{self.url}/__control__/log?since={since}&crm={self.crm}", timeout=300
        ) as answer:
            return [json.loads(line) for line in answer]


@contextmanager
def stage(
    vendor: str,
    folder: Path,
    *,
    records: int,
    latency: float,
    limits: bool,
    seed: int = 7,
    settings: str = "",
) -> Iterator[Stage]:
    """Run a simulator until the block ends.

    Args:
        vendor: Whose.
        folder: Where its settings and all that is kept lie.
        records: How many of the main kind.
        latency: Seconds a call.
        limits: Whether the vendor's limits are on.
        seed: What the records are made from.
        settings: A line for the settings of the account, beside those that the simulator writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "crm_bridge.toml"
    words = [
        sys.executable,
        "-m",
        "crm_bridge",
        "--json",
        "simulator",
        "--vendor",
        vendor,
        "--seed",
        str(seed),
        "--records",
        str(records),
        "--latency",
        str(latency),
        "--write-config",
        str(config),
    ]
    words += [] if limits else ["--no-limits"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=own(folder))
    try:
        crm = url = ""
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            if told["type"] == "ready":
                break
            if told["type"] == "simulator" and not crm:
                crm, url = told["crm"], told["url"]
        if settings:
            head = f"[crms.{crm}]\n"
            text = config.read_text()
            if head not in text:
                raise ValueError(f"{config} has no line {head.strip()}")
            config.write_text(text.replace(head, f"{head}{settings}\n"))
        yield Stage(vendor, crm, url, config)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def own(folder: Path) -> dict[str, str]:
    """An environment whose locks, tokens, paces and journals lie in a folder of the bench."""
    names = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
    own = {**os.environ, **dict.fromkeys(names, str(folder))}
    # Every process of the bench would compile what it imports anew, and time that.
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return own
