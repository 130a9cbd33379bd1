"""Dying at a named step, for tests of what happens then: SIGKILL, by the process itself, of itself.

`MANDATE_TEST_DIE_AT` names the step. It counts in development only; `mandate serve` refuses to start with it. The steps
stand in `docs/execution.md`, where the life of an execution passes them.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport, Incoming, Outgoing
from db.gate import Gate
from db.ledger import PostgresLedger, Tell
from db.store import Stores
from domain.errors import Misconfigured
from domain.executions import Admission, Dispatch, ExecutionStatus, Finish, Finished, Intent, Queued, Verdict

STEPS: Final = (
    "before_intent",
    "after_queued",
    "after_claim",
    "after_running",
    "after_sent",
    "after_answer",
    "before_result",
    "after_result",
)
#: By then a request has left for a service on this machine; the service of the test takes longer to answer.
_SENT_SECONDS = 0.15


class Fate:
    """Where this process dies. What runs here has begun here: what it settles for others does not count."""

    def __init__(self, step: str) -> None:
        if step not in STEPS:
            raise Misconfigured(f"MANDATE_TEST_DIE_AT is one of: {', '.join(STEPS)}.")
        self.step = step
        self.begun: set[UUID] = set()
        self.queued: set[UUID] = set()

    def at(self, step: str) -> None:
        """Die, if it is this step."""
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalLedger(PostgresLedger):
    """The record, whose process may die before and after each thing it commits."""

    def __init__(self, gate: Gate, stores: Stores, tell: Tell, fate: Fate) -> None:
        super().__init__(gate, stores, tell)
        self._fate = fate

    async def admit(self, intent: Intent) -> Admission:
        """See PostgresLedger."""
        self._fate.at("before_intent")
        admission = await super().admit(intent)
        if admission.verdict is Verdict.ADMITTED:
            self._begun(intent.id, intent.status)
        return admission

    async def claim(self, most: int, resting: Sequence[str] = ()) -> list[Queued]:
        """See PostgresLedger."""
        claimed = await super().claim(most, resting)
        if self._fate.step != "after_claim":
            return claimed
        for each in claimed:
            if each.execution.id in self._fate.queued:
                self._fate.at("after_claim")
            await self.put_off(each, datetime.now(UTC))  # an earlier death's: not held up by this one
        return []

    async def dispatch(self, dispatch: Dispatch) -> Admission:
        """See PostgresLedger."""
        admission = await super().dispatch(dispatch)
        if admission.verdict is Verdict.ADMITTED:
            self._begun(dispatch.id, ExecutionStatus.RUNNING)
        return admission

    async def finish(self, finish: Finish) -> Finished:
        """See PostgresLedger."""
        if finish.id not in self._fate.begun:
            return await super().finish(finish)
        self._fate.at("before_result")
        finished = await super().finish(finish)
        self._fate.at("after_result")
        return finished

    def _begun(self, id: UUID, status: ExecutionStatus) -> None:
        if status is ExecutionStatus.QUEUED:
            self._fate.queued.add(id)
            self._fate.at("after_queued")
        if status is ExecutionStatus.RUNNING:
            self._fate.begun.add(id)
            self._fate.at("after_running")


class MortalTransport(HttpTransport):
    """The way out, on which the process may die."""

    def __init__(self, egress: Egress, *, version: str, fate: Fate) -> None:
        super().__init__(egress, version=version)
        self._fate = fate

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        """See HttpTransport."""
        sending = asyncio.ensure_future(super().send(request, total_seconds=total_seconds))
        if self._fate.begun and self._fate.step == "after_sent":
            await asyncio.wait([sending], timeout=_SENT_SECONDS)
            if not sending.done():
                self._fate.at("after_sent")
        answer = await sending
        if self._fate.begun:
            self._fate.at("after_answer")
        return answer
