"""What `[crms.NAME]` holds for FxiaoKe, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from crm_bridge.kit import Secret, Settings, SettingsError, check_host, is_loopback

HOSTS: Final = ("fxiaoke.com", "sharecrm.com")
"""Suffixes of the vendor's own hosts, as its list of clouds has them."""

DEFAULT_URL: Final = "https://open.fxiaoke.com"


class FxiaokeSettings(Settings, kw_only=True, frozen=True):
    """The keys of `[crms.NAME]`.

    Attributes:
        auth: `header` (the new style) or `legacy` (the token travels in the body).
        app_id: The self-built application's id, `FSAID_...`.
        app_secret: Its secret.
        permanent_code: The permanent code that the enterprise gave it.
        user_id: With `header`: the employee id that acts, such as 1000.
        open_user_id: With `legacy`: the same person as `FSUID_...`.
        mobile: With `legacy`, instead of `open_user_id`: the person's mobile number.
        bulk_void: Whether custom objects are voided in lists, by an older call that their manual
            still names; it may be refused for users who are no administrators.
    """

    base_url: str = DEFAULT_URL
    auth: Literal["header", "legacy"] = "header"
    app_id: str
    app_secret: Secret
    permanent_code: Secret
    user_id: str = ""
    open_user_id: str = ""
    mobile: str = ""
    bulk_void: bool = False


def checked_url(settings: FxiaokeSettings) -> str:
    """The base of all calls, once the settings are seen to be whole and the host the vendor's.

    Raises:
        SettingsError: The acting user is missing, or the host is none of the vendor's API.
        PlanBlocked: A simulator's address under another claim, or the other way round.
    """
    if settings.auth == "header" and not settings.user_id:
        raise SettingsError(
            'auth = "header" needs user_id, the employee id that acts.',
            detail='It stands in the employee\'s page of the contact list: user_id = "1000".',
        )
    if settings.auth == "legacy" and not (settings.open_user_id or settings.mobile):
        raise SettingsError(
            'auth = "legacy" needs open_user_id (FSUID_...) or mobile, the person that acts.'
        )
    for name in ("app_id", "user_id", "open_user_id", "mobile"):
        value = getattr(settings, name)
        if any(ord(c) <= 32 or ord(c) > 126 for c in value):
            raise SettingsError(f"{name} holds a character that no header may hold.")
    url = check_host(
        settings.base_url or DEFAULT_URL,
        environment=settings.environment,
        hosts=HOSTS,
        settings_hosts=settings.settings_hosts,
    )
    host = urlsplit(url).hostname or ""
    named = host in {h.lower() for h in settings.settings_hosts}
    # The website answers the API's paths with a redirect to its front page.
    if not is_loopback(url) and not named and not host.startswith("open"):
        raise SettingsError(
            f"{host} is not a host of FxiaoKe's API.",
            detail="It is open.fxiaoke.com, or open-CLOUD.fxiaoke.com of the cloud you log in to.",
            code="host",
        )
    return url
