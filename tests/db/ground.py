"""A migrated database as the gateway opens it, and what tests put into it."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from db.connections import Connected
from db.database import Database, open_database
from db.gate import Gate, Question
from db.store import Stores
from domain.agents import Agent
from domain.catalogue import Account, AuthScheme, Effect
from domain.connections import Connection
from domain.executions import (
    Execution,
    ExecutionMode,
    ExecutionOrigin,
    ExecutionStatus,
    Finish,
    Intent,
    Outcome,
    succeeded,
)
from domain.grants import Grant, PermissionLevel
from domain.history import Event
from domain.ids import new_id
from domain.json import Json
from domain.sealed import Sealed, WrappedKey


@dataclass(frozen=True)
class Ground:
    """`url` is the owner's. `told` is what the bus would have heard."""

    url: str
    database: Database
    gate: Gate
    stores: Stores
    told: list[tuple[str, int]]

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A connection of the one who migrated."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()

    async def history(self, tenant: str) -> list[Event]:
        """All of it, in order."""
        return await self.gate.history(tenant, 0, 10_000)

    async def execution(self, tenant: str, id: UUID) -> Execution:
        """As it is recorded."""
        async with self.stores.of(tenant) as store:
            return (await store.executions.get([id]))[id]


@asynccontextmanager
async def opened(url: str, pool_size: int = 10) -> AsyncIterator[Ground]:
    """One process's view of the database."""
    database = await open_database(url, pool_size)
    told: list[tuple[str, int]] = []
    try:
        yield Ground(url, database, Gate(database.pool), Stores(database, lambda *what: told.append(what)), told)
    finally:
        await database.close()


def new_tenant() -> str:
    """Nobody else's."""
    return f"tenant-{secrets.token_hex(6)}"


def connected(account: str = "1", *, label: str | None = None, scopes: tuple[str, ...] | None = ("a",)) -> Connected:
    """What a test of a credential found."""
    return Connected(
        integration="harbour",
        auth_scheme=AuthScheme.API_KEY,
        account=Account(account, f"Account {account}"),
        granted_scopes=scopes,
        is_sandbox=False,
        label=label,
        external_user_id=None,
        expires_at=None,
        rotation_due_at=None,
    )


async def add_connection(ground: Ground, tenant: str, account: str = "1", *, label: str | None = None) -> Connection:
    """Connected, with a sealed credential of made-up bytes."""
    async with ground.stores.of(tenant) as store:
        key = await store.keys.newest()
        if key is None:
            key = WrappedKey(new_id(), "k1", b"wrapped")
            await store.keys.add(key)
        made = await store.connections.add(new_id(), connected(account, label=label))
        await store.connections.put_credential(made.id, Sealed(key, 1, b"sealed " + account.encode()))
        return made


async def add_agent(ground: Ground, tenant: str, name: str = "worker") -> Agent:
    """Active."""
    async with ground.stores.of(tenant) as store:
        return await store.agents.add(new_id(), name, None)


async def add_grant(ground: Ground, tenant: str, agent: UUID, connection: UUID, allowed: Sequence[str] = ()) -> Grant:
    """In force."""
    async with ground.stores.of(tenant) as store:
        return await store.grants.add(new_id(), agent, connection, PermissionLevel.READ_WRITE, allowed, None)


@dataclass(frozen=True)
class Party:
    """Somebody who can act: a tenant with an agent, a connection and a grant."""

    tenant: str
    agent: Agent
    connection: Connection
    grant: Grant

    def question(self) -> Question:
        return Question(self.tenant, self.agent.id, "harbour", None)

    def intent(self, key: str | None = None, *, fingerprint: bytes = b"f") -> Intent:
        """What this agent would do, resting on everything as it is."""
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        return Intent(
            id=new_id(),
            tenant=self.tenant,
            actor=f"agent:{self.agent.id.hex}",
            action="harbour.moor",
            action_digest="digest of harbour.moor",
            integration="harbour",
            effect=Effect.WRITE,
            connection_id=self.connection.id,
            connection_version=self.connection.version,
            agent_id=self.agent.id,
            agent_version=self.agent.version,
            grant_id=self.grant.id,
            grant_version=self.grant.version,
            mode=ExecutionMode.WAIT,
            origin=ExecutionOrigin.GRAPHQL,
            parameters='{"berth":1}',
            parameters_hash=b"p",
            idempotency_key=key,
            fingerprint=fingerprint,
            patience_seconds=30,
            deadline_at=deadline,
        )


async def add_party(ground: Ground, tenant: str | None = None) -> Party:
    """A new one."""
    tenant = tenant or new_tenant()
    agent = await add_agent(ground, tenant)
    connection = await add_connection(ground, tenant)
    return Party(tenant, agent, connection, await add_grant(ground, tenant, agent.id, connection.id))


def lapsed(intent: Intent) -> Intent:
    """The same, of a process that went away long ago."""
    before = datetime.now(UTC) - timedelta(minutes=5)
    return replace(intent, deadline_at=before, lease_seconds=-300)


def finish(intent: Intent, outcome: Outcome | None = None, *, attempt: int = 1, result: Json = None) -> Finish:
    """How it ended: well, unless told otherwise."""
    return Finish(intent.id, intent.tenant, attempt, outcome or succeeded(result), 12, b"p")


def is_final(execution: Execution) -> bool:
    """Whether it ended."""
    return execution.status is not ExecutionStatus.RUNNING
