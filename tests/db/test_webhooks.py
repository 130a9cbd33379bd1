"""Claims on webhooks, and what nobody can do who has lost one; and one open alert for one cause, whoever looks."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from db.across import Across
from db.webhooks import Attempt
from domain.alerts import AlertKind, Cause
from domain.history import Interest, Occurrence
from domain.ids import new_id
from domain.sealed import Sealed
from domain.webhooks import DeliveryStatus, Webhook, WebhookStatus
from tests.db.ground import Ground, Party

FAILED = Attempt(500, "It answered 500.", None)


@pytest.fixture
async def hook(ground: Ground, party: Party) -> Webhook:
    """One with three events to deliver."""
    async with ground.stores.of(party.tenant) as store:
        made = await store.webhooks.add(new_id(), "https://example.com/hook", None, None, 0)
        for _ in range(3):
            store.history.note(Occurrence(type="x.y", actor="system"))
    return made


async def _claimed(ground: Ground, hook: Webhook) -> UUID | None:
    """A claim on it; None when somebody else has one. What else is due on this ground is claimed along."""
    claim = new_id()
    found = await Across(ground.database.pool).due_webhooks(claim, 1_000, 60)
    return claim if hook.id in {id for _, id in found} else None


async def test_a_webhook_is_handed_to_one_asker_at_a_time(ground: Ground, party: Party, hook: Webhook) -> None:
    claims = await asyncio.gather(*(_claimed(ground, hook) for _ in range(5)))
    [claim] = [each for each in claims if each is not None]
    assert await _claimed(ground, hook) is None
    async with ground.stores.of(party.tenant) as store:
        assert await store.webhooks.advance(hook.id, claim, 1, None, 0)
    assert await _claimed(ground, hook), "given back, with something left to do"


async def test_what_is_done_with_is_due_no_more(ground: Ground, party: Party, hook: Webhook) -> None:
    claim = await _claimed(ground, hook)
    assert claim
    async with ground.stores.of(party.tenant) as store:
        assert await store.webhooks.advance(hook.id, claim, await store.history.head(), range(1, 4), 0)
    assert await _claimed(ground, hook) is None


@pytest.mark.parametrize("change", ["replay", "pause", "delete"])
async def test_who_was_delivering_when_a_person_changed_it_does_nothing_more(
    ground: Ground, party: Party, hook: Webhook, change: str
) -> None:
    claim = await _claimed(ground, hook)
    assert claim
    async with ground.stores.of(party.tenant) as store:
        if change == "replay":
            await store.webhooks.replay(hook.id, 0)
        elif change == "pause":
            await store.webhooks.change(hook.id, {"status": WebhookStatus.PAUSED.value})
        else:
            await store.webhooks.delete(hook.id)
        [first, *_] = await store.history.after(0, 1, Interest())
        assert not await store.webhooks.advance(hook.id, claim, 3, range(1, 4), 60)
        assert not await store.webhooks.fail(hook.id, claim, first, FAILED)
        assert not await store.webhooks.stop(hook.id, claim, "no")
        assert await store.webhooks.claimed(hook.id, claim) is None
        page = await store.webhooks.deliveries(10, None, hook.id, None)
    assert page.items == []


async def test_what_is_given_up_is_dead_and_stops_the_webhook_behind_it(
    ground: Ground, party: Party, hook: Webhook
) -> None:
    claim = await _claimed(ground, hook)
    assert claim
    async with ground.stores.of(party.tenant) as store:
        [first, *_] = await store.history.after(0, 1, Interest())
        assert await store.webhooks.fail(hook.id, claim, first, FAILED)
        [dead] = (await store.webhooks.deliveries(10, None, None, DeliveryStatus.DEAD)).items
        now = await store.webhooks.get(hook.id)
    assert (dead.event_id, dead.attempts) == (first.id, 1)
    assert now is not None
    assert (now.status, now.position) == (WebhookStatus.STOPPED, first.position)
    assert await _claimed(ground, hook) is None


async def test_secrets_end_when_their_time_of_grace_does(ground: Ground, party: Party, hook: Webhook) -> None:
    async with ground.stores.of(party.tenant) as store:
        key = await store.keys.newest()
        assert key is not None
        await store.webhooks.add_secret(hook.id, Sealed(key, 1, b"one"))
        await store.webhooks.add_secret(hook.id, Sealed(key, 2, b"two"), timedelta(hours=1))
        assert [each.version for each in await store.webhooks.secrets(hook.id)] == [2, 1]
        await store.webhooks.add_secret(hook.id, Sealed(key, 3, b"three"))
        assert [each.version for each in await store.webhooks.secrets(hook.id)] == [3]
    async with ground.as_owner() as owner:
        kept = await owner.fetchval("SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1", hook.id)
    assert kept == 1, "what signs no more is destroyed"


async def test_however_many_look_there_is_one_open_alert_for_a_cause(ground: Ground, party: Party) -> None:
    cause = Cause(kind=AlertKind.ROTATION_DUE, name="the same", connection_id=party.connection.id)

    async def raised() -> bool:
        async with ground.stores.of(party.tenant) as store:
            return await store.alerts.raised(cause, "It is old.", "Replace it.") is not None

    assert sum(await asyncio.gather(*(raised() for _ in range(8)))) == 1
    async with ground.stores.of(party.tenant) as store:
        [only] = await store.alerts.open()
        assert await store.alerts.close(only.id)
        assert await store.alerts.close(only.id) is None
    assert await raised(), "closed, and there again"


async def test_one_process_looks_at_a_time(ground: Ground, party: Party) -> None:
    async with ground.stores.of(party.tenant) as one, ground.stores.of(party.tenant) as other:
        assert await one.alerts.lock()
        assert not await other.alerts.lock()


async def test_a_tenant_is_looked_at_when_something_happened_and_when_its_time_has_come(
    ground: Ground, party: Party
) -> None:
    across = Across(ground.database.pool)

    async def is_waiting() -> bool:
        return party.tenant in await across.unwatched(100_000)

    async with ground.stores.of(party.tenant) as store:
        store.history.note(Occurrence(type="x.y", actor="system"))
    assert await is_waiting()
    async with ground.stores.of(party.tenant) as store:
        head = await store.history.head()
        await store.alerts.mark(head, None)
        assert await store.alerts.watched() == (head, True), "never looked at before, so it is time"
        later = await store.alerts.next_moment()
        assert later is not None, "when the connection will not have been used for long"
        await store.alerts.mark(head, later)
        assert await store.alerts.watched() == (head, False)
    assert not await is_waiting()
