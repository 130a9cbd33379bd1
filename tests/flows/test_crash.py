"""kill -9 while an action is under way: nothing is lost, nothing is done twice, and nothing is called what it is not.

The lease of an execution outlives its process by half a minute, so that a slow process is not taken for a dead one. The
tests do not wait for it: they write into the row the moment at which it will have passed.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from domain.json import Json
from tests.flows.ageing import ageing
from tests.support.fleets import Fleet, connected_by_key, fleet
from tests.support.gateways import Client, GrantedAgent, agent_with_grant
from tests.support.servers import new_database

WATCH = "subscription ($after: String) { executionEvents(after: $after) { status execution { id } } }"
READ = """query ($id: ID!) { node(id: $id) { ... on Execution {
  status whatToCheck error { code isRetryable } finishedAt
} } }"""


@pytest.fixture
async def ships(postgres_url: str, migrated_template: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with new_database(postgres_url, migrated_template) as address, fleet(address, tmp_path) as alone:
        yield alone


async def _killed_meanwhile(ships: Fleet, action: str, parameters: Json, match: str) -> tuple[GrantedAgent, str]:
    """The agent and the execution that was under way when its process was killed."""
    async with ships.process() as process:
        owner = ships.client(process)
        agent = await agent_with_grant(owner, await connected_by_key(owner))
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        await ships.misbehave("slow", match, seconds=5)
        async with owner.socket() as watching:
            await watching.subscribe(WATCH, {"after": after})
            asking = asyncio.ensure_future(
                agent.client.execute(action, parameters, deadlineSeconds=1, idempotencyKey="killed")
            )
            event = (await watching.next())["executionEvents"]
            assert event["status"] == "RUNNING"
            await process.end(signal.SIGKILL)
        with suppress(httpx2.TransportError):
            await asking
        return agent, str(event["execution"]["id"])


async def _settled(ships: Fleet, owner: Client, execution: str, after: str) -> Any:
    """The execution, once its lease has passed and somebody looked."""
    async with owner.socket() as watching:
        await watching.subscribe(WATCH, {"after": after})
        async with ageing(ships.environ["DATABASE_URL"]) as database:
            await database.age_lease(execution)
        event = (await watching.next())["executionEvents"]
    assert event["execution"]["id"] == execution
    found = (await owner.ask(READ, {"id": execution}))["node"]
    assert found["status"] == event["status"]
    return found


async def test_a_write_that_was_under_way_is_unknown_and_is_not_repeated(ships: Fleet) -> None:
    issue: Json = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Meets kill -9"}
    agent, execution = await _killed_meanwhile(ships, "github.create_issue", issue, "POST /repos/*/issues")
    async with ships.process() as process:
        owner = ships.client(process)
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        assert (await owner.ask(READ, {"id": execution}))["node"]["status"] == "RUNNING", "its lease has not passed"
        found = await _settled(ships, owner, execution, after)
        assert (found["status"], found["error"]) == ("UNKNOWN", {"code": "INTERNAL", "isRetryable": False})
        assert "an issue with this title" in found["whatToCheck"]
        before = await ships.total()
        again = await Client(process.url, agent.client.token).execute(
            "github.create_issue", issue, idempotencyKey="killed"
        )
        assert (again["execution"]["id"], again["execution"]["status"]) == (execution, "UNKNOWN")
        assert await ships.total() <= before + 1  # the slow service may still have done it, once
        events = "query ($id: ID!) { auditEvents(execution: $id) { nodes { type } } }"
        told = (await owner.ask(events, {"id": execution}))["auditEvents"]["nodes"]
        assert [each["type"] for each in reversed(told)] == ["execution.started", "execution.unknown"]


async def test_a_read_that_was_under_way_has_failed_and_may_be_repeated(ships: Fleet) -> None:
    one: Json = {"owner": "lin-harbour", "repo": "lighthouse", "number": 1}
    _, execution = await _killed_meanwhile(ships, "github.get_issue", one, "GET /repos/*/issues/*")
    async with ships.process() as process:
        owner = ships.client(process)
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        found = await _settled(ships, owner, execution, after)
        assert (found["status"], found["error"]) == ("FAILED", {"code": "INTERNAL", "isRetryable": True})
        assert found["whatToCheck"] is None
