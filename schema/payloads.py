"""What mutations answer with: what was done, or in `errors` why not."""

from typing import Protocol, cast

import strawberry

from schema.agents import Agent, AgentToken
from schema.catalogue import Integration
from schema.connections import Connection, ConnectSession
from schema.errors import UserError
from schema.executions import Execution
from schema.grants import Grant

_ERRORS = "What the caller, or a person, can put right. Empty when it was done."


def _errors() -> list[UserError]:
    return cast(list[UserError], strawberry.field(description=_ERRORS, default_factory=list))


class Payload(Protocol):
    """Every payload can say why not."""

    def __init__(self, *, errors: list[UserError]) -> None: ...


@strawberry.type(description="The integration as it is offered now.")
class SetIntegrationEnabledPayload:
    """From setIntegrationEnabled."""

    integration: Integration | None = strawberry.field(description="The integration.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="`session` for OAuth, `connection` for a key that passed its test.")
class ConnectPayload:
    """From connect."""

    session: ConnectSession | None = strawberry.field(description="Send the person to its link.", default=None)
    connection: Connection | None = strawberry.field(description="Ready to be used.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="What the test found.")
class TestConnectionPayload:
    """From testConnection."""

    connection: Connection | None = strawberry.field(description="The connection afterwards.", default=None)
    is_healthy: bool = strawberry.field(description="The service accepted the credential.", default=False)
    errors: list[UserError] = _errors()


@strawberry.type(description="How the connection ended.")
class DisconnectPayload:
    """From disconnect."""

    connection: Connection | None = strawberry.field(description="The connection afterwards.", default=None)
    revoked_upstream: bool = strawberry.field(
        description="The service confirmed that it forgot the credential.", default=False
    )
    errors: list[UserError] = _errors()


@strawberry.type(description="The new agent.")
class CreateAgentPayload:
    """From createAgent."""

    agent: Agent | None = strawberry.field(description="The agent.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="The new key, shown once.")
class CreateAgentTokenPayload:
    """From createAgentToken."""

    token: str | None = strawberry.field(
        description="The key itself. It is not kept and never shown again.", default=None
    )
    agent_token: AgentToken | None = strawberry.field(description="What is kept of it.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="The key that ended.")
class RevokeAgentTokenPayload:
    """From revokeAgentToken."""

    agent_token: AgentToken | None = strawberry.field(description="What is kept of it.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="The agent as it stands now.")
class SetAgentFrozenPayload:
    """From setAgentFrozen."""

    agent: Agent | None = strawberry.field(description="The agent.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="The new grant.")
class CreateGrantPayload:
    """From createGrant."""

    grant: Grant | None = strawberry.field(description="The grant.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="The grant as it stands now.")
class UpdateGrantPayload:
    """From updateGrant."""

    grant: Grant | None = strawberry.field(description="The grant.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="The grant that was taken away.")
class RevokeGrantPayload:
    """From revokeGrant."""

    grant: Grant | None = strawberry.field(description="The grant.", default=None)
    errors: list[UserError] = _errors()


@strawberry.type(description="The execution, or why there is none.")
class ExecutePayload:
    """From execute."""

    execution: Execution | None = strawberry.field(description="The run, when it was admitted.", default=None)
    errors: list[UserError] = _errors()
