"""Which integrations a tenant offers, and whether it is frozen as a whole. What nobody switched is on."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import tenant_integrations, tenants


class Switches:
    """The tenant's switches."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def off(self) -> frozenset[str]:
        """The integrations that are switched off."""
        query = select(tenant_integrations.c.integration).where(
            tenant_integrations.c.tenant == self._tenant, tenant_integrations.c.is_enabled.is_(False)
        )
        return frozenset((await self._connection.execute(query)).scalars())

    async def set(self, integration: str, *, is_enabled: bool) -> None:
        """Switch one."""
        query = upsert(tenant_integrations).values(tenant=self._tenant, integration=integration, is_enabled=is_enabled)
        await self._connection.execute(
            query.on_conflict_do_update(
                index_elements=[tenant_integrations.c.tenant, tenant_integrations.c.integration],
                set_={"is_enabled": is_enabled},
            )
        )

    async def set_frozen(self, *, is_frozen: bool, reason: str | None) -> None:
        """Stop every agent and person of the tenant from executing, or let them again."""
        values = {"is_frozen": is_frozen, "reason": reason}
        query = upsert(tenants).values(tenant=self._tenant, **values)
        await self._connection.execute(query.on_conflict_do_update(index_elements=[tenants.c.tenant], set_=values))
