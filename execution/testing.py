"""A twin of the record, for tests: it keeps everything in memory and promises what the real one promises.

    ledger = MemoryLedger()
    ledger.keep("acme", agent, connection, grant)
    pipeline = Pipeline(catalogue, ledger, OpenVault(credential), fingerprints)

`OpenVault` is in `testing_credentials`.

One suite of tests runs against `MemoryLedger` and the ledger in PostgreSQL, so the twin cannot lie.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.agents import Agent
from domain.connections import Connection, ConnectionStatus
from domain.errors import DependencyDown
from domain.executions import (
    LEASE_SECONDS,
    Admission,
    Again,
    Attempt,
    Dispatch,
    Doubtful,
    Execution,
    ExecutionStatus,
    Finish,
    Finished,
    Intent,
    Lapsed,
    ProbeEnd,
    Queued,
    Verdict,
)
from domain.grants import Candidate, Grant, Standing
from domain.history import Occurrence
from domain.sealed import Sealed, WrappedKey

_LEASE = timedelta(seconds=LEASE_SECONDS)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST = {
    ExecutionStatus.RUNNING: "execution.started",
    ExecutionStatus.QUEUED: "execution.queued",
    ExecutionStatus.AWAITING_APPROVAL: "approval.requested",
}
_SEALED = Sealed(WrappedKey(UUID(int=0), "none", b""), 1, b"")


@dataclass(frozen=True, slots=True)
class _Kept:
    """An execution and what only the ledger needs to know of it."""

    execution: Execution
    intent: Intent
    lease_until: datetime
    not_before: datetime = _LONG_AGO
    recoveries: int = 0
    is_cancel_asked: bool = False
    is_claimed: bool = False
    probe_at: datetime | None = None
    probes: int = 0


class MemoryLedger:
    """Implements `ports.Ledger`. While `is_down`, every method raises DependencyDown, as the real one does."""

    def __init__(self) -> None:
        self.is_down = False
        self.history: list[tuple[str, Occurrence]] = []
        self._things: dict[tuple[str, UUID], Agent | Connection | Grant] = {}
        self._switched_off: set[tuple[str, str]] = set()
        self._executions: dict[UUID, _Kept] = {}
        self._used: dict[tuple[str, UUID], int] = defaultdict(int)

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
        if not self._spend(intent):
            return Admission(Verdict.EXCEEDED)
        now = datetime.now(UTC)
        is_running = intent.status is ExecutionStatus.RUNNING
        lease = now + timedelta(seconds=intent.lease_seconds) if is_running else now
        self._executions[intent.id] = _Kept(_admitted(intent, now), intent, lease)
        position = self._write(intent.tenant, _event(intent, _FIRST[intent.status], intent.status.value))
        return Admission(Verdict.ADMITTED, position, now, _SEALED)

    async def claim(self, most: int, resting: Sequence[str] = ()) -> list[Queued]:
        """See `ports.Ledger`."""
        self._answer()
        now = datetime.now(UTC)
        free = [
            each
            for each in self._executions.values()
            if each.execution.status is ExecutionStatus.QUEUED
            and each.lease_until <= now
            and each.not_before <= now
            and (each.intent.tenant not in resting or _is_late(each.execution, now))
        ]
        taken = [
            replace(each, lease_until=now + _LEASE, is_claimed=True, recoveries=each.recoveries + each.is_claimed)
            for each in free[:most]
        ]
        self._executions |= {each.intent.id: each for each in taken}
        return [_queued(each) for each in taken]

    async def put_off(self, queued: Queued, until: datetime) -> None:
        """See `ports.Ledger`."""
        self._answer()
        kept = self._executions[queued.execution.id]
        if _is_queued(kept.execution, queued.execution.attempt):
            now = datetime.now(UTC)
            self._executions[queued.execution.id] = replace(kept, lease_until=now, not_before=until, is_claimed=False)

    async def dispatch(self, dispatch: Dispatch) -> Admission:
        """See `ports.Ledger`."""
        self._answer()
        kept = self._executions.get(dispatch.id)
        if kept is None or kept.intent.tenant != dispatch.tenant or not _is_queued(kept.execution, dispatch.attempt):
            return Admission(Verdict.GONE)
        renewed = replace(
            kept.intent,
            connection_version=dispatch.connection_version,
            agent_version=dispatch.agent_version,
            grant_id=dispatch.grant_id,
            grant_version=dispatch.grant_version,
        )
        if not self._still_stands(renewed):
            return Admission(Verdict.STALE)
        now, before = datetime.now(UTC), kept.execution
        running = replace(
            before, status=ExecutionStatus.RUNNING, attempt=before.attempt + 1, started_at=before.started_at or now
        )
        self._executions[dispatch.id] = replace(
            kept, execution=running, intent=renewed, lease_until=now + _LEASE, is_claimed=False
        )
        position = self._write(dispatch.tenant, _event(renewed, "execution.started", "RUNNING"))
        return Admission(Verdict.ADMITTED, position, running.started_at, _SEALED)

    async def again(self, again: Again) -> bool:
        """See `ports.Ledger`."""
        self._answer()
        kept = self._executions.get(again.id)
        if kept is None or kept.intent.tenant != again.tenant or not _is_open(kept.execution, again.attempt):
            return False
        last, is_running = kept.execution.attempts[-1], again.status is ExecutionStatus.RUNNING
        now = datetime.now(UTC)
        ended = Attempt(
            number=last.number,
            started_at=last.started_at,
            finished_at=now,
            outcome=again.outcome,
            provider_status=again.provider_status,
            retry_at=again.retry_at,
            may_have_happened=again.may_have_happened,
        )
        tried = replace(
            kept.execution,
            status=again.status,
            attempt=again.attempt + is_running,
            earlier_attempts=(*kept.execution.earlier_attempts, ended),
        )
        self._executions[again.id] = replace(
            kept,
            execution=tried,
            lease_until=now + _LEASE if is_running else now,
            not_before=again.retry_at,
            recoveries=kept.recoveries + again.is_recovery,
        )
        word = "execution.recovered" if again.is_recovery else "execution.retried"
        self._write(again.tenant, replace(_event(kept.intent, word, again.status.value), reason=again.outcome))
        return True

    async def beat(self, held: Sequence[tuple[str, UUID, int]]) -> dict[UUID, bool]:
        """See `ports.Ledger`."""
        self._answer()
        found: dict[UUID, bool] = {}
        for _, id, attempt in held:
            kept = self._executions[id]
            if _is_open(kept.execution, attempt):
                self._executions[id] = replace(kept, lease_until=datetime.now(UTC) + _LEASE)
                found[id] = kept.is_cancel_asked
        return found

    async def doubtful(self) -> list[Doubtful]:
        """See `ports.Ledger`."""
        self._answer()
        now = datetime.now(UTC)
        due = [
            replace(each, probe_at=now + _LEASE, probes=each.probes + 1)
            for each in self._executions.values()
            if each.probe_at is not None and each.probe_at <= now
        ]
        self._executions |= {each.intent.id: each for each in due}
        return [Doubtful(each.intent.tenant, each.execution, each.probes) for each in due]

    async def probed(self, probed: ProbeEnd) -> None:
        """See `ports.Ledger`. Raises ValueError when the result is not JSON."""
        self._answer()
        _check_json(probed.result)
        kept = self._executions[probed.id]
        execution = kept.execution
        self._executions[probed.id] = replace(kept, probe_at=probed.again_at)
        is_in_doubt = execution.status is ExecutionStatus.UNKNOWN and execution.attempt == probed.attempt
        if probed.status is None or not is_in_doubt:
            return
        settled = replace(execution, status=probed.status, result=probed.result, error=probed.error, what_to_check=None)
        self._executions[probed.id] = replace(kept, execution=settled, probe_at=None)
        if probed.status is ExecutionStatus.FAILED and kept.intent.grant_id is not None and kept.intent.has_budget:
            self._used[probed.tenant, kept.intent.grant_id] -= 1
        event = _event(kept.intent, "execution.probed", probed.status.value)
        error = probed.error.code if probed.error else None
        self._write(probed.tenant, replace(event, actor="system", error=error))

    async def credential(self, tenant: str, connection_id: UUID) -> Sealed | None:
        """See `ports.Ledger`."""
        self._answer()
        return _SEALED if (tenant, connection_id) in self._things else None

    def due(self, execution_id: UUID) -> None:
        """As if the moment to look for it had come."""
        kept = self._executions[execution_id]
        if kept.probe_at is not None:
            self._executions[execution_id] = replace(kept, probe_at=_LONG_AGO)

    def lapse(self, execution_id: UUID) -> None:
        """As if the process that runs, or claimed, it had gone away a while ago."""
        kept = self._executions[execution_id]
        self._executions[execution_id] = replace(kept, lease_until=datetime.now(UTC) - _LEASE)

    def ask_to_cancel(self, execution_id: UUID) -> None:
        """As somebody does through another process."""
        self._executions[execution_id] = replace(self._executions[execution_id], is_cancel_asked=True)

    def approve(self, execution_id: UUID) -> None:
        """As a person does."""
        kept = self._executions[execution_id]
        deadline = datetime.now(UTC) + timedelta(seconds=kept.intent.patience_seconds)
        queued = replace(kept.execution, status=ExecutionStatus.QUEUED, deadline_at=deadline)
        self._executions[execution_id] = replace(kept, execution=queued, lease_until=datetime.now(UTC))

    async def finish(self, finish: Finish) -> Finished:
        """See `ports.Ledger`. Raises ValueError when the result is not JSON."""
        self._answer()
        _check_json(finish.outcome.result)
        now, kept = datetime.now(UTC), self._executions.get(finish.id)
        if kept is None or kept.intent.tenant != finish.tenant or not _may_end(kept.execution, finish.attempt):
            return Finished(None, now)
        if finish.gives_back and kept.intent.grant_id is not None:
            self._used[finish.tenant, kept.intent.grant_id] -= 1
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
        is_looked_for = outcome.status is ExecutionStatus.UNKNOWN and finish.probe_after is not None
        probe_at = now + timedelta(seconds=finish.probe_after or 0) if is_looked_for else None
        self._executions[finish.id] = replace(kept, execution=ended, probe_at=probe_at)
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
            Lapsed(
                each.intent.id,
                each.intent.tenant,
                each.execution.attempt,
                each.intent.action,
                each.intent.effect,
                each.recoveries,
                each.execution.deadline_at,
            )
            for each in self._executions.values()
            if each.execution.status is ExecutionStatus.RUNNING and each.lease_until < now
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

    def _spend(self, intent: Intent) -> bool:
        """Take one use from the grant's budget, if it has one and there is any left."""
        if not intent.has_budget or intent.grant_id is None:
            return True
        grant = self._things[intent.tenant, intent.grant_id]
        assert isinstance(grant, Grant)  # noqa: S101 - kept under its own id
        limits = [each for each in (grant.budget.max_executions, grant.budget.per_day) if each is not None]
        if self._used[intent.tenant, grant.id] >= min(limits):
            return False
        self._used[intent.tenant, grant.id] += 1
        return True

    def _by_key(self, tenant: str, actor: str, key: str) -> _Kept | None:
        for each in self._executions.values():
            if (each.intent.tenant, each.intent.actor, each.intent.idempotency_key) == (tenant, actor, key):
                return each
        return None


def _is_open(execution: Execution, attempt: int) -> bool:
    return execution.status is ExecutionStatus.RUNNING and execution.attempt == attempt


def _is_queued(execution: Execution, attempt: int) -> bool:
    return execution.status is ExecutionStatus.QUEUED and execution.attempt == attempt


def _may_end(execution: Execution, attempt: int) -> bool:
    return _is_open(execution, attempt) or _is_queued(execution, attempt)


def _is_late(execution: Execution, now: datetime) -> bool:
    return execution.deadline_at is not None and execution.deadline_at <= now


def _queued(kept: _Kept) -> Queued:
    asked = kept.intent.approval
    plan_hash = asked.plan_hash if asked else None
    intent = kept.intent
    return Queued(intent.tenant, intent.actor, kept.execution, intent.parameters_hash, plan_hash, kept.recoveries)


def _check_json(value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, RecursionError):
        raise ValueError("this is not JSON") from None


def _admitted(intent: Intent, now: datetime) -> Execution:
    is_running = intent.status is ExecutionStatus.RUNNING
    return Execution(
        id=intent.id,
        action=intent.action,
        integration=intent.integration,
        connection_id=intent.connection_id,
        agent_id=intent.agent_id,
        grant_id=intent.grant_id,
        status=intent.status,
        mode=intent.mode,
        origin=intent.origin,
        parameters=json.loads(intent.parameters),
        result=None,
        error=None,
        idempotency_key=intent.idempotency_key,
        attempt=int(is_running),
        what_to_check=None,
        created_at=now,
        started_at=now if is_running else None,
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
