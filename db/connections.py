"""Connections and their sealed credentials."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.paging import containing, newest_first
from db.refreshes import standing_as
from db.tables import connections, credential_journal, credentials
from domain.catalogue import Account, AuthScheme
from domain.connections import USABLE, Connection, ConnectionChanges, ConnectionStatus
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
    next_refresh_at: datetime | None = None
    next_check_at: datetime | None = None


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

    async def is_alive_at(self, integrations: Sequence[str], account_id: str, *, is_sandbox: bool) -> bool:
        """Whether this account is connected by OAuth at one of these integrations, and that has not ended."""
        query = (
            select(connections.c.id)
            .where(
                connections.c.tenant == self._tenant,
                connections.c.integration.in_(integrations),
                connections.c.account_id == account_id,
                connections.c.auth_scheme == AuthScheme.OAUTH2.value,
                connections.c.is_sandbox.is_(is_sandbox),
                connections.c.status != ConnectionStatus.REVOKED.value,
            )
            .limit(1)
        )
        return (await self._connection.execute(query)).first() is not None

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
        """The same connection with a new credential, working again; its label kept unless a new one was given."""
        facts = _facts(connected) | standing_as(ConnectionStatus.ACTIVE)
        for kept in ("label", "external_user_id"):
            facts[kept] = func.coalesce(facts[kept], connections.c[kept])
        return await self._change(id, {**facts, "last_error": None})

    async def change(self, before: Connection, changes: ConnectionChanges) -> Connection:
        """Name it, make it the integration's only default, stop or resume it. Resumed, it is tested soon."""
        values: dict[str, object] = {}
        if changes.label is not None or changes.takes_label_away:
            values["label"] = changes.label
        if changes.is_default is not None:
            values["is_default"] = changes.is_default
        is_disabled = before.status is ConnectionStatus.DISABLED
        if changes.is_enabled is False and not is_disabled:
            values |= {
                "status": ConnectionStatus.DISABLED.value,
                "resumes_as": before.status.value,
                "next_check_at": None,
            }
        if changes.is_enabled and is_disabled:
            resumed = func.coalesce(connections.c.resumes_as, ConnectionStatus.ACTIVE.value)
            values |= {"status": resumed, "resumes_as": None, "next_check_at": func.now()}
        return await self._change(before.id, values)

    async def begin_ending(self, id: UUID, by: str, seconds: float) -> Connection:
        """From now on it can only end: nobody uses it, and what was begun is left to whoever began it for a while."""
        return await self._change(
            id,
            {
                "status": ConnectionStatus.DISABLED.value,
                "next_refresh_at": None,
                "next_check_at": None,
                "last_error": "It is being disconnected.",
                "ending_at": func.coalesce(connections.c.ending_at, func.now()),
                "ending_by": func.coalesce(connections.c.ending_by, by),
                "ending_until": func.now() + timedelta(seconds=seconds),
            },
        )

    async def ending_by(self, id: UUID) -> str | None:
        """Who began to disconnect it."""
        query = select(connections.c.ending_by).where(connections.c.tenant == self._tenant, connections.c.id == id)
        found: str | None = (await self._connection.execute(query)).scalar()
        return found

    async def lock_defaults(self, integration: str) -> None:
        """The integration's defaults, none of which is one afterwards. Always before a single connection is locked."""
        mine = (connections.c.tenant == self._tenant, connections.c.integration == integration)
        number = int.from_bytes(hashlib.sha256(f"{self._tenant}\0{integration}".encode()).digest()[:8], signed=True)
        await self._connection.execute(select(func.pg_advisory_xact_lock(number)))
        await self._connection.execute(
            update(connections)
            .where(*mine, connections.c.is_default)
            .values(is_default=False, version=connections.c.version + 1)
        )

    async def set_status(self, id: UUID, status: ConnectionStatus, error: str | None = None) -> Connection:
        """Another status, with the reason for people to read. What a person must renew is not renewed by itself."""
        return await self._change(id, {**_standing(status), "last_error": error})

    async def note_check(
        self,
        id: UUID,
        status: ConnectionStatus,
        scopes: Sequence[str] | None,
        error: str | None,
        *,
        next_check_at: datetime | None = None,
        is_news: bool = True,
    ) -> Connection:
        """What a test of the connection found. Without news the version stays: nothing that was decided on changed."""
        values: dict[str, object] = {
            **_standing(status),
            "last_checked_at": func.now(),
            "last_error": error,
            "next_check_at": next_check_at,
            "attended_until": None,
        }
        if error is None:
            values["last_succeeded_at"] = func.now()
        if scopes is not None:
            values["granted_scopes"] = list(scopes)
        return await self._change(id, values, is_news=is_news)

    async def _change(self, id: UUID, values: Mapping[str, object], *, is_news: bool = True) -> Connection:
        version = connections.c.version + 1 if is_news else connections.c.version
        query = (
            update(connections)
            .where(connections.c.tenant == self._tenant, connections.c.id == id)
            .values(**values, version=version)
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
        """Nothing is left of it here, nor of renewals on their way."""
        await self._connection.execute(
            delete(credential_journal).where(
                credential_journal.c.tenant == self._tenant, credential_journal.c.connection_id == connection_id
            )
        )
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
        "next_refresh_at": connected.next_refresh_at,
        "next_check_at": connected.next_check_at,
        "connected_at": func.now(),
        "last_checked_at": func.now(),
        "last_succeeded_at": func.now(),
    }


def _standing(status: ConnectionStatus) -> dict[str, object]:
    """A status, and what follows from it: only what works is renewed by itself."""
    nothing_due: dict[str, object] = {"next_refresh_at": None, "next_check_at": None}
    if status in USABLE:
        return standing_as(status)
    if status is ConnectionStatus.EXPIRED:
        return {**standing_as(status), **nothing_due}
    return {"status": status.value, "resumes_as": None, **nothing_due}
