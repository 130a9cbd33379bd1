"""Agents and their keys."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import agents as domain
from domain.ids import Kind, public_id
from domain.pages import page_size
from resolvers import grants
from schema.context import Info
from schema.node import Node
from schema.pages import Counted, counted, id_cursor, id_in
from schema.scalars import After, First

if TYPE_CHECKING:
    from schema.grants import Grant


@strawberry.enum(description="Whether an agent may act.")
class AgentStatus(Enum):
    """From the agent's switch."""

    ACTIVE = strawberry.enum_value("ACTIVE", description="What it is granted, it may do.")
    FROZEN = strawberry.enum_value("FROZEN", description="Nothing it asks for is done.")


@strawberry.type(description="An agent's key, without the key.")
class AgentToken:
    """Built from a row."""

    id: strawberry.ID = strawberry.field(description="Opaque.")
    prefix: str = strawberry.field(description="How the key begins, to recognise it by.")
    created_at: datetime = strawberry.field(description="When it was made.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to the minute.")
    expires_at: datetime | None = strawberry.field(description="When it ends; null when it does not.")

    @classmethod
    def of(cls, noun: domain.AgentToken) -> "AgentToken":
        """From the noun."""
        return cls(
            id=strawberry.ID(public_id(Kind.AGENT_TOKEN, noun.id)),
            prefix=noun.prefix,
            created_at=noun.created_at,
            last_used_at=noun.last_used_at,
            expires_at=noun.expires_at,
        )


@strawberry.type(description="Something that acts on people's accounts, within its grants.")
class Agent(Node):
    """Built from a row."""

    noun: strawberry.Private[domain.Agent]
    name: str = strawberry.field(description="For people.")
    description: str | None = strawberry.field(description="What it is for.")
    status: AgentStatus = strawberry.field(description="Whether it may act.")
    created_at: datetime = strawberry.field(description="When it was made.")
    last_active_at: datetime | None = strawberry.field(description="When it last executed something, to the minute.")

    @classmethod
    def of(cls, noun: domain.Agent) -> "Agent":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.AGENT, noun.id)),
            name=noun.name,
            description=noun.description,
            status=AgentStatus.FROZEN if noun.is_frozen else AgentStatus.ACTIVE,
            created_at=noun.created_at,
            last_active_at=noun.last_active_at,
        )

    @strawberry.field(description="Its keys in force, newest first.")
    async def tokens(self, info: Info) -> list[AgentToken]:
        """Revoked ones are left out."""
        return [AgentToken.of(each) for each in await info.context.loaders.tokens.load(self.noun.id)]

    @strawberry.field(description="What it may do with which connection, newest first.")
    async def grants(
        self, info: Info, first: First = 50, after: After = None
    ) -> "Counted[Annotated[Grant, strawberry.lazy('schema.grants')]]":
        """Revoked ones included."""
        from schema.grants import Grant

        page = await grants.grants(
            info.context.services, info.context.caller, page_size(first), id_in(after), agent_id=self.noun.id
        )
        return counted(page, Grant.of, lambda grant: id_cursor(grant.id))
