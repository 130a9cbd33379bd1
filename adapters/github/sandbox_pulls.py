"""Pull requests in the GitHub sandbox: between branches of one repository; forks do not exist here.

Three simplifications, all on the side of refusing or of knowing sooner: whether a request can be merged is
known at once (GitHub answers null first), two changes to one file are a conflict even on different lines, and
`rebase` puts the changes on the base as one commit, as `squash` does.
"""

from starlette.routing import Route

from adapters.github.sandbox_api import Answer, Ask, Refused, api_route, invalid, not_found
from adapters.github.sandbox_git import Commit, changed_paths
from adapters.github.sandbox_issues import find_issue, new_issue, set_state
from adapters.github.sandbox_shapes import Shape, pull_shape, somebody
from adapters.github.sandbox_state import Hub, Issue, Pull, Repository, signature_of


def pull_routes(hub: Hub) -> list[Route]:
    """All routes of this module."""
    many, one = "/repos/{owner}/{repo}/pulls", "/repos/{owner}/{repo}/pulls/{number:int}"
    accepted = "public_repo, repo"
    return [
        api_route(hub, "GET", many, list_pulls, "repo"),
        api_route(hub, "POST", many, create_pull, accepted),
        api_route(hub, "GET", one, show_pull, "repo"),
        api_route(hub, "PUT", one + "/merge", merge_pull, accepted),
    ]


def list_pulls(ask: Ask) -> Answer:
    """GET pulls: open ones, newest first; `head` (user:branch) and `base` narrow the list."""
    repository = ask.repository()
    state, head, base = ask.query("state", "open"), ask.query("head"), ask.query("base")
    if state not in ("open", "closed", "all"):
        raise invalid("PullRequest", "state", "invalid")
    pulls = [(issue, issue.pull) for issue in reversed(repository.issues) if issue.pull]
    kept = [
        (issue, _refreshed(repository, issue, pull))
        for issue, pull in pulls
        if state in ("all", issue.state)
        and (not head or head == f"{repository.owner}:{pull.head}")
        and (not base or base == pull.base)
    ]
    if ask.query("direction") == "asc":
        kept.reverse()
    viewer = ask.caller.person.login
    world, root = ask.hub.world, ask.root
    return ask.paged([pull_shape(world, repository, issue, pull, root, viewer) for issue, pull in kept])


def create_pull(ask: Ask) -> Answer:
    """POST pulls: 422 when a branch is missing, nothing differs, or one is open for the same branches."""
    repository = ask.contributable()
    title, head, base = ask.text("title"), _own_branch(repository, ask.text("head")), ask.text("base")
    for name, value in (("head", head), ("base", base)):
        if not value:
            raise invalid("PullRequest", name, "missing_field")
        if value not in repository.objects.branches:
            raise invalid("PullRequest", name, "invalid")
    if not title or not title.strip():
        raise invalid("PullRequest", "title", "missing_field")
    objects = repository.objects
    tips = objects.branches[str(head)], objects.branches[str(base)]
    if objects.is_fast_forward(*tips):
        raise invalid("PullRequest", "base", "custom", f"No commits between {base} and {head}")
    for issue in repository.issues:
        if issue.pull and issue.state == "open" and (issue.pull.head, issue.pull.base) == (head, base):
            words = f"A pull request already exists for {repository.owner}:{head}."
            raise invalid("PullRequest", "head", "custom", words)
    draft = ask.flag("draft", default=False)
    new = new_issue(ask, repository, title, ask.text("body"))
    new.pull = Pull(head=str(head), base=str(base), head_sha=tips[0], base_sha=tips[1], draft=draft)
    repository.issues.append(new)
    return Answer(_full_shape(ask, repository, new, new.pull), 201)


def show_pull(ask: Ask) -> Answer:
    """GET pulls/{number}"""
    repository = ask.repository()
    issue, pull = _find(ask, repository)
    return Answer(_full_shape(ask, repository, issue, pull))


def merge_pull(ask: Ask) -> Answer:
    """PUT pulls/{number}/merge: 405 when it cannot be, 409 when `sha` is not the head any more."""
    repository = ask.writable()
    issue, pull = _find(ask, repository)
    method = ask.text("merge_method") or "merge"
    if method not in ("merge", "squash", "rebase"):
        raise invalid("PullRequest", "merge_method", "invalid")
    expected = ask.text("sha")
    if expected is not None and expected != pull.head_sha:
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    objects = repository.objects
    files = objects.merged_files(pull.base_sha, pull.head_sha) if _is_mergeable(repository, issue, pull) else None
    if files is None:
        raise Refused(405, "Pull Request is not mergeable")
    signature = signature_of(ask.caller.person, ask.hub.stamp())
    default = f"Merge pull request #{issue.number} from {repository.owner}/{pull.head}"
    title = ask.text("commit_title") or (default if method == "merge" else f"{issue.title} (#{issue.number})")
    message = "\n\n".join(filter(None, [title, ask.text("commit_message")]))
    parents = [pull.base_sha, pull.head_sha] if method == "merge" else [pull.base_sha]
    commit = Commit(
        tree=objects.add_tree(files), parents=parents, message=message, author=signature, committer=signature
    )
    pull.merge_sha = objects.branches[pull.base] = objects.add_commit(commit)
    pull.merged_at, pull.merged_by = ask.hub.stamp(), ask.caller.person.login
    set_state(ask, issue, "closed")
    issue.updated_at = repository.updated_at = ask.hub.stamp()
    return Answer({"sha": pull.merge_sha, "merged": True, "message": "Pull Request successfully merged"})


def _find(ask: Ask, repository: Repository) -> tuple[Issue, Pull]:
    issue = find_issue(ask, repository)
    if issue.pull is None:
        raise not_found()
    return issue, _refreshed(repository, issue, issue.pull)


def _refreshed(repository: Repository, issue: Issue, pull: Pull) -> Pull:
    """An open request follows its branches; a closed one stays as it was."""
    if issue.state == "open":
        branches = repository.objects.branches
        pull.head_sha = branches.get(pull.head, pull.head_sha)
        pull.base_sha = branches.get(pull.base, pull.base_sha)
    return pull


def _own_branch(repository: Repository, head: str | None) -> str | None:
    """`user:branch` of this repository's owner, or a plain branch."""
    return None if head is None else head.removeprefix(f"{repository.owner}:")


def _is_mergeable(repository: Repository, issue: Issue, pull: Pull) -> bool:
    branches = repository.objects.branches
    if issue.state != "open" or pull.draft or pull.head not in branches or pull.base not in branches:
        return False
    return repository.objects.merged_files(pull.base_sha, pull.head_sha) is not None


def _full_shape(ask: Ask, repository: Repository, issue: Issue, pull: Pull) -> Shape:
    """`pull-request`."""
    objects = repository.objects
    mergeable = _is_mergeable(repository, issue, pull)
    before = objects.ancestry(pull.base_sha)
    new_commits = [sha for sha in objects.ancestry(pull.head_sha) if sha not in before]
    changed = changed_paths(objects.files_at(pull.base_sha), objects.files_at(pull.head_sha))
    return {
        **pull_shape(ask.hub.world, repository, issue, pull, ask.root, ask.caller.person.login),
        "merged": pull.merged_at is not None,
        "merged_by": somebody(ask.hub.world, pull.merged_by, ask.root),
        "mergeable": mergeable if issue.state == "open" else None,
        "rebaseable": mergeable,
        "mergeable_state": "clean" if mergeable else "draft" if pull.draft else "dirty",
        "maintainer_can_modify": False,
        "comments": len(issue.comments),
        "review_comments": 0,
        "commits": len(new_commits),
        # lines are not counted here
        "additions": 0,
        "deletions": 0,
        "changed_files": len(changed),
    }
