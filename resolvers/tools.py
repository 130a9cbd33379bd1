"""Tools: what a caller may do, as agents' frameworks want it listed and called.

The list holds what would be admitted: an agent's granted actions on its usable accounts, a person's actions on every
connected one. An action whose account lacks only a scope is listed too: the call then says which scope, and who can
put it right. Whether a call is admitted is decided anew when it is made, by the same rules as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from domain.callers import Caller
from domain.catalogue import Action, Integration
from domain.connections import Connection
from domain.errors import InvalidParameters
from domain.executions import Execution, ExecutionOrigin
from domain.grants import Refused, Standing, choose
from domain.json import JsonObject
from domain.tools import Tool, taken_apart
from execution.pipeline import Request
from resolvers.catalogue import standings_for
from resolvers.executions import execute
from resolvers.services import Services


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to run. `action` is None when the name means nothing; the attempt is recorded all the same."""

    name: str
    action: Action | None
    arguments: JsonObject
    origin: ExecutionOrigin
    idempotency_key: str | None = None


async def tools(services: Services, caller: Caller) -> list[Tool]:
    """What the caller may run now, by name; nothing for whoever may not execute."""
    if not caller.may("execute"):
        return []
    integrations = services.catalogue.integrations
    standings = await standings_for(services, caller, list(integrations))
    now = datetime.now(UTC)
    found = [
        tool
        for integration, standing in zip(integrations.values(), standings, strict=True)
        for action in integration.actions.values()
        if (tool := _tool(standing, integration, action, now)) is not None
    ]
    return sorted(found, key=lambda each: each.name)


async def run(services: Services, caller: Caller, call: Call) -> Execution:
    """Run one tool and answer with the finished execution. Raises a Refusal when it was not admitted."""
    if call.action is None:
        return await execute(services, caller, Request(call.name, call.arguments, origin=call.origin))
    given = taken_apart(call.action, call.arguments, call.idempotency_key)
    if given.violations:
        raise InvalidParameters([*given.violations, *call.action.check(given.parameters)])
    request = Request(
        action=call.action.slug,
        parameters=given.parameters,
        connection_id=given.connection_id,
        idempotency_key=given.idempotency_key,
        origin=call.origin,
    )
    return await execute(services, caller, request)


def meant(actions: Mapping[str, Action], services: Services, name: str) -> Action | None:
    """The action that a tool's name, or the action's own, stands for."""
    return actions.get(name) or services.catalogue.action(name)


def _tool(standing: Standing, integration: Integration, action: Action, now: datetime) -> Tool | None:
    accounts: list[Connection] = [
        each.connection
        for each in standing.candidates
        if _is_offered(replace(standing, candidates=(each,)), integration, action, now)
    ]
    if not accounts:
        return None
    together = choose(standing, integration, action, None, now)
    must_choose = isinstance(together, Refused) and together.reason == "one_account"
    return Tool(integration, action, accounts, must_choose)


def _is_offered(alone: Standing, integration: Integration, action: Action, now: datetime) -> bool:
    decision = choose(alone, integration, action, None, now)
    return not isinstance(decision, Refused) or decision.reason == "scopes_granted"
