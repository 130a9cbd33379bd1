"""Every transition of an execution has one record in history, whatever came between (promise U3).

Executions go through random courses, many at once: processes die and others take over, writers come too late, people
cancel and settle. What was committed is noted as it is answered, and then held against history.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from domain.executions import (
    Again,
    Dispatch,
    ExecutionError,
    ExecutionStatus,
    Intent,
    Outcome,
    Verdict,
)
from domain.history import Occurrence
from tests.db.ground import Ground, Party, add_party, finish

EXECUTIONS = 120
_ENDS = (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.UNKNOWN)
_WHY = ExecutionError("INTERNAL", "made up", is_retryable=False)


@dataclass
class Course:
    """One execution on its way. `told` is what the database said that it committed."""

    ground: Ground
    party: Party
    intent: Intent
    dice: random.Random
    attempt: int = 0
    status: ExecutionStatus = ExecutionStatus.QUEUED
    told: list[str] = field(default_factory=list)

    async def run(self) -> None:
        admission = await self.ground.gate.admit(self.intent)
        assert admission.verdict is Verdict.ADMITTED
        self.status = self.intent.status
        self.attempt = int(self.status is ExecutionStatus.RUNNING)
        self.told.append("execution.started" if self.attempt else "execution.queued")
        while self.status in (ExecutionStatus.QUEUED, ExecutionStatus.RUNNING):
            steps = self._queued() if self.status is ExecutionStatus.QUEUED else self._running()
            await self.dice.choice(steps)()
        await self.dice.choice([self._finish_late, self._resolve, self._cancel])()

    def _queued(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._dispatch, self._dispatch, self._dispatch_late, self._cancel]

    def _running(self) -> list[Callable[[], Awaitable[None]]]:
        return [self._finish, self._finish, self._again, self._recover, self._finish_late, self._race, self._cancel]

    async def _dispatch(self) -> None:
        admission = await self.ground.gate.dispatch(self._asked(self.attempt))
        assert admission.verdict is Verdict.ADMITTED
        self._went("execution.started", ExecutionStatus.RUNNING)
        self.attempt += 1

    async def _dispatch_late(self) -> None:
        assert (await self.ground.gate.dispatch(self._asked(self.attempt + 1))).verdict is Verdict.GONE

    async def _finish(self) -> None:
        status = self.dice.choice(_ENDS)
        done = await self.ground.gate.finish(finish(self.intent, Outcome(status), attempt=self.attempt))
        assert done.position is not None
        self._went(f"execution.{status.value.lower()}", status)

    async def _finish_late(self) -> None:
        late = finish(self.intent, Outcome(ExecutionStatus.FAILED), attempt=self.attempt - 1)
        assert (await self.ground.gate.finish(late)).position is None

    async def _race(self) -> None:
        """The process and the one that took it for dead write at the same moment."""
        ends = [finish(self.intent, Outcome(status), attempt=self.attempt) for status in _ENDS]
        done = await asyncio.gather(*(self.ground.gate.finish(each) for each in ends))
        [won] = [end for end, each in zip(ends, done, strict=True) if each.position is not None]
        self._went(f"execution.{won.outcome.status.value.lower()}", won.outcome.status)

    async def _again(self) -> None:
        await self._another(self.dice.choice((ExecutionStatus.RUNNING, ExecutionStatus.QUEUED)), is_recovery=False)

    async def _recover(self) -> None:
        await self._another(ExecutionStatus.QUEUED, is_recovery=True)

    async def _another(self, status: ExecutionStatus, *, is_recovery: bool) -> None:
        now = datetime.now(UTC)
        again = Again(self.intent.id, self.party.tenant, self.attempt, status, "X", None, now, False, is_recovery)
        assert await self.ground.gate.again(again) is not None
        assert await self.ground.gate.again(replace(again, attempt=self.attempt - 1)) is None
        self._went("execution.recovered" if is_recovery else "execution.retried", status)
        self.attempt += int(status is ExecutionStatus.RUNNING)

    async def _cancel(self) -> None:
        async with self.ground.stores.of(self.party.tenant) as store:
            ended = await store.executions.cancel_waiting(_WHY, ids=[self.intent.id])
            for each in ended:
                store.history.note(self._occurrence("execution.cancelled"))
                assert each.status is ExecutionStatus.CANCELLED
        if ended:
            self._went("execution.cancelled", ExecutionStatus.CANCELLED)

    async def _resolve(self) -> None:
        async with self.ground.stores.of(self.party.tenant) as store:
            settled = await store.executions.resolve(self.intent.id, ExecutionStatus.FAILED)
            if settled is not None:
                store.history.note(self._occurrence("execution.resolved"))
        if settled is not None:
            self._went("execution.resolved", ExecutionStatus.FAILED)

    def _occurrence(self, kind: str) -> Occurrence:
        return Occurrence(type=kind, actor="user:ada", execution_id=self.intent.id)

    def _went(self, kind: str, status: ExecutionStatus) -> None:
        self.told.append(kind)
        self.status = status

    def _asked(self, attempt: int) -> Dispatch:
        party = self.party
        versions = (party.connection.version, party.agent.version, party.grant.id, party.grant.version)
        return Dispatch(self.intent.id, party.tenant, attempt, *versions)


async def test_every_transition_has_one_record_and_nothing_else_has_one(ground: Ground) -> None:
    dice = random.Random(3)  # noqa: S311 - the same dice every time
    parties = [await add_party(ground) for _ in range(3)]
    courses = []
    for _ in range(EXECUTIONS):
        party = dice.choice(parties)
        status = dice.choice((ExecutionStatus.RUNNING, ExecutionStatus.QUEUED))
        own = random.Random(dice.random())  # noqa: S311 - the same dice every time
        courses.append(Course(ground, party, replace(party.intent(), status=status), own))
    await asyncio.gather(*(each.run() for each in courses))
    written: dict[UUID, list[str]] = defaultdict(list)
    for party in parties:
        events = await ground.history(party.tenant)
        assert [each.position for each in events] == list(range(1, len(events) + 1))
        for event in events:
            if event.execution_id is not None:
                written[event.execution_id].append(event.type)
    assert {each.intent.id: each.told for each in courses} == written
    assert sum(map(len, written.values())) > 3 * EXECUTIONS
    for course in courses:
        recorded = await ground.execution(course.party.tenant, course.intent.id)
        assert recorded.status is course.status
