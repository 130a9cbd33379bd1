"""How the Gmail sandbox shows a message: a tree of parts, headers, a snippet; and what a search finds in it."""

import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import getaddresses
from html import unescape
from typing import Final, cast

from pydantic import JsonValue

from adapters._kit.sandbox_google import Shape, invalid, not_found
from adapters.gmail.sandbox_state import Mailbox, Message

#: Headers leave as they came.
AS_IT_CAME: Final = SMTP.clone(refold_source="none")

_TERM = re.compile(r'(-?)(?:([a-z0-9]+):)?(?:"([^"]*)"|\(([^)]*)\)|(\S+))')
_MARKS = re.compile(r"<style.*?</style>|<title.*?</title>|<[^>]*>", re.DOTALL)
_LABEL_OF = {"inbox": "INBOX", "sent": "SENT", "drafts": "DRAFT", "draft": "DRAFT", "trash": "TRASH", "spam": "SPAM"}
_STATE_OF = {"unread": "UNREAD", "starred": "STARRED", "important": "IMPORTANT"}


def opened(source: bytes) -> EmailMessage:
    """The message, parsed."""
    return message_from_bytes(source, policy=AS_IT_CAME)


def encoded(raw: bytes) -> str:
    """base64url, as Gmail has it."""
    return urlsafe_b64encode(raw).decode()


def message_shape(message: Message, form: str, wanted: list[str]) -> Shape:
    """A Message resource in one of the four formats."""
    source = message.source
    shape: Shape = {
        "id": message.id,
        "threadId": message.thread_id,
        "labelIds": [*message.labels],
        "snippet": snippet(source),
        "sizeEstimate": len(source),
        "internalDate": str(message.internal_date),
        "historyId": str(message.internal_date // 1000),
    }
    match form:
        case "minimal":
            return shape
        case "raw":
            return {**shape, "raw": encoded(source)}
        case "metadata":
            told = opened(source)
            names = {name.lower() for name in wanted}
            headers = [each for each in _headers(told) if not names or str(each["name"]).lower() in names]
            return {**shape, "payload": {"mimeType": told.get_content_type(), "headers": [*headers]}}
        case "full":
            return {**shape, "payload": _part_shape(message.id, opened(source), "")}
    raise invalid("Invalid value for format.")


def part_of(message: Message, attachment_id: str) -> bytes:
    """What an attachment id of a reading leads to; raises GoogleRefused."""
    try:
        named = json.loads(urlsafe_b64decode(attachment_id.removeprefix("ANGjdJ") + "=="))
        owner, number = str(named[0]), str(named[1])
    except (ValueError, TypeError, IndexError, KeyError):
        raise invalid("Invalid attachment token") from None
    if owner == message.id:
        for place, part in _parts(opened(message.source), ""):
            if place == number:
                return _content(part)
    raise not_found()


def snippet(source: bytes) -> str:
    """How it begins."""
    return re.sub(r"\s+", " ", _text(opened(source)))[:180].strip()


def _part_shape(owner: str, part: EmailMessage, place: str) -> Shape:
    name = part.get_filename() or ""
    shape: Shape = {
        "partId": place,
        "mimeType": part.get_content_type(),
        "filename": name,
        "headers": [*_headers(part)],
    }
    if part.is_multipart():
        inner = [_part_shape(owner, each, number) for number, each in _inner(part, place)]
        return {**shape, "body": {"size": 0}, "parts": [*inner]}
    content = _content(part)
    if name or part.get_content_maintype() != "text":
        token = encoded(json.dumps([owner, place, secrets.token_hex(4)]).encode()).rstrip("=")
        return {**shape, "body": {"attachmentId": f"ANGjdJ{token}", "size": len(content)}}
    return {**shape, "body": {"size": len(content), "data": encoded(content)}}


def _inner(part: EmailMessage, place: str) -> Iterator[tuple[str, EmailMessage]]:
    for index, each in enumerate(part.iter_parts()):
        yield f"{place}.{index}" if place else str(index), cast(EmailMessage, each)


def _parts(part: EmailMessage, place: str) -> Iterator[tuple[str, EmailMessage]]:
    yield place, part
    if part.is_multipart():
        for number, each in _inner(part, place):
            yield from _parts(each, number)


def _content(part: MIMEPart) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _headers(part: EmailMessage) -> list[dict[str, JsonValue]]:
    return [{"name": name, "value": str(value)} for name, value in part.items()]


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    words = _content(body).decode("utf-8", "replace")
    return unescape(_MARKS.sub(" ", words)) if body.get_content_subtype() == "html" else words


# ---------------------------------------------------------------------------------------------------- search


@dataclass(frozen=True)
class _Told:
    """What a search looks at."""

    message: Message
    box: Mailbox
    parsed: EmailMessage

    def header(self, name: str) -> str:
        return str(self.parsed.get(name, "")).lower()


def finds(message: Message, box: Mailbox, query: str) -> bool:
    """Whether Gmail's search words find it: those that the sandbox knows; any other finds nothing."""
    told = _Told(message, box, opened(message.source))
    for minus, key, quoted, grouped, word in _TERM.findall(query):
        wanted = (quoted or grouped or word).lower()
        if _fits(told, key.lower(), wanted) == bool(minus):
            return False
    return True


def wants_bin(query: str) -> bool:
    """Whether the search itself asks for what was thrown away."""
    return bool(re.search(r"\bin:(?:trash|spam|anywhere)\b", query.lower()))


def _fits(told: _Told, key: str, wanted: str) -> bool:
    match key:
        case "":
            every = " ".join([*(str(value) for value in told.parsed.values()), _text(told.parsed)])
            return wanted in every.lower()
        case "from" if wanted == "me":
            return bool({"SENT", "DRAFT"} & set(told.message.labels))
        case "from" | "to" | "cc" | "subject":
            return all(word in told.header(key) for word in wanted.split())
        case "rfc822msgid":
            return wanted.strip("<>") == told.header("message-id").strip("<>")
        case "is":
            is_read = wanted == "read" and "UNREAD" not in told.message.labels
            return is_read or _STATE_OF.get(wanted) in told.message.labels
        case "in":
            return wanted == "anywhere" or _LABEL_OF.get(wanted) in told.message.labels
        case "label":
            named = {label.name.lower().replace(" ", "-"): label.id for label in told.box.labels.values()}
            return named.get(wanted, wanted.upper()) in told.message.labels
        case "has":
            return wanted == "attachment" and any(part.get_filename() for part in told.parsed.walk())
        case "after" | "before":
            return _is_dated(told.message, key, wanted)
    return False


def _is_dated(message: Message, key: str, wanted: str) -> bool:
    if wanted.isdigit() and len(wanted) < 12:  # epoch seconds
        is_before = message.internal_date < int(wanted) * 1000
        return is_before if key == "before" else not is_before
    try:
        year, month, day = (int(each) for each in re.split(r"[/-]", wanted))
        moment = datetime(year, month, day, tzinfo=UTC).timestamp() * 1000
    except ValueError:
        return False
    return message.internal_date >= moment if key == "after" else message.internal_date < moment


def recipients(message: EmailMessage) -> list[str]:
    """Everybody it goes to, in lower case."""
    told = [str(value) for name in ("To", "Cc", "Bcc") for value in message.get_all(name, [])]
    return [address.lower() for _, address in getaddresses(told) if "@" in address]
