"""Two real `mandate serve` processes on one PostgreSQL and one Redis: what happens at one is seen at the other."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.fleets import Fleet, connected_by_key, fleet
from tests.support.gateways import Client, GrantedAgent, agent_with_grant
from tests.support.servers import new_database

ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}
WATCH = "subscription ($after: String) { executionEvents(after: $after) { cursor status execution { id } } }"


@pytest.fixture
async def ships(postgres_url: str, migrated_template: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with new_database(postgres_url, migrated_template) as address, fleet(address, tmp_path, redis_url) as both:
        yield both


async def _run(agent: GrantedAgent, url: str, title: str = "Fog") -> str:
    done = await Client(url, agent.client.token).execute("github.create_issue", {**ISSUE, "title": title})
    assert done["execution"]["status"] == "SUCCEEDED", done
    return str(done["execution"]["id"])


async def test_one_process_is_watched_through_the_other_and_may_die(ships: Fleet) -> None:
    async with ships.process() as first, ships.process() as second:
        owner = ships.client(first)
        agent = await agent_with_grant(owner, await connected_by_key(owner))
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        seen: list[Any] = []
        async with ships.client(second).socket() as watching:
            await watching.subscribe(WATCH, {"after": after})
            ran = [await _run(agent, first.url)]
            seen += [(await watching.next())["executionEvents"] for _ in range(2)]
            ran.append(await _run(agent, first.url))
            seen.append((await watching.next())["executionEvents"])
            await second.end(signal.SIGKILL)
            with suppress(ConnectionClosed):  # what was on its way when the process died may still arrive, or not
                while True:
                    seen.append((await watching.next())["executionEvents"])
        ran += [await _run(agent, first.url) for _ in range(3)]
        async with ships.client(first).socket() as again:
            await again.subscribe(WATCH, {"after": seen[-1]["cursor"]})
            while len(seen) < 2 * len(ran):
                seen.append((await again.next())["executionEvents"])
    assert [(each["execution"]["id"], each["status"]) for each in seen] == [
        (id, status) for id in ran for status in ("RUNNING", "SUCCEEDED")
    ]
    assert len({each["cursor"] for each in seen}) == len(seen)


async def test_one_key_at_two_processes_is_one_execution(ships: Fleet) -> None:
    async with ships.process() as first, ships.process() as second:
        owner = ships.client(first)
        agent = await agent_with_grant(owner, await connected_by_key(owner))
        before = await ships.total()
        clients = [Client(each.url, agent.client.token) for each in (first, second)] * 10
        answers = await asyncio.gather(
            *(each.execute("github.create_issue", ISSUE, idempotencyKey="everywhere") for each in clients)
        )
        assert answers[0]["execution"]["status"] == "SUCCEEDED"
        assert all(answer == answers[0] for answer in answers)
        assert await ships.total() == before + 1
        revoke = "mutation ($id: ID!) { revokeGrant(input: {id: $id}) { errors { code } } }"
        await owner.ask(revoke, {"id": agent.grant})
        refused = await Client(second.url, agent.client.token).execute("github.create_issue", ISSUE)
        assert refused["errors"][0]["reason"] == "grant_in_force", "what one process revokes, the other refuses"


async def test_a_process_that_is_told_to_stop_sees_through_what_is_under_way(ships: Fleet) -> None:
    async with ships.process() as process:
        owner = ships.client(process)
        agent = await agent_with_grant(owner, await connected_by_key(owner))
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        await ships.misbehave("slow", "POST /repos/*/issues", seconds=1)
        async with owner.socket() as watching:
            await watching.subscribe(WATCH, {"after": after})
            running = asyncio.ensure_future(_run(agent, process.url))
            assert (await watching.next())["executionEvents"]["status"] == "RUNNING"
            ended = asyncio.ensure_future(process.end(signal.SIGTERM))
            assert await running
        assert await ended in (0, -signal.SIGTERM)
        assert "Traceback" not in process.log.read_text()
