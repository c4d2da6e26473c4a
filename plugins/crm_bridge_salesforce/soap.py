"""The three things that only SOAP can: undelete, empty the recycle bin, and say who is asking.

Undelete stands in neither REST, Composite, Bulk nor GraphQL. Contract:
https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_undelete.htm and
.../sforce_api_calls_emptyrecyclebin.htm. Answers with a DOCTYPE are refused unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from crm_bridge.kit import StrangeAnswer

PARTNER: Final = "urn:partner.soap.sforce.com"
ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
HEADERS: Final = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}

_TEMPLATE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="{envelope}" xmlns:urn="{partner}">
<soapenv:Header>
<urn:SessionHeader><urn:sessionId>{token}</urn:sessionId></urn:SessionHeader>
<urn:AllOrNoneHeader><urn:allOrNone>false</urn:allOrNone></urn:AllOrNoneHeader>
</soapenv:Header>
<soapenv:Body><urn:{call}>{ids}</urn:{call}></soapenv:Body>
</soapenv:Envelope>"""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one id.

    Attributes:
        id: As the vendor echoes it, with 18 characters; None where it echoes none.
        success: Whether it was done.
        code: The vendor's code where it was not.
        message: The vendor's words.
    """

    id: str | None
    success: bool
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that was refused as a whole.

    Attributes:
        code: The vendor's code, without its prefix.
        message: The vendor's words.
    """

    code: str
    message: str


def envelope(call: str, token: str, ids: Sequence[str] = ()) -> bytes:
    """The body of a request.

    Args:
        call: `undelete`, `emptyRecycleBin` or `getUserInfo`.
        token: An opaque session id; SOAP refuses tokens in JWT form.
        ids: At most 200.
    """
    inner = "".join(f"<urn:ids>{escape(one)}</urn:ids>" for one in ids)
    return _TEMPLATE.format(
        envelope=ENVELOPE, partner=PARTNER, token=escape(token), call=call, ids=inner
    ).encode()


def _parse(body: bytes) -> Any:
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    if b"<!DOCTYPE" in body:
        raise StrangeAnswer("the answer has a DOCTYPE, and is not read")
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise StrangeAnswer(f"not XML: {str(error)[:120]}") from None
    # Another encoding may have hidden it from the look above; nothing of it was expanded.
    if root.getroottree().docinfo.doctype:
        raise StrangeAnswer("the answer has a DOCTYPE, and is not read")
    if root.tag != f"{{{ENVELOPE}}}Envelope":
        raise StrangeAnswer("not a SOAP envelope")
    return root


def read(body: bytes, call: str) -> list[Row] | Fault:
    """The answer to a call that names ids.

    Raises:
        StrangeAnswer: It is not the answer to this call.
    """
    root = _parse(body)
    if (fault := _fault(root)) is not None:
        return fault
    response = root.find(f".//{{{PARTNER}}}{call}Response")
    if response is None:
        raise StrangeAnswer(f"not the answer to {call}")
    rows = []
    for result in response.findall(f"{{{PARTNER}}}result"):
        told = result.findtext(f"{{{PARTNER}}}success")
        if told not in ("true", "false"):
            raise StrangeAnswer("a row says neither success nor failure")
        error = result.find(f"{{{PARTNER}}}errors")
        rows.append(
            Row(
                result.findtext(f"{{{PARTNER}}}id") or None,
                told == "true",
                "" if error is None else error.findtext(f"{{{PARTNER}}}statusCode") or "",
                "" if error is None else error.findtext(f"{{{PARTNER}}}message") or "",
            )
        )
    return rows


def _fault(root: Any) -> Fault | None:
    fault = root.find(f".//{{{ENVELOPE}}}Fault")
    if fault is None:
        return None
    code = (fault.findtext("faultcode") or "").rpartition(":")[2]
    text = fault.findtext("faultstring") or ""
    return Fault(code, text.removeprefix(f"{code}: "))
