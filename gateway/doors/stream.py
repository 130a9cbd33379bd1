"""GraphQL over server-sent events, in distinct connections mode, for clients without WebSockets
(https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md): one request, one operation, `next` and `complete`.

A stream ends with the token it was opened with: `complete` follows an error that says so.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domain.callers import Caller
from domain.errors import MandateError, SlowSubscriber, Unauthenticated
from gateway.doors.asking import Malformed, Trusted, read
from gateway.doors.authentication import caller_of
from gateway.doors.bodies import bounded_body
from gateway.doors.graphql import GRAPHQL_JSON, JSON, in_address, problem, refused
from gateway.doors.lifetime import Lifetimes
from gateway.wiring import Gateway
from schema import encoding
from schema.context import Context
from schema.sharing import Place
from schema.streams import Question, Refused, Stream, Streams, told_of

_EVENTS: Final = "text/event-stream"
_COMPLETE: Final = b"event: complete\ndata:\n\n"
#: A comment, so that nobody in between takes silence for an end.
_SILENCE: Final = b":\n\n"
_SILENCE_SECONDS: Final = 12
MOST_WAITING: Final = 1_000


class StreamDoor:
    """`POST /graphql/stream`; queries and subscriptions by GET as well."""

    def __init__(self, gateway: Gateway, streams: Streams, lifetimes: Lifetimes, trusted: Trusted) -> None:
        self._gateway = gateway
        self._streams = streams
        self._lifetimes = lifetimes
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope)
        begun = await self._begin(request, receive)
        if isinstance(begun, Response):
            await begun(scope, receive, send)
            return
        caller, question, kind = begun
        outlet = _Outlet(send)
        work = asyncio.create_task(self._work(outlet, caller, question, kind, request))
        gone = asyncio.create_task(_until_gone(receive))
        release = self._lifetimes.bind(caller, request, None, outlet.revoke)
        try:
            carrying = asyncio.create_task(outlet.carry())
            await asyncio.wait({carrying, gone}, return_when=asyncio.FIRST_COMPLETED)
            for task in (carrying, gone, work):
                task.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await task
        finally:
            release()
            outlet.leave()

    async def _begin(self, request: Request, receive: Receive) -> "Response | tuple[Caller, Question, OperationType]":
        """Everything that is refused with a status of its own."""
        if request.method not in {"GET", "POST"}:
            return problem(405, "METHOD_NOT_ALLOWED", "Send GET or POST.", {"allow": "GET, POST"})
        accepted = request.headers.get("accept", "")
        if _EVENTS not in accepted and "*/*" not in accepted:
            return problem(406, "BAD_REQUEST", "This address answers with text/event-stream only: accept it.")
        try:
            caller = await caller_of(self._gateway, request)
            question = await self._asked(request, receive)
            kind = self._streams.kind(question)
        except MandateError as error:
            return refused(error)
        except Malformed as error:
            return problem(400, error.code, error.message)
        except Refused as error:
            return Response(error.body, status_code=400, media_type=GRAPHQL_JSON)
        if kind is OperationType.MUTATION and request.method == "GET":
            return problem(405, "METHOD_NOT_ALLOWED", "Send mutations by POST.", {"allow": "POST"})
        return caller, question, kind

    async def _asked(self, request: Request, receive: Receive) -> Question:
        if request.method == "GET":
            return in_address(request, self._trusted)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise Malformed("Send the request as application/json.")
        body = await bounded_body(receive)
        if body is None:
            raise Malformed("The request is larger than 1 MiB.", "TOO_LARGE")
        return read(body, self._trusted)

    async def _work(
        self, outlet: "_Outlet", caller: Caller, question: Question, kind: OperationType, request: Request
    ) -> None:
        """Answer, once or many times; when others take over, this ends and they go on."""
        if kind is not OperationType.SUBSCRIPTION:
            key = request.headers.get("idempotency-key")
            outlet.tell((await self._streams.answer(question, Context(self._gateway.services, caller, key))).body)
            outlet.finish(None)
            return
        stream = Stream(outlet, outlet.hand)
        try:
            is_carried = await self._streams.follow(question, caller, stream)
        except Refused as refusal:
            outlet.tell(encoding.answer(None, refusal.errors))
            outlet.finish(None)
            return
        outlet.place = stream.place
        if not is_carried:
            outlet.finish(None)


class _Outlet:
    """What waits for one response, in order. It ends a follower who takes too little of it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._taken = asyncio.Event()
        self._is_over = False
        self.place: Place | None = None

    def tell(self, answer: bytes) -> None:
        """One answer."""
        if self._is_over:
            return
        if self._waiting.qsize() >= MOST_WAITING:
            self.finish(SlowSubscriber(0))
        else:
            self._waiting.put_nowait(b"event: next\ndata: %b\n\n" % answer)

    def finish(self, problem: Exception | None) -> None:
        """Nothing more will come."""
        if self._is_over:
            return
        self._is_over = True
        if problem is not None:
            self._waiting.put_nowait(b"event: next\ndata: %b\n\n" % encoding.answer(None, [told_of(problem)]))
        self._waiting.put_nowait(_COMPLETE)
        self._waiting.put_nowait(None)

    async def hand(self, answer: bytes) -> None:
        """One answer, and wait until all are taken."""
        self._taken.clear()
        self.tell(answer)
        await self._taken.wait()

    def revoke(self, reason: str) -> None:
        """The right to this stream has ended: nothing that waits is sent any more."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self.finish(Unauthenticated(reason))

    async def carry(self) -> None:
        """The response, until its end."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        async for part in self._parts():
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _parts(self) -> AsyncIterator[bytes]:
        yield _SILENCE  # the response begins, whether or not there is news
        while True:
            if self._waiting.empty():
                self._taken.set()
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    part = await self._waiting.get()
            except TimeoutError:
                part = _SILENCE
            if part is None:
                return
            yield part

    def leave(self) -> None:
        """The other end is gone, or has everything."""
        self._is_over = True
        if self.place is not None:
            self.place.leave()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
