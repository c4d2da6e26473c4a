"""The ground that the promises stand on: an account's truth, told by the vendor itself.

A `Ground` is what the contract suite can do besides calling the adapter: look at the records as they
are stored, see which requests arrived, cause trouble, turn the clock, act as a person would. In
memory it is `World`; over HTTP it is `SimulatedGround`; for a vendor of your own write one.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from unittest import SkipTest
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from crm_bridge.kit import strict_json

if TYPE_CHECKING:
    from crm_bridge.simulator import VendorSimulator

TROUBLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "busy": {"status": 429, "retry_after": 7},
    "unwell": {"status": 503},
    "expired": {"status": 401},
    "cut_before": {"drop": "before"},
    "cut_after": {"drop": "after"},
    "page": {"body": "<html><body>Please sign in to this network.</body></html>"},
    "torn": {"body": '{"data": [{"id": "1'},
    "redirect": {"status": 307},
}
"""The troubles that every ground knows by name, as the simulators' control routes spell them.

`busy` asks for 7 seconds. `cut_before`, `busy`, `unwell`, `expired` and `redirect` apply nothing;
`cut_after`, `page` and `torn` spoil the answer of a request that was applied.
"""


class CannotDo(SkipTest):
    """Neither this ground nor this vendor has such a thing; the promise that asked for it skips."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One record as the vendor stores it.

    Attributes:
        kind: Its kind.
        id: Its id.
        state: The vendor's own word: `live`, `deleted` ...; a marked record is live.
        fields: Its values, empty ones left out.
        links: (name, kind, id, label) of each association.
        locked: Whether writes to it are refused.
        vendor_set: Fields that the vendor writes itself.
        merged_into: The id that took it in; None where it was not merged.
    """

    kind: str
    id: str
    state: str
    fields: Mapping[str, Any]
    links: frozenset[tuple[str, str, str, str | None]] = frozenset()
    locked: bool = False
    vendor_set: frozenset[str] = frozenset()
    merged_into: str | None = None

    @property
    def own(self) -> dict[str, Any]:
        """Its values without those that the vendor writes itself."""
        return {k: v for k, v in self.fields.items() if k not in self.vendor_set}


Truths = dict[tuple[str, str], Truth]
"""Records by (kind, id)."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request as the vendor received it.

    Attributes:
        n: Its number, counted up from 1 in each account.
        method: The HTTP method, or the verb where there is no HTTP.
        path: The path, without the query.
        write: Whether it could change a record or a schema.
        ids: The ids that it named.
        changed: What it changed, each as `Kind/id`.
    """

    n: int
    method: str
    path: str
    write: bool
    ids: tuple[str, ...] = ()
    changed: tuple[str, ...] = field(default=())


class Ground(ABC):
    """Two accounts of one vendor, seen from the vendor's side.

    Whatever a ground cannot do raises `CannotDo`, and the promises that need it skip and say so.

    Attributes:
        crms: The names of the two accounts.
    """

    crms: tuple[str, str]

    @abstractmethod
    def settings(self, crm: str) -> Mapping[str, Any]:
        """The account's table, as it would stand under `[crms.NAME]`."""

    @abstractmethod
    def truth(self, crm: str) -> Truths:
        """Every record of the account as it is stored, gone ones too."""

    @abstractmethod
    def arrived(self, crm: str, since: int = 0) -> list[Arrived]:
        """The requests of the account whose number is above `since`."""

    def count(self) -> int:
        """How many requests arrived, in both accounts together."""
        return sum(len(self.arrived(crm)) for crm in self.crms)

    def reset(self) -> None:  # noqa: B027 a sandbox may have no way to begin anew
        """Begin anew: the same records, no faults, the switches at their defaults."""

    def trouble(
        self,
        crm: str,
        name: str,
        *,
        like: Arrived | None = None,
        times: int = 1,
        location: str = "",
        **given: Any,
    ) -> None:
        """Cause one of `TROUBLES` at the next requests.

        Args:
            crm: The account.
            name: Which trouble.
            like: Only requests to the same place as this one; None for the very next.
            times: At so many requests.
            location: Where a redirect leads.
            given: More about it, as the ground takes it.
        """
        raise CannotDo("this ground causes no trouble")

    def turn(self, crm: str, by: timedelta) -> None:
        """Turn the vendor's clock forward."""
        raise CannotDo("this ground's clock cannot be turned")

    def act(
        self,
        crm: str,
        act: str,
        kind: str,
        ids: Iterable[str],
        *,
        into: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Do what a person does in the vendor's pages: lock, merge, edit, restore, approve ..."""
        raise CannotDo(f"this ground has nobody who can {act}")

    def switch(self, name: str, value: Any) -> None:
        """Put a switch to a position, in both accounts."""
        raise CannotDo("this ground has no switches")

    def close(self) -> None:  # noqa: B027 most hold nothing
        """Let go of what one promise needed."""


class SimulatedGround(Ground):
    """A vendor's simulator, served from this process and seen through its control routes.

    Args:
        simulator: The running simulator.
        url: Where it answers.
        troubles: Spellings of troubles that this vendor words in its own way.
    """

    def __init__(
        self,
        simulator: VendorSimulator,
        url: str,
        troubles: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.simulator = simulator
        self.url = url
        self.crms = (simulator.accounts[0].crm, simulator.accounts[1].crm)
        self._troubles = {**TROUBLES, **(troubles or {})}

    def _control(self, name: str, crm: str, body: Any = None, query: str = "") -> bytes:
        # Loopback only, and the scheme is ours.
        request = Request(  # noqa: S310
            f"{self.url}/__control__/{name}?crm={crm}{query}",
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310
                return bytes(answer.read())
        except HTTPError as error:
            with error:
                raise ValueError(json.loads(error.read())["error"]) from None

    def settings(self, crm: str) -> Mapping[str, Any]:
        """The table that `--write-config` would write, without pace."""
        account = self.simulator.account(crm)
        assert account is not None
        return {**self.simulator.settings(account, self.url), "pace": "off", "deadline": 5.0}

    def truth(self, crm: str) -> Truths:
        """What `/__control__/records` tells."""
        found: Truths = {}
        for line in self._control("records", crm).splitlines():
            row = strict_json(line)
            found[row["kind"], row["id"]] = Truth(
                row["kind"],
                row["id"],
                row["state"],
                row["fields"],
                frozenset((o["name"], o["kind"], o["id"], o["label"]) for o in row["links"]),
                row["locked"],
                frozenset(row["vendor_set"]),
                row["merged_into"],
            )
        return found

    def arrived(self, crm: str, since: int = 0) -> list[Arrived]:
        """What `/__control__/log` tells."""
        lines = self._control("log", crm, query=f"&since={since}").splitlines()
        return [
            Arrived(
                row["n"], row["method"], row["path"], row["write"],
                tuple(row["ids"]), tuple(row["changed"]),
            )
            for row in map(json.loads, lines)
        ]  # fmt: skip

    def count(self) -> int:
        """Counted in the simulator itself, since every call at the gate asks."""
        return sum(account.logged for account in self.simulator.accounts)

    def reset(self) -> None:
        """Plant the same records anew."""
        for crm in self.crms:
            self._control("reset", crm, {})

    def trouble(
        self,
        crm: str,
        name: str,
        *,
        like: Arrived | None = None,
        times: int = 1,
        location: str = "",
        **given: Any,
    ) -> None:
        """Put a rule among the simulator's faults."""
        do = {**self._troubles[name], **given}
        if name == "redirect":
            do["headers"] = {"location": location or self.url}
        match = {}
        if like is not None:
            path = re.escape(like.path)
            for one in like.ids:
                path = path.replace(re.escape(one), "[^/]+")
            match = {"path": f"^{path}($|[?])", "method": like.method}
        self._control("faults", crm, {"match": match, "times": times, "do": do})

    def turn(self, crm: str, by: timedelta) -> None:
        """Turn the account's clock."""
        self._control("clock", crm, {"advance": f"{by.total_seconds():.0f}s"})

    def act(
        self,
        crm: str,
        act: str,
        kind: str,
        ids: Iterable[str],
        *,
        into: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Act through `/__control__/ui`; what the simulator refuses nobody can do."""
        body = {"act": act, "kind": kind, "ids": list(ids), "fields": dict(fields or {})}
        try:
            self._control("ui", crm, body | ({"into": into} if into else {}))
        except ValueError as error:
            raise CannotDo(str(error)) from None

    def switch(self, name: str, value: Any) -> None:
        """Move a switch in both accounts."""
        for crm in self.crms:
            self._control("switches", crm, {name: value})


def positions(simulator: type[VendorSimulator]) -> list[tuple[str, Any]]:
    """Each switch of a simulator with each other value than its default."""
    found: list[tuple[str, Any]] = []
    for name, switch in simulator.switches.items():
        values = switch.values or _others(switch.default)
        found += [(name, value) for value in values if repr(value) != repr(switch.default)]
    return found


def _others(default: Any) -> tuple[Any, ...]:
    if isinstance(default, bool):
        return (not default,)
    return (default + 1,) if isinstance(default, int) else ()
