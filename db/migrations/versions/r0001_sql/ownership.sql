-- The functions run as mandate_gate, look names up in one schema only, and open to mandate_app alone.
DO $$
DECLARE
    each regprocedure;
BEGIN
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO mandate_gate', current_schema());
    FOR each IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'gate\_%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', each, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO mandate_app', each);
        EXECUTE format('ALTER FUNCTION %s OWNER TO mandate_gate', each);
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM mandate_gate', current_schema());
END
$$;
