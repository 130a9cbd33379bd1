"""What receipts are made of: the execution, its account, its question to a person, and its places in history."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.receipts import ReceiptFacts

_FACTS = text("""
SELECT e.tenant, e.id AS execution_id, e.actor, e.agent_id, e.grant_id, e.connection_id, c.account_id, c.is_sandbox,
       e.integration, e.action, e.action_digest, e.parameters_hash,
       a.id AS approval_id, a.status AS approval_status, a.plan_hash, a.decided_by, a.decided_at,
       e.status, e.error ->> 'code' AS error, e.attempt AS attempts,
       e.created_at, e.started_at, e.finished_at, e.duration_ms, told.begun, told.ended
FROM executions e
JOIN connections c ON c.tenant = e.tenant AND c.id = e.connection_id
LEFT JOIN approvals a ON a.tenant = e.tenant AND a.execution_id = e.id
CROSS JOIN LATERAL (
    -- Where it first stood as it stands now: looking at an UNKNOWN one again does not end it again.
    SELECT min(h.position) AS begun,
           min(h.position) FILTER (WHERE h.type LIKE 'execution.%' AND h.status = e.status) AS ended
    FROM history h WHERE h.tenant = e.tenant AND h.execution_id = e.id
) told
WHERE e.tenant = :tenant AND e.id = ANY (:ids)
  AND e.status IN ('SUCCEEDED', 'FAILED', 'UNKNOWN', 'CANCELLED', 'EXPIRED') AND told.ended IS NOT NULL
""")


class Receipts:
    """Of the tenant's finished executions."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, ReceiptFacts]:
        """Those of the ids that have ended; one statement."""
        asked = {"tenant": self._tenant, "ids": list(ids)}
        found = (await self._connection.execute(_FACTS, asked)).mappings()
        return {row["execution_id"]: ReceiptFacts(**row) for row in found}
