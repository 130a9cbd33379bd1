"""The life of one execution, among twins: what comes before what, and how each way of going wrong ends."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.callers import Caller, Role
from domain.catalogue import CallSetting
from domain.connections import ConnectionStatus
from domain.errors import (
    ConnectionRequired,
    DependencyDown,
    InvalidInput,
    InvalidParameters,
    NotFound,
    PermissionDenied,
    Refusal,
)
from domain.executions import Admission, ExecutionStatus, Intent, Verdict
from domain.json import Json
from execution.pipeline import Request
from tests.execution.stage import CREDENTIAL, TENANT, Stage

FAILED, UNKNOWN, SUCCEEDED = ExecutionStatus.FAILED, ExecutionStatus.UNKNOWN, ExecutionStatus.SUCCEEDED
FOREIGN = "foreign-text-7f3a9c"


# --------------------------------------------------------------------------------------------------- the order


async def test_first_facts_then_the_record_then_the_credential_then_the_call(stage: Stage) -> None:
    execution = await stage.execute(parameters={"berth": 1})
    assert stage.steps == ["standing", "admit", "open", "run", "finish"]
    assert stage.events() == ["execution.started", "execution.succeeded"]
    assert (execution.status, execution.result) == (SUCCEEDED, {"fine": True})
    assert (execution.parameters, execution.attempt, execution.connection_id) == ({"berth": 1}, 1, stage.connection.id)


async def test_what_is_answered_is_what_is_recorded(stage: Stage) -> None:
    execution = await stage.execute(parameters={"berth": [1, "ü"]}, idempotency_key="key-1")
    found = await stage.ledger.by_key(TENANT, stage.caller.actor, "key-1")
    assert found is not None
    assert found[0] == execution


async def test_the_adapter_gets_the_credential_the_key_and_the_deadline(stage: Stage) -> None:
    before = datetime.now(UTC)
    execution = await stage.execute(deadline_seconds=60)
    (setting,) = stage.harbour.settings
    assert (setting.credential, setting.key, setting.account) == (CREDENTIAL, execution.id, stage.connection.account)
    assert setting.deadline_at == execution.deadline_at
    assert timedelta(seconds=60) <= setting.deadline_at - before < timedelta(seconds=70)


async def test_a_person_acts_without_a_grant(stage: Stage) -> None:
    person = Caller(TENANT, "ada", frozenset({Role.OWNER}))
    execution = await stage.pipeline.execute(person, Request("harbour.sink", {}))
    assert (execution.agent_id, execution.grant_id, execution.status) == (None, None, SUCCEEDED)
    assert stage.ledger.events_of(TENANT)[0].actor == "user:ada"


async def test_history_holds_no_parameters_but_a_fingerprint(stage: Stage) -> None:
    await stage.execute(parameters={"text": FOREIGN})
    started, ended = stage.ledger.events_of(TENANT)
    assert started.parameters_hash == ended.parameters_hash
    assert len(started.parameters_hash or b"") == 32
    assert FOREIGN not in repr(started)


# ------------------------------------------------------------------------------------------------- refusals


def switch_off(stage: Stage) -> None:
    stage.ledger.switch_off(TENANT, "harbour")


def freeze(stage: Stage) -> None:
    stage.ledger.keep(TENANT, replace(stage.agent, is_frozen=True, version=2))


def revoke(stage: Stage) -> None:
    stage.ledger.keep(TENANT, replace(stage.grant, revoked_at=datetime.now(UTC), version=2))


def expire(stage: Stage) -> None:
    stage.ledger.keep(TENANT, replace(stage.connection, status=ConnectionStatus.EXPIRED, version=2))


def as_it_is(stage: Stage) -> None:
    pass


REFUSALS: list[tuple[str, Callable[[Stage], None], Request, type[Refusal], str, str]] = [
    ("no such action", as_it_is, Request(FOREIGN, {}), NotFound, "not_found", "NOT_FOUND"),
    (
        "wrong parameters",
        as_it_is,
        Request("harbour.moor", {"mistakes": ["a", "b"]}),
        InvalidParameters,
        "invalid_parameters",
        "INVALID_PARAMETERS",
    ),
    (
        "no object",
        as_it_is,
        Request("harbour.moor", [1]),
        InvalidParameters,
        "invalid_parameters",
        "INVALID_PARAMETERS",
    ),
    (
        "too long a wait",
        as_it_is,
        Request("harbour.moor", {}, deadline_seconds=301),
        InvalidInput,
        "invalid_input",
        "INVALID_INPUT",
    ),
    (
        "no time at all",
        as_it_is,
        Request("harbour.moor", {}, deadline_seconds=0),
        InvalidInput,
        "invalid_input",
        "INVALID_INPUT",
    ),
    (
        "an empty key",
        as_it_is,
        Request("harbour.moor", {}, idempotency_key=""),
        InvalidInput,
        "invalid_input",
        "INVALID_INPUT",
    ),
    (
        "a key too long",
        as_it_is,
        Request("harbour.moor", {}, idempotency_key="k" * 201),
        InvalidInput,
        "invalid_input",
        "INVALID_INPUT",
    ),
    (
        "a key with a line break",
        as_it_is,
        Request("harbour.moor", {}, idempotency_key="a\nb"),
        InvalidInput,
        "invalid_input",
        "INVALID_INPUT",
    ),
    (
        "switched off",
        switch_off,
        Request("harbour.moor", {}),
        PermissionDenied,
        "integration_enabled",
        "PERMISSION_DENIED",
    ),
    ("frozen", freeze, Request("harbour.moor", {}), PermissionDenied, "agent_active", "PERMISSION_DENIED"),
    ("revoked", revoke, Request("harbour.moor", {}), PermissionDenied, "grant_in_force", "PERMISSION_DENIED"),
    ("expired", expire, Request("harbour.moor", {}), ConnectionRequired, "connection_required", "CONNECTION_REQUIRED"),
]


@pytest.mark.parametrize(
    ("change", "request_", "kind", "reason", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
async def test_a_refusal_is_recorded_and_nothing_is_opened_or_sent(
    stage: Stage, change: Callable[[Stage], None], request_: Request, kind: type[Refusal], reason: str, code: str
) -> None:
    change(stage)
    with pytest.raises(kind):
        await stage.pipeline.execute(stage.caller, request_)
    assert not {"admit", "open", "run"} & set(stage.steps)
    (event,) = stage.ledger.events_of(TENANT)
    assert (event.type, event.status, event.reason, event.error) == ("execution.refused", "REFUSED", reason, code)
    assert (event.actor, event.agent_id) == (stage.caller.actor, stage.agent.id)
    assert FOREIGN not in repr(event)


async def test_a_typing_error_gets_a_hint(stage: Stage) -> None:
    with pytest.raises(NotFound, match=r"^There is no such action. Did you mean harbour\.moor\?$"):
        await stage.execute("harbour.more")
    with pytest.raises(NotFound, match=r"^There is no such action\.$"):
        await stage.execute("x" * 100_000)


async def test_all_mistakes_in_the_parameters_come_at_once(stage: Stage) -> None:
    with pytest.raises(InvalidParameters) as refused:
        await stage.execute(parameters={"mistakes": ["a", "b", "c"]})
    assert [each.pointer for each in refused.value.violations] == ["/a", "/b", "/c"]


async def test_a_refusal_that_cannot_be_recorded_is_not_given(stage: Stage) -> None:
    """No attempt without its audit record: then the answer is that nothing could be recorded."""
    revoke(stage)

    async def fail() -> None:
        stage.ledger.is_down = True

    stage.ledger.before["refuse"] = fail
    with pytest.raises(DependencyDown):
        await stage.execute()


async def test_without_a_record_nothing_is_sent(stage: Stage) -> None:
    async def fail() -> None:
        stage.ledger.is_down = True

    stage.ledger.before["admit"] = fail
    with pytest.raises(DependencyDown):
        await stage.execute()
    assert stage.steps == ["standing", "admit"]


# -------------------------------------------------------------------------------------------- facts that change


async def test_a_decision_on_facts_that_changed_is_made_again(stage: Stage) -> None:
    async def change_once() -> None:
        stage.ledger.before.clear()
        stage.ledger.keep(TENANT, replace(stage.grant, version=2))

    stage.ledger.before["admit"] = change_once
    execution = await stage.execute()
    assert execution.status is SUCCEEDED
    assert stage.steps == ["standing", "admit", "standing", "admit", "open", "run", "finish"]


async def test_a_grant_revoked_between_decision_and_record_holds(stage: Stage) -> None:
    async def take_away() -> None:
        revoke(stage)

    stage.ledger.before["admit"] = take_away
    with pytest.raises(PermissionDenied):
        await stage.execute()
    assert stage.steps == ["standing", "admit", "standing", "refuse"]


async def test_after_three_decisions_it_gives_up_and_nothing_was_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stale(intent: Intent) -> Admission:
        stage.steps.append("admit")
        return Admission(Verdict.STALE)

    monkeypatch.setattr(stage.ledger, "admit", stale)
    with pytest.raises(DependencyDown, match=r"keep changing\. Nothing was sent"):
        await stage.execute()
    assert stage.steps == ["standing", "admit"] * 3


# ------------------------------------------------------------------------------------------ a caller that goes away


async def cancelled(task: "asyncio.Task[object]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("moment", ["standing", "admit", "admitted", "run", "finish"])
async def test_a_caller_that_goes_away_stops_nothing(stage: Stage, moment: str) -> None:
    has_come, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        has_come.set()
        await go.wait()

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        await hold()
        return {"fine": True}

    if moment == "run":
        stage.deed = deed
    else:
        stage.ledger.before[moment] = hold
    asking = asyncio.create_task(stage.execute())
    await has_come.wait()
    await cancelled(asking)
    go.set()
    await stage.pipeline.drain(10)
    assert stage.steps[-2:] == ["run", "finish"]
    assert stage.events() == ["execution.started", "execution.succeeded"]


async def test_going_away_does_not_keep_a_refusal_from_being_recorded(stage: Stage) -> None:
    revoke(stage)
    has_come, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        has_come.set()
        await go.wait()

    stage.ledger.before["standing"] = hold
    asking = asyncio.create_task(stage.execute())
    await has_come.wait()
    await cancelled(asking)
    go.set()
    await stage.pipeline.drain(10)
    assert stage.events() == ["execution.refused"]


async def test_draining_waits_for_what_is_under_way_and_not_for_ever(stage: Stage) -> None:
    has_come, go = asyncio.Event(), asyncio.Event()

    async def deed(parameters: Json, setting: CallSetting) -> Json:
        has_come.set()
        await go.wait()
        return None

    stage.deed = deed
    await stage.pipeline.drain(0)
    asking = asyncio.create_task(stage.execute())
    await has_come.wait()
    await stage.pipeline.drain(0)
    assert not asking.done()
    go.set()
    await stage.pipeline.drain(10)
    assert (await asking).status is SUCCEEDED
