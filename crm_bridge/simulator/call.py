"""One request as a vendor's simulator sees it, and the answer it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

if TYPE_CHECKING:
    from crm_bridge.simulator.account import Account

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class Reply:
    """An answer: status, body, headers. Date is added by the server."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | str | Iterator[bytes] = b"",
        type: str | None = None,
        headers: Headers = (),
    ) -> None:
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = list(headers.items() if isinstance(headers, Mapping) else headers)
        if type is not None:
            self.headers.insert(0, ("content-type", type))

    @classmethod
    def json(cls, data: Any, status: int = 200, headers: Headers = ()) -> Reply:
        """Answer JSON, UTF-8, without spaces."""
        return cls(status, msgspec.json.encode(data), "application/json;charset=UTF-8", headers)

    @classmethod
    def xml(cls, text: str | bytes, status: int = 200, headers: Headers = ()) -> Reply:
        """Answer XML."""
        return cls(status, text, "text/xml;charset=UTF-8", headers)

    @classmethod
    def html(cls, text: str, status: int = 200, headers: Headers = ()) -> Reply:
        """Answer HTML, as gateways do when they are unwell."""
        return cls(status, text, "text/html", headers)


class Call:
    """A request: what came in, and what the vendor's code says of it for the log."""

    def __init__(
        self,
        method: str,
        path: str,
        query_string: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        self.method = method
        self.path = path  # percent-decoded
        self.query_string = query_string
        self.headers = headers  # names in lower case
        self.body = body
        self.account: Account | None = None  # set from `account_of`; `handle` may set it too
        self.write = False  # `describe` sets True where the request could change something
        self.ids: list[str] = []  # the ids that the request named
        self.changed: list[str] = []  # filled by the store: every record that changed

    @property
    def base(self) -> str:
        """Scheme and host as the client spelled it; what absolute URLs in answers begin with."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"

    @cached_property
    def queries(self) -> dict[str, list[str]]:
        """The query string, all values of each name."""
        return parse_qs(self.query_string, keep_blank_values=True)

    def query(self, name: str, default: str | None = None) -> str | None:
        """The first value of a name in the query string."""
        return self.queries.get(name, [default])[0]

    @cached_property
    def json(self) -> Any:
        """The body as JSON; an empty body is None, a broken one raises ValueError."""
        return msgspec.json.decode(self.body) if self.body else None

    @cached_property
    def form(self) -> dict[str, str]:
        """The body as a form, the first value of each name."""
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            return {}
        return {name: values[0] for name, values in parse_qs(text, True).items()}
