"""The life of one execution.

    resolve    which action is meant
    validate   all mistakes in the parameters at once
    permit     may this caller, now, as which account: `domain.grants.choose`, on facts read this moment
    admit      the intent is committed with its audit record, if the facts still hold
    wait       for a person's yes, or for its turn, where it has to (execution/working.py)
    run        lease, call, classify, record, tell (execution/running.py)

Nothing is sent before the intent is committed, and nothing is decided on facts that changed since: the intent names
the versions it rests on, and the statement that commits it compares them (decision 0001). Once an intent is
committed, the run goes on to its end even when the caller goes away.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat

from domain.approvals import PATIENCE, summary_of
from domain.callers import Caller
from domain.catalogue import Action, Catalogue, Integration
from domain.errors import (
    BudgetExceeded,
    Conflict,
    DependencyDown,
    InvalidInput,
    InvalidParameters,
    RateLimited,
    Refusal,
    Violation,
)
from domain.executions import (
    UNFINISHED,
    Admission,
    ApprovalAsked,
    Execution,
    ExecutionMode,
    ExecutionStatus,
    Intent,
    Verdict,
)
from domain.grants import Budget, Permit, Refused
from domain.history import Occurrence
from domain.ids import new_id
from domain.json import Json, JsonObject, canonical
from domain.rates import Limits
from domain.redaction import holds_secrets, redacted
from execution.deciding import Decider
from execution.planning import Planner, Request
from execution.ports import Credentials, Fingerprints, Ledger
from execution.probing import Prober
from execution.running import Run, Runner
from execution.throttling import Throttle, in_words
from execution.working import Worker

DEFAULT_DEADLINE_SECONDS = 30
LARGEST_DEADLINE_SECONDS = 300
#: In the background an execution may wait for its turn, for a service that is out of order, or for a rate limit.
DEFAULT_BACKGROUND_SECONDS = 3_600
LARGEST_BACKGROUND_SECONDS = 86_400
LONGEST_KEY = 200
__all__ = ["Pipeline", "Request", "exceeded", "validated"]
_DECISIONS = 3
_POLL_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that makes sense: what is meant, with parameters that fit. `shown` is what may be kept of them."""

    caller: Caller
    request: Request
    integration: Integration
    action: Action
    parameters: JsonObject
    shown: Json


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A committed intent."""

    asked: _Asked
    permit: Permit
    intent: Intent
    admission: Admission


class Pipeline:
    """Runs executions. One per process; safe to use from any number of tasks."""

    def __init__(
        self,
        catalogue: Catalogue,
        ledger: Ledger,
        credentials: Credentials,
        fingerprints: Fingerprints,
        throttle: Throttle | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._fingerprints = fingerprints
        self.decider = Decider(catalogue, ledger, fingerprints)
        self.planner = Planner(self.decider)
        self.runner = Runner(ledger, credentials)
        self.prober = Prober(catalogue, ledger, credentials)
        self._throttle = throttle or Throttle(Limits())
        self.worker = Worker(catalogue, ledger, self.decider, self.runner, self._throttle)
        self._taking_secrets: dict[tuple[str, str], bool] = {}
        self._under_way: set[asyncio.Task[Execution | Intent]] = set()

    async def execute(self, caller: Caller, request: Request) -> Execution:
        """Run one action and answer with the finished execution; with one that waits, where a person must say yes first
        or the request is for the background.

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
        await self.worker.drain(seconds)

    async def _run(self, caller: Caller, request: Request) -> Execution | Intent:
        """From the request to the recorded result; the intent, when its key was used before."""
        if (
            request.mode is ExecutionMode.WAIT
        ):  # the first of a rush is recorded, below; the rest is not worth a row each
            known = self._throttle.known(caller.tenant, caller.agent_id, request.action.partition(".")[0])
            if known is not None:
                raise RateLimited(in_words(known), known.free_at)
        async with self._recording_refusals(caller, request):
            integration, action = self.decider.resolve(request.action)
            parameters = validated(request, action)
            shown = self._without_secrets(action, parameters)
            asked = _Asked(caller, request, integration, action, parameters, shown)
            admitted = await self._admit(asked)
        if isinstance(admitted, Intent):
            return admitted
        if admitted.intent.status is not ExecutionStatus.RUNNING:
            self.worker.wake()
            return _admitted_execution(admitted)
        return await self.runner.run(_run_of(admitted))

    @asynccontextmanager
    async def _recording_refusals(self, caller: Caller, request: Request) -> AsyncIterator[None]:
        try:
            yield
        except Refusal as refusal:
            await self._ledger.refuse(caller.tenant, _refusal(caller, request, refusal, self._catalogue))
            raise

    # ------------------------------------------------------------------------------------ permit, admit

    async def _admit(self, asked: _Asked) -> _Admitted | Intent:
        caller, request, has_turn = asked.caller, asked.request, False
        for _ in range(_DECISIONS):
            decided = await self.decider.decide(
                caller.tenant,
                caller.agent_id,
                asked.integration,
                asked.action,
                asked.parameters,
                request.connection_id,
            )
            permit = decided.decision
            if isinstance(permit, Refused):
                raise permit.refusal
            intent = self._intent(asked, permit, decided.standing.agent_version)
            if intent.status is ExecutionStatus.RUNNING and not has_turn:
                await self._take_turn(intent)
                has_turn = True
            admission = await self._ledger.admit(intent)
            match admission.verdict:
                case Verdict.ADMITTED:
                    return _Admitted(asked, permit, intent, admission)
                case Verdict.DUPLICATE:
                    return intent
                case Verdict.EXCEEDED:
                    raise exceeded(permit.grant.budget if permit.grant else Budget())
            # STALE: something changed between reading the facts and committing; decide again on new ones.
        raise DependencyDown("The permissions of this call keep changing. Nothing was sent; try again.")

    async def _take_turn(self, intent: Intent) -> None:
        found = await self._throttle.take(intent.tenant, intent.agent_id, intent.connection_id, intent.integration)
        if found is not None:
            raise RateLimited(in_words(found), found.free_at)

    def _intent(self, asked: _Asked, permit: Permit, agent_version: int | None) -> Intent:
        caller, request, action = asked.caller, asked.request, asked.action
        text = canonical(asked.parameters)
        tenant = caller.tenant.encode()
        what = (action.slug.encode(), permit.connection.id.bytes, text)
        status = _first_status(request, permit)
        if status is not ExecutionStatus.RUNNING and asked.shown is not asked.parameters:
            message = f"{action.slug} takes a secret, which is not kept: it can only run at once, with the mode WAIT."
            raise InvalidInput(message, ("input", "mode"))
        patience = _patience(request)
        now = datetime.now(UTC)
        return Intent(
            id=new_id(),
            tenant=caller.tenant,
            actor=caller.actor,
            action=action.slug,
            action_digest=action.digest,
            integration=action.integration,
            effect=action.effect,
            connection_id=permit.connection.id,
            connection_version=permit.connection.version,
            agent_id=caller.agent_id,
            agent_version=agent_version,
            grant_id=permit.grant.id if permit.grant else None,
            grant_version=permit.grant.version if permit.grant else None,
            mode=request.mode,
            origin=request.origin,
            parameters=(text if asked.shown is asked.parameters else canonical(asked.shown)).decode(),
            parameters_hash=self._fingerprints.of(b"parameters", tenant, text),
            idempotency_key=request.idempotency_key,
            fingerprint=self._fingerprints.of(b"request", tenant, *what),
            patience_seconds=patience,
            deadline_at=None if status is ExecutionStatus.AWAITING_APPROVAL else now + timedelta(seconds=patience),
            status=status,
            approval=self._approval(asked, permit, now),
            has_budget=permit.grant is not None and permit.grant.budget.is_limited,
        )

    def _approval(self, asked: _Asked, permit: Permit, now: datetime) -> ApprovalAsked | None:
        """The question for a person, where one must be asked. Raises Conflict when this is not the plan seen."""
        if asked.request.plan_hash is None and not permit.needs_approval:
            return None
        plan_hash = self.decider.plan_hash(
            asked.caller.tenant, asked.caller.agent_id, asked.action, permit.connection.id, asked.parameters
        )
        if asked.request.plan_hash not in (None, plan_hash):
            message = "This is not what would run now: plan again, look at it, and use the new hash."
            raise Conflict(message, ("input", "planHash"))
        if not permit.needs_approval:
            return None
        return ApprovalAsked(new_id(), summary_of(asked.action, permit.connection), plan_hash, now + PATIENCE)

    def _without_secrets(self, action: Action, parameters: JsonObject) -> Json:
        """The very same parameters where there is no secret among them, which is almost everywhere."""
        definition = (action.slug, action.digest)
        if definition not in self._taking_secrets:
            self._taking_secrets[definition] = holds_secrets(action.parameters_schema)
        return redacted(parameters, action.parameters_schema) if self._taking_secrets[definition] else parameters

    async def _replay(self, intent: Intent) -> Execution:
        """The same key again: the same execution when it asks for the same, and a Conflict when it does not."""
        execution = await self._of_same_key(intent)
        waits = chain(_POLL_SECONDS, repeat(_POLL_SECONDS[-1]))
        until = datetime.now(UTC) + timedelta(seconds=intent.patience_seconds)
        while _is_worth_waiting_for(execution, intent.mode) and datetime.now(UTC) < until:
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

    async def _see_through(self, run: Coroutine[object, object, Execution | Intent]) -> Execution | Intent:
        """A caller that goes away does not stop what may have been committed to, nor the record of a refusal."""
        task = asyncio.ensure_future(run)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def validated(request: Request, action: Action) -> JsonObject:
    """The parameters, once everything that can be judged without asking anybody was found fit. Raises a Refusal."""
    seconds, key = request.deadline_seconds, request.idempotency_key
    most = LARGEST_DEADLINE_SECONDS if request.mode is ExecutionMode.WAIT else LARGEST_BACKGROUND_SECONDS
    if seconds is not None and not 1 <= seconds <= most:
        message = f"A deadline is between 1 and {most} seconds."
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


def exceeded(budget: Budget) -> BudgetExceeded:
    """Which limit it was cannot be told apart when both are set; the day's comes back by itself."""
    if budget.per_day is None:
        return BudgetExceeded("The grant's budget is used up. An admin can raise it.")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return BudgetExceeded("The grant's budget is used up, at least for today (UTC). An admin can raise it.", tomorrow)


def _first_status(request: Request, permit: Permit) -> ExecutionStatus:
    if permit.needs_approval:
        return ExecutionStatus.AWAITING_APPROVAL
    return ExecutionStatus.RUNNING if request.mode is ExecutionMode.WAIT else ExecutionStatus.QUEUED


def _patience(request: Request) -> int:
    usual = DEFAULT_DEADLINE_SECONDS if request.mode is ExecutionMode.WAIT else DEFAULT_BACKGROUND_SECONDS
    return request.deadline_seconds or usual


def _is_worth_waiting_for(execution: Execution, mode: ExecutionMode) -> bool:
    """Who asks to wait waits for an end, except for a person's."""
    is_under_way = execution.status in UNFINISHED and execution.status is not ExecutionStatus.AWAITING_APPROVAL
    return is_under_way and mode is ExecutionMode.WAIT


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


def _run_of(admitted: _Admitted) -> Run:
    return Run(
        tenant=admitted.intent.tenant,
        execution=_admitted_execution(admitted),
        integration=admitted.asked.integration,
        action=admitted.asked.action,
        parameters=admitted.asked.parameters,
        connection=admitted.permit.connection,
        credential=admitted.admission.credential,
        parameters_hash=admitted.intent.parameters_hash,
        has_budget=admitted.intent.has_budget,
    )


def _admitted_execution(admitted: _Admitted) -> Execution:
    """What was committed, without reading it back."""
    intent, committed_at = admitted.intent, admitted.admission.started_at
    is_running = intent.status is ExecutionStatus.RUNNING
    return Execution(
        id=intent.id,
        action=intent.action,
        integration=intent.integration,
        connection_id=intent.connection_id,
        agent_id=intent.agent_id,
        grant_id=intent.grant_id,
        status=intent.status,
        mode=intent.mode,
        origin=intent.origin,
        parameters=admitted.asked.shown,
        result=None,
        error=None,
        idempotency_key=intent.idempotency_key,
        attempt=int(is_running),
        what_to_check=None,
        created_at=committed_at or datetime.now(UTC),
        started_at=committed_at if is_running else None,
        finished_at=None,
        deadline_at=intent.deadline_at,
        duration_ms=None,
    )
