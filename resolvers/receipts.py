"""Receipts of finished executions, for whoever may see the execution."""

from collections.abc import Sequence
from uuid import UUID

from domain.callers import Caller
from domain.json import JsonObject
from resolvers.services import Services


async def receipts(services: Services, caller: Caller, ids: Sequence[UUID]) -> list[JsonObject | None]:
    """In the order asked; None for what has not ended. One statement for all of them."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.receipts.get(ids)
    return [
        services.receipts.receipt(found[each])
        if each in found and caller.agent_id in (None, found[each].agent_id)
        else None
        for each in ids
    ]
