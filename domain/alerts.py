"""Alerts: what a person should look at, and what to do about it.

Each has a cause. There is one open alert for a cause, however often the cause is seen, and it is closed when the cause
is gone, whoever or whatever put it right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID


class AlertKind(StrEnum):
    """What happened."""

    CONNECTION_EXPIRED = "CONNECTION_EXPIRED"
    CONNECTION_DEGRADED = "CONNECTION_DEGRADED"
    PERMISSIONS_CHANGED = "PERMISSIONS_CHANGED"
    ROTATION_DUE = "ROTATION_DUE"
    CONNECTION_UNUSED = "CONNECTION_UNUSED"
    AGENT_KEY_EXPIRING = "AGENT_KEY_EXPIRING"
    WEBHOOK_FAILING = "WEBHOOK_FAILING"
    WEBHOOK_STOPPED = "WEBHOOK_STOPPED"


class AlertStatus(StrEnum):
    """ACKNOWLEDGED: somebody has seen it, and its cause is still there. CLOSED is final."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why there should be an alert. `name` tells it from all other causes of the tenant; the rest is for the words."""

    kind: AlertKind
    name: str
    connection_id: UUID | None = None
    agent_id: UUID | None = None
    webhook_id: UUID | None = None
    integration: str | None = None
    subject: str = ""
    detail: str | None = None
    moment: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, as it stands."""

    id: UUID
    kind: AlertKind
    cause: str
    message: str
    what_to_do: str
    connection_id: UUID | None
    agent_id: UUID | None
    webhook_id: UUID | None
    integration: str | None
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    closed_at: datetime | None

    @property
    def status(self) -> AlertStatus:
        """How it stands."""
        if self.closed_at is not None:
            return AlertStatus.CLOSED
        return AlertStatus.ACKNOWLEDGED if self.acknowledged_at is not None else AlertStatus.OPEN


#: What happened, and what to do about it.
_WORDS: Mapping[AlertKind, tuple[str, str]] = {
    AlertKind.CONNECTION_EXPIRED: (
        "{who} no longer accepts its credential.{why}",
        "Reconnect the account. Until then nothing can be done with it; its grants stay as they are.",
    ),
    AlertKind.CONNECTION_DEGRADED: (
        "{who} did not answer its last test or renewal as it should.{why}",
        (
            "Often nothing: it is tried again by itself. If it lasts, look at the service's status page, then test or "
            "reconnect the account."
        ),
    ),
    AlertKind.PERMISSIONS_CHANGED: (
        "The permissions of {who} changed at the service.{why}",
        (
            "Look at what the connection may do now. If that is as it should be, acknowledge this; if not, reconnect "
            "the account or disconnect it."
        ),
    ),
    AlertKind.ROTATION_DUE: (
        "The credential of {who} is due to be replaced since {day}.",
        "Reconnect the account, or make a new key at the service and connect with it; then end the old one there.",
    ),
    AlertKind.CONNECTION_UNUSED: (
        "Nobody has used {who} since {day}.",
        "Disconnect the account if it is not needed any more. Otherwise acknowledge this.",
    ),
    AlertKind.AGENT_KEY_EXPIRING: (
        "A key of the agent {name} ends on {day}. It begins with {detail}.",
        "Replace it with rotateAgentToken and carry the new key to the agent. Revoke it if it is not needed any more.",
    ),
    AlertKind.WEBHOOK_FAILING: (
        "Nothing could be delivered to the webhook at {name} since {day}.{why}",
        "Look at what answers there. Events wait and are tried again; after three days the webhook is stopped.",
    ),
    AlertKind.WEBHOOK_STOPPED: (
        "The webhook at {name} was stopped.{why}",
        (
            "Mend what answers there, then switch it on again with updateWebhook: it goes on where it stopped. "
            "webhookDeliveries shows what was given up, and replayWebhook sends it once more."
        ),
    ),
}


def words(cause: Cause, service: str | None) -> tuple[str, str]:
    """What happened, and what to do about it, for people. `service` is the name of the integration."""
    name = cause.subject or "without a name"
    message, what_to_do = _WORDS[cause.kind]
    told = message.format(
        who=f"{service} ({cause.subject})" if cause.subject else service,
        name=name,
        day=f"{cause.moment.astimezone(UTC):%d %B %Y, %H:%M} UTC" if cause.moment else "some time ago",
        why=f" {cause.detail}" if cause.detail else "",
        detail=cause.detail,
    )
    return told, what_to_do
