"""Calling off what has not begun: by whoever asked for it, and whenever the right to it is taken away."""

from uuid import UUID

from db.store import Store
from domain.approvals import Approval
from domain.executions import Execution, ExecutionError, ExecutionStatus
from domain.history import Occurrence


async def call_off(
    store: Store,
    actor: str,
    reason: str,
    *,
    execution_id: UUID | None = None,
    agent_id: UUID | None = None,
    connection_id: UUID | None = None,
    grant_id: UUID | None = None,
) -> list[Execution]:
    """Cancel what is queued, or waits for a person, of those named; without any name, all of the tenant's.

    Nothing of it was sent. Their questions need no answer any more, and their grants' budgets get back what was taken.
    """
    error = ExecutionError("CANCELLED", f"It was cancelled before it began: {reason}", is_retryable=False)
    ended = await store.executions.cancel_waiting(
        error,
        ids=[execution_id] if execution_id else None,
        agent_id=agent_id,
        connection_id=connection_id,
        grant_id=grant_id,
    )
    for each in ended:
        store.history.note(happened(each, "execution.cancelled", actor, reason))
    for question in await store.approvals.void([each.id for each in ended]):
        run = next(each for each in ended if each.id == question.execution_id)
        store.history.note(decided(run, question, actor))
    return ended


def happened(execution: Execution, kind: str, actor: str, reason: str | None = None) -> Occurrence:
    """Something that people, or time, did to an execution."""
    return Occurrence(
        type=kind,
        actor=actor,
        agent_id=execution.agent_id,
        integration=execution.integration,
        action=execution.action,
        connection_id=execution.connection_id,
        grant_id=execution.grant_id,
        execution_id=execution.id,
        reason=reason,
        status=execution.status.value,
        error=execution.error.code if execution.error and execution.status is not ExecutionStatus.SUCCEEDED else None,
    )


def decided(execution: Execution, approval: Approval, actor: str) -> Occurrence:
    """What became of a question."""
    return Occurrence(
        type=f"approval.{approval.status.lower()}",
        actor=actor,
        agent_id=execution.agent_id,
        integration=execution.integration,
        action=execution.action,
        connection_id=execution.connection_id,
        grant_id=execution.grant_id,
        execution_id=execution.id,
        reason=approval.reason,
        status=approval.status.value,
    )
