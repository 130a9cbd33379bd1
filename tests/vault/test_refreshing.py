"""Renewing: once however many ask (T1), with one holder at a time (T2), and safe when the service is not (T4, T5)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from db.refresh_records import PostgresRefreshRecords
from domain.catalogue import Refreshing
from domain.connections import ConnectionStatus
from domain.errors import NotSent, ReconnectNeeded
from domain.refreshing import Busy, Lease, Resting
from domain.secrets import Secret
from tests.db.ground import Ground
from tests.support.tokens import Deed, TokenService
from tests.vault.renewing import QUICK, Dock, docked, ended, process
from vault.oauth import Obtained, read_answer
from vault.refreshing import NotRefreshable


async def test_a_credential_that_has_ended_is_renewed_before_it_is_used(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    token = await dock.fresh(berth)
    assert service.is_alive(token)
    after = await dock.look(berth)
    assert (after.status, after.last_error) == (ConnectionStatus.ACTIVE, None)
    assert after.expires_at is not None
    assert after.next_refresh_at is not None
    assert datetime.now(UTC) < after.next_refresh_at < after.expires_at
    assert [event.type for event in await dock.events(berth)] == ["connection.refreshed"]
    assert await dock.journal(berth) == 0


async def test_a_credential_that_holds_is_used_and_nobody_is_asked(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    assert service.is_alive(await dock.fresh(berth))
    assert service.asked == 0


async def test_facts_stay_and_so_does_a_refresh_token_that_was_not_replaced(dock: Dock, service: TokenService) -> None:
    service.is_rotating = False
    berth = await dock.berth(service)
    before = await dock.credential(berth)
    await dock.fresh(berth)
    after = await dock.credential(berth)
    assert after.secrets["refresh_token"] == before.secrets["refresh_token"]
    assert after.secrets["access_token"] != before.secrets["access_token"]
    assert after.facts == {"team": "T1"}


async def test_a_further_token_stays_with_its_scopes(dock: Dock, service: TokenService) -> None:
    access, refresh = service.consent(scopes="read")
    tokens = {"access_token": access, "refresh_token": refresh, "user_token": "of-the-person"}
    berth = await dock.moor({name: Secret(text) for name, text in tokens.items()})
    await dock.fresh(berth)
    assert (await dock.credential(berth)).secrets["user_token"] == Secret("of-the-person")
    assert (await dock.look(berth)).granted_scopes == ("read", "write")


async def test_fifty_callers_share_one_renewal(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    tokens = await asyncio.gather(*(dock.fresh(berth) for _ in range(50)))
    assert len(set(tokens)) == 1
    assert (service.refreshes, service.reuse_detected) == (1, 0)


async def test_three_processes_with_fifty_callers_renew_once(
    vault_ground: Ground, dock: Dock, service: TokenService
) -> None:
    berth = await dock.berth(service)
    async with (
        process(vault_ground, service, berth, calls=17) as one,
        process(vault_ground, service, berth, calls=17) as two,
        process(vault_ground, service, berth, calls=16) as three,
    ):
        answers = [answer for each in (one, two, three) for answer in (await ended(each)).answers]
    assert len(answers) == 50
    assert all(service.is_alive(token) for token in answers), answers
    assert (service.refreshes, service.reuse_detected) == (1, 0)
    assert await dock.version(berth) == 2


async def test_a_holder_that_was_killed_before_it_asked_is_replaced(
    vault_ground: Ground, dock: Dock, service: TokenService
) -> None:
    berth = await dock.berth(service)
    async with process(vault_ground, service, berth, die_at="leased") as dying:
        await ended(dying)
    assert service.is_alive(await dock.fresh(berth))
    assert (service.refreshes, service.reuse_detected) == (1, 0)


async def test_a_late_holder_cannot_overwrite(dock: Dock, service: TokenService) -> None:
    """It was paused past its lease, with its answer in hand; another has renewed meanwhile."""
    service.is_rotating = False
    berth = await dock.berth(service)
    late = await dock.records.lease(berth.tenant, berth.id, 1, berth.id, seconds=0, lapse_seconds=0)
    assert isinstance(late, Lease)
    await dock.fresh(berth)
    stored = await dock.records.current(berth.tenant, berth.id)
    assert stored is not None
    renewal = await dock.refresher._sealed(late, await dock.credential(berth), await _obtained(dock, service))
    assert not await dock.records.store(late, renewal, None)
    assert not await dock.records.keep(renewal), "its base is gone"
    again = await dock.records.current(berth.tenant, berth.id)
    assert again is not None
    assert (again.sealed.version, again.sealed.ciphertext) == (2, stored.sealed.ciphertext)


async def test_a_lapsed_lease_is_left_to_its_holder_for_a_while(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    ask = dock.records.lease
    assert isinstance(await ask(berth.tenant, berth.id, 1, berth.id, seconds=0, lapse_seconds=60), Lease)
    for _ in range(2):
        standing = await ask(berth.tenant, berth.id, 1, berth.id, seconds=0, lapse_seconds=60)
        assert not isinstance(standing, Lease)
    taken = await ask(berth.tenant, berth.id, 1, berth.id, seconds=0, lapse_seconds=0)
    assert isinstance(taken, Lease)
    assert taken.is_in_doubt


async def test_no_connection_to_the_database_is_held_while_the_service_thinks(
    vault_ground: Ground, dock: Dock, service: TokenService
) -> None:
    berth = await dock.berth(service)
    service.deeds.append("slow")
    asking = asyncio.ensure_future(dock.fresh(berth))
    await service.arrived.wait()
    async with vault_ground.as_owner() as owner:
        busy = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    assert busy == 0
    service.answer.set()
    assert service.is_alive(await asking)


# ------------------------------------------------------------------------------------------ a service in trouble


@pytest.mark.parametrize("deed", ["500", "503", "429", "reset", "garbage", "invalid_client"])
async def test_a_service_in_trouble_costs_a_pause_and_nothing_else(
    dock: Dock, service: TokenService, deed: Deed
) -> None:
    berth = await dock.berth(service)
    before = await dock.credential(berth)
    service.deeds.append(deed)
    with pytest.raises(NotSent, match=r"Harbour.* Nothing was sent") as refused:
        await dock.fresh(berth)
    assert "down" not in str(refused.value)
    after = await dock.look(berth)
    assert after.status is ConnectionStatus.DEGRADED
    assert after.last_error is not None
    assert after.last_error.startswith("Harbour")
    assert await dock.credential(berth) == before
    assert [event.type for event in await dock.events(berth)] == ["connection.degraded"]


async def test_during_the_pause_the_service_is_left_alone_and_afterwards_asked_again(
    vault_ground: Ground, service: TokenService
) -> None:
    async with docked(vault_ground, service.url, pace=replace(QUICK, first_rest=600)) as dock:
        berth = await dock.berth(service)
        service.deeds.append("503")
        with pytest.raises(NotSent):
            await dock.fresh(berth)
        with pytest.raises(NotSent) as refused:
            await dock.fresh(berth)
        assert refused.value.retry_at is not None
        assert service.asked == 1
        async with vault_ground.as_owner() as owner:
            await owner.execute("UPDATE credentials SET retry_at = now() WHERE connection_id = $1", berth.id)
        assert service.is_alive(await dock.fresh(berth))
        assert (await dock.look(berth)).status is ConnectionStatus.ACTIVE


async def test_what_still_holds_is_used_although_it_could_not_be_renewed(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=30)
    service.deeds.append("503")
    assert service.is_alive(await dock.fresh(berth))
    assert service.asked == 1


async def test_pauses_grow_with_each_failure(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    pauses = []
    for attempts in range(3):
        service.deeds.append("503")
        lease = await dock.records.lease(berth.tenant, berth.id, 1, berth.id, seconds=9, lapse_seconds=0)
        assert isinstance(lease, Lease)
        assert lease.attempts == attempts
        with pytest.raises(Exception, match="Harbour"):
            await dock.refresher._renew(lease)
        resting = await dock.records.lease(berth.tenant, berth.id, 1, berth.id, seconds=9, lapse_seconds=0)
        assert isinstance(resting, Resting)
        pauses.append(resting.until)
        async with dock.ground.as_owner() as owner:
            await owner.execute("UPDATE credentials SET retry_at = now() WHERE connection_id = $1", berth.id)
    assert pauses[1] - pauses[0] > timedelta(seconds=0.1)
    assert pauses[2] - pauses[1] > pauses[1] - pauses[0]


async def test_patience_ends_with_a_word_and_the_connection_comes_back_when_the_service_does(
    vault_ground: Ground, service: TokenService
) -> None:
    async with docked(vault_ground, service.url, pace=replace(QUICK, most_attempts=2, first_rest=0)) as dock:
        berth = await dock.berth(service)
        service.deeds.extend(["503", "503"])
        for _ in range(2):
            with pytest.raises(NotSent):
                await dock.fresh(berth)
        after = await dock.look(berth)
        assert after.status is ConnectionStatus.EXPIRED
        assert after.last_error == "Harbour has not renewed the access in 2 attempts. A person should reconnect it."
        assert after.next_refresh_at is not None
        assert [event.type for event in await dock.events(berth)][-1] == "connection.expired"
        async with vault_ground.as_owner() as owner:
            await owner.execute("UPDATE credentials SET retry_at = now() WHERE connection_id = $1", berth.id)
        assert service.is_alive(await dock.fresh(berth))
        assert (await dock.look(berth)).status is ConnectionStatus.ACTIVE


# ------------------------------------------------------------------------------------------------ the end of it


async def test_a_service_that_takes_it_back_ends_the_connection_with_its_cause(
    dock: Dock, service: TokenService
) -> None:
    berth = await dock.berth(service)
    service.revoke()
    with pytest.raises(ReconnectNeeded, match="Harbour no longer renews this access"):
        await dock.fresh(berth)
    after = await dock.look(berth)
    assert (after.status, after.next_refresh_at) == (ConnectionStatus.EXPIRED, None)
    [event] = await dock.events(berth)
    assert (event.type, event.status) == ("connection.expired", "EXPIRED")
    assert event.reason is not None
    assert "foreign-text" not in event.reason
    with pytest.raises(ReconnectNeeded):
        await dock.fresh(berth)
    assert service.asked == 1, "it is believed, and not asked again"


async def test_a_no_that_a_sibling_has_overtaken_is_not_believed(dock: Dock, service: TokenService) -> None:
    """This one lost the race for the old token; the sibling's answer is in the journal by the time it hears no."""
    berth = await dock.berth(service)
    sibling = await dock.records.lease(berth.tenant, berth.id, 1, UUID(int=1), seconds=0, lapse_seconds=0)
    assert isinstance(sibling, Lease)
    renewal = await dock.refresher._sealed(sibling, await dock.credential(berth), await _obtained(dock, service))
    mine = None
    for _ in range(2):  # the first look only sees that the sibling's time is over
        mine = await dock.records.lease(berth.tenant, berth.id, 1, UUID(int=2), seconds=9, lapse_seconds=0)
    assert isinstance(mine, Lease)
    assert mine.kept is None
    await dock.records.keep(renewal)
    service.deeds.append("invalid_grant")
    stored = await dock.refresher._renew(mine)
    assert stored is not None
    assert stored.ciphertext == renewal.sealed.ciphertext
    assert (await dock.look(berth)).status is ConnectionStatus.ACTIVE
    assert service.reuse_detected == 0


async def test_an_answer_that_was_lost_is_said_to_be_the_cause(dock: Dock, service: TokenService) -> None:
    """The service rotated, we never heard of it: it cannot be repaired, and it is not silent."""
    berth = await dock.berth(service)
    service.deeds.append("lost")
    with pytest.raises(NotSent):
        await dock.fresh(berth)
    async with dock.ground.as_owner() as owner:
        await owner.execute("UPDATE credentials SET retry_at = now() WHERE connection_id = $1", berth.id)
    with pytest.raises(ReconnectNeeded, match="An earlier answer of Harbour to a renewal was lost"):
        await dock.fresh(berth)
    assert (await dock.look(berth)).status is ConnectionStatus.EXPIRED


async def test_without_a_word_in_the_catalogue_no_refresh_token_is_used(
    vault_ground: Ground, service: TokenService
) -> None:
    async with docked(vault_ground, service.url, refreshing=Refreshing.NONE) as dock:
        berth = await dock.berth(service)
        await dock.fresh(berth)
        with pytest.raises(NotRefreshable):
            await dock.refresher.refresh(berth.tenant, berth.id, 1)
        assert service.asked == 0
        assert (await dock.look(berth)).next_refresh_at is None, "it is not due again"


async def test_a_real_token_never_reaches_the_simulation(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    dock.catalogue.harbour.is_sandbox = True
    with pytest.raises(NotRefreshable):
        await dock.refresher.refresh(berth.tenant, berth.id, 1)
    assert service.asked == 0


async def test_a_disabled_connection_is_kept_alive_and_stays_disabled(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    async with dock.ground.stores.of(berth.tenant) as store:
        await store.connections.set_status(berth.id, ConnectionStatus.DISABLED)
    await dock.refresher.refresh(berth.tenant, berth.id, 1)
    assert service.refreshes == 1
    assert (await dock.look(berth)).status is ConnectionStatus.DISABLED


# ------------------------------------------------------------------------------------------- a refusal on use


async def test_a_refused_credential_is_renewed_once(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service, seconds=600)
    used = await dock.credential(berth)
    service.forget_access()
    async with dock.ground.as_owner() as owner:  # it was obtained a while ago
        await owner.execute(
            "UPDATE credentials SET sealed_at = now() - interval '1 hour' WHERE connection_id = $1", berth.id
        )
    found = await asyncio.gather(
        *(dock.refresher.renewed(berth.tenant, berth.id, used, deadline=berth.soon) for _ in range(20))
    )
    assert {each.secrets["access_token"].reveal() for each in found if each} != {used.secrets["access_token"].reveal()}
    assert (service.refreshes, service.reuse_detected, None in found) == (1, 0, False)
    newest = await dock.credential(berth)
    assert await dock.refresher.renewed(berth.tenant, berth.id, newest, deadline=berth.soon) is None, "it is new"
    assert service.refreshes == 1


async def test_a_refusal_while_the_token_endpoint_is_down_says_nothing_about_the_connection(
    dock: Dock, service: TokenService
) -> None:
    berth = await dock.berth(service, seconds=600)
    async with dock.ground.as_owner() as owner:
        await owner.execute("UPDATE credentials SET sealed_at = now() - interval '1 hour'")
    service.deeds.append("503")
    with pytest.raises(NotSent):
        await dock.refresher.renewed(berth.tenant, berth.id, await dock.credential(berth), deadline=berth.soon)
    assert (await dock.look(berth)).status is ConnectionStatus.DEGRADED


async def test_who_ends_a_connection_waits_for_a_renewal_and_lets_none_begin(dock: Dock, service: TokenService) -> None:
    berth = await dock.berth(service)
    service.deeds.append("slow")
    asking = asyncio.ensure_future(dock.fresh(berth))
    await service.arrived.wait()
    holding = asyncio.ensure_future(dock.refresher.hold_off(berth.tenant, berth.id))
    service.answer.set()
    assert service.is_alive(await asking)
    await holding
    standing = await dock.records.lease(berth.tenant, berth.id, 2, berth.id, seconds=9, lapse_seconds=0)
    assert standing == Busy()
    async with dock.ground.stores.of(berth.tenant) as store:
        await store.connections.destroy_credential(berth.id)
    await dock.refresher.hold_off(berth.tenant, berth.id)  # there is nothing to wait for


# --------------------------------------------------------------------------------------------------- in turn


async def test_what_is_due_is_handed_to_one_process_at_a_time(dock: Dock, service: TokenService) -> None:
    berths = [await dock.berth(service) for _ in range(6)]
    async with dock.ground.as_owner() as owner:
        await owner.execute("UPDATE connections SET next_refresh_at = NULL, next_check_at = NULL")
        await owner.execute(
            "UPDATE connections SET next_refresh_at = now() - interval '1 s' WHERE id = ANY ($1)",
            [each.id for each in berths],
        )
    other = PostgresRefreshRecords(dock.ground.stores, dock.ground.database.pool)
    rounds = await asyncio.gather(*(each.due(3, 60) for each in (dock.records, other, dock.records, other)))
    handed = [due.connection_id for each in rounds for due in each]
    assert sorted(handed) == sorted(each.id for each in berths), "each once"
    assert await other.due(10, 60) == []
    await asyncio.gather(*(dock.refresher.refresh(each.tenant, each.id, 1) for each in berths))
    assert await other.due(10, 60) == []


async def _obtained(dock: Dock, service: TokenService) -> Obtained:
    """An answer from somewhere."""
    access, refresh = service.consent()
    return read_answer({"access_token": access, "refresh_token": refresh, "expires_in": 3600}, "Harbour")
