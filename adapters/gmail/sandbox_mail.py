"""The Gmail sandbox's mail: reading, sending, drafts, labels. Where Gmail is known to be strict or odd, so is this.

It puts its own Message-ID on what is sent (as Gmail does), keeps a message in a conversation only when it refers to
one of its messages and keeps the subject, and gives a file another attachment id on every reading.
"""

import binascii
import re
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Callable
from email.message import EmailMessage

from pydantic import JsonValue
from starlette.routing import Route

from adapters._kit.sandbox_google import Ask, GoogleDesk, GooglePerson, GoogleRefused, Shape, invalid, not_found
from adapters.gmail.sandbox_mime import (
    AS_IT_CAME,
    encoded,
    finds,
    message_shape,
    opened,
    part_of,
    recipients,
    snippet,
    wants_bin,
)
from adapters.gmail.sandbox_state import SYSTEM_LABELS, Mailbox, Message, UserLabel, World
from adapters.gmail.scopes import COMPOSE, LABELS, MODIFY, READ, SEND

_HOME = "/gmail/v1/users/{user}"
_MOST = 500
_THROWN_AWAY = {"TRASH", "SPAM"}
_METADATA = "https://www.googleapis.com/auth/gmail.metadata"

Deed = Callable[[World, Ask, Mailbox], Shape]


def mail_routes(desk: GoogleDesk[World]) -> list[Route]:
    """All of them."""

    def route(method: str, path: str, deed: Deed, *scopes: str) -> Route:
        def handle(ask: Ask) -> Shape:
            if ask.path("user") not in ("me", ask.person.email):
                raise GoogleRefused(403, "PERMISSION_DENIED", "Delegation denied", reason="forbidden")
            return deed(desk.world, ask, desk.world.mailbox(ask.person))

        return desk.route(method, _HOME + path, handle, *scopes)

    def send(world: World, ask: Ask, box: Mailbox) -> Shape:
        return _send(world, ask.person, box, ask.body(), desk.now())

    def send_draft(world: World, ask: Ask, box: Mailbox) -> Shape:
        return _send_draft(world, ask, box, desk.now())

    def create_draft(world: World, ask: Ask, box: Mailbox) -> Shape:
        return _create_draft(world, ask, box, desk.now())

    return [
        route("GET", "/profile", _profile, READ, COMPOSE, _METADATA),
        route("GET", "/messages", _list_messages, READ),
        route("POST", "/messages/send", send, SEND),
        route("GET", "/messages/{id}", _get_message, READ),
        route("POST", "/messages/{id}/modify", _modify, MODIFY),
        route("POST", "/messages/{id}/trash", _trash, MODIFY),
        route("GET", "/messages/{message}/attachments/{id}", _attachment, READ),
        route("GET", "/threads", _list_threads, READ),
        route("GET", "/threads/{id}", _get_thread, READ),
        route("POST", "/drafts", create_draft, COMPOSE),
        route("POST", "/drafts/send", send_draft, COMPOSE),
        route("GET", "/labels", _list_labels, READ, LABELS),
        route("POST", "/labels", _create_label, LABELS),
    ]


def _profile(_world: World, ask: Ask, box: Mailbox) -> Shape:
    threads = {each.thread_id for each in box.messages.values()}
    newest = max((each.internal_date for each in box.messages.values()), default=0)
    return {
        "emailAddress": ask.person.email,
        "messagesTotal": len(box.messages),
        "threadsTotal": len(threads),
        "historyId": str(newest // 1000),
    }


def _list_messages(_world: World, ask: Ask, box: Mailbox) -> Shape:
    found: list[JsonValue] = [{"id": each.id, "threadId": each.thread_id} for each in _found(ask, box)]
    return {**ask.page(found, ask.number("maxResults", 100, _MOST), "messages"), "resultSizeEstimate": len(found)}


def _list_threads(_world: World, ask: Ask, box: Mailbox) -> Shape:
    newest = {each.thread_id: each for each in reversed(_found(ask, box))}
    order = [*dict.fromkeys(each.thread_id for each in _found(ask, box))]
    found: list[JsonValue] = [
        {"id": number, "snippet": snippet(newest[number].source), "historyId": "1"} for number in order
    ]
    return {**ask.page(found, ask.number("maxResults", 100, _MOST), "threads"), "resultSizeEstimate": len(found)}


def _found(ask: Ask, box: Mailbox) -> list[Message]:
    query, labels = ask.query("q"), set(ask.request.query_params.getlist("labelIds"))
    if unknown := [each for each in labels if not box.knows_label(each)]:
        raise invalid(f"Invalid label: {unknown[0]}")
    with_bin = ask.query("includeSpamTrash") == "true" or wants_bin(query) or bool(labels & _THROWN_AWAY)
    return [
        each
        for each in box.newest_first()
        if labels <= set(each.labels)
        and (with_bin or not _THROWN_AWAY & set(each.labels))
        and (not query or finds(each, box, query))
    ]


def _get_message(_world: World, ask: Ask, box: Mailbox) -> Shape:
    wanted = ask.request.query_params.getlist("metadataHeaders")
    return message_shape(_message(box, ask.path("id")), ask.query("format", "full"), wanted)


def _attachment(_world: World, ask: Ask, box: Mailbox) -> Shape:
    content = part_of(_message(box, ask.path("message")), ask.path("id"))
    return {"size": len(content), "data": encoded(content)}


def _get_thread(_world: World, ask: Ask, box: Mailbox) -> Shape:
    wanted = ask.request.query_params.getlist("metadataHeaders")
    form = ask.query("format", "full")
    found = [each for each in reversed(box.newest_first()) if each.thread_id == ask.path("id")]
    if not found:
        raise not_found()
    return {"id": ask.path("id"), "historyId": "1", "messages": [message_shape(each, form, wanted) for each in found]}


def _modify(_world: World, ask: Ask, box: Mailbox) -> Shape:
    message, body = _message(box, ask.path("id")), ask.body()
    add, remove = _names(body, "addLabelIds"), _names(body, "removeLabelIds")
    for label in (*add, *remove):
        if not box.knows_label(label) or label in ("SENT", "DRAFT"):
            raise invalid(f"Invalid label: {label}")
    if not add and not remove:
        raise invalid("No label add or removes specified")
    message.labels = [each for each in dict.fromkeys([*message.labels, *add]) if each not in remove]
    return _brief(message)


def _trash(_world: World, ask: Ask, box: Mailbox) -> Shape:
    message = _message(box, ask.path("id"))
    message.labels = [*dict.fromkeys([each for each in message.labels if each != "INBOX"] + ["TRASH"])]
    return _brief(message)


def _list_labels(_world: World, _ask: Ask, box: Mailbox) -> Shape:
    system: list[JsonValue] = [{"id": name, "name": name, "type": "system"} for name in SYSTEM_LABELS]
    return {"labels": [*system, *(_label_shape(each) for each in box.labels.values())]}


def _create_label(_world: World, ask: Ask, box: Mailbox) -> Shape:
    body = ask.body()
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid("Invalid label name")
    taken = {each.name.lower() for each in box.labels.values()} | {each.lower() for each in SYSTEM_LABELS}
    if name.lower() in taken:
        raise GoogleRefused(409, "ABORTED", "Label name exists or conflicts", reason="aborted")
    more: Shape = {key: body[key] for key in ("labelListVisibility", "messageListVisibility", "color") if key in body}
    label = UserLabel(id=f"Label_{len(box.labels) + 1}", name=name, more=more)
    box.labels[label.id] = label
    return _label_shape(label)


def _label_shape(label: UserLabel) -> Shape:
    return {"id": label.id, "name": label.name, "type": "user", **label.more}


# --------------------------------------------------------------------------------------------------- sending


def _create_draft(world: World, ask: Ask, box: Mailbox, now: float) -> Shape:
    body = ask.body().get("message")
    written, thread = _written(body if isinstance(body, dict) else {}, box)
    number = world.new_id()
    draft_id = f"r{secrets.randbelow(10**18)}"
    source = written.as_bytes(policy=AS_IT_CAME)
    message = Message(
        id=number,
        thread_id=thread or number,
        labels=["DRAFT"],
        internal_date=int(now * 1000),
        raw=encoded(source),
        draft_id=draft_id,
    )
    box.messages[number] = message
    return {"id": draft_id, "message": _brief(message)}


def _send_draft(world: World, ask: Ask, box: Mailbox, now: float) -> Shape:
    wanted = ask.body().get("id")
    draft = next((each for each in box.messages.values() if each.draft_id == wanted), None)
    if draft is None or wanted is None:
        raise not_found()
    thread = draft.thread_id if draft.thread_id != draft.id else None
    body: Shape = {"raw": draft.raw, **({"threadId": thread} if thread else {})}
    sent = _send(world, ask.person, box, body, now)
    del box.messages[draft.id]
    return sent


def _send(world: World, sender: GooglePerson, box: Mailbox, body: Shape, now: float) -> Shape:
    written, thread = _written(body, box)
    to = recipients(written)
    if not to:
        raise invalid("Recipient address required")
    del written["Message-ID"], written["From"]
    written["Message-ID"] = f"<CA+{secrets.token_urlsafe(24)}@mail.gmail.com>"
    written["From"] = f"{sender.name} <{sender.email}>"
    sent = _keep(world, box, written, ["SENT"], now, thread)
    del written["Bcc"]
    for person in world.people:
        if person.email in to:
            theirs = world.mailbox(person)
            if person is sender or person.sub == sender.sub:
                sent.labels += ["UNREAD", "INBOX"]
            else:
                _keep(world, theirs, written, ["UNREAD", "INBOX"], now, _referred(theirs, written))
    return _brief(sent)


def _written(body: Shape, box: Mailbox) -> tuple[EmailMessage, str | None]:
    """The message of a request, and the conversation it is kept in; raises GoogleRefused."""
    told, thread = body.get("raw"), body.get("threadId")
    if not isinstance(told, str) or not told:
        raise invalid("'raw' RFC822 payload message string or uploading message via /upload/* URL required")
    try:
        source = urlsafe_b64decode(told + "=" * (-len(told) % 4))
    except (binascii.Error, ValueError):
        raise invalid("Invalid value for ByteString") from None
    written = opened(source)
    if thread is None:
        return written, None
    before = [each for each in box.messages.values() if each.thread_id == thread]
    if not before:
        raise not_found()
    subjects = {_plain_subject(opened(each.source)) for each in before}
    fits = _plain_subject(written) in subjects and _referred(box, written) == thread
    return written, str(thread) if fits else None


def _keep(
    world: World, box: Mailbox, written: EmailMessage, labels: list[str], now: float, thread: str | None
) -> Message:
    number = world.new_id()
    raw = encoded(written.as_bytes(policy=AS_IT_CAME))
    kept = Message(id=number, thread_id=thread or number, labels=labels, internal_date=int(now * 1000), raw=raw)
    box.messages[number] = kept
    return kept


def _referred(box: Mailbox, written: EmailMessage) -> str | None:
    """The conversation of the message that `References` or `In-Reply-To` names."""
    named = set(re.findall(r"<[^<>\s]+>", f"{written.get('References', '')} {written.get('In-Reply-To', '')}"))
    for each in box.newest_first():
        if str(opened(each.source).get("Message-ID", "")) in named:
            return each.thread_id
    return None


def _plain_subject(message: EmailMessage) -> str:
    return re.sub(r"^(?:(?:re|fwd?|aw):\s*)+", "", str(message.get("Subject", "")).strip(), flags=re.IGNORECASE).lower()


def _message(box: Mailbox, number: str) -> Message:
    found = box.messages.get(number)
    if found is None:
        raise not_found()
    return found


def _brief(message: Message) -> Shape:
    return {"id": message.id, "threadId": message.thread_id, "labelIds": [*message.labels]}


def _names(body: Shape, member: str) -> list[str]:
    told = body.get(member, [])
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise invalid(f"Invalid value at '{member}'")
    return [str(each) for each in told]
