"""The services, put together once. Read it to see what Mandate is made of."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from adapters._kit.catalogue import FolderCatalogue, load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Outgoing
from db.across import Across
from db.database import Database, open_database
from db.gate import Gate
from db.ledger import PostgresLedger
from db.listening import Listener
from db.rates import PostgresRates
from db.refresh_records import PostgresRefreshRecords
from db.store import Stores
from domain.errors import DependencyDown
from events.feed import Feed
from events.ports import Bus
from events.postgres import PostgresBus
from events.redis import RedisBus
from execution.pipeline import Pipeline
from execution.throttling import Throttle
from gateway.attending import Attendant
from gateway.browsers import Browsers, OneTimeLinks
from gateway.browsers import opened as open_browsers
from gateway.delivering import Courier, transport_to_webhooks
from gateway.sealing import Sealer
from gateway.settings import Settings
from gateway.stopping import heard
from gateway.watching import Watcher
from resolvers.approvals import expire_approvals
from resolvers.connecting import expire_sessions
from resolvers.connections import finish_disconnects
from resolvers.services import Deployment, Services
from vault.agent_keys import AgentKeys
from vault.anchors import Anchors
from vault.applications import Applications
from vault.callers import Authenticator
from vault.credentials import CredentialVault
from vault.deployment import Fingerprints, deployment_key
from vault.envelope import Envelope
from vault.health import Health
from vault.jwks import RemoteKeys
from vault.master_keys import MasterKeys
from vault.oauth import OAuthClient
from vault.receipts import ReceiptPrinter
from vault.refreshing import Refresher
from vault.signing import PURPOSE, SigningKey
from vault.spool import Spool
from vault.tokens import AccessTokens, TrustedIssuer

if TYPE_CHECKING:
    from gateway.dying import Fate
    from gateway.metrics import Metrics

log = structlog.get_logger("gateway")

VERSION = "0.1.0"
_UPKEEP_SECONDS = 5
_UNHURRIED_SECONDS = 1
_DRAIN_SECONDS = 25


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put together: settings, and what only the way of starting knows."""

    settings: Settings
    database_url: str
    public_url: str
    keyring: MasterKeys
    development_issuer: TrustedIssuer | None = None
    sandboxes: Mapping[str, str] = field(default_factory=dict)
    sandbox_socket: str | None = None
    state_dir: Path | None = None
    links: OneTimeLinks | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the doors need: the use cases' services, who is calling, and what to look at for readiness."""

    services: Services
    authenticator: Authenticator
    database: Database
    bus: Bus
    browsers: Browsers


@asynccontextmanager
async def opened(plan: Plan, metrics: "Metrics | None" = None) -> AsyncIterator[Gateway]:
    """Everything connected and running, and measured if there are metrics; let go of in the opposite order."""
    async with AsyncExitStack() as stack:
        database = await open_database(plan.database_url)
        stack.push_async_callback(database.close)
        bus = _bus(plan)
        stores, gate = Stores(database, bus.tell), Gate(database.pool)
        fate = _fate(plan)
        transport = _transport(plan, metrics, fate)
        stack.push_async_callback(transport.aclose)
        overrides = {name: each.override() for name, each in plan.settings.file.integrations.items()}
        catalogue = load(transport, overrides, plan.sandboxes)
        reading = asyncio.create_task(_read_actions(catalogue))
        stack.callback(reading.cancel)
        feed = Feed(bus, gate)
        await feed.start()
        stack.push_async_callback(feed.close)
        vault = CredentialVault(Envelope(plan.keyring))
        oauth = OAuthClient(transport.for_oauth())
        records = PostgresRefreshRecords(stores, database.pool)
        applications = Applications(catalogue, records, vault)
        refresher = Refresher(catalogue, records, vault, oauth, applications=applications, spool=_spool(plan))
        stack.push_async_callback(refresher.drain, _DRAIN_SECONDS)
        health = Health(catalogue, records, vault, refresher, every=plan.settings.check_every)
        fingerprints = Fingerprints(await deployment_key(plan.keyring, stores, "fingerprints"))
        signing = SigningKey(await deployment_key(plan.keyring, stores, PURPOSE))
        across = Across(database.pool)
        sealer = Sealer(across, stores, signing, _anchors(plan, signing))
        stack.push_async_callback(sealer.close)
        agent_keys = AgentKeys(await deployment_key(plan.keyring, stores, "agent-keys"))
        throttle = Throttle(plan.settings.file.limits.limits(), PostgresRates(database.pool))
        pipeline = Pipeline(catalogue, _ledger(gate, stores, bus, metrics, fate), refresher, fingerprints, throttle)
        stack.enter_context(heard(pipeline.worker.rest))
        stack.callback(asyncio.create_task(pipeline.worker.keep_leases()).cancel)  # while they are drained, too
        stack.push_async_callback(pipeline.drain, _DRAIN_SECONDS)
        services = Services(
            deployment=_deployment(plan),
            catalogue=catalogue,
            stores=stores,
            gate=gate,
            across=across,
            feed=feed,
            pipeline=pipeline,
            vault=vault,
            oauth=oauth,
            applications=applications,
            refresher=refresher,
            health=health,
            agent_keys=agent_keys,
            fingerprints=fingerprints,
            receipts=ReceiptPrinter(signing),
        )
        tokens = AccessTokens(await _issuers(plan, stack))
        for chore in (_upkeep(services), sealer.run(), pipeline.worker.work(), pipeline.prober.work()):
            stack.callback(asyncio.create_task(chore).cancel)
        courier = Courier(across, stores, vault, _to_webhooks(plan, stack))
        stack.push_async_callback(courier.close)
        for chore in (Watcher(services).run(), courier.run(), _endings(services)):
            stack.callback(asyncio.create_task(chore).cancel)
        attending = asyncio.create_task(Attendant(records, refresher, health).run())
        stack.callback(attending.cancel)
        cookies = await deployment_key(plan.keyring, stores, "cookies")
        browsers = await stack.enter_async_context(open_browsers(plan.settings, plan.public_url, cookies, plan.links))
        yield Gateway(services, Authenticator(agent_keys, gate.agent_key, tokens), database, bus, browsers)


async def _read_actions(catalogue: FolderCatalogue) -> None:
    """What a start does not wait for: the actions' modules, in a thread, once the first requests can be answered."""
    await asyncio.sleep(_UNHURRIED_SECONDS)
    try:
        await asyncio.to_thread(catalogue.read_actions)
    except Exception as error:
        log.error("integration_broken", exc_info=error)


def _deployment(plan: Plan) -> Deployment:
    return Deployment(
        version=VERSION,
        public_url=plan.public_url,
        is_development=plan.development_issuer is not None,
        allowed_redirects=plan.settings.allowed_redirects,
        allowed_origins=plan.settings.allowed_origins,
        mcp_tools=plan.settings.mcp_tools,
        egress=_egress(plan),
    )


def _bus(plan: Plan) -> Bus:
    redis_url = plan.settings.redis_url
    if redis_url is not None:
        return RedisBus(redis_url.reveal())
    return PostgresBus(lambda: Listener(plan.database_url))


def _fate(plan: Plan) -> "Fate | None":
    """Only tests in development have one; settings of a production are refused before."""
    if plan.settings.test_die_at is None or plan.development_issuer is None:
        return None
    # Imported late: nobody else needs it.
    from gateway.dying import Fate

    return Fate(plan.settings.test_die_at)


def _egress(plan: Plan) -> Egress:
    """Plain http goes only where the operator, or the development gateway's own sandboxes, allow."""
    allow = plan.settings.file.egress.allow
    sockets = (plan.sandbox_socket,) if plan.sandbox_socket else ()
    return Egress.allowing(networks=allow, sockets=sockets, http=bool(allow or sockets))


def _transport(plan: Plan, metrics: "Metrics | None", fate: "Fate | None") -> HttpTransport:
    egress = _egress(plan)
    if fate is not None:
        from gateway.dying import MortalTransport

        return MortalTransport(egress, version=VERSION, fate=fate)
    if metrics is not None:
        return metrics.transport(egress, VERSION)
    return HttpTransport(egress, version=VERSION)


def _to_webhooks(plan: Plan, stack: AsyncExitStack) -> HttpTransport:
    """The same rules as for services, in a pool of its own: who does not answer keeps no execution waiting."""
    transport = transport_to_webhooks(_egress(plan), VERSION)
    stack.push_async_callback(transport.aclose)
    return transport


def _ledger(gate: Gate, stores: Stores, bus: Bus, metrics: "Metrics | None", fate: "Fate | None") -> PostgresLedger:
    if fate is not None:
        from gateway.dying import MortalLedger

        return MortalLedger(gate, stores, bus.tell, fate)
    return metrics.ledger(gate, stores, bus.tell) if metrics is not None else PostgresLedger(gate, stores, bus.tell)


def _spool(plan: Plan) -> Spool | None:
    """Where renewals wait for the database. A machine that keeps nothing can do without: then memory must do."""
    if plan.state_dir is None:
        return None
    try:
        return Spool(plan.state_dir / "renewals")
    except OSError as error:
        log.warning("no_spool", kind=type(error).__name__)
        return None


def _anchors(plan: Plan, key: SigningKey) -> Anchors | None:
    """Where the newest seals lie outside the database."""
    if plan.state_dir is None:
        return None
    try:
        return Anchors(plan.state_dir / "seals", key.public.id)
    except OSError as error:
        log.warning("no_anchors", kind=type(error).__name__)
        return None


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
            settled = await services.pipeline.worker.recover()
            expired = await expire_sessions(services) + await expire_approvals(services)
        except DependencyDown:
            continue
        except Exception as error:  # one bad round must not be the last one
            log.error("upkeep_failed", exc_info=error)
            continue
        if settled or expired:
            log.info("upkeep", executions_recovered=settled, questions_expired=expired)


async def _endings(services: Services) -> None:
    """What somebody began to disconnect and whose process went away. Apart from the rest: it waits for services."""
    while True:
        await asyncio.sleep(_UPKEEP_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # spread, not secrecy
        try:
            finished = await finish_disconnects(services)
        except DependencyDown:
            continue
        except Exception as error:  # noqa: BLE001 - what a service said may be in its words, so only its kind is logged
            log.error("endings_failed", kind=type(error).__name__)
            continue
        if finished:
            log.info("endings", disconnects_finished=finished)
