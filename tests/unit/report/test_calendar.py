"""The calendar holds to RFC 5545, and an event keeps its identity."""

import re
from datetime import UTC, datetime, timedelta

import icalendar

from crm_bridge.bridge import Expiring
from crm_bridge.report.calendar import calendar

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def deadlines():
    return [
        Expiring("r-1", "sf", "Account", 3, NOON + timedelta(5, microseconds=999_999), False),
        Expiring("r-2", "fxk", "客户;对象,很长的名字" * 12, 1, NOON + timedelta(6), True),
    ]


def unfolded(text):
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def parsed(text):
    """Components as nested dictionaries; what the RFC forbids is an assertion that fails."""
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    for line in text.encode().split(b"\r\n"):
        assert len(line) <= 75
        line.decode()  # no character is cut in two
    stack = [{"name": "", "parts": [], "values": {}}]
    for line in unfolded(text):
        found = re.fullmatch(r"([A-Z-]+)((?:;[^:]*)?):(.*)", line)
        assert found, line
        name, value = found[1], found[3]
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", value)
        if name == "BEGIN":
            stack.append({"name": value, "parts": [], "values": {}})
        elif name == "END":
            done = stack.pop()
            assert done["name"] == value
            stack[-1]["parts"].append(done)
        else:
            assert name not in stack[-1]["values"], f"{name} stands twice"
            stack[-1]["values"][name] = value
    assert len(stack) == 1
    assert [part["name"] for part in stack[0]["parts"]] == ["VCALENDAR"]
    return stack[0]["parts"][0]


def plain(value):
    assert not re.search(r"(?<!\\)(?:\\\\)*[;,]", value), "a sign of a list, unescaped"
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value)


def test_it_is_a_calendar_by_the_rfc():
    root = parsed("".join(calendar(deadlines(), NOON)))
    assert root["values"]["VERSION"] == "2.0"
    assert root["values"]["PRODID"]
    assert [part["name"] for part in root["parts"]] == ["VEVENT", "VEVENT"]
    for event in root["parts"]:
        values = event["values"]
        assert {"UID", "DTSTAMP", "DTSTART", "SUMMARY"} <= set(values)
        for name in ("DTSTAMP", "DTSTART"):
            assert re.fullmatch(r"\d{8}T\d{6}Z", values[name])
        (alarm,) = event["parts"]
        assert alarm["name"] == "VALARM"
        assert {"ACTION", "TRIGGER", "DESCRIPTION"} <= set(alarm["values"])


def test_an_event_tells_what_ends_when_and_how_to_bring_it_back():
    first, second = (e["values"] for e in parsed("".join(calendar(deadlines(), NOON)))["parts"])
    assert first["DTSTART"] == "20261129T120000Z"  # never later than the last moment
    assert plain(first["SUMMARY"]) == "Last moment to undo: 3 Account in sf"
    assert "crm-bridge restore r-1" in plain(first["DESCRIPTION"])
    assert "not guarantee" in plain(first["DESCRIPTION"])
    assert "客户;对象,很长的名字" * 12 in plain(second["SUMMARY"])
    assert "guarantees this window" in plain(second["DESCRIPTION"])


def test_an_event_keeps_its_uid_when_it_moves_and_shares_it_with_none():
    def uids(some, now):
        return [e["values"]["UID"] for e in parsed("".join(calendar(some, now)))["parts"]]

    moved = [
        Expiring(d.run, d.crm, d.kind, d.count + 1, d.until - timedelta(1), d.guaranteed)
        for d in deadlines()
    ]
    assert uids(deadlines(), NOON) == uids(moved, NOON + timedelta(1))
    assert len(set(uids(deadlines(), NOON))) == 2


def test_a_calendar_without_deadlines_is_one_all_the_same():
    root = parsed("".join(calendar([], NOON)))
    assert [part["name"] for part in root["parts"]] == ["VTIMEZONE"]


def test_signs_that_act_do_not_get_in():
    one = Expiring("r-1", "sf", "a\r\nEND:VEVENT\\;x\x07", 1, NOON, True)
    (event,) = parsed("".join(calendar([one], NOON)))["parts"]
    assert "END:VEVENT" in plain(event["values"]["SUMMARY"])


def test_another_reader_reads_it():
    found = icalendar.Calendar.from_ical("".join(calendar(deadlines(), NOON)))
    events = list(found.walk("VEVENT"))
    assert events[0].decoded("DTSTART") == NOON + timedelta(5)
