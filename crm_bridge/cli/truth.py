"""The simulator's own truth: fetched, and compared field by field with what it was."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

Key = tuple[str, str]
"""Kind and id."""

_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Loopback is never reached by a proxy.


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        kind: The record's kind.
        id: Its id before.
        what: A field, a link, `state`, `missing` or `new`.
        was: What it was.
        now: What it is.
        named: By what it had been named beforehand; empty where nobody named it.
    """

    kind: str
    id: str
    what: str
    was: Any
    now: Any
    named: str = ""


@dataclass(slots=True)
class Named:
    """What a plan said would differ afterwards.

    Attributes:
        kinds: Kinds whose records may not come back, with the reason.
        fields: (kind, field) that may lose its value, with the reason; `*` stands for every kind.
        remade: Fields that a new record cannot have, by the old record, with the reason.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    fields: dict[tuple[str, str], str] = field(default_factory=dict)
    remade: dict[Key, dict[str, str]] = field(default_factory=dict)

    def by(self, key: Key, what: str) -> str:
        """By what a difference had been named; empty where it had not."""
        if what in ("missing", "state", "new") and key[0] in self.kinds:
            # Some vendors make one of these anew by themselves, together with its parent.
            return self.kinds[key[0]]
        return (
            self.remade.get(key, {}).get(what)
            or self.fields.get((key[0], what), "")
            or self.fields.get(("*", what), "")
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a comparison.

    Attributes:
        records: Records compared.
        equal: Those that are in every field and link as they were.
        different: What is not.
    """

    records: int
    equal: int
    different: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether every difference had been named beforehand."""
        return all(each.named for each in self.different)


class Truth:
    """A simulator's account, asked by its control routes.

    Args:
        url: Where it answers.
        crm: The account's name.
    """

    def __init__(self, url: str, crm: str) -> None:
        self._url, self._crm = url, crm

    def records(self) -> dict[Key, dict[str, Any]]:
        """Every record as stored."""
        with self._open("records") as answer:
            lines = (json.loads(line, parse_float=Decimal) for line in answer)
            return {(line["kind"], line["id"]): line for line in lines}

    def person(self, act: str, kind: str, ids: Sequence[str]) -> list[str]:
        """Do what a person does in the vendor's page; gives what changed."""
        body = json.dumps({"act": act, "kind": kind, "ids": list(ids)}).encode()
        with self._open("ui", body) as answer:
            changed: list[str] = json.load(answer)["changed"]
            return changed

    def _open(self, route: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - always http on loopback
            f"{self._url}/__control__/{route}?crm={self._crm}",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        try:
            return _OPENER.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            raise RuntimeError(
                f"{self._crm}: {route}: {error.read()[:200].decode('utf-8', 'replace')}"
            ) from None


def changed(before: Mapping[Key, Any], after: Mapping[Key, Any]) -> set[Key]:
    """The records that are not as they were, leaving out what the vendor writes itself."""
    return {
        key
        for key in {*before, *after}
        if key not in before
        or key not in after
        or next(_differs(key, before[key], after[key], {}), None) is not None
    }


def compare(
    before: Mapping[Key, Any], after: Mapping[Key, Any], ids: Mapping[Key, Key], named: Named
) -> Proof:
    """Hold every record against what it was; a record made anew stands for its old one.

    Args:
        before: The truth as it was.
        after: The truth as it is.
        ids: Old records to those that were made in their place.
        named: What had been said to differ.
    """
    renamed = {old[1]: new[1] for old, new in ids.items()}
    found: list[Difference] = []
    records = equal = 0
    for key, was in before.items():
        if was["state"] == "gone":
            continue
        records += 1
        now = after.get(ids.get(key, key))
        some = list(_differs(key, was, now, renamed))
        equal += not some
        found += [Difference(*key, what, old, new, named.by(key, what)) for what, old, new in some]
    made = set(ids.values())
    found += [
        Difference(*key, "new", None, now["state"], named.by(key, "new"))
        for key, now in after.items()
        if key not in before and key not in made and now["state"] != "gone"
    ]
    return Proof(records, equal, tuple(found))


def _differs(
    key: Key, was: Mapping[str, Any], now: Mapping[str, Any] | None, renamed: Mapping[str, str]
) -> Iterator[tuple[str, Any, Any]]:
    if now is None or (now["state"] == "gone" and was["state"] != "gone"):
        yield "missing", was["state"], None if now is None else now["state"]
        return
    if now["state"] != was["state"]:
        yield "state", was["state"], now["state"]
    if now["locked"] != was["locked"]:
        yield "locked", was["locked"], now["locked"]
    left_out = set(was["vendor_set"])
    for name in sorted({*was["fields"], *now["fields"]} - left_out):
        old, new = was["fields"].get(name), now["fields"].get(name)
        if _pointed(old, renamed) != new:
            yield name, old, new
    old_links, new_links = _links(was, renamed), _links(now, {})
    for link in sorted(old_links - new_links):
        yield link[0], "/".join(link[1:3]), None
    for link in sorted(new_links - old_links):
        yield link[0], None, "/".join(link[1:3])


def _pointed(value: Any, renamed: Mapping[str, str]) -> Any:
    """A value with every id of a record that was made anew replaced by the new one."""
    if isinstance(value, str):
        return renamed.get(value, value)
    if isinstance(value, list):
        return [_pointed(each, renamed) for each in value]
    if isinstance(value, dict):
        return {name: _pointed(each, renamed) for name, each in value.items()}
    return value


def _links(record: Mapping[str, Any], renamed: Mapping[str, str]) -> set[tuple[str, str, str, str]]:
    return {
        (link["name"], link["kind"], renamed.get(link["id"], link["id"]), link["label"] or "")
        for link in record["links"]
    }
