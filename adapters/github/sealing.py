"""Sealing a secret so that only the repository can open it: libsodium's crypto_box_seal.

The one place that uses PyNaCl: `cryptography` has X25519 but not XSalsa20-Poly1305, which GitHub asks for.
Source: GitHub, "Encrypting secrets for the REST API".
"""

import binascii
from base64 import b64decode, b64encode

from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox

from domain.errors import AnswerGarbled


def sealed(value: str, public_key: str) -> str:
    """The value in a sealed box, base64; different each time. Raises AnswerGarbled when the key is none."""
    try:
        key = PublicKey(b64decode(public_key, validate=True))
        return b64encode(SealedBox(key).encrypt(value.encode())).decode()
    except (binascii.Error, CryptoError, TypeError, ValueError):
        raise AnswerGarbled("GitHub did not send a key that a secret can be sealed with.") from None
