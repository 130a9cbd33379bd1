"""Wrapped keys: the tenants' data keys and the deployment's own. None of them is usable without a master key."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, delete, exists, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import (
    agent_tokens,
    connect_sessions,
    connect_tokens,
    credential_journal,
    credentials,
    deployment_keys,
    tenant_keys,
    tenant_oauth,
    webhook_secrets,
    webhooks,
)
from domain.sealed import Sealed, WrappedKey

#: Somebody may be about to write under a key that was replaced a moment ago.
_DISUSED_AFTER = text("now() - interval '1 day'")
#: By the database's clock: those of several machines may differ, and ids are made by them.
_NEWEST_FIRST = (tenant_keys.c.created_at.desc(), tenant_keys.c.id.desc())
#: Everything that is sealed under a tenant's data key. A test holds this against the database.
SEALED = (credentials, credential_journal, connect_sessions, tenant_oauth, webhook_secrets)


class TenantKeys:
    """The tenant's data keys; the newest seals."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def newest(self) -> WrappedKey | None:
        """The key that seals, None before the first."""
        query = select(tenant_keys).where(tenant_keys.c.tenant == self._tenant).order_by(*_NEWEST_FIRST).limit(1)
        row = (await self._connection.execute(query)).mappings().first()
        return WrappedKey(row["id"], row["master_key"], row["wrapped"]) if row else None

    async def add(self, key: WrappedKey) -> None:
        """Store a new key."""
        await self._connection.execute(
            insert(tenant_keys).values(tenant=self._tenant, id=key.id, master_key=key.master_key, wrapped=key.wrapped)
        )

    async def newest_against(self, moment: datetime) -> tuple[WrappedKey, bool]:
        """The key that seals, of a tenant that has one, and whether it was made before that moment."""
        query = (
            select(tenant_keys, (tenant_keys.c.created_at < moment).label("is_older"))
            .where(tenant_keys.c.tenant == self._tenant)
            .order_by(*_NEWEST_FIRST)
            .limit(1)
        )
        row = (await self._connection.execute(query)).mappings().one()
        return WrappedKey(row["id"], row["master_key"], row["wrapped"]), row["is_older"]

    async def credentials_not_under(self, key: WrappedKey, most: int) -> Sequence[tuple[UUID, Sealed]]:
        """Credentials, with their connections, that another key seals."""
        query = (
            select(credentials, tenant_keys.c.master_key, tenant_keys.c.wrapped)
            .join(
                tenant_keys,
                (tenant_keys.c.tenant == credentials.c.tenant) & (tenant_keys.c.id == credentials.c.key_id),
            )
            .where(credentials.c.tenant == self._tenant, credentials.c.key_id != key.id)
            .order_by(credentials.c.connection_id)
            .limit(most)
        )
        return [
            (
                row["connection_id"],
                Sealed(WrappedKey(row["key_id"], row["master_key"], row["wrapped"]), row["version"], row["sealed"]),
            )
            for row in (await self._connection.execute(query)).mappings()
        ]

    async def put_credential_under(self, connection_id: UUID, before: Sealed, after: Sealed) -> None:
        """The same credential under another key, unless it was renewed or destroyed meanwhile."""
        await self._connection.execute(
            update(credentials)
            .where(
                credentials.c.tenant == self._tenant,
                credentials.c.connection_id == connection_id,
                credentials.c.version == before.version,
                credentials.c.sealed == before.ciphertext,
            )
            .values(key_id=after.key.id, sealed=after.ciphertext)
        )

    async def remove_disused(self) -> int:
        """Keys that were replaced more than a day ago and that nothing is under; how many."""
        later = tenant_keys.alias("later")
        where = [
            tenant_keys.c.tenant == self._tenant,
            exists().where(
                later.c.tenant == self._tenant,
                later.c.created_at > tenant_keys.c.created_at,
                later.c.created_at < _DISUSED_AFTER,
            ),
            *(~exists().where(user.c.tenant == self._tenant, user.c.key_id == tenant_keys.c.id) for user in SEALED),
        ]
        return (await self._connection.execute(delete(tenant_keys).where(*where))).rowcount

    async def destroy_all(self) -> int:
        """Every secret of the tenant and every key they were under, and whatever lets anybody in; how many keys."""
        for secrets in (credential_journal, credentials, tenant_oauth, webhook_secrets):
            await self._connection.execute(delete(secrets).where(secrets.c.tenant == self._tenant))
        gone = {"key_id": None, "sealed": None, "state_digest": None, "browser_digest": None}
        status = func.replace(connect_sessions.c.status, "OPEN", "EXPIRED")
        ends: list[tuple[Table, dict[str, object]]] = [
            (connect_sessions, {**gone, "status": status}),
            (connect_tokens, {"expires_at": func.least(connect_tokens.c.expires_at, func.now())}),
            (webhooks, {"status": "DELETED"}),
            (agent_tokens, {"revoked_at": func.coalesce(agent_tokens.c.revoked_at, func.now())}),
        ]
        for table, values in ends:
            await self._connection.execute(update(table).where(table.c.tenant == self._tenant).values(values))
        return (
            await self._connection.execute(delete(tenant_keys).where(tenant_keys.c.tenant == self._tenant))
        ).rowcount


class DeploymentKeys:
    """Keys that belong to no tenant, one per purpose."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def settle(self, purpose: str, id: UUID, master_key: str, wrapped: bytes) -> WrappedKey:
        """Offer a key for a purpose; whichever process offered first wins, and everybody gets that one."""
        offer = upsert(deployment_keys).values(purpose=purpose, master_key=master_key, wrapped=wrapped)
        await self._connection.execute(offer.on_conflict_do_nothing())
        query = select(deployment_keys).where(deployment_keys.c.purpose == purpose)
        row = (await self._connection.execute(query)).mappings().one()
        return WrappedKey(id, row["master_key"], row["wrapped"])
