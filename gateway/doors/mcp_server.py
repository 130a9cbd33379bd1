"""What the Model Context Protocol's library is given to serve: a list of tools for each caller, and their calls.

Only `gateway.doors.mcp` imports this, and only when somebody speaks the protocol.
"""

import logging
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar, cast

import structlog
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    ToolAnnotations,
)
from mcp_types import Tool as Listed
from starlette.requests import Request
from starlette.types import ASGIApp

from domain.callers import Caller
from domain.catalogue import Action, Effect
from domain.errors import MandateError, NotFound, Refusal
from domain.executions import ExecutionOrigin
from domain.json import JsonObject
from domain.tools import Tool, named
from gateway.doors.bodies import LARGEST_BODY_BYTES
from gateway.doors.mcp_answers import answered, refused
from gateway.wiring import VERSION, Gateway
from resolvers.tools import Call, meant, run, tools

log = structlog.get_logger("mcp")

MOST_TOOLS_ON_A_PAGE: Final = 100
INSTRUCTIONS: Final = (
    "Each tool does one thing on an account that a person connected to Mandate and allowed you to use. "
    "A refusal says which rule decided and what to do; calling again does not change it. "
    "Give an `idempotency_key` to whatever must not happen twice. When an answer says that something may have "
    "happened, look before you repeat it."
)
_CURSOR: Final = re.compile(r"[a-z0-9_]{1,200}")

# The library's own type arguments are open; nothing of ours depends on them.
_Context: TypeAlias = ServerRequestContext[Any, Any]
Answer = TypeVar("Answer")


@asynccontextmanager
async def speaking(gateway: Gateway) -> AsyncIterator[ASGIApp]:
    """The protocol over HTTP for requests that have been looked at: the caller stands in the scope."""
    # The library's log lines repeat what callers sent.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    manager = StreamableHTTPSessionManager(
        _server(gateway), stateless=True, json_response=True, max_request_body_size=LARGEST_BODY_BYTES
    )
    async with manager.run():
        yield manager.handle_request


def _server(gateway: Gateway) -> Server[dict[str, Any]]:
    offered = _Tools(gateway)
    return Server(
        "mandate",
        version=VERSION,
        title="Mandate",
        instructions=INSTRUCTIONS,
        # Lists differ by caller and change with every grant, and nothing announces it: they are not to be kept.
        cache_hints={"tools/list": CacheHint(ttl_ms=0, scope="private")},
        # No argument of ours travels in a header, so the list need not be made for every call to compare them.
        get_tool_input_schema=lambda _: None,
        on_list_tools=offered.list,
        on_call_tool=offered.call,
    )


class _Tools:
    """The two things clients ask for."""

    def __init__(self, gateway: Gateway) -> None:
        self._services = gateway.services
        self._actions: Mapping[str, Action] = named(gateway.services.catalogue)

    async def list(self, context: _Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        """By name, a page at a time; the cursor is the last name of the page before."""
        after = (params.cursor if params else None) or ""
        if after and _CURSOR.fullmatch(after) is None:
            raise MCPError(INVALID_PARAMS, "This is not a cursor of ours. Begin without one.")
        found = await _masked(tools(self._services, _request(context).scope["mandate.caller"]))
        rest = [each for each in found if each.name > after]
        page = rest[:MOST_TOOLS_ON_A_PAGE]
        following = page[-1].name if len(rest) > len(page) else None
        return ListToolsResult(tools=[_listed(each) for each in page], next_cursor=following)

    async def call(self, context: _Context, params: CallToolRequestParams) -> CallToolResult:
        """Run it, or say why not. Raises MCPError for a name that means nothing."""
        request = _request(context)
        action = meant(self._actions, self._services, params.name)
        call = Call(
            name=params.name,
            action=action,
            arguments=cast(JsonObject, params.arguments or {}),
            origin=ExecutionOrigin.MCP,
            idempotency_key=request.headers.get("idempotency-key"),
        )
        caller = cast(Caller, request.scope["mandate.caller"])
        try:
            execution = await _masked(run(self._services, caller, call))
        except NotFound as refusal:
            if action is None:
                raise MCPError(INVALID_PARAMS, refusal.message) from None
            return refused(refusal)
        except Refusal as refusal:
            return refused(refusal)
        return answered(execution, action)


def _listed(tool: Tool) -> Listed:
    effect = tool.action.effect
    return Listed(
        name=tool.name,
        title=tool.action.title,
        description=tool.description,
        input_schema=dict(tool.arguments_schema),
        output_schema=dict(tool.answer_schema),
        annotations=ToolAnnotations(
            read_only_hint=effect is Effect.READ,
            destructive_hint=effect is Effect.DESTRUCTIVE,
            idempotent_hint=effect is Effect.READ or tool.action.is_idempotent,
            open_world_hint=True,
        ),
    )


async def _masked(asked: Awaitable[Answer]) -> Answer:
    """Refusals pass. Anything else becomes an error of the protocol, in words that are meant for callers."""
    try:
        return await asked
    except Refusal:
        raise
    except MandateError as error:
        if error.is_for_callers:
            raise MCPError(INTERNAL_ERROR, error.message, {"code": error.code}) from None
        raise _fault(error) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, its words stay here
        raise _fault(error) from None


def _fault(error: Exception) -> MCPError:
    fault = secrets.token_hex(8)
    log.error("fault", fault=fault, kind=type(error).__name__, exc_info=error)
    message = f"Something went wrong on our side. Tell your operator the fault's id: {fault}."
    return MCPError(INTERNAL_ERROR, message, {"code": "INTERNAL", "fault": fault})


def _request(context: _Context) -> Request:
    return cast(Request, context.request)
