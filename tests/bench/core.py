"""The core alone: an adapter that answers at once, with contacts of 40 fields; prints one JSON object."""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import threading
import time
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config
from crm_bridge.engine.review import Review
from crm_bridge.kit import (
    Account,
    Adapter,
    Batch,
    Capability,
    Gate,
    Operation,
    Outcome,
    Profile,
    Record,
    RecordRef,
    RecoveryWindow,
    Settings,
    State,
    Support,
    Undo,
    done,
    hookimpl,
)
from crm_bridge.registry import Registry

_FACTS: dict[str, Any] = {
    "batch": 200,
    "source": "tests/bench/core.py",
    "checked": date(2026, 11, 24),
}
_WORDS = (
    "Open",
    "Closed",
    "Prospect",
    "Banking",
    "北京",
    "Customer - Direct",
    "no answer since May",
)


class Instant(Adapter):
    """A CRM that costs nothing but the making of its answers, which is taken off the figures.

    Attributes:
        spent: Seconds of CPU that making answers took.
    """

    settings = Settings
    profile = Profile(
        vendor="instant", title="Instant", lanes=4, read_batch=200,
        capabilities=(
            Capability(Operation.DELETE, Support.NATIVE, takes=(State.LIVE,), gives=State.DELETED,
                       window=RecoveryWindow(Undo.SAME_ID, 15), **_FACTS),
            Capability(Operation.RESTORE, Support.NATIVE, takes=(State.DELETED,),
                       gives=State.LIVE, **_FACTS),
        ),
    )  # fmt: skip

    @classmethod
    def connect(cls, crm: str, settings: Any, gate: Gate) -> Self:
        """Nothing to connect to."""
        self = cls()
        self.crm, self.gate, self.gone, self.spent = crm, gate, set[str](), 0.0
        self.lock = threading.Lock()
        return self

    def find(self, kind: str, *args: Any, **kwargs: Any) -> Iterator[Record]:
        """Nothing is found here."""
        return iter(())

    def read(self, batch: Batch) -> Iterator[Record]:
        """Forty fields, the same for the same id."""
        began = time.thread_time()
        records = self.gate.ask(lambda: [self._record(ref) for ref in batch])
        with self.lock:
            self.spent += time.thread_time() - began
        return iter(records)

    def _record(self, ref: RecordRef) -> Record:
        dice = random.Random(ref.id)
        fields: dict[str, Any] = {
            f"field_{n}": dice.choice(_WORDS) if n % 2 else f"{n} {dice.randrange(1000)}"
            for n in range(40)
        }
        state = State.DELETED if ref.id in self.gone else State.LIVE
        return Record(ref, state, fields, (), datetime(2026, 1, 1, tzinfo=UTC))

    def whoami(self) -> Account:
        """Always the same."""
        return Account("org", "Instant", "simulator", "bench", datetime.now(UTC))

    def delete(self, batch: Batch) -> list[Outcome]:
        """Away."""
        self.gate.tell(batch, lambda: self.gone.update(batch.ids))
        return [done(ref) for ref in batch]

    def restore(self, batch: Batch) -> list[Outcome]:
        """And back."""
        self.gate.tell(batch, lambda: self.gone.difference_update(batch.ids))
        return [done(ref) for ref in batch]


def main() -> None:
    """Plan and apply so many deletes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("records", type=int)
    records = parser.parse_args().records
    plugin = types.ModuleType("instant")
    plugin.provide_adapters = hookimpl(lambda: [Instant])  # type: ignore[attr-defined]
    registry = Registry([Review()])
    registry.manager.register(plugin, name="instant")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crms = {"i": {"vendor": "instant", "environment": "simulator"}}
        config = Config(folder / "c.toml", BridgeSettings(journal="sqlite:///j.db"), crms)
        bridge = Bridge(config, registry)
        adapter: Any = bridge.accounts.adapter("i")
        words = (f"i:Contact/{1_000_000 + n}" for n in range(records))
        bridge.runs()  # imports, and a journal, are made once and not for each record
        bridge.apply(bridge.plan("delete", ["i:Contact/1"], reason="bench", code="other"))
        adapter.spent = 0.0
        start = time.process_time()
        plan = bridge.plan(
            "delete", words, reason="bench", code="other", limit_records=None, limit_share=None
        )
        planned, made = time.process_time() - start, adapter.spent
        start = time.process_time()
        bridge.apply(plan)
        applied, made_too = time.process_time() - start, adapter.spent - made
        bridge.close()
        size = sum(p.stat().st_size for p in folder.glob("j.db*"))
    plan_us = (planned - made) / records * 1e6
    apply_us = (applied - made_too) / records * 1e6
    print(
        json.dumps(
            {
                "records": records,
                "plan_us": plan_us,
                "apply_us": apply_us,
                "us_a_record": plan_us + apply_us,
                "journal_bytes": size / records,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
