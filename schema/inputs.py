"""What mutations take: one input each."""

from datetime import datetime

import strawberry

from schema.scalars import JSON, AuthScheme, ExecutionMode, PermissionLevel


@strawberry.input(description="Which integration, and whether the tenant offers it.")
class SetIntegrationEnabledInput:
    """For setIntegrationEnabled."""

    slug: str = strawberry.field(description="The integration.")
    is_enabled: bool = strawberry.field(description="Offer it, or stop.")


@strawberry.input(description="What to connect, and how.")
class ConnectInput:
    """For connect."""

    integration: str = strawberry.field(description="The integration, by slug.")
    auth_scheme: AuthScheme | None = strawberry.field(
        description="How. Without it: by key when `credentials` are given, else the integration's first way.",
        default=None,
    )
    credentials: JSON | None = strawberry.field(description="Write-only. Shaped by `credentialSchema`.", default=None)
    actions: list[str] | None = strawberry.field(
        description="Ask only for what these actions need. Without `actions` and `scopes`: what reading needs.",
        default=None,
    )
    scopes: list[str] | None = strawberry.field(description="Ask for these permissions too.", default=None)
    connection: strawberry.ID | None = strawberry.field(
        description="Renew this connection instead of making a new one.", default=None
    )
    label: str | None = strawberry.field(description="A name for people.", default=None)
    external_user_id: str | None = strawberry.field(
        description="Whose it is in the application that embeds Mandate.", default=None
    )
    redirect_uri: str | None = strawberry.field(
        description="Where the browser goes afterwards; must be on the allow-list.", default=None
    )


@strawberry.input(description="Which connection to test.")
class TestConnectionInput:
    """For testConnection."""

    id: strawberry.ID = strawberry.field(description="The connection.")


@strawberry.input(description="Which connection to end.")
class DisconnectInput:
    """For disconnect."""

    id: strawberry.ID = strawberry.field(description="The connection.")


@strawberry.input(description="A new agent.")
class CreateAgentInput:
    """For createAgent."""

    name: str = strawberry.field(description="For people, 1 to 100 characters.")
    description: str | None = strawberry.field(description="What it is for.", default=None)


@strawberry.input(description="Whose key, and until when.")
class CreateAgentTokenInput:
    """For createAgentToken."""

    agent: strawberry.ID = strawberry.field(description="The agent.")
    expires_at: datetime | None = strawberry.field(description="When it ends; without it, it does not.", default=None)


@strawberry.input(description="Which key to end.")
class RevokeAgentTokenInput:
    """For revokeAgentToken."""

    id: strawberry.ID = strawberry.field(description="The key.")


@strawberry.input(description="Which agent, and whether it may act.")
class SetAgentFrozenInput:
    """For setAgentFrozen."""

    id: strawberry.ID = strawberry.field(description="The agent.")
    is_frozen: bool = strawberry.field(description="Freeze it, or let it act again.")


@strawberry.input(description="What an agent may do with a connection.")
class CreateGrantInput:
    """For createGrant."""

    agent: strawberry.ID = strawberry.field(description="Who may act.")
    connection: strawberry.ID = strawberry.field(description="With which account.")
    permission_level: PermissionLevel | None = strawberry.field(
        description="The highest effect it allows.", default=PermissionLevel.READ_ONLY
    )
    allowed_actions: list[str] = strawberry.field(
        description="Qualified names or patterns (`github.*`). Empty means every action the level allows.",
        default_factory=list,
    )
    expires_at: datetime | None = strawberry.field(description="When it ends; without it, it does not.", default=None)


@strawberry.input(description="What to change in a grant; what is not given stays.")
class UpdateGrantInput:
    """For updateGrant."""

    id: strawberry.ID = strawberry.field(description="The grant.")
    permission_level: PermissionLevel | None = strawberry.field(
        description="The highest effect it allows.", default=None
    )
    allowed_actions: list[str] | None = strawberry.field(
        description="Qualified names or patterns; empty means every action the level allows.", default=None
    )
    expires_at: datetime | None = strawberry.field(
        description="When it ends; null takes the end away.", default=strawberry.UNSET
    )


@strawberry.input(description="Which grant to take away.")
class RevokeGrantInput:
    """For revokeGrant."""

    id: strawberry.ID = strawberry.field(description="The grant.")


@strawberry.input(description="Which action to run, and with what.")
class ExecuteInput:
    """For execute."""

    action: str = strawberry.field(description='Qualified name, e.g. "github.create_issue".')
    parameters: JSON = strawberry.field(description="By the action's `parametersSchema`.")
    connection: strawberry.ID | None = strawberry.field(
        description="Needed when several connections could be used and none is the default.", default=None
    )
    idempotency_key: str | None = strawberry.field(
        description="Same key and same input: the same execution. Same key and other input: Conflict. "
        "The `Idempotency-Key` header is the same thing.",
        default=None,
    )
    mode: ExecutionMode | None = strawberry.field(description="When to answer.", default=ExecutionMode.WAIT)
    deadline_seconds: int | None = strawberry.field(
        description="Give up after so many seconds, 1 to 300; 30 without it.", default=None
    )
