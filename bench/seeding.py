"""Tenants with connections, agents and grants, written through the stores as the use cases write them.

Five hundred connections and as many grants: a gateway that only ever saw one row would be measured on its caches.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bench.stub import SECRET_PREFIX
from db.connections import Connected
from db.store import Store, Stores
from domain.catalogue import Account, AuthScheme, Credential
from domain.grants import PermissionLevel
from domain.ids import Kind, new_id, public_id
from domain.json import Json
from domain.secrets import Secret
from vault.agent_keys import AgentKeys
from vault.credentials import CredentialVault

ACTION = "github.create_issue"
AGENTS_PER_TENANT = 10


@dataclass(frozen=True)
class Seat:
    """One agent's way to one connection."""

    tenant: str
    agent_id: UUID
    connection_id: UUID
    token: str

    @property
    def input(self) -> Json:
        """What it asks of `execute`."""
        return {
            "action": ACTION,
            "connection": public_id(Kind.CONNECTION, self.connection_id),
            "parameters": {
                "owner": "octo",
                "repo": "things",
                "title": "Hello from an agent",
                "body": "Something to look at.",
                "labels": ["bug"],
            },
        }


class Seeder:
    """Fills tenants."""

    def __init__(self, stores: Stores, vault: CredentialVault, keys: AgentKeys) -> None:
        self._stores = stores
        self._vault = vault
        self._keys = keys

    async def tenants(self, names: Sequence[str], connections: int) -> list[Seat]:
        """So many connections in each of them."""
        return [seat for name in names for seat in await self.tenant(name, connections)]

    async def tenant(self, name: str, connections: int) -> list[Seat]:
        """Ten agents who share the connections; each grant allows the one action by name."""
        async with self._stores.of(name) as store:
            key = await self._vault.new_key(name)
            await store.keys.add(key)
            agents = [await self._agent(store, number) for number in range(min(AGENTS_PER_TENANT, connections))]
            seats = []
            for number in range(connections):
                agent_id, token = agents[number % len(agents)]
                connection = await store.connections.add(new_id(), _account(number))
                credential = Credential(AuthScheme.API_KEY, {"token": Secret(_secret())}, {})
                sealed = await self._vault.seal_credential(key, name, connection.id, 1, credential)
                await store.connections.put_credential(connection.id, sealed)
                await store.grants.add(
                    new_id(), agent_id, connection.id, PermissionLevel.READ_WRITE, (ACTION, "github.list_*"), None
                )
                seats.append(Seat(name, agent_id, connection.id, token))
        return seats

    async def _agent(self, store: Store, number: int) -> tuple[UUID, str]:
        agent = await store.agents.add(new_id(), f"worker {number}", None)
        minted = self._keys.mint(token_id := new_id())
        await store.agents.add_token(token_id, agent.id, minted.prefix, minted.digest, None)
        return agent.id, minted.token.reveal()


def _account(number: int) -> Connected:
    return Connected(
        integration="github",
        auth_scheme=AuthScheme.API_KEY,
        account=Account(str(number), f"octo-{number}"),
        granted_scopes=("repo",),
        is_sandbox=False,
        label=None,
        external_user_id=None,
        expires_at=None,
        rotation_due_at=None,
    )


def _secret() -> str:
    return f"{SECRET_PREFIX}{secrets.token_hex(16)}"
