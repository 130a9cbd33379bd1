"""Looking things up by id, for `node` and for references between them: several at once, in one statement each.

What a caller may not see is not there: foreign and missing ids answer alike, and an agent sees itself, its grants,
the connections of those grants, and what it executed.
"""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from domain.agents import Agent, AgentToken
from domain.callers import Caller
from domain.connections import Connection, ConnectSession
from domain.executions import Execution
from domain.grants import Grant
from resolvers.services import Services

Thing = TypeVar("Thing", Grant, Execution)


async def agents(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Agent | None]:
    """In the order asked, None where there is none to see."""
    seen = [each for each in ids if caller.agent_id is None or each == caller.agent_id]
    async with services.stores.of(caller.tenant) as store:
        found = await store.agents.get(seen)
    return [found.get(each) for each in ids]


async def tokens(services: Services, caller: Caller, agent_ids: Sequence[UUID]) -> list[list[AgentToken]]:
    """The tokens in force of each agent."""
    seen = [each for each in agent_ids if caller.agent_id is None or each == caller.agent_id]
    async with services.stores.of(caller.tenant) as store:
        found = await store.agents.tokens_of(seen)
    return [found.get(each, []) for each in agent_ids]


async def connections(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Connection | None]:
    """In the order asked, None where there is none to see."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.connections.get(ids)
        if caller.agent_id is not None:
            held = {grant.connection_id for grant in await store.grants.in_force_of(caller.agent_id)}
            found = {id_: each for id_, each in found.items() if id_ in held}
    return [found.get(each) for each in ids]


async def referenced_connections(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Connection | None]:
    """For what refers to them: whoever may see a grant or an execution may see which account it was."""
    return await services.stores.connections(caller.tenant, ids)


async def grants(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Grant | None]:
    """In the order asked, None where there is none to see."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.grants.get(ids)
    return [_own(caller, found.get(each)) for each in ids]


async def executions(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[Execution | None]:
    """In the order asked, None where there is none to see."""
    found = await services.stores.executions(caller.tenant, ids)
    return [_own(caller, each) for each in found]


async def session(services: Services, caller: Caller, session_id: UUID) -> ConnectSession | None:
    """A connect session; agents see none."""
    if caller.agent_id is not None:
        return None
    async with services.stores.of(caller.tenant) as store:
        return await store.sessions.get(session_id)


def _own(caller: Caller, thing: Thing | None) -> Thing | None:
    if thing is None or caller.agent_id is None or thing.agent_id == caller.agent_id:
        return thing
    return None
