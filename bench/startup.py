"""W6, starting: from spawning the process to its first answers, on a database that exists.

Against bare uvicorn + Starlette, started in turn with it.
"""

import statistics
import time

from bench import report
from bench.gateway import Trial
from bench.machine import running
from bench.options import Options
from bench.stores import Stores
from bench.trial import answer, asking, bench, service

STARTS = 5
MARK_SECONDS, MARK_TIMES = 1.0, 4.0


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    del options  # a start takes as long as it takes, and five of each are enough
    report.title("W6 start: spawn to the first answers, median of 5, against bare uvicorn + Starlette")
    async with bench(servers) as made:
        seat = (await made.seeder.tenant("bench-startup", 1))[0]
        question = asking(seat, "{ viewer { subject } }")
        bare, healthy, answered, memory = [], [], [], []
        with service() as upstream:
            trial = Trial(servers.database_url, servers.redis_url, str(servers.folder), f"127.0.0.1:{upstream.port}")
            file = trial.write()
            for _ in range(STARTS):
                with running("bench.reference", "starlette") as process:
                    bare.append(process.ready() - process.spawned_at)
                with running("bench.launch", file) as process:
                    healthy.append(process.ready() - process.spawned_at)
                    answer(process, question)
                    answered.append(time.perf_counter() - process.spawned_at)
                    memory.append(process.memory_mib())
    base, health, first = map(statistics.median, (bare, healthy, answered))
    report.note(f"{'bare uvicorn + Starlette':38s} {base * 1e3:6.0f} ms")
    report.note(f"{'gateway, /healthz':38s} {health * 1e3:6.0f} ms  {health / base:.1f}x bare")
    report.note(f"{'gateway, first GraphQL answer':38s} {first * 1e3:6.0f} ms  {first / base:.1f}x bare")
    report.note(f"{'gateway, resident':38s} {statistics.median(memory):6.0f} MiB")
    is_met = first <= MARK_SECONDS and first <= MARK_TIMES * base
    report.mark(f"first answer within {MARK_SECONDS} s and {MARK_TIMES:g}x bare uvicorn", is_met=is_met)
