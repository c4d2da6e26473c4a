"""All that must be known of zcrmsdk 3.1.0, in one room.

It does the account (OAuth, token, data centre) and sends deletes and lists of what was deleted, by
v2. What it does by default, and how that is held here:

- Its import fails without an undeclared MySQL driver: names that stand for it exist while it is
  imported, and only where no true driver is installed.
- Its requests have no deadline and go through the `requests` module itself: both of its modules get
  a `Wire` instead, which sends by the calling account's careful session.
- `Initializer.initialize` is one for the process and writes a log file into the current folder: it
  is never called. Each account has an `Initializer` of its own, bound to the thread for one call.
- Its `FileStore` keeps tokens in a CSV that others may read: ours is `Kept`.
- A refresh holds a lock of the class, so that accounts wait for one another: a token is asked for
  here, outside of it, and always before it ends.
- Its data centres lack Japan, Canada and Saudi Arabia: `Environment` takes any addresses.
- It drops details that it does not know (`action` of RECORD_LOCKED), gives None for a page of HTML,
  and swallows what goes wrong while it reads an answer: it is handed an answer without a content
  type, which it leaves alone, and the bytes are read by us.
- Parameters of a named class are held against a table, id by id: a `Param` without one is taken as
  it is.
- It keeps a cache of fields by the local part of the user's mail: deletes and lists never touch it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import requests

_ROOT: Final = "zcrmsdk.src.com.zoho"
_API: Final = f"{_ROOT}.crm.api"
_DRIVER: Final = ("mysql", "mysql.connector")
_importing = threading.Lock()
_here = threading.local()

USER: Final = "crm-bridge@crm-bridge.invalid"
"""The library wants a mail address, for its cache only; the acting user is the token's."""

FAR: Final = 3_600_000
"""Milliseconds that a token is said to live on: whether it does is judged by its own clock."""


@dataclass(frozen=True, slots=True)
class Library:
    """What is used of zcrmsdk."""

    initializer: Any
    environment: Any
    signature: Any
    config: Any
    store: Any
    token: Any
    token_type: Any
    parameters: Any
    parameter: Any
    records: Any


@lru_cache(maxsize=1)
def library() -> Library:
    """Import zcrmsdk, once for the process, and put our wire into it."""
    with _importing:
        stood_in = _stand_in()
        try:
            return _imported()
        finally:
            for name in stood_in:
                sys.modules.pop(name, None)


def _stand_in() -> list[str]:
    if any(name in sys.modules for name in _DRIVER) or importlib.util.find_spec("mysql"):
        return []
    package, connector = (types.ModuleType(name) for name in _DRIVER)
    package.__path__ = []
    package.connector = connector  # type: ignore[attr-defined]
    connector.Error = type("Error", (Exception,), {})  # type: ignore[attr-defined]
    sys.modules.update(zip(_DRIVER, (package, connector), strict=True))
    return list(_DRIVER)


def _imported() -> Library:
    def load(name: str) -> Any:
        return importlib.import_module(name)

    initializer = load(f"{_API}.initializer").Initializer
    oauth = load(f"{_ROOT}.api.authenticator.oauth_token")
    connector = load(f"{_API}.util.api_http_connector")
    wire = Wire()
    for module in (oauth, connector):
        module.requests = wire
    # It logs every URL, ids included; without a handler of ours nothing of that reaches anybody.
    log = logging.getLogger("SDKLogger")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    log.setLevel(logging.CRITICAL)
    details = Path(load("zcrmsdk.src").__file__).parent / "json_details.json"
    initializer.json_details = json.loads(details.read_text(encoding="utf-8"))
    return Library(
        initializer=initializer,
        environment=load(f"{_API}.dc.data_center").DataCenter.Environment,
        signature=load(f"{_API}.user_signature").UserSignature,
        config=load(f"{_API}.sdk_config").SDKConfig,
        store=load(f"{_ROOT}.api.authenticator.store.token_store").TokenStore,
        token=oauth.OAuthToken,
        token_type=oauth.TokenType,
        parameters=load(f"{_API}.parameter_map").ParameterMap,
        parameter=load(f"{_API}.param").Param,
        records=load(f"{_API}.record.record_operations").RecordOperations,
    )


@dataclass(slots=True)
class Tape:
    """What went over the wire during one call of the library.

    Attributes:
        session: The session of the account that calls.
        response: The answer; None where there is none.
        trouble: What the session raised; the library would swallow it.
    """

    session: requests.Session
    response: Any = None
    trouble: Exception | None = None


class _Bare:
    """An answer as the library is shown it: without a content type it reads no body."""

    def __init__(self, response: Any) -> None:
        self.headers: Mapping[str, str] = {}
        self.status_code = response.status_code
        self._content = response.content

    def json(self) -> Any:
        """The body of a token answer, which the library reads itself."""
        return json.loads(self._content)


class Wire:
    """What the library takes for the `requests` module; it has what the library calls."""

    def get(self, url: str, **kwargs: Any) -> _Bare:
        """Send a GET."""
        return self._send("GET", url, kwargs)

    def post(self, url: str, **kwargs: Any) -> _Bare:
        """Send a POST."""
        return self._send("POST", url, kwargs)

    def delete(self, url: str, **kwargs: Any) -> _Bare:
        """Send a DELETE."""
        return self._send("DELETE", url, kwargs)

    @staticmethod
    def _send(method: str, url: str, kwargs: Mapping[str, Any]) -> _Bare:
        tape: Tape | None = getattr(_here, "tape", None)
        if tape is None:
            raise RuntimeError("zcrmsdk called out by itself, for no account of ours")
        kept = {k: kwargs[k] for k in ("data", "params", "headers") if kwargs.get(k) is not None}
        try:
            tape.response = tape.session.request(method, url, **kept)
        except Exception as error:
            tape.trouble = error
            raise
        return _Bare(tape.response)


@dataclass(slots=True)
class SdkAccount:
    """One account of zcrmsdk, that shares nothing with another.

    Args:
        api: Where the API is.
        token_url: Where tokens are given out.
        client_id: The client's id.
        client_secret: Gives its secret.
        refresh_token: Gives the refresh token.
        access_token: Gives the token that holds now.
        session: Gives the calling thread's session.
    """

    api: str
    token_url: str
    client_id: str
    client_secret: Callable[[], str]
    refresh_token: Callable[[], str]
    access_token: Callable[[], str]
    session: Callable[[], requests.Session]
    _bound: Any = field(default=None, repr=False)

    def delete(self, module: str, ids: Sequence[str], workflows: bool) -> Any:
        """Send one delete of at most 100 ids; gives the answer as it came over the wire."""
        lib = library()
        parameters = lib.parameters()
        parameters.add(lib.parameter("ids"), ",".join(ids))
        parameters.add(lib.parameter("wf_trigger"), "true" if workflows else "false")
        return self._call(lambda: lib.records().delete_records(module, parameters))

    def deleted(self, module: str, kind: str, page: int, per_page: int = 200) -> Any:
        """Ask for a page of what was deleted: `all`, `recycle` or `permanent`."""
        lib = library()
        parameters = lib.parameters()
        for name, value in (("type", kind), ("page", page), ("per_page", per_page)):
            parameters.add(lib.parameter(name), value)
        return self._call(lambda: lib.records().get_deleted_records(module, parameters))

    def refresh(self) -> Any:
        """Ask for an access token; gives the answer as it came over the wire."""

        def call() -> None:
            bound = self._account()
            bound.token.refresh_access_token(bound.user, bound.store)

        return self._call(call)

    def _call(self, call: Callable[[], Any]) -> Any:
        with self._use() as tape:
            try:
                call()
            except Exception:
                # Whatever the library makes of an answer: only what came over the wire counts.
                if tape.trouble is not None:
                    raise tape.trouble from None
                if tape.response is None:
                    raise
            if tape.trouble is not None:
                raise tape.trouble
            return tape.response

    @contextmanager
    def _use(self) -> Iterator[Tape]:
        """Bind this account to the thread for the time of one call."""
        local = library().initializer.LOCAL
        before, taped = getattr(local, "init", None), getattr(_here, "tape", None)
        local.init, _here.tape = self._account(), Tape(self.session())
        try:
            yield _here.tape
        finally:
            local.init, _here.tape = before, taped

    def _account(self) -> Any:
        if self._bound is None:
            lib = library()
            bound = lib.initializer()
            bound.user = lib.signature(USER)
            bound.environment = lib.environment(self.api, self.token_url, self.api)
            bound.token = lib.token(
                self.client_id, self.client_secret(), self.refresh_token(), lib.token_type.REFRESH
            )
            bound.store = _kept(lib, self.access_token)
            bound.sdk_config = lib.config(False, False)
            self._bound = bound
        return self._bound


def _kept(lib: Library, access_token: Callable[[], str]) -> Any:
    """A store of the library's kind that holds nothing itself: tokens are kept by `Tokens`."""

    class Kept(lib.store):  # type: ignore[misc,name-defined]
        def get_token(self, user: Any, token: Any) -> Any:
            held = lib.token(token.client_id, "", token.refresh_token, lib.token_type.REFRESH)
            held.access_token = access_token()
            held.expires_in = str(int(time.time() * 1000) + FAR)
            return held

        def save_token(self, user: Any, token: Any) -> None:
            return None

        def delete_token(self, token: Any) -> None:
            return None

        def get_tokens(self) -> list[Any]:
            return []

        def delete_tokens(self) -> None:
            return None

    return Kept()
