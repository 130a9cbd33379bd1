"""Finding files: a search in plain words becomes one of Drive's queries, with every value quoted.

Source of the query language: https://developers.google.com/workspace/drive/api/guides/search-files
"""

from datetime import UTC, datetime
from typing import Literal, TypeAlias

from adapters._kit import Annotated, AwareDatetime, Call, Effect, Field, action
from adapters._kit.call import Query
from adapters.google_drive.parameters import (
    DOCUMENT,
    EVERYWHERE,
    FILE_FIELDS,
    FILES,
    FOLDER,
    ONE_FILE,
    OWN_FILES,
    PRESENTATION,
    SEE_ALL,
    SPREADSHEET,
    Email,
    FileId,
    FolderId,
    Words,
)
from adapters.google_drive.results import DriveFile
from domain.errors import Rejected

Sought: TypeAlias = Literal[
    "folder",
    "document",
    "spreadsheet",
    "presentation",
    "pdf",
    "word",
    "excel",
    "csv",
    "text",
    "image",
    "video",
    "audio",
]
Limit: TypeAlias = Annotated[
    int, Field(description="How many to return at most. When that many come back, there may be more.", ge=1, le=1000)
]
OrderBy: TypeAlias = Literal["newest_change", "oldest_change", "name", "largest"]

_ORDERS = {
    "newest_change": "modifiedTime desc",
    "oldest_change": "modifiedTime",
    "name": "name_natural",
    "largest": "quotaBytesUsed desc",
}
_TYPES = {
    "folder": FOLDER,
    "document": DOCUMENT,
    "spreadsheet": SPREADSHEET,
    "presentation": PRESENTATION,
    "pdf": "application/pdf",
    "word": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "excel": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
}
_FAMILIES = ("text", "image", "video", "audio")


@action(effect=Effect.READ, scopes=SEE_ALL)
async def search_files(
    call: Call,
    *,
    name_contains: Annotated[
        Words | None, Field(description="Words of the name; each is looked for at the beginning of a word.")
    ] = None,
    text_contains: Annotated[Words | None, Field(description="Words in the name, description or content.")] = None,
    kind: Annotated[
        Sought | None, Field(description="`document`, `spreadsheet`, `presentation` are Google's own.")
    ] = None,
    folder_id: Annotated[FolderId | None, Field(description="Only what is directly in this folder.")] = None,
    modified_since: Annotated[
        AwareDatetime | None, Field(description="Changed at or after this moment, with time zone.")
    ] = None,
    modified_before: Annotated[AwareDatetime | None, Field(description="Changed before this moment.")] = None,
    owner: Annotated[Email | None, Field(description="Owned by this person, by e-mail address.")] = None,
    shared_with_me: Annotated[bool, Field(description="Only what others have shared with this account.")] = False,
    starred: Annotated[bool, Field(description="Only starred files.")] = False,
    in_trash: Annotated[bool, Field(description="Look into the trash instead.")] = False,
    order_by: Annotated[
        OrderBy | None,
        Field(description="`newest_change` when left out. Not with `text_contains`: those come best match first."),
    ] = None,
    limit: Limit = 50,
) -> list[DriveFile]:
    """Search files and folders in Google Drive.

    In the whole Drive of the account, with what others shared and what it opened in shared drives. All that is given
    must hold. Read a file that was found with read_file.
    """
    if text_contains and order_by:
        raise Rejected("Drive cannot sort what `text_contains` finds. Leave `order_by` out. Nothing was sent.")
    terms = [
        f"name contains {quoted(name_contains)}" if name_contains else "",
        f"fullText contains {quoted(text_contains)}" if text_contains else "",
        _of_kind(kind) if kind else "",
        f"{quoted(folder_id)} in parents" if folder_id else "",
        f"modifiedTime >= {_moment(modified_since)}" if modified_since else "",
        f"modifiedTime < {_moment(modified_before)}" if modified_before else "",
        f"{quoted(owner)} in owners" if owner else "",
        "sharedWithMe" if shared_with_me else "",
        "starred = true" if starred else "",
        f"trashed = {'true' if in_trash else 'false'}",
    ]
    order = None if text_contains else _ORDERS[order_by or "newest_change"]
    return await find(call, " and ".join(filter(None, terms)), order, limit)


@action(effect=Effect.READ, scopes=SEE_ALL)
async def list_files(call: Call, *, folder_id: FolderId = "root", limit: Limit = 100) -> list[DriveFile]:
    """List what is in a folder.

    Folders first, then by name; what is in the trash is left out. For anything below see search_files.
    """
    return await find(call, f"{quoted(folder_id)} in parents and trashed = false", "folder,name_natural", limit)


@action(effect=Effect.READ, scopes=OWN_FILES)
async def get_file(call: Call, *, file_id: FileId) -> DriveFile:
    """Show a file: its name, size, folder, owner and link, without its content.

    Not found when the connection may see only files that were made with it, and this is another.
    """
    return await look(call, file_id)


async def look(call: Call, file_id: str) -> DriveFile:
    """One file. Raises NotThere."""
    query: Query = {"fields": FILE_FIELDS, **EVERYWHERE}
    return DriveFile.of((await call.get(ONE_FILE, query=query, file_id=file_id)).json)


async def find(call: Call, q: str, order: str | None, limit: int) -> list[DriveFile]:
    """The files that answer to one of Drive's queries."""
    query: Query = {
        "q": q,
        "orderBy": order,
        "fields": f"nextPageToken,files({FILE_FIELDS})",
        **EVERYWHERE,
        "includeItemsFromAllDrives": True,
    }
    return [DriveFile.of(each) for each in await call.pages(FILES, limit=limit, items="files", query=query)]


def quoted(value: str) -> str:
    """A value as Drive's queries want it: it cannot end the string it stands in."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _of_kind(kind: Sought) -> str:
    if kind in _FAMILIES:
        return f"mimeType contains {quoted(f'{kind}/')}"
    return f"mimeType = {quoted(_TYPES[kind])}"


def _moment(moment: datetime) -> str:
    """RFC 3339; Drive takes it for UTC."""
    return quoted(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}")
