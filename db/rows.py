"""From rows to nouns. One function per noun."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, cast

from domain.agents import Agent, AgentToken
from domain.approvals import Approval, ApprovalStatus
from domain.catalogue import Account, AuthScheme
from domain.connections import Connection, ConnectionStatus, ConnectSession, SessionStatus
from domain.executions import (
    Attempt,
    Doubtful,
    Execution,
    ExecutionError,
    ExecutionMode,
    ExecutionOrigin,
    ExecutionStatus,
    Queued,
)
from domain.grants import ApprovalPolicy, Budget, Grant, PermissionLevel
from domain.history import Event
from domain.json import Json


class Row(Protocol):
    """A row of either driver. What is in it has no static type; it gets one here and nowhere else."""

    def __getitem__(self, column: str, /) -> Any: ...  # noqa: ANN401 - that is so


def agent(row: Row) -> Agent:
    """An agent from its row."""
    return Agent(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        is_frozen=row["is_frozen"],
        created_at=row["created_at"],
        last_active_at=row["last_active_at"],
        version=row["version"],
    )


def agent_token(row: Row) -> AgentToken:
    """A token's record from its row; the digest stays behind."""
    return AgentToken(
        id=row["id"],
        agent_id=row["agent_id"],
        prefix=row["prefix"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


def connection(row: Row) -> Connection:
    """A connection from its row."""
    scopes = row["granted_scopes"]
    return Connection(
        id=row["id"],
        integration=row["integration"],
        auth_scheme=AuthScheme(row["auth_scheme"]),
        status=ConnectionStatus(row["status"]),
        label=row["label"],
        is_default=row["is_default"],
        account=Account(row["account_id"], row["account_label"]) if row["account_id"] else None,
        external_user_id=row["external_user_id"],
        is_sandbox=row["is_sandbox"],
        granted_scopes=None if scopes is None else tuple(scopes),
        created_at=row["created_at"],
        connected_at=row["connected_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        rotation_due_at=row["rotation_due_at"],
        last_checked_at=row["last_checked_at"],
        last_succeeded_at=row["last_succeeded_at"],
        last_error=row["last_error"],
        version=row["version"],
        next_refresh_at=row["next_refresh_at"],
        is_ending=row["ending_at"] is not None,
    )


def connect_session(row: Row) -> ConnectSession:
    """A connect session from its row; its state and verifier stay behind."""
    return ConnectSession(
        id=row["id"],
        integration=row["integration"],
        status=SessionStatus(row["status"]),
        requested_scopes=tuple(row["requested_scopes"]),
        redirect_uri=row["redirect_uri"],
        label=row["label"],
        external_user_id=row["external_user_id"],
        reconnects=row["reconnects"],
        opened_by=row["opened_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        connection_id=row["connection_id"],
        error=row["error"],
    )


def grant(row: Row) -> Grant:
    """A grant from its row."""
    return Grant(
        id=row["id"],
        agent_id=row["agent_id"],
        connection_id=row["connection_id"],
        permission_level=PermissionLevel(row["permission_level"]),
        allowed_actions=tuple(row["allowed_actions"]),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        version=row["version"],
        approval=ApprovalPolicy(row["approval"]),
        constraints=_parsed(row["constraints"]),
        budget=Budget(row["max_executions"], row["per_day"]),
        suspended_at=row["suspended_at"],
        digests=_parsed(row["digests"]),
    )


def approval(row: Row) -> Approval:
    """An approval from its row."""
    return Approval(
        id=row["id"],
        execution_id=row["execution_id"],
        agent_id=row["agent_id"],
        status=ApprovalStatus(row["status"]),
        summary=row["summary"],
        plan_hash=row["plan_hash"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        reason=row["reason"],
    )


def queued(row: Row, plan_hash: str | None) -> Queued:
    """A claimed execution from its row as the gate's functions give it: a composite, with JSON as text."""
    run = _composed(row)
    return Queued(row["tenant"], row["actor"], run, row["parameters_hash"] or b"", plan_hash, row["recoveries"])


def doubtful(row: Row, times: int) -> Doubtful:
    """An execution to look for, from its row as a composite."""
    return Doubtful(row["tenant"], _composed(row), times)


def _composed(row: Row) -> Execution:
    columns = cast(Mapping[str, Any], row)
    read = {name: _parsed(columns[name]) for name in ("parameters", "result", "error", "attempt_log")}
    return execution({**columns, **read})


def execution(row: Row) -> Execution:
    """An execution from its row."""
    return Execution(
        id=row["id"],
        action=row["action"],
        integration=row["integration"],
        connection_id=row["connection_id"],
        agent_id=row["agent_id"],
        grant_id=row["grant_id"],
        status=ExecutionStatus(row["status"]),
        mode=ExecutionMode(row["mode"]),
        origin=ExecutionOrigin(row["origin"]),
        parameters=row["parameters"],
        result=row["result"],
        error=_execution_error(row["error"]),
        idempotency_key=row["idempotency_key"],
        attempt=row["attempt"],
        what_to_check=row["what_to_check"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        deadline_at=row["deadline_at"],
        duration_ms=row["duration_ms"],
        earlier_attempts=tuple(_attempt(each) for each in row["attempt_log"] or ()),
    )


def event(row: Row) -> Event:
    """One line of history from its row."""
    return Event(
        id=row["id"],
        position=row["position"],
        type=row["type"],
        occurred_at=row["occurred_at"],
        actor=row["actor"],
        agent_id=row["agent_id"],
        integration=row["integration"],
        action=row["action"],
        connection_id=row["connection_id"],
        grant_id=row["grant_id"],
        execution_id=row["execution_id"],
        session_id=row["session_id"],
        alert_id=row["alert_id"],
        webhook_id=row["webhook_id"],
        reason=row["reason"],
        parameters_hash=row["parameters_hash"],
        status=row["status"],
        duration_ms=row["duration_ms"],
        error=row["error"],
    )


def error_text(error: ExecutionError | None) -> str | None:
    """An execution's error as the text of the JSON that its row holds."""
    return None if error is None else json.dumps(error_json(error))


def error_json(error: ExecutionError) -> dict[str, Json]:
    """Likewise, before it is written out."""
    return {
        "code": error.code,
        "message": error.message,
        "is_retryable": error.is_retryable,
        "provider_status": error.provider_status,
        "retry_at": error.retry_at.isoformat() if error.retry_at else None,
    }


def _parsed(value: Any) -> Any:  # noqa: ANN401 - JSON as either driver gives it
    """One driver parses JSON, the other hands out its text. For columns that never hold a bare JSON string."""
    return json.loads(value) if isinstance(value, str) else value


def _attempt(data: Mapping[str, Any]) -> Attempt:
    retry_at = data["retry_at"]
    return Attempt(
        number=data["number"],
        started_at=datetime.fromisoformat(data["started_at"]),
        finished_at=datetime.fromisoformat(data["finished_at"]),
        outcome=data["outcome"],
        provider_status=data["provider_status"],
        retry_at=datetime.fromisoformat(retry_at) if retry_at else None,
        may_have_happened=data["may_have_happened"],
    )


def _execution_error(data: Json) -> ExecutionError | None:
    if not isinstance(data, dict):
        return None
    fields = cast(dict[str, Any], data)
    retry_at = fields["retry_at"]
    return ExecutionError(
        code=fields["code"],
        message=fields["message"],
        is_retryable=fields["is_retryable"],
        provider_status=fields["provider_status"],
        retry_at=datetime.fromisoformat(retry_at) if retry_at else None,
    )


def json_text(value: Json) -> str | None:
    """JSON for a `json` column; nothing stays NULL. Raises ValueError for what only looks like JSON, e.g. NaN."""
    try:
        return None if value is None else json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, RecursionError):
        raise ValueError("this is not JSON") from None
