"""Clients hear that their list of tools has changed, and how their tasks stand; nobody hears of others."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from gateway.doors import mcp_listening
from tests.flows.test_approvals import decide
from tests.flows.test_mcp import REVOKE
from tests.flows.test_mcp_tasks import CALL, CAPABLE, PENDING
from tests.support.gateways import Client, RunningGateway, agent_with_grant, connected
from tests.support.speaking import asked, speaking

FREEZE = "mutation ($id: ID!) { setAgentFrozen(input: {id: $id, isFrozen: true}) { errors { message } } }"
REVOKE_TOKEN = "mutation ($id: ID!) { revokeAgentToken(input: {id: $id}) { errors { message } } }"
LISTEN: dict[str, Any] = {"jsonrpc": "2.0", "id": 9, "method": "subscriptions/listen"}


class Heard:
    """The messages of one stream, as they come; None when it has ended."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> Any:
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith("data: "):
                    return json.loads(line[6:])
        return None


@asynccontextmanager
async def stream(caller: Client, method: str, body: Any = None, **headers: str) -> AsyncIterator[Heard]:
    usual = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=20) as http,
        http.stream(method, f"{caller.url}/mcp", json=body, headers={**usual, **caller.headers, **headers}) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Heard(answer)


@asynccontextmanager
async def listening(caller: Client, **wanted: Any) -> AsyncIterator[Heard]:
    """From 2026-07-28 on; acknowledged."""
    names = {"protocolVersion": "2026-07-28", "clientCapabilities": CAPABLE}
    meta = {f"io.modelcontextprotocol/{key}": value for key, value in names.items()}
    params = {"notifications": wanted, "_meta": meta}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
    async with stream(caller, "POST", {**LISTEN, "params": params}, **headers) as heard:
        acknowledged = await heard.next()
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        assert acknowledged["params"]["notifications"] == wanted
        yield heard


async def test_the_official_client_hears_that_its_list_has_changed(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    async with speaking(agent.client) as mcp, mcp.listen(tools_list_changed=True) as events:
        await owner.ask(REVOKE, {"id": agent.grant})
        async with asyncio.timeout(10):
            await anext(aiter(events))
        assert (await mcp.list_tools()).tools == []


async def test_an_older_client_hears_it_on_the_stream_that_it_opened(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    async with stream(agent.client, "GET", **{"mcp-protocol-version": "2025-11-25"}) as heard:
        await owner.ask(REVOKE, {"id": agent.grant})
        assert await heard.next() == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


async def test_what_others_lists_go_through_is_not_told(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    mine, other = [await agent_with_grant(owner, account.id) for _ in range(2)]
    async with listening(mine.client, toolsListChanged=True) as heard:
        await owner.ask(REVOKE, {"id": other.grant})
        await owner.ask(FREEZE, {"id": mine.agent})
        told = asyncio.create_task(heard.next())
        assert (await told)["method"] == "notifications/tools/list_changed"
        await owner.ask(REVOKE_TOKEN, {"id": mine.token_id})
        ended = await heard.next()  # no second one: the next word is the end
        assert ended["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 9


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_stream_ends_with_the_key_that_opened_it(gateway: RunningGateway, method: str) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    opened = stream(agent.client, "GET") if method == "GET" else listening(agent.client, toolsListChanged=True)
    async with opened as heard:
        await owner.ask(REVOKE_TOKEN, {"id": agent.token_id})
        ended = await heard.next()
        assert ended is None if method == "GET" else "result" in ended


async def test_what_nobody_asked_for_is_not_told(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    async with listening(agent.client) as heard:
        await owner.ask(REVOKE, {"id": agent.grant})
        await owner.ask(REVOKE_TOKEN, {"id": agent.token_id})
        assert "result" in await heard.next()


async def test_a_client_follows_its_tasks(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id, approval="WRITE")
    task = (await asked(agent.client, "tools/call", CALL, **CAPABLE))["taskId"]
    async with listening(agent.client, taskIds=[task]) as heard:
        first = await heard.next()
        assert first["method"] == "notifications/tasks"
        assert first["params"]["status"] == "working"
        [question] = (await owner.ask(PENDING))["approvals"]["nodes"]
        await decide(owner, question)
        while (told := (await heard.next())["params"])["status"] == "working":
            assert told["taskId"] == task
        assert told["status"] == "completed"
        assert told["result"]["structuredContent"]["title"] == "Lamp is dim"


async def test_there_are_only_so_many_streams(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_listening, "MOST_STREAMS", 0)
    owner = gateway.client()
    params = {"notifications": {"toolsListChanged": True}}
    assert "Too many streams" in (await asked(owner, "subscriptions/listen", params))["error"]["message"]
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        answer = await http.get(f"{gateway.url}/mcp", headers={**owner.headers, "accept": "text/event-stream"})
    assert answer.status_code == 503


async def test_the_capability_is_told_at_both_revisions(gateway: RunningGateway) -> None:
    owner = gateway.client()
    who = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    old = await asked(owner, "initialize", who, "2025-11-25")
    new = await asked(owner, "server/discover")
    assert old["capabilities"]["tools"] == new["capabilities"]["tools"] == {"listChanged": True}
