"""The Gmail integration, with Google contacts."""
