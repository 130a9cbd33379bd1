"""Two ways to start: in development with everything it needs brought along, in production with nothing assumed."""

import ipaddress
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from adapters._kit.catalogue import manifest_of, sandbox_module, slugs
from db.drafts import EarlierDraft
from db.embedded import EmbeddedPostgres, default_data_dir
from db.migrating import migrate
from domain.errors import Misconfigured
from gateway.browsers import OneTimeLinks
from gateway.settings import Settings
from gateway.wiring import Plan
from vault.development import DevelopmentIssuer
from vault.key_services import AwsIdentity, KeyServices
from vault.master_keys import MasterKeys, development_master_keys, read_master_keys


@dataclass(frozen=True, slots=True)
class Development:
    """What the development gateway runs with."""

    plan: Plan
    issuer: DevelopmentIssuer
    sandboxes: Mapping[str, ASGIApp]
    database: str


@asynccontextmanager
async def development(settings: Settings, host: str, port: int) -> AsyncIterator[Development]:
    """An embedded database unless one is named, keys of its own, and simulated services. On loopback only."""
    refuse_remote(host)
    home = data_dir(settings)
    issuer = DevelopmentIssuer(home / "development.key")
    keyring = _keyring(settings) or development_master_keys(home / "master.key")
    public_url = settings.public_url or f"http://{host}:{port}"
    names = _simulated(settings)
    sandboxes = {name: _OnFirstUse(partial(_sandbox, name, home)) for name in names}
    async with _migrated(settings, home) as (url, described):
        plan = Plan(
            settings=settings,
            database_url=url,
            public_url=public_url.rstrip("/"),
            keyring=keyring,
            development_issuer=issuer.trusted(),
            sandboxes={name: f"http://{host}:{port}/sandbox/{name}" for name in names},
            sandbox_socket=f"{_address(host)}:{port}",
            state_dir=home,
            links=OneTimeLinks(),
        )
        yield Development(plan, issuer, sandboxes, described)


class _OnFirstUse:
    """An application that is made when the first request for it comes: a dozen services are simulated, one is used."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the application itself."""
        if self._made is None:
            self._made = self._make()
        await self._made(scope, receive, send)


def _sandbox(name: str, home: Path) -> ASGIApp:
    made: ASGIApp = sandbox_module(name).sandbox(home / f"sandbox-{name}.json")
    return made


def production(settings: Settings) -> Plan:
    """Raises Misconfigured naming the first thing that is missing."""
    keyring = _keyring(settings)
    if keyring is None:
        raise Misconfigured("MANDATE_MASTER_KEYS is not set. Without a master key nothing can be sealed.")
    if settings.test_die_at is not None:
        raise Misconfigured("MANDATE_TEST_DIE_AT is for tests: a gateway that serves does not kill itself. Unset it.")
    if settings.database_url is None:
        raise Misconfigured("DATABASE_URL is not set. `mandate serve` needs a PostgreSQL of yours; see `mandate dev`.")
    for name, value in (("ISSUER", settings.oidc_issuer), ("AUDIENCE", settings.oidc_audience)):
        if value is None:
            raise Misconfigured(f"MANDATE_OIDC_{name} is not set. Without it nobody could be recognised.")
    if settings.public_url is None:
        raise Misconfigured("MANDATE_PUBLIC_URL is not set. Services must know where to send browsers back to.")
    return Plan(
        settings=settings,
        database_url=settings.database_url.reveal(),
        public_url=settings.public_url.rstrip("/"),
        keyring=keyring,
        state_dir=settings.data_dir or default_data_dir(),
    )


def data_dir(settings: Settings) -> Path:
    """Where this deployment keeps what it makes itself."""
    home = settings.data_dir or default_data_dir()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home


def settings_of_process() -> Settings:
    """The one place where the environment is read."""
    return Settings.read(os.environ)


def _keyring(settings: Settings) -> MasterKeys | None:
    return read_master_keys(settings.master_keys, _key_services(settings)) if settings.master_keys else None


def _key_services(settings: Settings) -> KeyServices:
    aws = None
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        aws = AwsIdentity(settings.aws_access_key_id, settings.aws_secret_access_key, settings.aws_session_token)
    return KeyServices(aws, settings.aws_kms_endpoint, settings.vault_token)


def keyring_of(settings: Settings, home: Path) -> MasterKeys | None:
    """The master keys of the settings, or those that a development gateway has made here; None when there are none."""
    made = home / "master.key"
    return _keyring(settings) or (development_master_keys(made) if made.exists() else None)


@asynccontextmanager
async def database_of(settings: Settings, home: Path) -> AsyncIterator[str]:
    """The address of the database that the settings name, or of the embedded one, running as long as this is open."""
    async with _database(settings, home) as (url, _):
        yield url


@asynccontextmanager
async def _migrated(settings: Settings, home: Path) -> AsyncIterator[tuple[str, str]]:
    """The database at head. One of our own that an earlier draft made is set aside: what it holds is simulated."""
    async with _database(settings, home) as (url, described):
        is_fit = True
        try:
            await migrate(url)
        except EarlierDraft:
            if settings.database_url is not None:
                raise
            is_fit = False
        if is_fit:
            yield url, described
            return
    aside = _set_aside(home)
    async with _database(settings, home) as (url, described):
        await migrate(url)
        yield url, f"{described}, new; that of an earlier draft is now in {aside}"


def _set_aside(home: Path) -> Path:
    aside = home / f"earlier-draft-{int(time.time())}"
    aside.mkdir()
    for each in (home / "postgres", *home.glob("sandbox-*.json")):  # simulated services remember that world too
        each.rename(aside / each.name)
    return aside


@asynccontextmanager
async def _database(settings: Settings, home: Path) -> AsyncIterator[tuple[str, str]]:
    if settings.database_url is not None:
        yield settings.database_url.reveal(), "yours (DATABASE_URL)"
        return
    with EmbeddedPostgres(home) as server:
        yield server.start(), f"embedded, in {home}"


def _simulated(settings: Settings) -> list[str]:
    """Whose simulated service is used: integrations that ship one, unless the operator set up the real one."""
    found = []
    for slug in slugs():
        said = settings.file.integrations.get(slug)
        if manifest_of(slug).sandbox is None or (said is not None and said.sandbox is False):
            continue
        is_set_up = said is not None and any((said.client_id, said.base_url, said.authorize_url, said.token_url))
        if not is_set_up or (said is not None and said.sandbox):
            found.append(slug)
    return found


def _address(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else f"[{host}]" if ":" in host else host


def refuse_remote(host: str) -> None:
    """Raises Misconfigured unless the host is this machine's loopback."""
    if not _is_loopback(host):
        raise Misconfigured(f"Development mode listens on this machine only, and {host} is not. Use `mandate serve`.")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
