"""A tenant brings its own OAuth application: it is asked for consent, renews and ends what it made, and no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx2
import pytest

from adapters._kit.catalogue import slugs
from adapters._kit.sandbox_oauth import Lifetime, OAuthClient
from adapters.github.sandbox import sandbox
from domain.callers import Role
from domain.json import Json
from tests.support.fleets import github_at
from tests.support.gateways import CONNECT, Client, RunningGateway, connected, running_gateway
from tests.support.servers import new_database
from tests.support.serving import serving

SECRET = "canary-client-secret"
SET = """mutation ($input: SetAuthConfigInput!) { setAuthConfig(input: $input) {
  authConfig { clientId isTenantOwned updatedAt } errors { __typename code message path }
} }"""
IN_USE = '{ integration(slug: "github") { callbackUrl authConfig { clientId isTenantOwned updatedAt } } }'
DISCONNECT = "mutation ($id: ID!) { disconnect(input: {id: $id}) { revokedUpstream } }"
LOOK, WHERE = "github.list_issues", {"owner": "lin-harbour", "repo": "lighthouse"}


def application(name: str, seconds: int) -> OAuthClient:
    lifetime = Lifetime(access_seconds=seconds, refresh="rotating", ends_old_access=True)
    return OAuthClient(client_id=name, client_secret=f"{name}-secret", name=name, any_loopback=True, lifetime=lifetime)


@dataclass
class Harbour:
    """A gateway, a practice GitHub with two applications, and the database beneath."""

    gateway: RunningGateway
    ours: OAuthClient
    theirs: OAuthClient
    database: "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture(scope="module")
async def harbour(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Harbour]:
    ours, theirs = application("deployment", 28_800), application("tenant", 28_800)
    theirs.client_secret = SECRET
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(serving(sandbox(clients=[ours, theirs])))
        address = await stack.enter_async_context(new_database(postgres_url, migrated_template))
        others: dict[str, Json] = {slug: {"sandbox": False} for slug in slugs() if slug != "slack"}
        file: Json = {
            "integrations": {**others, "github": github_at(service, ours)},
            "egress": {"allow": ["127.0.0.0/8"]},
        }
        folder = tmp_path_factory.mktemp("own")
        gateway = await stack.enter_async_context(running_gateway(address, folder, file=file))
        database = await asyncpg.connect(address)
        stack.push_async_callback(database.close)
        yield Harbour(gateway, ours, theirs, database)


async def bring(owner: Client, client_id: str = "tenant", secret: str = SECRET, integration: str = "github") -> Any:
    wanted: Json = {"integration": integration, "clientId": client_id, "clientSecret": secret}
    return (await owner.ask(SET, {"input": wanted}))["setAuthConfig"]


async def asked_as(owner: Client) -> str:
    """The client id that a person's browser is sent to the service with."""
    begun = (await owner.ask(CONNECT, {"input": {"integration": "github", "actions": [LOOK]}}))["connect"]
    async with httpx2.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(begun["session"]["authorizationUrl"])
    return parse_qs(urlsplit(answer.headers["location"]).query)["client_id"][0]


async def test_what_is_brought_is_used_for_new_connections_of_that_tenant_alone(harbour: Harbour) -> None:
    owner, other = harbour.gateway.client(), harbour.gateway.client()
    assert (await owner.ask(IN_USE))["integration"]["authConfig"] == {
        "clientId": "deployment",
        "isTenantOwned": False,
        "updatedAt": None,
    }
    done = await bring(owner)
    assert done["errors"] == []
    found = (await owner.ask(IN_USE))["integration"]
    assert found["authConfig"] == done["authConfig"]
    assert (found["authConfig"]["clientId"], found["authConfig"]["isTenantOwned"]) == ("tenant", True)
    assert found["callbackUrl"] == f"{harbour.gateway.url}/oauth/callback"
    assert (await asked_as(owner), await asked_as(other)) == ("tenant", "deployment")


async def test_a_connection_is_made_renewed_and_ended_by_the_application_it_was_made_with(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    harbour.theirs.lifetime = application("tenant", 30).lifetime
    await bring(owner)
    account = await connected(owner, [LOOK])
    harbour.theirs.lifetime = application("tenant", 28_800).lifetime
    run = (await owner.execute(LOOK, WHERE))["execution"]  # its access ends within a minute, so it is renewed first
    assert run["status"] == "SUCCEEDED", run
    assert (await owner.ask(DISCONNECT, {"id": account.id}))["disconnect"]["revokedUpstream"] is True


async def test_bringing_an_application_ends_no_connection_of_the_deployments(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    harbour.ours.lifetime = application("deployment", 30).lifetime
    account = await connected(owner, [LOOK])
    harbour.ours.lifetime = application("deployment", 28_800).lifetime
    await bring(owner)
    assert (await owner.execute(LOOK, WHERE))["execution"]["status"] == "SUCCEEDED"
    assert (await owner.ask(DISCONNECT, {"id": account.id}))["disconnect"]["revokedUpstream"] is True


async def test_a_new_secret_of_the_same_application_serves_its_connections_too(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    harbour.theirs.lifetime = application("tenant", 30).lifetime
    await bring(owner)
    await connected(owner, [LOOK])
    harbour.theirs.lifetime = application("tenant", 28_800).lifetime
    harbour.theirs.client_secret = "canary-client-secret-2"
    try:
        await bring(owner, secret="canary-client-secret-2")
        assert (await owner.execute(LOOK, WHERE))["execution"]["status"] == "SUCCEEDED"
    finally:
        harbour.theirs.client_secret = SECRET


async def test_an_earlier_application_goes_on_serving_what_it_made(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    harbour.theirs.lifetime = application("tenant", 30).lifetime
    await bring(owner)
    await connected(owner, [LOOK])
    harbour.theirs.lifetime = application("tenant", 28_800).lifetime
    await bring(owner, "another", "another-secret")
    assert await asked_as(owner) == "another"
    assert (await owner.execute(LOOK, WHERE))["execution"]["status"] == "SUCCEEDED"


async def test_the_secret_is_nowhere_to_be_read(harbour: Harbour) -> None:
    owner = harbour.gateway.client()
    await bring(owner)
    rows = await harbour.database.fetch("SELECT to_jsonb(t)::text AS row FROM tenant_oauth t")
    assert rows
    for form in (SECRET, SECRET.encode().hex()):
        assert not any(form in row["row"] for row in rows)
    told = await owner.ask("{ auditEvents(first: 50) { nodes { type actor } } }")
    assert "integration.application_set" in {each["type"] for each in told["auditEvents"]["nodes"]}
    assert "canary" not in str(told)


async def test_a_secret_belongs_to_its_row(harbour: Harbour) -> None:
    owner, other = harbour.gateway.client(tenant="own-a"), harbour.gateway.client(tenant="own-b")
    await asyncio.gather(bring(owner), bring(other, "tenant", "another-secret"))
    moved = "UPDATE tenant_oauth t SET sealed = o.sealed FROM tenant_oauth o"
    await harbour.database.execute(f"{moved} WHERE t.tenant = 'own-a' AND o.tenant = 'own-b'")
    wanted: Json = {"integration": "github", "actions": [LOOK]}
    answer = await owner.answer(CONNECT, {"input": wanted})
    assert [each["extensions"]["code"] for each in answer["errors"]] == ["INTERNAL"]


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"integration": "nowhere"}, "integration"),
        ({"integration": "namecom"}, "integration"),  # by key only
        ({"integration": "stripe"}, "integration"),  # calls are signed by the application itself
        ({"integration": "slack"}, "integration"),  # simulated here
        ({"integration": "vercel"}, "integration"),  # where it is installed is for the operator to say
        ({"client_id": ""}, "clientId"),
        ({"client_id": "a b"}, "clientId"),
        ({"client_id": "x" * 301}, "clientId"),
        ({"client_id": "ü"}, "clientId"),
        ({"secret": ""}, "clientSecret"),
        ({"secret": "canary\n"}, "clientSecret"),
        ({"secret": "x" * 2_001}, "clientSecret"),
    ],
)
async def test_what_cannot_be_is_refused_without_repeating_it(
    harbour: Harbour, wanted: dict[str, str], path: str
) -> None:
    done = await bring(harbour.gateway.client(), **wanted)
    assert done["authConfig"] is None
    assert [each["path"] for each in done["errors"]] == [["input", path]]
    assert "canary" not in str(done)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.AUDITOR])
async def test_only_owners_and_admins_bring_one(harbour: Harbour, role: Role) -> None:
    done = await bring(harbour.gateway.client(role))
    assert [each["code"] for each in done["errors"]] == ["PERMISSION_DENIED"]
