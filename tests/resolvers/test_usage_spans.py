"""Which spans of time are counted, and into which buckets they fall."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.errors import InvalidInput
from domain.usage import LONGEST, Tally, UsageInterval, buckets, span

NOON = datetime(2026, 3, 29, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("interval", list(UsageInterval))
def test_a_span_may_be_as_long_as_is_said_and_no_longer(interval: UsageInterval) -> None:
    longest = LONGEST[interval]
    assert span(NOON - longest, NOON, longest).until == NOON
    with pytest.raises(InvalidInput, match=f"At most {longest.days} days"):
        span(NOON - longest - timedelta(microseconds=1), NOON, longest)


def test_a_span_that_is_empty_or_backwards_is_refused() -> None:
    for until in (NOON, NOON - timedelta(hours=1)):
        with pytest.raises(InvalidInput, match="after `since`"):
            span(NOON, until, timedelta(days=1))


def test_every_bucket_is_there_whether_anything_happened_or_not() -> None:
    asked = span(NOON - timedelta(hours=3), NOON, timedelta(days=1))
    found = {datetime(2026, 3, 29, 11, tzinfo=UTC): Tally(executions=2)}
    made = buckets(asked, UsageInterval.HOUR, found)
    assert [(each.start.hour, each.tally.executions) for each in made] == [(9, 0), (10, 0), (11, 2), (12, 0)]


def test_days_begin_at_midnight_of_utc_in_whatever_zone_was_asked() -> None:
    # The night in which Berlin's clocks go forward.
    east = timezone(timedelta(hours=2))
    asked = span(datetime(2026, 3, 29, 1, tzinfo=east), datetime(2026, 3, 30, 1, tzinfo=east), timedelta(days=2))
    starts = [each.start for each in buckets(asked, UsageInterval.DAY, {})]
    assert starts == [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC)]


def test_a_span_that_ends_on_the_hour_does_not_touch_the_next() -> None:
    asked = span(NOON.replace(minute=0) - timedelta(hours=1), NOON.replace(minute=0), timedelta(days=1))
    assert [each.start.hour for each in buckets(asked, UsageInterval.HOUR, {})] == [11]
