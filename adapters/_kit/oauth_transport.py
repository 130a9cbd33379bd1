"""The guarded way out as an httpx2 transport, for OAuth clients: same pool, same guard, same caps and
deadlines.

Failures appear as httpx2's own, with ours as their cause. The split stays readable: ConnectError,
ConnectTimeout and LocalProtocolError were NotSent; ReadTimeout, ReadError and RemoteProtocolError are
AnswerLost.
"""

from typing import Final

import httpx2

from adapters._kit.http import AnswerLost, Headers, NotSent, Outgoing, Transport, Unanswered

_FRAMING: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "cookie", "host", "transfer-encoding", "user-agent"}
)
_UNDONE: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class OAuthTransport(httpx2.AsyncBaseTransport):
    """Hands each request to a Transport it does not own: closing it closes nothing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The whole answer, read and decoded. Raises httpx2.TransportError."""
        body = await request.aread()
        fields = {name: value for name, value in Headers(request.headers.multi_items()).items() if name not in _FRAMING}
        outgoing = Outgoing(request.method, str(request.url), fields, body or None)
        try:
            answer = await self._transport.send(outgoing)
        except Unanswered as failure:
            raise _translated(failure, request) from failure
        kept = [(name, value) for name, value in answer.headers.items() if name not in _UNDONE]
        return httpx2.Response(answer.status, headers=kept, content=answer.body, request=request)


def _translated(failure: Unanswered, request: httpx2.Request) -> httpx2.TransportError:
    kind: type[httpx2.TransportError]
    match failure:
        case NotSent(code="connect_timeout" | "timed_out"):
            kind = httpx2.ConnectTimeout
        case NotSent(code="bad_request"):
            kind = httpx2.LocalProtocolError
        case AnswerLost(code="timed_out"):
            kind = httpx2.ReadTimeout
        case AnswerLost(code="bad_answer" | "body_too_large"):
            kind = httpx2.RemoteProtocolError
        case AnswerLost():
            kind = httpx2.ReadError
        case _:
            kind = httpx2.ConnectError
    return kind(str(failure), request=request)
