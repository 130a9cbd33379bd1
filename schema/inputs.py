"""What mutations take: one input each."""

from datetime import datetime

import strawberry

from schema.scalars import JSON, ApprovalPolicy, AuthScheme, ExecutionMode, PermissionLevel


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


@strawberry.input(description="What somebody may connect on the connect page, and how that page may be used.")
class CreateConnectTokenInput:
    """For createConnectToken."""

    external_user_id: str = strawberry.field(description="Whose account it will be, in the application that asks.")
    integrations: list[str] | None = strawberry.field(
        description="Offer these, by slug. Without: those of `actions`, else all that the tenant offers.", default=None
    )
    actions: list[str] | None = strawberry.field(
        description="Ask the service only for what these actions need. Without: what reading needs.", default=None
    )
    allowed_origins: list[str] = strawberry.field(
        description="Whose pages may embed the connect page; each must be on the operator's list.", default_factory=list
    )
    redirect_uri: str | None = strawberry.field(
        description="Where the person goes from the hosted page; must be on the allow-list.", default=None
    )
    expires_in_seconds: int | None = strawberry.field(description="60 to 14,400.", default=600)


@strawberry.input(description="What to change about a connection; what is not given stays.")
class UpdateConnectionInput:
    """For updateConnection."""

    id: strawberry.ID = strawberry.field(description="The connection.")
    label: str | None = strawberry.field(description="A name for people; null takes it away.", default=strawberry.UNSET)
    is_default: bool | None = strawberry.field(
        description="Used when an execution could use several and names none; there is one for each integration.",
        default=None,
    )
    is_enabled: bool | None = strawberry.field(
        description="False stops every use of it (DISABLED) and keeps its credential; true resumes.", default=None
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


@strawberry.input(description="Which key to replace, and how long the old one works on.")
class RotateAgentTokenInput:
    """For rotateAgentToken."""

    id: strawberry.ID = strawberry.field(description="The key.")
    grace_seconds: int | None = strawberry.field(
        description="The old key works on for so long, at most a week; without it, no longer.", default=0
    )


@strawberry.input(description="Which key to end.")
class RevokeAgentTokenInput:
    """For revokeAgentToken."""

    id: strawberry.ID = strawberry.field(description="The key.")


@strawberry.input(description="Which agent, and whether it may act.")
class SetAgentFrozenInput:
    """For setAgentFrozen."""

    id: strawberry.ID = strawberry.field(description="The agent.")
    is_frozen: bool = strawberry.field(description="Freeze it, or let it act again.")


@strawberry.input(description="Stop everything for the tenant, or lift that.")
class SetTenantFrozenInput:
    """For setTenantFrozen."""

    is_frozen: bool = strawberry.field(description="Freeze, or let everybody act again.")
    reason: str | None = strawberry.field(description="Why; it is kept in history.", default=None)


@strawberry.input(description="How often a grant may be used.")
class BudgetInput:
    """For createGrant and updateGrant."""

    max_executions: int | None = strawberry.field(description="In all; without it, no limit.", default=None)
    per_day: int | None = strawberry.field(description="Per day of UTC; without it, no limit.", default=None)


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
    approval: ApprovalPolicy | None = strawberry.field(
        description="From which effect on a person must approve each execution.", default=ApprovalPolicy.DESTRUCTIVE
    )
    constraints: JSON | None = strawberry.field(
        description="JSON Schemas by action name or pattern that the parameters must also satisfy.", default=None
    )
    budget: BudgetInput | None = strawberry.field(description="How often it may be used.", default=None)
    pin_definitions: bool = strawberry.field(
        description="Hold only for the actions as they are defined now: a changed one is refused until confirmed.",
        default=False,
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
    approval: ApprovalPolicy | None = strawberry.field(
        description="From which effect on a person must approve each execution.", default=None
    )
    constraints: JSON | None = strawberry.field(
        description="JSON Schemas by action name or pattern; null takes them away.", default=strawberry.UNSET
    )
    budget: BudgetInput | None = strawberry.field(
        description="How often it may be used; null takes the limit away. What was counted stays counted.",
        default=strawberry.UNSET,
    )
    pin_definitions: bool | None = strawberry.field(
        description="true confirms the actions as they are defined now; false lets definitions change.", default=None
    )
    expires_at: datetime | None = strawberry.field(
        description="When it ends; null takes the end away.", default=strawberry.UNSET
    )


@strawberry.input(description="Which grant, and whether it is to allow anything.")
class SetGrantSuspendedInput:
    """For setGrantSuspended."""

    id: strawberry.ID = strawberry.field(description="The grant.")
    is_suspended: bool = strawberry.field(description="Suspend it, or let it hold again.")


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
        description="Give up after so many seconds: 1 to 300, 30 without it; in the background up to 86,400, an hour "
        "without it.",
        default=None,
    )
    plan_hash: str | None = strawberry.field(
        description="Run exactly the plan with this hash, from `planExecution`, or refuse.", default=None
    )


@strawberry.input(description="What to run, all at once.")
class ExecuteBatchInput:
    """For executeBatch."""

    executions: list[ExecuteInput] = strawberry.field(description="1 to 100; each has its own fate.")


@strawberry.input(description="Which execution to call off.")
class CancelExecutionInput:
    """For cancelExecution."""

    id: strawberry.ID = strawberry.field(description="The execution.")


@strawberry.input(description="What became of an execution that is UNKNOWN.")
class ResolveExecutionInput:
    """For resolveExecution."""

    id: strawberry.ID = strawberry.field(description="The execution.")
    happened: bool = strawberry.field(description="Whether you found its effect at the service.")
    note: str | None = strawberry.field(description="What you saw; it is kept in history.", default=None)


@strawberry.input(description="A person's yes or no.")
class DecideApprovalInput:
    """For decideApproval."""

    id: strawberry.ID = strawberry.field(description="The approval.")
    approve: bool = strawberry.field(description="Yes, or no.")
    plan_hash: str = strawberry.field(description="What you were shown: the yes is for exactly that.")
    reason: str | None = strawberry.field(description="Why; it is kept in history.", default=None)


@strawberry.input(description="A yes beforehand: to what, under which grant, how often, until when.")
class CreateStandingApprovalInput:
    """For createStandingApproval."""

    grant: strawberry.ID = strawberry.field(description="The grant; no other agent or account is meant.")
    action: str = strawberry.field(description="Qualified name. No pattern: one action.")
    conditions: JSON | None = strawberry.field(
        description="A JSON Schema that the parameters must satisfy; without it, all are meant.", default=None
    )
    max_uses: int = strawberry.field(description="To how many executions it says yes, 1 to 1000.")
    expires_at: datetime = strawberry.field(description="When it ends, at most 90 days from now.")


@strawberry.input(description="Which yes to take back.")
class RevokeStandingApprovalInput:
    """For revokeStandingApproval."""

    id: strawberry.ID = strawberry.field(description="The standing approval.")
