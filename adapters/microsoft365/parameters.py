"""The parameters that several actions share, and the pieces of bodies they become."""

import base64
from datetime import UTC, datetime
from typing import Final, TypeAlias

from adapters._kit import Annotated, AwareDatetime, Call, Field, Part
from adapters._kit.content import Content, MediaType
from domain.errors import Rejected
from domain.json import Json, JsonObject

# Ids are opaque; a slash in one is escaped on the way. Nothing that is not printable ASCII occurs in them.
_ID = r"^[\x21-\x7e]+$"

LARGEST_ATTACHMENTS_BYTES: Final = 3_000_000

MessageId: TypeAlias = Annotated[
    str, Field(description="Id of a mail message, from a list, a search or a thread.", max_length=512, pattern=_ID)
]
EventId: TypeAlias = Annotated[str, Field(description="Id of a calendar event.", max_length=512, pattern=_ID)]
CalendarId: TypeAlias = Annotated[
    str, Field(description="Id of a calendar, from list_calendars; the default one when left out.", max_length=512)
]
FolderId: TypeAlias = Annotated[
    str,
    Field(
        description="Mail folder: `inbox`, `archive`, `drafts`, `sentitems`, `deleteditems`, `junkemail`, or an id "
        "from list_mail_folders.",
        max_length=512,
        pattern=_ID,
    ),
]
TeamId: TypeAlias = Annotated[
    str, Field(description="Id of a team, from list_teams.", pattern=r"^[0-9a-fA-F-]{36}$", max_length=36)
]
ChannelId: TypeAlias = Annotated[
    str,
    Field(
        description="Id of a channel, from list_team_channels, such as `19:…@thread.tacv2`.",
        pattern=r"^[A-Za-z0-9:@._-]+$",
        max_length=200,
    ),
]
ChatId: TypeAlias = Annotated[
    str,
    Field(description="Id of a chat, from list_chats, such as `19:…`.", pattern=r"^[A-Za-z0-9:@._-]+$", max_length=200),
]
Address: TypeAlias = Annotated[
    str,
    Field(
        description="An e-mail address, without a name.",
        max_length=320,
        pattern=r"^[^\s@<>()\[\],;:\"\\]+@[^\s@<>()\[\],;:\"\\]+$",
    ),
]
Addresses: TypeAlias = Annotated[list[Address], Field(max_length=100)]
Subject: TypeAlias = Annotated[
    str, Field(description="One line.", min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Text: TypeAlias = Annotated[str, Field(description="What it says.", max_length=200_000)]
IsHtml: TypeAlias = Annotated[bool, Field(description="The text is HTML; otherwise it is plain text.")]
Moment: TypeAlias = Annotated[
    AwareDatetime, Field(description="RFC 3339 with an offset, e.g. 2026-11-23T14:00:00+01:00.")
]
Limit: TypeAlias = Annotated[
    int, Field(description="How many to return at most. When that many come back, there may be more.", ge=1, le=500)
]


class Attachment(Part):
    """A file that goes along with a message."""

    name: Annotated[
        str,
        Field(
            description="File name with its ending, e.g. `offer.pdf`.", max_length=255, pattern=r"^[^/\\\x00-\x1f]+$"
        ),
    ]
    media_type: MediaType
    content: Annotated[Content, Field(description="The bytes of the file.")]


Attachments: TypeAlias = Annotated[
    list[Attachment], Field(description="Files to send along, together at most 3 MB.", max_length=20)
]


def recipients(addresses: list[str]) -> list[Json]:
    """Addresses as Outlook writes them in messages."""
    return [{"emailAddress": {"address": each}} for each in addresses]


def body_of(text: str, *, is_html: bool) -> JsonObject:
    """A text and its kind."""
    return {"contentType": "html" if is_html else "text", "content": text}


def when(moment: datetime) -> JsonObject:
    """A point in time, told in UTC."""
    return {"dateTime": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}


async def attached(call: Call, files: list[Attachment]) -> list[Json]:
    """Attachments as part of a message. Raises Rejected when they are larger than one request may be."""
    read = [(file, await file.content.read(call)) for file in files]
    if sum(len(raw) for _, raw in read) > LARGEST_ATTACHMENTS_BYTES:
        raise Rejected("The attachments are larger than 3 MB together. Share them with share_file instead.")
    return [
        {
            "@odata.type": "#microsoft.graph.fileAttachment",
            "name": file.name,
            "contentType": file.media_type,
            "contentBytes": base64.b64encode(raw).decode(),
        }
        for file, raw in read
    ]
