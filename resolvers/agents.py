"""Agents and their keys."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from domain.agents import Agent, AgentToken
from domain.callers import Caller
from domain.errors import InvalidInput, NotFound
from domain.history import Occurrence
from domain.ids import Kind, missing, new_id
from domain.pages import Page
from domain.secrets import Secret
from resolvers.services import Services

_LONGEST_NAME = 100
_LONGEST_DESCRIPTION = 1_000


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


async def revoke_agent_token(services: Services, caller: Caller, token_id: UUID) -> AgentToken:
    """The key stops working with the next request."""
    caller.require("revokeAgentToken")
    async with services.stores.of(caller.tenant) as store:
        token = await store.agents.revoke_token(token_id)
        if token is None:
            raise NotFound(missing(Kind.AGENT_TOKEN), ("input", "id"))
        store.history.note(Occurrence(type="agent.token_revoked", actor=caller.actor, agent_id=token.agent_id))
    return token


async def set_agent_frozen(services: Services, caller: Caller, agent_id: UUID, *, is_frozen: bool) -> Agent:
    """Frozen, nothing the agent asks for is done; what is already under way ends as it will."""
    caller.require("setAgentFrozen")
    async with services.stores.of(caller.tenant) as store:
        agent = await store.agents.set_frozen(agent_id, is_frozen=is_frozen)
        if agent is None:
            raise NotFound(missing(Kind.AGENT), ("input", "id"))
        kind = "agent.frozen" if is_frozen else "agent.unfrozen"
        store.history.note(Occurrence(type=kind, actor=caller.actor, agent_id=agent_id))
    return agent


def in_utc(moment: datetime) -> datetime:
    """A moment without a zone is meant in UTC. Raises InvalidInput for one that no calendar of ours has in UTC."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise InvalidInput("This moment lies outside the years 1 to 9999 in UTC.") from None
