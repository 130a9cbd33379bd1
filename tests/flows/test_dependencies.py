"""PostgreSQL and Redis going away under a running gateway, and coming back without a restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.events.outages import PrivateRedis, private_redis
from tests.support.gateways import (
    EXECUTE,
    Client,
    GrantedAgent,
    RunningGateway,
    agent_with_grant,
    connected,
    running_gateway,
)
from tests.support.proxies import Proxy, proxied
from tests.support.servers import new_database

ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}
WATCH = "subscription ($after: String) { executionEvents(after: $after) { cursor status execution { id } } }"


class Stage:
    """A gateway whose database, or Redis, is reached by way of a proxy."""

    def __init__(self, gateway: RunningGateway, proxy: Proxy, owner: Client, agent: GrantedAgent) -> None:
        self.gateway = gateway
        self.proxy = proxy
        self.owner = owner
        self.agent = agent


@pytest.fixture
async def stage(postgres_url: str, migrated_template: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with (
        new_database(postgres_url, migrated_template) as address,
        proxied(address) as proxy,
        running_gateway(proxy.url, tmp_path) as gateway,
    ):
        owner = gateway.client()
        yield Stage(gateway, proxy, owner, await agent_with_grant(owner, (await connected(owner)).id))


async def _ready(gateway: RunningGateway) -> tuple[int, Any]:
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        answer = await http.get(f"{gateway.url}/readyz")
        return answer.status_code, answer.json()


async def _until_ready(gateway: RunningGateway) -> None:
    """How a load balancer sees it: asked again and again."""
    async with asyncio.timeout(30):
        while (await _ready(gateway))[0] != 200:
            await asyncio.sleep(0.1)


async def _unavailable(client: Client, **more: str) -> int:
    """The HTTP status of an execution that was told UNAVAILABLE."""
    answer = await client.post(EXECUTE, {"input": {"action": "github.create_issue", "parameters": ISSUE, **more}})
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "UNAVAILABLE", answer.text
    assert "try again" in error["message"].lower()
    return answer.status_code


@pytest.mark.parametrize("trouble", ["refused", "swallowed"])
async def test_without_postgresql_nothing_is_accepted_and_it_heals_by_itself(stage: Stage, trouble: str) -> None:
    before = await stage.gateway.effects()
    if trouble == "refused":
        await stage.proxy.refuse()
    else:
        stage.proxy.swallow()
    of_agent, of_person, (status, told) = await asyncio.gather(
        _unavailable(stage.agent.client), _unavailable(stage.owner), _ready(stage.gateway)
    )
    assert of_agent == 503, "even the key cannot be looked up"
    assert of_person == 200
    assert (status, told["database"]) == (503, "down")
    async with httpx2.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{stage.gateway.url}/healthz")).status_code == 200
    assert await stage.gateway.effects() == before
    await stage.proxy.open()
    await _until_ready(stage.gateway)
    done = await stage.agent.client.execute("github.create_issue", ISSUE)
    assert done["execution"]["status"] == "SUCCEEDED"


@pytest.mark.parametrize("trouble", ["refused", "swallowed"])
async def test_a_crowd_is_told_too_and_nobody_is_left_waiting(stage: Stage, trouble: str) -> None:
    if trouble == "refused":
        await stage.proxy.refuse()
    else:
        stage.proxy.swallow()
    clients = [stage.agent.client, stage.owner] * 20
    assert set(await asyncio.gather(*map(_unavailable, clients))) == {200, 503}
    await stage.proxy.open()
    await _until_ready(stage.gateway)
    done = await asyncio.gather(*(each.execute("github.create_issue", ISSUE) for each in clients[:4]))
    assert {each["execution"]["status"] for each in done} == {"SUCCEEDED"}


async def test_reading_without_postgresql_is_unavailable_too(stage: Stage) -> None:
    operations = ("{ connections { totalCount } }", "{ historyCursor }", "{ auditEvents { nodes { id } } }")
    await stage.proxy.refuse()
    for operation in operations:
        answer = await stage.owner.answer(operation)
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    await stage.proxy.open()
    await _until_ready(stage.gateway)
    for operation in operations:
        await stage.owner.ask(operation)


async def test_a_result_waits_for_the_database_rather_than_being_lost(stage: Stage) -> None:
    await stage.gateway.misbehave("slow", "POST /repos/*/issues", seconds=0.7)
    after = (await stage.owner.ask("{ historyCursor }"))["historyCursor"]
    async with stage.owner.socket() as socket:
        await socket.subscribe(WATCH, {"after": after})
        running = asyncio.ensure_future(stage.agent.client.execute("github.create_issue", ISSUE))
        assert (await socket.next())["executionEvents"]["status"] == "RUNNING"
        await stage.proxy.refuse()
        while not (await stage.gateway.effects())["effects"].get("POST /repos/{owner}/{repo}/issues"):
            await asyncio.sleep(0.05)
        await stage.proxy.open()
        assert (await running)["execution"]["status"] == "SUCCEEDED"
        assert (await socket.next())["executionEvents"]["status"] == "SUCCEEDED", "the subscriber missed nothing"


async def test_a_subscriber_misses_nothing_while_postgresql_is_away(stage: Stage) -> None:
    after = (await stage.owner.ask("{ historyCursor }"))["historyCursor"]
    async with stage.owner.socket() as socket:
        await socket.subscribe(WATCH, {"after": after})
        await stage.agent.client.execute("github.create_issue", ISSUE)
        assert [(await socket.next())["executionEvents"]["status"] for _ in range(2)] == ["RUNNING", "SUCCEEDED"]
        await stage.proxy.refuse()
        await _unavailable(stage.owner)
        await stage.proxy.open()
        await _until_ready(stage.gateway)
        done = await stage.agent.client.execute("github.create_issue", ISSUE)
        seen = [(await socket.next())["executionEvents"] for _ in range(2)]
    assert [(each["status"], each["execution"]["id"]) for each in seen] == [
        ("RUNNING", done["execution"]["id"]),
        ("SUCCEEDED", done["execution"]["id"]),
    ]


async def test_connecting_while_postgresql_is_away_shows_a_page_that_says_so(stage: Stage) -> None:
    begun = await stage.owner.ask(
        'mutation { connect(input: {integration: "github"}) { session { authorizationUrl } } }'
    )
    await stage.proxy.refuse()
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(begun["connect"]["session"]["authorizationUrl"])
    assert answer.status_code == 503
    assert "Try again in a moment" in answer.text


# -------------------------------------------------------------------------------------------------- Redis


@pytest.fixture
async def redis() -> AsyncIterator[PrivateRedis]:
    async with private_redis() as server:
        yield server


@pytest.mark.parametrize("trouble", ["killed", "swallowed"])
async def test_without_redis_executions_succeed_and_subscribers_miss_nothing(
    postgres_url: str, migrated_template: str, tmp_path: Path, redis: PrivateRedis, trouble: str
) -> None:
    async with (
        new_database(postgres_url, migrated_template) as address,
        proxied(redis.url) as proxy,
        running_gateway(address, tmp_path, redis_url=proxy.url) as acting,
        running_gateway(address, tmp_path, redis_url=proxy.url) as watching,
    ):
        owner = acting.client(tenant="acme")
        agent = await agent_with_grant(owner, (await connected(owner)).id)
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        async with watching.client(tenant="acme").socket() as socket:
            await socket.subscribe(WATCH, {"after": after})
            ids = [await _issue(agent)]
            if trouble == "killed":
                redis.kill()
            else:
                proxy.swallow()
            ids += [await _issue(agent) for _ in range(3)]
            status, _ = await _ready(watching)
            assert status == 200, "a silent bus costs speed, not events"
            if trouble == "killed":
                await redis.start()
            else:
                await proxy.open()
            ids += [await _issue(agent) for _ in range(3)]
            seen = [(await socket.next())["executionEvents"] for _ in range(2 * len(ids))]
    assert [each["execution"]["id"] for each in seen if each["status"] == "RUNNING"] == ids
    assert [each["execution"]["id"] for each in seen if each["status"] == "SUCCEEDED"] == ids


async def _issue(agent: GrantedAgent) -> str:
    done = await agent.client.execute("github.create_issue", ISSUE)
    assert done["execution"]["status"] == "SUCCEEDED", done
    return str(done["execution"]["id"])
