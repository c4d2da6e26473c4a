"""What keeps a record from being made anew as it was: values that others have, lists, people.

https://developer.fxiaoke.com/openapi_v2/en/start/guide/values.html, read 2026-11-25. A create that is
refused has no code of its own, so it is looked at beforehand, as far as describes, queries and the
list of employees tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from crm_bridge.kit import (
    Finding,
    Outcome,
    Record,
    RecordRef,
    Severity,
    State,
    is_empty,
    skipped,
)
from crm_bridge_fxiaoke import queries
from crm_bridge_fxiaoke.client import Client
from crm_bridge_fxiaoke.describes import Describes, Field
from crm_bridge_fxiaoke.records import remade

OWNER: Final = "owner"


class Returning:
    """The looks before a remake.

    Args:
        client: The wire.
        describes: Its objects, fields and people.
    """

    def __init__(self, client: Client, describes: Describes) -> None:
        self._client, self._describes = client, describes

    def before(self, records: Sequence[Record]) -> Iterator[Finding | Outcome]:
        """What stands in the way of snapshots of one kind, of which those that are gone are made anew."""
        gone = [record for record in records if record.state is State.GONE]
        if not gone:
            return
        kind = gone[0].ref.kind
        fields = self._describes.fields(kind)
        given = {record.ref: remade(record, fields)[0] for record in gone}
        yield from self._taken(kind, given, fields)
        yield from _unlisted(given, fields)
        yield from self._stopped(kind, given)

    # --- private ---------------------------------------------------------------------------------

    def _taken(
        self,
        kind: str,
        given: Mapping[RecordRef, Mapping[str, Any]],
        fields: Mapping[str, Field],
    ) -> Iterator[Outcome]:
        """Values that no two records may share, and that another one has by now."""
        for field in fields.values():
            asked: dict[str, list[RecordRef]] = {}
            for ref, values in given.items() if field.unique else ():
                value = values.get(field.name)
                if isinstance(value, str) and value:
                    asked.setdefault(value, []).append(ref)
            texts = list(asked)
            for at in range(0, len(texts), queries.PAGE):
                where = [queries.matching(field.name, "IN", *texts[at : at + queries.PAGE])]
                for row in queries.rows_of(self._client, kind, where, [field.name]):
                    for ref in asked.pop(str(row.get(field.name)), ()):
                        told = f"{kind}/{row['_id']} has its {field.name} by now."
                        yield replace(
                            skipped(ref, "duplicate", told), details={"fields": [field.name]}
                        )

    def _stopped(
        self, kind: str, given: Mapping[RecordRef, Mapping[str, Any]]
    ) -> Iterator[Finding | Outcome]:
        """Records that belong to somebody who is stopped (停用)."""
        owned = {ref: _several(values.get(OWNER)) for ref, values in given.items()}
        owned = {ref: people for ref, people in owned.items() if people}
        if not owned:
            return
        stopped = self._describes.stopped()
        if stopped is None:
            yield Finding(
                Severity.NOTE, "vendor_note",
                f"whether the owners of {len(owned)} {kind} to be made anew are active is not known.",
                "This application may not list the employees.", len(owned),
            )  # fmt: skip
            return
        for ref, people in owned.items():
            if left := [one for one in people if one in stopped]:
                told = f"its owner {left[0]} is stopped (停用)."
                yield replace(skipped(ref, "owner_inactive", told), details={"fields": [OWNER]})


def _unlisted(
    given: Mapping[RecordRef, Mapping[str, Any]], fields: Mapping[str, Field]
) -> Iterator[Outcome]:
    """Values that are no longer among those of their list."""
    for ref, values in given.items():
        for name, value in values.items():
            field = fields.get(name)
            if field is None or not field.values:
                continue
            if strange := [one for one in _several(value) if one not in field.values]:
                told = f"{strange[0]!r} is no longer among the values of its {name}."
                yield replace(skipped(ref, "value_gone", told), details={"fields": [name]})


def _several(value: Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    return [str(one) for one in several if not is_empty(one)]
