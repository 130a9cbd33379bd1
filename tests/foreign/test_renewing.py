"""Renewing at a server we did not write: it rotates, and ends everything when a used token comes again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from domain.catalogue import OAuthApplication
from domain.connections import ConnectionStatus
from domain.errors import ProviderRefused, ReconnectNeeded
from tests.db.ground import Ground, opened
from tests.support.oidc import CALLBACK, Counted, OidcServer, oidc_server
from tests.support.servers import new_database
from tests.vault.renewing import Berth, Dock, docked, ended, process
from vault.oauth import Obtained, authorization_url, new_verifier


@pytest.fixture
async def server() -> AsyncIterator[OidcServer]:
    async with oidc_server() as made:
        yield made


@pytest.fixture
async def ground(postgres_url: str, migrated_template: str) -> AsyncIterator[Ground]:
    async with new_database(postgres_url, migrated_template) as address, opened(address) as made:
        yield made


@pytest.fixture
async def dock(ground: Ground, server: OidcServer) -> AsyncIterator[Dock]:
    async with docked(ground, server.url) as made:
        yield made


def _application(dock: Dock) -> OAuthApplication:
    known = dock.catalogue.harbour.oauth
    assert known is not None
    return known


async def _berth(dock: Dock, server: OidcServer) -> Berth:
    """A person's consent, our exchange of the code, and a connection with what came of it."""
    obtained = await _exchanged(dock, server)
    return await dock.moor(obtained.credential.secrets)


async def _exchanged(dock: Dock, server: OidcServer) -> Obtained:
    application, verifier = _application(dock), new_verifier()
    url = authorization_url(application, ("openid", "read"), "state", CALLBACK, verifier)
    code = await server.consent(url)
    return await dock.oauth.exchange(application, "Harbour", code, CALLBACK, verifier)


async def test_three_processes_and_fifty_callers_renew_once(dock: Dock, ground: Ground, server: OidcServer) -> None:
    berth = await _berth(dock, server)
    async with (
        process(ground, server, berth, calls=17) as one,
        process(ground, server, berth, calls=17) as two,
        process(ground, server, berth, calls=16) as three,
    ):
        answers = [answer for each in (one, two, three) for answer in (await ended(each)).answers]
    assert (len(answers), len(set(answers))) == (50, 1)
    assert await server.counted() == Counted(refreshes=1, ended=0)


async def test_ten_renewals_in_a_row_each_use_the_token_of_the_one_before(dock: Dock, server: OidcServer) -> None:
    berth = await _berth(dock, server)
    for version in range(1, 11):
        await asyncio.gather(*(dock.refresher.refresh(berth.tenant, berth.id, version) for _ in range(5)))
    assert await dock.version(berth) == 11
    assert await server.counted() == Counted(refreshes=10, ended=0)


async def test_killed_after_the_answer_was_kept_nothing_is_lost(dock: Dock, ground: Ground, server: OidcServer) -> None:
    berth = await _berth(dock, server)
    async with process(ground, server, berth, die_at="kept") as dying:
        await ended(dying)
    await dock.fresh(berth)
    await dock.refresher.refresh(berth.tenant, berth.id, 2)  # with the token that was found again
    assert await server.counted() == Counted(refreshes=2, ended=0)


async def test_killed_before_the_answer_was_kept_the_server_ends_it_and_we_say_so(
    dock: Dock, ground: Ground, server: OidcServer
) -> None:
    berth = await _berth(dock, server)
    async with process(ground, server, berth, die_at="answered") as dying:
        await ended(dying)
    with pytest.raises(ReconnectNeeded, match="An earlier answer of Harbour to a renewal was lost"):
        await dock.fresh(berth)
    assert (await dock.look(berth)).status is ConnectionStatus.EXPIRED
    assert await server.counted() == Counted(refreshes=1, ended=1)


async def test_a_code_is_exchanged_only_with_its_verifier(dock: Dock, server: OidcServer) -> None:
    application = _application(dock)
    url = authorization_url(application, ("openid", "read"), "state", CALLBACK, new_verifier())
    code = await server.consent(url)
    with pytest.raises(ProviderRefused, match="did not accept the authorisation"):
        await dock.oauth.exchange(application, "Harbour", code, CALLBACK, new_verifier())


async def test_a_used_token_ends_everything_there(dock: Dock, server: OidcServer) -> None:
    """The control: the server is as strict as the tests above need it to be."""
    application, client = _application(dock), dock.oauth
    token = (await _exchanged(dock, server)).credential.secrets["refresh_token"]
    await client.refresh(application, "Harbour", token)
    with pytest.raises(ReconnectNeeded):
        await client.refresh(application, "Harbour", token)
    assert await server.counted() == Counted(refreshes=1, ended=1)
