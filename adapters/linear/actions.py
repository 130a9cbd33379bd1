"""What an agent can do at Linear."""

from collections.abc import Mapping
from datetime import date
from typing import Literal, TypeAlias

from adapters._kit import Annotated, AwareDatetime, Call, Effect, Field, action, given
from adapters.linear.asking import done, own_id, read, walk, write
from adapters.linear.results import ISSUE, Account, Comment, Issue, IssueWithComments, Person, State, Team
from domain.errors import NotThere
from domain.json import Json, JsonObject

Limit: TypeAlias = Annotated[int, Field(ge=1, le=500, description="The most to return.")]
TeamKey: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Z0-9]{1,10}$", description="A team's key from list_teams: ENG in ENG-123.")
]
IssueId: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^([A-Z0-9]{1,10}-[0-9]{1,9}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$",
        description="As people write it (ENG-123), or its id.",
    ),
]
Title: TypeAlias = Annotated[str, Field(min_length=1, max_length=500, description="What it is about, in a line.")]
Text: TypeAlias = Annotated[str, Field(max_length=100_000, description="Markdown.")]
Id: TypeAlias = Annotated[
    str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="An id from another answer.")
]
Priority: TypeAlias = Annotated[
    Literal["none", "urgent", "high", "medium", "low"], Field(description="How soon it should be done.")
]
StateType: TypeAlias = Literal["triage", "backlog", "unstarted", "started", "completed", "canceled"]

_PRIORITIES: Mapping[str, int] = {"none": 0, "urgent": 1, "high": 2, "medium": 3, "low": 4}
_PAGE = "pageInfo { hasNextPage endCursor }"
_COMMENT = "id body createdAt url user { name }"


@action(effect=Effect.READ, scopes=("read",))
async def get_account(call: Call) -> Account:
    """Show who is connected, and to which workspace."""
    answer = await read(call, "query { viewer { id name email organization { name } } }")
    return Account.of(answer.at("data.viewer"))


@action(effect=Effect.READ, scopes=("read",))
async def list_teams(call: Call, *, limit: Limit = 100) -> list[Team]:
    """List the teams of the workspace.

    An issue belongs to one team. create_issue takes the `id`, everything else the `key`.
    """
    document = f"""query ($first: Int, $after: String) {{
        teams(first: $first, after: $after) {{ nodes {{ id key name description }} {_PAGE} }}
    }}"""
    return [Team.of(each) for each in await walk(call, document, "teams", limit, {})]


@action(effect=Effect.READ, scopes=("read",))
async def list_users(call: Call, *, limit: Limit = 100) -> list[Person]:
    """List the people of the workspace.

    Their `id` is what an issue is assigned to.
    """
    document = f"""query ($first: Int, $after: String) {{
        users(first: $first, after: $after) {{ nodes {{ id name email active guest }} {_PAGE} }}
    }}"""
    return [Person.of(each) for each in await walk(call, document, "users", limit, {})]


@action(effect=Effect.READ, scopes=("read",))
async def list_states(call: Call, *, team: TeamKey, limit: Limit = 100) -> list[State]:
    """List the states that a team's issues can be in (its workflow).

    Each team names its own: look here before you move an issue to another state.
    """
    document = f"""query ($first: Int, $after: String, $filter: WorkflowStateFilter) {{
        workflowStates(first: $first, after: $after, filter: $filter) {{
            nodes {{ id name type team {{ key }} }} {_PAGE}
        }}
    }}"""
    chosen: JsonObject = {"filter": {"team": {"key": {"eq": team}}}}
    return [State.of(each) for each in await walk(call, document, "workflowStates", limit, chosen)]


@action(effect=Effect.READ, scopes=("read",))
async def list_issues(
    call: Call,
    *,
    team: TeamKey | None = None,
    state_types: Annotated[list[StateType] | None, Field(description="Only in states of these kinds.")] = None,
    assignee_email: Annotated[
        str | None, Field(min_length=3, max_length=320, description="Only those of the person with this address.")
    ] = None,
    updated_since: Annotated[AwareDatetime | None, Field(description="Only those changed since.")] = None,
    limit: Limit = 50,
) -> list[Issue]:
    """List issues (tasks, bugs, tickets), the latest change first.

    Open ones are those in states of the kinds triage, backlog, unstarted and started.
    """
    chosen = given(
        team={"key": {"eq": team}} if team else None,
        state={"type": {"in": [*state_types]}} if state_types else None,
        assignee={"email": {"eq": assignee_email}} if assignee_email else None,
        updatedAt={"gte": updated_since.isoformat()} if updated_since else None,
    )
    document = f"""query ($first: Int, $after: String, $filter: IssueFilter) {{
        issues(first: $first, after: $after, filter: $filter, orderBy: updatedAt) {{ nodes {{ {ISSUE} }} {_PAGE} }}
    }}"""
    return [Issue.of(each) for each in await walk(call, document, "issues", limit, {"filter": chosen})]


@action(effect=Effect.READ, scopes=("read",))
async def search_issues(
    call: Call,
    *,
    query: Annotated[str, Field(min_length=1, max_length=500, description="Words of the title or description.")],
    limit: Limit = 20,
) -> list[Issue]:
    """Search issues by words, the best match first."""
    document = f"""query ($term: String!, $first: Int, $after: String) {{
        searchIssues(term: $term, first: $first, after: $after) {{ nodes {{ {ISSUE} }} {_PAGE} }}
    }}"""
    return [Issue.of(each) for each in await walk(call, document, "searchIssues", limit, {"term": query})]


@action(effect=Effect.READ, scopes=("read",))
async def get_issue(call: Call, *, issue: IssueId) -> IssueWithComments:
    """Show one issue with its latest comments (at most 50)."""
    document = f"""query ($id: String!) {{
        issue(id: $id) {{ {ISSUE} comments(first: 50) {{ nodes {{ {_COMMENT} }} }} }}
    }}"""
    return IssueWithComments.of((await read(call, document, id=issue)).at("data.issue"))


async def _made(call: Call) -> Issue | None:
    """The issue that a lost answer was about. That it is not there proves little: it may still be on its way."""
    document = f"""query ($filter: IssueFilter) {{ issues(first: 1, filter: $filter) {{ nodes {{ {ISSUE} }} }} }}"""
    found = (await read(call, document, filter={"id": {"eq": own_id(call)}})).objects("data.issues.nodes")
    return Issue.of(found[0]) if found else None


@action(
    effect=Effect.WRITE,
    scopes=("issues:create",),
    look_for="an issue with this title in the team, created in this minute",
    probe=_made,
)
async def create_issue(
    call: Call,
    *,
    team_id: Annotated[Id, Field(description="A team's `id` from list_teams.")],
    title: Title,
    description: Text | None = None,
    priority: Priority | None = None,
    assignee_id: Annotated[Id | None, Field(description="A person's `id` from list_users.")] = None,
    state_id: Annotated[Id | None, Field(description="From list_states; without it, where new issues go.")] = None,
    due_date: Annotated[date | None, Field(description="The day it should be done by.")] = None,
) -> Issue:
    """Create an issue: a task, a bug report, a feature request, a ticket."""
    wanted: dict[str, Json] = given(
        id=own_id(call),
        teamId=team_id,
        title=title,
        description=description,
        priority=_PRIORITIES[priority] if priority else None,
        assigneeId=assignee_id,
        stateId=state_id,
        dueDate=due_date.isoformat() if due_date else None,
    )
    document = (
        f"mutation ($input: IssueCreateInput!) {{ issueCreate(input: $input) {{ success issue {{ {ISSUE} }} }} }}"
    )
    return _issue(done(await write(call, document, input=wanted), "issueCreate"))


@action(effect=Effect.WRITE, scopes=("write",), idempotent=True, look_for="the issue with what was changed in it")
async def update_issue(
    call: Call,
    *,
    issue: IssueId,
    title: Title | None = None,
    description: Text | None = None,
    priority: Priority | None = None,
    assignee_id: Annotated[Id | None, Field(description="A person's `id` from list_users.")] = None,
    state_id: Annotated[Id | None, Field(description="From list_states of the issue's team.")] = None,
    due_date: Annotated[date | None, Field(description="The day it should be done by.")] = None,
) -> Issue:
    """Change an issue: move it to another state, assign it, close it, set its due date.

    What is not given stays as it is. To close one, move it to a state of the kind completed or canceled.
    """
    wanted = given(
        title=title,
        description=description,
        priority=_PRIORITIES[priority] if priority else None,
        assigneeId=assignee_id,
        stateId=state_id,
        dueDate=due_date.isoformat() if due_date else None,
    )
    document = f"""mutation ($id: String!, $input: IssueUpdateInput!) {{
        issueUpdate(id: $id, input: $input) {{ success issue {{ {ISSUE} }} }}
    }}"""
    return _issue(done(await write(call, document, id=issue, input=wanted), "issueUpdate"))


@action(effect=Effect.WRITE, scopes=("comments:create",), look_for="a comment with this text on the issue")
async def comment_issue(
    call: Call, *, issue: IssueId, body: Annotated[Text, Field(min_length=1, description="Markdown.")]
) -> Comment:
    """Comment on an issue."""
    document = f"""mutation ($input: CommentCreateInput!) {{
        commentCreate(input: $input) {{ success comment {{ {_COMMENT} }} }}
    }}"""
    wanted: JsonObject = {"id": own_id(call), "issueId": issue, "body": body}
    made = done(await write(call, document, input=wanted), "commentCreate")
    return Comment.of(made.get("comment") if isinstance(made, dict) else None)


@action(
    effect=Effect.DESTRUCTIVE, scopes=("write",), idempotent=True, look_for="the issue among the team's deleted ones"
)
async def delete_issue(call: Call, *, issue: IssueId) -> None:
    """Delete an issue.

    It stays among the team's recently deleted issues for 30 days, from where a person can bring it back.
    """
    document = "mutation ($id: String!) { issueDelete(id: $id) { success } }"
    done(await write(call, document, id=issue), "issueDelete")


def _issue(made: Json) -> Issue:
    """Raises NotThere when Linear did it and shows nothing: the issue is one that the account may not see."""
    found = made.get("issue") if isinstance(made, dict) else None
    if found is None:
        raise NotThere("Linear did it and does not show the issue: this account may not see it.")
    return Issue.of(found)
