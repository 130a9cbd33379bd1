"""Looking through what happened for what a person should know. Every process does it, one at a time for each tenant.

A moment after something happened, and whenever time alone may have brought something about (`resolvers.alerts`).
"""

import asyncio
import random

import structlog

from domain.errors import DependencyDown
from resolvers.alerts import look
from resolvers.services import Services

log = structlog.get_logger("gateway")

ROUND_SECONDS = 1.0
_TENANTS = 1_000
_AT_ONCE = 4


class Watcher:
    """Runs until cancelled."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._hands = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Round after round. A database that is away is waited for."""
        while True:
            await asyncio.sleep(ROUND_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # spread, not secrecy
            try:
                await self.round()
            except DependencyDown:
                continue
            except Exception as error:  # one bad round must not be the last one
                log.error("watching_failed", exc_info=error)

    async def round(self) -> int:
        """Every tenant about whom there may be something new; how many alerts were raised or closed."""
        tenants = await self._services.across.unwatched(_TENANTS)
        return sum(await asyncio.gather(*(self._look(each) for each in tenants)))

    async def _look(self, tenant: str) -> int:
        async with self._hands:
            try:
                return await look(self._services, tenant)
            except DependencyDown:
                return 0  # it comes round again
            except Exception as error:  # one tenant must not keep the others waiting
                log.error("watching_failed", tenant=tenant, exc_info=error)
                return 0
