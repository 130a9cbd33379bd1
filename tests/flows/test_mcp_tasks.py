"""Approvals and long runs as the protocol's tasks, whose id is the execution's; and progress on the way."""

import asyncio
from typing import Any

import pytest

from gateway.doors import mcp_calls
from tests.flows.test_approvals import asked as shown
from tests.flows.test_approvals import decide, settled
from tests.support.gateways import Client, GrantedAgent, RunningGateway, agent_with_grant, connected
from tests.support.speaking import ISSUE, asked, called, posted, speaking

EXTENSION = "io.modelcontextprotocol/tasks"
CAPABLE: dict[str, Any] = {"extensions": {EXTENSION: {}}}
CALL = {"name": "github_create_issue", "arguments": ISSUE}
OLD = "2025-11-25"
PENDING = """
query { approvals(status: PENDING) { nodes { id planHash execution { id } } } }
"""
EXECUTION = "query ($id: ID!) { node(id: $id) { ... on Execution { status mode origin idempotencyKey } } }"


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture
async def agent(owner: Client) -> GrantedAgent:
    """One that asks before it changes anything."""
    return await agent_with_grant(owner, (await connected(owner)).id, approval="WRITE")


@pytest.fixture
async def free(owner: Client) -> GrantedAgent:
    """One that asks nobody."""
    return await agent_with_grant(owner, (await connected(owner)).id)


async def approve(owner: Client, task: str, *, approve: bool = True) -> None:
    nodes = (await owner.ask(PENDING))["approvals"]["nodes"]
    [question] = [each for each in nodes if each["execution"]["id"] == task]
    done = await decide(owner, question, approve=approve)
    assert done["errors"] == [], done


async def test_both_revisions_say_that_there_are_tasks(free: GrantedAgent) -> None:
    discovered = await asked(free.client, "server/discover")
    assert discovered["capabilities"]["extensions"] == {EXTENSION: {}}
    who = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    begun = await asked(free.client, "initialize", who, OLD)
    assert begun["capabilities"]["tasks"] == {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
    tools = (await asked(free.client, "tools/list", {}, OLD))["tools"]
    assert {each["execution"]["taskSupport"] for each in tools} == {"optional"}


async def test_what_waits_for_a_person_is_a_task_that_the_yes_completes(owner: Client, agent: GrantedAgent) -> None:
    task = await asked(agent.client, "tools/call", CALL, **CAPABLE)
    assert (task["resultType"], task["status"]) == ("task", "working")
    assert "approve" in task["statusMessage"]
    waiting = await asked(agent.client, "tasks/get", {"taskId": task["taskId"]}, **CAPABLE)
    assert (waiting["resultType"], waiting["status"]) == ("complete", "working")
    assert "result" not in waiting
    await approve(owner, task["taskId"])
    await settled(owner, task["taskId"])
    done = await asked(agent.client, "tasks/get", {"taskId": task["taskId"]}, **CAPABLE)
    assert done["status"] == "completed"
    assert done["result"]["structuredContent"]["title"] == "Lamp is dim"
    assert done["result"]["isError"] is False


async def test_a_no_is_a_cancelled_task(owner: Client, agent: GrantedAgent) -> None:
    task = (await asked(agent.client, "tools/call", CALL, **CAPABLE))["taskId"]
    await approve(owner, task, approve=False)
    done = await asked(agent.client, "tasks/get", {"taskId": task}, **CAPABLE)
    assert (done["status"], "result" in done) == ("cancelled", False)


async def test_a_client_without_tasks_is_told_in_words(agent: GrantedAgent) -> None:
    answer = await called(agent.client, "github_create_issue", ISSUE)
    assert answer.is_error
    assert answer.structured_content["status"] == "AWAITING_APPROVAL"
    assert answer.structured_content["execution"].startswith("exe_")


async def test_a_task_can_be_called_off(owner: Client, agent: GrantedAgent) -> None:
    task = (await asked(agent.client, "tools/call", CALL, **CAPABLE))["taskId"]
    assert "error" not in await asked(agent.client, "tasks/cancel", {"taskId": task}, **CAPABLE)
    assert (await settled(owner, task))["status"] == "CANCELLED"
    again = await asked(agent.client, "tasks/cancel", {"taskId": task}, **CAPABLE)
    assert "error" not in again
    old = await asked(agent.client, "tasks/cancel", {"taskId": task}, OLD)
    assert "ended already" in old["error"]["message"]


async def test_a_long_run_is_handed_over_and_found_again(
    gateway: RunningGateway, owner: Client, free: GrantedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_calls, "PROGRESS_SECONDS", 0.05)
    monkeypatch.setattr(mcp_calls, "HANDED_OVER_AFTER_SECONDS", 0.1)
    await gateway.misbehave("slow", "POST /repos/*", seconds=1)
    task = await asked(free.client, "tools/call", CALL, **CAPABLE)
    assert (task["resultType"], task["statusMessage"]) == ("task", "It is under way.")
    assert (await settled(owner, task["taskId"]))["status"] == "SUCCEEDED"
    done = await asked(free.client, "tasks/get", {"taskId": task["taskId"]}, **CAPABLE)
    assert done["result"]["structuredContent"]["title"] == "Lamp is dim"


async def test_in_the_old_revision_the_client_asks_for_the_task(owner: Client, free: GrantedAgent) -> None:
    begun = await asked(free.client, "tools/call", {**CALL, "task": {"ttl": 60_000}}, OLD)
    task = begun["task"]
    assert task["status"] == "working"
    seen = (await owner.ask(EXECUTION, {"id": task["taskId"]}))["node"]
    assert (seen["mode"], seen["origin"]) == ("BACKGROUND", "MCP")
    result = await asked(free.client, "tasks/result", {"taskId": task["taskId"]}, OLD)
    assert result["structuredContent"]["title"] == "Lamp is dim"
    assert result["_meta"]["io.modelcontextprotocol/related-task"] == {"taskId": task["taskId"]}
    got = await asked(free.client, "tasks/get", {"taskId": task["taskId"]}, OLD)
    assert (got["status"], got["pollInterval"]) == ("completed", 1000)
    tasks = (await asked(free.client, "tasks/list", {}, OLD))["tasks"]
    assert [each["taskId"] for each in tasks] == [task["taskId"]]


async def test_the_result_of_a_task_is_waited_for_until_a_person_has_decided(
    owner: Client, agent: GrantedAgent
) -> None:
    task = (await asked(agent.client, "tools/call", {**CALL, "task": {}}, OLD))["task"]["taskId"]
    waiting = asyncio.create_task(asked(agent.client, "tasks/result", {"taskId": task}, OLD))
    await approve(owner, task)
    result = await waiting
    assert result["structuredContent"]["title"] == "Lamp is dim"


async def test_a_task_that_is_not_admitted_is_an_error_with_the_reasons(free: GrantedAgent) -> None:
    wrong = await asked(free.client, "tools/call", {"name": "github_create_issue", "arguments": {}, "task": {}}, OLD)
    assert wrong["error"]["data"]["code"] == "INVALID_PARAMETERS"
    assert len(wrong["error"]["data"]["violations"]) == 3
    for name in ("search_actions", "describe_action"):
        assert "error" in await asked(free.client, "tools/call", {"name": name, "arguments": {}, "task": {}}, OLD)


async def test_others_tasks_are_not_there(owner: Client, agent: GrantedAgent) -> None:
    task = (await asked(agent.client, "tools/call", CALL, **CAPABLE))["taskId"]
    account = await connected(owner)
    other = await agent_with_grant(owner, account.id)
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        theirs = await asked(other.client, method, {"taskId": task}, **CAPABLE)
        nobodys = await asked(other.client, method, {"taskId": "exe_nonsense"}, **CAPABLE)
        assert theirs["error"]["code"] == nobodys["error"]["code"] == -32602
        assert theirs["error"]["message"] == nobodys["error"]["message"]
    mine = await asked(agent.client, "tasks/update", {"taskId": task, "inputResponses": {}}, **CAPABLE)
    assert "error" not in mine
    assert (await asked(other.client, "tasks/list", {}, OLD))["tasks"] == []


async def test_who_has_not_named_the_extension_is_told_to(agent: GrantedAgent) -> None:
    task = (await asked(agent.client, "tools/call", CALL, **CAPABLE))["taskId"]
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        answer = await asked(agent.client, method, {"taskId": task})
        assert answer["error"]["code"] == -32021
        assert EXTENSION in answer["error"]["data"]["requiredCapabilities"]["extensions"]
    for method in ("tasks/result", "tasks/list"):
        gone = await asked(agent.client, method, {"taskId": task}, **CAPABLE)
        assert gone["error"]["code"] == -32601


async def test_a_header_that_names_another_task_is_refused(agent: GrantedAgent) -> None:
    task = (await asked(agent.client, "tools/call", CALL, **CAPABLE))["taskId"]
    names = {"protocolVersion": "2026-07-28", "clientCapabilities": CAPABLE}
    meta = {f"io.modelcontextprotocol/{key}": value for key, value in names.items()}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": task, "_meta": meta}}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tasks/get"}
    answer = await posted(agent.client, body, **headers, **{"mcp-name": "exe_other"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    same = await posted(agent.client, body, **headers, **{"mcp-name": task})
    assert same.json()["result"]["status"] == "working"


async def test_graphql_and_mcp_tell_of_the_same_execution(owner: Client, agent: GrantedAgent) -> None:
    question = await shown(owner, agent)
    task = await asked(agent.client, "tasks/get", {"taskId": question["execution"]["id"]}, **CAPABLE)
    assert task["status"] == "working"


# ------------------------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
async def test_progress_is_told_while_a_call_lasts(
    gateway: RunningGateway, free: GrantedAgent, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    monkeypatch.setattr(mcp_calls, "PROGRESS_SECONDS", 0.05)
    await gateway.misbehave("slow", "POST /repos/*", seconds=1)
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with speaking(free.client, revision) as mcp:
        done = await mcp.call_tool("github_create_issue", dict(ISSUE), progress_callback=hear)
    assert not done.is_error, done
    assert [each for each, _ in heard] == sorted({each for each, _ in heard})
    assert {message for _, message in heard} >= {"It is being checked.", "It is under way."}


async def test_a_caller_that_goes_away_while_progress_is_told_leaves_an_execution_that_ends(
    gateway: RunningGateway, owner: Client, free: GrantedAgent
) -> None:
    await gateway.misbehave("slow", "POST /repos/*", seconds=1)
    params = {**CALL, "_meta": {"progressToken": 7}}
    async with owner.socket() as socket:
        await socket.subscribe("subscription { executionEvents { status execution { id } } }")
        going = asyncio.create_task(asked(free.client, "tools/call", params))
        begun = (await socket.next())["executionEvents"]
        going.cancel()
        ended = (await socket.next())["executionEvents"]
    assert (begun["status"], ended["status"]) == ("RUNNING", "SUCCEEDED")


async def test_progress_is_not_told_to_who_takes_no_events(free: GrantedAgent) -> None:
    params = {**CALL, "_meta": {"progressToken": 7}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = await posted(free.client, body, accept="application/json", **{"mcp-protocol-version": OLD})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["isError"] is False


async def test_a_key_of_the_callers_own_is_kept_while_progress_is_told(owner: Client, free: GrantedAgent) -> None:
    params = {"name": "github_create_issue", "arguments": {**ISSUE, "idempotency_key": "mine"}}
    done = await asked(free.client, "tools/call", {**params, "_meta": {"progressToken": 7}})
    seen = (await owner.ask(EXECUTION, {"id": done["_meta"]["mandate/execution"]}))["node"]
    assert seen["idempotencyKey"] == "mine"
