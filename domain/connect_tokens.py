"""Connect tokens: what lets one person, who is no caller of ours, connect one account on the connect page."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ConnectToken:
    """What a token allows, and how far it has come. Its text is kept nowhere.

    `integrations` and `actions` are None for all that are offered. Pages of `allowed_origins` may embed the page.
    `session_id` is the OAuth flow begun last; `connection_id` what it all became.
    """

    id: UUID
    tenant: str
    external_user_id: str
    integrations: tuple[str, ...] | None
    actions: tuple[str, ...] | None
    allowed_origins: tuple[str, ...]
    redirect_uri: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    browser_digest: bytes | None
    session_id: UUID | None
    connection_id: UUID | None
