"""Receipts: what one finished execution was, as it is recorded, in a form that can be signed.

Everything in it is written once and never changed, so the same execution always has the same receipt; settling an
UNKNOWN one is a new end, and gives a new receipt.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.ids import Kind, public_id
from domain.json import Json, JsonObject
from domain.seals import encoded, moment

_RECEIPT = b"mandate receipt 1\n"


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """What is recorded of a finished execution. `begun` and `ended` are places in the tenant's history."""

    tenant: str
    execution_id: UUID
    actor: str
    agent_id: UUID | None
    grant_id: UUID | None
    connection_id: UUID
    account_id: str | None
    is_sandbox: bool
    integration: str
    action: str
    action_digest: str | None
    parameters_hash: bytes | None
    approval_id: UUID | None
    approval_status: str | None
    plan_hash: str | None
    decided_by: str | None
    decided_at: datetime | None
    status: str
    error: str | None
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    begun: int
    ended: int

    def statement(self) -> JsonObject:
        """What is signed."""
        return {
            "tenant": self.tenant,
            "execution": public_id(Kind.EXECUTION, self.execution_id),
            "actor": self.actor,
            "agent": _id(Kind.AGENT, self.agent_id),
            "grant": _id(Kind.GRANT, self.grant_id),
            "connection": public_id(Kind.CONNECTION, self.connection_id),
            "account": self.account_id,
            "isSandbox": self.is_sandbox,
            "integration": self.integration,
            "action": self.action,
            "actionDigest": self.action_digest,
            "parametersHash": self.parameters_hash.hex() if self.parameters_hash is not None else None,
            "approval": self._approval(),
            "outcome": {"status": self.status, "error": self.error},
            "attempts": self.attempts,
            "createdAt": moment(self.created_at),
            "startedAt": _moment(self.started_at),
            "finishedAt": _moment(self.finished_at),
            "durationMs": self.duration_ms,
            "position": {"begun": self.begun, "ended": self.ended},
        }

    def _approval(self) -> Json:
        if self.approval_id is None:
            return None
        return {
            "id": public_id(Kind.APPROVAL, self.approval_id),
            "status": self.approval_status,
            "planHash": self.plan_hash,
            "decidedBy": self.decided_by,
            "decidedAt": _moment(self.decided_at),
        }


def receipt_bytes(statement: JsonObject) -> bytes:
    """What the signature is over: never mistaken for anything else that the same key signs."""
    return _RECEIPT + encoded(statement)


def _id(kind: Kind, value: UUID | None) -> str | None:
    return public_id(kind, value) if value else None


def _moment(at: datetime | None) -> str | None:
    return moment(at) if at else None
