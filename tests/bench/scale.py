"""A million records through plan, delete, a death, resume and restore; prints one JSON object a stage.

    python -m tests.bench.scale 1000000 --die-at 600000

The CRM makes its records on the fly and keeps a byte for each in a file, so that it outlives the death;
every stage is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any, Final, Self

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config
from crm_bridge.engine.review import Review
from crm_bridge.kit import Batch, Gate, Outcome, Record, RecordRef, State, done, hookimpl
from crm_bridge.registry import Registry
from tests.bench.core import Instant

FIRST: Final = 1_000_000
"""The first id."""


class Lasting(Instant):
    """The CRM of `core`, with a byte a record in a file.

    Attributes:
        die_at: Deletes after which the process is killed; None for never.
        first_call: When the first write was made, by the monotonic clock.
    """

    place: Path
    die_at: int | None = None
    first_call: float | None = None

    @classmethod
    def connect(cls, crm: str, settings: Any, gate: Gate) -> Self:
        """Open the file."""
        self = super().connect(crm, settings, gate)
        with cls.place.open("r+b") as file:
            self.away = mmap.mmap(file.fileno(), 0)
        self.deleted = 0
        return self

    def _record(self, ref: RecordRef) -> Record:
        record = super()._record(ref)
        away = self.away[int(ref.id) - FIRST]
        state = State.DELETED if away else State.LIVE
        return Record(ref, state, record.fields, (), record.changed_at)

    def _mark(self, batch: Batch, value: int) -> list[Outcome]:
        cls = type(self)

        def send() -> None:
            if cls.first_call is None:
                cls.first_call = time.monotonic()
            for id_ in batch.ids:
                self.away[int(id_) - FIRST] = value
            with self.lock:
                self.deleted += len(batch.ids)
                dying = cls.die_at is not None and self.deleted >= cls.die_at
            if dying:
                os.kill(os.getpid(), signal.SIGKILL)

        self.gate.tell(batch, send)
        return [done(ref) for ref in batch]

    def delete(self, batch: Batch) -> list[Outcome]:
        """Away."""
        return self._mark(batch, 1)

    def restore(self, batch: Batch) -> list[Outcome]:
        """And back."""
        return self._mark(batch, 0)


def opened(folder: Path) -> Bridge:
    """A bridge in a folder that outlives the process."""
    Lasting.place = folder / "away"
    plugin = types.ModuleType("instant")
    plugin.provide_adapters = hookimpl(lambda: [Lasting])  # type: ignore[attr-defined]
    registry = Registry([Review()])
    registry.manager.register(plugin, name="instant")
    crms = {"i": {"vendor": "instant", "environment": "simulator"}}
    settings = BridgeSettings(journal="sqlite:///j.db", settle="0s", plan_max_age="24h")
    return Bridge(Config(folder / "c.toml", settings, crms), registry)


def stage(folder: Path, name: str, records: int, die_at: int | None) -> None:
    """One stage, in this process."""
    Lasting.die_at = die_at
    with opened(folder) as bridge:
        began, cpu = time.monotonic(), time.process_time()
        told: dict[str, Any] = {"stage": name, "records": records}
        free: dict[str, Any] = {"limit_records": None, "limit_share": None}
        if name == "plan":
            words = (f"i:Contact/{FIRST + n}" for n in range(records))
            plan = bridge.plan("delete", words, reason="bench", code="other", **free)
            bridge.save_plan(plan, folder / "plan.jsonl")
        elif name == "apply":
            receipt = bridge.apply(folder / "plan.jsonl")
            told["done"] = receipt.counts["done"]  # type: ignore[index]
        elif name == "resume":
            (run,) = [info.run for info in bridge.runs() if info.operation.value == "delete"]
            receipt = bridge.resume(run)
            told["done"] = receipt.counts["done"]  # type: ignore[index]
        else:
            (run,) = [info.run for info in bridge.runs() if info.operation.value == "delete"]
            plan = bridge.plan("restore", run, reason="bench", code="other", **free)
            receipt = bridge.apply(plan)
            told["done"] = receipt.counts["done"]  # type: ignore[index]
        first = Lasting.first_call
        told |= {
            "seconds": round(time.monotonic() - began, 1),
            "cpu_us_a_record": round((time.process_time() - cpu) / records * 1e6, 1),
            "first_write_after": None if first is None else round(first - began, 2),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "journal_mb": round(sum(p.stat().st_size for p in folder.glob("j.db*")) / 2**20),
        }
    print(json.dumps(told), flush=True)


def main() -> None:
    """All stages, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("records", type=int)
    parser.add_argument("--die-at", type=int)
    parser.add_argument("--stage")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.stage:
        stage(asked.folder, asked.stage, asked.records, asked.die_at)
        return
    with tempfile.TemporaryDirectory(prefix="crm-bridge-scale.") as name:
        folder = Path(name)
        (folder / "away").write_bytes(bytes(asked.records))
        names = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        env = {**os.environ, **dict.fromkeys(names, name)}
        for one in ("plan", "apply", *(["resume"] if asked.die_at else []), "restore"):
            words = [sys.executable, "-m", "tests.bench.scale", str(asked.records), "--stage", one]
            words += ["--folder", name]
            if one == "apply" and asked.die_at:
                words += ["--die-at", str(asked.die_at)]
            ended = subprocess.run(words, env=env, check=False).returncode
            if one == "apply" and asked.die_at:
                assert ended == -signal.SIGKILL, ended
                print(json.dumps({"stage": "apply", "killed_at": asked.die_at}), flush=True)
            elif ended:
                raise SystemExit(f"{one} ended {ended}")


if __name__ == "__main__":
    main()
