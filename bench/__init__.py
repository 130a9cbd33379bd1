"""Measuring Mandate against a limit or a peer of the same run. See README.md."""
