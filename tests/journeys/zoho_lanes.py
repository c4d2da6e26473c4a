"""One account of Zoho CRM as a process of its own has it: reads, and tokens asked for as often as may be."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from crm_bridge.kit import Busy, Secret, Unauthorized
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.settings import ZohoSettings, addresses


class Open:
    """A gate that lets everything pass: what travels is counted at the other end."""

    def ask(self, call: Any, *, interface: str = "") -> Any:
        """A read, once."""
        return call()

    def tell(self, refs: Any, call: Any, *, interface: str = "") -> Any:
        """A write, once."""
        return call()


def read_toml(config: Path) -> Any:
    """A settings file as it is written."""
    return tomllib.loads(config.read_text())


def client(config: Path, crm: str) -> Client:
    """A client of one account of a settings file, without a bridge around it."""
    table = read_toml(config)["crms"][crm]
    settings = ZohoSettings(
        vendor="zoho", environment="simulator", base_url=table["base_url"],
        accounts_url=table["accounts_url"], client_id=table["client_id"],
        client_secret=Secret(table["client_secret"]),
        refresh_token=Secret(table["refresh_token"]), deadline=60.0,
    )  # fmt: skip
    return Client(crm, settings, addresses(settings), Open())


def main() -> None:
    """So many reads; every fifth asks for another token."""
    one = client(Path(sys.argv[1]), sys.argv[2])
    calls = busy = dead = 0
    for turn in range(int(sys.argv[3])):
        try:
            calls += 1
            one.deleted("Leads", "recycle", turn % 5 + 1)
            if turn % 5 == 0:
                one.renew()
        except Busy:
            busy += 1
        except Unauthorized as error:
            if not error.renewable:
                raise
            dead += 1
            try:
                one.renew()
            except Busy:
                busy += 1
    print(json.dumps({"calls": calls, "busy": busy, "dead": dead}))


if __name__ == "__main__":
    main()
