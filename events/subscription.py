"""One subscriber's view of a history: in order, without a gap, without a repeat."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from domain.history import Event, Interest


class Source(Protocol):
    """Where a subscription's events come from."""

    def catch_up(self, subscription: "Subscription") -> None:
        """Fetch what it lacks, in the background."""
        ...

    def leave(self, subscription: "Subscription") -> None:
        """It needs nothing more."""
        ...


class Subscription:
    """Iterate over it with `async for`, in one task; then `aclose` it.

    - `position`: the last event handed out, or where the subscription began. Resuming after it loses nothing.
    - `seen`: how far the history was searched for it. `is_live`: later events are offered as they happen.
    """

    __slots__ = (
        "_ended",
        "_limit",
        "_queue",
        "_source",
        "_waiter",
        "interest",
        "is_live",
        "position",
        "reading",
        "seen",
    )

    def __init__(self, source: Source, interest: Interest, after: int, limit: int) -> None:
        self.interest = interest
        self.position = after
        self.seen = after
        self.is_live = False
        self.reading: asyncio.Task[None] | None = None
        self._source = source
        self._limit = limit
        self._queue: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended: Exception | None = None

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Event:
        """The next event that is of interest; waits for it.

        Raises SlowSubscriber, or whatever `close` was given. While PostgreSQL is down it waits.
        """
        while True:
            if self._ended is not None:
                raise self._ended
            if self._queue and self.reading is None:  # what is being read comes before what was offered meanwhile
                event = self._queue.popleft()
                self.position = event.position
                return event
            if not self.is_live:
                self._source.catch_up(self)
            await self._news()

    async def several(self, most: int) -> list[Event]:
        """The next events of interest that are at hand, in order, up to so many; waits while there are none.

        Answers with nothing at the moment at which it has caught up with the present without finding any, so that who
        follows privately can join others. Raises what iterating raises.
        """
        while not (self._queue and self.reading is None):
            if self._ended is not None:
                raise self._ended
            if not self.is_live:
                self._source.catch_up(self)
                if self.is_caught_up:
                    return []
            await self._news()
            if self.is_caught_up:
                return []
        events = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        self.position = events[-1].position
        return events

    def close(self, reason: Exception | None = None) -> None:
        """End it now: nothing queued is handed out any more, and whoever waits hears `reason` (or just the end).

        To be called on the event loop; the first reason counts.
        """
        if self._ended is not None:
            return
        self._ended = reason or StopAsyncIteration()
        self._queue.clear()
        if self.reading is not None:
            self.reading.cancel()
        self._source.leave(self)
        self._wake()

    async def aclose(self) -> None:
        """End it, for `contextlib.aclosing`."""
        self.close()

    @property
    def is_ended(self) -> bool:
        """Whether it was closed."""
        return self._ended is not None

    @property
    def is_caught_up(self) -> bool:
        """Everything that has happened was handed out, and what happens next is offered as it happens.

        Two subscriptions of one interest that both say so will be offered the same events from now on.
        """
        return self.is_live and self.reading is None and not self._queue and self._ended is None

    @property
    def step(self) -> int:
        """How much history to fetch at once, so that what happens meanwhile still finds room."""
        return max(1, min(500, self._limit // 2))

    def offer(self, event: Event) -> bool:
        """Queue a live event that is of interest. False when there is no room."""
        if event.position <= self.seen:
            return True
        if len(self._queue) >= self._limit:
            return False
        self._queue.append(event)
        self._wake()
        return True

    def prepend(self, events: Iterable[Event]) -> None:
        """Queue what was fetched, before whatever was offered meanwhile."""
        self._queue.extendleft(reversed([event for event in events if self.interest.wants(event)]))
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
