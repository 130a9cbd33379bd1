-- What lets one person connect one account on the connect page. Kept as a digest; bound to the browser that first does
-- something with it. `busy_until` keeps two submissions of the same form from both connecting.
CREATE TABLE connect_tokens (
    tenant           text NOT NULL CHECK (tenant <> ''),
    id               uuid NOT NULL UNIQUE,
    digest           bytea NOT NULL UNIQUE,
    external_user_id text NOT NULL,
    integrations     text[],
    actions          text[],
    allowed_origins  text[] NOT NULL DEFAULT '{}',
    redirect_uri     text,
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    browser_digest   bytea,
    busy_until       timestamptz,
    session_id       uuid,
    connection_id    uuid,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, session_id) REFERENCES connect_sessions (tenant, id),
    FOREIGN KEY (tenant, connection_id) REFERENCES connections (tenant, id)
);
ALTER TABLE connect_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE connect_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON connect_tokens TO mandate_app
    USING (tenant = current_setting('mandate.tenant', true))
    WITH CHECK (tenant = current_setting('mandate.tenant', true));
CREATE POLICY gate ON connect_tokens TO mandate_gate USING (true);
GRANT SELECT, INSERT, UPDATE ON connect_tokens TO mandate_app;
GRANT SELECT ON connect_tokens TO mandate_gate;

-- Whose connect token is this? A browser comes with a token, or with the id of one it has opened, and no tenant.
CREATE FUNCTION gate_connect_token(p_digest bytea, p_id uuid)
RETURNS TABLE (tenant text, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT t.tenant, t.id FROM connect_tokens t WHERE t.digest = p_digest OR t.id = p_id;
END
$$;
