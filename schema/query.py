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
from resolvers import (
    agents,
    alerts,
    approvals,
    catalogue,
    connections,
    executions,
    grants,
    history,
    recommending,
    searching,
    things,
    viewer,
    webhooks,
)
from resolvers import usage as figures
from resolvers.services import Services
from schema.agents import Agent
from schema.alerts import Alert, AlertQuery
from schema.approvals import Approval
from schema.catalogue import Action, Integration
from schema.connections import Connection, ConnectSession
from schema.context import Info
from schema.executions import Execution
from schema.finding import ActionMatch, BusinessProfileInput, IntegrationRecommendation
from schema.grants import Grant
from schema.history import AuditEvent
from schema.inputs import CreateGrantInput, ExecuteInput
from schema.mutation import execution_request, new_grant
from schema.node import Node
from schema.pages import Counted, Stream, counted, cut, id_cursor, id_in, name_cursor, stream
from schema.plans import ExecutionPlan, GrantPreview
from schema.scalars import (
    After,
    ApprovalStatus,
    ConnectionStatus,
    Effect,
    ExecutionStatus,
    First,
    IntegrationCategory,
    Search,
    UsageDimension,
    UsageInterval,
)
from schema.tools import ToolDefinition, tool_definitions
from schema.usage import UsageBucket, UsageShare
from schema.webhooks import Webhook, WebhookQuery

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
_WithApproval = Annotated[
    ApprovalStatus | None, strawberry.argument(description="Only those that stand so; null for all.")
]
_AsAgent = Annotated[strawberry.ID | None, strawberry.argument(description="Decide as for this agent. For admins.")]
_Words = Annotated[str, strawberry.argument(description="What is to be done, in your own words.")]
_Best = Annotated[int | None, strawberry.argument(description="How many at most, 1 to 50; null means 10.")]
_profile = strawberry.argument(description="What the business says about itself.")
_input = strawberry.argument(description="As for the mutation.")
_Since = Annotated[datetime | None, strawberry.argument(description="Not before this moment.")]
_Until = Annotated[datetime | None, strawberry.argument(description="Before this moment.")]
_From = Annotated[datetime, strawberry.argument(description="Not before this moment.")]
_UntilOrNow = Annotated[datetime | None, strawberry.argument(description="Before this moment; now without it.")]
_Interval = Annotated[UsageInterval | None, strawberry.argument(description="How long a bucket is.")]
_By = Annotated[UsageDimension, strawberry.argument(description="What to tell apart.")]


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
class Query(AlertQuery, WebhookQuery):
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

    @strawberry.field(description='Business language in, actions out: "deploy my app". What the viewer may do first.')
    async def search_actions(self, info: Info, query: _Words, first: _Best = 10) -> list[ActionMatch]:
        """Ranked in memory; one round trip for each service that was found."""
        context = info.context
        found = await searching.search_actions(
            context.services, context.caller, query, 10 if first is None else first, context.loaders.standings.load_many
        )
        return [ActionMatch.of(each) for each in found]

    @strawberry.field(description="Which services a business needs, and why.")
    def recommend_integrations(
        self, info: Info, profile: Annotated[BusinessProfileInput, _profile]
    ) -> list[IntegrationRecommendation]:
        """From memory."""
        found = recommending.recommend_integrations(info.context.services, info.context.caller, profile.profile())
        return [IntegrationRecommendation.of(each) for each in found]

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

    tool_definitions: list[ToolDefinition] = strawberry.field(
        resolver=tool_definitions, description="What the viewer may run now, in the shape that a model's vendor takes."
    )

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

    @strawberry.field(description="What waits, or waited, for a person's yes, newest first.")
    async def approvals(
        self, info: Info, first: First = 50, after: After = None, status: _WithApproval = ApprovalStatus.PENDING
    ) -> Stream[Approval]:
        """An agent sees those of its own executions. null asks for all of them."""
        page = await approvals.approvals(
            info.context.services, info.context.caller, page_size(first), id_in(after), status
        )
        return stream(page, Approval.of, lambda each: id_cursor(each.id))

    @strawberry.field(
        description="What `execute` would do, without doing it. As oneself, or for an admin as one of the agents: the "
        'answer to "why not?".'
    )
    async def plan_execution(
        self, info: Info, input: Annotated[ExecuteInput, _input], agent: _AsAgent = None
    ) -> ExecutionPlan:
        """No call leaves the gateway."""
        plan = await executions.plan_execution(
            info.context.services,
            info.context.caller,
            execution_request(input, None),
            read_id(Kind.AGENT, agent, "agent") if agent else None,
        )
        return ExecutionPlan.of(plan)

    @strawberry.field(description="What a grant would allow, before it is made, and why not the rest.")
    async def preview_grant(self, info: Info, input: Annotated[CreateGrantInput, _input]) -> GrantPreview:
        """For admins."""
        return GrantPreview.of(await grants.preview_grant(info.context.services, info.context.caller, new_grant(input)))

    @strawberry.field(
        description="How much was executed, by hour or day of UTC, oldest first. Each execution counts where it ended, "
        "as it ended; hours and days without any are there too. Those at either end may be cut."
    )
    async def usage(
        self,
        info: Info,
        since: _From,
        until: _UntilOrNow = None,
        interval: _Interval = UsageInterval.DAY,
        integration: OfIntegration = None,
        agent: OfAgent = None,
    ) -> list[UsageBucket]:
        """One statement."""
        found = await figures.usage(
            info.context.services,
            info.context.caller,
            since,
            until,
            interval or UsageInterval.DAY,
            integration,
            read_id(Kind.AGENT, agent, "agent") if agent else None,
        )
        return [UsageBucket.of(each) for each in found]

    @strawberry.field(description="Whose executions they were: the largest shares first. At most 366 days at once.")
    async def usage_breakdown(
        self, info: Info, by: _By, since: _From, until: _UntilOrNow = None, first: First = 20
    ) -> list[UsageShare]:
        """One statement."""
        found = await figures.usage_breakdown(
            info.context.services,
            info.context.caller,
            by,
            since,
            until,
            page_size(first),
        )
        return [UsageShare.of(each) for each in found]

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


async def _approval(services: Services, caller: Caller, text: str) -> Node | None:
    [found] = await approvals.by_ids(services, caller, [read_id(Kind.APPROVAL, text)])
    return Approval.of(found) if found else None


async def _session(services: Services, caller: Caller, text: str) -> Node | None:
    found = await things.session(services, caller, read_id(Kind.CONNECT_SESSION, text))
    return ConnectSession.of(found) if found else None


async def _event(services: Services, caller: Caller, text: str) -> Node | None:
    found = await history.event(services, caller, read_id(Kind.EVENT, text))
    return AuditEvent.of(found) if found else None


async def _alert(services: Services, caller: Caller, text: str) -> Node | None:
    [found] = await alerts.by_ids(services, caller, [read_id(Kind.ALERT, text)])
    return Alert.of(found) if found else None


async def _webhook(services: Services, caller: Caller, text: str) -> Node | None:
    found = await webhooks.webhook(services, caller, read_id(Kind.WEBHOOK, text))
    return Webhook.of(found) if found else None


_FINDERS: dict[Kind, Callable[[Services, Caller, str], Awaitable[Node | None]]] = {
    Kind.AGENT: _agent,
    Kind.CONNECTION: _connection,
    Kind.GRANT: _grant,
    Kind.EXECUTION: _execution,
    Kind.APPROVAL: _approval,
    Kind.CONNECT_SESSION: _session,
    Kind.EVENT: _event,
    Kind.ALERT: _alert,
    Kind.WEBHOOK: _webhook,
}
