"""Our way, in a process of its own: plan, keep, run, verify; prints one JSON object.

With `--record FILE` every request is written down, to be sent again by a bare loop: `replay`.
"""

from __future__ import annotations

import argparse
import json
import resource
import threading
import time
from pathlib import Path
from typing import Any

from crm_bridge.bridge import Bridge


def recorded(place: Path) -> None:
    """Write down what goes over the wire, below every client: method, URL, headers, body."""
    from urllib3 import connectionpool

    lock, file = threading.Lock(), place.open("w")
    before = connectionpool.HTTPConnectionPool.urlopen

    def urlopen(
        self: Any,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        text = body.decode("latin-1") if isinstance(body, bytes) else body
        row = [method, url, dict(headers or {}), text]
        with lock:
            file.write(json.dumps(row) + "\n")
            file.flush()
        return before(self, method, url, body, headers, *args, **kwargs)

    connectionpool.HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign]


def main() -> None:
    """Run once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("crm")
    parser.add_argument("kind")
    parser.add_argument("operation")
    parser.add_argument("ids", type=Path)
    parser.add_argument("--record", type=Path)
    asked = parser.parse_args()
    if asked.record:
        recorded(asked.record)
    with Bridge.open(asked.config) as bridge:
        # As in the bare loop, what is imported is imported before; nothing is sent by either.
        bridge.runs()
        bridge.accounts.adapter(asked.crm)
        wall, cpu = time.monotonic(), time.process_time()
        plan = bridge.plan(
            asked.operation,
            asked.ids,
            kind=f"{asked.crm}:{asked.kind}",
            reason="bench",
            code="other",
            limit_records=None,
            limit_share=None,
        )
        planned = bridge.accounts.calls()
        receipt = bridge.apply(plan, confirm=plan.confirm)
        seconds, spent = time.monotonic() - wall, time.process_time() - cpu
        lanes = bridge.accounts.connected(asked.crm).profile.lanes
        journal = bridge.history.journal.path
    size = sum(p.stat().st_size for p in journal.parent.glob(f"{journal.name}*"))
    print(
        json.dumps(
            {
                "records": plan.counts.records,
                "done": receipt.counts["done"],  # type: ignore[index]
                "wall": seconds,
                "cpu": spent,
                "calls": planned + receipt.calls,
                "apply_calls": receipt.calls,
                "predicted": plan.counts.calls,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "journal_bytes": size,
                "lanes": lanes,
            }
        )
    )


if __name__ == "__main__":
    main()
