"""A new key for an agent in place of another, with time to carry it to where the old one is used."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.callers import Role
from domain.json import Json
from tests.flows.ageing import ageing
from tests.support.gateways import CREATE_AGENT, CREATE_TOKEN, ERRORS, Client, RunningGateway

ROTATE = f"""mutation ($input: RotateAgentTokenInput!) {{
  rotateAgentToken(input: $input) {{ token agentToken {{ id prefix createdAt expiresAt lastUsedAt }} {ERRORS} }}
}}"""
TOKENS = "query ($id: ID!) { node(id: $id) { ... on Agent { tokens { id lastUsedAt expiresAt createdAt } } } }"
WHO = "{ viewer { agent { id } } }"


async def _agent(owner: Client, **more: Json) -> tuple[str, Any]:
    agent = (await owner.ask(CREATE_AGENT, {"input": {"name": "worker"}}))["createAgent"]["agent"]["id"]
    return agent, (await owner.ask(CREATE_TOKEN, {"input": {"agent": agent, **more}}))["createAgentToken"]


async def _rotate(owner: Client, token: str, **more: Json) -> Any:
    return (await owner.ask(ROTATE, {"input": {"id": token, **more}}))["rotateAgentToken"]


async def _is_accepted(owner: Client, token: str) -> bool:
    return (await Client(owner.url, token).post(WHO)).status_code == 200


async def test_without_grace_the_old_key_ends_as_the_new_one_begins(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent, old = await _agent(owner)
    new = await _rotate(owner, old["agentToken"]["id"])
    assert new["errors"] == []
    assert new["agentToken"]["expiresAt"] is None
    assert [await _is_accepted(owner, each["token"]) for each in (old, new)] == [False, True]
    listed = (await owner.ask(TOKENS, {"id": agent}))["node"]["tokens"]
    assert [each["id"] for each in listed] == [new["agentToken"]["id"]]


async def test_with_grace_both_work_until_it_is_over(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent, old = await _agent(owner)
    new = await _rotate(owner, old["agentToken"]["id"], graceSeconds=3600)
    assert [await _is_accepted(owner, each["token"]) for each in (old, new)] == [True, True]
    listed = (await owner.ask(TOKENS, {"id": agent}))["node"]["tokens"]
    assert [each["id"] for each in listed] == [new["agentToken"]["id"], old["agentToken"]["id"]]
    ends = datetime.fromisoformat(listed[1]["expiresAt"]) - datetime.fromisoformat(new["agentToken"]["createdAt"])
    assert abs(ends - timedelta(hours=1)) < timedelta(minutes=1)
    async with ageing(gateway.settings.database_url.reveal()) as database:  # type: ignore[union-attr]  # it is set
        await database.age_key(old["agentToken"]["id"])
    assert [await _is_accepted(owner, each["token"]) for each in (old, new)] == [False, True]
    assert len((await owner.ask(TOKENS, {"id": agent}))["node"]["tokens"]) == 1


async def test_the_new_key_lives_as_long_as_the_old_one_was_given_to_live(gateway: RunningGateway) -> None:
    owner = gateway.client()
    ends = "2090-01-01T00:00:00+00:00"
    _, old = await _agent(owner, expiresAt=ends)
    new = (await _rotate(owner, old["agentToken"]["id"], graceSeconds=60))["agentToken"]
    assert datetime.fromisoformat(new["expiresAt"]) >= datetime.fromisoformat(ends)


@pytest.mark.parametrize("grace", [-1, 604_801])
async def test_a_time_of_grace_has_its_bounds(gateway: RunningGateway, grace: int) -> None:
    owner = gateway.client()
    _, old = await _agent(owner)
    [error] = (await _rotate(owner, old["agentToken"]["id"], graceSeconds=grace))["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "graceSeconds"])
    assert await _is_accepted(owner, old["token"])


async def test_only_a_key_in_force_of_ones_own_tenant_is_replaced(gateway: RunningGateway) -> None:
    owner = gateway.client()
    _, old = await _agent(owner)
    token = old["agentToken"]["id"]
    assert (await _rotate(gateway.client(), token))["errors"][0]["code"] == "NOT_FOUND"
    assert (await _rotate(owner, "key_nonsense"))["errors"][0]["code"] == "NOT_FOUND"
    assert (await _rotate(owner, token))["errors"] == []
    assert (await _rotate(owner, token))["errors"][0]["code"] == "NOT_FOUND"


async def test_who_is_no_manager_replaces_no_key(gateway: RunningGateway) -> None:
    owner = gateway.client(tenant="rotating")
    _, old = await _agent(owner)
    for caller in (gateway.client(Role.MEMBER, "rotating"), Client(owner.url, old["token"])):
        [error] = (await _rotate(caller, old["agentToken"]["id"]))["errors"]
        assert error["code"] == "PERMISSION_DENIED"
