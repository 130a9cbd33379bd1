"""Executions as the protocol's tasks: a task's id is its execution's.

Two revisions, two lives. In 2025-11-25 the client asks for a task (`params.task`), polls `tasks/get` and fetches the
answer with `tasks/result`. From 2026-07-28 on it is an extension (SEP-2663): the server hands over a task for whatever
waits for a person or takes long, and `tasks/get` carries the answer. Nothing is kept beside the executions themselves,
so any process answers, and whatever ended can be read for as long as executions are kept.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    CancelTaskRequestParams,
    GetTaskPayloadRequestParams,
    GetTaskRequestParams,
    PaginatedRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from domain.errors import Conflict, NotFound, Refusal
from domain.executions import UNFINISHED, Execution, ExecutionStatus
from domain.ids import Kind, public_id, read_id
from domain.tool_answers import answered
from gateway.doors.mcp_answers import EXECUTION_META, Context, caller_in, masked, request_of, told
from resolvers.executions import ExecutionFilter, cancel_execution, executions
from resolvers.services import Services
from resolvers.tools import ended, own_execution

EXTENSION: Final = "io.modelcontextprotocol/tasks"
RELATED_META: Final = "io.modelcontextprotocol/related-task"
#: How often a client should ask.
POLL_MILLISECONDS: Final = 1_000
_ON_A_PAGE: Final = 50


class Tasks:
    """What clients may ask about tasks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def serve(self, server: Server[Any]) -> None:
        """Take the methods of both revisions."""
        server.extensions[EXTENSION] = {}
        server.add_request_handler("tasks/get", GetTaskRequestParams, self.get)
        server.add_request_handler("tasks/cancel", CancelTaskRequestParams, self.cancel)
        server.add_request_handler("tasks/update", GetTaskRequestParams, self.update)
        server.add_request_handler("tasks/result", GetTaskPayloadRequestParams, self.result)
        server.add_request_handler("tasks/list", PaginatedRequestParams, self.list)

    async def get(self, context: Context, params: GetTaskRequestParams) -> dict[str, Any]:
        """As it stands; from 2026-07-28 on with the answer, once there is one."""
        found = await self._known(context, params.task_id)
        return self.state(found) if is_modern(context) else as_task(found)

    async def cancel(self, context: Context, params: CancelTaskRequestParams) -> dict[str, Any]:
        """Call it off. What has ended stays as it is: an error in the old revision, nothing in the new."""
        found = await self._known(context, params.task_id)
        try:
            found = await masked(cancel_execution(self._services, caller_in(context), found.id))
        except Conflict as refusal:
            if not is_modern(context):
                raise MCPError(INVALID_PARAMS, refusal.message) from None
        except Refusal as refusal:
            raise MCPError(INVALID_PARAMS, refusal.message) from None
        return {} if is_modern(context) else as_task(found)

    async def update(self, context: Context, params: GetTaskRequestParams) -> dict[str, Any]:
        """Our tasks ask their client for nothing, so there is no answer to take."""
        await self._known(context, params.task_id)
        return {}

    async def result(self, context: Context, params: GetTaskPayloadRequestParams) -> dict[str, Any]:
        """The call's answer, once it has ended (2025-11-25)."""
        _only_before(context)
        found = await self._known(context, params.task_id)
        found = await masked(ended(self._services, caller_in(context), found.id))
        answer = wire(self._answer(found))
        answer["_meta"] = {**answer.get("_meta", {}), RELATED_META: {"taskId": name_of(found)}}
        return answer

    async def list(self, context: Context, params: PaginatedRequestParams) -> dict[str, Any]:
        """The caller's executions, newest first (2025-11-25)."""
        _only_before(context)
        after = self._id(params.cursor) if params.cursor else None
        page = await masked(executions(self._services, caller_in(context), _ON_A_PAGE, after, ExecutionFilter()))
        made: dict[str, Any] = {"tasks": [as_task(each) for each in page.items]}
        return {**made, "nextCursor": name_of(page.items[-1])} if page.has_next else made

    def state(self, execution: Execution) -> dict[str, Any]:
        """A task as SEP-2663 has it, in full."""
        task = as_modern_task(execution)
        if execution.status not in UNFINISHED and task["status"] == "completed":
            task["result"] = wire(self._answer(execution))
        return task

    def _answer(self, execution: Execution) -> CallToolResult:
        return told(answered(execution, self._services.catalogue.action(execution.action)))

    async def _known(self, context: Context, task_id: str) -> Execution:
        _check_extension(context, task_id)
        try:
            return await masked(own_execution(self._services, caller_in(context), self._id(task_id)))
        except NotFound as refusal:
            raise MCPError(INVALID_PARAMS, refusal.message) from None

    def _id(self, text: str) -> UUID:
        try:
            return read_id(Kind.EXECUTION, text)
        except NotFound as refusal:
            raise MCPError(INVALID_PARAMS, refusal.message) from None


def knows_tasks(context: Context) -> bool:
    """Whether the client takes a task for an answer: from 2026-07-28 on it says so with each request."""
    capabilities = context.session.client_capabilities if is_modern(context) else None
    return capabilities is not None and EXTENSION in (capabilities.extensions or {})


def _check_extension(context: Context, task_id: str) -> None:
    """SEP-2663: the client has named the extension, and the header that routes names the task that is meant."""
    if not is_modern(context):
        return
    if not knows_tasks(context):
        needed: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        message = f"This needs the extension {EXTENSION} among the client's capabilities."
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, message, needed)
    named = request_of(context).headers.get("mcp-name")
    if named is not None and named != task_id:
        raise MCPError(HEADER_MISMATCH, "The Mcp-Name header names another task than `taskId`.")


def _only_before(context: Context) -> None:
    """What SEP-2663 did away with."""
    if is_modern(context):
        raise MCPError(METHOD_NOT_FOUND, "Method not found", context.method)


def is_modern(context: Context) -> bool:
    """Whether this message is of 2026-07-28 or later."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def created(execution: Execution) -> dict[str, Any]:
    """The answer to a call that asked for a task (2025-11-25)."""
    return {"task": as_task(execution), "_meta": {EXECUTION_META: name_of(execution)}}


def handed_over(execution: Execution) -> dict[str, Any]:
    """The answer to a call that became a task (SEP-2663)."""
    return {"resultType": "task", **as_modern_task(execution), "_meta": {EXECUTION_META: name_of(execution)}}


def as_task(execution: Execution) -> dict[str, Any]:
    """As 2025-11-25 has it: a tool that ended with an error is a failed task."""
    failed = {ExecutionStatus.FAILED, ExecutionStatus.UNKNOWN, ExecutionStatus.EXPIRED}
    status = "failed" if execution.status in failed else _status(execution)
    return {**_told(execution, status), "ttl": None, "pollInterval": POLL_MILLISECONDS}


def as_modern_task(execution: Execution) -> dict[str, Any]:
    """As SEP-2663 has it: a tool that ended with an error has ended."""
    return {**_told(execution, _status(execution)), "ttlMs": None, "pollIntervalMs": POLL_MILLISECONDS}


def name_of(execution: Execution) -> str:
    """The task's id."""
    return public_id(Kind.EXECUTION, execution.id)


def wire(result: CallToolResult) -> dict[str, Any]:
    """As it goes over the wire."""
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


def message_of(execution: Execution) -> str:
    """How it stands, for people."""
    return _MESSAGES.get(execution.status, "It has ended.")


def _told(execution: Execution, status: str) -> dict[str, Any]:
    return {
        "taskId": name_of(execution),
        "status": status,
        "statusMessage": message_of(execution),
        "createdAt": _moment(execution.created_at),
        "lastUpdatedAt": _moment(execution.finished_at or execution.started_at or execution.created_at),
    }


def _status(execution: Execution) -> str:
    if execution.status in UNFINISHED:
        return "working"
    return "cancelled" if execution.status is ExecutionStatus.CANCELLED else "completed"


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


_MESSAGES: Final = {
    ExecutionStatus.AWAITING_APPROVAL: "A person has been asked to approve this. Nothing was sent yet.",
    ExecutionStatus.QUEUED: "It waits for its turn.",
    ExecutionStatus.RUNNING: "It is under way.",
    ExecutionStatus.SUCCEEDED: "It was done.",
    ExecutionStatus.FAILED: "It was not done.",
    ExecutionStatus.UNKNOWN: "It may have happened, or not: its answer says what to look for.",
    ExecutionStatus.CANCELLED: "It was called off.",
    ExecutionStatus.EXPIRED: "Nobody said yes, or its turn did not come, in time. Nothing was sent.",
}
