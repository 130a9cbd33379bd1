"""Agents and their keys."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.agents import Agent, AgentToken
from domain.callers import Caller
from domain.errors import InvalidInput, NotFound
from domain.executions import Execution
from domain.history import Occurrence
from domain.ids import Kind, missing, new_id
from domain.pages import Page
from domain.secrets import Secret
from resolvers.services import Services
from resolvers.waiting import call_off

_LONGEST_NAME = 100
_LONGEST_DESCRIPTION = 1_000
#: A week, to carry a new key to wherever the old one is used.
LONGEST_GRACE_SECONDS = 604_800


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new key. This is the only time its text exists outside the agent."""

    text: Secret
    token: AgentToken


async def agents(services: Services, caller: Caller, first: int, after: UUID | None, search: str | None) -> Page[Agent]:
    """The tenant's agents, newest first."""
    caller.require("agents")
    async with services.stores.of(caller.tenant) as store:
        return await store.agents.page(first, after, search)


async def create_agent(services: Services, caller: Caller, name: str, description: str | None) -> Agent:
    """A new agent. It can do nothing until it is granted something."""
    caller.require("createAgent")
    fit = name.strip()
    if not 0 < len(fit) <= _LONGEST_NAME or not fit.isprintable():
        raise InvalidInput(f"A name has 1 to {_LONGEST_NAME} printable characters.", ("input", "name"))
    if description is not None and (len(description) > _LONGEST_DESCRIPTION or "\0" in description):
        message = f"A description has at most {_LONGEST_DESCRIPTION} characters."
        raise InvalidInput(message, ("input", "description"))
    async with services.stores.of(caller.tenant) as store:
        agent = await store.agents.add(new_id(), fit, description)
        store.history.note(Occurrence(type="agent.created", actor=caller.actor, agent_id=agent.id))
    return agent


async def create_agent_token(
    services: Services, caller: Caller, agent_id: UUID, expires_at: datetime | None
) -> IssuedToken:
    """A new key for an agent. It is shown once; only its HMAC is kept."""
    caller.require("createAgentToken")
    if expires_at is not None and in_utc(expires_at) <= datetime.now(UTC):
        raise InvalidInput("`expiresAt` lies in the past.", ("input", "expiresAt"))
    minted = services.agent_keys.mint(token_id := new_id())
    async with services.stores.of(caller.tenant) as store:
        if not await store.agents.get([agent_id]):
            raise NotFound(missing(Kind.AGENT), ("input", "agent"))
        token = await store.agents.add_token(
            token_id, agent_id, minted.prefix, minted.digest, in_utc(expires_at) if expires_at else None
        )
        store.history.note(Occurrence(type="agent.token_created", actor=caller.actor, agent_id=agent_id))
    return IssuedToken(minted.token, token)


async def rotate_agent_token(services: Services, caller: Caller, token_id: UUID, grace_seconds: int) -> IssuedToken:
    """A new key in place of one that is in force; the old one works on for so many seconds, not past its own end.

    The new one lives as long as the old one was given to live. In one transaction: there is never neither.
    """
    caller.require("rotateAgentToken")
    if not 0 <= grace_seconds <= LONGEST_GRACE_SECONDS:
        message = f"The time of grace is 0 to {LONGEST_GRACE_SECONDS} seconds."
        raise InvalidInput(message, ("input", "graceSeconds"))
    minted = services.agent_keys.mint(new_token_id := new_id())
    async with services.stores.of(caller.tenant) as store:
        old = await store.agents.token(token_id)
        if old is None:
            raise NotFound(missing(Kind.AGENT_TOKEN), ("input", "id"))
        now = datetime.now(UTC)
        ends = now + (old.expires_at - old.created_at) if old.expires_at else None
        token = await store.agents.add_token(new_token_id, old.agent_id, minted.prefix, minted.digest, ends)
        if grace_seconds:
            await store.agents.end_token_by(token_id, now + timedelta(seconds=grace_seconds))
        else:
            await store.agents.revoke_token(token_id)
        reason = f"the old key ends after {grace_seconds} seconds"
        store.history.note(
            Occurrence(type="agent.token_rotated", actor=caller.actor, agent_id=old.agent_id, reason=reason)
        )
    return IssuedToken(minted.token, token)


async def revoke_agent_token(services: Services, caller: Caller, token_id: UUID) -> AgentToken:
    """The key stops working with the next request."""
    caller.require("revokeAgentToken")
    async with services.stores.of(caller.tenant) as store:
        token = await store.agents.revoke_token(token_id)
        if token is None:
            raise NotFound(missing(Kind.AGENT_TOKEN), ("input", "id"))
        store.history.note(Occurrence(type="agent.token_revoked", actor=caller.actor, agent_id=token.agent_id))
    return token


async def set_agent_frozen(
    services: Services, caller: Caller, agent_id: UUID, *, is_frozen: bool
) -> tuple[Agent, list[Execution]]:
    """Frozen, nothing the agent asks for is done, and what it has waiting is called off; what runs ends as it will."""
    caller.require("setAgentFrozen")
    async with services.stores.of(caller.tenant) as store:
        agent = await store.agents.set_frozen(agent_id, is_frozen=is_frozen)
        if agent is None:
            raise NotFound(missing(Kind.AGENT), ("input", "id"))
        kind = "agent.frozen" if is_frozen else "agent.unfrozen"
        store.history.note(Occurrence(type=kind, actor=caller.actor, agent_id=agent_id))
        ended = await call_off(store, caller.actor, "the agent was frozen.", agent_id=agent_id) if is_frozen else []
    return agent, ended


@dataclass(frozen=True, slots=True)
class Freeze:
    """What freezing a tenant did: what was called off, and how much was under way and could not be."""

    is_frozen: bool
    cancelled: int
    running: int


async def set_tenant_frozen(services: Services, caller: Caller, *, is_frozen: bool, reason: str | None) -> Freeze:
    """Frozen, nothing is executed for anybody of the tenant, and all that waits is called off, until it is lifted."""
    caller.require("setTenantFrozen")
    if reason is not None and (len(reason) > _LONGEST_DESCRIPTION or "\0" in reason):
        raise InvalidInput(f"A reason has at most {_LONGEST_DESCRIPTION} characters.", ("input", "reason"))
    async with services.stores.of(caller.tenant) as store:
        await store.switches.set_frozen(is_frozen=is_frozen, reason=reason)
        kind = "tenant.frozen" if is_frozen else "tenant.unfrozen"
        store.history.note(Occurrence(type=kind, actor=caller.actor, reason=reason))
        ended = await call_off(store, caller.actor, "the tenant was frozen.") if is_frozen else []
        running = await store.executions.running()
    return Freeze(is_frozen, len(ended), running)


def in_utc(moment: datetime) -> datetime:
    """A moment without a zone is meant in UTC. Raises InvalidInput for one that no calendar of ours has in UTC."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput("This moment lies outside the years 1 to 9999 in UTC.") from None
