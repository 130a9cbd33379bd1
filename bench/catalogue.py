"""W2, the catalogue: every integration with every action and its schemas, in one nested query,
with pages as large as the gateway's limit on an operation allows.

Against raw ASGI that answers with the same bytes, already encoded. No peer is compared: those measured elsewhere need
Node packages that this repository does not install.
"""

import json

from bench import report
from bench.load import Reading, load, median
from bench.machine import running
from bench.options import Options
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
            with running("bench.reference", "raw", str(file)) as raw:
                raw.ready()
                readings: dict[tuple[str, int], list[Reading]] = {}
                for _ in range(options.repetitions):
                    for callers in CONCURRENCY:
                        for name, server in (("raw ASGI", raw), ("gateway", under_test)):
                            reading = load(server, [message], callers, options.seconds, made.folder)
                            readings.setdefault((name, callers), []).append(reading)
                _tell(readings)


def _tell(readings: dict[tuple[str, int], list[Reading]]) -> None:
    for callers in CONCURRENCY:
        raw, ours = median(readings["raw ASGI", callers]), median(readings["gateway", callers])
        report.line(f"raw ASGI, c={callers}", raw)
        report.line(f"gateway, c={callers}", ours, f"{ours.rate / raw.rate:.1%} of raw ASGI")


def _describe(body: bytes) -> None:
    told = json.loads(body)
    if "errors" in told:
        raise SystemExit(f"bench: the catalogue answered with errors: {told['errors'][0]['message']}")
    nodes = told["data"]["integrations"]["nodes"]
    actions = sum(len(each["actions"]["nodes"]) for each in nodes)
    if told["data"]["integrations"]["totalCount"] > len(nodes):
        report.note("the catalogue has outgrown this query: what follows is a page of it")
    report.note(f"{len(nodes)} integrations, {actions} actions, {len(body) / 1000:.0f} kB")
