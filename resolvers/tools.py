"""Tools: what a caller may do, as agents' frameworks want it listed and called.

The list holds what would be admitted: an agent's granted actions on its usable accounts, a person's actions on every
connected one. An action whose account lacks only a scope is listed too: the call then says which scope, and who can
put it right. Whether a call is admitted is decided anew when it is made, by the same rules as everywhere.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.callers import Caller
from domain.catalogue import Action, AuthScheme, Integration
from domain.connections import Connection, ConnectionStatus, ConnectSession
from domain.errors import ConnectionRequired, DependencyDown, InvalidInput, InvalidParameters, NotFound, Refusal
from domain.executions import UNFINISHED, Execution, ExecutionMode, ExecutionOrigin
from domain.grants import Refused, Standing, choose
from domain.history import Interest, Occurrence
from domain.ids import Kind, missing
from domain.json import Json, JsonObject
from domain.tool_answers import ToolAnswer, answered, refused
from domain.tool_shapes import ToolCall, ToolFormat, as_given, call_in
from domain.tools import Tool, action_named, taken_apart
from execution.pipeline import Request
from resolvers import connecting, connections, things
from resolvers.catalogue import standings_for
from resolvers.executions import execute
from resolvers.history import Followed
from resolvers.services import Services

#: What may change a list of tools. The passing of a grant's last moment is not told by history.
_MAY_CHANGE_TOOLS: Final = (
    *("grant.*", "agent.frozen", "agent.unfrozen", "tenant.*", "integration.*", "connection.activated"),
    *("connection.degraded", "connection.disabled", "connection.enabled", "connection.expired"),
    *("connection.permissions_changed", "connection.recovered", "connection.renewed", "connection.revoked"),
    *("connection.updated",),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to run. `action` is None when the name means nothing; the attempt is recorded all the same."""

    name: str
    action: Action | None
    arguments: JsonObject
    origin: ExecutionOrigin
    idempotency_key: str | None = None
    mode: ExecutionMode = ExecutionMode.WAIT


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a vendor's call: an execution or a refusal, and what to tell the model."""

    call: ToolCall
    execution: Execution | None
    refusal: Refusal | None
    answer: ToolAnswer


async def tools(services: Services, caller: Caller, integration: str | None = None) -> list[Tool]:
    """What the caller may run now, by name; nothing for whoever may not execute. `integration`: of this one only."""
    if not caller.may("execute"):
        return []
    among = [each for slug, each in services.catalogue.integrations.items() if integration in (None, slug)]
    standings = await standings_for(services, caller, [each.slug for each in among])
    now = datetime.now(UTC)
    found = [
        tool
        for integration_, standing in zip(among, standings, strict=True)
        if standing.candidates
        for action in integration_.actions.values()
        if (tool := _tool(standing, integration_, action, now)) is not None
    ]
    return sorted(found, key=lambda each: each.name)


async def tool_definitions(services: Services, caller: Caller, integration: str | None) -> list[Tool]:
    """As `tools`, for whoever is open to be told which those are."""
    caller.require("toolDefinitions")
    if integration is not None and integration not in services.catalogue.integrations:
        raise NotFound(missing(Kind.INTEGRATION), ("integration",))
    return await tools(services, caller, integration)


async def run(services: Services, caller: Caller, call: Call) -> Execution:
    """Run one tool and answer with its execution. Raises a Refusal, recorded, when it was not admitted."""
    if call.action is None:
        return await execute(services, caller, Request(call.name, call.arguments, origin=call.origin))
    given = taken_apart(call.action, call.arguments, call.idempotency_key)
    if given.violations and caller.may("execute"):
        refusal = InvalidParameters([*given.violations, *call.action.check(given.parameters)])
        await _record(services, caller, call.action, refusal)
        raise refusal
    request = Request(
        action=call.action.slug,
        parameters=given.parameters,
        connection_id=given.connection_id,
        idempotency_key=given.idempotency_key,
        origin=call.origin,
        mode=call.mode,
    )
    return await execute(services, caller, request)


async def run_as_called(
    services: Services, caller: Caller, format: ToolFormat, given: Json, key: str | None, mode: ExecutionMode
) -> Done:
    """Run a call as a model made it, in its vendor's shape. Raises InvalidInput for what is no call of that shape.

    The vendor's name for the call is its idempotency key where no other is given: the same call is done once.
    """
    caller.require("executeTool")
    call = call_in(format, given)
    action = action_named(services.catalogue, call.name)
    arguments = as_given(action, format, call.arguments) if action else call.arguments
    asked = Call(call.name, action, arguments, ExecutionOrigin.GRAPHQL, mode=mode)
    if action is not None and taken_apart(action, arguments).idempotency_key is None:
        asked = replace(asked, idempotency_key=key or call.id)
    elif key is not None:
        asked = replace(asked, idempotency_key=key)
    try:
        execution = await run(services, caller, asked)
    except InvalidInput:
        raise
    except Refusal as refusal:
        return Done(call, None, refusal, refused(refusal, await connect_url(services, caller, refusal)))
    return Done(call, execution, None, answered(execution, action))


async def found_by_key(services: Services, caller: Caller, key: str) -> Execution | None:
    """The caller's execution of this idempotency key, as it stands."""
    async with services.stores.of(caller.tenant) as store:
        found = await store.executions.by_key(caller.actor, key)
    return found[0] if found else None


async def own_execution(services: Services, caller: Caller, execution_id: UUID) -> Execution:
    """As it stands. Raises NotFound."""
    [found] = await things.executions(services, caller, [execution_id])
    if found is None:
        raise NotFound(missing(Kind.EXECUTION), ("id",))
    return found


async def ended(services: Services, caller: Caller, execution_id: UUID) -> Execution:
    """Wait until it has ended, however long a person takes. Raises NotFound; DependencyDown when the gateway stops."""
    interest = Interest(execution_id=execution_id)
    found = await own_execution(services, caller, execution_id)
    if found.status not in UNFINISHED:
        return found
    events = await services.feed.subscribe(caller.tenant, after=None, interest=interest)
    try:
        found = await own_execution(services, caller, execution_id)
        if found.status not in UNFINISHED:
            return found
        async for _ in events:
            found = await own_execution(services, caller, execution_id)
            if found.status not in UNFINISHED:
                return found
    finally:
        await events.aclose()
    raise DependencyDown("The gateway is stopping. Ask again shortly.")


class Changes:
    """Tells each time the caller's list of tools has become another. `aclose` ends it."""

    def __init__(self, services: Services, caller: Caller, events: Followed, known: list[JsonObject]) -> None:
        self._services = services
        self._caller = caller
        self._events = events
        self._known = known

    @classmethod
    async def begin(cls, services: Services, caller: Caller) -> "Changes":
        """Once this returns, nothing that happens from now on is missed."""
        events = await services.feed.subscribe(caller.tenant, after=None, interest=Interest(types=_MAY_CHANGE_TOOLS))
        try:
            return cls(services, caller, events, await _seen(services, caller))
        except BaseException:
            await events.aclose()
            raise

    async def next(self) -> None:
        """Wait for the next change. What others' lists go through is not told."""
        while True:
            if await self._events.several(500):
                now = await _seen(self._services, self._caller)
                if now != self._known:
                    self._known = now
                    return

    async def aclose(self) -> None:
        """No more."""
        await self._events.aclose()


async def connect_url(services: Services, caller: Caller, refusal: Refusal) -> str | None:
    """Where this very caller puts a missing or ended connection right: a link of its own, for a person alone.

    None for agents, which never connect, and where connecting is not the remedy.
    """
    if not isinstance(refusal, ConnectionRequired) or caller.agent_id is not None or not caller.may("connect"):
        return None
    integration = services.catalogue.integrations[refusal.integration]
    if AuthScheme.OAUTH2 not in integration.auth_schemes or await _is_no_matter_of_connecting(
        services, caller, refusal
    ):
        return None
    wish = connections.ConnectRequest(
        integration=integration.slug,
        auth_scheme=AuthScheme.OAUTH2,
        scopes=list(refusal.missing_scopes) or None,
        reconnects=refusal.connection_id,
    )
    with suppress(Refusal):
        session = await connections.connect(services, caller, wish)
        if isinstance(session, ConnectSession):
            return connecting.address(services, session.id)
    return None


async def _is_no_matter_of_connecting(services: Services, caller: Caller, refusal: ConnectionRequired) -> bool:
    """A choice between accounts, or one that was switched off."""
    async with services.stores.of(caller.tenant) as store:
        if refusal.connection_id is None:
            return bool((await store.connections.page(1, None, integration=refusal.integration)).items)
        found = (await store.connections.get([refusal.connection_id])).get(refusal.connection_id)
    return found is None or found.status is ConnectionStatus.DISABLED


async def _record(services: Services, caller: Caller, action: Action, refusal: Refusal) -> None:
    """A refusal that the pipeline does not see, in history like those that it does."""
    occurrence = Occurrence(
        type="execution.refused",
        actor=caller.actor,
        agent_id=caller.agent_id,
        integration=action.integration,
        action=action.slug,
        reason=refusal.code.lower(),
        status="REFUSED",
        error=refusal.code,
    )
    async with services.stores.of(caller.tenant) as store:
        store.history.note(occurrence)


async def _seen(services: Services, caller: Caller) -> list[JsonObject]:
    """What a client sees of its list, as far as history can change it."""
    return [{"name": each.name, "arguments": each.accounts_told} for each in await tools(services, caller)]


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
