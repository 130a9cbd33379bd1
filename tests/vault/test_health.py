"""Connections that tell the truth: each test of one decides how it stands, and history hears only of news."""

import pytest

from domain.connections import ConnectionStatus
from domain.errors import AnswerLost
from tests.support.tokens import TokenService
from tests.vault.renewing import Berth, Dock

ACTIVE, DEGRADED, EXPIRED = ConnectionStatus.ACTIVE, ConnectionStatus.DEGRADED, ConnectionStatus.EXPIRED


async def _types(dock: Dock, berth: Berth) -> list[str]:
    return [event.type for event in await dock.events(berth)]


async def _aged(dock: Dock, berth: Berth) -> None:
    """Its credential was obtained a while ago."""
    async with dock.ground.as_owner() as owner:
        await owner.execute(
            "UPDATE credentials SET sealed_at = now() - interval '1 hour' WHERE connection_id = $1", berth.id
        )


async def test_a_healthy_connection_is_noted_without_a_word_in_history(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    before = await dock.look(berth)
    checked = await dock.health.check(berth.tenant, berth.id)
    assert checked is not None
    assert checked.problem is None
    after = await dock.look(berth)
    assert (after.status, after.version, after.last_error) == (ACTIVE, before.version, None)
    assert after.last_checked_at is not None
    assert before.last_checked_at is not None
    assert after.last_checked_at > before.last_checked_at
    assert await _types(dock, berth) == []


async def test_a_test_that_a_person_asked_for_is_in_history(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    await dock.health.check(berth.tenant, berth.id, asked_by="user:ada")
    [event] = await dock.events(berth)
    assert (event.type, event.actor, event.status) == ("connection.tested", "user:ada", "ACTIVE")


async def test_a_credential_that_has_ended_is_renewed_for_the_test(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    checked = await dock.health.check(berth.tenant, berth.id)
    assert checked is not None
    assert (checked.connection.status, service.refreshes) == (ACTIVE, 1)


async def test_a_refused_credential_is_renewed_and_tested_again(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    await _aged(dock, berth)
    service.forget_access()
    checked = await dock.health.check(berth.tenant, berth.id)
    assert checked is not None
    assert (checked.connection.status, checked.problem, service.refreshes) == (ACTIVE, None, 1)


async def test_a_refused_credential_that_cannot_be_renewed_just_now_is_no_reason_to_drop_the_connection(
    dock: Dock, service: TokenService
) -> None:
    berth = await dock.berth(service, seconds=600)
    await _aged(dock, berth)
    service.forget_access()
    service.deeds.append("503")
    checked = await dock.health.check(berth.tenant, berth.id)
    assert checked is not None
    assert checked.connection.status is DEGRADED
    assert await _types(dock, berth) == ["connection.degraded"]


async def test_access_that_was_taken_back_ends_the_connection_once(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    await _aged(dock, berth)
    service.revoke()
    checked = await dock.health.check(berth.tenant, berth.id)
    assert checked is not None
    assert (checked.connection.status, checked.problem is not None) == (EXPIRED, True)
    assert await _types(dock, berth) == ["connection.expired"]


async def test_somebody_elses_account_is_not_accepted(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    service.account_of_everybody = "2"
    checked = await dock.health.check(berth.tenant, berth.id)
    assert checked is not None
    after = await dock.look(berth)
    assert (after.status, after.next_refresh_at) == (EXPIRED, None)
    assert after.account is not None
    assert after.account.id == "1"
    assert after.last_error == "Harbour now says that this is another account. Reconnect it."


async def test_a_service_in_trouble_degrades_and_its_recovery_is_told(
    dock: Dock, service: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    berth = await dock.berth(service, seconds=600)

    async def silent(setting: object) -> object:
        raise AnswerLost("Harbour did not answer in time.")

    with monkeypatch.context() as trouble:
        trouble.setattr(dock.catalogue.harbour, "identify", silent)
        for _ in range(3):
            await dock.health.check(berth.tenant, berth.id)
    after = await dock.look(berth)
    assert (after.status, after.last_error) == (DEGRADED, "Harbour did not answer in time.")
    await dock.health.check(berth.tenant, berth.id)
    assert (await dock.look(berth)).status is ACTIVE
    assert await _types(dock, berth) == ["connection.degraded", "connection.recovered"]


async def test_permissions_that_changed_over_there_are_noticed_and_said_once(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    service.grants("read admin more")
    for _ in range(2):
        await dock.health.check(berth.tenant, berth.id)
    assert (await dock.look(berth)).granted_scopes == ("read", "admin", "more")
    [event] = await dock.events(berth)
    assert event.type == "connection.permissions_changed"
    assert event.reason == "The service gave 2 and took away 1 of the permissions."


async def test_permissions_that_changed_with_a_renewal_are_noticed_too(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    service.grants("read")
    await dock.fresh(berth)
    assert (await dock.look(berth)).granted_scopes == ("read",)
    assert await _types(dock, berth) == ["connection.refreshed", "connection.permissions_changed"]


async def test_a_disabled_connection_is_tested_when_asked_and_stays_disabled(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    async with dock.ground.stores.of(berth.tenant) as store:
        await store.connections.set_status(berth.id, ConnectionStatus.DISABLED)
    await dock.health.check(berth.tenant, berth.id, asked_by="user:ada")
    assert (await dock.look(berth)).status is ConnectionStatus.DISABLED


async def test_tests_are_spread_and_a_connection_in_trouble_is_looked_at_sooner(dock: Dock) -> None:
    sound, troubled = dock.health.next_check_at(ACTIVE), dock.health.next_check_at(DEGRADED)
    assert sound is not None
    assert troubled is not None
    assert troubled < sound
    assert dock.health.next_check_at(EXPIRED) is None
