"""A street with simulators at its end: bridges over them, their truth, and people who act there."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from crm_bridge.bridge import Bridge
from crm_bridge.config import BridgeSettings, Config
from crm_bridge.engine.accounts import Connected
from crm_bridge.engine.review import Review
from crm_bridge.registry import Registry
from crm_bridge.simulator import Act, Refused, VendorSimulator, serving
from crm_bridge.testing.ground import SimulatedGround, Truths

VENDORS = ("fxiaoke", "hubspot", "salesforce", "zoho")
WHY: dict[str, Any] = {
    "reason": "left the market", "code": "left", "limit_records": None, "limit_share": None,
}  # fmt: skip


class Street:
    """Simulators that are served, and bridges to their first accounts.

    Args:
        simulators: Each with the url that it answers on.
        folder: Where journals, locks and tokens lie.
    """

    def __init__(self, simulators: Sequence[tuple[VendorSimulator, str]], folder: Path) -> None:
        self.grounds = {s.accounts[0].crm: SimulatedGround(s, url) for s, url in simulators}
        self.folder = folder
        self.now = 1000.0
        self._turn = 0
        self._opened: list[Bridge] = []

    @property
    def crms(self) -> list[str]:
        """The accounts, one a vendor."""
        return list(self.grounds)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def bridge(self, **given: Any) -> Bridge:
        """A bridge as a process of its own would open it, with the journal of this beginning."""
        place = self.folder / str(self._turn)
        place.mkdir(exist_ok=True)
        settings = BridgeSettings(
            journal="sqlite:///journal.db", actor="tester", settle="1s", **given
        )
        crms = {crm: dict(ground.settings(crm)) for crm, ground in self.grounds.items()}
        one = Bridge(
            Config(place / "crm_bridge.toml", settings, crms), Registry([Review()]),
            clock=lambda: self.now, sleep=self._sleep,
        )  # fmt: skip
        self._opened.append(one)
        return one

    def begin(self, seed: int, records: int, **switches: Any) -> None:
        """Begin anew: other records, clocks that run with ours, nothing remembered."""
        self.close()
        shutil.rmtree(self.folder / str(self._turn), ignore_errors=True)
        self._turn += 1
        for ground in self.grounds.values():
            account = ground.simulator.accounts[0]
            # Who is logged in stays so: a vendor counts the tokens that it gives.
            tokens = account.memory.get("tokens")
            ground.simulator.begin(account, seed, records)
            if tokens:
                account.memory["tokens"] = tokens
            account.switches.update(switches)

    def truth(self, crm: str) -> Truths:
        """Every record of an account as it is stored."""
        return self.grounds[crm].truth(crm)

    def person(
        self,
        crm: str,
        act: str,
        kind: str,
        ids: Sequence[str],
        into: str | None = None,
        **fields: Any,
    ) -> bool:
        """Do what a person does in the vendor's pages; False where the page would not let them."""
        simulator = self.grounds[crm].simulator
        try:
            list(simulator.ui(simulator.accounts[0], Act(act, kind, tuple(ids), fields, into)))
        except Refused:
            return False
        return True

    def close(self) -> None:
        """Let the bridges go."""
        for bridge in self._opened:
            bridge.close()
        self._opened.clear()


@contextmanager
def street(*vendors: str, records: int = 20) -> Iterator[Street]:
    """Serve one simulator a vendor, limits off."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="journeys.")))
        # Locks and tokens lie there too, and not at home.
        homes = {f"XDG_{name}_HOME": str(folder) for name in ("STATE", "CACHE", "DATA", "CONFIG")}
        stack.enter_context(patch.dict(os.environ, homes))
        classes = {c.vendor: c for c in Registry([Review()]).simulators(list(vendors))}
        pairs = []
        for vendor in vendors:
            simulator = classes[vendor](records=records, limits=False)
            pairs.append((simulator, stack.enter_context(serving(simulator))))
        one = Street(pairs, folder)
        stack.callback(one.close)
        yield one


def lookups(connected: Connected, truth: Truths) -> list[tuple[str, str, str]]:
    """(child, field, parent) for each relation between kinds that have live records."""
    kinds = {t.kind for t in truth.values() if t.state == "live"}
    return sorted(
        {
            (rule.child, rule.via, kind)
            for kind in kinds
            for rule in connected.adapter.relations(kind)
            if rule.child in kinds and rule.via
        }
    )


def live(truth: Truths, kind: str) -> list[str]:
    """Ids of live records of a kind that nobody locked."""
    return sorted(
        t.id for t in truth.values() if t.kind == kind and t.state == "live" and not t.locked
    )


def stir(street: Street, crm: str, draw: random.Random, acts: int) -> None:
    """People at work: lookups re-pointed, records deleted and merged, each at random."""
    connected = street.bridge().accounts.connected(crm)
    truth = street.truth(crm)
    known = lookups(connected, truth)
    for _ in range(acts):
        child, via, parent = draw.choice(known)
        what = draw.choices(("edit", "delete", "merge"), (6, 1, 1))[0]
        some = live(truth, child if what == "edit" else parent)
        others = live(truth, parent)
        if not some or not others:
            continue
        if what == "edit":
            street.person(crm, "edit", child, [draw.choice(some)], **{via: draw.choice(others)})
        elif what == "delete":
            word = "void" if connected.profile.vendor == "fxiaoke" else "delete"
            street.person(crm, word, parent, [draw.choice(some)])
        elif len(some) > 1:
            one, other = draw.sample(some, 2)
            street.person(crm, "merge", parent, [one], other)
        truth = street.truth(crm)
