"""One tenant's history within one process: read once, handed to every subscriber."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from domain.errors import DependencyDown, SlowSubscriber
from domain.history import Event, Interest
from events.ports import HistoryReader
from events.subscription import Subscription

_CHUNK = 500
_log = logging.getLogger(__name__)


class Replays:
    """Reads old events for subscribers who catch up: few at a time, patient while PostgreSQL is down.

    A crowd that reconnects takes turns, so that it does not keep executions from the database.
    """

    def __init__(self, reader: HistoryReader, patience: float) -> None:
        self._reader = reader
        self._patience = patience
        self._turns = asyncio.Semaphore(2)

    async def read(self, tenant: str, after: int, most: int) -> list[Event]:
        """The tenant's events after a position; waits until there is an answer."""
        while True:
            try:
                async with self._turns:
                    return await self._reader.history(tenant, after, most)
            except DependencyDown:
                await asyncio.sleep(self._patience)


class Channel:
    """`position` is the last event handed to those who are live; it only grows."""

    __slots__ = (
        "_abandoned",
        "_groups",
        "_pump",
        "_reader",
        "_replays",
        "_subscribers",
        "_told",
        "delay",
        "position",
        "tenant",
    )

    def __init__(
        self, tenant: str, position: int, reader: HistoryReader, replays: Replays, abandoned: Callable[[str], None]
    ) -> None:
        self.tenant = tenant
        self.position = position
        self.delay = 0.0
        self._told = position
        self._reader = reader
        self._replays = replays
        self._abandoned = abandoned
        self._subscribers: set[Subscription] = set()
        # Who is live, by what they ask: each question is asked once per event, however many ask it.
        self._groups: dict[Interest, set[Subscription]] = {}
        self._pump: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------------------------------------- subscribers

    @property
    def size(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscribers)

    def add(self, interest: Interest, after: int, limit: int) -> Subscription:
        """A subscription that begins after a position."""
        subscription = Subscription(self, interest, after, limit)
        self._subscribers.add(subscription)
        if after >= self.position:
            self._join(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget it; with the last one the channel ends."""
        self._subscribers.discard(subscription)
        members = self._groups.get(subscription.interest)
        if members is not None:
            members.discard(subscription)
            if not members:
                del self._groups[subscription.interest]
        if not self._subscribers:
            if self._pump is not None:
                self._pump.cancel()
            self._abandoned(self.tenant)

    def close(self) -> None:
        """End every subscription."""
        for subscription in tuple(self._subscribers):
            subscription.close()

    def catch_up(self, subscription: Subscription) -> None:
        """Fetch the next piece of old history for it, unless there is none or that is under way."""
        if subscription.seen >= self.position:
            self._join(subscription)
        elif subscription.reading is None:
            subscription.reading = asyncio.create_task(self._fetch(subscription))

    def _join(self, subscription: Subscription) -> None:
        subscription.is_live = True
        self._groups.setdefault(subscription.interest, set()).add(subscription)

    async def _fetch(self, subscription: Subscription) -> None:
        # Once the rest fits into one piece, first join, then fetch up to where we joined: what happens in between
        # is queued behind it. Otherwise a busy tenant's subscriber could run after the head for ever.
        until, step = self.position, subscription.step
        if until - subscription.seen <= step:
            self._join(subscription)
        try:
            found = await self._replays.read(self.tenant, subscription.seen, step)
        except Exception as error:  # noqa: BLE001 - whoever iterates gets it; nobody else can
            subscription.close(error)
            return
        finally:
            subscription.reading = None
        # Beyond `until` events come live, or with the next piece. Positions may be missing where history was pruned.
        due = [event for event in found if event.position <= until]
        subscription.seen = due[-1].position if due and not subscription.is_live else until
        subscription.prepend(due)

    # ----------------------------------------------------------------------------------------------------- news

    def heard(self, position: int) -> None:
        """The history has come to this position, it is said: see what is new."""
        if position > self.position:
            self._told = max(self._told, position)
            if self._pump is None:
                self._pump = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        # Between the last look at `_told` and the end nothing is awaited, so no news is lost.
        try:
            while self._told > self.position:
                told = self._told
                events = await self._reader.history(self.tenant, self.position, _CHUNK)
                for event in events:
                    self._hand_out(event)
                    await asyncio.sleep(0)  # so that the loop is held for one event's subscribers at most
                if not events and self._told == told:
                    self._told = self.position  # it was not true
        except DependencyDown:
            pass  # the next poll tries again
        except Exception as error:  # noqa: BLE001 - the next poll tries again, and the subscribers still wait
            _log.error("Reading the history failed: %s", type(error).__name__)
        finally:
            self._pump = None

    def _hand_out(self, event: Event) -> None:
        self.position = event.position
        self.delay = max(0.0, (datetime.now(UTC) - event.occurred_at).total_seconds())
        slow: list[Subscription] = []
        for interest, members in self._groups.items():
            if interest.wants(event):
                slow += [each for each in members if not each.offer(event)]
        for each in slow:
            each.close(SlowSubscriber(each.position))
