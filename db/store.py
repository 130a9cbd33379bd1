"""One tenant's rows, in one transaction: every repository of a `Store` belongs to the tenant it was opened for.

What is noted in its history is written last and told to the bus after the commit.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db.agents import Agents
from db.alerts import Alerts
from db.applications import Applications
from db.approvals import Approvals
from db.coalescing import Coalescer
from db.connect_tokens import ConnectTokens
from db.connections import Connections
from db.database import Database
from db.executions import Executions
from db.grants import Grants
from db.history import History
from db.keys import DeploymentKeys, TenantKeys
from db.receipts import Receipts
from db.refreshes import Refreshes
from db.seals import Seals
from db.sessions import ConnectSessions
from db.standing import StandingApprovals
from db.switches import Switches
from db.usage import Usage
from db.webhooks import Webhooks
from domain.connections import Connection
from domain.executions import Execution

_LANES = 4
_LARGEST = 10_000

Tell = Callable[[str, int], None]


class Store:
    """A transaction of one tenant."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self.tenant = tenant

    @cached_property
    def agents(self) -> Agents:
        """Agents and their tokens."""
        return Agents(self._connection, self.tenant)

    @cached_property
    def connections(self) -> Connections:
        """Connections and their sealed credentials."""
        return Connections(self._connection, self.tenant)

    @cached_property
    def grants(self) -> Grants:
        """Grants."""
        return Grants(self._connection, self.tenant)

    @cached_property
    def executions(self) -> Executions:
        """Executions."""
        return Executions(self._connection, self.tenant)

    @cached_property
    def approvals(self) -> Approvals:
        """Approvals."""
        return Approvals(self._connection, self.tenant)

    @cached_property
    def history(self) -> History:
        """The append-only log."""
        return History(self._connection, self.tenant)

    @cached_property
    def refreshes(self) -> Refreshes:
        """Leases on credentials, and the journal of their renewals."""
        return Refreshes(self._connection, self.tenant)

    @cached_property
    def sessions(self) -> ConnectSessions:
        """Connect sessions."""
        return ConnectSessions(self._connection, self.tenant)

    @cached_property
    def connect_tokens(self) -> ConnectTokens:
        """What lets people connect on the connect page."""
        return ConnectTokens(self._connection, self.tenant)

    @cached_property
    def applications(self) -> Applications:
        """OAuth applications of its own."""
        return Applications(self._connection, self.tenant)

    @cached_property
    def switches(self) -> Switches:
        """Which integrations are offered."""
        return Switches(self._connection, self.tenant)

    @cached_property
    def standing(self) -> StandingApprovals:
        """Standing approvals."""
        return StandingApprovals(self._connection, self.tenant)

    @cached_property
    def receipts(self) -> Receipts:
        """What receipts are made of."""
        return Receipts(self._connection, self.tenant)

    @cached_property
    def seals(self) -> Seals:
        """The seals of its history."""
        return Seals(self._connection, self.tenant)

    @cached_property
    def alerts(self) -> Alerts:
        """What people should look at."""
        return Alerts(self._connection, self.tenant)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Where events are delivered to."""
        return Webhooks(self._connection, self.tenant)

    @cached_property
    def usage(self) -> Usage:
        """Figures counted from history."""
        return Usage(self._connection, self.tenant)

    @cached_property
    def keys(self) -> TenantKeys:
        """The tenant's wrapped data keys."""
        return TenantKeys(self._connection, self.tenant)


class Stores:
    """Opens stores. `tell` hears of every commit that moved a history."""

    def __init__(self, database: Database, tell: Tell) -> None:
        self._database = database
        self._tell = tell
        self._executions = Coalescer(self._find_executions, lanes=_LANES, largest=_LARGEST)
        self._connections = Coalescer(self._find_connections, lanes=_LANES, largest=_LARGEST)

    async def executions(self, tenant: str, ids: Sequence[UUID]) -> list[Execution | None]:
        """Those of the ids that exist, None for the others; fresh, and in one statement for all who ask at once.

        For crowds: a thousand subscribers hear of one event at the same moment and all look up its execution.
        """
        return await asyncio.gather(*(self._executions.ask((tenant, id)) for id in ids))

    async def connections(self, tenant: str, ids: Sequence[UUID]) -> list[Connection | None]:
        """Likewise."""
        return await asyncio.gather(*(self._connections.ask((tenant, id)) for id in ids))

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[Store]:
        """A transaction of this tenant: all or nothing, and the bus hears of it once it is committed."""
        async with self._database.tenant(tenant) as connection:
            store = Store(connection, tenant)
            yield store
            position = await store.history.write()
        if position is not None:
            self._tell(tenant, position)

    @asynccontextmanager
    async def of_deployment(self) -> AsyncIterator[DeploymentKeys]:
        """A transaction without a tenant."""
        async with self._database.deployment() as connection:
            yield DeploymentKeys(connection)

    async def _find_executions(self, asked: Sequence[tuple[str, UUID]]) -> list[Execution | None]:
        found: dict[tuple[str, UUID], Execution] = {}
        for tenant, ids in _by_tenant(asked).items():
            async with self.of(tenant) as store:
                found |= {(tenant, id): each for id, each in (await store.executions.get(list(ids))).items()}
        return [found.get(each) for each in asked]

    async def _find_connections(self, asked: Sequence[tuple[str, UUID]]) -> list[Connection | None]:
        found: dict[tuple[str, UUID], Connection] = {}
        for tenant, ids in _by_tenant(asked).items():
            async with self.of(tenant) as store:
                found |= {(tenant, id): each for id, each in (await store.connections.get(list(ids))).items()}
        return [found.get(each) for each in asked]


def _by_tenant(asked: Sequence[tuple[str, UUID]]) -> dict[str, set[UUID]]:
    """Each tenant's rows are read in a transaction of its own, whoever else asks at the same moment."""
    ids: dict[str, set[UUID]] = defaultdict(set)
    for tenant, id in asked:
        ids[tenant].add(id)
    return ids
