"""The first revision: tables, row security, append-only history, and the gate's functions."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent / "r0001_sql"


def upgrade() -> None:
    """In this order: roles first, since tables and functions name them; who owns the functions last."""
    for part in (
        "roles",
        "tables",
        "security",
        "refresh",
        "records",
        "connect_tokens",
        "applications",
        "alerts",
        "functions",
        "queue",
        "probing",
        "rates",
        "ownership",
    ):
        _run_script((_SQL / f"{part}.sql").read_text())


def _run_script(script: str) -> None:
    """Past SQLAlchemy, which prepares statements one at a time, to the driver, which takes a whole script."""
    adapted = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]  # asyncpg's adapter has it


def downgrade() -> None:
    """There is nothing before the first revision."""
    raise NotImplementedError("drop the database instead")
