"""Agents: principals of their own, and the keys they come with."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Agent:
    """Something that acts. Frozen means: nothing it asks for is done."""

    id: UUID
    name: str
    description: str | None
    is_frozen: bool
    created_at: datetime
    last_active_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class AgentToken:
    """An agent's key, without the key."""

    id: UUID
    agent_id: UUID
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of an agent's key to recognise it: never the key, only its HMAC."""

    id: UUID
    tenant: str
    agent_id: UUID
    digest: bytes
    expires_at: datetime | None
    revoked_at: datetime | None
