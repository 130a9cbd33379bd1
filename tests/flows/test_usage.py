"""Figures about use, asked through the door."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.callers import Role
from domain.json import Json
from tests.support.gateways import Client, RunningGateway, agent_with_grant, connected

USAGE = """query ($since: DateTime!, $until: DateTime, $interval: UsageInterval, $integration: String, $agent: ID) {
  usage(since: $since, until: $until, interval: $interval, integration: $integration, agent: $agent) {
    start executions succeeded failed unknown refused p50Ms p95Ms
  }
}"""
BREAKDOWN = """query ($by: UsageDimension!, $since: DateTime!, $until: DateTime, $first: Int) {
  usageBreakdown(by: $by, since: $since, until: $until, first: $first) {
    key label executions succeeded failed unknown refused p95Ms
  }
}"""
ONE: Json = {"owner": "lin-harbour", "repo": "lighthouse", "number": 1}
ISSUE: Json = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Counted"}


def _ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def _sums(buckets: Any) -> dict[str, int]:
    names = ("executions", "succeeded", "failed", "unknown", "refused")
    return {name: sum(each[name] for each in buckets) for name in names}


async def _busy(gateway: RunningGateway, owner: Client) -> tuple[str, str]:
    """Three reads, a failure, something unknown, two refusals. The connection and the agent."""
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    for _ in range(3):
        await agent.client.execute("github.get_issue", ONE)
    await agent.client.execute("github.get_issue", {**ONE, "number": 999})  # type: ignore[dict-item]  # JSON
    await gateway.misbehave("lost_answer", "POST /repos/*/issues")
    assert (await agent.client.execute("github.create_issue", ISSUE))["execution"]["status"] == "UNKNOWN"
    await agent.client.execute("github.delete_repo", {"owner": "lin-harbour", "repo": "ledger"})
    await agent.client.execute("github.no_such_thing", {})
    return account.id, agent.agent


async def test_what_was_executed_is_counted_by_hour_and_day_and_broken_down(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account, agent = await _busy(gateway, owner)
    expected = {"executions": 7, "succeeded": 3, "failed": 1, "unknown": 1, "refused": 2}
    days = (await owner.ask(USAGE, {"since": _ago(days=2)}))["usage"]
    hours = (await owner.ask(USAGE, {"since": _ago(hours=3), "interval": "HOUR"}))["usage"]
    assert _sums(days) == _sums(hours) == expected
    assert len(days) == 3
    assert len(hours) == 4
    assert all(each["start"].endswith("T00:00:00+00:00") for each in days)
    busiest = max(days, key=lambda each: each["executions"])
    assert busiest["p50Ms"] is not None
    assert busiest["p50Ms"] <= busiest["p95Ms"]
    mine = await owner.ask(USAGE, {"since": _ago(days=1), "agent": agent, "integration": "github"})
    assert _sums(mine["usage"]) == {**expected, "executions": 6, "refused": 1}
    assert _sums((await owner.ask(USAGE, {"since": _ago(days=1), "integration": "slack"}))["usage"])["executions"] == 0

    async def shares(by: str, **more: Json) -> dict[str, tuple[str, int]]:
        asked = {"by": by, "since": _ago(days=1), **more}
        found = (await owner.ask(BREAKDOWN, asked))["usageBreakdown"]
        return {each["key"]: (each["label"], each["executions"]) for each in found}

    assert await shares("INTEGRATION") == {"github": ("GitHub", 6), "": ("Not in the catalogue", 1)}
    assert await shares("AGENT") == {agent: ("worker", 7)}
    assert {key: many for key, (_, many) in (await shares("ACTION")).items()} == {
        "github.get_issue": 4,
        "github.create_issue": 1,
        "github.delete_repo": 1,
        "": 1,
    }
    assert await shares("CONNECTION") == {
        account: ("lin-harbour", 5),
        "": ("Refused before an account was chosen", 2),
    }
    assert list(await shares("CONNECTION", first=1)) == [account]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "after `since`"),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-03-01T00:00:00Z", "interval": "HOUR"}, "At most 31 days"),
        ({"since": "2001-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "At most 366 days"),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "2026-01-01T00:00:00Z"}, "outside the years"),
    ],
)
async def test_spans_that_are_none_or_too_long_are_refused_in_words(
    gateway: RunningGateway, asked: dict[str, Json], told: str
) -> None:
    answer = await gateway.client().answer(USAGE, asked)
    assert told in answer["errors"][0]["message"]
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_agents_are_not_told_and_other_tenants_see_nothing(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    await agent.client.execute("github.get_issue", ONE)
    assert "errors" in await agent.client.answer(USAGE, {"since": _ago(days=1)})
    other = await gateway.client(Role.AUDITOR).ask(USAGE, {"since": _ago(days=1)})
    assert _sums(other["usage"])["executions"] == 0
