"""E7: a service that asks for patience is given it, and one that is out of order is not hammered."""

import asyncio
from pathlib import Path

from domain.json import Json
from tests.soak.telling import Tally
from tests.support.killing import Asked, World, world
from tests.support.mortals import Life


async def run(database: str, folder: Path, _rounds: int, tally: Tally) -> None:
    """The gaps between arrivals are measured at the service."""
    async with world(database, folder) as here:
        life = await here.life()
        await here.prepare(life)
        for mode, asked_for in (("WAIT", 2), ("WAIT", 4), ("BACKGROUND", 3), ("BACKGROUND", 7), ("BACKGROUND", 12)):
            times, status = await _met(here, life, mode, "429", 1, retry_after=asked_for)
            gap = times[1] - times[0]
            is_kept = status == "SUCCEEDED" and len(times) == 2 and asked_for <= gap <= asked_for * 1.1
            tally.tell("E7", f"{mode}: Retry-After {asked_for} s, came back after {gap:.2f} s", is_kept=is_kept)
        times, status = await _met(here, life, "WAIT", "503", 3)
        tally.tell("E7", f"503 without end: {len(times)} attempts, {status}", is_kept=len(times) == 3)
        for kind in ("reset", "500", "lost_answer", "garbage"):
            times, status = await _met(here, life, "WAIT", kind, 1)
            kept = (len(times), status) == (1, "UNKNOWN")
            tally.tell(
                "E7", f"{kind} after the bytes of a write had left: {len(times)} attempt, {status}", is_kept=kept
            )


async def _met(here: World, life: Life, mode: str, kind: str, times: int, **more: Json) -> tuple[list[float], str]:
    """When the requests of an execution arrived that meets this fault, and how it ended."""
    service = here.services["github"]
    await here.misbehave(kind, "POST /repos/*/issues", times=times, **more)
    service.arrivals.clear()
    name = f"no-{mode.lower()}-{kind}-{more.get('retry_after', '')}"
    asked = Asked(name, "github.create_issue", mode, "")
    await here.ask(life, asked)
    query = "SELECT status FROM executions WHERE idempotency_key = $1"
    while (status := await here.database.fetchval(query, name)) in ("QUEUED", "RUNNING"):
        await asyncio.sleep(0.05)
    return list(service.arrivals), str(status)
