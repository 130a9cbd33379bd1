"""Sending: new email, answers, drafts.

Nothing here is repeated by itself: Gmail knows no key by which it would recognise a second sending.
"""

import re
from email.utils import getaddresses

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters.gmail.composing import Letter, in_thread, message_ids, raw
from adapters.gmail.mailbox import fetch_head, left_by
from adapters.gmail.parameters import (
    ADDRESS,
    Attachments,
    Bcc,
    Cc,
    Html,
    MessageId,
    Recipients,
    Subject,
    Text,
    ThreadId,
)
from adapters.gmail.reading import head
from adapters.gmail.results import Draft, SentEmail
from adapters.gmail.scopes import COMPOSE, READ, SEND
from domain.errors import Rejected
from domain.ids import Kind, public_id
from domain.json import JsonObject

_ADDRESS = re.compile(ADDRESS)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_MOST_RECIPIENTS = 100
_LONGEST_SUBJECT = 900

SENT_MARK = (
    "an email in Sent to these people with this subject, whose header `X-Mandate-Execution` is the id of this execution"
    " (the action `find_sent_email` finds it)"
)
DRAFT_MARK = "a draft with this subject, whose header `X-Mandate-Execution` is the id of this execution"

AnsweredThread = Annotated[
    ThreadId | None,
    Field(description="Conversation it belongs to. Gmail wants `in_reply_to` and the same subject with it."),
]
AnsweredId = Annotated[
    str | None,
    Field(
        description="`message_id_header` of the message that it answers.",
        pattern=r"^<[\x21-\x3b\x3d\x3f-\x7e]{1,900}>$",
        max_length=902,
    ),
]


async def _sent(call: Call) -> SentEmail | None:
    """The message with this execution's mark, if it is among those sent. Needs to read; Gmail may show it late."""
    found = await left_by(call, public_id(Kind.EXECUTION, call.key))
    gone = next((each for each in found if "DRAFT" not in each.label_ids), None)
    if gone is None:
        return None
    return SentEmail.of({"id": gone.id, "threadId": gone.thread_id, "labelIds": gone.label_ids})


@action(effect=Effect.WRITE, scopes=(SEND,), look_for=SENT_MARK, probe=_sent)
async def send_email(
    call: Call,
    *,
    to: Recipients,
    subject: Subject,
    text: Text,
    html: Html = None,
    cc: Cc | None = None,
    bcc: Bcc | None = None,
    attachments: Attachments | None = None,
    thread_id: AnsweredThread = None,
    in_reply_to: AnsweredId = None,
) -> SentEmail:
    """Send an email.

    From the connected account, at once; it cannot be taken back. Give plain text, and HTML beside it when it needs a
    form. To answer a message, `reply_to_email` is simpler: it finds out recipients, subject and conversation. It needs
    to read the message, though; this only needs to send.
    """
    letter = Letter(subject, text, to, html, cc or (), bcc or (), attachments or (), in_reply_to)
    message = in_thread(await raw(call, letter), thread_id)
    answer = await call.post("gmail/v1/users/me/messages/send", json=message)
    return SentEmail.of(answer.json)


@action(effect=Effect.WRITE, scopes=(SEND, READ), look_for=SENT_MARK, probe=_sent)
async def reply_to_email(
    call: Call,
    *,
    message_id: MessageId,
    text: Text,
    html: Html = None,
    reply_all: Annotated[bool, Field(description="Also to the others who got the message.")] = False,
    attachments: Attachments | None = None,
) -> SentEmail:
    """Answer an email.

    Goes to whoever wrote it (or to where its writer wants answers), in the same conversation, with `Re:` before the
    subject. It is sent at once and cannot be taken back. The message is not quoted.
    """
    answered = await fetch_head(call, message_id)
    letter = await _answer_to(call, answered, text, html, attachments or [], reply_all=reply_all)
    thread = answered.get("threadId")
    message = in_thread(await raw(call, letter), thread if isinstance(thread, str) else None)
    answer = await call.post("gmail/v1/users/me/messages/send", json=message)
    return SentEmail.of(answer.json)


@action(effect=Effect.WRITE, scopes=(COMPOSE,), look_for=DRAFT_MARK)
async def create_draft(
    call: Call,
    *,
    subject: Subject,
    text: Text,
    to: Annotated[Recipients | None, Field(description="Those it will go to; may be added later by hand.")] = None,
    html: Html = None,
    cc: Cc | None = None,
    bcc: Bcc | None = None,
    attachments: Attachments | None = None,
    thread_id: AnsweredThread = None,
    in_reply_to: AnsweredId = None,
) -> Draft:
    """Write a draft of an email.

    It lies in Drafts for a person to look at, change and send; or send it with `send_draft`.
    """
    letter = Letter(subject, text, to or [], html, cc or (), bcc or (), attachments or (), in_reply_to)
    message = in_thread(await raw(call, letter), thread_id)
    answer = await call.post("gmail/v1/users/me/drafts", json={"message": message})
    return Draft.of(answer.json)


@action(effect=Effect.WRITE, scopes=(COMPOSE,), look_for="an email in Sent that was this draft, which is gone then")
async def send_draft(
    call: Call,
    *,
    draft_id: Annotated[
        str, Field(description="`id` of the draft, from `create_draft`.", pattern=r"^[A-Za-z0-9_-]+$", max_length=100)
    ],
) -> SentEmail:
    """Send a draft.

    As it is, to those it names, at once; it cannot be taken back.
    """
    answer = await call.post("gmail/v1/users/me/drafts/send", json={"id": draft_id})
    return SentEmail.of(answer.json)


async def _answer_to(
    call: Call, answered: JsonObject, text: str, html: str | None, attachments: Attachments, *, reply_all: bool
) -> Letter:
    """Raises Rejected when there is nobody to answer."""
    told = head(answered)
    labels = answered.get("labelIds")
    is_ours = isinstance(labels, list) and "SENT" in labels
    writers = _addresses(told.get("reply-to", "")) or _addresses(told.get("from", ""))
    others = [*_addresses(told.get("to", "")), *_addresses(told.get("cc", ""))]
    to = _addresses(told.get("to", "")) if is_ours else writers
    cc: list[str] = []
    if reply_all:
        own = await _own_address(call)
        cc = [each for each in others if each.lower() not in {own, *map(str.lower, to)}]
    if not to:
        raise Rejected("The message names nobody whom one could answer. Nothing was sent.")
    if len(to) + len(cc) > _MOST_RECIPIENTS:
        raise Rejected("The message went to more than 100 people. Nothing was sent; answer without `reply_all`.")
    return Letter(
        _answering(told.get("subject", "")),
        text,
        to,
        html,
        cc,
        (),
        attachments,
        next(iter(message_ids(told.get("message-id", ""))), None),
        message_ids(told.get("references", "")),
    )


async def _own_address(call: Call) -> str:
    answer = await call.get("gmail/v1/users/me/profile")
    found = answer.at("emailAddress")
    return found.lower() if isinstance(found, str) else ""


def _addresses(header: str) -> list[str]:
    """The plain addresses of a received header, each once; what is none is left out."""
    named = [address for _, address in getaddresses([_CONTROLS.sub(" ", header)])]
    return [*dict.fromkeys(each for each in named if len(each) <= 254 and _ADDRESS.fullmatch(each))]


def _answering(subject: str) -> str:
    """Gmail keeps a message in its conversation only when the subject stays."""
    plain = _CONTROLS.sub(" ", subject).strip()[:_LONGEST_SUBJECT]
    return plain if plain[:3].lower() == "re:" else f"Re: {plain}"
