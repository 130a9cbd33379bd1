"""Executions: one run of one action, its states, and what an outcome is called.

    AWAITING_APPROVAL ──► QUEUED ──► RUNNING ──► SUCCEEDED     the service said so
            │               │  ◄────────┤ ├────► FAILED        it did not happen, and why
            │               │   again   │ └────► UNKNOWN       it may have happened
            ├───────────────┴───────────┴──────► CANCELLED     somebody stopped it before it happened
            └───────────────┴──────────────────► EXPIRED       nobody said yes, or its turn did not come, in time

An execution begins in whichever of the first three its mode and its grant ask for. RUNNING is committed before the
first byte goes out; from there it goes back to the queue only when nothing happened or doing it twice is like doing
it once. Exactly-once towards somebody else's service does not exist; UNKNOWN is the honest name for what is left:
never repeated silently, never called failed, and settled by a person, or by a probe that found the effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.catalogue import Action, Effect
from domain.errors import ProviderProblem
from domain.json import Json
from domain.sealed import Sealed


class ExecutionStatus(StrEnum):
    """The first three are on their way; the others are ends."""

    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


#: How long a process may be silent about what it runs before another one settles it or takes it up.
LEASE_SECONDS = 20

#: Nothing has been sent for these yet, so they can be called off without a trace at the service.
WAITING = frozenset({ExecutionStatus.AWAITING_APPROVAL, ExecutionStatus.QUEUED})
UNFINISHED = WAITING | {ExecutionStatus.RUNNING}
#: It did not happen, so what it took from a budget is given back.
WITHOUT_EFFECT = frozenset({ExecutionStatus.FAILED, ExecutionStatus.CANCELLED, ExecutionStatus.EXPIRED})


class ExecutionMode(StrEnum):
    """WAIT answers when the execution is finished, or waits for a person; BACKGROUND as soon as it is on record."""

    WAIT = "WAIT"
    BACKGROUND = "BACKGROUND"


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
class Attempt:
    """One try of an execution. `outcome` is the status it led to, or the code of the error it met."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    provider_status: int | None = None
    retry_at: datetime | None = None
    may_have_happened: bool = False


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
    attempt: int  # 0 until the first one begins
    what_to_check: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    duration_ms: int | None
    earlier_attempts: tuple[Attempt, ...] = ()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt, in order; the last may still be under way."""
        if self.started_at is None or self.attempt <= len(self.earlier_attempts):
            return self.earlier_attempts
        begun = self.earlier_attempts[-1].retry_at or self.started_at if self.earlier_attempts else self.started_at
        error = self.error
        return (
            *self.earlier_attempts,
            Attempt(
                number=self.attempt,
                started_at=begun,
                finished_at=self.finished_at,
                outcome=error.code if error else self.status.value,
                provider_status=error.provider_status if error else None,
            ),
        )


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


def in_view_of(earlier: Sequence[Attempt], action: Action | None, outcome: Outcome) -> Outcome:
    """An end without effect is only that when no earlier attempt may have had one."""
    if outcome.status not in WITHOUT_EFFECT or not any(each.may_have_happened for each in earlier):
        return outcome
    return replace(outcome, status=ExecutionStatus.UNKNOWN, what_to_check=action.what_to_check if action else None)


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
    action_digest: str
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
    patience_seconds: int
    deadline_at: datetime | None  # none while a person is asked: it begins with the yes
    status: ExecutionStatus = ExecutionStatus.RUNNING
    approval: "ApprovalAsked | None" = None
    has_budget: bool = False
    lease_seconds: int = LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """What a person is asked to say yes to: shown in words, bound by the plan's hash."""

    id: UUID
    summary: str
    plan_hash: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Queued:
    """An execution whose turn has come, and who asked for it. `attempt` is the fence: how many there were so far."""

    tenant: str
    actor: str
    execution: Execution
    parameters_hash: bytes
    plan_hash: str | None  # what a person approved; None when nobody had to
    recoveries: int = 0  # how often a process that had taken it went away


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A queued execution on its way out, with the versions the renewed decision rests on."""

    id: UUID
    tenant: str
    attempt: int
    connection_version: int
    agent_version: int | None
    grant_id: UUID | None
    grant_version: int | None
    action_digest: str | None = None  # the definition that is about to run; None: the one it was admitted with


@dataclass(frozen=True, slots=True)
class Again:
    """An attempt that ended without an effect, or may safely be repeated: there will be another.

    RUNNING: by the same process, after a pause. QUEUED: by whoever is free at `retry_at`. `is_recovery` when the
    process that ran it went away.
    """

    id: UUID
    tenant: str
    attempt: int
    status: ExecutionStatus
    outcome: str
    provider_status: int | None
    retry_at: datetime
    may_have_happened: bool
    is_recovery: bool = False


class Verdict(StrEnum):
    """What became of an intent."""

    ADMITTED = "admitted"
    DUPLICATE = "duplicate"  # this actor used the key before
    EXCEEDED = "exceeded"  # the grant's budget is used up
    STALE = "stale"  # something the decision rested on has changed: decide again
    GONE = "gone"  # it is not queued any more: cancelled, or taken by somebody else


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
    has_budget: bool = True
    probe_after: int | None = None  # seconds after which its effect is looked for, when it is UNKNOWN

    @property
    def gives_back(self) -> bool:
        """Whether what it took from a budget is to be given back."""
        return self.has_budget and self.outcome.status in WITHOUT_EFFECT


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
    recoveries: int = 0
    deadline_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An UNKNOWN execution whose effect is to be looked for at its service, for the so-manieth time."""

    tenant: str
    execution: Execution
    times: int


@dataclass(frozen=True, slots=True)
class ProbeEnd:
    """What looking for an effect found out. Without a status nothing: look again at `again_at`, or never."""

    tenant: str
    id: UUID
    attempt: int
    status: ExecutionStatus | None = None
    result: Json = None
    error: ExecutionError | None = None
    again_at: datetime | None = None
