"""The one seam for the path version: a request by its name, by the official client or beside it.

`v3` goes through hubspot-api-client: its generic `crm.objects` APIs, made once and shared, with its
pool taken out and ours put in. Dated paths, which that client cannot speak, go through the same
pool directly. Traps of the client that are held here (version 12.0.0, read and measured):

- each access of `client.crm.x.y_api` makes a new pool: the api objects are kept;
- there is no timeout: ours are explicit, and one deadline holds the whole request;
- urllib3 repeats by itself even where no `Retry` is given: `Retry(0, redirect=False)` stands in
  each call;
- its error class reads bodies as UTF-8, and dies of others: it is never reached, since our pool
  hands over by itself what is no success;
- `archived=True` travels as `True`: the word `true` is given as text;
- its models cost five to ten times the transport: `_preload_content=False`, and our strict reader;
- `client.api_request` has no timeout, no session and raises nothing: it is not used. Paths that the
  client lacks (account-info, `dataSensitivity`) go through its `ApiClient.call_api`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from crm_bridge.kit import Settings, Unreachable, deadline, network_errors, pool_manager

MAX_BODY: Final = 64 * 2**20
"""Bytes of one answer after decompression; HubSpot's largest are a few megabytes."""

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole.

    Attributes:
        status: The HTTP status.
        headers: Names in lower case.
        body: The body, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Route(NamedTuple):
    """A request by its name.

    Attributes:
        method: The HTTP method.
        v3: The path, with `{0}` and `{1}` for kinds.
        dated: The path under a dated version, with `{v}` for it; empty where it is the same.
        api: Where the official client has it, as "package.api.method"; empty where it does not.
        write: Whether it may change a record or a schema.
        success: The statuses of success. HubSpot's published API names 201 for creates, 204 for
            archives, and 207 for batches of which a part failed.
        form: Whether the body is a form.
    """

    method: str
    v3: str
    dated: str = ""
    api: str = ""
    write: bool = False
    success: tuple[int, ...] = (200,)
    form: bool = False


ROUTES: Final[Mapping[str, Route]] = {
    "read": Route("POST", "/crm/v3/objects/{0}/batch/read", "/crm/objects/{v}/{0}/batch/read",
                  "objects.batch_api.read", success=(200, 207)),
    "archive": Route("POST", "/crm/v3/objects/{0}/batch/archive",
                     "/crm/objects/{v}/{0}/batch/archive", "objects.batch_api.archive",
                     write=True, success=(204,)),
    "update": Route("POST", "/crm/v3/objects/{0}/batch/update",
                    "/crm/objects/{v}/{0}/batch/update", "objects.batch_api.update",
                    write=True, success=(200, 207)),
    "create": Route("POST", "/crm/v3/objects/{0}/batch/create",
                    "/crm/objects/{v}/{0}/batch/create", "objects.batch_api.create",
                    write=True, success=(200, 201, 207)),
    "erase": Route("POST", "/crm/v3/objects/contacts/gdpr-delete",
                   "/crm/objects/{v}/contacts/gdpr-delete", "contacts.basic_api.purge",
                   write=True, success=(204,)),
    "page": Route("GET", "/crm/v3/objects/{0}", "/crm/objects/{v}/{0}",
                  "objects.basic_api.get_page"),
    "one": Route("GET", "/crm/v3/objects/{0}/{1}", "/crm/objects/{v}/{0}/{1}",
                 "objects.basic_api.get_by_id"),
    "search": Route("POST", "/crm/v3/objects/{0}/search", "/crm/objects/{v}/{0}/search",
                    "objects.search_api.do_search"),
    "links": Route("POST", "/crm/v4/associations/{0}/{1}/batch/read",
                   "/crm/associations/{v}/{0}/{1}/batch/read",
                   "associations.batch_api.get_page", success=(200, 207)),
    "tie": Route("POST", "/crm/v4/associations/{0}/{1}/batch/create",
                 "/crm/associations/{v}/{0}/{1}/batch/create", "associations.batch_api.create",
                 write=True, success=(200, 201, 207)),
    # The client's get_all has no dataSensitivity, so that it would show the first class alone.
    "properties": Route("GET", "/crm/v3/properties/{0}", "/crm/properties/{v}/{0}"),
    "make_property": Route("POST", "/crm/v3/properties/{0}", "/crm/properties/{v}/{0}",
                           "properties.core_api.create", write=True, success=(201,)),
    "groups": Route("GET", "/crm/v3/properties/{0}/groups", "/crm/properties/{v}/{0}/groups",
                    "properties.groups_api.get_all"),
    "make_group": Route("POST", "/crm/v3/properties/{0}/groups", "/crm/properties/{v}/{0}/groups",
                        "properties.groups_api.create", write=True, success=(201,)),
    "owners": Route("GET", "/crm/v3/owners", "/crm/owners/{v}"),
    "schemas": Route("GET", "/crm-object-schemas/v3/schemas", "", "schemas.core_api.get_all"),
    "details": Route("GET", "/account-info/v3/details", "/account-info/{v}/details"),
    "usage": Route("GET", "/account-info/v3/api-usage/daily/private-apps",
                   "/account-info/{v}/api-usage/daily/private-apps"),
    # OAuth v1 ends on 2027-02-16, and it is all that the client has.
    "token": Route("POST", "/oauth/2026-03/token", form=True),
    "introspect": Route("POST", "/oauth/2026-03/token/introspect", form=True),
    "token_info": Route("POST", "/oauth/v2/private-apps/get/access-token-info"),
}  # fmt: skip


class Door(Protocol):
    """A way to the vendor."""

    def send(self, name: str, kinds: Sequence[str], query: Query, body: Any) -> Answer:
        """Make exactly one request.

        Args:
            name: One of `ROUTES`.
            kinds: What fills the path.
            query: Names and values, in order.
            body: What is sent as JSON, or as a form where the route says so; None for nothing.

        Raises:
            Unreachable: No whole answer came.
        """
        ...


class Pool:
    """urllib3 as we want it: no repeats, no redirects, a deadline, a bounded body.

    Args:
        settings: The account's settings.
    """

    def __init__(self, settings: Settings) -> None:
        from urllib3 import Retry, Timeout

        self._pool = pool_manager(settings, maxsize=16)
        self._seconds = settings.deadline
        self._retries = Retry(0, redirect=False, read=False)
        self._timeout = Timeout(connect=min(10.0, settings.deadline), read=settings.deadline)

    def fetch(
        self, method: str, url: str, body: str | bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        """Make one request and read its answer whole.

        Raises:
            Unreachable: No whole answer came, or it was a redirect.
        """
        wanted = {**headers, "Accept-Encoding": "gzip"}
        with network_errors("HubSpot"), deadline(self._seconds):
            response = self._pool.request(
                method, url, body=body, headers=wanted, preload_content=False, redirect=False,
                retries=self._retries, timeout=self._timeout,
            )  # fmt: skip
            data = _whole(response)
        if 300 <= response.status < 400:
            raise Unreachable(
                "HubSpot answered with a redirect, which is not followed.",
                strange=True,
                detail="Check base_url: the API's host does not redirect.",
            )
        return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, data)

    def close(self) -> None:
        """Let connections go."""
        self._pool.clear()


def _whole(response: Any) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := response.read(262_144, decode_content=True):
            size += len(chunk)
            if size > MAX_BODY:
                raise OSError("the answer is larger than any that is due")
            parts.append(chunk)
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return b"".join(parts)


class PlainDoor:
    """Requests beside the official client, for path versions that it cannot speak.

    Args:
        base: Scheme and host.
        version: A dated path version, or `v3`.
        pool: The pool.
        bearer: Gives the token of the moment.
    """

    def __init__(self, base: str, version: str, pool: Pool, bearer: Callable[[], str]) -> None:
        self._base, self._version, self._pool, self._bearer = base, version, pool, bearer

    def send(self, name: str, kinds: Sequence[str], query: Query, body: Any) -> Answer:
        """Make exactly one request; see `Door`."""
        import json

        route = ROUTES[name]
        path = route.dated if route.dated and self._version != "v3" else route.v3
        path = path.format(*(quote(kind, safe="") for kind in kinds), v=self._version)
        url = self._base + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json"}
        data: str | None = None
        if route.form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            data = urlencode(body)
        else:
            headers["Authorization"] = f"Bearer {self._bearer()}"
            if body is not None:
                headers["Content-Type"] = "application/json"
                data = json.dumps(body)
        return self._pool.fetch(route.method, url, data, headers)


class _Turned(Exception):
    """Carries what is no success past the client's own error classes."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _ClientPool:
    """Our pool in the shape that the client's `RESTClientObject` asks of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def request(
        self, method: str, url: str, *, fields: Any = None, body: Any = None,
        headers: Mapping[str, str] | None = None, **_: Any,
    ) -> Answer:  # fmt: skip
        if fields:
            url += f"?{urlencode(fields)}"
        answer = self._pool.fetch(method, url, body, headers or {})
        if not 200 <= answer.status <= 299:
            raise _Turned(answer)
        return answer


class ClientDoor:
    """Requests through hubspot-api-client, for `v3`.

    Args:
        base: Scheme and host.
        pool: The pool.
        bearer: Gives the token of the moment.
        seconds: The deadline of one request.
    """

    def __init__(self, base: str, pool: Pool, bearer: Callable[[], str], seconds: float) -> None:
        import hubspot
        from urllib3 import Retry

        self._bearer = bearer
        self._timeout = (min(10.0, seconds), seconds)
        # A token must be there for the client to send any; the true one is set before each call.
        client = hubspot.HubSpot(
            access_token="-", host=base, base_url=base, retry=Retry(0, redirect=False)
        )
        crm = client.crm
        packages = {
            "objects": crm.objects,
            "contacts": crm.contacts,
            "associations": crm.associations.v4,
            "properties": crm.properties,
            "schemas": crm.schemas,
        }
        self._apis: dict[str, Any] = {}
        for route in ROUTES.values():
            where, _, _ = route.api.rpartition(".")
            if where and where not in self._apis:
                package, _, name = where.partition(".")
                api = getattr(packages[package], name)
                api.api_client.rest_client.pool_manager = _ClientPool(pool)
                self._apis[where] = api
        self._plain = PlainDoor(base, "v3", pool, bearer)

    def send(self, name: str, kinds: Sequence[str], query: Query, body: Any) -> Answer:
        """Make exactly one request; see `Door`."""
        route = ROUTES[name]
        if route.form:
            return self._plain.send(name, kinds, query, body)
        settled: Any = {"_preload_content": False, "_request_timeout": self._timeout}
        token = self._bearer()
        where, _, verb = route.api.rpartition(".")
        api = self._apis[where or "objects.batch_api"]
        # The same text every time but after a renewal, so that lanes do not disturb one another.
        if api.api_client.configuration.access_token != token:
            api.api_client.configuration.access_token = token
        try:
            if route.api:
                args = [*kinds] if body is None else [*kinds, body]
                found = getattr(api, verb)(*args, **_keywords(query), **settled)
            else:
                path = route.v3.format(*(quote(kind, safe="") for kind in kinds))
                found = api.api_client.call_api(
                    path, route.method, query_params=list(query), body=body,
                    header_params={"Accept": "application/json"}, auth_settings=["oauth2"],
                    **settled,
                )  # fmt: skip
        except _Turned as turned:
            return turned.answer
        answer: Answer = found
        return answer


def _keywords(query: Query) -> dict[str, Any]:
    """A query as the client's keywords; what may stand several times is a list there."""
    keywords: dict[str, Any] = {}
    for name, value in query:
        if name in ("properties", "associations"):
            keywords.setdefault(name, []).append(value)
        else:
            keywords[name] = value
    return keywords
