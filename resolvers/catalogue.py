"""Browsing what can be connected and done."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from db.gate import Question
from domain.callers import Caller
from domain.catalogue import Action, Category, Effect, Integration
from domain.errors import NotFound
from domain.grants import Refused, Standing, choose
from domain.history import Occurrence
from domain.ids import Kind, missing
from resolvers.services import Services


async def integrations(
    services: Services,
    caller: Caller,
    search: str | None = None,
    category: Category | None = None,
    *,
    is_connected: bool | None = None,
) -> list[Integration]:
    """By name, those that match."""
    caller.require("integrations")
    found = [
        each
        for each in services.catalogue.integrations.values()
        if (category is None or each.category is category) and (not search or _speaks_of(each, search))
    ]
    if is_connected is None:
        return found
    async with services.stores.of(caller.tenant) as store:
        connected = await store.connections.connected_integrations()
    return [each for each in found if (each.slug in connected) is is_connected]


def integration(services: Services, caller: Caller, slug: str) -> Integration | None:
    """By slug."""
    caller.require("integration")
    return services.catalogue.integrations.get(slug)


def action(services: Services, caller: Caller, slug: str) -> Action | None:
    """By qualified name."""
    caller.require("action")
    return services.catalogue.action(slug)


def actions(one: Integration, effect: Effect | None) -> list[Action]:
    """An integration's actions, by name."""
    return [each for each in one.actions.values() if effect is None or each.effect is effect]


async def switched_off(services: Services, caller: Caller) -> frozenset[str]:
    """The integrations that the caller's tenant does not offer."""
    async with services.stores.of(caller.tenant) as store:
        return await store.switches.off()


async def set_integration_enabled(services: Services, caller: Caller, slug: str, *, is_enabled: bool) -> Integration:
    """Offer an integration to the tenant, or stop. Stopping refuses its executions from the next one on."""
    caller.require("setIntegrationEnabled")
    found = services.catalogue.integrations.get(slug)
    if found is None:
        raise NotFound(missing(Kind.INTEGRATION), ("input", "slug"))
    async with services.stores.of(caller.tenant) as store:
        await store.switches.set(slug, is_enabled=is_enabled)
        kind = "integration.enabled" if is_enabled else "integration.disabled"
        store.history.note(Occurrence(type=kind, actor=caller.actor, integration=slug))
    return found


async def standings_for(services: Services, caller: Caller, slugs: Sequence[str]) -> list[Standing]:
    """The facts by which the caller's executions of these integrations would be decided now."""
    questions = [Question(caller.tenant, caller.agent_id, slug, None) for slug in slugs]
    return await asyncio.gather(*map(services.gate.standing, questions))


def why_not(services: Services, caller: Caller, standing: Standing, one: Action) -> str | None:
    """Why `execute` would refuse the caller this action now; None when it would admit it."""
    if not caller.may("execute"):
        return "Your role does not execute actions."
    decision = choose(standing, services.catalogue.integrations[one.integration], one, None, datetime.now(UTC))
    return decision.refusal.message if isinstance(decision, Refused) else None


def _speaks_of(one: Integration, words: str) -> bool:
    text = f"{one.slug} {one.name} {one.description} {one.category}".casefold()
    return all(word in text for word in words.casefold().split())
