"""A caller of FxiaoKe's simulator that knows nothing of our adapter: plain requests, plain bodies."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from crm_bridge.simulator import VendorSimulator

PRESET, CUSTOM = "/cgi/crm/v2/data/", "/cgi/crm/custom/v2/data/"
PROJECT, LINE = "object_Pj7x2__c", "object_Ln3q8__c"


class Tenant:
    """One enterprise.

    Args:
        simulator: The running simulator.
        url: Where it answers.
        index: Which of its two accounts.
    """

    def __init__(self, simulator: VendorSimulator, url: str, index: int = 0) -> None:
        self.account = simulator.accounts[index]
        self.url, self.keys = url, self.account.keys
        self.http = requests.Session()
        self._token = ""

    # --- logging in ------------------------------------------------------------------------------

    def ask_token(self, legacy: bool = False, **changed: str) -> dict[str, Any]:
        body = {
            "appId": self.keys["app_id"],
            "appSecret": self.keys["app_secret"],
            "permanentCode": self.keys["permanent_code"],
            **({} if legacy else {"grantType": "app_secret"}),
            **changed,
        }
        path = "/cgi/corpAccessToken/get/V2" if legacy else "/oauth2.0/token"
        return self.post(path, body).json()

    def header(self, user: str = "1000") -> dict[str, str]:
        if not self._token:
            self._token = self.ask_token()["accessToken"]
        return {
            "authorization": f"Bearer {self._token}",
            "x-fs-ea": self.keys["ea"],
            "x-fs-userid": user,
        }

    def log_in_again(self) -> None:
        self._token = ""

    # --- calling ---------------------------------------------------------------------------------

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        return self.http.post(
            f"{self.url}{path}",
            params={"thirdTraceId": str(uuid.uuid4())},
            json=body,
            headers=headers,
            allow_redirects=False,
            timeout=10,
        )

    def call(self, path: str, data: Any = None, user: str = "1000", **top: Any) -> dict[str, Any]:
        body = {**top, **({} if data is None else {"data": data})}
        answer = self.post(path, body, self.header(user))
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def query(
        self,
        kind: str,
        *filters: tuple[str, str, list[Any]],
        top: Mapping[str, Any] | None = None,
        **info: Any,
    ) -> dict[str, Any]:
        asked = {
            "limit": 100,
            "offset": 0,
            "filters": [{"field_name": n, "operator": o, "field_values": v} for n, o, v in filters],
            "orders": [{"fieldName": "_id", "isAsc": True}],
            **info,
        }
        path = (CUSTOM if kind.endswith("__c") else PRESET) + "query"
        data = {"dataObjectApiName": kind, "search_query_info": asked}
        return self.call(path, data, **(top or {}))

    def ids(self, kind: str, *filters: tuple[str, str, list[Any]], **info: Any) -> list[str]:
        return [row["_id"] for row in self.query(kind, *filters, **info)["data"]["dataList"]]

    def get(self, kind: str, id: str) -> dict[str, Any]:
        path = (CUSTOM if kind.endswith("__c") else PRESET) + "get"
        return self.call(path, {"dataObjectApiName": kind, "objectDataId": id})

    def void(self, kind: str, id: str, user: str = "1000") -> dict[str, Any]:
        path = (CUSTOM if kind.endswith("__c") else PRESET) + "invalid"
        return self.call(path, {"dataObjectApiName": kind, "object_data_id": id}, user)

    def many(self, action: str, kind: str, ids: Sequence[str]) -> dict[str, Any]:
        path = (CUSTOM if kind.endswith("__c") else PRESET) + action
        return self.call(path, {"dataObjectApiName": kind, "idList": list(ids)})

    # --- the control routes ----------------------------------------------------------------------

    def control(self, name: str, body: Any = None, status: int = 200) -> Any:
        where = f"{self.url}/__control__/{name}?crm={self.account.crm}"
        answer = (
            requests.get(where, timeout=10)
            if body is None
            else requests.post(where, json=body, timeout=10)
        )
        assert answer.status_code == status, answer.text
        kind = answer.headers["content-type"].partition(";")[0]
        return answer.json() if kind == "application/json" else answer.text

    def ui(self, act: str, kind: str = "", ids: Sequence[str] = (), **more: Any) -> None:
        self.control("ui", {"act": act, "kind": kind, "ids": list(ids), **more})

    def truth(self) -> dict[tuple[str, str], dict[str, Any]]:
        import json

        where = f"{self.url}/__control__/records?crm={self.account.crm}"
        lines = requests.get(where, timeout=30).content.splitlines()
        return {(r["kind"], r["id"]): r for r in map(json.loads, lines)}

    def plain(self, kind: str, count: int = 1) -> list[str]:
        """Live records that nothing stands in the way of."""
        truth = self.truth()
        rich = {
            r["fields"]["customer_id"]
            for (k, _), r in truth.items()
            if k == "CustomerAccountObj" and r["fields"]
            and any(r["fields"].get(f, "0.00") != "0.00"
                    for f in ("prepay_balance", "rebate_balance"))
        }  # fmt: skip
        fine = [
            id
            for (k, id), r in truth.items()
            if k == kind and r["state"] == "live" and not r["locked"] and id not in rich
            and r["fields"].get("life_status") == "normal" and r["fields"].get("owner")
        ]  # fmt: skip
        return sorted(fine)[:count]
