"""Refreshers on a real database, before a token endpoint that misbehaves: any number, in this process or in others.

`python -m tests.vault.renewing '{…}'` is one process more (see `process`); it dies where it is told to.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from db.connections import Connected
from db.refresh_records import PostgresRefreshRecords
from domain.catalogue import Account, AuthScheme, CallSetting, Credential, Identity, OAuthApplication, Refreshing
from domain.connections import Connection
from domain.errors import ReconnectNeeded
from domain.history import Event
from domain.ids import new_id
from domain.refreshing import Lease, Renewal
from domain.sealed import Sealed
from domain.secrets import Secret
from tests.db.ground import Ground, new_tenant, opened
from tests.support.nouns import SampleCatalogue, SampleIntegration
from tests.support.processes import ROOT
from tests.support.tokens import TokenService
from vault.credentials import CredentialVault
from vault.envelope import Envelope
from vault.health import Health
from vault.master_keys import KEY_BYTES, LocalMasterKeys
from vault.oauth import OAuthClient, Obtained
from vault.refreshing import Pace, Refresher
from vault.spool import Spool

QUICK = Pace(lease=2, lapse=0.3, first_rest=0.2, polls=(0.01, 0.02, 0.05), store_waits=(0.05,) * 100)
#: Where a process can be told to die.
POINTS = ("before_lease", "leased", "answered", "spooled", "kept", "stored")


@dataclass
class Harbour(SampleIntegration):
    """The made-up service, with an account that is looked up where its tokens come from."""

    url: str = ""

    async def identify(self, setting: CallSetting) -> Identity:
        host, port = "127.0.0.1", int(self.url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection(host, port)
        token = setting.credential.secrets["access_token"].reveal()
        writer.write(f"GET /user HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        if b" 401 " in head:
            raise ReconnectNeeded("Harbour does not accept the credential.", status=401)
        told = json.loads(body)
        return Identity(Account(told["id"], "Lin"), tuple(told["scopes"].split()))


def catalogue(url: str, refreshing: Refreshing = Refreshing.ROTATING) -> SampleCatalogue:
    application = OAuthApplication(
        authorize_url=f"{url}/authorize",
        token_url=f"{url}/token",
        revoke_url=None,
        client_id="client",
        client_secret=Secret("client-secret-canary"),
        client_auth="client_secret_post",
        scope_separator=" ",
        uses_pkce=True,
        authorize_parameters={},
        refreshing=refreshing,
    )
    return SampleCatalogue(Harbour(oauth=application, url=url))


@dataclass(frozen=True)
class Berth:
    """A connection whose credential can be renewed."""

    tenant: str
    id: UUID
    sealed: Sealed

    @property
    def soon(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=20)


class Dock:
    """One process's refresher and what it works with."""

    def __init__(
        self,
        ground: Ground,
        service_url: str,
        transport: HttpTransport,
        *,
        pace: Pace = QUICK,
        spool: Spool | None = None,
        records: PostgresRefreshRecords | None = None,
        oauth: OAuthClient | None = None,
        refreshing: Refreshing = Refreshing.ROTATING,
    ) -> None:
        self.ground = ground
        self.catalogue = catalogue(service_url, refreshing)
        self.vault = CredentialVault(Envelope(LocalMasterKeys({"k1": b"m" * KEY_BYTES})))
        self.records = records or PostgresRefreshRecords(ground.stores, ground.database.pool)
        self.oauth = oauth or OAuthClient(transport.for_oauth())
        self.refresher = Refresher(
            self.catalogue, self.records, self.vault, self.oauth, spool=spool, pace=pace, chance=lambda: 0.5
        )
        self.health = Health(self.catalogue, self.records, self.vault, self.refresher)

    async def berth(self, service: TokenService, *, seconds: float = -1, account: str = "1") -> Berth:
        """A connection in a tenant of its own; its access token ends in so many seconds, or has ended."""
        access, refresh = service.consent(account)
        tokens = {"access_token": Secret(access), "refresh_token": Secret(refresh)}
        return await self.moor(tokens, seconds=seconds, account=account)

    async def moor(self, tokens: Mapping[str, Secret], *, seconds: float = -1, account: str = "1") -> Berth:
        """The same, with tokens from elsewhere."""
        ends = datetime.now(UTC) + timedelta(seconds=seconds)
        credential = Credential(AuthScheme.OAUTH2, tokens, {"team": "T1"}, ends)
        tenant = new_tenant()
        connected = Connected(
            integration="harbour",
            auth_scheme=AuthScheme.OAUTH2,
            account=Account(account, "Lin"),
            granted_scopes=("read", "write"),
            is_sandbox=False,
            label=None,
            external_user_id=None,
            expires_at=ends,
            rotation_due_at=None,
            next_refresh_at=datetime.now(UTC) + timedelta(hours=1),
        )
        async with self.ground.stores.of(tenant) as store:
            key = await self.vault.new_key(tenant)
            await store.keys.add(key)
            made = await store.connections.add(new_id(), connected)
            sealed = await self.vault.seal_credential(key, tenant, made.id, 1, credential)
            await store.connections.put_credential(made.id, sealed)
        return Berth(tenant, made.id, sealed)

    async def fresh(self, berth: Berth) -> str:
        """The access token that a call would be made with."""
        found = await self.refresher.fresh(berth.tenant, berth.id, berth.sealed, deadline=berth.soon)
        return found.secrets["access_token"].reveal()

    async def look(self, berth: Berth) -> Connection:
        async with self.ground.stores.of(berth.tenant) as store:
            return (await store.connections.get([berth.id]))[berth.id]

    async def credential(self, berth: Berth) -> Credential:
        """The one in place."""
        stored = await self.records.current(berth.tenant, berth.id)
        assert stored is not None
        return await self.vault.open_credential(berth.tenant, berth.id, stored.sealed)

    async def version(self, berth: Berth) -> int:
        stored = await self.records.current(berth.tenant, berth.id)
        assert stored is not None
        return stored.sealed.version

    async def events(self, berth: Berth) -> list[Event]:
        return await self.ground.history(berth.tenant)

    async def journal(self, berth: Berth) -> int:
        """How many answers wait in the journal."""
        async with self.ground.as_owner() as owner:
            count: int = await owner.fetchval(
                "SELECT count(*) FROM credential_journal WHERE connection_id = $1", berth.id
            )
            return count


@asynccontextmanager
async def docked(ground: Ground, service_url: str, **more: object) -> AsyncIterator[Dock]:
    """A process's worth of it."""
    port = service_url.rsplit(":", 1)[1]
    egress = Egress.allowing(sockets=[f"127.0.0.1:{port}"], http=True)
    async with HttpTransport(egress, version="tests") as transport:
        yield Dock(ground, service_url, transport, **more)  # type: ignore[arg-type]  # spelled by the test


# --------------------------------------------------------------------------------------------- other processes


class Service(Protocol):
    """Whatever answers at `/token` below its address."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True)
class Ended:
    """How a process ended: what its calls got, or the signal that killed it."""

    code: int
    answers: tuple[str, ...]


@asynccontextmanager
async def process(
    ground: Ground, service: Service, berth: Berth, *, calls: int = 1, **more: object
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that calls `fresh` so many times at once. `die_at` is one of POINTS; `stop_at` pauses it there (SIGSTOP)."""
    told = {"database": ground.url, "service": service.url, "tenant": berth.tenant, "id": berth.id.hex, "calls": calls}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.vault.renewing",
        json.dumps({**told, **more}),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def ended(running: asyncio.subprocess.Process) -> Ended:
    async with asyncio.timeout(60):
        out, err = await running.communicate()
    assert running.returncode is not None
    if running.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(err.decode())
    return Ended(running.returncode, tuple(json.loads(out)) if out else ())


class _Fate:
    """Ends or pauses this process at its point, once."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self._point = told.get("die_at") or told.get("stop_at")
        self._signal = signal.SIGKILL if told.get("die_at") else signal.SIGSTOP

    def reached(self, point: str) -> None:
        if self._point == point:
            self._point = None
            os.kill(os.getpid(), self._signal)


class _FatefulRecords(PostgresRefreshRecords):
    fate: _Fate

    async def lease(self, *args: object, **more: object) -> object:  # type: ignore[override]  # passed through
        self.fate.reached("before_lease")
        standing = await super().lease(*args, **more)  # type: ignore[arg-type]  # likewise
        if isinstance(standing, Lease):
            self.fate.reached("leased")
        return standing

    async def keep(self, renewal: Renewal) -> bool:
        self.fate.reached("spooled")
        is_kept = await super().keep(renewal)
        self.fate.reached("kept")
        return is_kept

    async def store(self, lease: Lease, renewal: Renewal, next_refresh_at: datetime | None) -> bool:
        is_stored = await super().store(lease, renewal, next_refresh_at)
        self.fate.reached("stored")
        return is_stored


class _FatefulOAuth(OAuthClient):
    fate: _Fate

    async def refresh(self, application: OAuthApplication, service: str, token: Secret) -> Obtained:
        obtained = await super().refresh(application, service, token)
        self.fate.reached("answered")
        return obtained


async def _main(told: Mapping[str, str]) -> None:
    fate = _Fate(told)
    port = told["service"].rsplit(":", 1)[1]
    egress = Egress.allowing(sockets=[f"127.0.0.1:{port}"], http=True)
    async with opened(told["database"], 4) as ground, HttpTransport(egress, version="tests") as transport:
        records = _FatefulRecords(ground.stores, ground.database.pool)
        oauth = _FatefulOAuth(transport.for_oauth())
        records.fate = oauth.fate = fate
        spool = Spool(Path(told["spool"])) if told.get("spool") else None
        pace = replace(QUICK, lease=float(told.get("lease") or QUICK.lease))
        dock = Dock(ground, told["service"], transport, records=records, oauth=oauth, spool=spool, pace=pace)
        stored = await records.current(told["tenant"], UUID(hex=told["id"]))
        assert stored is not None
        berth = Berth(told["tenant"], stored.connection.id, stored.sealed)
        answers = await asyncio.gather(*(dock.fresh(berth) for _ in range(int(told["calls"]))), return_exceptions=True)
        sys.stdout.write(json.dumps([each if isinstance(each, str) else type(each).__name__ for each in answers]))


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
