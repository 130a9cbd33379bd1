"""A rotated refresh token exists once: whatever dies between the service's answer and our commit, it is found again, or
its loss is said (T3); and whoever comes back late changes nothing (T2)."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.connections import ConnectionStatus
from domain.errors import DependencyDown, ReconnectNeeded
from domain.refreshing import Renewal
from tests.db.ground import Ground, opened
from tests.support.proxies import Proxy, proxied
from tests.support.tokens import TokenService
from tests.vault.renewing import QUICK, Berth, Dock, docked, ended, process
from vault.spool import Spool


class WatchedSpool(Spool):
    """Tells when an answer lies on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.written = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put(self, renewal: Renewal) -> None:
        super().put(renewal)
        self._loop.call_soon_threadsafe(self.written.set)


async def _killed(ground: Ground, service: TokenService, berth: Berth, point: str, spool: Path | None = None) -> None:
    async with process(ground, service, berth, die_at=point, spool=str(spool or "")) as dying:
        assert (await ended(dying)).code == -signal.SIGKILL


# ------------------------------------------------------------------------------------------- a process that dies


@pytest.mark.parametrize("point", ["before_lease", "leased", "kept", "stored"])
async def test_killed_at_this_point_nothing_is_lost(
    vault_ground: Ground, dock: Dock, service: TokenService, point: str
) -> None:
    """Any other process carries on; it needs nothing of the one that died."""
    berth = await dock.berth(service)
    await _killed(vault_ground, service, berth, point)
    assert service.is_alive(await dock.fresh(berth))
    assert (service.refreshes, service.reuse_detected) == (1, 0)
    assert await dock.version(berth) == 2
    assert await dock.journal(berth) == 0
    assert (await dock.look(berth)).status is ConnectionStatus.ACTIVE


async def test_killed_with_the_answer_on_disk_it_is_found_at_the_next_start(
    vault_ground: Ground, service: TokenService, tmp_path: Path
) -> None:
    spool = Spool(tmp_path)
    async with docked(vault_ground, service.url, spool=spool) as started_again:
        berth = await started_again.berth(service)
        await _killed(vault_ground, service, berth, "spooled", tmp_path)
        assert len(spool.waiting()) == 1
        assert await started_again.refresher.replay() == 1
        assert service.is_alive(await started_again.fresh(berth))
        assert (service.refreshes, service.reuse_detected, spool.waiting()) == (1, 0, [])


async def test_killed_before_the_answer_was_kept_the_loss_is_said(
    vault_ground: Ground, dock: Dock, service: TokenService
) -> None:
    berth = await dock.berth(service)
    await _killed(vault_ground, service, berth, "answered")
    with pytest.raises(ReconnectNeeded, match="An earlier answer of Harbour to a renewal was lost"):
        await dock.fresh(berth)
    after = await dock.look(berth)
    assert after.status is ConnectionStatus.EXPIRED
    assert after.last_error is not None
    assert after.last_error.startswith("An earlier answer")
    assert [event.type for event in await dock.events(berth)] == ["connection.expired"]


async def test_paused_past_its_lease_a_holder_comes_back_and_changes_nothing(
    vault_ground: Ground, dock: Dock, service: TokenService
) -> None:
    service.is_rotating = False
    berth = await dock.berth(service)
    async with process(vault_ground, service, berth, stop_at="answered") as paused:
        await service.arrived.wait()
        token = await dock.fresh(berth)
        paused.send_signal(signal.SIGCONT)
        late = await ended(paused)
    assert late.answers == (token,), "it hands out what the other stored"
    assert await dock.version(berth) == 2
    assert (await dock.credential(berth)).secrets["access_token"].reveal() == token
    assert [event.type for event in await dock.events(berth)] == ["connection.refreshed"]
    assert await dock.journal(berth) == 0


# --------------------------------------------------------------------------------------- a database that is away


@pytest.fixture
async def wire(vault_ground: Ground) -> AsyncIterator[Proxy]:
    async with proxied(vault_ground.url) as proxy:
        yield proxy


async def test_the_database_is_away_when_the_answer_comes_and_nothing_is_lost(
    wire: Proxy, dock: Dock, service: TokenService, tmp_path: Path
) -> None:
    """Longer than the lease lasts; and when it is back, the one with the answer is there before others ask again."""
    spool = WatchedSpool(tmp_path)
    berth = await dock.berth(service)
    pace = replace(QUICK, lease=0.1, lapse=2)
    async with opened(wire.url, 4) as far, docked(far, service.url, spool=spool, pace=pace) as cut_off:
        service.deeds.append("slow")
        asking = asyncio.ensure_future(cut_off.fresh(berth))
        await service.arrived.wait()
        await wire.refuse()
        service.answer.set()
        await spool.written.wait()
        assert not asking.done()
        await wire.open()
        tokens = await asyncio.gather(asking, *(dock.fresh(berth) for _ in range(10)))
    assert len(set(tokens)) == 1
    assert service.is_alive(tokens[0])
    assert (service.refreshes, service.reuse_detected, spool.waiting()) == (1, 0, [])
    assert await dock.version(berth) == 2


async def test_the_process_ends_while_the_database_is_away_and_the_answer_is_stored_at_the_next_start(
    wire: Proxy, dock: Dock, service: TokenService, tmp_path: Path
) -> None:
    spool = WatchedSpool(tmp_path)
    berth = await dock.berth(service)
    pace = replace(QUICK, store_waits=(0,))
    async with opened(wire.url, 4) as far, docked(far, service.url, spool=spool, pace=pace) as cut_off:
        service.deeds.append("slow")
        asking = asyncio.ensure_future(cut_off.refresher.refresh(berth.tenant, berth.id, 1))
        await service.arrived.wait()
        await wire.refuse()
        service.answer.set()
        with pytest.raises(DependencyDown):
            await asking
    assert await dock.version(berth) == 1
    async with docked(dock.ground, service.url, spool=Spool(tmp_path)) as started_again:
        assert await started_again.refresher.replay() == 1
    assert service.is_alive(await dock.fresh(berth))
    assert (service.refreshes, service.reuse_detected, spool.waiting()) == (1, 0, [])


# ------------------------------------------------------------------------------------------------- on the disk


async def test_what_lies_on_the_disk_is_sealed_and_for_us_alone(
    vault_ground: Ground, service: TokenService, tmp_path: Path
) -> None:
    async with docked(vault_ground, service.url) as dock:
        berth = await dock.berth(service)
        await _killed(vault_ground, service, berth, "spooled", tmp_path)
        [file] = tmp_path.iterdir()
        assert file.stat().st_mode & 0o077 == 0
        text = file.read_text()
        assert not any(secret in text for secret in ("at-", "rt-", "client-secret-canary"))


async def test_an_answer_that_came_to_nothing_is_cleared_away(
    vault_ground: Ground, service: TokenService, tmp_path: Path
) -> None:
    """Its connection has a later version than the one it was made from."""
    spool = Spool(tmp_path)
    async with docked(vault_ground, service.url, spool=spool) as dock:
        berth = await dock.berth(service)
        await _killed(vault_ground, service, berth, "spooled", tmp_path)
        async with vault_ground.as_owner() as owner:
            await owner.execute("UPDATE credentials SET version = 7 WHERE connection_id = $1", berth.id)
        assert await dock.refresher.replay() == 1
        assert spool.waiting() == []
        assert await dock.version(berth) == 7


async def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for name, text in (("a", ""), ("b", "{}"), ("c", "[1]"), ("d", '{"tenant": 3}')):
        (tmp_path / f"{name}.renewal").write_text(text)
    assert spool.waiting() == []
    assert len(list(tmp_path.iterdir())) == 4
