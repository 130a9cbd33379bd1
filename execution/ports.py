"""What the pipeline needs from others. The gateway hands it in; tests hand in twins."""

from typing import Protocol
from uuid import UUID

from domain.catalogue import Credential
from domain.executions import Admission, Execution, Finish, Finished, Intent, Lapsed
from domain.grants import Standing
from domain.history import Occurrence
from domain.sealed import Sealed


class Ledger(Protocol):
    """The durable record. Every method raises DependencyDown when it does not answer."""

    async def standing(
        self, tenant: str, agent_id: UUID | None, integration: str, connection_id: UUID | None
    ) -> Standing:
        """The facts a decision needs, as they are now."""
        ...

    async def admit(self, intent: Intent) -> Admission:
        """Commit the intent with its audit record, if everything it rests on still has the version it names."""
        ...

    async def finish(self, finish: Finish) -> Finished:
        """Commit the result with its audit record, if the attempt is still the execution's.

        Raises ValueError when the result is not JSON.
        """
        ...

    async def refuse(self, tenant: str, occurrence: Occurrence) -> None:
        """Commit the record of a refused attempt."""
        ...

    async def recorded(self, tenant: str, execution_id: UUID) -> Execution:
        """The execution as it stands in the record."""
        ...

    async def by_key(self, tenant: str, actor: str, key: str) -> tuple[Execution, bytes] | None:
        """The execution a key belongs to, and the fingerprint of what was asked."""
        ...

    async def expire(self, tenant: str, connection_id: UUID, version: int, reason: str) -> None:
        """The service no longer accepts the credential: the connection is EXPIRED, unless it was renewed since."""
        ...

    async def lapsed(self) -> list[Lapsed]:
        """Executions whose process went away."""
        ...


class Vault(Protocol):
    """Opens credentials."""

    async def open_credential(self, tenant: str, connection_id: UUID, sealed: Sealed) -> Credential:
        """Raises CredentialUnreadable."""
        ...


class Fingerprints(Protocol):
    """Keyed hashes."""

    def of(self, *parts: bytes) -> bytes:
        """32 bytes that tell nothing about the parts."""
        ...
