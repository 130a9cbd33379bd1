"""`mcp`: a tool's call over the same `execute` by GraphQL, in turn, by the same agents on the same connections.

The use case is one; what is compared is the shell: JSON-RPC and the protocol's library against GraphQL. The goal is at
most 1.3 times the latency of one caller, and no less throughput with sixteen.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from bench import report
from bench.execute import QUERY
from bench.load import Message, Reading, load, median
from bench.machine import Process
from bench.options import Options
from bench.seeding import Seat
from bench.stores import Stores
from bench.trial import Bench, answer, asking, bench, gateway, service
from domain.json import Json

CONCURRENCY = (1, 16)
GRAPHQL, MODERN, OLDER = "execute by GraphQL", "tools/call, 2026-07-28", "tools/call, 2025-11-25"
GOAL = 1.3

_META: Json = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    report.title("mcp: a tool's call against the same execute by GraphQL, 500 connections")
    async with bench(servers) as made:
        seats = await made.seeder.tenant("bench-mcp", 500)
        with ExitStack() as stack:
            upstream = stack.enter_context(service())
            under_test = stack.enter_context(gateway(servers, upstream))
            ways = {
                GRAPHQL: [asking(each, QUERY, {"input": each.input}) for each in seats],
                MODERN: [_calling(each, "2026-07-28") for each in seats],
                OLDER: [_calling(each, "2025-11-25") for each in seats],
            }
            _check(under_test, ways)
            _tell(_read_in_turn(under_test, ways, options, made))


def _calling(seat: Seat, revision: str) -> Message:
    asked = seat.input
    assert isinstance(asked, Mapping)
    parameters = asked["parameters"]
    assert isinstance(parameters, Mapping)
    params: dict[str, Json] = {
        "name": "github_create_issue",
        "arguments": {**parameters, "connection": asked["connection"]},
    }
    headers = {
        "authorization": f"Bearer {seat.token}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": revision,
    }
    if revision == "2026-07-28":
        params["_meta"] = _META
        headers |= {"mcp-method": "tools/call", "mcp-name": "github_create_issue"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return Message("/mcp", headers, json.dumps(body))


def _check(under_test: Process, ways: Mapping[str, Sequence[Message]]) -> None:
    """Once by hand: nothing is measured that does not do its work."""
    for name, messages in ways.items():
        told = json.loads(answer(under_test, messages[0]))
        is_done = (
            told["data"]["execute"]["execution"]["status"] == "SUCCEEDED"
            if name == GRAPHQL
            else told["result"]["isError"] is False
        )
        if not is_done:
            raise SystemExit(f"bench: {name} did not succeed: {told}")


def _read_in_turn(
    under_test: Process, ways: Mapping[str, Sequence[Message]], options: Options, made: Bench
) -> dict[tuple[str, int], list[Reading]]:
    found: dict[tuple[str, int], list[Reading]] = {}
    for messages in ways.values():  # pools, prepared statements, kept documents
        load(under_test, messages, 16, 1, made.folder)
    for _ in range(options.repetitions):
        for callers in CONCURRENCY:
            for name, messages in ways.items():
                reading = load(under_test, messages, callers, options.seconds, made.folder)
                found.setdefault((name, callers), []).append(reading)
    return found


def _tell(readings: Mapping[tuple[str, int], Sequence[Reading]]) -> None:
    for callers in CONCURRENCY:
        limit = median(readings[GRAPHQL, callers])
        for name in (GRAPHQL, MODERN, OLDER):
            reading = median(readings[name, callers])
            ratio = f"p50 {reading.p50_ms / limit.p50_ms:.2f}x, rate {reading.rate / limit.rate:.2f}x"
            report.line(f"{name}, c={callers}", reading, "" if name == GRAPHQL else ratio)
    for name in (MODERN, OLDER):
        slower = median(readings[name, 1]).p50_ms / median(readings[GRAPHQL, 1]).p50_ms
        more = median(readings[name, 16]).rate / median(readings[GRAPHQL, 16]).rate
        report.mark(f"{name}: at most {GOAL} of the latency at p50, c=1 ({slower:.2f})", is_met=slower <= GOAL)
        report.mark(f"{name}: no worse throughput, c=16 ({more:.2f})", is_met=more >= 1)
