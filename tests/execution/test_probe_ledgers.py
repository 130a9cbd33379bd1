"""What the record promises about looking for effects and putting things off: in memory and in PostgreSQL alike."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.executions import (
    Doubtful,
    ExecutionError,
    ExecutionStatus,
    Finish,
    Intent,
    Outcome,
    ProbeEnd,
    Verdict,
)
from domain.ids import new_id
from tests.execution.test_ledgers import intend
from tests.execution.test_queue_ledgers import claimed, granted, queued
from tests.execution.worlds import World

UNKNOWN = Outcome(
    ExecutionStatus.UNKNOWN, error=ExecutionError("TIMED_OUT", "Gone.", is_retryable=False), what_to_check="Look."
)


async def doubtful(world: World, id: UUID) -> list[Doubtful]:
    """The questions about one execution that are due now. Other tests' may come along."""
    return [each for each in await world.ledger.doubtful() if each.execution.id == id]


async def in_doubt(world: World, after: int | None = 0, intent: Intent | None = None) -> Intent:
    """An execution that ended UNKNOWN."""
    intent = intent or await intend(world)
    assert (await world.ledger.admit(intent)).verdict is Verdict.ADMITTED
    finish = Finish(intent.id, world.tenant, 1, UNKNOWN, 5, b"", probe_after=after)
    assert (await world.ledger.finish(finish)).position is not None
    return intent


async def test_what_is_in_doubt_is_handed_to_one_asker_with_all_that_is_known(world: World) -> None:
    intent = await in_doubt(world)
    [found] = await doubtful(world, intent.id)
    assert (found.tenant, found.times, found.execution.status) == (world.tenant, 1, ExecutionStatus.UNKNOWN)
    assert found.execution.parameters == json.loads(intent.parameters)
    assert await doubtful(world, intent.id) == []


async def test_only_what_asks_for_it_is_looked_for_and_not_before_its_moment(world: World) -> None:
    for after in (None, 60):
        assert await doubtful(world, (await in_doubt(world, after)).id) == []


async def test_what_is_found_is_settled_with_its_record(world: World) -> None:
    intent = await in_doubt(world)
    end = ProbeEnd(world.tenant, intent.id, 1, ExecutionStatus.SUCCEEDED, {"id": 7})
    await world.ledger.probed(end)
    settled = await world.ledger.recorded(world.tenant, intent.id)
    assert (settled.status, settled.result, settled.error) == (ExecutionStatus.SUCCEEDED, {"id": 7}, None)
    assert settled.what_to_check is None
    event = (await world.history())[-1]
    assert (event.type, event.actor, event.status) == ("execution.probed", "system", "SUCCEEDED")
    await world.ledger.probed(end)
    assert len(await world.history()) == 3, "once is enough"


async def test_what_is_not_found_is_looked_for_again_or_never(world: World) -> None:
    intent = await in_doubt(world)
    await doubtful(world, intent.id)
    await world.ledger.probed(ProbeEnd(world.tenant, intent.id, 1, again_at=datetime.now(UTC) - timedelta(seconds=1)))
    [found] = await doubtful(world, intent.id)
    assert found.times == 2
    await world.ledger.probed(ProbeEnd(world.tenant, intent.id, 1))
    assert await doubtful(world, intent.id) == []
    assert (await world.ledger.recorded(world.tenant, intent.id)).status is ExecutionStatus.UNKNOWN


async def test_another_attempt_or_tenant_is_not_settled(world: World) -> None:
    intent = await in_doubt(world)
    await world.ledger.probed(ProbeEnd(world.tenant, intent.id, 2, ExecutionStatus.SUCCEEDED))
    assert (await world.ledger.recorded(world.tenant, intent.id)).status is ExecutionStatus.UNKNOWN


async def test_what_surely_was_not_done_costs_nothing(world: World) -> None:
    first = await in_doubt(world)
    grant = await world.limit(await granted(world, first), 1)
    spent, more = (replace(first, id=new_id(), has_budget=True, grant_version=grant.version) for _ in range(2))
    await in_doubt(world, 0, spent)
    assert (await world.ledger.admit(more)).verdict is Verdict.EXCEEDED
    await world.ledger.probed(ProbeEnd(world.tenant, spent.id, 1, ExecutionStatus.FAILED, error=UNKNOWN.error))
    assert (await world.ledger.admit(more)).verdict is Verdict.ADMITTED


async def test_what_is_put_off_is_claimed_when_its_moment_has_come(world: World) -> None:
    intent = await queued(world)
    [taken] = (await claimed(world, intent.id)).values()
    await world.ledger.put_off(taken, datetime.now(UTC) + timedelta(seconds=60))
    assert await claimed(world, intent.id) == {}
    await world.ledger.put_off(taken, datetime.now(UTC) - timedelta(seconds=1))
    [again] = (await claimed(world, intent.id)).values()
    assert (again.execution.attempt, again.recoveries) == (0, 0), "putting off is no recovery"


async def test_who_has_to_wait_is_left_where_he_is_until_he_is_too_late(world: World) -> None:
    now = datetime.now(UTC)
    waits, late = [
        replace(await intend(world), status=ExecutionStatus.QUEUED, deadline_at=now + timedelta(seconds=seconds))
        for seconds in (60, -1)
    ]
    for each in (waits, late):
        await world.ledger.admit(each)
    found = {each.execution.id for each in await world.ledger.claim(1_000, [world.tenant])}
    assert found & {waits.id, late.id} == {late.id}
