"""Executions whose process is killed at a named step, and what became of each of them, here and at the service.

Three kinds are asked for, waiting and in the background: one that reads, one that must not be repeated, one that the
service recognises by its key. Every request names itself in what it writes, so that effects are counted one by one.
"""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters._kit.catalogue import slugs
from adapters.github.sandbox import sandbox as github
from adapters.stripe.sandbox import sandbox as stripe
from adapters.stripe.sandbox_state import KEY as STRIPE_KEY
from domain.ids import Kind, public_id
from domain.json import Json
from tests.support.fleets import GITHUB_KEY
from tests.support.gateways import CONNECT, Client, GrantedAgent, agent_with_grant
from tests.support.mortals import RESTS, Births, Life, StillBorn, midwife
from tests.support.serving import serving

REPO: Mapping[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse"}
KINDS = ("github.get_repo", "github.create_issue", "stripe.create_customer")
FINAL = {"SUCCEEDED", "FAILED", "UNKNOWN", "CANCELLED", "EXPIRED"}
_NAME = re.compile(rb"no-[0-9a-z_-]+")


@dataclass
class Counting:
    """An application whose effects are counted by the name that each request gives itself."""

    app: ASGIApp
    effects: Counter[str] = field(default_factory=Counter)
    arrivals: list[float] = field(default_factory=list)  # by the clock of this process
    #: Requests that are held back for this long, as a slow service does.
    seconds: float = 0
    held: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count it when it was done, whether anybody hears of it or not."""
        body = bytearray()
        if scope["type"] == "http" and not scope["path"].startswith("/_sandbox"):
            self.arrivals.append(time.perf_counter())

        async def heard() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and 200 <= message["status"] < 300:
                names = dict(message["headers"])
                if b"idempotent-replayed" not in {name.lower() for name in names}:
                    for name in set(_NAME.findall(bytes(body))):
                        self.effects[name.decode()] += 1
            with suppress(OSError):
                await send(message)

        if scope["type"] == "http" and not scope["path"].startswith("/_sandbox") and self.seconds:
            self.held += 1
            await asyncio.sleep(self.seconds)
            self.held -= 1
        with suppress(ClientDisconnect):  # who asked has died
            await self.app(scope, heard, told)


@dataclass(frozen=True)
class Asked:
    """One request for an execution."""

    name: str
    action: str
    mode: str
    step: str

    @property
    def parameters(self) -> Json:
        """What is asked for."""
        if self.action == "github.get_repo":
            return dict(REPO)
        if self.action == "github.create_issue":
            return {**REPO, "title": self.name}
        return {"name": self.name}


@dataclass
class Found:
    """What history says of a request, and how often the service did it."""

    asked: Asked
    status: str | None
    code: str | None
    effects: int
    seconds: float | None  # from the death of its process to its end


@dataclass
class World:
    """The services, the database, and whoever may be born into it."""

    births: Births
    environ: Mapping[str, str]
    database: "asyncpg.Pool[asyncpg.Record]"
    services: Mapping[str, Counting]
    places: Mapping[str, str]
    token: str = ""
    asked: list[tuple[Asked, datetime]] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)

    async def life(self, step: str = "", **environ: str) -> Life:
        """A ready gateway; it dies at the step, if one is named."""
        more = {"MANDATE_TEST_DIE_AT": step} if step else {}
        life = self.births.born({**self.environ, **more, **environ})
        await life.ready()
        return life

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """The services take this long, meanwhile."""
        for each in self.services.values():
            each.seconds = seconds
        yield
        for each in self.services.values():
            each.seconds = 0

    async def prepare(self, life: Life, tenant: str = "acme") -> GrantedAgent:
        """An agent with grants on both accounts. It is the one who asks from now on."""
        owner = life.client(tenant)
        keys: Mapping[str, Json] = {"github": {"token": GITHUB_KEY}, "stripe": {"key": STRIPE_KEY}}
        agent: GrantedAgent | None = None
        for service, credentials in keys.items():
            wish: Json = {"integration": service, "credentials": credentials}
            made = (await owner.ask(CONNECT, {"input": wish}))["connect"]
            assert made["errors"] == [], made
            connection = made["connection"]["id"]
            if agent is None:
                agent = await agent_with_grant(owner, connection)
            else:
                await _granted(owner, agent.agent, connection)
        assert agent is not None
        self.token = agent.client.token or ""
        return agent

    async def ask(self, life: Life, asked: Asked) -> Any:
        """The answer; None when the process did not live to give one."""
        try:
            done = await Client(life.url, self.token).execute(
                asked.action, asked.parameters, mode=asked.mode, idempotencyKey=asked.name
            )
        except (httpx2.TransportError, ValueError):
            return None
        assert done["errors"] == [], done
        self.accepted.add(asked.name)
        return done["execution"]

    async def kill(self, step: str, names: Iterator[int]) -> bool:
        """One of each kind, in the mode that leads past the step, in a process that dies there. False: it did not."""
        mode = "BACKGROUND" if step in ("after_queued", "after_claim") else "WAIT"
        try:
            life = await self.life(step, **({} if step == "after_claim" else {RESTS: "1"}))
        except StillBorn:  # it took up what an earlier one had left, and came past its step with that
            return False
        wished = [Asked(f"no-{next(names)}-{step}", kind, mode, step) for kind in KINDS]
        with self.slow(0.5 if step == "after_sent" else 0):
            asking = [asyncio.ensure_future(self.ask(life, each)) for each in wished]
            try:
                code = await life.died(20)
            except TimeoutError:
                life.tell(signal.SIGKILL)
                code = 0
            died_at = datetime.now(UTC)
            await asyncio.gather(*asking)
            if step == "after_sent":
                await asyncio.sleep(0.6)  # the service does it all the same
        self.asked += [(each, died_at) for each in wished]
        return code == -signal.SIGKILL

    async def lapse(self) -> None:
        """The leases of the dead have run out, as they do by themselves after a while."""
        await self.database.execute(
            "UPDATE executions SET lease_until = now() - interval '1 s' WHERE lease_until > now()"
        )

    async def found(self) -> list[Found]:
        """What became of every request."""
        rows = await self.database.fetch("SELECT idempotency_key, status, error, finished_at FROM executions")
        kept = {row["idempotency_key"]: row for row in rows}
        return [_found(each, died_at, kept.get(each.name), self.effects(each.name)) for each, died_at in self.asked]

    async def settled(self, seconds: float) -> list[Found]:
        """The same, once everything that was begun has ended, or so many seconds have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(each.status not in (None, *FINAL) for each in await self.found()):
                    await asyncio.sleep(0.2)
        return await self.found()

    async def misbehave(self, kind: str, match: str, **more: Json) -> None:
        """Have the simulated GitHub do this to the next matching requests."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            asked = {"kind": kind, "match": match, **more}
            assert (await http.post(f"{self.places['github']}/_sandbox/faults", json=asked)).is_success

    @property
    def held(self) -> int:
        """How many requests the services hold back at this moment."""
        return sum(each.held for each in self.services.values())

    def effects(self, name: str) -> int:
        """How often the services did what carries this name."""
        return sum(each.effects[name] for each in self.services.values())

    async def log_of(self, name: str) -> list[str]:
        """The types of what history tells of it, in order."""
        query = (
            "SELECT h.type FROM history h JOIN executions e ON e.tenant = h.tenant AND e.id = h.execution_id"
            " WHERE e.idempotency_key = $1 ORDER BY h.position"
        )
        return [row["type"] for row in await self.database.fetch(query, name)]

    async def id_of(self, name: str) -> str:
        """The public id of the execution with this key."""
        found: UUID = await self.database.fetchval("SELECT id FROM executions WHERE idempotency_key = $1", name)
        return public_id(Kind.EXECUTION, found)


@asynccontextmanager
async def world(database_url: str, folder: Path, config: str = "", **environ: str) -> AsyncIterator[World]:
    """Everything but the gateways. `config` is added to the gateways' file."""
    async with AsyncExitStack() as stack:
        services = {
            "github": Counting(github(rate_limit=1_000_000)),
            "stripe": Counting(stripe(per_second=1_000_000)),
        }
        places = {name: await stack.enter_async_context(serving(app)) for name, app in services.items()}
        tables = [f'[integrations.{name}]\nbase_url = "{url}"' for name, url in places.items()]
        tables += [f"[integrations.{name}]\nsandbox = false" for name in slugs() if name not in places]
        file = folder / "mandate.toml"
        file.write_text("\n".join([*tables, '[egress]\nallow = ["127.0.0.0/8"]', config]))
        database = await asyncpg.create_pool(database_url, min_size=1, max_size=2)
        stack.push_async_callback(database.close)
        births = stack.enter_context(midwife(folder))
        settings = {"DATABASE_URL": database_url, "MANDATE_CONFIG": str(file), **environ}
        yield World(births, settings, database, services, places)


def _found(asked: Asked, died_at: datetime, row: "asyncpg.Record | None", effects: int) -> Found:
    if row is None:
        return Found(asked, None, None, effects, None)
    code = re.search(r'"code": ?"(\w+)"', row["error"] or "")
    ended = row["finished_at"]
    seconds = (ended - died_at).total_seconds() if ended else None
    return Found(asked, row["status"], code[1] if code else None, effects, seconds)


async def _granted(owner: Client, agent: str, connection: str) -> None:
    wanted: Json = {"agent": agent, "connection": connection, "permissionLevel": "READ_WRITE", "approval": "NEVER"}
    query = "mutation ($input: CreateGrantInput!) { createGrant(input: $input) { errors { message } } }"
    assert (await owner.ask(query, {"input": wanted}))["createGrant"]["errors"] == []
