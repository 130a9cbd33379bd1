"""Naming a connection, making it the default, stopping and resuming its use."""

import asyncio
from typing import Any

import pytest

from domain.callers import Role
from domain.json import Json
from gateway.browsing import Browser
from tests.support.gateways import CONNECT, ERRORS, Client, RunningGateway, agent_with_grant, connected

UPDATE = f"""
mutation ($input: UpdateConnectionInput!) {{ updateConnection(input: $input) {{
  connection {{ id label isDefault status }}
  {ERRORS}
}} }}
"""
WHERE: Json = {"owner": "lin-harbour", "repo": "lighthouse"}
HISTORY = "{ auditEvents(first: 20) { nodes { type actor } } }"
CONNECTIONS = "{ connections { nodes { id isDefault } } }"


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


async def _update(client: Client, id: str, **changes: Json) -> Any:
    return (await client.ask(UPDATE, {"input": {"id": id, **changes}}))["updateConnection"]


async def _types(owner: Client) -> list[str]:
    nodes = (await owner.ask(HISTORY))["auditEvents"]["nodes"]
    return [each["type"] for each in nodes if each["type"].startswith("connection.")]


async def test_a_name_is_given_kept_and_taken_away(owner: Client) -> None:
    account = await connected(owner)
    assert (await _update(owner, account.id, label="Lin's"))["connection"]["label"] == "Lin's"
    assert (await _update(owner, account.id, isDefault=True))["connection"]["label"] == "Lin's"
    assert (await _update(owner, account.id, label=None))["connection"]["label"] is None
    assert (await _types(owner))[:3] == ["connection.updated"] * 3


async def test_there_is_one_default_of_an_integration(owner: Client) -> None:
    first, second = await connected(owner), await connected(owner, account="sam-quay")
    assert (await _update(owner, first.id, isDefault=True))["connection"]["isDefault"] is True
    assert (await _update(owner, second.id, isDefault=True))["connection"]["isDefault"] is True
    await asyncio.gather(*(_update(owner, each.id, isDefault=True) for each in (first, second) * 5))
    nodes = (await owner.ask(CONNECTIONS))["connections"]["nodes"]
    assert sorted(each["isDefault"] for each in nodes) == [False, True]


async def test_a_default_is_used_when_several_could_be(owner: Client) -> None:
    first = await connected(owner, ["github.list_issues"])
    await connected(owner, ["github.list_issues"], account="sam-quay")
    refused = await owner.execute("github.list_issues", WHERE)
    assert refused["errors"][0]["code"] == "CONNECTION_REQUIRED"
    await _update(owner, first.id, isDefault=True)
    assert (await owner.execute("github.list_issues", WHERE))["execution"]["status"] == "SUCCEEDED"


async def test_a_disabled_connection_is_not_used_until_it_is_enabled(owner: Client) -> None:
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    assert (await _update(owner, account.id, isEnabled=False))["connection"]["status"] == "DISABLED"
    refused = await agent.client.execute("github.list_issues", WHERE)
    assert refused["execution"] is None
    assert refused["errors"][0]["code"] == "CONNECTION_REQUIRED"
    assert refused["errors"][0]["message"] == "The GitHub connection is disabled. A person must enable it."
    assert (await _update(owner, account.id, isEnabled=False))["connection"]["status"] == "DISABLED"
    assert (await _update(owner, account.id, isEnabled=True))["connection"]["status"] == "ACTIVE"
    assert (await agent.client.execute("github.list_issues", WHERE))["execution"]["status"] == "SUCCEEDED"
    assert (await _types(owner))[:3] == ["connection.enabled", "connection.updated", "connection.disabled"]


async def test_reconnecting_does_not_undo_a_persons_no(owner: Client) -> None:
    account = await connected(owner)
    await _update(owner, account.id, isEnabled=False)
    assert (await connected(owner)).id == account.id
    nodes = (await owner.ask("{ connections { nodes { status } } }"))["connections"]["nodes"]
    assert nodes == [{"status": "DISABLED"}]


@pytest.mark.parametrize("label", ["", "x" * 101, "two\nlines"])
async def test_a_name_that_is_none_is_refused(owner: Client, label: str) -> None:
    account = await connected(owner)
    refused = await _update(owner, account.id, label=label)
    assert refused["connection"] is None
    assert (refused["errors"][0]["code"], refused["errors"][0]["path"]) == ("INVALID_INPUT", ["input", "label"])


async def test_what_was_disconnected_stays_as_it_is(owner: Client) -> None:
    account = await connected(owner)
    await owner.ask("mutation ($id: ID!) { disconnect(input: { id: $id }) { revokedUpstream } }", {"id": account.id})
    refused = await _update(owner, account.id, isEnabled=True)
    assert refused["errors"][0]["code"] == "CONFLICT"


@pytest.mark.parametrize("role", [Role.MEMBER, Role.AUDITOR])
async def test_it_is_for_admins(gateway: RunningGateway, role: Role) -> None:
    owner = gateway.client(tenant=f"update-{role.value}")
    account = await connected(owner)
    refused = await _update(gateway.client(role, tenant=f"update-{role.value}"), account.id, label="mine")
    assert refused["errors"][0]["code"] == "PERMISSION_DENIED"


async def test_another_tenants_connection_is_not_there(gateway: RunningGateway, owner: Client) -> None:
    account = await connected(gateway.client())
    refused = await _update(owner, account.id, label="mine")
    assert refused["errors"][0]["code"] == "NOT_FOUND"


async def test_a_token_that_is_not_kept_is_ended_at_the_service(gateway: RunningGateway, owner: Client) -> None:
    """Reconnecting as somebody else is refused, and the stranger's token does not stay behind."""
    account = await connected(owner)
    route = "DELETE /applications/{client_id}/token"
    before = (await gateway.effects())["effects"].get(route, 0)
    wish: Json = {"integration": "github", "actions": ["github.create_issue"], "connection": account.id}
    begun = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    browser = Browser()
    await browser.press(
        await browser.open(begun["session"]["authorizationUrl"]), decision="authorize", account="sam-quay"
    )
    assert (await gateway.effects())["effects"].get(route, 0) == before + 1
    assert (await owner.execute("github.list_issues", WHERE))["execution"]["status"] == "SUCCEEDED"
