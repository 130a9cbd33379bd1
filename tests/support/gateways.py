"""A whole gateway for a test: real server, real PostgreSQL, real sockets, simulated services.

    async def test_something(gateway: RunningGateway) -> None:
        owner = gateway.client()                    # an owner of a tenant of this test's own
        answer = await owner.ask("{ viewer { subject } }")

- `gateway`: one for each test module, on a database of its own; tests stay apart by using tenants of their own.
- `running_gateway(...)`: for tests that need their own, or several on one database.
- `connected(...)`, `agent_with_grant(...)`: the steps that most tests begin with.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from db.migrating import migrate
from domain.callers import Role
from domain.json import Json
from domain.secrets import Secret
from gateway.app import application
from gateway.browsing import Browser
from gateway.settings import ConfigFile, Settings
from gateway.starting import Development, development
from tests.support.servers import new_database
from tests.support.serving import free_listener, serving

PATIENCE_SECONDS = 20


@dataclass
class Client:
    """One caller, over real HTTP and real sockets."""

    url: str
    token: str | None

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    async def post(self, query: str, variables: Mapping[str, Json] | None = None, **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
            return await http.post(
                f"{self.url}/graphql",
                json={"query": query, "variables": dict(variables or {})},
                headers={**self.headers, **headers},
            )

    async def answer(self, query: str, variables: Mapping[str, Json] | None = None, **headers: str) -> Any:
        """The whole GraphQL answer, errors and all."""
        return (await self.post(query, variables, **headers)).json()

    async def ask(self, query: str, variables: Mapping[str, Json] | None = None, **headers: str) -> Any:
        """The data; fails when there are errors."""
        answer = await self.answer(query, variables, **headers)
        assert "errors" not in answer, answer
        return answer["data"]

    async def execute(self, action: str, parameters: Json, **more: Json) -> Any:
        """The payload of `execute`."""
        return (await self.ask(EXECUTE, {"input": {"action": action, "parameters": parameters, **more}}))["execute"]

    @asynccontextmanager
    async def socket(self) -> AsyncIterator["Socket"]:
        address = self.url.replace("http", "ws", 1) + "/graphql"
        async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as connection:
            socket = Socket(connection)
            await socket.init(self.token)
            yield socket


@dataclass
class Socket:
    """A graphql-transport-ws client."""

    connection: ClientConnection
    waiting: dict[str, asyncio.Queue[Any]] = field(default_factory=dict)

    async def init(self, token: str | None) -> None:
        payload = {"authorization": f"Bearer {token}"} if token else {}
        await self.send({"type": "connection_init", "payload": payload})
        assert (await self.receive())["type"] == "connection_ack"

    async def send(self, message: Json) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return json.loads(await self.connection.recv())

    async def subscribe(self, query: str, variables: Mapping[str, Json] | None = None, name: str = "1") -> None:
        payload: Json = {"query": query, "variables": dict(variables or {})}
        await self.send({"id": name, "type": "subscribe", "payload": payload})

    async def next(self) -> Any:
        """The data of the next event; fails on anything else."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]


@dataclass
class RunningGateway:
    """A gateway that serves, with what a test wants to look at."""

    url: str
    made: Development
    settings: Settings

    def client(self, role: Role = Role.OWNER, tenant: str | None = None, subject: str = "ada") -> Client:
        tenant = tenant or f"tenant-{secrets.token_hex(4)}"
        return Client(self.url, self.made.issuer.issue(tenant, subject, [role]))

    async def misbehave(self, kind: str, match: str = "* *", *, service: str = "github", **more: Json) -> None:
        """Have the simulated service do this to the next matching request."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.post(
                f"{self.url}/sandbox/{service}/_sandbox/faults", json={"kind": kind, "match": match, **more}
            )
            assert answer.is_success, answer.text

    async def effects(self, service: str = "github") -> Any:
        """What was written at the simulated service, by route."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            return (await http.get(f"{self.url}/sandbox/{service}/_sandbox/effects")).json()


@asynccontextmanager
async def running_gateway(
    database_url: str, folder: Path, *, redis_url: str | None = None, file: Json = None, **settings: object
) -> AsyncIterator[RunningGateway]:
    """A gateway of the test's own. `folder` holds its keys: two gateways on one database share it."""
    listener = free_listener()
    read = Settings.model_validate(
        {
            "database_url": Secret(database_url),
            "redis_url": Secret(redis_url) if redis_url else None,
            "data_dir": folder,
            "file": ConfigFile.model_validate(file or {}),
            **settings,
        }
    )
    async with (
        development(read, "127.0.0.1", listener.getsockname()[1]) as made,
        serving(application(made.plan, made.sandboxes), listener=listener) as url,
    ):
        yield RunningGateway(url, made, read)


@pytest.fixture(scope="session")
async def migrated_template(postgres_url: str) -> AsyncIterator[str]:
    """A migrated database to clone from."""
    async with new_database(postgres_url) as address:
        await migrate(address)
        yield urlsplit(address).path.lstrip("/")


@pytest.fixture(scope="module")
async def gateway(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """One gateway for the module, without Redis."""
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(
            address, tmp_path_factory.mktemp("gateway"), allowed_redirects=("https://app.example/done",)
        ) as running,
    ):
        yield running


@dataclass(frozen=True)
class Connected:
    """A simulated GitHub account, connected."""

    id: str
    label: str


async def connected(owner: Client, actions: Sequence[str] = ("github.create_issue",), account: str = "") -> Connected:
    """Connect the simulated GitHub, consent page and all. `account`: which of its people consents."""
    begun = (await owner.ask(CONNECT, {"input": {"integration": "github", "actions": list(actions)}}))["connect"]
    assert not begun["errors"], begun
    browser = Browser()
    page = await browser.open(begun["session"]["authorizationUrl"])
    button = {"decision": "authorize", **({"account": account} if account else {})}
    await browser.press(page, **button)
    session = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]
    assert session["status"] == "COMPLETED", session
    return Connected(session["connection"]["id"], session["connection"]["account"]["label"])


@dataclass(frozen=True)
class GrantedAgent:
    """An agent that can act."""

    client: Client
    agent: str
    grant: str
    token_id: str


async def agent_with_grant(
    owner: Client, connection: str, level: str = "READ_WRITE", actions: Sequence[str] = (), **more: Json
) -> GrantedAgent:
    """An agent with a key and a grant on the connection; nobody is asked unless the test says so."""
    agent = (await owner.ask(CREATE_AGENT, {"input": {"name": "worker"}}))["createAgent"]["agent"]["id"]
    issued = (await owner.ask(CREATE_TOKEN, {"input": {"agent": agent}}))["createAgentToken"]
    wanted: dict[str, Json] = {
        "agent": agent,
        "connection": connection,
        "permissionLevel": level,
        "allowedActions": list(actions),
    }
    wanted |= {"approval": "NEVER", **more}
    grant = (await owner.ask(CREATE_GRANT, {"input": wanted}))["createGrant"]
    assert not grant["errors"], grant
    return GrantedAgent(Client(owner.url, issued["token"]), agent, grant["grant"]["id"], issued["agentToken"]["id"])


ERRORS = """
errors {
  __typename code message path
  ... on InvalidParameters { violations { pointer message } }
  ... on PermissionDenied { reason checks { name isPassed message } }
  ... on ConnectionRequired { integration { slug } connection { id } missingScopes }
  ... on BudgetExceeded { resetsAt }
  ... on RateLimited { freeAt: retryAt }
  ... on ProviderRefused { providerCode providerStatus retryAt }
}
"""
EXECUTE = f"""
mutation ($input: ExecuteInput!) {{ execute(input: $input) {{
  execution {{
    id status result parameters idempotencyKey whatToCheck durationMs
    error {{ code message isRetryable providerStatus retryAt }}
  }}
  {ERRORS}
}} }}
"""
CONNECT = f"""
mutation ($input: ConnectInput!) {{ connect(input: $input) {{
  session {{ id status authorizationUrl requestedScopes explanation expiresAt }}
  connection {{ id status isSandbox grantedScopes account {{ id label }} }}
  {ERRORS}
}} }}
"""
SESSION = """
query ($id: ID!) { node(id: $id) { ... on ConnectSession {
  status error connection { id status isSandbox grantedScopes account { id label } }
} } }
"""
CREATE_AGENT = f"mutation ($input: CreateAgentInput!) {{ createAgent(input: $input) {{ agent {{ id }} {ERRORS} }} }}"
CREATE_TOKEN = f"""
mutation ($input: CreateAgentTokenInput!) {{
  createAgentToken(input: $input) {{ token agentToken {{ id prefix }} {ERRORS} }}
}}
"""
CREATE_GRANT = f"""
mutation ($input: CreateGrantInput!) {{ createGrant(input: $input) {{ grant {{ id status }} {ERRORS} }} }}
"""
