"""Who may do what (promise A3): every role, every operation of the schema, by every door; each cell is really tried.

The cells are those of `domain.callers.PERMISSIONS`; an operation without one is refused to everybody, and fails here.
"""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from domain.callers import PERMISSIONS, Role
from domain.json import Json
from tests.support.gateways import CREATE_AGENT, CREATE_TOKEN, Client, RunningGateway
from tests.support.samples import document, operations
from tests.support.speaking import posted

OPERATIONS = operations()
LIST: Any = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture(scope="module")
async def callers(gateway: RunningGateway) -> Mapping[Role, Client]:
    """One of each role, in tenants of their own; the agent comes with a key, as agents do."""
    owner = gateway.client()
    agent = (await owner.ask(CREATE_AGENT, {"input": {"name": "worker"}}))["createAgent"]["agent"]["id"]
    token = (await owner.ask(CREATE_TOKEN, {"input": {"agent": agent}}))["createAgentToken"]["token"]
    people: dict[Role, Client] = {role: gateway.client(role) for role in Role if role is not Role.AGENT}
    return {**people, Role.AGENT: Client(gateway.url, token)}


def _is_refused(answer: str, name: str) -> bool:
    """Whether the role was the reason: the sentence names the operation."""
    return f"`{name}` is not open to your role" in answer


def _expected(name: str, role: Role) -> bool:
    assert name in PERMISSIONS, f"{name} has no cell: say in domain.callers who may use it"
    return role not in PERMISSIONS[name]


@pytest.mark.parametrize("role", list(Role))
async def test_by_http(callers: Mapping[Role, Client], role: Role) -> None:
    wrong = []
    for kind, name in OPERATIONS:
        if kind == "subscription":
            continue
        text, variables = document(kind, name)
        answer = await callers[role].post(text, variables)
        assert answer.status_code == 200, (name, answer.text)
        assert "INTERNAL" not in answer.text, (name, answer.text)
        if _is_refused(answer.text, name) is not _expected(name, role):
            wrong.append((name, answer.text))
    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
async def test_by_socket(callers: Mapping[Role, Client], role: Role) -> None:
    wrong = []
    async with callers[role].socket() as socket:
        for kind, name in OPERATIONS:
            text, variables = document(kind, name)
            await socket.subscribe(text, variables, name=name)
            message = await socket.receive()
            assert message["id"] == name
            assert "INTERNAL" not in json.dumps(message), message
            if _is_refused(json.dumps(message), name) is not _expected(name, role):
                wrong.append((name, message))
            if message["type"] == "next":
                assert (await socket.receive())["type"] == "complete"
    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
async def test_by_server_sent_events(callers: Mapping[Role, Client], role: Role) -> None:
    wrong = []
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        for kind, name in OPERATIONS:
            text, variables = document(kind, name)
            headers = {**callers[role].headers, "accept": "text/event-stream"}
            body: Json = {"query": text, "variables": variables}
            answer = await http.post(f"{callers[role].url}/graphql/stream", json=body, headers=headers)
            assert "INTERNAL" not in answer.text, (name, answer.text)
            if _is_refused(answer.text, name) is not _expected(name, role):
                wrong.append((name, answer.text))
    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
async def test_by_mcp(callers: Mapping[Role, Client], role: Role) -> None:
    """MCP has one operation, `execute`: who may not use it is shown no tool and can call none."""
    call: Any = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "github_create_issue", "arguments": {"owner": "a", "repo": "b", "title": "c"}},
    }
    answer = await posted(callers[role], call)
    assert "INTERNAL" not in answer.text
    assert '"isError":false' not in answer.text.replace(" ", "")
    listed = await posted(callers[role], LIST)
    assert listed.status_code == 200, listed.text
    tools = [each["name"] for each in listed.json()["result"]["tools"]]
    if _expected("execute", role):
        assert tools == []


def test_every_operation_has_its_cells() -> None:
    assert {name for _, name in OPERATIONS} == set(PERMISSIONS)
