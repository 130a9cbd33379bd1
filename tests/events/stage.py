"""Several gateway processes in one: each with its own bus, pools and feed, all on one database."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from db.database import open_database
from db.gate import Gate
from db.store import Stores
from domain.history import Event, Interest, Occurrence
from events.feed import Feed, Subscription
from events.ports import Bus

NEVER = 3600.0  # as poll_seconds: what arrives came by the bus
SOON = 0.1
ANYTHING = Interest()


@dataclass(frozen=True)
class Process:
    bus: Bus
    feed: Feed
    stores: Stores
    gate: Gate

    async def happen(self, tenant: str, *types: str) -> None:
        """Commit events of these types in one transaction."""
        async with self.stores.of(tenant) as store:
            for each in types:
                store.history.note(Occurrence(type=each, actor="agent:1"))

    async def follow(self, tenant: str, after: int | None = None, interest: Interest = ANYTHING) -> Subscription:
        return await self.feed.subscribe(tenant, after=after, interest=interest)


@dataclass(frozen=True)
class Stage:
    database_url: str
    new_bus: Callable[[], Bus]
    closing: AsyncExitStack

    async def process(self, *, poll_seconds: float = NEVER, queue_size: int = 1000) -> Process:
        """One more process; ready when its bus is."""
        database = await open_database(self.database_url, pool_size=4)
        self.closing.push_async_callback(database.close)
        bus, gate = self.new_bus(), Gate(database.pool)
        feed = Feed(bus, gate, poll_seconds=poll_seconds, queue_size=queue_size)
        await feed.start()
        self.closing.push_async_callback(feed.close)
        await eventually(lambda: bus.is_live)
        return Process(bus, feed, Stores(database, bus.tell), gate)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so; fail when it does not become so."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def take(subscription: Subscription, many: int) -> list[Event]:
    """The next so many events."""
    async with asyncio.timeout(30):
        return [await anext(subscription) for _ in range(many)]


def positions(events: list[Event]) -> list[int]:
    return [event.position for event in events]
