"""Words of the wire: envelopes, codes, and the spelling traps."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

from crm_bridge.simulator import Account, Call, Reply, Switch

TOKEN_PATHS = ("/oauth2.0/token", "/cgi/corpAccessToken/get/V2")
PRESET, CUSTOM = "/cgi/crm/v2/data/", "/cgi/crm/custom/v2/data/"
TOKEN_SAME, TOKEN_LIFE = 6600.0, 7200.0
CHINA = timezone(timedelta(hours=8))
MESSAGES = {
    -1: "系统繁忙",
    -2: "系统错误",
    10010: "缺少参数openUserId",
    14001: "接口调用超过限制",
    15003: "APP没有访问权限",
    20012: "openUserId未找到",
    20015: "永久授权码错误",
    20016: "the cropId,cropAccessToken or authorization is error",
    20017: "corpAccessToken为必填项，不能为空",
    30002: "当天访问频次超限（0点重新统计）",
    30003: "客户没有购买openapi配额，需要提open api订单进行购买",
    30004: "秒频次超限",
    30027: "员工不存在",
    32000: "参数错误",
    50009: "服务异常，如:超时",
}
VOIDED_OR_DELETED = "数据已作废或已删除"
NO_DATA_RIGHT = "无此操作的数据权限"


class Deny(Exception):
    """An answer with another errorCode than 0."""

    def __init__(self, code: int, message: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message or MESSAGES.get(code, "系统错误")
        self.detail = detail


class Business(Exception):
    """A refusal by the business rules: free text, and a code that nobody has published."""


@dataclass
class Asked:
    """A call that is logged in."""

    account: Account
    user: str
    path: str
    body: dict[str, Any]
    data: dict[str, Any]
    open_ids: bool  # people are FSUID_... on the wire


def gateway_page(status: int, title: str) -> Reply:
    """The gateway's own page, for paths that it does not map and faults of its own."""
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>Tengine</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return Reply.html(page, status)


def only_keys(data: Any, needed: Iterable[str], allowed: Iterable[str] = ()) -> dict[str, Any]:
    """A part of a body that holds just these keys; the spelling traps spring here."""
    if not isinstance(data, dict):
        raise Deny(32000, "参数错误: data")
    need = set(needed)
    if missing := need - set(data):
        raise Deny(32000, f"参数错误: 缺少{','.join(sorted(missing))}")
    if unknown := set(data) - need - set(allowed):
        raise Deny(32000, f"参数错误: {','.join(sorted(unknown))}")
    return data


def one_id(value: Any) -> str:
    """One id, which is a text."""
    if not isinstance(value, str) or not value:
        raise Deny(32000, "参数错误: id必须是字符串")
    return value


def id_list(value: Any) -> list[str]:
    """A list of ids, never empty."""
    if not isinstance(value, list) or not value:
        raise Deny(32000, "参数错误: id列表")
    return [one_id(one) for one in value]


def yes(value: Any) -> bool:
    """Whether a `YesNo` stands at yes."""
    return value is True or value in ("yes", "on")


@dataclass(frozen=True)
class YesNo(Switch):
    """A switch of two positions, which may be spelled yes and no, or on and off, as well."""

    values: tuple[Any, ...] = (True, False)

    def refusal(self, value: Any) -> str | None:
        """Why a value may not be set, or None."""
        if isinstance(value, bool) or value in ("yes", "no", "on", "off"):
            return None
        return f"{value!r} is not one of its positions: true, false, yes, no, on, off"


def reply_to(
    call: Call,
    user: str,
    more: Mapping[str, Any],
    code: int = 0,
    message: str = "OK",
    detail: str = "",
) -> Reply:
    """The envelope that every mapped path answers in, with a trace id in its known forms."""
    if call.account is not None and user:
        stamp = call.account.clock.now().astimezone(CHINA).strftime("%Y%m%d%H%M%S")
        trace = f"E-O.{call.account.keys['ea']}.{user}-{stamp}-{secrets.token_hex(3)}"
    elif call.path in TOKEN_PATHS:
        trace = f"open-api-gateway-web/{secrets.token_hex(8)}"
    else:
        trace = f"E-O.null.-1000-{secrets.token_hex(8)}"
    envelope: dict[str, Any] = {"traceId": trace, "errorMessage": message, "errorCode": code}
    if code == 0:
        envelope["errorDescription"] = "success"
    elif detail:
        envelope["errorDescription"] = detail
    return Reply.json({**envelope, **more})
