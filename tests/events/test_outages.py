"""When a server goes away, news is late. It is never lost, and nobody who commits waits for it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection

from db.gate import Gate
from db.listening import Listener
from domain.errors import DependencyDown, Misconfigured
from domain.history import Event
from events.feed import Feed
from events.memory import MemoryBus, MemoryExchange
from events.postgres import PostgresBus
from events.redis import RedisBus
from tests.events.outages import PASSWORD, Network, PrivateRedis, network, private_redis
from tests.events.stage import ANYTHING, SOON, Stage, eventually, positions, take


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def redis() -> AsyncIterator[PrivateRedis]:
    async with private_redis() as server:
        yield server


@pytest.fixture
async def wire(redis: PrivateRedis) -> AsyncIterator[Network]:
    async with network(redis.port) as between:
        yield between


async def test_while_redis_is_down_the_poll_takes_over(
    fresh_database: str, redis: PrivateRedis, closing: AsyncExitStack
) -> None:
    stage = Stage(fresh_database, lambda: RedisBus(redis.url, patience=0.5), closing)
    here, there = await stage.process(), await stage.process(poll_seconds=SOON)
    subscription = await there.follow("acme")
    redis.kill()
    await here.happen("acme", *["agent.created"] * 20)
    assert positions(await take(subscription, 20)) == list(range(1, 21))
    await eventually(lambda: not here.bus.is_live and not there.bus.is_live)
    await here.happen("acme", "agent.created")
    assert positions(await take(subscription, 1)) == [21]


async def test_when_redis_is_back_nothing_was_missed(
    fresh_database: str, redis: PrivateRedis, closing: AsyncExitStack
) -> None:
    stage = Stage(fresh_database, lambda: RedisBus(redis.url, patience=0.5), closing)
    here, there = await stage.process(), await stage.process()
    subscription = await there.follow("acme")
    redis.kill()
    await eventually(lambda: not here.bus.is_live and not there.bus.is_live)
    await here.happen("acme", "agent.created", "agent.frozen")
    await redis.start()
    assert positions(await take(subscription, 2)) == [1, 2]  # without a poll: the new connection asked
    await eventually(lambda: here.bus.is_live and there.bus.is_live)
    await here.happen("acme", "agent.deleted")
    assert positions(await take(subscription, 1)) == [3]


async def test_a_redis_that_swallows_everything_is_noticed_and_polled_around(
    fresh_database: str, redis: PrivateRedis, wire: Network, closing: AsyncExitStack
) -> None:
    address = redis.url.replace(str(redis.port), str(wire.port))
    stage = Stage(fresh_database, lambda: RedisBus(address, patience=0.3), closing)
    here, there = await stage.process(), await stage.process(poll_seconds=SOON)
    subscription = await there.follow("acme")
    wire.swallow()
    await here.happen("acme", "agent.created")
    assert positions(await take(subscription, 1)) == [1]
    await eventually(lambda: not here.bus.is_live and not there.bus.is_live)
    wire.deliver()
    await eventually(lambda: here.bus.is_live and there.bus.is_live)
    await here.happen("acme", "agent.created")
    assert positions(await take(subscription, 1)) == [2]


async def test_a_gateway_starts_without_redis(
    fresh_database: str, redis: PrivateRedis, closing: AsyncExitStack
) -> None:
    redis.kill()
    bus = RedisBus(redis.url)
    await bus.start()
    closing.push_async_callback(bus.close)
    assert not bus.is_live
    await redis.start()
    await eventually(lambda: bus.is_live)


async def test_the_password_in_the_address_is_never_logged(
    redis: PrivateRedis, closing: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bus = RedisBus(redis.url.replace(PASSWORD, PASSWORD + "-wrong"))
    await bus.start()
    closing.push_async_callback(bus.close)
    await eventually(lambda: len(caplog.messages) >= 2)
    assert any("AuthenticationError" in message for message in caplog.messages)
    assert PASSWORD not in caplog.text
    assert str(redis.port) not in caplog.text


async def test_an_address_that_is_none_is_named_without_repeating_it() -> None:
    with pytest.raises(Misconfigured, match="REDIS_URL") as caught:
        await RedisBus(f"http://:{PASSWORD}@somewhere").start()
    assert PASSWORD not in str(caught.value)


async def test_rediss_means_tls(closing: AsyncExitStack) -> None:
    bus = RedisBus("rediss://:secret@127.0.0.1:1/0")
    await bus.start()
    closing.push_async_callback(bus.close)
    assert bus._client is not None
    assert bus._client.connection_pool.connection_class is SSLConnection


async def test_a_listener_that_was_cut_off_recovers(fresh_database: str, closing: AsyncExitStack) -> None:
    stage = Stage(fresh_database, lambda: PostgresBus(lambda: Listener(fresh_database)), closing)
    here, there = await stage.process(), await stage.process()
    subscription = await there.follow("acme")
    before = await _cut_off_listeners(fresh_database)
    assert before == 2
    await here.happen("acme", "agent.created")
    assert positions(await take(subscription, 1)) == [1]  # without a poll: told again, or asked on reconnecting
    await eventually(lambda: here.bus.is_live and there.bus.is_live)
    await here.happen("acme", "agent.frozen")
    assert positions(await take(subscription, 1)) == [2]


async def test_a_tenant_too_long_to_notify_is_left_to_the_poll(fresh_database: str, closing: AsyncExitStack) -> None:
    stage = Stage(fresh_database, lambda: PostgresBus(lambda: Listener(fresh_database)), closing)
    here = await stage.process()
    here.bus.tell("a" * 8000, 1)
    here.bus.tell("acme", 1)
    await eventually(lambda: not here.bus._outbox._waiting)  # type: ignore[attr-defined] # a look inside
    assert here.bus.is_live


async def test_news_that_is_not_true_does_no_harm(fresh_database: str, redis_url: str, closing: AsyncExitStack) -> None:
    stage = Stage(fresh_database, lambda: RedisBus(redis_url), closing)
    here = await stage.process(poll_seconds=SOON)
    subscription = await here.follow("forged")
    await _publish(redis_url, "mandate:history:forged", [str(10**17), "-1", "x", "9" * 40, ""])
    await here.happen("forged", "agent.created")
    assert positions(await take(subscription, 1)) == [1]
    assert here.bus.is_live


async def test_the_memory_exchange_can_be_taken_away_too(fresh_database: str, closing: AsyncExitStack) -> None:
    exchange = MemoryExchange()
    stage = Stage(fresh_database, lambda: MemoryBus(exchange), closing)
    here, there = await stage.process(), await stage.process()
    subscription = await there.follow("acme")
    exchange.go_down()
    await here.happen("acme", "agent.created")
    assert not there.bus.is_live
    exchange.come_back()
    assert positions(await take(subscription, 1)) == [1]


async def test_while_postgresql_is_down_subscribers_wait(fresh_database: str, closing: AsyncExitStack) -> None:
    exchange = MemoryExchange()
    stage = Stage(fresh_database, lambda: MemoryBus(exchange), closing)
    here = await stage.process()
    await here.happen("acme", *["agent.created"] * 30)
    reader = _Cut(here.gate)
    bus = MemoryBus(exchange)
    feed = Feed(bus, reader, poll_seconds=SOON)
    await feed.start()
    closing.push_async_callback(feed.close)
    live = await feed.subscribe("acme", after=None, interest=ANYTHING)
    behind = await feed.subscribe("acme", after=0, interest=ANYTHING)

    reader.is_down = True
    waiting = [asyncio.create_task(take(live, 1)), asyncio.create_task(take(behind, 31))]
    await here.happen("acme", "agent.frozen")
    with pytest.raises(DependencyDown):
        await feed.subscribe("acme", after=None, interest=ANYTHING)
    await eventually(lambda: reader.refused >= 5)
    assert not any(task.done() for task in waiting)
    reader.is_down = False
    assert [positions(await task) for task in waiting] == [[31], list(range(1, 32))]


class _Cut:
    """A gate that can lose its database."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.is_down = False
        self.refused = 0

    async def history(self, tenant: str, after: int, most: int) -> list[Event]:
        self._check()
        return await self._gate.history(tenant, after, most)

    async def heads(self, tenants: Sequence[str]) -> dict[str, int]:
        self._check()
        return await self._gate.heads(tenants)

    def _check(self) -> None:
        if self.is_down:
            self.refused += 1
            raise DependencyDown("down")


async def _cut_off_listeners(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        cut: int = await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = 'mandate-bus' AND datname = current_database()"
        )
    finally:
        await connection.close()
    return cut


async def _publish(url: str, channel: str, messages: Sequence[str]) -> None:
    async with Redis.from_url(url) as client:
        for message in messages:
            await client.publish(channel, message)
