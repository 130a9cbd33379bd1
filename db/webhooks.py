"""Webhooks: where they go, what signs them, how far each has come, and what was not accepted at once.

Who delivers holds a *claim*, handed out by `Across.due_webhooks`. Every step of a delivery names it and does nothing
once somebody else has it, or a person has changed the webhook meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.paging import newest_first
from db.rows import Row
from db.tables import alert_watches, tenant_keys, webhook_deliveries, webhook_secrets, webhooks
from domain.history import Event
from domain.ids import new_id
from domain.pages import Page
from domain.sealed import Sealed, WrappedKey
from domain.webhooks import Delivery, DeliveryStatus, Webhook, WebhookStatus

#: A webhook that has failed for so long is something to say.
LONG = timedelta(hours=1)
_GOES_ON = {
    "claim": None,
    "claimed_until": None,
    "attempts": 0,
    "retry_at": None,
    "failing_since": None,
    "last_error": None,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that failed: what was answered, and when the next one is; `retry_at` is None when it is given up."""

    response_status: int | None
    error: str
    retry_at: datetime | None


class Webhooks:
    """The tenant's webhooks."""

    def __init__(self, connection: AsyncConnection, tenant: str) -> None:
        self._connection = connection
        self._tenant = tenant

    async def get(self, id: UUID) -> Webhook | None:
        """One that was not deleted."""
        return await self._one(webhooks.c.id == id, webhooks.c.status != WebhookStatus.DELETED.value)

    async def locked(self, id: UUID) -> Webhook | None:
        """Likewise, and nobody changes it until the transaction ends."""
        query = select(webhooks).where(self._is(id), webhooks.c.status != WebhookStatus.DELETED.value)
        row = (await self._connection.execute(query.with_for_update(key_share=True))).mappings().first()
        return _webhook(row) if row else None

    async def claimed(self, id: UUID, claim: UUID) -> Webhook | None:
        """The one that is ours to deliver; None when it is not, any more."""
        return await self._one(webhooks.c.id == id, webhooks.c.claim == claim)

    async def page(self, first: int, after: UUID | None) -> Page[Webhook]:
        """Newest first."""
        where = [webhooks.c.tenant == self._tenant, webhooks.c.status != WebhookStatus.DELETED.value]
        return await newest_first(self._connection, webhooks, where, _webhook, first=first, after=after)

    async def count(self) -> int:
        """How many there are. Who asks is the only one to add one until the transaction ends."""
        name = func.hashtextextended(f"mandate.webhooks.{self._tenant}", 0)
        await self._connection.execute(select(func.pg_advisory_xact_lock(name)))
        where = (webhooks.c.tenant == self._tenant, webhooks.c.status != WebhookStatus.DELETED.value)
        query = select(func.count()).select_from(webhooks).where(*where)
        return (await self._connection.execute(query)).scalar_one()

    async def add(
        self, id: UUID, url: str, description: str | None, types: Sequence[str] | None, position: int
    ) -> Webhook:
        """A new one, told of what comes after the position."""
        query = insert(webhooks).values(
            tenant=self._tenant,
            id=id,
            url=url,
            description=description,
            types=None if types is None else list(types),
            status=WebhookStatus.ACTIVE.value,
            position=position,
        )
        return _webhook((await self._connection.execute(query.returning(webhooks))).mappings().one())

    async def change(self, id: UUID, values: Mapping[str, object]) -> Webhook:
        """Change it; whoever delivers to it lets go, and what waits is tried at once."""
        return await self._change(id, {**_GOES_ON, **values})

    async def replay(self, id: UUID, position: int) -> Webhook:
        """Go on after this position, wherever it stood."""
        return await self._change(id, {**_GOES_ON, "position": position})

    async def delete(self, id: UUID) -> Webhook:
        """Nothing goes there any more; its secrets are destroyed and its address, which may hold one, is forgotten."""
        await self._connection.execute(delete(webhook_secrets).where(self._of(id)))
        return await self._change(id, {**_GOES_ON, "status": WebhookStatus.DELETED.value, "url": ""})

    # --------------------------------------------------------------------------------------------- secrets

    async def add_secret(self, id: UUID, secret: Sealed, grace: timedelta = timedelta()) -> None:
        """What signs from now on. Those before go on signing beside it for a while, not past their own end."""
        ends = func.now() + grace
        before = and_(self._of(id), or_(webhook_secrets.c.ends_at.is_(None), webhook_secrets.c.ends_at > ends))
        await self._connection.execute(update(webhook_secrets).where(before).values(ends_at=ends))
        over = and_(self._of(id), webhook_secrets.c.ends_at <= func.now())
        await self._connection.execute(delete(webhook_secrets).where(over))
        values = {"version": secret.version, "key_id": secret.key.id, "sealed": secret.ciphertext}
        await self._connection.execute(insert(webhook_secrets).values(tenant=self._tenant, webhook_id=id, **values))
        await self._connection.execute(update(webhooks).where(self._is(id)).values(secret_version=secret.version))

    async def secrets(self, id: UUID) -> list[Sealed]:
        """What signs now, the newest first."""
        is_in_force = or_(webhook_secrets.c.ends_at.is_(None), webhook_secrets.c.ends_at > func.now())
        found = await self._sealed(self._of(id), is_in_force)
        return [sealed for _, sealed in found]

    async def secrets_not_under(self, key: WrappedKey) -> list[tuple[UUID, Sealed]]:
        """Those that another key seals, with their webhooks."""
        return await self._sealed(webhook_secrets.c.key_id != key.id)

    async def put_secret_under(self, id: UUID, after: Sealed) -> None:
        """The same version of the same secret under another key."""
        query = update(webhook_secrets).where(self._of(id), webhook_secrets.c.version == after.version)
        await self._connection.execute(query.values(key_id=after.key.id, sealed=after.ciphertext))

    async def _sealed(self, *where: ColumnElement[bool]) -> list[tuple[UUID, Sealed]]:
        on = and_(tenant_keys.c.tenant == webhook_secrets.c.tenant, tenant_keys.c.id == webhook_secrets.c.key_id)
        query = (
            select(webhook_secrets, tenant_keys.c.master_key, tenant_keys.c.wrapped)
            .join(tenant_keys, on)
            .where(webhook_secrets.c.tenant == self._tenant, *where)
            .order_by(webhook_secrets.c.version.desc())
        )
        return [
            (
                row["webhook_id"],
                Sealed(WrappedKey(row["key_id"], row["master_key"], row["wrapped"]), row["version"], row["sealed"]),
            )
            for row in (await self._connection.execute(query)).mappings()
        ]

    # ------------------------------------------------------------------------------------------ delivering

    async def advance(
        self,
        id: UUID,
        claim: UUID,
        position: int,
        delivered: range | None,
        seconds: float,
        *,
        has_recovered: bool = False,
    ) -> bool:
        """Everything up to the position is done with, and what went out lies in `delivered`. False: not ours.

        The claim holds for so many seconds more; with 0 it is given back.
        """
        values: dict[str, object] = {
            "position": position,
            "claimed_until": func.now() + timedelta(seconds=seconds),
            "claim": claim if seconds else None,
        }
        if delivered is not None:
            values |= {"last_delivered_at": func.now(), "attempts": 0, "retry_at": None}
            values |= {"failing_since": None, "last_error": None}
        done = await self._step(id, claim, values)
        if done and delivered is not None:
            await self._delivered(id, delivered)
        if done and has_recovered:
            await self._look_by(timedelta())
        return done

    async def fail(self, id: UUID, claim: UUID, event: Event, attempt: Attempt) -> bool:
        """It was not accepted; what follows waits behind it, or, when it is given up, for a person. False: not ours."""
        is_over = attempt.retry_at is None
        values: dict[str, object] = {
            "claim": None,
            "claimed_until": func.now(),
            "position": event.position if is_over else event.position - 1,
            "attempts": 0 if is_over else webhooks.c.attempts + 1,
            "failing_since": func.coalesce(webhooks.c.failing_since, func.now()),
            "retry_at": attempt.retry_at,
            "last_error": attempt.error,
        }
        if is_over:
            values["status"] = WebhookStatus.STOPPED.value
        if not await self._step(id, claim, values):
            return False
        status = DeliveryStatus.DEAD if is_over else DeliveryStatus.RETRYING
        news: dict[str, object] = {
            "status": status.value,
            "response_status": attempt.response_status,
            "error": attempt.error,
            "last_attempt_at": func.now(),
            "retry_at": attempt.retry_at,
        }
        row = {"tenant": self._tenant, "id": new_id(), "webhook_id": id, "event_id": event.id, "attempts": 1}
        note = upsert(webhook_deliveries).values(**row, position=event.position, type=event.type, **news)
        note = note.on_conflict_do_update(
            index_elements=["tenant", "webhook_id", "event_id"],
            set_={**news, "attempts": webhook_deliveries.c.attempts + 1},
        )
        await self._connection.execute(note)
        await self._look_by(LONG)
        return True

    async def stop(self, id: UUID, claim: UUID, error: str) -> bool:
        """Nothing more goes there until a person switches it on. False: not ours."""
        values: dict[str, object] = {
            "claim": None,
            "claimed_until": None,
            "last_error": error,
            "status": WebhookStatus.STOPPED.value,
        }
        return await self._step(id, claim, values)

    async def deliveries(
        self, first: int, after: UUID | None, webhook_id: UUID | None, status: DeliveryStatus | None
    ) -> Page[Delivery]:
        """Newest first."""
        where = [webhook_deliveries.c.tenant == self._tenant]
        if webhook_id is not None:
            where.append(webhook_deliveries.c.webhook_id == webhook_id)
        if status is not None:
            where.append(webhook_deliveries.c.status == status.value)
        return await newest_first(
            self._connection, webhook_deliveries, where, _delivery, first=first, after=after, is_counted=False
        )

    async def _delivered(self, id: UUID, positions: range) -> None:
        """What had been refused before, or given up and replayed, has gone out."""
        query = update(webhook_deliveries).where(
            webhook_deliveries.c.tenant == self._tenant,
            webhook_deliveries.c.webhook_id == id,
            webhook_deliveries.c.position.between(positions.start, positions.stop - 1),
            webhook_deliveries.c.status != DeliveryStatus.DELIVERED.value,
        )
        values: dict[str, object] = {
            "status": DeliveryStatus.DELIVERED.value,
            "retry_at": None,
            "last_attempt_at": func.now(),
        }
        values |= {"attempts": webhook_deliveries.c.attempts + 1, "error": None, "response_status": None}
        await self._connection.execute(query.values(**values))

    async def _look_by(self, wait: timedelta) -> None:
        """How a webhook fares is no line of history, so whoever looks for alerts is asked to look by then."""
        sooner = func.least(alert_watches.c.next_look_at, func.now() + wait)
        wish = upsert(alert_watches).values(tenant=self._tenant, position=0, next_look_at=func.now())
        wish = wish.on_conflict_do_update(index_elements=[alert_watches.c.tenant], set_={"next_look_at": sooner})
        await self._connection.execute(wish)

    async def _step(self, id: UUID, claim: UUID, values: Mapping[str, object]) -> bool:
        where = (self._is(id), webhooks.c.claim == claim, webhooks.c.status == WebhookStatus.ACTIVE.value)
        return (await self._connection.execute(update(webhooks).where(*where).values(**values))).rowcount == 1

    async def _change(self, id: UUID, values: Mapping[str, object]) -> Webhook:
        query = update(webhooks).where(self._is(id)).values(**values).returning(webhooks)
        return _webhook((await self._connection.execute(query)).mappings().one())

    async def _one(self, *where: ColumnElement[bool]) -> Webhook | None:
        query = select(webhooks).where(webhooks.c.tenant == self._tenant, *where)
        row = (await self._connection.execute(query)).mappings().first()
        return _webhook(row) if row else None

    def _is(self, id: UUID) -> ColumnElement[bool]:
        return and_(webhooks.c.tenant == self._tenant, webhooks.c.id == id)

    def _of(self, id: UUID) -> ColumnElement[bool]:
        return and_(webhook_secrets.c.tenant == self._tenant, webhook_secrets.c.webhook_id == id)


def _webhook(row: Row) -> Webhook:
    types = row["types"]
    return Webhook(
        id=row["id"],
        url=row["url"],
        description=row["description"],
        types=None if types is None else tuple(types),
        status=WebhookStatus(row["status"]),
        position=row["position"],
        created_at=row["created_at"],
        last_delivered_at=row["last_delivered_at"],
        failing_since=row["failing_since"],
        attempts=row["attempts"],
        retry_at=row["retry_at"],
        last_error=row["last_error"],
        secret_version=row["secret_version"],
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        webhook_id=row["webhook_id"],
        event_id=row["event_id"],
        position=row["position"],
        type=row["type"],
        status=DeliveryStatus(row["status"]),
        attempts=row["attempts"],
        response_status=row["response_status"],
        error=row["error"],
        first_attempt_at=row["first_attempt_at"],
        last_attempt_at=row["last_attempt_at"],
        retry_at=row["retry_at"],
    )
