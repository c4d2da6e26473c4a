"""The client, held: simple-salesforce on a session that neither repeats, redirects nor guesses.

What simple-salesforce does by itself and must not: it sends the bearer token to any absolute URL
given as an id, logs in again in a loop on a 401, has no deadline, reads numbers as floats and keeps
the last of doubled keys. So it is used with a token only, its session is ours, and each answer
passes `_seen` before the client looks at it: errors are judged there, with their headers, and JSON
is read exactly.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

from crm_bridge.kit import (
    Quota,
    Secret,
    Settings,
    SettingsError,
    StrangeAnswer,
    Unreachable,
    careful_session,
    check_host,
    date_of,
    network_errors,
    strict_json,
)
from crm_bridge_salesforce import soap
from crm_bridge_salesforce.profile import BIN_DAYS, BULK_ABOVE, LONG_BIN_DAYS, PROFILE
from crm_bridge_salesforce.troubles import judged, told_of, trouble

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

WHAT: Final = "Salesforce"
_VERSION: Final = re.compile(r"[0-9]{2,3}\.0")
OLDEST: Final = 53
"""Bulk results name the ids of failed rows from this version on."""
_USAGE: Final = re.compile(r"api-usage=([0-9]+)/([0-9]+)")
_NEXT: Final = re.compile(r"/services/data/v[0-9]+\.[0-9]/query(?:All)?/[A-Za-z0-9-]{1,80}")
JWT_MINUTES: Final = 3
"""The vendor takes assertions that end within five minutes."""


class SalesforceSettings(Settings, kw_only=True, frozen=True):
    """The keys of `[crms.NAME]`.

    Attributes:
        base_url: The org's My Domain: https://acme.my.salesforce.com.
        instance_url: Where a given token is good, if that is another host than `base_url`.
        consumer_key: Of the external client app.
        consumer_secret: Its secret; with it the login is by client credentials.
        username: The user that a JWT bearer login acts for.
        private_key: The PEM key that signs the JWT; with it the login is by JWT bearer.
        audience: Who the JWT is for; empty for login or test.salesforce.com, by `environment`.
        token: An access token that somebody else got; it cannot be renewed.
        api_version: Of the REST, Bulk and SOAP calls.
        bin_days: How long the recycle bin keeps: 15, or 30 where Support extended it.
        bulk_above: More records of a kind than this are deleted by a Bulk job.
    """

    instance_url: str = ""
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None
    username: str = ""
    private_key: Secret | None = None
    audience: str = ""
    token: Secret | None = None
    api_version: str = "64.0"
    bin_days: int = BIN_DAYS
    bulk_above: int = BULK_ABOVE


class Wire:
    """One account's client; sends nothing until it is told to.

    Args:
        settings: The account's settings.

    Attributes:
        quota: What is left of the day's calls, as the last answer told.
        identity: (org id, user id) of the login, where its answer told them.
        opaque: False where the token is in JWT form, which SOAP refuses.

    Raises:
        SettingsError: They do not hold together, or name a host that is not the vendor's.
    """

    def __init__(self, settings: SalesforceSettings) -> None:
        # The client is imported here and not above, so that nothing loads it before it is needed.
        import simple_salesforce

        _check(settings)
        self._client_class = simple_salesforce.Salesforce
        self._settings = settings
        self._base = self._checked(settings.base_url or settings.instance_url)
        self._session = careful_session(settings, hosts=PROFILE.hosts)
        self._session.hooks["response"].append(self._seen)
        if settings.environment == "simulator":
            # The client builds https:// whatever it is given; the simulator speaks plain http.
            self._session.mount("https://", _loopback(self._session.get_adapter("http://"),
                                                      self._base))  # fmt: skip
        self._here = threading.local()
        self._client: Any = None
        self.quota: Quota | None = None
        self.identity: tuple[str, str] | None = None
        self.opaque = True
        if settings.token is not None:
            self._use(settings.token.reveal(), self._checked(settings.instance_url or self._base))

    @property
    def ready(self) -> bool:
        """Whether there is a token to call with."""
        return self._client is not None

    @property
    def renewable(self) -> bool:
        """Whether another token can be got."""
        return self._settings.token is None

    @property
    def now(self) -> datetime:
        """The server's clock, from the last answer that this thread got (UTC)."""
        return date_of(getattr(self._here, "headers", {}))

    @property
    def home(self) -> str:
        """Where people see the org's records."""
        return self._base

    def login(self) -> None:
        """Get a token; one request.

        Raises:
            Unauthorized: The vendor does not take the login.
            Unreachable: No answer that can be read.
        """
        settings = self._settings
        form, headers = {"grant_type": "client_credentials"}, {}
        if settings.private_key is not None:
            form = {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": self._assertion(),
            }
        else:
            assert settings.consumer_key is not None
            assert settings.consumer_secret is not None
            pair = f"{settings.consumer_key.reveal()}:{settings.consumer_secret.reveal()}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        with network_errors(WHAT):
            answer = self._session.post(
                f"{self._base}/services/oauth2/token", data=form, headers=headers
            )
        told = self._exact(answer)
        token, instance = told.get("access_token"), told.get("instance_url") or self._base
        if not isinstance(token, str) or not token or not isinstance(instance, str):
            raise Unreachable(f"{WHAT} answered a login without a token.", strange=True)
        who = re.fullmatch(r".*/id/(00D\w{12,15})/(005\w{12,15})", str(told.get("id", "")))
        self.identity = (who[1], who[2]) if who else None
        self._use(token, self._checked(instance))

    def call(self, what: Callable[[Any], T]) -> T:
        """Make one request through the client.

        Args:
            what: Is given the `simple_salesforce.Salesforce`.

        Raises:
            AdapterError: In place of whatever the vendor, the client or the network raise.
        """
        with network_errors(WHAT):
            try:
                return what(self._client)
            except StrangeAnswer as error:
                raise Unreachable(f"{WHAT} answered strangely: {error}.", strange=True) from None
            except (TypeError, KeyError, AttributeError, IndexError) as error:
                # The client trusts every answer to have the shape that it expects.
                raise Unreachable(
                    f"{WHAT} answered in a shape that is not due ({type(error).__name__}).",
                    strange=True,
                ) from None

    def more(self, address: str) -> Any:
        """The next page of a query; its address must be one of this very org.

        Raises:
            Unreachable: It leads elsewhere.
        """
        if not _NEXT.fullmatch(address):
            raise Unreachable(f"{WHAT} named a next page that is not its own.", strange=True)
        return self.call(lambda client: client.query_more(address, identifier_is_url=True))

    def soap(self, call: str, ids: tuple[str, ...] | list[str]) -> list[soap.Row]:
        """Make one SOAP call.

        Raises:
            AdapterError: It was refused as a whole, or its answer cannot be read.
        """

        def post(client: Any) -> requests.Response:
            answer: requests.Response = client.session.post(
                f"https://{client.sf_instance}/services/Soap/u/{client.sf_version}",
                data=soap.envelope(call, client.session_id, ids),
                headers=soap.HEADERS,
            )
            return answer

        answer = self.call(post)
        try:
            told = soap.read(answer.content, call)
        except StrangeAnswer as error:
            if answer.status_code >= 400:
                raise trouble(answer) from None
            raise Unreachable(f"{WHAT} answered strangely: {error}.", strange=True) from None
        if isinstance(told, soap.Fault):
            raise judged(answer.status_code, told.code, told.message, answer.headers, fault=True)
        return told

    def close(self) -> None:
        """Let connections go."""
        self._session.close()

    # --- private ---------------------------------------------------------------------------------

    def _checked(self, url: str) -> str:
        return check_host(
            url,
            environment=self._settings.environment,
            hosts=PROFILE.hosts,
            settings_hosts=self._settings.settings_hosts,
        )

    def _use(self, token: str, instance: str) -> None:
        self.opaque = not is_jwt(token)
        self._client = self._client_class(
            session_id=token, instance_url=instance, version=self._settings.api_version,
            session=self._session, object_pairs_hook=dict,
        )  # fmt: skip

    def _assertion(self) -> str:
        import jwt

        settings = self._settings
        assert settings.consumer_key is not None
        assert settings.private_key is not None
        host = "test" if settings.environment == "sandbox" else "login"
        try:
            return jwt.encode(
                {
                    "iss": settings.consumer_key.reveal(),
                    "sub": settings.username,
                    "aud": settings.audience or f"https://{host}.salesforce.com",
                    "exp": int(time.time()) + JWT_MINUTES * 60,
                },
                settings.private_key.reveal(),
                "RS256",
            )
        except (ValueError, TypeError, jwt.PyJWTError):
            raise SettingsError("private_key is not an RSA key in PEM form.") from None

    def _seen(self, response: requests.Response, **_: Any) -> None:
        """Look at each answer before the client does."""
        self._here.headers = response.headers
        if usage := _USAGE.search(response.headers.get("Sforce-Limit-Info", "")):
            used, limit = int(usage[1]), int(usage[2])
            self.quota = Quota(limit, max(0, limit - used))
        # Without a charset requests would read text as Latin-1; the vendor writes UTF-8.
        response.encoding = "utf-8"
        response.json = lambda **_: self._body(response)  # type: ignore[method-assign]
        if response.status_code < 300:
            return
        if "/services/Soap/" in response.url and response.status_code == 500:
            return  # a fault, which tells more than the status
        raise trouble(response)

    @staticmethod
    def _body(response: requests.Response) -> Any:
        # An upload is answered 201 with nothing; the client asks such an answer for its JSON too.
        if response.status_code == 201 and not response.content:
            return {}
        return strict_json(response.content)

    @staticmethod
    def _exact(response: requests.Response) -> Mapping[str, Any]:
        try:
            told = strict_json(response.content)
        except StrangeAnswer as error:
            raise Unreachable(f"{WHAT} answered strangely: {error}.", strange=True) from None
        if not isinstance(told, dict):
            raise Unreachable(f"{WHAT} answered strangely: {told_of(response)[1]}.", strange=True)
        return told


def is_jwt(token: str) -> bool:
    """Whether a token is in JWT form: three parts, of which the first holds JSON."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        head = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, binascii.Error):
        return False
    return isinstance(head, dict)


def _check(settings: SalesforceSettings) -> None:
    if not (settings.base_url or settings.instance_url):
        raise SettingsError(
            "base_url is missing.", detail='Write base_url = "https://YOURS.my.salesforce.com".'
        )
    number = settings.api_version
    if not _VERSION.fullmatch(number) or int(number.partition(".")[0]) < OLDEST:
        raise SettingsError(f"api_version is {number!r}; write 64.0, or any from {OLDEST}.0 on.")
    if settings.bin_days not in (BIN_DAYS, LONG_BIN_DAYS):
        raise SettingsError(
            f"bin_days is {settings.bin_days}; Salesforce keeps {BIN_DAYS} days, or "
            f"{LONG_BIN_DAYS} where its Support extended the bin."
        )
    if settings.token is not None:
        return
    if settings.consumer_key is None:
        raise SettingsError(
            "there is no login.",
            detail="Give consumer_key with consumer_secret (client credentials), consumer_key with "
            "username and private_key (JWT bearer), or a token.",
        )
    if settings.private_key is None and settings.consumer_secret is None:
        raise SettingsError("consumer_key needs a consumer_secret, or username and private_key.")
    if settings.private_key is not None and not settings.username:
        raise SettingsError("private_key needs the username that the login acts for.")


def _loopback(inner: Any, origin: str) -> Any:
    """A transport that speaks plain http to one loopback origin, and to nothing else."""
    import requests
    from requests.adapters import BaseAdapter

    home = urlsplit(origin).netloc

    class Loopback(BaseAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            parts = urlsplit(request.url)
            if parts.netloc != home:
                raise requests.exceptions.InvalidURL(f"{parts.netloc} is not the simulator")
            request.url = urlunsplit(("http", home, parts.path, parts.query, ""))
            return inner.send(request, *args, **kwargs)

        def close(self) -> None:
            inner.close()

    return Loopback()
