"""Two worlds with the same ledger in them: one in memory, one in PostgreSQL. Tests act on either in the same words."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from db.ledger import PostgresLedger
from domain.agents import Agent
from domain.connections import Connection, ConnectionStatus
from domain.grants import Budget, Grant, PermissionLevel
from domain.history import Occurrence
from domain.ids import new_id
from execution.ports import Ledger
from execution.testing import MemoryLedger
from tests.db import ground as real
from tests.support import nouns


class World(Protocol):
    """What a test can bring about, in a tenant of its own."""

    tenant: str

    @property
    def ledger(self) -> Ledger: ...
    async def agent(self) -> Agent: ...
    async def connection(self, account: str = "1") -> Connection: ...
    async def grant(self, agent: UUID, connection: UUID) -> Grant: ...
    async def limit(self, grant: Grant, uses: int) -> Grant: ...
    async def freeze(self, agent: Agent) -> None: ...
    async def revoke(self, grant: Grant) -> None: ...
    async def switch_off(self) -> None: ...
    async def set_status(self, connection: Connection, status: ConnectionStatus) -> None: ...
    async def look(self, connection: UUID) -> Connection: ...
    async def history(self) -> list[Occurrence]: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.tenant = real.new_tenant()
        self.ledger = MemoryLedger()

    async def agent(self) -> Agent:
        made = Agent(new_id(), "worker", None, False, nouns.EARLIER, None, 1)
        self.ledger.keep(self.tenant, made)
        return made

    async def connection(self, account: str = "1") -> Connection:
        made = nouns.connection()
        self.ledger.keep(self.tenant, made)
        return made

    async def grant(self, agent: UUID, connection: UUID) -> Grant:
        made = Grant(new_id(), agent, connection, PermissionLevel.READ_WRITE, (), None, None, nouns.EARLIER, None, 1)
        self.ledger.keep(self.tenant, made)
        return made

    async def limit(self, grant: Grant, uses: int) -> Grant:
        made = replace(grant, budget=Budget(max_executions=uses), version=grant.version + 1)
        self.ledger.keep(self.tenant, made)
        return made

    async def freeze(self, agent: Agent) -> None:
        self.ledger.keep(self.tenant, replace(agent, is_frozen=True, version=agent.version + 1))

    async def revoke(self, grant: Grant) -> None:
        self.ledger.keep(self.tenant, replace(grant, revoked_at=datetime.now(UTC), version=grant.version + 1))

    async def switch_off(self) -> None:
        self.ledger.switch_off(self.tenant, "harbour")

    async def set_status(self, connection: Connection, status: ConnectionStatus) -> None:
        self.ledger.keep(self.tenant, replace(connection, status=status, version=connection.version + 1))

    async def look(self, connection: UUID) -> Connection:
        return self.ledger.connection(self.tenant, connection)

    async def history(self) -> list[Occurrence]:
        return self.ledger.events_of(self.tenant)


class PostgresWorld:
    def __init__(self, ground: real.Ground) -> None:
        self.tenant = real.new_tenant()
        self.ledger = PostgresLedger(ground.gate, ground.stores, lambda *what: ground.told.append(what))
        self._ground = ground

    async def agent(self) -> Agent:
        return await real.add_agent(self._ground, self.tenant)

    async def connection(self, account: str = "1") -> Connection:
        return await real.add_connection(self._ground, self.tenant, account)

    async def grant(self, agent: UUID, connection: UUID) -> Grant:
        return await real.add_grant(self._ground, self.tenant, agent, connection)

    async def limit(self, grant: Grant, uses: int) -> Grant:
        async with self._ground.stores.of(self.tenant) as store:
            made = await store.grants.change(grant.id, {"max_executions": uses})
        assert made is not None
        return made

    async def freeze(self, agent: Agent) -> None:
        async with self._ground.stores.of(self.tenant) as store:
            await store.agents.set_frozen(agent.id, is_frozen=True)

    async def revoke(self, grant: Grant) -> None:
        async with self._ground.stores.of(self.tenant) as store:
            await store.grants.revoke(grant.id)

    async def switch_off(self) -> None:
        async with self._ground.stores.of(self.tenant) as store:
            await store.switches.set("harbour", is_enabled=False)

    async def set_status(self, connection: Connection, status: ConnectionStatus) -> None:
        async with self._ground.stores.of(self.tenant) as store:
            await store.connections.set_status(connection.id, status)

    async def look(self, connection: UUID) -> Connection:
        async with self._ground.stores.of(self.tenant) as store:
            return (await store.connections.get([connection]))[connection]

    async def history(self) -> list[Occurrence]:
        names = [field.name for field in fields(Occurrence)]
        events = await self._ground.history(self.tenant)
        return [Occurrence(**{name: getattr(event, name) for name in names}) for event in events]
