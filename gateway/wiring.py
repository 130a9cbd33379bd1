"""The services, put together once. Read it to see what Mandate is made of."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Outgoing
from db.database import Database, open_database
from db.gate import Gate
from db.ledger import PostgresLedger
from db.listening import Listener
from db.store import Stores
from domain.errors import DependencyDown
from events.feed import Feed
from events.ports import Bus
from events.postgres import PostgresBus
from events.redis import RedisBus
from execution.pipeline import Pipeline
from gateway.settings import Settings
from resolvers.connecting import expire_sessions
from resolvers.services import Deployment, Services
from vault.agent_keys import AgentKeys
from vault.callers import Authenticator
from vault.credentials import CredentialVault
from vault.deployment import Fingerprints, deployment_key
from vault.envelope import Envelope
from vault.jwks import RemoteKeys
from vault.master_keys import LocalMasterKeys
from vault.oauth import OAuthClient
from vault.tokens import AccessTokens, TrustedIssuer

log = structlog.get_logger("gateway")

VERSION = "0.1.0"
_UPKEEP_SECONDS = 5
_DRAIN_SECONDS = 25


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put together: settings, and what only the way of starting knows."""

    settings: Settings
    database_url: str
    public_url: str
    keyring: LocalMasterKeys
    development_issuer: TrustedIssuer | None = None
    sandboxes: Mapping[str, str] = field(default_factory=dict)
    sandbox_socket: str | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the doors need: the use cases' services, who is calling, and what to look at for readiness."""

    services: Services
    authenticator: Authenticator
    database: Database
    bus: Bus


@asynccontextmanager
async def opened(plan: Plan) -> AsyncIterator[Gateway]:
    """Everything connected and running; let go of in the opposite order."""
    async with AsyncExitStack() as stack:
        database = await open_database(plan.database_url)
        stack.push_async_callback(database.close)
        bus = _bus(plan)
        stores, gate = Stores(database, bus.tell), Gate(database.pool)
        transport = _transport(plan)
        stack.push_async_callback(transport.aclose)
        overrides = {name: each.override() for name, each in plan.settings.file.integrations.items()}
        catalogue = load(transport, overrides, plan.sandboxes)
        feed = Feed(bus, gate)
        await feed.start()
        stack.push_async_callback(feed.close)
        vault = CredentialVault(Envelope(plan.keyring))
        fingerprints = Fingerprints(await deployment_key(plan.keyring, stores, "fingerprints"))
        agent_keys = AgentKeys(await deployment_key(plan.keyring, stores, "agent-keys"))
        pipeline = Pipeline(catalogue, PostgresLedger(gate, stores, bus.tell), vault, fingerprints)
        stack.push_async_callback(pipeline.drain, _DRAIN_SECONDS)
        services = Services(
            deployment=_deployment(plan),
            catalogue=catalogue,
            stores=stores,
            gate=gate,
            feed=feed,
            pipeline=pipeline,
            vault=vault,
            oauth=OAuthClient(transport.for_oauth()),
            agent_keys=agent_keys,
            fingerprints=fingerprints,
        )
        tokens = AccessTokens(await _issuers(plan, stack))
        upkeep = asyncio.create_task(_upkeep(services))
        stack.callback(upkeep.cancel)
        yield Gateway(services, Authenticator(agent_keys, gate.agent_key, tokens), database, bus)


def _deployment(plan: Plan) -> Deployment:
    return Deployment(
        version=VERSION,
        public_url=plan.public_url,
        is_development=plan.development_issuer is not None,
        allowed_redirects=plan.settings.allowed_redirects,
    )


def _bus(plan: Plan) -> Bus:
    redis_url = plan.settings.redis_url
    if redis_url is not None:
        return RedisBus(redis_url.reveal())
    return PostgresBus(lambda: Listener(plan.database_url))


def _transport(plan: Plan) -> HttpTransport:
    """Plain http goes only where the operator, or the development gateway's own sandboxes, allow."""
    allow = plan.settings.file.egress.allow
    sockets = (plan.sandbox_socket,) if plan.sandbox_socket else ()
    egress = Egress.allowing(networks=allow, sockets=sockets, http=bool(allow or sockets))
    return HttpTransport(egress, version=VERSION)


async def _issuers(plan: Plan, stack: AsyncExitStack) -> list[TrustedIssuer]:
    issuers = [plan.development_issuer] if plan.development_issuer else []
    settings = plan.settings
    if settings.oidc_issuer and settings.oidc_audience:
        # The issuer is the operator's own, so it may live inside the operator's network.
        way = HttpTransport(Egress.allowing(networks=("0.0.0.0/0", "::/0"), http=True), version=VERSION)
        stack.push_async_callback(way.aclose)

        async def fetch(url: str) -> bytes:
            answer = await way.send(Outgoing("GET", url, {"accept": "application/json"}))
            if answer.status != 200:
                raise ConnectionError("the issuer did not answer with 200")
            return answer.body

        keys = RemoteKeys(settings.oidc_issuer, fetch)
        stack.push_async_callback(keys.aclose)
        issuers.append(
            TrustedIssuer(
                settings.oidc_issuer, settings.oidc_audience, settings.tenant_claim, settings.roles_claim, keys
            )
        )
    return issuers


async def _upkeep(services: Services) -> None:
    """What time alone brings about: executions whose process went away, sessions nobody finished."""
    while True:
        await asyncio.sleep(_UPKEEP_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # spread, not secrecy
        try:
            settled = await services.pipeline.settle_lapsed()
            expired = await expire_sessions(services)
        except DependencyDown:
            continue
        except Exception as error:  # one bad round must not be the last one
            log.error("upkeep_failed", exc_info=error)
            continue
        if settled or expired:
            log.info("upkeep", executions_settled=settled, sessions_expired=expired)
