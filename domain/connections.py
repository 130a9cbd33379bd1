"""Connections: a tenant's connected accounts, and the sessions in which a person connects one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.catalogue import Account, AuthScheme


class ConnectionStatus(StrEnum):
    """Driven by what the service really did; DISABLED and REVOKED by a person."""

    ACTIVE = "ACTIVE"
    DEGRADED = "DEGRADED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    DISABLED = "DISABLED"


#: A call may be tried with these; with the others a person must act first.
USABLE = frozenset({ConnectionStatus.ACTIVE, ConnectionStatus.DEGRADED})


@dataclass(frozen=True, slots=True)
class Connection:
    """A connected account. `granted_scopes` is None when the service does not tell which it granted.

    `is_ending`: its disconnecting was begun, and goes on to its end whatever happens.
    """

    id: UUID
    integration: str
    auth_scheme: AuthScheme
    status: ConnectionStatus
    label: str | None
    is_default: bool
    account: Account | None
    external_user_id: str | None
    is_sandbox: bool
    granted_scopes: tuple[str, ...] | None
    created_at: datetime
    connected_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None
    rotation_due_at: datetime | None
    last_checked_at: datetime | None
    last_succeeded_at: datetime | None
    last_error: str | None
    version: int
    next_refresh_at: datetime | None = None
    is_ending: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionChanges:
    """What a person changes about a connection; None leaves a thing as it is."""

    label: str | None = None
    takes_label_away: bool = False
    is_default: bool | None = None
    is_enabled: bool | None = None


class SessionStatus(StrEnum):
    """The states of a connect session; all but OPEN are final."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class ConnectSession:
    """An OAuth flow on its way: single use, short-lived, bound to one browser. Its state and verifier stay inside."""

    id: UUID
    integration: str
    status: SessionStatus
    requested_scopes: tuple[str, ...]
    redirect_uri: str | None
    label: str | None
    external_user_id: str | None
    reconnects: UUID | None
    opened_by: str
    created_at: datetime
    expires_at: datetime
    connection_id: UUID | None
    error: str | None
