"""A PostgreSQL server of our own, for whoever has not set up one: started on demand, shared, and durable."""

from db.embedded.launcher import EmbeddedPostgres, default_data_dir
from db.embedded.programs import EmbeddedPostgresFailed

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresFailed", "default_data_dir"]
