"""The life of one execution.

    resolve    which action is meant
    validate   all mistakes in the parameters at once
    permit     may this caller, now, as which account: `domain.grants.choose`, on facts read this moment
    admit      the intent is committed with its audit record, if the facts still hold; the credential comes with it
    lease      the credential is opened, for this run only
    call       the adapter speaks to the service, within the deadline
    classify   what happened, in our words: SUCCEEDED, FAILED, or honestly UNKNOWN
    record     the result is committed with its audit record
    tell       everybody who watches hears of it

Nothing is sent before the intent is committed, and nothing is decided on facts that changed since: the intent names
the versions it rests on, and the statement that commits it compares them (decision 0001). Once an intent is
committed, the run goes on to its end even when the caller goes away.
"""

import asyncio
import difflib
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from uuid import UUID

import structlog

from domain.callers import Caller
from domain.catalogue import Action, CallSetting, Catalogue, Effect, Integration
from domain.errors import (
    AnswerGarbled,
    Conflict,
    CredentialUnreadable,
    DependencyDown,
    InvalidInput,
    InvalidParameters,
    Misconfigured,
    NotFound,
    ProviderProblem,
    Refusal,
    Violation,
)
from domain.executions import (
    Admission,
    Execution,
    ExecutionError,
    ExecutionMode,
    ExecutionOrigin,
    ExecutionStatus,
    Finish,
    Finished,
    Intent,
    Outcome,
    Verdict,
    lost_track,
    outcome_of,
    succeeded,
)
from domain.grants import Permit, Refused, choose
from domain.history import Occurrence
from domain.ids import Kind, new_id, public_id
from domain.json import Json, JsonObject, canonical
from execution.ports import Fingerprints, Ledger, Vault

log = structlog.get_logger("execution")

DEFAULT_DEADLINE_SECONDS = 30
LARGEST_DEADLINE_SECONDS = 300
LONGEST_KEY = 200
#: How long after the deadline a run may still be writing its result before it counts as lost.
LEASE_MARGIN_SECONDS = 30
_DECISIONS = 3
_POLL_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5)
_RECORD_WAITS_SECONDS = (0.1, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks for, through whichever door."""

    action: str
    parameters: Json
    connection_id: UUID | None = None
    idempotency_key: str | None = None
    deadline_seconds: int | None = None
    origin: ExecutionOrigin = ExecutionOrigin.GRAPHQL


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A committed intent, ready to run."""

    caller: Caller
    integration: Integration
    action: Action
    parameters: JsonObject
    permit: Permit
    intent: Intent
    admission: Admission


class Pipeline:
    """Runs executions. One per process; safe to use from any number of tasks."""

    def __init__(self, catalogue: Catalogue, ledger: Ledger, vault: Vault, fingerprints: Fingerprints) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._vault = vault
        self._fingerprints = fingerprints
        self._under_way: set[asyncio.Task[Execution | Intent]] = set()

    async def execute(self, caller: Caller, request: Request) -> Execution:
        """Run one action and answer with the finished execution.

        Raises a Refusal when it was not admitted, each recorded in history; DependencyDown when nothing could be
        recorded, and so nothing was sent, or, saying so, when it was sent and its result could not be recorded.
        """
        done = await self._see_through(self._run(caller, request))
        if isinstance(done, Execution):
            return done
        async with self._recording_refusals(caller, request):
            return await self._replay(done)

    async def drain(self, seconds: float) -> None:
        """Wait for the runs under way, at most this long."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)

    async def settle_lapsed(self) -> int:
        """Give executions whose process went away their honest end. Returns how many."""
        lapsed = await self._ledger.lapsed()
        for each in lapsed:
            action = self._catalogue.action(each.action)
            outcome = lost_track(each.effect, action.what_to_check if action else None)
            await self._ledger.finish(Finish(each.id, each.tenant, each.attempt, outcome, 0, None))
        return len(lapsed)

    async def _run(self, caller: Caller, request: Request) -> Execution | Intent:
        """From the request to the recorded result; the intent, when its key was used before."""
        async with self._recording_refusals(caller, request):
            integration, action = self._resolve(request)
            parameters = _validate(request, action)
            admitted = await self._admit(caller, request, integration, action, parameters)
        return admitted if isinstance(admitted, Intent) else await self._carry_out(admitted)

    @asynccontextmanager
    async def _recording_refusals(self, caller: Caller, request: Request) -> AsyncIterator[None]:
        try:
            yield
        except Refusal as refusal:
            await self._ledger.refuse(caller.tenant, _refusal(caller, request, refusal, self._catalogue))
            raise

    # ------------------------------------------------------------------------------------------ resolve

    def _resolve(self, request: Request) -> tuple[Integration, Action]:
        action = self._catalogue.action(request.action)
        if action is None:
            raise NotFound(_no_such_action(request.action, self._catalogue), ("input", "action"))
        return self._catalogue.integrations[action.integration], action

    # ------------------------------------------------------------------------------------ permit, admit

    async def _admit(
        self, caller: Caller, request: Request, integration: Integration, action: Action, parameters: JsonObject
    ) -> _Admitted | Intent:
        for _ in range(_DECISIONS):
            standing = await self._ledger.standing(
                caller.tenant, caller.agent_id, integration.slug, request.connection_id
            )
            decision = choose(standing, integration, action, request.connection_id, datetime.now(UTC))
            if isinstance(decision, Refused):
                raise decision.refusal
            intent = self._intent(caller, request, action, parameters, decision, standing.agent_version)
            admission = await self._ledger.admit(intent)
            if admission.verdict is Verdict.ADMITTED:
                return _Admitted(caller, integration, action, parameters, decision, intent, admission)
            if admission.verdict is Verdict.DUPLICATE:
                return intent
            # STALE: something changed between reading the facts and committing; decide again on new ones.
        raise DependencyDown("The permissions of this call keep changing. Nothing was sent; try again.")

    def _intent(
        self,
        caller: Caller,
        request: Request,
        action: Action,
        parameters: JsonObject,
        permit: Permit,
        agent_version: int | None,
    ) -> Intent:
        now = datetime.now(UTC)
        deadline = now + timedelta(seconds=request.deadline_seconds or DEFAULT_DEADLINE_SECONDS)
        text = canonical(parameters)
        tenant = caller.tenant.encode()
        what = (action.slug.encode(), permit.connection.id.bytes, text)
        return Intent(
            id=new_id(),
            tenant=caller.tenant,
            actor=caller.actor,
            action=action.slug,
            integration=action.integration,
            effect=action.effect,
            connection_id=permit.connection.id,
            connection_version=permit.connection.version,
            agent_id=caller.agent_id,
            agent_version=agent_version,
            grant_id=permit.grant.id if permit.grant else None,
            grant_version=permit.grant.version if permit.grant else None,
            mode=ExecutionMode.WAIT,
            origin=request.origin,
            parameters=text.decode(),
            parameters_hash=self._fingerprints.of(b"parameters", tenant, text),
            idempotency_key=request.idempotency_key,
            fingerprint=self._fingerprints.of(b"request", tenant, *what),
            deadline_at=deadline,
            lease_until=deadline + timedelta(seconds=LEASE_MARGIN_SECONDS),
        )

    async def _replay(self, intent: Intent) -> Execution:
        """The same key again: the same execution when it asks for the same, and a Conflict when it does not."""
        execution = await self._of_same_key(intent)
        waits = chain(_POLL_SECONDS, repeat(_POLL_SECONDS[-1]))
        while execution.status is ExecutionStatus.RUNNING and datetime.now(UTC) < intent.deadline_at:
            await asyncio.sleep(next(waits))
            execution = await self._of_same_key(intent)
        return execution

    async def _of_same_key(self, intent: Intent) -> Execution:
        found = await self._ledger.by_key(intent.tenant, intent.actor, intent.idempotency_key or "")
        if found is None:
            raise DependencyDown("The execution of this idempotency key cannot be read just now. Try again.")
        execution, fingerprint = found
        if fingerprint != intent.fingerprint:
            message = "This idempotency key was used for another action, connection or parameters. Use a new key."
            raise Conflict(message, ("input", "idempotencyKey"))
        return execution

    # --------------------------------------------------------- lease, call, classify, record, tell

    async def _see_through(self, run: Coroutine[object, object, Execution | Intent]) -> Execution | Intent:
        """A caller that goes away does not stop what may have been committed to, nor the record of a refusal."""
        task = asyncio.ensure_future(run)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _carry_out(self, admitted: _Admitted) -> Execution:
        begun = time.perf_counter()
        outcome = await self._call(admitted)
        duration_ms = round((time.perf_counter() - begun) * 1000)
        try:
            finished = await self._record(admitted, outcome, duration_ms)
        except ValueError:
            outcome = _not_json(admitted)
            finished = await self._record(admitted, outcome, duration_ms)
        if outcome.needs_reconnect and outcome.error is not None:
            connection = admitted.permit.connection
            with suppress(DependencyDown):  # the result is recorded; the next call will find the same out again
                await self._ledger.expire(
                    admitted.intent.tenant, connection.id, connection.version, outcome.error.message
                )
        if finished.position is None:  # settled meanwhile, or by our own commit whose answer was lost: history decides
            with suppress(DependencyDown):  # when it cannot be read just now, what we know ourselves is the best answer
                return await self._ledger.recorded(admitted.intent.tenant, admitted.intent.id)
        return _answer(admitted, outcome, duration_ms, finished)

    async def _call(self, admitted: _Admitted) -> Outcome:
        intent, action = admitted.intent, admitted.action
        try:
            setting = await self._setting(admitted)
        except CredentialUnreadable:
            log.error("credential_unreadable", execution=intent.id.hex, connection=intent.connection_id.hex)
            return _not_opened()
        try:
            # A second of grace: the adapter keeps the same deadline and knows better how far it got.
            left = (intent.deadline_at - datetime.now(UTC)).total_seconds() + 1
            async with asyncio.timeout(left):
                result = await admitted.integration.run(action, admitted.parameters, setting)
        except ProviderProblem as problem:
            return outcome_of(action, problem)
        except Misconfigured as error:  # found while the call was put together: nothing was sent
            log.error("not_set_up", execution=intent.id.hex, action=action.slug, reason=error.message)
            return _not_set_up()
        except TimeoutError:
            return _out_of_time(action)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # we are being stopped; otherwise something inside the call was
            return lost_track(action.effect, action.what_to_check)
        except Exception as error:  # noqa: BLE001 - the gateway must not lose an execution over it
            # The adapter's own fault. Its words may hold what the service said, so only its kind is logged.
            log.error("action_failed", execution=intent.id.hex, action=action.slug, kind=type(error).__name__)
            return lost_track(action.effect, action.what_to_check)
        return succeeded(result)

    async def _setting(self, admitted: _Admitted) -> CallSetting:
        intent, connection = admitted.intent, admitted.permit.connection
        if admitted.admission.credential is None:
            raise CredentialUnreadable("An admitted intent came without its credential.")
        credential = await self._vault.open_credential(
            intent.tenant, intent.connection_id, admitted.admission.credential
        )
        return CallSetting(
            credential=credential,
            account=connection.account,
            is_sandbox=connection.is_sandbox,
            key=intent.id,
            deadline_at=intent.deadline_at,
        )

    async def _record(self, admitted: _Admitted, outcome: Outcome, duration_ms: int) -> Finished:
        """Commit the result, patiently when the database is away.

        Raises ValueError when the result is not JSON, and DependencyDown when the database stays away: then the lease
        decides what history says, and the caller must not take silence for "it was not done".
        """
        intent = admitted.intent
        finish = Finish(intent.id, intent.tenant, 1, outcome, duration_ms, intent.parameters_hash)
        for wait in _RECORD_WAITS_SECONDS:
            try:
                return await self._ledger.finish(finish)
            except DependencyDown:
                log.warning("result_waits_for_database", execution=intent.id.hex, seconds=wait)
                await asyncio.sleep(wait)
        log.error("result_not_recorded", execution=intent.id.hex, status=outcome.status)
        raise DependencyDown(
            f"{intent.action} was sent, but what became of it cannot be recorded just now. Do not repeat it blindly: "
            f"look at the execution {public_id(Kind.EXECUTION, intent.id)} when the database is back."
        )


def _validate(request: Request, action: Action) -> JsonObject:
    """Everything about the request that can be judged without asking anybody."""
    seconds, key = request.deadline_seconds, request.idempotency_key
    if seconds is not None and not 1 <= seconds <= LARGEST_DEADLINE_SECONDS:
        message = f"A deadline is between 1 and {LARGEST_DEADLINE_SECONDS} seconds."
        raise InvalidInput(message, ("input", "deadlineSeconds"))
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        message = f"An idempotency key has 1 to {LONGEST_KEY} printable characters."
        raise InvalidInput(message, ("input", "idempotencyKey"))
    violations = action.check(request.parameters)
    if violations:
        raise InvalidParameters(violations)
    if not isinstance(request.parameters, dict):
        raise InvalidParameters([Violation("", "The parameters are an object.")])
    return request.parameters


def _no_such_action(slug: str, catalogue: Catalogue) -> str:
    known = [each for integration in catalogue.integrations.values() for each in integration.actions]
    near = difflib.get_close_matches(slug[:100], known, n=1)
    return "There is no such action." + (f" Did you mean {near[0]}?" if near else "")


def _refusal(caller: Caller, request: Request, refusal: Refusal, catalogue: Catalogue) -> Occurrence:
    """The record of an attempt. What the caller wrote is repeated only where it names something of ours."""
    action = catalogue.action(request.action)
    reason = getattr(refusal, "reason", None) or refusal.code.lower()
    return Occurrence(
        type="execution.refused",
        actor=caller.actor,
        agent_id=caller.agent_id,
        integration=action.integration if action else None,
        action=action.slug if action else None,
        reason=reason,
        status="REFUSED",
        error=refusal.code,
    )


def _not_opened() -> Outcome:
    message = "The connection's credential cannot be opened. Nothing was sent; an operator must look at the keys."
    return Outcome(ExecutionStatus.FAILED, error=ExecutionError("CREDENTIAL_UNREADABLE", message, False))


def _not_json(admitted: _Admitted) -> Outcome:
    return outcome_of(admitted.action, AnswerGarbled(f"The answer of {admitted.integration.name} cannot be recorded."))


def _not_set_up() -> Outcome:
    message = "The gateway is not set up for this account. Nothing was sent; an operator finds the reason in its log."
    return Outcome(ExecutionStatus.FAILED, error=ExecutionError(Misconfigured.code, message, is_retryable=False))


def _out_of_time(action: Action) -> Outcome:
    lost = lost_track(action.effect, action.what_to_check)
    is_retryable = action.is_idempotent or action.effect is Effect.READ
    error = ExecutionError("TIMED_OUT", "The deadline passed while the call was under way.", is_retryable)
    return Outcome(lost.status, error=error, what_to_check=lost.what_to_check)


def _answer(admitted: _Admitted, outcome: Outcome, duration_ms: int, finished: Finished) -> Execution:
    """What was committed, without reading it back."""
    intent, started = admitted.intent, admitted.admission.started_at
    return Execution(
        id=intent.id,
        action=intent.action,
        integration=intent.integration,
        connection_id=intent.connection_id,
        agent_id=intent.agent_id,
        grant_id=intent.grant_id,
        status=outcome.status,
        mode=intent.mode,
        origin=intent.origin,
        parameters=admitted.parameters,
        result=outcome.result,
        error=outcome.error,
        idempotency_key=intent.idempotency_key,
        attempt=1,
        what_to_check=outcome.what_to_check,
        created_at=started or finished.finished_at,
        started_at=started,
        finished_at=finished.finished_at,
        deadline_at=intent.deadline_at,
        duration_ms=duration_ms,
    )
