"""What a model hears after a tool's call: the result, or why there is none, as facts for programs and in words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from domain.catalogue import Action
from domain.errors import (
    BudgetExceeded,
    Conflict,
    ConnectionRequired,
    InvalidInput,
    InvalidParameters,
    NotFound,
    PermissionDenied,
    RateLimited,
    Refusal,
)
from domain.executions import Execution, ExecutionStatus
from domain.ids import Kind, public_id
from domain.json import Json, JsonObject
from domain.tools import is_object


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """`content` is what programs read, `text` what the model reads; `execution` is None when nothing was admitted."""

    content: JsonObject
    text: str
    is_error: bool
    execution: str | None = None


def answered(execution: Execution, action: Action | None) -> ToolAnswer:
    """An execution that has ended, that waits, or, for a repeated key, one that is still under way."""
    name = public_id(Kind.EXECUTION, execution.id)
    if execution.status is not ExecutionStatus.SUCCEEDED:
        return ToolAnswer(_not_done(execution, name), _told(execution), is_error=True, execution=name)
    result = _writable(execution.result)
    is_whole = isinstance(result, Mapping) and action is not None and is_object(action.result_schema)
    content: JsonObject = cast(JsonObject, result) if is_whole else {"result": result}
    return ToolAnswer(content, json.dumps(content, ensure_ascii=False), is_error=False, execution=name)


def refused(refusal: Refusal, connect_url: str | None = None) -> ToolAnswer:
    """Nothing was sent, and this is why. `connect_url`: where a person puts it right, when there is such a place."""
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
            if connect_url is not None:
                facts["connectUrl"] = connect_url
        case RateLimited():
            facts["retryAt"] = _moment(refusal.retry_at)
        case BudgetExceeded() if refusal.resets_at is not None:
            facts["retryAt"] = _moment(refusal.resets_at)
        case _:
            pass
    return ToolAnswer(facts, _advice(refusal, connect_url), is_error=True)


def _advice(refusal: Refusal, connect_url: str | None) -> str:
    """The refusal in words, with what to do next."""
    match refusal:
        case InvalidParameters():
            lines = [f"- {each.pointer or 'the arguments'}: {each.message}" for each in refusal.violations]
            return "\n".join([refusal.message, *lines, "Nothing was sent. Correct the arguments and call again."])
        case PermissionDenied():
            then = "Nothing was sent. Only a person can change this: say what you need and why, and go on without it."
        case ConnectionRequired() if connect_url is not None:
            then = f"Nothing was sent. The person you work for connects the account at {connect_url} ; then call again."
        case ConnectionRequired():
            then = "Nothing was sent. Say so to the person you work for, or name a connection if several are offered."
        case RateLimited():
            then = f"Nothing was sent. Call again after {_moment(refusal.retry_at)}."
        case NotFound():
            then = "Nothing was sent. List the tools again to see which connections there are."
        case InvalidInput():
            then = "Nothing was sent. Correct it and call again."
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
    if execution.status is ExecutionStatus.AWAITING_APPROVAL:
        return "A person has been asked to approve this. Nothing was sent yet. Tell them, and go on without it for now."
    if execution.status is ExecutionStatus.QUEUED:
        return "It waits for its turn, and will be done. Call again with the same key to hear how it ends."
    error = execution.error
    message = error.message if error else "Nothing more is known."
    if execution.status is ExecutionStatus.UNKNOWN:
        check = execution.what_to_check or "Look at the service."
        return f"It may have happened, or not. {message} Do not repeat it before you have looked: {check}"
    if error is None or not error.is_retryable:
        return f"It was not done. {message} The same call again would end the same way."
    when = f" after {_moment(error.retry_at)}" if error.retry_at else " later"
    return f"It was not done. {message} The same call may succeed{when}."


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
