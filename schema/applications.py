"""A tenant's own OAuth application."""

from typing import cast

import strawberry

from schema.catalogue import AuthConfig
from schema.errors import UserError


@strawberry.input(description="The tenant's own OAuth application at a service.")
class SetAuthConfigInput:
    """For setAuthConfig."""

    integration: str = strawberry.field(description="The integration, by slug.")
    client_id: str = strawberry.field(description="Its public identifier at the service.")
    client_secret: str = strawberry.field(description="Write-only: it is kept sealed, and no field returns it.")


@strawberry.type(description="The application that new connections are made with.")
class SetAuthConfigPayload:
    """From setAuthConfig."""

    auth_config: AuthConfig | None = strawberry.field(description="What is in use now.", default=None)
    errors: list[UserError] = cast(
        list[UserError],
        strawberry.field(
            description="What the caller, or a person, can put right. Empty when it was done.", default_factory=list
        ),
    )
