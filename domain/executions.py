"""Executions: one run of one action, its states, and what an outcome is called.

    RUNNING ──► SUCCEEDED     the service said so
       ├──────► FAILED        it did not happen, and why
       └──────► UNKNOWN       it may have happened: never repeated silently, never called failed

RUNNING is committed before the first byte goes out. Exactly-once towards somebody else's service does not exist;
UNKNOWN is the honest name for what is left.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.catalogue import Action, Effect
from domain.errors import ProviderProblem
from domain.json import Json
from domain.sealed import Sealed


class ExecutionStatus(StrEnum):
    """All but RUNNING are final."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class ExecutionMode(StrEnum):
    """WAIT answers when the execution is finished."""

    WAIT = "WAIT"


class ExecutionOrigin(StrEnum):
    """Through which door it came."""

    GRAPHQL = "GRAPHQL"
    MCP = "MCP"


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """Why it did not succeed, in our words; nothing the service wrote is repeated here."""

    code: str
    message: str
    is_retryable: bool
    provider_status: int | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `needs_reconnect` when the service no longer accepts the credential."""

    status: ExecutionStatus
    result: Json = None
    error: ExecutionError | None = None
    what_to_check: str | None = None
    needs_reconnect: bool = False


@dataclass(frozen=True, slots=True)
class Execution:
    """One run, as recorded."""

    id: UUID
    action: str
    integration: str
    connection_id: UUID
    agent_id: UUID | None
    grant_id: UUID | None
    status: ExecutionStatus
    mode: ExecutionMode
    origin: ExecutionOrigin
    parameters: Json
    result: Json
    error: ExecutionError | None
    idempotency_key: str | None
    attempt: int
    what_to_check: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    duration_ms: int | None


def succeeded(result: Json) -> Outcome:
    """The service confirmed it."""
    return Outcome(ExecutionStatus.SUCCEEDED, result=result)


def outcome_of(action: Action, problem: ProviderProblem) -> Outcome:
    """What a problem means for the execution. Reading has no effect to be unsure of, so it fails plainly."""
    error = ExecutionError(
        code=problem.code,
        message=problem.message,
        is_retryable=problem.is_retryable and (action.effect is Effect.READ or _is_safe_again(action, problem)),
        provider_status=problem.status,
        retry_at=problem.retry_at,
    )
    reconnect = problem.code == "RECONNECT_REQUIRED"
    if problem.may_have_happened and action.effect is not Effect.READ:
        return Outcome(ExecutionStatus.UNKNOWN, error=error, what_to_check=action.what_to_check)
    return Outcome(ExecutionStatus.FAILED, error=error, needs_reconnect=reconnect)


def lost_track(effect: Effect, what_to_check: str | None) -> Outcome:
    """Our own process failed between dispatch and result."""
    error = ExecutionError("INTERNAL", "The gateway failed while the call was under way.", effect is Effect.READ)
    if effect is Effect.READ:
        return Outcome(ExecutionStatus.FAILED, error=error)
    return Outcome(ExecutionStatus.UNKNOWN, error=error, what_to_check=what_to_check)


def _is_safe_again(action: Action, problem: ProviderProblem) -> bool:
    return action.is_idempotent or not problem.may_have_happened


# ------------------------------------------------------------------------------ between pipeline and storage


@dataclass(frozen=True, slots=True)
class Intent:
    """Everything that is committed before the first byte leaves, and the versions the decision rested on."""

    id: UUID
    tenant: str
    actor: str
    action: str
    integration: str
    effect: Effect
    connection_id: UUID
    connection_version: int
    agent_id: UUID | None
    agent_version: int | None
    grant_id: UUID | None
    grant_version: int | None
    mode: ExecutionMode
    origin: ExecutionOrigin
    parameters: str  # JSON text
    parameters_hash: bytes
    idempotency_key: str | None
    fingerprint: bytes
    deadline_at: datetime
    lease_until: datetime


class Verdict(StrEnum):
    """What became of an intent."""

    ADMITTED = "admitted"
    DUPLICATE = "duplicate"  # this actor used the key before
    STALE = "stale"  # something the decision rested on has changed: decide again


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to an intent. Position, start and credential come with ADMITTED only."""

    verdict: Verdict
    position: int = 0
    started_at: datetime | None = None
    credential: Sealed | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """A result on its way into the record. `attempt` is the fence: a later attempt makes this one too late."""

    id: UUID
    tenant: str
    attempt: int
    outcome: Outcome
    duration_ms: int
    parameters_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The committed result's place in history. `position` is None when it came too late and changed nothing."""

    position: int | None
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An execution whose process went away: its lease has passed and no result was written."""

    id: UUID
    tenant: str
    attempt: int
    action: str
    effect: Effect
