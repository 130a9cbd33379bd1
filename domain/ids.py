"""Identifiers: UUIDv7 inside, prefixed by kind outside (`con_0192…`), so that a pasted id says what it is.

Version 7 (RFC 9562, section 5.7) begins with the time, so rows are stored in the order of their making and
sorting by id is sorting by age.
"""

import os
import re
import time
from enum import StrEnum
from uuid import UUID

from domain.errors import NotFound

_HEX = re.compile(r"[0-9a-f]{32}")


class Kind(StrEnum):
    """The prefix of each kind of thing that has an id."""

    AGENT = "agt"
    APPROVAL = "apr"
    AGENT_TOKEN = "key"  # noqa: S105 - a prefix
    CONNECTION = "con"
    CONNECT_SESSION = "ses"
    EVENT = "evt"
    EXECUTION = "exe"
    GRANT = "grt"
    STANDING_APPROVAL = "sta"
    INTEGRATION = "int"
    ACTION = "act"
    ALERT = "alr"
    WEBHOOK = "whk"
    WEBHOOK_DELIVERY = "dlv"


def new_id() -> UUID:
    """A fresh UUIDv7: 48 bits of milliseconds, 74 bits of randomness."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def public_id(kind: Kind, value: UUID) -> str:
    """The id as callers see it."""
    return f"{kind.value}_{value.hex}"


def read_id(kind: Kind, text: str, *path: str) -> UUID:
    """The inside of a caller's id. Raises NotFound for anything malformed: that and a missing thing look alike."""
    prefix, _, rest = text.partition("_")
    if prefix == kind.value and _HEX.fullmatch(rest):
        return UUID(hex=rest)
    raise NotFound(missing(kind), path)


def missing(kind: Kind) -> str:
    """The one sentence for what is not there, or not the caller's."""
    return f"There is no such {_WORDS[kind]}."


_WORDS = {
    Kind.AGENT: "agent",
    Kind.APPROVAL: "approval",
    Kind.AGENT_TOKEN: "agent token",
    Kind.CONNECTION: "connection",
    Kind.CONNECT_SESSION: "connect session",
    Kind.EVENT: "event",
    Kind.EXECUTION: "execution",
    Kind.GRANT: "grant",
    Kind.STANDING_APPROVAL: "standing approval",
    Kind.INTEGRATION: "integration",
    Kind.ACTION: "action",
    Kind.ALERT: "alert",
    Kind.WEBHOOK: "webhook",
    Kind.WEBHOOK_DELIVERY: "webhook delivery",
}
