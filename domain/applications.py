"""OAuth applications that tenants bring."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.sealed import Sealed


@dataclass(frozen=True, slots=True)
class KeptApplication:
    """A tenant's own application at a service. `id` is new each time its secret is set."""

    id: UUID
    integration: str
    client_id: str
    secret: Sealed
    updated_at: datetime
