"""W3, fan-out: one history event, committed and told through Redis, to N subscribers of `executionEvents`.

Against a bare Starlette websocket server that passes the same frames on from Redis, and against mercurius, which
executes for each subscriber. Events come one at a time, for
latency, and then many at once, for deliveries a second. W5, memory for a subscription, falls out of it.
"""

import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import orjson
from redis.asyncio import Redis

from bench import report
from bench.execute import QUERY as EXECUTE
from bench.machine import Process, running
from bench.options import Options
from bench.peers import mercurius
from bench.reference import CHANNEL
from bench.seeding import Seat
from bench.stores import Stores
from bench.subscribers import Crowd
from bench.trial import Bench, answer, asking, bench, gateway, service
from domain.history import Occurrence
from domain.ids import Kind, read_id
from events.redis import RedisBus

SIZES = (100, 1_000, 5_000)
SINGLE, BURST = 20, 20
QUERY = """
subscription Events($after: String) {
  executionEvents(after: $after) { cursor status occurredAt execution { id status } }
}
"""

#: Makes so many events happen at once, and notes in the crowd when each was told.
Fire = Callable[[Crowd, int], Awaitable[None]]


@dataclass(frozen=True)
class Figures:
    """What one crowd experienced."""

    name: str
    size: int
    p50_ms: float
    p99_ms: float
    deliveries: float
    cpu_us: float
    memory_mib: float
    missing: int


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    del options  # a crowd takes events by number, not by time
    report.title("W3 fan-out: one event to N subscribers through Redis, against bare Starlette websockets")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536) if most > 0 else 65_536, most))
    bus = RedisBus(servers.redis_url)
    told: list[float] = []

    def tell(tenant: str, position: int) -> None:
        told.append(time.perf_counter())
        bus.tell(tenant, position)

    async with bench(servers, tell) as made:
        seat = (await made.seeder.tenant("bench-fanout", 1))[0]
        for size in SIZES:
            await _compare(servers, made, seat, size, _News(bus, told))


@dataclass(frozen=True)
class _News:
    """The run's own bus, and the moments at which it was told something."""

    bus: RedisBus
    told: list[float]


async def _compare(servers: Stores, made: Bench, seat: Seat, size: int, news: _News) -> None:
    with service() as upstream, gateway(servers, upstream) as under_test:
        execution = _executed(under_test, seat)
        cursor = orjson.loads(answer(under_test, asking(seat, "{ historyCursor }")))["data"]["historyCursor"]

        async def happen(crowd: Crowd, events: int) -> None:
            async with made.stores.of(seat.tenant) as store:
                for _ in range(events):
                    store.history.note(_occurrence(seat, execution))
            crowd.sent += [news.told[-1]] * events

        crowd = Crowd(under_test.url, seat.token, QUERY, {"after": cursor})
        await (
            news.bus.start()
        )  # not before: waiting for the gateway held this loop, and Redis takes silence for absence
        try:
            ours = await _experienced("gateway", under_test, crowd, size, happen)
        finally:
            await news.bus.close()
    async with Redis.from_url(servers.redis_url) as client:

        async def publish(other: Crowd, events: int) -> None:
            other.sent += [time.perf_counter()] * events
            async with client.pipeline(transaction=False) as pipeline:
                for _ in range(events):
                    _ = pipeline.publish(CHANNEL, crowd.sample)
                await pipeline.execute()

        with running("bench.reference", "fanout", servers.redis_url) as plain:
            plain.ready()
            bare = await _experienced(
                "bare websockets", plain, Crowd(plain.url, seat.token, QUERY, None), size, publish
            )
        with mercurius(servers.redis_url) as other:
            peer = await _experienced("mercurius", other, Crowd(other.url, seat.token, QUERY, None), size, publish)
    _tell(bare, peer, ours)


async def _experienced(name: str, server: Process, crowd: Crowd, size: int, fire: Fire) -> Figures:
    before = server.memory_mib()
    await crowd.gather(size)
    await _fired(crowd, 1, fire)  # a first one for everybody, not counted: after it all of them follow
    memory = (server.memory_mib() - before) / size * 1000
    crowd.latencies.clear()
    used, delivered, missing = server.cpu_seconds(), crowd.delivered, 0
    for _ in range(SINGLE):
        missing += await _fired(crowd, 1, fire)
    ranked = sorted(crowd.latencies)
    begun = time.perf_counter()
    missing += await _fired(crowd, BURST, fire)
    seconds = time.perf_counter() - begun
    used = server.cpu_seconds() - used
    crowd.leave()
    return Figures(
        name,
        size,
        ranked[len(ranked) // 2] * 1e3,
        ranked[int(len(ranked) * 0.99)] * 1e3,
        BURST * size / seconds,
        used / max(crowd.delivered - delivered, 1) * 1e6,
        memory,
        missing,
    )


async def _fired(crowd: Crowd, events: int, fire: Fire) -> int:
    crowd.expect(events)
    await fire(crowd, events)
    return await crowd.served()


def _tell(bare: Figures, peer: Figures, ours: Figures) -> None:
    for each in (bare, peer, ours):
        ratio = "" if each is bare else f"  {each.deliveries / bare.deliveries:.1%} of bare"
        report.note(
            f"{f'{each.name}, N={each.size}':28s} p50 {each.p50_ms:7.1f} ms  p99 {each.p99_ms:7.1f} ms  "
            f"{each.deliveries:7.0f} deliveries/s  {each.cpu_us:5.0f} us CPU  "
            f"{each.memory_mib:5.1f} MiB/1000 (W5)  missing {each.missing}{ratio}"
        )
    p50, p99, burst = ours.p50_ms / peer.p50_ms, ours.p99_ms / peer.p99_ms, ours.deliveries / peer.deliveries
    report.note(f"against mercurius: p50 {p50:.2f}x, p99 {p99:.2f}x, burst {burst:.2f}x, CPU {_cpu(ours, peer):.2f}x")
    report.mark("nothing lost", is_met=bare.missing == ours.missing == 0)
    if ours.size == 1_000:
        report.mark("p50 and p99 <= 0.6x mercurius", is_met=max(p50, p99) <= 0.6)
        report.mark("<= 22 MiB for 1,000 subscriptions", is_met=ours.memory_mib <= 22)
    if ours.size == 5_000:
        report.mark("p50 and p99 <= 0.5x mercurius, burst >= 1.7x", is_met=max(p50, p99) <= 0.5 and burst >= 1.7)


def _cpu(ours: Figures, peer: Figures) -> float:
    return ours.cpu_us / peer.cpu_us if peer.cpu_us else 0.0


def _executed(under_test: Process, seat: Seat) -> UUID:
    """One real execution, for the events to be about."""
    told = orjson.loads(answer(under_test, asking(seat, EXECUTE, {"input": seat.input})))
    return read_id(Kind.EXECUTION, told["data"]["execute"]["execution"]["id"])


def _occurrence(seat: Seat, execution: UUID) -> Occurrence:
    return Occurrence(
        type="execution.succeeded",
        actor=f"agt_{seat.agent_id.hex}",
        agent_id=seat.agent_id,
        integration="github",
        action="github.create_issue",
        connection_id=seat.connection_id,
        execution_id=execution,
        status="SUCCEEDED",
    )
