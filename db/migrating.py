"""Bringing a database to head. Safe from several processes at once: the first one works, the others wait."""

from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from db.database import answering, driver_url

_LOCK = 0x6D616E64617465  # "mandate", as PostgreSQL's advisory lock


async def migrate(url: str) -> str:
    """Apply every missing revision as the URL's own user, who must be allowed to create tables and roles.

    Returns the revision reached. Raises DependencyDown when the server does not answer.
    """
    engine = create_async_engine(driver_url(url), poolclass=NullPool, connect_args={"timeout": 5})
    try:
        async with answering(), engine.connect() as connection:
            reached = await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()
    return reached


def head() -> str:
    """The newest revision this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _upgrade(connection: Connection) -> str:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text("CREATE TABLE IF NOT EXISTS mandate_revision (version_num varchar(32) PRIMARY KEY)"))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return (
        MigrationContext.configure(connection, opts={"version_table": "mandate_revision"}).get_current_revision() or ""
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("db") / "migrations"))
    return config
