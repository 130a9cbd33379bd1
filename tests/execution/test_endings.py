"""How calls end: honestly, recorded, and once; also when the database goes away, and when a key is used again."""

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from domain.callers import Caller, Role
from domain.catalogue import CallSetting, Effect
from domain.connections import ConnectionStatus
from domain.errors import (
    AnswerLost,
    Conflict,
    DependencyDown,
    NotFound,
    ReconnectNeeded,
    Rejected,
    SlowDown,
)
from domain.executions import Admission, ExecutionStatus, Finish, Intent, lost_track
from domain.ids import Kind, public_id
from domain.json import Json
from execution import pipeline as module
from execution.pipeline import Request
from execution.testing import MemoryLedger
from tests.execution.stage import TENANT, Stage

FAILED, UNKNOWN, SUCCEEDED = ExecutionStatus.FAILED, ExecutionStatus.UNKNOWN, ExecutionStatus.SUCCEEDED
FOREIGN = "foreign-text-7f3a9c"


# ---------------------------------------------------------------------------------------------- how calls end


ENDINGS: list[tuple[BaseException, str, ExecutionStatus, ExecutionStatus, str]] = [
    (Rejected("Harbour said no.", status=422), "harbour said no", FAILED, FAILED, "PROVIDER_REJECTED"),
    (SlowDown("Harbour asks to wait."), "slow down", FAILED, FAILED, "PROVIDER_RATE_LIMITED"),
    (AnswerLost("No answer."), "lost", FAILED, UNKNOWN, "TIMED_OUT"),
    (TimeoutError(FOREIGN), "timeout", FAILED, UNKNOWN, "TIMED_OUT"),
    (ValueError(FOREIGN), "value", FAILED, UNKNOWN, "INTERNAL"),
    (KeyError(FOREIGN), "key", FAILED, UNKNOWN, "INTERNAL"),
    (RecursionError(FOREIGN), "recursion", FAILED, UNKNOWN, "INTERNAL"),
    (MemoryError(FOREIGN), "memory", FAILED, UNKNOWN, "INTERNAL"),
    (ExceptionGroup(FOREIGN, [ValueError(FOREIGN)]), "group", FAILED, UNKNOWN, "INTERNAL"),
    (asyncio.CancelledError(FOREIGN), "cancelled inside", FAILED, UNKNOWN, "INTERNAL"),
    (StopAsyncIteration(FOREIGN), "iteration", FAILED, UNKNOWN, "INTERNAL"),
    (NotFound("A refusal where none belongs."), "refusal", FAILED, UNKNOWN, "INTERNAL"),
    (DependencyDown("As if it were the database."), "dependency", FAILED, UNKNOWN, "INTERNAL"),
]


@pytest.mark.parametrize(
    ("error", "reading", "writing", "code"), [(r[0], *r[2:]) for r in ENDINGS], ids=[r[1] for r in ENDINGS]
)
@pytest.mark.usefixtures("impatient")
async def test_whatever_an_adapter_raises_the_end_is_honest_and_recorded(
    stage: Stage, error: BaseException, reading: ExecutionStatus, writing: ExecutionStatus, code: str
) -> None:
    stage.raising(error)
    with capture_logs() as logs:
        ended = [await stage.execute(action) for action in ("harbour.look", "harbour.moor")]
    assert [execution.status for execution in ended] == [reading, writing]
    for execution in ended:
        assert execution.error is not None
        assert execution.error.code == code
        assert (execution.what_to_check is not None) is (execution.status is UNKNOWN)
    assert FOREIGN not in f"{ended}{logs}{stage.ledger.history}"
    assert [each for each in stage.events() if each != "execution.retried"] == [
        "execution.started",
        f"execution.{reading.lower()}",
        "execution.started",
        f"execution.{writing.lower()}",
    ]


async def test_a_result_that_comes_too_late_is_answered_as_history_tells_it(stage: Stage) -> None:
    async def settle_first() -> None:
        stage.ledger.before = {}
        (running,) = stage.ledger.running(TENANT)
        outcome = lost_track(Effect.WRITE, "Look there.")
        await MemoryLedger.finish(stage.ledger, Finish(running, TENANT, 1, outcome, 0, None))

    stage.ledger.before = {"finish": settle_first}
    execution = await stage.execute("harbour.moor")
    assert execution.status is UNKNOWN
    assert stage.events() == ["execution.started", "execution.unknown"]


@pytest.mark.parametrize("result", [float("nan"), object(), {1, 2}, b"bytes", {"deep": [object()]}])
async def test_an_answer_that_is_not_json_ends_honestly_too(stage: Stage, result: Json) -> None:
    async def deed(parameters: Json, setting: CallSetting) -> Json:
        return result

    stage.deed = deed
    reading, writing = await stage.execute("harbour.look"), await stage.execute("harbour.moor")
    assert (reading.status, writing.status) == (FAILED, UNKNOWN)
    assert (reading.result, writing.result) == (None, None)
    assert writing.error is not None
    assert (writing.error.code, writing.error.message) == (
        "PROVIDER_ANSWER_INVALID",
        "The answer of Harbour cannot be recorded.",
    )


async def test_a_deadline_that_passes_cuts_the_call_off(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFAULT_DEADLINE_SECONDS", -1)
    was_cut = asyncio.Event()

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        try:
            await asyncio.Event().wait()
        finally:
            was_cut.set()
        return None

    stage.deed = deed
    reading, writing = await stage.execute("harbour.look"), await stage.execute("harbour.moor")
    assert was_cut.is_set()
    assert reading.error is not None
    assert writing.error is not None
    assert (reading.status, reading.error.code, reading.error.is_retryable) == (FAILED, "TIMED_OUT", True)
    assert (writing.status, writing.error.code, writing.error.is_retryable) == (UNKNOWN, "TIMED_OUT", False)


async def test_a_credential_that_does_not_open_is_not_used_and_not_explained(stage: Stage) -> None:
    stage.vault.is_shut = True
    execution = await stage.execute()
    assert execution.status is FAILED
    assert execution.error is not None
    assert execution.error.code == "CREDENTIAL_UNREADABLE"
    assert "master key" not in execution.error.message
    assert stage.steps == ["standing", "admit", "open", "finish"]


async def test_an_admission_that_came_without_a_credential_sends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = stage.ledger.admit

    async def without(intent: Intent) -> Admission:
        return replace(await admit(intent), credential=None)

    monkeypatch.setattr(stage.ledger, "admit", without)
    assert (await stage.execute()).status is FAILED
    assert "run" not in stage.steps


async def test_a_credential_the_service_refuses_expires_the_connection(stage: Stage) -> None:
    stage.raising(ReconnectNeeded("Harbour does not accept it any more."))
    assert (await stage.execute()).status is FAILED
    after = stage.ledger.connection(TENANT, stage.connection.id)
    assert (after.status, after.last_error) == (ConnectionStatus.EXPIRED, "Harbour does not accept it any more.")
    assert stage.events() == ["execution.started", "execution.failed", "connection.expired"]


async def test_a_connection_renewed_during_the_call_stays_as_it_is(stage: Stage) -> None:
    async def deed(parameters: Json, setting: CallSetting) -> Json:
        stage.ledger.keep(TENANT, replace(stage.connection, version=2))
        raise ReconnectNeeded("The old one is refused.")

    stage.deed = deed
    await stage.execute()
    assert stage.ledger.connection(TENANT, stage.connection.id).status is ConnectionStatus.ACTIVE


async def test_a_recorded_result_is_answered_even_if_the_connection_cannot_be_marked(stage: Stage) -> None:
    async def fail() -> None:
        stage.ledger.is_down = True

    stage.ledger.before["expire"] = fail
    stage.raising(ReconnectNeeded("Refused."))
    assert (await stage.execute()).status is FAILED


# ---------------------------------------------------------------------------------------- when the database goes


@pytest.mark.usefixtures("impatient")
async def test_a_result_waits_for_a_database_that_is_away(stage: Stage) -> None:
    tries = iter([True, True, True, False])

    async def away() -> None:
        stage.ledger.is_down = next(tries)

    stage.ledger.before["finish"] = away
    assert (await stage.execute()).status is SUCCEEDED
    assert stage.steps.count("finish") == 4
    assert stage.steps.count("run") == 1
    assert stage.events() == ["execution.started", "execution.succeeded"]


@pytest.mark.usefixtures("impatient")
async def test_a_result_that_cannot_be_recorded_is_not_called_undone(stage: Stage) -> None:
    async def away() -> None:
        stage.ledger.is_down = True

    stage.ledger.before["finish"] = away
    with pytest.raises(DependencyDown) as told:
        await stage.execute()
    (setting,) = stage.harbour.settings
    assert public_id(Kind.EXECUTION, setting.key) in told.value.message
    assert "Nothing was" not in told.value.message


async def test_what_lapsed_is_taken_up_again_or_gets_its_honest_end(stage: Stage) -> None:
    """A process went away in the middle of two calls; another one finds them."""
    never = asyncio.Event()

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        await never.wait()
        return None

    stage.deed = deed
    gone = [asyncio.create_task(stage.execute(action)) for action in ("harbour.look", "harbour.moor")]
    while stage.steps.count("run") < 2:
        await asyncio.sleep(0)
    for each in stage.ledger.running(TENANT):
        stage.ledger.lapse(each)
    assert await stage.pipeline.worker.recover() == 2
    assert await stage.pipeline.worker.recover() == 0
    assert sorted(stage.events()) == [
        "execution.recovered",
        "execution.started",
        "execution.started",
        "execution.unknown",
    ]
    # The first process comes back. What was settled stays settled; what waits to be run again need not be any more.
    never.set()
    await asyncio.gather(*gone)
    assert stage.events()[4:] == ["execution.succeeded"]
    assert await stage.ledger.claim(10) == []


# ------------------------------------------------------------------------------------------------- the same key


async def test_the_same_key_is_the_same_execution(stage: Stage) -> None:
    first = await stage.execute(parameters={"b": 1, "a": 2}, idempotency_key="key-1")
    second = await stage.execute(parameters={"a": 2, "b": 1}, idempotency_key="key-1")
    assert first == second
    assert stage.steps.count("run") == 1


@pytest.mark.usefixtures("impatient")
async def test_a_hundred_callers_with_one_key_have_one_effect_and_one_answer(stage: Stage) -> None:
    answers = await asyncio.gather(*(stage.execute(idempotency_key="key-1") for _ in range(100)))
    assert len({execution.id for execution in answers}) == 1
    assert {execution.status for execution in answers} == {SUCCEEDED}
    assert stage.steps.count("run") == 1


@pytest.mark.usefixtures("impatient")
async def test_the_same_key_for_something_else_is_a_conflict_and_recorded(stage: Stage) -> None:
    await stage.execute(parameters={"berth": 1}, idempotency_key="key-1")
    for action, parameters in (("harbour.moor", {"berth": 2}), ("harbour.look", {"berth": 1})):
        with pytest.raises(Conflict) as refused:
            await stage.execute(action, parameters, idempotency_key="key-1")
        assert refused.value.path == ("input", "idempotencyKey")
    assert stage.steps.count("run") == 1
    assert stage.events()[2:] == ["execution.refused", "execution.refused"]


@pytest.mark.usefixtures("impatient")
async def test_a_key_whose_execution_never_ends_is_answered_at_the_deadline(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        await never.wait()
        return None

    stage.deed = deed
    first = asyncio.create_task(stage.execute(idempotency_key="key-1"))
    while "run" not in stage.steps:
        await asyncio.sleep(0)
    monkeypatch.setattr(module, "DEFAULT_DEADLINE_SECONDS", -1)
    second = await stage.execute(idempotency_key="key-1")
    assert second.status is ExecutionStatus.RUNNING
    never.set()
    assert (await first).id == second.id


async def test_a_key_of_another_actor_is_another_key(stage: Stage) -> None:
    person = Caller(TENANT, "ada", frozenset({Role.OWNER}))
    first = await stage.execute(idempotency_key="key-1")
    second = await stage.pipeline.execute(person, Request("harbour.moor", {}, idempotency_key="key-1"))
    assert first.id != second.id
