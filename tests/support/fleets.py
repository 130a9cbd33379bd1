"""What several `mandate serve` processes share: a database, an identity provider, and a simulated service."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from adapters._kit.sandbox_oauth import OAuthClient
from adapters.github.sandbox import sandbox
from domain.json import Json
from tests.support.gateways import CONNECT, Client
from tests.support.issuers import Issuer, local_issuer
from tests.support.processes import Serving, environment, serving_process
from tests.support.serving import serving

GITHUB_KEY = "ghp_sandbox_lin_repo"


@dataclass(frozen=True)
class Fleet:
    """Starts processes on one database; the simulated service is this test's own and outlives them."""

    folder: Path
    issuer: Issuer
    service: str
    environ: Mapping[str, str]

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Serving]:
        """One more process."""
        async with serving_process(self.folder, self.environ) as process:
            yield process

    def client(self, process: Serving, tenant: str = "acme") -> Client:
        """An owner of the tenant, at this process."""
        return Client(process.url, self.issuer.issue(tenant))

    async def misbehave(self, kind: str, match: str, **more: Json) -> None:
        """Have the service do this to the next matching request."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            asked = {"kind": kind, "match": match, **more}
            assert (await http.post(f"{self.service}/_sandbox/faults", json=asked)).is_success

    async def total(self) -> int:
        """How many writes the service performed."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            total: int = (await http.get(f"{self.service}/_sandbox/effects")).json()["total"]
            return total


@asynccontextmanager
async def fleet(
    database_url: str, folder: Path, redis_url: str | None = None, *, client: OAuthClient | None = None
) -> AsyncIterator[Fleet]:
    """Everything but the processes. `client` is our application at the service, for connecting by OAuth."""
    async with AsyncExitStack() as stack:
        issuer = await stack.enter_async_context(local_issuer())
        service = await stack.enter_async_context(serving(sandbox(clients=[client] if client else None)))
        config = folder / "mandate.toml"
        known = [f'{name} = "{value}"' for name, value in github_at(service, client).items()]
        config.write_text("\n".join(["[integrations.github]", *known, "[egress]", 'allow = ["127.0.0.0/8"]']))
        more = {"MANDATE_CONFIG": str(config), **({"REDIS_URL": redis_url} if redis_url else {})}
        yield Fleet(folder, issuer, service, environment(database_url, issuer.url, **more))


def github_at(service: str, client: OAuthClient | None = None) -> dict[str, Json]:
    """`[integrations.github]` for a practice GitHub at this address, with our application there if there is one."""
    if client is None:
        return {"base_url": service}
    return {
        "base_url": service,
        "authorize_url": f"{service}/login/oauth/authorize",
        "token_url": f"{service}/login/oauth/access_token",
        "client_id": client.client_id,
        "client_secret": client.client_secret,
    }


async def connected_by_key(owner: Client) -> str:
    """The simulated account, by its key; the connection's id."""
    wish: Json = {"integration": "github", "credentials": {"token": GITHUB_KEY}}
    made = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    assert made["errors"] == [], made
    return str(made["connection"]["id"])
