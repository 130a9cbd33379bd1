"""Figures: traffic in plain words, reports of any fields, realtime, and what there is to ask for."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.google_analytics.sandbox_state import HARBOUR
from domain.errors import AnswerGarbled, Forbidden, Rejected, SlowDown
from tests.adapters.google_analytics.conftest import NOON, practice
from tests.support.trials import Trial

WEEK = [{"start": "7daysAgo", "end": "yesterday"}]
PROPERTY = {"property_id": HARBOUR}


def bodies(analytics: Trial) -> list[Any]:
    return [json.loads(each.body) for each in analytics.requests if each.body is not None]


def paths(analytics: Trial) -> list[str]:
    return [urlsplit(each.url).path for each in analytics.requests]


def wrong(analytics: Trial, action: str, **parameters: Any) -> list[str]:
    found = analytics.integration.actions[f"google_analytics.{action}"].check({**PROPERTY, **parameters})
    return [each.pointer for each in found]


# -------------------------------------------------------------------------------------------- view_traffic


async def test_traffic_is_viewed_by_channel_with_the_most_visits_first(analytics: Trial) -> None:
    found = await analytics.run("view_traffic", **PROPERTY, period="last_7_days", by=["channel"])
    visits = [row["visits"] for row in found["rows"]]
    assert [row["part"]["channel"] for row in found["rows"]][:2] == ["Organic Search", "Direct"]
    assert visits == sorted(visits, reverse=True)
    (total,) = found["totals"]
    assert total["visits"] == sum(visits) > 1000
    assert 0 < total["engagement_rate"] < 1
    assert (found["row_count"], found["time_zone"], found["is_thresholded"]) == (4, "Etc/UTC", False)


async def test_traffic_by_day_comes_in_order_of_time(analytics: Trial) -> None:
    found = await analytics.run("view_traffic", **PROPERTY, start_date="2026-11-01", end_date="2026-11-05", by=["day"])
    assert [row["part"]["day"] for row in found["rows"]] == [f"2026110{day}" for day in range(1, 6)]


async def test_without_a_breakdown_only_totals_are_told(analytics: Trial) -> None:
    found = await analytics.run("view_traffic", **PROPERTY)
    assert (found["rows"], found["row_count"], len(found["totals"])) == ([], 0, 1)
    assert bodies(analytics)[0]["dateRanges"] == [{"startDate": "28daysAgo", "endDate": "yesterday", "name": "current"}]


@pytest.mark.parametrize(
    ("asked", "before"),
    [
        ({"period": "today"}, ("yesterday", "yesterday")),
        ({"period": "yesterday"}, ("2daysAgo", "2daysAgo")),
        ({"period": "last_7_days"}, ("14daysAgo", "8daysAgo")),
        ({"period": "last_365_days"}, ("730daysAgo", "366daysAgo")),
        ({"start_date": "2026-03-01", "end_date": "2026-03-07"}, ("2026-02-22", "2026-02-28")),
    ],
)
async def test_a_period_is_compared_with_the_days_right_before(
    analytics: Trial, asked: dict[str, str], before: tuple[str, str]
) -> None:
    found = await analytics.run("view_traffic", **PROPERTY, **asked, by=["device"], compare_with_previous=True)
    current, previous = bodies(analytics)[0]["dateRanges"]
    assert current["name"] == "current"
    assert (previous["startDate"], previous["endDate"], previous["name"]) == (*before, "previous")
    assert {row["period"] for row in found["rows"]} == {"current", "previous"}
    assert {each["period"] for each in found["totals"]} == {"current", "previous"}


async def test_traffic_is_narrowed_to_channel_country_and_page(analytics: Trial) -> None:
    narrowed = {"channel": "direct", "country": "Germany", "page_contains": "/BERTH"}
    found = await analytics.run("view_traffic", **PROPERTY, **narrowed, by=["channel", "country", "page"])
    parts = [row["part"] for row in found["rows"]]
    assert parts == [{"channel": "Direct", "country": "Germany", "page": "/berths"}]
    assert len(bodies(analytics)[0]["dimensionFilter"]["andGroup"]["expressions"]) == 3


@pytest.mark.parametrize(
    "days",
    [
        {"start_date": "2026-11-01"},
        {"start_date": "2026-11-02", "end_date": "2026-11-01"},
        {"period": "today", "start_date": "2026-11-01", "end_date": "2026-11-02"},
    ],
)
async def test_days_that_make_no_period_are_refused_before_anything_is_sent(
    analytics: Trial, days: dict[str, str]
) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await analytics.run("view_traffic", **PROPERTY, **days)
    assert analytics.requests == []


async def test_a_property_nobody_visited_has_no_rows(analytics: Trial) -> None:
    found = await analytics.run("view_traffic", **PROPERTY, start_date="2030-01-01", end_date="2030-01-02", by=["page"])
    assert (found["rows"], found["row_count"], found["totals"]) == ([], 0, [])


async def test_who_is_there_right_now_is_viewed_by_page_and_by_minute(analytics: Trial) -> None:
    pages = await analytics.run("view_realtime_traffic", **PROPERTY, by=["page"])
    assert {row["part"]["page"] for row in pages} <= {"Harbour", "Berths", "Prices", "Contact"}
    assert [row["visitors"] for row in pages] == sorted((row["visitors"] for row in pages), reverse=True)
    minutes = [row["part"]["minute"] for row in await analytics.run("view_realtime_traffic", **PROPERTY, by=["minute"])]
    assert minutes == sorted(minutes)
    (whole,) = await analytics.run("view_realtime_traffic", **PROPERTY)
    assert whole["visitors"] == sum(row["visitors"] for row in pages)
    assert set(whole) == {"part", "visitors", "page_views", "events"}


# ------------------------------------------------------------------------------------------------- reports


async def test_a_report_has_named_columns_and_numbers_that_are_numbers(analytics: Trial) -> None:
    found = await analytics.run(
        "run_report",
        **PROPERTY,
        metrics=["sessions", "engagementRate"],
        dimensions=["country", "deviceCategory"],
        periods=WEEK,
        order_by=[{"field": "country", "is_descending": False}, {"field": "sessions"}],
        limit=3,
        with_totals=True,
    )
    assert (found["dimensions"], found["metrics"]) == (["country", "deviceCategory"], ["sessions", "engagementRate"])
    assert [row["country"] for row in found["rows"]] == ["Germany", "Germany", "Netherlands"]
    assert isinstance(found["rows"][0]["sessions"], int)
    assert isinstance(found["rows"][0]["engagementRate"], float)
    assert (found["row_count"], found["currency"]) == (6, "EUR")
    assert found["totals"][0]["country"] == "RESERVED_TOTAL"
    assert found["daily_tokens_left"] < 200_000


async def test_a_report_is_read_on_from_where_it_ended(analytics: Trial) -> None:
    told = {**PROPERTY, "metrics": ["sessions"], "dimensions": ["pagePath"], "periods": WEEK, "limit": 2}
    first = await analytics.run("run_report", **told)
    second = await analytics.run("run_report", **told, offset=2, keep_empty_rows=True)
    assert len({row["pagePath"] for row in [*first["rows"], *second["rows"]]}) == 4
    assert bodies(analytics)[1]["offset"] == "2"


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"field": "pagePath", "values": ["/berths", "/prices"]}, {"/berths", "/prices"}),
        ({"field": "pagePath", "values": ["/b", "/p"], "match": "begins_with"}, {"/berths", "/prices"}),
        ({"field": "pagePath", "values": ["S"], "match": "ends_with", "is_negated": True}, {"/", "/contact"}),
        ({"field": "pageTitle", "values": ["contact"]}, {"/contact"}),
    ],
)
async def test_conditions_choose_rows(analytics: Trial, condition: dict[str, Any], kept: set[str]) -> None:
    told = {"metrics": ["sessions"], "dimensions": ["pagePath"], "periods": WEEK, "conditions": [condition]}
    found = await analytics.run("run_report", **PROPERTY, **told)
    assert {row["pagePath"] for row in found["rows"]} == kept


async def test_several_reports_are_run_at_once_as_for_a_dashboard(analytics: Trial) -> None:
    one = {"metrics": ["sessions"], "periods": WEEK}
    two = {"metrics": ["newUsers"], "periods": WEEK, "dimensions": ["country"], "limit": 1}
    first, second = await analytics.run("batch_run_reports", **PROPERTY, reports=[one, two])
    assert (len(first["rows"]), second["rows"][0]["country"]) == (1, "Netherlands")
    assert paths(analytics) == [f"/analyticsdata/v1beta/properties/{HARBOUR}:batchRunReports"]


async def test_a_realtime_report_looks_at_the_minutes_asked_for(analytics: Trial) -> None:
    told = {"metrics": ["activeUsers", "keyEvents"], "dimensions": ["minutesAgo", "eventName"]}
    found = await analytics.run("run_realtime_report", **PROPERTY, **told, from_minutes_ago=4, to_minutes_ago=2)
    assert {row["minutesAgo"] for row in found["rows"]} <= {"02", "03", "04"}
    assert found["time_zone"] is None


async def test_a_cross_table_has_a_row_for_each_cell(analytics: Trial) -> None:
    found = await analytics.run(
        "run_pivot_report",
        **PROPERTY,
        metrics=["sessions"],
        periods=WEEK,
        pivots=[
            {"dimensions": ["country"], "limit": 2, "order_by": [{"field": "sessions"}]},
            {"dimensions": ["deviceCategory"]},
        ],
    )
    assert {(row["country"], row["deviceCategory"]) for row in found["rows"]} == {
        (country, device) for country in ("Netherlands", "Germany") for device in ("mobile", "desktop")
    }
    assert found["row_count"] == 4


async def test_fields_are_found_by_what_they_are_called(analytics: Trial) -> None:
    found = await analytics.run("get_metadata", **PROPERTY, containing="session")
    assert "sessionSourceMedium" in [each["name"] for each in found["dimensions"]]
    assert "sessions" in [each["name"] for each in found["metrics"]]
    assert found["is_complete"]
    found = await analytics.run("get_metadata", **PROPERTY, limit=1)
    assert (len(found["dimensions"]), found["is_complete"]) == (1, False)


async def test_what_goes_together_is_told(analytics: Trial) -> None:
    found = await analytics.run("check_compatibility", **PROPERTY, dimensions=["country"], metrics=["sessions"])
    assert "deviceCategory" in found["dimensions"]
    assert "country" not in found["dimensions"]
    assert "sessions" not in found["metrics"]


# ---------------------------------------------------------------------------------- when something is wrong


async def test_fields_nobody_knows_are_rejected_without_google_s_prose(analytics: Trial) -> None:
    with pytest.raises(Rejected) as refused:
        await analytics.run("run_report", **PROPERTY, metrics=["moonPhase"], periods=WEEK)
    assert refused.value.message == ("Google Analytics answered 400 (INVALID_ARGUMENT): the request must change.")


async def test_a_property_out_of_reach_is_forbidden(analytics: Trial) -> None:
    with pytest.raises(Forbidden):
        await analytics.run("view_traffic", property_id="310000003")


async def test_a_used_up_quota_says_to_slow_down(analytics: Trial) -> None:
    await analytics.misbehave("429", "POST *:runReport", retry_after=30)
    with pytest.raises(SlowDown) as slow:
        await analytics.run("view_traffic", **PROPERTY)
    assert slow.value.retry_at is not None


async def test_a_report_that_cannot_be_read_has_changed_nothing(analytics: Trial) -> None:
    await analytics.misbehave("garbage", "POST *:runReport")
    with pytest.raises(AnswerGarbled) as garbled:
        await analytics.run("view_traffic", **PROPERTY)
    assert not garbled.value.may_have_happened


async def test_reports_are_no_effects(analytics: Trial) -> None:
    await analytics.run("view_traffic", **PROPERTY)
    assert await analytics.effects() == {}


async def test_the_day_begins_in_the_property_s_own_time_zone() -> None:
    async with practice(now=lambda: NOON - 13 * 3600) as evening:
        found = await evening.run("view_traffic", **PROPERTY, period="today", by=["day"])
        assert [row["part"]["day"] for row in found["rows"]] == ["20261129"]


@pytest.mark.parametrize(
    ("action", "parameters", "pointers"),
    [
        ("view_traffic", {"property_id": "G-HARBOUR001"}, ["/property_id"]),
        ("view_traffic", {"by": ["moon"]}, ["/by/0"]),
        ("view_traffic", {"by": ["day", "page", "city", "week"]}, ["/by"]),
        ("view_traffic", {"start_date": "30-11-2026"}, ["/start_date"]),
        ("view_traffic", {"channel": ""}, ["/channel"]),
        ("view_realtime_traffic", {"limit": 0}, ["/limit"]),
        ("run_report", {"periods": WEEK}, ["/metrics"]),
        ("run_report", {"metrics": ["sessions'"], "periods": WEEK}, ["/metrics/0"]),
        ("run_report", {"metrics": ["sessions"], "periods": [{"start": "soon", "end": "today"}]}, ["/periods/0/start"]),
        ("run_report", {"metrics": ["a"], "periods": [{**WEEK[0], "name": "date_range_0"}]}, ["/periods/0/name"]),
        ("run_report", {"metrics": ["a"], "periods": WEEK, "limit": 5001}, ["/limit"]),
        ("batch_run_reports", {"reports": [{"metrics": ["a"], "periods": WEEK}] * 6}, ["/reports"]),
        (
            "run_pivot_report",
            {"metrics": ["a"], "periods": WEEK, "pivots": [{"dimensions": []}]},
            ["/pivots/0/dimensions"],
        ),
        ("run_realtime_report", {"metrics": ["a"], "from_minutes_ago": 60}, ["/from_minutes_ago"]),
        ("get_metadata", {"limit": "50"}, ["/limit"]),
        ("check_compatibility", {"metric": []}, ["/metric"]),
    ],
)
def test_bad_input_is_caught_before_a_call_leaves(
    analytics: Trial, action: str, parameters: dict[str, Any], pointers: list[str]
) -> None:
    assert wrong(analytics, action, **parameters) == pointers
