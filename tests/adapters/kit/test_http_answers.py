"""Answers that come broken, late, garbled, unasked or too large: each ends by its name, asked once."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable

import pytest

from adapters._kit.http import AnswerLost, Caps, Outgoing, Timeouts
from tests.adapters.kit.hostile import (
    MIB,
    Script,
    Visit,
    failure_of,
    get,
    ok,
    repeating,
    reset,
    says,
    served,
    silence,
)

QUICK = Timeouts(connect=1, silence=0.2, total=5)
SHORT = Timeouts(connect=1, silence=5, total=0.3)
OK = b"HTTP/1.1 200 OK\r\n"
NINE = OK + b"content-length: 9\r\n\r\nab"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
DRIPS = repeating(b"y", 0.02)
HINTS = repeating(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.001)
SWITCH = b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"


def coded(body: bytes, coding: bytes) -> bytes:
    return ok(body, b"content-encoding: " + coding)


BROKEN: dict[str, Script] = {
    "hang up before the answer": says(),
    "reset before the answer": says(then=reset),
    "hang up in the status line": says(b"HTTP/1.1 20"),
    "hang up in the headers": says(OK, b"x: y"),
    "reset in the body": says(NINE, then=reset),
    "a length longer than the body": says(NINE),
    "chunks that never end": says(CHUNKED, b"2\r\nab\r\n"),
}
LATE: dict[str, tuple[Script, Timeouts]] = {
    "silence before the answer": (says(then=silence), QUICK),
    "silence in the headers": (says(OK, b"x:", then=silence), QUICK),
    "silence in the body": (says(NINE, then=silence), QUICK),
    "headers by drips": (says(OK, b"x: ", then=DRIPS), SHORT),
    "a body by drips": (says(OK, b"content-length: 999\r\n\r\n", then=DRIPS), SHORT),
    "endless 1xx": (says(then=HINTS), SHORT),
}
GARBLED: dict[str, Script] = {
    "garbage": says(b"\x00\xffnot http at all\r\n\r\n"),
    "another protocol": says(b"SSH-2.0-OpenSSH_9.7\r\n\r\n"),
    "a status that is no number": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a length that is no number": says(OK, b"content-length: two\r\n\r\nab"),
    "a negative length": says(OK, b"content-length: -2\r\n\r\nab"),
    "two lengths": says(OK, b"content-length: 2\r\ncontent-length: 3\r\n\r\nabc"),
    "length and chunks": says(OK, b"content-length: 2\r\n", CHUNKED[len(OK) :], b"2\r\nab\r\n0\r\n\r\n"),
    "a chunk of no size": says(CHUNKED, b"zz\r\nab\r\n"),
    "a switch of protocols": says(SWITCH),
    "one huge header": says(OK, b"x: ", b"y" * 100_000, b"\r\n\r\n"),
    "endless headers": says(OK, then=repeating(b"x: y\r\n" * 1000)),
    "an endless header": says(OK, b"x: ", then=repeating(b"y" * 5000)),
    "a coding nobody asked for": says(coded(b"abc", b"br")),
    "codings in a pile": says(coded(b"abc", b"gzip, gzip")),
    "gzip that is none": says(coded(b"abc", b"gzip")),
    "gzip cut short": says(coded(gzip.compress(b"abc" * 99)[:-9], b"gzip")),
    "bytes after deflate": says(coded(zlib.compress(b"abc") + b"x", b"deflate")),
}
LOST: dict[str, tuple[Script, Timeouts | None, str]] = {
    **{name: (script, None, "connection_lost") for name, script in BROKEN.items()},
    **{name: (*how, "timed_out") for name, how in LATE.items()},
    **{name: (script, None, "bad_answer") for name, script in GARBLED.items()},
}


@pytest.mark.parametrize("case", LOST)
async def test_an_answer_that_does_not_arrive_whole_is_lost_and_not_asked_for_again(case: str) -> None:
    script, timeouts, code = LOST[case]
    failure = await failure_of(script, timeouts)
    assert (type(failure), failure.code) == (AnswerLost, code)


async def test_a_connection_closed_between_requests_is_replaced() -> None:
    closed = asyncio.Event()

    async def one_answer_each(visit: Visit) -> None:
        await visit.request()
        visit.say(ok())
        await visit.writer.drain()
        visit.writer.close()
        await visit.writer.wait_closed()
        closed.set()

    async with served(one_answer_each) as (server, transport):
        assert (await get(transport, server)).status == 200
        await closed.wait()
        await asyncio.sleep(0.01)  # lets the close arrive on our side of loopback
        assert (await get(transport, server)).status == 200
        assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("ending", [silence, reset], ids=["hang up", "reset"])
async def test_a_kept_connection_lost_under_a_request_is_not_tried_again(
    method: str, ending: Callable[[Visit], Awaitable[None]]
) -> None:
    async def answers_once(visit: Visit) -> None:
        await visit.request()
        visit.say(ok())
        if await visit.request() and ending is reset:
            visit.reset()

    async with served(answers_once) as (server, transport):
        assert (await get(transport, server)).status == 200
        with pytest.raises(AnswerLost) as caught:
            await transport.send(Outgoing(method, server.url(), {}, b"x" if method == "PUT" else None))
        assert caught.value.code == "connection_lost"
        assert (len(server.requests), server.connections) == (2, 1)


async def test_connections_are_kept() -> None:
    async def answers(visit: Visit) -> None:
        while await visit.request():
            visit.say(ok())

    async with served(answers) as (server, transport):
        for _ in range(5):
            await get(transport, server)
        assert server.connections == 1


@pytest.mark.parametrize("together", [True, False], ids=["in the same breath", "a moment later"])
async def test_an_answer_nobody_asked_for_never_answers_the_next_request(together: bool) -> None:
    later, told = asyncio.Event(), asyncio.Event()

    async def talkative(visit: Visit) -> None:
        while await visit.request():
            mine = b"mine %d" % visit.number
            visit.say(ok(mine), ok(b"poison") if together else b"")
            if not together:
                await later.wait()
                visit.say(ok(b"poison"))
                await visit.writer.drain()
                told.set()

    async with served(talkative) as (server, transport):
        assert (await get(transport, server)).body == b"mine 1"
        later.set()
        if not together:
            await told.wait()
            await asyncio.sleep(0.01)  # lets it arrive on our side of loopback
        assert (await get(transport, server)).body == b"mine 2"


async def test_informational_answers_are_passed_over() -> None:
    script = says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", ok(b"real"))
    async with served(script) as (server, transport):
        answer = await get(transport, server)
    assert (answer.status, answer.body) == (200, b"real")
    assert "link" not in answer.headers


async def test_a_body_over_the_cap_stops_early() -> None:
    sent = 0

    async def floods(visit: Visit) -> None:
        nonlocal sent
        while True:
            visit.say(b"x" * MIB)
            sent += 1
            await visit.writer.drain()

    head = b"HTTP/1.1 200 OK\r\ncontent-length: 524288000\r\n\r\n"
    failure = await failure_of(says(head, then=floods), caps=Caps(body=MIB))
    assert (type(failure), failure.code) == (AnswerLost, "body_too_large")
    assert sent < 40  # of 500; what the kernel's buffers hold


def bomb() -> bytes:
    """1 GB of zeros: one compressed MiB, repeated as blocks of one gzip stream (RFC 1952)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block * 1000


@pytest.mark.parametrize("length", ["known", "unknown"])
async def test_a_bomb_of_a_gigabyte_stops_at_the_cap(length: str) -> None:
    packed = bomb()
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n"
    head += b"content-length: %d\r\n\r\n" % len(packed) if length == "known" else b"\r\n"
    tracemalloc.start()
    try:
        failure = await failure_of(says(head, packed))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failure.code == "body_too_large"
    assert peak < 32 * MIB


async def test_a_stream_of_empty_members_is_capped_as_well() -> None:
    script = says(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", then=repeating(gzip.compress(b"") * 1000))
    assert (await failure_of(script, caps=Caps(body=MIB // 4))).code == "body_too_large"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


TEXT = b"na\xc3\xafve " * 50_000
CODED = {
    "plain": (TEXT, b"x-none: 1"),
    "identity": (TEXT, b"content-encoding: identity"),
    "gzip": (gzip.compress(TEXT), b"content-encoding: GZip"),
    "two members": (gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:]), b"content-encoding: gzip"),
    "deflate": (zlib.compress(TEXT), b"content-encoding: deflate"),
    "raw deflate": (raw_deflate(TEXT), b"content-encoding: deflate"),
}


@pytest.mark.parametrize("coding", CODED)
async def test_a_body_is_decoded(coding: str) -> None:
    body, line = CODED[coding]
    async with served(says(ok(body, line))) as (server, transport):
        assert (await get(transport, server)).body == TEXT


async def test_a_body_of_exactly_the_cap_is_read_and_one_more_is_not() -> None:
    caps = Caps(body=1000)
    async with served(says(ok(b"x" * 1000)), caps=caps) as (server, transport):
        assert len((await get(transport, server)).body) == 1000
    assert (await failure_of(says(ok(b"x" * 1001)), caps=caps)).code == "body_too_large"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_without_a_body_may_still_name_a_coding(status: bytes) -> None:
    async with served(says(b"HTTP/1.1 " + status + b"\r\ncontent-encoding: gzip\r\n\r\n")) as (
        server,
        transport,
    ):
        assert (await get(transport, server)).body == b""
