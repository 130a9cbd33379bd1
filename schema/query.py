"""Reading."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import strawberry

from domain.callers import Caller
from domain.errors import NotFound
from domain.history import Interest, cursor_of, position_of
from domain.ids import Kind, read_id
from domain.pages import page_size
from resolvers import agents, catalogue, connections, executions, grants, history, things, viewer
from resolvers.services import Services
from schema.agents import Agent
from schema.catalogue import Action, Integration
from schema.connections import Connection, ConnectSession
from schema.context import Info
from schema.executions import Execution
from schema.grants import Grant
from schema.history import AuditEvent
from schema.node import Node
from schema.pages import Counted, Stream, counted, cut, id_cursor, id_in, name_cursor, stream
from schema.scalars import After, ConnectionStatus, Effect, ExecutionStatus, First, IntegrationCategory, Search

_Slug = Annotated[str, strawberry.argument(description="As in the catalogue.")]
_Id = Annotated[strawberry.ID, strawberry.argument(description="Any id you were given.")]
_InCategory = Annotated[IntegrationCategory | None, strawberry.argument(description="Only this category.")]
_Connected = Annotated[
    bool | None, strawberry.argument(description="Only those with, or without, a connection of the tenant.")
]
OfIntegration = Annotated[str | None, strawberry.argument(description="Only this integration, by slug.")]
OfAction = Annotated[str | None, strawberry.argument(description="Only this action, by qualified name.")]
OfAgent = Annotated[strawberry.ID | None, strawberry.argument(description="Only this agent.")]
OfConnection = Annotated[strawberry.ID | None, strawberry.argument(description="Only this connection.")]
OfExecution = Annotated[strawberry.ID | None, strawberry.argument(description="Only this execution.")]
_WithStatus = Annotated[ConnectionStatus | None, strawberry.argument(description="Only those that stand so.")]
_WithStatuses = Annotated[
    list[ExecutionStatus] | None, strawberry.argument(description="Only those that stand in one of these ways.")
]
_WithEffects = Annotated[
    list[Effect] | None, strawberry.argument(description="Only actions with one of these effects.")
]
OfTypes = Annotated[
    list[str] | None, strawberry.argument(description="Only these types, by name or family (`execution.*`).")
]
_Since = Annotated[datetime | None, strawberry.argument(description="Not before this moment.")]
_Until = Annotated[datetime | None, strawberry.argument(description="Before this moment.")]


@strawberry.type(description="Who is asking.")
class Viewer:
    """From the token alone."""

    subject: str = strawberry.field(description="Who is calling: a user, an agent or a service.")
    tenant_id: strawberry.ID = strawberry.field(description="Whose data is seen; it comes from the token alone.")
    roles: list[str] = strawberry.field(description="What the caller is to its tenant.")
    permissions: list[str] = strawberry.field(description="Operations this caller may use, by field name.")

    @strawberry.field(description="The agent that is calling; null for a person.")
    async def agent(self, info: Info) -> Agent | None:
        """None for a person."""
        found = await viewer.own_agent(info.context.services, info.context.caller)
        return Agent.of(found) if found else None


@strawberry.type(description="The deployment as its users may see it.")
class Gateway:
    """From settings."""

    version: str = strawberry.field(description="Which Mandate this is.")
    public_url: str = strawberry.field(description="Where browsers and services reach it.")
    mcp_url: str = strawberry.field(description="Where agents reach it by MCP.")
    is_development: bool = strawberry.field(description="Started for trying out: never expose it.")


@strawberry.type(description="Reading.")
class Query:
    """One field per question."""

    @strawberry.field(description="Who is asking, and what they may ask.")
    def viewer(self, info: Info) -> Viewer:
        """From the token alone."""
        caller = info.context.caller
        return Viewer(
            subject=caller.subject,
            tenant_id=strawberry.ID(caller.tenant),
            roles=sorted(role.value for role in caller.roles),
            permissions=viewer.permissions(caller),
        )

    @strawberry.field(description="The deployment.")
    def gateway(self, info: Info) -> Gateway:
        """From settings."""
        deployment = info.context.services.deployment
        return Gateway(
            version=deployment.version,
            public_url=deployment.public_url,
            mcp_url=deployment.mcp_url,
            is_development=deployment.is_development,
        )

    @strawberry.field(
        description="Now, in the tenant's history. Read a list, then subscribe `after` this: no gap, no overlap."
    )
    async def history_cursor(self, info: Info) -> str:
        """One round trip."""
        return cursor_of(await viewer.history_cursor(info.context.services, info.context.caller))

    @strawberry.field(description="Anything by its id; null when there is none that the viewer may see.")
    async def node(self, info: Info, id: _Id) -> Node | None:
        """Foreign and missing ids answer alike."""
        return await find_node(info.context.services, info.context.caller, str(id))

    @strawberry.field(description="The catalogue, by name.")
    async def integrations(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        search: Search = None,
        category: _InCategory = None,
        is_connected: _Connected = None,
    ) -> Counted[Integration]:
        """From memory; one round trip when `isConnected` is asked."""
        found = await catalogue.integrations(
            info.context.services, info.context.caller, search, category, is_connected=is_connected
        )
        page = cut(found, first, after, lambda each: each.slug)
        return counted(page, Integration.of, lambda each: name_cursor(each.slug))

    @strawberry.field(description="One integration; null when there is none.")
    def integration(self, info: Info, slug: _Slug) -> Integration | None:
        """From memory."""
        found = catalogue.integration(info.context.services, info.context.caller, slug)
        return Integration.of(found) if found else None

    @strawberry.field(description="One action by its qualified name; null when there is none.")
    def action(self, info: Info, slug: _Slug) -> Action | None:
        """From memory."""
        found = catalogue.action(info.context.services, info.context.caller, slug)
        return Action.of(found) if found else None

    @strawberry.field(description="The tenant's connected accounts, newest first.")
    async def connections(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        integration: OfIntegration = None,
        status: _WithStatus = None,
        search: Search = None,
    ) -> Counted[Connection]:
        """An agent sees those it holds a grant on."""
        page = await connections.connections(
            info.context.services,
            info.context.caller,
            page_size(first),
            id_in(after),
            integration=integration,
            status=status,
            search=search,
        )
        return counted(page, Connection.of, lambda each: id_cursor(each.id))

    @strawberry.field(description="The tenant's agents, newest first.")
    async def agents(self, info: Info, first: First = 50, after: After = None, search: Search = None) -> Counted[Agent]:
        """`search` looks in names and descriptions."""
        page = await agents.agents(info.context.services, info.context.caller, page_size(first), id_in(after), search)
        return counted(page, Agent.of, lambda each: id_cursor(each.id))

    @strawberry.field(description="The tenant's grants, newest first.")
    async def grants(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        agent: OfAgent = None,
        connection: OfConnection = None,
    ) -> Counted[Grant]:
        """An agent sees its own."""
        page = await grants.grants(
            info.context.services,
            info.context.caller,
            page_size(first),
            id_in(after),
            agent_id=read_id(Kind.AGENT, agent, "agent") if agent else None,
            connection_id=read_id(Kind.CONNECTION, connection, "connection") if connection else None,
        )
        return counted(page, Grant.of, lambda each: id_cursor(each.id))

    @strawberry.field(description="What was executed, newest first.")
    async def executions(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        agent: OfAgent = None,
        connection: OfConnection = None,
        integration: OfIntegration = None,
        action: OfAction = None,
        statuses: _WithStatuses = None,
        effects: _WithEffects = None,
        since: _Since = None,
        until: _Until = None,
    ) -> Stream[Execution]:
        """An agent sees its own."""
        wanted = executions.ExecutionFilter(
            agent_id=read_id(Kind.AGENT, agent, "agent") if agent else None,
            connection_id=read_id(Kind.CONNECTION, connection, "connection") if connection else None,
            integration=integration,
            action=action,
            statuses=statuses,
            effects=effects,
            since=agents.in_utc(since) if since else None,
            until=agents.in_utc(until) if until else None,
        )
        page = await executions.executions(
            info.context.services, info.context.caller, page_size(first), id_in(after), wanted
        )
        return stream(page, Execution.of, lambda each: id_cursor(each.id))

    @strawberry.field(description="The tenant's history, newest first.")
    async def audit_events(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        types: OfTypes = None,
        agent: OfAgent = None,
        integration: OfIntegration = None,
        connection: OfConnection = None,
        execution: OfExecution = None,
        since: _Since = None,
        until: _Until = None,
    ) -> Stream[AuditEvent]:
        """The edges' cursors are places in history."""
        interest = Interest(
            types=tuple(types) if types is not None else None,
            agent_id=read_id(Kind.AGENT, agent, "agent") if agent else None,
            integration=integration,
            connection_id=read_id(Kind.CONNECTION, connection, "connection") if connection else None,
            execution_id=read_id(Kind.EXECUTION, execution, "execution") if execution else None,
            since=agents.in_utc(since) if since else None,
            until=agents.in_utc(until) if until else None,
        )
        before = position_of(after, "after") if after is not None else None
        page = await history.audit_events(
            info.context.services, info.context.caller, page_size(first), before, interest
        )
        return stream(page, AuditEvent.of, lambda each: cursor_of(each.position))


async def find_node(services: Services, caller: Caller, text: str) -> Node | None:
    """Whatever an id names, if the caller may see it."""
    caller.require("node")
    prefix, _, rest = text.partition("_")
    try:
        kind = Kind(prefix)
    except ValueError:
        return None
    if kind is Kind.INTEGRATION:
        integration = services.catalogue.integrations.get(rest)
        return Integration.of(integration) if integration else None
    if kind is Kind.ACTION:
        action = services.catalogue.action(rest)
        return Action.of(action) if action else None
    finder = _FINDERS.get(kind)
    if finder is None:
        return None
    try:
        return await finder(services, caller, text)
    except NotFound:
        return None


async def _agent(services: Services, caller: Caller, text: str) -> Node | None:
    [found] = await things.agents(services, caller, [read_id(Kind.AGENT, text)])
    return Agent.of(found) if found else None


async def _connection(services: Services, caller: Caller, text: str) -> Node | None:
    [found] = await things.connections(services, caller, [read_id(Kind.CONNECTION, text)])
    return Connection.of(found) if found else None


async def _grant(services: Services, caller: Caller, text: str) -> Node | None:
    [found] = await things.grants(services, caller, [read_id(Kind.GRANT, text)])
    return Grant.of(found) if found else None


async def _execution(services: Services, caller: Caller, text: str) -> Node | None:
    [found] = await things.executions(services, caller, [read_id(Kind.EXECUTION, text)])
    return Execution.of(found) if found else None


async def _session(services: Services, caller: Caller, text: str) -> Node | None:
    found = await things.session(services, caller, read_id(Kind.CONNECT_SESSION, text))
    return ConnectSession.of(found) if found else None


async def _event(services: Services, caller: Caller, text: str) -> Node | None:
    found = await history.event(services, caller, read_id(Kind.EVENT, text))
    return AuditEvent.of(found) if found else None


_FINDERS: dict[Kind, Callable[[Services, Caller, str], Awaitable[Node | None]]] = {
    Kind.AGENT: _agent,
    Kind.CONNECTION: _connection,
    Kind.GRANT: _grant,
    Kind.EXECUTION: _execution,
    Kind.CONNECT_SESSION: _session,
    Kind.EVENT: _event,
}
