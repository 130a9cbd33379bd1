"""Lets time pass for one row. What ends by itself ends by a moment in its row, and waiting for it teaches nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

_COLUMNS = {
    "agent_tokens": "expires_at",
    "grants": "expires_at",
    "connect_sessions": "expires_at",
    "executions": "lease_until",
    "approvals": "expires_at",
    "connect_tokens": "expires_at",
}


@dataclass(frozen=True)
class Ageing:
    """Writes as the database's owner, past everything the gateway guards."""

    connection: "asyncpg.Connection[asyncpg.Record]"

    async def age_key(self, public: str) -> None:
        """An agent's key has expired."""
        await self._age("agent_tokens", public)

    async def age_grant(self, public: str) -> None:
        """A grant has expired."""
        await self._age("grants", public)

    async def age_session(self, public: str) -> None:
        """A connect session was not finished in time."""
        await self._age("connect_sessions", public)

    async def age_connect_token(self, page: str) -> None:
        """A connect token has expired. `page` is the address of its page."""
        await self._age("connect_tokens", f"at_{page.rsplit('/at/', 1)[1][:32]}")

    async def age_approval(self, public: str) -> None:
        """Nobody decided in time."""
        await self._age("approvals", public)

    async def age_lease(self, public: str) -> None:
        """The process that ran this execution has had its time."""
        await self._age("executions", public)

    async def _age(self, table: str, public: str) -> None:
        column = _COLUMNS[table]
        statement = f"UPDATE {table} SET {column} = now() - interval '1 second' WHERE id = $1"  # noqa: S608
        changed = await self.connection.execute(statement, UUID(hex=public.partition("_")[2]))
        assert changed == "UPDATE 1", changed


@asynccontextmanager
async def ageing(database_url: str) -> AsyncIterator[Ageing]:
    """For the database at this address."""
    connection = await asyncpg.connect(database_url)
    try:
        yield Ageing(connection)
    finally:
        await connection.close()
