"""Sharing by itself: followers come, go and resume at random, and each sees its part of history, whole and in order."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from domain.callers import Caller, Role
from domain.errors import Unauthenticated
from domain.history import Event, Interest
from events.feed import Feed, Subscription
from events.memory import MemoryBus
from schema.following import Opened
from schema.sharing import Alone, Groups, Place, Shape, audience
from tests.events.ledger import Ledger
from tests.events.stage import NEVER, eventually

WANTED = Interest(types=("wanted",))
ADA = Caller(tenant="acme", subject="ada", roles=frozenset({Role.OWNER}))
SHAPE = Shape("subscription", None, b"{}", audience(ADA))


@dataclass
class Stage:
    ledger: Ledger
    feed: Feed
    groups: Groups
    rendered: list[int] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311  # an order, not a secret

    async def open(self, after: int | None) -> Opened:
        async def begin(position: int | None) -> Subscription:
            return await self.feed.subscribe("acme", after=position, interest=WANTED)

        async def nothing(_: Event) -> object:
            return None

        return Opened(await begin(after), nothing, begin)

    async def render(self, event: Event) -> bytes:
        for _ in range(self.chance.randint(0, 3)):
            await asyncio.sleep(0)
        self.rendered.append(event.position)
        return str(event.position).encode()


@dataclass
class Follower:
    stage: Stage
    seen: list[int] = field(default_factory=list)
    problems: list[Exception | None] = field(default_factory=list)
    place: Place | None = None
    begin: int = 0

    def tell(self, answer: bytes) -> None:
        self.seen.append(int(answer))

    def finish(self, problem: Exception | None) -> None:
        self.problems.append(problem)

    async def hand(self, answer: bytes) -> None:
        self.tell(answer)
        for _ in range(self.stage.chance.randint(0, 5)):
            await asyncio.sleep(0)

    async def follow(self, after: int | None, shape: Shape = SHAPE) -> None:
        opened = await self.stage.open(after)
        self.begin = opened.events.position

        def join() -> bool:
            self.place = self.stage.groups.join(shape, opened, self.stage.render, self)
            return self.place is not None

        try:
            await Alone(opened, self.stage.render).run(self.hand, join)
        finally:
            if self.place is None:
                opened.events.close()

    def leave(self) -> None:
        assert self.place is not None
        self.place.leave()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    ledger = Ledger(MemoryBus())
    ledger.is_open.set()
    feed = Feed(ledger.bus, ledger, poll_seconds=NEVER, queue_size=50)
    await feed.start()
    yield Stage(ledger, feed, Groups())
    await feed.close()


async def test_an_event_is_rendered_once_for_all_who_follow_the_same(stage: Stage) -> None:
    crowd = [Follower(stage) for _ in range(50)]
    await asyncio.gather(*(each.follow(None) for each in crowd))
    stage.ledger.happen("acme", *["wanted"] * 10)
    await eventually(lambda: all(len(each.seen) == 10 for each in crowd))
    assert sorted(stage.rendered) == list(range(1, 11))
    assert stage.groups.sizes == [50]


async def test_other_rights_are_another_group(stage: Stage) -> None:
    auditor = Caller(tenant="acme", subject="ada", roles=frozenset({Role.AUDITOR}))
    other = Shape(SHAPE.text, None, b"{}", audience(auditor))
    await Follower(stage).follow(None)
    await Follower(stage).follow(None, other)
    assert stage.groups.sizes == [1, 1]


def test_who_exactly_is_asking_is_no_part_of_an_audience() -> None:
    assert audience(ADA) == audience(Caller(tenant="acme", subject="bob", roles=ADA.roles))
    assert audience(ADA) != audience(Caller(tenant="other", subject="ada", roles=ADA.roles))
    assert audience(ADA).subject == ""


async def test_the_last_to_leave_ends_the_group(stage: Stage) -> None:
    one, two = Follower(stage), Follower(stage)
    await one.follow(None)
    await two.follow(None)
    one.leave()
    assert stage.groups.sizes == [1]
    two.leave()
    assert stage.groups.sizes == []
    stage.ledger.happen("acme", "wanted")
    await asyncio.sleep(0.01)
    assert one.seen == two.seen == []


async def test_everybody_is_told_when_the_events_end(stage: Stage) -> None:
    crowd = [Follower(stage) for _ in range(3)]
    for each in crowd:
        await each.follow(None)
    await stage.feed.close()
    await eventually(lambda: all(each.problems == [None] for each in crowd))
    assert stage.groups.sizes == []


async def test_a_problem_of_the_group_reaches_everybody(stage: Stage) -> None:
    crowd = [Follower(stage) for _ in range(3)]
    for each in crowd:
        await each.follow(None)
    stage.render = broken  # type: ignore[method-assign, assignment]  # a method's form, without its self
    late = Follower(stage)
    await late.follow(None, Shape("other", None, b"{}", SHAPE.audience))
    stage.ledger.happen("acme", "wanted")
    await eventually(lambda: len(late.problems) == 1)
    assert isinstance(late.problems[0], Unauthenticated)
    await eventually(lambda: all(each.seen == [1] for each in crowd))


async def broken(_: Event) -> bytes:
    raise Unauthenticated("no")


async def test_more_at_once_than_waits_for_a_group_costs_time_and_no_event(stage: Stage) -> None:
    crowd = [Follower(stage) for _ in range(3)]
    for each in crowd:
        await each.follow(None)
    stage.ledger.happen("acme", *["wanted"] * 400)  # fifty wait at most
    await eventually(lambda: all(len(each.seen) == 400 for each in crowd))
    assert all(each.seen == list(range(1, 401)) for each in crowd)
    assert [each.problems for each in crowd] == [[], [], []]


@pytest.mark.parametrize("seed", range(20))
async def test_everybody_sees_its_part_of_history_whole_and_in_order(stage: Stage, seed: int) -> None:
    stage.chance = stage.ledger.chance = random.Random(seed)  # noqa: S311  # an order, not a secret
    everybody: list[Follower] = []
    tasks: list[asyncio.Task[None]] = []
    head = 0

    def come(after: int | None) -> None:
        follower = Follower(stage)
        everybody.append(follower)
        tasks.append(asyncio.create_task(follower.follow(after)))

    for _ in range(150):
        match stage.chance.randint(0, 9):
            case 0 | 1 | 2 | 3:
                kinds = stage.chance.choices(["wanted", "noise"], k=stage.chance.randint(1, 12))
                stage.ledger.happen("acme", *kinds)
                head += len(kinds)
            case 4:
                come(None)
            case 5:
                come(stage.chance.randint(0, head))
            case 6:
                stayers = [each for each in everybody if each.place is not None]
                if len(stayers) > 2:
                    gone = stage.chance.choice(stayers)
                    gone.leave()
                    everybody.remove(gone)
                    assert gone.seen == wanted(stage, gone.begin)[: len(gone.seen)]
            case _:
                for _ in range(stage.chance.randint(1, 30)):
                    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stage.ledger.happen("acme", "wanted")
    await eventually(lambda: all(each.seen == wanted(stage, each.begin) for each in everybody if each.place))
    await eventually(partial(all_done, tasks))
    for each in everybody:
        assert each.seen == wanted(stage, each.begin)


def all_done(tasks: list[asyncio.Task[None]]) -> bool:
    return all(task.done() for task in tasks)


def wanted(stage: Stage, begin: int) -> list[int]:
    lines = stage.ledger.lines.get("acme", [])
    return [each.position for each in lines if each.type == "wanted" and each.position > begin]
