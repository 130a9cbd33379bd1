"""Pull requests: list, read, open, merge."""

from datetime import datetime
from typing import Literal

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Result, action, given
from adapters.github.parameters import Body, BranchName, Limit, Owner, PullNumber, RepoName, Sha, Title
from domain.errors import AlreadyThere, Rejected

_METHOD_NOT_ALLOWED = 405


class PullRequest(Result):
    """A pull request."""

    number: int
    title: str
    body: str | None = None
    state: Literal["open", "closed"]
    is_draft: bool = Field(default=False, validation_alias="draft")
    merged_at: datetime | None = None
    is_mergeable: bool | None = Field(
        default=None,
        validation_alias="mergeable",
        description="Null in lists, and while GitHub is still finding out: ask again a little later.",
    )
    author: str | None = Field(default=None, validation_alias=AliasPath("user", "login"))
    head_branch: str = Field(validation_alias=AliasPath("head", "ref"))
    head_sha: str = Field(validation_alias=AliasPath("head", "sha"))
    base_branch: str = Field(validation_alias=AliasPath("base", "ref"))
    created_at: datetime
    updated_at: datetime
    url: str = Field(validation_alias="html_url")


class Merge(Result):
    """A merge that was done: the commit that the base branch now points to."""

    sha: str
    is_merged: bool = Field(validation_alias="merged")


@action(effect=Effect.READ, scopes=("repo",))
async def list_pull_requests(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    state: Annotated[Literal["open", "closed", "all"], Field(description="Merged ones are closed.")] = "open",
    base: Annotated[BranchName | None, Field(description="Only those into this branch.")] = None,
    limit: Limit = 30,
) -> list[PullRequest]:
    """List pull requests.

    Newest first.
    """
    path = "repos/{owner}/{repo}/pulls"
    found = await call.pages(path, limit=limit, query={"state": state, "base": base}, owner=owner, repo=repo)
    return [PullRequest.of(each) for each in found]


@action(effect=Effect.READ, scopes=("repo",))
async def get_pull_request(call: Call, *, owner: Owner, repo: RepoName, number: PullNumber) -> PullRequest:
    """Show one pull request.

    Tells whether it can be merged, and its `head_sha`, which merge_pull_request asks for.
    """
    path = "repos/{owner}/{repo}/pulls/{number}"
    return PullRequest.of((await call.get(path, owner=owner, repo=repo, number=number)).json)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="an open pull request between these two branches")
async def create_pull_request(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    title: Title,
    head: Annotated[
        str,
        Field(
            description="The branch with the changes; `owner:branch` when in a fork.",
            min_length=1,
            max_length=310,
        ),
    ],
    base: Annotated[BranchName, Field(description="The branch that the changes shall go into.")],
    body: Body | None = None,
    is_draft: Annotated[bool, Field(description="Whether it is not yet ready for review.")] = False,
) -> PullRequest:
    """Open a pull request.

    Rejected when a branch does not exist, when `head` has nothing that `base` lacks, or when one is open
    between these branches already; list_pull_requests finds it.
    """
    new = given(title=title, head=head, base=base, body=body, draft=is_draft)
    answer = await call.post("repos/{owner}/{repo}/pulls", json=new, owner=owner, repo=repo)
    return PullRequest.of(answer.json)


@action(effect=Effect.DESTRUCTIVE, scopes=("repo",), look_for="this pull request: whether it is marked as merged")
async def merge_pull_request(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    number: PullNumber,
    expected_head: Annotated[
        Sha,
        Field(description="The `head_sha` that was looked at. It is merged in exactly this state or not at all."),
    ],
    method: Annotated[
        Literal["merge", "squash", "rebase"],
        Field(description="A merge commit, all changes as one commit, or each commit on top of the base."),
    ] = "merge",
    commit_title: Annotated[
        str | None, Field(description="First line of the commit message.", min_length=1, max_length=256)
    ] = None,
) -> Merge:
    """Merge a pull request.

    A conflict when commits were added since `expected_head`, or when it cannot be merged: closed,
    conflicting, or waiting for reviews or checks. A repository may not allow every method.
    """
    body = given(sha=expected_head, merge_method=method, commit_title=commit_title)
    path = "repos/{owner}/{repo}/pulls/{number}/merge"
    try:
        return Merge.of((await call.put(path, json=body, owner=owner, repo=repo, number=number)).json)
    except Rejected as refused:
        if refused.status != _METHOD_NOT_ALLOWED:
            raise
        message = (
            "It cannot be merged now: it is closed, conflicts with its base, waits for reviews or checks, "
            "or the repository does not allow this method."
        )
        raise AlreadyThere(message, status=refused.status) from refused
