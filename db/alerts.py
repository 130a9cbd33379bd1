"""Alerts, what they come from, and how far a tenant's history has been looked through for them.

Most causes can be read off the rows as they are: then an alert cannot be missed, however long nobody looked. What only
an event tells (that permissions changed) is read from history, after a position that is kept with what was made of it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.paging import newest_first
from db.rows import Row
from db.tables import alert_watches, alerts, connections
from domain.alerts import Alert, AlertKind, AlertStatus, Cause
from domain.ids import new_id
from domain.pages import Page

#: From when until when each thing is a cause for an alert. A key that ends as planned, since another one has taken its
#: place, is none; nor is what was never meant to live as long as the warning.
_CANDIDATES = """
WITH candidate AS (
    SELECT 'CONNECTION_' || c.status AS kind, 'connection/' || c.id || '/' || c.status AS name, c.id AS connection_id,
           NULL::uuid AS agent_id, NULL::uuid AS webhook_id, c.integration,
           coalesce(c.label, c.account_label, '') AS subject, c.last_error AS detail,
           NULL::timestamptz AS moment, '-infinity'::timestamptz AS from_at, 'infinity'::timestamptz AS until_at
    FROM connections c WHERE c.tenant = :tenant AND c.status IN ('EXPIRED', 'DEGRADED')
    UNION ALL
    SELECT 'ROTATION_DUE', 'connection/' || c.id || '/rotation', c.id, NULL, NULL, c.integration,
           coalesce(c.label, c.account_label, ''), NULL, c.rotation_due_at, c.rotation_due_at, 'infinity'
    FROM connections c
    WHERE c.tenant = :tenant AND c.status IN ('ACTIVE', 'DEGRADED') AND c.rotation_due_at IS NOT NULL
    UNION ALL
    SELECT 'CONNECTION_UNUSED', 'connection/' || c.id || '/unused', c.id, NULL, NULL, c.integration,
           coalesce(c.label, c.account_label, ''), NULL, greatest(c.last_used_at, c.connected_at, c.created_at),
           greatest(c.last_used_at, c.connected_at, c.created_at) + interval '90 days', 'infinity'
    FROM connections c WHERE c.tenant = :tenant AND c.status IN ('ACTIVE', 'DEGRADED')
    UNION ALL
    SELECT 'AGENT_KEY_EXPIRING', 'key/' || t.id || '/' || w.word, NULL, t.agent_id, NULL, NULL, a.name, t.prefix,
           t.expires_at, t.expires_at - w.ahead, t.expires_at + w.until
    FROM agent_tokens t
    JOIN agents a ON a.tenant = t.tenant AND a.id = t.agent_id
    CROSS JOIN (VALUES ('14d', interval '14 days', interval '-1 day'), ('1d', interval '1 day', interval '7 days'))
        AS w (word, ahead, until)
    WHERE t.tenant = :tenant AND t.revoked_at IS NULL AND t.expires_at > now() - interval '7 days'
      AND t.expires_at - t.created_at > w.ahead
      AND NOT EXISTS (
          SELECT FROM agent_tokens n
          WHERE n.tenant = t.tenant AND n.agent_id = t.agent_id AND n.id > t.id AND n.revoked_at IS NULL
            AND (n.expires_at IS NULL OR n.expires_at > t.expires_at)
      )
    UNION ALL
    SELECT 'WEBHOOK_FAILING', 'webhook/' || h.id || '/failing', NULL, NULL, h.id, NULL,
           substring(h.url from '^[^:]+://([^/?#]+)'), h.last_error, h.failing_since,
           h.failing_since + interval '1 hour', 'infinity'
    FROM webhooks h WHERE h.tenant = :tenant AND h.status = 'ACTIVE' AND h.failing_since IS NOT NULL
    UNION ALL
    SELECT 'WEBHOOK_STOPPED', 'webhook/' || h.id || '/stopped', NULL, NULL, h.id, NULL,
           substring(h.url from '^[^:]+://([^/?#]+)'), h.last_error, NULL, '-infinity', 'infinity'
    FROM webhooks h WHERE h.tenant = :tenant AND h.status = 'STOPPED'
)
"""
_CAUSES = text(f"{_CANDIDATES} SELECT * FROM candidate WHERE from_at <= now() AND until_at > now()")  # noqa: S608
_NEXT = text(
    f"{_CANDIDATES} SELECT least(min(from_at) FILTER (WHERE from_at > now()),"  # noqa: S608 - no word of a caller
    " min(until_at) FILTER (WHERE until_at > now() AND until_at < 'infinity')) FROM candidate"
)


class Alerts:
    """The tenant's alerts."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Alert]:
        """Those of the ids that exist."""
        query = select(alerts).where(alerts.c.tenant == self._tenant, alerts.c.id.in_(ids))
        return {row["id"]: _alert(row) for row in (await self._connection.execute(query)).mappings()}

    async def page(
        self, first: int, after: UUID | None, status: AlertStatus | None, kinds: Sequence[AlertKind] | None
    ) -> Page[Alert]:
        """Newest first."""
        where = [alerts.c.tenant == self._tenant]
        if status is AlertStatus.CLOSED:
            where.append(alerts.c.closed_at.is_not(None))
        elif status is not None:
            is_seen = alerts.c.acknowledged_at.is_not(None)
            where += [alerts.c.closed_at.is_(None), is_seen if status is AlertStatus.ACKNOWLEDGED else ~is_seen]
        if kinds is not None:
            where.append(alerts.c.kind.in_([each.value for each in kinds]))
        return await newest_first(self._connection, alerts, where, _alert, first=first, after=after)

    async def acknowledge(self, id: UUID, actor: str) -> Alert | None:
        """Somebody has seen it. None when there was nothing to change."""
        query = (
            update(alerts)
            .where(
                alerts.c.tenant == self._tenant,
                alerts.c.id == id,
                alerts.c.acknowledged_at.is_(None),
                alerts.c.closed_at.is_(None),
            )
            .values(acknowledged_at=func.now(), acknowledged_by=actor)
            .returning(alerts)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return _alert(row) if row else None

    async def raised(self, cause: Cause, message: str, what_to_do: str) -> Alert | None:
        """A new alert; None when there is an open one for this cause."""
        values = {
            "tenant": self._tenant,
            "id": new_id(),
            "kind": cause.kind.value,
            "cause": cause.name,
            "message": message,
            "what_to_do": what_to_do,
            "connection_id": cause.connection_id,
            "agent_id": cause.agent_id,
            "webhook_id": cause.webhook_id,
            "integration": cause.integration,
        }
        query = upsert(alerts).values(**values).on_conflict_do_nothing().returning(alerts)
        row = (await self._connection.execute(query)).mappings().first()
        return _alert(row) if row else None

    async def close(self, id: UUID) -> Alert | None:
        """Its cause is gone. None when it was closed already."""
        query = (
            update(alerts)
            .where(alerts.c.tenant == self._tenant, alerts.c.id == id, alerts.c.closed_at.is_(None))
            .values(closed_at=func.now())
            .returning(alerts)
        )
        row = (await self._connection.execute(query)).mappings().first()
        return _alert(row) if row else None

    # -------------------------------------------------------------------------------------------- watching

    async def lock(self) -> bool:
        """Whether this transaction may look; until it ends, no other one of this tenant does."""
        name = func.hashtextextended(f"mandate.alerts.{self._tenant}", 0)
        return bool((await self._connection.execute(select(func.pg_try_advisory_xact_lock(name)))).scalar_one())

    async def watched(self) -> tuple[int, bool]:
        """How far history was looked through, and whether time alone may have brought something about.

        Nobody asks for an earlier look until this one is done, so that no such wish is overwritten.
        """
        query = select(alert_watches.c.position, (alert_watches.c.next_look_at <= func.now()).label("is_time"))
        query = query.where(alert_watches.c.tenant == self._tenant).with_for_update()
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            begun = upsert(alert_watches).values(tenant=self._tenant, position=0, next_look_at=func.now())
            await self._connection.execute(begun.on_conflict_do_nothing())
            row = (await self._connection.execute(query)).mappings().one()
        return row["position"], row["is_time"]

    async def mark(self, position: int, next_look_at: datetime | None) -> None:
        """Looked through up to there. Without a time, the one that is known stays."""
        values: dict[str, object] = {"position": position}
        first = {"tenant": self._tenant, "next_look_at": next_look_at or func.now()}
        if next_look_at is not None:
            values["next_look_at"] = next_look_at
        note = upsert(alert_watches).values(**first, position=position)
        await self._connection.execute(note.on_conflict_do_update(index_elements=[alert_watches.c.tenant], set_=values))

    async def open(self) -> list[Alert]:
        """Those that are not closed."""
        query = select(alerts).where(alerts.c.tenant == self._tenant, alerts.c.closed_at.is_(None))
        return [_alert(row) for row in (await self._connection.execute(query)).mappings()]

    async def causes(self) -> list[Cause]:
        """What there is a cause for now, by the rows."""
        found = await self._connection.execute(_CAUSES, {"tenant": self._tenant})
        return [_cause(row) for row in found.mappings()]

    async def next_moment(self) -> datetime | None:
        """When time alone brings about, or ends, the next cause."""
        found: datetime | None = (await self._connection.execute(_NEXT, {"tenant": self._tenant})).scalar()
        return found

    async def permissions_cause(self, connection_id: UUID, detail: str | None) -> Cause | None:
        """That the permissions of a connection, which is in use, changed."""
        subject = func.coalesce(connections.c.label, connections.c.account_label, "").label("subject")
        query = select(connections.c.integration, subject).where(
            connections.c.tenant == self._tenant,
            connections.c.id == connection_id,
            connections.c.status.in_(["ACTIVE", "DEGRADED"]),
        )
        row = (await self._connection.execute(query)).mappings().first()
        if row is None:
            return None
        return Cause(
            kind=AlertKind.PERMISSIONS_CHANGED,
            name=permissions_of(connection_id),
            connection_id=connection_id,
            integration=row["integration"],
            subject=row["subject"],
            detail=detail,
        )


def permissions_of(connection_id: UUID) -> str:
    """The name of the cause."""
    return f"connection/{connection_id}/permissions"


def _alert(row: Row) -> Alert:
    return Alert(
        id=row["id"],
        kind=AlertKind(row["kind"]),
        cause=row["cause"],
        message=row["message"],
        what_to_do=row["what_to_do"],
        connection_id=row["connection_id"],
        agent_id=row["agent_id"],
        webhook_id=row["webhook_id"],
        integration=row["integration"],
        raised_at=row["raised_at"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        closed_at=row["closed_at"],
    )


def _cause(row: Row) -> Cause:
    return Cause(
        kind=AlertKind(row["kind"]),
        name=row["name"],
        connection_id=row["connection_id"],
        agent_id=row["agent_id"],
        webhook_id=row["webhook_id"],
        integration=row["integration"],
        subject=row["subject"] or "",
        detail=row["detail"],
        moment=row["moment"],
    )
