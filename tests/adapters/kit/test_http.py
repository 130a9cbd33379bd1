"""Outgoing HTTP: what is sent, what is not, TLS, deadlines, the OAuth client's way out, and the twin."""

import asyncio
import gzip
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from authlib.integrations.httpx_client import (  # type: ignore[import-untyped]  # it ships no types
    AsyncOAuth2Client,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters._kit.egress import Egress, EgressRefused
from adapters._kit.http import (
    AnswerLost,
    CannedTransport,
    Caps,
    Headers,
    HttpTransport,
    Incoming,
    NotSent,
    Outgoing,
    Timeouts,
    Transport,
    Unanswered,
)
from tests.adapters.kit.hostile import MIB, TLS, Visit, get, hostile, ok, says, served, silence, tells_nothing


async def test_every_status_is_an_answer() -> None:
    for status in (400, 401, 404, 429, 500, 503, 599):
        script = says(b"HTTP/1.1 %d No\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}" % status)
        async with served(script) as (server, transport):
            answer = await get(transport, server)
        assert (answer.status, answer.headers["Retry-After"], answer.body) == (status, "7", b"{}")


async def test_a_request_arrives_as_written() -> None:
    async with served(says(ok())) as (server, transport):
        fields = {"Authorization": "Bearer t", "content-type": "application/json"}
        await transport.send(Outgoing("POST", server.url("/a%2Fb?q=%20c+d"), fields, b'{"a":1}'))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    line, *rest = head.split(b"\r\n")
    assert (line, body) == (b"POST /a%2Fb?q=%20c+d HTTP/1.1", b'{"a":1}')
    assert sorted(each.lower() for each in rest) == [
        b"accept-encoding: gzip, deflate",
        b"authorization: bearer t",
        b"content-length: 7",
        b"content-type: application/json",
        b"host: 127.0.0.1:%d" % server.port,
        b"user-agent: mandate/1.2",
    ]


async def test_a_large_body_goes_out_whole() -> None:
    async with served(says(ok())) as (server, transport):
        await transport.send(Outgoing("PUT", server.url(), {}, b"x" * (3 * MIB)))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert len(body) == 3 * MIB
    assert b"chunked" not in head.lower()


async def test_cookies_are_neither_kept_nor_handed_on() -> None:
    async def sets_cookies(visit: Visit) -> None:
        while await visit.request():
            visit.say(ok(b"{}", b"set-cookie: session=1"))

    async with served(sets_cookies) as (server, transport):
        answers = [await get(transport, server) for _ in range(2)]
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("get", {}),
        ("CONNECT", {}),
        ("TRACE", {}),
        ("GET / HTTP/1.1\r\nx:", {}),
        ("GET", {"host": "inside"}),
        ("GET", {"Transfer-Encoding": "chunked"}),
        ("GET", {"content-length": "3"}),
        ("GET", {"connection": "upgrade"}),
        ("GET", {"expect": "100-continue"}),
        ("GET", {"cookie": "a=b"}),
        ("GET", {"x": "canary\r\ny: z"}),
        ("GET", {"x": "canary\n"}),
        ("GET", {"x": "canary\0"}),
        ("GET", {"x": "canary\u0130"}),
        ("GET", {"x\r\ny": "canary"}),
        ("GET", {"": "canary"}),
        ("GET", {"x y": "canary"}),
    ],
)
async def test_a_request_that_cannot_be_written_is_not_sent(method: str, fields: dict[str, str]) -> None:
    async with served(says(ok())) as (server, transport):
        with pytest.raises(NotSent) as caught:
            await transport.send(Outgoing(method, server.url(), fields))
    assert caught.value.code == "bad_request"
    assert server.connections == 0
    tells_nothing(caught.value)


async def test_a_closed_port_is_not_sent() -> None:
    async with hostile(says()) as server:
        pass
    async with HttpTransport(server.allowed, version="0", tls=TLS) as transport:
        with pytest.raises(NotSent) as caught:
            await get(transport, server)
    assert caught.value.code == "connect_failed"
    tells_nothing(caught.value)


class Finder:
    """A resolver that fails in one way."""

    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault

    async def resolve(self, host: str, port: int) -> list[str]:
        if self.fault is not None:
            raise self.fault
        await asyncio.Event().wait()
        return []


@pytest.mark.parametrize(
    ("fault", "code"),
    [(OSError("canary"), "connect_failed"), (None, "connect_timeout")],
    ids=["unknown", "silent"],
)
async def test_a_name_that_cannot_be_found_is_not_sent(fault: Exception | None, code: str) -> None:
    timeouts = Timeouts(connect=0.1)
    async with HttpTransport(Egress(), version="0", tls=TLS, timeouts=timeouts, resolver=Finder(fault)) as transport:
        with pytest.raises(NotSent) as caught:
            await transport.send(Outgoing("GET", "https://nowhere.example/?token=canary", {}))
    assert caught.value.code == code
    tells_nothing(caught.value)


async def test_a_name_longer_than_names_may_be_is_not_sent() -> None:
    async with HttpTransport(Egress(), version="0", tls=TLS) as transport:
        with pytest.raises(NotSent) as caught:
            await transport.send(Outgoing("GET", f"https://{'a' * 64}.example/", {}))
    assert caught.value.code == "connect_failed"


async def test_no_time_left_is_not_sent() -> None:
    async with served(says(ok())) as (server, transport):
        for left in (0, -1):
            with pytest.raises(NotSent) as caught:
                await get(transport, server, total_seconds=left)
            assert caught.value.code == "timed_out"
    assert server.connections == 0


async def test_a_callers_time_ends_the_wait_for_an_answer() -> None:
    async with served(says(then=silence)) as (server, transport):
        with pytest.raises(AnswerLost) as caught:
            await get(transport, server, total_seconds=0.1)
    assert caught.value.code == "timed_out"


async def test_waiting_for_a_connection_when_the_time_ends_is_not_sent() -> None:
    async with served(says(then=silence), caps=Caps(connections_per_host=1)) as (server, transport):
        first = asyncio.create_task(get(transport, server))
        while not server.requests:
            await asyncio.sleep(0)
        with pytest.raises(NotSent) as caught:
            await get(transport, server, total_seconds=0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert (caught.value.code, len(server.requests)) == ("timed_out", 1)


async def test_a_cancelled_request_gives_its_connection_back() -> None:
    async def never_then_ok(visit: Visit) -> None:
        while await visit.request():
            if visit.number > 1:
                visit.say(ok())

    async with served(never_then_ok, caps=Caps(connections_per_host=1)) as (server, transport):
        first = asyncio.create_task(get(transport, server))
        while not server.requests:
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await get(transport, server)).status == 200
        assert server.connections == 2


async def test_closing_ends_what_is_on_its_way() -> None:
    async with hostile(says(then=silence)) as server:
        transport = HttpTransport(server.allowed, version="0", tls=TLS)
        waiting = asyncio.create_task(get(transport, server))
        while not server.requests:
            await asyncio.sleep(0)
        await transport.aclose()
        with pytest.raises(AnswerLost):
            await waiting
        with pytest.raises(NotSent):
            await get(transport, server)


async def test_many_callers_at_once_open_it_once_and_share_connections() -> None:
    async def answers(visit: Visit) -> None:
        while await visit.request():
            visit.say(ok())

    async with hostile(answers) as server:
        transport = HttpTransport(server.allowed, version="0", tls=TLS, caps=Caps(connections_per_host=4))
        answered = await asyncio.gather(*(get(transport, server) for _ in range(200)))
        await transport.aclose()
    assert {answer.status for answer in answered} == {200}
    assert server.connections <= 4


def certificate(folder: Path, address: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context around a new certificate for that address."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem + secret)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "server.pem")
    return serving, ssl.create_default_context(cadata=pem.decode())


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    serving, trusting = certificate(tmp_path, "127.0.0.1")
    async with hostile(says(ok(b"safe")), tls=serving) as server:
        asked = Outgoing("GET", server.url(scheme="https"), {})
        async with HttpTransport(server.allowed, version="0", tls=trusting) as transport:
            assert (await transport.send(asked)).body == b"safe"
        async with HttpTransport(server.allowed, version="0") as transport:
            with pytest.raises(NotSent) as caught:
                await transport.send(asked)
    assert (caught.value.code, len(server.requests)) == ("tls_failed", 1)


async def test_a_certificate_for_somebody_else_is_refused(tmp_path: Path) -> None:
    serving, trusting = certificate(tmp_path, "127.0.0.2")
    async with hostile(says(ok()), tls=serving) as server:
        transport = HttpTransport(server.allowed, version="0", tls=trusting)
        async with transport:
            with pytest.raises(NotSent) as caught:
                await transport.send(Outgoing("GET", server.url(scheme="https"), {}))
    assert (caught.value.code, server.requests) == ("tls_failed", [])


async def test_a_server_without_tls_is_not_spoken_to() -> None:
    async def answers_the_handshake(visit: Visit) -> None:
        await visit.reader.read(1)
        visit.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with hostile(answers_the_handshake) as server:
        transport = HttpTransport(server.allowed, version="0", tls=TLS)
        async with transport:
            with pytest.raises(NotSent) as caught:
                await transport.send(Outgoing("GET", server.url(scheme="https"), {}))
    assert caught.value.code == "tls_failed"


async def test_an_oauth_client_goes_the_same_way() -> None:
    async def tokens(visit: Visit) -> None:
        while await visit.request():
            body = gzip.compress(b'{"access_token": "a", "token_type": "Bearer", "expires_in": 60}')
            visit.say(ok(body, b"content-type: application/json", b"content-encoding: gzip"))

    async with served(tokens) as (server, transport):
        client = AsyncOAuth2Client("id", "secret", transport=transport.for_oauth())
        async with client:
            token = await client.fetch_token(server.url("/token"), code="c", grant_type="authorization_code")
            with pytest.raises(httpx2.ConnectError) as caught:
                await client.fetch_token("https://127.0.0.1:1/token", code="c", grant_type="authorization_code")
        assert token["access_token"] == "a"
        assert isinstance(caught.value.__cause__, NotSent)
        assert isinstance(caught.value.__cause__.__cause__, EgressRefused)
        assert b"user-agent: mandate/1.2" in server.requests[0].lower()
        assert b"grant_type=authorization_code" in server.requests[0]
        assert (await get(transport, server)).status == 200  # closing the client closed nothing of ours


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (NotSent("connect_failed"), httpx2.ConnectError),
        (NotSent("connect_timeout"), httpx2.ConnectTimeout),
        (NotSent("bad_request"), httpx2.LocalProtocolError),
        (AnswerLost("timed_out"), httpx2.ReadTimeout),
        (AnswerLost("connection_lost"), httpx2.ReadError),
        (AnswerLost("body_too_large"), httpx2.RemoteProtocolError),
    ],
)
async def test_an_oauth_client_learns_how_far_a_request_got(
    failure: Unanswered, kind: type[httpx2.TransportError]
) -> None:
    from adapters._kit.oauth_transport import OAuthTransport

    async with httpx2.AsyncClient(transport=OAuthTransport(CannedTransport(lambda _: failure))) as client:
        with pytest.raises(kind) as caught:
            await client.get("https://example.com/?token=canary")
    assert caught.value.__cause__ is failure


async def test_the_twin_answers_from_a_function_and_remembers() -> None:
    twin: Transport = CannedTransport(lambda asked: Incoming(201, {"X-Seen": asked.method}, b"{}"))
    asked = Outgoing("PUT", "https://example.com/", {})
    answer = await twin.send(asked)
    assert (answer.status, answer.headers["x-seen"]) == (201, "PUT")
    assert isinstance(twin, CannedTransport)
    assert twin.requests == [asked]


async def test_the_twin_raises_what_the_function_returns() -> None:
    twin = CannedTransport(lambda _: AnswerLost("timed_out"))
    with pytest.raises(AnswerLost):
        await twin.send(Outgoing("GET", "https://example.com/", {}))
    with pytest.raises(NotSent):
        await twin.send(Outgoing("GET", "https://example.com/", {}), total_seconds=0)


def test_headers_are_found_in_any_case_and_repeats_are_joined() -> None:
    headers = Headers([("Link", "a"), ("LINK", "b"), ("X-One", "1"), ("Set-Cookie", "s"), ("Odd", "\udcff")])
    assert dict(headers) == {"link": "a, b", "x-one": "1", "odd": "\ufffd"}
    assert (headers["lINk"], headers.get("none")) == ("a, b", None)


def test_requests_and_answers_do_not_print_their_content() -> None:
    asked = Outgoing("GET", "https://h/?canary", {"authorization": "canary"}, b"canary")
    assert "canary" not in f"{asked} {asked!r} {Incoming(200, Headers([('x', 'canary')]), b'canary')!r}"
