"""A tool's answer in the protocol's own shape, and what goes wrong in words that are meant for callers."""

import secrets
from collections.abc import Awaitable
from typing import Any, Final, TypeAlias, TypeVar, cast

import structlog
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, CallToolResult, TextContent
from starlette.requests import Request

from domain.callers import Caller
from domain.errors import MandateError, Refusal
from domain.tool_answers import ToolAnswer

log = structlog.get_logger("mcp")

#: Where an answer names its execution: part of the answer, not of the service's result.
EXECUTION_META: Final = "mandate/execution"

# The library's own type arguments are open; nothing of ours depends on them.
Context: TypeAlias = ServerRequestContext[Any, Any]
Answer = TypeVar("Answer")


def told(answer: ToolAnswer) -> CallToolResult:
    """Structured for programs, and in words for the model."""
    return CallToolResult(
        content=[TextContent(text=answer.text)],
        structured_content=dict(answer.content),
        is_error=answer.is_error,
        _meta={EXECUTION_META: answer.execution} if answer.execution else None,
    )


async def masked(asked: Awaitable[Answer]) -> Answer:
    """Refusals pass. Anything else becomes an error of the protocol."""
    try:
        return await asked
    except (Refusal, MCPError):
        raise
    except MandateError as error:
        if error.is_for_callers:
            raise MCPError(INTERNAL_ERROR, error.message, {"code": error.code}) from None
        raise _fault(error) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, its words stay here
        raise _fault(error) from None


def request_of(context: Context) -> Request:
    """The HTTP request that this message came with."""
    return cast(Request, context.request)


def caller_in(context: Context) -> Caller:
    """Who is calling, as the door found out."""
    return cast(Caller, request_of(context).scope["mandate.caller"])


def _fault(error: Exception) -> MCPError:
    fault = secrets.token_hex(8)
    log.error("fault", fault=fault, kind=type(error).__name__, exc_info=error)
    message = f"Something went wrong on our side. Tell your operator the fault's id: {fault}."
    return MCPError(INTERNAL_ERROR, message, {"code": "INTERNAL", "fault": fault})
