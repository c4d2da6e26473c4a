"""Tests write and delete: they do not start where a command would find a true account."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import pytest_configure

SETTINGS = '[crms.sf]\nvendor = "salesforce"\n{}base_url = "https://acme.my.salesforce.com"\n'


@pytest.mark.parametrize("claim", ['environment = "production"\n', ""], ids=["said", "unsaid"])
@pytest.mark.parametrize("whose", ["here", "the user's"])
def test_beside_settings_of_a_true_account_nothing_starts(
    whose: str,
    claim: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
) -> None:
    monkeypatch.chdir(tmp_path)
    pytest_configure(pytestconfig)
    place = tmp_path if whose == "here" else tmp_path / "xdg_config_home" / "crm-bridge"
    place.mkdir(parents=True, exist_ok=True)
    (place / "crm_bridge.toml").write_text(SETTINGS.format(claim))
    with pytest.raises(pytest.UsageError, match="true accounts"):
        pytest_configure(pytestconfig)


def test_only_settings_of_simulators_are_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "crm_bridge.toml"
    place.write_text(SETTINGS.format('environment = "simulator"\n'))
    pytest_configure(pytestconfig)
    place.write_text(SETTINGS.format('environment = "sandbox"\n'))
    with pytest.raises(pytest.UsageError, match=r"crm_bridge\.toml names true accounts \(sf\)"):
        pytest_configure(pytestconfig)
