"""Executions."""

from datetime import datetime

import strawberry

from domain import executions as domain
from domain.ids import Kind, public_id
from schema.agents import Agent
from schema.approvals import Approval
from schema.catalogue import Action
from schema.connections import Connection
from schema.context import Info
from schema.grants import Grant
from schema.loaders import there
from schema.node import Node
from schema.scalars import JSON, ExecutionMode, ExecutionOrigin, ExecutionStatus


@strawberry.type(description="Why an execution did not succeed, in our words.")
class ExecutionError:
    """Nothing the service wrote is repeated here."""

    code: str = strawberry.field(description="e.g. PROVIDER_REJECTED, PROVIDER_RATE_LIMITED, RECONNECT_REQUIRED.")
    message: str = strawberry.field(description="What happened and what to do.")
    is_retryable: bool = strawberry.field(description="The same call may succeed later, and repeating it is safe.")
    provider_status: int | None = strawberry.field(description="The HTTP status the service answered with.")
    retry_at: datetime | None = strawberry.field(description="When to try again, when the service said so.")


@strawberry.type(description="One try of an execution.")
class ExecutionAttempt:
    """Built from the execution."""

    number: int = strawberry.field(description="The first is 1.")
    started_at: datetime = strawberry.field(description="When it began.")
    finished_at: datetime | None = strawberry.field(description="When it ended; null while it is under way.")
    outcome: str = strawberry.field(description="The status it led to, or the code of the error it met.")
    provider_status: int | None = strawberry.field(description="The HTTP status the service answered with.")
    retry_at: datetime | None = strawberry.field(description="When the next one was to begin.")


@strawberry.type(
    description="One run of one action. UNKNOWN means it may have happened: it is never silently retried and never "
    "called failed."
)
class Execution(Node):
    """Built from a row, or from what was just committed."""

    noun: strawberry.Private[domain.Execution]
    status: ExecutionStatus = strawberry.field(description="How it stands.")
    mode: ExecutionMode = strawberry.field(description="When `execute` answers.")
    origin: ExecutionOrigin = strawberry.field(description="Through which door it came.")
    parameters: JSON | None = strawberry.field(description="What it was asked with.")
    result: JSON | None = strawberry.field(description="What the action answered, by its `resultSchema`.")
    idempotency_key: str | None = strawberry.field(description="The key it was asked with.")
    attempts: int = strawberry.field(description="How often the service was called for it.")
    what_to_check: str | None = strawberry.field(
        description="For UNKNOWN: what a person should look for at the service."
    )
    created_at: datetime = strawberry.field(description="When it was admitted.")
    started_at: datetime | None = strawberry.field(description="When it was committed to run.")
    finished_at: datetime | None = strawberry.field(description="When its result was committed.")
    deadline_at: datetime | None = strawberry.field(description="When it gives up.")
    duration_ms: int | None = strawberry.field(description="Milliseconds it took, the service's time included.")

    @classmethod
    def of(cls, noun: domain.Execution) -> "Execution":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.EXECUTION, noun.id)),
            status=noun.status,
            mode=noun.mode,
            origin=noun.origin,
            parameters=None if noun.parameters is None else JSON(noun.parameters),
            result=None if noun.result is None else JSON(noun.result),
            idempotency_key=noun.idempotency_key,
            attempts=noun.attempt,
            what_to_check=noun.what_to_check,
            created_at=noun.created_at,
            started_at=noun.started_at,
            finished_at=noun.finished_at,
            deadline_at=noun.deadline_at,
            duration_ms=noun.duration_ms,
        )

    @strawberry.field(description="What was run.")
    def action(self, info: Info) -> Action:
        """From the catalogue as it is now."""
        return Action.of(there(info.context.services.catalogue.action(self.noun.action)))

    @strawberry.field(description="As which account.")
    async def connection(self, info: Info) -> Connection:
        """Rows of one tenant refer to rows of the same."""
        return Connection.of(there(await info.context.loaders.connections.load(self.noun.connection_id)))

    @strawberry.field(description="Which agent ran it; null for a person.")
    async def agent(self, info: Info) -> Agent | None:
        """None for a person."""
        if self.noun.agent_id is None:
            return None
        found = await info.context.loaders.agents.load(self.noun.agent_id)
        return Agent.of(found) if found else None

    @strawberry.field(description="Which grant allowed it; null for a person.")
    async def grant(self, info: Info) -> Grant | None:
        """None for a person."""
        if self.noun.grant_id is None:
            return None
        found = await info.context.loaders.grants.load(self.noun.grant_id)
        return Grant.of(found) if found else None

    @strawberry.field(description="Every attempt, in order.")
    def attempt_log(self) -> list[ExecutionAttempt]:
        """There is more than one when the service was out of order, or a process went away."""
        return [
            ExecutionAttempt(
                number=each.number,
                started_at=each.started_at,
                finished_at=each.finished_at,
                outcome=each.outcome,
                provider_status=each.provider_status,
                retry_at=each.retry_at,
            )
            for each in self.noun.attempts
        ]

    @strawberry.field(description="The question to a person that it waits, or waited, for; null when nobody was asked.")
    async def approval(self, info: Info) -> Approval | None:
        """Batched over an answer's executions."""
        found = await info.context.loaders.approvals_of.load(self.noun.id)
        return Approval.of(found) if found else None

    @strawberry.field(
        description="Signed statement of what happened, once it has ended; `mandate audit verify` checks it offline."
    )
    async def receipt(self, info: Info) -> JSON | None:
        """Batched over an answer's executions."""
        found = await info.context.loaders.receipts.load(self.noun.id)
        return JSON(found) if found else None

    @strawberry.field(description="Why it did not succeed; null when it did, or has not ended.")
    def error(self) -> ExecutionError | None:
        """In our words."""
        error = self.noun.error
        if error is None:
            return None
        return ExecutionError(
            code=error.code,
            message=error.message,
            is_retryable=error.is_retryable,
            provider_status=error.provider_status,
            retry_at=error.retry_at,
        )
