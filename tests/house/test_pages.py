"""The pages say what the code does: what is generated is equal, what is written is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from crm_bridge.adapter import Adapter
from crm_bridge.cli.app import COMMANDS, app
from crm_bridge.model.abilities import CascadeRule, LossRule, Measure, Profile
from tests.house import generated

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for folder in (ROOT, ROOT / "crm_bridge", ROOT / "tests", ROOT / "plugins")
    for page in [*folder.glob("*.md"), *folder.glob("crm_bridge_*/*.md")]
)
FOR_USERS = (ROOT / "README.md", ROOT / "README.zh-CN.md")
AUTHORS = ROOT / "plugins" / "README.md"
VENDORS = ("salesforce", "hubspot", "zoho", "fxiaoke")

COMMITTED = [
    path
    for path in (*ROOT.glob("*"), *ROOT.glob(".ci/*"), *ROOT.glob("crm_bridge/**/*"),
                 *ROOT.glob("plugins/**/*"), *ROOT.glob("tests/**/*"))
    if path.is_file() and "__pycache__" not in path.parts and path.name != "LICENSE"
    and path.suffix in (".py", ".md", ".toml", ".txt", ".json", ".j2", "")
]  # fmt: skip


def id_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_what_is_generated_is_as_the_code_would_make_it_now():
    pages = [id_of(page) for page in PAGES if "[[[cog" in page.read_text()]
    told = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", *pages],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, f"python -m cogapp -r FILE\n{told.stdout}{told.stderr}"
    assert {"README.md", "README.zh-CN.md", "plugins/README.md"} < set(pages)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendors_page_shows_its_whole_table(vendor):
    page = (ROOT / "plugins" / f"crm_bridge_{vendor}" / "README.md").read_text()
    assert generated.vendor(vendor) in page
    for part in ("## How to get a key", "## Get a key"):
        if part in page:
            break
    else:
        pytest.fail("it does not tell how to get a key")


@pytest.mark.parametrize("page", FOR_USERS, ids=id_of)
def test_every_command_and_option_is_told(page):
    text, block = page.read_text(), generated.commands()
    assert block in text
    for name in COMMANDS:
        command = app.get_command(click.Context(app), name)
        told = re.search(rf"(?ms)^crm-bridge {name}\b.*?^    \S", block)
        assert told, f"{name} has no paragraph of its own"
        for param in command.params:
            option = next((o for o in param.opts if o.startswith("--")), "")
            shared = option in ("--config", "--json", "--quiet")
            assert option in (text if shared else told[0]), f"{name} {option}"
        for word in getattr(command, "commands", {}):
            assert word in told[0], f"{name} {word}"


@pytest.mark.parametrize("page", FOR_USERS, ids=id_of)
def test_every_exit_code_is_told(page):
    rows = re.findall(r"(?m)^\| ([0-9、, ]+) \|", page.read_text())
    codes = {int(code) for row in rows for code in re.findall(r"\d+", row)}
    assert codes == {0, 1, 2, 3, 4, 5, 6, 130, 143}


def test_both_languages_tell_the_same():
    english, chinese = (page.read_text() for page in FOR_USERS)
    assert len(re.findall(r"(?m)^#+ ", english)) == len(re.findall(r"(?m)^#+ ", chinese))
    assert len(re.findall(r"(?m)^\|", english)) == len(re.findall(r"(?m)^\|", chinese))
    code = [
        re.sub(r'("|#).*', "", block)
        for text in (english, chinese)
        for block in re.findall(r"(?ms)^```sh\n(.*?)^```", text)
    ]
    assert code[: len(code) // 2] == code[len(code) // 2 :]


def test_every_hook_is_told_with_its_arguments():
    text = AUTHORS.read_text()
    assert generated.hooks() in text
    assert len(generated.hooks().splitlines()) == 4


def test_every_method_of_an_adapter_is_told_to_its_author():
    text = AUTHORS.read_text()
    methods = [
        name for name, thing in vars(Adapter).items()
        if not name.startswith("_") and (callable(thing) or isinstance(thing, classmethod))
    ]  # fmt: skip
    assert len(methods) > 20
    assert [name for name in methods if not re.search(rf"`{name}\b|def {name}\(", text)] == []


@pytest.mark.parametrize("facts", [Profile, CascadeRule, LossRule, Measure])
def test_every_kind_of_fact_is_told_to_an_author(facts):
    assert f"`{facts.__name__}" in AUTHORS.read_text()


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_links_within_the_house_lead_somewhere(page):
    text = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path) if path else page
        assert other.exists(), target
        if anchor:
            heads = re.findall(r"(?m)^#+ (.*)$", other.read_text())
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}
            assert anchor in slugs, target


def test_nothing_committed_names_a_machine_or_a_registry():
    slash = "/"
    machine = re.compile("|".join(
        rf"(?<![\w.~<>]){slash}{re.escape(place)}{slash}" for place in ("work", "root", "opt/dev")
    ))  # fmt: skip
    registry = re.compile(
        "|".join(("--(extra-)?" + "index-url", r"https?://[^\s/]*(py" + "pi|nexus|artifactory)"))
    )
    bad = []
    for path in COMMITTED:
        text = path.read_text()
        bad += [
            f"{id_of(path)}: {m[0]}" for m in (machine.search(text), registry.search(text)) if m
        ]
    assert bad == []
