"""Master keys that the operator holds: from the environment, or in development from a file only its owner can read.

There is no mode without one: a gateway that cannot seal does not start.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import CredentialUnreadable, Misconfigured
from domain.secrets import Secret

KEY_BYTES = 32
NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class LocalMasterKeys:
    """Implements `ports.MasterKeyring` with keys in memory. The first key wraps; the others still unwrap."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self.current = next(iter(keys))

    async def wrap(self, data_key: bytes, bound_to: bytes) -> bytes:
        """AES-256-GCM under the current key; nonce first."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._keys[self.current].encrypt(nonce, data_key, bound_to)

    async def unwrap(self, master_key: str, wrapped: bytes, bound_to: bytes) -> bytes:
        """The data key. Raises CredentialUnreadable."""
        key = self._keys.get(master_key)
        if key is None:
            message = (
                f"Sealed with the master key {master_key!r}, which MANDATE_MASTER_KEYS does not hold. Add it back."
            )
            raise CredentialUnreadable(message)
        try:
            return key.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError):  # ValueError: not even a nonce is left of it
            message = f"The master key {master_key!r} is not the one that sealed this. Put the right key back."
            raise CredentialUnreadable(message) from None


def read_master_keys(text: Secret) -> LocalMasterKeys:
    """From `id:base64-32-bytes[,id:…]`. Raises Misconfigured naming what is wrong, never the key."""
    keys: dict[str, bytes] = {}
    for number, part in enumerate(text.reveal().split(","), start=1):
        name, separator, encoded = part.strip().partition(":")
        if not separator or not _ID.fullmatch(name):
            raise _unfit(number, "it is not written as id:base64")
        if name in keys:
            raise _unfit(number, f"the id {name!r} stands there twice")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise _unfit(number, "what follows the id is not base64") from None
        if len(key) != KEY_BYTES:
            raise _unfit(number, f"it has {len(key)} bytes and must have {KEY_BYTES}")
        keys[name] = key
    return LocalMasterKeys(keys)


def development_master_keys(path: Path) -> LocalMasterKeys:
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


def _unfit(number: int, reason: str) -> Misconfigured:
    advice = "Make one with: python3 -c 'import base64,os; print(\"k1:\"+base64.b64encode(os.urandom(32)).decode())'"
    return Misconfigured(f"MANDATE_MASTER_KEYS: key {number} cannot be used: {reason}. {advice}")
