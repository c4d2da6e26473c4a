"""Words that are understood, words that are not, and how a command ends."""

import os
import signal
import subprocess
import sys

import pytest

from crm_bridge.cli.app import COMMANDS, app
from crm_bridge.errors import SettingsError

HEAVY = (
    "rich",
    "sqlalchemy",
    "simple_salesforce",
    "hubspot",
    "zcrmsdk",
    "requests",
    "lxml",
    "uvicorn",
    "starlette",
    "tenacity",
    "pyrate_limiter",
    "zstandard",
    "msgspec",
)
SDKS = ("sqlalchemy", "simple_salesforce", "hubspot", "zcrmsdk")


def loaded_by(*words: str) -> set[str]:
    code = (
        "import sys; from crm_bridge.cli.app import main; sys.stdout = open('/dev/null', 'w'); "
        f"rc = main({list(words)!r}); print(rc, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    rc, *modules = done.stderr.split()
    assert rc == "0", done.stderr
    return {name.partition(".")[0] for name in modules}


def test_help_imports_nothing_that_it_does_not_need():
    assert not loaded_by("--help") & set(HEAVY)


def test_plugins_imports_no_vendor_client_and_no_database():
    assert not loaded_by("plugins") & set(SDKS)


def test_matrix_imports_no_vendor_client_and_no_database():
    assert not loaded_by("matrix", "fxiaoke") & set(SDKS)
    assert not loaded_by("matrix", "fxiaoke", "--json") & {*SDKS, "rich"}


def test_help_names_every_command_in_its_own_words(run):
    told = run("--help").out
    for name, (_, short) in COMMANDS.items():
        assert f"  {name}" in told
        command = app.get_command(None, name)
        assert command.get_short_help_str(200).rstrip(".") == short.rstrip(".")


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["fnd", "x"], "'find'"),
        (["--jsn", "runs"], "'--json'"),
        (["void", "--resaon", "x", "acme:Company/1"], "'--reason'"),
        (["plan", "dlete", "acme:Company/1"], "'delete'"),
        (["find", "acme:Company", "--state", "voidd"], "'voided'"),
        (["void", "acme:Company/1", "--code", "lefft"], "'left'"),
        (["journal", "chek"], "'check'"),
    ],
)
def test_a_word_spelled_wrong_is_told_the_nearest_right_one(run, bridge, words, near):
    ran = run(*words)
    assert ran.code == 2
    assert f"Did you mean {near}?" in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert not bridge.asked


def test_common_options_stand_before_or_after_the_command(run, bridge):
    for words in (
        ("--config", "a.toml", "--json", "runs"),
        ("runs", "--json", "--config", "a.toml"),
        ("--json", "runs", "--config", "a.toml"),
    ):
        bridge.config = None
        ran = run(*words)
        assert (ran.code, ran.types, bridge.config) == (0, ["run"], "a.toml")


def test_common_options_stand_anywhere_round_a_command_of_two_words(run, bridge):
    bridge.events = [{"n": 1, "ev": "plan"}]
    for words in (
        ("--config", "a", "journal", "export"),
        ("journal", "--config", "a", "export"),
        ("journal", "export", "--config", "a"),
    ):
        bridge.config = None
        assert run(*words).lines == [{"n": 1, "ev": "plan"}]
        assert bridge.config == "a"


def test_an_error_is_one_json_line_for_a_program_and_one_line_for_a_person(run, bridge):
    bridge.raises = SettingsError("no crm is named 'acm'.", detail="Did you mean 'acme'?")
    ran = run("--json", "find", "acm:Company")
    assert ran.code == 2
    assert ran.lines == [
        {
            "type": "error",
            "code": "settings",
            "summary": "no crm is named 'acm'.",
            "detail": "Did you mean 'acme'?",
        }
    ]
    assert ran.err == "crm-bridge: no crm is named 'acm'. Did you mean 'acme'?\n"


def test_wrong_words_are_json_for_a_program_even_where_the_option_comes_behind_them(run):
    ran = run("void", "--nope", "--json")
    assert ran.code == 2
    assert ran.types == ["error"]


def test_an_error_stays_one_line_whatever_it_quotes(run, bridge):
    bridge.raises = SettingsError("the name is \x1b]52;c;aGk=\x07 a\nb \u202eevil.")
    ran = run("find", "acme:Company")
    assert ran.err.count("\n") == 1
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err
    assert "\\x1b" in ran.err


def test_a_fault_of_ours_ends_1_and_shows_nothing_of_what_it_holds(run, bridge, monkeypatch):
    bridge.raises = ValueError("canary-s3cret")
    ran = run("find", "acme:Company")
    assert ran.code == 1
    assert "canary" not in ran.err
    assert "Traceback" not in ran.err
    assert ran.err.count("\n") == 1
    assert "CRM_BRIDGE_TRACEBACK=1" in ran.err
    monkeypatch.setenv("CRM_BRIDGE_TRACEBACK", "1")
    traced = run("find", "acme:Company")
    assert "look.py" in traced.err
    assert "canary" not in traced.err


def test_without_a_command_the_help_is_shown_and_nothing_is_done(run):
    ran = run()
    assert ran.code == 2
    assert "Usage: crm-bridge" in ran.err + ran.out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_looking_ends_at_once(run, bridge, number, code, make):
    from crm_bridge.model.records import Record, State

    bridge.records = [Record(ref, State.LIVE) for ref in make.refs(3)]
    bridge.during = lambda: os.kill(os.getpid(), number)
    ran = run("find", "acme:Company")
    assert ran.code == code
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_within_a_run_stops_it_in_order_and_its_receipt_is_printed(
    run, bridge, number, code, make
):
    bridge.during = lambda: os.kill(os.getpid(), number)
    bridge.came = make.receipt(
        make.outcome("done"), make.outcome("skipped", 1, "not_sent"), halted="signal"
    )
    ran = run("--json", "delete", "acme:Company/c0", "--yes")
    assert bridge.told("stop") == [None]
    assert ran.types[-1] == "receipt"
    assert ran.code == code


def test_a_second_signal_ends_the_process_at_once():
    code = """
import os, signal, sys
from crm_bridge.cli.ending import Signals
with Signals() as signals, signals.stopping(lambda: None):
    os.kill(os.getpid(), signal.SIGINT)
    print("still here", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print("never", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 143
    assert done.stdout == "still here\n"


CLOSED = """
import os, sys
sys.path.insert(0, {here!r})
import conftest
import crm_bridge.bridge
from pathlib import Path
fake = conftest.FakeBridge()
fake.during = lambda: Path({effect!r}).write_text("applied")
fake.came = conftest.a_receipt(*[conftest.an_outcome(n=n) for n in range(5000)])
opened = staticmethod(lambda config=None, observers=(): fake)
crm_bridge.bridge.Bridge = type("Bridge", (), {{"open": opened}})
from crm_bridge.cli.app import main
sys.exit(main(["--json", "delete", "acme:Company/c0", "--yes"]))
"""


@pytest.mark.parametrize("how", ["closed", "broken", "full"])
def test_a_stdout_that_takes_nothing_changes_no_effect_and_no_exit_code(tmp_path, how):
    effect = tmp_path / "effect"
    code = CLOSED.format(here=os.path.dirname(__file__), effect=str(effect))
    shell = {
        "closed": 'exec "$0" -c "$1" >&-',
        "broken": '"$0" -c "$1" | true; exit ${PIPESTATUS[0]}',
        "full": 'exec "$0" -c "$1" > /dev/full',
    }[how]
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable, code], capture_output=True, text=True
    )
    assert effect.read_text() == "applied"
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
