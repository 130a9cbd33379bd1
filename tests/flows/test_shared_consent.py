"""One consent for several services of a house: ending one connection leaves the others working.

Gmail and Drive are both set up as the operator's own services at one address, where one Google account has one consent
for our client; a practice Gmail plays the part of Google's accounts for both.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters._kit.sandbox_google import google_people
from adapters._kit.sandbox_oauth import OAuthClient
from adapters.gmail.sandbox import sandbox
from domain.json import Json
from gateway.browsing import Browser
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, running_gateway
from tests.support.servers import new_database
from tests.support.serving import serving

MARA, JON = (each.sub for each in google_people())
APP = ("harbour-client", "harbour-secret")
DISCONNECT = "mutation ($id: ID!) { disconnect(input: {id: $id}) { revokedUpstream errors { code } } }"
REASONS = 'query ($id: ID!) { auditEvents(connection: $id, types: ["connection.revoked"]) { nodes { reason } } }'


@pytest.fixture(scope="module")
async def house(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """A gateway whose Gmail and Drive are one house."""
    app = OAuthClient(client_id=APP[0], client_secret=APP[1], name="Harbour", any_loopback=True)
    async with serving(sandbox(clients=[app])) as url, new_database(postgres_url, migrated_template) as address:
        said: Json = {
            "client_id": APP[0],
            "client_secret": APP[1],
            "base_url": url,
            "authorize_url": f"{url}/o/oauth2/v2/auth",
            "token_url": f"{url}/oauth2/token",
            "hosts": {"identity": f"{url}/openidconnect", "oauth": f"{url}/oauth2"},
        }
        file: Json = {"integrations": {"gmail": said, "google_drive": said}, "egress": {"allow": ["127.0.0.0/8"]}}
        folder = tmp_path_factory.mktemp("house")
        async with running_gateway(address, folder, file=file) as running:
            yield running


async def connected(owner: Client, integration: str, person: str) -> str:
    """Connect as this person, with what the connection's own test needs."""
    begun = (await owner.ask(CONNECT, {"input": {"integration": integration, "actions": []}}))["connect"]
    assert begun["errors"] == []
    browser = Browser()
    page = await browser.open(begun["session"]["authorizationUrl"])
    await browser.press(page, account=person, decision="authorize")
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert session["status"] == "COMPLETED", session
    assert len(session["connection"]["grantedScopes"]) == 2, "every box that was ticked was sent"
    id: str = session["connection"]["id"]
    return id


async def ended(owner: Client, connection: str) -> tuple[Any, str]:
    """What disconnecting answered, and why, as history has it."""
    done = (await owner.ask(DISCONNECT, {"id": connection}))["disconnect"]
    assert done["errors"] == []
    (event,) = (await owner.ask(REASONS, {"id": connection}))["auditEvents"]["nodes"]
    return done["revokedUpstream"], event["reason"]


async def works(owner: Client, connection: str) -> bool:
    query = "mutation ($id: ID!) { testConnection(input: {id: $id}) { isHealthy } }"
    found: bool = (await owner.ask(query, {"id": connection}))["testConnection"]["isHealthy"]
    return found


async def test_only_the_last_connection_of_a_person_takes_the_consent_back(house: RunningGateway) -> None:
    owner = house.client()
    mail, files = await connected(owner, "gmail", MARA), await connected(owner, "google_drive", MARA)
    is_revoked, reason = await ended(owner, mail)
    assert (is_revoked, reason.partition(":")[0]) == (False, "not asked of the service")
    assert await works(owner, files)
    assert await ended(owner, files) == (True, "confirmed by the service")


async def test_another_persons_connection_keeps_nobody_from_taking_the_consent_back(house: RunningGateway) -> None:
    owner = house.client()
    mail, files = await connected(owner, "gmail", JON), await connected(owner, "google_drive", MARA)
    assert await ended(owner, mail) == (True, "confirmed by the service")
    assert await works(owner, files)
