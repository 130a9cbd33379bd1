"""What a refresh leaves in the database, each step in one transaction that is over before anybody asks a service."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func

from db.database import Pool, answering
from db.refreshes import Held
from db.store import Store, Stores
from domain.applications import KeptApplication
from domain.connections import Connection, ConnectionStatus
from domain.health import Finding
from domain.history import Occurrence
from domain.refreshing import Busy, Current, Due, Ended, Lease, Renewal, Resting, Standing, Stored

_DUE = "SELECT * FROM gate_due_connections($1, $2)"
_SYSTEM = "system"


class PostgresRefreshRecords:
    """Implements `vault.ports.RefreshRecords`, `HealthRecords` and `ApplicationRecords`.

    Every method raises DependencyDown when PostgreSQL does not answer.
    """

    def __init__(self, stores: Stores, pool: Pool) -> None:
        self._stores = stores
        self._pool = pool

    async def due(self, most: int, seconds: float) -> list[Due]:
        """Connections to look after, each handed to nobody else for so many seconds."""
        async with answering():
            found = await self._pool.fetch(_DUE, most, seconds)
        return [Due(row["tenant"], row["id"], row["is_to_refresh"], row["is_to_check"]) for row in found]

    async def current(self, tenant: str, connection_id: UUID) -> Stored | None:
        """The connection and its credential as they are; None when there is none."""
        async with self._stores.of(tenant) as store:
            held = await store.refreshes.held(connection_id)
        return Stored(held.connection, held.sealed, held.seconds) if held else None

    async def application(self, tenant: str, integration: str, client_id: str) -> KeptApplication | None:
        """A tenant's own OAuth application; None when it has none such."""
        async with self._stores.of(tenant) as store:
            return await store.applications.with_client(integration, client_id)

    async def lease(
        self, tenant: str, connection_id: UUID, seen: int, owner: UUID, *, seconds: float, lapse_seconds: float
    ) -> Standing:
        """Take the lease for whoever saw version `seen`, or say why not. A lapsed lease is taken only by who comes
        `lapse_seconds` after the lapse was first seen: a holder that only waits for the database gets there first.
        """
        async with self._stores.of(tenant) as store:
            held = await store.refreshes.held(connection_id)
            if held is None:
                return Ended(None)
            if held.sealed.version > seen:
                return Current(held.sealed)
            kept = await store.refreshes.kept(connection_id, held.sealed.version)
            refused = await _refused(store, held, kept, lapse_seconds)
            if refused is not None:
                return refused
            is_in_doubt = held.is_in_doubt or held.owner is not None
            await store.refreshes.take(connection_id, owner, seconds, is_in_doubt=is_in_doubt)
        return Lease(tenant, held.connection, owner, held.sealed, held.attempts, is_in_doubt, kept)

    async def release(self, lease: Lease, *, is_refreshable: bool = True) -> None:
        """Nothing came of it, and nobody was asked. What is not refreshable is due no more."""
        async with self._stores.of(lease.tenant) as store:
            await store.connections.locked(lease.connection.id)
            if await store.refreshes.let_go(lease.connection.id, lease.owner, lease.sealed.version):
                await store.refreshes.attended(lease.connection.id, is_refreshable=is_refreshable)

    async def keep(self, renewal: Renewal) -> bool:
        """Journal an answer before anything else is done with it. False when its base is there no more."""
        async with self._stores.of(renewal.tenant) as store:
            held = await store.refreshes.held(renewal.connection_id)
            if held is None or held.sealed.version != renewal.base:
                return False
            await store.refreshes.keep(renewal)
        return True

    async def store(self, lease: Lease, renewal: Renewal, next_refresh_at: datetime | None) -> bool:
        """The renewal takes its base's place, and the connection works again. False when the lease is not held."""
        async with self._stores.of(lease.tenant) as store:
            before = await store.connections.locked(lease.connection.id)
            ours = replace(renewal, owner=lease.owner)  # it may have been kept by a holder before this one
            if before is None or not await store.refreshes.store(ours):
                return False
            await store.refreshes.forget(before.id, renewal.base)
            scopes = before.granted_scopes if renewal.scopes is None else renewal.scopes
            more = {"next_check_at": func.now()} if before.status is ConnectionStatus.EXPIRED else {}
            after = await store.refreshes.settle(
                before.id,
                ConnectionStatus.ACTIVE,
                None,
                next_refresh_at=next_refresh_at,
                expires_at=renewal.expires_at,
                granted_scopes=None if scopes is None else list(scopes),
                **more,
            )
            store.history.note(_occurrence("connection.refreshed", after))
            note_permissions(store, before, after, _SYSTEM)
        return True

    async def fail(self, lease: Lease, reason: str, until: datetime, *, is_in_doubt: bool) -> None:
        """It did not work this time. The credential stays; the connection is DEGRADED until something works."""
        async with self._stores.of(lease.tenant) as store:
            before = await store.connections.locked(lease.connection.id)
            if before is None or not await store.refreshes.rest(
                before.id,
                lease.owner,
                lease.sealed.version,
                until,
                is_in_doubt=is_in_doubt,
                is_to_refresh=before.next_refresh_at is not None,
            ):
                return
            if before.status is ConnectionStatus.ACTIVE:
                after = await store.refreshes.settle(
                    before.id, ConnectionStatus.DEGRADED, reason, next_refresh_at=before.next_refresh_at and until
                )
                store.history.note(_occurrence("connection.degraded", after, reason))
            else:
                await store.refreshes.note_error(before.id, reason)

    async def end(self, lease: Lease, reason: str, next_refresh_at: datetime | None) -> bool | Renewal:
        """The service renews it no more: EXPIRED, with the reason. The rows are read again before it is believed.

        An answer that was kept meanwhile is handed back instead; False says that the lease is not held.
        """
        async with self._stores.of(lease.tenant) as store:
            before = await store.connections.locked(lease.connection.id)
            kept = await store.refreshes.kept(lease.connection.id, lease.sealed.version)
            if kept is not None:
                return kept
            if before is None or not await store.refreshes.rest(
                before.id,
                lease.owner,
                lease.sealed.version,
                datetime.now(UTC) if next_refresh_at is None else next_refresh_at,
                is_in_doubt=False,
                is_to_refresh=False,
            ):
                return False
            if before.status is ConnectionStatus.REVOKED:
                return True
            after = await store.refreshes.settle(
                before.id, ConnectionStatus.EXPIRED, reason, next_refresh_at=next_refresh_at, next_check_at=None
            )
            if before.status is not ConnectionStatus.EXPIRED:
                store.history.note(_occurrence("connection.expired", after, reason))
        return True

    async def note_check(
        self, tenant: str, tested: Connection, finding: Finding, next_check_at: datetime | None, asked_by: str | None
    ) -> Connection | None:
        """What a test found, if the connection is still as it was when tested."""
        async with self._stores.of(tenant) as store:
            before = await store.connections.locked(tested.id)
            if before is None or before.version != tested.version:
                return None
            is_disabled = before.status is ConnectionStatus.DISABLED
            is_changed = finding.status is not before.status and not is_disabled
            is_news = asked_by is not None or is_changed or _are_new(before.granted_scopes, finding.scopes)
            after = await store.connections.note_check(
                tested.id,
                finding.status,
                finding.scopes,
                finding.problem.message if finding.problem else None,
                next_check_at=next_check_at,
                is_news=is_news,
            )
            if asked_by is not None:
                store.history.note(_occurrence("connection.tested", after, after.last_error, asked_by))
            elif is_changed:
                store.history.note(_occurrence(_BECAME[finding.status], after, after.last_error))
            note_permissions(store, before, after, asked_by or _SYSTEM)
        return after


_BECAME = {
    ConnectionStatus.ACTIVE: "connection.recovered",
    ConnectionStatus.DEGRADED: "connection.degraded",
    ConnectionStatus.EXPIRED: "connection.expired",
}


def _are_new(known: Sequence[str] | None, found: Sequence[str] | None) -> bool:
    return found is not None and (known is None or set(known) != set(found))


def note_permissions(store: Store, before: Connection, after: Connection, actor: str) -> None:
    """A line of history when the service grants other permissions than it did. Their names are in the connection."""
    if before.granted_scopes is None or after.granted_scopes is None:
        return
    added = len(set(after.granted_scopes) - set(before.granted_scopes))
    taken = len(set(before.granted_scopes) - set(after.granted_scopes))
    if added or taken:
        reason = f"The service gave {added} and took away {taken} of the permissions."
        store.history.note(_occurrence("connection.permissions_changed", after, reason, actor))


async def _refused(store: Store, held: Held, kept: Renewal | None, lapse_seconds: float) -> Standing | None:
    """Why the lease cannot be taken now."""
    connection = held.connection
    if connection.status is ConnectionStatus.REVOKED:
        return Ended(None)
    if held.owner is not None:
        if not held.is_lapsed:
            return Busy()
        if held.lapse_seen_seconds is None:
            await store.refreshes.see_lapse(connection.id)
            return Busy()
        if held.lapse_seen_seconds < lapse_seconds:
            return Busy()
    if kept is not None:
        return None
    if connection.status is ConnectionStatus.EXPIRED and connection.next_refresh_at is None:
        return Ended(connection.last_error)
    return Resting(held.retry_at, connection.last_error) if held.retry_at else None


def _occurrence(kind: str, connection: Connection, reason: str | None = None, actor: str = _SYSTEM) -> Occurrence:
    return Occurrence(
        type=kind,
        actor=actor,
        connection_id=connection.id,
        integration=connection.integration,
        status=connection.status.value,
        reason=reason,
    )
