"""What the Slack sandbox remembers, and what it knows when it is new.

Everybody in it is invented. The tokens below are printed here on purpose: they open nothing but a sandbox.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, Field

from adapters._kit.sandbox import RateLimits, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import FixedToken, Lifetime, OAuthClient, OAuthServer, OAuthState

CLIENT_ID = "mandate-sandbox"
ROTATING_CLIENT_ID = "mandate-sandbox-rotating"
CLIENT_SECRET = "mandate-sandbox-secret"  # printed on purpose
TOKEN_BOT = "xoxb-sandbox-harbour-works"  # printed on purpose
TOKEN_BOT_READS = "xoxb-sandbox-reads-only"  # printed on purpose
TOKEN_USER = "xoxp-sandbox-lin-harbour"  # printed on purpose

TEAM_ID = "T0HARBOUR"
TEAM_NAME = "Harbour Works"
APP_ID = "A0MANDATE"
BOT_ID = "B0MANDATE"
BOT_USER = "U0MANDATE"
HALF_A_DAY_SECONDS = 43_200

_BEGINNING = 1_768_208_400.0  # 2026-01-12T09:00:00Z


class Person(BaseModel):
    """Somebody in the workspace, or an app's user."""

    id: str
    name: str
    real_name: str
    email: str = ""
    title: str = ""
    tz: str = "Europe/Oslo"
    is_bot: bool = False
    deleted: bool = False


class Message(BaseModel):
    """A message. `reactions` lists who reacted with each emoji."""

    ts: str
    user: str
    text: str
    by_bot: bool = False
    subtype: str = ""
    thread_ts: str = ""
    broadcast: bool = False
    edited_by: str = ""
    reactions: dict[str, list[str]] = Field(default_factory=dict)
    files: list[str] = Field(default_factory=list)


class Channel(BaseModel):
    """A public channel, or a direct message when `with_user` is set. `messages` in order of time."""

    id: str
    name: str
    creator: str
    created: int
    topic: str = ""
    purpose: str = ""
    with_user: str = ""
    is_general: bool = False
    is_archived: bool = False
    members: list[str] = Field(default_factory=list)
    messages: list[Message] = Field(default_factory=list)


class File(BaseModel):
    """A file; before `completed` only its upload address is known. `received` is how many bytes came."""

    id: str
    name: str
    title: str
    user: str
    length: int
    created: int
    key: str = ""
    received: int | None = None
    completed: bool = False
    channels: list[str] = Field(default_factory=list)


class Scheduled(BaseModel):
    """A message to be posted at `post_at` (Unix seconds)."""

    id: str
    channel: str
    user: str
    text: str
    thread_ts: str
    post_at: int


class World(BaseModel):
    """All of it."""

    oauth: OAuthState = Field(default_factory=OAuthState)
    last_id: int = 4000
    last_ts: float = _BEGINNING
    people: list[Person] = Field(default_factory=list)
    channels: list[Channel] = Field(default_factory=list)
    files: list[File] = Field(default_factory=list)
    scheduled: list[Scheduled] = Field(default_factory=list)

    def new_id(self, kind: str) -> str:
        """An id nothing else has, beginning with the letter of its kind."""
        self.last_id += 1
        return f"{kind}0SANDBOX{self.last_id}"

    def new_ts(self, now: float) -> str:
        """A timestamp later than all before: it names a message."""
        self.last_ts = max(now, self.last_ts + 0.0001)
        return f"{self.last_ts:.6f}"

    def person(self, user: str) -> Person | None:
        """Somebody by id."""
        return next((one for one in self.people if one.id == user), None)

    def channel(self, channel: str) -> Channel | None:
        """A channel or direct message by id."""
        return next((one for one in self.channels if one.id == channel), None)

    def public(self) -> Iterator[Channel]:
        """The public channels."""
        return (one for one in self.channels if not one.with_user)

    def direct(self, user: str, now: float) -> Channel:
        """The app's direct message with a person: the one there is, or a new one."""
        for known in self.channels:
            if known.with_user == user:
                return known
        new = Channel(
            id=self.new_id("D"), name="", creator=BOT_USER, created=int(now), with_user=user, members=[BOT_USER, user]
        )
        self.channels.append(new)
        return new


@dataclass
class Hub:
    """A running sandbox: the world, its file, its clock (epoch seconds), its limits, its OAuth half."""

    world: World
    file: StateFile[World]
    now: Callable[[], float]
    limits: RateLimits
    control: SandboxControl
    oauth: OAuthServer

    def performed(self, method: str) -> None:
        """A write has happened: count it and keep it."""
        self.control.effects[f"POST /api/{method}"] += 1
        self.file.save(self.world)


BOT_SCOPES = [
    *("channels:history", "channels:join", "channels:manage", "channels:read", "chat:write", "files:read"),
    *("files:write", "im:write", "reactions:write", "users:read", "users:read.email"),
]


def seeded_world(clients: list[OAuthClient] | None = None) -> World:
    """A new world: a workspace with three people and an app, three channels (the app is in two), some talk."""
    lin = Person(id="U0LIN", name="lin", real_name="Lin Harbour", email="lin@harbour.example", title="Harbour master")
    sam = Person(id="U0SAM", name="sam", real_name="Sam Quay", email="sam@quay.example", title="Pilot")
    ida = Person(id="U0IDA", name="ida", real_name="Ida Mole", email="ida@mole.example", deleted=True)
    bot = Person(id=BOT_USER, name="mandate", real_name="Mandate (sandbox)", is_bot=True)
    world = World(people=[lin, sam, ida, bot])
    world.oauth.clients = _seeded_clients() if clients is None else clients
    world.oauth.fixed_tokens = [
        FixedToken(token=TOKEN_BOT, account=lin.id, scopes=BOT_SCOPES, kind="bot"),
        FixedToken(token=TOKEN_BOT_READS, account=lin.id, scopes=["channels:read", "users:read"], kind="bot"),
        FixedToken(token=TOKEN_USER, account=lin.id, scopes=["search:read"], kind="user"),
    ]
    everybody = [lin.id, sam.id, BOT_USER]
    general = _seed_channel(world, "C0GENERAL", "general", "Everybody is here.", everybody)
    general.is_general = True
    harbour = _seed_channel(world, "C0HARBOUR", "harbour", "Berths, tides and arrivals.", everybody)
    pilots = _seed_channel(world, "C0PILOTS", "pilots", "Who goes out when.", [sam.id])
    _say(world, general, lin, "Good morning, harbour.")
    question = _say(world, harbour, sam, "Is berth 7 free at high water?")
    _say(world, harbour, lin, "From 14:20 on.", question.ts)
    _say(world, harbour, lin, "The *Marigold* arrives tomorrow.").reactions["ship"] = [sam.id]
    _say(world, pilots, sam, "I take the morning.")
    chart = File(
        id="F0TIDES", name="tides.csv", title="Tides of January", user=lin.id, length=2048, created=1_768_208_400
    )
    chart.completed, chart.channels = True, [harbour.id]
    world.files.append(chart)
    return world


def _seeded_clients() -> list[OAuthClient]:
    """An app without token rotation, and one with it (12 hours, each refresh token once)."""
    rotating = Lifetime(access_seconds=HALF_A_DAY_SECONDS, refresh="rotating")
    name = "Mandate (sandbox)"
    return [
        OAuthClient(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name=name, any_loopback=True),
        OAuthClient(
            client_id=ROTATING_CLIENT_ID, client_secret=CLIENT_SECRET, name=name, any_loopback=True, lifetime=rotating
        ),
    ]


def _seed_channel(world: World, id: str, name: str, purpose: str, members: list[str]) -> Channel:
    channel = Channel(id=id, name=name, creator="U0LIN", created=int(_BEGINNING), purpose=purpose, members=members)
    world.channels.append(channel)
    return channel


def _say(world: World, channel: Channel, person: Person, text: str, thread_ts: str = "") -> Message:
    message = Message(ts=world.new_ts(_BEGINNING), user=person.id, text=text, thread_ts=thread_ts)
    channel.messages.append(message)
    return message
