"""The page is Chinese where it is opened so: what a plan says of a vendor is given in both languages."""

from __future__ import annotations

import pytest

from crm_bridge.engine.plan import _TOLD
from crm_bridge.model.abilities import Profile
from crm_bridge.registry import Registry
from crm_bridge.report.chinese import SENTENCES, chinese

VENDORS = ("fxiaoke", "hubspot", "salesforce", "zoho")


def texts(profile: Profile) -> set[str]:
    """Every sentence of a table that a plan may show."""
    return {
        *(row.note for row in profile.capabilities),
        *(rule.note for rule in profile.cascades),
        *(loss.why for loss in profile.losses),
        *(loss.what for loss in profile.losses if " " in loss.what and "_" not in loss.what),
        *(text for _, text in profile.notes),
    } - {""}


@pytest.mark.parametrize("vendor", VENDORS)
def test_whatever_a_vendors_table_says_is_said_in_chinese_too(vendor: str) -> None:
    profile = Registry().adapter_class(vendor).profile
    assert {one for one in texts(profile) if chinese(one, profile.chinese) is None} == set()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_translation_has_as_many_gaps_as_its_sentence(vendor: str) -> None:
    given = {**SENTENCES, **Registry().adapter_class(vendor).profile.chinese}
    assert {e for e, z in given.items() if e.count("{}") != z.count("{}")} == set()


def test_reasons_that_settle_a_record_are_said_in_chinese_too() -> None:
    told = {words for _, words in _TOLD.values()}
    assert {w for w in told if chinese(f"3 of 12 record(s) {w}.", {}) is None} == set()


@pytest.mark.parametrize(
    ("english", "told"),
    [
        (
            "12 Contact (AccountId of Account) follow and do not come back.",
            "12 Contact（依据 AccountId，所属 Account）随之处理，且不能恢复。",
        ),
        (
            "an unknown number of Case (AccountId of Account) may block it.",
            "数量不明的 Case（依据 AccountId，所属 Account）可能阻止操作。",
        ),
        ("sf: no reason is given.", "sf：未填写原因。"),
        ("what somebody wrote: all of it", None),
    ],
)
def test_numbers_and_names_are_taken_over(english: str, told: str | None) -> None:
    assert chinese(english, {}) == told
