"""Use cases: one async function for each thing a caller can ask. Every door calls these and adds no rules of its own.

Each takes the services and the caller first, and asks `caller.require(operation)` before anything else.
"""
