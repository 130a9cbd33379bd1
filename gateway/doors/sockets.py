"""The WebSockets of this process: who gets one, who is still there."""

import asyncio
import random
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gateway.doors.asking import Trusted
from gateway.doors.conversation import OTHER_PROTOCOL, Conversation
from gateway.doors.lifetime import Lifetimes
from gateway.doors.wire import PROTOCOL, Talk, Wire
from gateway.wiring import Gateway
from schema.streams import Streams

PATH = "/graphql"
#: Each socket is asked for a sign of life once in so many seconds, and closed when the next time finds none.
PULSE_SECONDS = 20


class GraphQLSockets:
    """`graphql-transport-ws` on `/graphql`. `pages`: whose pages may open one, besides those of this very host."""

    def __init__(
        self, gateway: Gateway, streams: Streams, lifetimes: Lifetimes, trusted: Trusted, pages: list[str]
    ) -> None:
        self.gateway = gateway
        self.streams = streams
        self.lifetimes = lifetimes
        self.trusted = trusted
        self._pages = frozenset(pages)
        self._attended: list[set[Wire]] = [set() for _ in range(PULSE_SECONDS)]
        self._turns: dict[Wire, set[Wire]] = {}
        self._pulse = asyncio.create_task(self._ask())

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._turns)

    def close(self) -> None:
        """Ask nobody any more."""
        self._pulse.cancel()

    def refusal(self, connection: HTTPConnection) -> tuple[HTTPStatus, str] | None:
        """Browsers let any page open a socket anywhere, so the page's origin is looked at here."""
        if connection.scope["path"] != PATH:
            return HTTPStatus.NOT_FOUND, "There are no sockets at this address."
        origin = connection.headers.get("origin")
        if origin is None or origin in self._pages or urlsplit(origin).netloc == connection.headers.get("host"):
            return None
        return HTTPStatus.FORBIDDEN, "Pages of this origin get no socket here."

    def begin(self, wire: Wire, connection: HTTPConnection, subprotocol: str | None) -> Talk:
        """A new socket."""
        conversation = Conversation(self, wire, connection)
        if subprotocol != PROTOCOL:
            wire.close(OTHER_PROTOCOL, "Subprotocol not acceptable")
        return conversation

    def attend(self, wire: Wire) -> None:
        """Spread over the seconds, so that a crowd is not asked all at once."""
        turn = self._turns[wire] = random.choice(self._attended)  # noqa: S311  # spread, not secrecy
        turn.add(wire)

    def forget(self, wire: Wire) -> None:
        """It has ended."""
        turn = self._turns.pop(wire, None)
        if turn is not None:
            turn.discard(wire)

    async def _ask(self) -> None:
        while True:
            for turn in self._attended:
                await asyncio.sleep(1)
                for wire in tuple(turn):
                    wire.ping()
