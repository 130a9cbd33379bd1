"""What the GitHub sandbox remembers, and what it knows when it is new.

Everybody in it is invented. The personal access tokens below are printed here on purpose: they open nothing
but a sandbox.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from adapters._kit.sandbox import RateLimits, SandboxControl, StateFile
from adapters._kit.sandbox_oauth import FixedToken, Lifetime, OAuthClient, OAuthServer, OAuthState
from adapters.github.sandbox_git import Commit, File, ObjectStore, Signature

CLIENT_ID = "mandate-sandbox"
APP_ID = "mandate-sandbox-app"
CLIENT_SECRET = "mandate-sandbox-secret"  # printed on purpose
TOKEN_REPO = "ghp_sandbox_lin_repo"  # printed on purpose
TOKEN_READ_ONLY = "ghp_sandbox_lin_read_only"  # printed on purpose
TOKEN_EVERYTHING = "ghp_sandbox_lin_everything"  # printed on purpose
TOKEN_SAM = "ghp_sandbox_sam_repo"  # printed on purpose

EVERY_SCOPE = ["admin:org", "delete_repo", "repo", "user", "workflow"]

_BOOKS = ".github/workflows/close-books.yml"
_CLOSING = """name: Close the books
on: workflow_dispatch
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: exit 1  # fees for berth 7 are missing
"""
_BEGINNING = "2026-01-12T09:00:00Z"


class Person(BaseModel):
    """An invented account; an organisation when it has `members` (logins)."""

    id: int
    login: str
    name: str
    email: str
    members: list[str] | None = None


class Comment(BaseModel):
    """A comment on an issue or a pull request."""

    id: int
    author: str
    body: str
    created_at: str
    updated_at: str


class Pull(BaseModel):
    """What makes an issue a pull request. Branches are short names in the same repository."""

    head: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool = False
    merged_at: str | None = None
    merged_by: str | None = None
    merge_sha: str | None = None


class Issue(BaseModel):
    """An issue, or a pull request when `pull` is set."""

    id: int
    number: int
    title: str
    body: str | None
    author: str
    created_at: str
    updated_at: str
    state: str = "open"
    state_reason: str | None = None
    closed_at: str | None = None
    closed_by: str | None = None
    labels: list[str] = Field(default_factory=list)
    assignees: list[str] = Field(default_factory=list)
    comments: list[Comment] = Field(default_factory=list)
    pull: Pull | None = None


class Setting(BaseModel):
    """A variable of Actions with its value, or a secret with the fingerprint of its value."""

    value: str
    created_at: str
    updated_at: str


class Run(BaseModel):
    """A run of a workflow, with its one job. Moments are in epoch seconds."""

    id: int
    job_id: int
    path: str
    branch: str
    head_sha: str
    actor: str
    created_at: float
    started_at: float
    fails: bool
    attempt: int = 1
    cancelled_at: float | None = None


class Release(BaseModel):
    """A release."""

    id: int
    tag: str
    target: str
    name: str | None
    body: str | None
    draft: bool
    prerelease: bool
    author: str
    created_at: str
    published_at: str | None


class Repository(BaseModel):
    """A repository with its objects and issues. `issues` is in order of number, from 1."""

    id: int
    owner: str
    name: str
    description: str | None
    private: bool
    created_at: str
    updated_at: str
    default_branch: str = "main"
    archived: bool = False
    has_issues: bool = True
    objects: ObjectStore = Field(default_factory=ObjectStore)
    issues: list[Issue] = Field(default_factory=list)
    sealing_key: str = ""
    secrets: dict[str, Setting] = Field(default_factory=dict)
    variables: dict[str, Setting] = Field(default_factory=dict)
    runs: list[Run] = Field(default_factory=list)
    releases: list[Release] = Field(default_factory=list)

    @property
    def full_name(self) -> str:
        """owner/name"""
        return f"{self.owner}/{self.name}"


class World(BaseModel):
    """All of it. Repositories are keyed by lower-case full name."""

    oauth: OAuthState = Field(default_factory=OAuthState)
    last_id: int = 1000
    people: list[Person] = Field(default_factory=list)
    repositories: dict[str, Repository] = Field(default_factory=dict)

    def new_id(self) -> int:
        """A number nothing else has."""
        self.last_id += 1
        return self.last_id

    def person(self, login: str) -> Person | None:
        """Somebody by login, in any letter case."""
        return next((one for one in self.people if one.login.lower() == login.lower()), None)

    def repository(self, owner: str, name: str) -> Repository | None:
        """A repository, in any letter case."""
        return self.repositories.get(f"{owner}/{name}".lower())

    def visible_to(self, login: str, scopes: frozenset[str]) -> Iterator[Repository]:
        """The repositories a token may read: public ones, and its person's own with `repo`."""
        for repository in self.repositories.values():
            if not repository.private or (self.belongs_to(repository, login) and "repo" in scopes):
                yield repository

    def belongs_to(self, repository: Repository, login: str) -> bool:
        """Is it this person's own, or their organisation's?"""
        owner = self.person(repository.owner)
        return repository.owner == login or bool(owner and owner.members and login in owner.members)


@dataclass
class Hub:
    """A running sandbox: the world, its file, its clock (epoch seconds), its limits, its OAuth half."""

    world: World
    file: StateFile[World]
    now: Callable[[], float]
    core: RateLimits
    search: RateLimits
    control: SandboxControl
    oauth: OAuthServer

    def stamp(self) -> str:
        """Now, as the API writes it."""
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def performed(self, route: str) -> None:
        """A write has happened: count it and keep it."""
        self.control.effects[route] += 1
        self.file.save(self.world)


def signature_of(person: Person, date: str) -> Signature:
    """A person as the author of a commit."""
    return Signature(name=person.name, email=person.email, date=date)


def seeded_world(clients: list[OAuthClient] | None = None) -> World:
    """A new world: two people, an organisation, three repositories (one private), a few issues, files and branches.

    The same each time but for the key that signs tokens.
    """
    lin = Person(id=501, login="lin-harbour", name="Lin Harbour", email="lin@harbour.example")
    sam = Person(id=502, login="sam-quay", name="Sam Quay", email="sam@quay.example")
    works = Person(
        id=601, login="harbour-works", name="Harbour Works", email="office@works.example", members=[lin.login]
    )
    world = World(people=[lin, sam, works])
    world.oauth.clients = _seeded_clients() if clients is None else clients
    world.oauth.fixed_tokens = [
        FixedToken(token=TOKEN_REPO, account=lin.login, scopes=["repo"]),
        FixedToken(token=TOKEN_READ_ONLY, account=lin.login, scopes=["read:user"]),
        FixedToken(token=TOKEN_EVERYTHING, account=lin.login, scopes=EVERY_SCOPE),
        FixedToken(token=TOKEN_SAM, account=sam.login, scopes=["repo"]),
    ]
    _seed_lighthouse(world, lin, sam)
    ledger = _seed_repository(world, lin, "ledger", "Private accounts of the harbour.", private=True)
    books = {"README.md": "# Ledger\n\nFor the harbour office only.\n", "2026.csv": "month,fees\n", _BOOKS: _CLOSING}
    _seed_run(world, ledger, lin, _seed_commit(ledger, lin, books))
    _seed_issue(world, ledger, lin, "Close the books of January", "Fees for berth 7 are missing.", ["accounts"])
    tides = _seed_repository(world, sam, "tide-tables", "High and low water, by port.", private=False)
    _seed_commit(tides, sam, {"README.md": "# Tide tables\n"})
    return world


def _seeded_clients() -> list[OAuthClient]:
    """An OAuth application, whose tokens do not expire, and a GitHub App, whose tokens do (8 hours, 6 months)."""
    expiring = Lifetime(access_seconds=28_800, refresh="rotating", refresh_seconds=15_897_600, ends_old_access=True)
    secret, name = CLIENT_SECRET, "Mandate (sandbox)"
    return [
        OAuthClient(client_id=CLIENT_ID, client_secret=secret, name=name, any_loopback=True),
        OAuthClient(client_id=APP_ID, client_secret=secret, name=name, any_loopback=True, lifetime=expiring),
    ]


def _seed_lighthouse(world: World, lin: Person, sam: Person) -> None:
    repository = _seed_repository(world, lin, "lighthouse", "Keeps the light on.", private=False)
    files = {
        "README.md": "# Lighthouse\n\nA small service that keeps the light on.\n",
        "docs/keeper.md": "# For the keeper\n\nLight at dusk, out at dawn.\n",
        "src/lamp.py": 'def light() -> str:\n    return "on"\n',
    }
    first = _seed_commit(repository, lin, files)
    repository.objects.branches["brighter-lamp"] = first
    files["src/lamp.py"] = 'def light() -> str:\n    return "bright"\n'
    _seed_commit(repository, lin, files, "brighter-lamp", "Make the lamp brighter")
    _seed_release(world, repository, lin)
    _seed_issue(world, repository, lin, "Lamp flickers in fog", "Seen on three nights this week.", ["bug"])
    _seed_issue(world, repository, sam, "Say when the light goes out", "Dawn differs every day.", ["docs"])
    done = _seed_issue(world, repository, sam, "Paint the railing", None, [])
    done.state, done.state_reason, done.closed_at, done.closed_by = (
        "closed",
        "completed",
        _BEGINNING,
        lin.login,
    )


def _seed_repository(world: World, owner: Person, name: str, description: str, *, private: bool) -> Repository:
    repository = Repository(
        id=world.new_id(),
        owner=owner.login,
        name=name,
        description=description,
        private=private,
        created_at=_BEGINNING,
        updated_at=_BEGINNING,
    )
    world.repositories[repository.full_name.lower()] = repository
    return repository


def _seed_commit(
    repository: Repository,
    author: Person,
    texts: dict[str, str],
    branch: str = "main",
    message: str = "Begin",
) -> str:
    objects = repository.objects
    files = {path: File(sha=objects.add_blob(text.encode())) for path, text in texts.items()}
    signature = signature_of(author, _BEGINNING)
    parents = [objects.branches[branch]] if branch in objects.branches else []
    tree = objects.add_tree(files)
    commit = Commit(tree=tree, parents=parents, message=message, author=signature, committer=signature)
    objects.branches[branch] = objects.add_commit(commit)
    return objects.branches[branch]


def _seed_run(world: World, repository: Repository, person: Person, sha: str) -> None:
    moment = datetime.fromisoformat(_BEGINNING).timestamp()
    run = Run(
        id=world.new_id(),
        job_id=world.new_id(),
        path=_BOOKS,
        branch="main",
        head_sha=sha,
        actor=person.login,
        created_at=moment,
        started_at=moment,
        fails=True,
    )
    repository.runs.append(run)


def _seed_release(world: World, repository: Repository, author: Person) -> None:
    release = Release(
        id=world.new_id(),
        tag="v1.0.0",
        target="main",
        name="First light",
        body="It shines.",
        draft=False,
        prerelease=False,
        author=author.login,
        created_at=_BEGINNING,
        published_at=_BEGINNING,
    )
    repository.releases.append(release)


def _seed_issue(
    world: World, repository: Repository, author: Person, title: str, body: str | None, labels: list[str]
) -> Issue:
    issue = Issue(
        id=world.new_id(),
        number=len(repository.issues) + 1,
        title=title,
        body=body,
        author=author.login,
        created_at=_BEGINNING,
        updated_at=_BEGINNING,
        labels=labels,
    )
    repository.issues.append(issue)
    return issue
