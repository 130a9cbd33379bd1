"""What a tool's call is answered with: the result, or why there is none, for programs and in words for the model."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from mcp_types import CallToolResult, TextContent

from domain.catalogue import Action
from domain.errors import (
    Conflict,
    ConnectionRequired,
    InvalidParameters,
    NotFound,
    PermissionDenied,
    Refusal,
)
from domain.executions import Execution, ExecutionStatus
from domain.ids import Kind, public_id
from domain.json import Json, JsonObject
from domain.tools import is_object

#: Where an answer names its execution: part of the answer, not of the service's result.
EXECUTION_META = "mandate/execution"


def answered(execution: Execution, action: Action | None) -> CallToolResult:
    """An execution that has ended, or, for a repeated key, one that is still under way."""
    name = public_id(Kind.EXECUTION, execution.id)
    if execution.status is not ExecutionStatus.SUCCEEDED:
        return _error(_not_done(execution, name), _told(execution), name)
    result = _writable(execution.result)
    is_whole = isinstance(result, Mapping) and action is not None and is_object(action.result_schema)
    content = result if is_whole else {"result": result}
    text = json.dumps(content, ensure_ascii=False)
    return CallToolResult(content=[TextContent(text=text)], structured_content=content, _meta={EXECUTION_META: name})


def refused(refusal: Refusal) -> CallToolResult:
    """Nothing was sent, and this is why."""
    facts: dict[str, Json] = {"code": refusal.code, "message": refusal.message}
    match refusal:
        case InvalidParameters():
            facts["violations"] = [{"pointer": each.pointer, "message": each.message} for each in refusal.violations]
        case PermissionDenied():
            facts["reason"] = refusal.reason
            facts["checks"] = [
                {"name": each.name, "isPassed": each.is_passed, "message": each.message} for each in refusal.checks
            ]
        case ConnectionRequired():
            facts["integration"] = refusal.integration
            facts["missingScopes"] = list(refusal.missing_scopes)
            if refusal.connection_id is not None:
                facts["connection"] = public_id(Kind.CONNECTION, refusal.connection_id)
    return _error(facts, _advice(refusal))


def _advice(refusal: Refusal) -> str:
    """The refusal in words, with what to do next."""
    match refusal:
        case InvalidParameters():
            lines = [f"- {each.pointer or 'the arguments'}: {each.message}" for each in refusal.violations]
            return "\n".join([refusal.message, *lines, "Nothing was sent. Correct the arguments and call again."])
        case PermissionDenied():
            then = "Nothing was sent. Only a person can change this: say what you need and why, and go on without it."
        case ConnectionRequired():
            then = "Nothing was sent. Say so to the person you work for, or name a connection if several are offered."
        case NotFound():
            then = "Nothing was sent. List the tools again to see which connections there are."
        case Conflict():
            then = "Nothing was sent this time."
        case _:
            then = "Nothing was sent."
    return f"{refusal.message} {then}"


def _not_done(execution: Execution, name: str) -> JsonObject:
    error = execution.error
    facts: dict[str, Json] = {
        "code": error.code if error else execution.status.value,
        "message": error.message if error else _told(execution),
        "status": execution.status.value,
        "execution": name,
        "isRetryable": error.is_retryable if error else True,
    }
    if error is not None and error.provider_status is not None:
        facts["providerStatus"] = error.provider_status
    if error is not None and error.retry_at is not None:
        facts["retryAt"] = _moment(error.retry_at)
    if execution.what_to_check is not None:
        facts["whatToCheck"] = execution.what_to_check
    return facts


def _told(execution: Execution) -> str:
    """What became of it, with what to do next."""
    if execution.status is ExecutionStatus.RUNNING:
        return "A call with this idempotency key is still under way. Call again with the same key to hear how it ends."
    error = execution.error
    message = error.message if error else "Nothing more is known."
    if execution.status is ExecutionStatus.UNKNOWN:
        check = execution.what_to_check or "Look at the service."
        return f"It may have happened, or not. {message} Do not repeat it before you have looked: {check}"
    if error is None or not error.is_retryable:
        return f"It was not done. {message} The same call again would end the same way."
    when = f" after {_moment(error.retry_at)}" if error.retry_at else " later"
    return f"It was not done. {message} The same call may succeed{when}."


def _error(facts: JsonObject, text: str, execution: str | None = None) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(text=text)],
        structured_content=dict(facts),
        is_error=True,
        _meta={EXECUTION_META: execution} if execution else None,
    )


def _moment(at: datetime) -> str:
    return at.isoformat()


def _writable(result: Json) -> Json:
    """The result as UTF-8 can carry it: half a surrogate pair, which services do send, becomes a question mark."""
    text = json.dumps(result, ensure_ascii=False)
    if text.isascii():
        return result
    try:
        text.encode()
    except UnicodeEncodeError:
        return cast(Json, json.loads(text.encode(errors="replace")))
    return result
