"""Acting. Every mutation takes one input and answers with what it did, or with why not."""

from typing import Annotated, cast

import strawberry

from domain.connections import Connection as ConnectionNoun
from domain.connections import ConnectionChanges
from domain.errors import InvalidInput, Refusal
from domain.executions import ExecutionMode
from domain.grants import ApprovalPolicy, Budget, PermissionLevel
from domain.ids import Kind, read_id
from domain.json import Json
from domain.secrets import Secret
from resolvers import (
    agents,
    applications,
    approvals,
    catalogue,
    connect_tokens,
    connections,
    executions,
    grants,
    standing,
)
from schema.agents import Agent, AgentToken
from schema.alerts import AlertMutation
from schema.applications import SetAuthConfigInput, SetAuthConfigPayload
from schema.approvals import Approval
from schema.catalogue import AuthConfig, Integration
from schema.connections import Connection, ConnectSession
from schema.context import Info
from schema.errors import error_of, provider_refused
from schema.executions import Execution
from schema.grants import Grant
from schema.inputs import (
    BudgetInput,
    CancelExecutionInput,
    ConnectInput,
    CreateAgentInput,
    CreateAgentTokenInput,
    CreateConnectTokenInput,
    CreateGrantInput,
    CreateStandingApprovalInput,
    DecideApprovalInput,
    DisconnectInput,
    ExecuteBatchInput,
    ExecuteInput,
    ResolveExecutionInput,
    RevokeAgentTokenInput,
    RevokeGrantInput,
    RevokeStandingApprovalInput,
    RotateAgentTokenInput,
    SetAgentFrozenInput,
    SetGrantSuspendedInput,
    SetIntegrationEnabledInput,
    SetTenantFrozenInput,
    TestConnectionInput,
    UpdateConnectionInput,
    UpdateGrantInput,
)
from schema.payloads import (
    CancelExecutionPayload,
    ConnectPayload,
    CreateAgentPayload,
    CreateAgentTokenPayload,
    CreateConnectTokenPayload,
    CreateGrantPayload,
    CreateStandingApprovalPayload,
    DecideApprovalPayload,
    DisconnectPayload,
    ExecuteBatchPayload,
    ExecutePayload,
    ResolveExecutionPayload,
    RevokeAgentTokenPayload,
    RevokeGrantPayload,
    RevokeStandingApprovalPayload,
    RotateAgentTokenPayload,
    SetAgentFrozenPayload,
    SetGrantSuspendedPayload,
    SetIntegrationEnabledPayload,
    SetTenantFrozenPayload,
    TestConnectionPayload,
    UpdateConnectionPayload,
    UpdateGrantPayload,
)
from schema.refusing import refusing as _refusing
from schema.standing import StandingApproval
from schema.tools import ExecuteToolPayload, execute_tool
from schema.webhooks import WebhookMutation

_input = strawberry.argument(description="Everything it needs.")


@strawberry.type(description="Acting.")
class Mutation(AlertMutation, WebhookMutation):
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
        description="Bring the tenant's own OAuth application. The secret is write-only. Connections that are there "
        "keep the application they were made with. For admins."
    )
    @_refusing(SetAuthConfigPayload)
    async def set_auth_config(self, info: Info, input: Annotated[SetAuthConfigInput, _input]) -> SetAuthConfigPayload:
        """Holds for connections made from now on."""
        found = await applications.set_auth_config(
            info.context.services, info.context.caller, input.integration, input.client_id, Secret(input.client_secret)
        )
        return SetAuthConfigPayload(auth_config=AuthConfig.of(found))

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

    @strawberry.mutation(
        description="For another front end: a short-lived token that lets one person connect one account, without a "
        "caller's token in the browser."
    )
    @_refusing(CreateConnectTokenPayload)
    async def create_connect_token(
        self, info: Info, input: Annotated[CreateConnectTokenInput, _input]
    ) -> CreateConnectTokenPayload:
        """Ask for it on your server; it is shown once."""
        wanted = connect_tokens.NewConnectToken(
            external_user_id=input.external_user_id,
            integrations=input.integrations,
            actions=input.actions,
            allowed_origins=input.allowed_origins,
            redirect_uri=input.redirect_uri,
            expires_in_seconds=600 if input.expires_in_seconds is None else input.expires_in_seconds,
        )
        made = await connect_tokens.create_connect_token(info.context.services, info.context.caller, wanted)
        return CreateConnectTokenPayload(token=made.text.reveal(), connect_url=made.url, expires_at=made.expires_at)

    @strawberry.mutation(description="Name a connection, make it the default, stop or resume its use. For admins.")
    @_refusing(UpdateConnectionPayload)
    async def update_connection(
        self, info: Info, input: Annotated[UpdateConnectionInput, _input]
    ) -> UpdateConnectionPayload:
        """Holds from the next execution on."""
        changes = ConnectionChanges(
            label=None if input.label is strawberry.UNSET else input.label,
            takes_label_away=input.label is None,
            is_default=input.is_default,
            is_enabled=input.is_enabled,
        )
        connection_id = read_id(Kind.CONNECTION, input.id, "input", "id")
        changed = await connections.update_connection(
            info.context.services, info.context.caller, connection_id, changes
        )
        return UpdateConnectionPayload(connection=Connection.of(changed))

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

    @strawberry.mutation(description="Say yes beforehand to the next few executions of one action under one grant.")
    @_refusing(CreateStandingApprovalPayload)
    async def create_standing_approval(
        self, info: Info, input: Annotated[CreateStandingApprovalInput, _input]
    ) -> CreateStandingApprovalPayload:
        """For admins; agents never."""
        wish = standing.Wish(
            grant_id=read_id(Kind.GRANT, input.grant, "input", "grant"),
            action=input.action,
            conditions=cast(Json, input.conditions),
            max_uses=input.max_uses,
            expires_at=input.expires_at,
        )
        made = await standing.create_standing_approval(info.context.services, info.context.caller, wish)
        return CreateStandingApprovalPayload(standing_approval=StandingApproval.of(made))

    @strawberry.mutation(description="Take a yes back that was given beforehand; what it has let through goes on.")
    @_refusing(RevokeStandingApprovalPayload)
    async def revoke_standing_approval(
        self, info: Info, input: Annotated[RevokeStandingApprovalInput, _input]
    ) -> RevokeStandingApprovalPayload:
        """For admins."""
        id = read_id(Kind.STANDING_APPROVAL, input.id, "input", "id")
        ended = await standing.revoke_standing_approval(info.context.services, info.context.caller, id)
        return RevokeStandingApprovalPayload(standing_approval=StandingApproval.of(ended))

    @strawberry.mutation(description="A new key in place of another one, which works on for `graceSeconds`.")
    @_refusing(RotateAgentTokenPayload)
    async def rotate_agent_token(
        self, info: Info, input: Annotated[RotateAgentTokenInput, _input]
    ) -> RotateAgentTokenPayload:
        """For admins."""
        token_id = read_id(Kind.AGENT_TOKEN, input.id, "input", "id")
        issued = await agents.rotate_agent_token(
            info.context.services, info.context.caller, token_id, input.grace_seconds or 0
        )
        return RotateAgentTokenPayload(token=issued.text.reveal(), agent_token=AgentToken.of(issued.token))

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
        agent, ended = await agents.set_agent_frozen(
            info.context.services, info.context.caller, agent_id, is_frozen=input.is_frozen
        )
        return SetAgentFrozenPayload(agent=Agent.of(agent), cancelled_executions=len(ended))

    @strawberry.mutation(description="Stop everything: nobody of the tenant executes anything until it is lifted.")
    @_refusing(SetTenantFrozenPayload)
    async def set_tenant_frozen(
        self, info: Info, input: Annotated[SetTenantFrozenInput, _input]
    ) -> SetTenantFrozenPayload:
        """Says what it called off, and what was under way and could not be."""
        done = await agents.set_tenant_frozen(
            info.context.services, info.context.caller, is_frozen=input.is_frozen, reason=input.reason
        )
        return SetTenantFrozenPayload(
            is_frozen=done.is_frozen, cancelled_executions=done.cancelled, running_executions=done.running
        )

    @strawberry.mutation(description="Let an agent use a connection, up to a level.")
    @_refusing(CreateGrantPayload)
    async def create_grant(self, info: Info, input: Annotated[CreateGrantInput, _input]) -> CreateGrantPayload:
        """For admins."""
        made = await grants.create_grant(info.context.services, info.context.caller, new_grant(input))
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
            approval=input.approval,
            constraints=None if input.constraints is strawberry.UNSET else cast(Json, input.constraints),
            lifts_constraints=input.constraints is None,
            budget=_budget(input.budget) if input.budget else None,
            lifts_budget=input.budget is None,
            pins_definitions=input.pin_definitions,
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

    @strawberry.mutation(description="Let a grant allow nothing for a while, or let it hold again.")
    @_refusing(SetGrantSuspendedPayload)
    async def set_grant_suspended(
        self, info: Info, input: Annotated[SetGrantSuspendedInput, _input]
    ) -> SetGrantSuspendedPayload:
        """What waits under it is called off."""
        grant_id = read_id(Kind.GRANT, input.id, "input", "id")
        changed = await grants.set_grant_suspended(
            info.context.services, info.context.caller, grant_id, is_suspended=input.is_suspended
        )
        return SetGrantSuspendedPayload(grant=Grant.of(changed))

    @strawberry.mutation(description="Run one action of a connected account.")
    @_refusing(ExecutePayload)
    async def execute(self, info: Info, input: Annotated[ExecuteInput, _input]) -> ExecutePayload:
        """Answers with the finished execution, or with one that waits: `mode` and the grant's `approval` decide."""
        request = execution_request(input, info.context.idempotency_key)
        execution = await executions.execute(info.context.services, info.context.caller, request)
        return ExecutePayload(execution=Execution.of(execution))

    @strawberry.mutation(description="Run up to a hundred actions at once, each with its own fate.")
    @_refusing(ExecuteBatchPayload)
    async def execute_batch(self, info: Info, input: Annotated[ExecuteBatchInput, _input]) -> ExecuteBatchPayload:
        """In the order given."""
        requests = [execution_request(each, None) for each in input.executions]
        done = await executions.execute_batch(info.context.services, info.context.caller, requests)
        results = [
            ExecutePayload(errors=[error_of(each)])
            if isinstance(each, Refusal)
            else ExecutePayload(execution=Execution.of(each))
            for each in done
        ]
        return ExecuteBatchPayload(results=results)

    execute_tool: ExecuteToolPayload = strawberry.mutation(
        resolver=execute_tool, description="Run a call as a model made it, in its vendor's shape."
    )

    @strawberry.mutation(description="Call an execution off. What was sent already cannot be called back.")
    @_refusing(CancelExecutionPayload)
    async def cancel_execution(
        self, info: Info, input: Annotated[CancelExecutionInput, _input]
    ) -> CancelExecutionPayload:
        """A running one may take a few seconds to end: follow it."""
        execution_id = read_id(Kind.EXECUTION, input.id, "input", "id")
        ended = await executions.cancel_execution(info.context.services, info.context.caller, execution_id)
        return CancelExecutionPayload(execution=Execution.of(ended))

    @strawberry.mutation(description="A person settles UNKNOWN after looking at the service. For admins.")
    @_refusing(ResolveExecutionPayload)
    async def resolve_execution(
        self, info: Info, input: Annotated[ResolveExecutionInput, _input]
    ) -> ResolveExecutionPayload:
        """`whatToCheck` says what to look for."""
        settled = await executions.resolve_execution(
            info.context.services,
            info.context.caller,
            read_id(Kind.EXECUTION, input.id, "input", "id"),
            has_happened=input.happened,
            note=input.note,
        )
        return ResolveExecutionPayload(execution=Execution.of(settled))

    @strawberry.mutation(description="Say yes or no to an execution that waits for a person. For admins, never agents.")
    @_refusing(DecideApprovalPayload)
    async def decide_approval(self, info: Info, input: Annotated[DecideApprovalInput, _input]) -> DecideApprovalPayload:
        """The yes is for exactly what `planHash` names, once."""
        decided = await approvals.decide_approval(
            info.context.services,
            info.context.caller,
            read_id(Kind.APPROVAL, input.id, "input", "id"),
            approve=input.approve,
            plan_hash=input.plan_hash,
            reason=input.reason,
        )
        return DecideApprovalPayload(approval=Approval.of(decided))


def execution_request(given: ExecuteInput, key_header: str | None) -> executions.Request:
    """What is asked, from its input. Raises a Refusal for what cannot be meant."""
    connection = given.connection
    return executions.Request(
        action=given.action,
        parameters=cast(Json, given.parameters),
        connection_id=read_id(Kind.CONNECTION, connection, "input", "connection") if connection else None,
        idempotency_key=_one_key(given.idempotency_key, key_header),
        deadline_seconds=given.deadline_seconds,
        mode=given.mode or ExecutionMode.WAIT,
        plan_hash=given.plan_hash,
    )


def new_grant(given: CreateGrantInput) -> grants.NewGrant:
    """What is to be granted, from its input."""
    return grants.NewGrant(
        agent_id=read_id(Kind.AGENT, given.agent, "input", "agent"),
        connection_id=read_id(Kind.CONNECTION, given.connection, "input", "connection"),
        permission_level=given.permission_level or PermissionLevel.READ_ONLY,
        allowed_actions=given.allowed_actions,
        expires_at=given.expires_at,
        approval=given.approval or ApprovalPolicy.DESTRUCTIVE,
        constraints=cast(Json, given.constraints),
        budget=_budget(given.budget) if given.budget else Budget(),
        pins_definitions=given.pin_definitions,
    )


def _budget(given: BudgetInput) -> Budget:
    return Budget(given.max_executions, given.per_day)


def _one_key(given: str | None, header: str | None) -> str | None:
    """The input field and the header are the same thing, so they may not differ."""
    if given is not None and header is not None and given != header:
        message = "The `Idempotency-Key` header and `idempotencyKey` differ. Send one of them."
        raise InvalidInput(message, ("input", "idempotencyKey"))
    return given if given is not None else header
