"""Looking after connections in the background: renewing what ends soon, testing what was not tested for long.

Every gateway process does it, and each connection is handed to one of them at a time. Which process it is does not
matter, and that two might think they have it does no harm: the lease on the credential decides.
"""

import asyncio
import random
from contextlib import suppress

import structlog

from domain.errors import DependencyDown, MandateError, ProviderProblem
from domain.refreshing import Due
from vault.health import Health
from vault.ports import RefreshRecords
from vault.refreshing import NotRefreshable, Refresher

log = structlog.get_logger("gateway")

ROUND_SECONDS = 5.0
_AT_ONCE = 8
_MOST = 100
_HANDED_OUT_SECONDS = 120


class Attendant:
    """Runs until cancelled."""

    def __init__(self, records: RefreshRecords, refresher: Refresher, health: Health) -> None:
        self._records = records
        self._refresher = refresher
        self._health = health
        self._hands = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Round after round. A database that is away is waited for; nothing ends this but being cancelled."""
        while True:
            try:
                await self.round()
            except DependencyDown:
                pass
            except Exception as error:  # one bad round must not be the last one
                log.error("attending_failed", exc_info=error)
            await asyncio.sleep(ROUND_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # spread, not secrecy

    async def round(self) -> int:
        """What the spool holds, then what is due. Returns how many connections were looked after."""
        await self._refresher.replay()
        due = await self._records.due(_MOST, _HANDED_OUT_SECONDS)
        await asyncio.gather(*(self._attend(each) for each in due))
        return len(due)

    async def _attend(self, due: Due) -> None:
        async with self._hands:
            try:
                if due.is_to_refresh:
                    await self._refresh(due)
                if due.is_to_check:
                    await self._health.check(due.tenant, due.connection_id)
            except (DependencyDown, ProviderProblem):
                pass  # it is in the connection's health, and comes round again
            except MandateError as error:
                log.error("attending_refused", connection=due.connection_id.hex, code=error.code)
            except Exception as error:  # noqa: BLE001 - one connection must not keep the others waiting
                # What a service said may be in its words, so only its kind is logged.
                log.error("attending_failed", connection=due.connection_id.hex, kind=type(error).__name__)

    async def _refresh(self, due: Due) -> None:
        stored = await self._records.current(due.tenant, due.connection_id)
        if stored is None:
            return
        with suppress(NotRefreshable):
            await self._refresher.refresh(due.tenant, due.connection_id, stored.sealed.version)
