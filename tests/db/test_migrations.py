"""Bringing a database to head."""

import asyncio

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from db.database import driver_url, open_database
from db.migrating import head, migrate
from db.tables import metadata
from domain.errors import DependencyDown, Misconfigured


async def test_an_empty_database_comes_to_head_and_stays_there(fresh_database: str) -> None:
    assert await migrate(fresh_database) == head() == "0001"
    assert await migrate(fresh_database) == head()
    database = await open_database(fresh_database, 1)
    assert await database.revision() == head()
    await database.close()


async def test_processes_that_migrate_at_once_do_it_once(fresh_database: str) -> None:
    reached = await asyncio.gather(*(migrate(fresh_database) for _ in range(4)))
    assert reached == [head()] * 4


async def test_head_is_what_the_code_believes_it_is(fresh_database: str) -> None:
    await migrate(fresh_database)
    engine = create_async_engine(driver_url(fresh_database), poolclass=NullPool)
    async with engine.connect() as connection:
        differences = await connection.run_sync(_differences)
    await engine.dispose()
    assert differences == []


def _differences(connection: Connection) -> list[object]:
    """Between the tables there are and those of db.tables. Indexes are the migrations' own matter."""
    context = MigrationContext.configure(connection, opts={"version_table": "mandate_revision", "compare_type": True})
    return [each for each in compare_metadata(context, metadata) if not _is_about_an_index(each)]


def _is_about_an_index(difference: object) -> bool:
    return isinstance(difference, tuple) and str(difference[0]).endswith("_index")


async def test_a_server_that_is_not_there_is_told_in_our_words() -> None:
    with pytest.raises(DependencyDown):
        await migrate("postgresql://postgres@127.0.0.1:1/none")


async def test_an_address_that_is_none_is_told_to_the_operator() -> None:
    with pytest.raises(Misconfigured, match="DATABASE_URL is not an address"):
        await migrate("localhost/mandate")


async def test_every_table_of_a_tenant_is_guarded(fresh_database: str) -> None:
    """Made from what there is, so that a table added later is not forgotten."""
    await migrate(fresh_database)
    connection = await asyncpg.connect(fresh_database)
    rows = await connection.fetch(
        """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
               EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant') AS has_tenant
        FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        """
    )
    await connection.close()
    guarded = {row["relname"] for row in rows if row["relrowsecurity"] and row["relforcerowsecurity"]}
    assert guarded == {row["relname"] for row in rows if row["has_tenant"]}
    assert {row["relname"] for row in rows} - guarded == {"deployment_keys", "key_rotations", "mandate_revision"}


async def test_a_database_of_an_earlier_draft_is_refused_with_what_to_do(fresh_database: str) -> None:
    await migrate(fresh_database)
    connection = await asyncpg.connect(fresh_database)
    await connection.execute("COMMENT ON TABLE mandate_revision IS NULL")
    await connection.close()
    for opening in (migrate(fresh_database), open_database(fresh_database, 1)):
        with pytest.raises(Misconfigured, match="Use an empty database"):
            await opening
