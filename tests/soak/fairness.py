"""L2: one tenant asks fifty times as often as it may. What do the others feel?"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.soak.telling import Tally, percentile
from tests.support.gateways import EXECUTE, GrantedAgent
from tests.support.killing import REPO, world
from tests.support.mortals import Life

_A_SECOND = 10  # what a tenant may
_TIMES = 50
_SLICES, _SLICE_SECONDS = 12, 1.5
_LIMITS = f"[limits]\ntenant_per_minute = {_A_SECOND * 60}\nburst_seconds = 1\n"


@dataclass
class _Seen:
    """What was seen while one rushed, and while nobody did: in turn, so that a busy machine is busy in both."""

    calm: list[float] = field(default_factory=list)
    rushed: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    has_moment: bool = True
    cpu: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})


async def run(database: str, folder: Path, _rounds: int, tally: Tally) -> None:
    """Others: five tenants, each at half its limit."""
    async with world(database, folder, _LIMITS) as here:
        life = await here.life()
        rushing = await here.prepare(life, "rushing")
        others = [await here.prepare(life, f"calm-{number}") for number in range(5)]
        seen, rush, over = _Seen(), asyncio.Event(), asyncio.Event()
        async with _session(rushing) as http:
            tasks = [asyncio.create_task(_calls(life, each, seen, rush, over)) for each in others]
            tasks += [asyncio.create_task(_rush(life, http, seen, rush, over)) for _ in range(20)]
            await asyncio.sleep(2)
            seen.calm.clear()
            for number in range(2 * _SLICES):
                before = _cpu_seconds(life.pid)
                await asyncio.sleep(_SLICE_SECONDS)
                seen.cpu[rush.is_set()] += _cpu_seconds(life.pid) - before
                if number % 2:
                    rush.clear()
                else:
                    rush.set()
            over.set()
            rush.set()
            await asyncio.gather(*tasks)
    _tell(seen, tally)


def _tell(seen: _Seen, tally: Tally) -> None:
    calm, rushed, codes = seen.calm, seen.rushed, seen.codes
    rise = percentile(rushed, 0.99) / percentile(calm, 0.99) - 1
    seconds = _SLICES * _SLICE_SECONDS
    figure = f"others' p50 {_ms(calm, 0.5)} -> {_ms(rushed, 0.5)}, p99 {_ms(calm, 0.99)} -> {_ms(rushed, 0.99)} "
    tally.tell("L2", f"{figure}({rise:+.0%}) beside one who rushes", is_kept=rise < 0.2)
    allowed, more = codes["SUCCEEDED"] / seconds, seen.cpu[True] - seen.cpu[False]
    figure = f"the one who rushes: {codes.total() / seconds:.0f}/s asked, {allowed:.1f}/s run, {dict(codes)}, "
    figure += f"{1000 * more / max(codes.total(), 1):.2f} ms of the gateway's processor for each"
    most = _A_SECOND * (1 + 1 / _SLICE_SECONDS) * 1.05  # each slice begins with what was saved up in the one before
    is_kept = allowed <= most and set(codes) <= {"SUCCEEDED", "RATE_LIMITED"} and seen.has_moment
    tally.tell("L2", f"{figure}; each refusal says when to come back", is_kept=is_kept)


def _cpu_seconds(pid: int) -> float:
    """What the process has used of the processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ms(values: list[float], share: float) -> str:
    return f"{percentile(values, share) * 1000:.1f} ms"


async def _calls(life: Life, agent: GrantedAgent, seen: _Seen, rush: asyncio.Event, over: asyncio.Event) -> None:
    async with _session(agent) as http:
        while not over.is_set():
            begun, is_rushed = time.perf_counter(), rush.is_set()
            assert (await _asked(http, life))[0] == "SUCCEEDED"
            if is_rushed == rush.is_set():
                (seen.rushed if is_rushed else seen.calm).append(time.perf_counter() - begun)
            await asyncio.sleep(2 / _A_SECOND)


async def _rush(life: Life, http: aiohttp.ClientSession, seen: _Seen, rush: asyncio.Event, over: asyncio.Event) -> None:
    """One of twenty, who together ask fifty times as often as they may."""
    while True:
        await rush.wait()
        if over.is_set():
            return
        begun = time.perf_counter()
        code, moment = await _asked(http, life)
        seen.codes[code] += 1
        seen.has_moment &= code == "SUCCEEDED" or moment is not None
        await asyncio.sleep(max(20 / (_A_SECOND * _TIMES) - (time.perf_counter() - begun), 0))


async def _asked(http: aiohttp.ClientSession, life: Life) -> tuple[str, str | None]:
    """What became of one call, and when to come back."""
    body = {"query": EXECUTE, "variables": {"input": {"action": "github.get_repo", "parameters": dict(REPO)}}}
    async with http.post(f"{life.url}/graphql", json=body) as answer:
        done = (await answer.json())["data"]["execute"]
    if done["execution"]:
        return done["execution"]["status"], None
    return done["errors"][0]["code"], done["errors"][0]["freeAt"]


@asynccontextmanager
async def _session(agent: GrantedAgent) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"authorization": f"Bearer {agent.client.token}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session
