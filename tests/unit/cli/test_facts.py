"""What vendors can do, told without settings and without an account."""

import re

import pytest

from crm_bridge import registry
from crm_bridge.cli.example import example_for

VENDORS = registry.Registry().vendors(ours_only=True)


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_row_of_a_vendor_is_a_line(run, vendor):
    ran = run("--json", "matrix", vendor)
    assert ran.code == 0
    assert {line["operation"] for line in ran.lines} == {
        "void",
        "archive",
        "delete",
        "purge",
        "restore",
    }
    for line in ran.lines:
        assert line["type"] == "capability"
        assert line["vendor"] == vendor
        assert {
            "kind",
            "support",
            "batch",
            "window_days",
            "undo",
            "guaranteed",
            "source",
            "checked",
            "note",
        } <= set(line)


def test_the_matrix_as_markdown_has_a_row_a_vendor(run):
    told = run("matrix", "--markdown").out.splitlines()
    assert told[0] == "|  | void | archive | delete | purge | restore |"
    rows = [line for line in told[2:] if line.startswith("|")][: len(VENDORS)]
    assert len({row.split("|")[1] for row in rows}) == len(VENDORS)


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_operation_is_explained_with_its_way_back(run, vendor):
    ran = run("--json", "explain", vendor, "company", "delete")
    assert ran.code == 0
    assert "capability" in ran.types
    told = run("explain", vendor, "company", "delete").out
    for heading in ("what happens", "what follows", "what blocks", "the way back", "source:"):
        assert heading in told


def test_a_vendor_that_is_not_there_is_told_the_nearest(run):
    ran = run("matrix", "fxiaok")
    assert ran.code == 2
    assert "Did you mean 'fxiaoke'?" in ran.err


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_example_of_a_vendor_is_a_settings_file_that_holds(tmp_path, vendor):
    from crm_bridge import config

    path = tmp_path / "crm_bridge.toml"
    text = example_for(vendor)
    path.write_text(text)
    found = config.load(path)
    name = f"my-{vendor}"
    assert found.typed(name, registry.adapter_class(vendor).settings).vendor == vendor
    # What is commented out holds as well.
    whole, _, _ = text.partition("# What void and archive write")
    path.write_text(re.sub(r"(?m)^# (?=\w+ = )", "", whole))
    found = config.load(path)
    assert found.typed(name, registry.adapter_class(vendor).settings).vendor == vendor
