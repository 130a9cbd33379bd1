"""W4, a credential: read by connection and opened, one after another, through the real gate and vault.

Against a bare `SELECT 1` on the same database, in turn with it. Opening alone is told apart: it is never the cost.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from uuid import UUID

from bench import report
from bench.machine import SERVER_CORE, on_core
from bench.options import Options
from bench.stores import Stores
from bench.trial import Bench, bench

TENANT = "bench-credential"
ROUNDS = 1_000
OPENINGS = 20_000
MARK_P50_MS, MARK_P99_MS = 0.5, 2.0


async def measure(servers: Stores, options: Options) -> None:
    """Print the figures."""
    report.title("W4 credential: read and open, one caller, against a bare SELECT 1")
    async with bench(servers) as made:
        seats = await made.seeder.tenant(TENANT, 500)
        turns = cycle([seat.connection_id for seat in seats])
        with on_core(SERVER_CORE):
            bare: list[float] = []
            ours: list[float] = []
            for _ in range(options.repetitions):
                bare += await _timed(lambda: made.database.pool.fetchval("SELECT 1"))
                ours += await _timed(lambda: _read(made, next(turns)))
            _tell(bare, ours)
            await _tell_opening(made, seats[0].connection_id)


async def _timed(read: Callable[[], Awaitable[object]]) -> list[float]:
    """Milliseconds of each."""
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await read()
        took.append((time.perf_counter() - begun) * 1e3)
    return took


async def _read(made: Bench, connection_id: UUID) -> None:
    sealed = await made.gate.credential(TENANT, connection_id)
    if sealed is None:
        raise SystemExit("bench: the credential is gone.")
    await made.vault.open_credential(TENANT, connection_id, sealed)


def _tell(bare: Sequence[float], ours: Sequence[float]) -> None:
    (bare_p50, bare_p99), (p50, p99) = _percentiles(bare), _percentiles(ours)
    report.note(f"{'SELECT 1':38s} p50 {bare_p50:6.3f} ms  p99 {bare_p99:6.3f} ms")
    report.note(f"{'read + open':38s} p50 {p50:6.3f} ms  p99 {p99:6.3f} ms  {p50 / bare_p50:.1f}x the SELECT 1")
    is_met = p50 <= MARK_P50_MS and p99 <= MARK_P99_MS
    report.mark(f"p50 at most {MARK_P50_MS} ms and p99 at most {MARK_P99_MS} ms", is_met=is_met)


async def _tell_opening(made: Bench, connection_id: UUID) -> None:
    sealed = await made.gate.credential(TENANT, connection_id)
    if sealed is None:
        raise SystemExit("bench: the credential is gone.")
    begun = time.perf_counter()
    for _ in range(OPENINGS):
        await made.vault.open_credential(TENANT, connection_id, sealed)
    report.note(f"{'open alone':38s} {(time.perf_counter() - begun) / OPENINGS * 1e6:6.1f} us")


def _percentiles(took: Sequence[float]) -> tuple[float, float]:
    ranked = sorted(took)
    return ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)]
