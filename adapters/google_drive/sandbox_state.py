"""What the Google Drive sandbox remembers, and what it knows when it is new. Everybody in it is invented."""

import secrets
from base64 import b64decode, b64encode
from hashlib import md5

from pydantic import BaseModel, Field, JsonValue

from adapters._kit.sandbox_google import GoogleWorld, google_oauth, google_people

_AUTH = "https://www.googleapis.com/auth/"
DRIVE, READONLY, METADATA, FILE = (
    f"{_AUTH}{name}" for name in ("drive", "drive.readonly", "drive.metadata.readonly", "drive.file")
)
SCOPES = {
    DRIVE: "See, edit, create and delete all of your Google Drive files",
    READONLY: "See and download all your Google Drive files",
    METADATA: "See information about your Google Drive files",
    FILE: "See, edit, create and delete only the specific Google Drive files you use with this app",
}
CONTAINS = {DRIVE: {READONLY, METADATA, FILE}, READONLY: {METADATA}}

DOCUMENT = "application/vnd.google-apps.document"
SPREADSHEET = "application/vnd.google-apps.spreadsheet"
PRESENTATION = "application/vnd.google-apps.presentation"
FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
GOOGLE = "application/vnd.google-apps."

_BEGINNING = "2026-01-12T09:00:00.000Z"


class Permission(BaseModel):
    """What somebody may do with a file. `email` for people and groups, `domain` for organisations."""

    id: str
    kind: str
    role: str
    email: str = ""
    name: str = ""
    domain: str = ""
    findable: bool = False


class File(BaseModel):
    """A file or folder. Google's own formats keep text; `by_app` tells what was made through the API."""

    id: str
    name: str
    media_type: str
    owner: str
    parent: str
    data: str = ""
    created_at: str = _BEGINNING
    modified_at: str = _BEGINNING
    description: str = ""
    target: str = ""
    trashed: bool = False
    starred: bool = False
    by_app: bool = False
    permissions: list[Permission] = Field(default_factory=list)
    app_properties: dict[str, str] = Field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """What is in it."""
        return b64decode(self.data)

    @property
    def is_google(self) -> bool:
        """Whether it has no content of its own to download."""
        return self.media_type.startswith(GOOGLE)

    @property
    def md5(self) -> str:
        """As Drive tells it for what was uploaded."""
        return md5(self.content, usedforsecurity=False).hexdigest()

    def write(self, content: bytes, when: str) -> None:
        """Other content, from now on."""
        self.data, self.modified_at = b64encode(content).decode(), when


class World(GoogleWorld):
    """All of it. `unused_ids` were given out and wait for their file; roots are by person."""

    files: dict[str, File] = Field(default_factory=dict)
    roots: dict[str, str] = Field(default_factory=dict)
    unused_ids: list[str] = Field(default_factory=list)
    mails: list[dict[str, JsonValue]] = Field(default_factory=list)

    def new_id(self) -> str:
        """An id nothing else has."""
        return f"1sbx{secrets.token_urlsafe(18)}"

    def add(self, file: File, permission: Permission) -> File:
        """Keep a file, owned by whoever the permission names."""
        file.permissions.append(permission)
        self.files[file.id] = file
        return file


def owner_permission(world: World, sub: str) -> Permission:
    """That of the owner."""
    person = world.person(sub)
    email, name = (person.email, person.name) if person else ("", "")
    return Permission(id=f"0{sub}", kind="user", role="owner", email=email, name=name)


def seeded_world() -> World:
    """Mara's Drive with two folders, files of several kinds, one shared by Jon; and a file of Jon's own."""
    mara, jon = google_people()
    world = World(people=[mara, jon], oauth=google_oauth([*SCOPES]))
    for person, root in ((mara, "0AMaraRoot"), (jon, "0AJonRoot")):
        world.roots[person.sub] = root
        world.add(
            File(id=root, name="My Drive", media_type=FOLDER, owner=person.sub, parent=""),
            owner_permission(world, person.sub),
        )
    seeds = [
        ("folder-berths", "Berths", FOLDER, "0AMaraRoot", ""),
        ("folder-old", "Old things", FOLDER, "0AMaraRoot", ""),
        ("doc-minutes", "Minutes of March", DOCUMENT, "0AMaraRoot", "# Minutes\n\nThe harbour master's report.\n"),
        ("sheet-fees", "Fees 2026", SPREADSHEET, "folder-berths", "berth,fee\n7,35\n8,40\n"),
        ("slides-plan", "Plan for the pier", PRESENTATION, "0AMaraRoot", "The pier\nLonger by ten metres\n"),
        ("file-price", "price list.csv", "text/csv", "folder-berths", "size,price\n6 m,35\n9 m,52\n"),
        ("file-logo", "logo.png", "image/png", "0AMaraRoot", "\x89PNG\x00\x01"),
        ("file-quote", "Jon's \\ quote's.txt", "text/plain", "folder-old", "It's the harbour's.\n"),
    ]
    for id, name, kind, parent, text in seeds:
        file = File(id=id, name=name, media_type=kind, owner=mara.sub, parent=parent)
        file.write(text.encode("latin-1"), _BEGINNING)
        world.add(file, owner_permission(world, mara.sub))
    link = File(id="link-minutes", name="To the minutes", media_type=SHORTCUT, owner=mara.sub, parent="folder-old")
    link.target = "doc-minutes"
    world.add(link, owner_permission(world, mara.sub))
    _seed_jon(world, jon.sub, mara.sub, mara.email)
    return world


def _seed_jon(world: World, jon: str, mara: str, email: str) -> None:
    shared = File(id="doc-tides", name="Tide tables", media_type=DOCUMENT, owner=jon, parent="0AJonRoot")
    shared.write(b"High water at noon.\n", _BEGINNING)
    world.add(shared, owner_permission(world, jon))
    shared.permissions.append(Permission(id=f"0{mara}", kind="user", role="reader", email=email, name="Mara Keel"))
    diary = File(id="file-diary", name="diary.txt", media_type="text/plain", owner=jon, parent="0AJonRoot")
    diary.write(b"Dear diary.\n", _BEGINNING)
    world.add(diary, owner_permission(world, jon))
