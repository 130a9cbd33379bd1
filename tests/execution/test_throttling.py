"""Nobody goes faster than the operator allows: who waits is told when to come back, the rest waits in the queue."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db.rates import PostgresRates
from domain.errors import RateLimited
from domain.executions import ExecutionMode, ExecutionStatus
from domain.ids import new_id
from domain.rates import Limits, NotYet, Rate, Turn, per_minute
from execution.pipeline import Pipeline
from execution.throttling import Throttle
from tests.db.ground import Ground, new_tenant
from tests.execution.stage import TENANT, Stage
from tests.support.nouns import SampleCatalogue
from vault.deployment import Fingerprints

SLOW = Rate(3600, 2)  # two at once, then one an hour
S = ExecutionStatus


class Counted:
    """Turns in memory; `free_at` is what it says when there are none left."""

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.asked: list[Turn] = []
        self.free_at = datetime.now(UTC) + timedelta(hours=1)

    async def take(self, turn: Turn) -> list[NotYet]:
        self.asked.append(turn)
        if self.turns:
            self.turns -= 1
            return []
        return [NotYet(turn.rates[0][0], self.free_at)]


def limited(stage: Stage, turns: int, limits: Limits | None = None) -> Counted:
    """The same stage, with so many turns."""
    rates = Counted(turns)
    throttle = Throttle(limits or Limits(tenant=SLOW), rates)
    catalogue = SampleCatalogue(stage.harbour)
    stage.pipeline = Pipeline(catalogue, stage.ledger, stage.vault, Fingerprints(b"k" * 32), throttle)
    return rates


async def test_who_waits_is_told_when_to_come_back_and_nothing_is_sent(stage: Stage) -> None:
    rates = limited(stage, 1)
    assert (await stage.execute()).status is S.SUCCEEDED
    with pytest.raises(RateLimited) as refused:
        await stage.execute()
    assert refused.value.retry_at == rates.free_at
    assert stage.steps.count("run") == 1
    assert stage.events() == ["execution.started", "execution.succeeded", "execution.refused"]


async def test_a_rush_is_refused_without_asking_anybody_and_recorded_once(stage: Stage) -> None:
    rates = limited(stage, 0)
    for _ in range(50):
        with pytest.raises(RateLimited):
            await stage.execute()
    assert len(rates.asked) == 1
    assert stage.steps.count("standing") == 1
    assert stage.events() == ["execution.refused"]


async def test_the_limit_is_over_when_its_moment_has_come(stage: Stage) -> None:
    rates = limited(stage, 0)
    rates.free_at = datetime.now(UTC) + timedelta(milliseconds=30)
    with pytest.raises(RateLimited):
        await stage.execute()
    rates.turns = 1
    await asyncio.sleep(0.04)
    assert (await stage.execute()).status is S.SUCCEEDED


async def test_the_background_waits_in_the_queue_instead(stage: Stage) -> None:
    rates = limited(stage, 0)
    rates.free_at = datetime.now(UTC) + timedelta(milliseconds=50)
    execution = await stage.execute(mode=ExecutionMode.BACKGROUND)
    chore = asyncio.create_task(stage.pipeline.worker.work())
    try:
        async with asyncio.timeout(10):
            while not rates.asked:
                await asyncio.sleep(0)
            rates.turns = 1
            while (await stage.ledger.recorded(TENANT, execution.id)).status is not S.SUCCEEDED:
                await asyncio.sleep(0.01)
    finally:
        chore.cancel()
    assert len(rates.asked) == 2
    assert stage.events() == ["execution.queued", "execution.started", "execution.succeeded"]


async def test_it_waits_no_longer_than_its_deadline(stage: Stage) -> None:
    limited(stage, 0)
    execution = await stage.execute(mode=ExecutionMode.BACKGROUND, deadline_seconds=1)
    chore = asyncio.create_task(stage.pipeline.worker.work())
    try:
        async with asyncio.timeout(10):
            while (await stage.ledger.recorded(TENANT, execution.id)).status is not S.EXPIRED:
                await asyncio.sleep(0.01)
    finally:
        chore.cancel()
    assert "run" not in stage.steps


async def test_every_limit_that_is_set_is_asked_for_by_name(stage: Stage) -> None:
    rates = limited(stage, 1, Limits(SLOW, SLOW, SLOW, SLOW))
    await stage.execute()
    [turn] = rates.asked
    names = ["tenant", f"agent:{stage.agent.id}", f"connection:{stage.connection.id}", "integration:harbour"]
    assert (turn.tenant, [name for name, _ in turn.rates]) == (TENANT, names)


async def test_without_limits_nobody_is_asked(stage: Stage) -> None:
    rates = limited(stage, 0, Limits())
    assert (await stage.execute()).status is S.SUCCEEDED
    assert rates.asked == []


# ---------------------------------------------------------------------------------------------------- in PostgreSQL


async def test_as_many_as_the_burst_go_at_once_and_the_next_is_told_when(execution_ground: Ground) -> None:
    rates, tenant = PostgresRates(execution_ground.database.pool), new_tenant()
    turn = Turn(tenant, (("tenant", Rate(60, 5)),))
    answers = await asyncio.gather(*(rates.take(turn) for _ in range(20)))
    assert sum(not each for each in answers) == 5
    [told] = next(each for each in answers if each)
    assert timedelta(seconds=50) < told.free_at - datetime.now(UTC) <= timedelta(seconds=61)


async def test_two_processes_share_the_turns(execution_ground: Ground) -> None:
    one, other = PostgresRates(execution_ground.database.pool), PostgresRates(execution_ground.database.pool)
    turn = Turn(new_tenant(), (("tenant", Rate(60, 7)), (f"agent:{new_id()}", Rate(60, 30))))
    answers = await asyncio.gather(*(each.take(turn) for each in (one, other) * 20))
    assert sum(not each for each in answers) == 7


async def test_a_limit_in_the_way_costs_no_turn_of_another(execution_ground: Ground) -> None:
    rates, tenant, agent = PostgresRates(execution_ground.database.pool), new_tenant(), f"agent:{new_id()}"
    narrow = ((agent, Rate(60, 1)), ("tenant", Rate(60, 3)))
    answers = [await rates.take(Turn(tenant, narrow)) for _ in range(6)]
    assert [len(each) for each in answers] == [0, 1, 1, 1, 1, 1]
    assert [each.name for each in answers[1]] == [agent]
    wide = [await rates.take(Turn(tenant, (("tenant", Rate(60, 3)),))) for _ in range(3)]
    assert [len(each) for each in wide] == [0, 0, 1], "two of the tenant's three turns were left"


async def test_tenants_do_not_hold_each_other_back(execution_ground: Ground) -> None:
    rates = PostgresRates(execution_ground.database.pool)
    turns = [Turn(new_tenant(), (("tenant", Rate(60, 1)),)) for _ in range(5)]
    assert await asyncio.gather(*(rates.take(each) for each in turns)) == [[]] * 5


def test_so_many_a_minute() -> None:
    assert per_minute(600) == Rate(0.1, 100)
    assert per_minute(1) == Rate(60, 1)
    assert per_minute(60, burst_seconds=1) == Rate(1, 1)
