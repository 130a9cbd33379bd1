"""W1, `execute`: in over HTTP with an agent's key, authorised on fresh facts, opened, called, two commits, answered.

Against a bare Starlette + aiohttp proxy that does none of it, reading by reading. What makes the figure honest is
counted afterwards: every execution SUCCEEDED, and history holds two rows for every call the service served.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy import func, select

from bench import report
from bench.load import Message, Reading, load, median
from bench.machine import Process, running
from bench.options import Options
from bench.seeding import Seat
from bench.stores import Stores
from bench.trial import Bench, answer, asking, bench, gateway, served, service
from db.tables import executions, history

CONCURRENCY = (1, 16, 64)
ONE_TENANT, MANY_TENANTS = "bench", tuple(f"bench-{number:02d}" for number in range(50))
MARK = 0.25

QUERY = """
mutation Execute($input: ExecuteInput!) {
  execute(input: $input) {
    execution { id status result durationMs error { code message } }
    errors { code message }
  }
}
"""

Readings = dict[tuple[str, int], list[Reading]]


@dataclass(frozen=True)
class Way:
    """One thing that is measured in turn with the others."""

    name: str
    server: Process
    messages: Sequence[Message]
    concurrency: Sequence[int]


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    report.title("W1 execute: github.create_issue, 500 connections, against a bare Starlette + aiohttp proxy")
    async with bench(servers) as made:
        one = await made.seeder.tenant(ONE_TENANT, 500)
        many = await made.seeder.tenants(MANY_TENANTS, 10)
        with ExitStack() as stack:
            upstream, beside = stack.enter_context(service()), stack.enter_context(service())
            under_test = stack.enter_context(gateway(servers, upstream))
            url = f"{beside.url}/repos/octo/things/issues"
            proxy = stack.enter_context(running("bench.reference", "proxy", url))
            proxy.ready()
            _check(under_test, one[0])
            ways = [
                Way("bare proxy", proxy, [Message("/act", {}, json.dumps(one[0].input))], CONCURRENCY),
                Way("gateway, 1 tenant x 500", under_test, _messages(one), CONCURRENCY),
                Way("gateway, 50 tenants x 10", under_test, _messages(many), CONCURRENCY[-1:]),
            ]
            _tell(ways, _read_in_turn(ways, options, made))
            await _tell_honesty(made, upstream)
            report.note(f"gateway afterwards: {under_test.memory_mib():.0f} MiB resident")


def _messages(seats: Sequence[Seat]) -> list[Message]:
    return [asking(seat, QUERY, {"input": seat.input}) for seat in seats]


def _check(under_test: Process, seat: Seat) -> None:
    """Once by hand: nothing is measured that does not do its work."""
    told = json.loads(answer(under_test, _messages([seat])[0]))
    if told["data"]["execute"]["execution"]["status"] != "SUCCEEDED":
        raise SystemExit(f"bench: the execution did not succeed: {told}")


def _read_in_turn(ways: Sequence[Way], options: Options, made: Bench) -> Readings:
    found: Readings = {}
    for way in ways:  # pools, prepared statements, kept documents
        load(way.server, way.messages, 16, 1, made.folder)
    for _ in range(options.repetitions):
        for callers in CONCURRENCY:
            for way in ways:
                if callers in way.concurrency:
                    reading = load(way.server, way.messages, callers, options.seconds, made.folder)
                    found.setdefault((way.name, callers), []).append(reading)
    return found


def _tell(ways: Sequence[Way], readings: Readings) -> None:
    proxy, under_test = ways[0].name, ways[1].name
    for callers in CONCURRENCY:
        limit = median(readings[proxy, callers])
        for way in ways:
            if callers in way.concurrency:
                reading = median(readings[way.name, callers])
                ratio = "" if way.name == proxy else f"{reading.rate / limit.rate:.0%} of the proxy"
                report.line(f"{way.name}, c={callers}", reading, ratio)
    reached = median(readings[under_test, 64]).rate / median(readings[proxy, 64]).rate
    report.mark(f"c=64 at least {MARK:.0%} of the proxy ({reached:.0%})", is_met=reached >= MARK)
    ours, bare = median(readings[under_test, 1]), median(readings[proxy, 1])
    report.note(
        f"added over the proxy at c=1: p50 {ours.p50_ms - bare.p50_ms:.2f} ms, p99 {ours.p99_ms - bare.p99_ms:.2f} ms"
    )


async def _tell_honesty(made: Bench, upstream: Process) -> None:
    """Two durable rows a call, and every one of them a success."""
    states, rows = await _counted(made)
    while "RUNNING" in states:  # what was under way when the load ended goes on to its own end
        await asyncio.sleep(0.1)
        states, rows = await _counted(made)
    calls, denied = served(upstream)
    report.note(
        f"honesty: {calls} calls upstream ({denied} without credential), {rows} history rows, executions {states}"
    )
    is_honest = denied == 0 and rows == 2 * calls and states == {"SUCCEEDED": calls}
    report.mark("history rows == 2 x calls, all SUCCEEDED", is_met=is_honest)
    if not is_honest:
        raise SystemExit("bench: the run lost or failed something, so its figures count for nothing.")


async def _counted(made: Bench) -> tuple[dict[str, int], int]:
    states: dict[str, int] = {}
    rows = 0
    for tenant in (ONE_TENANT, *MANY_TENANTS):
        async with made.database.tenant(tenant) as connection:
            by_status = select(executions.c.status, func.count()).group_by(executions.c.status)
            for status, count in (await connection.execute(by_status)).tuples():
                states[status] = states.get(status, 0) + count
            rows += (await connection.execute(select(func.count()).select_from(history))).scalar_one()
    return states, rows
