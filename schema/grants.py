"""Grants, and the checks of a decision."""

from datetime import UTC, datetime, timedelta

import strawberry

from domain import grants as domain
from domain.ids import Kind, public_id
from resolvers import grants
from schema.agents import Agent
from schema.catalogue import Action
from schema.connections import Connection
from schema.context import Info
from schema.loaders import there
from schema.node import Node
from schema.scalars import JSON, ApprovalPolicy, GrantStatus, PermissionLevel
from schema.standing import StandingApproval


@strawberry.type(description="How often a grant may be used.")
class Budget:
    """Built from the grant and what was taken."""

    max_executions: int | None = strawberry.field(description="In all; null when that is not limited.")
    per_day: int | None = strawberry.field(description="Per day of UTC; null when that is not limited.")
    remaining: int | None = strawberry.field(description="How often it may still be used now.")
    resets_at: datetime | None = strawberry.field(description="When the day's part comes back.")


def _budget(budget: domain.Budget, spent: domain.Spent) -> Budget:
    left = [
        max(most - used, 0)
        for most, used in ((budget.max_executions, spent.in_all), (budget.per_day, spent.today))
        if most is not None
    ]
    midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return Budget(
        max_executions=budget.max_executions,
        per_day=budget.per_day,
        remaining=min(left),
        resets_at=midnight if budget.per_day is not None else None,
    )


@strawberry.type(description="What one agent may do with one connection. Nothing is allowed without one.")
class Grant(Node):
    """Built from a row."""

    noun: strawberry.Private[domain.Grant]
    status: GrantStatus = strawberry.field(description="Whether it is in force.")
    permission_level: PermissionLevel = strawberry.field(description="The highest effect it allows.")
    allowed_actions: list[str] = strawberry.field(
        description="Qualified names or patterns (`github.*`). Empty means every action the level allows."
    )
    expires_at: datetime | None = strawberry.field(description="When it ends; null when it does not.")
    approval: ApprovalPolicy = strawberry.field(
        description="From which effect on a person must approve each execution."
    )
    constraints: JSON | None = strawberry.field(
        description="Argument conditions: JSON Schemas by action name or pattern that the parameters must also satisfy."
    )
    is_pinned: bool = strawberry.field(
        description="Whether it holds only for the definitions of the actions as a person last confirmed them."
    )
    created_at: datetime = strawberry.field(description="When it was given.")
    last_used_at: datetime | None = strawberry.field(description="When it last allowed something, to the minute.")

    @classmethod
    def of(cls, noun: domain.Grant) -> "Grant":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.GRANT, noun.id)),
            status=noun.status(datetime.now(UTC)),
            permission_level=noun.permission_level,
            allowed_actions=list(noun.allowed_actions),
            approval=noun.approval,
            constraints=None if noun.constraints is None else JSON(noun.constraints),
            is_pinned=noun.digests is not None,
            expires_at=noun.expires_at,
            created_at=noun.created_at,
            last_used_at=noun.last_used_at,
        )

    @strawberry.field(description="Who may act.")
    async def agent(self, info: Info) -> Agent:
        """Rows of one tenant refer to rows of the same."""
        found = await info.context.loaders.agents.load(self.noun.agent_id)
        return Agent.of(there(found))

    @strawberry.field(description="With which account.")
    async def connection(self, info: Info) -> Connection:
        """Rows of one tenant refer to rows of the same."""
        found = await info.context.loaders.connections.load(self.noun.connection_id)
        return Connection.of(there(found))

    @strawberry.field(description="How often it may be used; null when it is not limited.")
    async def budget(self, info: Info) -> Budget | None:
        """Counted when an execution is admitted, and given back when it had no effect."""
        if not self.noun.budget.is_limited:
            return None
        return _budget(self.noun.budget, await info.context.loaders.spent.load(self.noun.id))

    @strawberry.field(description="Yeses given beforehand, the newest hundred first; ended ones too.")
    async def standing_approvals(self, info: Info) -> list[StandingApproval]:
        """Batched over an answer's grants."""
        return [StandingApproval.of(each) for each in await info.context.loaders.standing_approvals.load(self.noun.id)]

    @strawberry.field(description="What it allows today, worked out.")
    async def effective_actions(self, info: Info) -> list[Action]:
        """Decided as `execute` decides."""
        connection = there(await info.context.loaders.connections.load(self.noun.connection_id))
        integration = info.context.loaders.integration(connection.integration)
        return [Action.of(each) for each in grants.effective_actions(integration, self.noun)]


@strawberry.type(description="One rule looked at on the way to a decision, in the order they were looked at.")
class PlanCheck:
    """Built from a decision."""

    noun: strawberry.Private[domain.Check]
    name: str = strawberry.field(description="The rule.")
    is_passed: bool = strawberry.field(description="Whether it held.")
    message: str = strawberry.field(description="In words.")

    @classmethod
    def of(cls, noun: domain.Check) -> "PlanCheck":
        """From the noun."""
        return cls(noun=noun, name=noun.name, is_passed=noun.is_passed, message=noun.message)

    @strawberry.field(description="The grant it looked at, if it was one.")
    async def grant(self, info: Info) -> Grant | None:
        """None for rules that are not about a grant."""
        if self.noun.grant_id is None:
            return None
        found = await info.context.loaders.grants.load(self.noun.grant_id)
        return Grant.of(found) if found else None
