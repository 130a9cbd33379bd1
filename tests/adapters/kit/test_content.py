"""Content in parameters and in results: exactly one form, bounded, cut honestly."""

import base64
import re
from typing import Any

import pytest

from adapters._kit import Call, Effect, action
from adapters._kit.action import TypedAction
from adapters._kit.content import LARGEST_BASE64, LARGEST_TEXT_BYTES, Content, MediaType, ReceivedContent, decoded
from tests.adapters.kit.sample import call, in_turn, reply, urls


@action(effect=Effect.WRITE, look_for="a file on the quay")
async def moor(call: Call, *, content: Content, media_type: MediaType = "text/plain") -> None:
    """Moor a file."""
    await call.put("files/one", content=await content.read(call), media_type=media_type)


MOOR = TypedAction("harbour", "Harbour", moor)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"text": "Grüße"}, "Grüße".encode()),
        ({"text": ""}, b""),
        ({"base64": base64.b64encode(b"\x00\xff").decode()}, b"\x00\xff"),
        ({"base64": ""}, b""),
    ],
)
async def test_content_is_sent_as_its_bytes_with_its_media_type(given: dict[str, str], sent: bytes) -> None:
    transport = in_turn(reply(200))
    parameters: Any = {"content": given, "media_type": "image/png"}
    assert MOOR.check(parameters) == ()
    await MOOR.run(call(transport), parameters)
    (request,) = transport.requests
    assert (request.method, request.body, request.headers["content-type"]) == ("PUT", sent, "image/png")
    assert urls(transport) == ["/files/one"]


async def test_raw_content_can_be_posted_and_says_what_it_is_or_that_it_is_bytes() -> None:
    transport = in_turn(reply(200), reply(200))
    await call(transport).post("files", content=b"a,b", media_type="text/csv")
    await call(transport).send("POST", "files", content=b"")
    assert [each.headers["content-type"] for each in transport.requests] == ["text/csv", "application/octet-stream"]
    assert [each.body for each in transport.requests] == [b"a,b", b""]


async def test_json_may_be_sent_under_a_media_type_of_its_own() -> None:
    transport = in_turn(reply(200))
    await call(transport).post("boats", json={"a": 1}, media_type="application/merge-patch+json")
    assert transport.requests[0].headers["content-type"] == "application/merge-patch+json"


@pytest.mark.parametrize(
    ("given", "pointer", "message"),
    [
        ({}, "/content", "exactly one"),
        ({"text": "a", "base64": "YQ=="}, "/content", "exactly one"),
        ({"base64": "YQ"}, "/content/base64", "not base64"),
        ({"base64": "Y Q=="}, "/content/base64", "not base64"),
        ({"base64": "YQ==\n"}, "/content/base64", "not base64"),
        ({"base64": "_-8="}, "/content/base64", "not base64"),
        ({"base64": "é==="}, "/content/base64", "not base64"),
        ({"text": "x" * (LARGEST_TEXT_BYTES + 1)}, "/content/text", "at most 900000 characters"),
        ({"text": "ä" * (LARGEST_TEXT_BYTES // 2 + 1)}, "/content/text", "larger than 900 000 bytes"),
        ({"base64": "A" * (LARGEST_BASE64 + 4)}, "/content/base64", "at most 960000 characters"),
        ({"text": 1}, "/content/text", "string"),
        ({"path": "/etc/passwd"}, "/content/path", "no such parameter"),
    ],
)
def test_unfit_content_is_refused_before_a_call(given: Any, pointer: str, message: str) -> None:
    mistakes = MOOR.check({"content": given})
    assert any(each.pointer == pointer and re.search(message, each.message) for each in mistakes), mistakes


def test_the_largest_content_fits_a_request_of_one_mebibyte() -> None:
    for given in ({"base64": "A" * LARGEST_BASE64}, {"text": "x" * LARGEST_TEXT_BYTES}):
        assert MOOR.check({"content": dict(given)}) == ()
        assert sum(map(len, given.values())) < 1024 * 1024 - 50_000


@pytest.mark.parametrize("value", ["text", "text/", "text/plain; charset=x", "a/b\r\nx: y", "a/b\n", "ä/b", "/b"])
def test_a_media_type_cannot_carry_anything_else(value: str) -> None:
    assert [each.pointer for each in MOOR.check({"content": {"text": ""}, "media_type": value})] == ["/media_type"]


@pytest.mark.parametrize(
    ("raw", "media_type", "text", "said"),
    [
        (b"a,b", "text/csv; charset=utf-8", "a,b", "text/csv"),
        ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1", "Grüße", "text/plain"),
        (b"{}", "application/vnd.api+json", "{}", "application/vnd.api+json"),
        (b"plain", "", "plain", "text/plain"),
        (b"\xff\xd8", "", None, "application/octet-stream"),
        (b"a\x00b", "text/plain", None, "text/plain"),
        (b"abc", "image/png", None, "image/png"),
        (b"\xff", "text/plain", None, "text/plain"),
        (b"6869", "text/plain; charset=hex", None, "text/plain"),
        (b"hi", "text/plain; charset=unheard-of", None, "text/plain"),
        (b"", "text/plain", "", "text/plain"),
    ],
)
def test_content_comes_back_as_text_when_it_is_text(raw: bytes, media_type: str, text: str | None, said: str) -> None:
    received = ReceivedContent.of_bytes(raw, media_type)
    assert (received.text, received.media_type, received.size) == (text, said, len(raw))
    assert received.base64 == (None if text is not None else base64.b64encode(raw).decode())
    assert not received.is_truncated


def test_content_that_is_too_large_is_cut_at_a_character_and_says_so() -> None:
    received = ReceivedContent.of_bytes("aä".encode() * 10, "text/plain", cap=5)
    assert (received.text, received.size, received.is_truncated) == ("aäa", 30, True)
    picture = ReceivedContent.of_bytes(b"\x89PNG" * 10, "image/png", cap=4)
    assert (picture.base64, picture.size, picture.is_truncated) == (base64.b64encode(b"\x89PNG").decode(), 40, True)


def test_what_no_character_set_reads_is_no_text() -> None:
    assert decoded(b"\xe4", "latin-1") == "ä"
    assert decoded(b"\xe4", "utf-8") is None
    assert decoded(b"x", "zip") is None
    assert decoded(b"x", "idna\x00") is None
