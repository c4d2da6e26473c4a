"""The proof: field by field, through the map of ids, with what the plans had named apart."""

import pytest

from crm_bridge.cli.truth import Named, changed, compare


def record(kind, id_, fields=None, state="live", links=(), **over):
    return {
        "kind": kind,
        "id": id_,
        "state": state,
        "fields": fields or {},
        "links": list(links),
        "locked": False,
        "vendor_set": ["version"],
        **over,
    }


def world(*records):
    return {(r["kind"], r["id"]): r for r in records}


def link(name, kind, id_):
    return {"name": name, "kind": kind, "id": id_, "label": None}


def test_what_the_vendor_sets_makes_no_difference():
    before = world(record("Lead", "1", {"a": "x", "version": 1}))
    after = world(record("Lead", "1", {"a": "x", "version": 9}))
    proof = compare(before, after, {}, Named())
    assert (proof.records, proof.equal, proof.different, proof.holds) == (1, 1, (), True)
    assert not changed(before, after)


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (record("Lead", "1", {"a": "y"}), "a"),
        (record("Lead", "1", {}), "a"),
        (record("Lead", "1", {"a": "x"}, state="deleted"), "state"),
        (record("Lead", "1", {"a": "x"}, locked=True), "locked"),
        (record("Lead", "1", {"a": "x", "b": "new"}), "b"),
        (record("Lead", "1", {"a": "x"}, links=[link("deals", "Deal", "7")]), "deals"),
        (record("Lead", "1", {}, state="gone"), "missing"),
    ],
)
def test_whatever_is_not_as_it_was_is_found(now, what):
    before = world(record("Lead", "1", {"a": "x"}))
    proof = compare(before, world(now), {}, Named())
    assert [d.what for d in proof.different] == [what]
    assert not proof.holds
    assert changed(before, world(now)) == {("Lead", "1")}


def test_a_record_made_anew_stands_for_its_old_one_wherever_it_is_named():
    before = world(
        record("Co", "1", {"a": "x"}),
        record("Deal", "7", {"company": "1"}, links=[link("company", "Co", "1")]),
    )
    after = world(
        record("Co", "1", {}, state="gone"),
        record("Co", "2", {"a": "x"}),
        record("Deal", "7", {"company": "2"}, links=[link("company", "Co", "2")]),
    )
    ids = {("Co", "1"): ("Co", "2")}
    assert compare(before, after, ids, Named()).different == ()
    assert not compare(before, after, {}, Named()).holds


def test_a_record_that_nobody_asked_for_is_found():
    proof = compare(world(), world(record("Lead", "9")), {}, Named())
    assert [d.what for d in proof.different] == ["new"]
    assert not proof.holds


def test_what_was_gone_before_is_not_counted():
    gone = world(record("Lead", "1", state="gone"))
    assert compare(gone, gone, {}, Named()).records == 0


def test_only_what_a_plan_named_may_differ():
    before = world(
        record("Co", "1", {"owner": "a", "name": "x"}),
        record("Note", "5", {"company": "1"}),
        record("Contact", "3", {"company": "1"}),
    )
    after = world(
        record("Co", "2", {"owner": "b", "name": "x"}),
        record("Note", "5", {}, state="gone"),
        record("Contact", "3", {}),
    )
    named = Named(
        kinds={"Note": "goes along"},
        fields={("Contact", "company"): "loses its link"},
        remade={("Co", "1"): {"owner": "cannot be set"}},
    )
    ids = {("Co", "1"): ("Co", "2")}
    proof = compare(before, after, ids, named)
    assert {d.named for d in proof.different} == {"goes along", "loses its link", "cannot be set"}
    assert proof.holds
    assert not compare(before, after, ids, Named()).holds
