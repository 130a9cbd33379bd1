"""E5: PostgreSQL goes away, in two ways, while twenty callers ask without a pause."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx2

from tests.soak.telling import Tally, percentile
from tests.support.gateways import EXECUTE
from tests.support.killing import Asked, World, world
from tests.support.mortals import Life
from tests.support.proxies import Proxy, proxied

_CALLERS = 20


@dataclass
class _Seen:
    accepted: dict[str, str] = field(default_factory=dict)  # status by key
    refused: list[float] = field(default_factory=list)  # seconds until told
    others: list[str] = field(default_factory=list)


async def run(database: str, folder: Path, _rounds: int, tally: Tally) -> None:
    """Whoever was accepted is found in history, done once; whoever was not was told so soon."""
    async with proxied(database) as proxy, world(database, folder) as here:
        here.environ = {**here.environ, "DATABASE_URL": proxy.url}
        life = await here.life()
        await here.prepare(life)
        for trouble in ("refused", "swallowed", "cut"):
            await _trouble(here, life, proxy, trouble, tally)


async def _trouble(here: World, life: Life, proxy: Proxy, trouble: str, tally: Tally) -> None:
    seen, names, over = _Seen(), count(1), asyncio.Event()
    callers = [asyncio.create_task(_call(here, life, f"no-{trouble}", names, seen, over)) for _ in range(_CALLERS)]
    await asyncio.sleep(2)
    if trouble == "swallowed":
        proxy.swallow()
    else:
        await proxy.refuse()
    went_at = time.perf_counter()
    if trouble == "cut":  # as a server does that is restarted
        await asyncio.sleep(0.5)
        red = 0.0
    else:
        red = await _until(life, 503) - went_at
        await asyncio.sleep(4)
    back_at = time.perf_counter()
    await proxy.open()
    healthy = await _until(life, 200) - back_at
    await asyncio.sleep(2)
    over.set()
    await asyncio.gather(*callers)
    rows = await here.database.fetch(
        "SELECT idempotency_key AS key, status FROM executions WHERE idempotency_key LIKE $1", f"no-{trouble}%"
    )
    kept = {row["key"]: row["status"] for row in rows}
    lost = [key for key, status in seen.accepted.items() if kept.get(key) != status]
    doubled = [key for key in kept if here.effects(key) > 1]
    wrong = [key for key, status in seen.accepted.items() if status == "SUCCEEDED" and here.effects(key) != 1]
    figure = f"{trouble}: {len(seen.accepted)} accepted, {len(lost)} lost, {len(doubled)} doubled, {len(wrong)} wrong; "
    slowest = percentile(seen.refused, 1) if seen.refused else 0
    figure += f"{len(seen.refused)} told UNAVAILABLE, the last after {slowest:.1f} s; red after {red:.1f} s, "
    figure += f"healthy {healthy:.1f} s after its return; other answers: {sorted(set(seen.others))}"
    is_kept = not lost and not doubled and not wrong and slowest <= 5.5 and healthy <= 10 and red <= 5.5
    tally.tell("E5", figure, is_kept=is_kept and not seen.others)


async def _call(here: World, life: Life, word: str, names: "count[int]", seen: _Seen, over: asyncio.Event) -> None:
    headers = {"authorization": f"Bearer {here.token}"}
    async with httpx2.AsyncClient(trust_env=False, timeout=40, headers=headers) as http:
        while not over.is_set():
            name = f"{word}-{next(names)}"
            asked = Asked(name, "github.create_issue", "WAIT", "")
            wish = {"action": asked.action, "parameters": asked.parameters, "idempotencyKey": name}
            begun = time.perf_counter()
            answer = (
                await http.post(f"{life.url}/graphql", json={"query": EXECUTE, "variables": {"input": wish}})
            ).json()
            if "errors" in answer:
                code = answer["errors"][0]["extensions"]["code"]
                if code == "UNAVAILABLE":
                    if "was sent" not in answer["errors"][0]["message"].replace("Nothing was sent", ""):
                        seen.refused.append(time.perf_counter() - begun)
                else:
                    seen.others.append(code)
                await asyncio.sleep(0.2)
            else:
                seen.accepted[name] = answer["data"]["execute"]["execution"]["status"]


async def _until(life: Life, status: int) -> float:
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http, asyncio.timeout(40):
        while (await http.get(f"{life.url}/readyz")).status_code != status:
            await asyncio.sleep(0.05)
    return time.perf_counter()
