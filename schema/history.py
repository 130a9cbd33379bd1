"""History and live events."""

from datetime import datetime

import strawberry

from domain import history as domain
from domain.history import cursor_of
from domain.ids import Kind, public_id
from schema.connections import Connection, ConnectSession
from schema.executions import Execution
from schema.node import Node
from schema.scalars import ConnectionStatus, ConnectSessionStatus, ExecutionStatus


@strawberry.type(description="One line of the tenant's append-only history. Parameters appear as a hash only.")
class AuditEvent(Node):
    """Built from a row."""

    cursor: str = strawberry.field(
        description="Its place in the tenant's history; pass it as `after` to resume without gap or repeat."
    )
    type: str = strawberry.field(description="e.g. connection.activated, grant.revoked, execution.succeeded.")
    occurred_at: datetime = strawberry.field(description="When it was committed.")
    actor: str = strawberry.field(description="Who did it: `user:…`, `agent:…` or `system`.")
    agent_id: strawberry.ID | None = strawberry.field(description="The agent it is about.")
    integration: str | None = strawberry.field(description="The service it is about, by slug.")
    action: str | None = strawberry.field(description="The action it is about, by qualified name.")
    connection_id: strawberry.ID | None = strawberry.field(description="The connection it is about.")
    grant_id: strawberry.ID | None = strawberry.field(description="The grant it is about.")
    execution_id: strawberry.ID | None = strawberry.field(description="The execution it is about.")
    alert_id: strawberry.ID | None = strawberry.field(description="The alert it is about.")
    webhook_id: strawberry.ID | None = strawberry.field(description="The webhook it is about.")
    reason: str | None = strawberry.field(description="For refusals: the rule that decided.")
    parameters_hash: str | None = strawberry.field(
        description="A keyed hash of the parameters: equal for equal parameters of a tenant, and telling nothing else."
    )
    status: str | None = strawberry.field(description="How what it is about stood afterwards.")
    duration_ms: int | None = strawberry.field(description="For finished executions, milliseconds.")
    error: str | None = strawberry.field(description="An error code, where something went wrong.")

    @classmethod
    def of(cls, noun: domain.Event) -> "AuditEvent":
        """From the noun."""
        return cls(
            id=strawberry.ID(public_id(Kind.EVENT, noun.id)),
            cursor=cursor_of(noun.position),
            type=noun.type,
            occurred_at=noun.occurred_at,
            actor=noun.actor,
            agent_id=strawberry.ID(public_id(Kind.AGENT, noun.agent_id)) if noun.agent_id else None,
            integration=noun.integration,
            action=noun.action,
            connection_id=strawberry.ID(public_id(Kind.CONNECTION, noun.connection_id)) if noun.connection_id else None,
            grant_id=strawberry.ID(public_id(Kind.GRANT, noun.grant_id)) if noun.grant_id else None,
            execution_id=strawberry.ID(public_id(Kind.EXECUTION, noun.execution_id)) if noun.execution_id else None,
            alert_id=strawberry.ID(public_id(Kind.ALERT, noun.alert_id)) if noun.alert_id else None,
            webhook_id=strawberry.ID(public_id(Kind.WEBHOOK, noun.webhook_id)) if noun.webhook_id else None,
            reason=noun.reason,
            parameters_hash=noun.parameters_hash.hex() if noun.parameters_hash else None,
            status=noun.status,
            duration_ms=noun.duration_ms,
            error=noun.error,
        )


@strawberry.type(description="An execution changed its status.")
class ExecutionEvent:
    """Built from history and the execution."""

    cursor: str = strawberry.field(description="Its place in history; pass it as `after` to resume.")
    execution: Execution = strawberry.field(description="The execution as it is now.")
    status: ExecutionStatus = strawberry.field(description="The status it changed to.")
    occurred_at: datetime = strawberry.field(description="When that was committed.")


@strawberry.type(description="A connection changed.")
class ConnectionEvent:
    """Built from history and the connection."""

    cursor: str = strawberry.field(description="Its place in history; pass it as `after` to resume.")
    connection: Connection = strawberry.field(description="The connection as it is now.")
    status: ConnectionStatus = strawberry.field(description="The status it had then.")
    reason: str | None = strawberry.field(description="Why, where there is something to say.")
    occurred_at: datetime = strawberry.field(description="When that was committed.")


@strawberry.type(description="A connect session moved on.")
class ConnectSessionEvent:
    """Built from history and the session."""

    cursor: str = strawberry.field(description="Its place in history; pass it as `after` to resume.")
    session: ConnectSession = strawberry.field(description="The session as it is now.")
    status: ConnectSessionStatus = strawberry.field(description="The status it had then.")
    occurred_at: datetime = strawberry.field(description="When that was committed.")
