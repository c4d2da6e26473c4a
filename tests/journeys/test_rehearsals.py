"""A rehearsal says beforehand what the real way back turns out to be."""

from __future__ import annotations

import pytest

from tests.journeys.rehearsals import held
from tests.journeys.street import VENDORS


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_rehearsal_finds_is_what_the_real_restore_finds(
    vendor: str, pytestconfig: pytest.Config
) -> None:
    count = 10_000 if pytestconfig.getoption("soak") and vendor == "salesforce" else 12
    found = held(vendor, count)
    (told,) = found.certificate.crms
    assert found.untouched
    # What cannot be made, such as a file that nobody kept, is told and costs the certificate.
    assert told.records >= found.sent == found.done == count, told
    assert found.certificate.seconds < 300
    assert told.unnamed == found.real
    assert found.certificate.ok is (not found.real and not told.not_loaded[0])
