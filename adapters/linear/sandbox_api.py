"""The practice Linear's schema at work: graphql-core runs the documents, these are the values behind the fields."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from graphql import GraphQLError, GraphQLSchema, build_schema

from adapters._kit.sandbox_oauth import Access, OAuthServer
from adapters.linear.sandbox_state import Comment, Issue, Person, State, Team, World

Shape: TypeAlias = dict[str, Any]
Filter: TypeAlias = Mapping[str, Any]

PRIORITIES = ("No priority", "Urgent", "High", "Medium", "Low")
_LARGEST_PAGE = 250


@cache
def schema() -> GraphQLSchema:
    """The outline of Linear's."""
    return build_schema(Path(__file__).with_name("outline.graphql").read_text())


class Refused(GraphQLError):
    """A no, in Linear's words."""

    def __init__(self, code: str, message: str) -> None:
        said = {"code": code, "type": code.lower().replace("_", " "), "userPresentableMessage": message}
        super().__init__(message, extensions={**said, "userError": True})


def no_such(what: str) -> Refused:
    """An id that names nothing is bad input there."""
    return Refused("INPUT_ERROR", f"Entity not found: {what}")


@dataclass(frozen=True)
class Root:
    """What one caller's query starts from. Fields that Linear names in camel case are looked up by `value`."""

    world: World
    oauth: OAuthServer
    access: Access
    now: Callable[[], float]
    performed: Callable[[str], None]

    def fields(self) -> Shape:
        """Every field of Query and Mutation."""
        return {
            "viewer": lambda _: self._person(self._self()),
            "teams": self._teams,
            "users": lambda _, first=50, after=None: connection(map(self._person, self.world.people), first, after),
            "workflowStates": self._states,
            "issues": self._issues,
            "searchIssues": self._found,
            "issue": self._issue,
            "issueCreate": self._create,
            "issueUpdate": self._update,
            "issueDelete": self._delete,
            "commentCreate": self._comment,
        }

    # ------------------------------------------------------------------------------------------ reading

    def _teams(self, _: object, filter: Filter | None = None, first: int = 50, after: str | None = None) -> Shape:
        found = (_team(each) for each in self.world.teams if _fits_team(each, filter))
        return connection(found, first, after)

    def _states(self, _: object, filter: Filter | None = None, first: int = 50, after: str | None = None) -> Shape:
        found = (self._state(each) for each in self.world.states if self._fits_state(each, filter))
        return connection(found, first, after)

    def _issues(
        self,
        _: object,
        filter: Filter | None = None,
        orderBy: str = "createdAt",  # noqa: N803  # as the argument is called
        first: int = 50,
        after: str | None = None,
    ) -> Shape:
        found = [each for each in self.world.issues if not each.is_deleted and self._fits(each, filter or {})]
        found.sort(key=lambda each: each.updated_at if orderBy == "updatedAt" else each.created_at, reverse=True)
        return connection(map(self._shape, found), first, after)

    def _found(
        self, _: object, term: str, filter: Filter | None = None, first: int = 50, after: str | None = None
    ) -> Shape:
        words = term.casefold().split()
        found = [
            each
            for each in self.world.issues
            if not each.is_deleted and self._fits(each, filter or {}) and _says(each, words)
        ]
        return {**connection(map(self._shape, found), first, after), "totalCount": len(found)}

    def _issue(self, _: object, id: str) -> Shape:
        return self._shape(self._known(id))

    def _fits(self, issue: Issue, wanted: Filter) -> bool:
        state = next(each for each in self.world.states if each.id == issue.state)
        person = next((each for each in self.world.people if each.id == issue.assignee), None)
        assignee, since = wanted.get("assignee") or {}, (wanted.get("updatedAt") or {}).get("gte")
        return (
            _compare(issue.id, wanted.get("id"))
            and _fits_team(self.world.team(issue.team), wanted.get("team"))
            and self._fits_state(state, wanted.get("state"))
            and (not assignee.get("email") or (person is not None and _compare(person.email, assignee["email"])))
            and (since is None or issue.updated_at >= datetime.fromisoformat(since))
        )

    def _fits_state(self, state: State, wanted: Filter | None) -> bool:
        wanted = wanted or {}
        return (
            _compare(state.name, wanted.get("name"))
            and _compare(state.type, wanted.get("type"))
            and _fits_team(self.world.team(state.team), wanted.get("team"))
        )

    # ------------------------------------------------------------------------------------------ changing

    def _create(self, _: object, input: Filter) -> Shape:
        self._need("issues:create")
        team = next((each for each in self.world.teams if each.id == input["teamId"]), None)
        if team is None:
            raise no_such("Team")
        team.last += 1
        moment = self._moment()
        issue = Issue(
            id=self._new_id(input.get("id")),
            team=team.id,
            number=team.last,
            title=input.get("title") or "",
            state=next(each.id for each in self.world.states if each.team == team.id and each.type == "backlog"),
            created_at=moment,
            updated_at=moment,
        )
        if not issue.title:
            raise Refused("INPUT_ERROR", "title must be longer than or equal to 1 characters")
        self._apply(issue, input)
        self.world.issues.append(issue)
        self.performed("issueCreate")
        return {"success": True, "issue": self._shape(issue)}

    def _update(self, _: object, id: str, input: Filter) -> Shape:
        self._need("write")
        issue = self._known(id)
        self._apply(issue, input)
        issue.updated_at = self._moment()
        self.performed("issueUpdate")
        return {"success": True, "issue": self._shape(issue)}

    def _delete(self, _: object, id: str) -> Shape:
        self._need("write")
        self._known(id).is_deleted = True
        self.performed("issueDelete")
        return {"success": True, "entity": None}

    def _comment(self, _: object, input: Filter) -> Shape:
        self._need("comments:create")
        issue = self._known(input.get("issueId") or "")
        made = Comment(
            id=self._new_id(input.get("id")),
            issue=issue.id,
            user=self.access.account,
            body=input.get("body") or "",
            created_at=self._moment(),
        )
        self.world.comments.append(made)
        self.performed("commentCreate")
        return {"success": True, "comment": self._said(made)}

    def _apply(self, issue: Issue, given: Filter) -> None:
        people, states = self.world.people, self.world.states
        if (assignee := given.get("assigneeId")) and assignee not in {each.id for each in people}:
            raise no_such("User")
        if (state := given.get("stateId")) and state not in {each.id for each in states if each.team == issue.team}:
            raise no_such("WorkflowState")
        issue.assignee = assignee or issue.assignee
        issue.state = state or issue.state
        issue.title = given.get("title") or issue.title
        issue.description = given.get("description", issue.description)
        issue.priority = given.get("priority", issue.priority)
        issue.due_date = given.get("dueDate", issue.due_date)

    def _new_id(self, wanted: str | None) -> str:
        """As Linear: a version 4 that nothing has yet."""
        if wanted is None:
            return str(uuid4())
        taken = {each.id for each in self.world.issues} | {each.id for each in self.world.comments}
        try:
            is_fit = UUID(wanted).version == 4
        except ValueError:
            is_fit = False
        if not is_fit or wanted in taken:
            raise Refused("INPUT_ERROR", "id must be a UUID that is not in use")
        return wanted

    def _need(self, scope: str) -> None:
        if self.oauth.lacking(self.access, scope):
            raise Refused("FORBIDDEN", f"Invalid scope: `{scope}` required")

    def _known(self, id: str) -> Issue:
        issue = self.world.issue(id)
        if issue is None:
            raise no_such("Issue")
        return issue

    def _self(self) -> Person:
        return next(each for each in self.world.people if each.id == self.access.account)

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    # -------------------------------------------------------------------------------------------- shapes

    def _person(self, person: Person) -> Shape:
        workspace = {"id": "harbour-works", "name": "Harbour Works", "urlKey": "harbour-works"}
        more = {"displayName": person.name.split()[0].lower(), "guest": False, "organization": workspace}
        return {**person.model_dump(), **more}

    def _state(self, state: State) -> Shape:
        return {**state.model_dump(), "position": 0.0, "team": _team(self.world.team(state.team))}

    def _said(self, comment: Comment) -> Shape:
        issue = next(each for each in self.world.issues if each.id == comment.issue)
        writer = next(each for each in self.world.people if each.id == comment.user)
        return {
            "id": comment.id,
            "body": comment.body,
            "createdAt": comment.created_at.isoformat(),
            "url": f"{self._url(issue)}#comment-{comment.id[:8]}",
            "user": self._person(writer),
        }

    def _url(self, issue: Issue) -> str:
        return f"https://linear.example/harbour-works/issue/{self.world.identifier(issue)}"

    def _shape(self, issue: Issue) -> Shape:
        person = next((each for each in self.world.people if each.id == issue.assignee), None)
        said = [each for each in self.world.comments if each.issue == issue.id]
        return {
            **issue.model_dump(include={"id", "title", "description", "priority"}),
            "identifier": self.world.identifier(issue),
            "priorityLabel": PRIORITIES[issue.priority],
            "dueDate": issue.due_date,
            "url": self._url(issue),
            "createdAt": issue.created_at.isoformat(),
            "updatedAt": issue.updated_at.isoformat(),
            "state": self._state(next(each for each in self.world.states if each.id == issue.state)),
            "team": _team(self.world.team(issue.team)),
            "assignee": self._person(person) if person else None,
            "labels": lambda _, first=50: {"nodes": [{"id": each, "name": each} for each in issue.labels[:first]]},
            "comments": lambda _, first=50, after=None: connection(map(self._said, said), first, after),
        }


def connection(items: Iterable[Shape], first: int = 50, after: str | None = None) -> Shape:
    """One page, and where the next one begins."""
    if not 1 <= first <= _LARGEST_PAGE:
        raise Refused("INPUT_ERROR", f"first must not be greater than {_LARGEST_PAGE}")
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise Refused("INPUT_ERROR", "Invalid cursor")
    found, start = list(items), int(after or 0)
    end = start + first
    return {
        "nodes": found[start:end],
        "pageInfo": {"hasNextPage": end < len(found), "endCursor": str(min(end, len(found)))},
    }


def _team(team: Team) -> Shape:
    return team.model_dump(exclude={"last"})


def _fits_team(team: Team, wanted: Filter | None) -> bool:
    return _compare(team.key, (wanted or {}).get("key"))


def _says(issue: Issue, words: Iterable[str]) -> bool:
    text = f"{issue.title} {issue.description or ''}".casefold()
    return all(word in text for word in words)


def _compare(value: str, wanted: Filter | None) -> bool:
    wanted = wanted or {}
    equal, among, loosely = wanted.get("eq"), wanted.get("in"), wanted.get("eqIgnoreCase")
    return (
        (equal is None or value == equal)
        and (among is None or value in among)
        and (loosely is None or value.casefold() == loosely.casefold())
    )
