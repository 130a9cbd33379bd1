-- Executions of which nobody knows whether they happened, and whose action can look for its effect at the service. A row
-- is written by the very statement that ends the execution, so that no process's death loses the question. Where nothing
-- is to be looked for any more, nothing is due.
CREATE TABLE probes (
    tenant       text NOT NULL,
    execution_id uuid NOT NULL,
    due_at       timestamptz,
    times        smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, execution_id),
    FOREIGN KEY (tenant, execution_id) REFERENCES executions (tenant, id)
);
CREATE INDEX probes_due ON probes (due_at) WHERE due_at IS NOT NULL;
ALTER TABLE probes ENABLE ROW LEVEL SECURITY;
ALTER TABLE probes FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON probes TO mandate_app
    USING (tenant = current_setting('mandate.tenant', true)) WITH CHECK (tenant = current_setting('mandate.tenant', true));
CREATE POLICY gate ON probes TO mandate_gate USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON probes TO mandate_gate;
GRANT SELECT ON probes TO mandate_app;

-- The executions that are to be looked for now, each handed to one asker for `p_lease` seconds.
CREATE FUNCTION gate_due_probes(p_most integer, p_lease integer)
RETURNS TABLE (e executions, times smallint)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT p.tenant, p.execution_id FROM probes p
        WHERE p.due_at <= now() ORDER BY p.due_at LIMIT p_most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE probes p SET due_at = now() + make_interval(secs => p_lease), times = (p.times + 1)::smallint
        FROM due d WHERE p.tenant = d.tenant AND p.execution_id = d.execution_id
        RETURNING p.tenant, p.execution_id, p.times
    )
    SELECT run, t.times FROM taken t JOIN executions run ON run.tenant = t.tenant AND run.id = t.execution_id;
END
$$;

-- What a look found out. Without a status it was nothing: it is looked for again at `p_again_at`, or never.
-- The position in history, or nothing when the execution was settled meanwhile.
CREATE FUNCTION gate_probed(
    p_tenant text, p_id uuid, p_event uuid, p_attempt integer, p_status text, p_result text, p_error text,
    p_error_code text, p_again_at timestamptz
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    run executions;
    place bigint;
BEGIN
    UPDATE probes p SET due_at = CASE WHEN p_status IS NULL THEN p_again_at END
    WHERE p.tenant = p_tenant AND p.execution_id = p_id;
    IF p_status IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE executions e
    SET status = p_status, result = p_result::json, error = p_error::json, what_to_check = NULL
    WHERE e.tenant = p_tenant AND e.id = p_id AND e.attempt = p_attempt AND e.status = 'UNKNOWN'
    RETURNING e.* INTO run;
    IF run.id IS NULL THEN
        RETURN NULL;
    END IF;
    IF p_status = 'FAILED' THEN
        UPDATE grant_budgets b
        SET used = greatest(b.used - 1, 0),
            used_today = greatest(b.used_today - (b.day = (run.created_at AT TIME ZONE 'UTC')::date)::integer, 0)
        WHERE b.tenant = run.tenant AND b.grant_id = run.grant_id;
    END IF;
    INSERT INTO history_heads AS h (tenant, position) VALUES (p_tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET position = h.position + 1 RETURNING position INTO place;
    INSERT INTO history (
        tenant, position, id, type, occurred_at, actor, agent_id, integration, action, connection_id, grant_id,
        execution_id, parameters_hash, status, error
    ) VALUES (
        p_tenant, place, p_event, 'execution.probed', now(), 'system', run.agent_id, run.integration, run.action,
        run.connection_id, run.grant_id, run.id, run.parameters_hash, p_status, p_error_code
    );
    RETURN place;
END
$$;
