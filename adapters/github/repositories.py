"""The account, its repositories and their branches."""

from datetime import datetime
from typing import Literal

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Result, action, given
from adapters.github.parameters import BranchName, Limit, Owner, RepoName, Sha
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json


class Profile(Result):
    """The connected account."""

    id: int
    login: str
    name: str | None = None
    email: str | None = Field(default=None, description="Null when it is not public.")
    url: str = Field(validation_alias="html_url")


class Repository(Result):
    """A repository."""

    full_name: str = Field(description="owner/name")
    description: str | None = None
    is_private: bool = Field(validation_alias="private")
    is_archived: bool = Field(default=False, validation_alias="archived")
    default_branch: str
    pushed_at: datetime | None = None
    url: str = Field(validation_alias="html_url")


class Branch(Result):
    """A branch and the commit it points to."""

    name: str
    head_sha: str = Field(validation_alias=AliasPath("commit", "sha"))
    is_protected: bool = Field(default=False, validation_alias="protected")


class NewBranch(Result):
    """A branch that was just made."""

    name: str
    head_sha: str


@action(effect=Effect.READ)
async def get_account(call: Call) -> Profile:
    """Show the connected account.

    Tells whose name the other actions act in.
    """
    return Profile.of((await call.get("user")).json)


@action(effect=Effect.READ, scopes=("repo",))
async def list_repos(
    call: Call,
    *,
    visibility: Annotated[Literal["all", "public", "private"], Field(description="Which to list.")] = "all",
    sort: Annotated[
        Literal["created", "updated", "pushed", "full_name"],
        Field(description="Order: names from A to Z, the others newest first."),
    ] = "pushed",
    limit: Limit = 30,
) -> list[Repository]:
    """List repositories.

    All that the account owns, collaborates on, or reaches as a member of an organisation.
    """
    found = await call.pages("user/repos", limit=limit, query={"visibility": visibility, "sort": sort})
    return [Repository.of(each) for each in found]


@action(effect=Effect.READ, scopes=("repo",))
async def get_repo(call: Call, *, owner: Owner, repo: RepoName) -> Repository:
    """Show one repository.

    A repository that was renamed answers with a redirect, which is not followed: use its present name.
    """
    return Repository.of((await call.get("repos/{owner}/{repo}", owner=owner, repo=repo)).json)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a repository with this name in the account")
async def create_repo(
    call: Call,
    *,
    name: RepoName,
    description: Annotated[str | None, Field(description="One line about it.", max_length=350)] = None,
    is_private: Annotated[bool, Field(description="False makes it visible to the whole world.")] = True,
    with_readme: Annotated[
        bool, Field(description="Begin with a README and so with a first commit; without one it is empty.")
    ] = True,
) -> Repository:
    """Create a repository.

    In the account's own name, not in an organisation's. Rejected when the account has one of that name
    already. An empty repository has no branch: create_branch and push_files need a first commit.
    """
    body = given(name=name, description=description, private=is_private, auto_init=with_readme)
    return Repository.of((await call.post("user/repos", json=body)).json)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a repository with this name in the organisation")
async def create_org_repo(
    call: Call,
    *,
    organisation: Annotated[Owner, Field(description="Login of the organisation.")],
    name: RepoName,
    description: Annotated[str | None, Field(description="One line about it.", max_length=350)] = None,
    is_private: Annotated[bool, Field(description="False makes it visible to the whole world.")] = True,
    with_readme: Annotated[
        bool, Field(description="Begin with a README and so with a first commit; without one it is empty.")
    ] = True,
) -> Repository:
    """Create a repository in an organisation.

    The account must be a member who may. Rejected when the organisation has one of that name already.
    """
    body = given(name=name, description=description, private=is_private, auto_init=with_readme)
    return Repository.of((await call.post("orgs/{org}/repos", json=body, org=organisation)).json)


@action(effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="the settings of this repository")
async def update_repo(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    description: Annotated[
        str | None, Field(description="One line about it; an empty one removes it.", max_length=350)
    ] = None,
    default_branch: BranchName | None = None,
    has_issues: Annotated[bool | None, Field(description="Whether issues can be opened.")] = None,
    is_archived: Annotated[bool | None, Field(description="True makes it read-only for everybody.")] = None,
) -> Repository:
    """Change a repository's settings.

    What is left out stays as it is. Who can see it is changed by set_repo_visibility.
    """
    change = given(description=description, default_branch=default_branch, has_issues=has_issues, archived=is_archived)
    return Repository.of((await call.patch("repos/{owner}/{repo}", json=change, owner=owner, repo=repo)).json)


@action(effect=Effect.DESTRUCTIVE, scopes=("repo",), idempotent=True, look_for="whether the repository is private")
async def set_repo_visibility(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    is_private: Annotated[bool, Field(description="False shows all code and history to the whole world.")],
) -> Repository:
    """Make a repository private or public.

    Public: everybody sees all of it, and what was seen cannot be taken back. Private: forks, stars and watchers
    of others are lost.
    """
    body: dict[str, Json] = {"private": is_private}
    return Repository.of((await call.patch("repos/{owner}/{repo}", json=body, owner=owner, repo=repo)).json)


@action(effect=Effect.DESTRUCTIVE, scopes=("delete_repo",), idempotent=True, look_for="whether the repository is there")
async def delete_repo(call: Call, *, owner: Owner, repo: RepoName) -> None:
    """Delete a repository.

    With its code, issues, releases and history, for everybody. Not found when it is gone already.
    """
    await call.delete("repos/{owner}/{repo}", owner=owner, repo=repo)


@action(effect=Effect.READ, scopes=("repo",))
async def list_branches(call: Call, *, owner: Owner, repo: RepoName, limit: Limit = 100) -> list[Branch]:
    """List the branches of a repository.

    In order of their names.
    """
    found = await call.pages("repos/{owner}/{repo}/branches", limit=limit, owner=owner, repo=repo)
    return [Branch.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a branch with this name in the repository")
async def create_branch(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    branch: BranchName,
    from_branch: Annotated[
        BranchName | None,
        Field(description="Begin where this branch is now; the default branch when left out."),
    ] = None,
    from_sha: Annotated[
        Sha | None, Field(description="Begin at this commit instead; not together with `from_branch`.")
    ] = None,
) -> NewBranch:
    """Create a branch.

    A conflict when there is a branch of that name already, wherever it points. An empty repository cannot
    have one.
    """
    if from_sha and from_branch:
        raise Rejected("Give `from_branch` or `from_sha`, not both. Nothing was sent.")
    start = from_sha or await head_of(call, owner, repo, from_branch or await default_branch(call, owner, repo))
    body = {"ref": f"refs/heads/{branch}", "sha": start}
    try:
        await call.post("repos/{owner}/{repo}/git/refs", json=body, owner=owner, repo=repo)
    except Rejected as refused:
        if await _exists(call, owner, repo, branch):
            raise AlreadyThere("There is already a branch of this name.", status=refused.status) from refused
        raise
    return NewBranch(name=branch, head_sha=start)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("repo",),
    idempotent=True,
    look_for="whether the branch is there",
)
async def delete_branch(call: Call, *, owner: Owner, repo: RepoName, branch: BranchName) -> None:
    """Delete a branch.

    Commits that no other branch leads to are lost. Rejected for the default branch, a protected one, and one
    that is not there.
    """
    await call.delete("repos/{owner}/{repo}/git/refs/{ref}", owner=owner, repo=repo, ref=f"heads/{branch}")


async def head_of(call: Call, owner: str, repo: str, branch: str) -> str:
    """The commit a branch points to. Raises NotThere, and Rejected for a repository without commits."""
    path = "repos/{owner}/{repo}/git/ref/{ref}"
    try:
        answer = await call.get(path, owner=owner, repo=repo, ref=f"heads/{branch}")
    except AlreadyThere as empty:
        raise Rejected("The repository is empty. Give it a first file with put_file.", status=409) from empty
    return _Ref.of(answer.json).sha


async def default_branch(call: Call, owner: str, repo: str) -> str:
    """The branch that GitHub means when none is named."""
    return Repository.of((await call.get("repos/{owner}/{repo}", owner=owner, repo=repo)).json).default_branch


async def _exists(call: Call, owner: str, repo: str, branch: str) -> bool:
    try:
        await head_of(call, owner, repo, branch)
    except NotThere:
        return False
    return True


class _Ref(Result):
    sha: str = Field(validation_alias=AliasPath("object", "sha"))
