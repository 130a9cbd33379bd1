"""What the vault needs from others."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

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
