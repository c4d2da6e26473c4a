"""What a Zoho CRM account asks of a way there and back that no other vendor does."""

from __future__ import annotations

from crm_bridge.model.records import RecordRef
from crm_bridge.model.results import Verdict
from crm_bridge.rehearsal import rehearse
from tests.journeys.street import WHY, live, street


def test_what_was_void_before_its_delete_comes_back_void() -> None:
    with street("zoho", records=60) as one:
        (crm,) = one.crms
        bridge = one.bridge()
        refs = [RecordRef(crm, "Leads", id_) for id_ in live(one.truth(crm), "Leads")]
        void, plain = refs[:2]
        assert bridge.apply(bridge.plan("void", [void], **WHY)).counts[Verdict.DONE] == 1
        truth = one.truth(crm)
        receipt = bridge.apply(bridge.plan("delete", [void, plain], **WHY))
        back = bridge.apply(bridge.plan("restore", receipt.run))
        assert back.counts[Verdict.DONE] == 2
        assert bridge.verify(back.run).counts[Verdict.DONE] == 2
        after = one.truth(crm)
        for ref in (void, plain):
            assert after[ref.kind, ref.id].state == "live"
            assert after[ref.kind, ref.id].fields == truth[ref.kind, ref.id].fields


def test_attachments_stand_in_a_rehearsal_and_come_back_in_it_as_they_will() -> None:
    with street("zoho", records=60) as one:
        (crm,) = one.crms
        bridge, truth = one.bridge(), one.truth(crm)
        files = [r for (kind, _), r in truth.items() if kind == "Attachments"]
        holders = {r.fields["Parent_Id"]["id"] for r in files}
        ids = [id_ for id_ in live(truth, "Leads") if id_ in holders]
        assert ids
        certificate = rehearse(bridge, bridge.plan("delete", [f"{crm}:Leads/{ids[0]}"], **WHY))
        (told,) = certificate.crms
        assert told.not_loaded == (0, "")
        assert told.records > 1
        assert certificate.ok
        assert one.truth(crm) == truth
