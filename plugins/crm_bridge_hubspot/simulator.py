"""HubSpot as it answers: records, associations, a recycling bin that only a person can open.

Its files: `simulator_routes` (paths in both spellings) · `_objects`, `_making`, `_search`,
`_links`, `_schema`, `_layout`, `_lists` (what the routes do) · `_login`, `_limits` (who calls, and
how often) · `_life` (bin, way back, purge, merge) · `_values` (how writes are judged) · `_portal`,
`_catalog`, `_seed` (what there is) · `_person` (what a person does) · `_wire` (envelopes). What
nobody has confirmed is a switch.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from crm_bridge.simulator import Account, Act, Call, Reply, Stored, Switch, VendorSimulator
from crm_bridge_hubspot.simulator_life import sweep
from crm_bridge_hubspot.simulator_limits import POLICIES, admit, rate_headers, too_often
from crm_bridge_hubspot.simulator_login import logged_in, oauth, owner_of, scopes_of
from crm_bridge_hubspot.simulator_person import act as act_of_person
from crm_bridge_hubspot.simulator_portal import set_by_portal, values_of
from crm_bridge_hubspot.simulator_routes import (
    changes,
    handled,
    ids_named,
    no_route,
    place_of,
    searching,
)
from crm_bridge_hubspot.simulator_seed import Seeds
from crm_bridge_hubspot.simulator_wire import Asked, Deny, not_found

_GATEWAY = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class HubspotSimulator(VendorSimulator):
    """Two portals of HubSpot."""

    vendor = "hubspot"
    crm = "hub"
    states = ("live", "deleted", "gone")
    switches: ClassVar[Mapping[str, Switch]] = {
        "marker_field": Switch(True, about="the properties that setup makes exist"),
        "dated_207": Switch(True, about="dated paths answer 207 where some inputs failed"),
        "delete_merged": Switch(
            "survivor", ("survivor", "nothing"), "what DELETE and purge of a merged id reach"
        ),
        "batch_merged": Switch(
            "resolves", ("resolves", "missing"), "what batches make of a merged id"
        ),
        "merge_keeps_id": Switch(False, about="a merge keeps the primary's id (a beta)"),
        "bad_id": Switch(400, (400, 404), "the answer to an id that is no number"),
        "archive_doubles": Switch(
            "refused", ("refused", "taken"), "one id twice in batch/archive"
        ),
        "gdpr_archived": Switch(
            "purged", ("purged", "refused"), "gdpr-delete of an archived contact"
        ),
        "restore_links": Switch(True, about="a person's restore brings associations back"),
        "archived_links": Switch(
            "empty", ("empty", "kept"), "associations that are read of an archived record"
        ),
        "bin_read_days": Switch(90, (90, 97), "days in which the API shows archived records"),
        "deal_children": Switch(
            "stay", ("stay", "follow"), "line items and quotes of a deleted deal alone"
        ),
        "lonely_activities": Switch(
            "stay", ("stay", "follow"), "activities of a deleted contact alone"
        ),
        "auto_company": Switch(False, about="new contacts get the company of their domain"),
        "lifecycle_back": Switch(
            "refused", ("refused", "ignored"), "a lifecycle stage set back without clearing"
        ),
        "unlinked": Switch(
            "absent", ("absent", "errors"), "records without associations in a batch read"
        ),
        "property_exists": Switch(
            "OBJECT_ALREADY_EXISTS", ("OBJECT_ALREADY_EXISTS", "VALIDATION_ERROR"),
            "the category of 409 for a property that is there",
        ),
        "unique_conflict": Switch(
            "409", ("409", "400"), "the answer to a unique value that another record holds"
        ),
        "account_info": Switch("open", ("open", "denied"), "a private token at account-info"),
        "retry_after": Switch(False, about="429 carries Retry-After"),
        "scope_shape": Switch(
            "context", ("context", "errors"), "where 403 names the scopes that are missing"
        ),
        "correlation_id": Switch(True, about="errors carry a correlationId"),
        "uri_max": Switch(8192, about="characters of a URL, beyond which 414"),
        "page_over": Switch("refused", ("refused", "clamped"), "a page limit beyond 100"),
        "search_lag": Switch(0, (0, 5), "seconds until search shows a change"),
        "in_lowercase": Switch(False, about="IN finds text only by values in lower case"),
    }  # fmt: skip
    fault_keys = frozenset({"policy", "refuse", "skip"})

    # -- what there is ----------------------------------------------------------------------------

    def open(self, account: Account) -> None:
        """Make the portal id, the private app's token and an OAuth app's keys."""
        region = ("na1", "eu1")[account.index]
        account.keys |= {
            "portal": str(secrets.randbelow(80_000_000) + 10_000_000),
            "app": str(secrets.randbelow(8_000_000) + 1_000_000),
            "token": f"pat-{region}-{secrets.token_hex(16)}",
            "client_id": secrets.token_hex(16),
            "client_secret": secrets.token_hex(16),
            "refresh_token": f"{region}-{secrets.token_hex(16)}",
        }

    def seed(self, account: Account) -> None:
        """Plant the portal's records."""
        Seeds(account).plant()

    def settings(self, account: Account, url: str) -> dict[str, Any]:
        """The table for crm_bridge.toml; the marks are the defaults."""
        return {
            "vendor": self.vendor,
            "environment": "simulator",
            "base_url": url,
            "access_token": account.keys["token"],
        }

    def vendor_set(self, kind: str) -> Iterable[str]:
        """The properties that nobody but the portal writes."""
        return set_by_portal(kind)

    def fields_of(self, account: Account, record: Stored) -> Mapping[str, Any]:
        """Every property that has a value, calculated ones too."""
        return values_of(account, record)

    def ui(self, account: Account, act: Act) -> Iterable[str]:
        """Act as a person does in HubSpot's pages."""
        return act_of_person(account, act)

    # -- the street -------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request; what has lain in the bin for too long is purged first."""
        for account in self.accounts:
            sweep(account)
        await super().__call__(scope, receive, send)

    def account_of(self, call: Call) -> Account | None:
        """The portal of the token, or of the keys shown for one."""
        return owner_of(self.accounts, call)

    def describe(self, call: Call) -> None:
        """Say whether the request could change anything, and which records it names."""
        call.write = changes(call)
        call.ids = ids_named(call)

    def handle(self, call: Call) -> Reply | None:
        """Answer as HubSpot does."""
        account = call.account
        first = account or self.accounts[0]
        if len(call.path) + len(call.query_string) + 1 > first.switches["uri_max"]:
            return Reply.html(_GATEWAY.format("414 Request-URI Too Large"), 414)
        try:
            if call.path.startswith("/oauth/"):
                return oauth(account, call)
            return self._answered(call)
        except Deny as error:
            return Reply.json(error.body(account), error.status)

    def _answered(self, call: Call) -> Reply:
        account, by_oauth = logged_in(call.account, call)
        place = place_of(call)
        if place is None:
            raise no_route(call)
        asked = Asked(account, call, place.version, scopes_of(account), by_oauth)
        asked.refused = frozenset(account.memory.pop("refuse", ()))
        asked.skipped = frozenset(account.memory.pop("skip", ()))
        is_search = searching(place)
        if (refusal := admit(asked, is_search)) is not None:
            return refusal
        try:
            if call.body and "json" not in call.headers.get("content-type", ""):
                raise Deny(415, "The body must be application/json", None)
            reply = handled(asked, place)
        except Deny as error:
            reply = Reply.json(error.body(account), error.status)
        if not is_search:
            reply.headers += rate_headers(asked)
        return reply

    # -- trouble on request -----------------------------------------------------------------------

    def refusal(self, call: Call, status: int) -> Reply:
        """The body of a fault's bare status."""
        account = call.account or self.accounts[0]
        match status:
            case 429:
                return too_often(account, "TEN_SECONDLY_ROLLING")
            case 401:
                error = Deny(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION")
            case 404:
                error = not_found()
            case 423:
                error = Deny(423, "Resource is locked", "LOCKED")
            case 414 | 477:
                return Reply(status)
            case 502 | 504 | 521 | 522 | 523 | 524 | 525 | 526:
                return Reply.html(_GATEWAY.format(f"{status} Gateway"), status)
            case _:
                error = Deny(status, "internal error", None)
        return Reply.json(error.body(account), status)

    def fault(self, call: Call, do: Mapping[str, Any]) -> Reply | None:
        """`policy`: 429 of that name; `refuse`: these ids fail alone; `skip`: 204, no effect."""
        account = call.account or self.accounts[0]
        if "policy" in do:
            policy = str(do["policy"])
            return too_often(account, policy if policy in POLICIES else POLICIES[1])
        for name in ("refuse", "skip"):
            if name in do:
                account.memory[name] = [str(id) for id in do[name]]
        return None
