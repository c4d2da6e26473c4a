"""Sessions that do what they are told and nothing else.

HTTP libraries repeat and redirect deletes by themselves: measured on a kept-alive connection, urllib3
sent a second DELETE when the reply to the first was lost, and followed a 307 to another record. The
sessions made here never retry, never follow a redirect, keep no cookies, take nothing from the
environment, hold one deadline over the whole request, bound what they read after decompression, and
speak only to hosts that were checked.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import re
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from crm_bridge.errors import PlanBlocked, SettingsError, Unreachable
from crm_bridge.secrets import own_folder

if TYPE_CHECKING:
    import requests

    from crm_bridge.adapter import Settings

MAX_BODY: Final = 160 * 2**20
"""Bytes of one answer after decompression; a larger one is refused."""

MAX_RATIO: Final = 200
"""Times that an answer may grow by decompression once it is over a megabyte."""

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_current = threading.local()


def is_loopback(url: str) -> bool:
    """Whether a URL names this very machine by plain http, as a simulator does."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")


def check_host(
    url: str, *, environment: str, hosts: tuple[str, ...], settings_hosts: tuple[str, ...] = ()
) -> str:
    """Refuse a URL that a secret must not travel to, before any connection.

    Args:
        url: The URL, or the base of all URLs of an account.
        environment: What the settings claim: production, sandbox or simulator.
        hosts: Suffixes of the vendor's own hosts, matched on a label boundary.
        settings_hosts: Hosts named in the settings beyond those.

    Returns:
        The URL without a trailing slash.

    Raises:
        SettingsError: It is not https on port 443 to a host of the vendor's.
        PlanBlocked: A simulator's address stands under a production claim, or the other way round.
    """
    if any(ord(c) <= 32 or c in "\\\x7f" or ord(c) > 126 for c in url):
        raise SettingsError(f"{url!r} is not a URL.", code="host")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise SettingsError(f"{url!r} is not a URL.", code="host") from None
    if parts.username is not None or parts.fragment or parts.query:
        raise SettingsError(
            f"{url!r} holds more than a host.", detail="Write https://HOST alone.", code="host"
        )
    if is_loopback(url):
        if environment != "simulator":
            raise PlanBlocked(
                f"{url} is a simulator's address, and the settings claim {environment}.",
                detail='Set environment = "simulator", or give the true base_url.',
                code="wrong_target",
            )
        return url.rstrip("/")
    if environment == "simulator":
        raise PlanBlocked(
            f"{url} is not on loopback, and the settings claim a simulator.",
            detail="A simulator is spoken to by plain http on 127.0.0.1 only.",
            code="wrong_target",
        )
    named = host in {h.lower() for h in settings_hosts}
    if parts.scheme != "https" or (port not in (None, 443) and not named):
        raise SettingsError(
            f"{url} is not https on port 443.", detail="Tokens travel over https only.", code="host"
        )
    if not _HOST.fullmatch(host) or "xn--" in host or _is_address(host):
        raise SettingsError(f"{host!r} is not a host of this vendor's.", code="host")
    if not named and not any(host == h or host.endswith("." + h) for h in hosts):
        raise SettingsError(
            f"{host} is not a host of this vendor's.",
            detail=f"Hosts end in {', '.join(hosts)}; name others in [bridge] settings_hosts.",
            code="host",
        )
    return url.rstrip("/")


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    # Decimal, octal and hexadecimal spellings of an address are none of a vendor's names either.
    return bool(re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+))*", host))


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Hold everything that this thread reads from a careful socket within so many seconds."""
    before = getattr(_current, "until", None)
    until = time.monotonic() + seconds
    _current.until = until if before is None else min(until, before)
    try:
        yield
    finally:
        _current.until = before


def _left(own: float | None) -> float | None:
    until = getattr(_current, "until", None)
    if until is None:
        return own
    left: float = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline of the request is over")
    return left if own is None else min(own, left)


@contextlib.contextmanager
def departing(check: Callable[[], None]) -> Iterator[None]:
    """Let this thread ask once more, connection made and all, before any byte of a request leaves.

    A process may be stopped anywhere between its last look and the wire, and wake hours later.

    Args:
        check: Raises where the request may no longer leave; nothing of it is sent then, or not all.
    """
    before = getattr(_current, "departing", None)
    _current.departing = check
    try:
        yield
    finally:
        _current.departing = before


def _depart() -> None:
    check: Callable[[], None] | None = getattr(_current, "departing", None)
    if check is not None:
        check()


class _DeadlineSocket(socket.socket):
    """A socket whose every read keeps within the deadline, so that a byte a second is cut off too."""

    own_timeout: float | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        super().settimeout(_left(self.own_timeout))
        return super().recv_into(*args, **kwargs)

    def settimeout(self, value: float | None) -> None:
        self.own_timeout = value
        super().settimeout(value)


class _DeadlineTLSSocket(ssl.SSLSocket):
    """The same over TLS."""

    own_timeout: float | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        super().settimeout(_left(self.own_timeout))
        return super().recv_into(*args, **kwargs)

    def settimeout(self, value: float | None) -> None:
        self.own_timeout = value
        super().settimeout(value)


def _tls(settings: Settings) -> ssl.SSLContext:
    return _context(settings.extra_ca)


@cache
def _context(extra_ca: str) -> ssl.SSLContext:
    """One for all lanes: reading the authorities takes longer than many an answer."""
    import certifi

    # Not the default context: that one opens SSLKEYLOGFILE of the environment, to write every
    # session's keys to it. This protocol checks certificates and host names by itself.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _DeadlineTLSSocket
    if extra_ca:
        context.load_verify_locations(cafile=extra_ca)
    return context


def pool_manager(settings: Settings, **kwargs: Any) -> Any:
    """A urllib3 pool with our sockets, for clients that take a pool and not a session.

    Args:
        settings: The account's settings: environment, hosts, extra certificate authority.
        kwargs: Passed on to `urllib3.PoolManager`.

    Returns:
        A `urllib3.PoolManager` whose sockets keep to the deadline and whose peers are checked. Retries
        and redirects are off for calls that do not say otherwise; whoever calls says so too.
    """
    import urllib3
    from urllib3 import connection, connectionpool

    loopback_only = settings.environment == "simulator"
    named = {h.lower() for h in settings.settings_hosts}

    def checked(conn: Any, raw: socket.socket) -> socket.socket:
        peer = ipaddress.ip_address(raw.getpeername()[0].partition("%")[0])
        peer = getattr(peer, "ipv4_mapped", None) or peer
        fine = peer.is_loopback if loopback_only else (peer.is_global or conn.host in named)
        if not fine and not settings.proxies:
            raw.close()
            raise urllib3.exceptions.NewConnectionError(
                conn, f"{conn.host} leads to {peer}, which is no address of a vendor's"
            )
        quick = _DeadlineSocket(raw.family, raw.type, raw.proto, fileno=raw.detach())
        quick.settimeout(conn.timeout if isinstance(conn.timeout, (int, float)) else None)
        return quick

    class Plain(connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return checked(self, super()._new_conn())

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            _depart()
            super().send(data)

    class Secure(connection.HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return checked(self, super()._new_conn())

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            _depart()
            super().send(data)

    class PlainPool(connectionpool.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(connectionpool.HTTPSConnectionPool):
        ConnectionCls = Secure

    kwargs.setdefault("retries", urllib3.Retry(0, redirect=False, read=False))
    kwargs.setdefault("maxsize", 16)
    manager = urllib3.PoolManager(ssl_context=_tls(settings), **kwargs)
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager


def careful_session(settings: Settings, *, hosts: tuple[str, ...]) -> requests.Session:
    """A requests session with our rules.

    Args:
        settings: The account's settings: environment, deadline, hosts, proxies, certificate authority.
        hosts: Suffixes of the vendor's own hosts (`Profile.hosts`).

    Returns:
        A session that never retries, follows no redirect (a 3xx raises `requests.TooManyRedirects`),
        keeps no cookies, reads no environment, has a deadline of `settings.deadline` seconds over each
        request from connect to last byte, and refuses bodies over `MAX_BODY` bytes.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    class Careful(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            self.poolmanager = pool_manager(settings, maxsize=16, block=False)

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            parts = urlsplit(request.url)
            check_host(
                f"{parts.scheme}://{parts.netloc}",
                environment=settings.environment,
                hosts=hosts,
                settings_hosts=settings.settings_hosts,
            )
            kwargs["stream"] = True
            given = kwargs.get("timeout")
            if given is None:
                kwargs["timeout"] = (min(10.0, settings.deadline), settings.deadline)
            with deadline(settings.deadline):
                response = super().send(request, *args, **kwargs)
                _read_whole(response)
            if response.is_redirect or 300 <= response.status_code < 400:
                raise requests.TooManyRedirects(
                    f"answered {response.status_code} to elsewhere; redirects are not followed",
                    response=response,
                )
            return response

    class Session(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.trust_env = settings.proxies
            self.headers["User-Agent"] = "crm-bridge"
            self.headers["Accept-Encoding"] = "gzip, deflate"
            from http.cookiejar import DefaultCookiePolicy

            self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            careful = Careful(max_retries=Retry(0, redirect=False, read=False), pool_maxsize=16)
            self.mount("https://", careful)
            self.mount("http://", careful)

        def request(self, *args: Any, **kwargs: Any) -> Any:
            kwargs["allow_redirects"] = False
            return super().request(*args, **kwargs)

    return Session()


def _read_whole(response: Any) -> None:
    """Read the body here, bounded, so that `response.content` is only ever a whole answer."""
    import requests
    import urllib3

    raw, parts, size = response.raw, [], 0
    try:
        while chunk := raw.read(262_144, decode_content=True):
            size += len(chunk)
            wire = raw.tell() if hasattr(raw, "tell") else size
            if size > MAX_BODY or (size > 2**20 and size > MAX_RATIO * max(wire, 1)):
                raw.close()
                raise requests.exceptions.ContentDecodingError(
                    "the answer is larger than any that is due"
                )
            parts.append(chunk)
    except TimeoutError as error:
        raw.close()
        raise requests.ReadTimeout(error) from None
    except urllib3.exceptions.ReadTimeoutError as error:
        raw.close()
        raise requests.ReadTimeout(error) from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raw.close()
        if isinstance(error, requests.RequestException):
            raise
        raise requests.exceptions.ChunkedEncodingError(error) from None
    response._content = b"".join(parts)
    response._content_consumed = True
    raw.release_conn()


@contextlib.contextmanager
def network_errors(what: str = "the vendor") -> Iterator[None]:
    """Turn whatever requests, urllib3 or a socket raise into `Unreachable`, with `sent` judged.

    `sent` is False only where the connection was never made.
    """
    import requests
    import urllib3

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        never = (
            requests.ConnectTimeout,
            requests.exceptions.SSLError,
            requests.exceptions.InvalidURL,
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.ConnectTimeoutError,
            ConnectionRefusedError,
            socket.gaierror,
        )
        chain: list[BaseException] = [error]
        for link in chain:
            inner = [getattr(link, "reason", None), *link.args, link.__cause__]
            chain += [e for e in inner if isinstance(e, BaseException) and e not in chain][:8]
        sent = not any(isinstance(link, never) for link in chain)
        if isinstance(error, requests.TooManyRedirects):
            raise Unreachable(
                f"{what} answered with a redirect, which is not followed.",
                strange=True,
                detail="Check base_url: the API's host does not redirect.",
            ) from None
        told = type(chain[-1]).__name__
        raise Unreachable(f"{what} gave no whole answer ({told}).", sent) from None


def date_of(headers: Mapping[str, str]) -> datetime:
    """The server's clock, from its Date header; ours where it sends none. UTC."""
    text = headers.get("Date") or headers.get("date") or ""
    with contextlib.suppress(ValueError, TypeError):
        return parsedate_to_datetime(text).astimezone(UTC)
    return datetime.now(UTC)


class TokenFile:
    """A token kept for the processes of one machine: 0600, never through a link, written whole.

    Args:
        key: What tells accounts apart (host, application, user, and a digest of the secret).
        folder: Where to keep it; the user's cache folder if None.
    """

    def __init__(self, *key: str, folder: Path | None = None) -> None:
        if folder is None:
            import platformdirs

            folder = Path(platformdirs.user_cache_dir("crm-bridge")) / "tokens"
        own_folder(folder)
        name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
        self.path = folder / f"{name}.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file for this thread of this process alone; others wait.

        Raises:
            SettingsError: The place takes no file (code `tokens`).
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._keeping():
            handle = os.open(self.path.with_suffix(".lock"), flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read(self) -> dict[str, Any] | None:
        """What was written last; None where there is nothing that can be trusted."""
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(self.path, flags)
        except OSError:
            return None
        with os.fdopen(handle, encoding="utf-8") as file:
            told = os.fstat(file.fileno())
            plain = stat.S_ISREG(told.st_mode)
            if not plain or told.st_uid != os.getuid() or told.st_mode & 0o077:
                return None
            try:
                value = json.loads(file.read(65536))
            except (ValueError, RecursionError):
                return None
        return value if isinstance(value, dict) else None

    def write(self, value: Mapping[str, Any]) -> None:
        """Keep this instead; readers see the old or the new, never a part.

        Raises:
            SettingsError: It could not be written; what was kept before still is (code `tokens`).
        """
        with self._keeping():
            self._write(value)

    @contextlib.contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SettingsError(
                f"a token cannot be kept in {self.path.parent}: {error.strerror or error}.",
                detail="See to its rights and its disk, or name another place by XDG_CACHE_HOME.",
                code="tokens",
            ) from None

    def _write(self, value: Mapping[str, Any]) -> None:
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.{threading.get_ident()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        # What a process of the same number left behind when it died.
        draft.unlink(missing_ok=True)
        handle = os.open(draft, flags, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dict(value), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self.path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def forget(self) -> None:
        """Drop what is kept."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
