"""Group commit: alone one waits for nobody, together all go at once, and nobody is ever left waiting."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from db.coalescing import Coalescer


@dataclass
class Server:
    """Doubles numbers. Statements go out when `is_open`; it refuses rows that are `bad`, or fails with `down`."""

    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[int]] = field(default_factory=list)
    bad: frozenset[int] = frozenset()
    down: BaseException | None = None
    at_once: int = 0
    most_at_once: int = 0

    async def flush(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.is_open.wait()
            if self.down is not None:
                raise self.down
            if self.bad & set(items):
                raise asyncpg.InvalidTextRepresentationError("not a number")
            return [2 * each for each in items]
        finally:
            self.at_once -= 1


def opened(**more: object) -> Server:
    server = Server(**more)  # type: ignore[arg-type]  # fields, spelled by the test
    server.is_open.set()
    return server


async def settled(server: Server, batches: int) -> None:
    """Wait until that many statements went out."""
    async with asyncio.timeout(5):
        while len(server.batches) < batches:
            await asyncio.sleep(0)


async def test_alone_one_goes_out_at_once() -> None:
    server = Server()
    asking = asyncio.create_task(Coalescer(server.flush).ask(1))
    await settled(server, 1)
    assert server.batches == [[1]]
    server.is_open.set()
    assert await asking == 2


async def test_what_comes_while_a_statement_is_under_way_goes_out_together() -> None:
    server = Server()
    coalescer = Coalescer(server.flush)
    first = asyncio.create_task(coalescer.ask(0))
    await settled(server, 1)
    others = [asyncio.create_task(coalescer.ask(n)) for n in range(1, 50)]
    await asyncio.sleep(0)
    server.is_open.set()
    assert await asyncio.gather(first, *others) == [2 * n for n in range(50)]
    assert server.batches == [[0], list(range(1, 50))]


async def test_a_batch_has_a_largest_size_and_the_rest_follows() -> None:
    server = opened()
    coalescer = Coalescer(server.flush, largest=10)
    assert await asyncio.gather(*map(coalescer.ask, range(25))) == [2 * n for n in range(25)]
    assert [len(batch) for batch in server.batches] == [10, 10, 5]


@pytest.mark.parametrize("lanes", [1, 2, 4])
async def test_no_more_statements_than_lanes_are_under_way(lanes: int) -> None:
    server = opened()
    coalescer = Coalescer(server.flush, lanes=lanes, largest=3)
    await asyncio.gather(*map(coalescer.ask, range(60)))
    assert server.most_at_once <= lanes
    assert sorted(n for batch in server.batches for n in batch) == list(range(60))


async def test_one_bad_row_fails_alone() -> None:
    server = opened(bad=frozenset({3}))
    coalescer = Coalescer(server.flush)
    answers = await asyncio.gather(*map(coalescer.ask, range(6)), return_exceptions=True)
    assert [n for n, answer in enumerate(answers) if isinstance(answer, asyncpg.DataError)] == [3]
    assert [answer for answer in answers if isinstance(answer, int)] == [0, 2, 4, 8, 10]


async def test_when_the_server_is_gone_all_who_wait_hear_it_and_the_next_try_again() -> None:
    server = opened(down=ConnectionResetError("gone"))
    coalescer = Coalescer(server.flush)
    answers = await asyncio.gather(*map(coalescer.ask, range(6)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ConnectionResetError}
    server.down = None
    assert await coalescer.ask(1) == 2


async def test_who_goes_away_is_no_trouble_to_the_others() -> None:
    server = Server()
    coalescer = Coalescer(server.flush)
    tasks = [asyncio.create_task(coalescer.ask(n)) for n in range(4)]
    await settled(server, 1)
    tasks[0].cancel()
    tasks[2].cancel()
    server.is_open.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [2, 6]


async def test_who_goes_away_from_a_statement_that_fails_leaves_no_noise_behind() -> None:
    server = Server(down=OSError("gone"))
    coalescer = Coalescer(server.flush)
    asking = asyncio.create_task(coalescer.ask(1))
    await settled(server, 1)
    asking.cancel()
    server.is_open.set()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.gather(*coalescer._tasks)


async def test_too_few_answers_are_an_error_for_all_and_silence_for_nobody() -> None:
    async def flush(items: Sequence[int]) -> list[int]:
        return [0] * (len(items) - 1)

    coalescer = Coalescer(flush)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*map(coalescer.ask, range(3)), return_exceptions=True)
    assert all(isinstance(answer, ValueError) for answer in answers)


async def test_when_the_work_itself_is_stopped_nobody_is_left_waiting() -> None:
    server = Server()
    coalescer = Coalescer(server.flush, largest=2)
    tasks = [asyncio.create_task(coalescer.ask(n)) for n in range(6)]
    await settled(server, 1)
    (work,) = coalescer._tasks
    work.cancel()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(answer) for answer in answers} == {ConnectionError}
    server.is_open.set()
    assert await coalescer.ask(1) == 2


async def test_nothing_is_left_waiting_whatever_happens() -> None:
    chance = random.Random(11)  # noqa: S311 - the same every time
    answered = 0

    async def flush(items: Sequence[int]) -> list[int]:
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        lot = chance.random()
        if lot < 0.1:
            raise ConnectionResetError
        if lot < 0.2:
            raise asyncpg.UniqueViolationError("again")
        return [2 * each for each in items]

    async def ask(n: int) -> None:
        nonlocal answered
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        with contextlib.suppress(ConnectionResetError, asyncpg.UniqueViolationError):
            assert await coalescer.ask(n) == 2 * n
        answered += 1

    coalescer = Coalescer(flush, lanes=2, largest=7)
    tasks = [asyncio.create_task(ask(n)) for n in range(3_000)]
    leaving = chance.sample(tasks, 300)
    await asyncio.sleep(0)
    for task in leaving:
        task.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert answered >= 2_700
    assert not coalescer._waiting
    await asyncio.sleep(0)
    assert coalescer._at_work == 0
