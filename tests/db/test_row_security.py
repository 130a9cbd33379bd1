"""The database says no too (promise A2), with every check of the application out of the way."""

from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.database import open_database
from db.rates import PostgresRates
from db.store import Store
from db.tables import metadata
from db.webhooks import Attempt
from domain.alerts import AlertKind, Cause
from domain.connect_tokens import ConnectToken
from domain.errors import Misconfigured
from domain.executions import ApprovalAsked, ExecutionStatus, Outcome, Verdict
from domain.history import Interest, Occurrence
from domain.ids import new_id
from domain.rates import Turn, per_minute
from domain.refreshing import Renewal
from domain.sealed import Sealed, WrappedKey
from domain.seals import Seal
from domain.standing import StandingApproval
from tests.db.ground import Ground, Party, add_party, finish, new_tenant
from tests.support.nouns import EARLIER, LATER

OF_TENANTS = sorted(name for name, table in metadata.tables.items() if "tenant" in table.c)


@pytest.fixture
async def full(ground: Ground, party: Party) -> Party:
    """A tenant with something in its tables."""
    intent = party.intent()
    await ground.gate.admit(intent)
    await ground.gate.finish(finish(intent))
    async with ground.stores.of(party.tenant) as store:
        await store.agents.add_token(new_id(), party.agent.id, "mnd_", b"digest", None)
        await store.switches.set("github", is_enabled=False)
        key = await store.keys.newest()
        assert key is not None
        await store.applications.set(new_id(), "github", "their-client", Sealed(key, 1, b"sealed"))
        await store.switches.set_frozen(is_frozen=False, reason=None)
        await store.grants.change(party.grant.id, {"per_day": 5})
        await store.refreshes.keep(_renewal(party, await store.keys.newest()))
        await store.seals.add(Seal(party.tenant, 1, 1, 1, b"root", b"before", EARLIER, "key", b"signature"))
        await store.seals.mark(1)
        standing = (new_id(), party.grant.id, "harbour.moor", None, 1, 0, LATER, "user:ada", EARLIER, None)
        await store.standing.add(StandingApproval(*standing))
        await _alert_and_webhook(store, party, Sealed(key, 1, b"sealed"))
        await store.connect_tokens.add(_connect_token(party), b"digest of " + party.tenant.encode())
    doubtful = replace(party.intent(), grant_version=2)
    assert (await ground.gate.admit(doubtful)).verdict is Verdict.ADMITTED
    await ground.gate.finish(replace(finish(doubtful, Outcome(ExecutionStatus.UNKNOWN)), probe_after=3))
    await PostgresRates(ground.database.pool).take(Turn(party.tenant, (("tenant", per_minute(60)),)))
    asked = ApprovalAsked(new_id(), "May it?", "00", LATER)
    waiting = replace(party.intent(), status=ExecutionStatus.AWAITING_APPROVAL, approval=asked, grant_version=2)
    assert (await ground.gate.admit(waiting)).verdict is Verdict.ADMITTED
    return party


async def _alert_and_webhook(store: Store, party: Party, secret: Sealed) -> None:
    cause = Cause(kind=AlertKind.ROTATION_DUE, name="cause", connection_id=party.connection.id)
    await store.alerts.raised(cause, "It is old.", "Replace it.")
    await store.alerts.mark(1, EARLIER)
    claim = new_id()
    hook = await store.webhooks.add(new_id(), "https://example.com", None, None, 0)
    await store.webhooks.add_secret(hook.id, secret)
    await store.webhooks.change(hook.id, {"claim": claim})
    [event, *_] = await store.history.after(0, 1, Interest())
    assert await store.webhooks.fail(hook.id, claim, event, Attempt(500, "It answered 500.", LATER))


def _renewal(party: Party, key: WrappedKey | None) -> Renewal:
    assert key is not None
    return Renewal(party.tenant, party.connection.id, new_id(), 1, Sealed(key, 2, b"sealed"), EARLIER, None, None)


def _connect_token(party: Party) -> ConnectToken:
    return ConnectToken(
        new_id(), party.tenant, "kim", None, None, (), None, "user:ada", EARLIER, LATER, None, None, None
    )


FILLED = [each for each in OF_TENANTS if each != "connect_sessions"]


@pytest.mark.parametrize("table", FILLED)
async def test_a_tenant_sees_its_own_rows_and_nobody_elses(ground: Ground, full: Party, table: str) -> None:
    count = text(f"SELECT count(*), count(*) FILTER (WHERE tenant <> :me) FROM {table}")  # noqa: S608 - our tables
    async with ground.database.tenant(full.tenant) as connection:
        seen, foreign = (await connection.execute(count, {"me": full.tenant})).one()
    assert seen > 0
    assert foreign == 0
    async with ground.database.tenant(new_tenant()) as connection:
        assert tuple((await connection.execute(count, {"me": full.tenant})).one()) == (0, 0)


@pytest.mark.parametrize("table", OF_TENANTS)
async def test_without_a_tenant_nothing_is_seen(ground: Ground, full: Party, table: str) -> None:
    async with ground.database.deployment() as connection:
        assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0  # noqa: S608 - our tables
    assert await ground.database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - our tables


@pytest.mark.parametrize(
    "table", ["agents", "connections", "grants", "executions", "history_heads", "tenant_integrations"]
)
async def test_rows_of_others_are_not_changed_either(ground: Ground, full: Party, table: str) -> None:
    column = {"history_heads": "position", "tenant_integrations": "is_enabled"}.get(table, "created_at")
    async with ground.database.tenant(new_tenant()) as connection:
        changed = await connection.execute(text(f"UPDATE {table} SET {column} = {column}"))  # noqa: S608 - our tables
        assert changed.rowcount == 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO agents (tenant, id, name) VALUES (:other, gen_random_uuid(), 'x')",
        "INSERT INTO tenant_integrations VALUES (:other, 'github', false)",
        "INSERT INTO tenant_keys (tenant, id, master_key, wrapped) VALUES (:other, gen_random_uuid(), 'k', 'w')",
        "INSERT INTO history_heads VALUES (:other, 1)",
        "INSERT INTO history (tenant, position, id, type, occurred_at, actor) VALUES (:other, 1, :id, 'x', now(), '')",
        "UPDATE agents SET tenant = :other",
    ],
)
async def test_a_row_cannot_be_put_into_another_tenant(ground: Ground, full: Party, statement: str) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with ground.database.tenant(full.tenant) as connection:
            values = {"other": new_tenant(), "id": new_id()}
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(statement), named)


async def test_a_row_cannot_point_into_another_tenant(ground: Ground, full: Party) -> None:
    other = await add_party(ground)
    statement = text(
        "INSERT INTO grants (tenant, id, agent_id, connection_id, permission_level)"
        " VALUES (:me, gen_random_uuid(), :agent, :connection, 2)"
    )
    with pytest.raises(DBAPIError, match="foreign key"):
        async with ground.database.tenant(full.tenant) as connection:
            values = {"me": full.tenant, "agent": full.agent.id, "connection": other.connection.id}
            await connection.execute(statement, values)


async def test_a_connection_from_the_pool_brings_no_tenant_along(ground: Ground, full: Party) -> None:
    for _ in range(30):  # more than the pool holds
        async with ground.database.tenant(full.tenant) as connection:
            await connection.execute(text("SELECT 1"))
        async with ground.database.deployment() as connection:
            told = (await connection.execute(text("SELECT current_setting('mandate.tenant', true)"))).scalar_one()
            assert not told
            assert (await connection.execute(text("SELECT count(*) FROM agents"))).scalar_one() == 0


async def test_a_transaction_that_failed_leaves_no_tenant_behind(ground: Ground, full: Party) -> None:
    for _ in range(30):
        with pytest.raises(DBAPIError):
            async with ground.database.tenant(full.tenant) as connection:
                await connection.execute(text("SELECT 1/0"))
        async with ground.database.deployment() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM agents"))).scalar_one() == 0


async def test_no_tenant_is_no_way_to_ask_for_all(ground: Ground) -> None:
    with pytest.raises(ValueError, match="no tenant"):
        async with ground.database.tenant(""):
            raise AssertionError


@pytest.mark.parametrize("name", ["acme' OR true --", "%", "*", "NULL", "acme\\", 'a"b'])
async def test_a_tenants_name_is_only_a_name(ground: Ground, full: Party, name: str) -> None:
    async with ground.stores.of(name) as store:
        assert (await store.agents.page(10, None, None)).items == []


# ----------------------------------------------------------------------------------- the gate and its functions


async def test_the_gates_functions_are_open_to_the_application_alone(ground: Ground) -> None:
    async with ground.as_owner() as owner:
        found = await owner.fetch(
            """
            SELECT p.proname, pg_get_userbyid(p.proowner) AS owner, p.prosecdef, p.proconfig, p.proacl::text[] AS rights
            FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'gate%'
            """
        )
    assert len(found) >= 10
    for each in found:
        assert each["owner"] == "mandate_gate", each["proname"]
        assert each["prosecdef"]
        assert each["proconfig"] == ["search_path=public, pg_temp"]
        holders = {right.partition("=")[0] for right in each["rights"]}
        assert holders == {"mandate_app", "mandate_gate"}, each["proname"]


async def test_nobody_logs_in_as_either_role_and_neither_reads_past_row_security(ground: Ground) -> None:
    async with ground.as_owner() as owner:
        found = await owner.fetch(
            "SELECT rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS is_mighty"
            " FROM pg_roles WHERE rolname IN ('mandate_app', 'mandate_gate')"
        )
        assert [row["is_mighty"] for row in found] == [False, False]
        assert await owner.fetchval("SELECT pg_has_role('mandate_app', 'mandate_gate', 'MEMBER')") is False
        may_create = "SELECT has_schema_privilege($1, 'public', 'CREATE')"
        assert [await owner.fetchval(may_create, role) for role in ("mandate_app", "mandate_gate")] == [False, False]


async def test_the_application_cannot_become_the_gate(ground: Ground) -> None:
    async with ground.as_owner() as owner:
        # As who is not a superuser would stand: the session itself is the application's.
        await owner.execute("SET SESSION AUTHORIZATION mandate_app")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute("SET ROLE mandate_gate")


# --------------------------------------------------------------------------------------------- append-only


@pytest.mark.parametrize(
    "statement",
    ["UPDATE history SET actor = 'x'", "DELETE FROM history", "TRUNCATE history", "TRUNCATE history CASCADE"],
)
async def test_history_is_append_only_even_for_the_owner(ground: Ground, full: Party, statement: str) -> None:
    async with ground.as_owner() as owner:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="history is append-only"):
            await owner.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE history SET actor = 'x'", "DELETE FROM history", "TRUNCATE history"])
async def test_the_application_has_not_even_the_right(ground: Ground, full: Party, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with ground.database.tenant(full.tenant) as connection:
            await connection.execute(text(statement))


async def test_what_is_deleted_for_good_is_secrets_alone(ground: Ground) -> None:
    async with ground.as_owner() as owner:
        deletable = await owner.fetch(
            "SELECT table_name FROM information_schema.role_table_grants"
            " WHERE grantee IN ('mandate_app', 'mandate_gate', 'PUBLIC') AND privilege_type IN ('DELETE', 'TRUNCATE')"
            " AND table_schema = 'public'"
        )
    assert sorted(row["table_name"] for row in deletable) == [
        "credential_journal",
        "credentials",
        "tenant_keys",
        "tenant_oauth",
        "webhook_secrets",
    ]


async def test_a_position_is_given_once(ground: Ground, full: Party) -> None:
    async with ground.stores.of(full.tenant) as store:
        store.history.note(Occurrence(type="x.y", actor="a"))
    with pytest.raises(DBAPIError, match="duplicate key"):
        async with ground.database.tenant(full.tenant) as connection:
            await connection.execute(
                text(
                    "INSERT INTO history (tenant, position, id, type, occurred_at, actor)"
                    " VALUES (:me, 1, gen_random_uuid(), 'x.y', now(), 'a')"
                ),
                {"me": full.tenant},
            )


# -------------------------------------------------------------------------------------------------- opening


@pytest.mark.parametrize("might", ["SUPERUSER", "BYPASSRLS"])
async def test_a_role_that_reads_past_row_security_is_refused(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, might: str
) -> None:
    role = f"mighty_{new_id().hex}"
    async with ground.as_owner() as owner:
        await owner.execute(f"CREATE ROLE {role} {might}")
        try:
            monkeypatch.setattr("db.database.ROLE", role)
            with pytest.raises(Misconfigured, match=f"The role {role} must not be a superuser, bypass"):
                await open_database(ground.url, 1)
        finally:
            await owner.execute(f"DROP ROLE {role}")


async def test_a_role_that_owns_tables_is_refused(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    role = f"owner_{new_id().hex}"
    async with ground.as_owner() as owner:
        await owner.execute(f"CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role}; SET ROLE {role}")
        await owner.execute(f"CREATE TABLE own_{role} (a int); RESET ROLE")
        try:
            monkeypatch.setattr("db.database.ROLE", role)
            with pytest.raises(Misconfigured, match="or own tables"):
                await open_database(ground.url, 1)
        finally:
            await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_database_that_was_not_migrated_is_told_so(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.database.ROLE", "mandate_nobody")
    with pytest.raises(Misconfigured, match="run `mandate migrate` first"):
        await open_database(fresh_database, 1)


async def test_a_user_who_may_not_become_the_application_is_told_so(ground: Ground) -> None:
    user = f"stranger_{new_id().hex}"
    async with ground.as_owner() as owner:
        await owner.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
        try:
            parts = urlsplit(ground.url)
            stranger = parts._replace(netloc=f"{user}:x@{parts.netloc.rpartition('@')[2]}").geturl()
            with pytest.raises(Misconfigured, match="GRANT mandate_app TO"):
                await open_database(stranger, 1)
        finally:
            await owner.execute(f"DROP ROLE {user}")


async def test_a_database_that_does_not_exist_is_told_so(ground: Ground) -> None:
    elsewhere = urlsplit(ground.url)._replace(path="/none").geturl()
    with pytest.raises(Misconfigured, match="does not exist"):
        await open_database(elsewhere, 1)
