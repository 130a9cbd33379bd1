"""Envelope encryption: secrets under a tenant's data key, data keys under a master key. AES-256-GCM throughout.

Everything is bound to its place: a ciphertext moved to another row, tenant, purpose or version does not open
(NIST SP 800-38D, additional authenticated data). Nonces are random; a data key seals far fewer than 2^32 secrets.
"""

import asyncio
import os
import time
from collections import OrderedDict
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import CredentialUnreadable
from domain.ids import new_id
from domain.sealed import Sealed, WrappedKey
from vault.master_keys import KEY_BYTES, NONCE_BYTES
from vault.ports import MasterKeyring

_KEPT_KEYS = 2_000
_KEPT_SECONDS = 300


class Envelope:
    """Seals and opens. Unwrapped data keys are kept for minutes, so that opening costs microseconds."""

    def __init__(self, keyring: MasterKeyring) -> None:
        self._keyring = keyring
        self._kept: OrderedDict[tuple[str, UUID, bytes], tuple[float, AESGCM]] = OrderedDict()
        self._asking: dict[tuple[str, UUID, bytes], asyncio.Future[AESGCM]] = {}

    async def new_key(self, tenant: str) -> WrappedKey:
        """A fresh data key for a tenant, wrapped."""
        id = new_id()
        wrapped = await self._keyring.wrap(os.urandom(KEY_BYTES), _place("data-key", tenant, id, 0))
        return WrappedKey(id, self._keyring.current, wrapped)

    async def seal(
        self, key: WrappedKey, plain: bytes, *, purpose: str, tenant: str, subject: UUID, version: int
    ) -> Sealed:
        """Encrypt for one place only."""
        cipher = await self._open_key(tenant, key)
        nonce = os.urandom(NONCE_BYTES)
        place = _place(purpose, tenant, subject, version)
        return Sealed(key, version, nonce + cipher.encrypt(nonce, plain, place))

    async def open(self, sealed: Sealed, *, purpose: str, tenant: str, subject: UUID) -> bytes:
        """Decrypt in its place. Raises CredentialUnreadable."""
        cipher = await self._open_key(tenant, sealed.key)
        place = _place(purpose, tenant, subject, sealed.version)
        try:
            return cipher.decrypt(sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            raise CredentialUnreadable("A sealed secret is not the one that was stored in its place.") from None

    async def rewrapped(self, tenant: str, key: WrappedKey) -> bytes:
        """The same data key, wrapped by the current master key. Raises CredentialUnreadable."""
        place = _place("data-key", tenant, key.id, 0)
        return await self._keyring.wrap(await self._keyring.unwrap(key.master_key, key.wrapped, place), place)

    async def _open_key(self, tenant: str, key: WrappedKey) -> AESGCM:
        # The wrapped bytes are part of the name, so a row that was tampered with is never answered from memory.
        name = (tenant, key.id, key.wrapped)
        kept = self._at_hand(name)
        if kept is not None:
            return kept
        asking = self._asking.get(name)
        if asking is None:  # a key service is asked once, however many wait for its answer, or for its silence
            asking = asyncio.ensure_future(self._asked(tenant, key, name))
            self._asking[name] = asking
            asking.add_done_callback(lambda done: self._answered(name, done))
        return await asyncio.shield(asking)

    def _answered(self, name: tuple[str, UUID, bytes], done: "asyncio.Future[AESGCM]") -> None:
        self._asking.pop(name, None)
        if not done.cancelled():
            done.exception()  # looked at here, since everybody who waited may have gone

    def _at_hand(self, name: tuple[str, UUID, bytes]) -> AESGCM | None:
        kept = self._kept.get(name)
        return kept[1] if kept is not None and kept[0] > time.monotonic() else None

    async def _asked(self, tenant: str, key: WrappedKey, name: tuple[str, UUID, bytes]) -> AESGCM:
        data_key = await self._keyring.unwrap(key.master_key, key.wrapped, _place("data-key", tenant, key.id, 0))
        cipher = AESGCM(data_key)
        self._kept[name] = (time.monotonic() + _KEPT_SECONDS, cipher)
        self._kept.move_to_end(name)
        while len(self._kept) > _KEPT_KEYS:
            self._kept.popitem(last=False)
        return cipher


def _place(purpose: str, tenant: str, subject: UUID, version: int) -> bytes:
    """Unambiguous: the tenant, the only part of free length, stands last."""
    return b"\0".join((b"mandate", purpose.encode(), subject.hex.encode(), str(version).encode(), tenant.encode()))
