"""Writing a message: RFC 5322 and MIME, with the standard library, into what Gmail calls `raw`.

No header can be smuggled in: parameters hold no control characters, `EmailMessage` refuses line breaks, and what is
taken over from a received message (its ids) must have the form of one.

The marker: a `Message-ID` made of the execution's key, and `X-Mandate-Execution` with the execution's id. Gmail is
known to put its own Message-ID in place of ours and keeps other headers, so the second is the one to rely on.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from mimetypes import MimeTypes
from typing import Final

from adapters._kit import Call
from adapters.gmail.parameters import ADDRESS, Attachment
from domain.errors import Rejected
from domain.ids import Kind, public_id
from domain.json import JsonObject

EXECUTION_HEADER: Final = "X-Mandate-Execution"

_MSG_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,900}>")
_MOST_REFERENCES = 30
_BY_NAME = MimeTypes()  # what Python knows, not what the machine does
#: Structures of their own, which may not travel as encoded files (RFC 2046, sections 5.1 and 5.2).
_NOT_FILES = ("multipart", "message")


@dataclass(frozen=True)
class Letter:
    """What a person would say about an email."""

    subject: str
    text: str
    to: Sequence[str]
    html: str | None = None
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    attachments: Sequence[Attachment] = ()
    answers: str | None = None  # the Message-ID it answers
    references: Sequence[str] = field(default=())


def message_ids(header: str) -> list[str]:
    """The ids in a `Message-ID`, `In-Reply-To` or `References` (RFC 5322, section 3.6.4); what is none is left out."""
    return _MSG_ID.findall(header)


async def raw(call: Call, letter: Letter) -> str:
    """The message, base64url. Raises Rejected when the mail format cannot hold it."""
    try:
        message = await _message(call, letter)
        written = _marks(call, letter) + message.as_bytes(policy=SMTP)
    except (ValueError, UnicodeError, LookupError):
        raise Rejected("This cannot be written as an email: a header or the text holds what is not allowed.") from None
    return urlsafe_b64encode(written).decode()


def in_thread(raw_message: str, thread_id: str | None) -> JsonObject:
    """Gmail's shape of a message to send."""
    return {"raw": raw_message, "threadId": thread_id} if thread_id else {"raw": raw_message}


async def _message(call: Call, letter: Letter) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    for name, people in (("To", letter.to), ("Cc", letter.cc), ("Bcc", letter.bcc)):
        if people:
            message[name] = ", ".join(people)
    message["Subject"] = letter.subject
    message["Date"] = formatdate(usegmt=True)
    message.set_content(letter.text)
    if letter.html is not None:
        message.add_alternative(letter.html, subtype="html")
    for each in letter.attachments:
        kind, _, subkind = _media_type(each).partition("/")
        content = await each.content.read(call)
        message.add_attachment(content, maintype=kind, subtype=subkind, filename=each.file_name)
    return message


def _media_type(attachment: Attachment) -> str:
    named = attachment.media_type or _BY_NAME.guess_type(attachment.file_name)[0] or ""
    return named if named and named.partition("/")[0].lower() not in _NOT_FILES else "application/octet-stream"


def _marks(call: Call, letter: Letter) -> bytes:
    """The headers that hold ids. Written here: folding them as text would break long ones into encoded words."""
    lines = [f"Message-ID: {own_message_id(call)}", f"{EXECUTION_HEADER}: {public_id(Kind.EXECUTION, call.key)}"]
    if letter.answers is not None:
        answered = message_ids(letter.answers)[:1]
        earlier = [each for reference in letter.references for each in message_ids(reference)]
        chain = [*dict.fromkeys([*earlier, *answered])][-_MOST_REFERENCES:]
        if answered:
            lines += [f"In-Reply-To: {answered[0]}", "References: " + "\r\n ".join(chain)]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def own_message_id(call: Call) -> str:
    """The same for every attempt of one execution."""
    label = call.account.label if call.account else ""
    domain = label.rpartition("@")[2] if re.fullmatch(ADDRESS, label) else "mandate.invalid"
    return f"<mandate.{call.key.hex}@{domain}>"
