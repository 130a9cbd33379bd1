"""The shapes of the GitHub sandbox's answers, after GitHub's published API description.

Every member that the description calls required is there; links point into the sandbox itself.
"""

from base64 import b64encode

from pydantic import JsonValue

from adapters.github.sandbox_git import Commit, Signature
from adapters.github.sandbox_state import Comment, Issue, Person, Pull, Repository, World

Shape = dict[str, JsonValue]

_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def node_id(kind: str, number: int | str) -> str:
    """An opaque id as GraphQL would use it."""
    return b64encode(f"{kind}:{number}".encode()).decode()


def site_of(root: str) -> str:
    """Where pages would be, given where the API is."""
    return root.removesuffix("/api/v3")


def user_shape(person: Person, root: str) -> Shape:
    """`simple-user`."""
    here = f"{root}/users/{person.login}"
    return {
        "login": person.login,
        "id": person.id,
        "node_id": node_id("User", person.id),
        "avatar_url": f"{site_of(root)}/avatars/{person.id}",
        "gravatar_id": "",
        "url": here,
        "html_url": f"{site_of(root)}/{person.login}",
        **{name: here + rest for name, rest in _USER_LINKS.items()},
        "type": "User" if person.members is None else "Organization",
        "site_admin": False,
    }


def own_profile_shape(person: Person, root: str, world: World) -> Shape:
    """`private-user`: what GET /user tells."""
    owned = [repository for repository in world.repositories.values() if repository.owner == person.login]
    hidden = sum(repository.private for repository in owned)
    zero = ("public_gists", "private_gists", "followers", "following", "disk_usage", "collaborators")
    empty = ("company", "location", "hireable", "bio")
    return {
        **user_shape(person, root),
        **dict.fromkeys(zero, 0),
        **dict.fromkeys(empty),
        "name": person.name,
        "email": person.email,
        "blog": "",
        "public_repos": len(owned) - hidden,
        "total_private_repos": hidden,
        "owned_private_repos": hidden,
        "two_factor_authentication": True,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def somebody(world: World, login: str | None, root: str) -> JsonValue:
    """`simple-user` or null."""
    person = world.person(login) if login else None
    return user_shape(person, root) if person else None


def repository_shape(world: World, repository: Repository, root: str, viewer: str) -> Shape:
    """`full-repository`, which has all that `repository` has."""
    here, page = f"{root}/repos/{repository.full_name}", f"{site_of(root)}/{repository.full_name}"
    may_push = world.belongs_to(repository, viewer)
    no_counts = (
        "forks",
        "forks_count",
        "stargazers_count",
        "watchers",
        "watchers_count",
        "size",
        "network_count",
    )
    no_features = (
        "fork",
        "has_projects",
        "has_wiki",
        "has_pages",
        "has_discussions",
        "has_downloads",
        "disabled",
    )
    open_issues = sum(issue.state == "open" for issue in repository.issues)
    return {
        "id": repository.id,
        "node_id": node_id("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": somebody(world, repository.owner, root),
        "private": repository.private,
        "visibility": "private" if repository.private else "public",
        "html_url": page,
        "description": repository.description,
        "url": here,
        **{name: here + rest for name, rest in _REPOSITORY_LINKS.items()},
        "git_url": f"{page}.git",
        "ssh_url": f"{page}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "topics": [],
        **dict.fromkeys(no_counts, 0),
        **dict.fromkeys(no_features, False),
        "subscribers_count": 1,
        "has_issues": repository.has_issues,
        "archived": repository.archived,
        "default_branch": repository.default_branch,
        "open_issues": open_issues,
        "open_issues_count": open_issues,
        "permissions": {
            "admin": may_push,
            "maintain": may_push,
            "push": may_push,
            "triage": may_push,
            "pull": True,
        },
        "created_at": repository.created_at,
        "updated_at": repository.updated_at,
        "pushed_at": repository.updated_at,
    }


def label_shape(name: str, here: str) -> Shape:
    """`label`; sandbox labels have one colour and no description."""
    return {
        "id": sum(name.encode()),
        "node_id": node_id("Label", name),
        "url": f"{here}/labels/{name}",
        "name": name,
        "description": None,
        "color": "ededed",
        "default": False,
    }


def issue_shape(world: World, repository: Repository, issue: Issue, root: str) -> Shape:
    """`issue`, with `pull_request` when it is one."""
    here = f"{root}/repos/{repository.full_name}"
    url, page = f"{here}/issues/{issue.number}", f"{site_of(root)}/{repository.full_name}"
    assignees = [somebody(world, login, root) for login in issue.assignees]
    kind = "pull" if issue.pull else "issues"
    shape: Shape = {
        "id": issue.id,
        "node_id": node_id("Issue", issue.id),
        "url": url,
        "repository_url": here,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": f"{page}/{kind}/{issue.number}",
        "number": issue.number,
        "state": issue.state,
        "state_reason": issue.state_reason,
        "title": issue.title,
        "body": issue.body,
        "user": somebody(world, issue.author, root),
        "labels": [label_shape(name, here) for name in issue.labels],
        "assignee": assignees[0] if assignees else None,
        "assignees": [*assignees],
        "milestone": None,
        "locked": False,
        "active_lock_reason": None,
        "comments": len(issue.comments),
        "created_at": issue.created_at,
        "updated_at": issue.updated_at,
        "closed_at": issue.closed_at,
        "closed_by": somebody(world, issue.closed_by, root),
        "author_association": "OWNER" if issue.author == repository.owner else "NONE",
    }
    if issue.pull:
        pull_url, pull_page = f"{here}/pulls/{issue.number}", f"{page}/pull/{issue.number}"
        shape["draft"] = issue.pull.draft
        shape["pull_request"] = {
            "url": pull_url,
            "html_url": pull_page,
            "diff_url": f"{pull_page}.diff",
            "patch_url": f"{pull_page}.patch",
            "merged_at": issue.pull.merged_at,
        }
    return shape


def comment_shape(world: World, repository: Repository, issue: Issue, comment: Comment, root: str) -> Shape:
    """`issue-comment`."""
    here, page = f"{root}/repos/{repository.full_name}", f"{site_of(root)}/{repository.full_name}"
    return {
        "id": comment.id,
        "node_id": node_id("IssueComment", comment.id),
        "url": f"{here}/issues/comments/{comment.id}",
        "issue_url": f"{here}/issues/{issue.number}",
        "html_url": f"{page}/{'pull' if issue.pull else 'issues'}/{issue.number}#issuecomment-{comment.id}",
        "body": comment.body,
        "user": somebody(world, comment.author, root),
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "author_association": "OWNER" if comment.author == repository.owner else "NONE",
    }


def pull_shape(world: World, repository: Repository, issue: Issue, pull: Pull, root: str, viewer: str) -> Shape:
    """`pull-request-simple`; the single answer adds counts and whether it can be merged."""
    here, page = f"{root}/repos/{repository.full_name}", f"{site_of(root)}/{repository.full_name}"
    url, pull_page = f"{here}/pulls/{issue.number}", f"{page}/pull/{issue.number}"
    links: dict[str, str] = {
        "self": url,
        "html": pull_page,
        "issue": f"{here}/issues/{issue.number}",
        "comments": f"{here}/issues/{issue.number}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{here}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{here}/statuses/{pull.head_sha}",
    }
    shared = {name: value for name, value in issue_shape(world, repository, issue, root).items() if name in _SHARED}
    return {
        **shared,
        **{f"{name}_url": link for name, link in links.items() if name not in ("self", "html")},
        "url": url,
        "html_url": pull_page,
        "node_id": node_id("PullRequest", issue.id),
        "diff_url": f"{pull_page}.diff",
        "patch_url": f"{pull_page}.patch",
        "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_sha,
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _end_shape(world, repository, pull.head, pull.head_sha, root, viewer),
        "base": _end_shape(world, repository, pull.base, pull.base_sha, root, viewer),
        "_links": {name: {"href": link} for name, link in links.items()},
        "auto_merge": None,
        "draft": pull.draft,
    }


_SHARED = {
    *(
        "id",
        "number",
        "state",
        "locked",
        "title",
        "user",
        "body",
        "labels",
        "milestone",
        "active_lock_reason",
    ),
    *("created_at", "updated_at", "closed_at", "assignee", "assignees", "author_association"),
}


def _end_shape(world: World, repository: Repository, branch: str, sha: str, root: str, viewer: str) -> Shape:
    return {
        "label": f"{repository.owner}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": somebody(world, repository.owner, root),
        "repo": repository_shape(world, repository, root, viewer),
    }


def git_commit_shape(repository: Repository, sha: str, commit: Commit, root: str) -> Shape:
    """`git-commit`."""
    here, page = f"{root}/repos/{repository.full_name}/git", f"{site_of(root)}/{repository.full_name}/commit"
    return {
        "sha": sha,
        "node_id": node_id("Commit", sha),
        "url": f"{here}/commits/{sha}",
        "html_url": f"{page}/{sha}",
        "author": _signature_shape(commit.author),
        "committer": _signature_shape(commit.committer),
        "message": commit.message,
        "tree": {"sha": commit.tree, "url": f"{here}/trees/{commit.tree}"},
        "parents": [
            {"sha": parent, "url": f"{here}/commits/{parent}", "html_url": f"{page}/{parent}"}
            for parent in commit.parents
        ],
        "verification": {
            "verified": False,
            "reason": "unsigned",
            "signature": None,
            "payload": None,
            "verified_at": None,
        },
    }


def _signature_shape(signature: Signature) -> Shape:
    return {"name": signature.name, "email": signature.email, "date": signature.date}


def ref_shape(repository: Repository, branch: str, root: str) -> Shape:
    """`git-ref` of a branch."""
    here, sha = f"{root}/repos/{repository.full_name}/git", repository.objects.branches[branch]
    return {
        "ref": f"refs/heads/{branch}",
        "node_id": node_id("Ref", f"{repository.id}:{branch}"),
        "url": f"{here}/refs/heads/{branch}",
        "object": {"type": "commit", "sha": sha, "url": f"{here}/commits/{sha}"},
    }


def content_shape(repository: Repository, path: str, kind: str, sha: str, root: str, ref: str) -> Shape:
    """An entry of a directory, or the head of a file's answer."""
    here, page = f"{root}/repos/{repository.full_name}", f"{site_of(root)}/{repository.full_name}"
    url = f"{here}/contents/{path}?ref={ref}"
    git_url = f"{here}/git/{'trees' if kind == 'dir' else 'blobs'}/{sha}"
    html_url = f"{page}/{'tree' if kind == 'dir' else 'blob'}/{ref}/{path}"
    return {
        "type": kind,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": 0 if kind == "dir" else len(repository.objects.blobs[sha]),
        "url": url,
        "git_url": git_url,
        "html_url": html_url,
        "download_url": None if kind == "dir" else f"{page}/raw/{ref}/{path}",
        "_links": {"self": url, "git": git_url, "html": html_url},
    }
