"""Twins of what the pipeline needs, for tests: they keep everything in memory and promise what the real ones promise.

    ledger = MemoryLedger()
    ledger.keep("acme", agent, connection, grant)
    pipeline = Pipeline(catalogue, ledger, OpenVault(credential), fingerprints)

One suite of tests runs against `MemoryLedger` and the ledger in PostgreSQL, so the twin cannot lie.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from domain.agents import Agent
from domain.catalogue import Credential
from domain.connections import Connection, ConnectionStatus
from domain.errors import DependencyDown
from domain.executions import (
    Admission,
    Execution,
    ExecutionStatus,
    Finish,
    Finished,
    Intent,
    Lapsed,
    Verdict,
)
from domain.grants import Candidate, Grant, Standing
from domain.history import Occurrence
from domain.sealed import Sealed, WrappedKey

_SEALED = Sealed(WrappedKey(UUID(int=0), "none", b""), 1, b"")


@dataclass(frozen=True, slots=True)
class _Kept:
    """An execution and what only the ledger needs to know of it."""

    execution: Execution
    intent: Intent


class MemoryLedger:
    """Implements `ports.Ledger`. While `is_down`, every method raises DependencyDown, as the real one does."""

    def __init__(self) -> None:
        self.is_down = False
        self.history: list[tuple[str, Occurrence]] = []
        self._things: dict[tuple[str, UUID], Agent | Connection | Grant] = {}
        self._switched_off: set[tuple[str, str]] = set()
        self._executions: dict[UUID, _Kept] = {}

    def keep(self, tenant: str, *things: Agent | Connection | Grant) -> None:
        """Agents, connections and grants as they are now; a later version replaces an earlier one."""
        for each in things:
            self._things[tenant, each.id] = each

    def switch_off(self, tenant: str, integration: str) -> None:
        """No longer offered to the tenant."""
        self._switched_off.add((tenant, integration))

    def connection(self, tenant: str, id: UUID) -> Connection:
        """As it stands now."""
        return next(each for each in self._connections(tenant) if each.id == id)

    def events_of(self, tenant: str) -> list[Occurrence]:
        """The tenant's history, in order."""
        return [event for whose, event in self.history if whose == tenant]

    # -------------------------------------------------------------------------------------------- the port

    async def standing(
        self, tenant: str, agent_id: UUID | None, integration: str, connection_id: UUID | None
    ) -> Standing:
        """See `ports.Ledger`."""
        self._answer()
        agent = self._things.get((tenant, agent_id)) if agent_id else None
        known = agent if isinstance(agent, Agent) else None
        return Standing(
            is_agent=agent_id is not None,
            agent_version=known.version if known else None,
            is_agent_frozen=agent_id is not None and (known is None or known.is_frozen),
            is_integration_enabled=(tenant, integration) not in self._switched_off,
            candidates=tuple(
                Candidate(each, self._grant_on(tenant, agent_id, each.id))
                for each in self._connections(tenant)
                if each.integration == integration
                and (each.status is not ConnectionStatus.REVOKED if connection_id is None else each.id == connection_id)
            ),
        )

    async def admit(self, intent: Intent) -> Admission:
        """See `ports.Ledger`."""
        self._answer()
        if not self._still_stands(intent):
            return Admission(Verdict.STALE)
        if intent.idempotency_key is not None and self._by_key(intent.tenant, intent.actor, intent.idempotency_key):
            return Admission(Verdict.DUPLICATE)
        now = datetime.now(UTC)
        self._executions[intent.id] = _Kept(_running(intent, now), intent)
        position = self._write(intent.tenant, _event(intent, "execution.started", "RUNNING"))
        return Admission(Verdict.ADMITTED, position, now, _SEALED)

    async def finish(self, finish: Finish) -> Finished:
        """See `ports.Ledger`. Raises ValueError when the result is not JSON."""
        self._answer()
        _check_json(finish.outcome.result)
        now, kept = datetime.now(UTC), self._executions.get(finish.id)
        if kept is None or kept.intent.tenant != finish.tenant or not _is_open(kept.execution, finish.attempt):
            return Finished(None, now)
        outcome = finish.outcome
        ended = replace(
            kept.execution,
            status=outcome.status,
            result=outcome.result,
            error=outcome.error,
            what_to_check=outcome.what_to_check,
            finished_at=now,
            duration_ms=finish.duration_ms,
        )
        self._executions[finish.id] = replace(kept, execution=ended)
        event = _event(kept.intent, f"execution.{outcome.status.lower()}", outcome.status.value)
        error = outcome.error.code if outcome.error else None
        told = replace(event, duration_ms=finish.duration_ms, error=error, parameters_hash=finish.parameters_hash)
        return Finished(self._write(finish.tenant, told), now)

    async def refuse(self, tenant: str, occurrence: Occurrence) -> None:
        """See `ports.Ledger`."""
        self._answer()
        self._write(tenant, occurrence)

    def running(self, tenant: str) -> list[UUID]:
        """The executions that have no result yet."""
        kept = [each for each in self._executions.values() if each.intent.tenant == tenant]
        return [each.intent.id for each in kept if each.execution.status is ExecutionStatus.RUNNING]

    async def recorded(self, tenant: str, execution_id: UUID) -> Execution:
        """See `ports.Ledger`."""
        self._answer()
        kept = self._executions[execution_id]
        if kept.intent.tenant != tenant:
            raise KeyError(execution_id)
        return kept.execution

    async def by_key(self, tenant: str, actor: str, key: str) -> tuple[Execution, bytes] | None:
        """See `ports.Ledger`."""
        self._answer()
        kept = self._by_key(tenant, actor, key)
        return (kept.execution, kept.intent.fingerprint) if kept else None

    async def expire(self, tenant: str, connection_id: UUID, version: int, reason: str) -> None:
        """See `ports.Ledger`."""
        self._answer()
        found = self._things.get((tenant, connection_id))
        if not isinstance(found, Connection) or found.version != version:
            return
        status = ConnectionStatus.EXPIRED
        self.keep(tenant, replace(found, status=status, last_error=reason, version=version + 1))
        told = Occurrence(
            type="connection.expired",
            actor="system",
            connection_id=connection_id,
            integration=found.integration,
            status=status.value,
            reason=reason,
        )
        self._write(tenant, told)

    async def lapsed(self) -> list[Lapsed]:
        """See `ports.Ledger`."""
        self._answer()
        now = datetime.now(UTC)
        return [
            Lapsed(each.intent.id, each.intent.tenant, each.execution.attempt, each.intent.action, each.intent.effect)
            for each in self._executions.values()
            if each.execution.status is ExecutionStatus.RUNNING and each.intent.lease_until < now
        ]

    # ------------------------------------------------------------------------------------------ inside

    def _answer(self) -> None:
        if self.is_down:
            raise DependencyDown("The database does not answer. Try again shortly; an idempotency key makes that safe.")

    def _write(self, tenant: str, occurrence: Occurrence) -> int:
        self.history.append((tenant, occurrence))
        return len(self.events_of(tenant))

    def _connections(self, tenant: str) -> Iterator[Connection]:
        for (whose, _), each in self._things.items():
            if whose == tenant and isinstance(each, Connection):
                yield each

    def _grant_on(self, tenant: str, agent_id: UUID | None, connection_id: UUID) -> Grant | None:
        """The one in force, else the newest."""
        found = [
            each
            for (whose, _), each in self._things.items()
            if whose == tenant
            and isinstance(each, Grant)
            and (each.agent_id, each.connection_id) == (agent_id, connection_id)
        ]
        return max(found, key=lambda each: (each.revoked_at is None, each.id), default=None)

    def _still_stands(self, intent: Intent) -> bool:
        rests_on = (
            (intent.connection_id, intent.connection_version),
            (intent.agent_id, intent.agent_version),
            (intent.grant_id, intent.grant_version),
        )
        is_as_it_was = (
            id is None or ((found := self._things.get((intent.tenant, id))) is not None and found.version == version)
            for id, version in rests_on
        )
        return all(is_as_it_was) and (intent.tenant, intent.integration) not in self._switched_off

    def _by_key(self, tenant: str, actor: str, key: str) -> _Kept | None:
        for each in self._executions.values():
            if (each.intent.tenant, each.intent.actor, each.intent.idempotency_key) == (tenant, actor, key):
                return each
        return None


class OpenVault:
    """Implements `ports.Vault`: gives the same credential for whatever it is asked to open, and counts."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self.opened = 0

    async def open_credential(
        self,
        tenant: str,  # noqa: ARG002 - one credential for all
        connection_id: UUID,  # noqa: ARG002 - likewise
        sealed: Sealed,  # noqa: ARG002 - likewise
    ) -> Credential:
        """See `ports.Vault`."""
        self.opened += 1
        return self._credential


def _is_open(execution: Execution, attempt: int) -> bool:
    return execution.status is ExecutionStatus.RUNNING and execution.attempt == attempt


def _check_json(value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, RecursionError):
        raise ValueError("this is not JSON") from None


def _running(intent: Intent, now: datetime) -> Execution:
    return Execution(
        id=intent.id,
        action=intent.action,
        integration=intent.integration,
        connection_id=intent.connection_id,
        agent_id=intent.agent_id,
        grant_id=intent.grant_id,
        status=ExecutionStatus.RUNNING,
        mode=intent.mode,
        origin=intent.origin,
        parameters=json.loads(intent.parameters),
        result=None,
        error=None,
        idempotency_key=intent.idempotency_key,
        attempt=1,
        what_to_check=None,
        created_at=now,
        started_at=now,
        finished_at=None,
        deadline_at=intent.deadline_at,
        duration_ms=None,
    )


def _event(intent: Intent, kind: str, status: str) -> Occurrence:
    return Occurrence(
        type=kind,
        actor=intent.actor,
        agent_id=intent.agent_id,
        integration=intent.integration,
        action=intent.action,
        connection_id=intent.connection_id,
        grant_id=intent.grant_id,
        execution_id=intent.id,
        parameters_hash=intent.parameters_hash,
        status=status,
    )
