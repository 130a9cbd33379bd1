"""Another tenant's things are not there: not by id, not by filter, not by cursor, not by subscription.

What is foreign is answered exactly like what never was, byte for byte but the id.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.json import Json
from tests.support.gateways import (
    CREATE_AGENT,
    Client,
    GrantedAgent,
    RunningGateway,
    agent_with_grant,
    connected,
)

ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Of another tenant"}
EVENTS = "{ auditEvents(first: 100) { nodes { id cursor connectionId } } }"


@dataclass(frozen=True)
class Theirs:
    """What the other tenant has, by kind."""

    owner: Client
    agent: GrantedAgent
    ids: dict[str, str]
    cursor: str


@pytest.fixture(scope="module")
async def theirs(gateway: RunningGateway) -> Theirs:
    return await furnished(gateway)


async def furnished(gateway: RunningGateway) -> Theirs:
    """A tenant with one thing of every kind."""
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    run = (await agent.client.execute("github.create_issue", ISSUE))["execution"]["id"]
    asking = await agent_with_grant(owner, account.id, approval="ALWAYS")
    await asking.client.execute("github.create_issue", ISSUE)
    question = (await owner.ask("{ approvals { nodes { id } } }"))["approvals"]["nodes"][0]["id"]
    connect = 'mutation { connect(input: {integration: "github"}) { session { id } } }'
    session = (await owner.ask(connect))["connect"]["session"]["id"]
    [newest, *_] = (await owner.ask(EVENTS))["auditEvents"]["nodes"]
    ids = {
        "con": account.id,
        "agt": agent.agent,
        "grt": agent.grant,
        "key": agent.token_id,
        "exe": run,
        "apr": question,
        "sta": await _standing(owner, asking.grant),
        "ses": session,
        "evt": newest["id"],
        "alr": await _alert(gateway, owner, account.id),
        "whk": (await owner.ask(_WEBHOOK))["createWebhook"]["webhook"]["id"],
    }
    return Theirs(owner, agent, ids, newest["cursor"])


SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()


async def _standing(owner: Client, grant: str) -> str:
    query = """mutation ($input: CreateStandingApprovalInput!) {
      createStandingApproval(input: $input) { standingApproval { id } }
    }"""
    given: Json = {"grant": grant, "action": "github.create_issue", "maxUses": 1, "expiresAt": SOON}
    return str((await owner.ask(query, {"input": given}))["createStandingApproval"]["standingApproval"]["id"])


_WEBHOOK = 'mutation { createWebhook(input: {url: "https://example.com", types: ["none"]}) { webhook { id } } }'


async def _alert(gateway: RunningGateway, owner: Client, connection: str) -> str:
    """One about a connection that does not work for a moment."""
    test = "mutation ($id: ID!) { testConnection(input: {id: $id}) { isHealthy } }"
    await gateway.misbehave("503", "GET /user")
    await owner.ask(test, {"id": connection})
    async with asyncio.timeout(20):
        while not (found := (await owner.ask("{ alerts { nodes { id } } }"))["alerts"]["nodes"]):
            await asyncio.sleep(0.05)
    assert (await owner.ask(test, {"id": connection}))["testConnection"]["isHealthy"]
    return str(found[0]["id"])


def never_was(kind: str) -> str:
    """An id of this kind that nobody has."""
    return f"{kind}_{uuid4().hex}"


@pytest.mark.parametrize("kind", ["con", "agt", "grt", "key", "exe", "apr", "ses", "evt", "alr", "whk"])
async def test_a_foreign_id_is_no_node(gateway: RunningGateway, theirs: Theirs, kind: str) -> None:
    stranger = gateway.client()
    query = "query ($id: ID!) { node(id: $id) { id __typename } }"
    foreign = await stranger.post(query, {"id": theirs.ids[kind]})
    unknown = await stranger.post(query, {"id": never_was(kind)})
    assert foreign.content == unknown.content == b'{"data":{"node":null}}'
    if kind != "key":  # keys are shown with their agent
        assert (await theirs.owner.ask(query, {"id": theirs.ids[kind]}))["node"]["id"] == theirs.ids[kind]


# Every mutation that takes an id: its input, with the id under test in the named member.
_TAKING_IDS: list[tuple[str, str, str, dict[str, Json]]] = [
    ("connect", "connection", "con", {"integration": "github"}),
    ("testConnection", "id", "con", {}),
    ("updateConnection", "id", "con", {"label": "Ours"}),
    ("disconnect", "id", "con", {}),
    ("createAgentToken", "agent", "agt", {}),
    ("rotateAgentToken", "id", "key", {}),
    ("revokeAgentToken", "id", "key", {}),
    ("setAgentFrozen", "id", "agt", {"isFrozen": True}),
    ("createGrant", "agent", "agt", {"connection": "own:con"}),
    ("createGrant", "connection", "con", {"agent": "own:agt"}),
    ("updateGrant", "id", "grt", {"permissionLevel": "FULL"}),
    ("revokeGrant", "id", "grt", {}),
    ("setGrantSuspended", "id", "grt", {"isSuspended": True}),
    ("cancelExecution", "id", "exe", {}),
    ("resolveExecution", "id", "exe", {"happened": True}),
    ("decideApproval", "id", "apr", {"approve": True, "planHash": "00"}),
    ("createStandingApproval", "grant", "grt", {"action": "github.create_issue", "maxUses": 1, "expiresAt": SOON}),
    ("revokeStandingApproval", "id", "sta", {}),
    ("acknowledgeAlert", "id", "alr", {}),
    ("updateWebhook", "id", "whk", {"isEnabled": False}),
    ("deleteWebhook", "id", "whk", {}),
    ("rotateWebhookSecret", "id", "whk", {}),
    ("replayWebhook", "id", "whk", {"after": "aDox"}),
    ("execute", "connection", "con", {"action": "github.create_issue", "parameters": ISSUE}),
]


async def _inputs_with_ids(client: Client) -> set[tuple[str, str]]:
    """From the served schema: which member of which mutation's input is an id."""
    shape = "kind name ofType { kind name ofType { kind name } }"
    query = f"""{{ __schema {{
      mutationType {{ fields {{ name args {{ type {{ {shape} }} }} }} }}
      types {{ name inputFields {{ name type {{ {shape} }} }} }}
    }} }}"""
    schema = (await client.ask(query))["__schema"]
    members = {each["name"]: each["inputFields"] for each in schema["types"]}
    found = set()
    for mutation in schema["mutationType"]["fields"]:
        for argument in mutation["args"]:
            for member in members[_name(argument["type"])]:
                if _name(member["type"]) == "ID":
                    found.add((mutation["name"], member["name"]))
    return found


def _name(shape: Any) -> str:
    while shape.get("ofType"):
        shape = shape["ofType"]
    return str(shape["name"])


async def test_every_mutation_that_takes_an_id_is_tried_here(gateway: RunningGateway) -> None:
    assert await _inputs_with_ids(gateway.client()) == {(name, member) for name, member, _, _ in _TAKING_IDS}


@pytest.mark.parametrize(("mutation", "member", "kind", "rest"), _TAKING_IDS)
async def test_a_foreign_id_is_answered_like_one_that_never_was(
    gateway: RunningGateway, theirs: Theirs, mutation: str, member: str, kind: str, rest: dict[str, Json]
) -> None:
    stranger = gateway.client()
    own = await _own(stranger, rest)
    name = f"{mutation[0].upper()}{mutation[1:]}Input"
    query = (
        f"mutation ($input: {name}!) {{ {mutation}(input: $input) {{ errors {{ __typename code message path }} }} }}"
    )
    foreign = await stranger.post(query, {"input": {**own, member: theirs.ids[kind]}})
    unknown = await stranger.post(query, {"input": {**own, member: never_was(kind)}})
    malformed = await stranger.post(query, {"input": {**own, member: f"{kind}_nonsense"}})
    assert foreign.content == unknown.content == malformed.content
    [error] = foreign.json()["data"][mutation]["errors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["input", member])


async def _own(client: Client, rest: dict[str, Json]) -> dict[str, Json]:
    """The input with ids of the caller's own where they are wanted."""
    found = dict(rest)
    for member, value in rest.items():
        if value == "own:con":
            found[member] = (await connected(client)).id
        elif value == "own:agt":
            found[member] = (await client.ask(CREATE_AGENT, {"input": {"name": "mine"}}))["createAgent"]["agent"]["id"]
    return found


async def test_nothing_of_theirs_was_changed(theirs: Theirs) -> None:
    query = """query ($con: ID!, $agt: ID!, $grt: ID!) {
      connection: node(id: $con) { ... on Connection { status } }
      agent: node(id: $agt) { ... on Agent { status tokens { id } } }
      grant: node(id: $grt) { ... on Grant { status permissionLevel } }
    }"""
    found = await theirs.owner.ask(query, {name: theirs.ids[name] for name in ("con", "agt", "grt")})
    assert found["connection"] == {"status": "ACTIVE"}
    assert found["agent"] == {"status": "ACTIVE", "tokens": [{"id": theirs.ids["key"]}]}
    assert found["grant"] == {"status": "ACTIVE", "permissionLevel": "READ_WRITE"}


@pytest.mark.parametrize(
    "query",
    [
        "query ($con: ID!) { grants(connection: $con) { nodes { id } totalCount } }",
        "query ($agt: ID!) { grants(agent: $agt) { nodes { id } totalCount } }",
        "query ($con: ID!) { executions(connection: $con) { nodes { id } } }",
        "query ($agt: ID!) { executions(agent: $agt) { nodes { id } } }",
        "query ($con: ID!) { auditEvents(connection: $con) { nodes { id } } }",
        "query ($agt: ID!) { auditEvents(agent: $agt) { nodes { id } } }",
        "query ($exe: ID!) { auditEvents(execution: $exe) { nodes { id } } }",
    ],
)
async def test_filtering_by_a_foreign_id_finds_what_an_unknown_one_finds(
    gateway: RunningGateway, theirs: Theirs, query: str
) -> None:
    stranger = gateway.client()
    foreign = await stranger.post(query, theirs.ids)
    unknown = await stranger.post(query, {kind: never_was(kind) for kind in theirs.ids})
    assert foreign.content == unknown.content
    assert b'"nodes":[]' in foreign.content


@pytest.mark.parametrize(
    "field", ["connections", "agents", "grants", "executions", "auditEvents", "alerts", "webhooks"]
)
async def test_a_list_holds_nothing_of_theirs(gateway: RunningGateway, theirs: Theirs, field: str) -> None:
    stranger = gateway.client()
    assert (await stranger.ask(f"{{ {field} {{ nodes {{ id }} }} }}"))[field]["nodes"] == []
    assert (await theirs.owner.ask(f"{{ {field} {{ nodes {{ id }} }} }}"))[field]["nodes"]


@pytest.mark.parametrize("field", ["connections", "agents", "grants", "executions", "auditEvents"])
async def test_a_cursor_of_theirs_opens_nothing(gateway: RunningGateway, theirs: Theirs, field: str) -> None:
    stranger = gateway.client()
    pages = f"{{ {field} {{ pageInfo {{ startCursor }} }} }}"
    cursor = (await theirs.owner.ask(pages))[field]["pageInfo"]["startCursor"]
    query = f"query ($after: String) {{ {field}(after: $after) {{ nodes {{ id }} pageInfo {{ hasNextPage }} }} }}"
    found = (await stranger.ask(query, {"after": cursor}))[field]
    assert found == {"nodes": [], "pageInfo": {"hasNextPage": False}}


async def test_a_cursor_of_their_history_cannot_be_followed(gateway: RunningGateway, theirs: Theirs) -> None:
    async with gateway.client().socket() as socket:
        query = "subscription ($after: String) { auditEvents(after: $after) { id } }"
        await socket.subscribe(query, {"after": theirs.cursor})
        error = _refusal(await socket.receive())
    assert error["extensions"]["code"] == "INVALID_INPUT"


def _refusal(message: Any) -> Any:
    """The one error of a subscription that did not come about."""
    payload = message["payload"]
    [error] = payload if message["type"] == "error" else payload["errors"]
    return error


async def test_a_foreign_session_cannot_be_followed_and_looks_unknown(gateway: RunningGateway, theirs: Theirs) -> None:
    query = "subscription ($id: ID!) { connectSessionEvents(session: $id) { status } }"
    async with gateway.client().socket() as socket:
        answers = []
        for number, wanted in enumerate((theirs.ids["ses"], never_was("ses")), start=1):
            await socket.subscribe(query, {"id": wanted}, name=str(number))
            message = await socket.receive()
            answers.append({**_refusal(message), "type": message["type"]})
            if message["type"] == "next":
                assert (await socket.receive())["type"] == "complete"
    assert answers[0] == answers[1]
    assert answers[0]["extensions"]["code"] == "NOT_FOUND"


async def test_their_events_reach_nobody_else(gateway: RunningGateway, theirs: Theirs) -> None:
    stranger = gateway.client()
    own = await connected(stranger)
    agent = await agent_with_grant(stranger, own.id)
    after = (await stranger.ask("{ historyCursor }"))["historyCursor"]
    query = """subscription ($con: ID, $after: String) {
      executionEvents(connection: $con, after: $after) { execution { id } status }
    }"""
    async with stranger.socket() as socket:
        await socket.subscribe(query, {"con": theirs.ids["con"], "after": after}, name="foreign")
        await socket.subscribe(query, {"after": after}, name="all")
        await theirs.agent.client.execute("github.create_issue", ISSUE)
        ours = (await agent.client.execute("github.create_issue", ISSUE))["execution"]["id"]
        messages = [await socket.receive() for _ in range(2)]
    assert [each["id"] for each in messages] == ["all", "all"]
    assert {each["payload"]["data"]["executionEvents"]["execution"]["id"] for each in messages} == {ours}


async def test_an_agent_sees_itself_and_what_is_its_own_only(gateway: RunningGateway, theirs: Theirs) -> None:
    other = await agent_with_grant(theirs.owner, (await connected(theirs.owner, account="sam-quay")).id)
    query = "query ($id: ID!) { node(id: $id) { id } }"
    for kind in ("agt", "grt", "con", "exe", "ses", "evt"):
        assert (await other.client.ask(query, {"id": theirs.ids[kind]}))["node"] is None, kind
    assert (await other.client.ask(query, {"id": other.agent}))["node"]["id"] == other.agent
    lists = await other.client.ask("{ connections { totalCount } grants { totalCount } executions { nodes { id } } }")
    assert lists == {"connections": {"totalCount": 1}, "grants": {"totalCount": 1}, "executions": {"nodes": []}}


async def test_an_agent_cannot_use_a_connection_it_holds_no_grant_on(gateway: RunningGateway, theirs: Theirs) -> None:
    owner = gateway.client()
    granted, other = await connected(owner), await connected(owner, account="sam-quay")
    agent = await agent_with_grant(owner, granted.id)
    done = await agent.client.execute("github.create_issue", ISSUE, connection=other.id)
    assert done["execution"] is None
    assert done["errors"][0]["reason"] == "grant_exists"
