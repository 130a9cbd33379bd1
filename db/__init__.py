"""Tables, queries, migrations. Every query asks for the tenant; PostgreSQL's row security asks again.

Two ways in: `Database.tenant(...)` for one tenant's rows under row-level security, and `Gate` for the few narrow
functions that serve many tenants in one statement.
"""
