"""What is looked at across all tenants, off the hot path: histories to seal and to look through, webhooks that wait,
connections on their way out, keys to wrap anew.

Narrow functions like those of `db.gate`: each row carries its tenant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.database import Pool, answering
from domain.ids import new_id
from domain.sealed import WrappedKey

_UNSEALED = "SELECT tenant FROM gate_unsealed($1)"
_UNWATCHED = "SELECT tenant FROM gate_unwatched($1)"
_DUE_WEBHOOKS = "SELECT tenant, id FROM gate_due_webhooks($1, $2, $3)"
_ENDING = "SELECT tenant, id FROM gate_ending_connections($1, $2)"
_MASTER_KEYS = "SELECT * FROM gate_master_keys()"
_STALE = "SELECT * FROM gate_stale_keys($1, $2)"
_REWRAP = "SELECT gate_rewrap($1, $2, $3, $4, $5)"
_TO_ROTATE = "SELECT * FROM gate_tenants_to_rotate($1, $2)"
_DEPLOYMENT_KEYS = "SELECT purpose, master_key, wrapped FROM deployment_keys ORDER BY purpose"
_REWRAP_DEPLOYMENT = "UPDATE deployment_keys SET master_key = $3, wrapped = $4 WHERE purpose = $1 AND wrapped = $2"
_BEGIN = "INSERT INTO key_rotations (id) VALUES ($1) ON CONFLICT DO NOTHING"
_UNDER_WAY = "SELECT id, started_at FROM key_rotations WHERE finished_at IS NULL"
_FINISH = "UPDATE key_rotations SET finished_at = now() WHERE id = $1"


@dataclass(frozen=True, slots=True)
class TenantKey:
    """A data key and whose it is."""

    tenant: str
    key: WrappedKey


@dataclass(frozen=True, slots=True)
class DeploymentKey:
    """A key of the deployment's own."""

    purpose: str
    master_key: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Rotation:
    """A replacement of all data keys. Keys made before it began are to be replaced."""

    id: UUID
    started_at: datetime
    is_resumed: bool


class Across:
    """Every method raises DependencyDown when PostgreSQL does not answer."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def unsealed(self, most: int) -> list[str]:
        """Tenants whose history is not sealed to its end."""
        async with answering():
            return [row["tenant"] for row in await self._pool.fetch(_UNSEALED, most)]

    async def unwatched(self, most: int) -> list[str]:
        """Tenants whose history is to be looked through for alerts."""
        async with answering():
            return [row["tenant"] for row in await self._pool.fetch(_UNWATCHED, most)]

    async def due_webhooks(self, claim: UUID, most: int, seconds: float) -> list[tuple[str, UUID]]:
        """Webhooks for which something may wait, with their tenants, claimed for so many seconds."""
        async with answering():
            found = await self._pool.fetch(_DUE_WEBHOOKS, claim, most, seconds)
        return [(row["tenant"], row["id"]) for row in found]

    async def ending_connections(self, most: int, seconds: float) -> list[tuple[str, UUID]]:
        """Connections that somebody began to disconnect, with their tenants, each handed to nobody else for a while."""
        async with answering():
            return [(row["tenant"], row["id"]) for row in await self._pool.fetch(_ENDING, most, seconds)]

    async def master_keys(self) -> dict[str, int]:
        """How many data keys of tenants each master key wraps."""
        async with answering():
            return {row["master_key"]: row["data_keys"] for row in await self._pool.fetch(_MASTER_KEYS)}

    async def deployment_keys(self) -> list[DeploymentKey]:
        """All of the deployment's own."""
        async with answering():
            found = await self._pool.fetch(_DEPLOYMENT_KEYS)
        return [DeploymentKey(row["purpose"], row["master_key"], row["wrapped"]) for row in found]

    async def stale_keys(self, current: str, most: int) -> list[TenantKey]:
        """Data keys of tenants that another master key wraps."""
        async with answering():
            found = await self._pool.fetch(_STALE, current, most)
        return [TenantKey(row["tenant"], WrappedKey(row["id"], row["master_key"], row["wrapped"])) for row in found]

    async def rewrap(self, before: Sequence[TenantKey], master_key: str, after: Sequence[bytes]) -> int:
        """Put the new wrappings in place of the old, all at once; how many were still as they were read."""
        columns = ([each.tenant for each in before], [each.key.id for each in before])
        async with answering():
            return int(
                await self._pool.fetchval(
                    _REWRAP, *columns, [each.key.wrapped for each in before], master_key, list(after)
                )
            )

    async def rewrap_deployment_key(self, before: DeploymentKey, master_key: str, after: bytes) -> None:
        """Likewise, for one of the deployment's own."""
        async with answering():
            await self._pool.execute(_REWRAP_DEPLOYMENT, before.purpose, before.wrapped, master_key, after)

    async def begin_rotation(self) -> Rotation:
        """The rotation that was begun and not finished, or a new one."""
        id = new_id()
        async with answering():
            await self._pool.execute(_BEGIN, id)
            row = await self._pool.fetchrow(_UNDER_WAY)
        if row is None:  # somebody else finished it between the two statements
            return await self.begin_rotation()
        return Rotation(row["id"], row["started_at"], is_resumed=row["id"] != id)

    async def finish_rotation(self, rotation: Rotation) -> None:
        """Nothing of it is left to do."""
        async with answering():
            await self._pool.execute(_FINISH, rotation.id)

    async def tenants_to_rotate(self, rotation: Rotation, most: int) -> tuple[list[str], int]:
        """Some of the tenants with a key or credential to replace, and how many there are in all."""
        async with answering():
            found = await self._pool.fetch(_TO_ROTATE, rotation.started_at, most)
        return [row["tenant"] for row in found], found[0]["in_all"] if found else 0
