"""Disconnecting: no agent acts from then on, the service forgets, the credential is gone, and history stays."""

import asyncio
from typing import Any

import pytest

from domain.json import Json
from tests.flows.ageing import Ageing
from tests.support.gateways import (
    CONNECT,
    CREATE_GRANT,
    Client,
    RunningGateway,
    agent_with_grant,
    connected,
)

ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Before the end"}
DISCONNECT = """mutation ($id: ID!) { disconnect(input: {id: $id}) {
  revokedUpstream connection { id status } errors { code message path }
} }"""


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


async def _disconnect(owner: Client, connection: str) -> Any:
    return (await owner.ask(DISCONNECT, {"id": connection}))["disconnect"]


async def _credentials(database: Ageing, connection: str) -> int:
    found = await database.connection.fetchval(
        "SELECT count(*) FROM credentials WHERE connection_id = $1::uuid", connection.removeprefix("con_")
    )
    return int(found)


async def test_disconnecting_ends_everything_and_keeps_history(
    gateway: RunningGateway, owner: Client, database: Ageing
) -> None:
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    done = (await agent.client.execute("github.create_issue", ISSUE))["execution"]["id"]
    assert await _credentials(database, account.id) == 1
    ended = await _disconnect(owner, account.id)
    assert ended == {
        "revokedUpstream": True,
        "connection": {"id": account.id, "status": "REVOKED"},
        "errors": [],
    }
    effects = (await gateway.effects())["effects"]
    assert sum(count for route, count in effects.items() if route.startswith("DELETE /applications/")) >= 1
    assert await _credentials(database, account.id) == 0
    [error] = (await agent.client.execute("github.create_issue", ISSUE, connection=account.id))["errors"]
    assert (error["__typename"], error["reason"]) == ("PermissionDenied", "grant_in_force")
    query = "query ($id: ID!) { node(id: $id) { ... on Execution { status connection { status } } } }"
    assert (await owner.ask(query, {"id": done}))["node"] == {
        "status": "SUCCEEDED",
        "connection": {"status": "REVOKED"},
    }
    events = "query ($id: ID!) { auditEvents(connection: $id, first: 100) { nodes { type reason } } }"
    told = (await owner.ask(events, {"id": account.id}))["auditEvents"]["nodes"]
    assert ("connection.revoked", "confirmed by the service") in {(each["type"], each["reason"]) for each in told}
    assert "grant.revoked" in {each["type"] for each in told}
    assert "execution.succeeded" in {each["type"] for each in told}


async def test_every_grant_on_it_is_revoked(owner: Client) -> None:
    account = await connected(owner)
    agents = [await agent_with_grant(owner, account.id) for _ in range(3)]
    await _disconnect(owner, account.id)
    query = "query ($id: ID!) { node(id: $id) { ... on Grant { status } } }"
    for agent in agents:
        assert (await owner.ask(query, {"id": agent.grant}))["node"]["status"] == "REVOKED"


async def test_reconnecting_afterwards_makes_a_new_connection_without_the_old_grants(owner: Client) -> None:
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    await _disconnect(owner, account.id)
    new = await connected(owner)
    assert new.id != account.id
    [error] = (await agent.client.execute("github.create_issue", ISSUE))["errors"]
    assert error["reason"] == "grant_exists"
    made = await owner.ask(
        CREATE_GRANT, {"input": {"agent": agent.agent, "connection": new.id, "permissionLevel": "READ_WRITE"}}
    )
    assert made["createGrant"]["errors"] == []
    assert (await agent.client.execute("github.create_issue", ISSUE))["execution"]["status"] == "SUCCEEDED"


async def test_a_disconnected_connection_is_not_brought_back(owner: Client) -> None:
    account = await connected(owner)
    await _disconnect(owner, account.id)
    await connected(owner)
    for wish in ({}, {"credentials": {"token": "ghp_sandbox_lin_repo"}}):
        asked: Json = {"integration": "github", "connection": account.id, **wish}
        made = (await owner.ask(CONNECT, {"input": asked}))["connect"]
        assert (made["session"], made["connection"]) == (None, None)
        assert [(error["code"], error["path"]) for error in made["errors"]] == [("CONFLICT", ["input", "connection"])]


async def test_a_disconnected_connection_takes_no_grant_and_no_test(owner: Client) -> None:
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    await _disconnect(owner, account.id)
    made = await owner.ask(CREATE_GRANT, {"input": {"agent": agent.agent, "connection": account.id}})
    assert made["createGrant"]["errors"][0]["code"] == "CONFLICT"
    test = "mutation ($id: ID!) { testConnection(input: {id: $id}) { isHealthy errors { code } } }"
    tested = (await owner.ask(test, {"id": account.id}))["testConnection"]
    assert tested == {"isHealthy": False, "errors": [{"code": "CONFLICT"}]}


async def test_disconnecting_twice_says_the_same_state_and_confirms_nothing_new(owner: Client) -> None:
    account = await connected(owner)
    await _disconnect(owner, account.id)
    again = await _disconnect(owner, account.id)
    assert (again["errors"], again["connection"]["status"], again["revokedUpstream"]) == ([], "REVOKED", False)


async def test_disconnecting_many_times_at_once_ends_it_once(owner: Client) -> None:
    account = await connected(owner)
    ended = await asyncio.gather(*(_disconnect(owner, account.id) for _ in range(5)))
    assert [each["errors"] for each in ended] == [[]] * 5
    assert {each["connection"]["status"] for each in ended} == {"REVOKED"}
    events = 'query ($id: ID!) { auditEvents(connection: $id, types: ["connection.revoked"]) { nodes { id } } }'
    assert len((await owner.ask(events, {"id": account.id}))["auditEvents"]["nodes"]) == 1


@pytest.mark.parametrize("fault", ["500", "404", "reset", "garbage", "401", "422"])
async def test_a_service_that_does_not_confirm_keeps_nobody_from_disconnecting(
    gateway: RunningGateway, owner: Client, database: Ageing, fault: str
) -> None:
    account = await connected(owner)
    await gateway.misbehave(fault, "DELETE /applications/*")
    ended = await _disconnect(owner, account.id)
    assert ended["errors"] == []
    assert ended["connection"]["status"] == "REVOKED"
    assert ended["revokedUpstream"] is (fault == "garbage")  # a 2xx is a yes, whatever stands in it
    assert await _credentials(database, account.id) == 0


async def test_a_key_that_cannot_be_revoked_there_is_destroyed_here(owner: Client, database: Ageing) -> None:
    wish: Json = {"integration": "github", "credentials": {"token": "ghp_sandbox_lin_repo"}}
    account = (await owner.ask(CONNECT, {"input": wish}))["connect"]["connection"]["id"]
    ended = await _disconnect(owner, account)
    assert (ended["revokedUpstream"], ended["connection"]["status"]) == (False, "REVOKED")
    assert await _credentials(database, account) == 0


async def test_what_is_under_way_when_it_is_disconnected_ends_honestly(gateway: RunningGateway, owner: Client) -> None:
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    await gateway.misbehave("slow", "POST /repos/*/issues", seconds=0.5)
    after = (await owner.ask("{ historyCursor }"))["historyCursor"]
    watch = "subscription ($after: String) { executionEvents(after: $after) { status } }"
    async with owner.socket() as socket:
        await socket.subscribe(watch, {"after": after})
        running = asyncio.ensure_future(agent.client.execute("github.create_issue", ISSUE))
        assert (await socket.next())["executionEvents"]["status"] == "RUNNING"
        assert (await _disconnect(owner, account.id))["connection"]["status"] == "REVOKED"
    done = await running
    assert done["execution"]["status"] in ("SUCCEEDED", "FAILED")
