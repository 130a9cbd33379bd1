"""How long a socket stays open: no longer than the token it was opened with."""

import asyncio
from contextlib import ExitStack, aclosing, suppress
from datetime import UTC, datetime

from starlette.websockets import WebSocket, WebSocketState

from domain.callers import Caller
from domain.errors import MandateError, SlowSubscriber
from domain.history import Interest
from gateway.doors.authentication import caller_of
from gateway.wiring import Gateway

FORBIDDEN = 4403
_EXPIRED = "The token has expired."
_REVOKED = "The token is no longer accepted."

_CLOSING: set["asyncio.Task[None]"] = set()


def bound_to_token(gateway: Gateway, socket: WebSocket, caller: Caller, given: str | None, endings: ExitStack) -> None:
    """Close the socket when its token expires, or when the agent's key is revoked. `endings` are for its own end."""
    if caller.expires_at is not None:
        left = (caller.expires_at - datetime.now(UTC)).total_seconds()
        endings.callback(asyncio.get_running_loop().call_later(max(left, 0), _end, socket).cancel)
    if caller.token_id is not None:
        watch = asyncio.ensure_future(_until_revoked(gateway, socket, caller, given))
        endings.callback(watch.cancel)


async def _until_revoked(gateway: Gateway, socket: WebSocket, caller: Caller, given: str | None) -> None:
    """History tells when a key of this agent was revoked. Once it cannot be asked, the socket ends as well."""
    interest = Interest(types=("agent.token_revoked",), agent_id=caller.agent_id)
    while True:
        try:
            events = await gateway.services.feed.subscribe(caller.tenant, after=None, interest=interest)
            async with aclosing(events):
                await caller_of(gateway, socket, given)  # it may have been revoked since the socket was opened
                async for _ in events:
                    await caller_of(gateway, socket, given)
        except SlowSubscriber:
            continue
        except MandateError:
            pass
        await _close(socket, _REVOKED)
        return


def _end(socket: WebSocket) -> None:
    task = asyncio.ensure_future(_close(socket, _EXPIRED))
    _CLOSING.add(task)
    task.add_done_callback(_CLOSING.discard)


async def _close(socket: WebSocket, reason: str) -> None:
    with suppress(RuntimeError):
        if socket.application_state is not WebSocketState.DISCONNECTED:
            await socket.close(FORBIDDEN, reason)
