"""Approvals: a person's yes to one exact plan, good for one execution, for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.catalogue import Action
from domain.connections import Connection

#: How long a question waits for its answer.
PATIENCE = timedelta(hours=24)


class ApprovalStatus(StrEnum):
    """All but PENDING are final."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person is asked, and what they said. `plan_hash` names action, definition, account and parameters."""

    id: UUID
    execution_id: UUID
    agent_id: UUID | None
    status: ApprovalStatus
    summary: str
    plan_hash: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


def summary_of(action: Action, connection: Connection) -> str:
    """The question in one line. Parameters are shown beside it, as they are; nothing an agent wrote is in the line."""
    account = connection.account.label if connection.account else connection.label or "the connected account"
    return f"{action.title}, as {account}. This action is {_WORDS[action.effect]}."


_WORDS = ("reading only", "a change", "destructive: hard or impossible to undo")
