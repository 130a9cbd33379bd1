"""Streams on which clients hear that their list of tools has changed, and how their tasks stand.

From 2026-07-28 on a client asks with `subscriptions/listen`; before, it opened one by GET. Both follow our history,
tell only what concerns the caller, and end with the token they were opened with. What was missed is not told again:
who listens anew lists anew.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Final
from uuid import UUID

from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    NotificationParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolListChangedNotification,
)
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from domain.errors import DependencyDown, NotFound
from domain.history import Interest
from domain.ids import Kind, read_id
from gateway.doors.lifetime import Lifetimes
from gateway.doors.mcp_answers import Context, caller_in, masked, request_of
from gateway.doors.mcp_tasks import Tasks
from gateway.wiring import Gateway
from resolvers.tools import Changes, own_execution

MOST_STREAMS: Final = 1_000
_MOST_TASKS: Final = 100
_SILENCE_SECONDS: Final = 12
_LIST_CHANGED: Final = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}

_Work = Callable[[], Awaitable[None]]


class Listening:
    """Every open stream of this process."""

    def __init__(self, gateway: Gateway, tasks: Tasks) -> None:
        self._services = gateway.services
        self._lifetimes = Lifetimes(gateway)
        self._tasks = tasks
        self._open = 0

    async def listen(self, context: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """One subscription (2026-07-28): acknowledged first, then told; the result is its end."""
        if context.request_id is None:
            raise MCPError(INVALID_REQUEST, "subscriptions/listen needs a request id.")
        if self._open >= MOST_STREAMS:
            raise MCPError(INTERNAL_ERROR, "Too many streams are open here. Try again later.")
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: context.request_id}
        wanted = params.notifications
        followed = await self._own(context, (wanted.model_extra or {}).get("taskIds"))
        async with AsyncExitStack() as stack:
            work: list[_Work] = []
            if wanted.tools_list_changed:
                changes = await masked(Changes.begin(self._services, caller_in(context)))
                stack.push_async_callback(changes.aclose)
                work.append(lambda: self._tell_changes(context, changes, meta))
            work += [self._following(context, each, meta) for each in followed]
            extra: dict[str, Any] = {"taskIds": list(followed.values())} if followed else {}
            honoured = SubscriptionFilter(tools_list_changed=wanted.tools_list_changed or None, **extra)
            acknowledged = SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
            await context.session.send_notification(
                SubscriptionsAcknowledgedNotification(params=acknowledged), context.request_id
            )
            await self._while_allowed(request_of(context), work)
        return SubscriptionsListenResult(_meta=meta)

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A stream opened by GET (until 2025-11-25). Raises DependencyDown before it has begun."""
        request = Request(scope, receive)
        if self._open >= MOST_STREAMS:
            raise DependencyDown("Too many streams are open here. Try again later.")
        changes = await Changes.begin(self._services, scope["mandate.caller"])
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        frame = f"event: message\ndata: {json.dumps(_LIST_CHANGED)}\n\n".encode()

        async def say(part: bytes) -> None:
            await send({"type": "http.response.body", "body": part, "more_body": True})

        async def tell() -> None:
            while True:
                try:
                    async with asyncio.timeout(_SILENCE_SECONDS):
                        await changes.next()
                    part = frame
                except TimeoutError:
                    part = b":\n\n"
                await say(part)

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        try:
            await say(b":\n\n")  # the response begins, whether or not there is news
            await self._while_allowed(request, [tell, until_gone], ends_with_first=True)
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await changes.aclose()

    async def _while_allowed(self, request: Request, work: Sequence[_Work], *, ends_with_first: bool = False) -> None:
        """Do it for as long as the token holds that the stream was opened with."""
        over = asyncio.Event()
        unbind = self._lifetimes.bind(request.scope["mandate.caller"], request, None, lambda _: over.set())
        doing = [asyncio.ensure_future(each()) for each in work]
        ending = asyncio.ensure_future(over.wait())
        self._open += 1
        try:
            waiting = {ending, *doing}
            while waiting and not ending.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(each.exception() is not None for each in done) or (ends_with_first and done):
                    break
        finally:
            self._open -= 1
            unbind()
            for each in (*doing, ending):
                each.cancel()
            await asyncio.gather(*doing, ending, return_exceptions=True)

    async def _tell_changes(self, context: Context, changes: Changes, meta: dict[str, Any]) -> None:
        while True:
            await changes.next()
            changed = ToolListChangedNotification(params=NotificationParams(_meta=meta))
            await context.session.send_notification(changed, context.request_id)

    def _following(self, context: Context, execution_id: UUID, meta: dict[str, Any]) -> _Work:
        async def follow() -> None:
            interest = Interest(types=("execution.*", "approval.*"), execution_id=execution_id)
            events = await self._services.feed.subscribe(caller_in(context).tenant, after=None, interest=interest)
            try:
                while True:
                    found = await own_execution(self._services, caller_in(context), execution_id)
                    # The library knows no such notification; the connection takes any.
                    params = {**self._tasks.state(found), "_meta": meta}
                    await context.session._request_outbound.notify("notifications/tasks", params)  # noqa: SLF001
                    if found.finished_at is not None:
                        return
                    await anext(events)
            finally:
                await events.aclose()

        return follow

    async def _own(self, context: Context, names: object) -> dict[UUID, str]:
        """The executions among these names that the caller may see."""
        found: dict[UUID, str] = {}
        for name in names[:_MOST_TASKS] if isinstance(names, list) else []:
            with suppress(NotFound):
                execution_id = read_id(Kind.EXECUTION, name if isinstance(name, str) else "")
                await masked(own_execution(self._services, caller_in(context), execution_id))
                found[execution_id] = name
        return found
