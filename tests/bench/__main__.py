"""One command for all figures: `python -m tests.bench [--quick] [--json] [--write]`.

For each vendor: ours beside (a) a loop over the vendor's client, one record a call, (b) the client's
own batch calls, (c) a bare `requests` loop that sends exactly our calls with as many threads. Simulators
make all their records before a clock starts, as a vendor has them. Wall,
CPU and memory are of whole processes; (a) and (b) are samples that are scaled to the same number of
records, one after the other, as people write them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.rates import table as rate_table
from tests.bench.stage import Stage, own, stage

CASES = (
    ("salesforce", "Lead", "delete", 10_000, False, ""),
    ("salesforce", "Lead", "delete", 10_000, False, "bulk_above = 20000"),
    ("hubspot", "contacts", "delete", 10_000, False, ""),
    ("zoho", "Leads", "delete", 10_000, False, ""),
    ("fxiaoke", "AccountObj", "void", 500, True, ""),
)
"""Vendor, kind, operation, records, whether the vendor's limits are on, and a line of settings."""

LATENCIES = (0.02, 0.2)
"""Seconds a call; real batch calls take 0.2 to 2."""


def child(module: str, folder: Path, *words: Any) -> dict[str, Any]:
    """Run a module in a process of its own, and read what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        env=own(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} ended {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ids_file(place: Stage, folder: Path, kind: str, count: int) -> Path:
    """A file of ids for `--from`."""
    path = folder / "ids.csv"
    path.write_text("id\n" + "\n".join(place.ids(kind, count)) + "\n")
    return path


def case(
    folder: Path,
    vendor: str,
    kind: str,
    operation: str,
    records: int,
    limits: bool,
    settings: str,
    latency: float,
) -> dict[str, Any]:
    """All ways of one vendor at one latency, each on a fresh simulator."""
    size = records + records // 5
    row: dict[str, Any] = {
        "vendor": vendor,
        "operation": operation,
        "kind": kind,
        "records": records,
        "latency": latency,
        "limits": limits,
        "settings": settings,
    }
    calls = folder / "calls.jsonl"

    def fresh(name: str, seconds: float = latency) -> Any:
        return stage(
            vendor,
            folder / name,
            records=size,
            latency=seconds,
            limits=limits,
            settings=settings,
        )

    with fresh("record", 0.0) as place:
        ids = ids_file(place, folder, kind, records)
        told = child(
            "tests.bench.ours",
            folder / "record",
            place.config,
            place.crm,
            kind,
            operation,
            ids,
            "--record",
            calls,
        )
    with fresh("ours") as place:
        place.seeded()
        row["ours"] = child(
            "tests.bench.ours", folder / "ours", place.config, place.crm, kind, operation, ids
        )
    with fresh("replay") as place:
        place.seeded()
        row["bare"] = child(
            "tests.bench.replay",
            folder / "replay",
            place.config,
            place.crm,
            place.url,
            calls,
            told["lanes"],
        )
    with fresh("clients") as place:
        place.seeded()
        row["clients"] = child(
            "tests.bench.clients", folder / "clients", place.config, place.crm, kind, ids, records
        )
    ours, bare, clients = row["ours"], row["bare"], row["clients"]
    row["ratios"] = {
        "wall_to_bare": ours["wall"] / bare["wall"],
        "one_by_one_to_wall": clients["one_by_one"] / ours["wall"],
        "batch_to_wall": clients["batch"] / ours["wall"],
        "cpu_us_a_record": ours["cpu"] / records * 1e6,
        "bare_cpu_us_a_record": bare["cpu"] / records * 1e6,
        "cpu_to_bare": ours["cpu"] / bare["cpu"],
        "own_cpu_to_bare": (ours["cpu"] - bare["cpu"]) / bare["cpu"],
        "journal_bytes_a_record": ours["journal_bytes"] / records,
        "predicted_to_real": ours["predicted"] / ours["apply_calls"],
    }
    return row


HEAD = (
    "vendor",
    "verb",
    "records",
    "ms a call",
    "calls",
    "ours s",
    "(c) bare s",
    "ours/(c)",
    "(a)/ours",
    "(b)/ours",
    "CPU µs/record",
    "(c) CPU µs",
    "CPU/(c)",
    "own CPU/(c)",
    "peak MB",
    "journal B/record",
    "predicted/real",
)


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    ours, ratios = row["ours"], row["ratios"]
    return [
        row["vendor"],
        f"{row['operation']}, {row['settings']}" if row["settings"] else row["operation"],
        f"{row['records']:,}",
        f"{row['latency'] * 1000:g}",
        f"{ours['calls']:,}",
        f"{ours['wall']:.1f}",
        f"{row['bare']['wall']:.1f}",
        f"{ratios['wall_to_bare']:.2f}",
        f"{ratios['one_by_one_to_wall']:.1f}",
        f"{ratios['batch_to_wall']:.1f}",
        f"{ratios['cpu_us_a_record']:.0f}",
        f"{ratios['bare_cpu_us_a_record']:.0f}",
        f"{ratios['cpu_to_bare']:.2f}",
        f"{ratios['own_cpu_to_bare']:.2f}",
        f"{ours['peak_mb']:.0f}",
        f"{ratios['journal_bytes_a_record']:.0f}",
        f"{ratios['predicted_to_real']:.2f}",
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def machine() -> str:
    """What it ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    )


PAGE = """# Figures

Made by `python -m tests.bench --write`; not timed in tests. Machine: {machine}. Simulators run on the
same machine, each in a process of its own, so their own CPU is in every wall time.

{table}

- *ours*: plan, keep, run and verify, journal and snapshots included. *(c)*: a bare `requests` loop that
  sends exactly our calls, recorded before, with as many threads. *(a)*: a loop over the vendor's client,
  one record a call; *(b)*: the client's own batch calls; both are samples, scaled, without plan,
  snapshot, journal or verification.
- CPU is of the whole process from its first call on, the vendor's client included, as for the bare loop:
  imports are left out of both; *(c) CPU* is the bare loop's for the same calls,
  *CPU/(c)* all that our process takes over it. *own CPU/(c)* is what the core and the adapter take
  by themselves: ours without as much as the client's own work takes in the bare loop, over that.
- The core alone, vendor client left out, in memory with 40 fields a record: {core}.
- `bulk_above = 20000`: Salesforce by collections of 200 records instead of one Bulk job. The job has
  fewer calls, and its six steps wait for each other, where the bare loop makes them at once.
- *predicted/real*: calls that the plan prints for applying it, over those that the receipt counts.
{rates}
Not measured here: real vendors, TLS, other machines, Python other than the one named, verbs and kinds
other than those in the table; FxiaoKe at 200 ms, where its limits bound both ways as they do at 20.
"""

RATES = """
Rates, by `python -m tests.bench.rates`: single records asked for as fast as may be, with limits on, by
one process and by three on one org; what arrived within whole windows, and what was refused as too much.

{table}
"""


def main() -> None:
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the records")
    parser.add_argument("--vendor", action="append", help="only this vendor")
    parser.add_argument("--latency", type=float, action="append", help="seconds a call")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--write", action="store_true", help="write tests/bench/RESULTS.md")
    parser.add_argument(
        "--rows", type=Path, help="keep rows in a file, and show those in it as well"
    )
    parser.add_argument("--rates", type=Path, help="rows of `python -m tests.bench.rates` to show")
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if asked.rows and asked.rows.exists():
        rows = [json.loads(line) for line in asked.rows.read_text().splitlines()]
    with tempfile.TemporaryDirectory(prefix="crm-bridge-bench.") as name:
        for vendor, kind, operation, records, limits, settings in CASES:
            if asked.vendor and vendor not in asked.vendor:
                continue
            for latency in asked.latency or LATENCIES:
                if limits and latency != LATENCIES[0] and not asked.latency:
                    continue
                count = records // 10 if asked.quick else records
                folder = Path(name) / f"{vendor}-{latency}-{settings}".rstrip("-")
                row = case(folder, vendor, kind, operation, count, limits, settings, latency)
                rows.append(row)
                if asked.rows:
                    with asked.rows.open("a") as kept:
                        kept.write(json.dumps(row) + "\n")
                print(json.dumps(row) if asked.json else "  ".join(cells(row)), flush=True)
        core = child("tests.bench.core", Path(name), 2000 if asked.quick else 20_000)
    told = (
        f"{core['us_a_record']:.0f} µs of CPU a record (plan {core['plan_us']:.0f}, apply "
        f"{core['apply_us']:.0f}), {core['journal_bytes']:.0f} bytes of journal, peak "
        f"{core['peak_mb']:.0f} MB at {core['records']:,} records"
    )
    if asked.json:
        print(json.dumps({"core": core}))
    else:
        print(table(rows))
        print(told)
    if asked.write:
        rates = ""
        if asked.rates:
            kept = [json.loads(line) for line in asked.rates.read_text().splitlines()]
            rates = RATES.format(table=rate_table(kept))
        page = PAGE.format(machine=machine(), table=table(rows), core=told, rates=rates)
        (Path(__file__).parent / "RESULTS.md").write_text(page)


if __name__ == "__main__":
    main()
