"""The deployment's own keys: made once, wrapped by the master key, kept in the database, the same in every process."""

import hmac
import os
from uuid import UUID

from domain.errors import CredentialUnreadable, Misconfigured
from vault.master_keys import KEY_BYTES
from vault.ports import DeploymentKeys, MasterKeyring

_NO_ID = UUID(int=0)


class Fingerprints:
    """HMAC-SHA256 (RFC 2104) under one of the deployment's keys: equal only for equal text, telling nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, *parts: bytes) -> bytes:
        """32 bytes. Lengths are bound in, so ("ab", "c") and ("a", "bc") differ."""
        text = b"".join(len(part).to_bytes(8) + part for part in parts)
        return hmac.digest(self._key, text, "sha256")


async def deployment_key(keyring: MasterKeyring, keys: DeploymentKeys, purpose: str) -> bytes:
    """The key for one purpose. Raises Misconfigured when the master key is not the one this database was made with."""
    place = _place(purpose)
    offered = await keyring.wrap(os.urandom(KEY_BYTES), place)
    async with keys.of_deployment() as store:
        settled = await store.settle(purpose, _NO_ID, keyring.current, offered)
    try:
        return await keyring.unwrap(settled.master_key, settled.wrapped, place)
    except CredentialUnreadable as error:
        raise Misconfigured(f"The master key does not fit this database. {error.message}") from None


async def rewrapped(keyring: MasterKeyring, purpose: str, master_key: str, wrapped: bytes) -> bytes:
    """The same key, wrapped by the current master key. Raises CredentialUnreadable."""
    place = _place(purpose)
    return await keyring.wrap(await keyring.unwrap(master_key, wrapped, place), place)


def _place(purpose: str) -> bytes:
    return b"mandate\0deployment-key\0" + purpose.encode()
