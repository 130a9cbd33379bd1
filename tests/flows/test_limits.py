"""The operator's limits, through a whole gateway: who waits is told when to come back, and over how many processes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.json import Json
from tests.support.gateways import RunningGateway, agent_with_grant, connected, running_gateway
from tests.support.servers import new_database

REPO: dict[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse"}
LIMITS: Json = {"limits": {"tenant_per_minute": 1, "burst_seconds": 180}}  # three at once, then one a minute


@pytest.fixture
async def pair(postgres_url: str, migrated_template: str, tmp_path: Path) -> AsyncIterator[list[RunningGateway]]:
    """Two gateways on one database."""
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path, file=LIMITS) as one,
        running_gateway(address, tmp_path, file=LIMITS) as other,
    ):
        yield [one, other]


async def test_a_limit_is_shared_by_all_processes_and_kept_apart_for_each_tenant(pair: list[RunningGateway]) -> None:
    first, second = pair
    owner, same = first.client(tenant="acme"), second.client(tenant="acme")
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    await connected(first.client(tenant="other"))
    done = [await each.execute("github.get_repo", REPO) for each in (owner, agent.client, owner, same, agent.client)]
    assert [each["errors"] or each["execution"]["status"] for each in done[:3]] == ["SUCCEEDED"] * 3
    for refused in done[3:]:
        [error] = refused["errors"]
        assert (error["__typename"], error["code"]) == ("RateLimited", "RATE_LIMITED")
        assert "This tenant has reached the limit" in error["message"]
        assert datetime.fromisoformat(error["freeAt"]) > datetime.now(UTC)
    theirs = await first.client(tenant="other").execute("github.get_repo", REPO)
    assert theirs["execution"]["status"] == "SUCCEEDED"
    queued = await agent.client.execute("github.get_repo", REPO, mode="BACKGROUND")
    assert queued["execution"]["status"] == "QUEUED", "what nobody waits for is not refused"
