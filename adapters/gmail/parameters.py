"""The parameters that Gmail's actions share. No pattern lets a control character through: they end up in headers."""

from typing import TypeAlias

from adapters._kit import Annotated, Field, Part
from adapters._kit.content import Content, MediaType

#: What HTML calls a valid e-mail address, with a dot in the domain: plain, no display name, no quotes, ASCII.
ADDRESS = (
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_LINE = r"^[^\x00-\x1f\x7f\u0085\u2028\u2029]*$"

Address: TypeAlias = Annotated[
    str, Field(description="An e-mail address, plain: `ada@example.com`.", pattern=rf"^{ADDRESS}$", max_length=254)
]
Recipients: TypeAlias = Annotated[
    list[Address], Field(description="E-mail addresses of those it goes to.", min_length=1, max_length=100)
]
Cc: TypeAlias = Annotated[
    list[Address], Field(description="E-mail addresses of those who get a copy, seen by all.", max_length=100)
]
Bcc: TypeAlias = Annotated[
    list[Address], Field(description="E-mail addresses of those who get a copy that nobody else sees.", max_length=100)
]
Subject: TypeAlias = Annotated[str, Field(description="The subject: one line.", pattern=_LINE, max_length=900)]
Text: TypeAlias = Annotated[
    str,
    Field(
        description="What it says, as plain text. With `html` too, this is for readers who do not show HTML.",
        max_length=500_000,
    ),
]
Html: TypeAlias = Annotated[
    str | None, Field(description="What it says, as HTML. `text` must say the same.", max_length=500_000)
]
MessageId: TypeAlias = Annotated[
    str, Field(description="Gmail's id of a message.", pattern=r"^[A-Za-z0-9_-]+$", max_length=64)
]
ThreadId: TypeAlias = Annotated[
    str, Field(description="Gmail's id of a thread (conversation).", pattern=r"^[A-Za-z0-9_-]+$", max_length=64)
]
LabelId: TypeAlias = Annotated[
    str,
    Field(
        description="Id of a label: `INBOX`, `UNREAD`, `STARRED`, `Label_7`; see `list_labels`.",
        pattern=r"^[A-Za-z0-9_^-]+$",
        max_length=100,
    ),
]
LabelIds: TypeAlias = Annotated[list[LabelId], Field(description="Ids of labels.", max_length=100)]
Search: TypeAlias = Annotated[
    str,
    Field(
        description="What to search for, as in Gmail's search box: `from:ada@example.com is:unread newer_than:7d`, "
        "`subject:(tide table)`, `has:attachment`. Empty: everything.",
        pattern=_LINE,
        max_length=1000,
    ),
]
PageToken: TypeAlias = Annotated[
    str | None,
    Field(
        description="`next_page_token` of the answer before, for the page after it.",
        pattern=r"^[A-Za-z0-9_=+/.~-]+$",
        max_length=2000,
    ),
]
TextLimit: TypeAlias = Annotated[
    int, Field(description="At most so many characters of each message's text.", ge=0, le=100_000)
]


class Attachment(Part):
    """A file that goes with an email."""

    file_name: Annotated[
        str,
        Field(
            description="Name that the receiver sees, without a path.",
            pattern=r"^[^\x00-\x1f\x7f/\\\u0085\u2028\u2029]+$",
            max_length=200,
        ),
    ]
    media_type: Annotated[
        MediaType | None, Field(description="Its media type; without one it is guessed from the name.")
    ] = None
    content: Annotated[Content, Field(description="What is in it.")]


Attachments: TypeAlias = Annotated[
    list[Attachment],
    Field(description="Files that go with it. All parameters together fit into one request of 1 MiB.", max_length=20),
]
