"""Who is asking, and what they may ask."""

from domain.agents import Agent
from domain.callers import PERMISSIONS, Caller
from resolvers.services import Services


def permissions(caller: Caller) -> list[str]:
    """The operations this caller may use, by field name."""
    caller.require("viewer")
    return sorted(name for name in PERMISSIONS if caller.may(name))


async def own_agent(services: Services, caller: Caller) -> Agent | None:
    """The agent that is calling, None for a person."""
    caller.require("viewer")
    if caller.agent_id is None:
        return None
    async with services.stores.of(caller.tenant) as store:
        return (await store.agents.get([caller.agent_id])).get(caller.agent_id)


async def history_cursor(services: Services, caller: Caller) -> int:
    """Where the tenant's history stands now."""
    caller.require("historyCursor")
    return (await services.gate.heads([caller.tenant]))[caller.tenant]
