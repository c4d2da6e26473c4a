"""What becomes of trouble with a call: four errors, and no guess."""

from __future__ import annotations

import socket
import traceback
from typing import Any, ClassVar

import pytest

from crm_bridge.kit import (
    AdapterError,
    BridgeError,
    Busy,
    Capability,
    Operation,
    RecordRef,
    State,
    Support,
    Unauthorized,
    Unreachable,
    Verdict,
)
from crm_bridge.testing.bench import Bench, connect, differing
from crm_bridge.testing.ground import TROUBLES, Arrived, CannotDo

NAMES = tuple(TROUBLES)
LOST = ("cut_after", "page", "torn")
REFUSED = ("busy", "unwell", "expired", "cut_before", "redirect")


class Trouble:
    """Promises about trouble; each is caused at the vendor's side."""

    adapter_class: ClassVar[Any]

    @pytest.mark.parametrize("name", NAMES)
    def test_trouble_with_a_read_is_one_of_four_errors(self, bench: Bench, name: str) -> None:
        with pytest.raises(AdapterError):
            _read(bench, name)

    @pytest.mark.parametrize("name", NAMES)
    def test_trouble_with_a_write_is_never_done(self, bench: Bench, name: str) -> None:
        row, refs, like = _write(bench)
        bench.ground.trouble(bench.crm, name, like=like, location="http://127.0.0.1:9/x")
        try:
            told = bench.send(row, refs)
        except AdapterError:
            return
        assert all(outcome.verdict is not Verdict.DONE for outcome in told), told

    @pytest.mark.parametrize("name", NAMES)
    def test_an_adapter_never_sends_a_write_again(self, bench: Bench, name: str) -> None:
        row, refs, like = _write(bench)
        start = bench.last()
        bench.ground.trouble(bench.crm, name, like=like, location=_here(bench, like))
        with pytest.raises(AdapterError):
            bench.send(row, refs)
        assert len(bench.writes(start)) == 1

    @pytest.mark.parametrize("name", REFUSED)
    def test_what_was_turned_away_is_not_applied(self, bench: Bench, name: str) -> None:
        row, refs, like = _write(bench)
        before = bench.truth()
        bench.ground.trouble(bench.crm, name, like=like, location="http://127.0.0.1:9/x")
        with pytest.raises(AdapterError):
            bench.send(row, refs)
        assert not differing(before, bench.truth())

    def test_busy_tells_how_long_to_wait(self, bench: Bench) -> None:
        with pytest.raises(Busy) as caught:
            _read(bench, "busy")
        assert caught.value.retry_after == 7

    def test_a_write_that_was_turned_away_is_busy(self, bench: Bench) -> None:
        row, refs, like = _write(bench)
        bench.ground.trouble(bench.crm, "busy", like=like)
        with pytest.raises(Busy) as caught:
            bench.send(row, refs)
        assert caught.value.retry_after == 7

    def test_a_vendor_that_is_unwell_may_have_applied_it(self, bench: Bench) -> None:
        row, refs, like = _write(bench)
        bench.ground.trouble(bench.crm, "unwell", like=like)
        with pytest.raises(Unreachable) as caught:
            bench.send(row, refs)
        assert caught.value.sent
        assert caught.value.answered

    def test_a_lost_answer_is_unreachable_and_sent(self, bench: Bench) -> None:
        row, refs, like = _write(bench)
        bench.ground.trouble(bench.crm, "cut_after", like=like)
        with pytest.raises(Unreachable) as caught:
            bench.send(row, refs)
        assert caught.value.sent
        true = [bench.true(ref) for ref in refs]
        assert all(bench.landed(row, t and bench.ref(t.kind, t.id), None) for t in true)  # type: ignore[arg-type]

    def test_a_connection_cut_before_the_effect_may_have_sent(self, bench: Bench) -> None:
        row, refs, like = _write(bench)
        bench.ground.trouble(bench.crm, "cut_before", like=like)
        with pytest.raises(Unreachable) as caught:
            bench.send(row, refs)
        assert caught.value.sent, "nobody can know that it was not applied"

    def test_a_connection_that_was_never_made_sent_nothing(self, bench: Bench) -> None:
        nowhere = _moved(bench, _closed_port())
        with pytest.raises(Unreachable) as caught:
            nowhere.adapter.whoami()
        assert not caught.value.sent

    @pytest.mark.parametrize("name", ["page", "redirect"])
    def test_an_answer_of_somebody_else_is_strange(self, bench: Bench, name: str) -> None:
        with pytest.raises(Unreachable) as caught:
            _read(bench, name)
        assert caught.value.strange

    @pytest.mark.parametrize("name", ["page", "torn"])
    def test_a_write_with_a_strange_answer_is_in_doubt(self, bench: Bench, name: str) -> None:
        row, refs, like = _write(bench)
        bench.ground.trouble(bench.crm, name, like=like)
        with pytest.raises(Unreachable) as caught:
            bench.send(row, refs)
        assert caught.value.sent
        assert caught.value.answered

    def test_a_redirect_is_not_followed_and_no_credential_leaves(self, bench: Bench) -> None:
        row, refs, like = _write(bench)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.05)
            place = f"http://127.0.0.1:{listener.getsockname()[1]}/elsewhere"
            bench.ground.trouble(bench.crm, "redirect", like=like, location=place)
            with pytest.raises(Unreachable):
                bench.send(row, refs)
            bench.ground.trouble(bench.crm, "redirect", location=place)
            with pytest.raises(Unreachable):
                list(bench.adapter.read(bench.batch(None, refs)))
            with pytest.raises(TimeoutError):
                listener.accept()

    def test_a_redirect_to_another_record_is_not_followed(self, bench: Bench) -> None:
        row, refs, like = _write(bench)
        start = bench.last()
        bench.ground.trouble(bench.crm, "redirect", like=like, location=_here(bench, like))
        with pytest.raises(Unreachable):
            bench.send(row, refs)
        assert len(bench.writes(start)) == 1

    def test_a_dead_token_can_be_renewed(self, bench: Bench) -> None:
        with pytest.raises(Unauthorized) as caught:
            _read(bench, "expired")
        if not caught.value.renewable:
            raise CannotDo("this vendor's tokens do not expire")
        bench.adapter.renew()
        assert bench.adapter.whoami().org
        ref = bench.plain(bench.kinds[0], 1)[0]
        assert bench.read([ref])[ref].state is State.LIVE

    def test_a_write_with_a_dead_token_is_unauthorized(self, bench: Bench) -> None:
        row, refs, like = _write(bench)
        before = bench.truth()
        bench.ground.trouble(bench.crm, "expired", like=like)
        with pytest.raises(Unauthorized):
            bench.send(row, refs)
        assert not differing(before, bench.truth())

    @pytest.mark.parametrize("name", NAMES)
    def test_an_error_holds_no_secret(self, bench: Bench, name: str) -> None:
        with pytest.raises(AdapterError) as caught:
            _read(bench, name)
        error: BaseException | None = caught.value
        told = "".join(traceback.format_exception(caught.value))
        while error is not None:
            told += f"{error} {error!r} {vars(error)}"
            error = error.__cause__ or error.__context__
        for secret in bench.secrets():
            assert secret not in told

    @pytest.mark.parametrize("name", NAMES)
    def test_an_error_says_what_happened_in_words(self, bench: Bench, name: str) -> None:
        with pytest.raises(AdapterError) as caught:
            _read(bench, name)
        assert len(str(caught.value).split()) > 2
        assert "\n" not in str(caught.value).strip()

    @pytest.mark.parametrize("name", NAMES)
    def test_an_adapter_works_again_after_trouble(self, bench: Bench, name: str) -> None:
        with pytest.raises(AdapterError):
            _read(bench, name)
        refs = bench.plain(bench.kinds[0], 2)
        found = bench.read(refs)
        assert {record.state for record in found.values()} == {State.LIVE}

    def test_a_simulator_is_no_production(self, bench: Bench) -> None:
        _url(bench)
        with pytest.raises(BridgeError):
            connect(
                self.adapter_class, bench.ground, bench.crm, environment="production"
            ).adapter.whoami()
        assert bench.last() == 0

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example",
            "http://169.254.169.254",
            "https://127.0.0.1",
            "https://user@open.example",
            "ftp://127.0.0.1",
            "https://2130706433",
        ],
    )
    def test_a_host_that_is_not_the_vendors_gets_no_secret(self, bench: Bench, url: str) -> None:
        with pytest.raises(BridgeError) as caught:
            _moved(bench, url, environment="production").adapter.whoami()
        assert not isinstance(caught.value, AdapterError), "refused before any connection"


def _read(bench: Bench, name: str) -> Any:
    refs = bench.plain(bench.kinds[0], 2)
    batch = bench.batch(None, refs)
    list(bench.adapter.read(batch))
    bench.ground.trouble(bench.crm, name, location="http://127.0.0.1:9/x")
    return list(bench.adapter.read(batch))


def _write(bench: Bench) -> tuple[Capability, list[RecordRef], Arrived]:
    """A row, records for it, and how its request looks: one like it was sent for other records."""
    for operation in (Operation.VOID, Operation.DELETE, Operation.ARCHIVE):
        for row in bench.adapter.abilities().capabilities:
            fits = row.operation is operation and State.LIVE in row.takes and not row.job
            if not fits or row.support not in (Support.NATIVE, Support.MARKED):
                continue
            refs = bench.plain(bench.kind_for(row), 3, row)
            bench.send(row, refs[:1])
            if row.support is Support.MARKED:
                bench.read(refs)
            size = min(2, row.batch)
            return row, refs[1 : 1 + size], bench.writes()[-1]
    raise CannotDo("nothing is written here")


def _here(bench: Bench, like: Arrived) -> str:
    url: str = getattr(bench.ground, "url", "http://127.0.0.1:9")
    return f"{url}{like.path}"


def _url(bench: Bench) -> str:
    url = bench.ground.settings(bench.crm).get("base_url", "")
    if not url:
        raise CannotDo("this vendor is not reached by a URL")
    return str(url)


def _moved(bench: Bench, url: str, **changed: Any) -> Bench:
    here = _url(bench)
    table = bench.ground.settings(bench.crm)
    # Every address of the account moves, those of its login too.
    there = {k: url for k, v in table.items() if isinstance(v, str) and v.startswith(here)}
    return connect(type(bench.adapter), bench.ground, bench.crm, **there, **changed)


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
