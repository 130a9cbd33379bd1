"""Keyset paging: a page costs the same wherever it lies."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import Row
from domain.pages import Page

Item = TypeVar("Item")


async def newest_first(
    connection: AsyncConnection,
    table: Table,
    where: Sequence[ColumnElement[bool]],
    read: Callable[[Row], Item],
    *,
    first: int,
    after: UUID | None,
    is_counted: bool = True,
) -> Page[Item]:
    """Rows by descending id; ids begin with the time, so the newest come first."""
    query = select(table).where(*where).order_by(table.c.id.desc()).limit(first + 1)
    if after is not None:
        query = query.where(table.c.id < after)
    found = (await connection.execute(query)).mappings().all()
    total = None
    if is_counted:
        total = (await connection.execute(select(func.count()).select_from(table).where(*where))).scalar_one()
    items = [read(row) for row in found[:first]]
    return Page(items, has_next=len(found) > first, has_previous=after is not None, total=total)


def containing(words: str) -> str:
    """An ILIKE pattern for text that holds these words as they are."""
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
