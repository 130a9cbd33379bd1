"""Finding a time that suits several people."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from adapters._kit import Annotated, Call, Effect, Field, Result, action
from adapters.microsoft365.parameters import Addresses, Moment, when
from domain.errors import AnswerGarbled, Rejected
from domain.json import Json, JsonObject

_STEP: Final = timedelta(minutes=15)
_LONGEST: Final = timedelta(days=31)
_FREE: Final = frozenset("04")  # free, and working elsewhere (Graph, scheduleInformation.availabilityView)


class FreeTime(Result):
    """A stretch in which everybody is free, in the offset that was asked in."""

    starts_at: datetime
    ends_at: datetime


class FreeTimes(Result):
    """When everybody is free, and whose calendar could not be seen."""

    free: list[FreeTime]
    unknown: list[str] = Field(description="Addresses whose calendar could not be read; they may be busy.")


@action(effect=Effect.READ, scopes=("User.Read", "Calendars.ReadBasic"))
async def find_free_time(
    call: Call,
    *,
    starts_after: Annotated[Moment, Field(description="The earliest start. Its offset is the one `daily_…` is in.")],
    ends_before: Annotated[Moment, Field(description="The latest end, at most 31 days later.")],
    duration_minutes: Annotated[int, Field(description="How long the meeting shall be.", ge=15, le=1440)] = 30,
    attendees: Annotated[
        Addresses | None, Field(description="Addresses of people or rooms that must be free, beside the account.")
    ] = None,
    daily_from: Annotated[time | None, Field(description="Not before this time of day, e.g. `09:00`.")] = None,
    daily_until: Annotated[time | None, Field(description="Not after this time of day, e.g. `17:00`.")] = None,
    weekdays_only: Annotated[bool, Field(description="Leave out Saturdays and Sundays.")] = True,
    limit: Annotated[int, Field(description="How many stretches to return at most.", ge=1, le=100)] = 20,
) -> FreeTimes:
    """Find free time for a meeting.

    Compares calendars in steps of 15 minutes; a tentative meeting counts as busy. Calendars of people outside the
    organisation are `unknown`. Work and school accounts only. Then make the meeting with create_event.
    """
    if not starts_after < ends_before <= starts_after + _LONGEST:
        raise Rejected("`ends_before` must be after `starts_after`, by at most 31 days. Nothing was sent.")
    people = list(dict.fromkeys([await _own_address(call), *(attendees or [])]))
    asked: dict[str, Json] = {
        "Schedules": [*people],
        "StartTime": when(starts_after),
        "EndTime": when(ends_before),
        "AvailabilityViewInterval": int(_STEP.total_seconds() // 60),
    }
    answer = await call.post("me/calendar/getSchedule", json=asked, harmless=True)
    views, unknown = _views(answer.objects("value"), people)
    hours = (daily_from or time.min, daily_until)
    free = [each for each in _steps(starts_after, ends_before, views) if _is_within(each, hours, weekdays_only)]
    wanted = timedelta(minutes=duration_minutes)
    found = [each for each in _joined(free) if each.ends_at - each.starts_at >= wanted]
    return FreeTimes(free=found[:limit], unknown=unknown)


async def _own_address(call: Call) -> str:
    answer = await call.get("me", query={"$select": "id,mail,userPrincipalName"})
    address = answer.at("mail") or answer.at("userPrincipalName")
    if not isinstance(address, str):
        raise AnswerGarbled("Microsoft 365 did not say whose account this is.", status=answer.status)
    return address


def _views(schedules: Sequence[JsonObject], people: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is known of each person, a character for each step, and of whom nothing is."""
    known = {
        str(each.get("scheduleId")).lower(): str(each.get("availabilityView"))
        for each in schedules
        if not each.get("error") and each.get("availabilityView")
    }
    return list(known.values()), [each for each in people if each.lower() not in known]


def _steps(start: datetime, end: datetime, views: Sequence[str]) -> Iterator[FreeTime]:
    """The steps in which nobody is busy. Where a view ends early, nothing is known, so the step is left out."""
    zone, steps = start.tzinfo, int((end - start) / _STEP)
    for number in range(steps):
        if all(view[number : number + 1] in _FREE for view in views):
            begins = (start.astimezone(UTC) + number * _STEP).astimezone(zone)
            yield FreeTime(starts_at=begins, ends_at=begins + _STEP)


def _is_within(step: FreeTime, hours: tuple[time, time | None], weekdays_only: bool) -> bool:  # noqa: FBT001
    earliest, latest = hours
    if weekdays_only and step.starts_at.weekday() >= 5:
        return False
    begins = step.starts_at.time()
    ends_today = step.ends_at.date() == step.starts_at.date()
    return earliest <= begins and (latest is None or (ends_today and step.ends_at.time() <= latest))


def _joined(steps: Sequence[FreeTime]) -> list[FreeTime]:
    """Steps that touch, as one stretch."""
    stretches: list[FreeTime] = []
    for step in steps:
        if stretches and stretches[-1].ends_at == step.starts_at:
            stretches[-1] = FreeTime(starts_at=stretches[-1].starts_at, ends_at=step.ends_at)
        else:
            stretches.append(step)
    return stretches
