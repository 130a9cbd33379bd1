"""The one place that touches aiohttp: a session that can only reach what `egress` allows. Loaded when first
needed.

How the promises of `http` are kept, seam by seam (all public parameters of aiohttp):

- the guard sits in `socket_factory`, which sees every address about to be connected to, and before it in
  the resolver;
- https and http have a connector each, because a socket does not know which of the two it is for;
- `request_class` notes the moment a request is handed to a connection: from there on a failure is
  AnswerLost;
- a middleware renames lost connections, so that aiohttp does not send idempotent requests a second time by
  itself;
- a pooled connection on which bytes nobody asked for have arrived is dropped: they would pass as the next
  answer.
"""

import asyncio
import contextlib
import io
import re
import socket
import ssl
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

from adapters._kit.egress import Egress, EgressRefused
from adapters._kit.http import (
    AnswerLost,
    Caps,
    Excerpt,
    Headers,
    Incoming,
    NotSent,
    Outgoing,
    Resolver,
    Timeouts,
    Unanswered,
)
from adapters._kit.inflate import Garbled, Inflation

KEEP_ALIVE: Final = 30.0  # seconds an idle connection is kept
DNS_KEPT: Final = 10  # seconds; harmless, because the address is judged again at every connection

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_OURS: Final = frozenset(  # fields that frame the message, name the host or belong to the hop
    {
        *("accept-encoding", "connection", "content-length", "cookie", "expect", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_LARGE: Final = 1 << 20  # above this aiohttp wants a file object, to write in pieces


class Wire:
    """An open connection pool behind the guard. Made on the event loop that uses it."""

    def __init__(
        self,
        egress: Egress,
        agent: str,
        timeouts: Timeouts,
        caps: Caps,
        tls: ssl.SSLContext,
        resolver: Resolver | None,
    ) -> None:
        self._egress, self._timeouts, self._caps = egress, timeouts, caps
        self._basis = {"user-agent": agent, "accept-encoding": "gzip, deflate"}
        finder = resolver or _SystemResolver()
        schemes = ("https", "http") if egress.allow_http else ("https",)
        self._sessions = {
            scheme: _session(_Guard(egress, finder, timeouts, caps, tls, plain=scheme == "http"), timeouts)
            for scheme in schemes
        }

    async def aclose(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()

    async def send(self, request: Outgoing, total_seconds: float | None) -> Incoming:
        """See Transport in `http`."""
        fields, body = self._written(request)
        flight = _Flight()
        try:
            url = self._egress.admit(request.url)
            async with (
                asyncio.timeout(self._patience(total_seconds)),
                self._sessions[url.scheme].request(
                    request.method,
                    url,
                    headers=fields,
                    data=body,
                    allow_redirects=False,
                    middlewares=(flight,),
                ) as response,
            ):
                return await _answer(response, self._caps.body, request.excerpt)
        except Unanswered:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, the caller learns how far it got
            verdict, refusal = _verdict(fault, departed=flight.departed), _refusal_in(fault)
        # Raised out here, so that the library's error, whose text holds the whole URL, is not its context.
        raise verdict from refusal

    def _patience(self, seconds: float | None) -> float:
        if seconds is None:
            return self._timeouts.total
        if seconds <= 0:
            raise NotSent("timed_out")
        return min(seconds, self._timeouts.total)

    def _written(self, request: Outgoing) -> tuple[dict[str, str], bytes | io.BytesIO | None]:
        if request.method not in _METHODS:
            raise NotSent("bad_request", "method")
        fields = dict(self._basis)
        for given, value in request.headers.items():
            name = given.lower()
            if name in _OURS or not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
                raise NotSent("bad_request", "header")
            fields[name] = value
        body = request.body
        return fields, io.BytesIO(body) if body is not None and len(body) > _LARGE else body


class _Guard(aiohttp.TCPConnector):
    """A connector whose every socket was allowed by the policy."""

    def __init__(
        self,
        egress: Egress,
        finder: Resolver,
        timeouts: Timeouts,
        caps: Caps,
        tls: ssl.SSLContext,
        *,
        plain: bool,
    ) -> None:
        def open_socket(info: aiohttp.AddrInfoType) -> socket.socket:
            family, kind, protocol, _, address = info
            egress.check(str(address[0]), int(address[1]), plain=plain)
            return socket.socket(family, kind, protocol)

        super().__init__(
            ssl=tls,
            resolver=_AllowedAddresses(egress, finder, timeouts.connect, plain=plain),
            socket_factory=open_socket,
            limit=caps.connections,
            limit_per_host=caps.connections_per_host,
            keepalive_timeout=KEEP_ALIVE,
            ttl_dns_cache=DNS_KEPT,
        )

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own parameter
    ) -> Connection:
        """A connection on which nothing waits to be read."""
        for _ in range(3):
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError


class _AllowedAddresses(AbstractResolver):
    """Keeps the addresses of a name that may be connected to; a name with none of them is refused."""

    def __init__(self, egress: Egress, finder: Resolver, patience: float, *, plain: bool) -> None:
        self._egress, self._plain, self._finder, self._patience = egress, plain, finder, patience

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - both families are always wanted
    ) -> list[ResolveResult]:
        async with asyncio.timeout(self._patience):
            found = await self._finder.resolve(host, port)
        if not found:
            raise OSError("no addresses")
        reasons = {each: self._egress.refusal(each, port, plain=self._plain) for each in found}
        allowed = [each for each, reason in reasons.items() if reason is None]
        if not allowed:
            raise EgressRefused(next(reason for reason in reasons.values() if reason))
        return [_resolved(host, each, port) for each in allowed]

    async def close(self) -> None:
        """Nothing is held."""


class _SystemResolver:
    async def resolve(self, host: str, port: int) -> list[str]:
        """Ask the operating system, in a thread."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
        except UnicodeError:
            raise OSError("not a name") from None
        return [str(address[0]) for *_, address in found]


class _Request(aiohttp.ClientRequest):
    departed = False

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """From here on bytes may be on their way."""
        self.departed = True
        return await super().send(conn)


class _Gone(aiohttp.ClientError):
    """The connection was lost with a request on it."""


class _Flight:
    """Follows one request through aiohttp, and ends it when its connection is lost."""

    __slots__ = ("_request",)

    def __init__(self) -> None:
        self._request: aiohttp.ClientRequest | None = None

    @property
    def departed(self) -> bool:
        return isinstance(self._request, _Request) and self._request.departed

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        self._request = request
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            raise _Gone from None


def _session(guard: _Guard, timeouts: Timeouts) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=guard,
        request_class=_Request,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(
            total=None, connect=timeouts.connect, sock_connect=timeouts.connect, sock_read=timeouts.silence
        ),
    )


def _resolved(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}


async def _answer(response: aiohttp.ClientResponse, cap: int, excerpt: Excerpt | None) -> Incoming:
    if response.status == 101:
        raise AnswerLost("bad_answer", "switching protocols")
    headers = Headers(response.headers.items())
    try:
        coding = headers.get("content-encoding", "").strip().lower()
        inflation = None if coding in ("", "identity") else Inflation(coding)
        if excerpt is not None:
            body, is_cut = await _beginning(response.content, inflation, excerpt)
            if is_cut:
                response.close()
            return Incoming(response.status, headers, body, is_cut)
        body = await _body(response.content, inflation, cap)
    except Garbled:
        raise AnswerLost("bad_answer", "content-encoding") from None
    return Incoming(response.status, headers, body)


async def _beginning(stream: aiohttp.StreamReader, inflation: Inflation | None, excerpt: Excerpt) -> tuple[bytes, bool]:
    """What came in the time there was, and whether it was cut off. Silence cuts it off too."""
    body = bytearray()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(excerpt.seconds):
            while chunk := await stream.readany():
                for piece in (chunk,) if inflation is None else inflation.feed(chunk):
                    body += piece
                    if len(body) > excerpt.size:
                        return bytes(body[: excerpt.size]), True
            return bytes(body), False
    return bytes(body), True


async def _body(stream: aiohttp.StreamReader, inflation: Inflation | None, cap: int) -> bytes:
    """The whole body, decoded. Raises AnswerLost once more than `cap` bytes came in or came out."""
    pieces: list[bytes] = []
    taken = size = 0
    while chunk := await stream.readany():
        taken += len(chunk)
        for piece in (chunk,) if inflation is None else inflation.feed(chunk):
            size += len(piece)
            if max(size, taken) > cap:
                raise AnswerLost("body_too_large")
            pieces.append(piece)
        if taken > cap:
            raise AnswerLost("body_too_large")
    if inflation is not None:
        inflation.finish()
    return b"".join(pieces)


def _refusal_in(fault: Exception) -> EgressRefused | None:
    inner = fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault
    return inner if isinstance(inner, EgressRefused) else None


def _verdict(fault: Exception, *, departed: bool) -> Unanswered:
    kind = type(fault).__name__.lstrip("_")
    if _refusal_in(fault):
        return NotSent("refused_address")
    if departed:
        return _lost(fault, kind)
    match fault:
        case aiohttp.ClientConnectorSSLError() | aiohttp.ClientConnectorCertificateError():
            return NotSent("tls_failed", kind)
        case aiohttp.ConnectionTimeoutError():
            return NotSent("connect_timeout")
        case TimeoutError():
            return NotSent("timed_out")
        case aiohttp.ClientConnectionError() | OSError():
            return NotSent("connect_failed", kind)
        case _:
            return NotSent("bad_request", kind)


def _lost(fault: Exception, kind: str) -> AnswerLost:
    match fault:
        case TimeoutError():
            return AnswerLost("timed_out")
        case _Gone() | aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError() | OSError():
            return AnswerLost("connection_lost", kind)
        case _:
            return AnswerLost("bad_answer", kind)
