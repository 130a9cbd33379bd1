-- Row-level security on every table with a tenant, FORCEd so that not even the owner reads past it by accident.
-- Without a tenant set, current_setting gives NULL, nothing equals NULL, and no row is seen.
DO $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY[
        'tenant_keys', 'tenant_integrations', 'agents', 'agent_tokens', 'connections', 'credentials',
        'connect_sessions', 'grants', 'grant_budgets', 'executions', 'approvals', 'tenants', 'history_heads', 'history'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', each);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', each);
        EXECUTE format(
            'CREATE POLICY one_tenant ON %I TO mandate_app
             USING (tenant = current_setting(''mandate.tenant'', true))
             WITH CHECK (tenant = current_setting(''mandate.tenant'', true))', each);
        EXECUTE format('CREATE POLICY gate ON %I TO mandate_gate USING (true) WITH CHECK (true)', each);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON tenant_integrations, agents, agent_tokens, connections, credentials,
    connect_sessions, grants, grant_budgets, executions, approvals, tenants, history_heads, tenant_keys TO mandate_app;
GRANT DELETE ON credentials TO mandate_app;
GRANT SELECT, INSERT ON history, deployment_keys TO mandate_app;
GRANT SELECT ON mandate_revision TO mandate_app;

GRANT SELECT ON tenant_integrations, agents, agent_tokens, connections, credentials, tenant_keys,
    grants, grant_budgets, connect_sessions, executions, approvals, tenants, history, history_heads TO mandate_gate;
GRANT INSERT ON executions, approvals, history, history_heads TO mandate_gate;
GRANT UPDATE ON executions, grant_budgets, history_heads TO mandate_gate;
GRANT UPDATE (last_used_at) ON connections, grants, agent_tokens TO mandate_gate;
GRANT UPDATE (last_active_at) ON agents TO mandate_gate;
