"""Issues, their comments and the search for them, in the GitHub sandbox. Pull requests are issues too."""

import shlex
from collections.abc import Callable

from pydantic import JsonValue
from starlette.routing import Route

from adapters.github.sandbox_api import Answer, Ask, Refused, api_route, invalid
from adapters.github.sandbox_shapes import comment_shape, issue_shape
from adapters.github.sandbox_state import Comment, Hub, Issue, Repository

_REASONS = ("completed", "not_planned", "duplicate", "reopened")


def issue_routes(hub: Hub) -> list[Route]:
    """All routes of this module."""
    many, one = "/repos/{owner}/{repo}/issues", "/repos/{owner}/{repo}/issues/{number:int}"
    accepted = "public_repo, repo"
    return [
        api_route(hub, "GET", many, list_issues, "repo"),
        api_route(hub, "POST", many, create_issue, accepted),
        api_route(hub, "GET", one, show_issue, "repo"),
        api_route(hub, "PATCH", one, update_issue, accepted),
        api_route(hub, "GET", one + "/comments", list_comments, "repo"),
        api_route(hub, "POST", one + "/comments", create_comment, accepted),
        api_route(hub, "GET", "/search/issues", search_issues, "repo"),
    ]


def list_issues(ask: Ask) -> Answer:
    """GET issues: open, newest first; `state`, `labels`, `assignee`, `creator`, `since` narrow or widen."""
    repository = ask.repository()
    state, labels = ask.query("state", "open"), set(filter(None, ask.query("labels").split(",")))
    if state not in ("open", "closed", "all"):
        raise invalid("Issue", "state", "invalid")
    assignee, creator, since = ask.query("assignee"), ask.query("creator"), ask.query("since")
    kept = [
        issue
        for issue in reversed(repository.issues)
        if state in ("all", issue.state)
        and labels <= set(issue.labels)
        and (not assignee or assignee in issue.assignees or (assignee == "none" and not issue.assignees))
        and (not creator or creator == issue.author)
        and issue.updated_at >= since
    ]
    if ask.query("sort") in ("updated", "comments"):
        kept.sort(key=_sorting(ask.query("sort")), reverse=True)
    if ask.query("direction") == "asc":
        kept.reverse()
    return ask.paged([_shape(ask, repository, issue) for issue in kept])


def create_issue(ask: Ask) -> Answer:
    """POST issues: 422 without a title, 410 when issues are off.

    Labels and assignees need push access and are dropped silently without, as GitHub does.
    """
    repository = ask.contributable()
    if not repository.has_issues:
        raise Refused(410, "Issues has been disabled in this repository.")
    title, body = ask.text("title"), ask.text("body")
    labels, assignees = ask.names("labels") or [], _assignees(ask) or []
    if not title or not title.strip():
        raise invalid("Issue", "title", "missing_field")
    issue = new_issue(ask, repository, title, body)
    if ask.owns(repository):
        issue.labels, issue.assignees = labels, assignees
    repository.issues.append(issue)
    return Answer(_shape(ask, repository, issue), 201)


def new_issue(ask: Ask, repository: Repository, title: str, body: str | None) -> Issue:
    """The next issue of a repository, not yet in its list."""
    when = ask.hub.stamp()
    return Issue(
        id=ask.hub.world.new_id(),
        number=len(repository.issues) + 1,
        title=title,
        body=body,
        author=ask.caller.person.login,
        created_at=when,
        updated_at=when,
    )


def show_issue(ask: Ask) -> Answer:
    """GET issues/{number}"""
    repository = ask.repository()
    return Answer(_shape(ask, repository, find_issue(ask, repository)))


def update_issue(ask: Ask) -> Answer:
    """PATCH issues/{number}: by its author or who may push; `state` is open or closed."""
    repository = ask.contributable()
    issue = find_issue(ask, repository)
    if not ask.owns(repository) and issue.author != ask.caller.person.login:
        raise Refused(403, "Must have admin rights to Repository.")
    title, state = ask.text("title"), ask.text("state") or issue.state
    labels, assignees, reason = ask.names("labels"), _assignees(ask), ask.text("state_reason")
    if title is not None and not title.strip():
        raise invalid("Issue", "title", "missing_field")
    if state not in ("open", "closed"):
        raise invalid("Issue", "state", "invalid")
    if reason is not None and reason not in _REASONS:
        raise invalid("Issue", "state_reason", "invalid")
    if "body" in ask.body:
        issue.body = ask.text("body")
    issue.title = title or issue.title
    if ask.owns(repository):
        issue.labels = issue.labels if labels is None else labels
        issue.assignees = issue.assignees if assignees is None else assignees
    set_state(ask, issue, state, reason)
    issue.updated_at = ask.hub.stamp()
    return Answer(_shape(ask, repository, issue))


def set_state(ask: Ask, issue: Issue, state: str, reason: str | None = None) -> None:
    """Close or reopen; nothing when it is so already."""
    if state == issue.state:
        return
    issue.state = state
    if state == "closed":
        issue.closed_at, issue.closed_by = ask.hub.stamp(), ask.caller.person.login
        issue.state_reason = None if issue.pull else reason or "completed"
    else:
        issue.closed_at = issue.closed_by = None
        issue.state_reason = None if issue.pull else "reopened"


def list_comments(ask: Ask) -> Answer:
    """GET issues/{number}/comments: oldest first."""
    repository = ask.repository()
    issue = find_issue(ask, repository)
    world, root = ask.hub.world, ask.root
    return ask.paged([comment_shape(world, repository, issue, comment, root) for comment in issue.comments])


def create_comment(ask: Ask) -> Answer:
    """POST issues/{number}/comments: 422 without a body."""
    repository = ask.contributable()
    issue, body = find_issue(ask, repository), ask.text("body")
    if not body or not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    when = ask.hub.stamp()
    author = ask.caller.person.login
    comment = Comment(id=ask.hub.world.new_id(), author=author, body=body, created_at=when, updated_at=when)
    issue.comments.append(comment)
    issue.updated_at = when
    return Answer(comment_shape(ask.hub.world, repository, issue, comment, ask.root), 201)


def find_issue(ask: Ask, repository: Repository) -> Issue:
    """The issue of the path; raises Refused (404)."""
    number = int(ask.request.path_params["number"])
    if not 1 <= number <= len(repository.issues):
        raise Refused(404, "Not Found")
    return repository.issues[number - 1]


def search_issues(ask: Ask) -> Answer:
    """GET search/issues: words in title, body and comments; repo:, user:, is:, state:, author:, label:, in:.

    Other qualifiers are refused with 422 rather than ignored, so that a sandbox result never claims too much.
    """
    words, qualifiers = _parse_search(ask.query("q"))
    places = _searched(ask, qualifiers)
    found = [
        (repository, issue)
        for repository in places
        for issue in repository.issues
        if all(_matches(repository, issue, name, value) for name, value in qualifiers)
        and all(word in _text_of(issue) for word in words)
    ]
    sort = _sorting(ask.query("sort", "created"))
    found.sort(key=lambda pair: sort(pair[1]), reverse=ask.query("order", "desc") != "asc")
    page, per_page, headers = ask.page_of(len(found))
    shown = found[(page - 1) * per_page : page * per_page]
    items: list[JsonValue] = [{**_shape(ask, repository, issue), "score": 1.0} for repository, issue in shown]
    return Answer(
        {"total_count": len(found), "incomplete_results": False, "items": items, "search_type": "lexical"},
        headers=headers,
    )


_Qualifiers = list[tuple[str, str]]


def _parse_search(query: str) -> tuple[list[str], _Qualifiers]:
    if not query.strip():
        raise invalid("Search", "q", "missing")
    try:
        parts = shlex.split(query)
    except ValueError:
        parts = query.split()
    words: list[str] = []
    qualifiers: _Qualifiers = []
    for part in parts:
        name, colon, value = part.partition(":")
        if colon and name.isalpha() and value and not value.startswith("//"):
            qualifiers.append((name.lower(), value.lower()))
        else:
            words.append(part.lower())
    unknown = [name for name, _ in qualifiers if name not in _KNOWN]
    if unknown:
        raise invalid("Search", "q", "invalid", f"The sandbox does not know the qualifier {unknown[0]!r}.")
    return words, qualifiers


def _searched(ask: Ask, qualifiers: _Qualifiers) -> list[Repository]:
    """The repositories looked through: those named, or all visible; raises Refused for hidden ones."""
    visible = list(ask.hub.world.visible_to(ask.caller.person.login, ask.caller.scopes))
    named = {value for name, value in qualifiers if name == "repo"}
    if not named:
        return visible
    found = [repository for repository in visible if repository.full_name.lower() in named]
    if not found:
        words = "The listed users and repositories cannot be searched either because the resources do not exist"
        raise invalid("Search", "q", "invalid", words + " or you do not have permission to view them.")
    return found


def _matches(repository: Repository, issue: Issue, name: str, value: str) -> bool:
    match name:
        case "is" | "type":
            return _is(repository, issue, value)
        case "user":
            return repository.owner.lower() == value
        case "state":
            return issue.state == value
        case "author":
            return issue.author.lower() == value
        case "assignee":
            return value in (login.lower() for login in issue.assignees)
        case "label":
            return value in (label.lower() for label in issue.labels)
    return True


def _is(repository: Repository, issue: Issue, value: str) -> bool:
    match value:
        case "issue":
            return issue.pull is None
        case "pr" | "pull-request":
            return issue.pull is not None
        case "open" | "closed":
            return issue.state == value
        case "public" | "private":
            return repository.private == (value == "private")
        case "merged":
            return issue.pull is not None and issue.pull.merged_at is not None
    return False


# "repo" decides which repositories are searched, and words are looked for everywhere
_KNOWN = ("repo", "in", "user", "is", "type", "state", "author", "assignee", "label")


def _text_of(issue: Issue) -> str:
    return "\n".join([issue.title, issue.body or "", *(comment.body for comment in issue.comments)]).lower()


def _sorting(name: str) -> Callable[[Issue], tuple[str | int, int]]:
    match name:
        case "updated":
            return lambda issue: (issue.updated_at, issue.id)
        case "comments":
            return lambda issue: (len(issue.comments), issue.id)
    return lambda issue: (issue.created_at, issue.id)


def _assignees(ask: Ask) -> list[str] | None:
    """Logins of people who exist; others are dropped, as GitHub does."""
    asked = ask.names("assignees")
    people = [ask.hub.world.person(login) for login in asked or []]
    return None if asked is None else [person.login for person in people if person]


def _shape(ask: Ask, repository: Repository, issue: Issue) -> dict[str, JsonValue]:
    return issue_shape(ask.hub.world, repository, issue, ask.root)
