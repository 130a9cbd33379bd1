"""One key, one execution, one effect: however often, at the same time, through whichever form of the key."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from domain.json import Json
from tests.support.gateways import (
    EXECUTE,
    Client,
    GrantedAgent,
    RunningGateway,
    agent_with_grant,
    connected,
    running_gateway,
)
from tests.support.servers import new_database

ISSUE: dict[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Once"}


@pytest.fixture(scope="module")
async def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture(scope="module")
async def agent(owner: Client) -> GrantedAgent:
    return await agent_with_grant(owner, (await connected(owner)).id)


async def _total(gateway: RunningGateway) -> int:
    total: int = (await gateway.effects())["total"]
    return total


async def test_a_hundred_at_once_are_one(gateway: RunningGateway, agent: GrantedAgent) -> None:
    before = await _total(gateway)
    asked = (agent.client.execute("github.create_issue", ISSUE, idempotencyKey="hundred") for _ in range(100))
    answers = await asyncio.gather(*asked)
    assert answers[0]["execution"]["status"] == "SUCCEEDED", answers[0]
    assert all(answer == answers[0] for answer in answers)
    assert await _total(gateway) == before + 1
    query = '{ executions(action: "github.create_issue") { nodes { idempotencyKey } } }'
    keys = [each["idempotencyKey"] for each in (await agent.client.ask(query))["executions"]["nodes"]]
    assert keys.count("hundred") == 1


async def test_without_a_key_each_call_is_its_own(gateway: RunningGateway, agent: GrantedAgent) -> None:
    before = await _total(gateway)
    first = await agent.client.execute("github.create_issue", ISSUE)
    second = await agent.client.execute("github.create_issue", ISSUE)
    assert first["execution"]["id"] != second["execution"]["id"]
    assert await _total(gateway) == before + 2


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("github.create_issue", {**ISSUE, "title": "Another"}),
        ("github.create_issue", {**ISSUE, "body": None}),
        ("github.get_repo", {"owner": "lin-harbour", "repo": "lighthouse"}),
    ],
)
async def test_the_same_key_for_something_else_is_a_conflict(
    gateway: RunningGateway, agent: GrantedAgent, action: str, parameters: Json
) -> None:
    key = f"other-{action}-{hash(str(parameters))}"
    first = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey=key)
    before = await _total(gateway)
    done = await agent.client.execute(action, parameters, idempotencyKey=key)
    [error] = done["errors"]
    assert (done["execution"], error["__typename"]) == (None, "Conflict")
    assert error["path"] == ["input", "idempotencyKey"]
    assert await _total(gateway) == before
    again = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey=key)
    assert again == first


async def test_the_order_of_members_makes_no_other_request(agent: GrantedAgent) -> None:
    first = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey="order")
    turned = dict(reversed(ISSUE.items()))
    again = await agent.client.execute("github.create_issue", turned, idempotencyKey="order")
    assert again["execution"]["id"] == first["execution"]["id"]


async def test_the_header_is_the_field(gateway: RunningGateway, agent: GrantedAgent) -> None:
    variables: dict[str, Json] = {"input": {"action": "github.create_issue", "parameters": ISSUE}}
    by_header = await agent.client.ask(EXECUTE, variables, **{"idempotency-key": "same-thing"})
    by_field = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey="same-thing")
    assert by_header["execute"] == by_field
    assert by_field["execution"]["idempotencyKey"] == "same-thing"
    both: dict[str, Json] = {
        "input": {"action": "github.create_issue", "parameters": ISSUE, "idempotencyKey": "same-thing"}
    }
    assert (await agent.client.ask(EXECUTE, both, **{"idempotency-key": "same-thing"}))["execute"] == by_field
    torn = (await agent.client.ask(EXECUTE, both, **{"idempotency-key": "another"}))["execute"]
    assert torn["errors"][0]["code"] == "INVALID_INPUT"


async def test_two_callers_may_use_the_same_key(agent: GrantedAgent, owner: Client) -> None:
    of_agent = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey="shared")
    of_person = await owner.execute("github.create_issue", ISSUE, idempotencyKey="shared")
    assert of_agent["execution"]["id"] != of_person["execution"]["id"]


async def test_a_refused_attempt_does_not_use_the_key_up(agent: GrantedAgent) -> None:
    refused = await agent.client.execute("github.create_issue", {"owner": "x"}, idempotencyKey="after-refusal")
    assert refused["errors"][0]["code"] == "INVALID_PARAMETERS"
    done = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey="after-refusal")
    assert done["execution"]["status"] == "SUCCEEDED"


@pytest.mark.parametrize(("fault", "status"), [("422", "FAILED"), ("lost_answer", "UNKNOWN")])
async def test_what_failed_or_is_unknown_is_not_tried_again_under_its_key(
    gateway: RunningGateway, agent: GrantedAgent, fault: str, status: str
) -> None:
    await gateway.misbehave(fault, "POST /repos/*/issues")
    first = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey=f"ends-{fault}")
    assert first["execution"]["status"] == status
    before = await _total(gateway)
    assert await agent.client.execute("github.create_issue", ISSUE, idempotencyKey=f"ends-{fault}") == first
    assert await _total(gateway) == before


async def test_a_caller_that_goes_away_leaves_its_execution_running_and_finds_it_by_key(
    gateway: RunningGateway, agent: GrantedAgent
) -> None:
    before = await _total(gateway)
    await gateway.misbehave("slow", "POST /repos/*/issues", seconds=0.5)
    after = (await agent.client.ask("{ historyCursor }"))["historyCursor"]
    watch = "subscription ($after: String) { executionEvents(after: $after) { status } }"
    async with agent.client.socket() as socket:
        await socket.subscribe(watch, {"after": after})
        asking = asyncio.ensure_future(agent.client.execute("github.create_issue", ISSUE, idempotencyKey="goes-away"))
        assert (await socket.next())["executionEvents"]["status"] == "RUNNING"
        asking.cancel()
        assert (await socket.next())["executionEvents"]["status"] == "SUCCEEDED"
    found = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey="goes-away")
    assert found["execution"]["status"] == "SUCCEEDED"
    assert await _total(gateway) == before + 1


async def test_a_key_is_remembered_after_a_restart(postgres_url: str, migrated_template: str, tmp_path: Path) -> None:
    async with new_database(postgres_url, migrated_template) as address:
        async with running_gateway(address, tmp_path) as first:
            owner = first.client(tenant="acme")
            agent = await agent_with_grant(owner, (await connected(owner)).id)
            done = await agent.client.execute("github.create_issue", ISSUE, idempotencyKey="restart")
            effects = await _total(first)
        async with running_gateway(address, tmp_path) as second:
            assert urlsplit(second.url).port != urlsplit(first.url).port
            again = Client(second.url, agent.client.token)
            assert await again.execute("github.create_issue", ISSUE, idempotencyKey="restart") == done
            assert effects > 0
            assert await _total(second) == 0, "the second process sent nothing"
