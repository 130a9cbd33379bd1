"""Looking for what may have happened: an action that left a mark at its service can find it there again.

Only reading, as the account that acted, a few times and then no more. What is found settles the execution; what is not
found proves nothing, unless the probe says that it does. Whatever is left is for a person (`resolveExecution`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from domain.catalogue import Action, CallSetting, Catalogue, Probed
from domain.connections import USABLE, Connection
from domain.errors import CredentialUnreadable, DependencyDown, Misconfigured, ProviderProblem
from domain.executions import Doubtful, Execution, ExecutionStatus, ProbeEnd
from domain.json import JsonObject
from execution.ports import Credentials, Ledger

log = structlog.get_logger("execution")

#: After the first look, `running.PROBE_SECONDS` after the end: services show some of what they did only after a while.
PAUSES_SECONDS = (30, 120, 600)
ROUND_SECONDS = 5.0
_LOOK_SECONDS = 15


class Prober:
    """Settles what it can. Every process does it, and each execution is handed to one of them at a time."""

    def __init__(self, catalogue: Catalogue, ledger: Ledger, credentials: Credentials) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._credentials = credentials

    async def work(self) -> None:
        """For as long as the process lives."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.look()
            except DependencyDown:
                continue
            except Exception as error:  # one bad round must not be the last one
                log.error("probing_failed", exc_info=error)

    async def look(self) -> int:
        """Look for everything whose moment has come. Returns how much that was."""
        due = await self._ledger.doubtful()
        await asyncio.gather(*(self._see_to(each) for each in due))
        return len(due)

    async def _see_to(self, doubtful: Doubtful) -> None:
        try:
            probed = await self._look(doubtful)
            await self._ledger.probed(_end(doubtful, probed))
        except DependencyDown:
            pass  # its lease passes, and somebody looks again
        except Exception as error:  # noqa: BLE001 - one execution must not keep the others waiting
            # What a service said may be in its words, so only its kind is logged.
            log.error("probe_failed", execution=doubtful.execution.id.hex, kind=type(error).__name__)

    async def _look(self, doubtful: Doubtful) -> Probed | None:
        """None when nothing was proved, for whatever reason. Raises DependencyDown."""
        execution = doubtful.execution
        action = self._catalogue.action(execution.action)
        if execution.status is not ExecutionStatus.UNKNOWN or action is None or not action.has_probe:
            return None
        parameters = execution.parameters
        if not isinstance(parameters, Mapping) or action.check(parameters):
            return None  # a secret among them was not kept, or the action takes others by now
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await self._asked(doubtful, action, parameters)
        except (ProviderProblem, CredentialUnreadable, Misconfigured, TimeoutError) as problem:
            log.info("probe_unanswered", execution=execution.id.hex, kind=type(problem).__name__)
            return None

    async def _asked(self, doubtful: Doubtful, action: Action, parameters: JsonObject) -> Probed | None:
        tenant, execution = doubtful.tenant, doubtful.execution
        connection = await self._connection(tenant, execution)
        sealed = await self._ledger.credential(tenant, execution.connection_id) if connection else None
        if connection is None or sealed is None:
            return None
        deadline = datetime.now(UTC) + timedelta(seconds=_LOOK_SECONDS)
        credential = await self._credentials.fresh(tenant, connection.id, sealed, deadline=deadline)
        setting = CallSetting(
            credential=credential,
            account=connection.account,
            is_sandbox=connection.is_sandbox,
            key=execution.id,
            deadline_at=deadline,
        )
        return await self._catalogue.integrations[execution.integration].probe(action, parameters, setting)

    async def _connection(self, tenant: str, execution: Execution) -> Connection | None:
        """The account it acted as, if it may still be used: looking is our own doing, so no grant is asked for."""
        standing = await self._ledger.standing(tenant, None, execution.integration, execution.connection_id)
        if standing.is_tenant_frozen or not standing.is_integration_enabled:
            return None
        return next((each.connection for each in standing.candidates if each.connection.status in USABLE), None)


def _end(doubtful: Doubtful, probed: Probed | None) -> ProbeEnd:
    execution = doubtful.execution
    end = ProbeEnd(doubtful.tenant, execution.id, execution.attempt)
    if probed is None:
        is_over = execution.status is not ExecutionStatus.UNKNOWN or doubtful.times > len(PAUSES_SECONDS)
        if is_over:
            return end
        return replace(end, again_at=datetime.now(UTC) + timedelta(seconds=PAUSES_SECONDS[doubtful.times - 1]))
    if probed.has_happened:
        return replace(end, status=ExecutionStatus.SUCCEEDED, result=probed.result)
    error = execution.error
    if error is not None:
        error = replace(error, message="The service was asked, and it was not done.", is_retryable=True)
    return replace(end, status=ExecutionStatus.FAILED, error=error)
