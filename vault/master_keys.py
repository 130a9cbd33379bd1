"""Master keys by id: those that the operator holds, from the environment or in development from a file that only its
owner can read, and those that stay in a key service (`vault.key_services`).

There is no mode without one: a gateway that cannot seal does not start.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import CredentialUnreadable, Misconfigured
from domain.secrets import Secret
from vault.key_services import KeyServices, aws_key, vault_key

KEY_BYTES = 32
NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class MasterKey(Protocol):
    """One master key, wherever it is."""

    async def encrypt(self, plain: bytes, bound_to: bytes) -> bytes:
        """Encrypt a data key, bound to its place."""
        ...

    async def decrypt(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Decrypt it again. Raises ValueError when the bytes are not this key's."""
        ...


class LocalKey:
    """A key in memory. AES-256-GCM; nonce first."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    async def encrypt(self, plain: bytes, bound_to: bytes) -> bytes:
        """See `MasterKey`."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, bound_to)

    async def decrypt(self, sealed: bytes, bound_to: bytes) -> bytes:
        """See `MasterKey`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
        except InvalidTag:
            raise ValueError("not this key's") from None


class MasterKeys:
    """Implements `ports.MasterKeyring`. The first key wraps; the others still unwrap."""

    def __init__(self, keys: Mapping[str, MasterKey]) -> None:
        self._keys = dict(keys)
        self.current = next(iter(keys))
        self.ids = tuple(keys)

    async def wrap(self, data_key: bytes, bound_to: bytes) -> bytes:
        """Under the current key. Raises NotSent when it is in a service that does not answer."""
        return await self._keys[self.current].encrypt(data_key, bound_to)

    async def unwrap(self, master_key: str, wrapped: bytes, bound_to: bytes) -> bytes:
        """The data key. Raises CredentialUnreadable; NotSent when its service does not answer."""
        key = self._keys.get(master_key)
        if key is None:
            message = (
                f"Sealed with the master key {master_key!r}, which MANDATE_MASTER_KEYS does not hold. Add it back."
            )
            raise CredentialUnreadable(message)
        try:
            return await key.decrypt(wrapped, bound_to)
        except ValueError:  # also when not even a nonce is left of it
            message = f"The master key {master_key!r} is not the one that sealed this. Put the right key back."
            raise CredentialUnreadable(message) from None


class LocalMasterKeys(MasterKeys):
    """Those in memory alone."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        super().__init__({name: LocalKey(key) for name, key in keys.items()})


def read_master_keys(text: Secret, services: KeyServices | None = None) -> MasterKeys:
    """From `id:base64-32-bytes[,id:…]`, where `aws-kms:ARN` or `vault:ADDRESS` may stand instead of a key.

    Raises Misconfigured naming what is wrong, never the key.
    """
    keys: dict[str, MasterKey] = {}
    for number, part in enumerate(text.reveal().split(","), start=1):
        name, separator, encoded = part.strip().partition(":")
        if not separator or not _ID.fullmatch(name):
            raise _unfit(number, "it is not written as id:base64")
        if name in keys:
            raise _unfit(number, f"the id {name!r} stands there twice")
        kind, _, address = encoded.partition(":")
        if kind == "aws-kms":
            keys[name] = aws_key(address, services or KeyServices())
        elif kind == "vault":
            keys[name] = vault_key(address, services or KeyServices())
        else:
            keys[name] = _local(number, encoded)
    return MasterKeys(keys)


def development_master_keys(path: Path) -> MasterKeys:
    """From a file that is made on first use, mode 0600. Raises Misconfigured when others can read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        write_private(path, f"development:{encoded}\n")
    if path.stat().st_mode & 0o077:
        raise Misconfigured(f"{path} holds the master key and others can read it. Run: chmod 600 {path}")
    return read_master_keys(Secret(path.read_text().strip()))


def write_private(path: Path, text: str) -> None:
    """A new file with mode 0600, whole or not at all; when another process was first, its file stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _local(number: int, encoded: str) -> LocalKey:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _unfit(number, "what follows the id is not base64") from None
    if len(key) != KEY_BYTES:
        raise _unfit(number, f"it has {len(key)} bytes and must have {KEY_BYTES}")
    return LocalKey(key)


def _unfit(number: int, reason: str) -> Misconfigured:
    advice = "Make one with: python3 -c 'import base64,os; print(\"k1:\"+base64.b64encode(os.urandom(32)).decode())'"
    return Misconfigured(f"MANDATE_MASTER_KEYS: key {number} cannot be used: {reason}. {advice}")
