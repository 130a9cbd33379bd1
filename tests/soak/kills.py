"""kill -9 at each step, many times; what always kills; stopping with a hundred under way; one key for a hundred."""

import asyncio
import signal
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import UUID

from gateway.dying import STEPS
from tests.soak.telling import Tally, progress
from tests.support.killing import FINAL, Asked, Found, World, world

#: What may come of each kind, when its process dies at each step and it was on record by then.
_HONEST = {
    "github.get_repo": {"SUCCEEDED"},
    "stripe.create_customer": {"SUCCEEDED"},
    "github.create_issue": {"SUCCEEDED", "UNKNOWN"},
}
_BEFORE_DISPATCH = ("after_queued", "after_claim")
_SETTLED_SECONDS = 30
_TRIES = 8


async def run(database: str, folder: Path, rounds: int, tally: Tally) -> None:
    """E1 and E2: as they come, with the leases as they are; another process goes on living beside those that die."""
    async with world(database, folder) as here:
        survivor = await here.life()
        await here.prepare(survivor)
        names, died = count(1), Counter[str]()
        for number in range(rounds):
            for step in STEPS:
                for _ in range(_TRIES):  # the survivor may have been quicker to claim
                    if await here.kill(step, names):
                        died[step] += 1
                        break
            progress(f"kills: round {number + 1} of {rounds}")
        found = await here.settled(_SETTLED_SECONDS + 5)
        _tell(here, found, died, tally)


def _tell(here: World, found: list[Found], died: Counter[str], tally: Tally) -> None:
    begun = [each for each in found if each.status is not None]
    ended = [each for each in begun if each.status in FINAL]
    late = [each.seconds for each in ended if each.seconds is not None and each.seconds > _SETTLED_SECONDS]
    missing = here.accepted - {each.asked.name for each in begun}
    slowest = max((each.seconds for each in ended if each.seconds is not None), default=0)
    tally.tell("E1", f"{died.total()} deaths at {len(died)} steps: {dict(died)}", is_kept=None)
    is_kept = len(ended) == len(begun) and not missing and not late
    figure = f"{len(ended)}/{len(begun)} recorded executions ended, the last {slowest:.1f} s after its process; "
    tally.tell("E1", figure + f"{len(missing)} accepted ones missing, {len(late)} late", is_kept=is_kept)
    doubled = [each for each in found if each.effects > 1]
    lying = [each for each in ended if not _is_honest(each)]
    by_kind = Counter((each.asked.step, each.asked.action, each.status) for each in ended)
    tally.tell(
        "E2",
        f"{len(doubled)} doubled, {len(lying)} that say something else than what happened",
        is_kept=not doubled and not lying,
    )
    for (step, action, status), many in sorted(by_kind.items()):
        progress(f"{step:<14} {action:<24} {status:<10} {many}")
    for each in lying[:5]:
        progress(f"not honest: {each}")


def _is_honest(found: Found) -> bool:
    writes = found.asked.action != "github.get_repo"
    if found.status not in _HONEST[found.asked.action]:
        return False
    if found.status == "SUCCEEDED" and writes and found.effects != 1:
        return False
    return found.asked.step not in _BEFORE_DISPATCH or found.status == "SUCCEEDED"


async def poison(database: str, folder: Path, _rounds: int, tally: Tally) -> None:
    """E9: every process that runs it dies; the fifth gives it up. Leases are made to run out, or this took minutes."""
    async with world(database, folder) as here:
        first = await here.life("after_running")
        await here.prepare(first)
        asked = Asked("no-poison", "github.get_repo", "BACKGROUND", "after_running")
        await here.ask(first, asked)
        deaths = int(await first.died() == -signal.SIGKILL)
        here.asked.append((asked, datetime.now(UTC)))
        for _ in range(6):
            await here.lapse()
            life = await here.life("after_running")
            try:
                deaths += await life.died(15) == -signal.SIGKILL
            except TimeoutError:
                break
        [found] = await here.found()
        harmless = Asked("no-harm", "github.get_repo", "WAIT", "")
        other = await here.ask(await here.life(), harmless)
        is_kept = (deaths, found.status, found.code) == (4, "FAILED", "RECOVERY_EXHAUSTED")
        figure = f"died {deaths} times, then {found.status} {found.code}; the next one: {other['status']}"
        tally.tell("E9", figure, is_kept=is_kept and other["status"] == "SUCCEEDED")


async def drain(database: str, folder: Path, _rounds: int, tally: Tally) -> None:
    """E8: told to stop with a hundred under way, fifty waited for and fifty in the background; then started again."""
    async with world(database, folder) as here:
        life = await here.life()
        await here.prepare(life)
        waiting = [Asked(f"no-{n}-waits", "github.create_issue", "WAIT", "") for n in range(50)]
        queued = [Asked(f"no-{n}-queued", "github.create_issue", "BACKGROUND", "") for n in range(50)]
        with here.slow(2):
            under_way = [asyncio.ensure_future(here.ask(life, each)) for each in waiting]
            await asyncio.gather(*(here.ask(life, each) for each in queued))
            while here.held < len(waiting):
                await asyncio.sleep(0.02)
            told_at = asyncio.get_running_loop().time()
            life.tell(signal.SIGTERM)
            answers = await asyncio.gather(*under_way)
            await life.died(60)
        seconds = asyncio.get_running_loop().time() - told_at
        here.asked[:] = [(each, datetime.now(UTC)) for each in (*waiting, *queued)]
        left = Counter(each.status for each in await here.found())
        await here.life()
        found = await here.settled(30)
        answered = sum(each is not None and each["status"] == "SUCCEEDED" for each in answers)
        right = sum((each.status, each.effects) == ("SUCCEEDED", 1) for each in found)
        figure = f"{answered}/50 callers answered, gone after {seconds:.1f} s leaving {dict(left)}; "
        is_kept = answered == 50 and right == 100 and seconds < 30 and set(left) <= {"SUCCEEDED", "QUEUED"}
        tally.tell("E8", figure + f"{right}/100 done exactly once after the next start", is_kept=is_kept)


async def keys(database: str, folder: Path, _rounds: int, tally: Tally) -> None:
    """E3: a hundred callers with one key, at a process that dies and at its successor."""
    async with world(database, folder) as here:
        survivor = await here.life()
        await here.prepare(survivor)
        equal = 0
        ids: set[UUID] = set()
        for number, step in enumerate(("after_running", "before_result", "after_result")):
            asked = Asked(f"no-{number}-{step}", "stripe.create_customer", "WAIT", step)
            dying = await here.life(step)
            await asyncio.gather(*(here.ask(dying, asked) for _ in range(100)))
            await dying.died()
            await here.lapse()
            answers = await asyncio.gather(*(here.ask(survivor, asked) for _ in range(100)))
            equal += sum(each == answers[0] and each["status"] == "SUCCEEDED" for each in answers)
            rows = await here.database.fetch("SELECT id FROM executions WHERE idempotency_key = $1", asked.name)
            ids |= {row["id"] for row in rows}
            is_once = here.effects(asked.name) == 1
            tally.tell("E3", f"{step}: {here.effects(asked.name)} effect", is_kept=is_once)
        tally.tell(
            "E3", f"{len(ids)} executions for 3 keys, {equal}/300 equal answers", is_kept=(len(ids), equal) == (3, 300)
        )
