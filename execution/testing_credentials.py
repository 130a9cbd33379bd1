"""A twin of what opens credentials, for tests."""

from datetime import datetime
from uuid import UUID

from domain.catalogue import Credential
from domain.errors import ProviderProblem
from domain.sealed import Sealed


class OpenVault:
    """Implements `ports.Credentials`: gives the same credential for whatever it is asked to open, and counts.

    `other` is what it has in place of a credential that was refused.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self.opened = 0
        self.other: Credential | ProviderProblem | None = None

    async def fresh(self, tenant: str, connection_id: UUID, sealed: Sealed, *, deadline: datetime) -> Credential:  # noqa: ARG002 - nothing ends here
        """See `ports.Credentials`."""
        return await self.open_credential(tenant, connection_id, sealed)

    async def renewed(
        self,
        tenant: str,  # noqa: ARG002 - one credential for all
        connection_id: UUID,  # noqa: ARG002 - likewise
        used: Credential,  # noqa: ARG002 - likewise
        *,
        deadline: datetime,  # noqa: ARG002 - at once
    ) -> Credential | None:
        """See `ports.Credentials`."""
        if isinstance(self.other, ProviderProblem):
            raise self.other
        return self.other

    async def open_credential(
        self,
        tenant: str,  # noqa: ARG002 - one credential for all
        connection_id: UUID,  # noqa: ARG002 - likewise
        sealed: Sealed,  # noqa: ARG002 - likewise
    ) -> Credential:
        """What both of them open."""
        self.opened += 1
        return self._credential
