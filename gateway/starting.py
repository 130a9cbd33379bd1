"""Two ways to start: in development with everything it needs brought along, in production with nothing assumed."""

import ipaddress
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from adapters._kit.catalogue import manifest_of, sandbox_module, slugs
from db.embedded import EmbeddedPostgres, default_data_dir
from db.migrating import migrate
from domain.errors import Misconfigured
from gateway.settings import Settings
from gateway.wiring import Plan
from vault.development import DevelopmentIssuer
from vault.master_keys import LocalMasterKeys, development_master_keys, read_master_keys


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
    sandboxes = {name: sandbox_module(name).sandbox(home / f"sandbox-{name}.json") for name in names}
    async with _database(settings, home) as (url, described):
        await migrate(url)
        plan = Plan(
            settings=settings,
            database_url=url,
            public_url=public_url.rstrip("/"),
            keyring=keyring,
            development_issuer=issuer.trusted(),
            sandboxes={name: f"http://{host}:{port}/sandbox/{name}" for name in names},
            sandbox_socket=f"{_address(host)}:{port}",
        )
        yield Development(plan, issuer, sandboxes, described)


def production(settings: Settings) -> Plan:
    """Raises Misconfigured naming the first thing that is missing."""
    keyring = _keyring(settings)
    if keyring is None:
        raise Misconfigured("MANDATE_MASTER_KEYS is not set. Without a master key nothing can be sealed.")
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
    )


def data_dir(settings: Settings) -> Path:
    """Where this deployment keeps what it makes itself."""
    home = settings.data_dir or default_data_dir()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home


def settings_of_process() -> Settings:
    """The one place where the environment is read."""
    return Settings.read(os.environ)


def _keyring(settings: Settings) -> LocalMasterKeys | None:
    return read_master_keys(settings.master_keys) if settings.master_keys else None


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
