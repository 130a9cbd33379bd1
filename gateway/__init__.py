"""Wiring and doors: settings, the services put together, GraphQL over HTTP and sockets, connecting, health, command line."""
