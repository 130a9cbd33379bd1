"""Git's own objects, one step at a time: refs, commits, trees and blobs.

push_files does all of it in one action; these are for what it does not do, such as binary files or removals.
"""

from datetime import datetime
from typing import Literal, TypeAlias

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Part, Result, action, field_validator, given
from adapters.github.parameters import BranchName, CommitMessage, FilePath, Owner, RepoName, Sha
from domain.errors import AlreadyThere, Rejected
from domain.json import Json

CommitSha: TypeAlias = Annotated[Sha, Field(description="The full `sha` of a commit, 40 digits.")]
TreeSha: TypeAlias = Annotated[Sha, Field(description="The `sha` of a tree.")]

_GIT = "repos/{owner}/{repo}/git/"


class Ref(Result):
    """Where a branch points."""

    ref: str
    sha: str = Field(validation_alias=AliasPath("object", "sha"))


class GitCommit(Result):
    """A commit, without its changes."""

    sha: str
    message: str
    author: str | None = Field(default=None, validation_alias=AliasPath("author", "name"))
    committed_at: datetime | None = Field(default=None, validation_alias=AliasPath("committer", "date"))
    tree_sha: str = Field(validation_alias=AliasPath("tree", "sha"))
    parents: list[str] = Field(default=[], description="The commits it stands on.")
    url: str | None = Field(default=None, validation_alias="html_url")

    @field_validator("parents", mode="before")
    @classmethod
    def _names(cls, sent: Json) -> Json:
        """GitHub sends objects."""
        return [each.get("sha") for each in sent if isinstance(each, dict)] if isinstance(sent, list) else sent


class Made(Result):
    """A git object that is there now. Nobody sees it before a branch leads to it."""

    sha: str


class TreeEntry(Part):
    """One path of a tree: give `content`, or the `sha` of a blob, or `remove`."""

    path: FilePath
    content: Annotated[str | None, Field(description="The whole content, as text.", max_length=500_000)] = None
    sha: Annotated[Sha | None, Field(description="A blob that is there, such as create_blob makes.")] = None
    is_executable: Annotated[bool, Field(description="Whether it may be run as a program.")] = False
    remove: Annotated[bool, Field(description="Take this path out of `base_tree`.")] = False


@action(effect=Effect.READ, scopes=("repo",))
async def get_ref(call: Call, *, owner: Owner, repo: RepoName, branch: BranchName) -> Ref:
    """Show which commit a branch points to.

    The first step of a push by hand; push_files does all steps.
    """
    answer = await call.get(_GIT + "ref/{ref}", owner=owner, repo=repo, ref=f"heads/{branch}")
    return Ref.of(answer.json)


@action(effect=Effect.READ, scopes=("repo",))
async def get_commit(call: Call, *, owner: Owner, repo: RepoName, sha: CommitSha) -> GitCommit:
    """Show one commit.

    Its message, author, tree and parents; not what it changed.
    """
    return GitCommit.of((await call.get(_GIT + "commits/{sha}", owner=owner, repo=repo, sha=sha)).json)


@action(
    effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="nothing: a blob is seen only once it is committed"
)
async def create_blob(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    content: Annotated[str, Field(description="Text, or base64 with that `encoding`.", max_length=2_000_000)],
    encoding: Annotated[
        Literal["utf-8", "base64"], Field(description="`base64` is for what is not text, such as pictures.")
    ] = "utf-8",
) -> Made:
    """Store the content of a file, for create_tree.

    Named by its content: the same content has the same `sha`, so storing it twice is storing it once.
    """
    body: dict[str, Json] = {"content": content, "encoding": encoding}
    return Made.of((await call.post(_GIT + "blobs", json=body, owner=owner, repo=repo)).json)


@action(
    effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="nothing: a tree is seen only once it is committed"
)
async def create_tree(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    entries: Annotated[list[TreeEntry], Field(description="What changes.", min_length=1, max_length=500)],
    base_tree: Annotated[
        TreeSha | None,
        Field(description="The tree that is changed, get_commit tells it. Left out, all other files are dropped."),
    ] = None,
) -> Made:
    """Make a tree: all files of one commit-to-be.

    For create_commit. The same files give the same `sha`. Paths below `.github/workflows/` need the scope
    `workflow` and are otherwise not found.
    """
    body = given(base_tree=base_tree, tree=[_entry(each) for each in entries])
    return Made.of((await call.post(_GIT + "trees", json=body, owner=owner, repo=repo)).json)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="nothing: a commit is seen only once a branch points to it")
async def create_commit(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    message: CommitMessage,
    tree: TreeSha,
    parents: Annotated[
        list[CommitSha],
        Field(description="The commits it stands on: usually the one of the branch now.", max_length=10),
    ],
) -> GitCommit:
    """Make a commit from a tree, on no branch yet.

    update_ref then lets a branch point to it.
    """
    body: dict[str, Json] = {"message": message, "tree": tree, "parents": [*parents]}
    return GitCommit.of((await call.post(_GIT + "commits", json=body, owner=owner, repo=repo)).json)


@action(effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="the commit that the branch points to")
async def update_ref(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    branch: BranchName,
    sha: Annotated[Sha, Field(description="The commit that the branch shall point to.")],
) -> Ref:
    """Move a branch forward to a commit.

    Only forward: a conflict when the commit does not stand on what the branch has now, so that no history is
    lost. Read the branch again then, and make the commit anew.
    """
    body: dict[str, Json] = {"sha": sha, "force": False}
    try:
        answer = await call.patch(_GIT + "refs/{ref}", json=body, owner=owner, repo=repo, ref=f"heads/{branch}")
    except Rejected as refused:
        message = "The branch is not there, or the commit does not stand on what it has now."
        raise AlreadyThere(message, status=refused.status) from refused
    return Ref.of(answer.json)


def _entry(entry: TreeEntry) -> Json:
    mode = "100755" if entry.is_executable else "100644"
    if sum((entry.content is not None, entry.sha is not None, entry.remove)) != 1:
        raise Rejected("Each entry has `content`, or `sha`, or `remove`: exactly one. Nothing was sent.")
    shared: dict[str, Json] = {"path": entry.path, "mode": mode, "type": "blob"}
    return {**shared, "content": entry.content} if entry.content is not None else {**shared, "sha": entry.sha}
