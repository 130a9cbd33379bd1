"""Asking a person, and hearing the answer: a yes is for one exact plan, once, and never an agent's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from domain.approvals import Approval, ApprovalStatus
from domain.callers import Caller
from domain.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from domain.executions import ExecutionError, ExecutionStatus
from domain.ids import Kind, missing
from domain.pages import Page
from resolvers.services import Services
from resolvers.waiting import decided, happened

_LONGEST_REASON = 1_000


async def approvals(
    services: Services, caller: Caller, first: int, after: UUID | None, status: ApprovalStatus | None
) -> Page[Approval]:
    """Newest first. An agent sees those of its own executions."""
    caller.require("approvals")
    async with services.stores.of(caller.tenant) as store:
        return await store.approvals.page(first, after, status, caller.agent_id)


async def by_ids(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Approval | None]:
    """In the order asked, None where there is none to see."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.approvals.get(ids)
    return [_visible(caller, found.get(each)) for each in ids]


async def of_executions(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Approval | None]:
    """The question that each execution waits, or waited, for."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.approvals.of_executions(ids)
    return [_visible(caller, found.get(each)) for each in ids]


async def decide_approval(
    services: Services, caller: Caller, approval_id: UUID, *, approve: bool, plan_hash: str, reason: str | None
) -> Approval:
    """A person's yes or no to exactly the plan with this hash. A yes puts the execution into the queue.

    Raises Conflict when it is decided already, too late, or about another plan than the one the person was shown.
    """
    caller.require("decideApproval")
    if caller.agent_id is not None:
        raise PermissionDenied("Only a person decides what an agent may do.", reason="role:decideApproval")
    if reason is not None and not (len(reason) <= _LONGEST_REASON and "\0" not in reason):
        raise InvalidInput(f"A reason has at most {_LONGEST_REASON} characters.", ("input", "reason"))
    async with services.stores.of(caller.tenant) as store:
        asked = await store.approvals.locked(approval_id)
        if asked is None:
            raise NotFound(missing(Kind.APPROVAL), ("input", "id"))
        _check_open(asked, plan_hash)
        if approve:
            run = await store.executions.queue(asked.execution_id)
        else:
            error = ExecutionError("APPROVAL_REJECTED", "A person said no. Nothing was sent.", is_retryable=False)
            run = await store.executions.end_waiting(asked.execution_id, ExecutionStatus.CANCELLED, error)
        if run is None:
            raise Conflict("This execution does not wait for a decision any more.", ("input", "id"))
        status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
        approval = await store.approvals.decide(approval_id, status, caller.actor, reason)
        store.history.note(decided(run, approval, caller.actor))
        store.history.note(happened(run, "execution.queued" if approve else "execution.cancelled", caller.actor))
    if approve:
        services.pipeline.worker.wake()
    return approval


async def expire_approvals(services: Services) -> int:
    """End what nobody decided in time. Returns how many."""
    lapsed = await services.gate.lapsed_approvals()
    for tenant, approval_id in lapsed:
        async with services.stores.of(tenant) as store:
            asked = await store.approvals.locked(approval_id)
            if asked is None or asked.status is not ApprovalStatus.PENDING:
                continue
            error = ExecutionError("APPROVAL_EXPIRED", "Nobody decided in time. Nothing was sent.", is_retryable=True)
            run = await store.executions.end_waiting(asked.execution_id, ExecutionStatus.EXPIRED, error)
            approval = await store.approvals.decide(approval_id, ApprovalStatus.EXPIRED, None, None)
            if run is not None:
                store.history.note(decided(run, approval, "system"))
                store.history.note(happened(run, "execution.expired", "system"))
    return len(lapsed)


def _check_open(asked: Approval, plan_hash: str) -> None:
    if asked.status is not ApprovalStatus.PENDING:
        raise Conflict(f"This was decided already: {asked.status.lower()}.", ("input", "id"))
    if asked.expires_at <= datetime.now(UTC):
        raise Conflict("The time to decide this is over. The agent has to ask again.", ("input", "id"))
    if asked.plan_hash != plan_hash:
        message = "This is not the hash of what waits for a decision. Look at it again, and send the hash you see."
        raise Conflict(message, ("input", "planHash"))


def _visible(caller: Caller, approval: Approval | None) -> Approval | None:
    if approval is None or caller.agent_id is None or approval.agent_id == caller.agent_id:
        return approval
    return None
