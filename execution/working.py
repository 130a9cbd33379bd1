"""The queue's other end: whatever was put off runs here, in every process, each execution in one of them at a time.

    claim      the next ones whose turn it is, a few of every tenant
    decide     what was allowed when it was asked may not be any more: rights are looked at anew
    dispatch   RUNNING is committed, if it is still queued and the facts still stand
    run        as any other

And after a process went away: what it ran is taken up again where that is safe, and called UNKNOWN where it is not.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import structlog

from domain.catalogue import Action, Catalogue, Effect, Integration
from domain.errors import DependencyDown, NotFound, PermissionDenied, Refusal
from domain.executions import (
    Admission,
    Again,
    Dispatch,
    ExecutionError,
    ExecutionStatus,
    Finish,
    Lapsed,
    Outcome,
    Queued,
    Verdict,
    in_view_of,
    lost_track,
)
from domain.grants import Permit, Refused
from domain.json import JsonObject
from execution.deciding import Decided, Decider
from execution.ports import Ledger
from execution.running import BEAT_SECONDS, Run, Runner, probe_after
from execution.throttling import Throttle

log = structlog.get_logger("execution")

MOST_RECOVERIES = 3
_DECISIONS = 3
_POLL_SECONDS = 1.0
_MOST_AT_ONCE = 32


class Worker:
    """Runs what is queued. One per process; `wake` it when something was queued here, others find it by looking."""

    def __init__(
        self, catalogue: Catalogue, ledger: Ledger, decider: Decider, runner: Runner, throttle: Throttle
    ) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._decider = decider
        self._runner = runner
        self._throttle = throttle
        self._is_resting = False
        self._woken = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        runner.put_back = self._wake_at

    def wake(self) -> None:
        """Something is there to do."""
        self._woken.set()

    def rest(self) -> None:
        """Take nothing more: the process is about to stop. What is queued is there for others, or for its successor."""
        self._is_resting = True

    async def work(self) -> None:
        """For as long as the process lives; cancelling it leaves what is under way to `drain`."""
        while True:
            claimed = await self._claimed()
            for each in claimed:
                task = asyncio.create_task(self._see_to(each))
                self._under_way.add(task)
                task.add_done_callback(self._done)
            if not claimed or len(self._under_way) >= _MOST_AT_ONCE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._woken.wait()
            self._woken.clear()

    async def keep_leases(self) -> None:
        """For as long as the process lives."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._runner.beat()
            except DependencyDown:
                continue
            except Exception as error:  # one bad round must not be the last one
                log.error("beat_failed", exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Wait for what is under way, at most this long."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)

    async def recover(self) -> int:
        """Take up, or settle, executions whose process went away. Returns how many."""
        lapsed = await self._ledger.lapsed()
        for each in lapsed:
            await self._recover(each)
        if lapsed:
            self.wake()
        return len(lapsed)

    async def _claimed(self) -> list[Queued]:
        free = _MOST_AT_ONCE - len(self._under_way)
        if free <= 0 or self._is_resting:
            return []
        try:
            return await self._ledger.claim(free, self._throttle.resting())
        except DependencyDown:
            return []
        except Exception as error:  # one bad round must not be the last one
            log.error("claim_failed", exc_info=error)
            return []

    def _wake_at(self, moment: datetime) -> None:
        """To be there when it is due, and not only when somebody happens to look."""
        seconds = (moment - datetime.now(UTC)).total_seconds()
        asyncio.get_running_loop().call_later(max(seconds, 0), self.wake)

    def _pause(self) -> float:
        """Until somebody looks again by himself: sooner when a limit that is in the way is not for long."""
        pause = _POLL_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311  # spread, not secrecy
        return min(pause, self._throttle.soonest())

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._woken.set()

    async def _see_to(self, queued: Queued) -> None:
        try:
            await self._take(queued)
        except DependencyDown:
            pass  # the claim passes, and somebody takes it up again
        except Exception as error:
            log.error("worker_failed", execution=queued.execution.id.hex, kind=type(error).__name__, exc_info=error)

    async def _take(self, queued: Queued) -> None:
        execution = queued.execution
        if execution.deadline_at is not None and execution.deadline_at <= datetime.now(UTC):
            await self._end(queued, _too_late())
            return
        if queued.recoveries > MOST_RECOVERIES:
            await self._end(queued, _never_begun())
            return
        try:
            integration, action = self._decider.resolve(execution.action)
            parameters = _still_fit(action, execution.parameters)
            run = await self._dispatched(queued, integration, action, parameters)
        except Refusal as refusal:
            await self._end(queued, _refused(refusal))
            return
        if run is not None:
            await self._runner.run(run)

    async def _dispatched(
        self, queued: Queued, integration: Integration, action: Action, parameters: JsonObject
    ) -> Run | None:
        """Committed to run; None when somebody cancelled or took it, or a limit is in the way. Raises a Refusal when it
        may not run any more.
        """
        execution, has_turn = queued.execution, False
        for _ in range(_DECISIONS):
            decided = await self._decider.decide(
                queued.tenant, execution.agent_id, integration, action, parameters, execution.connection_id
            )
            permit = self._permit(queued, action, parameters, decided)
            has_turn = has_turn or await self._has_turn(queued)
            if not has_turn:
                return None
            admission = await self._ledger.dispatch(_dispatch(queued, action, permit, decided))
            if admission.verdict is Verdict.ADMITTED:
                return _run(queued, integration, action, parameters, permit, admission)
            if admission.verdict is Verdict.GONE:
                return None
        raise DependencyDown("The permissions of this execution keep changing.")

    async def _has_turn(self, queued: Queued) -> bool:
        """Whether no limit is in the way; else it waits in the queue until none is, or its time is over."""
        run = queued.execution
        found = await self._throttle.take(queued.tenant, run.agent_id, run.connection_id, run.integration)
        if found is not None:
            until = found.free_at if run.deadline_at is None else min(found.free_at, run.deadline_at)
            await self._ledger.put_off(queued, until)
        return found is None

    def _permit(self, queued: Queued, action: Action, parameters: JsonObject, decided: Decided) -> Permit:
        decision, execution = decided.decision, queued.execution
        if isinstance(decision, Refused):
            raise decision.refusal
        if queued.plan_hash is None:
            if decision.needs_approval:
                message = "The grant asks for a person's approval by now. Ask again, and a person will be asked."
                raise PermissionDenied(message, reason="approval")
            return decision
        now = self._decider.plan_hash(queued.tenant, execution.agent_id, action, execution.connection_id, parameters)
        if now != queued.plan_hash:
            raise PermissionDenied("What was approved is not what would run now. Ask again.", reason="plan_changed")
        return decision

    async def _end(self, queued: Queued, outcome: Outcome) -> None:
        execution = queued.execution
        outcome = in_view_of(execution.earlier_attempts, self._catalogue.action(execution.action), outcome)
        finish = Finish(
            execution.id,
            queued.tenant,
            execution.attempt,
            outcome,
            0,
            queued.parameters_hash,
            probe_after=probe_after(self._catalogue.action(execution.action), outcome),
        )
        await self._ledger.finish(finish)

    async def _recover(self, lapsed: Lapsed) -> None:
        action = self._catalogue.action(lapsed.action)
        is_safe = lapsed.effect is Effect.READ or (action is not None and action.is_idempotent)
        what_to_check = action.what_to_check if action else None
        if is_safe and lapsed.recoveries >= MOST_RECOVERIES:
            outcome = _exhausted(lapsed.effect, what_to_check)
        elif is_safe and (lapsed.deadline_at is None or lapsed.deadline_at > datetime.now(UTC)):
            again = Again(
                id=lapsed.id,
                tenant=lapsed.tenant,
                attempt=lapsed.attempt,
                status=ExecutionStatus.QUEUED,
                outcome="PROCESS_LOST",
                provider_status=None,
                retry_at=datetime.now(UTC),
                may_have_happened=lapsed.effect is not Effect.READ,
                is_recovery=True,
            )
            await self._ledger.again(again)
            return
        else:
            outcome = lost_track(lapsed.effect, what_to_check)
        look = probe_after(action, outcome)
        await self._ledger.finish(Finish(lapsed.id, lapsed.tenant, lapsed.attempt, outcome, 0, None, probe_after=look))


def _still_fit(action: Action, parameters: object) -> JsonObject:
    """The parameters were checked when they came; the action may be another by now."""
    fit = cast(JsonObject, parameters)
    if not isinstance(parameters, dict) or action.check(fit):
        raise NotFound(f"{action.slug} does not take these parameters any more. Ask again.")
    return fit


def _dispatch(queued: Queued, action: Action, permit: Permit, decided: Decided) -> Dispatch:
    return Dispatch(
        id=queued.execution.id,
        tenant=queued.tenant,
        attempt=queued.execution.attempt,
        connection_version=permit.connection.version,
        agent_version=decided.standing.agent_version,
        grant_id=permit.grant.id if permit.grant else None,
        grant_version=permit.grant.version if permit.grant else None,
        action_digest=action.digest,
    )


def _run(
    queued: Queued,
    integration: Integration,
    action: Action,
    parameters: JsonObject,
    permit: Permit,
    admission: Admission,
) -> Run:
    running = replace(
        queued.execution,
        status=ExecutionStatus.RUNNING,
        attempt=queued.execution.attempt + 1,
        started_at=admission.started_at,
    )
    return Run(
        tenant=queued.tenant,
        execution=running,
        integration=integration,
        action=action,
        parameters=parameters,
        connection=permit.connection,
        credential=admission.credential,
        parameters_hash=queued.parameters_hash,
        has_budget=permit.grant is not None and permit.grant.budget.is_limited,
    )


def _too_late() -> Outcome:
    message = "Its deadline passed while it waited for its turn. Nothing was sent."
    return Outcome(ExecutionStatus.EXPIRED, error=ExecutionError("TIMED_OUT", message, is_retryable=True))


def _refused(refusal: Refusal) -> Outcome:
    message = f"When its turn came, it was not allowed any more: {refusal.message}"
    return Outcome(ExecutionStatus.FAILED, error=ExecutionError(refusal.code, message, is_retryable=False))


def _never_begun() -> Outcome:
    message = f"The process that was to run it went away {MOST_RECOVERIES + 1} times before it began. Nothing was sent."
    return Outcome(ExecutionStatus.FAILED, error=ExecutionError("RECOVERY_EXHAUSTED", message, is_retryable=True))


def _exhausted(effect: Effect, what_to_check: str | None) -> Outcome:
    message = f"The process that ran it went away {MOST_RECOVERIES + 1} times. It is not taken up again."
    error = ExecutionError("RECOVERY_EXHAUSTED", message, is_retryable=False)
    if effect is Effect.READ:
        return Outcome(ExecutionStatus.FAILED, error=error)
    return Outcome(ExecutionStatus.UNKNOWN, error=error, what_to_check=what_to_check)
