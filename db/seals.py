"""The seals of a tenant's history, and the records they are made from."""

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.record_tables import history_sealed, history_seals
from db.tables import history, history_heads
from domain.history import Event
from domain.seals import Seal

#: Below every place that a record can have, rightly or wrongly.
BEFORE_ALL = -(2**62)


class Seals:
    """The tenant's seals, in order."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def lock(self) -> bool:
        """Whether this transaction may seal; until it ends, no other one of this tenant may."""
        name = func.hashtextextended(f"mandate.seal.{self._tenant}", 0)
        return bool((await self._connection.execute(select(func.pg_try_advisory_xact_lock(name)))).scalar_one())

    async def newest(self) -> Seal | None:
        """The last seal, None before the first."""
        query = select(history_seals).where(history_seals.c.tenant == self._tenant)
        query = query.order_by(history_seals.c.number.desc()).limit(1)
        row = (await self._connection.execute(query)).mappings().first()
        return _seal(row) if row else None

    async def numbered(self, number: int) -> Seal | None:
        """One seal."""
        query = select(history_seals).where(history_seals.c.tenant == self._tenant, history_seals.c.number == number)
        row = (await self._connection.execute(query)).mappings().first()
        return _seal(row) if row else None

    async def page(self, after: int, most: int) -> list[Seal]:
        """Seals after a number, in order."""
        query = (
            select(history_seals)
            .where(history_seals.c.tenant == self._tenant, history_seals.c.number > after)
            .order_by(history_seals.c.number)
            .limit(most)
        )
        return [_seal(row) for row in (await self._connection.execute(query)).mappings()]

    async def records(self, after: int, most: int, *, is_settled: bool) -> list[Event]:
        """Records after a place, in order. `is_settled`: only as far as the tenant's history says that it goes."""
        query = select(history).where(history.c.tenant == self._tenant, history.c.position > after)
        if is_settled:
            head = select(history_heads.c.position).where(history_heads.c.tenant == self._tenant).scalar_subquery()
            query = query.where(history.c.position <= head)
        found = await self._connection.execute(query.order_by(history.c.position).limit(most))
        return [rows.event(row) for row in found.mappings()]

    async def head(self) -> int:
        """How far the tenant's history says that it goes."""
        query = select(history_heads.c.position).where(history_heads.c.tenant == self._tenant)
        return (await self._connection.execute(query)).scalar() or 0

    async def add(self, seal: Seal) -> None:
        """One more."""
        await self._connection.execute(
            insert(history_seals).values(
                tenant=self._tenant,
                number=seal.number,
                first_position=seal.first,
                last_position=seal.last,
                root=seal.root,
                previous=seal.previous,
                sealed_at=seal.sealed_at,
                key_id=seal.key_id,
                signature=seal.signature,
            )
        )

    async def mark(self, position: int) -> None:
        """Nothing up to here is to be sealed any more: nobody need look at this tenant until its history goes on."""
        hint = upsert(history_sealed).values(tenant=self._tenant, position=position)
        await self._connection.execute(
            hint.on_conflict_do_update(index_elements=[history_sealed.c.tenant], set_={"position": position})
        )


def _seal(row: rows.Row) -> Seal:
    return Seal(
        tenant=row["tenant"],
        number=row["number"],
        first=row["first_position"],
        last=row["last_position"],
        root=row["root"],
        previous=row["previous"],
        sealed_at=row["sealed_at"],
        key_id=row["key_id"],
        signature=row["signature"],
    )
