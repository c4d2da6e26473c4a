"""A simulated HubSpot portal as its tests ask it: over HTTP, beside its truth."""

from __future__ import annotations

import json
from typing import Any

import requests

from crm_bridge_hubspot.simulator import HubspotSimulator

CONTACTS = "/crm/v3/objects/contacts"


class Portal:
    """One portal, asked over HTTP, and its truth."""

    def __init__(self, simulator: HubspotSimulator, url: str, index: int = 0) -> None:
        self.simulator, self.url = simulator, url
        self.account = simulator.accounts[index]
        self.token = self.account.keys["token"]

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(
            method, self.url + path, json=body, headers=headers, timeout=30, **more
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.ask("GET", path, params=params)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.ask("POST", path, body)

    def control(self, name: str, body: Any = None, **query: str) -> requests.Response:
        path = f"/__control__/{name}"
        params = {"crm": self.account.crm, **query}
        return self.ask("GET" if body is None else "POST", path, body, params=params)

    def switch(self, name: str, value: Any) -> None:
        assert self.control("switches", {name: value}).status_code == 200

    def ui(self, act: str, kind: str = "", ids: Any = (), **more: Any) -> requests.Response:
        return self.control("ui", {"act": act, "kind": kind, "ids": list(ids), **more})

    def truth(self, kind: str, id: str) -> dict[str, Any]:
        rows = self.control("records", kind=kind).text
        return next(row for row in map(json.loads, rows.splitlines()) if row["id"] == id)

    def live(self, kind: str, count: int = 2, linked: str = "") -> list[str]:
        """Plain live ids; with one association at least to a kind."""
        rows = [
            r
            for r in self.account.store.of(kind, "live")
            if not linked or any(link.kind == linked for link in r.links)
        ]
        return [r.id for r in rows if "crm_bridge_status" not in r.fields][:count]

    def ids(self, kind: str, state: str) -> list[str]:
        return [r.id for r in self.account.store.of(kind, state)]

    def archive(self, kind: str, *ids: str) -> None:
        body = {"inputs": [{"id": id} for id in ids]}
        assert self.post(f"/crm/v3/objects/{kind}/batch/archive", body).status_code == 204

    def read(self, kind: str, *ids: str, query: str = "", **body: Any) -> requests.Response:
        rows = [{"id": id} for id in ids]
        path = f"/crm/v3/objects/{kind}/batch/read{query}"
        return self.post(path, {"inputs": rows, "properties": [], **body})

    def make(self, kind: str, *rows: Any) -> requests.Response:
        return self.post(f"/crm/v3/objects/{kind}/batch/create", {"inputs": list(rows)})

    def links(self, one: str, other: str, *ids: str) -> dict[str, set[tuple[str, int]]]:
        path = f"/crm/v4/associations/{one}/{other}/batch/read"
        rows = self.post(path, {"inputs": [{"id": id} for id in ids]}).json()["results"]
        return {
            row["from"]["id"]: {
                (end["toObjectId"], type["typeId"])
                for end in row["to"]
                for type in end["associationTypes"]
            }
            for row in rows
        }

    def search(self, kind: str, *filters: Any, **more: Any) -> requests.Response:
        body = {"filterGroups": [{"filters": list(filters)}] if filters else [], **more}
        return self.post(f"/crm/v3/objects/{kind}/search", body)

    def refresh(self, version: str, **more: str) -> requests.Response:
        """Ask for an access token with the OAuth app's keys."""
        names = ("client_id", "client_secret", "refresh_token")
        form = {name: self.account.keys[name] for name in names}
        form |= {"grant_type": "refresh_token", **more}
        return requests.post(f"{self.url}/oauth/{version}/token", data=form, timeout=30)
