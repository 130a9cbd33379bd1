"""kill -9 at each step of an execution: what was accepted comes to an end, and nothing is done twice in silence.

`make soak` does the same many times, and waits for the leases; here they are made to run out.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from gateway.dying import STEPS
from tests.support.gateways import Client
from tests.support.killing import FINAL, REPO, Asked, Found, World, world
from tests.support.processes import environment, mandate
from tests.support.servers import new_database


@pytest.fixture(scope="module")
async def here(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("kills")
    async with new_database(postgres_url, migrated_template) as address, world(address, folder) as made:
        survivor = await made.life()
        await made.prepare(survivor)
        yield made


_NAMES = count(1)


async def _after(here: World, step: str) -> dict[str, Found]:
    """What became of one of each kind, by action."""
    here.asked.clear()
    assert await here.kill(step, _NAMES), "the process died by its own hand"
    await here.lapse()
    return {each.asked.action: each for each in await here.settled(30)}


@pytest.mark.parametrize("step", STEPS)
async def test_whatever_the_step_nothing_is_lost_and_nothing_is_doubled(here: World, step: str) -> None:
    found = await _after(here, step)
    read, write, keyed = (found[name] for name in ("github.get_repo", "github.create_issue", "stripe.create_customer"))
    begun = [each for each in found.values() if each.status is not None]
    assert all(each.status in FINAL for each in begun), begun
    assert {each.asked.name for each in begun} >= here.accepted & {each.asked.name for each in found.values()}
    assert write.effects <= 1
    assert keyed.effects <= 1
    match step:
        case "before_intent":
            assert begun == []
        case "after_queued" | "after_claim":
            assert all(each.status == "SUCCEEDED" for each in begun), begun
            assert write.effects == (write.status is not None)
        case "after_running" | "after_sent" | "after_answer" | "before_result":
            assert read.status in ("SUCCEEDED", None)
            assert keyed.status in ("SUCCEEDED", None)
            assert write.status in ("UNKNOWN", None)
        case "after_result":
            assert "SUCCEEDED" in {each.status for each in begun}


async def test_one_key_is_one_execution_before_and_after_its_process_died(here: World) -> None:
    life = await here.life("before_result")
    asked = Asked("no-once-for-all", "github.create_issue", "WAIT", "before_result")
    assert await asyncio.gather(*(here.ask(life, asked) for _ in range(100))) == [None] * 100
    assert await life.died() == -signal.SIGKILL
    await here.lapse()
    successor = await here.life()
    answers = await asyncio.gather(*(here.ask(successor, asked) for _ in range(100)))
    assert {each["status"] for each in answers} == {"UNKNOWN"}
    assert all(each == answers[0] for each in answers)
    assert here.effects(asked.name) == 1
    other = {**REPO, "title": "no-other"}
    told = await Client(successor.url, here.token).execute(asked.action, other, idempotencyKey=asked.name)
    assert [each["code"] for each in told["errors"]] == ["CONFLICT"]
    successor.tell(signal.SIGTERM)
    assert await successor.died() == -signal.SIGTERM


async def test_who_is_told_to_stop_sees_through_what_is_under_way_and_leaves_the_queue(here: World) -> None:
    life = await here.life()
    waiting = [Asked(f"no-{next(_NAMES)}-drained", "github.create_issue", "WAIT", "") for _ in range(50)]
    queued = [Asked(f"no-{next(_NAMES)}-drained", "github.create_issue", "BACKGROUND", "") for _ in range(50)]
    with here.slow(1):
        under_way = [asyncio.ensure_future(here.ask(life, each)) for each in waiting]
        await asyncio.gather(*(here.ask(life, each) for each in queued))
        async with asyncio.timeout(10):
            while here.held < 50:
                await asyncio.sleep(0.02)
        life.tell(signal.SIGTERM)
        answers = await asyncio.gather(*under_way)
    assert {each and each["status"] for each in answers} == {"SUCCEEDED"}
    assert await life.died(30) == -signal.SIGTERM
    here.asked[:] = [(each, datetime.now(UTC)) for each in (*waiting, *queued)]
    found = await here.settled(30)
    assert {(each.status, each.effects) for each in found} == {("SUCCEEDED", 1)}


async def test_production_refuses_to_kill_itself(tmp_path: Path) -> None:
    settings = environment("postgresql://nobody@127.0.0.1:1/none", "https://issuer.example")
    ended = await mandate(
        "serve", MANDATE_PUBLIC_URL="https://m.example", MANDATE_TEST_DIE_AT="after_claim", **settings
    )
    assert ended.code == 1
    assert "MANDATE_TEST_DIE_AT is for tests" in ended.err
