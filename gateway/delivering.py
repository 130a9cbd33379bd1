"""Delivering history to webhooks: nothing is left out, and each hears of things in the order they happened.

A webhook has a place in history, kept in its row. Whoever claims it delivers what follows and moves the place on: after
a crash the last second's messages may be sent again, under the same ids, but none is passed over. What is not accepted
is tried again, and what follows waits behind it; after three days it is given up, and the webhook stopped.
"""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import structlog

from adapters._kit.egress import Egress
from adapters._kit.http import Caps, Excerpt, HttpTransport, Outgoing, Timeouts, Transport, Unanswered
from db.across import Across
from db.store import Stores
from db.webhooks import Attempt
from domain.errors import CredentialUnreadable, DependencyDown
from domain.history import Event, Interest, Occurrence
from domain.ids import Kind, public_id
from domain.secrets import Secret
from domain.webhooks import Webhook, WebhookStatus, message_of, signatures, wait_after
from vault.credentials import CredentialVault

log = structlog.get_logger("gateway")

ROUND_SECONDS = 0.5
_AT_ONCE = 64
_PAGE = 100
#: The claim outlives the longest attempt, and is renewed after each second's worth of messages.
_CLAIM_SECONDS = 60.0
_ATTEMPT_SECONDS = 15.0
_KEEP_EVERY_SECONDS = 1.0
_DRAIN_SECONDS = 5.0
#: What an endpoint says beyond its status is not used: this much is taken, so that the connection can be used again.
_ANSWER = Excerpt(seconds=2.0, size=4096)
_GONE = 410
_UNREADABLE = "Its secret cannot be opened. Rotate it, then switch the webhook on again."


def transport_to_webhooks(egress: Egress, version: str) -> HttpTransport:
    """A way out of its own for messages."""
    timeouts = Timeouts(connect=5.0, silence=10.0, total=_ATTEMPT_SECONDS)
    return HttpTransport(egress, version=version, timeouts=timeouts, caps=Caps(connections=256, connections_per_host=8))


class Courier:
    """Runs until cancelled."""

    def __init__(self, across: Across, stores: Stores, vault: CredentialVault, transport: Transport) -> None:
        self._across = across
        self._stores = stores
        self._vault = vault
        self._transport = transport
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def run(self) -> None:
        """Round after round; a webhook that is slow keeps no other one waiting."""
        while True:
            try:
                await self.round()
            except DependencyDown:
                pass
            except Exception as error:  # one bad round must not be the last one
                log.error("delivering_failed", exc_info=error)
            await asyncio.sleep(ROUND_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # spread, not secrecy

    async def round(self) -> None:
        """Take up what waits, as far as there are hands."""
        free = _AT_ONCE - len(self._under_way)
        if free <= 0 or self._is_closing:
            return
        claim = uuid4()
        for tenant, webhook_id in await self._across.due_webhooks(claim, free, _CLAIM_SECONDS):
            task = asyncio.create_task(self._serve(tenant, webhook_id, claim))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """What is on its way is finished and noted; what follows is left to another process."""
        self._is_closing = True
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_DRAIN_SECONDS)
            for each in late:
                each.cancel()

    async def _serve(self, tenant: str, webhook_id: UUID, claim: UUID) -> None:
        try:
            while await self._deliver_page(tenant, webhook_id, claim):
                pass
        except DependencyDown:
            pass  # the claim passes, and somebody takes it up again
        except Exception as error:  # noqa: BLE001 - one webhook must not end the others
            log.error("delivering_failed", webhook=webhook_id.hex, kind=type(error).__name__)

    async def _deliver_page(self, tenant: str, webhook_id: UUID, claim: UUID) -> bool:
        """The next messages, in order. Whether there is more, and it is still ours."""
        async with self._stores.of(tenant) as store:
            webhook = await store.webhooks.claimed(webhook_id, claim)
            if webhook is None:
                return False
            sealed = await store.webhooks.secrets(webhook_id)
            head = await store.history.head()
            events = await store.history.after(webhook.position, _PAGE, Interest(types=webhook.types))
        try:
            secrets = [await self._vault.open_webhook_secret(tenant, webhook_id, each) for each in sealed]
        except CredentialUnreadable:
            secrets = []
        if not secrets:
            await self._stop(tenant, webhook, claim)
            return False
        round_trip = _Trip(self._stores, tenant, webhook, claim)
        for event in events:
            if self._is_closing:
                await round_trip.keep(0)
                return False
            attempt = await self._attempt(webhook, secrets, event, is_first=round_trip.last is None)
            if attempt is not None:
                await round_trip.keep(_CLAIM_SECONDS)
                await self._failed(tenant, webhook, claim, event, attempt)
                return False
            if not await round_trip.went(event):
                return False
        if len(events) == _PAGE:
            return await round_trip.keep(_CLAIM_SECONDS)
        await round_trip.keep(0, max(head, webhook.position, events[-1].position if events else 0))
        return False

    async def _attempt(
        self, webhook: Webhook, secrets: Sequence[Secret], event: Event, *, is_first: bool
    ) -> Attempt | None:
        """Send one message; None when it was accepted."""
        now = datetime.now(UTC)
        status, said = await self._send(webhook.url, secrets, event, now)
        if said is None:
            return None
        since = (webhook.failing_since if is_first else None) or now
        wait = None if status == _GONE else wait_after((webhook.attempts if is_first else 0) + 1, since, now)
        return Attempt(status, said, None if wait is None else now + wait)

    async def _send(
        self, url: str, secrets: Sequence[Secret], event: Event, now: datetime
    ) -> tuple[int | None, str | None]:
        """The status that was answered, and what is wrong with that in a few words of ours."""
        id, body = public_id(Kind.EVENT, event.id), json.dumps(message_of(event), ensure_ascii=False).encode()
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signatures(secrets, id, now, body),
        }
        try:
            answer = await self._transport.send(Outgoing("POST", url, headers, body, _ANSWER))
        except Unanswered as fault:
            return None, f"No answer: {fault.code.replace('_', ' ')}."
        if 200 <= answer.status < 300:
            return answer.status, None
        if answer.status == _GONE:
            return answer.status, "It answered 410: nothing is to be delivered there any more."
        return answer.status, f"It answered {answer.status}; a message is accepted by an answer from 200 to 299."

    async def _failed(self, tenant: str, webhook: Webhook, claim: UUID, event: Event, attempt: Attempt) -> None:
        async with self._stores.of(tenant) as store:
            is_ours = await store.webhooks.fail(webhook.id, claim, event, attempt)
            if is_ours and attempt.retry_at is None:
                store.history.note(_stopped(webhook, attempt.error))

    async def _stop(self, tenant: str, webhook: Webhook, claim: UUID) -> None:
        async with self._stores.of(tenant) as store:
            if await store.webhooks.stop(webhook.id, claim, _UNREADABLE):
                store.history.note(_stopped(webhook, _UNREADABLE))


class _Trip:
    """One page's way: how far it has come, and how much of that is noted."""

    def __init__(self, stores: Stores, tenant: str, webhook: Webhook, claim: UUID) -> None:
        self._stores = stores
        self._tenant = tenant
        self._webhook = webhook
        self._claim = claim
        self._has_recovered = webhook.failing_since is not None
        self._noted = webhook.position
        self._noted_at = time.monotonic()
        self.last: Event | None = None

    async def went(self, event: Event) -> bool:
        """One more was accepted. False when the webhook is not ours any more."""
        self.last = event
        if self._has_recovered or time.monotonic() - self._noted_at >= _KEEP_EVERY_SECONDS:
            return await self.keep(_CLAIM_SECONDS)
        return True

    async def keep(self, seconds: float, position: int | None = None) -> bool:
        """Note it. False when the webhook is not ours any more."""
        reached = self.last.position if self.last else self._webhook.position
        place = reached if position is None else position
        went = range(self._noted + 1, reached + 1) if reached > self._noted else None
        async with self._stores.of(self._tenant) as store:
            is_ours = await store.webhooks.advance(
                self._webhook.id,
                self._claim,
                place,
                went,
                seconds,
                has_recovered=self._has_recovered and went is not None,
            )
        self._noted, self._noted_at = reached, time.monotonic()
        self._has_recovered = self._has_recovered and went is None
        return is_ours


def _stopped(webhook: Webhook, reason: str) -> Occurrence:
    return Occurrence(
        type="webhook.stopped",
        actor="system",
        webhook_id=webhook.id,
        status=WebhookStatus.STOPPED.value,
        reason=reason,
    )
