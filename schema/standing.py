"""Standing approvals."""

from datetime import datetime

import strawberry

from domain import standing as domain
from domain.ids import Kind, public_id
from schema.catalogue import Action
from schema.context import Info
from schema.loaders import there
from schema.scalars import JSON


@strawberry.type(
    description="A person's yes, given beforehand, to the next few executions of one action under one grant."
)
class StandingApproval:
    """Built from a row."""

    noun: strawberry.Private[domain.StandingApproval]
    id: strawberry.ID = strawberry.field(description="Opaque.")
    conditions: JSON | None = strawberry.field(description="A JSON Schema that the parameters must satisfy.")
    max_uses: int = strawberry.field(description="To how many executions it says yes.")
    used: int = strawberry.field(description="To how many it has said yes, whatever came of them.")
    expires_at: datetime = strawberry.field(description="When it ends.")
    created_by: str = strawberry.field(description="Who gave it, and in whose name it answers.")
    created_at: datetime = strawberry.field(description="When it was given.")
    revoked_at: datetime | None = strawberry.field(description="When it was taken back; null when it was not.")

    @classmethod
    def of(cls, noun: domain.StandingApproval) -> "StandingApproval":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.STANDING_APPROVAL, noun.id)),
            conditions=None if noun.conditions is None else JSON(noun.conditions),
            max_uses=noun.max_uses,
            used=noun.used,
            expires_at=noun.expires_at,
            created_by=noun.created_by,
            created_at=noun.created_at,
            revoked_at=noun.revoked_at,
        )

    @strawberry.field(description="To what it says yes.")
    def action(self, info: Info) -> Action:
        """From the catalogue as it is now."""
        return Action.of(there(info.context.services.catalogue.action(self.noun.action)))
