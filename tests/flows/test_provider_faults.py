"""What a service can do to a call, and what the execution then says: its status, whether to repeat, what to check.

A READ fails plainly, for it has no effect to be unsure of. A WRITE whose answer was lost is UNKNOWN, never FAILED and
never repeated.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.json import Json
from execution import running
from tests.support.gateways import (
    Client,
    GrantedAgent,
    RunningGateway,
    agent_with_grant,
    connected,
    running_gateway,
)
from tests.support.servers import new_database

WRITING = "POST /repos/*/issues"
READING = "GET /repos/*/issues/*"
ISSUE: dict[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}
ONE: dict[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse", "number": 1}
EVENTS = """query ($id: ID!) { auditEvents(execution: $id) { nodes { type status error } } }"""


@pytest.fixture(scope="module")
async def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told here is told of each attempt; that there are more where it is safe is shown elsewhere."""
    monkeypatch.setattr(running, "MOST_ATTEMPTS", 1)


@pytest.fixture
async def agent(gateway: RunningGateway) -> GrantedAgent:
    owner = gateway.client()
    return await agent_with_grant(owner, (await connected(owner)).id)


# kind: what a READ is told, what a WRITE is told. (status, code, isRetryable, providerStatus)
_SAID: dict[str, tuple[tuple[str, str, bool, int | None], tuple[str, str, bool, int | None]]] = {
    "401": (("FAILED", "RECONNECT_REQUIRED", False, 401), ("FAILED", "RECONNECT_REQUIRED", False, 401)),
    "403_secondary": (
        ("FAILED", "PROVIDER_RATE_LIMITED", True, 403),
        ("FAILED", "PROVIDER_RATE_LIMITED", True, 403),
    ),
    "404": (("FAILED", "PROVIDER_NOT_FOUND", False, 404), ("FAILED", "PROVIDER_NOT_FOUND", False, 404)),
    "422": (("FAILED", "PROVIDER_REJECTED", False, 422), ("FAILED", "PROVIDER_REJECTED", False, 422)),
    "429": (("FAILED", "PROVIDER_RATE_LIMITED", True, 429), ("FAILED", "PROVIDER_RATE_LIMITED", True, 429)),
    "500": (("FAILED", "PROVIDER_UNAVAILABLE", True, 500), ("UNKNOWN", "PROVIDER_UNAVAILABLE", False, 500)),
    "503": (("FAILED", "PROVIDER_UNAVAILABLE", True, 503), ("FAILED", "PROVIDER_UNAVAILABLE", True, 503)),
    "slow": (("FAILED", "TIMED_OUT", True, None), ("UNKNOWN", "TIMED_OUT", False, None)),
    "reset": (("FAILED", "TIMED_OUT", True, None), ("UNKNOWN", "TIMED_OUT", False, None)),
    "lost_answer": (("FAILED", "TIMED_OUT", True, None), ("UNKNOWN", "TIMED_OUT", False, None)),
    "garbage": (
        ("FAILED", "PROVIDER_ANSWER_INVALID", False, 200),
        ("UNKNOWN", "PROVIDER_ANSWER_INVALID", False, 200),
    ),
    "huge": (
        ("FAILED", "PROVIDER_ANSWER_INVALID", False, None),
        ("UNKNOWN", "PROVIDER_ANSWER_INVALID", False, None),
    ),
}
_MORE: dict[str, dict[str, Json]] = {"slow": {"seconds": 3}, "huge": {"megabytes": 12}, "429": {"retry_after": 7}}


async def _run(gateway: RunningGateway, agent: GrantedAgent, kind: str, *, writes: bool) -> Any:
    """The execution that met this fault."""
    await gateway.misbehave(kind, WRITING if writes else READING, service="github", **_MORE.get(kind, {}))
    more: dict[str, Json] = {"deadlineSeconds": 1} if kind == "slow" else {}
    if writes:
        done = await agent.client.execute("github.create_issue", {**ISSUE, "title": f"Meets {kind}"}, **more)
    else:
        done = await agent.client.execute("github.get_issue", ONE, **more)
    assert done["errors"] == [], done
    return done["execution"]


@pytest.mark.parametrize("kind", _SAID)
async def test_a_read_fails_plainly(gateway: RunningGateway, agent: GrantedAgent, kind: str) -> None:
    execution = await _run(gateway, agent, kind, writes=False)
    error = execution["error"]
    told = (execution["status"], error["code"], error["isRetryable"], error["providerStatus"])
    assert told == _SAID[kind][0]
    assert execution["whatToCheck"] is None
    assert execution["result"] is None


@pytest.mark.parametrize("kind", _SAID)
async def test_a_write_says_honestly_what_is_known(
    gateway: RunningGateway, agent: GrantedAgent, owner: Client, kind: str
) -> None:
    before = await _written(gateway)
    execution = await _run(gateway, agent, kind, writes=True)
    error = execution["error"]
    told = (execution["status"], error["code"], error["isRetryable"], error["providerStatus"])
    assert told == _SAID[kind][1]
    if execution["status"] == "UNKNOWN":
        assert execution["whatToCheck"], "an UNKNOWN execution says what to look for"
    else:
        assert execution["whatToCheck"] is None
    if kind == "lost_answer":
        assert await _written(gateway) == before + 1, "it happened exactly once, and was not repeated"
    elif kind != "slow":  # a slow service may still do it
        assert await _written(gateway) == before


async def _written(gateway: RunningGateway) -> int:
    effects = (await gateway.effects())["effects"]
    return sum(count for route, count in effects.items() if route.startswith("POST /repos/") and "issues" in route)


@pytest.mark.parametrize("kind", ["429", "403_secondary"])
async def test_a_rate_limit_says_when_to_come_back(gateway: RunningGateway, agent: GrantedAgent, kind: str) -> None:
    now = datetime.now(UTC)
    error = (await _run(gateway, agent, kind, writes=True))["error"]
    assert datetime.fromisoformat(error["retryAt"]) > now


@pytest.mark.parametrize(("kind", "written"), [("lost_answer", "execution.unknown"), ("404", "execution.failed")])
async def test_history_tells_how_it_began_and_how_it_ended(gateway: RunningGateway, kind: str, written: str) -> None:
    owner = gateway.client()
    agent = await agent_with_grant(owner, (await connected(owner)).id)
    execution = await _run(gateway, agent, kind, writes=True)
    events = (await owner.ask(EVENTS, {"id": execution["id"]}))["auditEvents"]["nodes"]
    assert [event["type"] for event in reversed(events)] == ["execution.started", written]
    assert events[0]["error"] == execution["error"]["code"]
    assert events[0]["status"] == execution["status"]


async def test_what_is_stored_is_what_was_answered(gateway: RunningGateway, agent: GrantedAgent) -> None:
    answered = await _run(gateway, agent, "lost_answer", writes=True)
    query = """query ($id: ID!) { node(id: $id) { ... on Execution {
      id status result parameters idempotencyKey whatToCheck durationMs
      error { code message isRetryable providerStatus retryAt }
    } } }"""
    assert (await agent.client.ask(query, {"id": answered["id"]}))["node"] == answered


async def test_after_401_the_connection_has_expired_and_the_next_call_asks_for_a_person(
    gateway: RunningGateway,
) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    failed = await _run(gateway, agent, "401", writes=False)
    assert failed["error"]["code"] == "RECONNECT_REQUIRED"
    query = "query ($id: ID!) { node(id: $id) { ... on Connection { status health { lastError } } } }"
    connection = (await owner.ask(query, {"id": account.id}))["node"]
    assert connection["status"] == "EXPIRED"
    assert "A person must reconnect" in connection["health"]["lastError"]
    before = await gateway.effects()
    refused = await agent.client.execute("github.create_issue", ISSUE)
    [error] = refused["errors"]
    assert (error["__typename"], error["connection"]) == ("ConnectionRequired", {"id": account.id})
    assert error["message"] == "The GitHub connection is expired. A person must reconnect it."
    assert await gateway.effects() == before
    renewed = await connected(owner)
    assert renewed.id == account.id, "the same account is the same connection again"
    again = await agent.client.execute("github.create_issue", ISSUE)
    assert again["execution"]["status"] == "SUCCEEDED"


async def test_nothing_that_a_service_wrote_reaches_the_caller(gateway: RunningGateway, agent: GrantedAgent) -> None:
    execution = await _run(gateway, agent, "422", writes=True)
    assert execution["error"]["message"].startswith("GitHub answered 422")
    assert "sandbox" not in execution["error"]["message"].lower()


async def test_a_service_in_trouble_does_not_end_the_connection(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    query = """mutation ($id: ID!) { testConnection(input: {id: $id}) {
      isHealthy connection { status } errors { code ... on ProviderRefused { providerCode providerStatus } }
    } }"""
    await gateway.misbehave("503", "GET /user")
    tested = (await owner.ask(query, {"id": account.id}))["testConnection"]
    assert tested == {
        "isHealthy": False,
        "connection": {"status": "DEGRADED"},
        "errors": [{"code": "PROVIDER_REFUSED", "providerCode": "PROVIDER_UNAVAILABLE", "providerStatus": 503}],
    }
    done = await owner.execute("github.get_issue", ONE)
    assert done["execution"]["status"] == "SUCCEEDED", "DEGRADED is still tried"
    healthy = (await owner.ask(query, {"id": account.id}))["testConnection"]
    assert (healthy["isHealthy"], healthy["connection"]["status"]) == (True, "ACTIVE")


async def test_a_credential_that_fails_its_test_has_expired(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    await gateway.misbehave("401", "GET /user")
    query = "mutation ($id: ID!) { testConnection(input: {id: $id}) { isHealthy connection { status } } }"
    tested = (await owner.ask(query, {"id": account.id}))["testConnection"]
    assert tested == {"isHealthy": False, "connection": {"status": "EXPIRED"}}


async def test_a_sandbox_account_is_never_taken_to_the_real_service(
    postgres_url: str, migrated_template: str, tmp_path: Path
) -> None:
    elsewhere: Json = {"integrations": {"github": {"sandbox": False}}}
    async with new_database(postgres_url, migrated_template) as address:
        async with running_gateway(address, tmp_path) as simulated:
            await connected(simulated.client(tenant="acme"))
        async with running_gateway(address, tmp_path, file=elsewhere) as real:
            done = await real.client(tenant="acme").execute("github.create_issue", ISSUE)
    error = done["execution"]["error"]
    assert (done["execution"]["status"], error["code"], error["isRetryable"]) == ("FAILED", "MISCONFIGURED", False)
    assert "Nothing was sent" in error["message"]
