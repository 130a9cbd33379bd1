-- Alerts, webhooks, and connections on their way out: what is made from history and state afterwards, off the hot path.

CREATE TABLE webhooks (
    tenant            text NOT NULL CHECK (tenant <> ''),
    id                uuid NOT NULL,
    url               text NOT NULL,
    description       text,
    types             text[],
    status            text NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'STOPPED', 'DELETED')),
    position          bigint NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    last_delivered_at timestamptz,
    failing_since     timestamptz,
    attempts          integer NOT NULL DEFAULT 0,
    retry_at          timestamptz,
    last_error        text,
    secret_version    integer NOT NULL DEFAULT 1,
    claim             uuid,
    claimed_until     timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX webhooks_active ON webhooks (tenant) WHERE status = 'ACTIVE';

-- Two while one takes the other's place.
CREATE TABLE webhook_secrets (
    tenant     text NOT NULL,
    webhook_id uuid NOT NULL,
    version    integer NOT NULL,
    key_id     uuid NOT NULL,
    sealed     bytea NOT NULL,
    ends_at    timestamptz,
    PRIMARY KEY (tenant, webhook_id, version),
    FOREIGN KEY (tenant, webhook_id) REFERENCES webhooks (tenant, id),
    FOREIGN KEY (tenant, key_id) REFERENCES tenant_keys (tenant, id)
);

-- Messages that were not accepted at once. One row for each, whatever becomes of it.
CREATE TABLE webhook_deliveries (
    tenant           text NOT NULL,
    id               uuid NOT NULL,
    webhook_id       uuid NOT NULL,
    event_id         uuid NOT NULL,
    position         bigint NOT NULL,
    type             text NOT NULL,
    status           text NOT NULL CHECK (status IN ('RETRYING', 'DELIVERED', 'DEAD')),
    attempts         integer NOT NULL,
    response_status  integer,
    error            text,
    first_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_attempt_at  timestamptz NOT NULL DEFAULT now(),
    retry_at         timestamptz,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, webhook_id, event_id),
    FOREIGN KEY (tenant, webhook_id) REFERENCES webhooks (tenant, id)
);

CREATE TABLE alerts (
    tenant          text NOT NULL CHECK (tenant <> ''),
    id              uuid NOT NULL,
    kind            text NOT NULL,
    cause           text NOT NULL,
    message         text NOT NULL,
    what_to_do      text NOT NULL,
    connection_id   uuid,
    agent_id        uuid,
    webhook_id      uuid,
    integration     text,
    raised_at       timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    acknowledged_by text,
    closed_at       timestamptz,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, connection_id) REFERENCES connections (tenant, id),
    FOREIGN KEY (tenant, agent_id) REFERENCES agents (tenant, id),
    FOREIGN KEY (tenant, webhook_id) REFERENCES webhooks (tenant, id)
);
-- However many look at once, and however often: one open alert for one cause.
CREATE UNIQUE INDEX alerts_one_per_cause ON alerts (tenant, cause) WHERE closed_at IS NULL;

-- How far each tenant's history has been looked through for alerts, and when time alone may bring one about.
CREATE TABLE alert_watches (
    tenant       text PRIMARY KEY CHECK (tenant <> ''),
    position     bigint NOT NULL,
    next_look_at timestamptz NOT NULL
) WITH (fillfactor = 50);

DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['webhooks', 'webhook_secrets', 'webhook_deliveries', 'alerts', 'alert_watches'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', each);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', each);
        EXECUTE format(
            'CREATE POLICY one_tenant ON %I TO mandate_app
             USING (tenant = current_setting(''mandate.tenant'', true))
             WITH CHECK (tenant = current_setting(''mandate.tenant'', true))', each);
    END LOOP;
END
$$;
CREATE POLICY gate ON webhooks TO mandate_gate USING (true) WITH CHECK (true);
CREATE POLICY gate ON alert_watches TO mandate_gate USING (true);
GRANT SELECT, INSERT, UPDATE ON webhooks, webhook_secrets, webhook_deliveries, alerts, alert_watches TO mandate_app;
GRANT DELETE ON webhook_secrets TO mandate_app;
GRANT SELECT ON webhooks, alert_watches TO mandate_gate;
GRANT UPDATE (claim, claimed_until) ON webhooks TO mandate_gate;
GRANT UPDATE (ending_until) ON connections TO mandate_gate;
CREATE INDEX connections_ending ON connections (ending_until) WHERE ending_at IS NOT NULL AND status <> 'REVOKED';

-- Tenants in whose history something happened since it was last looked through, or whose time to be looked at has come.
CREATE FUNCTION gate_unwatched(p_most integer)
RETURNS TABLE (tenant text)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT h.tenant FROM history_heads h LEFT JOIN alert_watches w USING (tenant)
    WHERE w.position IS DISTINCT FROM h.position OR w.next_look_at <= now()
    ORDER BY random() LIMIT p_most;  -- when there are more than can be looked at, each has its chance
END
$$;

-- Webhooks for which something may wait, each handed to one process at a time, for `p_seconds`. Who claims it again, or
-- changes it, takes the claim away from whoever had it.
CREATE FUNCTION gate_due_webhooks(p_claim uuid, p_most integer, p_seconds double precision)
RETURNS TABLE (tenant text, id uuid)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT w.tenant, w.id FROM webhooks w JOIN history_heads h ON h.tenant = w.tenant
        WHERE w.status = 'ACTIVE' AND w.position < h.position
          AND (w.retry_at IS NULL OR w.retry_at <= now()) AND (w.claimed_until IS NULL OR w.claimed_until <= now())
        ORDER BY w.claimed_until NULLS FIRST LIMIT p_most
        FOR NO KEY UPDATE OF w SKIP LOCKED
    )
    UPDATE webhooks w SET claim = p_claim, claimed_until = now() + make_interval(secs => p_seconds)
    FROM due WHERE w.tenant = due.tenant AND w.id = due.id
    RETURNING w.tenant, w.id;
END
$$;

-- Connections whose disconnecting was begun and not finished, each handed to one process at a time.
CREATE FUNCTION gate_ending_connections(p_most integer, p_seconds double precision)
RETURNS TABLE (tenant text, id uuid)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT c.tenant, c.id FROM connections c
        WHERE c.ending_at IS NOT NULL AND c.status <> 'REVOKED' AND c.ending_until <= now()
        ORDER BY c.ending_until LIMIT p_most
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE connections c SET ending_until = now() + make_interval(secs => p_seconds)
    FROM due WHERE c.tenant = due.tenant AND c.id = due.id
    RETURNING c.tenant, c.id;
END
$$;
