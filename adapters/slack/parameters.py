"""The parameters that Slack's actions share."""

from typing import TypeAlias

from adapters._kit import Annotated, Field

ChannelId: TypeAlias = Annotated[
    str,
    Field(description="Id of a public channel, e.g. C024BE91L; not its name.", pattern=r"^[CG][A-Z0-9]{2,31}$"),
]
Place: TypeAlias = Annotated[
    str,
    Field(
        description="Id of a channel (C…), or of a person (U… or W…) for a direct message; not a name.",
        pattern=r"^[CGDUW][A-Z0-9]{2,31}$",
    ),
]
Conversation: TypeAlias = Annotated[
    str,
    Field(description="Id of a channel (C…) or of a direct message (D…).", pattern=r"^[CGD][A-Z0-9]{2,31}$"),
]
UserId: TypeAlias = Annotated[
    str, Field(description="Id of a person or app, e.g. U023BECGF.", pattern=r"^[UW][A-Z0-9]{2,31}$")
]
Timestamp: TypeAlias = Annotated[
    str,
    Field(
        description="The `ts` that names a message within its channel, e.g. 1712345678.000200.",
        pattern=r"^[0-9]{1,16}\.[0-9]{1,9}$",
    ),
]
ThreadTs: TypeAlias = Annotated[Timestamp, Field(description="Answer in the thread below this message.")]
Text: TypeAlias = Annotated[
    str,
    Field(
        description="The message in Slack's mrkdwn: *bold*, _italic_, `code`, <https://example.com|a link>.",
        min_length=1,
        max_length=40_000,
    ),
]
Limit: TypeAlias = Annotated[int, Field(description="The most to return.", ge=1, le=1000)]
Since: TypeAlias = Annotated[
    Timestamp | None,
    Field(description="Only messages after this moment (Unix seconds with a fraction, as text)."),
]
Until: TypeAlias = Annotated[
    Timestamp | None,
    Field(description="Only messages before this moment (Unix seconds with a fraction, as text)."),
]
Page: TypeAlias = Annotated[int, Field(description="Which page of the results, from 1.", ge=1, le=100)]
Count: TypeAlias = Annotated[int, Field(description="How many on a page.", ge=1, le=100)]
