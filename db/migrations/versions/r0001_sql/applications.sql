-- OAuth applications that tenants brought, each with its secret sealed. The one set last is used for new connections;
-- earlier ones stay, for the connections that were made with them are renewed and ended by them.
CREATE TABLE tenant_oauth (
    tenant      text NOT NULL CHECK (tenant <> ''),
    integration text NOT NULL,
    client_id   text NOT NULL,
    id          uuid NOT NULL,
    key_id      uuid NOT NULL,
    sealed      bytea NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, integration, client_id),
    FOREIGN KEY (tenant, key_id) REFERENCES tenant_keys (tenant, id)
);
ALTER TABLE tenant_oauth ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_oauth FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON tenant_oauth TO mandate_app
    USING (tenant = current_setting('mandate.tenant', true))
    WITH CHECK (tenant = current_setting('mandate.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_oauth TO mandate_app;
