"""What the practice Linear remembers, and what it begins with: two teams, three people, a few issues."""

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, Field

from adapters._kit.sandbox_oauth import FixedToken, Lifetime, OAuthClient, OAuthState

TOKEN = "lin_api_sandbox_lin_everything"  # printed on purpose: it opens nothing but a sandbox
TOKEN_READING = "lin_api_sandbox_lin_reading"  # likewise
_BEGIN = datetime(2026, 11, 2, 9, tzinfo=UTC)


def id_of(name: str) -> str:
    """A stable id for something invented."""
    return str(uuid5(NAMESPACE_URL, f"https://linear.example/{name}"))


class Person(BaseModel):
    """Somebody in the workspace."""

    id: str
    name: str
    email: str
    active: bool = True


class Team(BaseModel):
    """A team; `last` is the number of its newest issue."""

    id: str
    key: str
    name: str
    description: str | None = None
    last: int = 0


class State(BaseModel):
    """A state of a team's issues."""

    id: str
    team: str
    name: str
    type: str


class Comment(BaseModel):
    """A comment; who wrote it and when."""

    id: str
    issue: str
    user: str
    body: str
    created_at: datetime


class Issue(BaseModel):
    """An issue. `team`, `state` and `assignee` are ids."""

    id: str
    team: str
    number: int
    title: str
    description: str | None = None
    priority: int = 0
    state: str
    assignee: str | None = None
    labels: list[str] = Field(default_factory=list)
    due_date: str | None = None
    created_at: datetime
    updated_at: datetime
    is_deleted: bool = False


class World(BaseModel):
    """All of it."""

    oauth: OAuthState = Field(default_factory=OAuthState)
    people: list[Person] = Field(default_factory=list)
    teams: list[Team] = Field(default_factory=list)
    states: list[State] = Field(default_factory=list)
    issues: list[Issue] = Field(default_factory=list)
    comments: list[Comment] = Field(default_factory=list)

    def issue(self, wanted: str) -> Issue | None:
        """By id or identifier; deleted ones are gone."""
        return next(
            (each for each in self.issues if not each.is_deleted and wanted in (each.id, self.identifier(each))), None
        )

    def identifier(self, issue: Issue) -> str:
        """As people write it."""
        return f"{self.team(issue.team).key}-{issue.number}"

    def team(self, id: str) -> Team:
        """One that is there."""
        return next(each for each in self.teams if each.id == id)


def seeded_world(clients: list[OAuthClient] | None = None) -> World:
    """Harbour Works' workspace."""
    people = [
        Person(id=id_of(f"people/{name}"), name=full, email=f"{name}@harbour.example", active=name != "grace")
        for name, full in (("lin", "Lin Harbour"), ("jon", "Jon Reef"), ("grace", "Grace Moor"))
    ]
    teams = [
        Team(id=id_of("teams/ENG"), key="ENG", name="Engineering", description="Lamps and pumps.", last=3),
        Team(id=id_of("teams/OPS"), key="OPS", name="Operations", last=1),
    ]
    kinds = (("Backlog", "backlog"), ("Todo", "unstarted"), ("In Progress", "started"), ("Done", "completed"))
    states = [
        State(id=id_of(f"states/{team.key}/{type}"), team=team.id, name=name, type=type)
        for team in teams
        for name, type in (*kinds, ("Canceled", "canceled"))
    ]
    world = World(people=people, teams=teams, states=states)
    world.oauth.clients = _clients() if clients is None else clients
    world.oauth.fixed_tokens = [
        FixedToken(token=TOKEN, account=people[0].id, scopes=["read", "write"]),
        FixedToken(token=TOKEN_READING, account=people[0].id, scopes=["read"]),
    ]
    world.issues = [
        _issue(world, "ENG", 1, "The lamp flickers in fog", "unstarted", priority=2, labels=["Bug"]),
        _issue(world, "ENG", 2, "Pump reports its pressure", "started", assignee=people[1].id, labels=["Feature"]),
        _issue(world, "ENG", 3, "Paint the railing", "completed"),
        _issue(world, "OPS", 1, "Order rope", "backlog"),
    ]
    first = world.issues[0]
    world.comments = [
        Comment(id=id_of("c/1"), issue=first.id, user=people[1].id, body="Seen it too.", created_at=_BEGIN)
    ]
    return world


def _issue(
    world: World,
    key: str,
    number: int,
    title: str,
    type: str,
    *,
    priority: int = 0,
    assignee: str | None = None,
    labels: list[str] | None = None,
) -> Issue:
    team = next(each for each in world.teams if each.key == key)
    return Issue(
        id=id_of(f"issues/{key}-{number}"),
        team=team.id,
        number=number,
        title=title,
        priority=priority,
        state=id_of(f"states/{key}/{type}"),
        assignee=assignee,
        labels=labels or [],
        created_at=_BEGIN,
        updated_at=_BEGIN,
    )


def _clients() -> list[OAuthClient]:
    secret = "mandate-sandbox-secret"  # printed on purpose
    rotating = Lifetime(access_seconds=86_400, refresh="rotating")
    return [
        OAuthClient(
            client_id="mandate-sandbox", client_secret=secret, name="Mandate", any_loopback=True, lifetime=rotating
        )
    ]
