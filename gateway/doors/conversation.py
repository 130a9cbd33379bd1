"""graphql-transport-ws, the server's side (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).

Close codes: 4400 not a message of the protocol, 4401 asked before it said who it is, 4403 not accepted (any more),
4406 another subprotocol, 4408 said nothing in time, 4409 an id twice, 4429 `connection_init` twice; 4503 nobody can be
recognised just now, 1013 events were not taken as fast as they happened, 1012 the gateway is restarting: come again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

import orjson
from graphql import OperationType
from starlette.requests import HTTPConnection

from domain.callers import Caller
from domain.errors import DependencyDown, MandateError
from gateway.doors.asking import Malformed, Trusted, question_of
from gateway.doors.authentication import caller_of
from gateway.doors.lifetime import Lifetimes
from gateway.doors.wire import Wire
from gateway.wiring import Gateway
from schema import encoding
from schema.context import Context
from schema.limits import Limit
from schema.sharing import Place
from schema.streams import Question, Refused, Stream, Streams, told_of

INIT_SECONDS: Final = 10
BAD_MESSAGE, UNASKED, FORBIDDEN, OTHER_PROTOCOL, SILENT, REPEATED, TWICE = 4400, 4401, 4403, 4406, 4408, 4409, 4429
UNAVAILABLE: Final = 4503
_BAD_TEXT: Final = 1007

OPERATIONS: Final = Limit(
    "socketOperations",
    100,
    "More than {allowed} operations are under way on this socket. Complete some, or open another socket.",
)
_ACK, _PONG = b'{"type":"connection_ack"}', b'{"type":"pong"}'


class Host(Protocol):
    """What all conversations of a process share."""

    gateway: Gateway
    streams: Streams
    lifetimes: Lifetimes
    trusted: Trusted


class Conversation:
    """One socket's. Nothing in it runs while nothing is asked: a subscription that is shared takes no task."""

    __slots__ = ("_caller", "_connection", "_host", "_operations", "_patience", "_release", "_tasks", "wire")

    def __init__(self, host: Host, wire: Wire, connection: HTTPConnection) -> None:
        self.wire = wire
        self._host = host
        self._connection: HTTPConnection | None = connection  # until it is known who is calling
        self._caller: Caller | None = None
        self._operations: dict[str, _Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._release: Callable[[], None] | None = None
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(INIT_SECONDS, wire.close, SILENT, "Connection initialisation timeout")

    def heard(self, text: bytes) -> None:
        """One message."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            self._not_json(text)
            return
        match message:
            case {"type": "connection_init"}:
                self._init(message.get("payload", {}))
            case {"type": "ping"}:
                self.wire.send(_PONG)
            case {"type": "pong"}:
                pass
            case {"type": "subscribe", "id": str(name), "payload": dict(payload)} if name:
                self._subscribe(name, payload)
            case {"type": "complete", "id": str(name)}:
                if name in self._operations:
                    self._operations.pop(name).stop()
            case _:
                self.wire.close(BAD_MESSAGE, "This is not a message of graphql-transport-ws.")

    def over(self) -> None:
        """The socket has ended: everything under way ends with it."""
        self._patience.cancel()
        if self._release is not None:
            self._release()
        for task in self._tasks:
            task.cancel()
        operations, self._operations = self._operations, {}
        for operation in operations.values():
            operation.stop()

    def end(self, reason: str) -> None:
        """The right to this socket has ended."""
        self.wire.close(FORBIDDEN, reason)

    def start(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Have it done while the socket lasts."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def is_under_way(self, operation: "_Operation") -> bool:
        """Whether more may be said of it."""
        return self._operations.get(operation.name) is operation

    def forget(self, operation: "_Operation") -> None:
        """Its id is free again."""
        if self.is_under_way(operation):
            del self._operations[operation.name]

    def _not_json(self, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError:
            self.wire.close(_BAD_TEXT, "Messages are UTF-8.")
        else:
            self.wire.close(BAD_MESSAGE, "The message is not JSON, or nested too deeply.")

    def _init(self, payload: object) -> None:
        if not isinstance(payload, dict):
            self.wire.close(BAD_MESSAGE, "The payload of connection_init is an object.")
        elif self._connection is None:
            self.wire.close(TWICE, "Too many initialisation requests")
        else:
            self._patience.cancel()
            said = payload.get("authorization", payload.get("Authorization"))
            connection, self._connection = self._connection, None
            _ = self.start(self._recognise(connection, said if isinstance(said, str) else None))

    async def _recognise(self, connection: HTTPConnection, given: str | None) -> None:
        """The token comes in `connection_init` or in the handshake's header; the socket ends when the token does."""
        try:
            caller = await caller_of(self._host.gateway, connection, given)
        except DependencyDown:
            self.wire.close(UNAVAILABLE, "UNAVAILABLE: connect again shortly.")
            return
        except MandateError:
            self.wire.close(FORBIDDEN, "Forbidden")
            return
        self._release = self._host.lifetimes.bind(caller, connection, given, self.end)
        self._caller = caller
        self.wire.send(_ACK)

    def _subscribe(self, name: str, payload: dict[str, object]) -> None:
        if self._caller is None:
            self.wire.close(UNASKED, "Unauthorized")
        elif name in self._operations:
            self.wire.close(
                REPEATED, f"Subscriber for {name[:60]} already exists".encode()[:123].decode(errors="ignore")
            )
        elif len(self._operations) >= OPERATIONS.allowed:
            errors = encoding.refusal([OPERATIONS.exceeded(OPERATIONS.allowed + 1)])
            self.wire.send(b'{"id":%b,"type":"error","payload":%b}' % (orjson.dumps(name), errors))
        else:
            operation = self._operations[name] = _Operation(self, name)
            operation.task = self.start(operation.run(self._host, self._caller, payload))


class _Operation:
    """One `subscribe` and what follows from it."""

    __slots__ = ("_conversation", "_head", "_identity", "name", "place", "task")

    def __init__(self, conversation: Conversation, name: str) -> None:
        self._conversation = conversation
        self._identity = orjson.dumps(name)
        self._head = b'{"id":%b,"type":"next","payload":' % self._identity
        self.name = name
        self.place: Place | None = None
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """The client wants no more, or is gone."""
        if self.place is not None:
            self.place.leave()
        if self.task is not None:
            self.task.cancel()

    def tell(self, answer: bytes) -> None:
        """One answer."""
        self._conversation.wire.send(self._head, answer, b"}")

    def finish(self, problem: Exception | None) -> None:
        """Others told it; they have nothing more to tell."""
        if problem is not None:
            self.tell(encoding.answer(None, [told_of(problem)]))
        self._complete()

    async def run(self, host: Host, caller: Caller, payload: dict[str, object]) -> None:
        """Answer, once or many times. When others take over, this ends and `place` says where it goes on."""
        try:
            question = question_of(payload, host.trusted)
            if host.streams.kind(question) is OperationType.SUBSCRIPTION:
                if await self._follow(host.streams, question, caller):
                    return
            else:
                context = Context(host.gateway.services, caller)
                self.tell((await host.streams.answer(question, context)).body)
        except Malformed as error:
            self._refuse(encoding.encoded([error.formatted]))
        except Refused as refused:
            self._refuse(encoding.refusal(refused.errors))
        except ConnectionError:
            return  # the socket has ended meanwhile
        else:
            self._complete()

    async def _follow(self, streams: Streams, question: Question, caller: Caller) -> bool:
        stream = Stream(self, self._hand)
        if not await streams.follow(question, caller, stream):
            return False
        self.task = None
        self.place = stream.place
        if self.place is not None and not self._conversation.is_under_way(self):
            self.place.leave()
        return True

    async def _hand(self, answer: bytes) -> None:
        self.tell(answer)
        await self._conversation.wire.room()

    def _refuse(self, errors: bytes) -> None:
        self._conversation.forget(self)
        self._conversation.wire.send(b'{"id":%b,"type":"error","payload":%b}' % (self._identity, errors))

    def _complete(self) -> None:
        if self._conversation.is_under_way(self):
            self._conversation.forget(self)
            self._conversation.wire.send(b'{"id":%b,"type":"complete"}' % self._identity)


def _short(reason: str) -> str:
    """What fits into a close frame (RFC 6455, section 5.5)."""
    return reason.encode()[:123].decode(errors="ignore")
