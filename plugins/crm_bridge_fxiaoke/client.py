"""One request at a time to FxiaoKe: JSON by POST, a new trace id each, the login in its style.

https://developer.fxiaoke.com/openapi_v2/start/guide/param.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from crm_bridge.kit import Gate, RecordRef, careful_session, network_errors
from crm_bridge_fxiaoke.answers import Answer, opened
from crm_bridge_fxiaoke.login import Held, Login
from crm_bridge_fxiaoke.settings import HOSTS, FxiaokeSettings

if TYPE_CHECKING:
    import requests

PRESET: Final = "/cgi/crm/v2/data/"
CUSTOM: Final = "/cgi/crm/custom/v2/data/"


def path_of(kind: str, action: str) -> str:
    """The path of an action on records: custom objects, which end in `__c`, have their own."""
    return (CUSTOM if kind.endswith("__c") else PRESET) + action


class Client:
    """The wire of one account.

    Args:
        settings: The account's settings.
        url: The base of all calls.
        gate: The door out.
    """

    def __init__(self, settings: FxiaokeSettings, url: str, gate: Gate) -> None:
        self._legacy = settings.auth == "legacy"
        self._url, self._gate = url, gate
        self._session: requests.Session = careful_session(settings, hosts=HOSTS)
        self.login = Login(settings, url, gate, self._log_in)

    def ask(self, path: str, data: Mapping[str, Any] | None = None, **top: Any) -> Answer:
        """Make a read; `top` are parameters that stand beside `data`."""
        self.login.hold()
        return self._gate.ask(lambda: self._send(path, data, top, write=False), interface=path)

    def tell(
        self, refs: Iterable[RecordRef], path: str, data: Mapping[str, Any], **top: Any
    ) -> Answer:
        """Make the one write of a batch; a login that is due is renewed by a request before it."""
        self.login.hold()
        return self._gate.tell(
            refs, lambda: self._send(path, data, top, write=True), interface=path
        )

    def close(self) -> None:
        """Let connections go."""
        self._session.close()

    def _send(
        self, path: str, data: Mapping[str, Any] | None, top: Mapping[str, Any], *, write: bool
    ) -> Answer:
        held = self.login.current
        body: dict[str, Any] = {**top}
        headers: dict[str, str] = {}
        if self._legacy:
            body |= _in_body(held)
        else:
            headers = {
                "authorization": f"Bearer {held.token}",
                "x-fs-ea": held.tenant,
                "x-fs-userid": held.user,
            }
        if data is not None:
            body["data"] = data
        return self._post(path, body, headers, write=write)

    def _log_in(self, path: str, body: Mapping[str, Any]) -> Answer:
        return self._post(path, body, {}, write=False, login=True)

    def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        write: bool,
        login: bool = False,
    ) -> Answer:
        with network_errors("FxiaoKe"):
            answer = self._session.post(
                self._url + path,
                params={"thirdTraceId": str(uuid.uuid4())},
                data=exact_json(body).encode(),
                headers={"Content-Type": "application/json", **headers},
            )
        return opened(answer.status_code, answer.headers, answer.content, write=write, login=login)


def _in_body(held: Held) -> dict[str, str]:
    return {
        "corpAccessToken": held.token,
        "corpId": held.tenant,
        "currentOpenUserId": held.user,
    }


def exact_json(value: Any) -> str:
    """JSON in which a `Decimal` keeps every digit; `json.dumps` would make a float of it.

    Raises:
        TypeError: A value is of no type that JSON has.
    """
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        rows = (f"{json.dumps(str(k))}:{exact_json(v)}" for k, v in value.items())
        return "{" + ",".join(rows) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(exact_json, value)) + "]"
    if isinstance(value, float):
        raise TypeError("a float is not a value of a record")
    return json.dumps(value)
