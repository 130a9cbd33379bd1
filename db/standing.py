"""Standing approvals, and taking a use of one."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.record_tables import standing_approvals
from domain.standing import StandingApproval

_OF = standing_approvals.c
_MOST_LISTED = 100


class StandingApprovals:
    """The tenant's standing approvals."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, made: StandingApproval) -> None:
        """A new one."""
        await self._connection.execute(
            insert(standing_approvals).values(
                tenant=self._tenant,
                id=made.id,
                grant_id=made.grant_id,
                action=made.action,
                conditions=made.conditions,
                max_uses=made.max_uses,
                expires_at=made.expires_at,
                created_by=made.created_by,
                created_at=made.created_at,
            )
        )

    async def of_grants(self, grant_ids: Sequence[UUID]) -> dict[UUID, list[StandingApproval]]:
        """Those of each grant, the newest hundred first, ended ones too."""
        place = func.row_number().over(partition_by=_OF.grant_id, order_by=_OF.id.desc()).label("place")
        numbered = (
            select(standing_approvals, place).where(_OF.tenant == self._tenant, _OF.grant_id.in_(grant_ids)).subquery()
        )
        query = select(numbered).where(numbered.c.place <= _MOST_LISTED).order_by(numbered.c.id.desc())
        found: dict[UUID, list[StandingApproval]] = {id: [] for id in grant_ids}
        for row in (await self._connection.execute(query)).mappings():
            found[row["grant_id"]].append(_standing(row))
        return found

    async def usable(self, grant_id: UUID, action: str) -> list[StandingApproval]:
        """Those that could say yes now, the first to end first; locked, so that no use is taken twice."""
        query = (
            select(standing_approvals)
            .where(
                _OF.tenant == self._tenant,
                _OF.grant_id == grant_id,
                _OF.action == action,
                _OF.revoked_at.is_(None),
                _OF.used < _OF.max_uses,
                _OF.expires_at > func.now(),
            )
            .order_by(_OF.expires_at, _OF.id)
            .with_for_update()
        )
        return [_standing(row) for row in (await self._connection.execute(query)).mappings()]

    async def take(self, id: UUID) -> None:
        """One more use of a locked one."""
        where = (_OF.tenant == self._tenant, _OF.id == id)
        await self._connection.execute(update(standing_approvals).where(*where).values(used=_OF.used + 1))

    async def revoke(self, id: UUID) -> StandingApproval | None:
        """It says yes to nothing more; revoking again changes nothing. None when there is no such one."""
        query = (
            update(standing_approvals)
            .where(_OF.tenant == self._tenant, _OF.id == id)
            .values(revoked_at=func.coalesce(_OF.revoked_at, func.now()))
            .returning(standing_approvals)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return _standing(row) if row else None


def _standing(row: rows.Row) -> StandingApproval:
    return StandingApproval(
        id=row["id"],
        grant_id=row["grant_id"],
        action=row["action"],
        conditions=row["conditions"],
        max_uses=row["max_uses"],
        used=row["used"],
        expires_at=row["expires_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )
