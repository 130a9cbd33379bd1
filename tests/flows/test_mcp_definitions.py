"""The same tools in the shapes of model vendors over GraphQL, and their calls brought back to `execute`."""

import json
from typing import Any

import pytest

from domain.callers import Role
from domain.tool_shapes import ToolFormat
from tests.support.gateways import ERRORS, Client, RunningGateway, agent_with_grant, connected
from tests.support.speaking import ISSUE, called, listed

DEFINITIONS = """
query ($format: ToolFormat!, $integration: String) {
  toolDefinitions(format: $format, integration: $integration) { name definition action { slug } }
}
"""
RUN = f"""
mutation ($input: ExecuteToolInput!) {{ executeTool(input: $input) {{
  execution {{ id status origin mode idempotencyKey parameters }} answer {ERRORS}
}} }}
"""
FULL = {**ISSUE, "body": None, "labels": None, "assignees": None, "idempotency_key": None}
CALLS: dict[ToolFormat, Any] = {
    ToolFormat.OPENAI: {"type": "function_call", "call_id": "call_1", "arguments": json.dumps(FULL)},
    ToolFormat.ANTHROPIC: {"type": "tool_use", "id": "toolu_1", "input": ISSUE},
    ToolFormat.GEMINI: {"functionCall": {"name": "github_create_issue", "args": ISSUE}},
    ToolFormat.MCP: {"arguments": ISSUE},
    ToolFormat.JSON_SCHEMA: {"arguments": ISSUE},
}


async def definitions(caller: Client, format: ToolFormat, integration: str | None = None) -> Any:
    variables = {"format": format.value, "integration": integration}
    return (await caller.ask(DEFINITIONS, variables))["toolDefinitions"]


async def run(caller: Client, format: ToolFormat, call: Any, **more: Any) -> Any:
    call = {"name": "github_create_issue", **call}
    return (await caller.ask(RUN, {"input": {"format": format.value, "call": call, **more}}))["executeTool"]


@pytest.mark.parametrize("format", ToolFormat)
async def test_a_call_in_each_vendors_shape_is_an_execution(gateway: RunningGateway, format: ToolFormat) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, (await connected(owner)).id, actions=["github.create_issue"])).client
    [found] = await definitions(agent, format)
    assert (found["name"], found["action"]["slug"]) == ("github_create_issue", "github.create_issue")
    done = await run(agent, format, CALLS[format])
    assert done["errors"] == []
    execution = done["execution"]
    assert (execution["status"], execution["origin"]) == ("SUCCEEDED", "GRAPHQL")
    assert execution["parameters"]["title"] == "Lamp is dim"
    assert "Lamp is dim" in json.dumps(done["answer"])
    again = await run(agent, format, CALLS[format])
    has_name = format in (ToolFormat.OPENAI, ToolFormat.ANTHROPIC)
    assert (again["execution"]["id"] == execution["id"]) is has_name


async def test_what_mcp_lists_is_what_graphql_defines(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, (await connected(owner)).id, "READ_ONLY")).client
    over_mcp = await listed(agent)
    over_graphql = {each["name"]: each["definition"] for each in await definitions(agent, ToolFormat.MCP)}
    told = {name: tool.model_dump(by_alias=True, exclude_none=True) for name, tool in over_mcp.items()}
    for each in told.values():
        each.pop("execution", None)
    assert told == over_graphql


async def test_a_refusal_is_told_to_the_program_and_to_the_model(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, (await connected(owner)).id, "READ_ONLY")).client
    done = await run(agent, ToolFormat.ANTHROPIC, CALLS[ToolFormat.ANTHROPIC])
    assert done["execution"] is None
    assert done["errors"][0]["reason"] == "grant_level"
    assert done["answer"]["is_error"] is True
    assert "Nothing was sent" in done["answer"]["content"]
    unknown = await run(agent, ToolFormat.MCP, {"name": "github_nothing", "arguments": {}})
    assert unknown["errors"][0]["code"] == "NOT_FOUND"


async def test_what_is_no_call_has_no_answer(gateway: RunningGateway) -> None:
    owner = gateway.client()
    done = await run(owner, ToolFormat.OPENAI, {"arguments": "{"})
    assert (done["errors"][0]["code"], done["answer"]) == ("INVALID_INPUT", None)


async def test_a_call_can_run_in_the_background_under_a_key_of_its_own(gateway: RunningGateway) -> None:
    owner = gateway.client()
    await connected(owner)
    call = CALLS[ToolFormat.ANTHROPIC]
    done = await run(owner, ToolFormat.ANTHROPIC, call, mode="BACKGROUND", idempotencyKey="mine")
    assert (done["execution"]["mode"], done["execution"]["idempotencyKey"]) == ("BACKGROUND", "mine")
    variables: Any = {"input": {"format": "ANTHROPIC", "call": {"name": "github_create_issue", **call}}}
    keyed = {**variables["input"], "idempotencyKey": "other"}
    answer = await owner.ask(RUN, {"input": keyed}, **{"idempotency-key": "mine"})
    assert answer["executeTool"]["errors"][0]["path"] == ["input", "idempotencyKey"]


async def test_definitions_are_those_of_the_caller(gateway: RunningGateway) -> None:
    owner = gateway.client(tenant="definitions")
    assert await definitions(owner, ToolFormat.GEMINI) == []
    await connected(owner)
    assert await definitions(owner, ToolFormat.GEMINI, "github")
    assert await definitions(owner, ToolFormat.GEMINI, "slack") == []
    member = gateway.client(Role.MEMBER, tenant="definitions", subject="bo")
    assert await definitions(member, ToolFormat.GEMINI) == []
    answer = await owner.answer(DEFINITIONS, {"format": "MCP", "integration": "nothing"})
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_mistake_in_our_own_arguments_is_recorded_like_any_refusal(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    wrong = await called(agent.client, "github_create_issue", {**ISSUE, "connection": "nonsense"})
    assert wrong.structured_content["violations"][0]["pointer"] == "/connection"
    query = "{ auditEvents(first: 1) { nodes { type action reason error agentId } } }"
    [event] = (await owner.ask(query))["auditEvents"]["nodes"]
    assert event == {
        "type": "execution.refused",
        "action": "github.create_issue",
        "reason": "invalid_parameters",
        "error": "INVALID_PARAMETERS",
        "agentId": agent.agent,
    }
