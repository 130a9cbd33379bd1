"""Sealed secrets as they lie in the database: only the vault can open them, with a key only it can unwrap."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A tenant's data key, encrypted by the master key it names."""

    id: UUID
    master_key: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret encrypted with a data key. `version` is bound into it, so an older copy cannot take its place."""

    key: WrappedKey
    version: int
    ciphertext: bytes
