"""Connect tokens: made by a caller, used up by one browser."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import Row
from db.tables import connect_tokens
from domain.connect_tokens import ConnectToken


class ConnectTokens:
    """The tenant's connect tokens."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, token: ConnectToken, digest: bytes) -> None:
        """A new token, found again by its digest."""
        await self._connection.execute(
            insert(connect_tokens).values(
                tenant=self._tenant,
                id=token.id,
                digest=digest,
                external_user_id=token.external_user_id,
                integrations=list(token.integrations) if token.integrations is not None else None,
                actions=list(token.actions) if token.actions is not None else None,
                allowed_origins=list(token.allowed_origins),
                redirect_uri=token.redirect_uri,
                created_by=token.created_by,
                created_at=token.created_at,
                expires_at=token.expires_at,
            )
        )

    async def get(self, id: UUID) -> ConnectToken | None:
        """The token."""
        query = select(connect_tokens).where(connect_tokens.c.tenant == self._tenant, connect_tokens.c.id == id)
        row = (await self._connection.execute(query)).mappings().first()
        return _token(row) if row else None

    async def claim(self, id: UUID, browser: bytes, hold: timedelta) -> ConnectToken | None:
        """Take the token for one submission of this browser, which it belongs to from now on.

        None when it has ended, is used up, belongs to another browser, or is held by another submission.
        """
        of = connect_tokens.c
        query = (
            update(connect_tokens)
            .where(
                of.tenant == self._tenant,
                of.id == id,
                of.connection_id.is_(None),
                of.expires_at > func.now(),
                or_(of.browser_digest.is_(None), of.browser_digest == browser),
                or_(of.busy_until.is_(None), of.busy_until < func.now()),
            )
            .values(browser_digest=browser, busy_until=func.now() + hold)
            .returning(connect_tokens)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return _token(row) if row else None

    async def release(self, id: UUID, *, session_id: UUID | None = None, connection_id: UUID | None = None) -> None:
        """The submission is over. What it led to is kept."""
        led_to = {"session_id": session_id, "connection_id": connection_id}
        await self._connection.execute(
            update(connect_tokens)
            .where(connect_tokens.c.tenant == self._tenant, connect_tokens.c.id == id)
            .values(busy_until=None, **{name: value for name, value in led_to.items() if value is not None})
        )


def _token(row: Row) -> ConnectToken:
    return ConnectToken(
        id=row["id"],
        tenant=row["tenant"],
        external_user_id=row["external_user_id"],
        integrations=tuple(row["integrations"]) if row["integrations"] is not None else None,
        actions=tuple(row["actions"]) if row["actions"] is not None else None,
        allowed_origins=tuple(row["allowed_origins"]),
        redirect_uri=row["redirect_uri"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        browser_digest=row["browser_digest"],
        session_id=row["session_id"],
        connection_id=row["connection_id"],
    )
