"""W2, the catalogue: every integration with every action and its schemas, in one nested query,
with pages as large as the gateway's limit on an operation allows.

Against raw ASGI that answers with the same bytes, already encoded, and against mercurius with its JIT, which computes
them. Ours is measured twice: as asked, which is kept once computed, and with a field that is the tenant's own, which
is computed each time.
"""

import json

from bench import report
from bench.load import Reading, load, median
from bench.machine import running
from bench.options import Options
from bench.peers import mercurius
from bench.stores import Stores
from bench.trial import answer, asking, bench, gateway, service

CONCURRENCY = (1, 16, 64)

QUERY = """
query Catalogue {
  integrations(first: 15) { totalCount nodes {
    id slug name description category tier authSchemes documentationUrl isSandbox credentialSchema
    actions(first: 50) { totalCount nodes {
      id slug title description effect isIdempotent requiredScopes parametersSchema resultSchema digest
    } }
  } }
}
"""


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    report.title("W2 catalogue: everything, nested, against raw ASGI with the same bytes")
    async with bench(servers) as made:
        seat = (await made.seeder.tenant("bench-catalogue", 1))[0]
        message = asking(seat, QUERY)
        with service() as upstream, gateway(servers, upstream) as under_test:
            body = answer(under_test, message)
            _describe(body)
            file = made.folder / "catalogue.json"
            file.write_bytes(body)
            fresh = asking(seat, QUERY.replace("isSandbox", "isSandbox isEnabled"))  # a tenant's own: never kept
            with (
                running("bench.reference", "raw", str(file)) as raw,
                mercurius(servers.redis_url, file) as peer,
            ):
                raw.ready()
                assert json.loads(answer(peer, message)) == json.loads(body), "mercurius answers something else"
                servings = {
                    "raw ASGI": (raw, message),
                    "mercurius, JIT": (peer, message),
                    "gateway": (under_test, message),
                    "gateway, computed": (under_test, fresh),
                }
                readings: dict[tuple[str, int], list[Reading]] = {}
                for _ in range(options.repetitions):
                    for callers in CONCURRENCY:
                        for name, (server, asked) in servings.items():
                            reading = load(server, [asked], callers, options.seconds, made.folder)
                            readings.setdefault((name, callers), []).append(reading)
                _tell(readings)


def _tell(readings: dict[tuple[str, int], list[Reading]]) -> None:
    for callers in CONCURRENCY:
        raw, peer = median(readings["raw ASGI", callers]), median(readings["mercurius, JIT", callers])
        report.line(f"raw ASGI, c={callers}", raw)
        for name in ("mercurius, JIT", "gateway", "gateway, computed"):
            reading = median(readings[name, callers])
            ratios = f"{reading.rate / raw.rate:.1%} of raw ASGI, {reading.rate / peer.rate:.2f}x mercurius"
            report.line(f"{name}, c={callers}", reading, ratios)
    ours = median(readings["gateway", 16]).rate
    report.mark("kept >= 8x mercurius, c=16", is_met=ours >= 8 * median(readings["mercurius, JIT", 16]).rate)
    report.mark("kept >= 50 % of raw ASGI, c=16", is_met=ours >= 0.5 * median(readings["raw ASGI", 16]).rate)


def _describe(body: bytes) -> None:
    told = json.loads(body)
    if "errors" in told:
        raise SystemExit(f"bench: the catalogue answered with errors: {told['errors'][0]['message']}")
    nodes = told["data"]["integrations"]["nodes"]
    actions = sum(len(each["actions"]["nodes"]) for each in nodes)
    if told["data"]["integrations"]["totalCount"] > len(nodes):
        report.note("the catalogue has outgrown this query: what follows is a page of it")
    report.note(f"{len(nodes)} integrations, {actions} actions, {len(body) / 1000:.0f} kB")
