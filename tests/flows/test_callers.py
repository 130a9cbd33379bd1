"""Who may call at all: every wrong token has its sentence, over HTTP and over sockets, and nothing else is told."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from domain.callers import Role
from tests.flows.ageing import Ageing
from tests.support.gateways import CREATE_TOKEN, RunningGateway, agent_with_grant, connected
from tests.vault.issuing import claims, signed

REVOKE_TOKEN = """
mutation ($id: ID!) { revokeAgentToken(input: {id: $id}) { agentToken { id } errors { code message } } }
"""


async def _refused(url: str, **headers: str) -> tuple[int, str, str, str]:
    """Status, code, message and the challenge of a request with these headers."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{url}/graphql", json={"query": "{ viewer { subject } }"}, headers=headers)
    [error] = answer.json()["errors"]
    assert "data" not in answer.json()
    challenge = answer.headers.get("www-authenticate", "")
    return answer.status_code, error["extensions"]["code"], error["message"], challenge


async def test_without_a_token_nothing_is_answered_but_how_to_send_one(gateway: RunningGateway) -> None:
    status, code, message, challenge = await _refused(gateway.url)
    assert (status, code) == (401, "UNAUTHENTICATED")
    assert "Authorization: Bearer" in message
    assert challenge.startswith("Bearer ")


@pytest.mark.parametrize(
    ("authorization", "hint"),
    [
        ("Basic YWRhOnNlY3JldA==", "Only `Authorization: Bearer"),
        ("Bearer", "A token is needed"),
        ("Bearer one two", "exactly one token"),
        ("Bearer not-a-token", "cannot be read"),
        ("Bearer mandate_agent", "cannot be read"),
        ("Bearer " + "x" * 9000, "longer than 8 KiB"),
        ("Bearer a.b.c", "cannot be read"),
    ],
)
async def test_what_is_not_a_token_of_ours_is_refused_with_the_reason(
    gateway: RunningGateway, authorization: str, hint: str
) -> None:
    status, code, message, _ = await _refused(gateway.url, authorization=authorization)
    assert (status, code) == (401, "UNAUTHENTICATED")
    assert hint in message
    secret = authorization.partition(" ")[2]
    assert not secret or secret not in message


async def test_two_authorization_headers_are_refused(gateway: RunningGateway) -> None:
    token = gateway.client().token
    pairs = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{gateway.url}/graphql", json={"query": "{ viewer { subject } }"}, headers=pairs)
    assert answer.status_code == 401
    assert "exactly one token" in answer.text


async def test_an_expired_token_is_told_to_be_renewed(gateway: RunningGateway) -> None:
    expired = gateway.made.issuer.issue("acme", "ada", [Role.OWNER], lifetime=timedelta(seconds=-1))
    status, code, message, _ = await _refused(gateway.url, authorization=f"Bearer {expired}")
    assert (status, code, message) == (401, "UNAUTHENTICATED", "The token has expired. Get a new one.")


async def test_a_token_of_somebody_elses_issuer_is_refused(gateway: RunningGateway) -> None:
    status, _, message, _ = await _refused(gateway.url, authorization=f"Bearer {signed(claims())}")
    assert (status, message) == (401, "The token comes from an issuer that is not trusted here.")


async def test_a_token_with_another_tenant_written_into_it_is_refused(gateway: RunningGateway) -> None:
    head, _, signature = str(gateway.client(tenant="acme").token).split(".")
    _, theirs, _ = str(gateway.client(tenant="other").token).split(".")
    status, _, message, _ = await _refused(gateway.url, authorization=f"Bearer {head}.{theirs}.{signature}")
    assert (status, message) == (401, "The token's signature is not one by its issuer.")


async def test_the_tenant_comes_from_the_token_whatever_headers_say(gateway: RunningGateway) -> None:
    client = gateway.client(tenant="acme")
    answer = await client.ask("{ viewer { tenantId } }", None, **{"x-tenant-id": "other", "x-tenant": "other"})
    assert answer["viewer"]["tenantId"] == "acme"


async def test_a_mistyped_and_an_unknown_key_are_refused_without_repeating_them(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    key = str(agent.client.token)
    mistyped = key[:-1] + ("a" if key[-1] != "a" else "b")
    status, code, message, _ = await _refused(gateway.url, authorization=f"Bearer {mistyped}")
    assert (status, code) == (401, "UNAUTHENTICATED")
    assert "mistyped" in message
    assert mistyped not in message


async def test_a_revoked_key_stops_with_the_next_request(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    assert (await agent.client.ask("{ viewer { roles } }"))["viewer"]["roles"] == ["agent"]
    await owner.ask(REVOKE_TOKEN, {"id": agent.token_id})
    status, code, message, _ = await _refused(gateway.url, authorization=f"Bearer {agent.client.token}")
    assert (status, code, message) == (401, "UNAUTHENTICATED", "This agent's key was revoked.")
    again = await owner.ask(REVOKE_TOKEN, {"id": agent.token_id})
    assert again["revokeAgentToken"]["errors"] == []


async def test_an_expired_key_is_refused(gateway: RunningGateway, database: Ageing) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    await database.age_key(agent.token_id)
    status, _, message, _ = await _refused(gateway.url, authorization=f"Bearer {agent.client.token}")
    assert (status, message) == (401, "This agent's key has expired.")


async def test_a_key_cannot_be_made_that_has_already_expired(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    made = (await owner.ask(CREATE_TOKEN, {"input": {"agent": agent.agent, "expiresAt": past}}))["createAgentToken"]
    assert made["token"] is None
    assert [(error["code"], error["path"]) for error in made["errors"]] == [("INVALID_INPUT", ["input", "expiresAt"])]


# ------------------------------------------------------------------------------------------------ sockets


async def _closed_with(url: str, *messages: object, token: str | None = None) -> int:
    """The close code of a socket that says this."""
    address = url.replace("http", "ws", 1) + "/graphql"
    headers = {"authorization": f"Bearer {token}"} if token else {}
    protocols = [Subprotocol("graphql-transport-ws")]
    async with connect(address, subprotocols=protocols, additional_headers=headers, proxy=None) as socket:
        for message in messages:
            await socket.send(json.dumps(message))
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.recv()
        assert socket.close_code is not None
        return socket.close_code


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer nonsense"},
        {"authorization": ["Bearer nonsense"]},
        {"authorization": 1},
        None,
    ],
)
async def test_a_socket_without_a_good_token_is_closed(gateway: RunningGateway, payload: object) -> None:
    closed = await _closed_with(gateway.url, {"type": "connection_init", "payload": payload})
    assert closed == (4403 if payload is not None else 4400)  # null is no payload of the protocol


async def test_a_socket_that_asks_before_it_says_who_it_is_is_closed(gateway: RunningGateway) -> None:
    subscribe = {"id": "1", "type": "subscribe", "payload": {"query": "{ viewer { subject } }"}}
    assert await _closed_with(gateway.url, subscribe) == 4401


async def test_a_token_in_the_handshakes_header_is_enough(gateway: RunningGateway) -> None:
    token = gateway.client(tenant="acme").token
    address = gateway.url.replace("http", "ws", 1) + "/graphql"
    headers = {"authorization": f"Bearer {token}"}
    protocols = [Subprotocol("graphql-transport-ws")]
    async with connect(address, subprotocols=protocols, additional_headers=headers, proxy=None) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"


async def test_a_socket_ends_when_its_token_does(gateway: RunningGateway) -> None:
    token = gateway.made.issuer.issue("acme", "ada", [Role.OWNER], lifetime=timedelta(seconds=2))
    begun = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
    assert await _closed_with(gateway.url, begun) == 4403


async def test_a_socket_ends_when_its_agents_key_is_revoked(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    async with agent.client.socket() as socket:
        await socket.subscribe("subscription { executionEvents { cursor } }")
        await owner.ask(REVOKE_TOKEN, {"id": agent.token_id})
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.receive()
        assert socket.connection.close_code == 4403


async def test_a_revoked_key_of_the_same_agent_leaves_its_other_sockets_open(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    second = (await owner.ask(CREATE_TOKEN, {"input": {"agent": agent.agent}}))["createAgentToken"]
    async with agent.client.socket() as socket:
        await owner.ask(REVOKE_TOKEN, {"id": second["agentToken"]["id"]})
        done = await agent.client.execute("github.get_repo", {"owner": "lin-harbour", "repo": "lighthouse"})
        assert done["execution"]["status"] == "SUCCEEDED"
        await socket.subscribe("query { viewer { subject } }")
        assert (await socket.next())["viewer"]["subject"] == agent.agent


async def test_a_page_of_another_origin_gets_no_socket(gateway: RunningGateway) -> None:
    address = gateway.url.replace("http", "ws", 1) + "/graphql"
    begun = json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {gateway.client().token}"}})
    with pytest.raises(Exception):  # noqa: B017, PT011  # refused in the handshake or right after it
        async with connect(
            address,
            subprotocols=[Subprotocol("graphql-transport-ws")],
            additional_headers={"origin": "https://evil.example"},
            proxy=None,
        ) as socket:
            await socket.send(begun)
            assert json.loads(await socket.recv())["type"] != "connection_ack"
