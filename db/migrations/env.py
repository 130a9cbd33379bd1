"""Runs revisions on the connection that `db.migrating` hands in. There is no offline mode: revisions ask the server."""

from alembic import context

from db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, version_table="mandate_revision")
with context.begin_transaction():
    context.run_migrations()
