"""The parameters that Google Drive's actions share, the permissions they need, and what they ask Drive to answer."""

from typing import Final, Literal, TypeAlias

from adapters._kit import Annotated, Field

#: `drive.file` opens the files that were made with it, and no others.
OWN_FILES: Final = ("https://www.googleapis.com/auth/drive.file",)
SEE_ALL: Final = ("https://www.googleapis.com/auth/drive.metadata.readonly",)
READ_ALL: Final = ("https://www.googleapis.com/auth/drive.readonly",)
CHANGE_ALL: Final = ("https://www.googleapis.com/auth/drive",)

FILES: Final = "drive/v3/files"
ONE_FILE: Final = "drive/v3/files/{file_id}"

#: Drive answers with four members unless it is told which.
FILE_FIELDS: Final = (
    "id,name,mimeType,description,size,createdTime,modifiedTime,parents,trashed,starred,shared,driveId,webViewLink,"
    "owners(emailAddress),shortcutDetails(targetId)"
)
#: Without it, what lies in shared drives is not found.
EVERYWHERE: Final[dict[str, str | bool | None]] = {"supportsAllDrives": True}

DOCUMENT: Final = "application/vnd.google-apps.document"
SPREADSHEET: Final = "application/vnd.google-apps.spreadsheet"
PRESENTATION: Final = "application/vnd.google-apps.presentation"
FOLDER: Final = "application/vnd.google-apps.folder"
SHORTCUT: Final = "application/vnd.google-apps.shortcut"

_ID = r"^[A-Za-z0-9_-]{1,200}$"

FileId: TypeAlias = Annotated[
    str, Field(description="Id of the file or folder, as search_files tells it; not its name.", pattern=_ID)
]
FolderId: TypeAlias = Annotated[
    str, Field(description="Id of a folder or shared drive; `root` is the top of My Drive.", pattern=_ID)
]
PermissionId: TypeAlias = Annotated[
    str, Field(description="Id of the permission, as list_permissions tells it.", pattern=_ID)
]
NewId: TypeAlias = Annotated[
    str,
    Field(
        description="An unused id from generate_ids. With it, repeating is safe: the same again is made only once.",
        pattern=_ID,
    ),
]
FileName: TypeAlias = Annotated[
    str,
    Field(
        description="Name with its extension, such as `report.csv`; no path. Two files may have the same name.",
        min_length=1,
        max_length=1000,
        pattern=r"^[^\x00-\x1f]+$",
    ),
]
Description: TypeAlias = Annotated[str, Field(description="What it is, for people.", max_length=5000)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$")]
Email: TypeAlias = Annotated[
    str, Field(max_length=320, pattern=r"^[^\s@'\\\x00-\x1f]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$")
]
Role: TypeAlias = Annotated[
    Literal["reader", "commenter", "writer"], Field(description="What they may do: look, comment, or change it.")
]
