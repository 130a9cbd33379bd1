"""What all followed fields share: history's events, and what each of them tells.

A followed field either yields what is told, one after another, as GraphQL says; or, when its context wishes so, it
hands over its beginning (`Opened`) and leaves the rest to others: `schema.sharing` then tells many followers at once.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar
from uuid import UUID

from domain.errors import DependencyDown, SlowSubscriber
from domain.history import Event, Interest, position_of
from resolvers import history
from schema.context import Info

Told = TypeVar("Told")
Found = TypeVar("Found")
_RETRY_SECONDS = 0.5

#: What is said about an event; None when there is nothing to say.
Tell: TypeAlias = Callable[[Event], Awaitable[Told | None]]


@dataclass(slots=True)
class Opened:
    """A subscription that has begun. Whoever it was handed to closes `events`; `again` begins anew after a position."""

    events: history.Followed
    tell: Callable[[Event], Awaitable[object | None]]
    again: Callable[[int], Awaitable[history.Followed]]

    async def several(self, most: int) -> list[Event]:
        """The next events that are at hand (`events.several`).

        When more happened at once than waits here, the rest is read from history: that costs time and no event.
        """
        while True:
            try:
                return await self.events.several(most)
            except SlowSubscriber as slow:
                self.events = await self._resumed(slow.position)

    async def _resumed(self, position: int) -> history.Followed:
        while True:
            try:
                return await self.again(position)
            except DependencyDown:
                await asyncio.sleep(_RETRY_SECONDS)


async def followed(
    info: Info, operation: str, interest: Interest, after: str | None, tell: "Tell[Told]"
) -> AsyncGenerator[Told, None]:
    """What is told of the events of one interest; let go of when the client goes away.

    Raises PermissionDenied, InvalidInput for a cursor that is none, and DependencyDown.
    """
    position = position_of(after, "after") if after is not None else None
    again = partial(history.follow, info.context.services, info.context.caller, operation, interest)
    events = await again(position)
    if info.context.opened is not None:
        info.context.opened(Opened(events, tell, again))
        return
    async with aclosing(events):
        async for event in events:
            told = await tell(event)
            if told is not None:
                yield told


async def patiently(look_up: Callable[[UUID], Awaitable[Found]], wanted: UUID) -> Found:
    """What an event is about, once the database answers: who follows waits, and misses nothing."""
    while True:
        try:
            return await look_up(wanted)
        except DependencyDown:
            await asyncio.sleep(_RETRY_SECONDS)
