"""History: the tenant's append-only log. It feeds subscriptions and audit alike.

Each tenant's events are numbered 1, 2, 3 … without a gap, in the order of their commits; the number is the cursor.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Something that happened, on its way into history. Parameters appear as an HMAC only."""

    type: str
    actor: str
    agent_id: UUID | None = None
    integration: str | None = None
    action: str | None = None
    connection_id: UUID | None = None
    grant_id: UUID | None = None
    execution_id: UUID | None = None
    session_id: UUID | None = None
    alert_id: UUID | None = None
    webhook_id: UUID | None = None
    reason: str | None = None
    parameters_hash: bytes | None = None
    status: str | None = None
    duration_ms: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Occurrence):
    """One line of history, at its position."""

    id: UUID
    position: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events somebody wants. A field that is None asks nothing; all others must hold.

    `types` holds exact names or families (`execution.*`).
    """

    types: tuple[str, ...] | None = None
    agent_id: UUID | None = None
    integration: str | None = None
    action: str | None = None
    connection_id: UUID | None = None
    execution_id: UUID | None = None
    session_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, event: Event) -> bool:
        """Whether this event is asked for."""
        return (
            (self.types is None or any(matches(pattern, event.type) for pattern in self.types))
            and (self.agent_id is None or event.agent_id == self.agent_id)
            and (self.integration is None or event.integration == self.integration)
            and (self.action is None or event.action == self.action)
            and (self.connection_id is None or event.connection_id == self.connection_id)
            and (self.execution_id is None or event.execution_id == self.execution_id)
            and (self.session_id is None or event.session_id == self.session_id)
            and (self.since is None or event.occurred_at >= self.since)
            and (self.until is None or event.occurred_at < self.until)
        )


def matches(pattern: str, name: str) -> bool:
    """`github.*` matches every name of that family, anything else only itself."""
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1])
    return pattern == name


def cursor_of(position: int) -> str:
    """The opaque cursor of a position in history."""
    return base64.urlsafe_b64encode(f"h:{position}".encode()).decode().rstrip("=")


def position_of(cursor: str, *path: str) -> int:
    """The position in a cursor. Raises InvalidInput when it is not one of ours."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        kind, _, digits = text.partition(":")
        if kind == "h" and digits.isascii() and digits.isdigit() and len(digits) <= 18:
            return int(digits)
    except (binascii.Error, ValueError):
        pass
    raise InvalidInput("This is not a cursor of the history. Use one you were given, or none.", path)
