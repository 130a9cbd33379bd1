"""Bringing a database to head. Safe from several processes at once: the first one works, the others wait.

Alembic is imported where it is used: it takes a quarter of a second, and a gateway that serves only asks for `head`.
"""

from importlib import resources

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from db.database import answering, driver_url, explaining
from db.drafts import ASKING, check_draft, draft

_LOCK = 0x6D616E64617465  # "mandate", as PostgreSQL's advisory lock


async def migrate(url: str) -> str:
    """Apply every missing revision as the URL's own user, who must be allowed to create tables and roles.

    Returns the revision reached. Raises DependencyDown when the server does not answer, Misconfigured
    when it does not know the database or its user.
    """
    engine = create_async_engine(driver_url(url), poolclass=NullPool, connect_args={"timeout": 5})
    try:
        async with explaining(), answering(), engine.connect() as connection:
            reached = await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()
    return reached


def head() -> str:
    """The newest revision this code knows: revisions are numbered, one file each, `rNUMBER_WORD.py`."""
    files = (resources.files("db") / "migrations" / "versions").iterdir()
    return max(file.name[1:5] for file in files if file.name.startswith("r") and file.name.endswith(".py"))


def _upgrade(connection: Connection) -> str:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text("CREATE TABLE IF NOT EXISTS mandate_revision (version_num varchar(32) PRIMARY KEY)"))
    is_new = connection.execute(text("SELECT count(*) = 0 FROM mandate_revision")).scalar_one()
    if not is_new:
        check_draft(connection.execute(text(ASKING)).scalar_one())
    config = Config()
    config.set_main_option("script_location", str(resources.files("db") / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if is_new:
        connection.execute(text(f"COMMENT ON TABLE mandate_revision IS '{draft()}'"))
    return (
        MigrationContext.configure(connection, opts={"version_table": "mandate_revision"}).get_current_revision() or ""
    )
