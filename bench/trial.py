"""What most measurements begin with: a seeded database, a simulated service, and the gateway over them."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.gateway import Trial
from bench.load import Message
from bench.machine import LOAD_CORE, Process, running
from bench.seeding import Seat, Seeder
from bench.stores import Stores as Servers
from db.database import Database, open_database
from db.gate import Gate
from db.store import Stores, Tell
from domain.json import Json
from vault.agent_keys import AgentKeys
from vault.credentials import CredentialVault
from vault.deployment import deployment_key
from vault.envelope import Envelope
from vault.master_keys import development_master_keys


@dataclass(frozen=True)
class Bench:
    """The run's own hand on database and keys, beside the gateway's."""

    database: Database
    stores: Stores
    gate: Gate
    vault: CredentialVault
    seeder: Seeder
    folder: Path


@contextlib.asynccontextmanager
async def bench(servers: Servers, tell: Tell = lambda _tenant, _position: None) -> AsyncIterator[Bench]:
    """With the keys that the run's gateways use."""
    database = await open_database(servers.database_url)
    try:
        stores = Stores(database, tell)
        keyring = development_master_keys(servers.folder / "master.key")
        vault = CredentialVault(Envelope(keyring))
        keys = AgentKeys(await deployment_key(keyring, stores, "agent-keys"))
        yield Bench(database, stores, Gate(database.pool), vault, Seeder(stores, vault, keys), servers.folder)
    finally:
        await database.close()


@contextlib.contextmanager
def service() -> Iterator[Process]:
    """The simulated service, beside the load."""
    with running("bench.stub", core=LOAD_CORE) as process:
        process.ready()
        yield process


@contextlib.contextmanager
def gateway(servers: Servers, upstream: Process) -> Iterator[Process]:
    """The gateway under test, on its own core."""
    trial = Trial(servers.database_url, servers.redis_url, str(servers.folder), f"127.0.0.1:{upstream.port}")
    with running("bench.gateway", trial.write()) as process:
        process.ready()
        yield process


def asking(seat: Seat, query: str, variables: Json = None) -> Message:
    """A GraphQL request with the seat's key."""
    body = json.dumps({"query": query, "variables": variables})
    return Message("/graphql", {"authorization": f"Bearer {seat.token}"}, body)


def answer(server: Process, message: Message) -> bytes:
    """One request's answer."""
    headers = {"content-type": "application/json", **message.headers}
    return server.answer("POST", message.path, message.body.encode(), headers)


def served(upstream: Process) -> tuple[int, int]:
    """How many requests the simulated service served, and how many of them without the credential."""
    counts = json.loads(upstream.answer("GET", "/count"))
    return counts["served"], counts["denied"]
