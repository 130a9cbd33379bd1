"""Connections and connect sessions."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import connections as domain
from domain.ids import Kind, public_id
from domain.pages import page_size
from resolvers import connecting, grants
from schema.catalogue import Integration
from schema.context import Info
from schema.node import Node
from schema.pages import Counted, counted, id_cursor, id_in
from schema.scalars import After, AuthScheme, ConnectionStatus, ConnectSessionStatus, First

if TYPE_CHECKING:
    from schema.grants import Grant


@strawberry.type(description="Whose account a connection is, as the service told us.")
class ExternalAccount:
    """Named at connecting."""

    id: str = strawberry.field(description="The service's own id; it never changes.")
    label: str = strawberry.field(description="A name for people.")


@strawberry.type(description="What is known about whether a connection works.")
class ConnectionHealth:
    """By its tests and its use."""

    last_checked_at: datetime | None = strawberry.field(description="When it was last tested.")
    last_succeeded_at: datetime | None = strawberry.field(description="When a test last succeeded.")
    last_error: str | None = strawberry.field(description="Why it does not work, when it does not.")
    next_refresh_at: datetime | None = strawberry.field(
        description="When its credential is renewed next; null when it does not end, or a person must renew it."
    )


@strawberry.type(
    description="A tenant's connected account at a service. Secrets go in through `connect` and never come out: "
    "no field anywhere returns one."
)
class Connection(Node):
    """Built from a row."""

    noun: strawberry.Private[domain.Connection]
    status: ConnectionStatus = strawberry.field(description="How it stands.")
    auth_scheme: AuthScheme = strawberry.field(description="How it was connected.")
    label: str | None = strawberry.field(description="The name a person gave it.")
    is_default: bool = strawberry.field(description="Used when an execution could use several and names none.")
    external_user_id: str | None = strawberry.field(description="Whose it is in the application that embeds Mandate.")
    is_sandbox: bool = strawberry.field(description="A simulated account, for trying things out.")
    granted_scopes: list[str] = strawberry.field(
        description="The permissions the service granted; empty when it granted none or does not tell."
    )
    connected_at: datetime | None = strawberry.field(description="When a person last connected it.")
    last_used_at: datetime | None = strawberry.field(description="When an execution last used it, to the minute.")
    expires_at: datetime | None = strawberry.field(description="When the credential ends; null when it does not.")
    rotation_due_at: datetime | None = strawberry.field(description="When the credential should be rotated.")

    @classmethod
    def of(cls, noun: domain.Connection) -> "Connection":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.CONNECTION, noun.id)),
            status=noun.status,
            auth_scheme=noun.auth_scheme,
            label=noun.label,
            is_default=noun.is_default,
            external_user_id=noun.external_user_id,
            is_sandbox=noun.is_sandbox,
            granted_scopes=list(noun.granted_scopes or ()),
            connected_at=noun.connected_at,
            last_used_at=noun.last_used_at,
            expires_at=noun.expires_at,
            rotation_due_at=noun.rotation_due_at,
        )

    @strawberry.field(description="The service.")
    def integration(self, info: Info) -> Integration:
        """From memory."""
        return Integration.of(info.context.loaders.integration(self.noun.integration))

    @strawberry.field(description="Whose account this is. Reconnecting as somebody else is refused.")
    def account(self) -> ExternalAccount | None:
        """As the service told us."""
        account = self.noun.account
        return None if account is None else ExternalAccount(id=account.id, label=account.label)

    @strawberry.field(description="Whether it works.")
    def health(self) -> ConnectionHealth:
        """From its tests and its use."""
        return ConnectionHealth(
            last_checked_at=self.noun.last_checked_at,
            last_succeeded_at=self.noun.last_succeeded_at,
            last_error=self.noun.last_error,
            next_refresh_at=self.noun.next_refresh_at,
        )

    @strawberry.field(description="Which agents may use it, newest first.")
    async def grants(
        self, info: Info, first: First = 50, after: After = None
    ) -> "Counted[Annotated[Grant, strawberry.lazy('schema.grants')]]":
        """An agent sees its own."""
        from schema.grants import Grant

        page = await grants.grants(
            info.context.services, info.context.caller, page_size(first), id_in(after), connection_id=self.noun.id
        )
        return counted(page, Grant.of, lambda grant: id_cursor(grant.id))


@strawberry.type(
    description="An OAuth flow on its way: one person, one browser, once. Follow it with `connectSessionEvents`."
)
class ConnectSession(Node):
    """Built from a row."""

    noun: strawberry.Private[domain.ConnectSession]
    status: ConnectSessionStatus = strawberry.field(description="How it stands.")
    requested_scopes: list[str] = strawberry.field(description="The permissions it asks the service for.")
    expires_at: datetime = strawberry.field(description="Until when the person can finish it.")
    error: str | None = strawberry.field(description="Why it failed, when it did.")

    @classmethod
    def of(cls, noun: domain.ConnectSession) -> "ConnectSession":
        """From the noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(public_id(Kind.CONNECT_SESSION, noun.id)),
            status=noun.status,
            requested_scopes=list(noun.requested_scopes),
            expires_at=noun.expires_at,
            error=noun.error,
        )

    @strawberry.field(description="Send the person's browser here.")
    def authorization_url(self, info: Info) -> str:
        """Ours, so that the browser can be bound before it leaves for the service."""
        return connecting.address(info.context.services, self.noun.id)

    @strawberry.field(description="Why each permission is needed, in plain words, one a line.")
    def explanation(self, info: Info) -> str:
        """In the order of `requestedScopes`."""
        integration = info.context.loaders.integration(self.noun.integration)
        lines = [f"{each.scope}: {each.explanation}" for each in integration.explain(self.noun.requested_scopes)]
        return "\n".join(lines) or f"{integration.name} asks for no permission beyond knowing whose account it is."

    @strawberry.field(description="The connection it became, once COMPLETED.")
    async def connection(self, info: Info) -> Connection | None:
        """None until then."""
        if self.noun.connection_id is None:
            return None
        found = await info.context.loaders.connections.load(self.noun.connection_id)
        return Connection.of(found) if found else None
