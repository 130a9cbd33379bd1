"""The bus over Redis pub/sub: one channel per tenant, listened to while the tenant is watched.

A message is a position, in digits. One connection listens, one publishes, both in the background; a Redis that is
down, restarts or swallows everything costs no caller any time.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from domain.errors import Misconfigured
from events.outbox import Outbox
from events.ports import Heard, Missed
from events.tasks import persist, stop

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

#: The first news goes out at once; what comes while many speak is sent together, at most this much later.
_GATHERING_SECONDS = 0.002
_PREFIX = b"mandate:history:"


class RedisBus:
    """Keeps the promises of `events.ports.Bus`.

    - `url`: redis:// or rediss:// (TLS), with user and password if needed. It is never logged.
    - `patience`: seconds that the server may be silent before the connection is given up. Pings keep it talking.
    """

    def __init__(self, url: str, *, patience: float = 5.0) -> None:
        self._url = url
        self._patience = patience
        self._heard: Heard = lambda _tenant, _position: None
        self._missed: Missed = lambda: None
        self._outbox = Outbox()
        self._watched: set[str] = set()
        self._wishes = asyncio.Event()
        self._is_hearing = False
        self._is_telling = False
        self._tasks: list[asyncio.Task[None]] = []
        self._client: Redis | None = None

    @property
    def is_live(self) -> bool:
        """Whether Redis answers on both connections."""
        return self._is_hearing and self._is_telling

    async def start(self) -> None:
        """Begin. Raises Misconfigured when the address is not one."""
        client = self._client = _client(self._url, self._patience)
        self._tasks = [
            asyncio.create_task(persist("Listening to Redis", lambda works: self._listen(client, works))),
            asyncio.create_task(persist("Publishing to Redis", lambda works: self._publish(client, works))),
        ]

    async def close(self) -> None:
        """Stop both connections."""
        await stop(*self._tasks)
        self._tasks = []
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def tell(self, tenant: str, position: int) -> None:
        """Heard here at once, elsewhere by way of Redis."""
        self._heard(tenant, position)
        if self._tasks:
            self._outbox.put(tenant, position)

    def hear(self, heard: Heard, missed: Missed) -> None:
        """Who wants the news."""
        self._heard, self._missed = heard, missed

    def watch(self, tenant: str) -> None:
        """Subscribe to the tenant's channel, soon."""
        self._watched.add(tenant)
        self._wishes.set()

    def unwatch(self, tenant: str) -> None:
        """Unsubscribe from it, soon."""
        self._watched.discard(tenant)
        self._wishes.set()

    # ------------------------------------------------------------------------------------------------ publishing

    async def _publish(self, client: "Redis", works: Callable[[], None]) -> None:
        try:
            await client.ping()
            works()
            self._is_telling = True
            while True:
                await self._send(client, await self._outbox.take(self._patience))
                await asyncio.sleep(_GATHERING_SECONDS)
        finally:
            self._is_telling = False

    async def _send(self, client: "Redis", news: dict[str, int]) -> None:
        try:
            async with client.pipeline(transaction=False) as pipeline:
                for tenant, position in news.items():
                    _ = pipeline.publish(_channel(tenant), position)
                if not news:
                    _ = pipeline.ping()
                await pipeline.execute()
        except BaseException:
            self._outbox.give_back(news)
            raise

    # ------------------------------------------------------------------------------------------------- listening

    async def _listen(self, client: "Redis", works: Callable[[], None]) -> None:
        connection = _connection(client)
        try:
            async with asyncio.timeout(3 * self._patience):
                await connection.connect()  # type: ignore[no-untyped-call] # theirs
            async with asyncio.TaskGroup() as both:
                both.create_task(self._keep_subscribed(connection))
                both.create_task(self._read(connection, works))
        finally:
            self._is_hearing = False
            await connection.disconnect(nowait=True)

    async def _keep_subscribed(self, connection: "AbstractConnection") -> None:
        subscribed: set[str] = set()
        while True:
            self._wishes.clear()
            wanted = self._watched.copy()
            await _command(connection, b"SUBSCRIBE", wanted - subscribed)
            await _command(connection, b"UNSUBSCRIBE", subscribed - wanted)
            subscribed = wanted
            await connection.send_command(b"PING", check_health=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience / 3):
                    await self._wishes.wait()

    async def _read(self, connection: "AbstractConnection", works: Callable[[], None]) -> None:
        while True:
            answer = await connection.read_response(timeout=self._patience, push_request=True)
            if answer is None:
                raise ConnectionError("silent")
            if not self._is_hearing:
                self._is_hearing = True
                works()
                self._missed()
            if isinstance(answer, list):
                self._receive(answer)

    def _receive(self, answer: list[object]) -> None:
        match answer:
            case [b"message", bytes(channel), bytes(digits)] if digits.isdigit() and len(digits) <= 18:
                self._heard(channel.removeprefix(_PREFIX).decode(errors="replace"), int(digits))
            case [b"subscribe", *_]:
                self._missed()
            case _:
                pass  # an answer to PING or UNSUBSCRIBE, or a message that is not ours


async def _command(connection: "AbstractConnection", verb: bytes, tenants: set[str]) -> None:
    if tenants:
        await connection.send_command(verb, *map(_channel, tenants), check_health=False)


def _channel(tenant: str) -> bytes:
    return _PREFIX + tenant.encode()


def _connection(client: "Redis") -> "AbstractConnection":
    """One of our own rather than the library's PubSub, which reconnects by itself, does not say so, and does not
    notice a server that has gone silent. Its timeouts are ours too.
    """
    pool = client.connection_pool
    made: AbstractConnection = pool.connection_class(**(pool.connection_kwargs | {"socket_timeout": None}))
    return made


def _client(url: str, patience: float) -> "Redis":
    # Imported here because it takes long, and most starts of the command line need no Redis.
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        return Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError:
        raise Misconfigured("REDIS_URL is not an address. It looks like redis://:password@host:6379/0.") from None
