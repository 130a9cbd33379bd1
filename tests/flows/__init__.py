"""Journeys: what a user does, from end to end."""
