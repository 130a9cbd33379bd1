"""Messages as Gmail gives them, decoded: bounded, in every character set, however they are built."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from adapters.gmail.reading import email_of, parts
from adapters.gmail.results import Email
from domain.errors import AnswerGarbled
from domain.json import Json


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def part(media_type: str, raw: bytes, content_type: str = "", **more: Json) -> dict[str, Any]:
    headers: list[Json] = [{"name": "Content-Type", "value": content_type or media_type}]
    return {"mimeType": media_type, "headers": headers, "body": {"size": len(raw), "data": b64(raw)}, **more}


def message(payload: Json, **more: Json) -> dict[str, Json]:
    return {"id": "m1", "threadId": "t1", "labelIds": ["INBOX"], "payload": payload, **more}


def read(payload: Json, limit: int = 1000) -> Email:
    return email_of(message(payload), text_limit=limit, with_html=True)


def test_of_two_forms_the_plain_one_is_taken() -> None:
    found = read(
        {
            "mimeType": "multipart/alternative",
            "parts": [part("text/html", b"<p>hi</p>"), part("text/plain", b"hello\r\nthere\r\n")],
        }
    )
    assert (found.text, found.is_from_html, found.html) == ("hello\nthere", False, "<p>hi</p>")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("a<br>b", "a\nb"),
        ("<style>p{}</style><script>alert(1)</script>x", "x"),
        ("<div>  many\n   spaces </div>", "many spaces"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        ("<p>never closed", "never closed"),
        ("<!-- c --><b>bold</b>", "bold"),
        ("", ""),
    ],
)
def test_html_without_plain_text_is_stripped(html: str, text: str) -> None:
    found = read(part("text/html", html.encode()))
    assert (found.text, found.is_from_html) == (text, True)


@pytest.mark.parametrize(
    ("raw", "content_type", "text"),
    [
        ("Grüße".encode(), "text/plain; charset=utf-8", "Grüße"),
        ("Grüße".encode(), "text/plain; charset=iso-8859-1", "Grüße"),  # Gmail's own translation
        ("Grüße".encode("latin-1"), 'text/plain; charset="ISO-8859-1"', "Grüße"),
        ("日本".encode("iso-2022-jp"), "text/plain; charset=iso-2022-jp", "日本"),
        (b"\xe4\xff", "text/plain; charset=made-up", "\ufffd\ufffd"),
        (b"\xe4\xff", "text/plain; charset=hex", "\ufffd\ufffd"),
    ],
)
def test_text_is_read_in_the_set_that_fits(raw: bytes, content_type: str, text: str) -> None:
    assert read(part("text/plain", raw, content_type)).text == text


def test_files_are_listed_and_no_text_of_theirs_is_the_message_s() -> None:
    found = read(
        {
            "mimeType": "multipart/mixed",
            "partId": "",
            "parts": [
                part("text/plain", b"see there", partId="0"),
                part("text/plain", b"not me", partId="1", filename="notes.txt"),
                {"partId": "2", "mimeType": "image/png", "body": {"attachmentId": "x", "size": 7}},
                {
                    "partId": "3",
                    "mimeType": "text/plain",
                    "headers": [{"name": "Content-Disposition", "value": "ATTACHMENT"}],
                    "body": {"size": 0},
                },
            ],
        }
    )
    assert found.text == "see there"
    assert [(each.part_id, each.file_name, each.size) for each in found.attachments] == [
        ("1", "notes.txt", 6),
        ("2", "without a name", 7),
        ("3", "without a name", 0),
    ]


def test_long_texts_are_cut_and_say_so() -> None:
    found = read(part("text/plain", b"x" * 50), limit=10)
    assert (found.text, found.is_truncated) == ("x" * 10, True)
    whole = read(part("text/plain", b"x" * 10), limit=10)
    assert not whole.is_truncated


def test_headers_are_plain_words_on_one_line() -> None:
    named = {"Subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n again", "FROM": "Jon\x00 <jon@harbour.example>", "to": "a"}
    told: list[Json] = [{"name": name, "value": value} for name, value in named.items()]
    found = read({"mimeType": "text/plain", "headers": told, "body": {}})
    assert (found.subject, found.sender, found.to) == ("Grüße again", "Jon <jon@harbour.example>", "a")


@pytest.mark.parametrize("value", ["=?utf-8?b?!!!?=", "=?made-up?q?x?=", "=?utf-8?q?" + "x" * 9000])
def test_a_header_that_cannot_be_decoded_stays_as_it_is(value: str) -> None:
    found = read({"headers": [{"name": "Subject", "value": value}]})
    assert len(found.subject) <= 4000


@pytest.mark.parametrize(
    ("told", "year"), [("1768208400000", 2026), ("0", None), ("-5", None), ("9" * 30, None), (None, None), ("x", None)]
)
def test_the_moment_is_gmail_s_own_or_none(told: Json, year: int | None) -> None:
    found = email_of(message({}, internalDate=told), text_limit=0)
    assert (found.received_at.year if found.received_at else None) == year


def test_parts_are_bounded_in_number_and_depth() -> None:
    deep: dict[str, Any] = part("text/plain", b"x")
    for _ in range(2000):
        deep = {"mimeType": "multipart/mixed", "parts": [deep]}
    assert len(list(parts(message(deep)))) == 200
    assert len(list(parts(message({"parts": [part("text/plain", b"x")] * 5000})))) == 200


@pytest.mark.parametrize("payload", [None, [], "x", {"parts": "x"}, {"body": [], "headers": {}}, {"parts": [None, 1]}])
def test_a_payload_of_another_shape_is_an_email_without_text(payload: Json) -> None:
    found = read(payload)
    assert (found.text, found.attachments, found.subject) == (None, [], "")


def test_content_that_is_not_base64url_is_garbled() -> None:
    with pytest.raises(AnswerGarbled):
        read({"mimeType": "text/plain", "body": {"data": "a"}})


def test_an_answer_without_ids_is_garbled() -> None:
    with pytest.raises(AnswerGarbled):
        email_of({"payload": {}}, text_limit=0)


@pytest.mark.parametrize("mark", ["exe_" + "0" * 32, "exe_x", "", "exe_" + "0" * 33])
def test_only_an_execution_s_id_counts_as_our_mark(mark: str) -> None:
    found = read({"headers": [{"name": "X-Mandate-Execution", "value": mark}]})
    assert found.sent_by_execution == (mark if mark == "exe_" + "0" * 32 else None)
