"""Git data in the GitHub sandbox: refs, blobs, trees and commits, enough to push several files in one commit.

GitHub's order of a push: read the ref and its commit, make blobs, a tree on `base_tree`, a commit on the old
head, then move the ref without force.
"""

import re

from pydantic import JsonValue
from starlette.routing import Route

from adapters.github.sandbox_api import Answer, Ask, Refused, api_route, invalid, not_found
from adapters.github.sandbox_git import FILE_MODE, Commit, File, entry_clash
from adapters.github.sandbox_repos import blob_shape, check_workflow_scope, signature
from adapters.github.sandbox_shapes import Shape, git_commit_shape, ref_shape
from adapters.github.sandbox_state import Hub, Repository

_BRANCH = re.compile(r"(?!/|.*(?:\.\.|//|@\{|/$|\.$|\.lock$))[^\x00-\x20~^:?*\[\\\x7f]{1,200}")
_FILE_MODES = (FILE_MODE, "100755", "120000")
_EMPTY = "Git Repository is empty."


def object_routes(hub: Hub) -> list[Route]:
    """All routes of this module."""
    git, accepted = "/repos/{owner}/{repo}/git", "public_repo, repo"
    return [
        api_route(hub, "GET", git + "/ref/{ref:path}", show_ref, "repo"),
        api_route(hub, "POST", git + "/refs", create_ref, accepted),
        api_route(hub, "PATCH", git + "/refs/{ref:path}", update_ref, accepted),
        api_route(hub, "DELETE", git + "/refs/{ref:path}", delete_ref, accepted),
        api_route(hub, "POST", git + "/blobs", create_blob, accepted),
        api_route(hub, "GET", git + "/blobs/{sha}", show_blob, "repo"),
        api_route(hub, "POST", git + "/trees", create_tree, accepted),
        api_route(hub, "GET", git + "/trees/{sha}", show_tree, "repo"),
        api_route(hub, "POST", git + "/commits", create_commit, accepted),
        api_route(hub, "GET", git + "/commits/{sha}", show_commit, "repo"),
    ]


def show_ref(ask: Ask) -> Answer:
    """GET git/ref/heads/{branch}: 409 while the repository is empty."""
    repository = ask.repository()
    return Answer(ref_shape(repository, _branch(ask, repository, missing=404), ask.root))


def create_ref(ask: Ask) -> Answer:
    """POST git/refs: a new branch; 422 when it exists or the commit does not."""
    repository = ask.writable()
    ref, sha = ask.needed("ref"), ask.needed("sha")
    if not repository.objects.branches:
        raise Refused(409, _EMPTY)
    if not ref.startswith("refs/heads/") or not _BRANCH.fullmatch(ref.removeprefix("refs/heads/")):
        raise Refused(422, f"{ref} is not a valid ref name.")
    branch = ref.removeprefix("refs/heads/")
    if branch in repository.objects.branches:
        raise Refused(422, "Reference already exists")
    _known_commit(repository, sha)
    repository.objects.branches[branch] = sha
    return Answer(ref_shape(repository, branch, ask.root), 201)


def update_ref(ask: Ask) -> Answer:
    """PATCH git/refs/heads/{branch}: 422 when it is no fast forward and `force` is not set."""
    repository = ask.writable()
    branch, sha = _branch(ask, repository, missing=422), ask.needed("sha")
    _known_commit(repository, sha)
    forward = repository.objects.is_fast_forward(repository.objects.branches[branch], sha)
    if not ask.flag("force", default=False) and not forward:
        raise Refused(422, "Update is not a fast forward")
    repository.objects.branches[branch] = sha
    repository.updated_at = ask.hub.stamp()
    return Answer(ref_shape(repository, branch, ask.root))


def delete_ref(ask: Ask) -> Answer:
    """DELETE git/refs/heads/{branch}: not the default branch."""
    repository = ask.writable()
    branch = _branch(ask, repository, missing=422)
    if branch == repository.default_branch:
        raise Refused(422, "Cannot delete the default branch")
    del repository.objects.branches[branch]
    return Answer(status=204)


def create_blob(ask: Ask) -> Answer:
    """POST git/blobs: text, or base64 with `encoding`; 409 while the repository is empty."""
    repository = _begun(ask)
    encoding = ask.text("encoding") or "utf-8"
    if encoding not in ("utf-8", "base64"):
        raise invalid("Blob", "encoding", "invalid")
    content = ask.base64("content") if encoding == "base64" else ask.needed("content").encode()
    sha = repository.objects.add_blob(content)
    return Answer({"sha": sha, "url": f"{ask.root}/repos/{repository.full_name}/git/blobs/{sha}"}, 201)


def show_blob(ask: Ask) -> Answer:
    """GET git/blobs/{sha}"""
    repository, sha = ask.repository(), ask.path("sha")
    if sha not in repository.objects.blobs:
        raise not_found()
    return Answer(blob_shape(repository, sha, ask.root))


def create_tree(ask: Ask) -> Answer:
    """POST git/trees: entries on top of `base_tree`, or alone without it; a null sha removes a path."""
    repository = _begun(ask)
    base, entries = ask.text("base_tree"), ask.body.get("tree")
    if not isinstance(entries, list):
        raise Refused(422, 'Invalid request.\n\n"tree" wasn\'t supplied.')
    files: dict[str, File] = {}
    if base is not None:
        tree = repository.objects.commits[base].tree if base in repository.objects.commits else base
        if tree not in repository.objects.trees:
            raise Refused(422, "base_tree is not a valid tree oid")
        files = repository.objects.files(tree)
    for entry in entries:
        _lay(ask, repository, files, entry)
    if entry_clash(files):
        raise Refused(422, "tree.path is both a file and a directory")
    return Answer(_tree_shape(repository, repository.objects.add_tree(files), ask.root), 201)


def _lay(ask: Ask, repository: Repository, files: dict[str, File], entry: JsonValue) -> None:
    """Put one entry of a request into the files; raises Refused."""
    path = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(path, str):
        raise Refused(422, "Must supply a valid tree.path")
    if any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise Refused(422, "tree.path contains a malformed path component")
    check_workflow_scope(ask, [path])
    sha, content, mode = entry.get("sha"), entry.get("content"), entry.get("mode", FILE_MODE)
    if "sha" in entry and sha is None and content is None:
        if files.pop(path, None) is None:
            raise Refused(422, "GitRPC::BadObjectState")
        return
    if not isinstance(mode, str) or mode not in _FILE_MODES:
        raise Refused(422, "Must supply a valid tree.mode")
    if isinstance(content, str):
        sha = repository.objects.add_blob(content.encode())
    if not isinstance(sha, str) or sha not in repository.objects.blobs:
        raise Refused(422, f"tree.sha {sha} is not a valid blob")
    files[path] = File(mode=mode, sha=sha)


def show_tree(ask: Ask) -> Answer:
    """GET git/trees/{sha}: one level, or all with `recursive`. A commit or branch name is also taken."""
    repository, sha = ask.repository(), ask.path("sha")
    sha = repository.objects.branches.get(sha, sha)
    if sha in repository.objects.commits:
        sha = repository.objects.commits[sha].tree
    if sha not in repository.objects.trees:
        raise not_found()
    shape = _tree_shape(repository, sha, ask.root)
    if ask.query("recursive"):
        files = repository.objects.files(sha)
        shape["tree"] = [
            {"path": path, "mode": file.mode, "type": "blob", "sha": file.sha} for path, file in sorted(files.items())
        ]
    return Answer(shape)


def create_commit(ask: Ask) -> Answer:
    """POST git/commits: moves nothing by itself."""
    repository = _begun(ask)
    message, tree, parents = ask.needed("message"), ask.needed("tree"), ask.names("parents") or []
    if tree not in repository.objects.trees:
        raise Refused(422, "Tree SHA does not exist")
    if any(parent not in repository.objects.commits for parent in parents):
        raise Refused(422, "Parent SHA does not exist or is not a commit object")
    author = signature(ask, "author")
    committer = signature(ask, "committer") if "committer" in ask.body else author
    commit = Commit(tree=tree, parents=parents, message=message, author=author, committer=committer)
    sha = repository.objects.add_commit(commit)
    return Answer(git_commit_shape(repository, sha, commit, ask.root), 201)


def show_commit(ask: Ask) -> Answer:
    """GET git/commits/{sha}"""
    repository, sha = ask.repository(), ask.path("sha")
    if sha not in repository.objects.commits:
        raise not_found()
    return Answer(git_commit_shape(repository, sha, repository.objects.commits[sha], ask.root))


def _begun(ask: Ask) -> Repository:
    """A repository to write objects to; raises Refused (409) while it has no commit."""
    repository = ask.writable()
    if not repository.objects.branches:
        raise Refused(409, _EMPTY)
    return repository


def _branch(ask: Ask, repository: Repository, *, missing: int) -> str:
    """The branch named in the path as heads/NAME; raises Refused: `missing`, or 409 when all is empty."""
    if not repository.objects.branches:
        raise Refused(409, _EMPTY)
    kind, _, branch = ask.path("ref").partition("/")
    if kind != "heads" or branch not in repository.objects.branches:
        raise not_found() if missing == 404 else Refused(missing, "Reference does not exist")
    return branch


def _known_commit(repository: Repository, sha: str) -> None:
    if sha not in repository.objects.commits:
        raise Refused(422, "Object does not exist")


def _tree_shape(repository: Repository, sha: str, root: str) -> Shape:
    here = f"{root}/repos/{repository.full_name}/git"
    entries: list[JsonValue] = [
        {
            "path": entry.name,
            "mode": entry.mode,
            "type": entry.kind,
            "sha": entry.sha,
            "url": f"{here}/{entry.kind}s/{entry.sha}",
        }
        for entry in repository.objects.trees[sha]
    ]
    return {"sha": sha, "url": f"{here}/trees/{sha}", "tree": entries, "truncated": False}
