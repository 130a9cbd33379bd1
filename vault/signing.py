"""The deployment's signature: Ed25519 (RFC 8032) under a key that only the master key opens.

Whoever holds the database, even with every right in it, cannot sign; whoever holds the public key can check without
asking anybody. The same text always gets the same signature.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

#: The deployment key that signs (`vault.deployment.deployment_key`).
PURPOSE = "records"
ALGORITHM = "Ed25519"


class PublicKey:
    """Checks signatures. `id` is how it is named: the first 32 hexadecimal digits of its SHA-256."""

    def __init__(self, raw: bytes) -> None:
        """From its 32 bytes. Raises ValueError."""
        self._key = Ed25519PublicKey.from_public_bytes(raw)
        self.id = hashlib.sha256(raw).hexdigest()[:32]
        self.text = base64.b64encode(raw).decode()

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether it did."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """Signs. Made from a deployment key's 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


def public_key(text: str) -> PublicKey:
    """From base64. Raises ValueError when it is not a key."""
    try:
        return PublicKey(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise ValueError("this is not base64") from None
