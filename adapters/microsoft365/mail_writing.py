"""Writing Outlook mail: send, draft, reply, forward, mark, move, delete."""

from typing import Literal

from adapters._kit import Annotated, Call, Effect, Field, Result, action, given
from adapters.microsoft365.mail import Message, left_by
from adapters.microsoft365.marker import marked
from adapters.microsoft365.parameters import (
    Addresses,
    Attachments,
    FolderId,
    IsHtml,
    MessageId,
    Subject,
    Text,
    attached,
    body_of,
    recipients,
)
from domain.errors import Rejected
from domain.json import Json, JsonObject

To = Annotated[Addresses, Field(description="Addresses it goes to.", min_length=1)]
Cc = Annotated[Addresses | None, Field(description="Addresses that get a copy, seen by all.")]
Bcc = Annotated[Addresses | None, Field(description="Addresses that get a copy unseen by the others.")]
ReplyTo = Annotated[Addresses | None, Field(description="Where answers shall go; to the account when left out.")]
Importance = Annotated[Literal["low", "normal", "high"], Field(description="How it is shown.")]


class Accepted(Result):
    """Outlook has taken a message for delivery. It tells no id, and whether it arrives is not known."""

    is_accepted: bool = True
    find_it_in: str = Field(default="sentitems", description="The mail folder it is filed in after a while.")


class Moved(Message):
    """A message in its new place."""

    folder_id: str | None = Field(default=None, validation_alias="parentFolderId")


class Deleted(Result):
    """What was deleted."""

    id: str


async def _sent(call: Call) -> Accepted | None:
    """Outlook can take a minute to file what it sent, so nothing is proved by finding nothing."""
    found = await left_by(call, call.key.hex)
    return None if all(each.is_draft for each in found) else Accepted()


@action(
    effect=Effect.WRITE,
    scopes=("Mail.Send",),
    look_for="a message with this subject to these addresses in Sent Items (find_sent_email finds it by the id of "
    "this execution)",
    probe=_sent,
)
async def send_email(
    call: Call,
    *,
    to: To,
    subject: Subject,
    body: Text,
    is_html: IsHtml = False,
    cc: Cc = None,
    bcc: Bcc = None,
    reply_to: ReplyTo = None,
    importance: Importance = "normal",
    attachments: Attachments | None = None,
) -> Accepted:
    """Send an e-mail.

    At once, as the account, kept in Sent Items. To answer a message within its thread, see reply_message; to let a
    person look first, see create_draft. Sending again sends it twice: when the outcome is unknown, ask
    find_sent_email with the id of the execution. Addresses are not checked before; bounces come as mail.
    """
    text = body_of(body, is_html=is_html)
    message = _message(to, subject, text, importance, ccRecipients=cc, bccRecipients=bcc, replyTo=reply_to)
    message["singleValueExtendedProperties"] = marked(call.key)
    if attachments:
        message["attachments"] = await attached(call, attachments)
    await call.post("me/sendMail", json={"Message": message, "SaveToSentItems": True})
    return Accepted()


async def _drafted(call: Call) -> Message | None:
    """The draft with this execution's mark."""
    return next(iter(await left_by(call, call.key.hex)), None)


@action(
    effect=Effect.WRITE,
    scopes=("Mail.ReadWrite",),
    look_for="a message with this subject in Drafts (find_sent_email finds it by the id of this execution)",
    probe=_drafted,
)
async def create_draft(
    call: Call,
    *,
    subject: Subject,
    body: Text,
    to: Annotated[Addresses | None, Field(description="Addresses it shall go to.")] = None,
    is_html: IsHtml = False,
    cc: Cc = None,
    bcc: Bcc = None,
    reply_to: ReplyTo = None,
    importance: Importance = "normal",
    attachments: Attachments | None = None,
) -> Message:
    """Write an e-mail without sending it.

    It waits in Drafts for a person, or for send_draft with its `id`. Doing it twice makes two drafts.
    """
    text = body_of(body, is_html=is_html)
    message = _message(to or [], subject, text, importance, ccRecipients=cc, bccRecipients=bcc, replyTo=reply_to)
    message["singleValueExtendedProperties"] = marked(call.key)
    if attachments:
        message["attachments"] = await attached(call, attachments)
    return Message.of((await call.post("me/messages", json=message)).json)


@action(
    effect=Effect.WRITE,
    scopes=("Mail.Send",),
    look_for="the draft: it is no longer in Drafts but in Sent Items once it was sent",
)
async def send_draft(call: Call, *, message_id: MessageId) -> Accepted:
    """Send an e-mail that waits in Drafts.

    As it is there. Its id stays the same, so get_message tells later whether it was sent: `is_draft` is then false.
    """
    await call.post("me/messages/{message_id}/send", message_id=message_id)
    return Accepted()


@action(effect=Effect.WRITE, scopes=("Mail.Send",), look_for="the answer in the conversation and in Sent Items")
async def reply_message(
    call: Call,
    *,
    message_id: MessageId,
    body: Annotated[Text, Field(description="The answer.", min_length=1)],
    is_html: IsHtml = False,
    to_all: Annotated[bool, Field(description="Answer everybody who got the message, not only who sent it.")] = False,
    cc: Annotated[Addresses | None, Field(description="Who gets a copy, instead of those who had one.")] = None,
    attachments: Attachments | None = None,
) -> Accepted:
    """Reply to an e-mail, within its thread.

    Goes to the sender, or to the address answers were asked to go to; with `to_all` to everybody. Replying again sends
    two answers.
    """
    message: dict[str, Json] = {"body": body_of(body, is_html=is_html)}
    if cc is not None:
        message["ccRecipients"] = recipients(cc)
    if attachments:
        message["attachments"] = await attached(call, attachments)
    path = "me/messages/{message_id}/replyAll" if to_all else "me/messages/{message_id}/reply"
    await call.post(path, json={"Message": message}, message_id=message_id)
    return Accepted()


@action(effect=Effect.WRITE, scopes=("Mail.Send",), look_for="the forwarded message in Sent Items")
async def forward_message(
    call: Call,
    *,
    message_id: MessageId,
    to: To,
    comment: Annotated[str, Field(description="A few words above the forwarded message.", max_length=10_000)] = "",
) -> Accepted:
    """Forward an e-mail to other people.

    With its attachments. Forwarding again sends it twice.
    """
    body: dict[str, Json] = {"ToRecipients": recipients(to), "Comment": comment}
    await call.post("me/messages/{message_id}/forward", json=body, message_id=message_id)
    return Accepted()


@action(effect=Effect.WRITE, scopes=("Mail.ReadWrite",), idempotent=True, look_for="the mark on the message")
async def update_message(
    call: Call,
    *,
    message_id: MessageId,
    is_read: Annotated[bool | None, Field(description="Mark as read, or as unread.")] = None,
    flag: Annotated[
        Literal["notFlagged", "flagged", "complete"] | None, Field(description="The flag to follow up.")
    ] = None,
    categories: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=255)]] | None,
        Field(description="All categories it shall have: others are taken off, [] takes off all.", max_length=25),
    ] = None,
) -> Message:
    """Mark an e-mail as read or unread, flag it, or put it into categories.

    What is left out stays as it is.
    """
    change = given(isRead=is_read, categories=None if categories is None else [*categories])
    if flag is not None:
        change["flag"] = {"flagStatus": flag}
    if not change:
        raise Rejected("Nothing is to be changed: give `is_read`, `flag` or `categories`. Nothing was sent.")
    return Message.of((await call.patch("me/messages/{message_id}", json=change, message_id=message_id)).json)


@action(effect=Effect.WRITE, scopes=("Mail.ReadWrite",), look_for="the message in the folder it was to go to")
async def move_message(
    call: Call,
    *,
    message_id: MessageId,
    folder: Annotated[FolderId, Field(description="Where to: `archive`, `inbox`, or an id from list_mail_folders.")],
) -> Moved:
    """Move an e-mail to another folder.

    `archive` files it away. Its id stays the same.
    """
    path = "me/messages/{message_id}/move"
    return Moved.of((await call.post(path, json={"DestinationId": folder}, message_id=message_id)).json)


@action(effect=Effect.DESTRUCTIVE, scopes=("Mail.ReadWrite",), look_for="the message: it is no longer in its folder")
async def delete_message(call: Call, *, message_id: MessageId) -> Deleted:
    """Delete an e-mail.

    It goes to Deleted Items; from there it is deleted for good.
    """
    await call.delete("me/messages/{message_id}", message_id=message_id)
    return Deleted(id=message_id)


def _message(
    to: list[str], subject: str, body: JsonObject, importance: str, **copies: list[str] | None
) -> dict[str, Json]:
    """A new message as Outlook takes it."""
    message: dict[str, Json] = {"subject": subject, "body": body, "importance": importance}
    message["toRecipients"] = recipients(to)
    return message | {name: recipients(addresses) for name, addresses in copies.items() if addresses}
