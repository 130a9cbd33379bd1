"""Outgoing webhooks by Standard Webhooks (https://www.standardwebhooks.com, specification of 2023-12).

Each message has an id that stays the same however often it is sent, the moment it is sent at, and a signature over
both and the body. One that is not accepted is sent again after the waits that the standard proposes, for three days.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.history import Event, cursor_of
from domain.ids import Kind, public_id
from domain.json import JsonObject
from domain.secrets import Secret

GIVE_UP_AFTER = timedelta(days=3)
#: After the first attempt, and after each one that follows.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_PREFIX = "whsec_"
_KEY_BYTES = 32
_PATTERN = re.compile(r"[a-z_]+(\.[a-z_]+)*(\.\*)?")


class WebhookStatus(StrEnum):
    """STOPPED: by Mandate, since nothing could be delivered. PAUSED and DELETED: by a person."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    DELETED = "DELETED"


class DeliveryStatus(StrEnum):
    """Of a message that was not accepted at once. DEAD: given up; it is sent again only by a replay."""

    RETRYING = "RETRYING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that is told of events. `position`: all up to there was delivered, given up, or is of no interest."""

    id: UUID
    url: str
    description: str | None
    types: tuple[str, ...] | None
    status: WebhookStatus
    position: int
    created_at: datetime
    last_delivered_at: datetime | None
    failing_since: datetime | None
    attempts: int
    retry_at: datetime | None
    last_error: str | None
    secret_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one message that was not accepted at once."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    position: int
    type: str
    status: DeliveryStatus
    attempts: int
    response_status: int | None
    error: str | None
    first_attempt_at: datetime
    last_attempt_at: datetime
    retry_at: datetime | None


def new_secret() -> Secret:
    """32 random bytes as the standard writes them: `whsec_` and base64."""
    return Secret(_PREFIX + base64.b64encode(os.urandom(_KEY_BYTES)).decode())


def signatures(secrets: Sequence[Secret], message_id: str, sent_at: datetime, body: bytes) -> str:
    """The value of `webhook-signature`: one `v1` signature for each secret in force, separated by spaces."""
    signed = f"{message_id}.{int(sent_at.timestamp())}.".encode() + body
    return " ".join(_signature(each, signed) for each in secrets)


def _signature(secret: Secret, signed: bytes) -> str:
    key = base64.b64decode(secret.reveal().removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def wait_after(attempts: int, first_failed_at: datetime, now: datetime) -> timedelta | None:
    """How long to wait after so many attempts that failed; None when it is given up.

    The last attempt is made three days after the first.
    """
    left = first_failed_at + GIVE_UP_AFTER - now
    if left <= timedelta():
        return None
    return min(WAITS[min(attempts, len(WAITS)) - 1], left)


def message_of(event: Event) -> JsonObject:
    """What is delivered: the event's type and moment, as the standard proposes, and in `data` the AuditEvent itself."""

    def named(kind: Kind, value: UUID | None) -> str | None:
        return public_id(kind, value) if value else None

    occurred_at = event.occurred_at.isoformat()
    return {
        "type": event.type,
        "timestamp": occurred_at,
        "data": {
            "id": public_id(Kind.EVENT, event.id),
            "cursor": cursor_of(event.position),
            "type": event.type,
            "occurredAt": occurred_at,
            "actor": event.actor,
            "agentId": named(Kind.AGENT, event.agent_id),
            "integration": event.integration,
            "action": event.action,
            "connectionId": named(Kind.CONNECTION, event.connection_id),
            "grantId": named(Kind.GRANT, event.grant_id),
            "executionId": named(Kind.EXECUTION, event.execution_id),
            "alertId": named(Kind.ALERT, event.alert_id),
            "webhookId": named(Kind.WEBHOOK, event.webhook_id),
            "reason": event.reason,
            "parametersHash": event.parameters_hash.hex() if event.parameters_hash else None,
            "status": event.status,
            "durationMs": event.duration_ms,
            "error": event.error,
        },
    }


def is_pattern(text: str) -> bool:
    """Whether this names a type of event, or a family of them (`connection.*`)."""
    return len(text) <= 100 and _PATTERN.fullmatch(text) is not None
