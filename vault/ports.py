"""What the vault needs from others."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.applications import KeptApplication
from domain.connections import Connection
from domain.health import Finding
from domain.refreshing import Due, Lease, Renewal, Standing, Stored
from domain.sealed import WrappedKey


class MasterKeyring(Protocol):
    """Master keys behind one small interface: a local file or environment here, a key service elsewhere."""

    @property
    def current(self) -> str:
        """The id of the key that wraps."""
        ...

    async def wrap(self, data_key: bytes, bound_to: bytes) -> bytes:
        """Encrypt a data key with the current master key, bound to its place."""
        ...

    async def unwrap(self, master_key: str, wrapped: bytes, bound_to: bytes) -> bytes:
        """Decrypt it again. Raises CredentialUnreadable when the key is unknown or the bytes are not its."""
        ...


class DeploymentKeyStore(Protocol):
    """Where the deployment's own wrapped keys lie."""

    async def settle(self, purpose: str, id: UUID, master_key: str, wrapped: bytes) -> WrappedKey:
        """Offer a key; whoever offered first wins and everybody gets that one."""
        ...


class DeploymentKeys(Protocol):
    """Opens the store in a transaction."""

    def of_deployment(self) -> AbstractAsyncContextManager[DeploymentKeyStore]:
        """A transaction without a tenant: all or nothing."""
        ...


class ApplicationRecords(Protocol):
    """Where tenants' own OAuth applications lie. Raises DependencyDown when it does not answer."""

    async def application(self, tenant: str, integration: str, client_id: str) -> KeptApplication | None:
        """The one with this client id; None when the tenant has none such."""
        ...


class RefreshRecords(Protocol):
    """What a refresh leaves in the database. Every method raises DependencyDown when it does not answer.

    No transaction is open and no connection taken between two calls.
    """

    async def due(self, most: int, seconds: float) -> list[Due]:
        """Connections to look after, each handed to nobody else for so many seconds."""
        ...

    async def current(self, tenant: str, connection_id: UUID) -> Stored | None:
        """The connection and its credential as they are; None when there is none."""
        ...

    async def lease(
        self, tenant: str, connection_id: UUID, seen: int, owner: UUID, *, seconds: float, lapse_seconds: float
    ) -> Standing:
        """Take the lease for whoever saw version `seen`, or say why not.

        A lapsed lease is taken only by who comes `lapse_seconds` after somebody first saw that it lapsed.
        """
        ...

    async def release(self, lease: Lease, *, is_refreshable: bool = True) -> None:
        """Nothing came of it, and nobody was asked. What is not refreshable is due no more."""
        ...

    async def keep(self, renewal: Renewal) -> bool:
        """Journal an answer. False when the version it was made from is there no more."""
        ...

    async def store(self, lease: Lease, renewal: Renewal, next_refresh_at: datetime | None) -> bool:
        """The renewal takes its base's place. False, and nothing done, when the lease is not held."""
        ...

    async def fail(self, lease: Lease, reason: str, until: datetime, *, is_in_doubt: bool) -> None:
        """It did not work this time; not again before `until`."""
        ...

    async def end(self, lease: Lease, reason: str, next_refresh_at: datetime | None) -> bool | Renewal:
        """The connection is EXPIRED, if the rows, read once more, say nothing else.

        A kept answer is handed back instead; False when the lease is not held.
        """
        ...


class HealthRecords(Protocol):
    """What a test of a connection leaves in the database. Raises DependencyDown when it does not answer."""

    async def current(self, tenant: str, connection_id: UUID) -> Stored | None:
        """The connection and its credential as they are; None when there is none."""
        ...

    async def note_check(
        self, tenant: str, tested: Connection, finding: Finding, next_check_at: datetime | None, asked_by: str | None
    ) -> Connection | None:
        """What the test found, unless the connection was changed meanwhile: then None, and nothing is done.

        `asked_by` is the person who asked for the test; None when nobody did. Then history hears only of news.
        """
        ...
