"""Settings are read strictly: a typo is an error that names the line and the nearest key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from crm_bridge import config
from crm_bridge.adapter import Settings
from crm_bridge.errors import SettingsError
from crm_bridge.secrets import Secret


class Acme(Settings, kw_only=True, frozen=True):
    """A vendor's settings."""

    key: Secret
    region: str = "eu"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "crm_bridge.toml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = '[bridge]\nsettle = "2s"\n\n[crms.acme]\nvendor = "acme"\nkey = "env:K"\n'


def test_what_is_written_is_typed(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, GOOD))
    typed = found.typed("acme", Acme)
    assert config.seconds_of(found.bridge.settle) == 2
    assert isinstance(typed.key, Secret)
    assert typed.deadline == 60


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[bridge]\nsetle = "2s"\n', ":2"),
        ("[bridge]\nlimit_records = true\n", ":2"),
        ('[bridge]\nsettle = "soon"\n', "duration"),
        ("[bridge]\nsettle = '1s'\nsettle = '2s'\n", "not TOML"),
        ("[brigde]\n", "brigde"),
        ("crms = 3\n", "tables"),
        ("[crms.acme]\nkey = '1'\n", "vendor"),
        ('[crms."a b"]\nvendor = "x"\n', "not a name"),
        ('[crms."../x"]\nvendor = "x"\n', "not a name"),
        ('[crms.acme]\nvendor = "x"\n[crms.ACME]\nvendor = "x"\n', "look alike"),
        ('[crms.a_b]\nvendor = "x"\n[crms.a-b]\nvendor = "x"\n', "look alike"),
        ('[crms."ａcme"]\nvendor = "x"\n', "not a name"),
        ("x = " + "[" * 5000, "not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        config.load(written(tmp_path, text))
    assert told in str(refused.value)


def test_an_unknown_key_of_a_crm_names_the_nearest(tmp_path: Path) -> None:
    found = config.load(written(tmp_path, GOOD.replace("key =", "kee =")))
    with pytest.raises(SettingsError) as refused:
        found.typed("acme", Acme)
    assert ":6" in refused.value.summary
    assert "'key'" in refused.value.detail


def test_a_plain_secret_is_never_in_the_message(tmp_path: Path) -> None:
    text = GOOD.replace('"env:K"', '"canary-7"').replace("[crms.acme]", "[crms.acme]\nregion = 3")
    with pytest.raises(SettingsError) as refused:
        config.load(written(tmp_path, text)).typed("acme", Acme)
    assert "canary-7" not in str(refused.value)


def test_large_binary_and_missing_files_are_refused(tmp_path: Path) -> None:
    large = written(tmp_path, "#" * (config.MAX_BYTES + 1))
    with pytest.raises(SettingsError, match="larger"):
        config.load(large)
    large.write_bytes(b"\xff\xfe\0")
    with pytest.raises(SettingsError, match="not TOML"):
        config.load(large)
    with pytest.raises(SettingsError, match="cannot be read"):
        config.load(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300s", 300),
        ("24h", 86400),
        ("7d", 604800),
        ("0.2s", 0.2),
        ("5m", 300),
        ("250ms", 0.25),
        (3, 3),
    ],
)
def test_durations(text: Any, seconds: float) -> None:
    assert config.seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-1s", "1", "s", "1y", "1s2s", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(SettingsError):
        config.seconds_of(text)


def test_the_environment_chooses_no_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CRM_BRIDGE_CONFIG", "CRM_BRIDGE_CRM", "CRM_BRIDGE_BASE_URL"):
        monkeypatch.setenv(name, "elsewhere")
    found = config.load(written(tmp_path, GOOD))
    assert list(found.crms) == ["acme"]
    assert msgspec.structs.asdict(found.typed("acme", Acme))["base_url"] == ""
