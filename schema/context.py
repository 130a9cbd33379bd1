"""What a request carries to its fields."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import strawberry

from domain.callers import Caller
from resolvers.services import Services
from schema.loaders import Loaders

if TYPE_CHECKING:
    from schema.following import Opened

#: Before a socket has said who it is: no roles, so nothing is allowed.
NOBODY = Caller(tenant="", subject="", roles=frozenset())


@dataclass
class Context:
    """One per request, or per operation of a socket."""

    services: Services
    caller: Caller
    idempotency_key: str | None = None
    #: Who takes over the subscription that this context opens (`schema.following`); None: nobody.
    opened: "Callable[[Opened], None] | None" = None

    @cached_property
    def loaders(self) -> Loaders:
        """Batched lookups on behalf of the caller."""
        return Loaders(self.services, self.caller)


Info = strawberry.Info[Context, None]
