"""Reading history, and following it as it is written."""

from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from domain.callers import Caller
from domain.history import Event, Interest
from domain.pages import Page
from events.feed import Subscription
from resolvers.services import Services

#: Events as they come, and the position they start from. `aclose` ends it.
Followed: TypeAlias = Subscription


async def audit_events(
    services: Services, caller: Caller, first: int, before: int | None, interest: Interest
) -> Page[Event]:
    """Newest first."""
    caller.require("auditEvents")
    async with services.stores.of(caller.tenant) as store:
        return await store.history.page(first, before, interest)


async def event(services: Services, caller: Caller, event_id: UUID) -> Event | None:
    """One line of history; None for those who may not read it."""
    if not caller.may("auditEvents"):
        return None
    async with services.stores.of(caller.tenant) as store:
        return await store.history.get(event_id)


async def follow(services: Services, caller: Caller, operation: str, interest: Interest, after: int | None) -> Followed:
    """Events as they are committed, from a cursor or from now on; an agent follows only what it does itself.

    Once this returns, nothing that happens from now on is missed.
    """
    caller.require(operation)
    if caller.agent_id is not None:
        interest = replace(interest, agent_id=caller.agent_id)
    return await services.feed.subscribe(caller.tenant, after=after, interest=interest)
