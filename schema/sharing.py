"""Identical subscriptions share their work: each event is looked up, executed and encoded once for all of them.

Subscriptions are identical when document, operation, variables and audience are the same: the tenant, the roles, and
the agent, if one is calling. They are executed for that audience and for no person: what would depend on who exactly
is asking finds nobody there. A cursor only says where to begin, so it tells nobody apart.

Whoever begins in the past follows alone until it has caught up, and then joins. It joins at a moment at which
everything offered so far has been handed to it, so the group owes it what comes later, and nothing else: no gap,
no repeat.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from domain.callers import Caller
from domain.history import Event
from schema.following import Opened

#: How many events are looked up together, and how many followers are told before others get their turn.
_TOGETHER, _AT_ONCE = 32, 250

#: An event as the bytes of its answer; None when there is nothing to tell.
Render = Callable[[Event], Awaitable[bytes | None]]


class Follower(Protocol):
    """Somebody to be told. Neither method may block or raise; both are called on the event loop."""

    def tell(self, answer: bytes) -> None:
        """One event's answer."""
        ...

    def finish(self, problem: Exception | None) -> None:
        """Nothing more will come; `problem` says why, if it is not simply over."""
        ...


def audience(caller: Caller) -> Caller:
    """The caller as far as a shared answer may depend on it."""
    return Caller(tenant=caller.tenant, subject="", roles=caller.roles, agent_id=caller.agent_id)


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes subscriptions identical."""

    text: str
    operation: str | None
    variables: bytes
    audience: Caller


class Place:
    """A follower's place in a group."""

    __slots__ = ("_group", "after", "follower")

    def __init__(self, group: "Group", follower: Follower, after: int) -> None:
        self._group = group
        self.follower = follower
        self.after = after

    def leave(self) -> None:
        """Nothing is told any more, from this moment on."""
        self._group.remove(self)


class Group:
    """Everybody who follows the same. It lives as long as it has followers, or until its events end."""

    def __init__(self, opened: Opened, render: Render, ended: Callable[[], None]) -> None:
        self._opened = opened
        self._render = render
        self._ended = ended
        self._places: set[Place] = set()
        self._task = asyncio.create_task(self._run())

    @property
    def size(self) -> int:
        """How many follow."""
        return len(self._places)

    @property
    def is_joinable(self) -> bool:
        """Whether what happens from now on reaches this group as it happens."""
        return self._opened.events.is_live and not self._opened.events.is_ended

    def add(self, follower: Follower, after: int) -> Place:
        """A place for somebody who was handed everything up to a position."""
        place = Place(self, follower, after)
        self._places.add(place)
        return place

    def remove(self, place: Place) -> None:
        """With the last one the group ends."""
        self._places.discard(place)
        if not self._places:
            self._task.cancel()
            self._close()

    async def _run(self) -> None:
        problem: Exception | None = None
        try:
            while True:
                events = await self._opened.several(_TOGETHER)
                answers = await asyncio.gather(*map(self._render, events))
                for event, answer in zip(events, answers, strict=True):
                    if answer is not None:
                        await self._tell(event.position, answer)
        except StopAsyncIteration:
            pass
        except Exception as error:  # noqa: BLE001  # whatever it is, the followers are told
            problem = error
        self._close()
        places, self._places = self._places, set()
        for place in places:
            place.follower.finish(problem)

    async def _tell(self, position: int, answer: bytes) -> None:
        for number, place in enumerate(tuple(self._places), 1):
            if position > place.after and place in self._places:
                place.follower.tell(answer)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _close(self) -> None:
        self._opened.events.close()
        self._ended()


class Groups:
    """All groups of one process, by what they follow."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, Group] = {}

    @property
    def sizes(self) -> list[int]:
        """How many follow in each."""
        return [group.size for group in self._groups.values()]

    def join(self, shape: Shape, opened: Opened, render: Render, follower: Follower) -> Place | None:
        """A place in the group of this shape. `opened` has been handed out in full and is caught up; it is taken over.

        None when the group itself is behind: stay alone a little longer.
        """
        group = self._groups.get(shape)
        if group is None:

            def ended() -> None:
                if self._groups.get(shape) is made:
                    del self._groups[shape]

            made = self._groups[shape] = Group(opened, render, ended)
            return made.add(follower, opened.events.position)
        if not group.is_joinable:
            return None
        after = opened.events.position
        opened.events.close()
        return group.add(follower, after)


class Alone:
    """Somebody who follows alone: until it has caught up and found a group, or for good when nothing can be shared."""

    def __init__(self, opened: Opened, render: Render) -> None:
        self._opened = opened
        self._render = render

    async def run(self, hand: Callable[[bytes], Awaitable[None]], join: Callable[[], bool]) -> None:
        """Hand out answers, each taken before the next is made, until `join` says that others take over."""
        try:
            while not (self._opened.events.is_caught_up and join()):
                for event in await self._opened.several(_TOGETHER):
                    answer = await self._render(event)
                    if answer is not None:
                        await hand(answer)
        except StopAsyncIteration:
            pass
