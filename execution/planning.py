"""Plans: everything `execute` would do, short of doing it. No byte leaves, and nothing is recorded as attempted."""

from dataclasses import dataclass, replace
from uuid import UUID

from domain.catalogue import Action, Integration
from domain.connections import Connection
from domain.errors import ConnectionRequired, InvalidParameters
from domain.executions import ExecutionMode, ExecutionOrigin
from domain.grants import Check, Grant, Permit, Refused
from domain.json import Json, JsonObject
from domain.redaction import redacted
from execution.deciding import Decider

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks for, through whichever door."""

    action: str
    parameters: Json
    connection_id: UUID | None = None
    idempotency_key: str | None = None
    deadline_seconds: int | None = None
    origin: ExecutionOrigin = ExecutionOrigin.GRAPHQL
    mode: ExecutionMode = ExecutionMode.WAIT
    plan_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen. `request` is the first request as it would be sent, without secrets; None when none would."""

    hash: str
    action: Action
    connection: Connection | None
    grant: Grant | None
    is_allowed: bool
    reason: str
    requires_approval: bool
    missing_scopes: tuple[str, ...]
    checks: tuple[Check, ...]
    request: JsonObject | None


class Planner:
    """Decides as `execute` does, by the same rules on the same facts."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider

    async def plan(self, tenant: str, agent_id: UUID | None, request: Request) -> Plan:
        """Every check, in the order they are made. Raises NotFound for an action that does not exist."""
        integration, action = self._decider.resolve(request.action)
        fit = _fitness(action, request.parameters)
        parameters: JsonObject = request.parameters if isinstance(request.parameters, dict) else {}
        decided = await self._decider.decide(
            tenant, agent_id, integration, action, parameters if fit.is_passed else {}, request.connection_id
        )
        decision = decided.decision
        connection = decision.connection if isinstance(decision, Permit) else None
        hash = self._decider.plan_hash(
            tenant, agent_id, action, connection.id if connection else request.connection_id or _NOBODY, parameters
        )
        plan = Plan(
            hash=hash,
            action=action,
            connection=connection,
            grant=decision.grant if isinstance(decision, Permit) else None,
            is_allowed=isinstance(decision, Permit),
            reason=decision.refusal.message if isinstance(decision, Refused) else "Everything allows it.",
            requires_approval=isinstance(decision, Permit) and decision.needs_approval,
            missing_scopes=_missing_scopes(decision),
            checks=(fit, *decision.checks),
            request=None,
        )
        if not fit.is_passed:
            return replace(plan, is_allowed=False, reason=fit.message)
        if plan.is_allowed and connection is not None:
            shown = redacted(parameters, action.parameters_schema)
            built = await _preview(integration, action, shown, connection)
            return replace(plan, request=built)
        return plan


def refused_by(plan: Plan, check: Check) -> Plan:
    """The same plan, after one more check; a failed one is the reason when there was none before."""
    checks = (*plan.checks, check)
    if check.is_passed or not plan.is_allowed:
        return replace(plan, checks=checks)
    return replace(plan, checks=checks, is_allowed=False, reason=check.message)


async def _preview(
    integration: Integration, action: Action, parameters: Json, connection: Connection
) -> JsonObject | None:
    if not isinstance(parameters, dict) or action.check(parameters):
        return None  # a hidden secret no longer has the form that the action asks for
    return await integration.preview(action, parameters, connection.account, is_sandbox=connection.is_sandbox)


def _fitness(action: Action, parameters: Json) -> Check:
    violations = action.check(parameters)
    if not violations and isinstance(parameters, dict):
        return Check("parameters", True, "The parameters fit the action.")
    told = "; ".join(f"{each.pointer or 'the parameters'}: {each.message}" for each in violations[:10])
    return Check("parameters", False, f"{InvalidParameters(violations).message} {told}".strip())


def _missing_scopes(decision: Permit | Refused) -> tuple[str, ...]:
    if isinstance(decision, Refused) and isinstance(decision.refusal, ConnectionRequired):
        return decision.refusal.missing_scopes
    return ()
