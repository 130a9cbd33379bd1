"""Running actions, and reading what was run."""

from dataclasses import replace
from uuid import UUID

from db.executions import ExecutionFilter
from domain.callers import Caller
from domain.executions import Execution
from domain.pages import Page
from execution.pipeline import Request
from resolvers.services import Services

__all__ = ["ExecutionFilter", "Request", "execute", "executions"]


async def execute(services: Services, caller: Caller, request: Request) -> Execution:
    """Run one action and answer with the finished execution. Raises a Refusal when it was not admitted."""
    caller.require("execute")
    return await services.pipeline.execute(caller, request)


async def executions(
    services: Services, caller: Caller, first: int, after: UUID | None, wanted: ExecutionFilter
) -> Page[Execution]:
    """Newest first. An agent sees its own."""
    caller.require("executions")
    if caller.agent_id is not None:
        wanted = replace(wanted, agent_id=caller.agent_id)
    async with services.stores.of(caller.tenant) as store:
        return await store.executions.page(first, after, wanted)
