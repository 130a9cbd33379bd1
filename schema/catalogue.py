"""Integrations and actions."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import catalogue as domain
from domain.ids import Kind
from domain.pages import page_size
from resolvers import applications, catalogue, connections
from schema.context import Info
from schema.node import Node
from schema.pages import Counted, counted, cut, id_cursor, id_in, name_cursor
from schema.scalars import JSON, After, AuthScheme, Effect, First, IntegrationCategory, QualityTier

if TYPE_CHECKING:
    from schema.connections import Connection

_EffectFilter = Annotated[Effect | None, strawberry.argument(description="Only actions with this effect.")]


@strawberry.type(description="The OAuth application in use for an integration. Never its secret.")
class AuthConfig:
    """Which application Mandate is at the service."""

    client_id: str = strawberry.field(description="Its public identifier at the service.")
    is_tenant_owned: bool = strawberry.field(description="The tenant's own, rather than the deployment's.")
    updated_at: datetime | None = strawberry.field(description="When the tenant set it; null for the deployment's.")

    @classmethod
    def of(cls, found: applications.InUse) -> "AuthConfig":
        """From what is in use."""
        return cls(client_id=found.client_id, is_tenant_owned=found.is_tenant_owned, updated_at=found.updated_at)


@strawberry.type(description="A third-party service in the catalogue.")
class Integration(Node):
    """Built from the catalogue; the same for all tenants but for its switch."""

    noun: strawberry.Private[domain.Integration]
    slug: str = strawberry.field(description='e.g. "github".')
    name: str = strawberry.field(description="As its owners write it.")
    description: str = strawberry.field(description="What it is, in a sentence.")
    category: IntegrationCategory = strawberry.field(description="Where a person would look for it.")
    tier: QualityTier = strawberry.field(description="How far it has proved itself.")
    auth_schemes: list[AuthScheme] = strawberry.field(description="How it can be connected, the best first.")
    documentation_url: str | None = strawberry.field(description="The service's own documentation.")
    is_sandbox: bool = strawberry.field(description="New connections go to a simulated service, for trying things out.")

    @classmethod
    def of(cls, noun: domain.Integration) -> "Integration":
        """From the catalogue's noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(f"{Kind.INTEGRATION}_{noun.slug}"),
            slug=noun.slug,
            name=noun.name,
            description=noun.description,
            category=noun.category,
            tier=noun.tier,
            auth_schemes=list(noun.auth_schemes),
            documentation_url=noun.documentation_url,
            is_sandbox=noun.is_sandbox,
        )

    @strawberry.field(description="JSON Schema of the fields a person fills in for API_KEY; null when only OAUTH2.")
    def credential_schema(self) -> JSON | None:
        """`writeOnly` marks secrets."""
        schema = self.noun.credential_schema
        return None if schema is None else JSON(schema)

    @strawberry.field(description="Whether the viewer's tenant offers it. Admins change it.")
    async def is_enabled(self, info: Info) -> bool:
        """On, unless switched off."""
        return not await info.context.loaders.switched_off.load(self.slug)

    @strawberry.field(description="The OAuth application in use; null when there is none yet. Never its secret.")
    async def auth_config(self, info: Info) -> AuthConfig | None:
        """The tenant's own goes before the deployment's."""
        found = await info.context.loaders.applications.load(self.slug)
        return AuthConfig.of(found) if found else None

    @strawberry.field(description="The callback address to register at the service; null when it has no OAuth.")
    def callback_url(self, info: Info) -> str | None:
        """The same for all integrations."""
        has_oauth = domain.AuthScheme.OAUTH2 in self.noun.auth_schemes
        return info.context.services.deployment.callback_url if has_oauth else None

    @strawberry.field(description="What can be done there, by name.")
    def actions(self, first: First = 50, after: After = None, effect: _EffectFilter = None) -> "Counted[Action]":
        """From memory."""
        found = catalogue.actions(self.noun, effect)
        page = cut(found, first, after, lambda action: action.slug)
        return counted(page, Action.of, lambda action: name_cursor(action.slug))

    @strawberry.field(description="The tenant's connected accounts, newest first.")
    async def connections(
        self, info: Info, first: First = 50, after: After = None
    ) -> "Counted[Annotated[Connection, strawberry.lazy('schema.connections')]]":
        """An agent sees those it holds a grant on."""
        from schema.connections import Connection

        page = await connections.connections(
            info.context.services, info.context.caller, page_size(first), id_in(after), integration=self.slug
        )
        return counted(page, Connection.of, lambda connection: id_cursor(connection.id))


@strawberry.type(description="One thing an agent can do at a service.")
class Action(Node):
    """Built from the catalogue."""

    noun: strawberry.Private[domain.Action]
    slug: str = strawberry.field(description='Qualified name, e.g. "github.create_issue".')
    title: str = strawberry.field(description="A short title for people.")
    description: str = strawberry.field(description="What an agent must know to use it well.")
    effect: Effect = strawberry.field(description="What it does to the world.")
    is_idempotent: bool = strawberry.field(description="Doing it twice with the same input is like doing it once.")
    required_scopes: list[str] = strawberry.field(description="The service's permissions it needs, all of them.")

    @classmethod
    def of(cls, noun: domain.Action) -> "Action":
        """From the catalogue's noun."""
        return cls(
            noun=noun,
            id=strawberry.ID(f"{Kind.ACTION}_{noun.slug}"),
            slug=noun.slug,
            title=noun.title,
            description=noun.description,
            effect=noun.effect,
            is_idempotent=noun.is_idempotent,
            required_scopes=list(noun.required_scopes),
        )

    @strawberry.field(description="The service it belongs to.")
    def integration(self, info: Info) -> Integration:
        """From memory."""
        return Integration.of(info.context.loaders.integration(self.noun.integration))

    @strawberry.field(description="JSON Schema 2020-12 of `parameters`.")
    def parameters_schema(self) -> JSON:
        """Built once."""
        return JSON(self.noun.parameters_schema)

    @strawberry.field(description="JSON Schema 2020-12 of `result`; null when there is none.")
    def result_schema(self) -> JSON | None:
        """Built once."""
        schema = self.noun.result_schema
        return None if schema is None else JSON(schema)

    @strawberry.field(description="Fingerprint of the definition; it changes when anything above does.")
    def digest(self) -> str:
        """Built once."""
        return self.noun.digest

    @strawberry.field(description="Would `execute` be admitted for the viewer now?")
    async def viewer_can_execute(self, info: Info) -> bool:
        """Decided as `execute` decides."""
        return await self._why_not(info) is None

    @strawberry.field(description="Why it would not; null when it would.")
    async def viewer_cannot_execute_reason(self, info: Info) -> str | None:
        """In words for the one who can change it."""
        return await self._why_not(info)

    async def _why_not(self, info: Info) -> str | None:
        standing = await info.context.loaders.standings.load(self.noun.integration)
        return catalogue.why_not(info.context.services, info.context.caller, standing, self.noun)
