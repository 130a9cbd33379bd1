"""One WebSocket from its handshake to its end, with as little for each as can be: thousands wait for news at once.

What comes in is read by `websockets` (RFC 6455: masks, fragments, control frames, the size limit). What goes out is
written straight to the transport: a frame is a length and bytes that many sockets share. Nobody waits for a socket
whose other end reads slowly: what it has not taken waits here, and beyond a bound the socket is closed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol, cast

from starlette.requests import HTTPConnection
from uvicorn.config import Config
from uvicorn.protocols.utils import get_remote_addr, is_ssl
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

PROTOCOL: Final = Subprotocol("graphql-transport-ws")

TOO_SLOW: Final = 1013
_BAD_MESSAGE, _GOING_AWAY, _SILENT = 4400, 1012, 1011

#: What may wait for one socket: so many messages, and so many bytes.
MOST_WAITING, MOST_WAITING_BYTES = 1_000, 262_144
#: How long the other end may take to answer our goodbye; one that is slow may first have to read what is on its way.
_GOODBYE_SECONDS, _SLOW_GOODBYE_SECONDS = 2.0, 10.0

_PING: Final = b"\x89\x00"
_QUIET: Final = logging.getLogger("websockets.server")


class Talk(Protocol):
    """Who speaks over the wire. All three are called on the event loop and return at once."""

    def heard(self, text: bytes) -> None:
        """A text message arrived."""
        ...

    def over(self) -> None:
        """The socket has ended, or is about to: nothing can be said any more."""
        ...


class Sockets(Protocol):
    """Whom sockets belong to: made when the application starts, found in its state under this class's `STATE`."""

    def refusal(self, connection: HTTPConnection) -> tuple[HTTPStatus, str] | None:
        """Why there is no socket at this address or for this page; None when there is."""
        ...

    def begin(self, wire: "Wire", connection: HTTPConnection, subprotocol: str | None) -> Talk:
        """The handshake is done."""
        ...

    def attend(self, wire: "Wire") -> None:
        """Ask it now and then whether it is still there."""
        ...

    def forget(self, wire: "Wire") -> None:
        """It has ended."""
        ...


#: Where in the application's state the sockets are found.
STATE: Final = "sockets"


class Wire(asyncio.Protocol):
    """What uvicorn hands a socket to (its setting `ws`)."""

    __slots__ = (
        "_drained",
        "_goodbye",
        "_is_closed",
        "_is_paused",
        "_parser",
        "_pieces",
        "_server",
        "_sockets",
        "_talk",
        "_transport",
        "_waiting",
        "_waiting_bytes",
        "is_heard",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._server = server_state
        self._sockets = cast("Sockets | None", app_state.get(STATE))
        self._parser = ServerProtocol(select_subprotocol=_chosen, max_size=config.ws_max_size, logger=_QUIET)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)  # set before anything else happens
        self._talk: Talk | None = None
        self._pieces: list[bytes] | None = None
        # In parts, so that what many sockets wait for is held once.
        self._waiting: deque[tuple[bytes, ...]] | None = None
        self._waiting_bytes = 0
        self._drained: asyncio.Future[None] | None = None
        self._goodbye: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._is_closed = False
        self.is_heard = True

    # ------------------------------------------------------------------------------------------ saying

    @property
    def is_open(self) -> bool:
        """Whether anything said still goes out."""
        return not self._is_closed

    def send(self, *parts: bytes) -> None:
        """Say this, in UTF-8: one message. Never waits; too much of it closes the socket with `TOO_SLOW`."""
        if self._is_closed:
            return
        if not self._is_paused:
            self._transport.write(framed(parts))
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(parts)
        self._waiting_bytes += sum(map(len, parts))
        if len(self._waiting) > MOST_WAITING or self._waiting_bytes > MOST_WAITING_BYTES:
            self.close(TOO_SLOW, "SLOW_SUBSCRIBER: resume after the last event you received.")

    async def room(self) -> None:
        """Wait until nothing waits here. Raises ConnectionError when the socket ends instead."""
        while self._is_paused and not self._is_closed:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)
        if self._is_closed:
            raise ConnectionError

    def close(self, code: int, reason: str) -> None:
        """Say goodbye. The other end has a moment to answer; what still waits is dropped."""
        if self._is_closed:
            return
        self._end()
        if self._parser.state is State.OPEN:
            self._parser.send_close(code, reason)
        self._flush()
        self._abort_after(_SLOW_GOODBYE_SECONDS if code == TOO_SLOW else _GOODBYE_SECONDS)

    def ping(self) -> None:
        """Ask whether the other end is there; without a sign of life since the last time, it is not."""
        if self.is_heard:
            self.is_heard = False
            self._transport.write(_PING)
        else:
            self.close(_SILENT, "Nothing was heard for a while.")

    # ------------------------------------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is ours from now on."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)  # type: ignore[arg-type]  # as its own protocols do

    def data_received(self, data: bytes) -> None:
        """Frames, or parts of them; the first time, the handshake."""
        self.is_heard = True
        self._parser.receive_data(data)
        for event in self._parser.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame):
                self._read(event)
        self._flush()
        if self._parser.parser_exc is not None or self._parser.close_rcvd is not None:
            self._end()
            self._leave()

    def pause_writing(self) -> None:
        """The other end takes nothing more for now."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_paused = False
        while self._waiting and not self._is_paused:
            parts = self._waiting.popleft()
            self._waiting_bytes -= sum(map(len, parts))
            self._transport.write(framed(parts))
        if not self._is_paused:
            self._waiting = None
            self._wake()

    def eof_received(self) -> None:
        """The other end has gone without a goodbye; the transport closes by itself."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # it has ended, however
        """There is nobody at the other end."""
        self._end()
        if self._goodbye is not None:
            self._goodbye.cancel()
        self._server.connections.discard(self)

    def shutdown(self) -> None:
        """The server is told to stop."""
        if self._talk is None:
            self._transport.close()
        self.close(_GOING_AWAY, "")

    # ------------------------------------------------------------------------------------------ inside

    def _shake_hands(self, request: Request) -> None:
        connection = _connection(request, self._transport)
        response = self._parser.accept(request)
        refusal = self._sockets.refusal(connection) if self._sockets else (HTTPStatus.NOT_FOUND, "")
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS and refusal is not None:
            response = self._parser.reject(*refusal)
        self._parser.send_response(response)
        self._flush()
        if self._parser.state is not State.OPEN or self._sockets is None:
            self._is_closed = True
            self._transport.close()
            return
        self._talk = self._sockets.begin(self, connection, self._parser.subprotocol)
        self._sockets.attend(self)

    def _read(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._end()
        elif frame.opcode is Opcode.BINARY:
            self.close(_BAD_MESSAGE, "Messages are text.")
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._hear(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            self._pieces = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._pieces is not None:
            self._pieces.append(bytes(frame.data))
            if frame.fin:
                whole, self._pieces = b"".join(self._pieces), None
                self._hear(whole)

    def _hear(self, text: bytes) -> None:
        if self._talk is not None and not self._is_closed:
            self._talk.heard(text)

    def _flush(self) -> None:
        for data in self._parser.data_to_send():
            if data:
                self._transport.write(data)

    def _leave(self) -> None:
        """Close the connection, once what was said last has gone out; but do not wait for that for ever."""
        self._abort_after(_GOODBYE_SECONDS)
        self._transport.close()

    def _abort_after(self, seconds: float) -> None:
        if self._goodbye is None:
            self._goodbye = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def _end(self) -> None:
        """Once, whichever way it ends."""
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting = None
        self._wake()
        if self._sockets is not None:
            self._sockets.forget(self)
        if self._talk is not None:
            self._talk.over()

    def _wake(self) -> None:
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None


def _chosen(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return PROTOCOL if PROTOCOL in offered else None


def framed(parts: tuple[bytes, ...]) -> bytes:
    """One unmasked, final text frame (RFC 6455, section 5.2)."""
    length = sum(map(len, parts))
    if length < 126:
        head = b"\x81%c" % length
    elif length < 65_536:
        head = b"\x81\x7e" + length.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + length.to_bytes(8, "big")
    return b"".join((head, *parts))


def _connection(request: Request, transport: asyncio.Transport) -> HTTPConnection:
    """The handshake as a door reads any request."""
    path, _, query = request.path.partition("?")
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "surrogateescape"))
        for name, value in request.headers.raw_items()
    ]
    return HTTPConnection(
        {
            "type": "websocket",
            "scheme": "wss" if is_ssl(transport) else "ws",
            "path": path,
            "query_string": query.encode("latin-1", "replace"),
            "headers": headers,
            "client": get_remote_addr(transport),
        }
    )
