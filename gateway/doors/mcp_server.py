"""What the Model Context Protocol's library is given to serve: a list of tools for each caller, and their calls.

Only `gateway.doors.mcp` imports this, and only when somebody speaks the protocol.
"""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from mcp.server.caching import CacheHint
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    ListToolsResult,
    PaginatedRequestParams,
    ServerCapabilities,
    ServerTasksCapability,
    ServerTasksRequestsCapability,
    TasksCallCapability,
    TasksCancelCapability,
    TasksListCapability,
    TasksToolsCapability,
    ToolAnnotations,
    ToolExecution,
)
from mcp_types import Tool as Listed
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.types import ASGIApp

from domain.tools import Tool, named
from gateway.doors import mcp_few as few
from gateway.doors.bodies import LARGEST_BODY_BYTES
from gateway.doors.mcp_answers import Context, caller_in, masked
from gateway.doors.mcp_calls import Calls
from gateway.doors.mcp_listening import Listening
from gateway.doors.mcp_tasks import Tasks
from gateway.wiring import VERSION, Gateway
from resolvers.services import Services
from resolvers.tools import tools

MOST_TOOLS_ON_A_PAGE: Final = 100
INSTRUCTIONS: Final = (
    "Each tool does one thing on an account that a person connected to Mandate and allowed you to use. "
    "Where only `search_actions`, `describe_action` and `execute_action` are listed there are too many to list: "
    "search, describe, then execute. "
    "A refusal says which rule decided and what to do; calling again does not change it. "
    "Give an `idempotency_key` to whatever must not happen twice. When an answer says that something may have "
    "happened, look before you repeat it."
)
_CURSOR: Final = re.compile(r"[a-z0-9_]{1,200}")


@dataclass(frozen=True, slots=True)
class Speaker:
    """The protocol over HTTP for requests that have been looked at: the caller stands in the scope.

    `whole` answers with JSON, `telling` with a stream of events where there is something to tell on the way, `stream`
    is what a GET opens.
    """

    whole: ASGIApp
    telling: ASGIApp
    stream: ASGIApp


@asynccontextmanager
async def speaking(gateway: Gateway) -> AsyncIterator[Speaker]:
    """The library at work."""
    # The library's log lines repeat what callers sent.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    tasks = Tasks(gateway.services)
    listening = Listening(gateway, tasks)
    server = _server(gateway.services, tasks, listening)
    whole, telling = (_manager(server, is_json=is_json) for is_json in (True, False))
    async with whole.run(), telling.run():
        yield Speaker(whole.handle_request, telling.handle_request, listening.stream)


def _manager(server: "_Server", *, is_json: bool) -> StreamableHTTPSessionManager:
    return StreamableHTTPSessionManager(
        server, stateless=True, json_response=is_json, max_request_body_size=LARGEST_BODY_BYTES
    )


class _Server(Server[dict[str, Any]]):
    """The library's, which says what it can do before 2026-07-28 too: tasks, and telling of changed lists."""

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,  # noqa: ARG002 - said here for all
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> ServerCapabilities:
        """For the revision that the client speaks."""
        made = super().get_capabilities(
            NotificationOptions(tools_changed=True),
            experimental_capabilities,
            extensions,
            protocol_version=protocol_version,
        )
        if protocol_version not in MODERN_PROTOCOL_VERSIONS:
            calls = ServerTasksRequestsCapability(tools=TasksToolsCapability(call=TasksCallCapability()))
            made.tasks = ServerTasksCapability(
                list=TasksListCapability(), cancel=TasksCancelCapability(), requests=calls
            )
        return made


def _server(services: Services, tasks: Tasks, listening: Listening) -> _Server:
    named(services.catalogue)  # two tools of one name are found now, and not by a model
    calls = Calls(services)
    server = _Server(
        "mandate",
        version=VERSION,
        title="Mandate",
        instructions=INSTRUCTIONS,
        # Lists differ by caller and change with every grant; who does not listen must not keep them.
        cache_hints={"tools/list": CacheHint(ttl_ms=0, scope="private")},
        # No argument of ours travels in a header, so the list need not be made for every call to compare them.
        get_tool_input_schema=lambda _: None,
        on_list_tools=_Lists(services).list,
        on_call_tool=calls.call,
        on_subscriptions_listen=listening.listen,
    )
    server.middleware.append(calls.with_tasks)
    tasks.serve(server)
    return server


class _Lists:
    """`tools/list`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        """By name, a page at a time; the cursor is the last name of the page before."""
        after = (params.cursor if params else None) or ""
        if after and _CURSOR.fullmatch(after) is None:
            raise MCPError(INVALID_PARAMS, "This is not a cursor of ours. Begin without one.")
        found = await masked(tools(self._services, caller_in(context)))
        if len(found) > self._services.deployment.mcp_tools:
            return ListToolsResult(tools=few.listed())
        rest = [each for each in found if each.name > after]
        page = rest[:MOST_TOOLS_ON_A_PAGE]
        following = page[-1].name if len(rest) > len(page) else None
        return ListToolsResult(tools=[_listed(each) for each in page], next_cursor=following)


def _listed(tool: Tool) -> Listed:
    hints = tool.hints
    return Listed(
        name=tool.name,
        title=tool.action.title,
        description=tool.description,
        input_schema=dict(tool.arguments_schema),
        output_schema=dict(tool.answer_schema),
        annotations=ToolAnnotations(
            read_only_hint=hints.reads_only,
            destructive_hint=hints.destroys,
            idempotent_hint=hints.repeats_safely,
            open_world_hint=True,
        ),
        execution=ToolExecution(task_support="optional"),
    )
