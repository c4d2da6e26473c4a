"""The login, in both styles: a token that is asked for rarely, never twice at once, and shared.

https://developer.fxiaoke.com/openapi_v2/start/auth/: a token lives 7,200 s; asked for again within
6,600 s the vendor gives the same one; the call is limited to 10 a minute and must not run twice at
once. So the token is kept for all processes of the machine, under a lock.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from crm_bridge.kit import Gate, TokenFile, Unauthorized, Unreachable
from crm_bridge_fxiaoke.answers import Answer
from crm_bridge_fxiaoke.settings import FxiaokeSettings

TOKEN: Final = "/oauth2.0/token"
LEGACY_TOKEN: Final = "/cgi/corpAccessToken/get/V2"
BY_MOBILE: Final = "/cgi/user/getByMobile"
SPARE: Final = 600
"""Seconds before its end from which a token is replaced: then the vendor gives a new one."""

Post = Callable[[str, Mapping[str, Any]], Answer]
"""Makes one login request, without credentials but those in the body."""


@dataclass(frozen=True, slots=True)
class Held:
    """A login.

    Attributes:
        token: What opens the door; never printed.
        tenant: The enterprise as the server named it: `ea`, or `FSCID_...` in the legacy style.
        user: Who acts: an employee id, or `FSUID_...`.
        until: When it is to be replaced, in seconds of this machine's clock.
    """

    token: str
    tenant: str
    user: str
    until: float

    def __repr__(self) -> str:
        return f"Held(tenant={self.tenant!r}, user={self.user!r})"


class Login:
    """The token of one account.

    Args:
        settings: The account's settings.
        url: The base of all calls.
        gate: The door out.
        post: Makes one login request.
    """

    def __init__(self, settings: FxiaokeSettings, url: str, gate: Gate, post: Post) -> None:
        self._settings, self._url, self._gate, self._post = settings, url, gate, post
        self._held: Held | None = None
        self._lock = threading.Lock()

    def hold(self) -> Held:
        """The login to use now; asks the vendor for one where there is none that still holds.

        Raises:
            Unauthorized: The vendor gives none.
        """
        held = self._held
        if held is None or time.time() >= held.until:
            held = self._replace(held)
        return held

    @property
    def current(self) -> Held:
        """The login that `hold` saw to; asks nobody."""
        assert self._held is not None, "hold() comes before a request is made"
        return self._held

    def renew(self) -> None:
        """Get another login in place of the one that was refused.

        Raises:
            Unauthorized: The vendor gives none.
        """
        self._replace(self._held)

    def _replace(self, old: Held | None) -> Held:
        with self._lock:
            if self._held is not None and self._held is not old:
                return self._held  # another thread was here first
            secrets = (self._settings.app_secret.reveal(), self._settings.permanent_code.reveal())
            digest = hashlib.sha256("\0".join(secrets).encode()).hexdigest()
            who = self._settings.user_id or self._settings.open_user_id or self._settings.mobile
            file = TokenFile(self._url, self._settings.auth, self._settings.app_id, who, digest)
            with file.locked():
                kept = _kept(file.read())
                if kept is None or (old is not None and kept.token == old.token):
                    kept = self._asked(*secrets)
                    file.write(asdict(kept))
            self._held = kept
        if old is not None and old.token != kept.token:
            # A token of another life: who it speaks for is proved before the next write.
            getattr(self._gate, "login_changed", lambda: None)()
        return kept

    def _asked(self, secret: str, code: str) -> Held:
        settings = self._settings
        legacy = settings.auth == "legacy"
        body = {"appId": settings.app_id, "appSecret": secret, "permanentCode": code}
        if not legacy:
            body["grantType"] = "app_secret"
        path = LEGACY_TOKEN if legacy else TOKEN
        told = self._gate.ask(lambda: self._post(path, body), interface=path).body
        token = told.get("corpAccessToken" if legacy else "accessToken")
        tenant = told.get("corpId" if legacy else "ea")
        left = told.get("expiresIn")
        if not isinstance(token, str) or not token or not isinstance(tenant, str) or not tenant:
            raise Unreachable("FxiaoKe's login answered without a token.", answered=True)
        seconds = left if isinstance(left, int) else 7200
        user = settings.open_user_id if legacy else settings.user_id
        if legacy and not user:
            user = self._by_mobile(token, tenant)
        return Held(token, tenant, user, time.time() + max(1, seconds - SPARE))

    def _by_mobile(self, token: str, tenant: str) -> str:
        """Who acts, in the legacy style: https://open.fxiaoke.com/open/openindex/wiki.html."""
        body = {"corpAccessToken": token, "corpId": tenant, "mobile": self._settings.mobile}
        told = self._gate.ask(lambda: self._post(BY_MOBILE, body), interface=BY_MOBILE).body
        found = told.get("empList")
        people = [p for p in found if isinstance(p, dict)] if isinstance(found, list) else []
        if len(people) != 1 or not isinstance(people[0].get("openUserId"), str):
            raise Unauthorized(
                f"{len(people)} employees have the mobile number of the settings; one must.",
                detail="Check mobile, or name open_user_id (FSUID_...) instead.",
            )
        return str(people[0]["openUserId"])


def _kept(value: Mapping[str, Any] | None) -> Held | None:
    """What another process left, if it still holds."""
    if value is None:
        return None
    token, tenant, user = (value.get(name) for name in ("token", "tenant", "user"))
    until = value.get("until")
    if not all(isinstance(t, str) and t for t in (token, tenant, user)):
        return None
    if not isinstance(until, (int, float)):
        return None
    # A clock that was set back must not make a token live longer than it does.
    if not time.time() < until <= time.time() + 7200:
        return None
    return Held(str(token), str(tenant), str(user), float(until))
