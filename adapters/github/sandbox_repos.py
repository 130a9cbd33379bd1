"""The account, its repositories, their branches and files, in the GitHub sandbox."""

import re
from base64 import b64encode, encodebytes

from pydantic import JsonValue
from starlette.routing import Route

from adapters.github.sandbox_api import Answer, Ask, Refused, api_route, invalid, not_found
from adapters.github.sandbox_git import Commit, File, Signature, entry_clash
from adapters.github.sandbox_shapes import (
    Shape,
    content_shape,
    git_commit_shape,
    own_profile_shape,
    repository_shape,
)
from adapters.github.sandbox_state import Hub, Person, Repository, signature_of

_REPO_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_INLINE_LIMIT_BYTES = 1024 * 1024
WORKFLOWS = ".github/workflows/"


def repository_routes(hub: Hub) -> list[Route]:
    """All routes of this module."""
    one, contents = "/repos/{owner}/{repo}", "/repos/{owner}/{repo}/contents/{path:path}"
    return [
        api_route(hub, "GET", "/user", show_profile),
        api_route(hub, "GET", "/rate_limit", show_rate_limit),
        api_route(hub, "GET", "/user/repos", list_repositories),
        api_route(hub, "POST", "/user/repos", create_repository, "public_repo, repo"),
        api_route(hub, "POST", "/orgs/{org}/repos", create_org_repository, "public_repo, repo"),
        api_route(hub, "GET", one, show_repository, "repo"),
        api_route(hub, "PATCH", one, update_repository, "public_repo, repo"),
        api_route(hub, "DELETE", one, delete_repository, "delete_repo"),
        api_route(hub, "GET", one + "/branches", list_branches, "repo"),
        api_route(hub, "GET", one + "/contents", show_content, "repo"),
        api_route(hub, "GET", contents, show_content, "repo"),
        api_route(hub, "PUT", contents, put_file, "public_repo, repo"),
        api_route(hub, "DELETE", contents, delete_file, "public_repo, repo"),
    ]


def show_profile(ask: Ask) -> Answer:
    """GET /user. Without a scope for it, the e-mail address is the public one: none."""
    shape = own_profile_shape(ask.caller.person, ask.root, ask.hub.world)
    if not ask.caller.scopes & {"user", "user:email"}:
        shape["email"] = None
    return Answer(shape)


def show_rate_limit(ask: Ask) -> Answer:
    """GET /rate_limit, which costs nothing itself."""
    buckets = {"core": ask.hub.core, "search": ask.hub.search}
    resources: Shape = {}
    for name, bucket in buckets.items():
        window = bucket.look(ask.caller.key)
        counts: Shape = {"limit": window.limit, "used": window.used, "remaining": window.remaining}
        resources[name] = {**counts, "reset": window.reset_at}
    return Answer({"resources": resources, "rate": resources["core"]})


def list_repositories(ask: Ask) -> Answer:
    """GET /user/repos: the caller's own, newest first; private ones only with `repo`."""
    wanted = ask.query("visibility", "all")
    if wanted not in ("all", "public", "private"):
        raise invalid("Repository", "visibility", "invalid")
    visible = ask.hub.world.visible_to(ask.caller.person.login, ask.caller.scopes)
    own = [repository for repository in visible if ask.owns(repository)]
    kept = [one for one in own if wanted == "all" or one.private == (wanted == "private")]
    kept.sort(key=lambda one: (one.created_at, one.id), reverse=True)
    return ask.paged([_shape(ask, repository) for repository in kept])


def create_repository(ask: Ask) -> Answer:
    """POST /user/repos: 422 when the name is taken."""
    return _create(ask, ask.caller.person)


def create_org_repository(ask: Ask) -> Answer:
    """POST /orgs/{org}/repos: members only."""
    organisation = ask.hub.world.person(ask.path("org"))
    if organisation is None or organisation.members is None:
        raise not_found()
    if ask.caller.person.login not in organisation.members:
        raise Refused(403, "You need admin access to the organization before adding a repository to it.")
    return _create(ask, organisation)


def _create(ask: Ask, owner: Person) -> Answer:
    name, private = ask.text("name"), ask.flag("private", default=False)
    needed = {"repo"} if private else {"repo", "public_repo"}
    if not ask.caller.scopes & needed:
        raise ask.lacking_scope()
    if not name:
        raise invalid("Repository", "name", "missing_field")
    if not _REPO_NAME.fullmatch(name) or name in (".", ".."):
        raise invalid("Repository", "name", "invalid")
    when = ask.hub.stamp()
    if ask.hub.world.repository(owner.login, name):
        raise invalid("Repository", "name", "custom", "name already exists on this account")
    repository = Repository(
        id=ask.hub.world.new_id(),
        owner=owner.login,
        name=name,
        description=ask.text("description"),
        private=private,
        has_issues=ask.flag("has_issues", default=True),
        created_at=when,
        updated_at=when,
    )
    if ask.flag("auto_init", default=False):
        readme = repository.objects.add_blob(f"# {name}\n".encode())
        commit_files(ask, repository, "main", {"README.md": File(sha=readme)}, "Initial commit")
    ask.hub.world.repositories[repository.full_name.lower()] = repository
    return Answer(_shape(ask, repository), 201)


def show_repository(ask: Ask) -> Answer:
    """GET /repos/{owner}/{repo}"""
    return Answer(_shape(ask, ask.repository()))


def update_repository(ask: Ask) -> Answer:
    """PATCH /repos/{owner}/{repo}: description, private, default_branch, archived, has_issues."""
    repository = ask.repository()
    unarchiving = repository.archived and ask.body.get("archived") is False
    if not unarchiving:
        ask.writable()
    elif not ask.owns(repository) or not ask.caller.scopes & {"repo", "public_repo"}:
        raise ask.lacking_scope()
    branch = ask.text("default_branch") or repository.default_branch
    if branch != repository.default_branch and branch not in repository.objects.branches:
        raise invalid("Repository", "default_branch", "invalid")
    private = ask.flag("private", default=repository.private)
    if private and "repo" not in ask.caller.scopes:
        raise ask.lacking_scope()
    archived, has_issues = (
        ask.flag("archived", default=repository.archived),
        ask.flag("has_issues", default=repository.has_issues),
    )
    if "description" in ask.body:
        repository.description = ask.text("description")
    repository.default_branch, repository.private = branch, private
    repository.archived, repository.has_issues = archived, has_issues
    repository.updated_at = ask.hub.stamp()
    return Answer(_shape(ask, repository))


def delete_repository(ask: Ask) -> Answer:
    """DELETE /repos/{owner}/{repo}: needs the scope `delete_repo` and to be its owner."""
    repository = ask.repository()
    if not ask.owns(repository) or "delete_repo" not in ask.caller.scopes:
        raise Refused(403, "Must have admin rights to Repository.")
    del ask.hub.world.repositories[repository.full_name.lower()]
    return Answer(status=204)


def list_branches(ask: Ask) -> Answer:
    """GET /repos/{owner}/{repo}/branches: by name; none is protected."""
    repository = ask.repository()
    if ask.query("protected") == "true":
        return ask.paged([])
    here = f"{ask.root}/repos/{repository.full_name}/commits"
    shapes: list[JsonValue] = [
        {"name": name, "commit": {"sha": sha, "url": f"{here}/{sha}"}, "protected": False}
        for name, sha in sorted(repository.objects.branches.items())
    ]
    return ask.paged(shapes)


def show_content(ask: Ask) -> Answer:
    """GET contents: a file with base64 content up to 1 MB, or the entries of a directory."""
    repository = ask.repository()
    path = ask.request.path_params.get("path", "").strip("/")
    ref = ask.query("ref") or repository.default_branch
    commit = commit_at(repository, ref)
    if commit is None:
        empty = not repository.objects.branches
        raise Refused(404, "This repository is empty." if empty else f"No commit found for the ref {ref}")
    files = repository.objects.files_at(commit)
    if path in files:
        return _file_answer(ask, repository, path, files[path], ref)
    tree = _tree_at(repository, repository.objects.commits[commit].tree, path)
    if tree is None:
        raise not_found()
    prefix = f"{path}/" if path else ""
    return Answer(
        [
            content_shape(
                repository,
                prefix + entry.name,
                "dir" if entry.kind == "tree" else "file",
                entry.sha,
                ask.root,
                ref,
            )
            for entry in repository.objects.trees[tree]
        ]
    )


def _file_answer(ask: Ask, repository: Repository, path: str, file: File, ref: str) -> Answer:
    content = repository.objects.blobs[file.sha]
    if "raw" in ask.request.headers.get("accept", ""):
        return Answer(raw=content)
    shape = content_shape(repository, path, "file", file.sha, ask.root, ref)
    inline = len(content) <= _INLINE_LIMIT_BYTES
    shape["encoding"] = "base64" if inline else "none"
    shape["content"] = encodebytes(content).decode() if inline else ""
    return Answer(shape)


def put_file(ask: Ask) -> Answer:
    """PUT contents: create, or replace when `sha` names what is there (409 if not, 422 when missing)."""
    repository = ask.writable()
    path = _writable_path(ask)
    message, content = ask.needed("message"), ask.base64("content")
    branch, files = _branch_files(ask, repository)
    existing = files.get(path)
    if existing is not None:
        _check_sha(ask, path, existing)
    if entry_clash([*files, path]):
        raise Refused(422, f"{path} is both a file and a directory.")
    files[path] = File(sha=repository.objects.add_blob(content))
    sha = commit_files(ask, repository, branch, files, message)
    shape: Shape = {
        "content": content_shape(repository, path, "file", files[path].sha, ask.root, branch),
        "commit": git_commit_shape(repository, sha, repository.objects.commits[sha], ask.root),
    }
    return Answer(shape, 200 if existing else 201)


def delete_file(ask: Ask) -> Answer:
    """DELETE contents: `sha` must name what is there. Parameters in the body, or in the query."""
    ask.body.update({name: value for name, value in ask.request.query_params.items() if name not in ask.body})
    repository = ask.writable()
    path, message = _writable_path(ask), ask.needed("message")
    branch, files = _branch_files(ask, repository)
    if path not in files:
        raise not_found()
    _check_sha(ask, path, files.pop(path))
    sha = commit_files(ask, repository, branch, files, message)
    commit = git_commit_shape(repository, sha, repository.objects.commits[sha], ask.root)
    return Answer({"content": None, "commit": commit})


def _writable_path(ask: Ask) -> str:
    path = ask.path("path")
    if any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise Refused(422, "path contains a malformed path component")
    check_workflow_scope(ask, [path])
    return path


def check_workflow_scope(ask: Ask, paths: list[str]) -> None:
    """Workflow files need the scope `workflow`; without it GitHub behaves as if there were nothing."""
    if "workflow" not in ask.caller.scopes and any(path.startswith(WORKFLOWS) for path in paths):
        raise not_found()


def _branch_files(ask: Ask, repository: Repository) -> tuple[str, dict[str, File]]:
    """The branch written to and its files; an empty repository begins with its default branch."""
    branch = (ask.text("branch") or repository.default_branch).removeprefix("refs/heads/")
    tip = repository.objects.branches.get(branch)
    if tip is None and repository.objects.branches:
        raise Refused(404, f"Branch {branch} not found")
    return branch, repository.objects.files_at(tip) if tip else {}


def _check_sha(ask: Ask, path: str, existing: File) -> None:
    if ask.needed("sha") != existing.sha:
        raise Refused(409, f"{path} does not match {ask.text('sha')}")


def commit_files(ask: Ask, repository: Repository, branch: str, files: dict[str, File], message: str) -> str:
    """Put one commit holding exactly these files on top of a branch; its name."""
    objects = repository.objects
    tip = objects.branches.get(branch)
    author, committer = signature(ask, "author"), signature(ask, "committer")
    commit = Commit(
        tree=objects.add_tree(files),
        parents=[tip] if tip else [],
        message=message,
        author=author,
        committer=committer,
    )
    objects.branches[branch] = objects.add_commit(commit)
    repository.updated_at = ask.hub.stamp()
    return objects.branches[branch]


def signature(ask: Ask, role: str) -> Signature:
    """The `author` or `committer` of the body, or the caller, now; raises Refused (422) when half given."""
    told = ask.body.get(role)
    if told is None:
        return signature_of(ask.caller.person, ask.hub.stamp())
    name = told.get("name") if isinstance(told, dict) else None
    email = told.get("email") if isinstance(told, dict) else None
    if not isinstance(name, str) or not isinstance(email, str):
        raise Refused(422, f'Invalid request.\n\n"name" and "email" are needed in \'{role}\'.')
    return Signature(name=name, email=email, date=ask.hub.stamp())


def commit_at(repository: Repository, ref: str) -> str | None:
    """The commit a branch name, full ref or commit name stands for."""
    objects = repository.objects
    branch = ref.removeprefix("refs/").removeprefix("heads/")
    if branch in objects.branches:
        return objects.branches[branch]
    return ref if ref in objects.commits else None


def _tree_at(repository: Repository, tree: str, path: str) -> str | None:
    for name in filter(None, path.split("/")):
        inner = (entry for entry in repository.objects.trees[tree] if entry.name == name and entry.kind == "tree")
        found = next(inner, None)
        if found is None:
            return None
        tree = found.sha
    return tree


def blob_shape(repository: Repository, sha: str, root: str) -> Shape:
    """`blob`, always as base64."""
    content = repository.objects.blobs[sha]
    return {
        "sha": sha,
        "node_id": b64encode(f"Blob:{sha}".encode()).decode(),
        "size": len(content),
        "url": f"{root}/repos/{repository.full_name}/git/blobs/{sha}",
        "content": encodebytes(content).decode(),
        "encoding": "base64",
    }


def _shape(ask: Ask, repository: Repository) -> Shape:
    return repository_shape(ask.hub.world, repository, ask.root, ask.caller.person.login)
