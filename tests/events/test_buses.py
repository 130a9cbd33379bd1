"""One suite over every bus: what one process commits, subscribers of another one see."""

import asyncio
import random
from secrets import token_hex

import pytest

from domain.history import Event, Interest, Occurrence
from events.feed import Subscription
from tests.events.stage import ANYTHING, NEVER, Process, Stage, eventually, positions, take


@pytest.fixture
def tenant() -> str:
    return f"acme-{token_hex(4)}"  # the Redis is shared by tests


async def test_what_is_told_is_heard_by_another_process(stage: Stage, tenant: str) -> None:
    here, there = await stage.process(), await stage.process()
    subscription = await there.follow(tenant)
    await here.happen(tenant, "execution.started", "execution.succeeded")
    assert [event.type for event in await take(subscription, 2)] == ["execution.started", "execution.succeeded"]


async def test_what_is_told_is_heard_at_home(stage: Stage, tenant: str) -> None:
    here = await stage.process()
    subscription = await here.follow(tenant)
    await here.happen(tenant, "agent.created")
    assert positions(await take(subscription, 1)) == [1]


async def test_it_goes_both_ways(stage: Stage, tenant: str) -> None:
    one, other = await stage.process(), await stage.process()
    subscriptions = [await each.follow(tenant) for each in (one, other)]
    await one.happen(tenant, "agent.created")
    await other.happen(tenant, "agent.frozen")
    for subscription in subscriptions:
        assert [event.type for event in await take(subscription, 2)] == ["agent.created", "agent.frozen"]


async def test_without_a_cursor_only_later_events_arrive(stage: Stage, tenant: str) -> None:
    here, there = await stage.process(), await stage.process()
    await here.happen(tenant, "agent.created")
    subscription = await there.follow(tenant)
    assert subscription.position == 1
    await here.happen(tenant, "agent.frozen")
    assert positions(await take(subscription, 1)) == [2]


async def test_with_a_cursor_the_past_arrives_first(stage: Stage, tenant: str) -> None:
    here, there = await stage.process(), await stage.process()
    await here.happen(tenant, *["agent.created"] * 1100)  # more than one piece
    subscription = await there.follow(tenant, after=40)
    await here.happen(tenant, "agent.frozen")
    assert positions(await take(subscription, 1061)) == list(range(41, 1102))


async def test_events_of_another_tenant_never_arrive(stage: Stage, tenant: str) -> None:
    here, there = await stage.process(), await stage.process()
    subscription, other = await there.follow(tenant, after=0), await there.follow(tenant + "-other", after=0)
    await here.happen(tenant + "-other", "agent.deleted", "agent.deleted")
    await here.happen(tenant, "agent.created")
    assert [event.type for event in await take(subscription, 1)] == ["agent.created"]
    assert [event.type for event in await take(other, 2)] == ["agent.deleted"] * 2
    await here.happen(tenant, "agent.frozen")
    assert [event.type for event in await take(subscription, 1)] == ["agent.frozen"]


async def test_only_what_is_of_interest_arrives(stage: Stage, tenant: str) -> None:
    here, there = await stage.process(), await stage.process()
    await here.happen(tenant, "grant.created", "execution.started")
    subscription = await there.follow(tenant, after=0, interest=Interest(types=("execution.*",)))
    await here.happen(tenant, "grant.revoked", "execution.failed")
    assert positions(await take(subscription, 2)) == [2, 4]


async def test_a_tenant_is_heard_again_after_nobody_listened(stage: Stage, tenant: str) -> None:
    here, there = await stage.process(), await stage.process()
    for position in (1, 2, 3):
        subscription = await there.follow(tenant)
        await here.happen(tenant, "agent.created")
        assert positions(await take(subscription, 1)) == [position]
        await subscription.aclose()
    assert there.feed._channels == {}


async def test_the_hot_path_is_heard_too(stage: Stage, tenant: str) -> None:
    here, there = await stage.process(), await stage.process()
    subscription = await there.follow(tenant)
    position = await here.gate.refuse(tenant, Occurrence(type="execution.denied", actor="agent:1"))
    here.bus.tell(tenant, position)
    assert positions(await take(subscription, 1)) == [position]


async def test_a_burst_is_told_by_its_newest_position(stage: Stage, tenant: str) -> None:
    here, there = stage.new_bus(), stage.new_bus()
    heard: list[int] = []
    ready = asyncio.Event()
    there.hear(lambda _, position: heard.append(position), ready.set)
    here.hear(lambda _, __: None, lambda: None)
    for bus in (here, there):
        await bus.start()
        stage.closing.push_async_callback(bus.close)
    await eventually(lambda: here.is_live and there.is_live)
    ready.clear()
    there.watch(tenant)
    await asyncio.wait_for(ready.wait(), 30)
    for position in range(1, 101):
        here.tell(tenant, position)
    await eventually(lambda: bool(heard))
    assert heard == [100]


async def test_a_bus_that_is_closed_takes_news_in_silence(stage: Stage, tenant: str) -> None:
    bus = stage.new_bus()
    bus.tell(tenant, 1)
    await bus.start()
    await bus.close()
    bus.tell(tenant, 2)
    assert not bus.is_live


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_missed_or_repeated_while_many_write(stage: Stage, tenant: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated
    processes = [await stage.process(poll_seconds=NEVER) for _ in range(2)]
    writing = [asyncio.create_task(_write(chance.choice(processes), tenant, chance)) for _ in range(6)]
    following = [asyncio.create_task(_follow(chance.choice(processes), tenant, chance)) for _ in range(12)]
    await asyncio.gather(*writing)
    await processes[0].happen(tenant, "end")
    history = await processes[0].gate.history(tenant, 0, 100_000)
    assert positions(history) == list(range(1, len(history) + 1))
    for subscription, start, seen in await asyncio.gather(*following):
        assert positions(seen) == [
            event.position for event in history if event.position > start and subscription.interest.wants(event)
        ]


async def _write(process: Process, tenant: str, chance: random.Random) -> None:
    kinds = ["execution.started", "execution.succeeded", "grant.created", "agent.frozen"]
    for _ in range(25):
        await process.happen(tenant, *chance.choices(kinds, k=chance.randint(1, 12)))


async def _follow(process: Process, tenant: str, chance: random.Random) -> tuple[Subscription, int, list[Event]]:
    """Begin anywhere, at any time, sometimes leave and resume."""
    for _ in range(chance.randint(0, 300)):
        await asyncio.sleep(0)
    head = (await process.gate.heads([tenant]))[tenant]
    after = chance.choice([None, 0, chance.randint(0, head)])
    interest = chance.choice([ANYTHING, Interest(types=("execution.*", "end")), Interest(types=("end",))])
    subscription = await process.follow(tenant, after, interest)
    start, seen = subscription.position, list[Event]()
    while not seen or seen[-1].type != "end":
        seen += await take(subscription, 1)
        if chance.random() < 0.02:
            await subscription.aclose()
            subscription = await process.follow(tenant, subscription.position, interest)
    return subscription, start, seen
