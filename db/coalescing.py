"""Group commit: what concurrent callers ask for goes to PostgreSQL in one statement.

Everybody still waits for the commit that holds their own row. Alone, a caller waits for nobody: the statement goes
out at once. While one is under way the next batch gathers, so batches grow with the load and with nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import asyncpg

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

Flush = Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]]


class Coalescer(Generic[Ask, Answer]):
    """`flush` takes a batch and returns one answer per element, in order."""

    def __init__(self, flush: Flush[Ask, Answer], *, lanes: int = 1, largest: int = 256) -> None:
        self._flush = flush
        self._lanes = lanes
        self._largest = largest
        self._waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self._at_work = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, item: Ask) -> Answer:
        """The answer to this item. Raises what the statement raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._at_work < self._lanes:
            self._at_work += 1
            task = asyncio.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self) -> None:
        # No await lies between finding nothing to do and being off work, so nobody is left waiting.
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
                await self._serve(batch)
        finally:
            self._at_work -= 1
            if not self._at_work:  # stopped with work left over, and nobody else to do it
                left, self._waiting = self._waiting, []
                _fail(left, asyncio.CancelledError())

    async def _serve(self, batch: Sequence[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._flush([item for item, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for each in batch:  # one caller's bad row is not its neighbours' trouble
                await self._serve([each])
        except BaseException as error:
            _fail(batch, error)
            if isinstance(error, TimeoutError):  # nobody answers: who waited behind it has waited as long
                behind, self._waiting = self._waiting, []
                _fail(behind, error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), answer in answered:
                if not future.done():
                    future.set_result(answer)


def _fail(batch: Sequence[tuple[Ask, asyncio.Future[Answer]]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error if isinstance(error, Exception) else ConnectionError("the gateway is stopping"))
