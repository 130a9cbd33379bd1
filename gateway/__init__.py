"""Wiring and doors: settings, services put together, GraphQL over HTTP and sockets, connecting, health, commands."""
