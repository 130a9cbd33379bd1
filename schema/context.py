"""What a request carries to its fields."""

from dataclasses import dataclass
from functools import cached_property

import strawberry

from domain.callers import Caller
from resolvers.services import Services
from schema.loaders import Loaders

#: Before a socket has said who it is: no roles, so nothing is allowed.
NOBODY = Caller(tenant="", subject="", roles=frozenset())


@dataclass
class Context:
    """One per request, or per socket. `connection_params` is filled by the socket protocol, the rest by the door."""

    services: Services
    caller: Caller
    idempotency_key: str | None = None
    connection_params: dict[str, object] | None = None
    socket: object = None

    @cached_property
    def loaders(self) -> Loaders:
        """Batched lookups on behalf of the caller."""
        return Loaders(self.services, self.caller)


Info = strawberry.Info[Context, None]
