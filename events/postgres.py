"""The bus over PostgreSQL's NOTIFY: one channel for all, a message is the JSON text of [tenant, position].

For installations without Redis. One connection of its own listens and notifies, in the background.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Protocol

from events.outbox import Outbox
from events.ports import Heard, Missed
from events.tasks import persist, stop

_CHANNEL = "mandate_history"
_PULSE = "mandate_pulse"  # nobody listens: a round trip that shows the connection still stands
_LONGEST = 7_998  # PostgreSQL: the payload must be shorter than 8000 bytes


class Listener(Protocol):
    """One listening connection. Each is used once; a lost one is replaced by a new one."""

    async def listen(self, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Begin: `heard` gets each payload, `lost` is called when the connection ends. Raises DependencyDown."""
        ...

    async def notify(self, channel: str, payload: str) -> None:
        """Tell everybody who listens. Raises DependencyDown."""
        ...

    async def close(self) -> None:
        """End without waiting for the server."""
        ...


class PostgresBus:
    """Keeps the promises of `events.ports.Bus`.

    - `new_listener`: makes a listener that is not connected yet.
    - `patience`: seconds between two proofs that a quiet connection still stands.
    """

    def __init__(self, new_listener: Callable[[], Listener], *, patience: float = 5.0) -> None:
        self._new_listener = new_listener
        self._patience = patience
        self._heard: Heard = lambda _tenant, _position: None
        self._missed: Missed = lambda: None
        self._outbox = Outbox()
        self._watched: set[str] = set()
        self._is_live = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_live(self) -> bool:
        """Whether the connection stands."""
        return self._is_live

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(persist("Listening to PostgreSQL", self._attempt))

    async def close(self) -> None:
        """Let go of the connection."""
        if self._task is not None:
            await stop(self._task)
            self._task = None

    def tell(self, tenant: str, position: int) -> None:
        """Heard here at once, elsewhere by way of PostgreSQL."""
        self._heard(tenant, position)
        if self._task is not None:
            self._outbox.put(tenant, position)

    def hear(self, heard: Heard, missed: Missed) -> None:
        """Who wants the news."""
        self._heard, self._missed = heard, missed

    def watch(self, tenant: str) -> None:
        """Effective at once; what came just before was not ours to hear yet."""
        self._watched.add(tenant)
        self._missed()

    def unwatch(self, tenant: str) -> None:
        """Effective at once."""
        self._watched.discard(tenant)

    async def _attempt(self, works: Callable[[], None]) -> None:
        listener, lost = self._new_listener(), asyncio.Event()
        try:
            async with asyncio.timeout(2 * self._patience):
                await listener.listen(_CHANNEL, self._receive, lost.set)
            self._is_live = True
            works()
            self._missed()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._send(listener))
                both.create_task(_fail_when(lost))
        finally:
            self._is_live = False
            await listener.close()

    async def _send(self, listener: Listener) -> None:
        while True:
            news = await self._outbox.take(self._patience)
            try:
                for payload in filter(None, map(_payload, news.items())):
                    await listener.notify(_CHANNEL, payload)
                if not news:
                    await listener.notify(_PULSE, "")
            except BaseException:
                self._outbox.give_back(news)
                raise

    def _receive(self, payload: str) -> None:
        try:
            news = json.loads(payload)
        except ValueError:
            return
        match news:
            case [str(tenant), int(position)] if tenant in self._watched:
                self._heard(tenant, position)
            case _:
                pass  # of nobody we watch, or not ours


def _payload(news: tuple[str, int]) -> str | None:
    text = json.dumps(news, ensure_ascii=False)
    return text if len(text.encode()) <= _LONGEST else None


async def _fail_when(lost: asyncio.Event) -> None:
    await lost.wait()
    raise ConnectionError("lost")
