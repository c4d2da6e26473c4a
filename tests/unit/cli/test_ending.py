"""The exit code of a receipt: the first that applies of 1, 2, 4, 5, 6, 3, else 0."""

import pytest

from crm_bridge.cli.ending import code_of, worst


@pytest.mark.parametrize(
    ("outcomes", "halted", "code"),
    [
        ([("done", None), ("already", None)], None, 0),
        ([("done", "set_by_vendor")], None, 0),
        ([("done", "restored_elsewhere")], None, 3),
        ([("done", "differs")], None, 3),
        ([("done", None), ("failed", "refused")], None, 3),
        ([("skipped", "locked")], None, 3),
        ([("pending", None)], None, 3),
        ([("by_hand", None)], None, 3),
        ([("unknown", "unknown"), ("failed", "refused")], None, 5),
        ([("unknown", "unknown")], "breaker", 5),
        ([("done", None), ("skipped", "not_sent")], "breaker", 6),
        ([("skipped", "not_sent")], "unreachable", 6),
        ([("skipped", "not_sent")], "busy", 6),
        ([("done", None), ("skipped", "not_sent")], "busy", 6),
        ([("unknown", "unknown"), ("skipped", "not_sent")], "busy", 5),
        ([("done", None), ("skipped", "not_sent")], "adapter", 1),
        ([("skipped", "not_sent")], "adapter", 1),
        ([("done", None), ("skipped", "not_sent")], "login", 3),
        ([("unknown", "unknown"), ("skipped", "not_sent")], "login", 5),
        ([("skipped", "not_sent")], "login", 2),
        ([("skipped", "not_sent")], "lock", 4),
        ([("unknown", "unknown")], "target", 4),
        ([("skipped", "not_sent")], "journal", 4),
        ([("failed", "window_over"), ("failed", "window_over")], None, 4),
        ([("failed", "window_over"), ("done", None)], None, 3),
        ([("failed", "window_over"), ("failed", "refused")], None, 3),
    ],
)
def test_a_receipt_ends_with_the_first_code_that_applies(make, outcomes, halted, code):
    found = [make.outcome(v, n, problem) for n, (v, problem) in enumerate(outcomes)]
    assert code_of(make.receipt(*found, halted=halted)) == code


def test_a_run_of_nothing_is_done(make):
    assert code_of(make.receipt(outcomes=[], counts={})) == 0


@pytest.mark.parametrize(
    ("codes", "code"),
    [((3, 0), 3), ((3, 5), 5), ((3, 6), 6), ((6, 5), 5), ((3, 1), 1), ((0, 0), 0)],
)
def test_several_runs_end_with_the_first_code_that_applies_to_any(codes, code):
    assert worst(*codes) == code
