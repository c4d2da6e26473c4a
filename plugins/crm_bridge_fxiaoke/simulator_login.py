"""The logins in both styles, and how often an interface may be called."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from crm_bridge.simulator import Call, Reply, RollingLimit
from crm_bridge_fxiaoke.simulator_seed import USERS
from crm_bridge_fxiaoke.simulator_wire import (
    CHINA,
    MESSAGES,
    TOKEN_LIFE,
    TOKEN_PATHS,
    TOKEN_SAME,
    Asked,
    Deny,
    reply_to,
)


def token(call: Call, crossed: bool) -> Reply:
    """Answer a token call; `crossed` where another one of the application was under way."""
    legacy = call.path == TOKEN_PATHS[1]
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    account = call.account
    if account is None or body.get("appSecret") != account.keys["app_secret"]:
        # Recorded from the gateway: a wrong appId and a wrong secret answer alike.
        more = {} if legacy else {"error": "非法请求", "error_description": "缺少参数或参数不合法"}
        text = "the parameter appSecret is missing or illegal"
        return reply_to(call, "", more, 10006, text, "缺少参数或参数不合法")
    now = account.clock.epoch()
    if account.limits:
        if crossed:
            return reply_to(call, "", {}, 14001, MESSAGES[14001])
        window = account.memory.setdefault("token_window", RollingLimit(10, 60))
        if window.take("token", now):
            code = account.switches["rate_limit_code"]
            return reply_to(call, "", {}, code, MESSAGES[code])
    if body.get("permanentCode") != account.keys["permanent_code"]:
        return reply_to(call, "", {}, 20015, MESSAGES[20015], MESSAGES[20015])
    if not legacy and body.get("grantType") != "app_secret":
        return reply_to(call, "", {}, 32000, "参数错误: grantType")
    tokens: list[tuple[str, float]] = account.memory.setdefault("tokens", [])
    if not tokens or not 0 <= now - tokens[-1][1] <= TOKEN_SAME:
        tokens.append((secrets.token_hex(16).upper(), now))
    token, issued = tokens[-1]
    left = int(TOKEN_LIFE - (now - issued))
    keys = account.keys
    answer: dict[str, Any]
    if legacy:
        answer = {"corpAccessToken": token, "corpId": keys["corp_id"], "expiresIn": left}
    else:
        answer = {
            "openUserId": keys["corp_id"],  # the company, whatever the name says
            "accessToken": token,
            "expiresIn": left,
            "appId": keys["app_id"],
            "ea": keys["ea"],
        }
    return reply_to(call, "", answer, message="success")


def log_in(call: Call) -> Asked:
    """Who calls, by header or body; a refusal where neither holds."""
    try:
        body = call.json
    except ValueError as error:
        raise Deny(32000, f"参数错误: {error}") from error
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise Deny(32000)
    bearer = call.headers.get("authorization")
    legacy = body.get("corpAccessToken")
    if not bearer and not legacy:
        raise Deny(20017)
    account = call.account
    if account is None or (bearer and legacy):
        raise Deny(20016)
    token = legacy or str(bearer).removeprefix("Bearer ").strip()
    if bearer and not bearer.startswith("Bearer "):
        raise Deny(20016)
    tokens = reversed(account.memory.get("tokens", []))
    issued = next((at for known, at in tokens if known == token), None)
    tenant = (
        call.headers.get("x-fs-ea") == account.keys["ea"]
        if bearer
        else body.get("corpId") == account.keys["corp_id"]
    )
    if issued is None or not tenant:
        raise Deny(20016)
    if not 0 <= account.clock.epoch() - issued < TOKEN_LIFE:
        raise Deny(20016)
    people = {account.keys[f"user:{user}"]: user for user, _, _ in USERS}
    if bearer:
        user = call.headers.get("x-fs-userid", "")
        if not user:
            raise Deny(10010)
        if user not in people.values():
            raise Deny(30027)
    elif call.path == "/cgi/user/getByMobile":
        user = "1000"  # the call that finds out who one is
    else:
        given = body.get("currentOpenUserId")
        if not given:
            raise Deny(10010)
        if given not in people:
            raise Deny(20012)
        user = people[given]
    data = body.get("data")
    open_ids = bool(legacy) or body.get("convertUserId") is True
    return Asked(account, user, call.path, body, data if data is not None else {}, open_ids)


def meter(asked: Asked) -> None:
    """Count a call: 100 in 20 s an interface, and the quota of the day."""
    account = asked.account
    if not account.limits:
        return
    quota = account.switches["daily_quota"]
    if quota <= 0:
        raise Deny(30003)
    now = account.clock.epoch()
    window = account.memory.setdefault("window", RollingLimit(100, 20))
    if window.take(asked.path, now):
        code = account.switches["rate_limit_code"]
        raise Deny(code, MESSAGES[code], MESSAGES[code])
    today = datetime.fromtimestamp(now, UTC).astimezone(CHINA).date()
    day, used = account.memory.get("day", (today, 0))
    used = used + 1 if day == today else 1
    account.memory["day"] = (today, used)
    if used > quota:
        raise Deny(30002)
