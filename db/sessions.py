"""Connect sessions: opened by a caller, carried on by a browser, finished once."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.tables import connect_sessions, tenant_keys
from domain.connections import ConnectSession, SessionStatus
from domain.sealed import Sealed, WrappedKey


@dataclass(frozen=True, slots=True)
class SessionSecrets:
    """What a callback must match, and the sealed PKCE verifier."""

    state_digest: bytes | None
    browser_digest: bytes | None
    verifier: Sealed | None


class ConnectSessions:
    """The tenant's connect sessions."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, session: ConnectSession, link_digest: bytes) -> None:
        """A new session, OPEN, found again by its link."""
        await self._connection.execute(
            insert(connect_sessions).values(
                tenant=self._tenant,
                id=session.id,
                integration=session.integration,
                status=session.status.value,
                requested_scopes=list(session.requested_scopes),
                redirect_uri=session.redirect_uri,
                label=session.label,
                external_user_id=session.external_user_id,
                reconnects=session.reconnects,
                opened_by=session.opened_by,
                link_digest=link_digest,
                created_at=session.created_at,
                expires_at=session.expires_at,
            )
        )

    async def get(self, id: UUID) -> ConnectSession | None:
        """The session."""
        query = select(connect_sessions).where(connect_sessions.c.tenant == self._tenant, connect_sessions.c.id == id)
        row = (await self._connection.execute(query)).mappings().first()
        return rows.connect_session(row) if row else None

    async def secrets(self, id: UUID) -> SessionSecrets:
        """What only the callback needs; the row stays locked until the transaction ends."""
        query = (
            select(connect_sessions, tenant_keys.c.master_key, tenant_keys.c.wrapped)
            .outerjoin(
                tenant_keys,
                (tenant_keys.c.tenant == connect_sessions.c.tenant) & (tenant_keys.c.id == connect_sessions.c.key_id),
            )
            .where(connect_sessions.c.tenant == self._tenant, connect_sessions.c.id == id)
            .with_for_update(of=connect_sessions)
        )
        row = (await self._connection.execute(query)).mappings().one()
        verifier = None
        if row["sealed"] is not None:
            verifier = Sealed(WrappedKey(row["key_id"], row["master_key"], row["wrapped"]), 1, row["sealed"])
        return SessionSecrets(row["state_digest"], row["browser_digest"], verifier)

    async def depart(self, id: UUID, state: bytes, browser: bytes, verifier: Sealed) -> bool:
        """Bind the session to one browser and one state as it leaves for the service. False when it is not OPEN."""
        query = (
            update(connect_sessions)
            .where(
                connect_sessions.c.tenant == self._tenant,
                connect_sessions.c.id == id,
                connect_sessions.c.status == SessionStatus.OPEN.value,
            )
            .values(state_digest=state, browser_digest=browser, key_id=verifier.key.id, sealed=verifier.ciphertext)
        )
        return (await self._connection.execute(query)).rowcount == 1

    async def spend_state(self, id: UUID) -> None:
        """A state works once: forget it, and the verifier with it."""
        await self._connection.execute(
            update(connect_sessions)
            .where(connect_sessions.c.tenant == self._tenant, connect_sessions.c.id == id)
            .values(state_digest=None, browser_digest=None, sealed=None, key_id=None)
        )

    async def finish(
        self, id: UUID, status: SessionStatus, *, connection_id: UUID | None = None, error: str | None = None
    ) -> ConnectSession | None:
        """End an OPEN session; None when it had ended already."""
        query = (
            update(connect_sessions)
            .where(
                connect_sessions.c.tenant == self._tenant,
                connect_sessions.c.id == id,
                connect_sessions.c.status == SessionStatus.OPEN.value,
            )
            .values(
                status=status.value,
                connection_id=connection_id,
                error=error,
                finished_at=func.now(),
                state_digest=None,
                browser_digest=None,
                sealed=None,
                key_id=None,
            )
            .returning(connect_sessions)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return rows.connect_session(row) if row else None
