"""Facts about vendors carry where they are known from, and a day that is not long ago."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.house import generated

PROFILES = generated.profiles()
ROWS = [(p.vendor, row) for p in PROFILES for row in p.capabilities]
YEAR = timedelta(days=365)


def name(fact: object) -> str:
    return fact if isinstance(fact, str) else getattr(fact, "operation", "")


def test_four_vendors_are_told_of():
    assert {p.vendor for p in PROFILES} == {"salesforce", "hubspot", "zoho", "fxiaoke"}


@pytest.mark.parametrize(("vendor", "row"), ROWS, ids=name)
def test_a_row_that_leads_somewhere_names_its_page_and_its_day(vendor, row):
    if not row.doable:
        assert row.note, f"{vendor}: a no without a reason"
        return
    assert row.source.startswith("https://"), f"{vendor}: {row.operation}"
    assert row.checked is not None, f"{vendor}: {row.operation}"
    assert date.today() - row.checked <= YEAR, f"{vendor}: {row.operation} is to be read again"
    assert row.checked <= date.today() + timedelta(days=1)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.vendor)
def test_what_goes_along_is_known_from_somewhere(profile):
    """A page, or in words how far it is known where the vendor has no page about it."""
    assert profile.cascades
    assert [r for r in profile.cascades if not (r.source or len(r.note) > 40)] == []


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.vendor)
def test_rates_are_known_from_somewhere(profile):
    assert profile.lanes >= 1
    assert profile.source.startswith("https://")
    # A loss that no page tells of says so.
    said = ("no page says it", "nobody says", "engine code")
    assert [x for x in profile.losses if not (x.source or any(w in x.why for w in said))] == []
