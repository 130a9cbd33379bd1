"""Running actions, calling them off, settling what is unknown, and reading what was run."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from db.executions import ExecutionFilter
from domain.callers import Caller, Role
from domain.errors import Conflict, InvalidInput, NotFound, PermissionDenied, Refusal
from domain.executions import UNFINISHED, WAITING, Execution, ExecutionStatus
from domain.grants import Check, Grant, Spent
from domain.ids import Kind, missing
from domain.pages import Page
from execution.pipeline import Request
from execution.planning import Plan, refused_by
from resolvers.services import Services
from resolvers.standing import answered
from resolvers.waiting import call_off, happened

__all__ = [
    "ExecutionFilter",
    "Plan",
    "Request",
    "cancel_execution",
    "execute",
    "execute_batch",
    "executions",
    "plan_execution",
    "resolve_execution",
]

MOST_IN_A_BATCH = 100
_LONGEST_NOTE = 1_000


async def execute(services: Services, caller: Caller, request: Request) -> Execution:
    """Run one action and answer with the execution. Raises a Refusal when it was not admitted."""
    caller.require("execute")
    return await answered(services, caller, await services.pipeline.execute(caller, request))


async def execute_batch(services: Services, caller: Caller, requests: Sequence[Request]) -> list[Execution | Refusal]:
    """Run up to a hundred at once, each with its own fate, in the order given."""
    caller.require("executeBatch")
    if not 0 < len(requests) <= MOST_IN_A_BATCH:
        raise InvalidInput(f"A batch has 1 to {MOST_IN_A_BATCH} executions.", ("input", "executions"))

    async def one(index: int, request: Request) -> Execution | Refusal:
        try:
            return await answered(services, caller, await services.pipeline.execute(caller, request))
        except Refusal as refusal:
            refusal.path = ("input", "executions", str(index), *refusal.path[1:])
            return refusal

    return await asyncio.gather(*(one(index, request) for index, request in enumerate(requests)))


async def plan_execution(services: Services, caller: Caller, request: Request, agent_id: UUID | None) -> Plan:
    """What `execute` would do, as oneself or, for managers, as one of the agents. Nothing leaves the gateway."""
    caller.require("planExecution")
    if agent_id is not None and agent_id != caller.agent_id and caller.roles.isdisjoint({Role.OWNER, Role.ADMIN}):
        raise PermissionDenied("Only owners and admins plan for somebody else.", reason="role:planExecution")
    acting = agent_id or caller.agent_id
    async with services.stores.of(caller.tenant) as store:
        if acting is not None and not await store.agents.get([acting]):
            raise NotFound(missing(Kind.AGENT), ("agent",))
    plan = await services.pipeline.planner.plan(caller.tenant, acting, request)
    grant = plan.grant
    if grant is None or not grant.budget.is_limited:
        return plan
    async with services.stores.of(caller.tenant) as store:
        spent = (await store.grants.spent([grant.id])).get(grant.id, Spent(0, 0))
    return refused_by(plan, _budget_check(grant, spent))


async def cancel_execution(services: Services, caller: Caller, execution_id: UUID) -> Execution:
    """Call it off. What waits never begins; what runs is interrupted, with an honest word about what may have left.

    Answers with the execution as it stands: a running one may take a few seconds to end, in whichever process it runs.
    """
    caller.require("cancelExecution")
    async with services.stores.of(caller.tenant) as store:
        before = (await store.executions.get([execution_id])).get(execution_id)
        if before is None or caller.agent_id not in (None, before.agent_id):
            raise NotFound(missing(Kind.EXECUTION), ("input", "id"))
        if before.status not in UNFINISHED:
            raise Conflict(f"It has ended already: {before.status.value}.", ("input", "id"))
        if before.status in WAITING:
            ended = await call_off(store, caller.actor, "somebody called it off.", execution_id=execution_id)
            if ended:
                return ended[0]
        asked = await store.executions.ask_to_cancel(execution_id)
        if asked is not None:
            store.history.note(happened(asked, "execution.cancel_requested", caller.actor))
    services.pipeline.runner.cancel(execution_id)
    return asked or before


async def resolve_execution(
    services: Services, caller: Caller, execution_id: UUID, *, has_happened: bool, note: str | None
) -> Execution:
    """A person looked at the service and says what became of an UNKNOWN execution."""
    caller.require("resolveExecution")
    if note is not None and (len(note) > _LONGEST_NOTE or "\0" in note):
        raise InvalidInput(f"A note has at most {_LONGEST_NOTE} characters.", ("input", "note"))
    status = ExecutionStatus.SUCCEEDED if has_happened else ExecutionStatus.FAILED
    async with services.stores.of(caller.tenant) as store:
        before = (await store.executions.get([execution_id])).get(execution_id)
        if before is None:
            raise NotFound(missing(Kind.EXECUTION), ("input", "id"))
        settled = await store.executions.resolve(execution_id, status)
        if settled is None:
            raise Conflict(f"Only what is UNKNOWN can be settled; this is {before.status.value}.", ("input", "id"))
        store.history.note(happened(settled, "execution.resolved", caller.actor, note))
    return settled


async def executions(
    services: Services, caller: Caller, first: int, after: UUID | None, wanted: ExecutionFilter
) -> Page[Execution]:
    """Newest first. An agent sees its own."""
    caller.require("executions")
    if caller.agent_id is not None:
        wanted = replace(wanted, agent_id=caller.agent_id)
    async with services.stores.of(caller.tenant) as store:
        return await store.executions.page(first, after, wanted)


def _budget_check(grant: Grant, spent: Spent) -> Check:
    limits = ((grant.budget.max_executions, spent.in_all, "in all"), (grant.budget.per_day, spent.today, "today"))
    for most, used, when in limits:
        if most is not None and used >= most:
            return Check("grant_budget", False, f"The grant's budget is used up: {used} of {most} {when}.", grant.id)
    return Check("grant_budget", True, "The grant's budget has room.", grant.id)
