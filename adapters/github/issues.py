"""Issues, and comments on issues and pull requests."""

from datetime import datetime
from typing import Literal, TypeAlias

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Result, action, field_validator, given
from adapters.github.parameters import Body, IssueNumber, Labels, Limit, Logins, Owner, RepoName, Title
from domain.errors import NotThere
from domain.json import Json, JsonObject

State: TypeAlias = Literal["open", "closed"]
SetLabels: TypeAlias = Annotated[Labels, Field(description="Names of labels; unknown ones are made.")]
SetAssignees: TypeAlias = Annotated[Logins, Field(description="Logins of the people who take care of it.")]


class Issue(Result):
    """An issue, or a pull request where both are listed."""

    number: int
    title: str
    body: str | None = None
    state: State
    state_reason: str | None = None
    author: str | None = Field(default=None, validation_alias=AliasPath("user", "login"))
    labels: list[str]
    assignees: list[str]
    comments: int = Field(default=0, description="How many there are.")
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    url: str = Field(validation_alias="html_url")

    @field_validator("labels", "assignees", mode="before")
    @classmethod
    def _names(cls, sent: Json) -> Json:
        """GitHub sends objects, and some labels as plain names."""
        if not isinstance(sent, list):
            return sent or []
        return [each.get("name", each.get("login")) if isinstance(each, dict) else each for each in sent]


class FoundIssue(Issue):
    """An issue or pull request that a search has found."""

    repository: str = Field(description="owner/name", validation_alias="repository_url")

    @field_validator("repository", mode="before")
    @classmethod
    def _full_name(cls, sent: Json) -> Json:
        """GitHub names the repository by its address only."""
        return "/".join(sent.split("/")[-2:]) if isinstance(sent, str) else sent


class Comment(Result):
    """A comment."""

    id: int
    author: str | None = Field(default=None, validation_alias=AliasPath("user", "login"))
    body: str
    created_at: datetime
    url: str = Field(validation_alias="html_url")


@action(effect=Effect.READ, scopes=("repo",))
async def list_issues(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    state: Annotated[Literal["open", "closed", "all"], Field(description="Which to list.")] = "open",
    labels: Annotated[Labels | None, Field(description="Only issues that carry all of these labels.")] = None,
    assignee: Annotated[
        str | None,
        Field(description="Login; `none` for nobody, `*` for anybody.", min_length=1, max_length=64),
    ] = None,
    limit: Limit = 30,
) -> list[Issue]:
    """List issues.

    Newest first. Pull requests are left out; see list_pull_requests.
    """
    query = {"state": state, "labels": ",".join(labels or []) or None, "assignee": assignee}
    found = await call.pages(
        "repos/{owner}/{repo}/issues", limit=limit, query=query, keep=_is_issue, owner=owner, repo=repo
    )
    return [Issue.of(each) for each in found]


@action(effect=Effect.READ, scopes=("repo",))
async def get_issue(call: Call, *, owner: Owner, repo: RepoName, number: IssueNumber) -> Issue:
    """Show one issue.

    With its text, without its comments; see list_comments. A pull request is not found here.
    """
    path = "repos/{owner}/{repo}/issues/{number}"
    answer = await call.get(path, owner=owner, repo=repo, number=number)
    if answer.at("pull_request") is not None:
        raise NotThere("This number is a pull request. Read it with get_pull_request.", status=answer.status)
    return Issue.of(answer.json)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="an issue with this title in the repository")
async def create_issue(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    title: Title,
    body: Body | None = None,
    labels: SetLabels | None = None,
    assignees: SetAssignees | None = None,
) -> Issue:
    """Open an issue.

    GitHub drops labels and assignees silently when the account may not push there: look at the result. Not
    found when issues are switched off in the repository. Doing it twice makes two issues.
    """
    new = given(title=title, body=body, labels=labels, assignees=assignees)
    return Issue.of((await call.post("repos/{owner}/{repo}/issues", json=new, owner=owner, repo=repo)).json)


@action(effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="the change on the issue")
async def update_issue(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    number: IssueNumber,
    title: Title | None = None,
    body: Annotated[Body | None, Field(description="The new text; an empty one removes it.")] = None,
    state: Annotated[State | None, Field(description="`closed` closes it, `open` opens it again.")] = None,
    state_reason: Annotated[
        Literal["completed", "not_planned", "reopened"] | None, Field(description="Why `state` changes.")
    ] = None,
    labels: Annotated[
        Labels | None, Field(description="All labels it shall have: others are taken off, [] takes off all.")
    ] = None,
    assignees: Annotated[
        Logins | None,
        Field(description="All it shall be assigned to: others are taken off, [] takes off all."),
    ] = None,
) -> Issue:
    """Change an issue, close it or open it again.

    What is left out stays as it is. Works on pull requests too.
    """
    change = given(title=title, body=body, state=state, state_reason=state_reason, labels=labels, assignees=assignees)
    path = "repos/{owner}/{repo}/issues/{number}"
    return Issue.of((await call.patch(path, json=change, owner=owner, repo=repo, number=number)).json)


@action(effect=Effect.READ, scopes=("repo",))
async def list_comments(
    call: Call, *, owner: Owner, repo: RepoName, number: IssueNumber, limit: Limit = 30
) -> list[Comment]:
    """List the comments of an issue or pull request.

    Oldest first. Remarks on single lines of a pull request are not among them.
    """
    path = "repos/{owner}/{repo}/issues/{number}/comments"
    found = await call.pages(path, limit=limit, owner=owner, repo=repo, number=number)
    return [Comment.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=("repo",), look_for="this comment below the issue or pull request")
async def comment_issue(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    number: IssueNumber,
    body: Annotated[Body, Field(min_length=1)],
) -> Comment:
    """Comment on an issue or pull request.

    Doing it twice makes two comments, and notifies people twice.
    """
    path = "repos/{owner}/{repo}/issues/{number}/comments"
    return Comment.of((await call.post(path, json={"body": body}, owner=owner, repo=repo, number=number)).json)


@action(effect=Effect.READ, scopes=("repo",))
async def search_issues(
    call: Call,
    *,
    query: Annotated[
        str,
        Field(
            description="Words, and GitHub's qualifiers such as `repo:owner/name`, `is:open`, `label:bug`.",
            min_length=1,
            max_length=240,
        ),
    ],
    kind: Annotated[Literal["issue", "pull-request"], Field(description="What to look for.")] = "issue",
    sort: Annotated[
        Literal["created", "updated", "comments"] | None,
        Field(description="Order, highest first; best match when left out."),
    ] = None,
    limit: Annotated[int, Field(description="How many to return at most.", ge=1, le=200)] = 30,
) -> list[FoundIssue]:
    """Search issues or pull requests.

    In all repositories the account can see, unless `repo:`, `org:` or `user:` narrows it. GitHub allows about
    30 searches a minute, counted apart from everything else.
    """
    asked = {"q": f"{query} is:{kind}", "sort": sort}
    found = await call.pages("search/issues", limit=limit, items="items", query=asked)
    return [FoundIssue.of(each) for each in found]


def _is_issue(found: JsonObject) -> bool:
    return found.get("pull_request") is None
