"""Zoho's account in the hands of zcrmsdk: tokens, lanes, processes, and answers that are none.

The vendor's side here is the smallest that can be: a login and two calls, answered as Zoho's pages
show them, so that what travels can be counted to the last request.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crm_bridge.kit import Busy, RecordRef, Rejected, Secret, Unauthorized, Unreachable
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.settings import ZohoSettings, addresses
from crm_bridge_zoho.tokens import MOST, Granted, Tokens

JSON = "application/json;charset=UTF-8"


class Zoho(ThreadingHTTPServer):
    """A login for any refresh token, and answers that a test may set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.tokens: dict[str, str] = {}
        self.granted: list[str] = []
        self.seen: list[tuple[str, str, str]] = []
        self.answer: tuple[int, str, bytes] | None = None
        self.login: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Zoho
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        server, refresh = self.server, form["refresh_token"][0]
        with server.lock:
            if server.login is not None:
                self._send(server.login[0], JSON, server.login[1])
                return
            server.granted.append(refresh)
            token = f"1000.{refresh}.{len(server.granted)}"
            server.tokens[token] = refresh
        told = {"access_token": token, "api_domain": "https://www.zohoapis.eu",
                "token_type": "Bearer", "expires_in": 3600}  # fmt: skip
        self._send(200, JSON, json.dumps(told).encode())

    def do_GET(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        token = self.headers["Authorization"].removeprefix("Zoho-oauthtoken ")
        parts = urlsplit(self.path)
        with self.server.lock:
            whose = self.server.tokens.get(token, "")
            self.server.seen.append((self.command, self.path, whose))
        if self.server.answer is not None:
            self._send(*self.server.answer)
            return
        if not whose:
            body = {"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token",
                    "status": "error"}  # fmt: skip
            self._send(401, JSON, json.dumps(body).encode())
            return
        ids = [one for part in parse_qs(parts.query).get("ids", []) for one in part.split(",")]
        rows = [{"code": "SUCCESS", "details": {"id": id}, "message": "record deleted",
                 "status": "success"} for id in ids]  # fmt: skip
        self._send(200, JSON, json.dumps({"data": rows}).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Gate:
    """Lets everything pass."""

    def ask(self, call: Any, *, interface: str = "") -> Any:
        return call()

    def tell(self, refs: Any, call: Any, *, interface: str = "") -> Any:
        return call()


@pytest.fixture
def zoho(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zoho]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    server = Zoho()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def account(zoho: Zoho, name: str) -> Client:
    settings = ZohoSettings(
        vendor="zoho", environment="simulator", base_url=zoho.url, client_id="1000.ONE",
        client_secret=Secret("the-secret"), refresh_token=Secret(name), deadline=5.0,
    )  # fmt: skip
    return Client(name, settings, addresses(settings), Gate())


def refs(crm: str, first: int, count: int = 2) -> tuple[RecordRef, ...]:
    return tuple(RecordRef(crm, "Leads", f"{first + n:018d}") for n in range(count))


def test_two_accounts_in_eight_lanes_never_carry_each_others_token(zoho: Zoho) -> None:
    clients = {name: account(zoho, name) for name in ("one", "two")}
    firsts = {"one": 100_000_000_000_000_000, "two": 200_000_000_000_000_000}
    start = threading.Barrier(8)
    troubles: list[BaseException] = []

    def lane(name: str, number: int) -> None:
        client = clients[name]
        try:
            client.enter_lane()
            start.wait(10)
            for turn in range(40):
                client.delete(refs(name, firsts[name] + 1000 * number + 2 * turn), "Leads")
                client.deleted("Leads", "recycle", turn + 1)
                if number == 0 and turn % 10 == 9:
                    client.renew()
        except BaseException as error:
            troubles.append(error)

    lanes = [threading.Thread(target=lane, args=(name, n)) for name in clients for n in range(4)]
    for one in lanes:
        one.start()
    for one in lanes:
        one.join(60)
    assert not troubles
    deletes = [(path, whose) for method, path, whose in zoho.seen if method == "DELETE"]
    assert len(deletes) == 8 * 40
    for path, whose in deletes:
        ids = parse_qs(urlsplit(path).query)["ids"][0].split(",")
        assert {id[0] for id in ids} == {"1" if whose == "one" else "2"}
    assert {whose for _, _, whose in zoho.seen} == {"one", "two"}
    assert len(zoho.granted) == 2 * 5


def test_three_processes_share_a_token_and_ask_for_no_more_than_are_given(
    zoho: Zoho, tmp_path: Path
) -> None:
    code = """
import sys
sys.path[:0] = sys.argv[3:]
from tests.contract.test_zoho_account import Gate
from crm_bridge.kit import Busy, Secret
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.settings import ZohoSettings, addresses
settings = ZohoSettings(vendor="zoho", environment="simulator", base_url=sys.argv[1],
                        client_id="1000.ONE", client_secret=Secret("the-secret"),
                        refresh_token=Secret("one"), deadline=5.0)
client = Client("one", settings, addresses(settings), Gate())
turned_away = 0
for _ in range(int(sys.argv[2])):
    client.deleted("Leads", "recycle", 1)
    try:
        client.renew()
    except Busy:
        turned_away += 1
print(turned_away)
"""
    paths = [p for p in sys.path if p] + [str(Path(__file__).parents[2])]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, zoho.url, "8", *paths], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        )
        for _ in range(3)
    ]  # fmt: skip
    told = [run.communicate(timeout=60)[0] for run in runs]
    assert all(run.returncode == 0 for run in runs)
    assert len(zoho.granted) == MOST
    assert sum(int(text) for text in told) > 0


def test_a_second_process_asks_for_no_token_of_its_own(zoho: Zoho) -> None:
    account(zoho, "one").deleted("Leads", "recycle", 1)
    account(zoho, "one").deleted("Leads", "recycle", 1)
    assert zoho.granted == ["one"]


def test_a_token_is_kept_where_only_its_owner_reads_it(zoho: Zoho, tmp_path: Path) -> None:
    account(zoho, "one").deleted("Leads", "recycle", 1)
    (kept,) = tmp_path.rglob("*.json")
    assert kept.stat().st_mode & 0o077 == 0
    assert kept.parent.stat().st_mode & 0o077 == 0


def test_after_ten_minutes_of_the_vendors_clock_tokens_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    now, asked = [1_800_000_000.0], [0]

    def grant() -> Granted:
        asked[0] += 1
        return Granted(f"token-{asked[0]}", 3600, "", now[0])

    tokens = Tokens(("host", "client", "refresh"), grant)
    tokens.clock(now[0])
    for _ in range(MOST):
        tokens.get(tokens.token)
    with pytest.raises(Busy) as caught:
        tokens.get(tokens.token)
    assert caught.value.retry_after is not None
    assert 590 < caught.value.retry_after < 610
    now[0] += 611
    tokens.clock(now[0])
    tokens.get(tokens.token)
    assert asked[0] == MOST + 1


def test_a_throttled_login_is_busy_and_no_wrong_password(zoho: Zoho) -> None:
    told = {"error_description": "You have made too many requests continuously. Please try again "
            "after some time.", "error": "Access Denied", "status": "failure"}  # fmt: skip
    for status in (200, 400):
        zoho.login = (status, json.dumps(told).encode())
        with pytest.raises(Busy):
            account(zoho, f"one{status}").deleted("Leads", "recycle", 1)


def test_a_wrong_password_is_no_reason_to_try_again(zoho: Zoho) -> None:
    for word in ("invalid_code", "invalid_client"):
        zoho.login = (200, json.dumps({"error": word}).encode())
        with pytest.raises(Unauthorized) as caught:
            account(zoho, word).deleted("Leads", "recycle", 1)
        assert not caught.value.renewable
        assert word in str(caught.value)


@pytest.mark.parametrize("code", ["INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"])
def test_a_dead_token_is_known_by_each_of_its_codes(zoho: Zoho, code: str) -> None:
    body = {"code": code, "details": {}, "message": "x", "status": "error"}
    zoho.answer = (401, JSON, json.dumps(body).encode())
    with pytest.raises(Unauthorized) as caught:
        account(zoho, "one").delete(refs("one", 10**17), "Leads")
    assert caught.value.renewable


def test_a_scope_that_is_missing_is_named(zoho: Zoho) -> None:
    body = {"code": "OAUTH_SCOPE_MISMATCH", "details": {}, "message": "Unauthorized",
            "status": "error"}  # fmt: skip
    zoho.answer = (401, JSON, json.dumps(body).encode())
    with pytest.raises(Unauthorized) as caught:
        account(zoho, "one").ask("/settings/recycle_bin", scope="settings.recycle_bin.READ")
    assert not caught.value.renewable
    assert "ZohoCRM.settings.recycle_bin.READ" in str(caught.value)


def test_a_wrong_data_centre_is_told_the_right_one(zoho: Zoho) -> None:
    body = {"code": "INVALID_HOST", "details": {}, "message": "x", "status": "error"}
    zoho.answer = (400, JSON, json.dumps(body).encode())
    with pytest.raises(Rejected) as caught:
        account(zoho, "one").delete(refs("one", 10**17), "Leads")
    assert 'data_centre = "eu"' in str(caught.value)


@pytest.mark.parametrize("transport", ["sdk", "http"])
def test_a_page_of_html_is_no_answer_by_either_way(zoho: Zoho, transport: str) -> None:
    settings = ZohoSettings(
        vendor="zoho", environment="simulator", base_url=zoho.url, client_id="1000.ONE",
        client_secret=Secret("the-secret"), refresh_token=Secret("one"), transport=transport,
    )  # fmt: skip
    client = Client("one", settings, addresses(settings), Gate())
    zoho.answer = (200, "text/html", b"<html>maintenance</html>")
    with pytest.raises(Unreachable) as caught:
        client.delete(refs("one", 10**17), "Leads")
    assert caught.value.strange
    assert caught.value.sent


def test_a_doubled_key_in_an_answer_of_the_sdk_is_no_result(zoho: Zoho) -> None:
    zoho.answer = (200, JSON, b'{"data":[],"data":[{"code":"SUCCESS","details":{"id":"1"}}]}')
    with pytest.raises(Unreachable):
        account(zoho, "one").delete(refs("one", 10**17), "Leads")


def test_zcrmsdk_leaves_no_driver_no_log_file_and_no_account_behind(
    zoho: Zoho, tmp_path: Path
) -> None:
    code = """
import os, sys
sys.path[:0] = sys.argv[2:]
from tests.contract.test_zoho_account import Gate
from crm_bridge.kit import Secret
from crm_bridge_zoho.client import Client
from crm_bridge_zoho.settings import ZohoSettings, addresses
settings = ZohoSettings(vendor="zoho", environment="simulator", base_url=sys.argv[1],
                        client_id="1000.ONE", client_secret=Secret("the-secret"),
                        refresh_token=Secret("one"), deadline=5.0)
Client("one", settings, addresses(settings), Gate()).deleted("Leads", "recycle", 1)
from zcrmsdk.src.com.zoho.crm.api.initializer import Initializer
print([name for name in sys.modules if name.split(".")[0] == "mysql"], os.listdir("."),
      Initializer.get_initializer())
"""
    (tmp_path / "here").mkdir()
    paths = [p for p in sys.path if p] + [str(Path(__file__).parents[2])]
    told = subprocess.run(
        [sys.executable, "-c", code, zoho.url, *paths], capture_output=True, text=True,
        check=True, cwd=tmp_path / "here", env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    ).stdout  # fmt: skip
    assert told.split() == ["[]", "[]", "None"]
