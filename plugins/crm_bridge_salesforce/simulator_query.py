"""Answers queries: finds the rows that a `Query` means, and shows what it selects of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crm_bridge.simulator import Stored
from crm_bridge_salesforce.simulator_life import sweep
from crm_bridge_salesforce.simulator_org import DELETED, LIVE, Org, Trouble, name_of, stamp
from crm_bridge_salesforce.simulator_schema import (
    SYSTEM_RIGHTS,
    UNQUERYABLE,
    Field,
    SObject,
    id_of,
    kind_of,
    schema,
    whole_id,
)
from crm_bridge_salesforce.simulator_soql import Compare, Item, Logic, Query, pointed

Row = Stored | Mapping[str, Any]
Getter = Callable[[Row], Any]
_UNSEEN = "AccountTeamMember"


class Search:
    """One query against one org; `all` shows what is deleted too."""

    def __init__(self, org: Org, query: Query, all: bool) -> None:
        self.org = org
        self.query = query
        self.all = all
        self._fields: dict[str, Field] = {}
        self.known = self._object()
        self.aggregates = any(item.aggregate for item in query.items) or bool(query.group)
        self._check_items()
        self._getters = [self.getter(item.path, item.at) for item in query.items]

    def _object(self) -> SObject:
        query = self.query
        known = self.org.object(query.kind)
        if known is None:
            raise pointed(
                query.text, query.kind_at,
                f"sObject type '{query.kind}' is not supported. If you are attempting to use a "
                "custom object, be sure to append the '__c' after the entity name. Please "
                "reference your WSDL or the describe call for the appropriate names.",
                "INVALID_TYPE",
            )  # fmt: skip
        if "q" not in known.flags or known.name in UNQUERYABLE:
            raise Trouble(
                "INVALID_TYPE_FOR_OPERATION",
                f"entity type {known.name} does not support query",
            )
        if known.name == "DeleteEvent" and self.org.switches["delete_event"] == "refused":
            raise Trouble("INVALID_TYPE", "sObject type 'DeleteEvent' is not supported.")
        return known

    def _check_items(self) -> None:
        query = self.query
        if query.every:
            if query.every != "STANDARD" and (query.limit is None or query.limit > 200):
                raise Trouble(
                    "MALFORMED_QUERY",
                    "The SOQL FIELDS function must have a LIMIT of at most 200",
                )
            for field in self.org.fields(self.known):
                if query.every == "ALL" or field.custom == (query.every == "CUSTOM"):
                    query.items.append(Item(field.name))
        seen = set()
        for item in query.items:
            key = (item.path.lower(), item.aggregate)
            if key in seen and not item.aggregate:
                raise Trouble("INVALID_FIELD", f"duplicate field selected: {item.path}")
            seen.add(key)
        if self.aggregates:
            grouped = {path.lower() for path in query.group}
            for item in query.items:
                if not item.aggregate and item.path.lower() not in grouped:
                    raise Trouble(
                        "MALFORMED_QUERY",
                        f"Field must be grouped or aggregated: {item.path}",
                    )
            for path in query.group:
                field = self.field(path)
                if not field.groupable:
                    raise Trouble("MALFORMED_QUERY", f"field '{path}' can not be grouped in a query call")  # fmt: skip # noqa: E501
        elif not query.items and not query.counts:
            raise Trouble("MALFORMED_QUERY", "unexpected token: 'FROM'")

    # -- fields ---------------------------------------------------------------------------------

    def field(self, path: str, at: int = 0) -> Field:
        """The last field of a path.

        Raises:
            Trouble: There is none of that name.
        """
        found = self._fields.get(path)
        if found is None:
            found = self._fields[path] = self._field(path, at)
        return found

    def _field(self, path: str, at: int) -> Field:
        known = self.known
        parts = path.split(".")
        if len(parts) > 1 and parts[0].lower() == known.name.lower():
            parts = parts[1:]
        for part in parts[:-1]:
            step = self._relation(known, part)
            if step is None:
                why = (
                    f"Didn't understand relationship '{part}' in field path. If you are attempting "
                    "to use a custom relationship, be sure to append the '__r' after the custom "
                    "relationship name. Please reference your WSDL or the describe call for the "
                    "appropriate names."
                )
                raise pointed(self.query.text, at, why, "INVALID_FIELD")
            known = schema()[step.to[0] if len(step.to) == 1 else "User"]
        field = self.org.field(known, parts[-1])
        if field is None:
            why = (
                f"No such column '{parts[-1]}' on entity '{known.name}'. If you are attempting to "
                "use a custom field, be sure to append the '__c' after the custom field name. "
                "Please reference your WSDL or the describe call for the appropriate names."
            )
            raise pointed(self.query.text, at, why, "INVALID_FIELD")
        return field

    @staticmethod
    def _relation(known: SObject, name: str) -> Field | None:
        for field in known.fields.values():
            if field.to and str(field.shown()["relationshipName"]).lower() == name.lower():
                return field
        return None

    def getter(self, path: str, at: int = 0) -> Getter:
        """What reads the value of a path from a row."""
        field = self.field(path, at)
        parts = path.split(".")
        if len(parts) > 1 and parts[0].lower() == self.known.name.lower():
            parts = parts[1:]
        if len(parts) == 1:
            return lambda row: self._value(row, field)
        steps: list[Field] = []
        known = self.known
        for part in parts[:-1]:
            step = self._relation(known, part)
            assert step is not None
            steps.append(step)
            known = schema()[step.to[0] if len(step.to) == 1 else "User"]

        def get(row: Row) -> Any:
            for step in steps:
                id = self._value(row, step)
                found = self.org.find(id) if isinstance(id, str) else None
                if found is None:
                    return None
                row = found
            return self._value(row, field)

        return get

    def _value(self, row: Row, field: Field) -> Any:
        if isinstance(row, Stored):
            return self.org.value(row, field)
        return row.get(field.name)

    # -- rows -----------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """The rows that the query means, in its order, cut to its limit."""
        query = self.query
        meets = self._test(query.where) if query.where is not None else None
        found: list[Row] = [r for r in self._candidates() if meets is None or meets(r)]
        for path, down, last in reversed(query.order):
            get = self.getter(path)
            if not self.field(path).filterable:
                raise Trouble("INVALID_FIELD", f"field '{path}' can not be sorted in a query call")
            found = _sorted(found, get, down, last)
        if self.aggregates or query.counts:
            return found
        end = None if query.limit is None else query.offset + query.limit
        return found[query.offset : end]

    def _candidates(self) -> Iterable[Row]:
        virtual = _VIRTUAL.get(self.known.name)
        if virtual is not None:
            return virtual(self)
        kind = self.known.name
        store = self.org.store
        if kind not in store.kinds():
            return ()
        states = (LIVE, DELETED) if self.all and kind != _UNSEEN else (LIVE,)
        store.ids(kind)  # the kind grows before the clock takes its share
        sweep(self.org)
        narrow = self.narrowed(self.query.where)
        rows: Iterator[Row] = (
            store.after(kind, None, *states) if narrow is None else self._found(narrow, states)
        )
        if self.all:
            ghosts = self.org.ghosts.get(kind, {})
            return [*rows, *(fields for _, fields in ghosts.values())]
        return rows

    def _found(self, narrow: tuple[Field, list[str]], states: tuple[str, ...]) -> Iterator[Row]:
        field, ids = narrow
        kind = self.known.name
        if field.name == "Id":
            found = [self.org.store.get(kind, id) for id in dict.fromkeys(ids)]
        else:
            found = []
            for id in dict.fromkeys(ids):
                found += self.org.store.where(kind, field.name, id, *states)
        there = [record for record in found if record is not None and record.state in states]
        yield from sorted(there, key=lambda record: record.id)

    def narrowed(self, where: Compare | Logic | None) -> tuple[Field, list[str]] | None:
        """The ids that the rows can only have, in themselves or in a lookup; None for any."""
        parts = where.parts if isinstance(where, Logic) and where.op == "AND" else (where,)
        for part in parts:
            if not isinstance(part, Compare) or part.op not in ("=", "IN") or "." in part.path:
                continue
            field = self.field(part.path, part.at)
            holds = field.type in ("id", "reference") or field.name == "Record"
            if not holds or part.kind == "query":
                continue
            values = [v for v, _ in part.value] if part.kind == "list" else [part.value]
            ids = [whole_id(value) for value in values]
            if all(ids):
                return field, [id for id in ids if id]
        return None

    # -- conditions -----------------------------------------------------------------------------

    def _test(self, where: Compare | Logic) -> Callable[[Row], bool]:
        if isinstance(where, Logic):
            tests = [self._test(part) for part in where.parts]
            if where.op == "NOT":
                return lambda row: not tests[0](row)
            join = all if where.op == "AND" else any
            return lambda row: join(test(row) for test in tests)
        field = self.field(where.path, where.at)
        if not field.filterable or field.type in ("address", "base64"):
            why = f"field '{where.path}' can not be filtered in a query call"
            raise pointed(self.query.text, where.at, why, "INVALID_FIELD")
        get = self.getter(where.path, where.at)
        if where.op == "LIKE":
            pattern = _pattern(where.value)
            return lambda row: isinstance(v := get(row), str) and bool(pattern.fullmatch(v))
        if where.op in ("IN", "NOT IN"):
            wanted = self._set(field, where)
            within = where.op == "IN"
            return lambda row: (_key(field, get(row)) in wanted) == within
        value = _key(field, self._literal(field, where.value, where.kind, where))
        if where.op == "=":
            return lambda row: _key(field, get(row)) == value
        if where.op == "!=":
            return lambda row: _key(field, get(row)) != value
        if field.type in ("reference", "boolean"):
            why = f"invalid operator on {field.type} field"
            raise pointed(self.query.text, where.at, why, "INVALID_FIELD")
        compare = _COMPARES[where.op]
        return lambda row: (
            (own := _key(field, get(row))) is not None
            and value is not None
            and bool(compare(own, value))
        )

    def _set(self, field: Field, where: Compare) -> set[Any]:
        if isinstance(where.value, Query):
            inner = Search(self.org, where.value, self.all)
            if len(inner.query.items) != 1:
                raise Trouble("MALFORMED_QUERY", "a semi-join selects one field")
            get = inner.getter(inner.query.items[0].path)
            return {_key(field, get(row)) for row in inner.rows()}
        return {_key(field, self._literal(field, v, kind, where)) for v, kind in where.value}

    def _literal(self, field: Field, value: Any, kind: str, where: Compare) -> Any:
        if kind == "null":
            return None
        wanted = _WANTED.get(field.type, ("string",))
        if kind not in wanted and not (field.type == "datetime" and kind == "date"):
            hint = "and should not be" if kind == "string" else "and should be"
            why = (
                f"value of filter criterion for field '{where.path}' must be of type {field.type} "
                f"{hint} enclosed in quotes"
            )
            raise pointed(self.query.text, where.at, why, "INVALID_FIELD")
        if field.type in ("id", "reference"):
            id = whole_id(value)
            if id is None and value != "":
                raise Trouble("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
            return id
        return value

    # -- answers --------------------------------------------------------------------------------

    def shown(self, row: Row, version: str) -> dict[str, Any]:
        """A row as the answer's `records` hold it."""
        id = row.id if isinstance(row, Stored) else row.get("Id")
        attributes = {"type": self.known.name}
        if id is not None:
            attributes["url"] = f"/services/data/{version}/sobjects/{self.known.name}/{id}"
        told: dict[str, Any] = {"attributes": attributes}
        for item, get in zip(self.query.items, self._getters, strict=True):
            path = item.path
            if "." not in path:
                told[self._fields[path].name] = get(row)
                continue
            *way, last = path.split(".")
            inside = told
            for part in way:
                if inside.get(part) is None:
                    inside[part] = {"attributes": {"type": part}}
                inside = inside[part]
            inside[last] = get(row)
        return told

    def grouped(self) -> list[dict[str, Any]]:
        """The rows of an aggregate query."""
        keys = [self.getter(path) for path in self.query.group]
        groups: dict[tuple[Any, ...], list[Row]] = {}
        if not keys:
            groups[()] = []
        for row in self.rows():
            groups.setdefault(tuple(get(row) for get in keys), []).append(row)
        told = []
        for rows in groups.values():
            line: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
            bare = 0
            for item, get in zip(self.query.items, self._getters, strict=True):
                if not item.aggregate:
                    line[item.path.rpartition(".")[2]] = get(rows[0]) if rows else None
                    continue
                name = item.alias or f"expr{bare}"
                bare += not item.alias
                values = [v for v in map(get, rows) if v is not None]
                line[name] = _aggregate(item.aggregate, values)
            told.append(line)
        limit = self.query.limit
        return told if limit is None else told[:limit]


def _aggregate(name: str, values: list[Any]) -> Any:
    match name:
        case "COUNT":
            return len(values)
        case "COUNT_DISTINCT":
            return len(set(values))
        case "MIN":
            return min(values, default=None)
        case "MAX":
            return max(values, default=None)
        case "SUM":
            return sum(values) if values else None
    return Decimal(sum(values)) / len(values) if values else None


_WANTED: Mapping[str, tuple[str, ...]] = {
    "int": ("number",), "long": ("number",), "double": ("number",), "currency": ("number",),
    "percent": ("number",), "boolean": ("boolean",), "date": ("date",), "datetime": ("datetime",),
}  # fmt: skip
_COMPARES: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def _key(field: Field, value: Any) -> Any:
    """A value as comparisons see it: text without case, moments as seconds, nothing as None."""
    if value is None or value == "":
        return None
    if field.type in ("id", "reference"):
        return value
    if field.type == "datetime" and isinstance(value, str):
        moment = datetime.fromisoformat(value.replace("+0000", "+00:00"))
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return value.casefold() if isinstance(value, str) else value


def _pattern(raw: str) -> re.Pattern[str]:
    parts = []
    inner = raw[1:-1]
    at = 0
    while at < len(inner):
        char = inner[at]
        if char == "\\" and at + 1 < len(inner):
            at += 1
            escaped = {"n": "\n", "r": "\r", "t": "\t"}.get(inner[at], inner[at])
            parts.append(re.escape(escaped))
        else:
            parts.append({"%": ".*", "_": "."}.get(char, re.escape(char)))
        at += 1
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _sorted(rows: list[Row], get: Getter, down: bool, last: bool) -> list[Row]:
    def order(row: Row) -> tuple[bool, Any]:
        value = get(row)
        value = value.casefold() if isinstance(value, str) and len(value) != 18 else value
        return (value is not None, 0 if value is None else value)

    empty = [row for row in rows if get(row) is None]
    there = sorted((row for row in rows if get(row) is not None), key=order, reverse=down)
    return there + empty if last else empty + there


# -- objects that are only views ------------------------------------------------------------------


def _access(search: Search) -> Iterator[Row]:
    """What the user may do with each record that the query names.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_userrecordaccess.htm
    """
    where = search.query.where
    parts = where.parts if isinstance(where, Logic) and where.op == "AND" else (where,)
    told = {p.path.lower(): p for p in parts if isinstance(p, Compare) and p.op in ("=", "IN")}
    if "userid" not in told or "recordid" not in told:
        raise Trouble("MALFORMED_QUERY", "UserRecordAccess needs a filter on UserId and RecordId")
    named = told["recordid"]
    texts = [v for v, _ in named.value] if named.kind == "list" else [named.value]
    if len(texts) > 200:
        raise Trouble("EXCEEDED_ID_LIMIT", "UserRecordAccess takes at most 200 record ids")
    org = search.org
    for text in texts:
        id = whole_id(text)
        record = org.live(id)
        if id is None:
            raise Trouble("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
        kind = kind_of(id) or ""
        shut = bool(record and record.locked and org.switches["access_shows_lock"])
        reads = record is not None and org.may("read", kind, id)
        edits = reads and not shut and org.may("edit", kind, id)
        drops = reads and not shut and org.may("delete", kind, id)
        level = "All" if drops and edits else "Edit" if edits else "Read" if reads else "None"
        yield {
            "RecordId": text, "UserId": org.user, "HasReadAccess": reads, "HasEditAccess": edits,
            "HasDeleteAccess": drops, "HasTransferAccess": edits, "HasAllAccess": level == "All",
            "MaxAccessLevel": level,
        }  # fmt: skip


def _rights(search: Search) -> Iterator[Row]:
    org = search.org
    if search.query.where is not None:
        raise Trouble("MALFORMED_QUERY", "UserPermissionAccess takes no WHERE")
    yield {f"Permissions{right}": org.may(right) for right in SYSTEM_RIGHTS}


def _object_rights(search: Search) -> Iterator[Row]:
    org = search.org
    id, parent = (id_of(prefix, org.account.index, 1) for prefix in ("110", "0PS"))
    for known in schema().values():
        if not known.prefix or "l" not in known.flags:
            continue
        at = known.name
        all_ = org.may("ModifyAllData")
        yield {
            "Id": id, "ParentId": parent,
            "SobjectType": at, "PermissionsCreate": org.may("create", at),
            "PermissionsRead": org.may("read", at), "PermissionsEdit": org.may("edit", at),
            "PermissionsDelete": org.may("delete", at), "PermissionsViewAllRecords": all_,
            "PermissionsModifyAllRecords": all_,
        }  # fmt: skip


def _assignments(search: Search) -> Iterator[Row]:
    number = search.org.account.index
    yield {
        "Id": id_of("0Pa", number, 1), "AssigneeId": search.org.user,
        "PermissionSetId": id_of("0PS", number, 1),
    }  # fmt: skip


def _delete_events(search: Search) -> Iterator[Row]:
    org = search.org
    sweep(org)
    for kind in org.store.kinds():
        if org.store.counts()[kind].get(DELETED):
            org.store.ids(kind)
    narrow = search.narrowed(search.query.where)
    listed = list(org.bin.values())
    if narrow is not None and narrow[0].name == "Record":
        listed = [org.bin[id] for id in dict.fromkeys(narrow[1]) if id in org.bin]
    for record in listed:
        token = record.meta.get("group", "")
        root = org.groups.get(token, [record])[0]
        if root is record or org.switches["delete_event"] == "all":
            yield {
                "Id": None, "Record": record.id, "RecordName": name_of(record),
                "SobjectName": record.kind, "DeletedById": record.meta["by"],
                "DeletedDate": stamp(float(record.meta["at"])),
            }  # fmt: skip


def _organization(search: Search) -> Iterator[Row]:
    org = search.org
    made = stamp(1_672_531_200)
    yield {
        "Id": org.id, "Name": org.account.keys["org_name"], "IsSandbox": org.sandbox,
        "InstanceName": "CS1" if org.sandbox else "NA1", "OrganizationType": "Enterprise Edition",
        "IsDeleted": False, "CreatedDate": made, "SystemModstamp": made,
    }  # fmt: skip


_VIRTUAL: Mapping[str, Callable[[Search], Iterator[Row]]] = {
    "UserRecordAccess": _access,
    "UserPermissionAccess": _rights,
    "ObjectPermissions": _object_rights,
    "PermissionSetAssignment": _assignments,
    "DeleteEvent": _delete_events,
    "Organization": _organization,
}
