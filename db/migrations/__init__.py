"""Alembic's home. `db.migrating.migrate` runs it; safe from several processes at once."""
