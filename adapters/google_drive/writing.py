"""Making, changing, moving and removing files.

Drive knows no idempotency key. Two things stand in for it: whoever passes an id from generate_ids may repeat, and
everything made here carries a private mark with the execution it came from, so that an answer that was lost can be
looked for before anybody has to be asked.
"""

import json
import secrets
from collections.abc import Awaitable, Callable
from hashlib import md5
from typing import Final, Literal, TypeVar

from adapters._kit import Annotated, Call, Effect, Field, action, given
from adapters._kit.call import Answer
from adapters._kit.content import Content, MediaType
from adapters.google_drive.parameters import (
    CHANGE_ALL,
    DOCUMENT,
    EVERYWHERE,
    FILE_FIELDS,
    FILES,
    FOLDER,
    ONE_FILE,
    OWN_FILES,
    PRESENTATION,
    SPREADSHEET,
    Description,
    FileId,
    FileName,
    FolderId,
    NewId,
)
from adapters.google_drive.results import DriveFile
from adapters.google_drive.searching import find, look, quoted
from domain.errors import AlreadyThere, AnswerLost, ProviderProblem, Rejected, Unavailable
from domain.ids import Kind, public_id
from domain.json import Json

T = TypeVar("T")

_UPLOAD: Final = "upload/drive/v3/files"
_MARK: Final = "mandate_execution"
_FULL: Final[dict[str, str | bool | None]] = {"fields": FILE_FIELDS, **EVERYWHERE}
_CONVERTED = {"document": DOCUMENT, "spreadsheet": SPREADSHEET, "presentation": PRESENTATION}


@action(effect=Effect.READ, scopes=OWN_FILES)
async def generate_ids(
    call: Call, *, count: Annotated[int, Field(description="How many.", ge=1, le=100)] = 1
) -> list[str]:
    """Get unused ids for new files.

    Pass one to create_file or create_folder as `new_id`, and that may be repeated without making a second file.
    """
    answer = await call.get(FILES + "/generateIds", query={"count": count, "space": "drive", "type": "files"})
    ids = answer.at("ids")
    return [str(each) for each in ids] if isinstance(ids, list) else []


@action(
    effect=Effect.WRITE,
    scopes=OWN_FILES,
    look_for="a file with this name in the folder (the action `find_created_file` finds it)",
)
async def create_file(
    call: Call,
    *,
    name: FileName,
    content: Annotated[Content, Field(description="What is in it.")],
    media_type: MediaType = "text/plain",
    folder_id: FolderId | None = None,
    description: Description | None = None,
    convert_to: Annotated[
        Literal["document", "spreadsheet", "presentation"] | None,
        Field(description="Make a Google Doc, Sheet or Slides of it, for instance of HTML, Markdown, CSV or Word."),
    ] = None,
    new_id: NewId | None = None,
) -> DriveFile:
    """Upload a file to Google Drive.

    At the top of My Drive, or in a folder that was made with this connection; in any other when it may change the whole
    Drive (as move_file and trash_file ask for). Nothing is replaced: doing it twice makes two files with
    the same name, unless `new_id` is given; then the same file again is answered as it is, and something else under
    that id is a conflict. To change an existing file see replace_file_content.
    """
    if new_id and convert_to:
        raise Rejected("Drive takes no `new_id` together with `convert_to`. Nothing was sent.")
    told = _new(call, name, folder_id, description, new_id)
    told["mimeType"] = _CONVERTED[convert_to] if convert_to else media_type
    raw = await content.read(call)
    kind, body = _related(told, raw, media_type)
    query = {"uploadType": "multipart", **_FULL}
    return await _once(
        call,
        lambda: call.post(_UPLOAD, content=body, media_type=kind, query=query),
        new_id=new_id,
        digest=md5(raw, usedforsecurity=False).hexdigest(),
        name=name,
    )


@action(
    effect=Effect.WRITE, scopes=OWN_FILES, look_for="a folder with this name (the action `find_created_file` finds it)"
)
async def create_folder(
    call: Call,
    *,
    name: FileName,
    folder_id: Annotated[FolderId | None, Field(description="Where; the top of My Drive when left out.")] = None,
    description: Description | None = None,
    new_id: NewId | None = None,
) -> DriveFile:
    """Create a folder.

    At the top of My Drive, or in a folder that was made with this connection; in any other when it may change the whole
    Drive. Two folders may have the same name in the same place; doing it twice makes two, unless `new_id` is given.
    """
    told = {**_new(call, name, folder_id, description, new_id), "mimeType": FOLDER}
    return await _once(call, lambda: call.post(FILES, json=told, query=_FULL), new_id=new_id, digest=None, name=name)


@action(effect=Effect.WRITE, scopes=OWN_FILES, look_for="a copy of the file (the action `find_created_file` finds it)")
async def copy_file(
    call: Call,
    *,
    file_id: FileId,
    name: Annotated[FileName | None, Field(description="Name of the copy; `Copy of …` when left out.")] = None,
    folder_id: Annotated[FolderId | None, Field(description="Where; beside the original when left out.")] = None,
) -> DriveFile:
    """Copy a file.

    Not folders. The copy belongs to this account and is shared with nobody. Doing it twice makes two copies.
    """
    told = _new(call, name, folder_id, None, None)
    path = ONE_FILE + "/copy"
    return await _once(call, lambda: call.post(path, json=told, query=_FULL, file_id=file_id), name=name)


@action(effect=Effect.READ, scopes=OWN_FILES)
async def find_created_file(
    call: Call,
    *,
    execution: Annotated[
        str,
        Field(
            description="Id of the execution of create_file, create_folder or copy_file, as Mandate told it.",
            pattern=r"^exe_[0-9a-f]{32}$",
        ),
    ],
) -> list[DriveFile]:
    """Find out whether a file was made, when the answer was lost.

    Looks for what this execution left, wherever it is now, also in the trash. Empty: nothing was made, or it has just
    been and Drive's search does not know it yet; look again in a minute.
    """
    return await _made_by(call, execution)


@action(effect=Effect.WRITE, scopes=OWN_FILES, idempotent=True, look_for="the change on the file")
async def update_file(
    call: Call,
    *,
    file_id: FileId,
    name: FileName | None = None,
    description: Annotated[Description | None, Field(description="The new text; an empty one removes it.")] = None,
    add_to_folder: Annotated[FolderId | None, Field(description="Put it into this folder.")] = None,
    remove_from_folder: Annotated[FolderId | None, Field(description="And take it out of this one.")] = None,
    is_trashed: Annotated[bool | None, Field(description="True: into the trash; false: out of it again.")] = None,
    is_starred: Annotated[bool | None, Field(description="With a star or without.")] = None,
) -> DriveFile:
    """Rename a file, or change where it is and what is said about it.

    Works on files that were made with this connection, and on all others when it may change the whole Drive (as
    move_file and trash_file ask for). What is left out stays as it is. Its content: replace_file_content.
    """
    change = given(name=name, description=description, trashed=is_trashed, starred=is_starred)
    moved = {"addParents": add_to_folder, "removeParents": remove_from_folder}
    return await _patch(call, file_id, change, **moved)


@action(effect=Effect.WRITE, scopes=OWN_FILES, idempotent=True, look_for="the new content of the file")
async def replace_file_content(
    call: Call, *, file_id: FileId, content: Annotated[Content, Field(description="All of it.")], media_type: MediaType
) -> DriveFile:
    """Replace the content of a file.

    The whole of it, unseen: what somebody else has written meanwhile is replaced too, but stays in the file's version
    history for a while. Into a Google Doc, Sheet or Slides file it is converted. Works on files that were made with
    this connection, and on all others when it may change the whole Drive.
    """
    raw = await content.read(call)
    path = _UPLOAD + "/{file_id}"
    query = {"uploadType": "media", **_FULL}
    answer = await call.send("PATCH", path, content=raw, media_type=media_type, query=query, file_id=file_id)
    return DriveFile.of(answer.json)


@action(effect=Effect.WRITE, scopes=CHANGE_ALL, idempotent=True, look_for="the file in the folder")
async def move_file(
    call: Call, *, file_id: FileId, folder_id: Annotated[FolderId, Field(description="Where it shall be.")]
) -> DriveFile:
    """Move a file or folder into another folder.

    Any that the account may change. Who may open the new folder may then open the file. Already there: nothing changes.
    """
    file = await look(call, file_id)
    if file.folder_id == folder_id:
        return file
    return await _patch(call, file_id, {}, addParents=folder_id, removeParents=file.folder_id)


@action(effect=Effect.WRITE, scopes=CHANGE_ALL, idempotent=True, look_for="the file in the trash")
async def trash_file(call: Call, *, file_id: FileId) -> DriveFile:
    """Move a file or folder to the trash.

    Any that the account may change; with a folder goes all that is in it. Google deletes it for good after 30 days;
    until then update_file takes it out again. For what was made with this connection update_file is enough.
    """
    return await _patch(call, file_id, {"trashed": True})


@action(effect=Effect.DESTRUCTIVE, scopes=OWN_FILES, look_for="whether the file is gone, also from the trash")
async def delete_file(call: Call, *, file_id: FileId) -> None:
    """Delete a file or folder for good.

    At once, past the trash, with all that is in it; nobody can get it back. trash_file is the careful way. Only its
    owner may. Not found when it is gone already.
    """
    await call.send("DELETE", ONE_FILE, query=EVERYWHERE, file_id=file_id)


async def _patch(call: Call, file_id: str, change: Json, **moved: str | None) -> DriveFile:
    answer = await call.send("PATCH", ONE_FILE, json=change, query={**moved, **_FULL}, file_id=file_id)
    return DriveFile.of(answer.json)


def _new(
    call: Call, name: str | None, folder_id: str | None, description: str | None, new_id: str | None
) -> dict[str, Json]:
    mark: Json = {_MARK: public_id(Kind.EXECUTION, call.key)}
    parents: Json = [folder_id] if folder_id else None
    return given(name=name, parents=parents, description=description, id=new_id, appProperties=mark)


async def _once(
    call: Call,
    make: Callable[[], Awaitable[Answer]],
    *,
    new_id: str | None = None,
    digest: str | None = None,
    name: str | None = None,
) -> DriveFile:
    """Make it; when the answer is lost, see whether it was made, and when the id is taken, whether it is the same."""
    try:
        return DriveFile.of((await make()).json)
    except AlreadyThere as taken:
        if new_id is None or not await _seen(_is_same(call, new_id, name, digest), taken):
            raise
        return await _seen(look(call, new_id), taken)
    except (AnswerLost, Unavailable) as lost:
        if not lost.may_have_happened:
            raise
        found = await _seen(_made_by(call, public_id(Kind.EXECUTION, call.key)), lost)
        if not found:
            raise
        return found[0]


async def _made_by(call: Call, execution: str) -> list[DriveFile]:
    return await find(call, f"appProperties has {{ key={quoted(_MARK)} and value={quoted(execution)} }}", None, 10)


async def _is_same(call: Call, file_id: str, name: str | None, digest: str | None) -> bool:
    query = {"fields": "name,md5Checksum,mimeType", **EVERYWHERE}
    answer = await call.get(ONE_FILE, query=query, file_id=file_id)
    is_folder = answer.at("mimeType") == FOLDER
    return answer.at("name") == name and answer.at("md5Checksum") == digest and is_folder == (digest is None)


async def _seen(looking: Awaitable[T], problem: ProviderProblem) -> T:
    """What looking finds; the problem that made us look is the one that counts when it finds nothing out."""
    try:
        return await looking
    except ProviderProblem:
        raise problem from None


def _related(told: Json, raw: bytes, media_type: str) -> tuple[str, bytes]:
    """A multipart/related body (RFC 2387): what is said about the file, then the file."""
    boundary = f"mandate-{secrets.token_hex(16)}"
    head = f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(told)}\r\n"
    middle = f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n"
    body = head.encode() + middle.encode() + raw + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/related; boundary={boundary}", body
