"""What may have happened is looked for: what is found settles it, and what is not found proves nothing."""

from dataclasses import replace

import pytest

from domain.catalogue import CallSetting, Probed
from domain.connections import ConnectionStatus
from domain.errors import AnswerLost, Forbidden
from domain.executions import Execution, ExecutionMode, ExecutionStatus
from domain.json import Json
from execution.probing import PAUSES_SECONDS
from tests.execution.stage import TENANT, Stage
from tests.support.nouns import MOOR

S = ExecutionStatus


@pytest.fixture
def looking(stage: Stage) -> Stage:
    """A stage whose writing action loses its answer, and can look for what it did."""
    stage.harbour.add(replace(MOOR, has_probe=True))
    stage.raising(AnswerLost("Gone."))
    return stage


async def looked(stage: Stage, execution: Execution, found: Probed | Exception | None) -> Execution:
    """The execution after one look, which finds this."""

    async def look(parameters: Json, setting: CallSetting) -> Probed | None:
        assert setting.key == execution.id
        assert parameters == {"berth": 1}
        stage.steps.append("look")
        if isinstance(found, Exception):
            raise found
        return found

    stage.harbour.look = look
    stage.ledger.due(execution.id)
    await stage.pipeline.prober.look()
    return await stage.ledger.recorded(TENANT, execution.id)


async def test_what_is_found_has_succeeded_and_history_says_how_that_is_known(looking: Stage) -> None:
    execution = await looking.execute(parameters={"berth": 1})
    assert execution.status is S.UNKNOWN
    settled = await looked(looking, execution, Probed(has_happened=True, result={"berth": 1}))
    assert (settled.status, settled.result, settled.what_to_check) == (S.SUCCEEDED, {"berth": 1}, None)
    assert settled.error is None
    assert looking.events() == ["execution.started", "execution.unknown", "execution.probed"]
    assert looking.steps.count("run") == 1
    assert looking.steps.count("look") == 1


async def test_absence_proves_nothing_and_is_not_looked_at_for_ever(looking: Stage) -> None:
    execution = await looking.execute(parameters={"berth": 1})
    for _ in range(len(PAUSES_SECONDS) + 3):
        assert (await looked(looking, execution, None)).status is S.UNKNOWN
    assert looking.steps.count("look") == len(PAUSES_SECONDS) + 1
    assert looking.events() == ["execution.started", "execution.unknown"]


async def test_a_probe_that_is_certain_that_nothing_was_done_says_so(looking: Stage) -> None:
    execution = await looking.execute(parameters={"berth": 1})
    settled = await looked(looking, execution, Probed(has_happened=False))
    assert settled.status is S.FAILED
    assert settled.error is not None
    assert (settled.error.code, settled.error.is_retryable) == ("TIMED_OUT", True)


@pytest.mark.parametrize("trouble", [Forbidden("No."), AnswerLost("Gone.")], ids=["forbidden", "lost"])
async def test_a_look_that_fails_settles_nothing_and_is_repeated(looking: Stage, trouble: Exception) -> None:
    execution = await looking.execute(parameters={"berth": 1})
    assert (await looked(looking, execution, trouble)).status is S.UNKNOWN
    assert (await looked(looking, execution, Probed(has_happened=True))).status is S.SUCCEEDED


async def test_nothing_is_looked_for_as_an_account_that_may_not_be_used(looking: Stage) -> None:
    execution = await looking.execute(parameters={"berth": 1})
    gone = replace(looking.connection, status=ConnectionStatus.DISABLED, version=2)
    looking.ledger.keep(TENANT, gone)
    assert (await looked(looking, execution, Probed(has_happened=True))).status is S.UNKNOWN
    assert "look" not in looking.steps


async def test_a_lost_process_leaves_its_question_behind(looking: Stage) -> None:
    looking.deed = None
    execution = await looking.execute(parameters={"berth": 1}, mode=ExecutionMode.BACKGROUND)
    [queued] = await looking.ledger.claim(1)
    await looking.ledger.dispatch(looking.dispatch(queued))
    looking.ledger.lapse(execution.id)
    await looking.pipeline.worker.recover()
    assert (await looking.ledger.recorded(TENANT, execution.id)).status is S.UNKNOWN
    assert (await looked(looking, execution, Probed(has_happened=True))).status is S.SUCCEEDED


async def test_an_action_that_cannot_look_leaves_it_to_a_person(stage: Stage) -> None:
    stage.raising(AnswerLost("Gone."))
    execution = await stage.execute(parameters={"berth": 1})
    assert (await looked(stage, execution, Probed(has_happened=True))).status is S.UNKNOWN
    assert "look" not in stage.steps
