"""The rows behind a refresh: the lease on a credential, the journal of answers, and what becomes of both.

Locks are taken in one order: the connection, then its credential, then (in `db.history`) the tenant's ticket.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Table, Update, and_, case, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from db.tables import connections, credential_journal, credentials, tenant_keys
from domain.connections import Connection, ConnectionStatus
from domain.refreshing import Renewal
from domain.sealed import Sealed, WrappedKey


@dataclass(frozen=True, slots=True)
class Held:
    """A credential's row, locked, as the database's clock sees it now."""

    connection: Connection
    sealed: Sealed
    seconds: float
    owner: UUID | None
    is_lapsed: bool
    lapse_seen_seconds: float | None
    attempts: int
    retry_at: datetime | None
    is_in_doubt: bool


class Refreshes:
    """The tenant's credentials on their way to a new version."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def held(self, connection_id: UUID) -> Held | None:
        """The credential, locked until the transaction ends; None when there is none."""
        now = func.clock_timestamp()
        query = (
            select(
                connections,
                credentials.c.version.label("credential_version"),
                credentials.c.sealed,
                func.extract("epoch", now - credentials.c.sealed_at).label("seconds"),
                credentials.c.lease_owner,
                (credentials.c.lease_until < now).label("is_lapsed"),
                func.extract("epoch", now - credentials.c.lapse_seen_at).label("lapse_seen_seconds"),
                credentials.c.attempts,
                and_(credentials.c.retry_at > now).label("is_resting"),
                credentials.c.retry_at,
                credentials.c.is_in_doubt,
                tenant_keys.c.id.label("key_id"),
                tenant_keys.c.master_key,
                tenant_keys.c.wrapped,
            )
            .join_from(
                credentials,
                connections,
                and_(connections.c.tenant == credentials.c.tenant, connections.c.id == credentials.c.connection_id),
            )
            .join(
                tenant_keys,
                and_(tenant_keys.c.tenant == credentials.c.tenant, tenant_keys.c.id == credentials.c.key_id),
            )
            .where(credentials.c.tenant == self._tenant, credentials.c.connection_id == connection_id)
            .with_for_update(of=credentials, key_share=True)
        )
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        seen = row["lapse_seen_seconds"]
        return Held(
            connection=rows.connection(row),
            sealed=Sealed(_key(row), row["credential_version"], row["sealed"]),
            seconds=float(row["seconds"]),
            owner=row["lease_owner"],
            is_lapsed=bool(row["is_lapsed"]),
            lapse_seen_seconds=None if seen is None else float(seen),
            attempts=row["attempts"],
            retry_at=row["retry_at"] if row["is_resting"] else None,
            is_in_doubt=row["is_in_doubt"],
        )

    async def take(self, connection_id: UUID, owner: UUID, seconds: float, *, is_in_doubt: bool) -> None:
        """Lease the locked credential."""
        until = func.clock_timestamp() + timedelta(seconds=seconds)
        await self._set(
            connection_id, lease_owner=owner, lease_until=until, lapse_seen_at=None, is_in_doubt=is_in_doubt
        )

    async def see_lapse(self, connection_id: UUID) -> None:
        """Note that the holder's time is over; whoever comes after a while may take its place."""
        await self._set(connection_id, lapse_seen_at=func.clock_timestamp())

    async def let_go(self, connection_id: UUID, owner: UUID, base: int) -> bool:
        """End the lease without a result. False when it was no longer the owner's."""
        return await self._fenced(connection_id, owner, base)

    async def rest(
        self, connection_id: UUID, owner: UUID, base: int, until: datetime, *, is_in_doubt: bool, is_to_refresh: bool
    ) -> bool:
        """End the lease after a failure: counted, and not tried again before `until`. False as above."""
        is_held = await self._fenced(
            connection_id,
            owner,
            base,
            attempts=credentials.c.attempts + 1,
            retry_at=until,
            is_in_doubt=credentials.c.is_in_doubt | literal(is_in_doubt),
        )
        if is_held and is_to_refresh:
            await self._connection.execute(_of(connections, self._tenant, connection_id).values(next_refresh_at=until))
        return is_held

    async def store(self, renewal: Renewal) -> bool:
        """Put the renewal in its base's place, if the base is still there and the lease its owner's."""
        sealed = renewal.sealed
        return await self._fenced(
            renewal.connection_id,
            renewal.owner,
            renewal.base,
            version=sealed.version,
            key_id=sealed.key.id,
            sealed=sealed.ciphertext,
            sealed_at=func.now(),
            attempts=0,
            retry_at=None,
            is_in_doubt=False,
        )

    async def settle(
        self,
        connection_id: UUID,
        status: ConnectionStatus,
        error: str | None,
        *,
        next_refresh_at: datetime | None,
        **more: object,
    ) -> Connection:
        """How the connection stands after a refresh. One that a person disabled stays so until a person enables it."""
        query = (
            _of(connections, self._tenant, connection_id)
            .values(
                **standing_as(status),
                last_error=error,
                next_refresh_at=next_refresh_at,
                attended_until=None,
                version=connections.c.version + 1,
                **more,
            )
            .returning(connections)
        )
        return rows.connection((await self._connection.execute(query)).mappings().one())

    async def note_error(self, connection_id: UUID, error: str) -> None:
        """One more failure of the same kind: for people to see, and no new standing."""
        await self._connection.execute(
            _of(connections, self._tenant, connection_id).values(last_error=error, attended_until=None)
        )

    async def attended(self, connection_id: UUID, *, is_refreshable: bool) -> None:
        """Nobody looks after it any more; what is not refreshable is not due again."""
        values: dict[str, object] = {"attended_until": None}
        if not is_refreshable:
            values["next_refresh_at"] = None
        await self._connection.execute(_of(connections, self._tenant, connection_id).values(values))

    # ------------------------------------------------------------------------------------------- the journal

    async def keep(self, renewal: Renewal) -> None:
        """Journal an answer. Keeping it twice is keeping it once."""
        line = upsert(credential_journal).values(
            tenant=self._tenant,
            connection_id=renewal.connection_id,
            base=renewal.base,
            owner=renewal.owner,
            key_id=renewal.sealed.key.id,
            sealed=renewal.sealed.ciphertext,
            obtained_at=renewal.obtained_at,
            expires_at=renewal.expires_at,
            scopes=None if renewal.scopes is None else list(renewal.scopes),
        )
        await self._connection.execute(line.on_conflict_do_nothing())

    async def kept(self, connection_id: UUID, base: int) -> Renewal | None:
        """The latest answer that was kept for this version."""
        query = (
            select(credential_journal, tenant_keys.c.master_key, tenant_keys.c.wrapped)
            .join(
                tenant_keys,
                and_(
                    tenant_keys.c.tenant == credential_journal.c.tenant,
                    tenant_keys.c.id == credential_journal.c.key_id,
                ),
            )
            .where(
                credential_journal.c.tenant == self._tenant,
                credential_journal.c.connection_id == connection_id,
                credential_journal.c.base == base,
            )
            .order_by(credential_journal.c.obtained_at.desc())
            .limit(1)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return _renewal(self._tenant, row) if row else None

    async def forget(self, connection_id: UUID, up_to: int) -> None:
        """Answers that can no longer become anything."""
        await self._connection.execute(
            delete(credential_journal).where(
                credential_journal.c.tenant == self._tenant,
                credential_journal.c.connection_id == connection_id,
                credential_journal.c.base <= up_to,
            )
        )

    # --------------------------------------------------------------------------------------------- statements

    async def _set(self, connection_id: UUID, **values: object) -> None:
        await self._connection.execute(
            update(credentials)
            .where(credentials.c.tenant == self._tenant, credentials.c.connection_id == connection_id)
            .values(**values)
        )

    async def _fenced(self, connection_id: UUID, owner: UUID, base: int, **values: object) -> bool:
        """End the owner's lease with these values; nothing happens when it is another's, or the version another."""
        ended = await self._connection.execute(
            update(credentials)
            .where(
                credentials.c.tenant == self._tenant,
                credentials.c.connection_id == connection_id,
                credentials.c.version == base,
                credentials.c.lease_owner == owner,
            )
            .values(lease_owner=None, lease_until=None, lapse_seen_at=None, **values)
        )
        return ended.rowcount == 1


def standing_as(status: ConnectionStatus) -> dict[str, object]:
    """Values that give a connection this status or, while it is disabled, the one it will have when enabled."""
    is_disabled = connections.c.status == ConnectionStatus.DISABLED.value
    return {
        "status": case((is_disabled, connections.c.status), else_=status.value),
        "resumes_as": case((is_disabled, status.value), else_=None),
    }


def _of(table: Table, tenant: str, connection_id: UUID) -> Update:
    return update(table).where(table.c.tenant == tenant, table.c.id == connection_id)


def _key(row: rows.Row) -> WrappedKey:
    return WrappedKey(row["key_id"], row["master_key"], row["wrapped"])


def _renewal(tenant: str, row: rows.Row) -> Renewal:
    scopes = row["scopes"]
    return Renewal(
        tenant=tenant,
        connection_id=row["connection_id"],
        owner=row["owner"],
        base=row["base"],
        sealed=Sealed(_key(row), row["base"] + 1, row["sealed"]),
        obtained_at=row["obtained_at"],
        expires_at=row["expires_at"],
        scopes=None if scopes is None else tuple(scopes),
    )
