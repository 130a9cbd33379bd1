"""Connections and their sealed credentials."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.paging import containing, newest_first
from db.tables import connections, credentials
from domain.catalogue import Account, AuthScheme
from domain.connections import Connection, ConnectionStatus
from domain.pages import Page
from domain.sealed import Sealed


@dataclass(frozen=True, slots=True)
class Connected:
    """What is known once a credential passed its test."""

    integration: str
    auth_scheme: AuthScheme
    account: Account
    granted_scopes: tuple[str, ...] | None
    is_sandbox: bool
    label: str | None
    external_user_id: str | None
    expires_at: datetime | None
    rotation_due_at: datetime | None


class Connections:
    """The tenant's connections.

    Rows are locked so that others may still refer to them (`key_share`): who admits an execution holds the history's
    ticket while referring to a connection, and who locks a connection takes that ticket afterwards.
    """

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Connection]:
        """Those of the ids that exist."""
        query = select(connections).where(connections.c.tenant == self._tenant, connections.c.id.in_(ids))
        found = (await self._connection.execute(query)).mappings()
        return {row["id"]: rows.connection(row) for row in found}

    async def page(
        self,
        first: int,
        after: UUID | None,
        *,
        integration: str | None = None,
        status: ConnectionStatus | None = None,
        search: str | None = None,
        among: Sequence[UUID] | None = None,
    ) -> Page[Connection]:
        """Newest first. `among` limits to these ids, for callers who may not see all."""
        where = [connections.c.tenant == self._tenant]
        if integration is not None:
            where.append(connections.c.integration == integration)
        if status is not None:
            where.append(connections.c.status == status.value)
        if among is not None:
            where.append(connections.c.id.in_(among))
        if search:
            pattern = containing(search)
            where.append(
                connections.c.label.ilike(pattern, escape="\\")
                | connections.c.account_label.ilike(pattern, escape="\\")
            )
        return await newest_first(self._connection, connections, where, rows.connection, first=first, after=after)

    async def connected_integrations(self) -> frozenset[str]:
        """The integrations with at least one connection that is not revoked."""
        query = (
            select(connections.c.integration)
            .distinct()
            .where(connections.c.tenant == self._tenant, connections.c.status != ConnectionStatus.REVOKED.value)
        )
        return frozenset((await self._connection.execute(query)).scalars())

    async def of_account(self, integration: str, account_id: str, *, is_sandbox: bool) -> Connection | None:
        """The live connection of this account. Whoever else connects this account waits until the transaction ends."""
        account = "\0".join((self._tenant, integration, account_id, str(is_sandbox)))
        number = int.from_bytes(hashlib.sha256(account.encode()).digest()[:8], signed=True)
        await self._connection.execute(select(func.pg_advisory_xact_lock(number)))
        query = (
            select(connections)
            .where(
                connections.c.tenant == self._tenant,
                connections.c.integration == integration,
                connections.c.account_id == account_id,
                connections.c.is_sandbox.is_(is_sandbox),
                connections.c.status != ConnectionStatus.REVOKED.value,
            )
            .with_for_update(key_share=True)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return rows.connection(row) if row else None

    async def locked(self, id: UUID) -> Connection | None:
        """The connection, locked until the transaction ends."""
        query = select(connections).where(connections.c.tenant == self._tenant, connections.c.id == id)
        row = (await self._connection.execute(query.with_for_update(key_share=True))).mappings().first()
        return rows.connection(row) if row else None

    async def add(self, id: UUID, connected: Connected) -> Connection:
        """A new connection, ACTIVE."""
        query = (
            insert(connections)
            .values(tenant=self._tenant, id=id, integration=connected.integration, **_facts(connected))
            .returning(connections)
        )
        return rows.connection((await self._connection.execute(query)).mappings().one())

    async def renew(self, id: UUID, connected: Connected) -> Connection:
        """The same connection with a new credential: ACTIVE again, its label kept unless a new one was given."""
        facts = _facts(connected)
        for kept in ("label", "external_user_id"):
            facts[kept] = func.coalesce(facts[kept], connections.c[kept])
        query = (
            update(connections)
            .where(connections.c.tenant == self._tenant, connections.c.id == id)
            .values(version=connections.c.version + 1, last_error=None, **facts)
            .returning(connections)
        )
        return rows.connection((await self._connection.execute(query)).mappings().one())

    async def set_status(self, id: UUID, status: ConnectionStatus, error: str | None = None) -> Connection:
        """Another status, with the reason for people to read."""
        query = (
            update(connections)
            .where(connections.c.tenant == self._tenant, connections.c.id == id)
            .values(status=status.value, last_error=error, version=connections.c.version + 1)
            .returning(connections)
        )
        return rows.connection((await self._connection.execute(query)).mappings().one())

    async def note_check(
        self, id: UUID, status: ConnectionStatus, scopes: Sequence[str] | None, error: str | None
    ) -> Connection:
        """What a test of the connection found."""
        values: dict[str, object] = {
            "last_checked_at": func.now(),
            "last_error": error,
            "status": status.value,
            "version": connections.c.version + 1,
        }
        if error is None:
            values["last_succeeded_at"] = func.now()
        if scopes is not None:
            values["granted_scopes"] = list(scopes)
        query = (
            update(connections)
            .where(connections.c.tenant == self._tenant, connections.c.id == id)
            .values(values)
            .returning(connections)
        )
        return rows.connection((await self._connection.execute(query)).mappings().one())

    # ------------------------------------------------------------------------------------- credentials

    async def credential_version(self, connection_id: UUID) -> int:
        """The version in place, 0 when there is none."""
        query = select(credentials.c.version).where(
            credentials.c.tenant == self._tenant, credentials.c.connection_id == connection_id
        )
        return (await self._connection.execute(query)).scalar() or 0

    async def put_credential(self, connection_id: UUID, sealed: Sealed) -> None:
        """Store a credential in place of the one before."""
        await self.destroy_credential(connection_id)
        await self._connection.execute(
            insert(credentials).values(
                tenant=self._tenant,
                connection_id=connection_id,
                version=sealed.version,
                key_id=sealed.key.id,
                sealed=sealed.ciphertext,
            )
        )

    async def destroy_credential(self, connection_id: UUID) -> None:
        """Nothing is left of it here."""
        await self._connection.execute(
            delete(credentials).where(
                credentials.c.tenant == self._tenant, credentials.c.connection_id == connection_id
            )
        )


def _facts(connected: Connected) -> dict[str, object]:
    return {
        "auth_scheme": connected.auth_scheme.value,
        "status": ConnectionStatus.ACTIVE.value,
        "account_id": connected.account.id,
        "account_label": connected.account.label,
        "granted_scopes": None if connected.granted_scopes is None else list(connected.granted_scopes),
        "is_sandbox": connected.is_sandbox,
        "label": connected.label,
        "external_user_id": connected.external_user_id,
        "expires_at": connected.expires_at,
        "rotation_due_at": connected.rotation_due_at,
        "connected_at": func.now(),
        "last_checked_at": func.now(),
        "last_succeeded_at": func.now(),
    }
