-- What is made from history afterwards, off the hot path: figures about use and seals. And the rotation of keys.

-- The ends of executions by time: what usage counts. One entry for each finished or refused execution, about 60 bytes.
CREATE INDEX history_ends ON history (tenant, occurred_at) INCLUDE (type, duration_ms) WHERE type IN (
    'execution.succeeded', 'execution.failed', 'execution.unknown', 'execution.cancelled', 'execution.expired',
    'execution.refused'
);

-- Each seal covers the records since the one before it and names that one, so none can be taken away or changed.
CREATE TABLE history_seals (
    tenant         text NOT NULL CHECK (tenant <> ''),
    number         bigint NOT NULL CHECK (number > 0),
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL CHECK (last_position >= first_position),
    root           bytea NOT NULL,
    previous       bytea NOT NULL,
    sealed_at      timestamptz NOT NULL,
    key_id         text NOT NULL,
    signature      bytea NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE TRIGGER history_seals_append_only BEFORE UPDATE OR DELETE ON history_seals
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER history_seals_no_truncate BEFORE TRUNCATE ON history_seals
    FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only();

-- How far each tenant is sealed: to find those with something to seal without looking through the seals. A hint only.
CREATE TABLE history_sealed (
    tenant   text PRIMARY KEY CHECK (tenant <> ''),
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- A person's yes, given beforehand: one grant, one action, conditions, so many uses, until a day.
CREATE TABLE standing_approvals (
    tenant     text NOT NULL,
    id         uuid NOT NULL,
    grant_id   uuid NOT NULL,
    action     text NOT NULL,
    conditions json,
    max_uses   integer NOT NULL CHECK (max_uses BETWEEN 1 AND 1000),
    used       integer NOT NULL DEFAULT 0 CHECK (used BETWEEN 0 AND max_uses),
    expires_at timestamptz NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, grant_id) REFERENCES grants (tenant, id)
);
CREATE INDEX ON standing_approvals (tenant, grant_id);
GRANT SELECT, INSERT, UPDATE ON standing_approvals TO mandate_app;

DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['history_seals', 'history_sealed', 'standing_approvals'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', each);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', each);
        EXECUTE format(
            'CREATE POLICY one_tenant ON %I TO mandate_app
             USING (tenant = current_setting(''mandate.tenant'', true))
             WITH CHECK (tenant = current_setting(''mandate.tenant'', true))', each);
    END LOOP;
END
$$;
CREATE POLICY gate ON history_sealed TO mandate_gate USING (true);
GRANT SELECT, INSERT ON history_seals TO mandate_app;
GRANT SELECT, INSERT, UPDATE ON history_sealed TO mandate_app;
GRANT SELECT ON history_sealed TO mandate_gate;

-- Tenants whose history has gone on since it was last sealed, or has become shorter, which it never should.
CREATE FUNCTION gate_unsealed(p_most integer)
RETURNS TABLE (tenant text)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT h.tenant FROM history_heads h LEFT JOIN history_sealed s USING (tenant)
    WHERE s.position IS DISTINCT FROM h.position LIMIT p_most;
END
$$;

-- Replacing every tenant's data key takes long and may be interrupted: what was begun is finished before anything else.
CREATE TABLE key_rotations (
    id          uuid PRIMARY KEY,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE UNIQUE INDEX key_rotations_one_at_a_time ON key_rotations ((true)) WHERE finished_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON key_rotations TO mandate_app;
GRANT UPDATE (master_key, wrapped) ON deployment_keys TO mandate_app;
GRANT DELETE ON tenant_keys TO mandate_app;
GRANT UPDATE (master_key, wrapped) ON tenant_keys TO mandate_gate;

-- How many data keys each master key wraps.
CREATE FUNCTION gate_master_keys()
RETURNS TABLE (master_key text, data_keys bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT k.master_key, count(*) FROM tenant_keys k GROUP BY k.master_key ORDER BY k.master_key;
END
$$;

-- Data keys that another master key wraps.
CREATE FUNCTION gate_stale_keys(p_current text, p_most integer)
RETURNS TABLE (tenant text, id uuid, master_key text, wrapped bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT k.tenant, k.id, k.master_key, k.wrapped FROM tenant_keys k
    WHERE k.master_key <> p_current ORDER BY k.tenant, k.id LIMIT p_most;
END
$$;

-- The same data keys, wrapped by another master key. What somebody else has changed meanwhile stays as it is.
CREATE FUNCTION gate_rewrap(p_tenant text[], p_id uuid[], p_before bytea[], p_master_key text, p_after bytea[])
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    changed integer;
BEGIN
    UPDATE tenant_keys k SET master_key = p_master_key, wrapped = a.after
    FROM unnest(p_tenant, p_id, p_before, p_after) AS a (tenant, id, before, after)
    WHERE k.tenant = a.tenant AND k.id = a.id AND k.wrapped = a.before;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;

-- Tenants whose newest data key is older than that, or who have credentials under one that is not the newest.
CREATE FUNCTION gate_tenants_to_rotate(p_before timestamptz, p_most integer)
RETURNS TABLE (tenant text, in_all bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH newest AS (
        SELECT DISTINCT ON (k.tenant) k.tenant, k.id, k.created_at FROM tenant_keys k
        ORDER BY k.tenant, k.created_at DESC, k.id DESC
    )
    SELECT n.tenant, count(*) OVER () FROM newest n
    WHERE n.created_at < p_before
       OR EXISTS (SELECT FROM credentials c WHERE c.tenant = n.tenant AND c.key_id <> n.id)
    ORDER BY n.tenant LIMIT p_most;
END
$$;
