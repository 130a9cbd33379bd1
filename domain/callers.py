"""Who is calling, and which operations each role may use.

The tenant comes from the caller's token alone; no input names one. Agents act within grants and never connect,
grant or approve.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.errors import PermissionDenied


class Role(StrEnum):
    """What a caller is to its tenant."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    AUDITOR = "auditor"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody a door has authenticated. `expires_at` is when the token ends; long streams end with it."""

    tenant: str
    subject: str
    roles: frozenset[Role]
    agent_id: UUID | None = None
    token_id: UUID | None = None
    expires_at: datetime | None = None

    @property
    def actor(self) -> str:
        """How history names this caller, e.g. `user:ada` or `agent:0192…`."""
        return f"agent:{self.agent_id.hex}" if self.agent_id else f"user:{self.subject}"

    def may(self, operation: str) -> bool:
        """Whether any of the caller's roles has this operation. An operation nobody declared is refused."""
        return not self.roles.isdisjoint(PERMISSIONS.get(operation, frozenset()))

    def require(self, operation: str) -> None:
        """Raises PermissionDenied unless the caller may use the operation."""
        if not self.may(operation):
            held = ", ".join(sorted(self.roles)) or "no role"
            raise PermissionDenied(
                f"`{operation}` is not open to your role ({held}). Ask an owner or admin of your tenant.",
                reason=f"role:{operation}",
            )


_MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
_PEOPLE = _MANAGERS | {Role.MEMBER}
_READERS = _PEOPLE | {Role.AUDITOR}
_EVERYONE = _READERS | {Role.AGENT}
_ACTORS = _MANAGERS | {Role.AGENT}

#: Every operation of the contract and who may use it. A house test holds this against the schema.
PERMISSIONS: dict[str, frozenset[Role]] = {
    # Query
    "viewer": _EVERYONE,
    "gateway": _EVERYONE,
    "historyCursor": _EVERYONE,
    "node": _EVERYONE,
    "integrations": _EVERYONE,
    "integration": _EVERYONE,
    "action": _EVERYONE,
    "searchActions": _EVERYONE,
    "recommendIntegrations": _EVERYONE,
    "connections": _EVERYONE,
    "agents": _READERS,
    "grants": _EVERYONE,
    "executions": _EVERYONE,
    "approvals": _EVERYONE,
    "planExecution": _ACTORS,
    "toolDefinitions": _EVERYONE,
    "previewGrant": _MANAGERS,
    "auditEvents": _MANAGERS | {Role.AUDITOR},
    "alerts": _READERS,
    "webhooks": _MANAGERS | {Role.AUDITOR},
    "webhookDeliveries": _MANAGERS | {Role.AUDITOR},
    "usage": _READERS,
    "usageBreakdown": _READERS,
    # Mutation
    "setIntegrationEnabled": _MANAGERS,
    "setAuthConfig": _MANAGERS,
    "connect": _PEOPLE,
    "createConnectToken": _PEOPLE,
    "updateConnection": _MANAGERS,
    "testConnection": _PEOPLE,
    "disconnect": _MANAGERS,
    "createAgent": _MANAGERS,
    "createAgentToken": _MANAGERS,
    "rotateAgentToken": _MANAGERS,
    "revokeAgentToken": _MANAGERS,
    "setAgentFrozen": _MANAGERS,
    "createGrant": _MANAGERS,
    "updateGrant": _MANAGERS,
    "revokeGrant": _MANAGERS,
    "setGrantSuspended": _MANAGERS,
    "setTenantFrozen": _MANAGERS,
    "execute": _ACTORS,
    "executeBatch": _ACTORS,
    "executeTool": _ACTORS,
    "cancelExecution": _ACTORS,
    "resolveExecution": _MANAGERS,
    "decideApproval": _MANAGERS,
    "createStandingApproval": _MANAGERS,
    "revokeStandingApproval": _MANAGERS,
    "acknowledgeAlert": _PEOPLE,
    "createWebhook": _MANAGERS,
    "updateWebhook": _MANAGERS,
    "deleteWebhook": _MANAGERS,
    "rotateWebhookSecret": _MANAGERS,
    "replayWebhook": _MANAGERS,
    # Subscription (auditEvents is shared with Query)
    "executionEvents": _EVERYONE,
    "approvalEvents": _EVERYONE,
    "alertEvents": _READERS,
    "connectionEvents": _READERS,
    "connectSessionEvents": _READERS,
}
