"""News waiting to be sent, for the buses that have a server."""

import asyncio
from contextlib import suppress

_ROOM = 10_000


class Outbox:
    """The newest position per tenant. When there is no room for more tenants, news is dropped: the poll covers it."""

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        self._is_filled = asyncio.Event()

    def put(self, tenant: str, position: int) -> None:
        """Have this sent. Never waits."""
        if tenant in self._waiting or len(self._waiting) < _ROOM:
            self._waiting[tenant] = max(position, self._waiting.get(tenant, 0))
            self._is_filled.set()

    def give_back(self, news: dict[str, int]) -> None:
        """Sending failed: keep it for the next attempt, unless there is newer."""
        for tenant, position in news.items():
            self.put(tenant, position)

    async def take(self, patience: float | None = None) -> dict[str, int]:
        """Everything that waits; nothing when nothing comes for so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._is_filled.wait()
        self._is_filled.clear()
        news, self._waiting = self._waiting, {}
        return news
