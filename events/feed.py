"""Follows histories: from any position, without a gap, without a repeat, in order.

A tenant's history is numbered without gaps in the order of commits, so resuming is arithmetic: read what comes after
the number. The bus only says when to look; without it, a poll does. Each process reads a tenant's new events once,
however many subscribers it has; no subscriber needs a task of its own.
"""

import asyncio
import logging
from contextlib import suppress

from domain.errors import DependencyDown, InvalidInput
from domain.history import Interest
from events.channel import Channel, Replays
from events.ports import Bus, HistoryReader
from events.subscription import Subscription
from events.tasks import stop

__all__ = ["Feed", "Subscription"]

_log = logging.getLogger(__name__)


class Feed:
    """One per process. It starts and closes its bus.

    - `poll_seconds`: how long news may be late when the bus loses it.
    - `queue_size`: how many events may wait for one subscriber before it is ended with SlowSubscriber.
    """

    def __init__(self, bus: Bus, reader: HistoryReader, *, poll_seconds: float = 1.0, queue_size: int = 1000) -> None:
        self._bus = bus
        self._reader = reader
        self._poll_seconds = poll_seconds
        self._queue_size = queue_size
        self._heads = _Heads(reader)
        self._replays = Replays(reader, poll_seconds)
        self._channels: dict[str, Channel] = {}
        self._look = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        bus.hear(self._heard, self._look.set)

    @property
    def followers(self) -> int:
        """How many subscriptions there are."""
        return sum(channel.size for channel in self._channels.values())

    @property
    def delay(self) -> float:
        """Seconds from the last event's commit to its being handed on here, by the database's clock and ours."""
        return max((channel.delay for channel in self._channels.values()), default=0.0)

    async def start(self) -> None:
        """Begin. Needs neither the bus's server nor PostgreSQL to be there yet."""
        await self._bus.start()
        self._poller = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """End every subscription, and stop."""
        if self._poller is not None:
            await stop(self._poller)
            self._poller = None
        for channel in tuple(self._channels.values()):
            channel.close()
        await self._bus.close()

    async def subscribe(self, tenant: str, *, after: int | None, interest: Interest) -> Subscription:
        """Follow a tenant's history after a position, or, with None, from now on.

        When this returns, the beginning is fixed: whatever is committed later arrives. Raises InvalidInput for a
        position that the history has not reached, and DependencyDown when PostgreSQL does not answer.
        """
        head = await self._heads.of(tenant)
        if after is not None and after > head:
            raise InvalidInput("The history has not come that far. Use a cursor you were given, or none.", ("after",))
        if self._poller is None:
            raise DependencyDown("The gateway is stopping. Subscribe again shortly.")
        subscription = self._channel(tenant, head).add(interest, head if after is None else after, self._queue_size)
        self._heard(tenant, head)
        return subscription

    def _channel(self, tenant: str, head: int) -> Channel:
        channel = self._channels.get(tenant)
        if channel is None:
            channel = Channel(tenant, head, self._reader, self._replays, self._abandon)
            self._channels[tenant] = channel
            self._bus.watch(tenant)
        return channel

    def _abandon(self, tenant: str) -> None:
        if self._channels.pop(tenant, None) is not None:
            self._bus.unwatch(tenant)

    def _heard(self, tenant: str, position: int) -> None:
        channel = self._channels.get(tenant)
        if channel is not None:
            channel.heard(position)

    async def _poll(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._look.wait()
            self._look.clear()
            if self._channels:
                await self._look_for_news()

    async def _look_for_news(self) -> None:
        try:
            heads = await self._reader.heads(list(self._channels))
        except DependencyDown:
            return  # subscribers wait; the next poll tries again
        except Exception as error:  # noqa: BLE001 - the poll is what everything else falls back to: it goes on
            _log.error("Polling the histories failed: %s", type(error).__name__)
            return
        for tenant, position in heads.items():
            self._heard(tenant, position)


class _Heads:
    """Asks how far histories have come; those who ask while an answer is under way share the next one.

    They may not share the one under way: it may be older than their question.
    """

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader
        self._one_at_a_time = asyncio.Lock()
        self._wanted: set[str] = set()
        self._answer: asyncio.Task[dict[str, int]] | None = None

    async def of(self, tenant: str) -> int:
        """How far this tenant's history has come now."""
        if self._answer is None:
            self._wanted = set()
            self._answer = asyncio.create_task(self._ask(self._wanted))
            self._answer.add_done_callback(_seen)
        self._wanted.add(tenant)
        return (await asyncio.shield(self._answer))[tenant]

    async def _ask(self, wanted: set[str]) -> dict[str, int]:
        async with self._one_at_a_time:
            self._answer = None
            return await self._reader.heads(list(wanted))


def _seen(answer: "asyncio.Task[dict[str, int]]") -> None:
    """Take note of an error that nobody waits for any more."""
    if not answer.cancelled():
        answer.exception()
