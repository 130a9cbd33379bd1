"""A disconnecting that lost its process half way: nobody can use the account any more, and another one finishes it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from adapters._kit.sandbox_oauth import OAuthClient
from domain.json import Json
from tests.flows.ageing import Ageing, ageing
from tests.support.fleets import Fleet, fleet
from tests.support.gateways import CONNECT, Client, agent_with_grant, connected
from tests.support.servers import new_database

DISCONNECT = """mutation ($id: ID!) { disconnect(input: {id: $id}) {
  revokedUpstream connection { status } errors { code message }
} }"""
UPDATE = "mutation ($input: UpdateConnectionInput!) { updateConnection(input: $input) { errors { code message } } }"
WATCH = "subscription ($after: String) { connectionEvents(after: $after) { status reason connection { id } } }"
READ = "query ($id: ID!) { node(id: $id) { ... on Connection { status health { lastError } } } }"
HISTORY = "query ($id: ID!) { auditEvents(connection: $id, first: 100) { nodes { type actor status reason } } }"
ISSUE: Json = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Too late"}
APPLICATION = OAuthClient(client_id="app", client_secret="app-secret", name="App", any_loopback=True)


@pytest.fixture
async def ships(postgres_url: str, migrated_template: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with (
        new_database(postgres_url, migrated_template) as address,
        fleet(address, tmp_path, client=APPLICATION) as found,
    ):
        yield found


async def _killed_meanwhile(ships: Fleet) -> tuple[str, Client]:
    """The connection that was being disconnected when its process was killed, and an agent that had used it."""
    async with ships.process() as process:
        owner = ships.client(process)
        account = await connected(owner)
        agent = await agent_with_grant(owner, account.id)
        assert (await agent.client.execute("github.create_issue", ISSUE))["execution"]["status"] == "SUCCEEDED"
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        await ships.misbehave("slow", "DELETE /applications/*", seconds=5)
        async with owner.socket() as watching:
            await watching.subscribe(WATCH, {"after": after})
            asking = asyncio.ensure_future(owner.ask(DISCONNECT, {"id": account.id}))
            assert (await watching.next())["connectionEvents"]["status"] == "DISABLED"
            await process.end(signal.SIGKILL)
        with suppress(httpx2.TransportError):
            await asking
        return account.id, agent.client


async def _its_time_passes(database: Ageing, connection: str) -> None:
    id = UUID(hex=connection.partition("_")[2])
    passed = "UPDATE connections SET ending_until = now() - interval '1 second' WHERE id = $1"
    await database.connection.execute(passed, id)
    await _its_lease_passes(database, id)


async def _its_lease_passes(database: Ageing, id: UUID) -> None:
    """The dead process kept others from renewing the credential, for as long as a lease lasts."""
    long_ago = "now() - interval '1 minute'"
    lapsed = f"UPDATE credentials SET lease_until = {long_ago}, lapse_seen_at = {long_ago} WHERE connection_id = $1"  # noqa: S608
    await database.connection.execute(lapsed, id)


async def test_it_is_finished_by_another_process_which_says_what_the_service_confirmed(ships: Fleet) -> None:
    connection, agent = await _killed_meanwhile(ships)
    async with ships.process() as process, ageing(ships.environ["DATABASE_URL"]) as database:
        owner = ships.client(process)
        between: Any = (await owner.ask(READ, {"id": connection}))["node"]
        assert between == {"status": "DISABLED", "health": {"lastError": "It is being disconnected."}}
        refused = await Client(process.url, agent.token).execute("github.create_issue", ISSUE, connection=connection)
        assert refused["errors"][0]["code"] == "PERMISSION_DENIED"
        resumed: Json = {"id": connection, "isEnabled": True}
        for ask, given in ((UPDATE, resumed), (CONNECT, _again(connection))):
            [answer] = (await owner.ask(ask, {"input": given})).values()
            assert [each["code"] for each in answer["errors"]] == ["CONFLICT"]
            assert "being disconnected" in answer["errors"][0]["message"]
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        async with owner.socket() as watching:
            await watching.subscribe(WATCH, {"after": after})
            await _its_time_passes(database, connection)
            ended = (await watching.next())["connectionEvents"]
        assert (ended["status"], ended["connection"]["id"]) == ("REVOKED", connection)
        assert ended["reason"] in ("confirmed by the service", "not confirmed by the service")
        assert await database.connection.fetchval("SELECT count(*) FROM credentials") == 0
        told = (await owner.ask(HISTORY, {"id": connection}))["auditEvents"]["nodes"]
        kinds = [each["type"] for each in reversed(told)]
        assert kinds[-3:] == ["grant.revoked", "connection.disconnecting", "connection.revoked"]
        assert "execution.succeeded" in kinds, "history stays"
        assert told[0]["actor"] == "user:ada", "whoever began it"


def _again(connection: str) -> Json:
    return {"integration": "github", "connection": connection, "actions": ["github.get_repo"]}


async def test_asking_again_finishes_it_at_once(ships: Fleet) -> None:
    connection, _ = await _killed_meanwhile(ships)
    async with ships.process() as process, ageing(ships.environ["DATABASE_URL"]) as database:
        await _its_lease_passes(database, UUID(hex=connection.partition("_")[2]))
        owner = ships.client(process)
        ended = (await owner.ask(DISCONNECT, {"id": connection}))["disconnect"]
        assert (ended["connection"]["status"], ended["errors"]) == ("REVOKED", [])
        told = (await owner.ask(HISTORY, {"id": connection}))["auditEvents"]["nodes"]
        assert [each["type"] for each in told].count("connection.disconnecting") == 1
