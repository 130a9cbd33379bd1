"""Files: list, and upload in one action or step by step.

Slack's order of an upload: ask for an address, post the bytes there (without a token), then say where the file
belongs. Nobody sees the file before the last step.
"""

import binascii
import json
from base64 import b64decode
from typing import Literal, TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, Part, action, given
from adapters._kit.call import Query
from adapters.slack.parameters import ChannelId, Conversation, Count, Page, Text, ThreadTs, UserId
from adapters.slack.results import File, Upload
from domain.errors import Rejected
from domain.json import Json

FileName: TypeAlias = Annotated[
    str,
    Field(description="With its ending, e.g. tides.csv.", min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$"),
]
FileId: TypeAlias = Annotated[str, Field(description="Id of a file, e.g. F024BERPE.", pattern=r"^F[A-Z0-9]{2,31}$")]
Title: TypeAlias = Annotated[str, Field(description="Shown above the file.", min_length=1, max_length=255)]
Content: TypeAlias = Annotated[
    str, Field(description="Text, or base64 with that `encoding`.", min_length=1, max_length=1_500_000)
]
SharedIn: TypeAlias = Annotated[
    Conversation,
    Field(description="Id of the channel to share it in; left out, nobody else sees it."),
]
Comment: TypeAlias = Annotated[Text, Field(description="A message that goes with it.")]


class UploadedFile(Part):
    """A file whose bytes were posted to its upload address."""

    id: FileId
    title: Title | None = None


@action(effect=Effect.READ, scopes=("files:read",))
async def list_files(
    call: Call,
    *,
    channel: Annotated[ChannelId | None, Field(description="Only files in this channel.")] = None,
    user: Annotated[UserId | None, Field(description="Only files of this person.")] = None,
    count: Count = 50,
    page: Page = 1,
) -> list[File]:
    """List files.

    Newest first, those that the app can see.
    """
    form: Query = {"channel": channel, "user": user, "count": count, "page": page}
    answer = await call.post("files.list", form=form, harmless=True)
    return [File.of(each) for each in answer.objects("files")]


@action(
    effect=Effect.WRITE,
    scopes=("files:write",),
    look_for="a file of this name in the channel",
)
async def upload_file(
    call: Call,
    *,
    filename: FileName,
    content: Annotated[
        str, Field(description="Text, or base64 with that `encoding`.", min_length=1, max_length=1_500_000)
    ],
    encoding: Annotated[
        Literal["text", "base64"], Field(description="`base64` is for what is not text, such as pictures.")
    ] = "text",
    channel: Annotated[
        Conversation | None, Field(description="Where to share it; left out, nobody else sees it.")
    ] = None,
    thread_ts: ThreadTs | None = None,
    title: Title | None = None,
    comment: Comment | None = None,
) -> File:
    """Upload a file and share it in a channel.

    In all steps that it takes. The app must be a member of the channel. Uploading it again shares it twice.
    """
    raw = content.encode() if encoding == "text" else _decoded(content)
    place = await _asked_for(call, filename, len(raw))
    await call.upload(place.upload_url, content=raw)
    return await _completed(call, [UploadedFile(id=place.file_id, title=title)], channel, thread_ts, comment)


@action(
    effect=Effect.WRITE,
    scopes=("files:write",),
    look_for="nothing: a file is seen only once its upload is completed",
)
async def get_upload_url(
    call: Call,
    *,
    filename: FileName,
    length: Annotated[int, Field(description="Size in bytes, exactly.", ge=1, le=1_000_000_000)],
) -> Upload:
    """Get an address to upload a large file to.

    Post the bytes to `upload_url` yourself, without any token, then call complete_upload. Whoever has the
    address can upload to it. For small files upload_file does all of it.
    """
    return await _asked_for(call, filename, length)


@action(
    effect=Effect.WRITE,
    scopes=("files:write",),
    look_for="these files in the channel",
)
async def complete_upload(
    call: Call,
    *,
    files: Annotated[
        list[UploadedFile], Field(description="Files whose bytes are there.", min_length=1, max_length=10)
    ],
    channel: Annotated[
        Conversation | None, Field(description="Where to share them; left out, nobody else sees them.")
    ] = None,
    thread_ts: ThreadTs | None = None,
    comment: Comment | None = None,
) -> File:
    """Complete an upload: share files whose bytes have arrived.

    After get_upload_url. Answers the first of them.
    """
    return await _completed(call, files, channel, thread_ts, comment)


async def _asked_for(call: Call, filename: str, length: int) -> Upload:
    answer = await call.post("files.getUploadURLExternal", form={"filename": filename, "length": length}, harmless=True)
    return Upload.of(answer.json)


async def _completed(
    call: Call, files: list[UploadedFile], channel: str | None, thread_ts: str | None, comment: str | None
) -> File:
    told: list[Json] = [given(id=each.id, title=each.title) for each in files]
    form: Query = {
        "files": json.dumps(told),
        "channel_id": channel,
        "thread_ts": thread_ts if channel else None,
        "initial_comment": comment if channel else None,
    }
    answer = await call.post("files.completeUploadExternal", form=form)
    return File.of(answer.objects("files")[0])


def _decoded(content: str) -> bytes:
    try:
        return b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("The content is not base64. Nothing was sent.") from None
