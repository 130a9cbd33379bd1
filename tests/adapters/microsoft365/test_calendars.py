"""Calendars, events and free time, tried against the sandbox."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.errors import AnswerLost, NotThere, Rejected
from tests.adapters.microsoft365.office import Office, mistakes

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def at(hour: int, minute: int = 0, *, days: int = 0) -> str:
    return (TOMORROW + timedelta(days=days, hours=hour, minutes=minute)).isoformat()


async def seen(ada: Office, **more: Any) -> Any:
    return await ada.rows("list_events", starts_after=at(0), ends_before=at(0, days=2), **more)


async def test_calendars_are_listed(ada: Office) -> None:
    found = {each["name"]: each["is_default"] for each in await ada.rows("list_calendars")}
    assert found == {"Calendar": True, "Tides": False}


async def test_events_are_seen_in_utc_earliest_first(ada: Office) -> None:
    found = await seen(ada)
    assert [each["subject"] for each in found] == ["Morning round", "Berth planning"]
    assert found[0]["starts_at"] == f"{TOMORROW:%Y-%m-%d}T09:00:00Z"
    assert found[1]["attendees"] == [
        {"address": "ben@harbour.example", "name": "Ben Tide", "kind": "required", "answer": "accepted"}
    ]
    assert await seen(ada, calendar_id="cal-000009=") == []
    assert await ada.rows("list_events", starts_after=at(10), ends_before=at(13)) == []


async def test_times_are_asked_for_in_utc_whatever_their_offset(ada: Office) -> None:
    await ada.rows("list_events", starts_after="2026-11-23T14:00:00+05:30", ends_before="2026-11-24T14:00:00+05:30")
    [asked] = ada.queries("/calendarView")
    assert (asked["startDateTime"], asked["endDateTime"]) == (["2026-11-23T08:30:00Z"], ["2026-11-24T08:30:00Z"])


async def test_a_meeting_invites_people_and_has_a_link(ada: Office) -> None:
    made = await ada.row(
        "create_event",
        subject="Rope offers",
        starts_at=at(15),
        ends_at=at(16),
        attendees=["ben@harbour.example"],
        optional_attendees=["cleo@harbour.example"],
        is_online_meeting=True,
        body="Two offers came in.",
        location="Pier 2",
        reminder_minutes=30,
        show_as="tentative",
    )
    assert str(made["join_url"]).startswith("https://teams.example/")
    assert [each["kind"] for each in made["attendees"]] == ["required", "optional"]
    whole = await ada.row("get_event", event_id=made["id"])
    assert (whole["text"], whole["location"], whole["show_as"]) == ("Two offers came in.", "Pier 2", "tentative")


async def test_a_link_that_comes_late_is_read_again(ada: Office) -> None:
    made = await ada.row("create_event", subject="Quiet", starts_at=at(15), ends_at=at(16))
    assert made["join_url"] is None
    assert ada.paths() == ["POST /me/events"]
    await ada.row("create_event", subject="Loud", starts_at=at(17), ends_at=at(18), is_online_meeting=True)
    assert ada.paths()[1:] == ["POST /me/events"]


async def test_a_second_attempt_of_one_execution_makes_no_second_event(ada: Office) -> None:
    ada.key = uuid4()
    wish = {"subject": "Once", "starts_at": at(19), "ends_at": at(20), "calendar_id": "cal-000009="}
    ada.misbehave("lost_answer", "POST /v1.0/me/calendars/*")
    with pytest.raises(AnswerLost):
        await ada.run("create_event", **wish)
    again = await ada.row("create_event", **wish)
    assert [each["id"] for each in await seen(ada, calendar_id="cal-000009=")] == [again["id"]]
    assert [each["transactionId"] for each in ada.bodies("/events")] == [str(ada.key)] * 2


async def test_another_execution_makes_another_event(ada: Office) -> None:
    wish = {"subject": "Daily", "starts_at": at(19), "ends_at": at(20)}
    first, second = await ada.row("create_event", **wish), await ada.row("create_event", **wish)
    assert first["id"] != second["id"]


async def test_an_event_of_a_whole_day_keeps_its_date(ada: Office) -> None:
    begin, end = "2026-12-24T00:00:00+09:00", "2026-12-25T00:00:00+09:00"
    made = await ada.row("create_event", subject="Closed", starts_at=begin, ends_at=end, is_all_day=True)
    assert (made["is_all_day"], made["starts_at"]) == (True, "2026-12-24T00:00:00Z")


async def test_an_event_is_changed_and_deleted(ada: Office) -> None:
    [event, _] = await seen(ada)
    changed = await ada.row(
        "update_event",
        event_id=event["id"],
        subject="Evening round",
        starts_at=at(20),
        ends_at=at(21),
        attendees=["cleo@harbour.example"],
        body="Bring a lamp.",
        is_online_meeting=True,
    )
    assert (changed["subject"], changed["ends_at"]) == ("Evening round", f"{TOMORROW:%Y-%m-%d}T21:00:00Z")
    assert changed["is_online_meeting"] is True
    assert await ada.row("delete_event", event_id=event["id"]) == {"id": event["id"]}
    with pytest.raises(NotThere):
        await ada.run("get_event", event_id=event["id"])


async def test_an_end_before_the_start_and_a_change_of_nothing_are_refused_before_anything_is_sent(ada: Office) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await ada.run("create_event", subject="Back", starts_at=at(9), ends_at=at(9))
    with pytest.raises(Rejected, match="Nothing was sent"):
        await ada.run("list_events", starts_after=at(9), ends_before=at(8))
    with pytest.raises(Rejected, match="Nothing was sent"):
        await ada.run("update_event", event_id="evt-1", starts_at=at(9), ends_at=at(8))
    with pytest.raises(Rejected, match="Nothing was sent"):
        await ada.run("update_event", event_id="evt-1")
    assert ada.paths() == []


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"starts_at": "2026-11-23T14:00:00"}, "/starts_at"),  # no offset
        ({"starts_at": "tomorrow"}, "/starts_at"),
        ({"starts_at": 1_768_000_000}, "/starts_at"),
        ({"attendees": ["Ben"]}, "/attendees/0"),
        ({"show_as": "away"}, "/show_as"),
        ({"reminder_minutes": -1}, "/reminder_minutes"),
        ({"location": "x" * 256}, "/location"),
        ({"is_online_meeting": "yes"}, "/is_online_meeting"),
    ],
)
def test_what_is_no_event_is_caught_before_it_leaves(parameters: dict[str, Any], pointer: str) -> None:
    good = {"subject": "S", "starts_at": at(1), "ends_at": at(2)}
    assert mistakes("create_event", **good) == []
    assert mistakes("create_event", **{**good, **parameters}) == [pointer]


# ------------------------------------------------------------------------------------------------------- free time


async def test_free_time_is_what_all_calendars_leave(ada: Office) -> None:
    wish: dict[str, Any] = {"starts_after": at(8), "ends_before": at(15), "weekdays_only": False}
    found = await ada.row("find_free_time", **wish, attendees=["ben@harbour.example"], duration_minutes=60)
    assert [(each["starts_at"][11:16], each["ends_at"][11:16]) for each in found["free"]] == [
        ("08:00", "09:00"),
        ("12:00", "13:00"),
        ("14:00", "15:00"),
    ]
    assert found["unknown"] == []


async def test_people_whose_calendar_is_not_known_are_named(ada: Office) -> None:
    wish: dict[str, Any] = {"starts_after": at(8), "ends_before": at(9), "weekdays_only": False}
    found = await ada.row("find_free_time", **wish, attendees=["guest@elsewhere.example", "Ada@harbour.example"])
    assert found["unknown"] == ["guest@elsewhere.example"]


async def test_free_time_keeps_to_hours_of_the_day_in_the_offset_that_was_asked_in(ada: Office) -> None:
    begin = TOMORROW.replace(tzinfo=None).isoformat() + "+02:00"
    end = (TOMORROW + timedelta(days=1)).replace(tzinfo=None).isoformat() + "+02:00"
    hours = {"daily_from": "09:00", "daily_until": "17:00", "weekdays_only": False}
    found = await ada.row("find_free_time", starts_after=begin, ends_before=end, duration_minutes=45, **hours)
    # Ada is busy from 9 to 10 and from 13 to 14 in UTC
    assert [(each["starts_at"][11:16], each["ends_at"][11:16]) for each in found["free"]] == [
        ("09:00", "11:00"),
        ("12:00", "15:00"),
        ("16:00", "17:00"),
    ]
    assert found["free"][0]["starts_at"].endswith("+02:00")


async def test_weekends_are_left_out(ada: Office) -> None:
    saturday = {"starts_after": "2027-01-02T00:00:00Z", "ends_before": "2027-01-04T00:00:00Z"}
    assert (await ada.row("find_free_time", **saturday))["free"] == []
    assert (await ada.row("find_free_time", **saturday, weekdays_only=False))["free"] != []


async def test_looking_for_free_time_changes_nothing(ada: Office) -> None:
    await ada.row("find_free_time", starts_after=at(8), ends_before=at(9))
    assert ada.app.control.effects.total() == 0
    with pytest.raises(Rejected, match="31 days"):
        await ada.run("find_free_time", starts_after=at(8), ends_before=at(8, days=32))
