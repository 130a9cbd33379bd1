"""The hot path's statements: facts, intents, results."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.connections import ConnectionStatus
from domain.executions import ExecutionError, ExecutionStatus, Intent, Outcome, Verdict
from domain.grants import GrantStatus
from domain.history import Interest, Occurrence
from domain.ids import new_id
from tests.db.ground import Ground, Party, add_agent, add_connection, add_grant, add_party, finish, lapsed

# ------------------------------------------------------------------------------------------------ standing


async def test_the_facts_name_agent_switch_connections_and_grants(ground: Ground, party: Party) -> None:
    facts = await ground.gate.standing(party.question())
    assert (facts.is_agent, facts.agent_version) == (True, party.agent.version)
    assert (facts.is_agent_frozen, facts.is_integration_enabled) == (False, True)
    (candidate,) = facts.candidates
    assert (candidate.connection, candidate.grant) == (party.connection, party.grant)


async def test_a_person_stands_without_agent_and_grant(ground: Ground, party: Party) -> None:
    facts = await ground.gate.standing(replace(party.question(), agent=None))
    assert (facts.is_agent, facts.agent_version, facts.is_agent_frozen) == (False, None, False)
    assert [each.grant for each in facts.candidates] == [None]


async def test_an_agent_that_is_not_there_counts_as_frozen(ground: Ground, party: Party) -> None:
    facts = await ground.gate.standing(replace(party.question(), agent=new_id()))
    assert (facts.agent_version, facts.is_agent_frozen) == (None, True)


async def test_a_frozen_agent_is_told(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as store:
        await store.agents.set_frozen(party.agent.id, is_frozen=True)
    facts = await ground.gate.standing(party.question())
    assert (facts.is_agent_frozen, facts.agent_version) == (True, 2)


async def test_an_integration_that_was_switched_off_is_told(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as store:
        await store.switches.set("harbour", is_enabled=False)
    assert not (await ground.gate.standing(party.question())).is_integration_enabled


async def test_with_nothing_connected_there_are_no_candidates(ground: Ground, party: Party) -> None:
    facts = await ground.gate.standing(replace(party.question(), integration="github"))
    assert facts.candidates == ()


async def test_every_connection_that_is_not_disconnected_is_a_candidate(ground: Ground, party: Party) -> None:
    other = await add_connection(ground, party.tenant, "2")
    gone = await add_connection(ground, party.tenant, "3")
    async with ground.stores.of(party.tenant) as store:
        await store.connections.set_status(other.id, ConnectionStatus.EXPIRED)
        await store.connections.set_status(gone.id, ConnectionStatus.REVOKED)
    facts = await ground.gate.standing(party.question())
    assert {each.connection.id for each in facts.candidates} == {party.connection.id, other.id}


async def test_the_one_that_is_asked_for_is_the_only_candidate_even_when_disconnected(
    ground: Ground, party: Party
) -> None:
    gone = await add_connection(ground, party.tenant, "2")
    async with ground.stores.of(party.tenant) as store:
        await store.connections.set_status(gone.id, ConnectionStatus.REVOKED)
    facts = await ground.gate.standing(replace(party.question(), connection=gone.id))
    assert [each.connection.id for each in facts.candidates] == [gone.id]


async def test_a_connection_of_another_tenant_or_integration_is_not_there(ground: Ground, party: Party) -> None:
    other = await add_party(ground)
    foreign = replace(party.question(), connection=other.connection.id)
    mistaken = replace(party.question(), connection=party.connection.id, integration="github")
    for question in (foreign, mistaken):
        assert (await ground.gate.standing(question)).candidates == ()


async def test_the_grant_in_force_is_told_rather_than_one_that_was_revoked(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as store:
        await store.grants.revoke(party.grant.id)
    (candidate,) = (await ground.gate.standing(party.question())).candidates
    assert candidate.grant is not None
    assert candidate.grant.status(datetime.now(UTC)) is GrantStatus.REVOKED
    newer = await add_grant(ground, party.tenant, party.agent.id, party.connection.id)
    (candidate,) = (await ground.gate.standing(party.question())).candidates
    assert candidate.grant == newer


async def test_the_grant_of_another_agent_is_not_this_ones(ground: Ground, party: Party) -> None:
    other = await add_agent(ground, party.tenant)
    (candidate,) = (await ground.gate.standing(replace(party.question(), agent=other.id))).candidates
    assert candidate.grant is None


async def test_questions_of_many_tenants_asked_at_once_are_answered_each_for_itself(ground: Ground) -> None:
    parties = [await add_party(ground) for _ in range(5)]
    answers = await asyncio.gather(*(ground.gate.standing(each.question()) for each in parties * 10))
    told = [candidate.connection.id for answer in answers for candidate in answer.candidates]
    assert told == [each.connection.id for each in parties * 10]


async def test_keys_are_found_whose_ever_they_are(ground: Ground, party: Party) -> None:
    known, unknown = new_id(), new_id()
    async with ground.stores.of(party.tenant) as store:
        await store.agents.add_token(known, party.agent.id, "mnd_", b"digest", None)
    found = await asyncio.gather(*(ground.gate.agent_key(each) for each in (known, unknown, known)))
    assert found[1] is None
    assert found[0] == found[2]
    assert found[0] is not None
    assert (found[0].tenant, found[0].agent_id, found[0].digest) == (party.tenant, party.agent.id, b"digest")


# --------------------------------------------------------------------------------------------------- admit


async def test_an_intent_is_committed_with_its_record_and_hands_out_the_credential(
    ground: Ground, party: Party
) -> None:
    intent = party.intent("key-1")
    admission = await ground.gate.admit(intent)
    assert (admission.verdict, admission.position) == (Verdict.ADMITTED, 1)
    assert admission.credential is not None
    assert (admission.credential.ciphertext, admission.credential.key.wrapped) == (b"sealed 1", b"wrapped")
    execution = await ground.execution(party.tenant, intent.id)
    assert (execution.status, execution.attempt, execution.parameters) == (ExecutionStatus.RUNNING, 1, {"berth": 1})
    assert (execution.started_at, execution.deadline_at) == (admission.started_at, intent.deadline_at)
    (event,) = await ground.history(party.tenant)
    assert (event.type, event.execution_id, event.parameters_hash) == ("execution.started", intent.id, b"p")
    assert (event.actor, event.agent_id, event.grant_id) == (intent.actor, party.agent.id, party.grant.id)


async def test_a_person_is_admitted_without_agent_and_grant(ground: Ground, party: Party) -> None:
    intent = replace(
        party.intent(), actor="user:ada", agent_id=None, agent_version=None, grant_id=None, grant_version=None
    )
    assert (await ground.gate.admit(intent)).verdict is Verdict.ADMITTED


STALE = {
    "the connection": {"connection_version": 99},
    "another connection": {"connection_id": new_id()},
    "the agent": {"agent_version": 99},
    "an agent nobody saw": {"agent_version": None},
    "another agent": {"agent_id": new_id()},
    "the grant": {"grant_version": 99},
    "another grant": {"grant_id": new_id()},
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE.keys())
async def test_an_intent_that_rests_on_what_has_changed_is_stale_and_leaves_nothing(
    ground: Ground, party: Party, change: dict[str, object]
) -> None:
    intent = replace(party.intent("key-1"), **change)  # type: ignore[arg-type]  # fields, spelled by the table
    admission = await ground.gate.admit(intent)
    assert (admission.verdict, admission.credential, admission.position) == (Verdict.STALE, None, 0)
    async with ground.stores.of(party.tenant) as store:
        assert await store.executions.get([intent.id]) == {}
    assert await ground.history(party.tenant) == []


async def test_a_connection_without_a_credential_is_stale(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as store:
        await store.connections.destroy_credential(party.connection.id)
    assert (await ground.gate.admit(party.intent())).verdict is Verdict.STALE


async def test_an_integration_that_was_switched_off_meanwhile_makes_an_intent_stale(
    ground: Ground, party: Party
) -> None:
    async with ground.stores.of(party.tenant) as store:
        await store.switches.set("harbour", is_enabled=False)
    assert (await ground.gate.admit(party.intent())).verdict is Verdict.STALE


async def test_what_belongs_to_another_tenant_is_stale(ground: Ground, party: Party) -> None:
    other = await add_party(ground)
    for borrowed in (
        replace(party.intent(), tenant=other.tenant),
        replace(party.intent(), connection_id=other.connection.id),
        replace(party.intent(), grant_id=other.grant.id),
        replace(party.intent(), agent_id=other.agent.id),
    ):
        assert (await ground.gate.admit(borrowed)).verdict is Verdict.STALE


async def revoke(ground: Ground, party: Party, is_told: asyncio.Event, go: asyncio.Event) -> None:
    """Revoke the grant, and commit when told."""
    async with ground.stores.of(party.tenant) as store:
        await store.grants.revoke(party.grant.id)
        store.history.note(Occurrence(type="grant.revoked", actor="user:ada"))
        await store.history.write()
        is_told.set()
        await go.wait()


async def is_waiting_for_a_lock(ground: Ground) -> None:
    async with ground.as_owner() as owner, asyncio.timeout(20):
        while not await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.01)


async def test_nothing_is_admitted_behind_a_revocation(ground: Ground, party: Party) -> None:
    """An intent that waits while a grant is being revoked sees that it was: history never shows it the other way."""
    async with ground.stores.of(party.tenant) as store:
        store.history.note(Occurrence(type="grant.created", actor="user:ada"))
    is_told, go = asyncio.Event(), asyncio.Event()
    revoking = asyncio.create_task(revoke(ground, party, is_told, go))
    await is_told.wait()
    admitting = asyncio.create_task(ground.gate.admit(party.intent()))
    await is_waiting_for_a_lock(ground)
    go.set()
    await revoking
    assert (await admitting).verdict is Verdict.STALE
    assert [event.type for event in await ground.history(party.tenant)] == ["grant.created", "grant.revoked"]


async def test_who_locks_a_connection_and_who_admits_on_it_do_not_wait_for_each_other(
    ground: Ground, party: Party
) -> None:
    is_locked, go = asyncio.Event(), asyncio.Event()

    async def expire() -> None:
        async with ground.stores.of(party.tenant) as store:
            await store.connections.locked(party.connection.id)
            is_locked.set()
            await go.wait()
            store.history.note(Occurrence(type="connection.expired", actor="system"))

    expiring = asyncio.create_task(expire())
    await is_locked.wait()
    admission = await ground.gate.admit(party.intent())
    go.set()
    await expiring
    assert admission.verdict is Verdict.ADMITTED
    assert [event.position for event in await ground.history(party.tenant)] == [1, 2]


async def test_the_same_key_again_is_a_duplicate(ground: Ground, party: Party) -> None:
    assert (await ground.gate.admit(party.intent("key-1"))).verdict is Verdict.ADMITTED
    again = await ground.gate.admit(party.intent("key-1"))
    assert (again.verdict, again.credential) == (Verdict.DUPLICATE, None)
    assert len(await ground.history(party.tenant)) == 1


async def test_the_same_key_many_times_at_once_is_admitted_once(ground: Ground, party: Party) -> None:
    answers = await asyncio.gather(*(ground.gate.admit(party.intent("key-1")) for _ in range(50)))
    verdicts = [answer.verdict for answer in answers]
    assert verdicts.count(Verdict.ADMITTED) == 1
    assert verdicts.count(Verdict.DUPLICATE) == 49
    assert [event.position for event in await ground.history(party.tenant)] == [1]


async def test_a_key_belongs_to_one_actor_of_one_tenant(ground: Ground, party: Party) -> None:
    other = await add_party(ground)
    same = replace(party.intent("key-1"), actor="user:ada")
    intents = [party.intent("key-1"), same, other.intent("key-1")]
    answers = await asyncio.gather(*map(ground.gate.admit, intents))
    assert [answer.verdict for answer in answers] == [Verdict.ADMITTED] * 3


async def test_without_keys_nothing_is_a_duplicate(ground: Ground, party: Party) -> None:
    answers = await asyncio.gather(*(ground.gate.admit(party.intent()) for _ in range(10)))
    assert [answer.verdict for answer in answers] == [Verdict.ADMITTED] * 10


async def test_one_batch_holds_every_verdict_of_every_tenant(ground: Ground, party: Party) -> None:
    other = await add_party(ground)
    first = party.intent("key-1")
    stale = replace(other.intent(), grant_version=99)
    batch = [first, other.intent("key-1"), stale, party.intent("key-1"), other.intent(), party.intent()]
    answers = await ground.gate._admit(batch)
    said = [answer.verdict.value for answer in answers]
    assert said == ["admitted", "admitted", "stale", "duplicate", "admitted", "admitted"]
    assert [answer.position for answer in answers] == [1, 1, 0, 0, 2, 2]


async def test_an_intent_that_cannot_be_stored_is_alone_in_failing(ground: Ground, party: Party) -> None:
    broken: Intent = replace(party.intent(), parameters="{not json")
    good = [party.intent() for _ in range(5)]
    answers = await asyncio.gather(*map(ground.gate.admit, [*good, broken]), return_exceptions=True)
    assert [isinstance(answer, Exception) for answer in answers] == [False] * 5 + [True]


# --------------------------------------------------------------------------------------------------- finish


async def test_a_result_is_committed_with_its_record(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    finished = await ground.gate.finish(finish(intent, result={"made": [1, "ü", None]}))
    assert finished.position == 2
    execution = await ground.execution(party.tenant, intent.id)
    assert (execution.status, execution.result) == (ExecutionStatus.SUCCEEDED, {"made": [1, "ü", None]})
    assert (execution.finished_at, execution.duration_ms) == (finished.finished_at, 12)
    event = (await ground.history(party.tenant))[-1]
    assert (event.type, event.status, event.duration_ms, event.error) == ("execution.succeeded", "SUCCEEDED", 12, None)
    assert (event.actor, event.action, event.execution_id) == (intent.actor, "harbour.moor", intent.id)


async def test_an_error_comes_back_as_it_was(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    at = datetime(2030, 1, 1, tzinfo=UTC)
    error = ExecutionError("PROVIDER_RATE_LIMITED", "Harbour asks to wait.", True, 429, at)
    await ground.gate.finish(finish(intent, Outcome(ExecutionStatus.UNKNOWN, error=error, what_to_check="Look.")))
    execution = await ground.execution(party.tenant, intent.id)
    assert (execution.error, execution.what_to_check) == (error, "Look.")
    event = (await ground.history(party.tenant))[-1]
    assert (event.type, event.error) == ("execution.unknown", "PROVIDER_RATE_LIMITED")


async def test_a_result_is_written_once(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    failed = Outcome(ExecutionStatus.FAILED, error=ExecutionError("INTERNAL", "No.", False))
    first, second = await ground.gate._finish([(finish(intent), None), (finish(intent, failed), None)])
    third = await ground.gate.finish(finish(intent, failed))
    assert sorted(each.position or 0 for each in (first, second, third)) == [0, 0, 2]
    assert len(await ground.history(party.tenant)) == 2
    assert third.position is None


@pytest.mark.parametrize("attempt", [0, 2])
async def test_another_attempt_changes_nothing(ground: Ground, party: Party, attempt: int) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    assert (await ground.gate.finish(finish(intent, attempt=attempt))).position is None
    assert (await ground.execution(party.tenant, intent.id)).status is ExecutionStatus.RUNNING


async def test_another_tenant_cannot_finish_it(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    other = await add_party(ground)
    assert (await ground.gate.finish(replace(finish(intent), tenant=other.tenant))).position is None
    assert (await ground.execution(party.tenant, intent.id)).status is ExecutionStatus.RUNNING


async def test_a_result_that_is_not_json_is_alone_in_failing(ground: Ground) -> None:
    """An adapter's bad answer must not cost its neighbours theirs."""
    parties = [await add_party(ground) for _ in range(4)]
    intents = [each.intent() for each in parties]
    await asyncio.gather(*map(ground.gate.admit, intents))
    bad: list[object] = [object(), float("nan")]
    results = [finish(intents[0], result=bad[0]), finish(intents[1], result=bad[1])]  # type: ignore[arg-type]  # so it is
    results += [finish(each, result="fine") for each in intents[2:]]
    answers = await asyncio.gather(*map(ground.gate.finish, results), return_exceptions=True)
    assert [isinstance(answer, (TypeError, ValueError)) for answer in answers] == [True, True, False, False]
    for each in intents[2:]:
        assert (await ground.execution(each.tenant, each.id)).result == "fine"


async def test_a_finished_execution_leaves_its_trace_where_people_look(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    await ground.gate.finish(finish(intent))
    async with ground.stores.of(party.tenant) as store:
        agent = (await store.agents.get([party.agent.id]))[party.agent.id]
        grant = (await store.grants.get([party.grant.id]))[party.grant.id]
        connection = (await store.connections.get([party.connection.id]))[party.connection.id]
    assert agent.last_active_at
    assert grant.last_used_at
    assert connection.last_used_at
    # To have been used is not a change that decisions rest on.
    assert (agent.version, grant.version, connection.version) == (1, 1, 1)


# ------------------------------------------------------------------------------------------ the other statements


async def test_a_refusal_is_recorded_at_the_next_position(ground: Ground, party: Party) -> None:
    other = await add_party(ground)
    refusal = Occurrence(
        type="execution.refused",
        actor="agent:1",
        agent_id=party.agent.id,
        integration="harbour",
        action="harbour.moor",
        connection_id=party.connection.id,
        grant_id=party.grant.id,
        reason="grant_level",
        status="REFUSED",
        error="PERMISSION_DENIED",
    )
    asked = [(party.tenant, refusal), (other.tenant, refusal), (party.tenant, refusal)]
    positions = await asyncio.gather(*(ground.gate.refuse(*each) for each in asked))
    assert positions == [1, 1, 2]
    first, _ = await ground.history(party.tenant)
    for name in ("type", "actor", "agent_id", "integration", "action", "connection_id", "grant_id", "reason", "error"):
        assert getattr(first, name) == getattr(refusal, name), name


async def test_only_what_lapsed_is_called_lapsed(ground: Ground, party: Party) -> None:
    gone, done, running = lapsed(party.intent()), lapsed(party.intent()), party.intent()
    for intent in (gone, done, running):
        await ground.gate.admit(intent)
    await ground.gate.finish(finish(done))
    mine = [each for each in await ground.gate.lapsed_executions(10_000) if each.tenant == party.tenant]
    assert [(each.id, each.attempt, each.action) for each in mine] == [(gone.id, 1, "harbour.moor")]


async def test_heads_are_told_for_tenants_with_and_without_history(ground: Ground, party: Party) -> None:
    await ground.gate.admit(party.intent())
    assert await ground.gate.heads([party.tenant, "nobody-yet"]) == {party.tenant: 1, "nobody-yet": 0}


async def test_history_is_read_from_a_position_on(ground: Ground, party: Party) -> None:
    for _ in range(5):
        await ground.gate.admit(party.intent())
    assert [event.position for event in await ground.gate.history(party.tenant, 2, 2)] == [3, 4]
    assert await ground.gate.history(party.tenant, 5, 2) == []


async def test_the_use_of_a_key_is_noted_once_a_minute(ground: Ground, party: Party) -> None:
    token = new_id()
    async with ground.stores.of(party.tenant) as store:
        await store.agents.add_token(token, party.agent.id, "mnd_", b"digest", None)
    for _ in range(5):
        ground.gate.note_token_use(token)
    assert len(ground.gate._background) == 1
    await asyncio.gather(*ground.gate._background)
    async with ground.stores.of(party.tenant) as store:
        ((noted,),) = (await store.agents.tokens_of([party.agent.id])).values()
    assert noted.last_used_at
    assert noted.last_used_at > datetime.now(UTC) - timedelta(minutes=1)


async def test_the_table_answers_an_interest_as_the_interest_itself_does(ground: Ground, party: Party) -> None:
    intent = party.intent()
    await ground.gate.admit(intent)
    await ground.gate.finish(finish(intent))
    async with ground.stores.of(party.tenant) as store:
        store.history.note(Occurrence(type="execution_like.x", actor="a", integration="harbour"))
        store.history.note(Occurrence(type="connection.tested", actor="a", connection_id=party.connection.id))
    events = await ground.history(party.tenant)
    moments = [event.occurred_at for event in events]
    interests = [
        Interest(),
        Interest(types=("execution.*",)),
        Interest(types=("execution.started", "connection.*")),
        Interest(types=()),
        Interest(agent_id=party.agent.id),
        Interest(connection_id=party.connection.id),
        Interest(execution_id=intent.id),
        Interest(session_id=intent.id),
        Interest(integration="harbour", action="harbour.moor"),
        Interest(since=moments[1]),
        Interest(until=moments[1]),
    ]
    for interest in interests:
        async with ground.stores.of(party.tenant) as store:
            page = await store.history.page(100, None, interest)
        assert list(page.items) == [event for event in reversed(events) if interest.wants(event)], interest
