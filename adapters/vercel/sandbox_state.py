"""What the Vercel sandbox remembers, and what it knows when it is new. Everything in it is invented.

Moments are in milliseconds, as Vercel writes them, and no two are equal: lists go on by them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from adapters._kit.sandbox import RateLimits, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import FixedToken, OAuthClient, OAuthServer, OAuthState

CLIENT_ID = "oac_mandate_sandbox"
CLIENT_SECRET = "mandate-sandbox-secret"
LIN, SAM = "usr_sandbox_lin", "usr_sandbox_sam"
TEAM = "team_HarbourWorks01"
#: Of Lin, who belongs to the team.
TOKEN = "vcp_sandbox_lin_everything"
READING_TOKEN = "vcp_sandbox_lin_reading_only"
#: Of Sam, who does not.
OTHER_TOKEN = "vcp_sandbox_sam_everything"

SCOPE_WORDS = {
    "read:user": "See your name, user name and e-mail address",
    "read:team": "See the team",
    "read:project": "See projects",
    "read-write:project": "Create, change and delete projects",
    "read:deployment": "See deployments and their logs",
    "read-write:deployment": "Deploy, stop deployments, choose what production serves",
    "read:project-env-vars": "See the names of environment variables",
    "read-write:project-env-vars": "Set, change and delete environment variables",
    "read:domain": "See domains",
    "read-write:domain": "Add and remove domains",
}
WIDER = {wide: {wide.replace("read-write:", "read:")} for wide in SCOPE_WORDS if wide.startswith("read-write:")}
READING = [scope for scope in SCOPE_WORDS if scope.startswith("read:")]

QUEUED_SECONDS, BUILD_SECONDS = 1, 6
#: A deployment fails when its branch begins with this, or when this file is in it.
BROKEN_BRANCH, BROKEN_FILE = "broken", "broken.txt"
#: A domain whose DNS records are never seen.
UNSET = "unset-"

State = Literal["QUEUED", "BUILDING", "READY", "ERROR", "CANCELED"]


class Person(BaseModel):
    """A person with an account."""

    id: str
    username: str
    name: str
    email: str
    teams: list[str] = Field(default_factory=list)


class Team(BaseModel):
    """A team."""

    id: str
    slug: str
    name: str


class Variable(BaseModel):
    """An environment variable. Of its value only a fingerprint is kept."""

    id: str
    key: str
    fingerprint: str
    type: str
    target: list[str]
    git_branch: str | None = None
    comment: str | None = None
    created: int
    updated: int


class Domain(BaseModel):
    """A domain of a project. `proof` is what its DNS must say until it is verified."""

    name: str
    verified: bool
    proof: str
    redirect: str | None = None
    redirect_status: int | None = None
    git_branch: str | None = None
    created: int
    updated: int


class Project(BaseModel):
    """A project. `serving` is the deployment that production serves, chosen by a person at `switched`; `pinned` after
    a rollback, so that new ones do not take its place by themselves.
    """

    id: str
    name: str
    owner: str
    framework: str | None = None
    build_command: str | None = None
    install_command: str | None = None
    output_directory: str | None = None
    root_directory: str | None = None
    node_version: str = "22.x"
    repository: tuple[str, str, str] | None = None
    serving: str | None = None
    pinned: bool = False
    switched: int = 0
    created: int
    updated: int
    variables: list[Variable] = Field(default_factory=list)
    domains: list[Domain] = Field(default_factory=list)


class Deployment(BaseModel):
    """A deployment; how far it is follows from the clock."""

    id: str
    name: str
    project: str
    owner: str
    creator: str
    url: str
    production: bool
    fails: bool
    source: Literal["git", "cli", "redeploy"]
    files: list[str] = Field(default_factory=list)
    ref: str | None = None
    created: int
    canceled: int | None = None

    @property
    def ready(self) -> int:
        """When the build ends, well or not."""
        return self.created + (QUEUED_SECONDS + BUILD_SECONDS) * 1000

    def state(self, now_ms: int) -> State:
        """How far it is."""
        if self.canceled is not None:
            return "CANCELED"
        if now_ms < self.created + QUEUED_SECONDS * 1000:
            return "QUEUED"
        if now_ms < self.ready:
            return "BUILDING"
        return "ERROR" if self.fails else "READY"


class World(BaseModel):
    """All of it. Projects and deployments by id; uploaded files by owner and digest, with their size."""

    last_number: int = 0
    last_moment: int = 0
    people: dict[str, Person] = Field(default_factory=dict)
    teams: dict[str, Team] = Field(default_factory=dict)
    projects: dict[str, Project] = Field(default_factory=dict)
    deployments: dict[str, Deployment] = Field(default_factory=dict)
    files: dict[str, int] = Field(default_factory=dict)
    oauth: OAuthState = Field(default_factory=OAuthState)

    def new_id(self, prefix: str) -> str:
        """An identifier nothing else has."""
        self.last_number += 1
        return f"{prefix}{hashlib.sha256(f'sandbox {self.last_number}'.encode()).hexdigest()[:24]}"

    def moment(self, now: float) -> int:
        """Now, in milliseconds; later than every moment before."""
        self.last_moment = max(self.last_moment + 1, int(now * 1000))
        return self.last_moment


@dataclass
class Hub:
    """The running sandbox."""

    world: World
    file: StateFile[World]
    now: Callable[[], float]
    control: SandboxControl
    limits: RateLimits
    oauth: OAuthServer
    listening_seconds: float
    arrived: float = 0  # when the call came that is being answered: time stands still while it is

    def moment(self) -> int:
        """For something that happens now."""
        return self.world.moment(self.arrived)

    def now_ms(self) -> int:
        """The time, without counting as something that happens."""
        return int(self.arrived * 1000)

    def state(self, deployment: Deployment) -> State:
        """How far a deployment is now."""
        return deployment.state(max(self.now_ms(), deployment.created))

    def performed(self, route: str) -> None:
        """A write has happened: count it and keep it."""
        self.control.effects[route] += 1
        self.file.save(self.world)

    def settle(self) -> None:
        """A call has come. Let production serve the newest deployment that has become ready for it meanwhile."""
        self.arrived = self.now()
        for project in self.world.projects.values():
            if project.pinned:
                continue
            ready = [
                each
                for each in self.world.deployments.values()
                if each.project == project.id and each.production and each.ready > project.switched
                if self.state(each) == "READY"
            ]
            if ready:
                project.serving = max(ready, key=lambda each: each.created).id


def fingerprint_of(value: str) -> str:
    """Enough to see that a value has changed."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def seeded_world(clients: list[OAuthClient] | None, now: float) -> World:
    """Lin, who belongs to a team, and Sam. The team has a website; Lin and Sam have one each."""
    world = World()
    world.people = {
        LIN: Person(id=LIN, username="lin-harbour", name="Lin Harbour", email="lin@harbour.example", teams=[TEAM]),
        SAM: Person(id=SAM, username="sam-quay", name="Sam Quay", email="sam@quay.example"),
    }
    world.teams = {TEAM: Team(id=TEAM, slug="harbour-works", name="Harbour Works")}
    integration = OAuthClient(
        client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Mandate (sandbox)", any_loopback=True
    )
    world.oauth.clients = [integration] if clients is None else clients
    world.oauth.fixed_tokens = [
        FixedToken(token=TOKEN, account=LIN, scopes=[*SCOPE_WORDS]),
        FixedToken(token=READING_TOKEN, account=LIN, scopes=READING),
        FixedToken(token=OTHER_TOKEN, account=SAM, scopes=[*SCOPE_WORDS]),
    ]
    begin = now - 10 * 86_400
    site = _site(world, "harbour-site", TEAM, LIN, begin)
    site.repository = ("github", "harbour-works", "site")
    made = world.moment(begin)
    site.domains = [
        Domain(name="harbour-works.example", verified=True, proof="", created=made, updated=world.moment(begin)),
    ]
    secret = {"fingerprint": fingerprint_of("invented"), "type": "encrypted", "target": ["production", "preview"]}
    site.variables = [
        Variable.model_validate(
            {"id": world.new_id("env"), "key": "API_KEY", "created": made, "updated": made, **secret}
        )
    ]
    _site(world, "lamp-notes", LIN, LIN, begin)
    _site(world, "tide-tables", SAM, SAM, begin)
    return world


def _site(world: World, name: str, owner: str, creator: str, begin: float) -> Project:
    """A website that was put online twice."""
    made = world.moment(begin)
    project = Project(id=world.new_id("prj_"), name=name, owner=owner, framework="nextjs", created=made, updated=made)
    world.projects[project.id] = project
    for day in (1, 2):
        deployment = Deployment(
            id=world.new_id("dpl_"),
            name=name,
            project=project.id,
            owner=owner,
            creator=creator,
            url=f"{name}-{day}.vercel-sandbox.example",
            production=True,
            fails=False,
            source="git",
            ref="main",
            created=world.moment(begin + day * 86_400),
        )
        world.deployments[deployment.id] = deployment
        project.serving = deployment.id
    return project
