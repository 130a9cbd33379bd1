"""What the Microsoft 365 sandbox remembers.

Everybody in it is invented. The tokens below are printed here on purpose: they open nothing but a sandbox.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from pydantic import BaseModel, Field, JsonValue

from adapters._kit.sandbox import RateLimits, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import OAuthServer, OAuthState

TOKEN_ADA = "sandbox_access_ada_everything"  # printed on purpose
TOKEN_BEN = "sandbox_access_ben_everything"  # printed on purpose
TOKEN_ADA_PROFILE = "sandbox_access_ada_profile_only"  # printed on purpose

Shape: TypeAlias = dict[str, JsonValue]

#: The folders every mailbox has: well-known name, shown name.
FOLDERS = {
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "archive": "Archive",
    "deleteditems": "Deleted Items",
    "junkemail": "Junk Email",
}


class Person(BaseModel):
    """An invented account."""

    id: str
    name: str
    mail: str
    title: str


class AttachedFile(BaseModel):
    """A file in a message; `content` is base64."""

    id: str
    name: str
    media_type: str
    content: str


class Mail(BaseModel):
    """A message in one person's mailbox. Addresses without names; `marks` are extended properties by id."""

    id: str
    owner: str
    folder: str
    conversation: str
    subject: str
    content: str
    content_type: str = "text"
    sender: str
    to: list[str] = Field(default_factory=list)
    cc: list[str] = Field(default_factory=list)
    bcc: list[str] = Field(default_factory=list)
    reply_to: list[str] = Field(default_factory=list)
    at: str
    is_read: bool = False
    is_draft: bool = False
    importance: str = "normal"
    categories: list[str] = Field(default_factory=list)
    flag: str = "notFlagged"
    files: list[AttachedFile] = Field(default_factory=list)
    marks: dict[str, str] = Field(default_factory=dict)


class Invited(BaseModel):
    """Somebody invited to an event."""

    address: str
    kind: str = "required"
    answer: str = "none"


class Event(BaseModel):
    """An event. `start` and `end` are in UTC, without the Z."""

    id: str
    owner: str
    calendar: str
    subject: str
    start: str
    end: str
    is_all_day: bool = False
    location: str = ""
    content: str = ""
    content_type: str = "text"
    invited: list[Invited] = Field(default_factory=list)
    join_url: str | None = None
    show_as: str = "busy"
    reminder: int = 15
    transaction: str | None = None


class Calendar(BaseModel):
    """A calendar."""

    id: str
    owner: str
    name: str
    is_default: bool = False


class Contact(BaseModel):
    """A contact in one person's address book."""

    id: str
    owner: str
    name: str
    mail: list[str]
    phones: list[str] = Field(default_factory=list)
    company: str = ""


class Channel(BaseModel):
    """A channel of a team."""

    id: str
    team: str
    name: str


class Team(BaseModel):
    """A team; `members` are ids of people."""

    id: str
    name: str
    description: str
    members: list[str]


class Chat(BaseModel):
    """A chat; `members` are ids of people."""

    id: str
    kind: str
    topic: str | None
    members: list[str]
    at: str


class Said(BaseModel):
    """A message in a channel or chat. `place` is the channel's or chat's id."""

    id: str
    place: str
    author: str
    content: str
    content_type: str
    at: str
    subject: str | None = None
    below: str | None = None


class Permission(BaseModel):
    """Who may do what with a file: people, or whoever has a link."""

    id: str
    roles: list[str]
    people: list[str] = Field(default_factory=list)
    link_type: str = ""
    link_scope: str = ""
    expires_at: str | None = None


class Item(BaseModel):
    """A file (`content` is base64) or a folder (no content) in one person's OneDrive. The top has no parent."""

    id: str
    owner: str
    name: str
    parent: str | None
    at: str
    content: str | None = None
    media_type: str = "application/octet-stream"
    permissions: list[Permission] = Field(default_factory=list)


class World(BaseModel):
    """All of it."""

    oauth: OAuthState = Field(default_factory=OAuthState)
    last_number: int = 1000
    people: list[Person] = Field(default_factory=list)
    mail: list[Mail] = Field(default_factory=list)
    calendars: list[Calendar] = Field(default_factory=list)
    events: list[Event] = Field(default_factory=list)
    contacts: list[Contact] = Field(default_factory=list)
    teams: list[Team] = Field(default_factory=list)
    channels: list[Channel] = Field(default_factory=list)
    chats: list[Chat] = Field(default_factory=list)
    said: list[Said] = Field(default_factory=list)
    items: list[Item] = Field(default_factory=list)

    def new_number(self) -> int:
        """A number nothing else has."""
        self.last_number += 1
        return self.last_number

    def new_id(self, prefix: str) -> str:
        """An id that looks like none of the real ones, and is as opaque."""
        return f"{prefix}-{self.new_number():06d}="

    def person(self, told: str) -> Person | None:
        """Somebody by id or address, in any letter case."""
        return next((one for one in self.people if told.lower() in (one.id, one.mail)), None)


@dataclass
class Hub:
    """A running sandbox: the world, its file, its clock (epoch seconds), its limits, its tokens."""

    world: World
    file: StateFile[World]
    now: Callable[[], float]
    limits: RateLimits
    control: SandboxControl
    oauth: OAuthServer

    def stamp(self) -> str:
        """Now, as Graph writes it."""
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def performed(self, route: str) -> None:
        """A write has happened: count it and keep it."""
        self.control.effects[route] += 1
        self.file.save(self.world)
