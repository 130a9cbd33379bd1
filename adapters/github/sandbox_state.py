"""What the GitHub sandbox remembers, and what it knows when it is new.

Everybody in it is invented. The personal access tokens below are printed here on purpose: they open nothing
but a sandbox.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from adapters._kit.sandbox import RateLimits, SandboxControl, StateFile
from adapters.github.sandbox_git import Commit, File, ObjectStore, Signature

CLIENT_ID = "mandate-sandbox"
CLIENT_SECRET = "mandate-sandbox-secret"  # printed on purpose
TOKEN_REPO = "ghp_sandbox_lin_repo"  # printed on purpose
TOKEN_READ_ONLY = "ghp_sandbox_lin_read_only"  # printed on purpose
TOKEN_EVERYTHING = "ghp_sandbox_lin_everything"  # printed on purpose
TOKEN_SAM = "ghp_sandbox_sam_repo"  # printed on purpose

_BEGINNING = "2026-01-12T09:00:00Z"


class Person(BaseModel):
    """An invented account."""

    id: int
    login: str
    name: str
    email: str


class OAuthClient(BaseModel):
    """An OAuth application. `any_loopback` also accepts every loopback redirect URI, any port and path."""

    client_id: str
    client_secret: str
    name: str
    redirect_uris: list[str] = Field(default_factory=list)
    any_loopback: bool = False


class PersonalToken(BaseModel):
    """A classic personal access token."""

    token: str
    login: str
    scopes: list[str]


class Authorization(BaseModel):
    """A person's yes to an application; deleting it ends every token that came from it."""

    id: int
    client_id: str
    login: str


class Code(BaseModel):
    """An authorization code waiting to be exchanged. `expires_at` is in epoch seconds."""

    client_id: str
    redirect_uri: str
    authorization: int
    scopes: list[str]
    challenge: str | None
    expires_at: float


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

    @property
    def full_name(self) -> str:
        """owner/name"""
        return f"{self.owner}/{self.name}"


class World(BaseModel):
    """All of it. `revoked` holds fingerprints of tokens; repositories are keyed by lower-case full name."""

    signing_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    last_id: int = 1000
    people: list[Person] = Field(default_factory=list)
    clients: list[OAuthClient] = Field(default_factory=list)
    personal_tokens: list[PersonalToken] = Field(default_factory=list)
    authorizations: dict[int, Authorization] = Field(default_factory=dict)
    codes: dict[str, Code] = Field(default_factory=dict)
    revoked: set[str] = Field(default_factory=set)
    repositories: dict[str, Repository] = Field(default_factory=dict)

    def new_id(self) -> int:
        """A number nothing else has."""
        self.last_id += 1
        return self.last_id

    def person(self, login: str) -> Person | None:
        """Somebody by login, in any letter case."""
        return next((one for one in self.people if one.login.lower() == login.lower()), None)

    def client(self, client_id: str) -> OAuthClient | None:
        """An OAuth application by its id."""
        return next((one for one in self.clients if one.client_id == client_id), None)

    def repository(self, owner: str, name: str) -> Repository | None:
        """A repository, in any letter case."""
        return self.repositories.get(f"{owner}/{name}".lower())

    def visible_to(self, login: str, scopes: frozenset[str]) -> Iterator[Repository]:
        """The repositories a token may read: public ones, and its person's own with `repo`."""
        for repository in self.repositories.values():
            if not repository.private or (repository.owner == login and "repo" in scopes):
                yield repository


@dataclass
class Hub:
    """A running sandbox: the world, its file, its clock (epoch seconds), its limits."""

    world: World
    file: StateFile[World]
    now: Callable[[], float]
    core: RateLimits
    search: RateLimits
    control: SandboxControl

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
    """A new world: two people, three repositories (one private), a few issues, files and branches.

    The same each time but for the key that signs tokens.
    """
    default = OAuthClient(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Mandate (sandbox)", any_loopback=True)
    lin = Person(id=501, login="lin-harbour", name="Lin Harbour", email="lin@harbour.example")
    sam = Person(id=502, login="sam-quay", name="Sam Quay", email="sam@quay.example")
    world = World(people=[lin, sam], clients=[default] if clients is None else clients)
    world.personal_tokens = [
        PersonalToken(token=TOKEN_REPO, login=lin.login, scopes=["repo"]),
        PersonalToken(token=TOKEN_READ_ONLY, login=lin.login, scopes=["read:user"]),
        PersonalToken(token=TOKEN_EVERYTHING, login=lin.login, scopes=["delete_repo", "repo", "user", "workflow"]),
        PersonalToken(token=TOKEN_SAM, login=sam.login, scopes=["repo"]),
    ]
    _seed_lighthouse(world, lin, sam)
    ledger = _seed_repository(world, lin, "ledger", "Private accounts of the harbour.", private=True)
    _seed_commit(ledger, lin, {"README.md": "# Ledger\n\nFor the harbour office only.\n", "2026.csv": "month,fees\n"})
    _seed_issue(world, ledger, lin, "Close the books of January", "Fees for berth 7 are missing.", ["accounts"])
    tides = _seed_repository(world, sam, "tide-tables", "High and low water, by port.", private=False)
    _seed_commit(tides, sam, {"README.md": "# Tide tables\n"})
    return world


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
