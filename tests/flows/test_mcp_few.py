"""Few tools for many: search, describe, execute; recorded and granted under each action's own name."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.gateways import GrantedAgent, RunningGateway, agent_with_grant, connected, running_gateway
from tests.support.servers import new_database
from tests.support.speaking import ISSUE, REVISIONS, called, listed, speaking, words


@pytest.fixture(scope="module")
async def gateway(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """One that lists no more than three tools."""
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path_factory.mktemp("gateway"), mcp_tools=3) as running,
    ):
        yield running


@pytest.fixture
async def agent(gateway: RunningGateway) -> GrantedAgent:
    owner = gateway.client()
    return await agent_with_grant(owner, (await connected(owner)).id)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_above_the_threshold_three_tools_lead_to_all(agent: GrantedAgent, revision: str) -> None:
    async with speaking(agent.client, revision) as mcp:
        names = [tool.name for tool in (await mcp.list_tools()).tools]
        found: Any = (await mcp.call_tool("search_actions", {"query": "open an issue"})).structured_content
        shown: Any = (await mcp.call_tool("describe_action", {"action": "github_create_issue"})).structured_content
        done = await mcp.call_tool("execute_action", {"action": "github_create_issue", "arguments": dict(ISSUE)})
    assert names == ["describe_action", "execute_action", "search_actions"]
    best = found["actions"][0]
    assert (best["action"], best["effect"], best["canExecute"]) == ("github_create_issue", "WRITE", True)
    assert {"owner", "repo", "title", "idempotency_key"} <= shown["inputSchema"]["properties"].keys()
    assert not done.is_error, done
    assert done.structured_content["title"] == "Lamp is dim"


async def test_at_the_threshold_the_tools_are_listed_themselves(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    actions = ["github.create_issue", "github.list_issues", "github.get_account"]
    few = await agent_with_grant(owner, account.id, actions=actions)
    assert set(await listed(few.client)) == {each.replace(".", "_") for each in actions}


async def test_what_is_executed_is_recorded_under_its_own_name(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    arguments: dict[str, Any] = {"action": "github.create_issue", "arguments": {**ISSUE, "idempotency_key": "lamp"}}
    first = await called(agent.client, "execute_action", arguments)
    again = await called(agent.client, "execute_action", arguments)
    direct = await called(agent.client, "github_create_issue", {**ISSUE, "idempotency_key": "lamp"})
    assert first.meta is not None
    assert first.meta == again.meta == direct.meta
    refused = await called(agent.client, "execute_action", {"action": "github_delete_file", "arguments": {}})
    assert refused.is_error
    events = (await owner.ask("{ auditEvents(first: 4) { nodes { type action reason } } }"))["auditEvents"]["nodes"]
    assert events[0] == {"type": "execution.refused", "action": "github.delete_file", "reason": "invalid_parameters"}
    assert [each["action"] for each in events[1:3]] == ["github.create_issue"] * 2


async def test_what_may_not_be_run_is_found_and_says_so(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id, "READ_ONLY")
    found: Any = (await called(agent.client, "search_actions", {"query": "open an issue"})).structured_content
    [issue] = [each for each in found["actions"] if each["action"] == "github_create_issue"]
    assert issue["canExecute"] is False
    shown = await called(agent.client, "describe_action", {"action": "github_create_issue"})
    assert shown.is_error
    assert "READ_WRITE" in words(shown)
    done = await called(agent.client, "execute_action", {"action": "github_create_issue", "arguments": dict(ISSUE)})
    assert done.structured_content["reason"] == "grant_level"


@pytest.mark.parametrize(
    ("name", "arguments", "pointers"),
    [
        ("search_actions", {"limit": 0}, ["/query", "/limit"]),
        ("search_actions", {"query": "issue", "limit": True}, ["/limit"]),
        ("describe_action", {}, ["/action"]),
        ("describe_action", {"action": "github_nothing"}, ["/action"]),
        ("execute_action", {"action": 1, "arguments": {}}, ["/action"]),
        ("execute_action", {"action": "github_create_issue", "arguments": []}, ["/arguments"]),
    ],
)
async def test_mistakes_in_the_three_are_told(
    agent: GrantedAgent, name: str, arguments: dict[str, Any], pointers: list[str]
) -> None:
    answer = await called(agent.client, name, arguments)
    assert answer.is_error
    assert [each["pointer"] for each in answer.structured_content["violations"]] == pointers


async def test_an_unknown_action_is_an_answer_that_the_model_can_correct(agent: GrantedAgent) -> None:
    answer = await called(agent.client, "execute_action", {"action": "github_create_isue", "arguments": {}})
    assert answer.structured_content["code"] == "NOT_FOUND"
