"""GraphQL over server-sent events, in distinct connections mode."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from domain.callers import Role
from domain.json import Json
from tests.support.gateways import Client, RunningGateway, agent_with_grant, connected

VIEWER = "{ viewer { subject } }"
WATCH = "subscription ($after: String) { auditEvents(after: $after) { cursor type } }"
CREATE = 'mutation { createAgent(input: {name: "worker"}) { agent { id } errors { code } } }'
REVOKE = "mutation ($id: ID!) { revokeAgentToken(input: {id: $id}) { errors { code } } }"


class Events:
    """What a response tells, event by event; comments are passed over."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        name, data = "", ""
        async with asyncio.timeout(20):
            async for line in self._lines:
                if line.startswith("event:"):
                    name = line.removeprefix("event:").strip()
                elif line.startswith("data:"):
                    data = line.removeprefix("data:").strip()
                elif not line and name:
                    return name, json.loads(data) if data else None
        raise AssertionError("the stream ended without `complete`")


@asynccontextmanager
async def stream(client: Client, query: str, variables: Json = None, **headers: str) -> AsyncIterator[Events]:
    accepting = {**client.headers, "accept": "text/event-stream", **headers}
    body: Json = {"query": query, "variables": variables}
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=20) as http,
        http.stream("POST", f"{client.url}/graphql/stream", json=body, headers=accepting) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)


async def answered(
    client: Client, method: str = "POST", accept: str = "text/event-stream", **more: Any
) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        address = f"{client.url}/graphql/stream"
        return await http.request(method, address, headers={**client.headers, "accept": accept}, **more)


async def test_a_query_is_answered_and_completed(gateway: RunningGateway) -> None:
    async with stream(gateway.client(), VIEWER) as events:
        assert await events.next() == ("next", {"data": {"viewer": {"subject": "ada"}}})
        assert await events.next() == ("complete", None)


async def test_a_query_may_be_asked_by_get_and_a_mutation_not(gateway: RunningGateway) -> None:
    owner = gateway.client()
    asked = await answered(owner, "GET", params={"query": VIEWER})
    assert b'{"data":{"viewer":{"subject":"ada"}}}' in asked.content
    assert (await answered(owner, "GET", params={"query": CREATE})).status_code == 405


async def test_events_are_told_as_they_happen_and_after_a_cursor(gateway: RunningGateway) -> None:
    owner = gateway.client()
    begin = (await owner.ask("{ historyCursor }"))["historyCursor"]
    await owner.ask(CREATE)
    async with stream(owner, WATCH, {"after": begin}) as events, owner.socket() as socket:
        await socket.subscribe(WATCH, {"after": begin})
        told = [(await events.next())[1]["data"] for _ in range(1)] + [(await socket.next())]
        assert told[0] == told[1]
        await owner.ask(CREATE)
        assert (await events.next())[1]["data"] == await socket.next()


@pytest.mark.parametrize("query", ["{ viewer", "{ nothing }", "subscription { nothing }", ""])
async def test_a_wrong_document_is_refused_by_status(gateway: RunningGateway, query: str) -> None:
    refused = await answered(gateway.client(), json={"query": query})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_what_is_no_request_is_refused(gateway: RunningGateway) -> None:
    owner = gateway.client()
    assert (await answered(owner, accept="application/json", json={"query": VIEWER})).status_code == 406
    assert (await answered(owner, "PUT", json={"query": VIEWER})).status_code == 405
    assert (await answered(owner, content=b"x" * 2_000_000)).status_code == 400
    assert (await answered(Client(gateway.url, None), json={"query": VIEWER})).status_code == 401


async def test_a_stream_ends_with_its_token(gateway: RunningGateway) -> None:
    token = gateway.made.issuer.issue("acme", "ada", [Role.OWNER], lifetime=timedelta(seconds=2))
    async with stream(Client(gateway.url, token), WATCH) as events:
        name, told = await events.next()
        assert (name, told["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
        assert await events.next() == ("complete", None)


async def test_a_stream_ends_when_its_agents_key_is_revoked(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    async with stream(agent.client, "subscription { executionEvents { cursor } }") as events:
        await owner.ask(REVOKE, {"id": agent.token_id})
        name, told = await events.next()
        assert (name, told["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")


async def test_what_a_caller_may_not_follow_is_said(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    async with stream(agent.client, WATCH) as events:
        assert (await events.next())[1]["errors"][0]["extensions"]["code"] == "PERMISSION_DENIED"
        assert (await events.next())[0] == "complete"
