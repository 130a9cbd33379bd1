"""Answers that go on for as long as somebody listens: what came in time is the answer, and it says that it was cut."""

import gzip

from adapters._kit.http import Excerpt, Outgoing, Timeouts
from tests.adapters.kit.hostile import Script, ok, repeating, says, served, silence

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LINE = b"3\r\nab\n\r\n"
END = b"0\r\n\r\n"
PATIENT = Timeouts(connect=1, silence=5, total=10)


async def heard(script: Script, excerpt: Excerpt, timeouts: Timeouts = PATIENT) -> tuple[bytes, bool, int]:
    """The body, whether it was cut, and the number of connections after one more request."""
    async with served(script, timeouts=timeouts) as (server, transport):
        found = await transport.send(Outgoing("GET", server.url(), {}, excerpt=excerpt))
        return found.body, found.is_cut, server.connections


async def test_an_answer_that_ends_is_whole() -> None:
    assert (await heard(says(HEAD, LINE, LINE, END), Excerpt(5, 100)))[:2] == (b"ab\nab\n", False)
    assert (await heard(says(ok(b"short")), Excerpt(5, 100)))[:2] == (b"short", False)


async def test_silence_after_some_lines_leaves_those_lines() -> None:
    assert (await heard(says(HEAD, LINE, then=silence), Excerpt(0.2, 100)))[:2] == (b"ab\n", True)
    quick = Timeouts(connect=1, silence=0.2, total=10)
    assert (await heard(says(HEAD, LINE, then=silence), Excerpt(5, 100), quick))[:2] == (b"ab\n", True)


async def test_no_more_is_taken_than_was_asked_for() -> None:
    body, is_cut, _ = await heard(says(HEAD, then=repeating(LINE, 0.001)), Excerpt(5, 10))
    assert (body, is_cut) == (b"ab\nab\nab\na", True)


async def test_size_is_counted_as_decoded() -> None:
    packed = gzip.compress(b"x" * 100_000)
    body, is_cut, _ = await heard(says(ok(packed, b"content-encoding: gzip")), Excerpt(5, 1000))
    assert (len(body), is_cut) == (1000, True)


async def test_a_connection_that_was_cut_off_is_not_used_again() -> None:
    async with served(says(HEAD, LINE, then=silence), timeouts=PATIENT) as (server, transport):
        for _ in range(2):
            await transport.send(Outgoing("GET", server.url(), {}, excerpt=Excerpt(0.1, 100)))
        assert server.connections == 2
