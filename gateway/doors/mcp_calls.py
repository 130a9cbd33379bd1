"""Calls of tools: run as executions, followed while they last, and handed over as tasks where that is wanted."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast
from uuid import uuid4

from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestURLParams,
    InputRequiredResult,
)

from domain.errors import NotFound, Refusal
from domain.executions import UNFINISHED, Execution, ExecutionMode, ExecutionOrigin
from domain.json import JsonObject
from domain.tool_answers import answered, refused
from domain.tools import action_named, own_names
from gateway.doors import mcp_few as few
from gateway.doors.mcp_answers import Context, caller_in, masked, request_of, told
from gateway.doors.mcp_tasks import created, handed_over, is_modern, knows_tasks, message_of
from resolvers.services import Services
from resolvers.tools import Call, connect_url, found_by_key, run

#: How often a client that asked for progress hears of it.
PROGRESS_SECONDS: Final = 1.0
#: How long a client that knows tasks waits for an answer before it is handed one.
HANDED_OVER_AFTER_SECONDS: Final = 10.0
_WITH_TASKS: Final = "2025-11-25"


class Calls:
    """`tools/call`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def call(self, context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        """Run it, or say why not. Raises MCPError for a name that means nothing."""
        caller, given = caller_in(context), cast(JsonObject, params.arguments or {})
        try:
            if params.name == few.SEARCH:
                content = await masked(few.search(self._services, caller, given))
                return told(few.plain(content, few.in_words(content)))
            if params.name == few.DESCRIBE:
                content = dict(await masked(few.describe(self._services, caller, given)))
                return told(few.plain(content, few.in_words(content)))
            call = self._call(context, params)
            execution = await self._followed(context, call)
        except NotFound as refusal:
            if params.name not in few.NAMES and action_named(self._services.catalogue, params.name) is None:
                raise MCPError(INVALID_PARAMS, refusal.message) from None
            return told(refused(refusal))
        except Refusal as refusal:
            return await self._refused(context, params, refusal)
        if execution.status in UNFINISHED and knows_tasks(context):
            # The library's type has no word for a task; its wire form is the extension's own.
            return cast(CallToolResult, handed_over(execution))
        return told(answered(execution, call.action))

    async def with_tasks(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """A call that asks for a task is one, from the beginning (2025-11-25).

        It passes by the library's own handling, which takes no other answer to a call than a result.
        """
        params = ctx.params
        asks = ctx.method == "tools/call" and ctx.protocol_version == _WITH_TASKS
        if not asks or not isinstance(params, Mapping) or not isinstance(params.get("task"), Mapping):
            return await call_next(ctx)
        asked = CallToolRequestParams.model_validate(params)
        if asked.name in (few.SEARCH, few.DESCRIBE):
            raise MCPError(INVALID_PARAMS, "This tool answers at once, and is no task.")
        try:
            call = replace(self._call(ctx, asked), mode=ExecutionMode.BACKGROUND)
            execution = await masked(run(self._services, caller_in(ctx), call))
        except Refusal as refusal:
            answer = refused(refusal)
            raise MCPError(INVALID_PARAMS, answer.text, dict(answer.content)) from None
        return created(execution)

    def _call(self, context: Context, params: CallToolRequestParams) -> Call:
        name, given = params.name, cast(JsonObject, params.arguments or {})
        if name == few.EXECUTE:
            name, given = few.action_in(given), few.arguments_in(given)
        return Call(
            name=name,
            action=action_named(self._services.catalogue, name),
            arguments=given,
            origin=ExecutionOrigin.MCP,
            idempotency_key=request_of(context).headers.get("idempotency-key"),
        )

    async def _refused(
        self, context: Context, params: CallToolRequestParams, refusal: Refusal
    ) -> CallToolResult | InputRequiredResult:
        """With the way out: by the client itself where it can lead a person to an address, else in words."""
        url = await masked(connect_url(self._services, caller_in(context), refusal))
        if url is None or params.input_responses is not None or not leads_to_addresses(context):
            return told(refused(refusal, url))
        wish = ElicitRequestURLParams(message=refusal.message, url=url)
        return InputRequiredResult(input_requests={"connect": ElicitRequest(params=wish)})

    async def _followed(self, context: Context, call: Call) -> Execution:
        """Run to its end, telling how it stands; or, for a client that knows tasks, until it takes too long."""
        caller = caller_in(context)
        if not (_wants_progress(context) or knows_tasks(context)):
            return await masked(run(self._services, caller, call))
        call, key = _keyed(call)
        running = asyncio.ensure_future(masked(run(self._services, caller, call)))
        running.add_done_callback(_seen)  # whoever asked may be gone when it ends
        waited, message = 0, "It is being checked."
        while True:
            await context.session.report_progress(waited, None, message)
            await asyncio.wait({running}, timeout=PROGRESS_SECONDS)
            if running.done():
                return running.result()
            waited += 1
            found = await masked(found_by_key(self._services, caller, key)) if key else None
            if found is None:
                continue
            message = message_of(found)
            if knows_tasks(context) and waited * PROGRESS_SECONDS >= HANDED_OVER_AFTER_SECONDS:
                return found


def leads_to_addresses(context: Context) -> bool:
    """Whether the client can send its person to an address: said with each request from 2026-07-28 on.

    Before, it was said once, at the beginning; we keep nothing from there.
    """
    capabilities = context.session.client_capabilities if is_modern(context) else None
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and elicitation.url is not None


def _wants_progress(context: Context) -> bool:
    return bool(context.meta) and (context.meta or {}).get("progress_token") is not None


def _keyed(call: Call) -> tuple[Call, str | None]:
    """With an idempotency key, by which the execution is found while it runs: the caller's own, or one made here."""
    given = call.arguments.get(own_names(call.action).key) if call.action else None
    own = given if given is not None else call.idempotency_key
    if own is not None:
        return call, own if isinstance(own, str) else None
    key = f"mcp-{uuid4().hex}"
    return replace(call, idempotency_key=key), key


def _seen(running: "asyncio.Future[Execution]") -> None:
    if not running.cancelled():
        running.exception()
