"""What would keep a record from being made anew as it was, found before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from crm_bridge.kit import AdapterError, Outcome, Record, RecordRef, is_empty, skipped
from crm_bridge_salesforce import soql
from crm_bridge_salesforce.ids import whole
from crm_bridge_salesforce.reading import MOST_IDS, Reader
from crm_bridge_salesforce.schema import Kind
from crm_bridge_salesforce.writing import settable

OWNER: Final = "OwnerId"
USER: Final = "005"
"""What the ids of users begin with."""


def hindrances(reader: Reader, kind: Kind, records: Sequence[Record]) -> Iterator[Outcome]:
    """Values that a list takes no more or that others have, owners that are not active, lookups to nothing.

    Args:
        reader: The account's reads.
        kind: As describe tells it now.
        records: The snapshots of one kind.
    """
    given = {record.ref: settable(kind, record)[0] for record in records}
    for ref, fields in given.items():
        for name, value in fields.items():
            listed = kind.fields[name].values
            if listed and str(value) not in listed:
                told = f"{value!r} is no longer among the values of its {name}."
                yield replace(skipped(ref, "value_gone", told), details={"fields": [name]})
    yield from _taken(reader, kind, given)
    lookups = [f.name for f in kind.fields.values() if f.refers]
    named = {
        ref: {
            name: whole(fields[name])
            for name in lookups
            if not is_empty(fields.get(name)) and isinstance(fields[name], str)
        }
        for ref, fields in given.items()
    }
    ids = list(dict.fromkeys(one for mine in named.values() for one in mine.values()))
    retired = _retired(reader, [one for one in ids if one.startswith(USER)])
    kinds = {str(told.get("keyPrefix")): name for name, told in reader.schema.all().items()}
    others = [one for one in ids if not one.startswith(USER) and one[:3] in kinds]
    there = reader.there(others)
    for ref, mine in named.items():
        if mine.get(OWNER) in retired:
            told = f"its owner {mine[OWNER]} is not active."
            yield replace(skipped(ref, "owner_inactive", told), details={"fields": [OWNER]})
        missing = {
            name: f"{ref.crm}:{kinds[one[:3]]}/{one}"
            for name, one in mine.items()
            if one in others and one not in there
        }
        if missing:
            name, address = next(iter(missing.items()))
            told = f"its {name} names {address}, which is not there."
            yield replace(
                skipped(ref, "parent_missing", told),
                details={"fields": list(missing), "missing": missing},
            )


def _taken(
    reader: Reader, kind: Kind, given: Mapping[RecordRef, Mapping[str, Any]]
) -> Iterator[Outcome]:
    """Values that no two records may share, and that a live one has by now."""
    for field in kind.fields.values():
        if not field.unique or not field.filterable:
            continue
        asked: dict[str, list[RecordRef]] = {}
        for ref, fields in given.items():
            if not is_empty(fields.get(field.name)):
                # The vendor holds such a value without regard to case.
                asked.setdefault(str(fields[field.name]).casefold(), []).append(ref)
        for some in portions_of(list(asked), MOST_IDS):
            values = [given[asked[one][0]][field.name] for one in some]
            listed = ",".join(soql.literal(field.type, value) for value in values)
            where = [f"{field.name} IN ({listed})"]
            (told,) = reader.together([(soql.query(["Id", field.name], kind.name, where), False)])
            if isinstance(told, AdapterError):
                if not told.vendor_code:
                    raise told
                continue
            for row in told:
                for ref in asked.get(str(row[field.name]).casefold(), ()):
                    taker = f"{ref.crm}:{kind.name}/{whole(row['Id'])}"
                    words = f"{taker} has its {field.name} {row[field.name]!r} by now."
                    yield replace(
                        skipped(ref, "duplicate", words), details={"fields": [field.name]}
                    )


def portions_of(values: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """So many at once."""
    for at in range(0, len(values), most):
        yield values[at : at + most]


def _retired(reader: Reader, users: Sequence[str]) -> set[str]:
    """Users that are not active; none where this user may not ask."""
    found: set[str] = set()
    for start in range(0, len(users), MOST_IDS):
        where = [soql.ids_in("Id", users[start : start + MOST_IDS]), "IsActive = false"]
        (told,) = reader.together([(soql.query(["Id"], "User", where), False)])
        if isinstance(told, AdapterError):
            if not told.vendor_code:
                raise told
            continue
        found.update(whole(row["Id"]) for row in told)
    return found
