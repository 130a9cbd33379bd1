"""Following. Each replays what was missed from the database and then goes live: in order, without gap or repeat."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from domain.approvals import ApprovalStatus
from domain.connections import ConnectionStatus, SessionStatus
from domain.errors import NotFound
from domain.executions import ExecutionStatus
from domain.history import Event, Interest, cursor_of, position_of
from domain.ids import Kind, missing, read_id
from resolvers import history, things
from schema.alerts import AlertSubscription
from schema.approvals import Approval, ApprovalEvent
from schema.connections import Connection, ConnectSession
from schema.context import Info
from schema.executions import Execution
from schema.following import followed, patiently
from schema.history import AuditEvent, ConnectionEvent, ConnectSessionEvent, ExecutionEvent
from schema.query import OfAction, OfAgent, OfConnection, OfExecution, OfIntegration, OfTypes
from schema.scalars import Resume

_Session = Annotated[strawberry.ID, strawberry.argument(description="The connect session.")]

_EXECUTIONS = (
    "approval.requested",  # an execution begins with it when a person is asked first
    *(f"execution.{word}" for word in ("queued", "started", "retried", "recovered", "cancel_requested", "resolved")),
    *(f"execution.{end}" for end in ("succeeded", "failed", "unknown", "cancelled", "expired")),
)
_APPROVALS = tuple(f"approval.{word}" for word in ("requested", "approved", "rejected", "expired"))
_CONNECTIONS = (
    *(f"connection.{word}" for word in ("activated", "renewed", "tested", "degraded", "recovered", "expired")),
    *(f"connection.{word}" for word in ("permissions_changed", "updated", "disabled", "enabled")),
    *(f"connection.{word}" for word in ("disconnecting", "revoked")),
)


@strawberry.type(description="Following what happens. `after` takes the last cursor seen.")
class Subscription(AlertSubscription):
    """One field per thing to follow."""

    @strawberry.subscription(description="Executions as they change.")
    async def execution_events(
        self,
        info: Info,
        execution: OfExecution = None,
        agent: OfAgent = None,
        connection: OfConnection = None,
        integration: OfIntegration = None,
        action: OfAction = None,
        after: Resume = None,
    ) -> AsyncGenerator[ExecutionEvent, None]:
        """An agent follows its own."""
        interest = Interest(
            types=_EXECUTIONS,
            execution_id=read_id(Kind.EXECUTION, execution, "execution") if execution else None,
            agent_id=read_id(Kind.AGENT, agent, "agent") if agent else None,
            connection_id=read_id(Kind.CONNECTION, connection, "connection") if connection else None,
            integration=integration,
            action=action,
        )

        async def tell(event: Event) -> ExecutionEvent | None:
            if event.execution_id is None or event.status is None:
                return None
            found = await patiently(info.context.loaders.executions.load, event.execution_id)
            if found is None:
                return None
            return ExecutionEvent(
                cursor=cursor_of(event.position),
                execution=Execution.of(found),
                status=ExecutionStatus(event.status),
                occurred_at=event.occurred_at,
            )

        async with aclosing(followed(info, "executionEvents", interest, after, tell)) as told:
            async for each in told:
                yield each

    @strawberry.subscription(description="Questions to people, as they are asked and decided.")
    async def approval_events(self, info: Info, after: Resume = None) -> AsyncGenerator[ApprovalEvent, None]:
        """An agent follows those of its own executions."""

        async def tell(event: Event) -> ApprovalEvent | None:
            if event.execution_id is None:
                return None
            found = await patiently(info.context.loaders.approvals_of.load, event.execution_id)
            if found is None:
                return None
            is_asked = event.type == "approval.requested"
            return ApprovalEvent(
                cursor=cursor_of(event.position),
                approval=Approval.of(found),
                status=ApprovalStatus.PENDING if is_asked else ApprovalStatus(event.status or ""),
                occurred_at=event.occurred_at,
            )

        async with aclosing(followed(info, "approvalEvents", Interest(types=_APPROVALS), after, tell)) as told:
            async for each in told:
                yield each

    @strawberry.subscription(description="Connections as they change.")
    async def connection_events(
        self, info: Info, connection: OfConnection = None, after: Resume = None
    ) -> AsyncGenerator[ConnectionEvent, None]:
        """Not for agents."""
        wanted = read_id(Kind.CONNECTION, connection, "connection") if connection else None
        interest = Interest(types=_CONNECTIONS, connection_id=wanted)

        async def tell(event: Event) -> ConnectionEvent | None:
            if event.connection_id is None or event.status is None:
                return None
            found = await patiently(info.context.loaders.connections.load, event.connection_id)
            if found is None:
                return None
            return ConnectionEvent(
                cursor=cursor_of(event.position),
                connection=Connection.of(found),
                status=ConnectionStatus(event.status),
                reason=event.reason,
                occurred_at=event.occurred_at,
            )

        async with aclosing(followed(info, "connectionEvents", interest, after, tell)) as told:
            async for each in told:
                yield each

    @strawberry.subscription(description="Opens with the session's present state, then follows it to its end.")
    async def connect_session_events(
        self, info: Info, session: _Session, after: Resume = None
    ) -> AsyncGenerator[ConnectSessionEvent, None]:
        """Completes when the session has ended."""
        services, caller = info.context.services, info.context.caller
        session_id = read_id(Kind.CONNECT_SESSION, session, "session")
        position = position_of(after, "after") if after is not None else None
        interest = Interest(session_id=session_id)
        followed_events = await history.follow(services, caller, "connectSessionEvents", interest, position)
        async with aclosing(followed_events) as events:
            found = await things.session(services, caller, session_id)
            if found is None:
                raise NotFound(missing(Kind.CONNECT_SESSION), ("session",))
            if after is None:
                yield ConnectSessionEvent(
                    cursor=cursor_of(events.position),
                    session=ConnectSession.of(found),
                    status=found.status,
                    occurred_at=found.created_at,
                )
                if found.status is not SessionStatus.OPEN:
                    return
            async for event in events:
                status = SessionStatus(event.status or "")
                now = await things.session(services, caller, session_id)
                if now is not None:
                    yield ConnectSessionEvent(
                        cursor=cursor_of(event.position),
                        session=ConnectSession.of(now),
                        status=status,
                        occurred_at=event.occurred_at,
                    )
                if status is not SessionStatus.OPEN:
                    return

    @strawberry.subscription(description="The tenant's history as it is written.")
    async def audit_events(
        self,
        info: Info,
        types: OfTypes = None,
        agent: OfAgent = None,
        integration: OfIntegration = None,
        connection: OfConnection = None,
        execution: OfExecution = None,
        after: Resume = None,
    ) -> AsyncGenerator[AuditEvent, None]:
        """For managers and auditors."""
        interest = Interest(
            types=tuple(types) if types is not None else None,
            agent_id=read_id(Kind.AGENT, agent, "agent") if agent else None,
            integration=integration,
            connection_id=read_id(Kind.CONNECTION, connection, "connection") if connection else None,
            execution_id=read_id(Kind.EXECUTION, execution, "execution") if execution else None,
        )

        async def tell(event: Event) -> AuditEvent:
            return AuditEvent.of(event)

        async with aclosing(followed(info, "auditEvents", interest, after, tell)) as told:
            async for each in told:
                yield each
