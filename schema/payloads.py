"""What mutations answer with: what was done, or in `errors` why not."""

from datetime import datetime
from typing import Protocol, cast

import strawberry

from schema.agents import Agent, AgentToken
from schema.approvals import Approval
from schema.catalogue import Integration
from schema.connections import Connection, ConnectSession
from schema.errors import UserError
from schema.executions import Execution
from schema.grants import Grant
from schema.standing import StandingApproval

_ERRORS = "What the caller, or a person, can put right. Empty when it was done."


def errors_field() -> list[UserError]:
    """The field that every payload has."""
    return cast(list[UserError], strawberry.field(description=_ERRORS, default_factory=list))


class Payload(Protocol):
    """Every payload can say why not."""

    def __init__(self, *, errors: list[UserError]) -> None: ...


@strawberry.type(description="The integration as it is offered now.")
class SetIntegrationEnabledPayload:
    """From setIntegrationEnabled."""

    integration: Integration | None = strawberry.field(description="The integration.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="`session` for OAuth, `connection` for a key that passed its test.")
class ConnectPayload:
    """From connect."""

    session: ConnectSession | None = strawberry.field(description="Send the person to its link.", default=None)
    connection: Connection | None = strawberry.field(description="Ready to be used.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="A token for one person and one connection, and the page it opens. Shown once.")
class CreateConnectTokenPayload:
    """From createConnectToken."""

    token: str | None = strawberry.field(description="For an embedded page: give it by message.", default=None)
    connect_url: str | None = strawberry.field(description="The hosted page: link or redirect to it.", default=None)
    expires_at: datetime | None = strawberry.field(description="Until when the person can begin.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The connection as it stands now.")
class UpdateConnectionPayload:
    """From updateConnection."""

    connection: Connection | None = strawberry.field(description="The connection afterwards.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="What the test found.")
class TestConnectionPayload:
    """From testConnection."""

    connection: Connection | None = strawberry.field(description="The connection afterwards.", default=None)
    is_healthy: bool = strawberry.field(description="The service accepted the credential.", default=False)
    errors: list[UserError] = errors_field()


@strawberry.type(description="How the connection ended.")
class DisconnectPayload:
    """From disconnect."""

    connection: Connection | None = strawberry.field(description="The connection afterwards.", default=None)
    revoked_upstream: bool = strawberry.field(
        description="The service confirmed that it forgot the credential.", default=False
    )
    errors: list[UserError] = errors_field()


@strawberry.type(description="The new agent.")
class CreateAgentPayload:
    """From createAgent."""

    agent: Agent | None = strawberry.field(description="The agent.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The new key, shown once.")
class CreateAgentTokenPayload:
    """From createAgentToken."""

    token: str | None = strawberry.field(
        description="The key itself. It is not kept and never shown again.", default=None
    )
    agent_token: AgentToken | None = strawberry.field(description="What is kept of it.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The new key.")
class RotateAgentTokenPayload:
    """From rotateAgentToken."""

    token: str | None = strawberry.field(
        description="The key itself. It is not kept and never shown again.", default=None
    )
    agent_token: AgentToken | None = strawberry.field(description="What is kept of it.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The key that ended.")
class RevokeAgentTokenPayload:
    """From revokeAgentToken."""

    agent_token: AgentToken | None = strawberry.field(description="What is kept of it.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The agent as it stands now.")
class SetAgentFrozenPayload:
    """From setAgentFrozen."""

    agent: Agent | None = strawberry.field(description="The agent.", default=None)
    cancelled_executions: int = strawberry.field(description="How many waited, and were called off.", default=0)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The new grant.")
class CreateGrantPayload:
    """From createGrant."""

    grant: Grant | None = strawberry.field(description="The grant.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The grant as it stands now.")
class UpdateGrantPayload:
    """From updateGrant."""

    grant: Grant | None = strawberry.field(description="The grant.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The grant as it stands now.")
class SetGrantSuspendedPayload:
    """From setGrantSuspended."""

    grant: Grant | None = strawberry.field(description="The grant.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="What freezing did.")
class SetTenantFrozenPayload:
    """From setTenantFrozen."""

    is_frozen: bool = strawberry.field(description="Whether the tenant is frozen now.", default=False)
    cancelled_executions: int = strawberry.field(description="How many waited, and were called off.", default=0)
    running_executions: int = strawberry.field(
        description="How many were under way: what they had sent cannot be called back.", default=0
    )
    errors: list[UserError] = errors_field()


@strawberry.type(description="The grant that was taken away.")
class RevokeGrantPayload:
    """From revokeGrant."""

    grant: Grant | None = strawberry.field(description="The grant.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The execution, or why there is none.")
class ExecutePayload:
    """From execute."""

    execution: Execution | None = strawberry.field(description="The run, when it was admitted.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="What became of each, in the order given.")
class ExecuteBatchPayload:
    """From executeBatch."""

    results: list[ExecutePayload] = strawberry.field(description="One for each.", default_factory=list)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The execution as it stands now.")
class CancelExecutionPayload:
    """From cancelExecution."""

    execution: Execution | None = strawberry.field(description="The execution.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The execution as it stands now.")
class ResolveExecutionPayload:
    """From resolveExecution."""

    execution: Execution | None = strawberry.field(description="The execution.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The approval as it stands now.")
class DecideApprovalPayload:
    """From decideApproval."""

    approval: Approval | None = strawberry.field(description="The approval.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The new standing approval.")
class CreateStandingApprovalPayload:
    """From createStandingApproval."""

    standing_approval: StandingApproval | None = strawberry.field(description="As it stands.", default=None)
    errors: list[UserError] = errors_field()


@strawberry.type(description="The standing approval that ended.")
class RevokeStandingApprovalPayload:
    """From revokeStandingApproval."""

    standing_approval: StandingApproval | None = strawberry.field(description="As it stands.", default=None)
    errors: list[UserError] = errors_field()
