"""The partner SOAP API: undelete, emptyRecycleBin, delete, merge, getUserInfo, getServerTimestamp.

The order of elements is the partner WSDL's; a client made from it refuses any other.
https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_undelete.htm
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from crm_bridge.simulator import Call, Reply, Stored
from crm_bridge_salesforce.simulator_collections import rows_written, too_many
from crm_bridge_salesforce.simulator_life import delete, empty_bin, merge, target, undelete
from crm_bridge_salesforce.simulator_org import Org, Trouble
from crm_bridge_salesforce.simulator_schema import whole_id
from crm_bridge_salesforce.simulator_wire import OLDEST, count, used

PATH: Final = re.compile(r"/services/Soap/([uc])/(\d+(?:\.\d)?)(?:/.*)?")
ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
PARTNER: Final = "urn:partner.soap.sforce.com"
FAULTS: Final = "urn:fault.partner.soap.sforce.com"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SESSION = re.compile(rb"<(?:\w+:)?sessionId[^>]*>\s*([^<\s]+)\s*<")
_IDS = re.compile(rb"<(?:\w+:)?(?:ids|recordToMergeIds)[^>]*>\s*([^<\s]+)\s*<")
_VERB = re.compile(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)")
WRITES: Final = ("undelete", "emptyRecycleBin", "delete", "merge")


def session_of(body: bytes) -> str:
    """The session id inside an envelope, read without trust in the rest of it."""
    found = _SESSION.search(body)
    return found[1].decode("utf-8", "replace").replace("&amp;", "&") if found else ""


def ids_of(body: bytes) -> list[str]:
    """The ids inside an envelope."""
    return [found.decode("utf-8", "replace") for found in _IDS.findall(body)]


def verb_of(body: bytes) -> str:
    """The call that an envelope makes."""
    found = _VERB.search(body)
    return found[1].decode() if found else ""


def fault(code: str, text: str, status: int = 500) -> Reply:
    """A fault, in the shape recorded from a real org."""
    known = re.fullmatch(r"[A-Z_]+", code) is not None
    name = f"sf:{code}" if known else code
    detail = (
        f'<detail><sf:UnexpectedErrorFault xsi:type="sf:UnexpectedErrorFault">'
        f"<sf:exceptionCode>{code}</sf:exceptionCode>"
        f"<sf:exceptionMessage>{escape(text)}</sf:exceptionMessage>"
        f"</sf:UnexpectedErrorFault></detail>"
        if known
        else ""
    )
    said = f"{code}: {text}" if known else text
    return Reply.xml(
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}" xmlns:sf="{FAULTS}" xmlns:xsi="{_XSI}">'
        f"<soapenv:Body><soapenv:Fault><faultcode>{name}</faultcode>"
        f"<faultstring>{escape(said)}</faultstring>{detail}</soapenv:Fault></soapenv:Body>"
        "</soapenv:Envelope>",
        status,
    )


def invalid_session() -> Reply:
    """The answer to a dead token, and to a token in JWT format."""
    text = "Invalid Session ID found in SessionHeader: Illegal Session. Session not found"
    return fault("INVALID_SESSION_ID", text)


def answer(org: Org | None, call: Call, version: str) -> Reply:
    """The answer to an envelope; `org` is None where the session is not valid."""
    if call.method != "POST":
        return fault("soapenv:Client", "SOAP wants POST", 405)
    if "text/xml" not in call.headers.get("content-type", "") or "soapaction" not in call.headers:
        return fault("soapenv:Client", "SOAPAction HTTP header missing")
    if float(version) < OLDEST:
        return fault("UNSUPPORTED_API_VERSION", f"Version {version} is retired")
    try:
        if b"<!DOCTYPE" in call.body:
            raise ElementTree.ParseError("DOCTYPE is not allowed")
        root = ElementTree.fromstring(call.body)  # noqa: S314 entities need the DOCTYPE refused
    except ElementTree.ParseError as error:
        return fault("soapenv:Client", f"not a well formed envelope: {error}")
    body = root.find(f"{{{ENVELOPE}}}Body")
    if root.tag != f"{{{ENVELOPE}}}Envelope" or body is None or len(body) != 1:
        return fault("soapenv:Client", "an Envelope with one call in its Body is needed")
    namespace, _, verb = body[0].tag.removeprefix("{").partition("}")
    made = _VERBS.get(verb)
    if namespace != PARTNER or (made is None and verb != "login"):
        return fault("soapenv:Client", f"No operation available for request {{{namespace}}}{verb}")
    if verb == "login":
        if float(version) >= 65:
            return fault("soapenv:Client", f"No operation available for request {{{PARTNER}}}login")
        return fault("API_DISABLED_FOR_ORG", "SOAP API login() is disabled by default in this org.")
    if org is None:
        return invalid_session()
    if (right := root.find(f".//{{{PARTNER}}}SessionHeader")) is None or not len(right):
        return invalid_session()
    try:
        count(org)
        assert made is not None
        all_or_none = root.findtext(f".//{{{PARTNER}}}allOrNone") == "true"
        inner = made(org, body[0], all_or_none)
    except Trouble as error:
        return fault(error.code, error.text)
    return Reply.xml(
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}" xmlns="{PARTNER}" xmlns:xsi="{_XSI}">'
        f"<soapenv:Header><LimitInfoHeader><limitInfo><current>{used(org)}</current>"
        f"<limit>{org.daily}</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader>"
        f"</soapenv:Header><soapenv:Body><{verb}Response>{inner}</{verb}Response></soapenv:Body>"
        "</soapenv:Envelope>"
    )


# -- the calls ------------------------------------------------------------------------------------


def _text(name: str, value: object) -> str:
    if value is None:
        return f'<{name} xsi:nil="true"/>'
    told = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(told)}</{name}>"


def _errors(error: dict[str, Any]) -> str:
    fields = "".join(_text("fields", name) for name in error["fields"])
    told = _text("message", error["message"]) + _text("statusCode", error["statusCode"])
    return f"<errors>{fields}{told}</errors>"


def _each(
    org: Org, call: ElementTree.Element, all_or_none: bool, act: Callable[[str], Stored | None]
) -> str:
    texts = [(element.text or "").strip() for element in call.findall(f"{{{PARTNER}}}ids")]
    too_many(len(texts))

    def write(text: str) -> str:
        act(text)
        return text

    told = []
    for text, row in zip(
        texts, rows_written(org, texts, write, all_or_none, whole_id), strict=True
    ):
        errors = "".join(_errors(error) for error in row["errors"])
        success = _text("success", row["success"])
        told.append(f"<result>{errors}{_text('id', whole_id(text))}{success}</result>")
    return "".join(told)


def _undelete(org: Org, call: ElementTree.Element, all_or_none: bool) -> str:
    return _each(org, call, all_or_none, lambda text: undelete(org, text))


def _empty_recycle_bin(org: Org, call: ElementTree.Element, all_or_none: bool) -> str:
    return _each(org, call, all_or_none, lambda text: empty_bin(org, text))


def _delete(org: Org, call: ElementTree.Element, all_or_none: bool) -> str:
    return _each(org, call, all_or_none, lambda text: delete(org, target(org, None, text)))


def _merge(org: Org, call: ElementTree.Element, all_or_none: bool) -> str:
    requests = call.findall(f"{{{PARTNER}}}request")
    too_many(len(requests))
    return "".join(_merged(org, request) for request in requests)


def _merged(org: Org, request: ElementTree.Element) -> str:
    master = request.find(f"{{{PARTNER}}}masterRecord")
    given: dict[str, str] = {}
    id = ""
    for element in () if master is None else master:
        name = element.tag.rpartition("}")[2]
        if name == "Id":
            id = element.text or id
        elif name not in ("type", "fieldsToNull"):
            given[name] = element.text or ""
    texts = [e.text or "" for e in request.findall(f"{{{PARTNER}}}recordToMergeIds")]
    try:
        kept = target(org, None, id)
        victims = [target(org, None, text) for text in texts]
        moved = merge(org, kept, victims, given, None)
    except Trouble as error:
        return f"<result>{_errors(error.row())}{_text('id', whole_id(id))}<success>false</success></result>"
    told = _text("id", kept.id)
    told += "".join(_text("mergedRecordIds", victim.id) for victim in victims)
    told += "<success>true</success>"
    told += "".join(_text("updatedRelatedIds", one) for one in moved)
    return f"<result>{told}</result>"


def _user_info(org: Org, call: ElementTree.Element, all_or_none: bool) -> str:
    name = org.account.keys["username"]
    told: Sequence[tuple[str, object]] = (
        ("accessibilityMode", False), ("chatterExternal", False), ("currencySymbol", "$"),
        ("orgAttachmentFileSizeLimit", 5_242_880), ("orgDefaultCurrencyIsoCode", "USD"),
        ("orgDefaultCurrencyLocale", "en_US"), ("orgDisallowHtmlAttachments", False),
        ("orgHasPersonAccounts", False), ("organizationId", org.id),
        ("organizationMultiCurrency", False), ("organizationName", org.account.keys["org_name"]),
        ("profileId", f"00e{org.id[3:15]}AAA"), ("roleId", None), ("sessionSecondsValid", 7200),
        ("userDefaultCurrencyIsoCode", None), ("userEmail", name), ("userFullName", "Bridge"),
        ("userId", org.user), ("userLanguage", "en_US"), ("userLocale", "en_US"),
        ("userName", name), ("userTimeZone", "Etc/UTC"), ("userType", "Standard"),
        ("userUiSkin", "Theme3"),
    )  # fmt: skip
    return f"<result>{''.join(_text(name, value) for name, value in told)}</result>"


def _timestamp(org: Org, call: ElementTree.Element, all_or_none: bool) -> str:
    now = datetime.fromtimestamp(org.clock.epoch(), UTC)
    return f"<result><timestamp>{now:%Y-%m-%dT%H:%M:%S}.000Z</timestamp></result>"


_VERBS: Final[dict[str, Callable[[Org, ElementTree.Element, bool], str]]] = {
    "undelete": _undelete,
    "emptyRecycleBin": _empty_recycle_bin,
    "delete": _delete,
    "merge": _merge,
    "getUserInfo": _user_info,
    "getServerTimestamp": _timestamp,
}
