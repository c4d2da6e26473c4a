"""What the pages for users show is run as it stands, against simulators."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
WORD = "import sys; from crm_bridge.cli.app import main; raise SystemExit(main())"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", page.read_text())


def words(line: str) -> list[str]:
    """A line of the page as this environment runs it."""
    program, *rest = shlex.split(line, comments=True)
    assert program == "crm-bridge", line
    return [sys.executable, "-c", WORD, *rest]


def shell(page: Path) -> list[str]:
    (block,) = [b for b in blocks(page, "sh") if b.startswith("crm-bridge")]
    return block.splitlines()


@pytest.fixture
def there(tmp_path: Path, page: Path) -> Iterator[Path]:
    """A folder in which the page's own simulators wrote its settings."""
    first = shell(page)[0]
    assert first.startswith("crm-bridge simulator")
    assert first.endswith(" &")
    with subprocess.Popen(
        words(first.removesuffix(" &")), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as running:
        for line in running.stdout:
            if line.startswith("ready"):
                break
        yield tmp_path
        running.terminate()
        running.stdout.read()
    assert running.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_commands_of_the_page_do_what_it_says(page, there):
    run = ""
    for line in shell(page)[1:]:
        told = subprocess.run(
            words(line.replace("RUN", run)), cwd=there, capture_output=True, text=True
        )
        assert told.returncode == 0, f"{line}\n{told.stdout}{told.stderr}"
        if " runs" in line:
            listed = subprocess.run(
                words("crm-bridge --json runs"), cwd=there, capture_output=True, text=True
            ).stdout
            run = json.loads(listed.splitlines()[0])["run"]
            assert run in told.stdout
    assert run


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_lines_of_python_do_what_the_page_says(page, there):
    (block,) = blocks(page, "python")
    told = subprocess.run(
        [sys.executable, "-c", block], cwd=there, capture_output=True, text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("delete ")
    listed = subprocess.run(
        words("crm-bridge --json runs"), cwd=there, capture_output=True, text=True
    ).stdout
    runs = [json.loads(line) for line in listed.splitlines()]
    assert [run["operation"] for run in runs] == ["restore", "delete"]
    assert runs[0]["counts"]["done"] == runs[1]["counts"]["done"] > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_two_commands_are_those_that_this_house_knows(page):
    demo, tests = blocks(page, "sh")[0].splitlines()
    assert demo == "python3 -m venv v && v/bin/pip install . && v/bin/crm-bridge demo"
    assert tests.endswith("v/bin/pip install -e '.[test,excel]' && v/bin/python -m pytest -n 2")


@pytest.mark.parametrize("vendor", ["salesforce", "hubspot", "zoho", "fxiaoke"])
def test_the_settings_that_a_page_proposes_are_settings(vendor, tmp_path):
    told = subprocess.run(
        words(f"crm-bridge setup --example {vendor}"), cwd=tmp_path, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    assert f'vendor = "{vendor}"' in told.stdout
