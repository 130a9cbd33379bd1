"""Reading what is in files: downloaded as they are, or exported from Google's own formats."""

from typing import Literal, TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.call import Answer
from adapters._kit.content import ReceivedContent
from adapters.google_drive.parameters import EVERYWHERE, ONE_FILE, OWN_FILES, READ_ALL, FileId
from adapters.google_drive.results import DriveAccount, DriveFile, Kind, ReadFile
from adapters.google_drive.searching import look
from domain.errors import Rejected

#: What the gateway takes from a service in one answer.
LARGEST_BYTES = 10 * 1024 * 1024

Format: TypeAlias = Literal["markdown", "text", "html", "csv", "pdf", "word", "excel", "powerpoint", "png"]

_FORMATS: dict[Format, str] = {
    "markdown": "text/markdown",
    "text": "text/plain",
    "html": "text/html",
    "csv": "text/csv",
    "pdf": "application/pdf",
    "word": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "excel": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "powerpoint": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "png": "image/png",
}
_AS_TEXT: dict[Kind, Format] = {"document": "markdown", "spreadsheet": "csv", "presentation": "text"}


@action(effect=Effect.READ, scopes=OWN_FILES)
async def get_account(call: Call) -> DriveAccount:
    """Show whose Drive it is and how much room is left."""
    query = {"fields": "user(permissionId,emailAddress,displayName),storageQuota(limit,usage)"}
    return DriveAccount.of((await call.get("drive/v3/about", query=query)).json)


@action(effect=Effect.READ, scopes=READ_ALL)
async def read_file(call: Call, *, file_id: FileId) -> ReadFile:
    """Read a file from Google Drive.

    Any file the account may open. Google Docs come as Markdown, Sheets as CSV (the first sheet only), Slides as plain
    text, everything else as it is: text as text, the rest in base64. A shortcut leads to what it stands for. At most
    512 KiB are returned (`content.is_truncated` says when there is more), and files above 10 MiB are refused. Another
    format: export_file.
    """
    file = await look(call, file_id)
    if file.shortcut_to:
        file = await look(call, file.shortcut_to)
    if file.kind in _AS_TEXT:
        return ReadFile(file=file, content=await _export(call, file.id, _AS_TEXT[file.kind]))
    return ReadFile(file=file, content=await _download(call, _downloadable(file).id))


@action(effect=Effect.READ, scopes=OWN_FILES)
async def get_file_content(call: Call, *, file_id: FileId) -> ReceivedContent:
    """Download a file that was uploaded.

    As it is, one request, at most 512 KiB of it. Refused for Google Docs, Sheets and Slides: see export_file. Not found
    when the connection may see only files that were made with it, and this is another: see read_file.
    """
    return await _download(call, file_id)


@action(effect=Effect.READ, scopes=OWN_FILES)
async def export_file(
    call: Call,
    *,
    file_id: FileId,
    format: Annotated[
        Format,
        Field(
            description="Docs: markdown, text, html, pdf, word. Sheets: csv (first sheet), excel, pdf. "
            "Slides: text, pdf, powerpoint. Drawings: png, pdf."
        ),
    ],
) -> ReceivedContent:
    """Export a Google Doc, Sheet or Slides file.

    Google exports up to 10 MB; at most 512 KiB are returned. Refused for files that were uploaded: see
    get_file_content. Not found when the connection may see only files that were made with it, and this is another.
    """
    return await _export(call, file_id, format)


def _downloadable(file: DriveFile) -> DriveFile:
    if file.kind != "file":
        raise Rejected(f"This is a {file.kind.replace('_', ' ')}, which has no content to read as text.")
    if (file.size_bytes or 0) > LARGEST_BYTES:
        raise Rejected(f"The file has {file.size_bytes} bytes; at most {LARGEST_BYTES} can be read.")
    return file


async def _download(call: Call, file_id: str) -> ReceivedContent:
    return _content(await call.get(ONE_FILE, query={"alt": "media", **EVERYWHERE}, file_id=file_id))


async def _export(call: Call, file_id: str, format: Format) -> ReceivedContent:
    return _content(await call.get(ONE_FILE + "/export", query={"mimeType": _FORMATS[format]}, file_id=file_id))


def _content(answer: Answer) -> ReceivedContent:
    return ReceivedContent.of_bytes(answer.incoming.body, answer.headers.get("content-type", ""))
