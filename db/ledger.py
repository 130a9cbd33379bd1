"""The durable record behind the execution pipeline: the gate for the hot path, a store for the rest."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from db.gate import Gate, Question
from db.store import Stores
from domain.connections import ConnectionStatus
from domain.executions import (
    Admission,
    Again,
    Dispatch,
    Doubtful,
    Execution,
    Finish,
    Finished,
    Intent,
    Lapsed,
    ProbeEnd,
    Queued,
)
from domain.grants import Standing
from domain.history import Occurrence
from domain.sealed import Sealed

Tell = Callable[[str, int], None]


class PostgresLedger:
    """Implements `execution.ports.Ledger`. `tell` hears of every commit that moved a history."""

    def __init__(self, gate: Gate, stores: Stores, tell: Tell) -> None:
        self._gate = gate
        self._stores = stores
        self._tell = tell

    async def standing(
        self, tenant: str, agent_id: UUID | None, integration: str, connection_id: UUID | None
    ) -> Standing:
        """One shared round trip."""
        return await self._gate.standing(Question(tenant, agent_id, integration, connection_id))

    async def admit(self, intent: Intent) -> Admission:
        """One shared round trip, one shared commit."""
        admission = await self._gate.admit(intent)
        if admission.position:
            self._tell(intent.tenant, admission.position)
        return admission

    async def finish(self, finish: Finish) -> Finished:
        """One shared round trip, one shared commit."""
        finished = await self._gate.finish(finish)
        if finished.position is not None:
            self._tell(finish.tenant, finished.position)
        return finished

    async def claim(self, most: int, resting: Sequence[str] = ()) -> list[Queued]:
        """One round trip for however many there are."""
        return await self._gate.claim(most, resting)

    async def put_off(self, queued: Queued, until: datetime) -> None:
        """One round trip, one commit."""
        await self._gate.put_off(queued, until)

    async def dispatch(self, dispatch: Dispatch) -> Admission:
        """One shared round trip, one shared commit."""
        admission = await self._gate.dispatch(dispatch)
        if admission.position:
            self._tell(dispatch.tenant, admission.position)
        return admission

    async def again(self, again: Again) -> bool:
        """One round trip, one commit."""
        position = await self._gate.again(again)
        if position is not None:
            self._tell(again.tenant, position)
        return position is not None

    async def beat(self, held: Sequence[tuple[str, UUID, int]]) -> dict[UUID, bool]:
        """One round trip for all that this process runs."""
        return await self._gate.beat(held)

    async def refuse(self, tenant: str, occurrence: Occurrence) -> None:
        """One shared round trip, one shared commit."""
        self._tell(tenant, await self._gate.refuse(tenant, occurrence))

    async def recorded(self, tenant: str, execution_id: UUID) -> Execution:
        """Rare: only when a result came too late."""
        async with self._stores.of(tenant) as store:
            return (await store.executions.get([execution_id]))[execution_id]

    async def by_key(self, tenant: str, actor: str, key: str) -> tuple[Execution, bytes] | None:
        """Rare: only when a key is used again."""
        async with self._stores.of(tenant) as store:
            return await store.executions.by_key(actor, key)

    async def expire(self, tenant: str, connection_id: UUID, version: int, reason: str) -> None:
        """Unless the connection was changed since the call began: then somebody has renewed it already."""
        async with self._stores.of(tenant) as store:
            connection = await store.connections.locked(connection_id)
            if connection is None or connection.version != version:
                return
            await store.connections.set_status(connection_id, ConnectionStatus.EXPIRED, reason)
            store.history.note(
                Occurrence(
                    type="connection.expired",
                    actor="system",
                    connection_id=connection_id,
                    integration=connection.integration,
                    status=ConnectionStatus.EXPIRED.value,
                    reason=reason,
                )
            )

    async def doubtful(self) -> list[Doubtful]:
        """One round trip for however many there are."""
        return await self._gate.due_probes()

    async def probed(self, probed: ProbeEnd) -> None:
        """One round trip, one commit."""
        position = await self._gate.probed(probed)
        if position is not None:
            self._tell(probed.tenant, position)

    async def credential(self, tenant: str, connection_id: UUID) -> Sealed | None:
        """One round trip."""
        return await self._gate.credential(tenant, connection_id)

    async def lapsed(self) -> list[Lapsed]:
        """Executions whose process went away."""
        return await self._gate.lapsed_executions()
