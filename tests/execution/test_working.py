"""Put off, tried again, taken up again: what runs without its caller, and what becomes of it when something breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.catalogue import CallSetting
from domain.errors import (
    AnswerLost,
    BudgetExceeded,
    Conflict,
    InvalidInput,
    NotSent,
    PermissionDenied,
    Rejected,
    SlowDown,
    Unavailable,
)
from domain.executions import Execution, ExecutionMode, ExecutionStatus
from domain.grants import ApprovalPolicy, Budget
from domain.json import Json
from execution import breaker, running
from tests.execution.stage import TENANT, Stage
from tests.support.nouns import MOOR

S = ExecutionStatus
pytestmark = pytest.mark.usefixtures("impatient")


async def worked(stage: Stage, execution: Execution) -> Execution:
    """What the queue's worker makes of it."""
    chore = asyncio.create_task(stage.pipeline.worker.work())
    try:
        async with asyncio.timeout(10):
            while True:
                found = await stage.ledger.recorded(TENANT, execution.id)
                if found.status not in (S.QUEUED, S.RUNNING):
                    return found
                await asyncio.sleep(0)
    finally:
        chore.cancel()


def failing(*problems: Exception) -> Callable[[Json, CallSetting], Awaitable[Json]]:
    """A deed that meets these one after the other, and then succeeds."""
    left = list(problems)

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        if left:
            raise left.pop(0)
        return {"fine": True}

    return deed


# ----------------------------------------------------------------------------------------------- in the background


async def test_the_background_is_answered_before_anything_is_sent(stage: Stage) -> None:
    execution = await stage.execute(mode=ExecutionMode.BACKGROUND)
    assert (execution.status, execution.attempt, execution.started_at) == (S.QUEUED, 0, None)
    assert "run" not in stage.steps
    ended = await worked(stage, execution)
    assert (ended.status, ended.result, ended.attempt) == (S.SUCCEEDED, {"fine": True}, 1)
    assert stage.events() == ["execution.queued", "execution.started", "execution.succeeded"]


async def test_what_was_allowed_when_it_was_asked_is_looked_at_anew_when_it_runs(stage: Stage) -> None:
    execution = await stage.execute(mode=ExecutionMode.BACKGROUND)
    stage.ledger.keep(TENANT, replace(stage.grant, revoked_at=datetime.now(UTC), version=2))
    ended = await worked(stage, execution)
    assert ended.status is S.FAILED
    assert ended.error is not None
    assert ended.error.code == "PERMISSION_DENIED"
    assert "run" not in stage.steps


async def test_a_turn_that_comes_too_late_is_not_taken(stage: Stage) -> None:
    execution = await stage.execute(mode=ExecutionMode.BACKGROUND, deadline_seconds=1)
    await asyncio.sleep(1.05)
    ended = await worked(stage, execution)
    assert ended.status is S.EXPIRED
    assert "run" not in stage.steps


@pytest.mark.parametrize(("mode", "seconds"), [("WAIT", 301), ("WAIT", 0), ("BACKGROUND", 86_401), ("BACKGROUND", -1)])
async def test_a_deadline_nobody_can_keep_is_refused(stage: Stage, mode: str, seconds: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        await stage.execute(mode=ExecutionMode(mode), deadline_seconds=seconds)
    assert refused.value.path == ("input", "deadlineSeconds")


# ------------------------------------------------------------------------------------------------------ tried again


@pytest.mark.parametrize("problem", [NotSent("No way."), SlowDown("Wait.")], ids=["not sent", "slow down"])
async def test_what_surely_did_not_happen_is_tried_again(stage: Stage, problem: Exception) -> None:
    stage.deed = failing(problem)
    execution = await stage.execute()
    assert (execution.status, execution.attempt) == (S.SUCCEEDED, 2)
    assert [each.outcome for each in execution.attempts] == [problem.code, "SUCCEEDED"]  # type: ignore[attr-defined]
    assert stage.events() == ["execution.started", "execution.retried", "execution.succeeded"]


async def test_every_attempt_carries_the_same_key(stage: Stage) -> None:
    keys = []

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        keys.append(setting.key)
        if len(keys) < 3:
            raise NotSent("No way.")
        return None

    stage.deed = deed
    execution = await stage.execute()
    assert keys == [execution.id] * 3


async def test_reading_is_tried_three_times_and_no_more(stage: Stage) -> None:
    stage.deed = failing(*[Unavailable("Out of order.")] * 5)
    execution = await stage.execute("harbour.look")
    assert (execution.status, execution.attempt, stage.steps.count("run")) == (S.FAILED, 3, 3)


@pytest.mark.parametrize("problem", [Unavailable("Broke."), AnswerLost("Lost.")], ids=["5xx", "lost"])
async def test_what_may_have_happened_is_never_sent_again(stage: Stage, problem: Exception) -> None:
    stage.deed = failing(problem)
    execution = await stage.execute()
    assert (execution.status, execution.attempt, stage.steps.count("run")) == (S.UNKNOWN, 1, 1)


async def test_what_may_have_happened_is_sent_again_where_twice_is_like_once(stage: Stage) -> None:
    stage.harbour.add(replace(MOOR, slug="harbour.set", is_idempotent=True))
    stage.deed = failing(AnswerLost("Lost."))
    execution = await stage.execute("harbour.set")
    assert (execution.status, execution.attempt) == (S.SUCCEEDED, 2)


async def test_a_no_after_a_lost_answer_is_not_called_failed(stage: Stage) -> None:
    """The first attempt may have done it, whatever became of the second."""
    stage.harbour.add(replace(MOOR, slug="harbour.set", is_idempotent=True))
    stage.deed = failing(AnswerLost("Lost."), Rejected("It is there already."))
    execution = await stage.execute("harbour.set")
    assert (execution.status, execution.what_to_check) == (S.UNKNOWN, MOOR.what_to_check)


async def test_a_wait_that_the_deadline_does_not_allow_is_told_instead(stage: Stage) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    stage.deed = failing(SlowDown("Wait.", retry_at=later))
    execution = await stage.execute()
    assert (execution.status, execution.attempt) == (S.FAILED, 1)
    assert execution.error is not None
    assert execution.error.retry_at == later


async def test_a_long_wait_in_the_background_is_spent_in_the_queue(stage: Stage) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    stage.deed = failing(SlowDown("Wait.", retry_at=later))
    execution = await stage.execute(mode=ExecutionMode.BACKGROUND)
    [queued] = await stage.ledger.claim(1)
    stage.ledger.lapse(execution.id)
    chore = asyncio.create_task(stage.pipeline.worker.work())
    async with asyncio.timeout(5):
        while "execution.retried" not in stage.events():
            await asyncio.sleep(0)
    chore.cancel()
    found = await stage.ledger.recorded(TENANT, queued.execution.id)
    assert (found.status, found.attempts[0].retry_at) == (S.QUEUED, later)


async def test_a_service_that_fails_time_after_time_is_left_alone_for_a_moment(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "MOST_IN_A_ROW", 3)
    stage.deed = failing(*[Unavailable("Out of order.")] * 99)
    assert (await stage.execute("harbour.look")).attempt == 3
    before = stage.steps.count("run")
    paused = await stage.execute("harbour.moor")
    assert (paused.status, stage.steps.count("run")) == (S.FAILED, before)
    assert paused.error is not None
    assert (paused.error.code, paused.error.is_retryable) == ("PROVIDER_PAUSED", True)


async def test_an_answer_closes_the_breaker(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "MOST_IN_A_ROW", 3)
    for _ in range(3):
        stage.deed = failing(Unavailable("Out of order."), Unavailable("Out of order."))
        assert (await stage.execute("harbour.look")).status is S.SUCCEEDED


# ------------------------------------------------------------------------------------------------- taken up again


async def test_reading_that_was_cut_off_is_taken_up_again(stage: Stage) -> None:
    never = asyncio.Event()

    async def hanging(parameters: Json, setting: CallSetting) -> Json:
        await never.wait()
        return None

    stage.deed = hanging
    gone = asyncio.create_task(stage.execute("harbour.look"))
    while "run" not in stage.steps:
        await asyncio.sleep(0)
    [id] = stage.ledger.running(TENANT)
    stage.ledger.lapse(id)
    assert await stage.pipeline.worker.recover() == 1
    stage.deed = None
    ended = await worked(stage, await stage.ledger.recorded(TENANT, id))
    assert (ended.status, ended.attempt) == (S.SUCCEEDED, 2)
    assert [each.outcome for each in ended.attempts] == ["PROCESS_LOST", "SUCCEEDED"]
    gone.cancel()


async def test_what_always_kills_its_process_is_given_up_after_three_recoveries(stage: Stage) -> None:
    execution = await stage.execute("harbour.look", mode=ExecutionMode.BACKGROUND)
    for _ in range(4):
        [queued] = await stage.ledger.claim(1)
        await stage.ledger.dispatch(stage.dispatch(queued))
        stage.ledger.lapse(execution.id)
        await stage.pipeline.worker.recover()
    ended = await stage.ledger.recorded(TENANT, execution.id)
    assert ended.status is S.FAILED
    assert ended.error is not None
    assert ended.error.code == "RECOVERY_EXHAUSTED"


async def test_what_kills_whoever_takes_it_is_given_up_before_anything_is_sent(stage: Stage) -> None:
    execution = await stage.execute("harbour.sink", mode=ExecutionMode.BACKGROUND)
    for _ in range(4):
        assert len(await stage.ledger.claim(1)) == 1
        stage.ledger.lapse(execution.id)
    ended = await worked(stage, execution)
    assert ended.status is S.FAILED
    assert ended.error is not None
    assert (ended.error.code, ended.error.is_retryable) == ("RECOVERY_EXHAUSTED", True)
    assert "run" not in stage.steps


async def test_who_is_about_to_stop_takes_nothing_more(stage: Stage) -> None:
    stage.pipeline.worker.rest()
    execution = await stage.execute(mode=ExecutionMode.BACKGROUND)
    chore = asyncio.create_task(stage.pipeline.worker.work())
    for _ in range(20):
        await asyncio.sleep(0)
    chore.cancel()
    assert (await stage.ledger.recorded(TENANT, execution.id)).status is S.QUEUED


# ------------------------------------------------------------------------------------------------------- called off


async def test_a_running_call_is_interrupted_and_the_end_is_honest(stage: Stage) -> None:
    ends = []
    for action in ("harbour.look", "harbour.moor"):
        begun, never = asyncio.Event(), asyncio.Event()

        async def hanging(parameters: Json, setting: CallSetting) -> Json:
            begun.set()  # noqa: B023 - of this round
            await never.wait()  # noqa: B023 - of this round
            return None

        stage.deed = hanging
        task = asyncio.create_task(stage.execute(action))
        await begun.wait()
        [id] = stage.ledger.running(TENANT)
        assert stage.pipeline.runner.cancel(id)
        ends.append((await task).status)
    assert ends == [S.CANCELLED, S.UNKNOWN]


async def test_a_run_of_another_process_hears_of_it_by_its_heartbeat(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "BEAT_SECONDS", 0)
    begun, never = asyncio.Event(), asyncio.Event()

    async def hanging(parameters: Json, setting: CallSetting) -> Json:
        begun.set()
        await never.wait()
        return None

    stage.deed = hanging
    task = asyncio.create_task(stage.execute("harbour.look"))
    await begun.wait()
    [id] = stage.ledger.running(TENANT)
    stage.ledger.ask_to_cancel(id)
    await stage.pipeline.runner.beat()
    assert (await task).status is S.CANCELLED
    assert not stage.pipeline.runner.cancel(id)


# ------------------------------------------------------------------------------------------- asked, planned, limited


async def test_an_agent_whose_grant_asks_waits_for_a_person(stage: Stage) -> None:
    stage.ledger.keep(TENANT, replace(stage.grant, approval=ApprovalPolicy.WRITE))
    execution = await stage.execute()
    assert (execution.status, execution.deadline_at) == (S.AWAITING_APPROVAL, None)
    assert stage.events() == ["approval.requested"]
    assert (await stage.execute("harbour.look")).status is S.SUCCEEDED
    stage.ledger.approve(execution.id)
    assert (await worked(stage, execution)).status is S.SUCCEEDED


async def test_a_definition_that_changed_after_the_yes_is_not_run(stage: Stage) -> None:
    stage.ledger.keep(TENANT, replace(stage.grant, approval=ApprovalPolicy.WRITE))
    execution = await stage.execute()
    stage.ledger.approve(execution.id)
    stage.harbour.add(replace(MOOR, digest="another"))
    ended = await worked(stage, execution)
    assert ended.status is S.FAILED
    assert "run" not in stage.steps


async def test_a_plan_is_run_exactly_or_refused(stage: Stage) -> None:
    plan = await stage.pipeline.planner.plan(TENANT, stage.agent.id, stage.request({"berth": 1}))
    assert plan.is_allowed
    assert "run" not in stage.steps
    with pytest.raises(Conflict) as refused:
        await stage.execute(parameters={"berth": 2}, plan_hash=plan.hash)
    assert refused.value.path == ("input", "planHash")
    assert (await stage.execute(parameters={"berth": 1}, plan_hash=plan.hash)).status is S.SUCCEEDED


async def test_a_plan_of_another_agent_is_not_ones_own(stage: Stage) -> None:
    plan = await stage.pipeline.planner.plan(TENANT, None, stage.request({}))
    with pytest.raises(Conflict):
        await stage.execute(plan_hash=plan.hash)


async def test_conditions_on_parameters_are_held_and_their_mistakes_named(stage: Stage) -> None:
    conditions: Json = {"harbour.moor": {"properties": {"berth": {"maximum": 3}}, "required": ["berth"]}}
    assert isinstance(conditions, dict)
    stage.ledger.keep(TENANT, replace(stage.grant, constraints=conditions))
    with pytest.raises(PermissionDenied) as refused:
        await stage.execute(parameters={"berth": 9})
    assert refused.value.reason == "grant_constraints"
    assert "/berth" in refused.value.message
    assert (await stage.execute(parameters={"berth": 2})).status is S.SUCCEEDED


async def test_a_budget_that_is_used_up_refuses_and_says_when_it_comes_back(stage: Stage) -> None:
    stage.ledger.keep(TENANT, replace(stage.grant, budget=Budget(per_day=1)))
    await stage.execute()
    with pytest.raises(BudgetExceeded) as refused:
        await stage.execute()
    assert refused.value.resets_at is not None
    assert refused.value.resets_at > datetime.now(UTC)


async def test_a_pinned_definition_that_changed_is_refused_until_a_person_confirms_it(stage: Stage) -> None:
    stage.ledger.keep(TENANT, replace(stage.grant, digests={"harbour.moor": "0"}))
    assert (await stage.execute()).status is S.SUCCEEDED
    stage.harbour.add(replace(MOOR, digest="another"))
    with pytest.raises(PermissionDenied) as refused:
        await stage.execute()
    assert refused.value.reason == "grant_digest"


async def test_a_secret_among_the_parameters_is_used_and_not_kept(stage: Stage) -> None:
    schema: Json = {"properties": {"token": {"type": "string", "writeOnly": True}}}
    assert isinstance(schema, dict)
    stage.harbour.add(replace(MOOR, slug="harbour.lock", parameters_schema=schema))
    seen: list[Json] = []

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        seen.append(parameters)
        return None

    stage.deed = deed
    execution = await stage.execute("harbour.lock", {"token": "canary-9f2e"})
    assert seen == [{"token": "canary-9f2e"}]
    assert execution.parameters == {"token": "•••"}
    assert "canary-9f2e" not in repr(await stage.ledger.recorded(TENANT, execution.id))
    with pytest.raises(InvalidInput) as refused:
        await stage.execute("harbour.lock", {"token": "canary-9f2e"}, mode=ExecutionMode.BACKGROUND)
    assert refused.value.path == ("input", "mode")
