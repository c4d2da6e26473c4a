"""A simulated Salesforce org as its tests ask it: over HTTP, beside its truth."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import requests

from crm_bridge_salesforce.simulator import SalesforceSimulator

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PARTNER = "urn:partner.soap.sforce.com"
DATA = "/services/data/v64.0"

Row = tuple[str | None, bool, str | None]


class SalesforceOrg:
    """One org, asked over HTTP with a token of its own, and its truth."""

    def __init__(self, simulator: SalesforceSimulator, url: str, index: int = 0) -> None:
        self.simulator, self.url = simulator, url
        self.account = simulator.accounts[index]
        self.session = requests.Session()
        self.session.trust_env = False

    @property
    def keys(self) -> dict[str, str]:
        """Its org id, app key, secret and user name."""
        return self.account.keys

    def login(self) -> str:
        """Get a token by client credentials, and use it from here on."""
        answer = self.session.post(
            f"{self.url}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(self.keys["consumer_key"], self.keys["secret"]),
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        self.token = str(answer.json()["access_token"])
        return self.token

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """One request; a path without /services is one of the data API."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        where = path if path.startswith(("/services", "/id/")) else f"{DATA}/{path}"
        return self.session.request(
            method, self.url + where, json=body, headers=headers, timeout=60, **more
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        """A GET."""
        return self.ask("GET", path, params=params)

    def query(self, soql: str, all: bool = False) -> list[dict[str, Any]]:
        """The first page of a query's records."""
        answer = self.get("queryAll" if all else "query", q=soql)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["records"])

    def refused(self, soql: str) -> tuple[str, str]:
        """Code and text with which a query is refused."""
        answer = self.get("query", q=soql)
        assert answer.status_code == 400, answer.text
        return answer.json()[0]["errorCode"], answer.json()[0]["message"]

    def ids(self, kind: str, where: str = "", all: bool = False) -> list[str]:
        """Ids by a query."""
        soql = f"SELECT Id FROM {kind}{' WHERE ' + where if where else ''}"
        return [row["Id"] for row in self.query(soql, all)]

    def make(self, kind: str, **fields: Any) -> str:
        """A new record's id."""
        answer = self.ask("POST", f"sobjects/{kind}/", fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def drop(self, *ids: str) -> list[str]:
        """Delete by a collection; the code of each row, empty where it went."""
        answer = self.ask("DELETE", "composite/sobjects", params={"ids": ",".join(ids)})
        assert answer.status_code == 200, answer.text
        return ["" if r["success"] else r["errors"][0]["statusCode"] for r in answer.json()]

    def soap(
        self, verb: str, *ids: str, head: str = "", version: str = "64.0"
    ) -> requests.Response:
        """One call of the partner API."""
        inner = "".join(f"<urn:ids>{escape(id)}</urn:ids>" for id in ids)
        text = (
            f'<soapenv:Envelope xmlns:soapenv="{SOAP}" xmlns:urn="{PARTNER}"><soapenv:Header>'
            f"<urn:SessionHeader><urn:sessionId>{escape(self.token)}</urn:sessionId>"
            f"</urn:SessionHeader>{head}</soapenv:Header><soapenv:Body><urn:{verb}>{inner}"
            f"</urn:{verb}></soapenv:Body></soapenv:Envelope>"
        )
        return self.envelope(text, version)

    def envelope(self, text: str, version: str = "64.0") -> requests.Response:
        """Any text, sent as an envelope."""
        return self.session.post(
            f"{self.url}/services/Soap/u/{version}",
            data=text.encode(),
            headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
            timeout=60,
        )

    def rows(self, verb: str, *ids: str) -> list[Row]:
        """What a SOAP call says of each row: id, success, code."""
        answer = self.soap(verb, *ids)
        assert answer.status_code == 200, answer.text
        root = ElementTree.fromstring(answer.content)
        return [
            (
                row.findtext(f"{{{PARTNER}}}id") or None,
                row.findtext(f"{{{PARTNER}}}success") == "true",
                row.findtext(f"{{{PARTNER}}}errors/{{{PARTNER}}}statusCode"),
            )
            for row in root.iter(f"{{{PARTNER}}}result")
        ]

    def job(self, operation: str, ids: list[str], kind: str = "Lead", head: str = "Id") -> str:
        """A job that was created, uploaded and closed; its id."""
        told = {"object": kind, "operation": operation, "contentType": "CSV", "lineEnding": "LF"}
        made = self.ask("POST", "jobs/ingest", told)
        assert made.status_code == 200, made.text
        id = str(made.json()["id"])
        sent = self.session.put(
            f"{self.url}{DATA}/jobs/ingest/{id}/batches",
            data="\n".join([head, *ids, ""]).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "text/csv; charset=UTF-8",
            },
            timeout=60,
        )
        assert sent.status_code == 201, sent.text
        closed = self.ask("PATCH", f"jobs/ingest/{id}", {"state": "UploadComplete"})
        assert closed.json()["state"] == "UploadComplete"
        return id

    def control(self, name: str, body: Any = None, **query: str) -> requests.Response:
        """A control route."""
        return self.session.request(
            "GET" if body is None else "POST",
            f"{self.url}/__control__/{name}",
            params={"crm": self.account.crm, **query},
            json=body,
            timeout=60,
        )

    def switch(self, name: str, value: Any) -> None:
        """Move a switch."""
        assert self.control("switches", {name: value}).status_code == 200

    def turn(self, by: str) -> None:
        """Turn the clock, and log in anew, since tokens do not live so long."""
        assert self.control("clock", {"advance": by}).status_code == 200
        self.login()

    def fault(self, do: dict[str, Any], path: str = "", times: int = 1) -> None:
        """Put a fault in the way of the next requests."""
        body = {"match": {"path": path}, "times": times, "do": do}
        assert self.control("faults", body).status_code == 200

    def ui(self, act: str, kind: str = "", *ids: str, **more: Any) -> None:
        """Act as a colleague."""
        answer = self.control("ui", {"act": act, "kind": kind, "ids": list(ids), **more})
        assert answer.status_code == 200, answer.text

    def truths(self, kind: str) -> dict[str, dict[str, Any]]:
        """All records of a kind as they are stored."""
        lines = self.control("records", kind=kind).text.splitlines()
        return {row["id"]: row for row in map(json.loads, lines)}

    def state(self, kind: str, id: str) -> str:
        """The state of a record, empty where there never was one."""
        return str(self.truths(kind).get(id, {}).get("state", ""))

    def log(self) -> list[dict[str, Any]]:
        """Every request that came."""
        return [json.loads(line) for line in self.control("log").text.splitlines()]
