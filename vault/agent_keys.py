"""An agent's key: what it looks like, how it is made, and how one is recognised.

    mnd_<32 hex: the key's id>_<43 url-safe base64: 256 random bits>_<8 hex: CRC-32 of what precedes>

The fixed beginning and the checksum let scanners for leaked secrets find a key in any text without asking us, and
let a mistyped one be refused without a database. Only an HMAC of a key is ever kept: whoever reads the
database holds no key and, without the pepper, cannot tell whether a key they guess is right.
"""

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from uuid import UUID

from domain.errors import Misconfigured
from domain.secrets import Secret

MARK = "mnd_"
_SECRET_BYTES = 32
_PEPPER_BYTES = 32
_PREFIX_LENGTH = len(MARK) + 8
_SHAPE = re.compile(r"(?P<body>mnd_(?P<id>[0-9a-f]{32})_[A-Za-z0-9_-]{43})_(?P<checksum>[0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Minted:
    """A new key. `token` is shown once; `prefix` is what people see afterwards; `digest` is what is kept."""

    token: Secret
    prefix: str
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Presented:
    """Text that has the shape of a key. Whether it is one is decided by comparing the digest with the kept one."""

    id: UUID
    digest: bytes = field(repr=False)


class AgentKeys:
    """Makes and recognises agents' keys under one pepper, a secret of at least 32 bytes kept outside the database."""

    def __init__(self, pepper: bytes) -> None:
        """Raises Misconfigured when the pepper is too short to be a secret."""
        if len(pepper) < _PEPPER_BYTES:
            raise Misconfigured(f"The pepper of agents' keys must have at least {_PEPPER_BYTES} bytes.")
        self._pepper = pepper

    def mint(self, id: UUID) -> Minted:
        """A fresh key for the token of this id. Its text is nowhere but in the answer."""
        body = f"{MARK}{id.hex}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        text = f"{body}_{_checksum(body)}"
        return Minted(Secret(text), text[:_PREFIX_LENGTH], self._digest(text))

    def recognise(self, text: str) -> Presented | None:
        """The id and digest of a key, or None when the text is not shaped like one of ours or was mistyped."""
        shape = _SHAPE.fullmatch(text)
        if shape is None or shape["checksum"] != _checksum(shape["body"]):
            return None
        return Presented(UUID(hex=shape["id"]), self._digest(text))

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._pepper, text.encode(), "sha256")


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
