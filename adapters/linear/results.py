"""What Linear's actions answer with, and what they ask for to have it."""

from datetime import date, datetime

from adapters._kit import AliasPath, Field, Result, field_validator
from domain.json import Json

ISSUE = """
    id identifier title description priorityLabel dueDate url createdAt updatedAt
    state { name type } team { key name } assignee { id name email } labels(first: 20) { nodes { name } }
"""


class Account(Result):
    """The connected person and their workspace."""

    id: str
    name: str
    email: str
    workspace: str = Field(validation_alias=AliasPath("organization", "name"))


class Team(Result):
    """A team of the workspace."""

    id: str
    key: str = Field(description="What its issues' identifiers begin with: ENG in ENG-123.")
    name: str
    description: str | None = None


class Person(Result):
    """Somebody in the workspace."""

    id: str
    name: str
    email: str
    active: bool = Field(description="False: their access ended.")
    guest: bool


class State(Result):
    """A state that a team's issues can be in."""

    id: str
    name: str
    type: str = Field(description="triage, backlog, unstarted, started, completed or canceled.")
    team: str = Field(description="Its team's key.", validation_alias=AliasPath("team", "key"))


class Assignee(Result):
    """Who takes care of an issue."""

    id: str
    name: str
    email: str


class Issue(Result):
    """An issue."""

    id: str
    identifier: str = Field(description="As people write it: ENG-123.")
    title: str
    description: str | None = None
    state: str = Field(validation_alias=AliasPath("state", "name"))
    state_type: str = Field(
        description="triage, backlog, unstarted, started, completed or canceled.",
        validation_alias=AliasPath("state", "type"),
    )
    team: str = Field(description="Its team's key.", validation_alias=AliasPath("team", "key"))
    priority: str = Field(validation_alias="priorityLabel")
    assignee: Assignee | None = None
    labels: list[str]
    due_date: date | None = Field(default=None, validation_alias="dueDate")
    created_at: datetime = Field(validation_alias="createdAt")
    updated_at: datetime = Field(validation_alias="updatedAt")
    url: str

    @field_validator("labels", mode="before")
    @classmethod
    def _names(cls, sent: Json) -> Json:
        """Linear sends them as a connection."""
        nodes = sent.get("nodes") if isinstance(sent, dict) else sent
        return [each.get("name") for each in nodes if isinstance(each, dict)] if isinstance(nodes, list) else sent


class Comment(Result):
    """A comment on an issue."""

    id: str
    body: str
    author: str | None = Field(default=None, validation_alias=AliasPath("user", "name"))
    created_at: datetime = Field(validation_alias="createdAt")
    url: str


class IssueWithComments(Issue):
    """An issue with what was said about it."""

    comments: list[Comment]

    @field_validator("comments", mode="before")
    @classmethod
    def _nodes(cls, sent: Json) -> Json:
        """Likewise."""
        return sent.get("nodes") if isinstance(sent, dict) else sent
