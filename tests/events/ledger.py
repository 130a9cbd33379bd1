"""A history in memory whose answers can be held back."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.history import Event
from domain.ids import new_id
from events.memory import MemoryBus


@dataclass
class Ledger:
    """History in memory. `bus` is told of every line; answers wait while `is_open` is not set."""

    bus: MemoryBus
    lines: dict[str, list[Event]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    chance: random.Random | None = None
    trouble: Exception | None = None

    async def history(self, tenant: str, after: int, most: int) -> list[Event]:
        self.asked.append("history")
        if self.trouble is not None:
            raise self.trouble
        await self._delay()
        found = [each for each in self.lines.get(tenant, []) if each.position > after][:most]
        await self._delay()
        return found

    async def heads(self, tenants: Sequence[str]) -> dict[str, int]:
        self.asked.append("heads")
        await self._delay()
        found = {tenant: self._head(tenant) for tenant in tenants}
        await self._delay()
        return found

    def happen(self, tenant: str, *types: str) -> None:
        for each in types:
            self.lines.setdefault(tenant, []).append(_event(self._head(tenant) + 1, each))
        self.bus.tell(tenant, self._head(tenant))

    def prune(self, tenant: str, before: int) -> None:
        self.lines[tenant] = [each for each in self.lines[tenant] if each.position >= before]

    def _head(self, tenant: str) -> int:
        return self.lines[tenant][-1].position if self.lines.get(tenant) else 0

    async def _delay(self) -> None:
        await self.is_open.wait()
        for _ in range(self.chance.randint(0, 6) if self.chance else 1):
            await asyncio.sleep(0)


def _event(position: int, name: str) -> Event:
    return Event(id=new_id(), position=position, occurred_at=datetime.now(UTC), type=name, actor="agent:1")
