-- The gate: the only statements that touch several tenants at once. Each takes arrays, one element per request, carries
-- the tenant in every row and every join, and runs as mandate_gate. Results are matched to requests by `ord`.

-- Which agent keys are these? Looked up before a tenant is known.
CREATE FUNCTION gate_agent_keys(p_ids uuid[])
RETURNS TABLE (id uuid, tenant text, agent_id uuid, digest bytea, expires_at timestamptz, revoked_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT t.id, t.tenant, t.agent_id, t.digest, t.expires_at, t.revoked_at
    FROM agent_tokens t WHERE t.id = ANY (p_ids);
END
$$;

-- A key was used. For people to look at, so it waits for nobody.
CREATE FUNCTION gate_touch_tokens(p_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE agent_tokens t SET last_used_at = now()
    FROM (SELECT k.tenant, k.id FROM agent_tokens k WHERE k.id = p_id FOR UPDATE SKIP LOCKED) due
    WHERE t.tenant = due.tenant AND t.id = due.id;
END
$$;

-- The facts a decision needs: the agent, the tenant's switch, the candidate connections and the agent's grants on them.
CREATE FUNCTION gate_standing(
    p_ord integer[], p_tenant text[], p_agent uuid[], p_integration text[], p_connection uuid[]
)
RETURNS TABLE (
    ord integer, agent_version bigint, is_frozen boolean, is_enabled boolean, is_tenant_frozen boolean,
    c connections, g grants
)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH asked AS (
        SELECT * FROM unnest(p_ord, p_tenant, p_agent, p_integration, p_connection)
            AS a (ord, tenant, agent, integration, connection)
    ), candidate AS (
        SELECT a.ord, a.tenant, a.agent, found AS c
        FROM asked a JOIN connections found
            ON found.tenant = a.tenant AND found.id = a.connection AND found.integration = a.integration
        UNION ALL
        SELECT a.ord, a.tenant, a.agent, found
        FROM asked a JOIN connections found
            ON found.tenant = a.tenant AND found.integration = a.integration AND found.status <> 'REVOKED'
        WHERE a.connection IS NULL
    ), granted AS (
        SELECT k.ord, k.c, newest.held AS g
        FROM candidate k LEFT JOIN LATERAL (
            SELECT held FROM grants held
            WHERE held.tenant = k.tenant AND held.connection_id = (k.c).id AND held.agent_id = k.agent
            ORDER BY held.revoked_at IS NULL DESC, held.id DESC LIMIT 1
        ) newest ON true
    )
    SELECT a.ord, agent.version, agent.is_frozen, coalesce(switch.is_enabled, true), coalesce(whole.is_frozen, false),
           granted.c, granted.g
    FROM asked a
    LEFT JOIN tenants whole ON whole.tenant = a.tenant
    LEFT JOIN agents agent ON agent.tenant = a.tenant AND agent.id = a.agent
    LEFT JOIN tenant_integrations switch ON switch.tenant = a.tenant AND switch.integration = a.integration
    LEFT JOIN granted ON granted.ord = a.ord;
END
$$;

-- Claim the key, commit the intent with its audit record, hand out the sealed credential: all or nothing per request,
-- and only while everything the decision rested on still has the version it was decided with.
-- The tenants' tickets (see db/history.py) come first: whoever revokes, freezes or switches off takes the ticket too.
-- Either that is committed, and the second statement sees it, or it commits after this and stands after it in history.
CREATE FUNCTION gate_admit(
    p_ord integer[], p_tenant text[], p_id uuid[], p_event uuid[],
    p_action text[], p_integration text[], p_effect smallint[],
    p_connection uuid[], p_connection_version bigint[],
    p_agent uuid[], p_agent_version bigint[], p_grant uuid[], p_grant_version bigint[],
    p_actor text[], p_mode text[], p_origin text[], p_parameters text[], p_parameters_hash bytea[],
    p_key text[], p_fingerprint bytea[], p_patience integer[], p_deadline timestamptz[], p_status text[],
    p_has_budget boolean[], p_lease integer[],
    p_digest text[],
    p_approval uuid[], p_summary text[], p_plan_hash text[], p_approval_expires timestamptz[]
)
RETURNS TABLE (
    ord integer, verdict text, at_position bigint, started_at timestamptz,
    key_id uuid, master_key text, wrapped bytea, credential_version integer, sealed bytea
)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    -- Locks are taken in one order everywhere: executions, budgets, tickets; each kind by tenant. Whoever can be admitted
    -- has a ticket already, for connecting an account is an event: so all of them are found and taken here, in order.
    IF true = ANY (p_has_budget) THEN
        PERFORM FROM grant_budgets b
        WHERE (b.tenant, b.grant_id) IN (SELECT * FROM unnest(p_tenant, p_grant)) ORDER BY b.tenant, b.grant_id FOR UPDATE;
    END IF;
    PERFORM FROM history_heads h WHERE h.tenant = ANY (p_tenant) ORDER BY h.tenant FOR NO KEY UPDATE;
    RETURN QUERY
    WITH asked AS (
        SELECT * FROM unnest(
            p_ord, p_tenant, p_id, p_event, p_action, p_integration, p_effect, p_connection, p_connection_version,
            p_agent, p_agent_version, p_grant, p_grant_version, p_actor, p_mode, p_origin, p_parameters,
            p_parameters_hash, p_key, p_fingerprint, p_patience, p_deadline, p_status, p_has_budget, p_lease, p_digest,
            p_approval, p_summary, p_plan_hash, p_approval_expires
        ) AS a (
            ord, tenant, id, event, action, integration, effect, connection, connection_version,
            agent, agent_version, grant_id, grant_version, actor, mode, origin, parameters,
            parameters_hash, key, fingerprint, patience, deadline, status, has_budget, lease, digest,
            approval, summary, plan_hash, approval_expires
        )
    ), standing AS (
        SELECT a.*, k.id AS key_id, k.master_key, k.wrapped, cr.version AS credential_version, cr.sealed
        FROM asked a
        JOIN connections c
            ON c.tenant = a.tenant AND c.id = a.connection AND c.version = a.connection_version
        JOIN credentials cr ON cr.tenant = c.tenant AND cr.connection_id = c.id
        JOIN tenant_keys k ON k.tenant = cr.tenant AND k.id = cr.key_id
        LEFT JOIN agents ag ON ag.tenant = a.tenant AND ag.id = a.agent AND ag.version = a.agent_version
        LEFT JOIN grants g ON g.tenant = a.tenant AND g.id = a.grant_id AND g.version = a.grant_version
        LEFT JOIN tenant_integrations switch ON switch.tenant = a.tenant AND switch.integration = a.integration
        LEFT JOIN tenants whole ON whole.tenant = a.tenant
        WHERE (a.agent IS NULL OR ag.id IS NOT NULL) AND (a.grant_id IS NULL OR g.id IS NOT NULL)
          AND switch.is_enabled IS NOT FALSE AND whole.is_frozen IS NOT TRUE
    ), budgeted AS (
        -- Whose turn it is among those that draw on the same budget, leaving out keys that were used before.
        SELECT s.ord, row_number() OVER (PARTITION BY s.tenant, s.grant_id ORDER BY s.ord) > least(
            coalesce(g.max_executions - b.used, 2147483647),
            coalesce(g.per_day - CASE WHEN b.day = (now() AT TIME ZONE 'UTC')::date THEN b.used_today ELSE 0 END, 2147483647)
        ) AS is_exceeded
        FROM standing s
        JOIN grants g ON g.tenant = s.tenant AND g.id = s.grant_id
        JOIN grant_budgets b ON b.tenant = s.tenant AND b.grant_id = s.grant_id
        WHERE s.has_budget AND NOT EXISTS (
            SELECT FROM executions e WHERE e.tenant = s.tenant AND e.actor = s.actor AND e.idempotency_key = s.key
        )
    ), claimed AS (
        INSERT INTO executions (
            tenant, id, action, integration, effect, connection_id, agent_id, grant_id, actor, status, mode, origin,
            parameters, parameters_hash, idempotency_key, fingerprint, patience, deadline_at, attempt, started_at,
            lease_until, action_digest
        )
        -- In one order everywhere, so that two batches with the same keys cannot wait for each other; the first wins.
        SELECT tenant, id, action, integration, effect, connection, agent, grant_id, actor, status, mode, origin,
               parameters::json, parameters_hash, key, fingerprint, patience, deadline,
               (status = 'RUNNING')::integer, CASE status WHEN 'RUNNING' THEN now() END,
               CASE status WHEN 'RUNNING' THEN now() + make_interval(secs => lease) END, digest
        FROM standing LEFT JOIN budgeted USING (ord)
        WHERE is_exceeded IS NOT TRUE ORDER BY tenant, actor, key, ord
        ON CONFLICT (tenant, actor, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING tenant, id
    ), counted AS (
        SELECT tenant, count(*) AS many FROM claimed GROUP BY tenant
    ), heads AS (
        INSERT INTO history_heads AS h (tenant, position)
        SELECT tenant, many FROM counted ORDER BY tenant
        ON CONFLICT (tenant) DO UPDATE SET position = h.position + excluded.position
        RETURNING tenant, position
    ), placed AS (
        SELECT s.*, h.position - n.many + row_number() OVER (PARTITION BY s.tenant ORDER BY s.ord) AS position
        FROM standing s
        JOIN claimed USING (tenant, id)
        JOIN counted n USING (tenant)
        JOIN heads h USING (tenant)
    ), written AS (
        INSERT INTO history (
            tenant, position, id, type, occurred_at, actor, agent_id, integration, action, connection_id, grant_id,
            execution_id, parameters_hash, status
        )
        SELECT tenant, position, event,
               CASE status WHEN 'RUNNING' THEN 'execution.started' WHEN 'QUEUED' THEN 'execution.queued'
                    ELSE 'approval.requested' END,
               now(), actor, agent, integration, action, connection, grant_id, id, parameters_hash, status
        FROM placed
    ), asking AS (
        INSERT INTO approvals (tenant, id, execution_id, agent_id, status, summary, plan_hash, expires_at)
        SELECT tenant, approval, id, agent, 'PENDING', summary, plan_hash, approval_expires
        FROM placed WHERE approval IS NOT NULL
    ), spent AS (
        UPDATE grant_budgets b
        SET used = b.used + n.many, day = n.today,
            used_today = CASE WHEN b.day = n.today THEN b.used_today ELSE 0 END + n.many
        FROM (
            SELECT tenant, grant_id, count(*)::integer AS many, (now() AT TIME ZONE 'UTC')::date AS today
            FROM placed WHERE has_budget GROUP BY tenant, grant_id
        ) n
        WHERE b.tenant = n.tenant AND b.grant_id = n.grant_id
    )
    SELECT a.ord,
           CASE WHEN p.ord IS NOT NULL THEN 'admitted' WHEN b.is_exceeded THEN 'exceeded'
                WHEN s.ord IS NOT NULL THEN 'duplicate' ELSE 'stale' END,
           p.position, now(), p.key_id, p.master_key, p.wrapped, p.credential_version, p.sealed
    FROM asked a
    LEFT JOIN standing s ON s.ord = a.ord
    LEFT JOIN budgeted b ON b.ord = a.ord
    LEFT JOIN placed p ON p.ord = a.ord;
END
$$;

-- Commit results with their audit records. The attempt number is the fence: a late writer changes nothing.
CREATE FUNCTION gate_finish(
    p_ord integer[], p_tenant text[], p_id uuid[], p_event uuid[], p_attempt integer[], p_status text[],
    p_result text[], p_error text[], p_error_code text[], p_what_to_check text[], p_duration integer[],
    p_parameters_hash bytea[], p_gives_back boolean[], p_probe_after integer[]
)
RETURNS TABLE (ord integer, at_position bigint, finished_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    IF true = ANY (p_gives_back) THEN
        PERFORM FROM executions e WHERE (e.tenant, e.id) IN (SELECT * FROM unnest(p_tenant, p_id))
        ORDER BY e.tenant, e.id FOR UPDATE;
        PERFORM FROM grant_budgets b
        WHERE (b.tenant, b.grant_id) IN (
            SELECT e.tenant, e.grant_id FROM executions e
            WHERE (e.tenant, e.id) IN (SELECT * FROM unnest(p_tenant, p_id)) AND e.grant_id IS NOT NULL
        ) ORDER BY b.tenant, b.grant_id FOR UPDATE;
    END IF;
    RETURN QUERY
    WITH asked AS (
        SELECT * FROM unnest(
            p_ord, p_tenant, p_id, p_event, p_attempt, p_status, p_result, p_error, p_error_code, p_what_to_check,
            p_duration, p_parameters_hash
        ) AS a (
            ord, tenant, id, event, attempt, status, result, error, error_code, what_to_check, duration, parameters_hash
        )
    ), finished AS (
        UPDATE executions e
        SET status = a.status, result = a.result::json, error = a.error::json, what_to_check = a.what_to_check,
            duration_ms = a.duration, finished_at = now(), lease_until = NULL
        FROM asked a
        WHERE e.tenant = a.tenant AND e.id = a.id AND e.attempt = a.attempt AND e.status IN ('RUNNING', 'QUEUED')
        RETURNING a.ord, e.tenant, e.id, e.actor, e.agent_id, e.integration, e.action, e.connection_id, e.grant_id
    ), used_connections AS (
        -- At most once a minute, and never waiting for anybody: this is for people to look at.
        UPDATE connections c SET last_used_at = now()
        FROM (
            SELECT k.tenant, k.id FROM connections k
            WHERE (k.tenant, k.id) IN (SELECT f.tenant, f.connection_id FROM finished f)
              AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
            FOR UPDATE SKIP LOCKED
        ) due
        WHERE c.tenant = due.tenant AND c.id = due.id
    ), used_grants AS (
        UPDATE grants g SET last_used_at = now()
        FROM (
            SELECT k.tenant, k.id FROM grants k
            WHERE (k.tenant, k.id) IN (SELECT f.tenant, f.grant_id FROM finished f)
              AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
            FOR UPDATE SKIP LOCKED
        ) due
        WHERE g.tenant = due.tenant AND g.id = due.id
    ), active_agents AS (
        UPDATE agents g SET last_active_at = now()
        FROM (
            SELECT k.tenant, k.id FROM agents k
            WHERE (k.tenant, k.id) IN (SELECT f.tenant, f.agent_id FROM finished f)
              AND (k.last_active_at IS NULL OR k.last_active_at < now() - interval '1 minute')
            FOR UPDATE SKIP LOCKED
        ) due
        WHERE g.tenant = due.tenant AND g.id = due.id
    ), counted AS (
        SELECT tenant, count(*) AS many FROM finished GROUP BY tenant
    ), heads AS (
        INSERT INTO history_heads AS h (tenant, position)
        SELECT tenant, many FROM counted ORDER BY tenant
        ON CONFLICT (tenant) DO UPDATE SET position = h.position + excluded.position
        RETURNING tenant, position
    ), placed AS (
        SELECT f.*, h.position - n.many + row_number() OVER (PARTITION BY f.tenant ORDER BY f.ord) AS position
        FROM finished f JOIN counted n USING (tenant) JOIN heads h USING (tenant)
    ), written AS (
        INSERT INTO history (
            tenant, position, id, type, occurred_at, actor, agent_id, integration, action, connection_id, grant_id,
            execution_id, parameters_hash, status, duration_ms, error
        )
        SELECT p.tenant, p.position, a.event, 'execution.' || lower(a.status), now(), p.actor, p.agent_id,
               p.integration, p.action, p.connection_id, p.grant_id, p.id, a.parameters_hash, a.status, a.duration,
               a.error_code
        FROM placed p JOIN asked a ON a.ord = p.ord
    )
    SELECT a.ord, p.position, now() FROM asked a LEFT JOIN placed p ON p.ord = a.ord;
    -- What may have happened is looked for. `finished_at` tells what this very statement ended.
    IF array_remove(p_probe_after, NULL) <> '{}' THEN
        INSERT INTO probes (tenant, execution_id, due_at)
        SELECT e.tenant, e.id, now() + make_interval(secs => a.probe_after)
        FROM executions e
        JOIN unnest(p_tenant, p_id, p_probe_after) AS a (tenant, id, probe_after) USING (tenant, id)
        WHERE a.probe_after IS NOT NULL AND e.finished_at = now() AND e.status = 'UNKNOWN'
        ON CONFLICT DO NOTHING;
    END IF;
    -- What had no effect costs nothing.
    IF true = ANY (p_gives_back) THEN
        UPDATE grant_budgets b
        SET used = greatest(b.used - n.many, 0),
            used_today = greatest(
                b.used_today - CASE WHEN b.day = (now() AT TIME ZONE 'UTC')::date THEN n.today ELSE 0 END, 0
            )
        FROM (
            SELECT e.tenant, e.grant_id, count(*)::integer AS many,
                   count(*) FILTER (
                       WHERE (e.created_at AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date
                   )::integer AS today
            FROM executions e
            JOIN unnest(p_tenant, p_id, p_gives_back) AS a (tenant, id, gives_back) USING (tenant, id)
            WHERE a.gives_back AND e.finished_at = now() AND e.status IN ('FAILED', 'CANCELLED', 'EXPIRED')
            GROUP BY e.tenant, e.grant_id
        ) n
        WHERE b.tenant = n.tenant AND b.grant_id = n.grant_id;
    END IF;
END
$$;

-- Append the records of refused attempts, of several tenants, each at its tenant's next position.
CREATE FUNCTION gate_refuse(
    p_ord integer[], p_tenant text[], p_id uuid[], p_type text[], p_actor text[], p_agent uuid[], p_integration text[],
    p_action text[], p_connection uuid[], p_grant uuid[], p_reason text[], p_status text[], p_error text[]
)
RETURNS TABLE (ord integer, at_position bigint)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH asked AS (
        SELECT * FROM unnest(
            p_ord, p_tenant, p_id, p_type, p_actor, p_agent, p_integration, p_action, p_connection, p_grant, p_reason,
            p_status, p_error
        ) AS a (
            ord, tenant, id, type, actor, agent, integration, action, connection, grant_id, reason, status, error
        )
    ), counted AS (
        SELECT tenant, count(*) AS many FROM asked GROUP BY tenant
    ), heads AS (
        INSERT INTO history_heads AS h (tenant, position)
        SELECT tenant, many FROM counted ORDER BY tenant
        ON CONFLICT (tenant) DO UPDATE SET position = h.position + excluded.position
        RETURNING tenant, position
    ), placed AS (
        SELECT a.*, h.position - n.many + row_number() OVER (PARTITION BY a.tenant ORDER BY a.ord) AS position
        FROM asked a JOIN counted n USING (tenant) JOIN heads h USING (tenant)
    ), written AS (
        INSERT INTO history (
            tenant, position, id, type, occurred_at, actor, agent_id, integration, action, connection_id, grant_id,
            reason, status, error
        )
        SELECT tenant, position, id, type, now(), actor, agent, integration, action, connection, grant_id, reason,
               status, error
        FROM placed
    )
    SELECT ord, position FROM placed;
END
$$;

-- A connection's sealed credential, with the key it needs.
CREATE FUNCTION gate_credential(p_tenant text, p_connection uuid)
RETURNS TABLE (key_id uuid, master_key text, wrapped bytea, credential_version integer, sealed bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT k.id, k.master_key, k.wrapped, c.version, c.sealed
    FROM credentials c JOIN tenant_keys k ON k.tenant = c.tenant AND k.id = c.key_id
    WHERE c.tenant = p_tenant AND c.connection_id = p_connection;
END
$$;

-- A tenant's events after a position, in order.
CREATE FUNCTION gate_history(p_tenant text, p_after bigint, p_most integer)
RETURNS SETOF history
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    RETURN QUERY SELECT h.* FROM history h
    WHERE h.tenant = p_tenant AND h.position > p_after ORDER BY h.position LIMIT p_most;
END
$$;

-- How far each tenant's history has come.
CREATE FUNCTION gate_heads(p_tenants text[])
RETURNS TABLE (tenant text, at_position bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT h.tenant, h.position FROM history_heads h WHERE h.tenant = ANY (p_tenants);
END
$$;

-- Whose connect session is this? A browser comes back with a link or a state, and no tenant.
CREATE FUNCTION gate_connect_session(p_link bytea, p_state bytea)
RETURNS TABLE (tenant text, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT s.tenant, s.id FROM connect_sessions s
    WHERE s.link_digest = p_link OR s.state_digest = p_state;
END
$$;

-- Executions whose process went away: their lease has passed and no result was written.
CREATE FUNCTION gate_lapsed_executions(p_most integer)
RETURNS TABLE (
    tenant text, id uuid, attempt integer, action text, effect smallint, recoveries smallint, deadline_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT e.tenant, e.id, e.attempt, e.action, e.effect, e.recoveries, e.deadline_at FROM executions e
    WHERE e.status = 'RUNNING' AND e.lease_until < now() ORDER BY e.lease_until LIMIT p_most;
END
$$;

-- Connect sessions that nobody finished in time.
CREATE FUNCTION gate_lapsed_sessions(p_most integer)
RETURNS TABLE (tenant text, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT s.tenant, s.id FROM connect_sessions s
    WHERE s.status = 'OPEN' AND s.expires_at < now() ORDER BY s.expires_at LIMIT p_most;
END
$$;
