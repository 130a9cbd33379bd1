"""The small behaviours of the repositories, one tenant at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.database import answering, open_database
from db.executions import ExecutionFilter
from db.paging import containing
from db.store import Store
from domain.catalogue import Effect
from domain.connections import ConnectionStatus, ConnectSession, SessionStatus
from domain.errors import Conflict, DependencyDown
from domain.executions import ExecutionStatus
from domain.grants import PermissionLevel
from domain.history import Interest, Occurrence
from domain.ids import new_id
from domain.sealed import Sealed, WrappedKey
from tests.db.ground import Ground, Party, add_agent, add_connection, add_party, connected, finish, new_tenant
from vault.deployment import deployment_key
from vault.master_keys import LocalMasterKeys

# --------------------------------------------------------------------------------------------------- paging


async def test_pages_lead_through_everything_once_newest_first(ground: Ground) -> None:
    tenant = new_tenant()
    made = [(await add_agent(ground, tenant, f"agent {n}")).id for n in range(7)]
    seen: list[UUID] = []
    after: UUID | None = None
    sizes = []
    async with ground.stores.of(tenant) as store:
        while True:
            page = await store.agents.page(3, after, None)
            assert page.total == 7
            assert page.has_previous is (after is not None)
            seen += [each.id for each in page.items]
            sizes.append(len(page.items))
            if not page.has_next:
                break
            after = page.items[-1].id
    assert seen == sorted(made, reverse=True)
    assert sizes == [3, 3, 1]


async def test_a_page_that_ends_exactly_has_no_next(ground: Ground) -> None:
    tenant = new_tenant()
    for _ in range(3):
        await add_agent(ground, tenant)
    async with ground.stores.of(tenant) as store:
        assert not (await store.agents.page(3, None, None)).has_next


async def test_what_is_added_while_somebody_turns_pages_shifts_nothing(ground: Ground) -> None:
    tenant = new_tenant()
    made = [(await add_agent(ground, tenant)).id for _ in range(4)]
    async with ground.stores.of(tenant) as store:
        first = await store.agents.page(2, None, None)
    await add_agent(ground, tenant)
    async with ground.stores.of(tenant) as store:
        second = await store.agents.page(2, first.items[-1].id, None)
    assert [each.id for each in [*first.items, *second.items]] == sorted(made, reverse=True)


async def test_a_cursor_of_another_tenant_shows_nothing_of_it(ground: Ground, party: Party) -> None:
    other = await add_party(ground)
    async with ground.stores.of(party.tenant) as store:
        page = await store.agents.page(10, other.agent.id, None)
    assert {each.id for each in page.items} <= {party.agent.id}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("100%", {"100% sure"}),
        ("%", {"100% sure"}),
        ("_", {"snake_case"}),
        ("\\", {"back\\slash"}),
        ("SURE", {"100% sure"}),
        ("'", set()),
        ("", {"100% sure", "snake_case", "back\\slash"}),
        (None, {"100% sure", "snake_case", "back\\slash"}),
    ],
)
async def test_a_search_is_for_the_words_as_they_are(ground: Ground, words: str | None, found: set[str]) -> None:
    tenant = new_tenant()
    for name in ("100% sure", "snake_case", "back\\slash"):
        await add_agent(ground, tenant, name)
    async with ground.stores.of(tenant) as store:
        page = await store.agents.page(10, None, words)
    assert {each.name for each in page.items} == found
    assert page.total == len(found)


def test_a_pattern_takes_the_meaning_from_every_sign() -> None:
    assert containing("a%b_c\\d") == r"%a\%b\_c\\d%"


# ----------------------------------------------------------------------------------------------- connections


async def test_renewing_keeps_the_label_unless_a_new_one_is_given(ground: Ground) -> None:
    tenant = new_tenant()
    before = await add_connection(ground, tenant, label="Work")
    async with ground.stores.of(tenant) as store:
        await store.connections.set_status(before.id, ConnectionStatus.EXPIRED, "refused")
        kept = await store.connections.renew(before.id, connected())
        named = await store.connections.renew(before.id, connected(label="Home", scopes=None))
    assert (kept.label, kept.status, kept.last_error, kept.version) == ("Work", ConnectionStatus.ACTIVE, None, 3)
    assert (named.label, named.granted_scopes, named.version) == ("Home", None, 4)
    assert named.created_at == before.created_at


async def test_an_account_has_one_live_connection(ground: Ground) -> None:
    tenant = new_tenant()
    before = await add_connection(ground, tenant)
    async with ground.stores.of(tenant) as store:
        assert await store.connections.of_account("harbour", "1", is_sandbox=False) == before
        assert await store.connections.of_account("harbour", "2", is_sandbox=False) is None
        assert await store.connections.of_account("harbour", "1", is_sandbox=True) is None
        await store.connections.set_status(before.id, ConnectionStatus.REVOKED)
        assert await store.connections.of_account("harbour", "1", is_sandbox=False) is None
    after = await add_connection(ground, tenant)
    assert after.id != before.id


async def test_a_check_writes_what_it_found_and_keeps_what_it_did_not(ground: Ground, party: Party) -> None:
    id = party.connection.id
    async with ground.stores.of(party.tenant) as store:
        bad = await store.connections.note_check(id, ConnectionStatus.DEGRADED, None, "It did not answer.")
        good = await store.connections.note_check(id, ConnectionStatus.ACTIVE, ["b"], None)
    assert (bad.status, bad.last_error, bad.granted_scopes) == (ConnectionStatus.DEGRADED, "It did not answer.", ("a",))
    assert bad.last_succeeded_at == party.connection.last_succeeded_at
    assert (good.status, good.last_error, good.granted_scopes) == (ConnectionStatus.ACTIVE, None, ("b",))
    assert good.version == party.connection.version + 2


async def test_a_credential_is_replaced_and_destroyed(ground: Ground, party: Party) -> None:
    id = party.connection.id
    async with ground.stores.of(party.tenant) as store:
        key = await store.keys.newest()
        assert key is not None
        assert await store.connections.credential_version(id) == 1
        await store.connections.put_credential(id, Sealed(key, 2, b"newer"))
    assert await ground.gate.credential(party.tenant, id) == Sealed(key, 2, b"newer")
    assert await ground.gate.credential("somebody-else", id) is None
    async with ground.stores.of(party.tenant) as store:
        await store.connections.destroy_credential(id)
        await store.connections.destroy_credential(id)
        assert await store.connections.credential_version(id) == 0
    assert await ground.gate.credential(party.tenant, id) is None


async def test_the_newest_data_key_seals(ground: Ground) -> None:
    tenant = new_tenant()
    newer = WrappedKey(new_id(), "k1", b"2")
    async with ground.stores.of(tenant) as store:
        assert await store.keys.newest() is None
        await store.keys.add(newer)
        await store.keys.add(WrappedKey(UUID(int=1), "k0", b"0"))
        assert await store.keys.newest() == newer


async def test_connected_means_not_disconnected(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as store:
        assert await store.connections.connected_integrations() == {"harbour"}
        await store.connections.set_status(party.connection.id, ConnectionStatus.REVOKED)
        assert await store.connections.connected_integrations() == frozenset()


async def test_connections_are_listed_by_what_is_asked(ground: Ground) -> None:
    tenant = new_tenant()
    one = await add_connection(ground, tenant, "1", label="Work")
    two = await add_connection(ground, tenant, "2")
    async with ground.stores.of(tenant) as store:
        await store.connections.set_status(two.id, ConnectionStatus.EXPIRED)

        async def ids(**asked: object) -> list[UUID]:
            page = await store.connections.page(10, None, **asked)  # type: ignore[arg-type]  # spelled below
            return [each.id for each in page.items]

        assert await ids() == [two.id, one.id]
        assert await ids(status=ConnectionStatus.EXPIRED) == [two.id]
        assert await ids(search="work") == [one.id]
        assert await ids(search="account 2") == [two.id]
        assert await ids(integration="github") == []
        assert await ids(among=[one.id, new_id()]) == [one.id]
        assert await ids(among=[]) == []


# ---------------------------------------------------------------------------------------------------- grants


async def test_an_agent_holds_one_grant_in_force_on_a_connection(ground: Ground, party: Party) -> None:
    async def again() -> None:
        async with ground.stores.of(party.tenant) as store:
            await store.grants.add(new_id(), party.agent.id, party.connection.id, PermissionLevel.FULL, (), None)

    with pytest.raises(Conflict, match="already holds a grant"):
        await again()
    async with ground.stores.of(party.tenant) as store:
        await store.grants.revoke(party.grant.id)
    await again()


async def test_of_two_grants_made_at_once_one_is_a_conflict(ground: Ground, party: Party) -> None:
    agent = await add_agent(ground, party.tenant)

    async def add() -> None:
        async with ground.stores.of(party.tenant) as store:
            await store.grants.add(new_id(), agent.id, party.connection.id, PermissionLevel.FULL, (), None)

    ended = await asyncio.gather(add(), add(), return_exceptions=True)
    assert sorted(type(each).__name__ for each in ended) == ["Conflict", "NoneType"]


async def test_revoking_a_connections_grants_takes_those_in_force(ground: Ground, party: Party) -> None:
    agent = await add_agent(ground, party.tenant)
    elsewhere = await add_connection(ground, party.tenant, "2")
    async with ground.stores.of(party.tenant) as store:
        second = await store.grants.add(new_id(), agent.id, party.connection.id, PermissionLevel.FULL, (), None)
        await store.grants.add(new_id(), agent.id, elsewhere.id, PermissionLevel.FULL, (), None)
        before = await store.grants.revoke(party.grant.id)
        revoked = await store.grants.revoke_on(party.connection.id)
        assert [each.id for each in revoked] == [second.id]
        assert before is not None
        kept = (await store.grants.get([before.id]))[before.id]
        assert kept.revoked_at == before.revoked_at
        assert [each.connection_id for each in await store.grants.in_force_of(agent.id)] == [elsewhere.id]


async def test_a_revoked_grant_is_not_changed_and_not_revoked_again(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as store:
        changed = await store.grants.change(party.grant.id, {"permission_level": int(PermissionLevel.FULL)})
        assert changed is not None
        assert (changed.permission_level, changed.version) == (PermissionLevel.FULL, 2)
        await store.grants.revoke(party.grant.id)
        assert await store.grants.change(party.grant.id, {"permission_level": 0}) is None
        assert await store.grants.revoke(party.grant.id) is None
        assert await store.grants.revoke(new_id()) is None


# ----------------------------------------------------------------------------------------- agents and switches


async def test_freezing_makes_a_new_version_and_unknown_agents_are_none(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as store:
        frozen = await store.agents.set_frozen(party.agent.id, is_frozen=True)
        thawed = await store.agents.set_frozen(party.agent.id, is_frozen=False)
        assert frozen is not None
        assert thawed is not None
        assert [(each.is_frozen, each.version) for each in (frozen, thawed)] == [(True, 2), (False, 3)]
        assert await store.agents.set_frozen(new_id(), is_frozen=True) is None


async def test_a_token_is_revoked_once_and_shown_while_in_force(ground: Ground, party: Party) -> None:
    older, newer = sorted((new_id(), new_id()))
    async with ground.stores.of(party.tenant) as store:
        for each in (older, newer):
            await store.agents.add_token(each, party.agent.id, "mnd_", b"digest", None)
        assert [each.id for each in (await store.agents.tokens_of([party.agent.id]))[party.agent.id]] == [newer, older]
        first = await store.agents.revoke_token(older)
    async with ground.stores.of(party.tenant) as store:
        assert await store.agents.revoke_token(older) == first
        assert [each.id for each in (await store.agents.tokens_of([party.agent.id]))[party.agent.id]] == [newer]
        assert await store.agents.revoke_token(new_id()) is None


async def test_what_nobody_switched_is_on(ground: Ground) -> None:
    async with ground.stores.of(new_tenant()) as store:
        assert await store.switches.off() == frozenset()
        for is_enabled in (False, False, True, False):
            await store.switches.set("github", is_enabled=is_enabled)
        await store.switches.set("slack", is_enabled=True)
        assert await store.switches.off() == {"github"}


# ------------------------------------------------------------------------------------------- connect sessions


def session() -> ConnectSession:
    now = datetime.now(UTC)
    return ConnectSession(
        id=new_id(),
        integration="harbour",
        status=SessionStatus.OPEN,
        requested_scopes=("a",),
        redirect_uri=None,
        label=None,
        external_user_id=None,
        reconnects=None,
        opened_by="user:ada",
        created_at=now,
        expires_at=now + timedelta(minutes=15),
        connection_id=None,
        error=None,
    )


async def departed(store: Store, opened: ConnectSession) -> None:
    key = WrappedKey(new_id(), "k1", b"wrapped")
    await store.keys.add(key)
    await store.sessions.add(opened, b"link" + opened.id.bytes)
    assert await store.sessions.depart(opened.id, b"state" + opened.id.bytes, b"browser", Sealed(key, 1, b"verifier"))


async def test_a_session_is_found_by_its_link_and_then_by_its_state(ground: Ground) -> None:
    tenant, opened = new_tenant(), session()
    async with ground.stores.of(tenant) as store:
        await departed(store, opened)
        assert await store.sessions.get(opened.id) == opened
        kept = await store.sessions.secrets(opened.id)
        assert kept.verifier is not None
        assert (kept.browser_digest, kept.verifier.ciphertext) == (b"browser", b"verifier")
    assert await ground.gate.connect_session(link=b"link" + opened.id.bytes) == (tenant, opened.id)
    assert await ground.gate.connect_session(state=b"state" + opened.id.bytes) == (tenant, opened.id)
    assert await ground.gate.connect_session(state=b"unknown") is None
    assert await ground.gate.connect_session() is None


async def test_a_spent_state_leads_nowhere_and_its_verifier_is_gone(ground: Ground) -> None:
    tenant, opened = new_tenant(), session()
    async with ground.stores.of(tenant) as store:
        await departed(store, opened)
        await store.sessions.spend_state(opened.id)
        kept = await store.sessions.secrets(opened.id)
    assert (kept.state_digest, kept.browser_digest, kept.verifier) == (None, None, None)
    assert await ground.gate.connect_session(state=b"state" + opened.id.bytes) is None


async def test_a_session_ends_once_and_departs_no_more(ground: Ground) -> None:
    tenant, opened = new_tenant(), session()
    async with ground.stores.of(tenant) as store:
        await departed(store, opened)
        ended = await store.sessions.finish(opened.id, SessionStatus.FAILED, error="No.")
        assert ended is not None
        assert (ended.status, ended.error) == (SessionStatus.FAILED, "No.")
        assert await store.sessions.finish(opened.id, SessionStatus.COMPLETED) is None
        key = await store.keys.newest()
        assert key is not None
        assert not await store.sessions.depart(opened.id, b"s", b"b", Sealed(key, 1, b"v"))


# ------------------------------------------------------------------------------------------------- executions


async def test_executions_are_listed_by_what_is_asked(ground: Ground, party: Party) -> None:
    done, running = party.intent("key-1"), party.intent()
    for intent in (done, running):
        await ground.gate.admit(intent)
    await ground.gate.finish(finish(done))
    started = (await ground.execution(party.tenant, running.id)).created_at
    asked = {
        ExecutionFilter(): {done.id, running.id},
        ExecutionFilter(statuses=(ExecutionStatus.RUNNING,)): {running.id},
        ExecutionFilter(statuses=()): set(),
        ExecutionFilter(effects=(Effect.WRITE,)): {done.id, running.id},
        ExecutionFilter(effects=(Effect.READ,)): set(),
        ExecutionFilter(agent_id=party.agent.id, connection_id=party.connection.id): {done.id, running.id},
        ExecutionFilter(agent_id=new_id()): set(),
        ExecutionFilter(integration="harbour", action="harbour.moor"): {done.id, running.id},
        ExecutionFilter(action="harbour.look"): set(),
        ExecutionFilter(since=started): {running.id},
        ExecutionFilter(until=started): {done.id},
    }
    async with ground.stores.of(party.tenant) as store:
        for wanted, expected in asked.items():
            page = await store.executions.page(10, None, wanted)
            assert {each.id for each in page.items} == expected, wanted
            assert page.total is None
        found = await store.executions.by_key(done.actor, "key-1")
        assert found is not None
        assert (found[0].id, found[1]) == (done.id, b"f")
        assert await store.executions.by_key("user:ada", "key-1") is None


# ------------------------------------------------------------------------------------------------ history, keys


async def test_history_is_paged_backwards(ground: Ground) -> None:
    tenant = new_tenant()
    async with ground.stores.of(tenant) as store:
        for _ in range(5):
            store.history.note(Occurrence(type="agent.created", actor="user:ada"))
    async with ground.stores.of(tenant) as store:
        first = await store.history.page(2, None, Interest())
        second = await store.history.page(3, first.items[-1].position, Interest())
        assert await store.history.head() == 5
        assert await store.history.get(first.items[0].id) == first.items[0]
        assert await store.history.get(new_id()) is None
    assert [each.position for each in [*first.items, *second.items]] == [5, 4, 3, 2, 1]
    assert (first.has_next, first.has_previous, second.has_next, second.has_previous) == (True, False, False, True)


async def test_the_events_of_one_transaction_have_its_time(ground: Ground) -> None:
    tenant = new_tenant()
    async with ground.stores.of(tenant) as store:
        store.history.note(Occurrence(type="a.b", actor="x"))
        store.history.note(Occurrence(type="c.d", actor="x"))
    one, two = await ground.history(tenant)
    assert one.occurred_at == two.occurred_at
    assert (one.type, two.type) == ("a.b", "c.d")


async def test_processes_that_offer_a_key_at_once_settle_on_one(ground: Ground) -> None:
    keyring, purpose = LocalMasterKeys({"k1": b"m" * 32}), f"test-{new_id().hex}"
    made = await asyncio.gather(*(deployment_key(keyring, ground.stores, purpose) for _ in range(8)))
    assert len(set(made)) == 1


# ----------------------------------------------------------------------------------------- when it is not there


async def test_a_server_that_is_not_there_is_one_error_for_everybody(ground: Ground) -> None:
    with pytest.raises(DependencyDown):
        await open_database("postgresql://postgres@127.0.0.1:1/none", 1)
    database = await open_database(ground.url, 1)
    database.pool.terminate()
    with pytest.raises(DependencyDown):
        await database.revision()
    await database.close()


@pytest.mark.parametrize("state", ["57014", "57P01", "57P03", "53100", "53300", "40001", "40P01", "25006", "08006"])
async def test_a_server_that_cannot_just_now_is_the_same_error_on_every_way_in(ground: Ground, state: str) -> None:
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(DependencyDown):
        async with ground.database.tenant("acme") as connection:
            await connection.execute(text(statement))
    with pytest.raises(DependencyDown):
        async with answering():
            await ground.database.pool.execute(statement)


async def test_a_mistake_of_ours_is_not_called_an_outage(ground: Ground) -> None:
    with pytest.raises(DBAPIError):
        async with ground.database.tenant("acme") as connection:
            await connection.execute(text("SELECT nonsense"))
