"""What `[crms.NAME]` holds for Zoho CRM, its data centres, and what is refused before any call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from crm_bridge.kit import Secret, Settings, SettingsError, check_host, is_loopback

TOKEN_PATH: Final = "/oauth/v2/token"


@dataclass(frozen=True, slots=True)
class DataCentre:
    """Where an organisation lives.

    Attributes:
        accounts: Host of the login.
        api: Host of the API; sandboxes put `sandbox.` before `zohoapis`.
        page: Host of the pages that people look at.
    """

    accounts: str
    api: str
    page: str


DATA_CENTRES: Final = {
    "us": DataCentre("accounts.zoho.com", "zohoapis.com", "crm.zoho.com"),
    "eu": DataCentre("accounts.zoho.eu", "zohoapis.eu", "crm.zoho.eu"),
    "in": DataCentre("accounts.zoho.in", "zohoapis.in", "crm.zoho.in"),
    "au": DataCentre("accounts.zoho.com.au", "zohoapis.com.au", "crm.zoho.com.au"),
    "cn": DataCentre("accounts.zoho.com.cn", "zohoapis.com.cn", "crm.zoho.com.cn"),
    "jp": DataCentre("accounts.zoho.jp", "zohoapis.jp", "crm.zoho.jp"),
    "ca": DataCentre("accounts.zohocloud.ca", "zohoapis.ca", "crm.zohocloud.ca"),
    "sa": DataCentre("accounts.zoho.sa", "zohoapis.sa", "crm.zoho.sa"),
}
"""https://www.zoho.com/crm/developer/docs/api/v8/multi-dc.html, read 2026-11-24."""

HOSTS: Final = tuple(dict.fromkeys(h for c in DATA_CENTRES.values() for h in (c.accounts, c.api)))
"""Suffixes of the hosts that the API and the login answer on."""


class ZohoSettings(Settings, kw_only=True, frozen=True):
    """The keys of `[crms.NAME]`.

    Attributes:
        data_centre: Where the organisation lives: us, eu, in, au, cn, jp, ca or sa.
        accounts_url: Host of the login, where it is not the data centre's.
        client_id: The client's id in the API console.
        client_secret: Its secret.
        refresh_token: The refresh token; it does not expire.
        transport: Who sends deletes and lists what was deleted: `sdk` (zcrmsdk, v2) or `http` (v8).
        workflows: Whether workflow rules may fire on what is written and deleted here.
        mass_delete: Whether a large delete goes by mass delete, 500 a call: fewer calls, and no way
            to keep workflow rules silent. A number: above so many records; true: above 500.
        lock_archived: Whether an archive also locks the record, where record locking is configured.
    """

    data_centre: Literal["us", "eu", "in", "au", "cn", "jp", "ca", "sa"] = "us"
    accounts_url: str = ""
    client_id: str
    client_secret: Secret
    refresh_token: Secret
    transport: Literal["sdk", "http"] = "sdk"
    workflows: bool = False
    mass_delete: bool | int = False
    lock_archived: bool = True


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URLs of one account, checked.

    Attributes:
        api: What every path of the API is put behind.
        accounts: What the token path is put behind.
        page: What the pages for people are put behind.
    """

    api: str
    accounts: str
    page: str


def addresses(settings: ZohoSettings) -> Addresses:
    """The account's URLs, once they are seen to be the vendor's own.

    Raises:
        SettingsError: A host is none of the vendor's.
        PlanBlocked: A simulator's address under another claim, or the other way round.
    """
    centre = DATA_CENTRES[settings.data_centre]
    front = "sandbox" if settings.environment == "sandbox" else "www"
    api = settings.base_url or f"https://{front}.{centre.api}"
    # A simulator answers for both hosts; a true organisation's login lives on a host of its own.
    login = settings.accounts_url or (api if is_loopback(api) else f"https://{centre.accounts}")
    checked = [
        check_host(
            url,
            environment=settings.environment,
            hosts=HOSTS,
            settings_hosts=settings.settings_hosts,
        )
        for url in (api, login)
    ]
    host = urlsplit(checked[0]).hostname or ""
    named = host in {h.lower() for h in settings.settings_hosts}
    if (
        not is_loopback(api)
        and not named
        and not any(host.endswith("." + c.api) for c in DATA_CENTRES.values())
    ):
        raise SettingsError(
            f"{host} is not a host of Zoho CRM's API.",
            detail='Leave base_url away and name the data centre: data_centre = "eu".',
            code="host",
        )
    return Addresses(checked[0], checked[1], f"https://{centre.page}")
