"""L3, subscribers who never read: 200 of them beside 50 who do, and 10,000 events.

What the gateway's memory grows by, how the deaf are sent away, and whether the others lose anything. An event's answer
is made large (1.7 kB), since the system's own buffers hold some megabytes for each socket before anybody notices.
"""

import asyncio
import time
from typing import cast

import orjson

from bench import report
from bench.options import Options
from bench.seeding import Seat
from bench.stores import Stores
from bench.subscribers import Crowd
from bench.trial import Bench, answer, asking, bench, gateway, service
from domain.callers import Role
from domain.history import Occurrence
from events.redis import RedisBus
from vault.development import DevelopmentIssuer

DEAF, QUICK, EVENTS, AT_ONCE, WARMING = 200, 50, 10_000, 250, 2_000
_WIDE = " ".join(f"a{number}: actor" for number in range(29))
QUERY = f"subscription Events($after: String) {{ auditEvents(after: $after) {{ cursor type {_WIDE} }} }}"


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    del options  # counted in events, not in time
    report.title(f"L3 slow subscribers: {DEAF} that never read beside {QUICK} that do, {EVENTS:,} events")
    bus = RedisBus(servers.redis_url)
    async with bench(servers, bus.tell) as made:
        seat = (await made.seeder.tenant("bench-deaf", 1))[0]
        with service() as upstream, gateway(servers, upstream) as under_test:
            token = DevelopmentIssuer(servers.folder / "development.key").issue(seat.tenant, "ada", [Role.OWNER])
            person = Seat(seat.tenant, seat.agent_id, seat.connection_id, token)
            cursor = orjson.loads(answer(under_test, asking(person, "{ historyCursor }")))["data"]["historyCursor"]
            quick, deaf = (Crowd(under_test.url, token, QUERY, {"after": cursor}) for _ in range(2))
            await quick.gather(QUICK)
            await deaf.gather(DEAF)
            await bus.start()
            for crowd in (quick, deaf):
                crowd.expect(WARMING)
            await _happen(made, seat, WARMING)  # a process under load is larger than a fresh one, deaf or not
            assert not await quick.served()
            assert not await deaf.served()
            for each in deaf.members:
                cast(asyncio.ReadTransport, each.transport).pause_reading()
            before, most = under_test.memory_mib(), 0.0
            quick.expect(EVENTS)
            begun = time.perf_counter()
            for _ in range(EVENTS // AT_ONCE):
                await _happen(made, seat, AT_ONCE)
                await asyncio.sleep(0.05)
                most = max(most, under_test.memory_mib() - before)
            missing = await quick.served()
            seconds = time.perf_counter() - begun
            most = max(most, under_test.memory_mib() - before)
            after = under_test.memory_mib() - before
            await bus.close()
            for each in deaf.members:
                cast(asyncio.ReadTransport, each.transport).resume_reading()
            await asyncio.sleep(12)
            report.note(f"quick: {quick.delivered:,} deliveries in {seconds:.1f} s, missing {missing}")
            report.note(f"memory grew by {most:.1f} MiB at most, {after:.1f} MiB in the end")
            report.note(
                f"deaf: {deaf.lost} of {DEAF} were sent away, {deaf.complaints} had read so far that they saw why"
            )
            report.mark("memory grows by less than 64 MiB", is_met=most < 64)
            report.mark("nobody who reads loses anything", is_met=missing == 0)
            report.mark("the deaf are sent away", is_met=deaf.lost == DEAF)
            for crowd in (quick, deaf):
                crowd.leave()


async def _happen(made: Bench, seat: Seat, events: int) -> None:
    async with made.stores.of(seat.tenant) as store:
        for _ in range(events):
            store.history.note(Occurrence(type="bench.event", actor="user:" + "x" * 40))
