"""The feed by itself, over a history in memory whose answers can be held back."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from domain.errors import InvalidInput, SlowSubscriber, Unauthenticated
from domain.history import Event, Interest
from events.feed import Feed
from events.memory import MemoryBus
from tests.events.ledger import Ledger
from tests.events.stage import ANYTHING, NEVER, eventually, positions, take


@pytest.fixture
async def ledger() -> Ledger:
    found = Ledger(MemoryBus())
    found.is_open.set()
    return found


@pytest.fixture
async def feed(ledger: Ledger) -> AsyncIterator[Feed]:
    feed = Feed(ledger.bus, ledger, poll_seconds=NEVER, queue_size=10)
    await feed.start()
    yield feed
    await feed.close()


async def test_a_slow_subscriber_is_ended_and_resumes_without_loss(feed: Feed, ledger: Ledger) -> None:
    slow = await feed.subscribe("acme", after=None, interest=ANYTHING)
    quick = await feed.subscribe("acme", after=None, interest=ANYTHING)
    ledger.happen("acme", "one", "two")
    assert positions(await take(slow, 2)) == [1, 2]
    ledger.happen("acme", *["more"] * 30)
    assert positions(await take(quick, 32)) == list(range(1, 33))
    with pytest.raises(SlowSubscriber, match="too slow") as caught:
        await take(slow, 1)
    assert caught.value.position == 2
    again = await feed.subscribe("acme", after=caught.value.position, interest=ANYTHING)
    assert positions(await take(again, 30)) == list(range(3, 33))


async def test_events_that_nobody_asked_for_do_not_fill_a_queue(feed: Feed, ledger: Ledger) -> None:
    subscription = await feed.subscribe("acme", after=None, interest=Interest(types=("wanted",)))
    other = await feed.subscribe("acme", after=None, interest=ANYTHING)
    ledger.happen("acme", *["noise"] * 100, "wanted")
    await take(other, 101)
    assert positions(await take(subscription, 1)) == [101]


async def test_a_reason_ends_a_subscription_at_once(feed: Feed, ledger: Ledger) -> None:
    subscription = await feed.subscribe("acme", after=None, interest=ANYTHING)
    waiting = asyncio.create_task(take(subscription, 1))
    await asyncio.sleep(0)
    subscription.close(Unauthenticated("The token has expired."))
    with pytest.raises(Unauthenticated):
        await waiting


async def test_what_is_queued_is_not_handed_out_after_the_end(feed: Feed, ledger: Ledger) -> None:
    subscription = await feed.subscribe("acme", after=None, interest=ANYTHING)
    other = await feed.subscribe("acme", after=None, interest=ANYTHING)
    ledger.happen("acme", "one")
    await take(other, 1)
    subscription.close(Unauthenticated("The token has expired."))
    with pytest.raises(Unauthenticated):
        await take(subscription, 1)


async def test_a_reason_ends_a_subscription_that_waits_for_the_database(feed: Feed, ledger: Ledger) -> None:
    ledger.happen("acme", "one")
    subscription = await feed.subscribe("acme", after=0, interest=ANYTHING)
    ledger.is_open.clear()
    waiting = asyncio.create_task(take(subscription, 1))
    await eventually(lambda: "history" in ledger.asked)
    subscription.close(Unauthenticated("The token has expired."))
    with pytest.raises(Unauthenticated):
        await waiting


async def test_leaving_the_block_forgets_the_subscriber(feed: Feed, ledger: Ledger) -> None:
    async with aclosing(await feed.subscribe("acme", after=None, interest=ANYTHING)) as events:
        ledger.happen("acme", "one")
        async for event in events:
            assert event.type == "one"
            break
    assert feed._channels == {}
    assert [event async for event in events] == []


async def test_closing_the_feed_ends_every_subscription(feed: Feed) -> None:
    waiting = [await feed.subscribe(tenant, after=None, interest=ANYTHING) for tenant in ("a", "a", "b")]
    reading = [asyncio.create_task(_all(each)) for each in waiting]
    await asyncio.sleep(0)
    await feed.close()
    assert await asyncio.gather(*reading) == [[], [], []]


async def test_a_position_nobody_was_given_is_refused(feed: Feed, ledger: Ledger) -> None:
    ledger.happen("acme", "one")
    with pytest.raises(InvalidInput) as caught:
        await feed.subscribe("acme", after=2, interest=ANYTHING)
    assert caught.value.path == ("after",)


async def test_a_wait_given_up_loses_nothing(feed: Feed, ledger: Ledger) -> None:
    ledger.happen("acme", *["past"] * 12)
    subscription = await feed.subscribe("acme", after=0, interest=ANYTHING)
    seen: list[Event] = []
    for turns in (1, 2, 3, 4, 5, 6, 7, 8):
        waiting = asyncio.ensure_future(anext(subscription))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        seen += [each for each in await asyncio.gather(waiting, return_exceptions=True) if isinstance(each, Event)]
    seen += await take(subscription, 12 - len(seen))
    assert positions(seen) == list(range(1, 13))


async def test_what_happens_while_the_beginning_is_found_is_not_lost(feed: Feed, ledger: Ledger) -> None:
    first = await feed.subscribe("acme", after=None, interest=ANYTHING)
    ledger.is_open.clear()
    coming = asyncio.create_task(feed.subscribe("acme", after=None, interest=ANYTHING))
    await asyncio.sleep(0)
    ledger.happen("acme", "one")
    ledger.is_open.set()
    second = await coming
    start = second.position
    ledger.happen("acme", "two")
    assert positions(await take(first, 2)) == [1, 2]
    assert positions(await take(second, 2 - start)) == list(range(start + 1, 3))


async def test_a_history_that_was_pruned_is_followed_from_what_is_left(feed: Feed, ledger: Ledger) -> None:
    ledger.happen("acme", *["past"] * 50)
    ledger.prune("acme", before=40)
    subscription = await feed.subscribe("acme", after=3, interest=ANYTHING)
    ledger.happen("acme", "now")
    assert positions(await take(subscription, 12)) == list(range(40, 52))


async def test_a_process_reads_each_event_once_however_many_listen(feed: Feed, ledger: Ledger) -> None:
    subscriptions = [await feed.subscribe("acme", after=None, interest=ANYTHING) for _ in range(50)]
    ledger.asked.clear()
    ledger.happen("acme", "one")
    for each in subscriptions:
        await take(each, 1)
    assert ledger.asked.count("history") == 1


async def test_a_crowd_asks_for_the_beginning_together(feed: Feed, ledger: Ledger) -> None:
    ledger.asked.clear()
    await asyncio.gather(*(feed.subscribe(f"t{n % 7}", after=None, interest=ANYTHING) for n in range(300)))
    assert ledger.asked.count("heads") <= 3


async def test_a_failure_nobody_foresaw_reaches_the_subscriber(feed: Feed, ledger: Ledger) -> None:
    ledger.happen("acme", "one")
    ledger.trouble = LookupError("unforeseen")
    subscription = await feed.subscribe("acme", after=0, interest=ANYTHING)
    with pytest.raises(LookupError):
        await take(subscription, 1)


async def test_a_failure_nobody_foresaw_does_not_end_the_following(feed: Feed, ledger: Ledger) -> None:
    subscription = await feed.subscribe("acme", after=None, interest=ANYTHING)
    ledger.trouble = LookupError("unforeseen")
    ledger.happen("acme", "one")
    await eventually(lambda: "history" in ledger.asked)
    ledger.trouble = None
    ledger.happen("acme", "two")
    assert positions(await take(subscription, 2)) == [1, 2]


@pytest.mark.parametrize("seed", range(40))
async def test_any_interleaving_is_without_gap_and_repeat(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated
    ledger = Ledger(MemoryBus(), chance=chance)
    ledger.is_open.set()
    feed = Feed(ledger.bus, ledger, poll_seconds=NEVER, queue_size=chance.choice([60, 200, 1000]))
    await feed.start()
    writing = asyncio.create_task(_write(ledger, chance))
    followers = [asyncio.create_task(_follow(feed, ledger, chance)) for _ in range(20)]
    await writing
    for start, interest, seen in await asyncio.gather(*followers):
        wanted = [each for each in ledger.lines["acme"] if each.position > start and interest.wants(each)]
        assert positions(seen) == positions(wanted)
    assert feed._channels == {}
    await feed.close()


async def _write(ledger: Ledger, chance: random.Random) -> None:
    for _ in range(120):
        ledger.happen("acme", *chance.choices(["one", "two", "three"], k=chance.randint(1, 5)))
        for _ in range(chance.randint(0, 8)):
            await asyncio.sleep(0)
    ledger.happen("acme", "end")


async def _follow(feed: Feed, ledger: Ledger, chance: random.Random) -> tuple[int, Interest, list[Event]]:
    for _ in range(chance.randint(0, 400)):
        await asyncio.sleep(0)
    head = len(ledger.lines.get("acme", ()))
    # Nobody may begin after the end: it would wait for ever.
    start = position = max(0, min(chance.randint(0, head), head - 1))
    interest = chance.choice([ANYTHING, Interest(types=("one", "end")), Interest(types=("end",))])
    seen: list[Event] = []
    while not seen or seen[-1].type != "end":
        async with aclosing(await feed.subscribe("acme", after=position, interest=interest)) as events:
            try:
                for _ in range(chance.randint(1, 200)):
                    seen += await take(events, 1)
                    if seen[-1].type == "end":
                        break
                position = events.position
            except SlowSubscriber as slow:
                position = slow.position
    return start, interest, seen


async def _all(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def test_several_events_at_hand_are_handed_out_together(feed: Feed, ledger: Ledger) -> None:
    subscription = await feed.subscribe("acme", after=None, interest=ANYTHING)
    watching = await feed.subscribe("acme", after=None, interest=ANYTHING)
    ledger.happen("acme", *["more"] * 5)
    await take(watching, 5)
    assert positions(await subscription.several(3)) == [1, 2, 3]
    caught_up = [subscription.is_caught_up]
    assert positions(await subscription.several(3)) == [4, 5]
    assert [*caught_up, subscription.is_caught_up] == [False, True]
    assert subscription.position == 5


async def test_who_catches_up_without_finding_anything_is_told_so(feed: Feed, ledger: Ledger) -> None:
    ledger.happen("acme", *["noise"] * 20)
    subscription = await feed.subscribe("acme", after=3, interest=Interest(types=("wanted",)))
    async with asyncio.timeout(30):
        while not subscription.is_caught_up:
            assert await subscription.several(10) == []
    ledger.happen("acme", "wanted")
    assert positions(await subscription.several(10)) == [21]
