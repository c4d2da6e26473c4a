"""How we log in: a static token (service key, private app), or OAuth with a refresh token.

Static tokens do not expire by the hour and cannot be renewed by us. OAuth access tokens hold for 30
minutes, and all parameters travel in the body
(https://developers.hubspot.com/docs/api-reference/auth-oauth-v3/guide).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from crm_bridge.kit import Rejected, Secret, SettingsError, TokenFile, Unauthorized

REFUSED: Final = frozenset({"BAD_REFRESH_TOKEN", "BAD_HUB", "invalid_grant", "BAD_CLIENT_ID"})
"""What HubSpot calls a refresh that will never work: the token is void, or the portal is gone."""


class Login:
    """The token of the moment.

    Args:
        token: A static token; None for OAuth.
        client_id: The OAuth application.
        client_secret: Its secret.
        refresh_token: What it was given when somebody allowed it in.
        base: Scheme and host, so that tokens of two portals never share a file.
        fetch: Asks for a token with a form, by one read through the gate.
    """

    def __init__(
        self,
        token: Secret | None,
        client_id: str,
        client_secret: Secret | None,
        refresh_token: Secret | None,
        base: str,
        fetch: Callable[[dict[str, str]], Any],
    ) -> None:
        oauth = bool(client_id) and client_secret is not None and refresh_token is not None
        if token is None and not oauth:
            raise SettingsError(
                "HubSpot needs a login.",
                detail="Name access_token (a service key or a private app's), or client_id, "
                "client_secret and refresh_token of an OAuth app.",
            )
        self.renewable = token is None
        self._token, self._client_id = token, client_id
        self._secret, self._refresh = client_secret, refresh_token
        self._base, self._fetch = base, fetch
        self._current = ""
        self._lock = threading.Lock()

    def bearer(self) -> str:
        """The token as it is now; `ready()` comes first."""
        return self._token.reveal() if self._token is not None else self._current

    def ready(self) -> None:
        """See to it that there is a token, before a request is made."""
        if not self.renewable or self._current:
            return
        with self._lock:
            if self._current:
                return
            file = self._file()
            with file.locked():
                kept = file.read()
                if kept is not None and isinstance(kept.get("access_token"), str):
                    self._current = kept["access_token"]
                else:
                    self._current = self._asked(file)

    def renew(self) -> None:
        """Get another token in place of the one that was refused.

        Raises:
            Unauthorized: There is no other.
        """
        if not self.renewable:
            raise Unauthorized(
                "HubSpot does not take the token, and a static token cannot be renewed.",
                detail="Rotate the service key or the private app's token, and name the new one.",
            )
        with self._lock:
            file = self._file()
            with file.locked():
                kept = file.read()
                told = kept.get("access_token") if kept is not None else None
                # Another process may have renewed it already; its token is as good.
                if isinstance(told, str) and told != self._current:
                    self._current = told
                else:
                    self._current = self._asked(file)

    def _file(self) -> TokenFile:
        assert self._refresh is not None
        return TokenFile("hubspot", self._base, self._client_id, self._refresh.reveal())

    def _asked(self, file: TokenFile) -> str:
        assert self._secret is not None
        assert self._refresh is not None
        try:
            told = self._fetch(
                {
                    "grant_type": "refresh_token",
                    "client_id": self._client_id,
                    "client_secret": self._secret.reveal(),
                    "refresh_token": self._refresh.reveal(),
                }
            )
        except Rejected as error:
            file.forget()
            raise Unauthorized(
                f"HubSpot gives no access token: {error.summary}",
                vendor_code=error.vendor_code,
                detail="Let somebody with super admin rights allow the OAuth app in again."
                if error.vendor_code in REFUSED else "",
            ) from None  # fmt: skip
        token = told.get("access_token")
        if not isinstance(token, str) or not token:
            raise Unauthorized("HubSpot answered the refresh without an access token.")
        file.write({"access_token": token})
        return token
