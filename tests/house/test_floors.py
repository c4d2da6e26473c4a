"""The floors hold: arrows go down, nothing goes in a circle, and no vendor is known by name."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import crm_bridge

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "crm_bridge", "crm_bridge_salesforce", "crm_bridge_hubspot", "crm_bridge_zoho",
    "crm_bridge_fxiaoke",
)  # fmt: skip
VENDORS = {"salesforce", "hubspot", "zoho", "fxiaoke"}
NAMES = ("utils", "helpers", "helper", "manager", "base", "common", "misc")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, also inside functions; what only the type checker sees is left out."""
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)


def test_the_contracts_of_the_floors_are_kept():
    told = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; "
         "raise SystemExit(lint_imports(no_cache=True))"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    assert "0 broken" in told.stdout


def test_no_import_goes_in_a_circle(graph):
    arrows = {
        module: {m for m in graph.find_modules_directly_imported_by(module) if m in graph.modules}
        for module in graph.modules
    }
    try:
        order = list(graphlib.TopologicalSorter(arrows).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))
    assert sorted(order) == sorted(arrows)


def test_the_graph_sees_imports_inside_functions(graph):
    assert "crm_bridge.engine.run" in graph.find_modules_directly_imported_by("crm_bridge.bridge")
    assert len(graph.modules) > 150


def test_rooms_are_named_for_their_subject(graph):
    assert not [m for m in graph.modules if m.rpartition(".")[2] in NAMES]


def test_the_core_knows_no_vendor_by_name():
    found = [
        f"{path.name}:{node.lineno}"
        for path in Path(crm_bridge.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and str(node.value).lower() in VENDORS
    ]
    assert found == []
