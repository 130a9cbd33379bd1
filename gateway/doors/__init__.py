"""Where requests come in. A door authenticates, reads the request, calls a use case and writes the answer."""
