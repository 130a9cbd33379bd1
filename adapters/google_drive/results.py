"""What Google Drive's actions answer with."""

from datetime import datetime
from typing import Literal, TypeAlias

from adapters._kit import AliasPath, Field, Result, field_validator
from adapters._kit.content import ReceivedContent
from adapters.google_drive.parameters import DOCUMENT, FOLDER, PRESENTATION, SHORTCUT, SPREADSHEET
from domain.json import Json

Kind: TypeAlias = Literal["folder", "document", "spreadsheet", "presentation", "shortcut", "google_file", "file"]

_KINDS: dict[str, Kind] = {
    DOCUMENT: "document",
    SPREADSHEET: "spreadsheet",
    PRESENTATION: "presentation",
    FOLDER: "folder",
    SHORTCUT: "shortcut",
}
_GOOGLE = "application/vnd.google-apps."


class DriveFile(Result):
    """A file or folder, without its content."""

    id: str
    name: str
    kind: Kind = Field(
        description="`google_file` is any other of Google's own, `file` what was uploaded.", validation_alias="mimeType"
    )
    media_type: str = Field(validation_alias="mimeType")
    description: str | None = None
    size_bytes: int | None = Field(default=None, validation_alias="size")
    created_at: datetime | None = Field(default=None, validation_alias="createdTime")
    modified_at: datetime | None = Field(default=None, validation_alias="modifiedTime")
    folder_id: str | None = Field(default=None, validation_alias=AliasPath("parents", 0))
    shared_drive_id: str | None = Field(default=None, validation_alias="driveId")
    owner: str | None = Field(
        default=None,
        description="E-mail address; files in shared drives have none.",
        validation_alias=AliasPath("owners", 0, "emailAddress"),
    )
    is_shared: bool = Field(default=False, validation_alias="shared")
    is_starred: bool = Field(default=False, validation_alias="starred")
    is_trashed: bool = Field(default=False, validation_alias="trashed")
    shortcut_to: str | None = Field(default=None, validation_alias=AliasPath("shortcutDetails", "targetId"))
    url: str | None = Field(default=None, description="For people, in the browser.", validation_alias="webViewLink")

    @field_validator("kind", mode="before")
    @classmethod
    def _of_media_type(cls, sent: Json) -> Json:
        """Drive tells the media type only. It has a `kind` too, which is something else."""
        media_type = str(sent)
        return _KINDS.get(media_type) or ("google_file" if media_type.startswith(_GOOGLE) else "file")


class ReadFile(Result):
    """A file with its content."""

    file: DriveFile
    content: ReceivedContent


class DriveAccount(Result):
    """Whose Drive it is, and how full."""

    id: str = Field(validation_alias=AliasPath("user", "permissionId"))
    email: str | None = Field(default=None, validation_alias=AliasPath("user", "emailAddress"))
    name: str | None = Field(default=None, validation_alias=AliasPath("user", "displayName"))
    used_bytes: int | None = Field(default=None, validation_alias=AliasPath("storageQuota", "usage"))
    limit_bytes: int | None = Field(
        default=None, description="None when there is no limit.", validation_alias=AliasPath("storageQuota", "limit")
    )


class Permission(Result):
    """Who may do what with a file."""

    id: str
    kind: str = Field(description="user, group, domain or anyone.", validation_alias="type")
    role: str = Field(description="owner, organizer, fileOrganizer, writer, commenter or reader.")
    email: str | None = Field(default=None, validation_alias="emailAddress")
    name: str | None = Field(default=None, validation_alias="displayName")
    domain: str | None = None
    is_findable: bool = Field(
        default=False, description="Whether search finds it for them.", validation_alias="allowFileDiscovery"
    )
    ends_at: datetime | None = Field(default=None, validation_alias="expirationTime")

    @field_validator("is_findable", mode="before")
    @classmethod
    def _plain(cls, sent: Json) -> Json:
        return sent or False
