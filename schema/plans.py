"""Plans: what would happen, without its happening."""

import strawberry

from domain.json import JsonObject
from resolvers import executions, grants
from schema.catalogue import Action
from schema.connections import Connection
from schema.grants import PlanCheck
from schema.scalars import JSON


@strawberry.type(description="What `execute` would do, without doing it: no call leaves the gateway.")
class ExecutionPlan:
    """Built from a plan."""

    hash: str = strawberry.field(description="Names exactly this plan: `execute` with it runs this, or refuses.")
    action: Action = strawberry.field(description="What would be run.")
    connection: Connection | None = strawberry.field(description="As which account; null when that is not decided.")
    is_allowed: bool = strawberry.field(description="Whether `execute` would be admitted now.")
    reason: str = strawberry.field(description="The rule that decided, in words.")
    requires_approval: bool = strawberry.field(description="Whether a person would be asked first.")
    missing_scopes: list[str] = strawberry.field(description="Permissions the account lacks for it.")
    checks: list[PlanCheck] = strawberry.field(description="Every rule that was looked at, in order.")
    request: JSON | None = strawberry.field(
        description="The first request as it would be sent: method, URL and body, secrets left out."
    )

    @classmethod
    def of(cls, noun: executions.Plan) -> "ExecutionPlan":
        """From the noun."""
        return cls(
            hash=noun.hash,
            action=Action.of(noun.action),
            connection=Connection.of(noun.connection) if noun.connection else None,
            is_allowed=noun.is_allowed,
            reason=noun.reason,
            requires_approval=noun.requires_approval,
            missing_scopes=list(noun.missing_scopes),
            checks=[PlanCheck.of(each) for each in noun.checks],
            request=_json(noun.request),
        )


@strawberry.type(description="An action that a grant would not allow.")
class RefusedAction:
    """With the rule that refuses it."""

    action: Action = strawberry.field(description="The action.")
    reason: str = strawberry.field(description="Why not.")


@strawberry.type(description="What a grant would allow, before it is made.")
class GrantPreview:
    """Built from a preview."""

    allowed: list[Action] = strawberry.field(description="What it would allow.")
    refused: list[RefusedAction] = strawberry.field(description="What it would not, each with the reason.")

    @classmethod
    def of(cls, noun: grants.GrantPreview) -> "GrantPreview":
        """From the noun."""
        return cls(
            allowed=[Action.of(each) for each in noun.allowed],
            refused=[RefusedAction(action=Action.of(each), reason=reason) for each, reason in noun.refused],
        )


def _json(value: JsonObject | None) -> JSON | None:
    return None if value is None else JSON(value)
