"""Alerts: one for a cause, what to do in plain words, gone with the cause, whoever put it right."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.callers import Role
from domain.json import Json
from tests.flows.ageing import Ageing
from tests.support.gateways import CREATE_TOKEN, ERRORS, Client, RunningGateway, agent_with_grant, connected

FIELDS = "id kind status message whatToDo integration connection { id } agent { id } acknowledgedBy closedAt"
ALERTS = f"""query ($status: AlertStatus, $kinds: [AlertKind!]) {{
  alerts(status: $status, kinds: $kinds) {{ totalCount nodes {{ {FIELDS} }} }}
}}"""
ACKNOWLEDGE = f"mutation ($id: ID!) {{ acknowledgeAlert(input: {{id: $id}}) {{ alert {{ {FIELDS} }} {ERRORS} }} }}"
FOLLOW = f"subscription ($after: String) {{ alertEvents(after: $after) {{ status alert {{ {FIELDS} }} }} }}"
TEST = "mutation ($id: ID!) { testConnection(input: {id: $id}) { isHealthy errors { code } } }"
ROTATE = "mutation ($id: ID!) { rotateAgentToken(input: {id: $id, graceSeconds: 60}) { token errors { code } } }"
EVENTS = '{ auditEvents(types: ["alert.*"]) { nodes { type status reason alertId actor } } }'


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


async def _open(owner: Client) -> list[Any]:
    return [each for each in (await owner.ask(ALERTS))["alerts"]["nodes"] if each["status"] != "CLOSED"]


async def _until(owner: Client, *kinds: str) -> list[Any]:
    """Once exactly these are open. They are raised and closed in the background, soon."""
    async with asyncio.timeout(20):
        while True:
            found = await _open(owner)
            if sorted(each["kind"] for each in found) == sorted(kinds):
                return found
            await asyncio.sleep(0.05)


async def _change(database: Ageing, table: str, public: str, values: str) -> None:
    """Let something have come about, and its tenant be looked at again."""
    id = UUID(hex=public.partition("_")[2])
    await database.connection.execute(f"UPDATE {table} SET {values} WHERE id = $1", id)  # noqa: S608
    look = f"UPDATE alert_watches SET next_look_at = now() WHERE tenant = (SELECT tenant FROM {table} WHERE id = $1)"  # noqa: S608
    await database.connection.execute(look, id)


async def test_a_connection_that_stops_working_is_said_once_and_until_it_works_again(
    gateway: RunningGateway, owner: Client
) -> None:
    account = await connected(owner)
    for _ in range(3):
        await gateway.misbehave("503", "GET /user")
        assert not (await owner.ask(TEST, {"id": account.id}))["testConnection"]["isHealthy"]
    [alert] = await _until(owner, "CONNECTION_DEGRADED")
    assert alert["connection"] == {"id": account.id}
    assert alert["integration"] == "github"
    assert account.label in alert["message"]
    assert alert["whatToDo"].endswith(".")
    assert (await owner.ask(TEST, {"id": account.id}))["testConnection"]["isHealthy"]
    await _until(owner)
    [closed] = (await owner.ask(ALERTS, {"status": "CLOSED"}))["alerts"]["nodes"]
    assert closed["id"] == alert["id"]
    assert closed["closedAt"]
    told = (await owner.ask(EVENTS))["auditEvents"]["nodes"]
    assert [(each["type"], each["status"], each["actor"]) for each in told] == [
        ("alert.closed", "CLOSED", "system"),
        ("alert.raised", "OPEN", "system"),
    ]
    assert {each["alertId"] for each in told} == {alert["id"]}


async def test_an_expired_connection_asks_for_a_person_who_reconnects_it(owner: Client, database: Ageing) -> None:
    account = await connected(owner)
    await _change(database, "connections", account.id, "status = 'EXPIRED'")
    [alert] = await _until(owner, "CONNECTION_EXPIRED")
    assert "Reconnect" in alert["whatToDo"]
    await connected(owner)
    await _until(owner)


async def test_a_failed_one_that_is_disconnected_needs_nobody_any_more(owner: Client, database: Ageing) -> None:
    account = await connected(owner)
    await _change(database, "connections", account.id, "status = 'EXPIRED'")
    await _until(owner, "CONNECTION_EXPIRED")
    await owner.ask("mutation ($id: ID!) { disconnect(input: {id: $id}) { errors { code } } }", {"id": account.id})
    await _until(owner)


async def test_changed_permissions_are_said_until_somebody_has_seen_it(owner: Client, database: Ageing) -> None:
    account = await connected(owner)
    await _change(database, "connections", account.id, "granted_scopes = '{everything}'")
    await owner.ask(TEST, {"id": account.id})
    [alert] = await _until(owner, "PERMISSIONS_CHANGED")
    seen = (await owner.ask(ACKNOWLEDGE, {"id": alert["id"]}))["acknowledgeAlert"]["alert"]
    assert (seen["status"], seen["acknowledgedBy"]) == ("CLOSED", "user:ada")
    await _change(database, "connections", account.id, "granted_scopes = '{everything}'")
    await owner.ask(TEST, {"id": account.id})
    [again] = await _until(owner, "PERMISSIONS_CHANGED")
    assert again["id"] != alert["id"]
    await connected(owner)
    await _until(owner)


async def test_a_credential_grows_old_and_is_replaced(owner: Client, database: Ageing) -> None:
    account = await connected(owner)
    await _change(database, "connections", account.id, "rotation_due_at = now() - interval '1 minute'")
    await _until(owner, "ROTATION_DUE")
    await connected(owner)
    await _until(owner)


async def test_a_connection_nobody_uses_is_said_until_somebody_does(owner: Client, database: Ageing) -> None:
    account = await connected(owner)
    long_ago = "created_at = now() - interval '1 year', connected_at = now() - interval '91 days'"
    await _change(database, "connections", account.id, long_ago)
    await _until(owner, "CONNECTION_UNUSED")
    await _change(database, "connections", account.id, "last_used_at = now()")
    await _until(owner)


async def test_an_agents_key_is_said_before_it_ends_and_once_more_on_the_last_day(
    owner: Client, database: Ageing
) -> None:
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    await _change(
        database,
        "agent_tokens",
        agent.token_id,
        "created_at = now() - interval '60 days', expires_at = now() + interval '13 days'",
    )
    [first] = await _until(owner, "AGENT_KEY_EXPIRING")
    assert first["agent"] == {"id": agent.agent}
    assert "rotateAgentToken" in first["whatToDo"]
    await owner.ask(ACKNOWLEDGE, {"id": first["id"]})
    await _change(database, "agent_tokens", agent.token_id, "expires_at = now() + interval '23 hours'")
    async with asyncio.timeout(20):
        while [each["status"] for each in await _open(owner)] != ["OPEN"]:
            await asyncio.sleep(0.05)
    [second] = await _open(owner)
    assert second["id"] != first["id"]
    await owner.ask(ROTATE, {"id": agent.token_id})
    await _until(owner)


async def test_a_key_that_was_never_meant_to_live_long_is_no_alert(owner: Client) -> None:
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    asked: Json = {"agent": agent.agent, "expiresAt": soon}
    assert (await owner.ask(CREATE_TOKEN, {"input": asked}))["createAgentToken"]["errors"] == []
    account = await connected(owner, account="sam-quay")
    await owner.ask("mutation ($id: ID!) { disconnect(input: {id: $id}) { errors { code } } }", {"id": account.id})
    assert await _open(owner) == []


async def test_acknowledging_is_not_mending(owner: Client, database: Ageing) -> None:
    account = await connected(owner)
    await _change(database, "connections", account.id, "status = 'EXPIRED'")
    [alert] = await _until(owner, "CONNECTION_EXPIRED")
    for _ in range(2):
        seen = (await owner.ask(ACKNOWLEDGE, {"id": alert["id"]}))["acknowledgeAlert"]["alert"]
        assert seen["status"] == "ACKNOWLEDGED"
    told = (await owner.ask(EVENTS))["auditEvents"]["nodes"]
    assert [each["type"] for each in told] == ["alert.acknowledged", "alert.raised"]
    seen = (await owner.ask(ALERTS, {"status": "ACKNOWLEDGED", "kinds": ["CONNECTION_EXPIRED"]}))["alerts"]
    assert seen["totalCount"] == 1
    for status, kinds in (("OPEN", None), (None, ["ROTATION_DUE"]), ("CLOSED", None)):
        found = await owner.ask(ALERTS, {"status": status, "kinds": kinds})
        assert found["alerts"]["totalCount"] == 0


async def test_alerts_are_followed_as_they_come_and_go(owner: Client, database: Ageing) -> None:
    account = await connected(owner)
    after = (await owner.ask("{ historyCursor }"))["historyCursor"]
    async with owner.socket() as socket:
        await socket.subscribe(FOLLOW, {"after": after})
        await _change(database, "connections", account.id, "status = 'EXPIRED'")
        raised = (await socket.next())["alertEvents"]
        assert (raised["status"], raised["alert"]["kind"]) == ("OPEN", "CONNECTION_EXPIRED")
        await owner.ask(ACKNOWLEDGE, {"id": raised["alert"]["id"]})
        assert (await socket.next())["alertEvents"]["status"] == "ACKNOWLEDGED"
        await connected(owner)
        assert (await socket.next())["alertEvents"]["status"] == "CLOSED"


async def test_alerts_are_the_tenants_own_and_not_for_agents(
    gateway: RunningGateway, owner: Client, database: Ageing
) -> None:
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    await _change(database, "connections", account.id, "status = 'EXPIRED'")
    [alert] = await _until(owner, "CONNECTION_EXPIRED")
    stranger = gateway.client()
    assert await _open(stranger) == []
    [error] = (await stranger.ask(ACKNOWLEDGE, {"id": alert["id"]}))["acknowledgeAlert"]["errors"]
    assert error["code"] == "NOT_FOUND"
    query = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await owner.ask(query, {"id": alert["id"]}))["node"] == {"id": alert["id"]}
    for client in (stranger, agent.client):
        assert (await client.ask(query, {"id": alert["id"]}))["node"] is None
    assert "errors" in await agent.client.answer(ALERTS)
    auditor = gateway.client(Role.AUDITOR)
    [error] = (await auditor.ask(ACKNOWLEDGE, {"id": alert["id"]}))["acknowledgeAlert"]["errors"]
    assert error["code"] == "PERMISSION_DENIED"
