"""One run on its way: lease, call, classify, again or record, tell.

It begins when RUNNING is committed and ends when the result is. Between the two, the run keeps its lease; tries again
when that is safe and there is time; and can be cancelled, with an honest word about what may have left already.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from domain.catalogue import Action, CallSetting, Effect, Integration
from domain.connections import Connection
from domain.errors import (
    AnswerGarbled,
    CredentialUnreadable,
    DependencyDown,
    Misconfigured,
    ProviderProblem,
)
from domain.executions import (
    Again,
    Attempt,
    Execution,
    ExecutionError,
    ExecutionMode,
    ExecutionStatus,
    Finish,
    Finished,
    Outcome,
    in_view_of,
    lost_track,
    outcome_of,
    succeeded,
)
from domain.ids import Kind, public_id
from domain.json import JsonObject
from domain.redaction import secrets_of, without
from domain.sealed import Sealed
from execution.breaker import Breakers
from execution.ports import Credentials, Ledger

log = structlog.get_logger("execution")

MOST_ATTEMPTS = 3
#: A call to a service never takes longer than this, however long its execution may wait for its turn.
LONGEST_CALL_SECONDS = 300
#: How long after a lost answer its effect is looked for: what a service has done shows a moment later.
PROBE_SECONDS = 3
#: How often a process keeps the leases of what it runs.
BEAT_SECONDS = 2.5
_PAUSES_SECONDS = (0.3, 1.0)
#: A pause longer than this is spent in the queue, so that it holds up nobody and survives the process.
_LONGEST_PAUSE_SECONDS = 5
_RECORD_WAITS_SECONDS = (0.1, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Run:
    """An execution that is committed to run, with all it needs."""

    tenant: str
    execution: Execution
    integration: Integration
    action: Action
    parameters: JsonObject
    connection: Connection
    credential: Sealed | None
    parameters_hash: bytes
    has_budget: bool


@dataclass(slots=True)
class _Live:
    """A run in this process. `is_calling` while a cancellation may interrupt it."""

    task: "asyncio.Task[object]"
    tenant: str
    attempt: int
    begun: float
    is_calling: bool = False
    _is_cancelled: bool = False

    def cancel(self) -> None:
        """Interrupt the call, if it is under way."""
        self._is_cancelled = True
        if self.is_calling:
            self.task.cancel()

    def was_cancelled(self) -> bool:
        """Whether somebody asked, up to this moment."""
        return self._is_cancelled


class Runner:
    """Carries runs out. One per process; safe to use from any number of tasks."""

    def __init__(self, ledger: Ledger, credentials: Credentials) -> None:
        self._ledger = ledger
        self._credentials = credentials
        self._breakers = Breakers()
        self._live: dict[UUID, _Live] = {}
        #: Hears when something was put back into the queue, until then.
        self.put_back: Callable[[datetime], None] = _nobody

    async def run(self, run: Run) -> Execution:
        """To the recorded end, or back into the queue. Raises DependencyDown when the end cannot be recorded."""
        begun = time.perf_counter()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in one
        live = _Live(task, run.tenant, run.execution.attempt, begun)
        self._live[run.execution.id] = live
        try:
            while True:
                outcome = await self._call(run, live)
                following = await self._again(run, outcome, live)
                if following is None:
                    return await self._conclude(run, outcome, round((time.perf_counter() - begun) * 1000))
                if following.execution.status is not ExecutionStatus.RUNNING:
                    return following.execution
                run = following
        finally:
            del self._live[run.execution.id]

    def cancel(self, execution_id: UUID) -> bool:
        """Stop it if it runs in this process. What has left already cannot be called back; the outcome says so."""
        live = self._live.get(execution_id)
        if live is None:
            return False
        live.cancel()
        return True

    async def beat(self) -> None:
        """Keep the leases of what has been running for a while, and cancel what somebody asked to."""
        now = time.perf_counter()
        held = [(each.tenant, id, each.attempt) for id, each in self._live.items() if now - each.begun > BEAT_SECONDS]
        if not held:
            return
        for id, is_cancelled in (await self._ledger.beat(held)).items():
            if is_cancelled:
                self.cancel(id)

    # --------------------------------------------------------------------------------------- lease, call, classify

    async def _call(self, run: Run, live: _Live) -> Outcome:
        service, is_sandbox = run.integration.slug, run.connection.is_sandbox
        pause = self._breakers.open_until(service, is_sandbox=is_sandbox)
        if pause is not None:
            return _paused(run.integration, pause)
        try:
            setting = await self._setting(run)
        except CredentialUnreadable:
            log.error("credential_unreadable", execution=run.execution.id.hex, connection=run.connection.id.hex)
            return _not_opened()
        except ProviderProblem as problem:  # it has to be renewed first and could not be: nothing was sent
            return outcome_of(run.action, problem)
        if live.was_cancelled():
            return _called_off()
        outcome = await self._outcome(run, setting, live)
        if outcome.needs_reconnect:
            outcome = await self._once_more(run, setting, live, outcome)
        self._breakers.note(service, outcome, is_sandbox=is_sandbox)
        return outcome

    async def _outcome(self, run: Run, setting: CallSetting, live: _Live) -> Outcome:
        action, execution = run.action, run.execution
        live.is_calling = True
        try:
            # A second of grace: the adapter keeps the same deadline and knows better how far it got.
            async with asyncio.timeout((setting.deadline_at - datetime.now(UTC)).total_seconds() + 1):
                result = await run.integration.run(action, run.parameters, setting)
        except ProviderProblem as problem:
            return outcome_of(action, problem)
        except Misconfigured as error:  # found while the call was put together: nothing was sent
            log.error("not_set_up", execution=execution.id.hex, action=action.slug, reason=error.message)
            return _not_set_up()
        except TimeoutError:
            return _out_of_time(action)
        except asyncio.CancelledError:
            if live.was_cancelled():
                live.task.uncancel()
                return _interrupted(action)
            if live.task.cancelling():
                raise  # we are being stopped; otherwise something inside the call was
            return lost_track(action.effect, action.what_to_check)
        except Exception as error:  # noqa: BLE001 - the gateway must not lose an execution over it
            # The adapter's own fault. Its words may hold what the service said, so only its kind is logged.
            log.error("action_failed", execution=execution.id.hex, action=action.slug, kind=type(error).__name__)
            return lost_track(action.effect, action.what_to_check)
        finally:
            live.is_calling = False
        # A service that repeats what it was sent must not make us tell callers what they may not know.
        return succeeded(without(result, secrets_of(setting.credential, run.integration.credential_schema)))

    async def _once_more(self, run: Run, setting: CallSetting, live: _Live, refused: Outcome) -> Outcome:
        """The service refused the credential before it did anything; with a renewed one it is asked again, once."""
        try:
            credential = await self._credentials.renewed(
                run.tenant, run.connection.id, setting.credential, deadline=setting.deadline_at
            )
        except CredentialUnreadable:
            return refused
        except ProviderProblem as problem:  # there may be another: the refusal says nothing about the connection
            return outcome_of(run.action, problem)
        if credential is None or live.was_cancelled():
            return refused
        return await self._outcome(run, replace(setting, credential=credential), live)

    async def _setting(self, run: Run) -> CallSetting:
        if run.credential is None:
            raise CredentialUnreadable("An admitted execution came without its credential.")
        longest = datetime.now(UTC) + timedelta(seconds=LONGEST_CALL_SECONDS)
        deadline_at = min(run.execution.deadline_at or longest, longest)
        credential = await self._credentials.fresh(run.tenant, run.connection.id, run.credential, deadline=deadline_at)
        return CallSetting(
            credential=credential,
            account=run.connection.account,
            is_sandbox=run.connection.is_sandbox,
            key=run.execution.id,
            deadline_at=deadline_at,
        )

    # ---------------------------------------------------------------------------------------------------- again

    async def _again(self, run: Run, outcome: Outcome, live: _Live) -> Run | None:
        """The next attempt, once its moment has come; or its place in the queue. None when this was the last one."""
        retry_at = _retry_at(run, outcome)
        if retry_at is None or live.was_cancelled():
            return None
        seconds = (retry_at - datetime.now(UTC)).total_seconds()
        waits_here = seconds <= _LONGEST_PAUSE_SECONDS or run.execution.mode is ExecutionMode.WAIT
        error = outcome.error
        again = Again(
            id=run.execution.id,
            tenant=run.tenant,
            attempt=run.execution.attempt,
            status=ExecutionStatus.RUNNING if waits_here else ExecutionStatus.QUEUED,
            outcome=error.code if error else outcome.status.value,
            provider_status=error.provider_status if error else None,
            retry_at=retry_at,
            may_have_happened=outcome.status is ExecutionStatus.UNKNOWN,
        )
        try:
            if not await self._ledger.again(again):
                return None  # settled meanwhile: recording finds that out and answers with what history says
        except DependencyDown:
            return None
        following = replace(run, execution=_tried(run.execution, again))
        if not waits_here:
            self.put_back(retry_at)
        else:
            live.attempt = following.execution.attempt
            live.is_calling = True
            try:
                await asyncio.sleep(max(seconds, 0))
            except asyncio.CancelledError:
                if not live.was_cancelled():
                    raise
                live.task.uncancel()  # the next attempt sees it, and does not begin
            finally:
                live.is_calling = False
        return following

    # --------------------------------------------------------------------------------------------- record, tell

    async def _conclude(self, run: Run, outcome: Outcome, duration_ms: int) -> Execution:
        outcome = in_view_of(run.execution.earlier_attempts, run.action, outcome)
        try:
            finished = await self._record(run, outcome, duration_ms)
        except ValueError:
            outcome = outcome_of(run.action, AnswerGarbled(f"The answer of {run.integration.name} cannot be recorded."))
            finished = await self._record(run, outcome, duration_ms)
        if outcome.needs_reconnect and outcome.error is not None:
            connection = run.connection
            with suppress(DependencyDown):  # the result is recorded; the next call will find the same out again
                await self._ledger.expire(run.tenant, connection.id, connection.version, outcome.error.message)
        if finished.position is None:  # settled meanwhile, or by our own commit whose answer was lost: history decides
            with suppress(DependencyDown):  # when it cannot be read just now, what we know ourselves is the best answer
                return await self._ledger.recorded(run.tenant, run.execution.id)
        return replace(
            run.execution,
            status=outcome.status,
            result=outcome.result,
            error=outcome.error,
            what_to_check=outcome.what_to_check,
            finished_at=finished.finished_at,
            duration_ms=duration_ms,
        )

    async def _record(self, run: Run, outcome: Outcome, duration_ms: int) -> Finished:
        """Commit the result, patiently when the database is away.

        Raises ValueError when the result is not JSON, and DependencyDown when the database stays away: then the lease
        decides what history says, and the caller must not take silence for "it was not done".
        """
        execution = run.execution
        finish = Finish(
            execution.id,
            run.tenant,
            execution.attempt,
            outcome,
            duration_ms,
            run.parameters_hash,
            run.has_budget,
            probe_after=probe_after(run.action, outcome),
        )
        for wait in _RECORD_WAITS_SECONDS:
            try:
                return await self._ledger.finish(finish)
            except DependencyDown:
                log.warning("result_waits_for_database", execution=execution.id.hex, seconds=wait)
                await asyncio.sleep(wait)
        log.error("result_not_recorded", execution=execution.id.hex, status=outcome.status)
        raise DependencyDown(
            f"{execution.action} was sent, but what became of it cannot be recorded just now. Do not repeat it "
            f"blindly: look at the execution {public_id(Kind.EXECUTION, execution.id)} when the database is back."
        )


def _nobody(_: datetime) -> None:
    """Without a worker there is no queue."""


def probe_after(action: Action | None, outcome: Outcome) -> int | None:
    """In how many seconds the effect is looked for; None where nothing is in doubt, or the action cannot look."""
    is_in_doubt = outcome.status is ExecutionStatus.UNKNOWN and action is not None and action.has_probe
    return PROBE_SECONDS if is_in_doubt else None


def _retry_at(run: Run, outcome: Outcome) -> datetime | None:
    """When to try again; None when that would not be safe, is not worth it, or there is no time for it."""
    error, tried = outcome.error, run.execution.attempt
    if error is None or not error.is_retryable or error.code == "INTERNAL":
        return None
    now = datetime.now(UTC)
    if error.code == "PROVIDER_PAUSED":  # nothing was tried, so it does not count; who waits is told at once
        if run.execution.mode is ExecutionMode.WAIT:
            return None
        retry_at = now + timedelta(seconds=min(10 * tried, 60))
        return retry_at if run.execution.deadline_at is None or retry_at < run.execution.deadline_at else None
    if tried >= MOST_ATTEMPTS:
        return None
    pause = _PAUSES_SECONDS[min(tried, len(_PAUSES_SECONDS)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311  # spread
    retry_at = max(error.retry_at or now, now + timedelta(seconds=pause))
    deadline = run.execution.deadline_at
    return None if deadline is not None and retry_at + timedelta(seconds=1) > deadline else retry_at


def _tried(execution: Execution, again: Again) -> Execution:
    """The execution after an attempt that will be followed by another."""
    last = execution.attempts[-1]
    ended = Attempt(
        number=last.number,
        started_at=last.started_at,
        finished_at=datetime.now(UTC),
        outcome=again.outcome,
        provider_status=again.provider_status,
        retry_at=again.retry_at,
        may_have_happened=again.may_have_happened,
    )
    is_running = again.status is ExecutionStatus.RUNNING
    return replace(
        execution,
        status=again.status,
        attempt=execution.attempt + is_running,
        earlier_attempts=(*execution.earlier_attempts, ended),
    )


def _not_opened() -> Outcome:
    message = "The connection's credential cannot be opened. Nothing was sent; an operator must look at the keys."
    return Outcome(ExecutionStatus.FAILED, error=ExecutionError("CREDENTIAL_UNREADABLE", message, False))


def _not_set_up() -> Outcome:
    message = "The gateway is not set up for this account. Nothing was sent; an operator finds the reason in its log."
    return Outcome(ExecutionStatus.FAILED, error=ExecutionError(Misconfigured.code, message, is_retryable=False))


def _paused(integration: Integration, until: datetime) -> Outcome:
    message = f"{integration.name} has been out of order for several calls in a row, so nothing is sent for a moment."
    error = ExecutionError("PROVIDER_PAUSED", message, is_retryable=True, retry_at=until)
    return Outcome(ExecutionStatus.FAILED, error=error)


def _called_off() -> Outcome:
    error = ExecutionError("CANCELLED", "It was cancelled before anything was sent.", is_retryable=False)
    return Outcome(ExecutionStatus.CANCELLED, error=error)


def _interrupted(action: Action) -> Outcome:
    if action.effect is Effect.READ:
        error = ExecutionError("CANCELLED", "It was cancelled while under way; it only reads.", is_retryable=False)
        return Outcome(ExecutionStatus.CANCELLED, error=error)
    message = "It was cancelled while under way. What had been sent by then cannot be called back."
    error = ExecutionError("CANCELLED", message, is_retryable=False)
    return Outcome(ExecutionStatus.UNKNOWN, error=error, what_to_check=action.what_to_check)


def _out_of_time(action: Action) -> Outcome:
    lost = lost_track(action.effect, action.what_to_check)
    is_retryable = action.is_idempotent or action.effect is Effect.READ
    error = ExecutionError("TIMED_OUT", "The deadline passed while the call was under way.", is_retryable)
    return Outcome(lost.status, error=error, what_to_check=lost.what_to_check)
