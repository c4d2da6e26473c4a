"""How much of what a vendor allows is used: `python -m tests.bench.rates [--seconds 60] [--rows FILE]`.

One process, then three on one org, ask for single records as fast as they may, with the vendor's limits
on. The simulator's own log tells how many requests came within whole windows, and how many it refused.
Salesforce documents no rate below its daily number of calls, so there is nothing to fill.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from crm_bridge.bridge import Bridge
from crm_bridge.model.plans import Batch
from crm_bridge.model.records import RecordRef
from tests.bench.stage import own, stage

CASES: Final = (
    ("hubspot", "contacts", 0.02, 100, 10.0),
    ("fxiaoke", "AccountObj", 0.02, 100, 20.0),
    ("zoho", "Leads", 0.2, 20, 0.2),
)
"""Vendor, kind, seconds a call, and so many calls in so many seconds; Zoho's 20 at one time (Enterprise)
are as many in the time of a call."""

RECORDS: Final = 300


def ask(config: str, crm: str, kind: str, ids: list[str], seconds: float) -> None:
    """One process: every lane reads one record after another until the time is over."""
    with Bridge.open(config) as bridge:
        connected = bridge.accounts.connected(crm)
        end = time.monotonic() + seconds

        def lane(number: int) -> None:
            turn = number
            while time.monotonic() < end:
                ref = RecordRef(crm, kind, ids[turn % len(ids)])
                list(connected.adapter.read(Batch(crm, kind, None, (ref,))))
                turn += 1

        lanes = connected.profile.lanes
        with ThreadPoolExecutor(lanes) as pool:
            list(pool.map(lane, range(lanes)))


def case(
    vendor: str,
    kind: str,
    latency: float,
    calls: int,
    window: float,
    processes: int,
    seconds: float,
) -> dict[str, Any]:
    """So many processes on one org, and what its log tells of them."""
    with tempfile.TemporaryDirectory(prefix="crm-bridge-rates.") as name:
        folder = Path(name)
        with stage(vendor, folder, records=RECORDS, latency=latency, limits=True) as place:
            place.seeded()
            words = [
                sys.executable,
                "-m",
                "tests.bench.rates",
                "--ask",
                str(place.config),
                place.crm,
            ]
            words += [kind, ",".join(place.ids(kind, 20)), str(seconds + 5)]
            began = len(place.log())
            running = [subprocess.Popen(words, env=own(folder)) for _ in range(processes)]
            ended = [one.wait() for one in running]
            log = place.log()[began:]
    if any(ended):
        raise RuntimeError(f"{vendor}: processes ended {ended}")
    at = [datetime.fromisoformat(row["at"]).timestamp() for row in log]
    # Whole windows, from when all processes were at work.
    begin = at[0] + 5
    whole = max(1, int(seconds / window)) * window
    made = sum(begin <= moment < begin + whole for moment in at)
    allowed = calls * whole / window
    return {
        "vendor": vendor,
        "processes": processes,
        "limit": f"{calls} at one time" if window < 1 else f"{calls} in {window:g} s",
        "seconds": whole,
        "allowed": round(allowed),
        "made": made,
        "share": made / allowed,
        "refused": sum(row["status"] == 429 for row in log),
    }


HEAD: Final = ("vendor", "processes", "limit", "seconds", "allowed", "made", "share", "429")


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    return [
        row["vendor"],
        str(row["processes"]),
        row["limit"],
        f"{row['seconds']:g}",
        f"{row['allowed']:,}",
        f"{row['made']:,}",
        f"{row['share']:.1%}",
        str(row["refused"]),
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    return "\n".join([*lines, *("| " + " | ".join(cells(row)) + " |" for row in rows)])


def main() -> None:
    """Run the cases and print them."""
    if sys.argv[1:2] == ["--ask"]:
        config, crm, kind, ids, seconds = sys.argv[2:]
        ask(config, crm, kind, ids.split(","), float(seconds))
        return
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rates", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--vendor", action="append", help="only this vendor")
    parser.add_argument("--rows", type=Path, help="keep the rows in a file, one JSON object a line")
    given = parser.parse_args()
    rows = []
    for vendor, *rest in CASES:
        if given.vendor and vendor not in given.vendor:
            continue
        for processes in (1, 3):
            rows.append(case(vendor, *rest, processes, given.seconds))
            print("  ".join(cells(rows[-1])), flush=True)
            if given.rows:
                with given.rows.open("a") as kept:
                    kept.write(json.dumps(rows[-1]) + "\n")


if __name__ == "__main__":
    main()
