"""Access that ends and is renewed, seen from outside: by executions, tests and the connection's health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from adapters._kit.catalogue import slugs
from adapters._kit.sandbox_oauth import Lifetime, OAuthClient
from adapters.github.sandbox import sandbox
from domain.json import Json
from tests.support.fleets import fleet, github_at
from tests.support.gateways import Client, RunningGateway, connected, running_gateway
from tests.support.servers import new_database
from tests.support.serving import serving

TOKENS = "POST /login/oauth/access_token"
LOOK = "github.list_issues"
ISSUE: Json = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}
WHERE: Json = {"owner": "lin-harbour", "repo": "lighthouse"}
HEALTH = """
query ($id: ID!) { node(id: $id) { ... on Connection {
  status expiresAt health { lastCheckedAt lastSucceededAt lastError nextRefreshAt }
} } }
"""


def application(seconds: int) -> OAuthClient:
    """A GitHub App whose access lasts so long: each refresh gives a new refresh token and ends the access before it."""
    lifetime = Lifetime(access_seconds=seconds, refresh="rotating", ends_old_access=True)
    return OAuthClient(
        client_id="app",
        client_secret="app-secret",
        name="App",
        any_loopback=True,
        lifetime=lifetime,
    )


def lasting(client: OAuthClient) -> None:
    """From now on its access lasts for hours."""
    client.lifetime = application(28_800).lifetime


@dataclass
class Harbour:
    """A gateway, a practice GitHub of the test's own, and the database beneath."""

    gateway: RunningGateway
    service: str
    app: OAuthClient
    database: "asyncpg.Connection[asyncpg.Record]"

    async def misbehave(self, kind: str, match: str) -> None:
        async with httpx2.AsyncClient(trust_env=False) as http:
            fault = {"kind": kind, "match": match}
            assert (await http.post(f"{self.service}/_sandbox/faults", json=fault)).is_success

    async def effects(self, route: str) -> int:
        async with httpx2.AsyncClient(trust_env=False) as http:
            routes: dict[str, int] = (await http.get(f"{self.service}/_sandbox/effects")).json()["effects"]
            return routes.get(route, 0)

    async def health(self, owner: Client, connection: str) -> Any:
        return (await owner.ask(HEALTH, {"id": connection}))["node"]

    async def aged(self, connection: str) -> None:
        """Its credential was obtained a while ago."""
        await self.database.execute(
            "UPDATE credentials SET sealed_at = now() - interval '1 hour' WHERE connection_id = $1",
            UUID(hex=connection.partition("_")[2]),
        )


@pytest.fixture(scope="module")
async def harbour(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Harbour]:
    app = application(30)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(serving(sandbox(clients=[app])))
        address = await stack.enter_async_context(new_database(postgres_url, migrated_template))
        others: dict[str, Json] = {slug: {"sandbox": False} for slug in slugs()}
        file: Json = {
            "integrations": {**others, "github": github_at(service, app)},
            "egress": {"allow": ["127.0.0.0/8"]},
        }
        folder = tmp_path_factory.mktemp("renewing")
        gateway = await stack.enter_async_context(running_gateway(address, folder, file=file))
        database = await asyncpg.connect(address)
        stack.push_async_callback(database.close)
        yield Harbour(gateway, service, app, database)


@pytest.fixture
def soon(harbour: Harbour) -> None:
    """What is connected now ends within a minute."""
    harbour.app.lifetime = application(30).lifetime


@pytest.fixture
def long(harbour: Harbour) -> None:
    """What is connected now lasts."""
    lasting(harbour.app)


@pytest.mark.usefixtures("soon")
async def test_an_execution_renews_what_is_about_to_end_and_goes_on(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    account = await connected(owner, [LOOK])
    before = await harbour.health(owner, account.id)
    lasting(harbour.app)
    asked = await harbour.effects(TOKENS)
    runs = await asyncio.gather(*(owner.execute(LOOK, WHERE) for _ in range(20)))
    assert {each["execution"]["status"] for each in runs} == {"SUCCEEDED"}
    assert await harbour.effects(TOKENS) == asked + 1
    after = await harbour.health(owner, account.id)
    assert after["status"] == "ACTIVE"
    assert before["expiresAt"] < after["health"]["nextRefreshAt"] < after["expiresAt"]


@pytest.mark.usefixtures("long")
async def test_a_refused_call_is_made_again_with_renewed_access(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    account = await connected(owner)
    await harbour.aged(account.id)
    asked, written = await harbour.effects(TOKENS), await harbour.effects("POST /repos/{owner}/{repo}/issues")
    await harbour.misbehave("401", "POST /repos/*")
    run = (await owner.execute("github.create_issue", ISSUE))["execution"]
    assert run["status"] == "SUCCEEDED", run
    assert await harbour.effects(TOKENS) == asked + 1
    assert await harbour.effects("POST /repos/{owner}/{repo}/issues") == written + 1
    assert (await harbour.health(owner, account.id))["status"] == "ACTIVE"


@pytest.mark.usefixtures("long")
async def test_a_refused_call_while_nothing_can_be_renewed_does_not_cost_the_connection(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    account = await connected(owner)
    await harbour.aged(account.id)
    await harbour.misbehave("401", "POST /repos/*")
    await harbour.misbehave("500", TOKENS)
    run = (await owner.execute("github.create_issue", ISSUE, deadlineSeconds=3))["execution"]
    assert (run["status"], run["error"]["isRetryable"]) == ("FAILED", True), run
    assert run["error"]["message"] == (
        "GitHub is in trouble and did not renew the access. Nothing was sent; try again."
    )
    health = await harbour.health(owner, account.id)
    assert health["status"] == "DEGRADED"
    assert health["health"]["lastError"] == "GitHub is in trouble and did not renew the access."


@pytest.mark.usefixtures("long")
async def test_a_test_says_when_it_is_renewed_next(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    account = await connected(owner)
    tested = "mutation ($id: ID!) { testConnection(input: { id: $id }) { isHealthy connection { status } } }"
    assert (await owner.ask(tested, {"id": account.id}))["testConnection"] == {
        "isHealthy": True,
        "connection": {"status": "ACTIVE"},
    }
    health = (await harbour.health(owner, account.id))["health"]
    assert health["nextRefreshAt"] is not None
    assert health["lastCheckedAt"] == health["lastSucceededAt"] is not None


@pytest.mark.usefixtures("long")
async def test_somebody_looks_after_what_is_due(harbour: Harbour) -> None:
    """As the background does, round by round."""
    owner = harbour.gateway.client()
    account = await connected(owner)
    before = await harbour.health(owner, account.id)
    id = UUID(hex=account.id.partition("_")[2])
    await harbour.database.execute(
        "UPDATE connections SET next_refresh_at = now(), next_check_at = now() WHERE id = $1", id
    )
    async with asyncio.timeout(20):
        while (now := await harbour.health(owner, account.id))["health"]["lastCheckedAt"] == before["health"][
            "lastCheckedAt"
        ]:
            await asyncio.sleep(0.1)
    assert now["status"] == "ACTIVE"
    assert now["expiresAt"] > before["expiresAt"]


async def test_three_processes_renew_once(
    postgres_url: str, migrated_template: str, redis_url: str, tmp_path: Path
) -> None:
    app = application(30)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(new_database(postgres_url, migrated_template))
        ships = await stack.enter_async_context(fleet(address, tmp_path, redis_url, client=app))
        first, second, third = [await stack.enter_async_context(ships.process()) for _ in range(3)]
        await connected(ships.client(first), [LOOK])
        lasting(app)
        owners = [ships.client(each) for each in (first, second, third)]
        runs = await asyncio.gather(*(owners[n % 3].execute(LOOK, WHERE) for n in range(50)))
        assert [each["errors"] for each in runs if each["errors"]] == []
        assert [each["execution"]["status"] for each in runs] == ["SUCCEEDED"] * 50
        async with httpx2.AsyncClient(trust_env=False) as http:
            routes = (await http.get(f"{ships.service}/_sandbox/effects")).json()["effects"]
        assert routes[TOKENS] == 2, "one for the code, one renewal"
