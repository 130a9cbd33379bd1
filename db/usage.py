"""Counting history: one statement for each question, over the index `history_ends`."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import rows
from domain.usage import COUNTED, LENGTHS, Share, Span, Tally, UsageDimension, UsageInterval

_TALLY = """
    count(*) AS executions,
    count(*) FILTER (WHERE h.type = 'execution.succeeded') AS succeeded,
    count(*) FILTER (WHERE h.type = 'execution.failed') AS failed,
    count(*) FILTER (WHERE h.type = 'execution.unknown') AS unknown,
    count(*) FILTER (WHERE h.type = 'execution.refused') AS refused,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY h.duration_ms) AS p50_ms,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY h.duration_ms) AS p95_ms
"""
# Written out, so that the planner sees that the index's condition holds.
_WHERE = f"""
    FROM history h
    WHERE h.tenant = :tenant AND h.occurred_at >= :since AND h.occurred_at < :until
      AND h.type IN ({", ".join(f"'{each}'" for each in COUNTED)})
"""
_BUCKETS = f"""
SELECT date_bin(:length, h.occurred_at, timestamptz '2000-01-01 00:00:00+00') AS start, {_TALLY}
{_WHERE}
  AND (CAST(:integration AS text) IS NULL OR h.integration = :integration)
  AND (CAST(:agent AS uuid) IS NULL OR h.agent_id = :agent)
GROUP BY start
"""


def _shares(column: str, name: str, beside: str) -> str:
    # Only the names of our own columns are put together; values are bound.
    return f"""
    WITH counted AS (
        SELECT h.{column} AS of, {_TALLY} {_WHERE} GROUP BY of ORDER BY executions DESC, of LIMIT :most
    )
    SELECT c.*, {name} AS name FROM counted c {beside} ORDER BY c.executions DESC, c.of
    """


_BREAKDOWNS = {
    UsageDimension.INTEGRATION: _shares("integration", "NULL", ""),
    UsageDimension.ACTION: _shares("action", "NULL", ""),
    UsageDimension.AGENT: _shares("agent_id", "n.name", "LEFT JOIN agents n ON n.tenant = :tenant AND n.id = c.of"),
    UsageDimension.CONNECTION: _shares(
        "connection_id",
        "coalesce(n.label, n.account_label)",
        "LEFT JOIN connections n ON n.tenant = :tenant AND n.id = c.of",
    ),
}


class Usage:
    """The tenant's figures."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def by_time(
        self, span: Span, interval: UsageInterval, integration: str | None, agent_id: UUID | None
    ) -> dict[datetime, Tally]:
        """The buckets in which anything happened, by their start in UTC."""
        asked = self._asked(span) | {"length": LENGTHS[interval], "integration": integration, "agent": agent_id}
        found = (await self._connection.execute(text(_BUCKETS), asked)).mappings()
        return {row["start"].astimezone(UTC): _tally(row) for row in found}

    async def by(self, dimension: UsageDimension, span: Span, most: int) -> list[Share]:
        """The largest shares first; equal ones by their key."""
        query = text(_BREAKDOWNS[dimension])
        found = (await self._connection.execute(query, self._asked(span) | {"most": most})).mappings()
        return [Share(_key(row["of"]), row["name"], _tally(row)) for row in found]

    def _asked(self, span: Span) -> dict[str, object]:
        return {"tenant": self._tenant, "since": span.since, "until": span.until}


def _key(value: object) -> str | None:
    return value.hex if isinstance(value, UUID) else None if value is None else str(value)


def _tally(row: rows.Row) -> Tally:
    names = ("executions", "succeeded", "failed", "unknown", "refused", "p50_ms", "p95_ms")
    return Tally(**{name: row[name] for name in names})
