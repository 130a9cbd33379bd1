"""A tenant's history, written in the transaction that changes state.

The tenant's row in `history_heads` is a commit ticket: taken last and held until the commit, it makes positions
follow the order of commits without a gap. So a reader at position n has missed nothing up to n.
"""

from dataclasses import asdict
from uuid import UUID

from sqlalchemy import ColumnElement, false, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.tables import history, history_heads
from domain.history import Event, Interest, Occurrence
from domain.ids import new_id
from domain.pages import Page


class History:
    """The tenant's append-only log."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant
        self._waiting: list[Occurrence] = []

    def note(self, occurrence: Occurrence) -> None:
        """Have this written when the transaction ends."""
        self._waiting.append(occurrence)

    async def write(self) -> int | None:
        """Write what was noted; the last position, or None when nothing was. Called once, just before the commit."""
        if not self._waiting:
            return None
        many = len(self._waiting)
        ticket = upsert(history_heads).values(tenant=self._tenant, position=many)
        ticket = ticket.on_conflict_do_update(
            index_elements=[history_heads.c.tenant],
            set_={"position": history_heads.c.position + many},
        )
        last: int = (await self._connection.execute(ticket.returning(history_heads.c.position))).scalar_one()
        first = last - many + 1
        lines = [
            {**asdict(each), "tenant": self._tenant, "position": first + n, "id": new_id()}
            for n, each in enumerate(self._waiting)
        ]
        await self._connection.execute(insert(history).values(occurred_at=func.now()), lines)
        self._waiting.clear()
        return last

    async def head(self) -> int:
        """The last position, 0 when nothing has happened."""
        query = select(history_heads.c.position).where(history_heads.c.tenant == self._tenant)
        return (await self._connection.execute(query)).scalar() or 0

    async def get(self, event_id: UUID) -> Event | None:
        """One event by its id."""
        query = select(history).where(history.c.tenant == self._tenant, history.c.id == event_id)
        row = (await self._connection.execute(query)).mappings().first()
        return rows.event(row) if row else None

    async def after(self, position: int, most: int, interest: Interest) -> list[Event]:
        """What follows a position and is of interest, in order; all of it is committed, and nothing comes between."""
        query = (
            select(history)
            .where(history.c.tenant == self._tenant, history.c.position > position, *_conditions(interest))
            .order_by(history.c.position)
            .limit(most)
        )
        return [rows.event(row) for row in (await self._connection.execute(query)).mappings()]

    async def page(self, first: int, before: int | None, interest: Interest) -> Page[Event]:
        """Newest first, from below a position."""
        query = (
            select(history)
            .where(history.c.tenant == self._tenant, *_conditions(interest))
            .order_by(history.c.position.desc())
            .limit(first + 1)
        )
        if before is not None:
            query = query.where(history.c.position < before)
        found = (await self._connection.execute(query)).mappings().all()
        items = [rows.event(row) for row in found[:first]]
        return Page(items, has_next=len(found) > first, has_previous=before is not None)


def _conditions(interest: Interest) -> list[ColumnElement[bool]]:
    """The same question as `Interest.wants`, asked of the table."""
    table = history.c
    equal = {
        table.agent_id: interest.agent_id,
        table.integration: interest.integration,
        table.action: interest.action,
        table.connection_id: interest.connection_id,
        table.execution_id: interest.execution_id,
        table.session_id: interest.session_id,
    }
    found: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if interest.types is not None:
        found.append(or_(false(), *(_type_is(pattern) for pattern in interest.types)))
    if interest.since is not None:
        found.append(table.occurred_at >= interest.since)
    if interest.until is not None:
        found.append(table.occurred_at < interest.until)
    return found


def _type_is(pattern: str) -> ColumnElement[bool]:
    if pattern.endswith(".*"):
        return history.c.type.startswith(pattern[:-1], autoescape=True)
    return history.c.type == pattern
