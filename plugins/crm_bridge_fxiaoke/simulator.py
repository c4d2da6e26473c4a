"""FxiaoKe (纷享销客, ShareCRM) as it answers: its open API on loopback, with voids and approvals.

Its files: `simulator_objects`, `_seed` (what there is) · `_wire` (envelopes, spelling) · `_login`
(who calls, and how often) · `_rights` (who may) · `_records`, `_values` (got, made, edited,
shown) · `_query` · `_life` (void, approval, recover, delete, lock) · `_meta` (objects, employees,
approvals) · `_person` (what a person does).

What the vendor's documentation leaves open is a switch; what nobody has recorded (codes of business
errors above all) is invented and changes at each start.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from crm_bridge.simulator import Account, Act, Call, Link, Reply, Stored, Switch, VendorSimulator
from crm_bridge_fxiaoke.simulator_life import bulk_invalid, delete, invalid, lock, recover
from crm_bridge_fxiaoke.simulator_login import log_in, meter, token
from crm_bridge_fxiaoke.simulator_meta import (
    approval,
    approval_cancel,
    approvals,
    crm_log,
    object_describe,
    object_list,
    record_log,
    user_by_mobile,
    user_list,
)
from crm_bridge_fxiaoke.simulator_objects import (
    GONE,
    LIVE,
    LOOKUPS,
    MARKABLE,
    MARKER,
    PENDING,
    VENDOR_SET,
    VOIDED,
)
from crm_bridge_fxiaoke.simulator_person import act_of_person
from crm_bridge_fxiaoke.simulator_query import find_one, query
from crm_bridge_fxiaoke.simulator_records import (
    change_owner,
    choose,
    create,
    get,
    give_back,
    take_out,
    update,
)
from crm_bridge_fxiaoke.simulator_seed import USERS, Seeds
from crm_bridge_fxiaoke.simulator_values import shown
from crm_bridge_fxiaoke.simulator_wire import (
    CUSTOM,
    MESSAGES,
    PRESET,
    TOKEN_PATHS,
    Asked,
    Business,
    Deny,
    YesNo,
    gateway_page,
    reply_to,
    yes,
)

Route = Callable[[Asked], dict[str, Any]]


def _routes() -> dict[str, Route]:
    both: dict[str, Route] = {
        "create": create,
        "get": get,
        "query": query,
        "update": update,
        "invalid": invalid,
        "recover": recover,
        "delete": delete,
        "changeOwner": change_owner,
    }
    return {
        **{PRESET + name: route for name, route in both.items()},
        **{CUSTOM + name: route for name, route in both.items()},
        PRESET + "choose": choose,
        PRESET + "return": give_back,
        PRESET + "remove": take_out,
        CUSTOM + "findOne": find_one,
        CUSTOM + "findSimple": query,
        "/cgi/crm/custom/data/invalid": bulk_invalid,
        "/cgi/crm/v2/object/lock": lock,
        "/cgi/crm/v2/object/unlock": lock,
        "/cgi/crm/v2/object/list": object_list,
        "/cgi/crm/v2/object/describe": object_describe,
        "/cgi/crm/v2/object/getNewLogInfoListForWeb": record_log,
        "/cgi/crm/crmLog/query": crm_log,
        "/cgi/crm/object/approvalInstances/query": approvals,
        "/cgi/crm/approvalInstance/get": approval,
        "/cgi/crm/v2/special/approval/instance/cancel": approval_cancel,
        "/cgi/user/list": user_list,
        "/cgi/user/getByMobile": user_by_mobile,
    }


ROUTES = _routes()


class FxiaokeSimulator(VendorSimulator):
    """FxiaoKe on loopback: fxk and fxk2."""

    vendor = "fxiaoke"
    crm = "fxk"
    states = (LIVE, PENDING, VOIDED, GONE)
    switches: ClassVar[Mapping[str, Switch]] = {
        "voided_get": Switch("error", ("row", "error", "empty"), "get of a voided record"),
        "voided_query": Switch(
            "is_deleted",
            ("never", "is_deleted", "life_status"),
            "the filter that shows voided rows",
        ),
        "business_error_code": Switch(300000, (), "code of every business refusal"),
        "list_partial": Switch(
            "all_or_nothing", ("all_or_nothing", "first_failure_stops"), "one bad id in a list"
        ),
        "void_ineffective": Switch("allow", ("allow", "refuse"), "void of an ineffective record"),
        "void_twice": Switch("error", ("error", "ok"), "void of a voided record"),
        "recover_cascade": Switch("details", ("details", "record"), "what a recover brings back"),
        "create_custom_returns_dataId": YesNo(True, about="whether a create names a custom record"),
        "trace_id_required": YesNo(False, about="refuse a call without thirdTraceId"),
        "preset_path_accepts_custom": YesNo(False, about="custom objects on the preset path"),
        "drop_after_write": YesNo(False, about="cut after every change"),
        "rate_limit_code": Switch(30004, (30004, 14001), "the code of too many calls"),
        "daily_quota": Switch(1_000_000, (), "calls a day; 0: none was bought"),
        "marker_field": YesNo(True, about=f"whether objects have {MARKER}"),
    }
    fault_keys = frozenset({"error_code", "error_message"})

    def __init__(
        self, seed: int = 1, records: int = 1000, latency: float = 0.0, limits: bool = True
    ) -> None:
        self._asking: dict[int, int] = {}  # token calls under way, by account
        self._crossed: set[int] = set()  # token calls that met another one
        super().__init__(seed, records, latency, limits)

    # -- accounts ---------------------------------------------------------------------------------

    def open(self, account: Account) -> None:
        """Make the tenant, its application's keys and the ids of its people."""
        account.keys.update(
            ea=f"sim{secrets.token_hex(4)}",
            tenant_id=str(600000 + secrets.randbelow(300000)),
            app_id=f"FSAID_{secrets.token_hex(4)}",
            app_secret=secrets.token_hex(16),
            permanent_code=secrets.token_hex(16).upper(),
            corp_id=f"FSCID_{secrets.token_hex(16).upper()}",
        )
        for user, _, _ in USERS:
            account.keys[f"user:{user}"] = f"FSUID_{secrets.token_hex(16).upper()}"
        account.default("business_error_code", 300000 + secrets.randbelow(100000))

    def seed(self, account: Account) -> None:
        """Plant the records."""
        Seeds(account).plant(account)

    def settings(self, account: Account, url: str) -> dict[str, Any]:
        """The table for crm_bridge.toml."""
        mark = {"archive": {MARKER: "archived", "lock_status": "1"}}
        keys = account.keys
        return {
            "vendor": self.vendor,
            "environment": "simulator",
            "base_url": url,
            "auth": "header",
            "app_id": keys["app_id"],
            "app_secret": keys["app_secret"],
            "permanent_code": keys["permanent_code"],
            "user_id": "1000",
            "marks": dict.fromkeys(MARKABLE, mark),
        }

    def vendor_set(self, kind: str) -> Iterable[str]:
        """The fields that the platform writes itself."""
        return (*VENDOR_SET, "account_no") if kind == "AccountObj" else VENDOR_SET

    def fields_of(self, account: Account, record: Stored) -> Mapping[str, Any]:
        """All fields, without the derived display names."""
        return shown(account, record)

    def links_of(self, account: Account, record: Stored) -> Iterable[Link]:
        """The lookups and the master."""
        for lookup in LOOKUPS[record.kind]:
            if other := record.fields.get(lookup.name):
                yield Link(lookup.name, lookup.target, other)

    # -- the door ---------------------------------------------------------------------------------

    def account_of(self, call: Call) -> Account | None:
        """By the bearer token, the token in the body, or the appId of a token call."""
        given = call.headers.get("authorization", "")
        token = given.removeprefix("Bearer ").strip()
        body = call.json if not token or call.path in TOKEN_PATHS else None
        if isinstance(body, dict):
            if call.path in TOKEN_PATHS:
                app = body.get("appId")
                return next((a for a in self.accounts if a.keys["app_id"] == app), None)
            token = body.get("corpAccessToken") or token
        for account in self.accounts:
            if any(token == known for known, _ in account.memory.get("tokens", ())):
                return account
        # A dead token still names its tenant beside it: the refusal belongs in that one's log.
        tenant = call.headers.get("x-fs-ea")
        if not tenant and isinstance(body, dict):
            tenant = body.get("corpId")
        names = ("ea", "corp_id")
        return next((a for a in self.accounts if tenant in [a.keys[n] for n in names]), None)

    def describe(self, call: Call) -> None:
        """Which calls write, and which ids they name."""
        name = call.path.rsplit("/", 1)[-1]
        call.write = call.path in ROUTES and (
            (
                call.path.startswith((PRESET, CUSTOM, "/cgi/crm/custom/data/"))
                and name not in ("get", "query", "findOne", "findSimple")
            )
            or name in ("lock", "unlock", "cancel")
        )
        body = call.json
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, dict):
            return
        for key in ("object_data_id", "objectDataId", "objectId"):
            if isinstance(data.get(key), str):
                call.ids.append(data[key])
        for key in ("idList", "dataIds", "objectIds", "objectIDs"):
            if isinstance(data.get(key), list):
                call.ids += [str(one) for one in data[key]]
        info = data.get("search_query_info")
        for one in info.get("filters", ()) if isinstance(info, dict) else ():
            if one.get("field_name") == "_id" and one.get("operator") in ("EQ", "IN"):
                call.ids += [str(id) for id in one["field_values"]]
        if isinstance(data.get("Data"), list):
            call.ids += [str(one["objectDataId"]) for one in data["Data"]]
        if isinstance(data.get("object_data"), dict) and "_id" in data["object_data"]:
            call.ids.append(str(data["object_data"]["_id"]))

    def arrive(self, call: Call) -> None:
        """Notice token calls that run beside another of the same application."""
        if call.path in TOKEN_PATHS and call.account is not None:
            index = call.account.index
            if self._asking.get(index):
                self._crossed.add(id(call))
            self._asking[index] = self._asking.get(index, 0) + 1

    def leave(self, call: Call) -> None:
        """Forget a token call."""
        if call.path in TOKEN_PATHS and call.account is not None:
            self._asking[call.account.index] = max(0, self._asking[call.account.index] - 1)
            self._crossed.discard(id(call))

    def handle(self, call: Call) -> Reply | None:
        """Answer as the gateway does: HTTP 200 and an envelope, but for paths it does not map."""
        if call.method != "POST":
            return gateway_page(405, "Not Allowed")
        account = call.account
        if call.path in TOKEN_PATHS:
            return token(call, id(call) in self._crossed)
        if call.path.startswith("/oauth2.0/"):
            text = f"the request uri=[{call.path}],apiName=[null] is not exists"
            return reply_to(call, "", {}, 10006, text)
        route = ROUTES.get(call.path)
        if route is None:
            return gateway_page(404, "Not Found")
        user = ""
        try:
            asked = log_in(call)
            account, user = asked.account, asked.user
            meter(asked)
            if yes(account.switches["trace_id_required"]) and not call.query("thirdTraceId"):
                raise Deny(32000, "thirdTraceId为必填项，不能为空")
            more = route(asked)
        except Deny as no:
            return reply_to(call, user, {}, no.code, no.message, no.detail)
        except Business as no:
            code = (account or self.accounts[0]).switches["business_error_code"]
            return reply_to(call, user, {}, code, str(no), str(no))
        finally:
            changed = bool(call.changed)
        if changed and yes(account.switches["drop_after_write"]):
            return None
        return reply_to(call, user, more)

    def refusal(self, call: Call, status: int) -> Reply:
        """A bare status comes from the gateway, never from the API: a page."""
        titles = {429: "Too Many Requests", 502: "Bad Gateway", 503: "Service Unavailable"}
        return gateway_page(status, titles.get(status, "Error"))

    def fault(self, call: Call, do: Mapping[str, Any]) -> Reply | None:
        """`{"error_code": 30004}` answers the envelope with that code."""
        code = do.get("error_code", 0)
        if not isinstance(code, int) or code == 0:
            return None
        text = str(do.get("error_message") or MESSAGES.get(code, "系统错误"))
        return reply_to(call, "1000" if call.account else "", {}, code, text, text)

    def ui(self, account: Account, act: Act) -> Iterable[str]:
        """Act as a person with every right does in the vendor's pages; give what changed."""
        return act_of_person(account, act)
