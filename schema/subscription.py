"""Following. Each replays what was missed from the database and then goes live: in order, without gap or repeat."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, TypeVar
from uuid import UUID

import strawberry

from domain.connections import ConnectionStatus, SessionStatus
from domain.errors import DependencyDown, NotFound
from domain.executions import ExecutionStatus
from domain.history import Interest, cursor_of, position_of
from domain.ids import Kind, missing, read_id
from resolvers import history, things
from schema.connections import Connection, ConnectSession
from schema.context import Info
from schema.executions import Execution
from schema.history import AuditEvent, ConnectionEvent, ConnectSessionEvent, ExecutionEvent
from schema.query import OfAction, OfAgent, OfConnection, OfExecution, OfIntegration, OfTypes
from schema.scalars import Resume

Found = TypeVar("Found")
_RETRY_SECONDS = 0.5

_Session = Annotated[strawberry.ID, strawberry.argument(description="The connect session.")]

_EXECUTIONS = tuple(f"execution.{status.lower()}" for status in ("started", "succeeded", "failed", "unknown"))
_CONNECTIONS = tuple(f"connection.{word}" for word in ("activated", "renewed", "tested", "expired", "revoked"))


@strawberry.type(description="Following what happens. `after` takes the last cursor seen.")
class Subscription:
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
        async with _followed(info, "executionEvents", interest, after) as events:
            async for event in events:
                if event.execution_id is None or event.status is None:
                    continue
                found = await _patiently(info.context.loaders.executions.load, event.execution_id)
                if found is not None:
                    yield ExecutionEvent(
                        cursor=cursor_of(event.position),
                        execution=Execution.of(found),
                        status=ExecutionStatus(event.status),
                        occurred_at=event.occurred_at,
                    )

    @strawberry.subscription(description="Connections as they change.")
    async def connection_events(
        self, info: Info, connection: OfConnection = None, after: Resume = None
    ) -> AsyncGenerator[ConnectionEvent, None]:
        """Not for agents."""
        wanted = read_id(Kind.CONNECTION, connection, "connection") if connection else None
        interest = Interest(types=_CONNECTIONS, connection_id=wanted)
        async with _followed(info, "connectionEvents", interest, after) as events:
            async for event in events:
                if event.connection_id is None or event.status is None:
                    continue
                found = await _patiently(info.context.loaders.connections.load, event.connection_id)
                if found is not None:
                    yield ConnectionEvent(
                        cursor=cursor_of(event.position),
                        connection=Connection.of(found),
                        status=ConnectionStatus(event.status),
                        reason=event.reason,
                        occurred_at=event.occurred_at,
                    )

    @strawberry.subscription(description="Opens with the session's present state, then follows it to its end.")
    async def connect_session_events(
        self, info: Info, session: _Session, after: Resume = None
    ) -> AsyncGenerator[ConnectSessionEvent, None]:
        """Completes when the session has ended."""
        services, caller = info.context.services, info.context.caller
        session_id = read_id(Kind.CONNECT_SESSION, session, "session")
        async with _followed(info, "connectSessionEvents", Interest(session_id=session_id), after) as events:
            found = await things.session(services, caller, session_id)
            if found is None:
                raise NotFound(missing(Kind.CONNECT_SESSION), ("session",))
            if after is None:
                position = events.position
                yield ConnectSessionEvent(
                    cursor=cursor_of(position),
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
        async with _followed(info, "auditEvents", interest, after) as events:
            async for event in events:
                yield AuditEvent.of(event)


async def _patiently(look_up: Callable[[UUID], Awaitable[Found]], wanted: UUID) -> Found:
    """What an event is about, once the database answers: who follows waits, and misses nothing."""
    while True:
        try:
            return await look_up(wanted)
        except DependencyDown:
            await asyncio.sleep(_RETRY_SECONDS)


@asynccontextmanager
async def _followed(
    info: Info, operation: str, interest: Interest, after: str | None
) -> AsyncIterator[history.Followed]:
    """Events of one interest; let go of when the client goes away."""
    position = position_of(after, "after") if after is not None else None
    followed = await history.follow(info.context.services, info.context.caller, operation, interest, position)
    async with aclosing(followed):
        yield followed
