"""OAuth applications that tenants brought. Secrets are sealed; only the vault opens them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import Row
from db.tables import tenant_keys, tenant_oauth
from domain.applications import KeptApplication
from domain.sealed import Sealed, WrappedKey

_VERSION = 1  # an id is used for one secret only, so there is never a second version of it


class Applications:
    """The tenant's own OAuth applications."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def set(self, id: UUID, integration: str, client_id: str, secret: Sealed) -> KeptApplication:
        """From now on this one, with this secret, is used for new connections of the integration."""
        values = {"id": id, "key_id": secret.key.id, "sealed": secret.ciphertext, "updated_at": func.clock_timestamp()}
        of = tenant_oauth.c
        query = upsert(tenant_oauth).values(tenant=self._tenant, integration=integration, client_id=client_id, **values)
        query = query.on_conflict_do_update(index_elements=[of.tenant, of.integration, of.client_id], set_=values)
        updated_at = (await self._connection.execute(query.returning(of.updated_at))).scalar_one()
        return KeptApplication(id, integration, client_id, secret, updated_at)

    async def current(self, integration: str) -> KeptApplication | None:
        """The one set last."""
        query = self._kept().where(tenant_oauth.c.integration == integration)
        return await self._first(query.order_by(tenant_oauth.c.updated_at.desc()))

    async def with_client(self, integration: str, client_id: str) -> KeptApplication | None:
        """The one with this client id, also when another was set since."""
        of = tenant_oauth.c
        return await self._first(self._kept().where(of.integration == integration, of.client_id == client_id))

    async def all_current(self) -> dict[str, KeptApplication]:
        """The ones set last, by integration."""
        query = self._kept().order_by(tenant_oauth.c.updated_at)
        rows = (await self._connection.execute(query)).mappings()
        return {each.integration: each for each in map(_application, rows)}

    async def not_under(self, key: WrappedKey) -> Sequence[KeptApplication]:
        """Those that another key seals."""
        rows = (await self._connection.execute(self._kept().where(tenant_oauth.c.key_id != key.id))).mappings()
        return [_application(row) for row in rows]

    async def put_under(self, before: KeptApplication, after: Sealed) -> None:
        """The same secret under another key, unless it was set anew meanwhile."""
        await self._connection.execute(
            update(tenant_oauth)
            .where(tenant_oauth.c.tenant == self._tenant, tenant_oauth.c.id == before.id)
            .values(key_id=after.key.id, sealed=after.ciphertext)
        )

    def _kept(self) -> Select[tuple[object, ...]]:
        return (
            select(tenant_oauth, tenant_keys.c.master_key, tenant_keys.c.wrapped)
            .join(
                tenant_keys,
                (tenant_keys.c.tenant == tenant_oauth.c.tenant) & (tenant_keys.c.id == tenant_oauth.c.key_id),
            )
            .where(tenant_oauth.c.tenant == self._tenant)
        )

    async def _first(self, query: Select[tuple[object, ...]]) -> KeptApplication | None:
        row = (await self._connection.execute(query.limit(1))).mappings().first()
        return _application(row) if row else None


def _application(row: Row) -> KeptApplication:
    key = WrappedKey(row["key_id"], row["master_key"], row["wrapped"])
    secret = Sealed(key, _VERSION, row["sealed"])
    return KeptApplication(row["id"], row["integration"], row["client_id"], secret, row["updated_at"])
