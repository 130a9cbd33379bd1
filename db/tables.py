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
    Date,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

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

tenants = Table(
    "tenants",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("is_frozen", Boolean, nullable=False),
    Column("reason", Text),
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
    Column("resumes_as", Text),  # what a DISABLED connection is when it is enabled again
    Column("next_refresh_at", _WHEN),
    Column("next_check_at", _WHEN),
    Column("attended_until", _WHEN),  # until then one process looks after what is due
    Column("ending_at", _WHEN),  # when its disconnecting was begun
    Column("ending_by", Text),
    Column("ending_until", _WHEN),  # until then one process is at it
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
    Column("lease_owner", Uuid),
    Column("lease_until", _WHEN),
    Column("lapse_seen_at", _WHEN),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", _WHEN),
    Column("is_in_doubt", Boolean, nullable=False),
    PrimaryKeyConstraint("tenant", "connection_id"),
    ForeignKeyConstraint(["tenant", "connection_id"], ["connections.tenant", "connections.id"]),
    ForeignKeyConstraint(["tenant", "key_id"], ["tenant_keys.tenant", "tenant_keys.id"]),
)

credential_journal = Table(
    "credential_journal",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("connection_id", Uuid, nullable=False),
    Column("base", Integer, nullable=False),
    Column("owner", Uuid, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("obtained_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN),
    Column("scopes", ARRAY(Text)),
    PrimaryKeyConstraint("tenant", "connection_id", "base", "owner"),
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

connect_tokens = Table(
    "connect_tokens",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("external_user_id", Text, nullable=False),
    Column("integrations", ARRAY(Text)),
    Column("actions", ARRAY(Text)),
    Column("allowed_origins", ARRAY(Text), nullable=False),
    Column("redirect_uri", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("browser_digest", LargeBinary),
    Column("busy_until", _WHEN),
    Column("session_id", Uuid),
    Column("connection_id", Uuid),
    PrimaryKeyConstraint("tenant", "id"),
    _points("connect_sessions", "session_id"),
    _points("connections", "connection_id"),
)

tenant_oauth = Table(
    "tenant_oauth",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("integration", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated_at", _WHEN, nullable=False),
    PrimaryKeyConstraint("tenant", "integration", "client_id"),
    _points("tenant_keys", "key_id"),
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
    Column("approval", Text, nullable=False),
    Column("constraints", JSON(none_as_null=True)),
    Column("max_executions", Integer),
    Column("per_day", Integer),
    Column("digests", JSON(none_as_null=True)),
    Column("expires_at", _WHEN),
    Column("suspended_at", _WHEN),
    Column("revoked_at", _WHEN),
    Column("created_at", _WHEN, nullable=False),
    Column("last_used_at", _WHEN),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    _points("agents", "agent_id"),
    _points("connections", "connection_id"),
)

grant_budgets = Table(
    "grant_budgets",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("grant_id", Uuid, nullable=False),
    Column("used", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("used_today", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "grant_id"),
    _points("grants", "grant_id"),
)

executions = Table(
    "executions",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("action", Text, nullable=False),
    Column("action_digest", Text),
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
    Column("parameters_hash", LargeBinary),
    Column("attempt", Integer, nullable=False),
    Column("attempt_log", JSONB(none_as_null=True)),
    Column("recoveries", SmallInteger, nullable=False),
    Column("patience", Integer, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("started_at", _WHEN),
    Column("finished_at", _WHEN),
    Column("deadline_at", _WHEN),
    Column("lease_until", _WHEN),
    Column("not_before", _WHEN),
    Column("cancel_asked_at", _WHEN),
    Column("duration_ms", Integer),
    PrimaryKeyConstraint("tenant", "id"),
    _points("connections", "connection_id"),
    _points("agents", "agent_id"),
    _points("grants", "grant_id"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("execution_id", Uuid, nullable=False),
    Column("agent_id", Uuid),
    Column("status", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("plan_hash", Text, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("expires_at", _WHEN, nullable=False),
    Column("decided_at", _WHEN),
    Column("decided_by", Text),
    Column("reason", Text),
    PrimaryKeyConstraint("tenant", "id"),
    UniqueConstraint("tenant", "execution_id"),
    _points("executions", "execution_id"),
    _points("agents", "agent_id"),
)

probes = Table(
    "probes",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("execution_id", Uuid, nullable=False),
    Column("due_at", _WHEN),
    Column("times", SmallInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "execution_id"),
    _points("executions", "execution_id"),
)

rates = Table(
    "rates",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("rested_at", _WHEN, nullable=False),
    PrimaryKeyConstraint("tenant", "name"),
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
    Column("alert_id", Uuid),
    Column("webhook_id", Uuid),
    Column("reason", Text),
    Column("parameters_hash", LargeBinary),
    Column("status", Text),
    Column("duration_ms", Integer),
    Column("error", Text),
    PrimaryKeyConstraint("tenant", "position"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("types", ARRAY(Text)),
    Column("status", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("last_delivered_at", _WHEN),
    Column("failing_since", _WHEN),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", _WHEN),
    Column("last_error", Text),
    Column("secret_version", Integer, nullable=False),
    Column("claim", Uuid),
    Column("claimed_until", _WHEN),
    PrimaryKeyConstraint("tenant", "id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("webhook_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("ends_at", _WHEN),
    PrimaryKeyConstraint("tenant", "webhook_id", "version"),
    _points("webhooks", "webhook_id"),
    _points("tenant_keys", "key_id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("webhook_id", Uuid, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("response_status", Integer),
    Column("error", Text),
    Column("first_attempt_at", _WHEN, nullable=False),
    Column("last_attempt_at", _WHEN, nullable=False),
    Column("retry_at", _WHEN),
    PrimaryKeyConstraint("tenant", "id"),
    UniqueConstraint("tenant", "webhook_id", "event_id"),
    _points("webhooks", "webhook_id"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("what_to_do", Text, nullable=False),
    Column("connection_id", Uuid),
    Column("agent_id", Uuid),
    Column("webhook_id", Uuid),
    Column("integration", Text),
    Column("raised_at", _WHEN, nullable=False),
    Column("acknowledged_at", _WHEN),
    Column("acknowledged_by", Text),
    Column("closed_at", _WHEN),
    PrimaryKeyConstraint("tenant", "id"),
    _points("connections", "connection_id"),
    _points("agents", "agent_id"),
    _points("webhooks", "webhook_id"),
)

alert_watches = Table(
    "alert_watches",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("next_look_at", _WHEN, nullable=False),
)
