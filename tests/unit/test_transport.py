"""Sessions do what they are told and nothing else, whatever answers: held by a server that misbehaves."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from crm_bridge.adapter import Settings
from crm_bridge.errors import PlanBlocked, SettingsError, Unreachable
from crm_bridge.transport import (
    TokenFile,
    careful_session,
    check_host,
    date_of,
    deadline,
    departing,
    network_errors,
)

HOSTS = ("salesforce.com", "force.com")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers each connection by what a test gives; remembers the first line of each request."""

    def __init__(self, answer: Callable[[bytes, socket.socket], None]) -> None:
        self._answer = answer
        self.lines: list[str] = []
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        # Who asks may hang up at any point.
        with contextlib.suppress(OSError), client, client.makefile("rb") as reader:
            while True:
                head = b""
                while (line := reader.readline()) not in (b"\r\n", b""):
                    head += line
                if not head:
                    return
                self.heads.append(head)
                self.lines.append(head.split(b"\r\n")[0].decode())
                try:
                    self._answer(head, client)
                except (OSError, StopIteration):
                    return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    opened: list[Server] = []

    def start(answer: Callable[[bytes, socket.socket], None] | bytes) -> Server:
        said = answer if callable(answer) else lambda head, client: client.sendall(answer)
        opened.append(Server(said))
        return opened[-1]

    yield start
    for server in opened:
        server.close()


def session(**more: Any) -> requests.Session:
    given = {"vendor": "x", "environment": "simulator", "deadline": 2.0, **more}
    return careful_session(Settings(**given), hosts=HOSTS)


# --- where a request may go -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254",
        "https://169.254.169.254",
        "https://10.0.0.1",
        "https://[::ffff:169.254.169.254]",
        "https://[::1]",
        "https://2130706433",
        "https://0x7f000001",
        "https://0177.0.0.1",
        "https://0x7f.1",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://my.salesforce.com.evil.test",
        "https://my.salesforce.com@evil.test",
        "https://evil.test#.salesforce.com",
        "https://evil.test?.salesforce.com",
        "https://evil.test\\.salesforce.com",
        "https://evilsalesforce.com",
        "https://acme.salesforce.com.",
        "https://xn--80ak6aa92e.salesforce.com",
        "https://а.salesforce.com",
        "https://acme.salesforce.com\r\nX: y",
        "https://",
        "ftp://acme.salesforce.com",
        "https://acme.salesforce.com:x",
        "acme.salesforce.com",
        "https://user:pw@acme.salesforce.com",
        "https:///acme.salesforce.com",
        "https://.salesforce.com",
    ],
)
def test_a_host_that_is_not_the_vendors_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises((SettingsError, PlanBlocked)):
        check_host(url, environment="production", hosts=HOSTS)


@pytest.mark.parametrize("url", ["https://acme.my.salesforce.com", "https://salesforce.com:443/"])
def test_the_vendors_own_hosts_are_fine(url: str) -> None:
    assert check_host(url, environment="production", hosts=HOSTS) == url.rstrip("/")


def test_a_host_that_the_settings_name_is_fine_and_no_other() -> None:
    named = ("crm.acme.example",)
    for good in ("https://crm.acme.example", "https://crm.acme.example:8443"):
        assert check_host(good, environment="production", hosts=HOSTS, settings_hosts=named)
    for bad in ("http://crm.acme.example", "https://x.crm.acme.example"):
        with pytest.raises(SettingsError):
            check_host(bad, environment="production", hosts=HOSTS, settings_hosts=named)


@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_loopback_is_for_simulators_only(environment: str) -> None:
    with pytest.raises(PlanBlocked):
        check_host("http://127.0.0.1:9", environment=environment, hosts=HOSTS)
    with pytest.raises(PlanBlocked):
        check_host("https://acme.salesforce.com", environment="simulator", hosts=HOSTS)


def test_a_name_that_leads_to_a_private_address_is_left_at_the_connection(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]
) -> None:
    server = serve(OK)
    port = int(server.url.rpartition(":")[2])
    real = socket.getaddrinfo
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda *a, **k: real("127.0.0.1", port, type=socket.SOCK_STREAM)
    )
    with pytest.raises(Unreachable) as lost, network_errors():
        session(environment="production").get("https://acme.my.salesforce.com/x")
    assert not lost.value.sent
    assert server.lines == []


# --- what a session does by itself: nothing ----------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_no_redirect_is_followed(serve: Callable[..., Server], status: int, method: str) -> None:
    other = serve(OK)
    server = serve(
        f"HTTP/1.1 {status} X\r\nLocation: {other.url}/other\r\nContent-Length: 0\r\n\r\n".encode()
    )
    with pytest.raises(Unreachable) as told, network_errors():
        session().request(method, server.url + "/one", headers={"Authorization": "canary"})
    assert told.value.strange
    assert other.lines == []
    assert len(server.lines) == 1


def test_a_delete_whose_answer_is_lost_is_sent_once(serve: Callable[..., Server]) -> None:
    def answer(head: bytes, client: socket.socket) -> None:
        if head.startswith(b"DELETE"):
            raise StopIteration
        client.sendall(OK)

    server = serve(answer)
    one = session()
    assert one.get(server.url + "/a").status_code == 200  # the connection is kept alive
    with pytest.raises(Unreachable) as lost, network_errors():
        one.delete(server.url + "/b")
    assert lost.value.sent
    assert sum(line.startswith("DELETE") for line in server.lines) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_no_status_is_tried_again(serve: Callable[..., Server], status: int) -> None:
    server = serve(f"HTTP/1.1 {status} X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".encode())
    assert session().delete(server.url).status_code == status
    assert len(server.lines) == 1


def test_cookies_are_neither_kept_nor_sent(serve: Callable[..., Server]) -> None:
    server = serve(OK.replace(b"Content-Type", b"Set-Cookie: sid=canary; Path=/\r\nContent-Type"))
    one = session()
    one.get(server.url)
    one.get(server.url)
    assert not any(b"canary" in head for head in server.heads)
    assert len(one.cookies) == 0


def test_the_environment_is_not_asked(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, server = serve(OK), serve(OK)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    netrc.chmod(0o600)
    for name, value in {
        "HTTP_PROXY": proxy.url,
        "http_proxy": proxy.url,
        "ALL_PROXY": proxy.url,
        "NETRC": str(netrc),
        "REQUESTS_CA_BUNDLE": "/nowhere",
        "SSL_CERT_FILE": "/nowhere",
        "CURL_CA_BUNDLE": "/nowhere",
        "SSLKEYLOGFILE": str(tmp_path / "keys"),
    }.items():
        monkeypatch.setenv(name, value)
    session().get(server.url)
    assert proxy.lines == []
    assert b"uthorization" not in server.heads[0]
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("name", ["X-A", "Authorization"])
def test_a_header_value_with_a_line_break_is_refused(
    serve: Callable[..., Server], name: str
) -> None:
    server = serve(OK)
    with pytest.raises((ValueError, requests.RequestException)):
        session().get(server.url, headers={name: "a\r\nX-B: c"})
    assert server.lines == []


# --- what a session takes in: no more than it can bear -------------------------------------------------


def _gzipped(size: int) -> bytes:
    body = gzip.compress(b"a" * size)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_bomb_is_refused_before_it_is_in_memory(serve: Callable[..., Server]) -> None:
    import tracemalloc

    server = serve(_gzipped(200 * 2**20))
    tracemalloc.start()
    with pytest.raises(Unreachable), network_errors():
        session(deadline=20.0).get(server.url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


@pytest.mark.parametrize("layers", [1, 2])
def test_what_compresses_well_and_is_small_is_read(
    serve: Callable[..., Server], layers: int
) -> None:
    body = b'{"a":"' + b"x" * 5000 + b'"}'
    packed = body
    for _ in range(layers):
        packed = gzip.compress(packed)
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {', '.join(['gzip'] * layers)}\r\n"
        f"Content-Length: {len(packed)}\r\n\r\n"
    )
    server = serve(head.encode() + packed)
    assert session().get(server.url).content == body


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_a_cut_or_broken_answer_is_no_answer(serve: Callable[..., Server], answer: bytes) -> None:
    def cut(head: bytes, client: socket.socket) -> None:
        client.sendall(answer)
        raise StopIteration

    with pytest.raises(Unreachable) as lost, network_errors():
        session().delete(serve(cut).url)
    assert lost.value.sent


@pytest.mark.parametrize("many", [(10_000, 10), (1, 2**20)])
def test_a_flood_of_headers_is_refused(serve: Callable[..., Server], many: tuple[int, int]) -> None:
    count, size = many
    flood = b"".join(b"X-%d: %s\r\n" % (n, b"a" * size) for n in range(count))
    server = serve(b"HTTP/1.1 200 OK\r\n" + flood + b"Content-Length: 0\r\n\r\n")
    with pytest.raises(Unreachable), network_errors():
        session(deadline=10.0).get(server.url)


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_byte_at_a_time_ends_at_the_deadline(serve: Callable[..., Server], part: str) -> None:
    def drip(head: bytes, client: socket.socket) -> None:
        if part == "body":
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for byte in b"HTTP/1.1 200 OK" + b" " * 1000:
            client.sendall(bytes([byte]))
            time.sleep(0.02)

    server = serve(drip)
    began = time.monotonic()
    with pytest.raises(Unreachable) as lost, network_errors():
        session(deadline=0.3).delete(server.url)
    assert lost.value.sent
    assert time.monotonic() - began < 5


def test_bytes_left_over_after_an_answer_are_not_taken_for_the_next(
    serve: Callable[..., Server],
) -> None:
    first = OK + OK.replace(b"{}", b"[]")
    answers = iter([first, OK.replace(b"{}", b'""'), OK.replace(b"{}", b'""')])
    server = serve(lambda head, client: client.sendall(next(answers)))
    one = session()
    assert one.get(server.url + "/a").text == "{}"
    time.sleep(0.05)
    # No answer is an answer as well: never the one that was left over.
    with contextlib.suppress(requests.RequestException):
        assert one.get(server.url + "/b").text == '""'


def test_deadlines_nest_and_only_shorten() -> None:
    with deadline(10.0), deadline(100.0):
        from crm_bridge.transport import _left

        left = _left(None)
        assert left is not None
        assert left <= 10.0


def test_a_connection_that_was_never_made_is_told_as_not_sent() -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    closed.close()
    with pytest.raises(Unreachable) as lost, network_errors():
        session().delete(url)
    assert not lost.value.sent


def test_an_error_never_quotes_what_was_sent(serve: Callable[..., Server]) -> None:
    def cut(head: bytes, client: socket.socket) -> None:
        raise StopIteration

    with pytest.raises(Unreachable) as lost, network_errors():
        session().post(serve(cut).url + "/x?token=canary", json={"secret": "canary"})
    assert "canary" not in f"{lost.value} {lost.value.detail} {lost.value!r}"
    assert lost.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["Sun, 22 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 13:00:00 +0100"]
)
def test_the_servers_clock_is_read(text: str) -> None:
    assert date_of({"Date": text}).isoformat() == "2026-11-22T12:00:00+00:00"


@pytest.mark.parametrize("text", ["", "soon", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_a_date_that_is_none_is_ours(text: str) -> None:
    assert date_of({"Date": text}).tzinfo is not None


# --- tokens -------------------------------------------------------------------------------------------


def test_a_token_is_kept_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = TokenFile("host", "app", folder=tmp_path / "tokens")
        file.write({"token": "canary"})
    finally:
        os.umask(before)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert file.read() == {"token": "canary"}
    assert "app" not in file.path.name


@pytest.mark.parametrize("spoil", ["link", "open", "torn", "list", "pipe", "deep"])
def test_a_token_file_that_cannot_be_trusted_is_as_none(tmp_path: Path, spoil: str) -> None:
    file = TokenFile("host", folder=tmp_path)
    file.write({"token": "canary"})
    if spoil == "link":
        file.path.rename(tmp_path / "real")
        file.path.symlink_to(tmp_path / "real")
    elif spoil == "open":
        file.path.chmod(0o644)
    elif spoil == "pipe":
        file.forget()
        os.mkfifo(file.path, 0o600)
    else:
        text = {"torn": '{"tok', "list": "[]", "deep": "[" * 60000}[spoil]
        file.path.write_text(text)
    assert file.read() is None


def test_a_write_that_fails_leaves_the_old_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = TokenFile("host", folder=tmp_path)
    file.write({"token": "old"})

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SettingsError, match="No space"):
        file.write({"token": "new"})
    monkeypatch.undo()
    assert file.read() == {"token": "old"}
    file.write({"token": "new"})
    assert file.read() == {"token": "new"}


def test_a_link_at_the_lock_is_refused(tmp_path: Path) -> None:
    file = TokenFile("host", folder=tmp_path)
    file.path.with_suffix(".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(SettingsError, match="cannot be kept"), file.locked():
        pass
    assert not (tmp_path / "victim").exists()


def test_certificates_and_host_names_are_checked_and_keys_are_not_logged() -> None:
    import ssl

    from crm_bridge.transport import _tls

    context = _tls(Settings(vendor="x", environment="production"))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.keylog_filename is None


def test_nothing_leaves_once_it_may_not_though_the_connection_stands(serve):
    server, asked = serve(OK), []

    def check() -> None:
        asked.append(True)
        raise LookupError("asleep")

    with session() as one:
        assert one.get(server.url).status_code == 200
        with departing(check), pytest.raises(LookupError):
            one.delete(f"{server.url}/Lead/1")
        assert one.get(server.url).status_code == 200
    assert asked == [True]
    assert not [line for line in server.lines if line.startswith("DELETE")]
