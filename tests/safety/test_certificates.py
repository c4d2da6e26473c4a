"""True TLS on loopback: what a vendor's certificate must be, and that no switch turns that off."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crm_bridge.adapter import Settings
from crm_bridge.errors import Unreachable
from crm_bridge.transport import careful_session, network_errors

DAY = datetime.timedelta(days=1)


def certificate(folder: Path, host: str = "localhost", days: int = 2) -> tuple[Path, Path]:
    """A certificate that nobody but itself vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 9 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / f"{host}.pem", folder / f"{host}.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, secret


@contextmanager
def serving(cert: Path, key: Path, old: bool = False) -> Iterator[tuple[str, list[str]]]:
    """A server with that certificate: its address, and what it was asked."""
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            asked.append(f"{self.path} {self.headers['Authorization']}")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def delete(url: str, extra_ca: Path | None = None) -> requests.Response:
    settings = Settings(
        vendor="v",
        environment="production",
        base_url=url,
        deadline=5.0,
        settings_hosts=("localhost",),
        extra_ca=str(extra_ca) if extra_ca else None,
    )
    with network_errors(), careful_session(settings, hosts=("vendor.example",)) as session:
        return session.delete(f"{url}/Lead/1", headers={"Authorization": "Bearer canary"})


def test_with_its_authority_given_a_private_server_is_spoken_to(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    with serving(cert, key) as (url, asked):
        assert delete(url, extra_ca=cert).status_code == 200
    assert asked == ["/Lead/1 Bearer canary"]


Made = Callable[[Path], tuple[Path, Path]]


@pytest.mark.parametrize(
    ("made", "trusted"),
    [
        (lambda folder: certificate(folder), False),
        (lambda folder: certificate(folder, days=-1), True),
        (lambda folder: certificate(folder, host="other.example"), True),
    ],
    ids=["self-signed", "expired", "another host's"],
)
def test_a_certificate_that_does_not_hold_is_refused_and_nothing_is_sent(
    made: Made, trusted: bool, tmp_path: Path
) -> None:
    cert, key = made(tmp_path)
    with serving(cert, key) as (url, asked):
        with pytest.raises(Unreachable) as refused:
            delete(url, extra_ca=cert if trusted else None)
        assert refused.value.sent is False
    assert asked == []


def test_tls_of_former_days_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    with serving(cert, key, old=True) as (url, asked), pytest.raises(Unreachable):
        delete(url, extra_ca=cert)
    assert asked == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_the_environment_names_no_authority(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path)
    monkeypatch.setenv(name, str(cert))
    with serving(cert, key) as (url, asked), pytest.raises(Unreachable):
        delete(url)
    assert asked == []
