"""The tables as SQLAlchemy Core sees them. Migrations make them; a test holds the two against each other.

Every row carries its tenant, every key begins with it, and every foreign key is (tenant, id): a row cannot point
into another tenant even if the code were wrong.
"""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

metadata = MetaData()

_WHEN = DateTime(timezone=True)


def _points(table: str, *columns: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", *columns], [f"{table}.tenant", f"{table}.id"])


tenant_keys = Table(
    "tenant_keys",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("master_key", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
)

deployment_keys = Table(
    "deployment_keys",
    metadata,
    Column("purpose", Text, primary_key=True),
    Column("master_key", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", _WHEN, nullable=False),
)

tenant_integrations = Table(
    "tenant_integrations",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    PrimaryKeyConstraint("tenant", "integration"),
)

agents = Table(
    "agents",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("is_frozen", Boolean, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("last_active_at", _WHEN),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
)

agent_tokens = Table(
    "agent_tokens",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False, unique=True),
    Column("agent_id", Uuid, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("last_used_at", _WHEN),
    Column("expires_at", _WHEN),
    Column("revoked_at", _WHEN),
    PrimaryKeyConstraint("tenant", "id"),
    _points("agents", "agent_id"),
)

connections = Table(
    "connections",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("integration", Text, nullable=False),
    Column("auth_scheme", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("label", Text),
    Column("is_default", Boolean, nullable=False),
    Column("account_id", Text),
    Column("account_label", Text),
    Column("external_user_id", Text),
    Column("is_sandbox", Boolean, nullable=False),
    Column("granted_scopes", ARRAY(Text)),
    Column("created_at", _WHEN, nullable=False),
    Column("connected_at", _WHEN),
    Column("last_used_at", _WHEN),
    Column("expires_at", _WHEN),
    Column("rotation_due_at", _WHEN),
    Column("last_checked_at", _WHEN),
    Column("last_succeeded_at", _WHEN),
    Column("last_error", Text),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("connection_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_at", _WHEN, nullable=False),
    PrimaryKeyConstraint("tenant", "connection_id"),
    ForeignKeyConstraint(["tenant", "connection_id"], ["connections.tenant", "connections.id"]),
    ForeignKeyConstraint(["tenant", "key_id"], ["tenant_keys.tenant", "tenant_keys.id"]),
)

connect_sessions = Table(
    "connect_sessions",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("integration", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("requested_scopes", ARRAY(Text), nullable=False),
    Column("redirect_uri", Text),
    Column("label", Text),
    Column("external_user_id", Text),
    Column("reconnects", Uuid),
    Column("opened_by", Text, nullable=False),
    Column("link_digest", LargeBinary, nullable=False, unique=True),
    Column("state_digest", LargeBinary, unique=True),
    Column("browser_digest", LargeBinary),
    Column("key_id", Uuid),
    Column("sealed", LargeBinary),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("finished_at", _WHEN),
    Column("connection_id", Uuid),
    Column("error", Text),
    PrimaryKeyConstraint("tenant", "id"),
    _points("connections", "reconnects"),
    _points("connections", "connection_id"),
    ForeignKeyConstraint(["tenant", "key_id"], ["tenant_keys.tenant", "tenant_keys.id"]),
)

grants = Table(
    "grants",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("agent_id", Uuid, nullable=False),
    Column("connection_id", Uuid, nullable=False),
    Column("permission_level", SmallInteger, nullable=False),
    Column("allowed_actions", ARRAY(Text), nullable=False),
    Column("expires_at", _WHEN),
    Column("revoked_at", _WHEN),
    Column("created_at", _WHEN, nullable=False),
    Column("last_used_at", _WHEN),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    _points("agents", "agent_id"),
    _points("connections", "connection_id"),
)

executions = Table(
    "executions",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("action", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("effect", SmallInteger, nullable=False),
    Column("connection_id", Uuid, nullable=False),
    Column("agent_id", Uuid),
    Column("grant_id", Uuid),
    Column("actor", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("parameters", JSON),
    Column("result", JSON),
    Column("error", JSON),
    Column("what_to_check", Text),
    Column("idempotency_key", Text),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("started_at", _WHEN),
    Column("finished_at", _WHEN),
    Column("deadline_at", _WHEN),
    Column("lease_until", _WHEN),
    Column("duration_ms", Integer),
    PrimaryKeyConstraint("tenant", "id"),
    _points("connections", "connection_id"),
    _points("agents", "agent_id"),
    _points("grants", "grant_id"),
)

history_heads = Table(
    "history_heads",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

history = Table(
    "history",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", _WHEN, nullable=False),
    Column("actor", Text, nullable=False),
    Column("agent_id", Uuid),
    Column("integration", Text),
    Column("action", Text),
    Column("connection_id", Uuid),
    Column("grant_id", Uuid),
    Column("execution_id", Uuid),
    Column("session_id", Uuid),
    Column("reason", Text),
    Column("parameters_hash", LargeBinary),
    Column("status", Text),
    Column("duration_ms", Integer),
    Column("error", Text),
    PrimaryKeyConstraint("tenant", "position"),
)
