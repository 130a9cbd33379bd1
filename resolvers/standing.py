"""Standing approvals: making and ending them, and letting one answer a question that a person would be asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from db.store import Store
from domain.approvals import ApprovalStatus
from domain.callers import Caller
from domain.errors import Conflict, DependencyDown, InvalidInput, NotFound, PermissionDenied
from domain.executions import UNFINISHED, Execution, ExecutionMode, ExecutionStatus
from domain.grants import Grant, GrantStatus
from domain.history import Occurrence
from domain.ids import Kind, missing, new_id, public_id
from domain.json import Json
from domain.standing import LONGEST, MOST_USES, StandingApproval
from execution.conditions import are_met, mistake_in
from resolvers.agents import in_utc
from resolvers.services import Services
from resolvers.waiting import decided, happened

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to say yes to beforehand."""

    grant_id: UUID
    action: str
    conditions: Json
    max_uses: int
    expires_at: datetime


async def create_standing_approval(services: Services, caller: Caller, wish: Wish) -> StandingApproval:
    """From now on, until it is used up, ended or over. Raises InvalidInput, NotFound, Conflict."""
    caller.require("createStandingApproval")
    if caller.agent_id is not None:
        raise PermissionDenied("Only a person decides what an agent may do.", reason="role:createStandingApproval")
    ends = _checked(services, wish)
    async with services.stores.of(caller.tenant) as store:
        grant = (await store.grants.get([wish.grant_id])).get(wish.grant_id)
        if grant is None:
            raise NotFound(missing(Kind.GRANT), ("input", "grant"))
        if grant.status(datetime.now(UTC)) in (GrantStatus.REVOKED, GrantStatus.EXPIRED):
            raise Conflict("This grant is not in force any more.", ("input", "grant"))
        made = StandingApproval(
            id=new_id(),
            grant_id=grant.id,
            action=wish.action,
            conditions=wish.conditions,
            max_uses=wish.max_uses,
            used=0,
            expires_at=ends,
            created_by=caller.actor,
            created_at=datetime.now(UTC),
            revoked_at=None,
        )
        await store.standing.add(made)
        store.history.note(_occurrence("approval.standing_created", caller.actor, made, grant))
    return made


async def revoke_standing_approval(services: Services, caller: Caller, id: UUID) -> StandingApproval:
    """It says yes to nothing more. Raises NotFound."""
    caller.require("revokeStandingApproval")
    async with services.stores.of(caller.tenant) as store:
        ended = await store.standing.revoke(id)
        if ended is None:
            raise NotFound(missing(Kind.STANDING_APPROVAL), ("input", "id"))
        grant = (await store.grants.get([ended.grant_id]))[ended.grant_id]
        store.history.note(_occurrence("approval.standing_revoked", caller.actor, ended, grant))
    return ended


async def of_grants(services: Services, caller: Caller, grant_ids: Sequence[UUID]) -> list[list[StandingApproval]]:
    """Those of each grant, for whoever sees the grant."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.standing.of_grants(grant_ids)
    return [found[each] for each in grant_ids]


async def answered(services: Services, caller: Caller, execution: Execution) -> Execution:
    """The same execution, on its way when a standing approval says yes to it; else it goes on waiting for a person.

    The use is taken in the transaction that decides, so no two executions share one. Should that fail, the question is
    on record and a person answers it. Who asked to wait is answered with the finished execution.
    """
    if execution.status is not ExecutionStatus.AWAITING_APPROVAL or execution.grant_id is None:
        return execution
    try:
        async with services.stores.of(caller.tenant) as store:
            queued = await _say_yes(store, execution, execution.grant_id)
    except DependencyDown:
        return execution  # it is committed, and waits for a person
    if queued is None:
        return execution
    services.pipeline.worker.wake()
    return await _finished(services, caller.tenant, queued)


async def _say_yes(store: Store, execution: Execution, grant_id: UUID) -> Execution | None:
    usable = await store.standing.usable(grant_id, execution.action)
    parameters = execution.parameters if isinstance(execution.parameters, Mapping) else {}
    found = next((each for each in usable if are_met(each.conditions, parameters)), None)
    question = (await store.approvals.of_executions([execution.id])).get(execution.id)
    asked = await store.approvals.locked(question.id) if found and question else None
    if found is None or asked is None or asked.status is not ApprovalStatus.PENDING:
        return None
    queued = await store.executions.queue(execution.id)
    if queued is None:
        return None
    await store.standing.take(found.id)
    reason = (
        f"standing approval {public_id(Kind.STANDING_APPROVAL, found.id)}, use {found.used + 1} of {found.max_uses}"
    )
    approval = await store.approvals.decide(asked.id, ApprovalStatus.APPROVED, found.created_by, reason)
    store.history.note(decided(queued, approval, found.created_by))
    store.history.note(happened(queued, "execution.queued", found.created_by))
    return queued


async def _finished(services: Services, tenant: str, queued: Execution) -> Execution:
    """Who asked to wait waits for the end, as long as the execution itself has."""
    run = queued
    until = queued.deadline_at or datetime.now(UTC)
    while run.mode is ExecutionMode.WAIT and run.status in UNFINISHED and datetime.now(UTC) < until:
        await asyncio.sleep(_POLL_SECONDS)
        [now] = await services.stores.executions(tenant, [queued.id])
        run = now or run
    return run


def _checked(services: Services, wish: Wish) -> datetime:
    """When it ends, once everything that can be judged without asking anybody was found fit."""
    if services.catalogue.action(wish.action) is None:
        raise NotFound(missing(Kind.ACTION), ("input", "action"))
    if not 1 <= wish.max_uses <= MOST_USES:
        raise InvalidInput(f"A standing approval has 1 to {MOST_USES} uses.", ("input", "maxUses"))
    ends, now = in_utc(wish.expires_at), datetime.now(UTC)
    if not now < ends <= now + LONGEST:
        message = f"A standing approval ends within {LONGEST.days} days from now."
        raise InvalidInput(message, ("input", "expiresAt"))
    mistake = mistake_in({wish.action: wish.conditions}) if wish.conditions is not None else None
    if mistake is not None:
        raise InvalidInput(mistake, ("input", "conditions"))
    return ends


def _occurrence(kind: str, actor: str, standing: StandingApproval, grant: Grant) -> Occurrence:
    return Occurrence(
        type=kind,
        actor=actor,
        agent_id=grant.agent_id,
        action=standing.action,
        connection_id=grant.connection_id,
        grant_id=grant.id,
        reason=f"{standing.max_uses} uses until {standing.expires_at.isoformat(timespec='seconds')}",
    )
