"""Outgoing HTTP: one request, one answer, or an honest word about how far it got.

Unanswered
  ├─ NotSent      not a byte of the request left the gateway: it may be sent again
  └─ AnswerLost   it was sent, or may have been: what it did over there is unknown

Every call to a service goes this way, through the guard in `egress`: no redirects, no cookies, no proxy
from the environment, no second try behind the caller's back, deadlines on everything and a cap on the body
as decoded. No error carries a query, a header or a body. A task that is cancelled while it waits is to be
counted as AnswerLost.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

from adapters._kit.egress import Egress

if TYPE_CHECKING:
    import ssl

    import httpx2

    from adapters._kit.wire import Wire

Reason = Literal[
    "bad_request",  # the request itself cannot be written: method, header, URL
    "refused_address",  # the guard said no; the EgressRefused is the cause
    "connect_failed",
    "connect_timeout",
    "tls_failed",
    "timed_out",
    "connection_lost",
    "body_too_large",
    "bad_answer",
]


class Unanswered(Exception):
    """No whole answer came. `code` says why; `kind`, for our own records, names the class of the fault."""

    said: str = "no answer"

    def __init__(self, code: Reason, kind: str = "") -> None:
        super().__init__(code, kind)
        self.code: Final = code
        self.kind: Final = kind

    def __str__(self) -> str:
        return f"{self.said}: {self.code}" + (f" ({self.kind})" if self.kind else "")


class NotSent(Unanswered):
    """Not a byte of the request was written to a connection."""

    said = "the request was not sent"


class AnswerLost(Unanswered):
    """The request was sent, or may have been, and its answer did not arrive whole and in time."""

    said = "the answer was lost"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. `connect` is waiting for a free connection, resolving, connecting and TLS together.

    `silence` is the time between two reads, `total` all of it.
    """

    connect: float = 5.0
    silence: float = 10.0
    total: float = 30.0


@dataclass(frozen=True, slots=True)
class Caps:
    """What one transport may hold: a body in bytes, as received and as decoded; open connections.

    The pools for https and for http count apart.
    """

    body: int = 10 * 1024 * 1024
    connections: int = 512
    connections_per_host: int = 128


@dataclass(frozen=True, slots=True)
class Excerpt:
    """For answers that go on for as long as somebody listens: what came within so many seconds is the answer, and no
    more than `size` bytes of it, as decoded.
    """

    seconds: float
    size: int


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """A request. Headers that frame a message or name the host are the transport's own and refused here."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    excerpt: Excerpt | None = None

    def __repr__(self) -> str:
        return f"<Outgoing {self.method}>"


@dataclass(frozen=True, slots=True, repr=False)
class Incoming:
    """An answer, whole, or as much of it as an Excerpt asked for (`is_cut`: it had not ended).

    The body is decoded (content-encoding undone); set-cookie headers are left out.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False

    def __repr__(self) -> str:
        return f"<Incoming {self.status}, {len(self.body)} bytes>"


class Headers(Mapping[str, str]):
    """Header fields with lower-case names, found in any case; repeats joined by a comma (RFC 9110, 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for given, raw in fields:
            name = given.lower()
            if name == "set-cookie":
                continue
            value = raw if raw.isascii() else raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            before = self._fields.get(name)
            self._fields[name] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"<Headers: {len(self)}>"


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Addresses as text; raises OSError when there are none."""


class Transport(Protocol):
    """Sends one request and brings its answer."""

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        """The whole answer, whatever its status. Raises NotSent or AnswerLost.

        `total_seconds` can only shorten the time there is.
        """


class HttpTransport:
    """The real way out: one guarded connection pool for all services.

    Opened at the first request or by `open()`, on one event loop; making one costs nothing. `tls` and
    `resolver` replace the system's trust store and resolver; the guard applies to whatever a resolver
    answers.
    """

    def __init__(
        self,
        egress: Egress,
        *,
        version: str,
        timeouts: Timeouts | None = None,
        caps: Caps | None = None,
        tls: "ssl.SSLContext | None" = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._egress = egress
        self._agent = f"Mandate/{version}"
        self._timeouts = timeouts or Timeouts()
        self._caps = caps or Caps()
        self._tls = tls
        self._resolver = resolver
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self) -> None:
        """Load the HTTP library and the trust store, off the event loop; calling it again does nothing."""
        async with self._opening:
            if self._wire is None and not self._closed:
                tls = await asyncio.to_thread(_prepared, self._tls)
                from adapters._kit.wire import Wire

                self._wire = Wire(self._egress, self._agent, self._timeouts, self._caps, tls, self._resolver)

    async def aclose(self) -> None:
        """Close every connection. What is on its way ends as AnswerLost; what comes later is NotSent."""
        async with self._opening:
            self._closed = True
            wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        """See Transport."""
        if self._wire is None:
            await self.open()
        if self._wire is None:
            raise NotSent("connect_failed", "closed")
        return await self._wire.send(request, total_seconds)

    def for_oauth(self) -> "httpx2.AsyncBaseTransport":
        """The same way out for clients built on httpx2; see `oauth_transport` for how failures appear
        there.
        """
        from adapters._kit.oauth_transport import OAuthTransport

        return OAuthTransport(self)


class CannedTransport:
    """A twin for tests of integrations: a function answers, `requests` remembers what was asked.

    An exception the function returns is raised, so that a test can play NotSent and AnswerLost. Answers'
    headers come out as from the real transport.
    """

    def __init__(self, answer: Callable[[Outgoing], Incoming | Exception]) -> None:
        self._answer = answer
        self.requests: list[Outgoing] = []

    async def send(self, request: Outgoing, *, total_seconds: float | None = None) -> Incoming:
        """See Transport."""
        if total_seconds is not None and total_seconds <= 0:
            raise NotSent("timed_out")
        self.requests.append(request)
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, headers=Headers(answer.headers.items()))


def _prepared(tls: "ssl.SSLContext | None") -> "ssl.SSLContext":
    """The slow parts of opening, for a thread: importing the library, reading the trust store."""
    import ssl

    import adapters._kit.wire  # noqa: F401 - imported here so that the event loop does not wait for it

    return tls or ssl.create_default_context()
