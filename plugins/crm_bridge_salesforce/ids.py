"""Ids of Salesforce: 15 characters and a checksum of three, and a kind that the first three tell.

Pure. A 15-character id tells records apart by letter case alone, so one that some program folded to
one case names another record, or none; the three characters that make it 18 carry the case of each
letter (help.salesforce.com, article 000385585).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_FORM: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_{1,2}[A-Za-z0-9]+)*")
_SUFFIX: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_MOST: Final = 80
"""Characters of a kind's name."""

PREFIXES: Final[Mapping[str, str]] = {
    "Account": "001",
    "AccountContactRelation": "07k",
    "Asset": "02i",
    "Attachment": "00P",
    "Campaign": "701",
    "CampaignMember": "00v",
    "Case": "500",
    "CaseComment": "00a",
    "Contact": "003",
    "ContentDocument": "069",
    "ContentDocumentLink": "06A",
    "ContentVersion": "068",
    "Contract": "800",
    "EmailMessage": "02s",
    "Event": "00U",
    "Lead": "00Q",
    "Note": "002",
    "Opportunity": "006",
    "OpportunityContactRole": "00K",
    "OpportunityLineItem": "00k",
    "Order": "801",
    "OrderItem": "802",
    "Pricebook2": "01s",
    "PricebookEntry": "01u",
    "Product2": "01t",
    "Quote": "0Q0",
    "RecordType": "012",
    "Task": "00T",
    "User": "005",
}
"""Kinds to the first three characters of their ids; help.salesforce.com, article 000385203."""

KINDS: Final[Mapping[str, str]] = {prefix: kind for kind, prefix in PREFIXES.items()}


def checksum(first: str) -> str:
    """The three characters that make 15 into 18: which letters of each five are upper case."""
    return "".join(
        _SUFFIX[sum(c.isupper() << place for place, c in enumerate(first[at : at + 5]))]
        for at in (0, 5, 10)
    )


def whole(id_: str) -> str:
    """An id that the vendor itself gave, with 18 characters."""
    return id_ + checksum(id_) if len(id_) == 15 else id_


def spell(kind: str, id_: str) -> str:
    """An id as it is written here, with 18 characters.

    Args:
        kind: The kind that it must be of.
        id_: 15 or 18 characters.

    Raises:
        ValueError: It is no id, was folded to one case, or is of another kind.
    """
    if not _FORM.fullmatch(id_):
        raise ValueError(f"{id_!r} is no id of Salesforce, which is 15 or 18 letters and digits")
    first, rest = id_[:15], id_[15:]
    if rest and rest != checksum(first):
        raise ValueError(f"the checksum of {id_!r} does not hold; was its letter case folded?")
    letters = [c for c in first if c.isalpha()]
    if not rest and letters and len({c.isupper() for c in letters}) == 1:
        raise ValueError(
            f"{id_!r} may have been folded to one letter case, and 15 characters cannot tell; "
            "give the id with 18"
        )
    of_kind(kind, first)
    return first + checksum(first)


def of_kind(kind: str, id_: str) -> None:
    """Hold an id's first three characters against its kind, as far as they are known to everybody.

    Raises:
        ValueError: They are another kind's.
    """
    prefix, wanted = id_[:3], PREFIXES.get(kind)
    if wanted is None and kind.endswith("__c"):
        # Custom objects begin with an a; which of them, only the account's describe tells.
        wanted = prefix if prefix[0] == "a" else "a.."
    other = KINDS.get(prefix)
    if (wanted is not None and prefix != wanted) or (wanted is None and other is not None):
        named = f"the id of a {other}" if other else f"not an id of a {kind}"
        raise ValueError(f"{id_!r} begins with {prefix}, so it is {named}, and a {kind} was named")


def spell_kind(kind: str) -> str:
    """A kind's API name, as it was given.

    Raises:
        ValueError: No kind can have this name.
    """
    if len(kind) > _MOST or not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is not the API name of an object of Salesforce")
    return kind
