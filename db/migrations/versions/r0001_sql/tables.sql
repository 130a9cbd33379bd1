CREATE TABLE tenant_keys (
    tenant     text NOT NULL CHECK (tenant <> ''),
    id         uuid NOT NULL,
    master_key text NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE TABLE deployment_keys (
    purpose    text PRIMARY KEY,
    master_key text NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A row only for tenants that were ever frozen as a whole.
CREATE TABLE tenants (
    tenant    text PRIMARY KEY CHECK (tenant <> ''),
    is_frozen boolean NOT NULL,
    reason    text
);

CREATE TABLE tenant_integrations (
    tenant      text NOT NULL CHECK (tenant <> ''),
    integration text NOT NULL,
    is_enabled  boolean NOT NULL,
    PRIMARY KEY (tenant, integration)
);

CREATE TABLE agents (
    tenant         text NOT NULL CHECK (tenant <> ''),
    id             uuid NOT NULL,
    name           text NOT NULL,
    description    text,
    is_frozen      boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_active_at timestamptz,
    version        bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE agent_tokens (
    tenant       text NOT NULL,
    id           uuid NOT NULL UNIQUE,
    agent_id     uuid NOT NULL,
    prefix       text NOT NULL,
    digest       bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, id)
);
CREATE INDEX ON agent_tokens (tenant, agent_id);

CREATE TABLE connections (
    tenant            text NOT NULL CHECK (tenant <> ''),
    id                uuid NOT NULL,
    integration       text NOT NULL,
    auth_scheme       text NOT NULL CHECK (auth_scheme IN ('OAUTH2', 'API_KEY')),
    status            text NOT NULL CHECK (status IN ('ACTIVE', 'DEGRADED', 'EXPIRED', 'REVOKED', 'DISABLED')),
    label             text,
    is_default        boolean NOT NULL DEFAULT false,
    account_id        text,
    account_label     text,
    external_user_id  text,
    is_sandbox        boolean NOT NULL DEFAULT false,
    granted_scopes    text[],
    created_at        timestamptz NOT NULL DEFAULT now(),
    connected_at      timestamptz,
    last_used_at      timestamptz,
    expires_at        timestamptz,
    rotation_due_at   timestamptz,
    last_checked_at   timestamptz,
    last_succeeded_at timestamptz,
    last_error        text,
    resumes_as        text CHECK (resumes_as IN ('ACTIVE', 'DEGRADED', 'EXPIRED')),
    next_refresh_at   timestamptz,
    next_check_at     timestamptz,
    attended_until    timestamptz,
    ending_at         timestamptz,
    ending_by         text,
    ending_until      timestamptz,
    version           bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, id)
);
-- One live connection per account; a revoked one stays as a record.
CREATE UNIQUE INDEX connections_one_per_account ON connections (tenant, integration, account_id, is_sandbox)
    WHERE status <> 'REVOKED';
CREATE UNIQUE INDEX connections_one_default ON connections (tenant, integration) WHERE is_default;
CREATE INDEX ON connections (tenant, integration, id);

CREATE TABLE credentials (
    tenant        text NOT NULL,
    connection_id uuid NOT NULL,
    version       integer NOT NULL,
    key_id        uuid NOT NULL,
    sealed        bytea NOT NULL,
    sealed_at     timestamptz NOT NULL DEFAULT now(),
    lease_owner   uuid,
    lease_until   timestamptz,
    lapse_seen_at timestamptz,
    attempts      integer NOT NULL DEFAULT 0,
    retry_at      timestamptz,
    is_in_doubt   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, connection_id),
    FOREIGN KEY (tenant, connection_id) REFERENCES connections (tenant, id),
    FOREIGN KEY (tenant, key_id) REFERENCES tenant_keys (tenant, id)
);

CREATE TABLE connect_sessions (
    tenant           text NOT NULL CHECK (tenant <> ''),
    id               uuid NOT NULL,
    integration      text NOT NULL,
    status           text NOT NULL CHECK (status IN ('OPEN', 'COMPLETED', 'FAILED', 'EXPIRED')),
    requested_scopes text[] NOT NULL,
    redirect_uri     text,
    label            text,
    external_user_id text,
    reconnects       uuid,
    opened_by        text NOT NULL,
    link_digest      bytea NOT NULL UNIQUE,
    state_digest     bytea UNIQUE,
    browser_digest   bytea,
    key_id           uuid,
    sealed           bytea,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    connection_id    uuid,
    error            text,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, reconnects) REFERENCES connections (tenant, id),
    FOREIGN KEY (tenant, connection_id) REFERENCES connections (tenant, id),
    FOREIGN KEY (tenant, key_id) REFERENCES tenant_keys (tenant, id)
);
CREATE INDEX ON connect_sessions (expires_at) WHERE status = 'OPEN';

CREATE TABLE grants (
    tenant           text NOT NULL,
    id               uuid NOT NULL,
    agent_id         uuid NOT NULL,
    connection_id    uuid NOT NULL,
    permission_level smallint NOT NULL CHECK (permission_level BETWEEN 0 AND 2),
    allowed_actions  text[] NOT NULL DEFAULT '{}',
    approval         text NOT NULL DEFAULT 'DESTRUCTIVE' CHECK (approval IN ('NEVER', 'DESTRUCTIVE', 'WRITE', 'ALWAYS')),
    constraints      json,
    max_executions   integer CHECK (max_executions >= 0),
    per_day          integer CHECK (per_day >= 0),
    digests          json,
    expires_at       timestamptz,
    suspended_at     timestamptz,
    revoked_at       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    last_used_at     timestamptz,
    version          bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, id),
    FOREIGN KEY (tenant, connection_id) REFERENCES connections (tenant, id)
);
-- One grant in force per agent and connection: what an agent may do is read in one place.
CREATE UNIQUE INDEX grants_one_in_force ON grants (tenant, agent_id, connection_id) WHERE revoked_at IS NULL;
CREATE INDEX ON grants (tenant, connection_id, agent_id, id DESC);

-- What has been taken from a grant's budget. A row only where there is a budget, so other grants' executions share none.
CREATE TABLE grant_budgets (
    tenant     text NOT NULL,
    grant_id   uuid NOT NULL,
    used       integer NOT NULL DEFAULT 0,
    day        date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    used_today integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, grant_id),
    FOREIGN KEY (tenant, grant_id) REFERENCES grants (tenant, id)
) WITH (fillfactor = 50);

CREATE TABLE executions (
    tenant          text NOT NULL,
    id              uuid NOT NULL,
    action          text NOT NULL,
    action_digest   text,
    integration     text NOT NULL,
    effect          smallint NOT NULL CHECK (effect BETWEEN 0 AND 2),
    connection_id   uuid NOT NULL,
    agent_id        uuid,
    grant_id        uuid,
    actor           text NOT NULL,
    status          text NOT NULL CHECK (status IN (
        'AWAITING_APPROVAL', 'QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'UNKNOWN', 'CANCELLED', 'EXPIRED'
    )),
    mode            text NOT NULL,
    origin          text NOT NULL,
    parameters      json,
    result          json,
    error           json,
    what_to_check   text,
    idempotency_key text,
    fingerprint     bytea NOT NULL,
    parameters_hash bytea,
    attempt         integer NOT NULL DEFAULT 1,
    attempt_log     jsonb,
    recoveries      smallint NOT NULL DEFAULT 0,
    patience        integer NOT NULL DEFAULT 30,
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    finished_at     timestamptz,
    deadline_at     timestamptz,
    lease_until     timestamptz,
    not_before      timestamptz,
    cancel_asked_at timestamptz,
    duration_ms     integer,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, connection_id) REFERENCES connections (tenant, id),
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, id),
    FOREIGN KEY (tenant, grant_id) REFERENCES grants (tenant, id)
) WITH (fillfactor = 80);
-- The result is written into the page that holds the intent: room is left for it, and no index holds what changes.
CREATE UNIQUE INDEX executions_one_per_key ON executions (tenant, actor, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX ON executions (tenant, agent_id, id DESC);
CREATE INDEX ON executions (tenant, connection_id, id DESC);
CREATE INDEX executions_running ON executions (lease_until) WHERE status = 'RUNNING';
CREATE INDEX executions_queued ON executions (tenant, id) WHERE status = 'QUEUED';

CREATE TABLE approvals (
    tenant       text NOT NULL,
    id           uuid NOT NULL,
    execution_id uuid NOT NULL,
    agent_id     uuid,
    status       text NOT NULL CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED', 'EXPIRED')),
    summary      text NOT NULL,
    plan_hash    text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    decided_at   timestamptz,
    decided_by   text,
    reason       text,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, execution_id),
    FOREIGN KEY (tenant, execution_id) REFERENCES executions (tenant, id),
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, id)
);
CREATE INDEX approvals_pending ON approvals (expires_at) WHERE status = 'PENDING';

CREATE TABLE history_heads (
    tenant   text PRIMARY KEY CHECK (tenant <> ''),
    position bigint NOT NULL
) WITH (fillfactor = 20);

CREATE TABLE history (
    tenant          text NOT NULL,
    position        bigint NOT NULL,
    id              uuid NOT NULL,
    type            text NOT NULL,
    occurred_at     timestamptz NOT NULL,
    actor           text NOT NULL,
    agent_id        uuid,
    integration     text,
    action          text,
    connection_id   uuid,
    grant_id        uuid,
    execution_id    uuid,
    session_id      uuid,
    alert_id        uuid,
    webhook_id      uuid,
    reason          text,
    parameters_hash bytea,
    status          text,
    duration_ms     integer,
    error           text,
    PRIMARY KEY (tenant, position)
);
CREATE INDEX ON history (tenant, execution_id, position) WHERE execution_id IS NOT NULL;
CREATE INDEX ON history (tenant, id);

-- Append-only, for everybody: a role's rights can be widened by mistake, a trigger says no all the same.
CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only();
