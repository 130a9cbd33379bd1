"""How long a stream stays open: no longer than the token it was opened with.

One watch for each agent's key in use, however many sockets were opened with it.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID

from starlette.requests import HTTPConnection

from domain.callers import Caller
from domain.errors import MandateError, SlowSubscriber
from domain.history import Interest
from gateway.doors.authentication import caller_of
from gateway.wiring import Gateway

EXPIRED = "The token has expired."
REVOKED = "The token is no longer accepted."

#: Called with the reason when the right to a stream ends.
End = Callable[[str], None]


class Lifetimes:
    """One per process."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._watches: dict[UUID, _Watch] = {}

    def bind(self, caller: Caller, connection: HTTPConnection, given: str | None, end: End) -> Callable[[], None]:
        """Have `end` called when the token expires, or when the agent's key is revoked. The answer unbinds."""
        timer = None
        if caller.expires_at is not None:
            left = (caller.expires_at - datetime.now(UTC)).total_seconds()
            timer = asyncio.get_running_loop().call_later(max(left, 0), end, EXPIRED)
        watch = None
        if caller.token_id is not None:
            watch = self._watches.get(caller.token_id)
            if watch is None:
                watch = self._watches[caller.token_id] = _Watch(self._gateway, caller, connection, given, self._ended)
            watch.add(end)

        def unbind() -> None:
            if timer is not None:
                timer.cancel()
            if watch is not None:
                watch.remove(end)

        return unbind

    def _ended(self, token_id: UUID, watch: "_Watch") -> None:
        if self._watches.get(token_id) is watch:
            del self._watches[token_id]


class _Watch:
    """One agent's key, for as long as somebody uses it.

    History tells when a key of the agent was revoked. Once it cannot be asked, the streams end as well.
    """

    def __init__(
        self,
        gateway: Gateway,
        caller: Caller,
        connection: HTTPConnection,
        given: str | None,
        ended: "Callable[[UUID, _Watch], None]",
    ) -> None:
        self._gateway = gateway
        self._caller = caller
        self._connection = connection
        self._given = given
        self._ended = ended
        self._ends: set[End] = set()
        self._task = asyncio.create_task(self._run())

    def add(self, end: End) -> None:
        """One more stream."""
        self._ends.add(end)

    def remove(self, end: End) -> None:
        """With the last one the watch ends."""
        self._ends.discard(end)
        if not self._ends:
            self._stop()
            self._task.cancel()

    async def _run(self) -> None:
        interest = Interest(types=("agent.token_revoked",), agent_id=self._caller.agent_id)
        while True:
            try:
                events = await self._gateway.services.feed.subscribe(self._caller.tenant, after=None, interest=interest)
                async with aclosing(events):
                    await self._confirm()  # it may have been revoked since the stream was opened
                    async for _ in events:
                        await self._confirm()
            except SlowSubscriber:
                continue
            except MandateError:
                pass
            break
        self._stop()
        for end in tuple(self._ends):
            end(REVOKED)

    async def _confirm(self) -> None:
        """Raises Unauthenticated once the key is not accepted any more."""
        await caller_of(self._gateway, self._connection, self._given)

    def _stop(self) -> None:
        if self._caller.token_id is not None:
            self._ended(self._caller.token_id, self)
