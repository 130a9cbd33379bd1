"""Approvals: what a person is asked, and what they said."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import approvals as domain
from domain.ids import Kind, public_id
from schema.context import Info
from schema.loaders import there
from schema.node import Node
from schema.scalars import ApprovalStatus

if TYPE_CHECKING:
    from schema.executions import Execution


@strawberry.type(
    description="A person's yes or no to one execution: bound to the exact action, parameters and account, good for "
    "that one, for a while."
)
class Approval(Node):
    """Built from a row."""

    noun: strawberry.Private[domain.Approval]
    status: ApprovalStatus = strawberry.field(description="How it stands.")
    summary: str = strawberry.field(description="What is asked, in one line. The execution has the parameters.")
    plan_hash: str = strawberry.field(description="Names exactly what is asked; send it back with the decision.")
    created_at: datetime = strawberry.field(description="When it was asked.")
    expires_at: datetime = strawberry.field(description="Until when it can be decided.")
    decided_at: datetime | None = strawberry.field(description="When it was decided.")
    decided_by: str | None = strawberry.field(description="Who decided.")
    reason: str | None = strawberry.field(description="What they said about it.")

    @classmethod
    def of(cls, noun: domain.Approval) -> "Approval":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.APPROVAL, noun.id)),
            status=noun.status,
            summary=noun.summary,
            plan_hash=noun.plan_hash,
            created_at=noun.created_at,
            expires_at=noun.expires_at,
            decided_at=noun.decided_at,
            decided_by=noun.decided_by,
            reason=noun.reason,
        )

    @strawberry.field(description="What waits, or waited, for it.")
    async def execution(self, info: Info) -> Annotated["Execution", strawberry.lazy("schema.executions")]:
        """Rows of one tenant refer to rows of the same."""
        from schema.executions import Execution

        return Execution.of(there(await info.context.loaders.executions.load(self.noun.execution_id)))


@strawberry.type(description="A question was asked, or decided.")
class ApprovalEvent:
    """Built from history and the approval."""

    cursor: str = strawberry.field(description="Its place in history; pass it as `after` to resume.")
    approval: Approval = strawberry.field(description="The approval as it is now.")
    status: ApprovalStatus = strawberry.field(description="The status it changed to.")
    occurred_at: datetime = strawberry.field(description="When that was committed.")
