-- Answers of token endpoints that were kept before anything else was done with them, each sealed as the version after
-- `base`. One is gone once its connection holds a later version than its base.
CREATE TABLE credential_journal (
    tenant        text NOT NULL,
    connection_id uuid NOT NULL,
    base          integer NOT NULL,
    owner         uuid NOT NULL,
    key_id        uuid NOT NULL,
    sealed        bytea NOT NULL,
    obtained_at   timestamptz NOT NULL,
    expires_at    timestamptz,
    scopes        text[],
    PRIMARY KEY (tenant, connection_id, base, owner),
    FOREIGN KEY (tenant, connection_id) REFERENCES connections (tenant, id),
    FOREIGN KEY (tenant, key_id) REFERENCES tenant_keys (tenant, id)
);
ALTER TABLE credential_journal ENABLE ROW LEVEL SECURITY;
ALTER TABLE credential_journal FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON credential_journal TO mandate_app
    USING (tenant = current_setting('mandate.tenant', true))
    WITH CHECK (tenant = current_setting('mandate.tenant', true));
GRANT SELECT, INSERT, DELETE ON credential_journal TO mandate_app;

CREATE INDEX connections_to_refresh ON connections (next_refresh_at) WHERE next_refresh_at IS NOT NULL;
CREATE INDEX connections_to_check ON connections (next_check_at) WHERE next_check_at IS NOT NULL;
GRANT UPDATE (attended_until) ON connections TO mandate_gate;

-- Connections whose credential is to be renewed or which are to be tested, each handed to one process at a time. What
-- is handed out comes back after `p_seconds` if nobody finished it. The longest due come first, so none is starved.
CREATE FUNCTION gate_due_connections(p_most integer, p_seconds double precision)
RETURNS TABLE (tenant text, id uuid, is_to_refresh boolean, is_to_check boolean)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT c.tenant, c.id FROM connections c
        WHERE ((c.next_refresh_at <= now() AND c.status <> 'REVOKED')
               OR (c.next_check_at <= now() AND c.status IN ('ACTIVE', 'DEGRADED')))
          AND (c.attended_until IS NULL OR c.attended_until < now())
        ORDER BY least(c.next_refresh_at, c.next_check_at) LIMIT p_most
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE connections c SET attended_until = now() + make_interval(secs => p_seconds)
    FROM due WHERE c.tenant = due.tenant AND c.id = due.id
    RETURNING c.tenant, c.id, coalesce(c.next_refresh_at <= now(), false),
              coalesce(c.next_check_at <= now() AND c.status IN ('ACTIVE', 'DEGRADED'), false);
END
$$;
