"""The bus within one process: for tests, and for a gateway that is alone.

Several buses on one exchange play several processes.
"""

import asyncio

from events.ports import Heard, Missed


class MemoryExchange:
    """What a server would be. Between `go_down` and `come_back` it loses everything."""

    def __init__(self) -> None:
        self.is_up = True
        self._buses: set[MemoryBus] = set()

    def join(self, bus: "MemoryBus") -> None:
        """Connect a bus."""
        self._buses.add(bus)
        if self.is_up:
            bus.missed()

    def leave(self, bus: "MemoryBus") -> None:
        """Disconnect it."""
        self._buses.discard(bus)

    def publish(self, news: dict[str, int], sender: "MemoryBus") -> None:
        """Bring news to everybody else who watches."""
        if not self.is_up:
            return
        for bus in self._buses - {sender}:
            for tenant, position in news.items():
                bus.receive(tenant, position)

    def go_down(self) -> None:
        """Lose every message from now on."""
        self.is_up = False

    def come_back(self) -> None:
        """Work again."""
        self.is_up = True
        for bus in self._buses:
            bus.missed()


class MemoryBus:
    """Keeps the promises of `events.ports.Bus` without a server."""

    def __init__(self, exchange: MemoryExchange | None = None) -> None:
        self._exchange = exchange or MemoryExchange()
        self._watched: set[str] = set()
        self._waiting: dict[str, int] = {}
        self._heard: Heard = lambda _tenant, _position: None
        self._missed: Missed = lambda: None
        self._is_started = False

    @property
    def is_live(self) -> bool:
        """Whether news travels."""
        return self._is_started and self._exchange.is_up

    async def start(self) -> None:
        """Join the exchange."""
        self._is_started = True
        self._exchange.join(self)

    async def close(self) -> None:
        """Leave it."""
        self._is_started = False
        self._exchange.leave(self)
        self._waiting.clear()

    def tell(self, tenant: str, position: int) -> None:
        """Heard here at once, elsewhere in the loop's next turn."""
        self._heard(tenant, position)
        if not self._is_started:
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting[tenant] = max(position, self._waiting.get(tenant, 0))

    def hear(self, heard: Heard, missed: Missed) -> None:
        """Who wants the news."""
        self._heard, self._missed = heard, missed

    def watch(self, tenant: str) -> None:
        """Effective at once."""
        self._watched.add(tenant)
        self._missed()

    def unwatch(self, tenant: str) -> None:
        """Effective at once."""
        self._watched.discard(tenant)

    def receive(self, tenant: str, position: int) -> None:
        """The exchange brings news."""
        if tenant in self._watched:
            self._heard(tenant, position)

    def missed(self) -> None:
        """The exchange has just been reached."""
        self._missed()

    def _send(self) -> None:
        news, self._waiting = self._waiting, {}
        self._exchange.publish(news, self)
