"""Secrets are fetched from where they are kept, refused where others can reach them, never shown."""

from __future__ import annotations

import os
import resource
import traceback
from pathlib import Path

import pytest

from crm_bridge.errors import SettingsError
from crm_bridge.secrets import Secret

CANARY = "canary-4f1d-secret"


def kept(tmp_path: Path, mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_text(CANARY + "\n")
    path.chmod(mode)
    return path


def test_a_secret_is_fetched_by_its_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", CANARY)
    assert Secret("env:A_KEY").reveal() == CANARY
    assert Secret(f"file:{kept(tmp_path)}").reveal() == CANARY
    assert Secret(CANARY).reveal() == CANARY


def test_no_way_of_printing_shows_a_plain_secret() -> None:
    secret = Secret(CANARY)
    shown = f"{secret} {secret!r} {[secret]}"
    assert CANARY not in shown
    with pytest.raises((TypeError, AttributeError)):
        vars(secret)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SettingsError) as refused:
        Secret(f"file:{kept(tmp_path, mode)}").reveal()
    assert "chmod 600" in refused.value.detail
    assert CANARY not in str(refused.value)


def test_a_file_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    path = kept(folder)
    folder.chmod(0o777)
    with pytest.raises(SettingsError, match="can be written by others"):
        Secret(f"file:{path}").reveal()


def test_a_file_that_is_no_text_is_refused_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"canary\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="not text") as refused:
        Secret(f"file:{path}").reveal()
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_link_and_a_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(kept(tmp_path))
    os.mkfifo(pipe, 0o600)
    for path in (link, pipe, tmp_path / "missing"):
        with pytest.raises(SettingsError):
            Secret(f"file:{path}").reveal()


def test_an_empty_variable_is_an_error_and_not_an_empty_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", "")
    with pytest.raises(SettingsError, match="A_KEY"):
        Secret("env:A_KEY").reveal()


def test_core_dumps_are_off_once_a_secret_is_in_memory() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        Secret(CANARY).reveal()
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_traceback_with_locals_shows_none() -> None:
    secret = Secret(CANARY)
    try:
        raise ValueError(secret)
    except ValueError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert CANARY not in "".join(told.format())
