"""Who hears what: each tenant's history, live and replayed."""
