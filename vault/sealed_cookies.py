"""What a browser keeps for us and cannot read: sealed with AES-256-GCM under a key of the deployment's own.

A sealed text opens only for the purpose it was sealed for, in any process of the deployment, and not after its end.
"""

import base64
import binascii
import os
import time
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.secrets import Secret

#: Browsers keep at least 4,096 bytes of a cookie, its name and attributes included (RFC 6265, section 6.1).
LONGEST: Final = 3_800
_NONCE_BYTES: Final = 12
_TIME_BYTES: Final = 8


class SealedCookies:
    """Seals and opens. `key` is 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, purpose: str, text: Secret, ends_at: float) -> str | None:
        """The sealed text; None when it is longer than a browser keeps. `ends_at` is a moment of the wall clock."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = int(ends_at).to_bytes(_TIME_BYTES) + text.reveal().encode()
        sealed = base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, _place(purpose))).decode()
        return sealed if len(sealed) <= LONGEST else None

    def open(self, purpose: str, sealed: str) -> Secret | None:
        """The text; None for anything that we did not seal for this purpose, or that has ended."""
        if not sealed or len(sealed) > LONGEST:
            return None
        try:
            raw = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _place(purpose))
        except (InvalidTag, ValueError, binascii.Error):
            return None
        is_over = int.from_bytes(plain[:_TIME_BYTES]) <= time.time()
        return None if is_over else Secret(plain[_TIME_BYTES:].decode())


def _place(purpose: str) -> bytes:
    return b"mandate\0cookie\0" + purpose.encode()
