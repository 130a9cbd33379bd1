"""The Google Analytics sandbox by itself: as strict as the real one where a client may be careless."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters._kit.sandbox_google import IDENTITY_SCOPES, TOKEN_MARA, google_people
from adapters._kit.sandbox_oauth import FixedToken
from adapters.google_analytics.sandbox import sandbox
from adapters.google_analytics.sandbox_state import EDIT, HARBOUR, TIDES, WEB_STREAM, seeded_world
from adapters.google_analytics.sandbox_traffic import visits_of
from tests.support.serving import serving

DATA, ADMIN = f"/analyticsdata/v1beta/properties/{HARBOUR}", f"/analyticsadmin/v1beta/properties/{HARBOUR}"
WEEK = {"dateRanges": [{"startDate": "7daysAgo", "endDate": "yesterday"}], "metrics": [{"name": "sessions"}]}


def as_(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def word(answer: httpx2.Response) -> tuple[int, str]:
    """The status, and Google's word for it."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["status"]


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(sandbox(now=lambda: 1_796_040_000.0)) as address,
        httpx2.AsyncClient(base_url=address, headers=as_(TOKEN_MARA), trust_env=False) as found,
    ):
        yield found


async def test_every_answer_says_that_it_is_a_sandbox(client: httpx2.AsyncClient) -> None:
    for path in (f"{DATA}/metadata", "/nothing-here"):
        assert (await client.get(path)).headers["x-mandate-sandbox"] == "google_analytics"


async def test_without_a_good_token_nothing_opens(client: httpx2.AsyncClient) -> None:
    assert word(await client.get(f"{DATA}/metadata", headers=as_("nobody"))) == (401, "UNAUTHENTICATED")


async def test_reports_are_refused_to_who_may_only_edit(tmp_path: Path) -> None:
    world, state = seeded_world(), tmp_path / "analytics.json"
    mara = google_people()[0].sub
    world.oauth.fixed_tokens = [FixedToken(token="edits", account=mara, scopes=[*IDENTITY_SCOPES, EDIT])]
    state.write_text(world.model_dump_json())
    async with serving(sandbox(state)) as address, httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        refused = await client.post(f"{DATA}:runReport", json=WEEK, headers=as_("edits"))
        assert word(refused) == (403, "PERMISSION_DENIED")
        assert (await client.get(f"{ADMIN}/keyEvents", headers=as_("edits"))).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": []},
        {"metrics": "sessions"},
        {"metrics": ["sessions"]},
        {"metrics": [{"name": "moonPhase"}]},
        {"dimensions": [{"name": "moonPhase"}]},
        {"dateRanges": []},
        {"dateRanges": [{"startDate": "soon", "endDate": "today"}]},
        {"dateRanges": [{"startDate": "today", "endDate": "yesterday"}]},
        {"limit": "0"},
        {"limit": "250001"},
        {"offset": "-1"},
        {"orderBys": [{"metric": {"metricName": "activeUsers"}}]},
        {"orderBys": [{"pivot": {}}]},
        {"dimensionFilter": {}},
        {"dimensionFilter": {"filter": {"fieldName": "moonPhase", "stringFilter": {"value": "x"}}}},
        {"dimensionFilter": {"filter": {"fieldName": "country", "numericFilter": {}}}},
        {"dimensionFilter": {"filter": {"fieldName": "country", "stringFilter": {"matchType": "FULL_REGEXP"}}}},
    ],
)
async def test_a_report_that_cannot_be_is_refused(client: httpx2.AsyncClient, change: dict[str, Any]) -> None:
    assert word(await client.post(f"{DATA}:runReport", json={**WEEK, **change})) == (400, "INVALID_ARGUMENT")


async def test_other_reports_are_held_to_the_same(client: httpx2.AsyncClient) -> None:
    six = {"requests": [WEEK] * 6}
    lonely = {**WEEK, "dimensions": [{"name": "country"}], "pivots": [{"fieldNames": ["city"], "limit": "1"}]}
    future = {"metrics": [{"name": "activeUsers"}], "minuteRanges": [{"startMinutesAgo": 0, "endMinutesAgo": 5}]}
    for name, body in (("batchRunReports", six), ("runPivotReport", lonely), ("runRealtimeReport", future)):
        assert word(await client.post(f"{DATA}:{name}", json=body)) == (400, "INVALID_ARGUMENT")
    assert (await client.post(f"{DATA}:checkCompatibility", json={"compatibilityFilter": "INCOMPATIBLE"})).json() == {}


async def test_the_tokens_of_a_day_run_out(client: httpx2.AsyncClient) -> None:
    asked = {**WEEK, "returnPropertyQuota": True}
    quota = (await client.post(f"{DATA}:runReport", json=asked)).json()["propertyQuota"]["tokensPerDay"]
    assert quota["consumed"] + quota["remaining"] == 200_000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{ADMIN}/keyEvents", {"eventName": "1st", "countingMethod": "ONCE_PER_EVENT"}),
        (f"{ADMIN}/keyEvents", {"eventName": "a"}),
        (
            f"{ADMIN}/keyEvents",
            {"eventName": "a", "countingMethod": "ONCE_PER_EVENT", "defaultValue": {"numericValue": "1"}},
        ),
        (f"{ADMIN}/dataStreams", {"type": "WEB_DATA_STREAM", "displayName": "A"}),
        (f"{ADMIN}/dataStreams", {"type": "RADIO", "displayName": "A"}),
        (f"{ADMIN}/customDimensions", {"parameterName": "a", "displayName": "A", "scope": "WORLD"}),
        (f"{ADMIN}/customDimensions", {"parameterName": "a b", "displayName": "A", "scope": "EVENT"}),
        (f"{ADMIN}/customMetrics", {"parameterName": "a", "displayName": "A", "scope": "EVENT"}),
        (f"{ADMIN}/customMetrics", {"scope": "EVENT", "measurementUnit": "CURRENCY"}),
        (f"/analyticsadmin/v1alpha/properties/{HARBOUR}/audiences", {"displayName": "A"}),
        (
            f"/analyticsadmin/v1alpha/properties/{HARBOUR}/dataStreams/{WEB_STREAM}/eventCreateRules",
            {"destinationEvent": "a", "eventConditions": []},
        ),
    ],
)
async def test_a_setting_that_cannot_be_is_refused(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> None:
    assert word(await client.post(path, json=body)) == (400, "INVALID_ARGUMENT")


async def test_a_property_has_thirty_key_events_of_its_own(client: httpx2.AsyncClient) -> None:
    answers = [
        await client.post(f"{ADMIN}/keyEvents", json={"eventName": f"e{number}", "countingMethod": "ONCE_PER_EVENT"})
        for number in range(30)
    ]
    assert [each.status_code for each in answers] == [200] * 29 + [400]
    assert word(answers[-1]) == (400, "FAILED_PRECONDITION")


async def test_properties_and_streams_out_of_reach_are_refused(client: httpx2.AsyncClient) -> None:
    for path in (f"/analyticsadmin/v1beta/properties/{number}" for number in ("310000003", "1")):
        assert word(await client.get(path)) == (403, "PERMISSION_DENIED")
    rules = f"/analyticsadmin/v1alpha/properties/{TIDES}/dataStreams/{WEB_STREAM}/eventCreateRules"
    assert word(await client.get(rules)) == (404, "NOT_FOUND")


async def test_what_was_set_up_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "analytics.json"
    for expected in (2, 3):
        async with (
            serving(sandbox(state)) as address,
            httpx2.AsyncClient(base_url=address, headers=as_(TOKEN_MARA), trust_env=False) as client,
        ):
            assert len((await client.get(f"{ADMIN}/keyEvents")).json()["keyEvents"]) == expected
            told = {"eventName": "kept", "countingMethod": "ONCE_PER_SESSION"}
            await client.post(f"{ADMIN}/keyEvents", json=told)


def test_the_visits_of_a_day_are_always_the_same_and_grow_over_the_years() -> None:
    def total(day: date) -> int:
        return sum(each.sessions for each in visits_of(day, 1.0))

    visits_of.cache_clear()
    before = total(date(2026, 11, 3))
    visits_of.cache_clear()
    assert total(date(2026, 11, 3)) == before > total(date(2025, 11, 4))
    assert total(date(2026, 11, 8)) < before  # a Sunday
