"""Batched lookups: what many fields of one answer refer to is read in one statement."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, partial
from typing import TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.agents import Agent, AgentToken
from domain.alerts import Alert
from domain.approvals import Approval
from domain.callers import Caller
from domain.catalogue import Integration
from domain.connections import Connection
from domain.executions import Execution
from domain.grants import Grant, Spent, Standing
from domain.json import JsonObject
from domain.standing import StandingApproval
from resolvers import alerts, applications, approvals, catalogue, grants, receipts, standing, things
from resolvers.services import Services

Found = TypeVar("Found")
Lookup = Callable[[Services, Caller, Sequence[UUID]], Awaitable[Sequence[Found]]]


class Loaders:
    """One set per request. Nothing is kept for longer: a socket's events each look afresh."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._caller = caller

    @cached_property
    def agents(self) -> "DataLoader[UUID, Agent | None]":
        """Agents by id."""
        return self._by_id(things.agents)

    @cached_property
    def tokens(self) -> "DataLoader[UUID, list[AgentToken]]":
        """Tokens in force by agent."""
        return self._by_id(things.tokens)

    @cached_property
    def connections(self) -> "DataLoader[UUID, Connection | None]":
        """Connections that something visible refers to, by id."""
        return self._by_id(things.referenced_connections)

    @cached_property
    def grants(self) -> "DataLoader[UUID, Grant | None]":
        """Grants by id."""
        return self._by_id(things.grants)

    @cached_property
    def executions(self) -> "DataLoader[UUID, Execution | None]":
        """Executions by id."""
        return self._by_id(things.executions)

    @cached_property
    def approvals_of(self) -> "DataLoader[UUID, Approval | None]":
        """Approvals by execution."""
        return self._by_id(approvals.of_executions)

    @cached_property
    def alerts(self) -> "DataLoader[UUID, Alert | None]":
        """Alerts by id."""
        return self._by_id(alerts.by_ids)

    @cached_property
    def receipts(self) -> "DataLoader[UUID, JsonObject | None]":
        """Receipts by execution."""
        return self._by_id(receipts.receipts)

    @cached_property
    def standing_approvals(self) -> "DataLoader[UUID, list[StandingApproval]]":
        """Standing approvals by grant."""
        return self._by_id(standing.of_grants)

    @cached_property
    def spent(self) -> "DataLoader[UUID, Spent]":
        """What was taken from budgets, by grant."""
        return self._by_id(grants.spent)

    @cached_property
    def switched_off(self) -> "DataLoader[str, bool]":
        """Whether the tenant has switched an integration off."""

        async def load(slugs: list[str]) -> list[bool]:
            off = await catalogue.switched_off(self._services, self._caller)
            return [slug in off for slug in slugs]

        return DataLoader(load, cache=False)

    @cached_property
    def applications(self) -> "DataLoader[str, applications.InUse | None]":
        """The OAuth application in use, by integration."""

        async def load(slugs: list[str]) -> list[applications.InUse | None]:
            return await applications.applications_in_use(self._services, self._caller, slugs)

        return DataLoader(load, cache=False)

    @cached_property
    def standings(self) -> "DataLoader[str, Standing]":
        """The facts by which the caller's executions of an integration would be decided."""

        async def load(slugs: list[str]) -> list[Standing]:
            return await catalogue.standings_for(self._services, self._caller, slugs)

        return DataLoader(load, cache=False)

    def integration(self, slug: str) -> Integration:
        """From the catalogue, in memory."""
        return self._services.catalogue.integrations[slug]

    def _by_id(self, look_up: "Lookup[Found]") -> "DataLoader[UUID, Found]":
        return DataLoader(partial(look_up, self._services, self._caller), cache=False)


def there(found: Found | None) -> Found:
    """What a foreign key promises: rows refer to rows of the same tenant that exist."""
    if found is None:
        raise LookupError("a reference leads nowhere")
    return found
