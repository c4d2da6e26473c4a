"""The words of HubSpot's wire: refusals in its envelopes, what a body may hold, a portal at hand.

Bodies: https://developers.hubspot.com/docs/api-reference/error-handling and the fixtures of
https://github.com/amp-labs/connectors (providers/hubspot). Texts that nobody has recorded are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from crm_bridge.simulator import Account, Call, Reply

V3, V4, NEWEST = "v3", "v4", "2026-09"
DATED: Final = ("2026-03", NEWEST)
"""The path versions of the CRM that are answered: v3 (v4 for associations) and the dated ones."""

BATCH, BATCH_HISTORY, PAGE = 100, 50, 100
LINKS_READ, LINKS_MADE, LINKS_ARCHIVED, LINKS_PAGE = 1000, 2000, 100, 500


class Deny(Exception):
    """An answer that refuses: its status and the body, without what every refusal carries."""

    def __init__(
        self, status: int, message: str, category: str | None = "VALIDATION_ERROR", **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.more = more

    def body(self, account: Account | None) -> dict[str, Any]:
        """The envelope; whoever reads it must do without the correlation id."""
        told: dict[str, Any] = {"status": "error", "message": self.message}
        if account is None or account.switches["correlation_id"]:
            told["correlationId"] = str(uuid4())
        if self.category is not None:
            told["category"] = self.category
        return {**told, **self.more}

    def row(self, **context: list[str]) -> dict[str, Any]:
        """The same as one entry of a batch's errors."""
        row = {"status": "error", "category": self.category, "message": self.message}
        row |= {k: v for k, v in self.more.items() if k != "context"}
        return {**row, "context": {**self.more.get("context", {}), **context}}


def not_found() -> Deny:
    """What a record that is not there answers, alone."""
    return Deny(404, "resource not found", "OBJECT_NOT_FOUND")


def too_many(limit: int) -> Deny:
    """More inputs than a batch takes."""
    return Deny(
        400,
        f"The maximum number of inputs supported in a batch is {limit}. "
        "Please reduce the number of items and try again",
    )


def not_json(what: str) -> Deny:
    """A body that is not what the route takes."""
    return Deny(400, f"Invalid input JSON on line 1, column 1: {what}")


@dataclass
class Asked:
    """A request that is logged in and routed.

    Attributes:
        account: The portal.
        call: The request.
        version: v3, v4 or a date.
        scopes: What its token may do.
        oauth: Whether the token is an app's, by OAuth.
        refused: Ids that a fault makes fail alone.
        skipped: Ids that a fault lets pass without effect.
    """

    account: Account
    call: Call
    version: str
    scopes: frozenset[str]
    oauth: bool = False
    refused: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()

    @property
    def dated(self) -> bool:
        """Whether the path has a date in place of v3."""
        return self.version in DATED

    @property
    def archived(self) -> bool:
        """Whether the archived ones are asked for: the word, in any case; `1` is no word."""
        return (self.call.query("archived") or "").lower() == "true"

    def switch(self, name: str) -> Any:
        """Where a switch of the portal stands."""
        return self.account.switches[name]

    def body(self) -> dict[str, Any]:
        """The body, a JSON object."""
        try:
            data = self.call.json
        except ValueError as error:
            raise not_json(str(error)) from error
        if not isinstance(data, dict):
            raise not_json("an object is needed")
        return data

    def inputs(self, limit: int = BATCH) -> list[dict[str, Any]]:
        """The inputs of a batch, each an object.

        Raises:
            Deny: There are none, or too many.
        """
        rows = self.body().get("inputs")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise not_json("inputs is a list of objects")
        if not rows:
            raise Deny(400, "Some required fields were not set: [inputs]")
        if len(rows) > limit:
            raise too_many(limit)
        return rows

    def names(self, name: str) -> list[str]:
        """A list in the query string: repeated, or with commas."""
        return [one for text in self.call.queries.get(name, ()) for one in text.split(",") if one]


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A text that a body must hold; a number is taken as the parser takes it.

    Raises:
        Deny: It is not there.
    """
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise Deny(400, f"Some required fields were not set: [{name}]")
    return value


def texts_of(row: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts that a body may hold."""
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise not_json(f"{name} is a list of strings")
    return value


def missing_scopes(account: Account, scopes: Iterable[str]) -> Deny:
    """403 in either of its two shapes; any one of the scopes would do."""
    needed, page = list(scopes), "https://developers.hubspot.com/scopes"
    if account.switches["scope_shape"] == "context":
        context = {"requiredGranularScopes": needed, "links": [page]}
        text = "One or more of the following scopes are required."
        return Deny(403, text, "MISSING_SCOPES", context=context)
    return Deny(
        403,
        "This app hasn't been granted all required scopes to make this call. "
        f"Read more about required scopes here: {page}.",
        "MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": needed},
            }
        ],
        links={"scopes": page},
    )


def batch_reply(
    asked: Asked,
    results: list[Any],
    errors: list[dict[str, Any]],
    status: int = 200,
) -> Reply:
    """A batch's answer: 207 where something failed, without `numErrors` where nothing did.

    Dated versions do not list 207 in their specification; whether they send it is a switch.
    """
    now = asked.account.clock.iso()
    told: dict[str, Any] = {
        "status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now,
    }  # fmt: skip
    if errors:
        told |= {"errors": errors, "numErrors": len(errors)}
        status = 207 if not asked.dated or asked.switch("dated_207") else status
    return Reply.json(told, status)


def fresh_id(account: Account) -> str:
    """The next id that this portal gives; as long as those it began with, and after them."""
    number: int = account.memory.get("last_id", 60_000_000 + account.index * 20_000_000) + 1
    account.memory["last_id"] = number
    return str(number)


def pages(rows: list[Any], start: int, size: int) -> Iterator[Any]:
    """One page of a list."""
    yield from rows[start : start + size]
