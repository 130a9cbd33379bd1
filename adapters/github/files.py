"""Files of a repository: read one, write one, push several."""

import binascii
from base64 import b64decode, b64encode
from typing import Literal, TypeAlias

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Part, Result, action, given
from adapters.github.parameters import BranchName, CommitMessage, FilePath, Owner, RepoName, Sha
from adapters.github.repositories import default_branch, head_of
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json

Ref: TypeAlias = Annotated[BranchName, Field(description="Branch, tag or commit; the default branch when left out.")]
Text: TypeAlias = Annotated[str, Field(description="The whole content, as text.", max_length=500_000)]
Kind: TypeAlias = Literal["text", "binary", "too_large", "directory", "symlink", "submodule"]

_CONTENTS = "repos/{owner}/{repo}/contents/{path}"
_GIT = "repos/{owner}/{repo}/git/"
_MOST_PUSHES = 3


class Entry(Result):
    """What a directory holds."""

    path: str
    kind: Literal["file", "dir", "symlink", "submodule"] = Field(validation_alias="type")
    size_bytes: int = Field(validation_alias="size")


class FileList(Result):
    """The files below one place, in order of their paths."""

    files: list["ListedFile"]
    is_complete: bool = Field(description="False when there are more than were returned.")


class ListedFile(Result):
    """A file, without its content."""

    path: str
    sha: str
    size_bytes: int | None = Field(default=None, validation_alias="size")


class Content(Result):
    """What is at a path. `text` is there for kind `text` only, `entries` for kind `directory` only."""

    path: str
    kind: Kind
    text: str | None = None
    entries: list[Entry] | None = None
    sha: str | None = Field(default=None, description="Names this very content; put_file takes it as `expected_sha`.")
    size_bytes: int | None = None
    url: str | None = None


class WrittenFile(Result):
    """A file that was just written, and the commit that did it."""

    path: str = Field(validation_alias=AliasPath("content", "path"))
    sha: str = Field(validation_alias=AliasPath("content", "sha"))
    commit_sha: str = Field(validation_alias=AliasPath("commit", "sha"))
    url: str | None = Field(default=None, validation_alias=AliasPath("content", "html_url"))


class DeletedFile(Result):
    """The commit that took a file away."""

    commit_sha: str = Field(validation_alias=AliasPath("commit", "sha"))
    url: str | None = Field(default=None, validation_alias=AliasPath("commit", "html_url"))


class Push(Result):
    """A commit that a branch now points to."""

    branch: str
    commit_sha: str
    parent_sha: str
    url: str | None = None


class FileToPush(Part):
    """One file of a push."""

    path: FilePath
    content: Text
    is_executable: Annotated[bool, Field(description="Whether it may be run as a program.")] = False


@action(effect=Effect.READ, scopes=("repo",))
async def get_file(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    path: FilePath,
    ref: Ref | None = None,
) -> Content:
    """Read a file.

    `kind` says what was found: only `text` (UTF-8, up to 1 MB) comes with content; a directory comes with its
    entries, at most 1,000.
    """
    return await read_content(call, owner, repo, path, ref)


@action(effect=Effect.READ, scopes=("repo",))
async def list_files(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    ref: Ref | None = None,
    under: Annotated[FilePath | None, Field(description="Only what is below this directory.")] = None,
    limit: Annotated[int, Field(description="How many to return at most.", ge=1, le=5000)] = 1000,
) -> FileList:
    """List all files of a repository.

    With those in directories, however deep. Read one with get_file.
    """
    tree = ref or await default_branch(call, owner, repo)
    path = _GIT + "trees/{tree}"
    answer = await call.get(path, query={"recursive": "1"}, owner=owner, repo=repo, tree=tree)
    inside = f"{under}/" if under else ""
    found = [
        ListedFile.of(each)
        for each in answer.objects("tree")
        if each.get("type") == "blob" and str(each.get("path")).startswith(inside)
    ]
    is_complete = len(found) <= limit and answer.at("truncated") is False
    return FileList(files=found[:limit], is_complete=is_complete)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a commit with this message on the branch")
async def put_file(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    path: FilePath,
    content: Text,
    message: CommitMessage,
    branch: Annotated[
        BranchName | None, Field(description="The branch to commit to; the default branch when left out.")
    ] = None,
    expected_sha: Annotated[
        Sha | None,
        Field(description="The `sha` that get_file told, to replace that content. Leave it out for a new file."),
    ] = None,
) -> WrittenFile:
    """Create or replace one file.

    Makes a commit of its own. Nothing is overwritten unseen: it is a conflict when `expected_sha` is left out
    and the file exists, or when it is no longer what is there; read the file again and decide. Paths below
    `.github/workflows/` need the scope `workflow` and are otherwise not found.
    """
    try:
        return await write_file(call, owner, repo, path, content, message, branch=branch, sha=expected_sha)
    except Rejected as refused:
        # 422 is for a missing sha and for other mistakes; GitHub tells them apart in prose only.
        if expected_sha is None and await _is_there(call, owner, repo, path, branch):
            taken = "There is already a file at this path. Read it and pass its sha as `expected_sha`."
            raise AlreadyThere(taken, status=refused.status) from refused
        raise


@action(effect=Effect.DESTRUCTIVE, scopes=("repo",), look_for="a commit with this message on the branch")
async def delete_file(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    path: FilePath,
    message: CommitMessage,
    expected_sha: Annotated[Sha, Field(description="The `sha` that get_file told: only that content is deleted.")],
    branch: Annotated[
        BranchName | None, Field(description="The branch to commit to; the default branch when left out.")
    ] = None,
) -> DeletedFile:
    """Delete one file.

    Makes a commit of its own; the file stays in history. A conflict when something else is there by now.
    """
    body = given(message=message, sha=expected_sha, branch=branch)
    answer = await call.delete(_CONTENTS, json=body, owner=owner, repo=repo, path=path)
    return DeletedFile.of(answer.json)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a commit with this message on the branch")
async def push_files(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    branch: BranchName,
    message: CommitMessage,
    files: Annotated[
        list[FileToPush], Field(description="The files to create or replace.", min_length=1, max_length=100)
    ],
    expected_head: Annotated[
        Sha | None,
        Field(description="The commit the branch must still point to; left out, the push goes on top of any."),
    ] = None,
) -> Push:
    """Push code: several files in one commit.

    The branch must exist. Files that are not named stay as they are; named ones are replaced, whatever they
    hold; none are deleted. History is never rewritten: when somebody else pushes meanwhile, the commit is
    made again on top of theirs, up to 3 times, unless `expected_head` forbids it; then it is a conflict.
    Paths below `.github/workflows/` need the scope `workflow` and are otherwise not found.
    """
    head = await head_of(call, owner, repo, branch)
    for _ in range(_MOST_PUSHES):
        if expected_head not in (None, head):
            raise AlreadyThere("The branch has moved: it no longer points to `expected_head`.")
        commit = await _commit(call, owner, repo, head, message, files)
        try:
            await _advance(call, owner, repo, branch, commit.sha)
        except (Rejected, AlreadyThere):
            before, head = head, await head_of(call, owner, repo, branch)
            if head == before:
                raise  # nobody pushed in between, so it was refused for another reason
        else:
            return Push(branch=branch, commit_sha=commit.sha, parent_sha=head, url=commit.url)
    raise AlreadyThere(f"The branch moved {_MOST_PUSHES} times while this was pushed. Try again later.")


async def read_content(call: Call, owner: str, repo: str, path: str, ref: str | None) -> Content:
    """What is at a path. Raises NotThere."""
    answer = await call.get(_CONTENTS, query={"ref": ref}, owner=owner, repo=repo, path=path)
    if isinstance(answer.json, list):
        entries = [Entry.of(each) for each in answer.objects()]
        return Content(path=path, kind="directory", entries=entries)
    return _content(_Found.of(answer.json))


async def write_file(
    call: Call, owner: str, repo: str, path: str, content: str, message: str, *, branch: str | None, sha: str | None
) -> WrittenFile:
    """One file, one commit. `sha` names the content that is replaced; None for a new file."""
    encoded = b64encode(content.encode()).decode()
    body = given(message=message, content=encoded, branch=branch, sha=sha)
    return WrittenFile.of((await call.put(_CONTENTS, json=body, owner=owner, repo=repo, path=path)).json)


async def _commit(call: Call, owner: str, repo: str, head: str, message: str, files: list[FileToPush]) -> "_Commit":
    """A commit on top of `head`. Until a branch points to it nobody sees it, so making it is harmless."""
    answer = await call.get(_GIT + "commits/{sha}", owner=owner, repo=repo, sha=head)
    tree: dict[str, Json] = {
        "base_tree": _Commit.of(answer.json).tree,
        "tree": [_tree_entry(file) for file in files],
    }
    answer = await call.post(_GIT + "trees", json=tree, harmless=True, owner=owner, repo=repo)
    commit: dict[str, Json] = {"message": message, "tree": _Tree.of(answer.json).sha, "parents": [head]}
    answer = await call.post(_GIT + "commits", json=commit, harmless=True, owner=owner, repo=repo)
    return _Commit.of(answer.json)


async def _advance(call: Call, owner: str, repo: str, branch: str, sha: str) -> None:
    """Let the branch point to the commit. Refused when that would drop a commit somebody else has pushed."""
    body: dict[str, Json] = {"sha": sha, "force": False}
    await call.patch(_GIT + "refs/{ref}", json=body, owner=owner, repo=repo, ref=f"heads/{branch}")


async def _is_there(call: Call, owner: str, repo: str, path: str, ref: str | None) -> bool:
    try:
        await call.get(_CONTENTS, query={"ref": ref}, owner=owner, repo=repo, path=path)
    except NotThere:
        return False
    return True


def _tree_entry(file: FileToPush) -> dict[str, Json]:
    mode = "100755" if file.is_executable else "100644"
    return {"path": file.path, "mode": mode, "type": "blob", "content": file.content}


def _content(found: "_Found") -> Content:
    text = _text(found.content) if found.type == "file" and found.encoding == "base64" else None
    kind: Kind = "text"
    if found.type != "file":
        kind = found.type
    elif found.encoding != "base64":
        kind = "too_large"  # from 1 MB on GitHub leaves the content out
    elif text is None:
        kind = "binary"
    return Content(path=found.path, kind=kind, text=text, sha=found.sha, size_bytes=found.size, url=found.html_url)


def _text(encoded: str) -> str | None:
    """The content as text; None when it is not UTF-8, or holds the NUL character as only binary files do."""
    try:
        text = b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return None if "\0" in text else text


class _Found(Result):
    type: Literal["file", "symlink", "submodule"]
    path: str
    sha: str
    size: int
    encoding: str = ""
    content: str = ""
    html_url: str | None = None


class _Commit(Result):
    sha: str
    tree: str = Field(validation_alias=AliasPath("tree", "sha"))
    url: str | None = Field(default=None, validation_alias="html_url")


class _Tree(Result):
    sha: str
