"""What people write today: (a) one record a call, (b) the client's own batch calls; a sample, scaled.

Prints one JSON object. Where a vendor's client cannot be pointed at a loopback address by its own
options, its transport is called as it would call it.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.replay import headers_of

Loop = tuple[Callable[[str], Any], Callable[[list[str]], Any], int]
"""Delete one, delete many, how many at once."""


def salesforce(settings: dict[str, Any], login: dict[str, str], kind: str) -> Loop:
    """simple-salesforce: `sf.Lead.delete(id)`, and its collection of 200."""
    from simple_salesforce import Salesforce

    base = settings["base_url"]
    token = login["authorization"].removeprefix("Bearer ")
    client = Salesforce(instance=base.removeprefix("http://"), session_id=token, version="64.0")
    client.base_url = f"{base}/services/data/v64.0/"
    one = getattr(client, kind)
    one.base_url = f"{base}/services/data/v64.0/sobjects/{kind}/"

    def many(ids: list[str]) -> Any:
        return client.restful(
            "composite/sobjects",
            params={"ids": ",".join(ids), "allOrNone": "false"},
            method="DELETE",
        )

    return one.delete, many, 200


def hubspot(settings: dict[str, Any], login: dict[str, str], kind: str) -> Loop:
    """hubspot-api-client: `basic_api.archive`, and `batch_api.archive`."""
    from hubspot import HubSpot

    client = HubSpot(access_token=login["authorization"].removeprefix("Bearer "))
    basic, batch = client.crm.objects.basic_api, client.crm.objects.batch_api
    for api in (basic, batch):
        api.api_client.configuration.host = settings["base_url"]
    return (
        lambda id_: basic.archive(kind, id_),
        lambda ids: batch.archive(kind, {"inputs": [{"id": id_} for id_ in ids]}),
        100,
    )


def zoho(settings: dict[str, Any], login: dict[str, str], kind: str) -> Loop:
    """The calls that zcrmsdk makes, by requests, which it stands on."""
    import requests

    session = requests.Session()
    session.headers["Authorization"] = login["authorization"]
    base = f"{settings['base_url']}/crm/v8/{kind}"

    def many(ids: list[str]) -> Any:
        return session.delete(base, params={"ids": ",".join(ids)}, timeout=60)

    return lambda id_: session.delete(f"{base}/{id_}", timeout=60), many, 100


def fxiaoke(settings: dict[str, Any], login: dict[str, str], kind: str) -> Loop:
    """The void call by requests: FxiaoKe has no client of its own, and voids one record a call."""
    import requests

    session = requests.Session()
    rows = {k: v for k, v in login.items() if k not in ("content-length", "user-agent")}

    def one(id_: str) -> Any:
        body = {"data": {"object_data_id": id_, "dataObjectApiName": kind}}
        return session.post(
            f"{settings['base_url']}/cgi/crm/v2/data/invalid", json=body, headers=rows, timeout=60
        )

    return one, lambda ids: [one(id_) for id_ in ids], 1


LOOPS = {"salesforce": salesforce, "hubspot": hubspot, "zoho": zoho, "fxiaoke": fxiaoke}


def main() -> None:
    """Time both on a sample."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("crm")
    parser.add_argument("kind")
    parser.add_argument("ids", type=Path)
    parser.add_argument("records", type=int)
    asked = parser.parse_args()
    settings = tomllib.loads(asked.config.read_text())["crms"][asked.crm]
    login = headers_of(str(asked.config), asked.crm)
    one, many, size = LOOPS[settings["vendor"]](settings, login, asked.kind)
    ids = asked.ids.read_text().split()[1:]
    began = time.monotonic()
    sample = ids[:20]
    for id_ in sample:
        one(id_)
    alone = (time.monotonic() - began) / len(sample) * asked.records
    rest = ids[20 : 20 + 3 * size]
    began = time.monotonic()
    for start in range(0, len(rest), size):
        many(rest[start : start + size])
    batch = (time.monotonic() - began) / len(rest) * asked.records
    print(json.dumps({"one_by_one": alone, "batch": batch, "batch_size": size}))


if __name__ == "__main__":
    main()
