"""Reading a message as Gmail gives it: a tree of parts with base64url bodies, into text that an agent can use.

Nothing in a message is trusted: depth, number of parts and lengths are bounded, character sets may lie, and HTML is
stripped, never shown.
"""

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from html.parser import HTMLParser
from typing import Final

from adapters._kit.content import decoded
from adapters.gmail.composing import EXECUTION_HEADER, message_ids
from adapters.gmail.results import AttachedFile, Email
from domain.errors import AnswerGarbled
from domain.json import Json, JsonObject

_MOST_PARTS = 200
_LONGEST_HEADER = 4000
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_EXECUTION = re.compile(r"exe_[0-9a-f]{32}")
_LAST_MOMENT_MS = 4_102_444_800_000  # the year 2100

#: What `format=metadata` has to bring.
METADATA_HEADERS: Final = (
    "Subject",
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Message-ID",
    "References",
    EXECUTION_HEADER,
)


@dataclass(frozen=True)
class MessagePart:
    """One part of a message."""

    part_id: str
    media_type: str
    file_name: str
    headers: Mapping[str, str]
    data: str | None
    attachment_id: str | None
    size: int

    @property
    def is_file(self) -> bool:
        """Whether it is a file, rather than what the message says."""
        disposition = self.headers.get("content-disposition", "").strip().lower()
        return bool(self.file_name or self.attachment_id) or disposition.startswith("attachment")

    def content(self) -> bytes:
        """What is in it. Raises AnswerGarbled."""
        return from_base64url(self.data or "")


def from_base64url(text: str) -> bytes:
    """Decoded, with or without padding. Raises AnswerGarbled."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise AnswerGarbled("Gmail's answer holds content that is not base64url.") from None


def parts(message: JsonObject) -> Iterator[MessagePart]:
    """Every part, outer before inner, in order; at most 200."""
    waiting: list[Json] = [message.get("payload")]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        part = waiting.pop(0)
        if not isinstance(part, Mapping):
            continue
        body = part.get("body")
        body = body if isinstance(body, Mapping) else {}
        yield MessagePart(
            part_id=_text(part.get("partId")),
            media_type=_text(part.get("mimeType")).lower(),
            file_name=_header_text(_text(part.get("filename"))),
            headers=headers(part),
            data=_text(body.get("data")) or None,
            attachment_id=_text(body.get("attachmentId")) or None,
            size=_number(body.get("size")),
        )
        inner = part.get("parts")
        waiting = [*(inner if isinstance(inner, list) else ()), *waiting]


def headers(part: JsonObject) -> dict[str, str]:
    """By lower-case name; of repeated ones the first."""
    found: dict[str, str] = {}
    given = part.get("headers")
    for each in given if isinstance(given, list) else ():
        if isinstance(each, Mapping):
            found.setdefault(_text(each.get("name")).lower(), _text(each.get("value"))[:_LONGEST_HEADER])
    return found


def head(message: JsonObject) -> dict[str, str]:
    """The message's own headers."""
    payload = message.get("payload")
    return headers(payload) if isinstance(payload, Mapping) else {}


def email_of(message: JsonObject, *, text_limit: int | None, with_html: bool = False) -> Email:
    """A message of Gmail's, decoded. Without `text_limit` only what its headers say. Raises AnswerGarbled."""
    told, every = head(message), [] if text_limit is None else list(parts(message))
    plain, rich = _body(every, "text/plain"), _body(every, "text/html")
    text = plain if plain is not None else _stripped(rich) if rich is not None else None
    labels = message.get("labelIds")
    label_ids = [each for each in labels if isinstance(each, str)] if isinstance(labels, list) else []
    moment = _moment(message.get("internalDate"))
    execution = told.get(EXECUTION_HEADER.lower(), "")
    return Email.of(
        {
            "id": message.get("id"),
            "thread_id": message.get("threadId"),
            "subject": _header_text(told.get("subject", "")),
            "sender": _header_text(told.get("from", "")),
            "to": _header_text(told.get("to", "")),
            "cc": _header_text(told.get("cc", "")),
            "received_at": moment.isoformat() if moment else None,
            "is_unread": "UNREAD" in label_ids,
            "label_ids": label_ids,
            "snippet": _text(message.get("snippet")),
            "text": None if text is None else text[:text_limit],
            "is_from_html": plain is None and rich is not None,
            "is_truncated": text is not None and text_limit is not None and len(text) > text_limit,
            "html": rich[:text_limit] if with_html and rich is not None else None,
            "attachments": [_file(each).model_dump() for each in every if each.is_file],
            "message_id_header": next(iter(message_ids(told.get("message-id", ""))), None),
            "sent_by_execution": execution if _EXECUTION.fullmatch(execution) else None,
        }
    )


def _file(part: MessagePart) -> AttachedFile:
    name = part.file_name or "without a name"
    return AttachedFile(part_id=part.part_id, file_name=name, media_type=part.media_type, size=part.size)


def _body(every: list[MessagePart], media_type: str) -> str | None:
    """All texts of one kind that are not files, one after the other; None when there is none."""
    found = [_read(each) for each in every if each.media_type == media_type and not each.is_file]
    return "\n".join(found).replace("\r\n", "\n").rstrip() if found else None


def _read(part: MessagePart) -> str:
    """The text. Gmail mostly gives UTF-8, whatever the header says; what is not UTF-8 is in the set it names."""
    raw = part.content()
    named = _CHARSET.search(part.headers.get("content-type", ""))
    charset = named[1] if named else "utf-8"
    is_seven_bit = b"\x1b" in raw  # ISO-2022-JP and its kin are valid UTF-8, and nonsense as such
    for each in (charset, "utf-8") if is_seven_bit else ("utf-8", charset):
        text = decoded(raw, each)
        if text is not None:
            return text
    return raw.decode("utf-8", "replace")


class _Stripper(HTMLParser):
    """HTML without the marks: blocks become lines, links keep their address."""

    _BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote"})
    _UNSEEN = frozenset({"script", "style", "title", "template"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the name is given
        if tag in self._UNSEEN:
            self._unseen += 1
        elif tag in self._BLOCKS:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in self._BLOCKS - {"br"}:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.said.append(re.sub(r"\s+", " ", data))


def _stripped(html: str) -> str:
    stripper = _Stripper()
    stripper.feed(html)
    stripper.close()
    lines = [line.strip() for line in "".join(stripper.said).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _header_text(value: str) -> str:
    """A header in plain Unicode (RFC 2047), on one line."""
    try:
        plain = str(make_header(decode_header(value))) if "=?" in value else value
    except (HeaderParseError, LookupError, ValueError):
        plain = value
    return re.sub(r"[\x00-\x20\x7f]+", " ", plain).strip()


def _moment(told: Json) -> datetime | None:
    """Gmail counts in milliseconds, written as a string."""
    milliseconds = _number(told)
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if 0 < milliseconds < _LAST_MOMENT_MS else None


def _number(told: Json) -> int:
    text = str(told) if isinstance(told, (int, str)) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _text(told: Json) -> str:
    return told if isinstance(told, str) else ""
