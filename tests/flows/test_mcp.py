"""MCP: the official client lists, calls and is refused over `/mcp`, at both revisions the library speaks."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from adapters._kit.http import HttpTransport, Outgoing
from domain.callers import Role
from domain.json import Json
from gateway.doors import mcp_server
from tests.support.gateways import Client, RunningGateway, agent_with_grant, connected
from tests.support.speaking import ISSUE, REVISIONS, called, listed, posted, speaking, words

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
REVOKE = "mutation ($id: ID!) { revokeGrant(input: {id: $id}) { errors { message } } }"


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_official_client_lists_and_calls_at_both_revisions(gateway: RunningGateway, revision: str) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id, actions=["github.create_issue", "github.list_issues"])
    async with speaking(agent.client, revision) as mcp:
        tools = (await mcp.list_tools()).tools
        made = await mcp.call_tool("github_create_issue", dict(ISSUE))
        read = await mcp.call_tool("github_list_issues", {"owner": "lin-harbour", "repo": "lighthouse"})
    assert [tool.name for tool in tools] == ["github_create_issue", "github_list_issues"]
    assert not made.is_error, made
    assert made.structured_content["title"] == "Lamp is dim"
    assert json.loads(words(made)) == made.structured_content
    assert not read.is_error, read
    assert "Lamp is dim" in [issue["title"] for issue in read.structured_content["result"]]


async def test_a_call_is_an_execution_that_graphql_sees(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    answer = await called(agent.client, "github_create_issue", ISSUE)
    query = "query ($id: ID!) { node(id: $id) { ... on Execution { origin status agent { id } action { slug } } } }"
    assert answer.meta is not None
    seen = (await owner.ask(query, {"id": answer.meta["mandate/execution"]}))["node"]
    assert seen == {
        "origin": "MCP",
        "status": "SUCCEEDED",
        "agent": {"id": agent.agent},
        "action": {"slug": "github.create_issue"},
    }
    events = (await owner.ask("{ auditEvents(first: 2) { nodes { type actor } } }"))["auditEvents"]["nodes"]
    assert [event["type"] for event in events] == ["execution.succeeded", "execution.started"]


async def test_a_tool_says_what_it_does_and_as_whom(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    tools = await listed(agent.client)
    tool = tools["github_create_issue"]
    assert tool.title == "Open an issue"
    assert account.label in (tool.description or "")
    assert {"owner", "repo", "title", "idempotency_key"} <= set(tool.input_schema["properties"])
    assert tool.input_schema["required"] == ["owner", "repo", "title"]
    assert tool.annotations is not None
    hints = tool.annotations
    assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (False, False, False)
    assert hints.open_world_hint
    reading = tools["github_list_issues"].annotations
    assert reading is not None
    assert reading.read_only_hint


async def test_two_agents_with_different_grants_see_different_tools(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    reader = await agent_with_grant(owner, account.id, "READ_ONLY")
    writer = await agent_with_grant(owner, account.id, actions=["github.create_issue"])
    reads, writes = await listed(reader.client), await listed(writer.client)
    assert set(writes) == {"github_create_issue"}
    assert "github_list_issues" in reads
    assert "github_create_issue" not in reads
    answer = await called(reader.client, "github_create_issue", ISSUE)
    assert answer.is_error
    assert answer.structured_content["code"] == "PERMISSION_DENIED"
    assert answer.structured_content["reason"] == "grant_level"


async def test_a_revoked_grant_takes_its_tools_away_at_once(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    async with speaking(agent.client) as mcp:
        assert (await mcp.list_tools()).tools
        await owner.ask(REVOKE, {"id": agent.grant})
        answer = await mcp.call_tool("github_create_issue", dict(ISSUE))
        assert (await mcp.list_tools()).tools == []
    assert answer.is_error
    assert answer.structured_content["code"] == "PERMISSION_DENIED"
    assert "Nothing was sent" in words(answer)
    [event] = (await owner.ask("{ auditEvents(first: 1) { nodes { type action } } }"))["auditEvents"]["nodes"]
    assert event == {"type": "execution.refused", "action": "github.create_issue"}


async def test_people_see_every_action_of_what_is_connected(gateway: RunningGateway) -> None:
    owner = gateway.client()
    assert await listed(owner) == {}
    await connected(owner)
    actions = (await owner.ask('{ integration(slug: "github") { actions(first: 100) { nodes { slug } } } }'))[
        "integration"
    ]["actions"]["nodes"]
    assert set(await listed(owner)) == {each["slug"].replace(".", "_") for each in actions}


async def test_who_may_not_execute_sees_no_tools_and_is_told_why(gateway: RunningGateway) -> None:
    owner = gateway.client(tenant="mcp-members")
    await connected(owner)
    member = gateway.client(Role.MEMBER, tenant="mcp-members", subject="bo")
    assert await listed(member) == {}
    answer = await called(member, "github_create_issue", ISSUE)
    assert answer.structured_content["reason"] == "role:execute"


async def test_a_frozen_agent_has_no_tools(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    freeze = "mutation ($id: ID!) { setAgentFrozen(input: {id: $id, isFrozen: true}) { errors { message } } }"
    await owner.ask(freeze, {"id": agent.agent})
    assert await listed(agent.client) == {}
    answer = await called(agent.client, "github_create_issue", ISSUE)
    assert answer.structured_content["reason"] == "agent_active"


async def test_a_granted_action_that_lacks_a_scope_is_listed_and_names_the_scope(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner, actions=["github.get_account"])
    agent = await agent_with_grant(owner, account.id, actions=["github.create_issue"])
    assert list(await listed(agent.client)) == ["github_create_issue"]
    answer = await called(agent.client, "github_create_issue", ISSUE)
    assert answer.structured_content["code"] == "CONNECTION_REQUIRED"
    assert answer.structured_content["missingScopes"] == ["repo"]
    assert answer.structured_content["connection"] == account.id


async def test_several_accounts_are_named_and_one_is_chosen(gateway: RunningGateway) -> None:
    owner = gateway.client()
    first = await connected(owner)
    second = await connected(owner, account="sam-quay")
    assert first.id != second.id
    agent = await agent_with_grant(owner, first.id)
    wanted: Json = {"agent": agent.agent, "connection": second.id, "permissionLevel": "READ_WRITE"}
    await owner.ask(
        "mutation ($input: CreateGrantInput!) { createGrant(input: $input) { errors { message } } }", {"input": wanted}
    )
    tool = (await listed(agent.client))["github_create_issue"]
    assert set(tool.input_schema["properties"]["connection"]["enum"]) == {first.id, second.id}
    assert "connection" in tool.input_schema["required"]
    assert first.label in (tool.description or "")
    assert second.label in (tool.description or "")
    unsaid = await called(agent.client, "github_create_issue", ISSUE)
    assert unsaid.structured_content["code"] == "CONNECTION_REQUIRED"
    chosen = await called(agent.client, "github_create_issue", {**ISSUE, "connection": first.id})
    assert not chosen.is_error, chosen


async def test_all_mistakes_are_told_at_once(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    wrong: dict[str, Json] = {
        "owner": "lin-harbour",
        "title": "",
        "surplus": 1,
        "connection": "nonsense",
        "idempotency_key": 7,
    }
    answer = await called(agent.client, "github_create_issue", wrong)
    assert answer.is_error
    assert answer.structured_content["code"] == "INVALID_PARAMETERS"
    pointers = {each["pointer"] for each in answer.structured_content["violations"]}
    assert pointers >= {"/connection", "/idempotency_key", "/title"}
    assert all(pointer in words(answer) for pointer in pointers)


async def test_the_same_key_again_is_the_same_execution(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    keyed = {**ISSUE, "idempotency_key": "once"}
    first = await called(agent.client, "github_create_issue", keyed)
    again = await called(agent.client, "github_create_issue", keyed)
    assert first.meta is not None
    assert again.meta is not None
    assert first.meta["mandate/execution"] == again.meta["mandate/execution"]
    other = await called(agent.client, "github_create_issue", {**keyed, "title": "Another"})
    assert other.structured_content["code"] == "CONFLICT"


async def test_an_answer_lost_after_sending_says_what_to_look_for(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    await gateway.misbehave("lost_answer", "POST /repos/*")
    answer = await called(agent.client, "github_create_issue", {**ISSUE, "title": "Into the dark"})
    assert answer.is_error
    assert answer.structured_content["status"] == "UNKNOWN"
    assert answer.structured_content["whatToCheck"] in words(answer)
    assert answer.structured_content["execution"].startswith("exe_")


async def test_a_caller_that_goes_away_leaves_an_execution_that_ends(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    await gateway.misbehave("slow", "POST /repos/*", seconds=1)
    call: Json = {"name": "github_create_issue", "arguments": ISSUE}
    async with owner.socket() as socket:
        await socket.subscribe("subscription { executionEvents { status execution { id origin } } }")
        going = asyncio.create_task(posted(agent.client, {**LIST, "method": "tools/call", "params": call}))
        begun = (await socket.next())["executionEvents"]
        going.cancel()
        ended = (await socket.next())["executionEvents"]
    assert (begun["status"], ended["status"]) == ("RUNNING", "SUCCEEDED")
    assert begun["execution"] == ended["execution"]
    assert ended["execution"]["origin"] == "MCP"


async def test_an_unknown_tool_is_an_error_of_the_protocol(gateway: RunningGateway) -> None:
    owner = gateway.client()
    async with speaking(owner) as mcp:
        with pytest.raises(MCPError, match=r"github\.create_issue"):
            await mcp.call_tool("github_create_isue", {})


async def test_a_long_list_comes_in_pages(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = gateway.client()
    await connected(owner)
    whole = await listed(owner)
    monkeypatch.setattr(mcp_server, "MOST_TOOLS_ON_A_PAGE", 4)
    assert list(await listed(owner)) == list(whole)
    async with speaking(owner) as mcp:
        with pytest.raises(MCPError, match="cursor"):
            await mcp.list_tools(cursor="No cursor!")


@pytest.mark.parametrize("token", [None, "nonsense", "mandate_agent_0"])
async def test_a_bad_token_is_refused_and_told_where_to_look(gateway: RunningGateway, token: str | None) -> None:
    answer = await posted(Client(gateway.url, token), LIST)
    assert answer.status_code == 401
    address = f"{gateway.url}/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{address}"' in answer.headers["www-authenticate"]
    async with httpx2.AsyncClient(trust_env=False) as http:
        for place in (address, f"{gateway.url}/.well-known/oauth-protected-resource"):
            assert (await http.get(place)).json()["resource"] == f"{gateway.url}/mcp"


async def test_a_revoked_key_is_refused_at_once(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    revoke = "mutation ($id: ID!) { revokeAgentToken(input: {id: $id}) { errors { message } } }"
    await owner.ask(revoke, {"id": agent.token_id})
    answer = await posted(agent.client, LIST)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "not JSON"),
        ([LIST, LIST], 400, "no batches"),
        ({"hello": "there"}, 400, "JSON-RPC"),
        ({**LIST, "params": {"arguments": "x" * 1_048_576}}, 413, "1 MiB"),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"a":' + b"[" * 200 + b"]" * 200 + b"}}",
            400,
            "deep",
        ),
        (b"[" * 5000, 400, "deep"),
    ],
    ids=["garbage", "batch", "no message", "oversized", "deep", "far too deep"],
)
async def test_a_request_that_is_no_request_is_told_why(
    gateway: RunningGateway, body: object, status: int, says: str
) -> None:
    answer = await posted(gateway.client(), body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "rebound.example"}, 421),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:5173"}, 200),
        ({"mcp-protocol-version": "1999-01-01"}, 400),
    ],
)
async def test_host_origin_and_version_are_looked_at(
    gateway: RunningGateway, headers: dict[str, str], status: int
) -> None:
    answer = await posted(gateway.client(), LIST, **headers)
    assert answer.status_code == status, answer.text


async def test_there_is_no_session_to_delete_and_a_get_must_accept_events(gateway: RunningGateway) -> None:
    headers = gateway.client().headers
    async with httpx2.AsyncClient(trust_env=False) as http:
        for method, more in (("GET", {}), ("DELETE", {}), ("GET", {"mcp-protocol-version": "2026-07-28"})):
            events = {"accept": "text/event-stream"} if more else {}
            answer = await http.request(method, f"{gateway.url}/mcp", headers={**headers, **more, **events})
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_no_token_of_ours_reaches_the_service(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    sent: list[Outgoing] = []
    send = HttpTransport.send

    async def noted(self: HttpTransport, request: Outgoing, **more: Any) -> Any:
        sent.append(request)
        return await send(self, request, **more)

    monkeypatch.setattr(HttpTransport, "send", noted)
    answer = await called(agent.client, "github_create_issue", ISSUE)
    assert not answer.is_error, answer
    assert agent.client.token is not None
    whole = "".join(f"{each.url}{each.headers}{each.body!r}" for each in sent)
    assert "lighthouse" in whole
    assert agent.client.token not in whole


async def test_the_gateway_tells_where_mcp_is(gateway: RunningGateway) -> None:
    found = (await gateway.client().ask("{ gateway { mcpUrl } }"))["gateway"]
    assert found == {"mcpUrl": f"{gateway.url}/mcp"}


def test_the_protocols_library_is_not_loaded_with_the_gateway() -> None:
    code = "import sys, gateway.app, gateway.serving; sys.exit(any(name.startswith('mcp') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_the_pages_python_program_runs_as_it_stands(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id, actions=["github.create_issue"])
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
    program = page.split("```python\n")[1].split("```")[0].replace("http://127.0.0.1:8000", gateway.url)
    environment = {**os.environ, "MANDATE_TOKEN": agent.client.token or "", "NO_PROXY": "127.0.0.1"}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said, complained = await running.communicate()
    assert running.returncode == 0, complained.decode()
    assert said.decode().startswith("github_create_issue - Open an issue")
    assert "Lamp is dim" in said.decode()
