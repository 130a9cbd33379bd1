"""One suite for the twin and the real ledger, so that the twin cannot lie."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.catalogue import Effect
from domain.connections import ConnectionStatus
from domain.executions import (
    ExecutionError,
    ExecutionMode,
    ExecutionOrigin,
    ExecutionStatus,
    Finish,
    Intent,
    Outcome,
    Verdict,
    succeeded,
)
from domain.grants import GrantStatus
from domain.history import Occurrence
from domain.ids import new_id
from domain.json import Json
from tests.execution.worlds import World


async def intend(world: World, key: str | None = None) -> Intent:
    """What a fresh agent would do, resting on everything as it is."""
    agent, connection = await world.agent(), await world.connection(new_id().hex)
    grant = await world.grant(agent.id, connection.id)
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    return Intent(
        id=new_id(),
        tenant=world.tenant,
        actor=f"agent:{agent.id.hex}",
        action="harbour.moor",
        action_digest="digest of harbour.moor",
        integration="harbour",
        effect=Effect.WRITE,
        connection_id=connection.id,
        connection_version=connection.version,
        agent_id=agent.id,
        agent_version=agent.version,
        grant_id=grant.id,
        grant_version=grant.version,
        mode=ExecutionMode.WAIT,
        origin=ExecutionOrigin.MCP,
        parameters='{"berth":[1,null,"ü"]}',
        parameters_hash=b"p",
        idempotency_key=key,
        fingerprint=b"f",
        patience_seconds=30,
        deadline_at=deadline,
    )


def ended(intent: Intent, outcome: Outcome | None = None, *, attempt: int = 1) -> Finish:
    return Finish(intent.id, intent.tenant, attempt, outcome or succeeded({"fine": True}), 12, b"p")


async def test_the_facts_are_told_as_they_are(world: World) -> None:
    agent, connection = await world.agent(), await world.connection()
    grant = await world.grant(agent.id, connection.id)
    facts = await world.ledger.standing(world.tenant, agent.id, "harbour", None)
    assert (facts.is_agent, facts.agent_version, facts.is_agent_frozen) == (True, 1, False)
    assert facts.is_integration_enabled
    ((found, held),) = ((each.connection, each.grant) for each in facts.candidates)
    assert (found.id, held) == (connection.id, grant)


async def test_a_person_stands_without_agent_and_grant(world: World) -> None:
    agent, connection = await world.agent(), await world.connection()
    await world.grant(agent.id, connection.id)
    facts = await world.ledger.standing(world.tenant, None, "harbour", None)
    assert (facts.is_agent, facts.agent_version, facts.is_agent_frozen) == (False, None, False)
    assert [each.grant for each in facts.candidates] == [None]


async def test_what_was_frozen_revoked_or_switched_off_is_told(world: World) -> None:
    agent, connection = await world.agent(), await world.connection()
    grant = await world.grant(agent.id, connection.id)
    await world.freeze(agent)
    await world.revoke(grant)
    await world.switch_off()
    facts = await world.ledger.standing(world.tenant, agent.id, "harbour", None)
    assert (facts.is_agent_frozen, facts.agent_version, facts.is_integration_enabled) == (True, 2, False)
    (candidate,) = facts.candidates
    assert candidate.grant is not None
    assert candidate.grant.status(datetime.now(UTC)) is GrantStatus.REVOKED


async def test_an_agent_nobody_knows_counts_as_frozen(world: World) -> None:
    facts = await world.ledger.standing(world.tenant, new_id(), "harbour", None)
    assert (facts.is_agent_frozen, facts.agent_version, facts.candidates) == (True, None, ())


async def test_a_grant_in_force_comes_before_one_that_was_revoked(world: World) -> None:
    agent, connection = await world.agent(), await world.connection()
    first = await world.grant(agent.id, connection.id)
    await world.revoke(first)
    second = await world.grant(agent.id, connection.id)
    (candidate,) = (await world.ledger.standing(world.tenant, agent.id, "harbour", None)).candidates
    assert candidate.grant == second


async def test_a_disconnected_account_is_a_candidate_only_when_it_is_asked_for(world: World) -> None:
    kept, gone = await world.connection("1"), await world.connection("2")
    await world.set_status(gone, ConnectionStatus.REVOKED)

    async def candidates(asked: UUID | None, integration: str = "harbour") -> set[UUID]:
        facts = await world.ledger.standing(world.tenant, None, integration, asked)
        return {each.connection.id for each in facts.candidates}

    assert await candidates(None) == {kept.id}
    assert await candidates(gone.id) == {gone.id}
    assert await candidates(new_id()) == set()
    assert await candidates(kept.id, "github") == set()


async def test_what_another_tenant_has_is_not_there(world: World) -> None:
    agent, connection = await world.agent(), await world.connection()
    facts = await world.ledger.standing("somebody-else", agent.id, "harbour", connection.id)
    assert (facts.candidates, facts.is_agent_frozen) == ((), True)


async def test_an_intent_is_kept_with_its_record(world: World) -> None:
    intent = await intend(world, "key-1")
    admission = await world.ledger.admit(intent)
    assert (admission.verdict, admission.position) == (Verdict.ADMITTED, 1)
    assert admission.started_at is not None
    assert admission.credential is not None
    found = await world.ledger.by_key(world.tenant, intent.actor, "key-1")
    assert found is not None
    execution, fingerprint = found
    assert fingerprint == b"f"
    assert (execution.id, execution.status, execution.attempt) == (intent.id, ExecutionStatus.RUNNING, 1)
    assert execution.parameters == {"berth": [1, None, "ü"]}
    assert (execution.origin, execution.deadline_at) == (ExecutionOrigin.MCP, intent.deadline_at)
    assert execution.started_at == admission.started_at
    (event,) = await world.history()
    assert event == Occurrence(
        type="execution.started",
        actor=intent.actor,
        agent_id=intent.agent_id,
        integration="harbour",
        action="harbour.moor",
        connection_id=intent.connection_id,
        grant_id=intent.grant_id,
        execution_id=intent.id,
        parameters_hash=b"p",
        status="RUNNING",
    )


@pytest.mark.parametrize("what", ["connection", "agent", "grant"])
async def test_an_intent_that_rests_on_another_version_is_stale_and_leaves_nothing(world: World, what: str) -> None:
    intent = await intend(world, "key-1")
    changes: dict[str, dict[str, int]] = {name: {f"{name}_version": 2} for name in ("connection", "agent", "grant")}
    admission = await world.ledger.admit(replace(intent, **changes[what]))  # type: ignore[arg-type]  # from the table
    assert (admission.verdict, admission.credential) == (Verdict.STALE, None)
    assert await world.ledger.by_key(world.tenant, intent.actor, "key-1") is None
    assert await world.history() == []


async def test_an_intent_is_stale_once_the_integration_is_switched_off(world: World) -> None:
    intent = await intend(world)
    await world.switch_off()
    assert (await world.ledger.admit(intent)).verdict is Verdict.STALE


async def test_a_key_is_used_once_by_an_actor(world: World) -> None:
    intent = await intend(world, "key-1")
    again, by_another = replace(intent, id=new_id()), replace(intent, id=new_id(), actor="user:ada")
    said = [(await world.ledger.admit(each)).verdict for each in (intent, again, by_another)]
    assert said == [Verdict.ADMITTED, Verdict.DUPLICATE, Verdict.ADMITTED]
    assert len(await world.history()) == 2


async def test_a_key_used_many_times_at_once_is_used_once(world: World) -> None:
    intent = await intend(world, "key-1")
    answers = await asyncio.gather(*(world.ledger.admit(replace(intent, id=new_id())) for _ in range(20)))
    assert [each.verdict for each in answers].count(Verdict.ADMITTED) == 1


async def test_a_result_is_kept_with_its_record(world: World) -> None:
    intent = await intend(world, "key-1")
    await world.ledger.admit(intent)
    finished = await world.ledger.finish(ended(intent))
    assert finished.position == 2
    found = await world.ledger.by_key(world.tenant, intent.actor, "key-1")
    assert found is not None
    assert (found[0].status, found[0].result, found[0].error) == (ExecutionStatus.SUCCEEDED, {"fine": True}, None)
    assert (found[0].finished_at, found[0].duration_ms) == (finished.finished_at, 12)
    event = (await world.history())[-1]
    assert (event.type, event.status, event.duration_ms, event.error) == ("execution.succeeded", "SUCCEEDED", 12, None)
    assert (event.actor, event.execution_id, event.grant_id) == (intent.actor, intent.id, intent.grant_id)


async def test_an_error_is_kept_as_it_is(world: World) -> None:
    intent = await intend(world, "key-1")
    await world.ledger.admit(intent)
    error = ExecutionError("TIMED_OUT", "No answer.", False, 504, datetime(2030, 1, 1, tzinfo=UTC))
    await world.ledger.finish(ended(intent, Outcome(ExecutionStatus.UNKNOWN, error=error, what_to_check="Look.")))
    found = await world.ledger.by_key(world.tenant, intent.actor, "key-1")
    assert found is not None
    assert (found[0].status, found[0].error, found[0].what_to_check) == (ExecutionStatus.UNKNOWN, error, "Look.")
    assert (await world.history())[-1].error == "TIMED_OUT"


async def test_a_result_is_kept_once_and_by_its_own_attempt(world: World) -> None:
    intent = await intend(world)
    await world.ledger.admit(intent)
    positions = [
        (await world.ledger.finish(each)).position
        for each in (
            ended(intent, attempt=2),
            replace(ended(intent), tenant="somebody-else"),
            replace(ended(intent), id=new_id()),
            ended(intent),
            ended(intent),
        )
    ]
    assert positions == [None, None, None, 2, None]
    assert len(await world.history()) == 2


@pytest.mark.parametrize("result", [float("nan"), float("inf"), {1, 2}, b"bytes", {"a": object()}])
async def test_a_result_that_is_not_json_is_refused_and_the_execution_stays_open(world: World, result: Json) -> None:
    intent = await intend(world)
    await world.ledger.admit(intent)
    with pytest.raises(ValueError):  # noqa: PT011 - its words are for nobody
        await world.ledger.finish(ended(intent, succeeded(result)))
    assert (await world.ledger.finish(ended(intent))).position == 2


async def test_a_refusal_is_written_down(world: World) -> None:
    refusal = Occurrence(
        type="execution.refused",
        actor="agent:1",
        agent_id=new_id(),
        integration="harbour",
        action="harbour.moor",
        reason="grant_level",
        status="REFUSED",
        error="PERMISSION_DENIED",
    )
    await world.ledger.refuse(world.tenant, refusal)
    assert await world.history() == [refusal]


async def test_an_account_expires_unless_it_was_renewed_since(world: World) -> None:
    connection = await world.connection()
    await world.ledger.expire(world.tenant, connection.id, connection.version + 1, "Too late.")
    await world.ledger.expire("somebody-else", connection.id, connection.version, "Not theirs.")
    assert (await world.look(connection.id)).status is ConnectionStatus.ACTIVE
    await world.ledger.expire(world.tenant, connection.id, connection.version, "Harbour said no.")
    after = await world.look(connection.id)
    assert (after.status, after.last_error, after.version) == (ConnectionStatus.EXPIRED, "Harbour said no.", 2)
    (event,) = await world.history()
    assert (event.type, event.actor, event.status, event.reason) == (
        "connection.expired",
        "system",
        "EXPIRED",
        "Harbour said no.",
    )


async def test_only_what_nobody_finished_in_time_has_lapsed(world: World) -> None:
    gone, done, running = [await intend(world) for _ in range(3)]
    gone, done = replace(gone, lease_seconds=-60), replace(done, lease_seconds=-60)
    for each in (gone, done, running):
        await world.ledger.admit(each)
    await world.ledger.finish(ended(done))
    mine = [each for each in await world.ledger.lapsed() if each.tenant == world.tenant]
    assert [(each.id, each.attempt, each.action, each.effect) for each in mine] == [
        (gone.id, 1, "harbour.moor", Effect.WRITE)
    ]
