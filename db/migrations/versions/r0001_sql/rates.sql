-- How fast things may go, shared by all processes: the generic cell rate algorithm (ITU-T I.371), one row for each
-- thing that is limited, holding the moment at which it would be at rest again. Not logged: it costs no flush, and after
-- a crash of the server everybody begins rested.
CREATE UNLOGGED TABLE rates (
    tenant    text NOT NULL,
    name      text NOT NULL,
    rested_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, name)
) WITH (fillfactor = 50);
ALTER TABLE rates ENABLE ROW LEVEL SECURITY;
ALTER TABLE rates FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON rates TO mandate_app
    USING (tenant = current_setting('mandate.tenant', true)) WITH CHECK (tenant = current_setting('mandate.tenant', true));
CREATE POLICY gate ON rates TO mandate_gate USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON rates TO mandate_gate;
GRANT SELECT ON rates TO mandate_app;

-- May these go now? Rows with the same `ord` are limits of one request: it takes one turn of each of them, or, when one
-- has none to give, of none. `p_every` is the seconds between turns at rest, `p_ahead` how many seconds' worth may be
-- taken at once. What is in the way comes back with the moment from which it is not.
CREATE FUNCTION gate_take_turns(
    p_ord integer[], p_tenant text[], p_name text[], p_every double precision[], p_ahead double precision[]
)
RETURNS TABLE (ord integer, name text, free_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
DECLARE
    asking integer;
    moment timestamptz;
BEGIN
    INSERT INTO rates (tenant, name, rested_at)
    SELECT DISTINCT a.tenant, a.name, '-infinity'::timestamptz FROM unnest(p_tenant, p_name) AS a (tenant, name)
    WHERE NOT EXISTS (SELECT FROM rates r WHERE r.tenant = a.tenant AND r.name = a.name)
    ORDER BY a.tenant, a.name
    ON CONFLICT DO NOTHING;
    PERFORM FROM rates r WHERE (r.tenant, r.name) IN (SELECT * FROM unnest(p_tenant, p_name))
    ORDER BY r.tenant, r.name FOR UPDATE;
    moment := clock_timestamp();
    FOR asking IN SELECT DISTINCT each FROM unnest(p_ord) AS each ORDER BY each LOOP
        RETURN QUERY
        SELECT a.ord, a.name, r.rested_at - make_interval(secs => a.ahead)
        FROM unnest(p_ord, p_tenant, p_name, p_ahead) AS a (ord, tenant, name, ahead)
        JOIN rates r ON r.tenant = a.tenant AND r.name = a.name
        WHERE a.ord = asking AND r.rested_at > moment + make_interval(secs => a.ahead);
        IF NOT FOUND THEN
            UPDATE rates r SET rested_at = greatest(r.rested_at, moment) + make_interval(secs => a.every)
            FROM unnest(p_ord, p_tenant, p_name, p_every) AS a (ord, tenant, name, every)
            WHERE a.ord = asking AND r.tenant = a.tenant AND r.name = a.name;
        END IF;
    END LOOP;
END
$$;
