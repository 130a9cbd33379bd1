-- The queue is the executions themselves: what is QUEUED was enqueued by the commit that recorded it, and cannot be in
-- the queue and not on record, or the other way round (decision 0006). More of the gate's functions, by the same rules.
-- Rows are locked before the tenants' tickets, everywhere: whoever cancels or freezes does the same.

-- The next executions to run, taken for `p_lease` seconds. Each tenant's oldest come first, a few of every tenant at a time,
-- so that one tenant's thousand does not stand before another's one; of those in `p_except` only what is too late by now. A claim that was not
-- kept counts as a recovery: what kills whoever takes it is not handed out for ever.
CREATE FUNCTION gate_claim(p_most integer, p_each integer, p_lease integer, p_except text[])
RETURNS TABLE (e executions, plan_hash text)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE waiting AS (
        (SELECT q.tenant FROM executions q WHERE q.status = 'QUEUED' ORDER BY q.tenant LIMIT 1)
        UNION ALL
        SELECT (
            SELECT q.tenant FROM executions q WHERE q.status = 'QUEUED' AND q.tenant > w.tenant ORDER BY q.tenant LIMIT 1
        )
        FROM waiting w WHERE w.tenant IS NOT NULL
    ), turn AS (
        SELECT oldest.tenant, oldest.id FROM waiting w CROSS JOIN LATERAL (
            SELECT q.tenant, q.id, row_number() OVER (ORDER BY q.id) AS place FROM executions q
            WHERE q.status = 'QUEUED' AND q.tenant = w.tenant
              AND (q.not_before IS NULL OR q.not_before <= now()) AND (q.lease_until IS NULL OR q.lease_until < now())
              AND (q.tenant <> ALL (p_except) OR q.deadline_at <= now())
            ORDER BY q.id LIMIT p_each
        ) oldest
        WHERE w.tenant IS NOT NULL ORDER BY oldest.place LIMIT p_most
    ), taken AS (
        SELECT q.tenant, q.id FROM executions q JOIN turn USING (tenant, id)
        WHERE q.status = 'QUEUED' AND (q.lease_until IS NULL OR q.lease_until < now())
        FOR UPDATE OF q SKIP LOCKED
    ), claimed AS (
        UPDATE executions u
        SET lease_until = now() + make_interval(secs => p_lease),
            recoveries = u.recoveries + (u.lease_until IS NOT NULL)::integer
        FROM taken t WHERE u.tenant = t.tenant AND u.id = t.id
        RETURNING u
    )
    SELECT c.u, a.plan_hash FROM claimed c
    LEFT JOIN approvals a ON a.tenant = (c.u).tenant AND a.execution_id = (c.u).id;
END
$$;

-- Commit that queued executions go out now, if they are still queued and what was decided anew still stands.
CREATE FUNCTION gate_dispatch(
    p_ord integer[], p_tenant text[], p_id uuid[], p_event uuid[], p_attempt integer[], p_connection_version bigint[],
    p_agent_version bigint[], p_grant uuid[], p_grant_version bigint[], p_digest text[], p_lease integer
)
RETURNS TABLE (
    ord integer, verdict text, at_position bigint, started_at timestamptz,
    key_id uuid, master_key text, wrapped bytea, credential_version integer, sealed bytea
)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM executions e WHERE (e.tenant, e.id) IN (SELECT * FROM unnest(p_tenant, p_id))
    ORDER BY e.tenant, e.id FOR UPDATE;
    PERFORM FROM history_heads h WHERE h.tenant = ANY (p_tenant) ORDER BY h.tenant FOR NO KEY UPDATE;
    RETURN QUERY
    WITH asked AS (
        SELECT * FROM unnest(
            p_ord, p_tenant, p_id, p_event, p_attempt, p_connection_version, p_agent_version, p_grant, p_grant_version,
            p_digest
        ) AS a (ord, tenant, id, event, attempt, connection_version, agent_version, grant_id, grant_version, digest)
    ), queued AS (
        SELECT a.*, e.connection_id, e.agent_id, e.integration FROM asked a
        JOIN executions e ON e.tenant = a.tenant AND e.id = a.id AND e.status = 'QUEUED' AND e.attempt = a.attempt
    ), standing AS (
        SELECT q.*, k.id AS key_id, k.master_key, k.wrapped, cr.version AS credential_version, cr.sealed
        FROM queued q
        JOIN connections c ON c.tenant = q.tenant AND c.id = q.connection_id AND c.version = q.connection_version
        JOIN credentials cr ON cr.tenant = c.tenant AND cr.connection_id = c.id
        JOIN tenant_keys k ON k.tenant = cr.tenant AND k.id = cr.key_id
        LEFT JOIN agents ag ON ag.tenant = q.tenant AND ag.id = q.agent_id AND ag.version = q.agent_version
        LEFT JOIN grants g ON g.tenant = q.tenant AND g.id = q.grant_id AND g.version = q.grant_version
        LEFT JOIN tenant_integrations switch ON switch.tenant = q.tenant AND switch.integration = q.integration
        LEFT JOIN tenants whole ON whole.tenant = q.tenant
        WHERE (q.agent_id IS NULL OR ag.id IS NOT NULL) AND (q.grant_id IS NULL OR g.id IS NOT NULL)
          AND switch.is_enabled IS NOT FALSE AND whole.is_frozen IS NOT TRUE
    ), sent AS (
        UPDATE executions e
        SET status = 'RUNNING', attempt = e.attempt + 1, grant_id = s.grant_id, not_before = NULL,
            action_digest = coalesce(s.digest, e.action_digest),
            started_at = coalesce(e.started_at, now()), lease_until = now() + make_interval(secs => p_lease)
        FROM standing s WHERE e.tenant = s.tenant AND e.id = s.id
        RETURNING s.ord, e.*
    ), counted AS (
        SELECT tenant, count(*) AS many FROM sent GROUP BY tenant
    ), heads AS (
        INSERT INTO history_heads AS h (tenant, position)
        SELECT tenant, many FROM counted ORDER BY tenant
        ON CONFLICT (tenant) DO UPDATE SET position = h.position + excluded.position
        RETURNING tenant, position
    ), placed AS (
        SELECT s.*, h.position - n.many + row_number() OVER (PARTITION BY s.tenant ORDER BY s.ord) AS position
        FROM sent s JOIN counted n USING (tenant) JOIN heads h USING (tenant)
    ), written AS (
        INSERT INTO history (
            tenant, position, id, type, occurred_at, actor, agent_id, integration, action, connection_id, grant_id,
            execution_id, parameters_hash, status
        )
        SELECT p.tenant, p.position, a.event, 'execution.started', now(), p.actor, p.agent_id, p.integration, p.action,
               p.connection_id, p.grant_id, p.id, p.parameters_hash, 'RUNNING'
        FROM placed p JOIN asked a USING (ord)
    )
    SELECT a.ord,
           CASE WHEN p.ord IS NOT NULL THEN 'admitted' WHEN q.ord IS NOT NULL AND s.ord IS NULL THEN 'stale' ELSE 'gone' END,
           p.position, p.started_at, s.key_id, s.master_key, s.wrapped, s.credential_version, s.sealed
    FROM asked a
    LEFT JOIN queued q USING (ord)
    LEFT JOIN standing s USING (ord)
    LEFT JOIN placed p USING (ord);
END
$$;

-- Not yet: give a claimed execution back to the queue until a moment. Nothing was tried.
CREATE FUNCTION gate_put_off(p_tenant text, p_id uuid, p_attempt integer, p_until timestamptz)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE executions e SET not_before = p_until, lease_until = NULL
    WHERE e.tenant = p_tenant AND e.id = p_id AND e.attempt = p_attempt AND e.status = 'QUEUED';
END
$$;

-- An attempt is over and there will be another: at once by the same process (RUNNING), or from the queue (QUEUED).
-- The position in history, or nothing when the execution is not this attempt's any more.
CREATE FUNCTION gate_again(
    p_tenant text, p_id uuid, p_event uuid, p_attempt integer, p_status text, p_outcome text,
    p_provider_status integer, p_retry_at timestamptz, p_may_have_happened boolean, p_is_recovery boolean, p_lease integer
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    run executions;
    place bigint;
BEGIN
    UPDATE executions e
    SET status = p_status, attempt = e.attempt + (p_status = 'RUNNING')::integer, not_before = p_retry_at,
        recoveries = e.recoveries + p_is_recovery::integer,
        lease_until = CASE p_status WHEN 'RUNNING' THEN greatest(now(), p_retry_at) + make_interval(secs => p_lease) END,
        attempt_log = coalesce(e.attempt_log, '[]') || jsonb_build_object(
            'number', e.attempt, 'started_at', coalesce(e.not_before, e.started_at), 'finished_at', now(),
            'outcome', p_outcome, 'provider_status', p_provider_status, 'retry_at', p_retry_at,
            'may_have_happened', p_may_have_happened
        )
    WHERE e.tenant = p_tenant AND e.id = p_id AND e.attempt = p_attempt AND e.status = 'RUNNING'
    RETURNING e.* INTO run;
    IF run.id IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO history_heads AS h (tenant, position) VALUES (p_tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET position = h.position + 1 RETURNING position INTO place;
    INSERT INTO history (
        tenant, position, id, type, occurred_at, actor, agent_id, integration, action, connection_id, grant_id,
        execution_id, parameters_hash, status, reason
    ) VALUES (
        p_tenant, place, p_event, CASE WHEN p_is_recovery THEN 'execution.recovered' ELSE 'execution.retried' END, now(),
        run.actor, run.agent_id, run.integration, run.action, run.connection_id, run.grant_id, run.id,
        run.parameters_hash, p_status, p_outcome
    );
    RETURN place;
END
$$;

-- Keep the leases of executions that are still under way, and say which of them somebody asked to cancel.
CREATE FUNCTION gate_beat(p_tenant text[], p_id uuid[], p_attempt integer[], p_lease integer)
RETURNS TABLE (id uuid, is_cancelled boolean)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH held AS (
        SELECT e.tenant, e.id FROM executions e
        JOIN unnest(p_tenant, p_id, p_attempt) AS a (tenant, id, attempt) USING (tenant, id, attempt)
        WHERE e.status = 'RUNNING' FOR UPDATE OF e SKIP LOCKED
    )
    UPDATE executions e SET lease_until = greatest(e.lease_until, now() + make_interval(secs => p_lease))
    FROM held h WHERE e.tenant = h.tenant AND e.id = h.id
    RETURNING e.id, e.cancel_asked_at IS NOT NULL;
END
$$;

-- Approvals that nobody decided in time.
CREATE FUNCTION gate_lapsed_approvals(p_most integer)
RETURNS TABLE (tenant text, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT a.tenant, a.id FROM approvals a
    WHERE a.status = 'PENDING' AND a.expires_at < now() ORDER BY a.expires_at LIMIT p_most;
END
$$;
