"""Seals over history: what is hashed, in which order, and what a seal says.

A record of history is written as canonical JSON and hashed; the hashes of the records since the last seal are the
leaves of a Merkle tree (RFC 6962, section 2.1); a seal says which records it covers, the root of their tree, and the
hash of the seal before it. Whoever changes, takes away, adds or moves a record changes a root, and with it every seal
that follows; and seals are signed with a key that is not in the database.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.history import Event
from domain.json import Json, JsonObject

NOTHING_BEFORE = bytes(32)
_SEAL = b"mandate history seal 1\n"
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Seal:
    """Covers the records `first` to `last`. `previous` is the hash of the seal before it, zeros for the first."""

    tenant: str
    number: int
    first: int
    last: int
    root: bytes
    previous: bytes
    sealed_at: datetime
    key_id: str
    signature: bytes = b""

    def statement(self) -> JsonObject:
        """What it says, as JSON."""
        return {
            "tenant": self.tenant,
            "number": self.number,
            "first": self.first,
            "last": self.last,
            "root": self.root.hex(),
            "previous": self.previous.hex(),
            "sealedAt": moment(self.sealed_at),
            "key": self.key_id,
        }

    def signed_bytes(self) -> bytes:
        """What is signed: never mistaken for anything else that the same key signs."""
        return _SEAL + encoded(self.statement())

    def digest(self) -> bytes:
        """Names this seal; the next one repeats it."""
        return hashlib.sha256(self.signed_bytes()).digest()


def seal_from(said: Mapping[str, object], signature: bytes) -> Seal:
    """A seal as it was written down. Raises ValueError, TypeError or KeyError when this is none."""
    first, last, number = said["first"], said["last"], said["number"]
    if not (isinstance(first, int) and isinstance(last, int) and isinstance(number, int)):
        raise TypeError("places are whole numbers")
    return Seal(
        tenant=str(said["tenant"]),
        number=number,
        first=first,
        last=last,
        root=bytes.fromhex(str(said["root"])),
        previous=bytes.fromhex(str(said["previous"])),
        sealed_at=datetime.fromisoformat(str(said["sealedAt"])),
        key_id=str(said["key"]),
        signature=signature,
    )


def record_of(tenant: str, event: Event) -> JsonObject:
    """A line of history as it is hashed and exported; what has no value is left out."""
    hashed = event.parameters_hash
    facts: dict[str, Json] = {
        "tenant": tenant,
        "position": event.position,
        "id": f"evt_{event.id.hex}",
        "type": event.type,
        "at": moment(event.occurred_at),
        "actor": event.actor,
        "agent": _id("agt", event.agent_id),
        "connection": _id("con", event.connection_id),
        "grant": _id("grt", event.grant_id),
        "execution": _id("exe", event.execution_id),
        "session": _id("ses", event.session_id),
        "integration": event.integration,
        "action": event.action,
        "reason": event.reason,
        "status": event.status,
        "durationMs": event.duration_ms,
        "error": event.error,
        "parametersHash": hashed.hex() if hashed is not None else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def encoded(value: JsonObject) -> bytes:
    """Canonical JSON: UTF-8, keys in order, no spaces."""
    return _canonical(value).encode()


def leaf(record: JsonObject) -> bytes:
    """A record's hash."""
    return hashlib.sha256(b"\x00" + encoded(record)).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree's root. A level's odd one out goes up as it is, which makes the same tree as RFC 6962's."""
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def moment(at: datetime) -> str:
    """In UTC, to the microsecond, as PostgreSQL keeps it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _id(prefix: str, value: UUID | None) -> str | None:
    """As `domain.ids.public_id`, of which it is a third of the cost: every record passes here."""
    return f"{prefix}_{value.hex}" if value is not None else None
