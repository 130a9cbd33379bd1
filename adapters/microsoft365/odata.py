"""Values inside OData expressions, quoted so that they stay values (OData 4.01, URL conventions, section 5.1.1.14)."""

from datetime import UTC, datetime


def text(value: str) -> str:
    """A string literal for `$filter`; a quote inside is doubled."""
    return "'" + value.replace("'", "''") + "'"


def phrase(value: str) -> str:
    """The value of `$search`: one quoted expression; quotes and backslashes inside are escaped (Graph, `$search`)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def moment(value: datetime) -> str:
    """A point in time, in UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
