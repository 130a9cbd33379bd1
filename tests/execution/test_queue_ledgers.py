"""The queue, in the twin and in PostgreSQL: enqueued with the intent, claimed once, fenced by the attempt."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.executions import (
    Again,
    ApprovalAsked,
    Dispatch,
    ExecutionError,
    ExecutionMode,
    ExecutionStatus,
    Intent,
    Outcome,
    Queued,
    Verdict,
    succeeded,
)
from domain.grants import Grant
from domain.ids import new_id
from tests.execution.test_ledgers import ended, intend
from tests.execution.worlds import World


async def queued(world: World) -> Intent:
    """An execution that waits for its turn."""
    intent = replace(await intend(world), status=ExecutionStatus.QUEUED, mode=ExecutionMode.BACKGROUND)
    assert (await world.ledger.admit(intent)).verdict is Verdict.ADMITTED
    return intent


async def granted(world: World, intent: Intent) -> Grant:
    """The grant it rests on."""
    found = await world.ledger.standing(world.tenant, intent.agent_id, "harbour", intent.connection_id)
    [grant] = [each.grant for each in found.candidates]
    assert grant is not None
    return grant


async def claimed(world: World, *ids: UUID) -> dict[UUID, Queued]:
    """Those of the ids that are claimed now. Other tests' executions may come along, and are let go of."""
    found = await world.ledger.claim(1_000)
    return {each.execution.id: each for each in found if each.execution.id in ids}


def dispatch(intent: Intent, attempt: int = 0) -> Dispatch:
    return Dispatch(
        intent.id,
        intent.tenant,
        attempt,
        intent.connection_version,
        intent.agent_version,
        intent.grant_id,
        intent.grant_version,
    )


def again(intent: Intent, status: ExecutionStatus, attempt: int = 1, *, is_recovery: bool = False) -> Again:
    now = datetime.now(UTC)
    return Again(intent.id, intent.tenant, attempt, status, "PROVIDER_UNAVAILABLE", 503, now, False, is_recovery)


async def test_what_is_queued_has_not_begun_and_is_on_record(world: World) -> None:
    intent = await queued(world)
    found = await world.ledger.recorded(world.tenant, intent.id)
    assert (found.status, found.attempt, found.started_at, found.attempts) == (ExecutionStatus.QUEUED, 0, None, ())
    (event,) = await world.history()
    assert (event.type, event.status, event.execution_id) == ("execution.queued", "QUEUED", intent.id)


async def test_an_execution_is_claimed_by_one_asker(world: World) -> None:
    intents = [await queued(world) for _ in range(3)]
    ids = [each.id for each in intents]
    taken = await asyncio.gather(*(claimed(world, *ids) for _ in range(4)))
    assert sorted(id for each in taken for id in each) == sorted(ids)
    assert await claimed(world, *ids) == {}


async def test_a_claimed_execution_says_all_that_is_needed_to_run_it(world: World) -> None:
    intent = await queued(world)
    found = (await claimed(world, intent.id))[intent.id]
    assert (found.tenant, found.actor, found.plan_hash) == (intent.tenant, intent.actor, None)
    assert found.execution.parameters == {"berth": [1, None, "ü"]}
    assert found.parameters_hash == b"p"


async def test_what_waits_for_a_person_is_not_claimed(world: World) -> None:
    asked = ApprovalAsked(new_id(), "May it?", "00ff", datetime.now(UTC) + timedelta(hours=1))
    intent = replace(await intend(world), status=ExecutionStatus.AWAITING_APPROVAL, approval=asked, deadline_at=None)
    assert (await world.ledger.admit(intent)).verdict is Verdict.ADMITTED
    assert await claimed(world, intent.id) == {}
    (event,) = await world.history()
    assert (event.type, event.status) == ("approval.requested", "AWAITING_APPROVAL")


async def test_dispatch_commits_the_attempt_with_its_record(world: World) -> None:
    intent = await queued(world)
    admission = await world.ledger.dispatch(dispatch(intent))
    assert admission.verdict is Verdict.ADMITTED
    assert admission.credential is not None
    found = await world.ledger.recorded(world.tenant, intent.id)
    assert (found.status, found.attempt) == (ExecutionStatus.RUNNING, 1)
    assert [each.type for each in await world.history()] == ["execution.queued", "execution.started"]


async def test_of_two_that_dispatch_the_same_one_wins(world: World) -> None:
    intent = await queued(world)
    both = await asyncio.gather(*(world.ledger.dispatch(dispatch(intent)) for _ in range(2)))
    assert sorted(each.verdict for each in both) == [Verdict.ADMITTED, Verdict.GONE]


async def test_what_was_decided_on_facts_that_changed_is_not_dispatched(world: World) -> None:
    intent = await queued(world)
    stale = replace(dispatch(intent), connection_version=intent.connection_version + 1)
    assert (await world.ledger.dispatch(stale)).verdict is Verdict.STALE
    assert (await world.ledger.recorded(world.tenant, intent.id)).status is ExecutionStatus.QUEUED


async def test_another_tenants_execution_is_gone_for_everybody_else(world: World) -> None:
    intent = await queued(world)
    foreign = replace(dispatch(intent), tenant="somebody-else")
    assert (await world.ledger.dispatch(foreign)).verdict is Verdict.GONE


async def test_an_attempt_that_is_followed_by_another_is_kept(world: World) -> None:
    intent = await intend(world)
    await world.ledger.admit(intent)
    assert await world.ledger.again(again(intent, ExecutionStatus.RUNNING))
    await world.ledger.finish(ended(intent, attempt=2))
    found = await world.ledger.recorded(world.tenant, intent.id)
    assert [(each.number, each.outcome, each.provider_status) for each in found.attempts] == [
        (1, "PROVIDER_UNAVAILABLE", 503),
        (2, "SUCCEEDED", None),
    ]
    assert [each.type for each in await world.history()] == [
        "execution.started",
        "execution.retried",
        "execution.succeeded",
    ]


async def test_an_attempt_that_is_not_the_executions_any_more_changes_nothing(world: World) -> None:
    intent = await intend(world)
    await world.ledger.admit(intent)
    assert await world.ledger.again(again(intent, ExecutionStatus.RUNNING))
    assert not await world.ledger.again(again(intent, ExecutionStatus.RUNNING))
    assert (await world.ledger.finish(ended(intent, attempt=1))).position is None
    assert not await world.ledger.again(replace(again(intent, ExecutionStatus.RUNNING, 2), tenant="somebody-else"))


async def test_what_went_back_to_the_queue_is_claimed_again(world: World) -> None:
    intent = await intend(world)
    await world.ledger.admit(intent)
    assert await world.ledger.again(again(intent, ExecutionStatus.QUEUED, is_recovery=True))
    found = (await claimed(world, intent.id))[intent.id]
    assert (found.execution.attempt, len(found.execution.attempts)) == (1, 1)
    assert (await world.ledger.dispatch(dispatch(intent, attempt=1))).verdict is Verdict.ADMITTED
    assert (await world.ledger.recorded(world.tenant, intent.id)).attempt == 2


async def test_what_has_to_wait_for_a_moment_is_not_claimed_before_it(world: World) -> None:
    intent = await intend(world)
    await world.ledger.admit(intent)
    later = replace(again(intent, ExecutionStatus.QUEUED), retry_at=datetime.now(UTC) + timedelta(minutes=1))
    assert await world.ledger.again(later)
    assert await claimed(world, intent.id) == {}


async def test_a_heartbeat_keeps_what_still_runs_and_nothing_else(world: World) -> None:
    silent, done = [replace(await intend(world), lease_seconds=-60) for _ in range(2)]
    for each in (silent, done):
        await world.ledger.admit(each)
    await world.ledger.finish(ended(done))
    held = [(each.tenant, each.id, 1) for each in (silent, done)]
    assert await world.ledger.beat(held) == {silent.id: False}
    assert silent.id not in [each.id for each in await world.ledger.lapsed()]


async def test_a_budget_admits_as_often_as_it_says_however_many_ask_at_once(world: World) -> None:
    first = await intend(world)
    (candidate,) = (
        await world.ledger.standing(world.tenant, first.agent_id, "harbour", first.connection_id)
    ).candidates
    assert candidate.grant is not None
    grant = await world.limit(candidate.grant, 3)
    asked = [replace(first, id=new_id(), has_budget=True, grant_version=grant.version) for _ in range(8)]
    verdicts = [each.verdict for each in await asyncio.gather(*map(world.ledger.admit, asked))]
    assert verdicts.count(Verdict.ADMITTED) == 3
    assert verdicts.count(Verdict.EXCEEDED) == 5


async def test_what_had_no_effect_is_given_back_to_the_budget(world: World) -> None:
    first = await intend(world)
    (candidate,) = (
        await world.ledger.standing(world.tenant, first.agent_id, "harbour", first.connection_id)
    ).candidates
    assert candidate.grant is not None
    grant = await world.limit(candidate.grant, 1)
    tries = [replace(first, id=new_id(), has_budget=True, grant_version=grant.version) for _ in range(4)]
    failed = Outcome(ExecutionStatus.FAILED, error=ExecutionError("PROVIDER_REJECTED", "No.", is_retryable=False))
    assert (await world.ledger.admit(tries[0])).verdict is Verdict.ADMITTED
    assert (await world.ledger.admit(tries[1])).verdict is Verdict.EXCEEDED
    await world.ledger.finish(ended(tries[0], failed))
    assert (await world.ledger.admit(tries[2])).verdict is Verdict.ADMITTED
    await world.ledger.finish(ended(tries[2], succeeded(None)))
    assert (await world.ledger.admit(tries[3])).verdict is Verdict.EXCEEDED


async def test_a_key_that_was_used_before_is_known_also_when_the_budget_is_used_up(world: World) -> None:
    first = replace(await intend(world, key="k-1"), has_budget=True)
    (candidate,) = (
        await world.ledger.standing(world.tenant, first.agent_id, "harbour", first.connection_id)
    ).candidates
    assert candidate.grant is not None
    grant = await world.limit(candidate.grant, 1)
    first = replace(first, grant_version=grant.version)
    assert (await world.ledger.admit(first)).verdict is Verdict.ADMITTED
    assert (await world.ledger.admit(replace(first, id=new_id()))).verdict is Verdict.DUPLICATE
