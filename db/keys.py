"""Wrapped keys: the tenants' data keys and the deployment's own. None of them is usable without a master key."""

from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import deployment_keys, tenant_keys
from domain.sealed import WrappedKey


class TenantKeys:
    """The tenant's data keys; the newest seals."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def newest(self) -> WrappedKey | None:
        """The key that seals, None before the first."""
        query = (
            select(tenant_keys).where(tenant_keys.c.tenant == self._tenant).order_by(tenant_keys.c.id.desc()).limit(1)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return WrappedKey(row["id"], row["master_key"], row["wrapped"]) if row else None

    async def add(self, key: WrappedKey) -> None:
        """Store a new key."""
        await self._connection.execute(
            insert(tenant_keys).values(tenant=self._tenant, id=key.id, master_key=key.master_key, wrapped=key.wrapped)
        )


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
