"""Acting. Every mutation takes one input and answers with what it did, or with why not."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, ParamSpec, TypeVar, cast

import strawberry

from domain.connections import Connection as ConnectionNoun
from domain.errors import InvalidInput, Refusal
from domain.grants import PermissionLevel
from domain.ids import Kind, read_id
from domain.json import Json
from resolvers import agents, catalogue, connections, executions, grants
from schema.agents import Agent, AgentToken
from schema.catalogue import Integration
from schema.connections import Connection, ConnectSession
from schema.context import Info
from schema.errors import error_of, provider_refused
from schema.executions import Execution
from schema.grants import Grant
from schema.inputs import (
    ConnectInput,
    CreateAgentInput,
    CreateAgentTokenInput,
    CreateGrantInput,
    DisconnectInput,
    ExecuteInput,
    RevokeAgentTokenInput,
    RevokeGrantInput,
    SetAgentFrozenInput,
    SetIntegrationEnabledInput,
    TestConnectionInput,
    UpdateGrantInput,
)
from schema.payloads import (
    ConnectPayload,
    CreateAgentPayload,
    CreateAgentTokenPayload,
    CreateGrantPayload,
    DisconnectPayload,
    ExecutePayload,
    Payload,
    RevokeAgentTokenPayload,
    RevokeGrantPayload,
    SetAgentFrozenPayload,
    SetIntegrationEnabledPayload,
    TestConnectionPayload,
    UpdateGrantPayload,
)

P = ParamSpec("P")
Answer = TypeVar("Answer", bound=Payload)
Act = Callable[P, Awaitable[Answer]]

_input = strawberry.argument(description="Everything it needs.")


def _refusing(payload: type[Answer]) -> Callable[[Act[P, Answer]], Act[P, Answer]]:
    """A refusal becomes the payload's `errors`."""

    def decorate(act: Act[P, Answer]) -> Act[P, Answer]:
        @wraps(act)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> Answer:
            try:
                return await act(*args, **kwargs)
            except Refusal as refusal:
                return payload(errors=[error_of(refusal)])

        return answer

    return decorate


@strawberry.type(description="Acting.")
class Mutation:
    """One field per act."""

    @strawberry.mutation(description="Offer an integration to the tenant, or stop offering it. For admins.")
    @_refusing(SetIntegrationEnabledPayload)
    async def set_integration_enabled(
        self, info: Info, input: Annotated[SetIntegrationEnabledInput, _input]
    ) -> SetIntegrationEnabledPayload:
        """Holds from the next execution on."""
        found = await catalogue.set_integration_enabled(
            info.context.services, info.context.caller, input.slug, is_enabled=input.is_enabled
        )
        return SetIntegrationEnabledPayload(integration=Integration.of(found))

    @strawberry.mutation(
        description="Begin OAuth, or store an API key after testing it. With `connection`, reconnect in place."
    )
    @_refusing(ConnectPayload)
    async def connect(self, info: Info, input: Annotated[ConnectInput, _input]) -> ConnectPayload:
        """A session for OAuth, a connection for a key."""
        request = connections.ConnectRequest(
            integration=input.integration,
            auth_scheme=input.auth_scheme,
            credentials=cast(Json, input.credentials),
            actions=input.actions,
            scopes=input.scopes,
            reconnects=read_id(Kind.CONNECTION, input.connection, "input", "connection") if input.connection else None,
            label=input.label,
            external_user_id=input.external_user_id,
            redirect_uri=input.redirect_uri,
        )
        made = await connections.connect(info.context.services, info.context.caller, request)
        if isinstance(made, ConnectionNoun):
            return ConnectPayload(connection=Connection.of(made))
        return ConnectPayload(session=ConnectSession.of(made))

    @strawberry.mutation(description="Ask the service whether the credential still works.")
    @_refusing(TestConnectionPayload)
    async def test_connection(self, info: Info, input: Annotated[TestConnectionInput, _input]) -> TestConnectionPayload:
        """What the service said is recorded in the connection's health."""
        tested = await connections.test_connection(
            info.context.services, info.context.caller, read_id(Kind.CONNECTION, input.id, "input", "id")
        )
        problem = tested.problem
        return TestConnectionPayload(
            connection=Connection.of(tested.connection),
            is_healthy=problem is None,
            errors=[provider_refused(problem.message, problem, ["input", "id"])] if problem else [],
        )

    @strawberry.mutation(
        description="Take every grant away, revoke upstream, destroy the credential, keep the audit trail."
    )
    @_refusing(DisconnectPayload)
    async def disconnect(self, info: Info, input: Annotated[DisconnectInput, _input]) -> DisconnectPayload:
        """Says what the service really confirmed."""
        ended = await connections.disconnect(
            info.context.services, info.context.caller, read_id(Kind.CONNECTION, input.id, "input", "id")
        )
        return DisconnectPayload(connection=Connection.of(ended.connection), revoked_upstream=ended.is_revoked_upstream)

    @strawberry.mutation(description="A new agent. It can do nothing until it is granted something.")
    @_refusing(CreateAgentPayload)
    async def create_agent(self, info: Info, input: Annotated[CreateAgentInput, _input]) -> CreateAgentPayload:
        """For admins."""
        made = await agents.create_agent(info.context.services, info.context.caller, input.name, input.description)
        return CreateAgentPayload(agent=Agent.of(made))

    @strawberry.mutation(description="A key for an agent. The token is shown once.")
    @_refusing(CreateAgentTokenPayload)
    async def create_agent_token(
        self, info: Info, input: Annotated[CreateAgentTokenInput, _input]
    ) -> CreateAgentTokenPayload:
        """For admins."""
        agent_id = read_id(Kind.AGENT, input.agent, "input", "agent")
        issued = await agents.create_agent_token(info.context.services, info.context.caller, agent_id, input.expires_at)
        return CreateAgentTokenPayload(token=issued.text.reveal(), agent_token=AgentToken.of(issued.token))

    @strawberry.mutation(description="End a key, from the next request on.")
    @_refusing(RevokeAgentTokenPayload)
    async def revoke_agent_token(
        self, info: Info, input: Annotated[RevokeAgentTokenInput, _input]
    ) -> RevokeAgentTokenPayload:
        """Ending twice is the same as once."""
        token_id = read_id(Kind.AGENT_TOKEN, input.id, "input", "id")
        ended = await agents.revoke_agent_token(info.context.services, info.context.caller, token_id)
        return RevokeAgentTokenPayload(agent_token=AgentToken.of(ended))

    @strawberry.mutation(description="Freeze an agent, or let it act again.")
    @_refusing(SetAgentFrozenPayload)
    async def set_agent_frozen(
        self, info: Info, input: Annotated[SetAgentFrozenInput, _input]
    ) -> SetAgentFrozenPayload:
        """Holds from the next execution on."""
        agent_id = read_id(Kind.AGENT, input.id, "input", "id")
        agent = await agents.set_agent_frozen(
            info.context.services, info.context.caller, agent_id, is_frozen=input.is_frozen
        )
        return SetAgentFrozenPayload(agent=Agent.of(agent))

    @strawberry.mutation(description="Let an agent use a connection, up to a level.")
    @_refusing(CreateGrantPayload)
    async def create_grant(self, info: Info, input: Annotated[CreateGrantInput, _input]) -> CreateGrantPayload:
        """For admins."""
        wanted = grants.NewGrant(
            agent_id=read_id(Kind.AGENT, input.agent, "input", "agent"),
            connection_id=read_id(Kind.CONNECTION, input.connection, "input", "connection"),
            permission_level=input.permission_level or PermissionLevel.READ_ONLY,
            allowed_actions=input.allowed_actions,
            expires_at=input.expires_at,
        )
        made = await grants.create_grant(info.context.services, info.context.caller, wanted)
        return CreateGrantPayload(grant=Grant.of(made))

    @strawberry.mutation(description="Change a grant; what is not given stays.")
    @_refusing(UpdateGrantPayload)
    async def update_grant(self, info: Info, input: Annotated[UpdateGrantInput, _input]) -> UpdateGrantPayload:
        """Holds from the next execution on."""
        changes = grants.GrantChanges(
            permission_level=input.permission_level,
            allowed_actions=input.allowed_actions,
            expires_at=input.expires_at or None,
            lifts_expiry=input.expires_at is None,
        )
        grant_id = read_id(Kind.GRANT, input.id, "input", "id")
        changed = await grants.update_grant(info.context.services, info.context.caller, grant_id, changes)
        return UpdateGrantPayload(grant=Grant.of(changed))

    @strawberry.mutation(description="Take a grant away, from the next execution on.")
    @_refusing(RevokeGrantPayload)
    async def revoke_grant(self, info: Info, input: Annotated[RevokeGrantInput, _input]) -> RevokeGrantPayload:
        """Taking away twice is the same as once."""
        grant_id = read_id(Kind.GRANT, input.id, "input", "id")
        ended = await grants.revoke_grant(info.context.services, info.context.caller, grant_id)
        return RevokeGrantPayload(grant=Grant.of(ended))

    @strawberry.mutation(description="Run one action of a connected account.")
    @_refusing(ExecutePayload)
    async def execute(self, info: Info, input: Annotated[ExecuteInput, _input]) -> ExecutePayload:
        """Answers with the finished execution."""
        connection = input.connection
        request = executions.Request(
            action=input.action,
            parameters=cast(Json, input.parameters),
            connection_id=read_id(Kind.CONNECTION, connection, "input", "connection") if connection else None,
            idempotency_key=_one_key(input.idempotency_key, info.context.idempotency_key),
            deadline_seconds=input.deadline_seconds,
        )
        execution = await executions.execute(info.context.services, info.context.caller, request)
        return ExecutePayload(execution=Execution.of(execution))


def _one_key(given: str | None, header: str | None) -> str | None:
    """The input field and the header are the same thing, so they may not differ."""
    if given is not None and header is not None and given != header:
        message = "The `Idempotency-Key` header and `idempotencyKey` differ. Send one of them."
        raise InvalidInput(message, ("input", "idempotencyKey"))
    return given if given is not None else header
