"""Sorting the mailbox: labels, read and unread, archive, trash."""

from typing import Literal

from adapters._kit import Annotated, Call, Effect, Field, Part, action, given
from adapters.gmail.parameters import LabelIds, MessageId
from adapters.gmail.results import Label, LabelledMessage
from adapters.gmail.scopes import LABELS, MODIFY
from domain.errors import Rejected
from domain.json import JsonObject

_HexColor = Annotated[
    str, Field(description="A colour of Gmail's palette, such as `#16a766`.", pattern=r"^#[0-9a-f]{6}$", max_length=7)
]


class LabelColor(Part):
    """How a label looks. Gmail takes only colours of its palette."""

    text: _HexColor
    background: _HexColor


@action(effect=Effect.WRITE, scopes=(MODIFY,), idempotent=True, look_for="the labels that the message has now")
async def modify_message(
    call: Call,
    *,
    message_id: MessageId,
    add_label_ids: LabelIds | None = None,
    remove_label_ids: LabelIds | None = None,
) -> LabelledMessage:
    """Sort an email: mark it as read, archive it, star it, label it.

    Mark as read: remove `UNREAD`. Archive: remove `INBOX`. Star: add `STARRED`. Own labels by their ids, see
    `list_labels`. At least one label must be given.
    """
    if not add_label_ids and not remove_label_ids:
        raise Rejected("Give labels to add or to remove. Nothing was sent.")
    change: JsonObject = {"addLabelIds": add_label_ids or [], "removeLabelIds": remove_label_ids or []}
    answer = await call.post("gmail/v1/users/me/messages/{id}/modify", id=message_id, json=change)
    return LabelledMessage.of(answer.json)


@action(effect=Effect.DESTRUCTIVE, scopes=(MODIFY,), idempotent=True, look_for="the message in the trash")
async def trash_message(call: Call, *, message_id: MessageId) -> LabelledMessage:
    """Throw an email away.

    It lies in the trash, from where a person can take it back; Gmail deletes it for good after 30 days.
    """
    answer = await call.post("gmail/v1/users/me/messages/{id}/trash", id=message_id)
    return LabelledMessage.of(answer.json)


@action(effect=Effect.READ, scopes=(LABELS,))
async def list_labels(call: Call) -> list[Label]:
    """List the labels of the mailbox.

    Gmail's own (`INBOX`, `SENT`, `UNREAD`) and those that people made, with the ids that other actions want.
    """
    answer = await call.get("gmail/v1/users/me/labels")
    return [_label(each) for each in answer.objects("labels")]


@action(effect=Effect.WRITE, scopes=(LABELS,), look_for="a label with this name")
async def create_label(
    call: Call,
    *,
    name: Annotated[
        str,
        Field(
            description="Name; a slash makes it a label inside another: `Invoices/2026`.",
            pattern=r"^[^\x00-\x1f\x7f]+$",
            max_length=225,
        ),
    ],
    in_label_list: Annotated[
        Literal["labelShow", "labelShowIfUnread", "labelHide"] | None,
        Field(description="Whether the label is shown in the list of labels."),
    ] = None,
    in_message_list: Annotated[
        Literal["show", "hide"] | None, Field(description="Whether messages with the label are shown in lists.")
    ] = None,
    color: Annotated[LabelColor | None, Field(description="How it looks.")] = None,
) -> Label:
    """Make a label.

    A name that is taken is refused as a conflict: find the label with `list_labels` then.
    """
    look: JsonObject | None = None
    if color is not None:
        look = {"textColor": color.text, "backgroundColor": color.background}
    body = given(name=name, labelListVisibility=in_label_list, messageListVisibility=in_message_list, color=look)
    answer = await call.post("gmail/v1/users/me/labels", json=body)
    return _label(answer.json if isinstance(answer.json, dict) else {})


def _label(told: JsonObject) -> Label:
    return Label.of({**told, "is_system": told.get("type") == "system"})
