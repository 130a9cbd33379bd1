"""Scalars, enums with a word on every value, and the arguments that many fields share."""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, NewType

import strawberry

from domain import approvals, catalogue, connections, executions, grants, tool_shapes, usage

JSON = NewType("JSON", object)

json_scalar = strawberry.scalar(
    name="JSON",
    description="Any JSON value (RFC 8259), as it is.",
    serialize=lambda value: value,
    parse_value=lambda value: value,
    specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
)


def describe(enum: type[Enum], name: str, description: str, values: Mapping[str, str]) -> None:
    """Make an enum of the domain one of the schema. Every value has a description, or this fails at import."""
    made = strawberry.enum(enum, name=name, description=description)
    for value in made.__strawberry_definition__.values:  # type: ignore[attr-defined]  # put there by the decorator
        value.description = values[value.name]


IntegrationCategory = catalogue.Category
AuthScheme = catalogue.AuthScheme
QualityTier = catalogue.Tier
Effect = catalogue.Effect
ConnectionStatus = connections.ConnectionStatus
ConnectSessionStatus = connections.SessionStatus
PermissionLevel = grants.PermissionLevel
GrantStatus = grants.GrantStatus
ApprovalPolicy = grants.ApprovalPolicy
ApprovalStatus = approvals.ApprovalStatus
ExecutionStatus = executions.ExecutionStatus
ExecutionMode = executions.ExecutionMode
ExecutionOrigin = executions.ExecutionOrigin
ToolFormat = tool_shapes.ToolFormat
UsageInterval = usage.UsageInterval
UsageDimension = usage.UsageDimension

describe(
    IntegrationCategory,
    "IntegrationCategory",
    "Where a person would look for a service.",
    {
        "DEVELOPMENT": "Code and its tools.",
        "HOSTING": "Running software.",
        "PAYMENTS": "Money.",
        "COMMUNICATION": "Mail and chat.",
        "ANALYTICS": "Figures about use.",
        "DOMAINS": "Domain names and DNS.",
        "PRODUCTIVITY": "Documents, files, calendars.",
        "OTHER": "Everything else.",
    },
)
describe(
    AuthScheme,
    "AuthScheme",
    "How an account is connected.",
    {"OAUTH2": "The person consents at the service.", "API_KEY": "The person pastes a key of the service."},
)
describe(
    UsageInterval,
    "UsageInterval",
    "How long a bucket is, on the clock of UTC.",
    {"HOUR": "At most 31 days at once.", "DAY": "At most 366 days at once."},
)
describe(
    UsageDimension,
    "UsageDimension",
    "By what usage is broken down.",
    {
        "INTEGRATION": "By service.",
        "ACTION": "By what was done.",
        "AGENT": "By who did it.",
        "CONNECTION": "By the account it was done as.",
    },
)
describe(
    QualityTier,
    "QualityTier",
    "How far an integration has proved itself.",
    {
        "BRONZE": "It works, and every action is described.",
        "SILVER": "Its refusals are understood and tested, and lists are walked to their end.",
        "GOLD": "Typed results, retries proven safe, tested against a recorded contract.",
    },
)
describe(
    Effect,
    "Effect",
    "What an action does to the world. MCP hints are derived from it.",
    {
        "READ": "Changes nothing.",
        "WRITE": "Changes something that can be changed back.",
        "DESTRUCTIVE": "Deletes, spends money, or is hard to undo.",
    },
)
describe(
    ConnectionStatus,
    "ConnectionStatus",
    "How a connection stands, by what its service really did.",
    {
        "ACTIVE": "It works.",
        "DEGRADED": "Its last test or renewal failed for a reason that may pass.",
        "EXPIRED": "The service no longer accepts the credential: a person must reconnect.",
        "REVOKED": "Disconnected; the credential is destroyed.",
        "DISABLED": "A person stopped its use, and the credential is kept; or it is being disconnected.",
    },
)
describe(
    ConnectSessionStatus,
    "ConnectSessionStatus",
    "How a connect session stands. All but OPEN are final.",
    {
        "OPEN": "Waiting for the person.",
        "COMPLETED": "The account is connected.",
        "FAILED": "It did not come about; `error` says why.",
        "EXPIRED": "Nobody finished it in time.",
    },
)
describe(
    PermissionLevel,
    "PermissionLevel",
    "The highest effect a grant allows.",
    {
        "READ_ONLY": "Actions that change nothing.",
        "READ_WRITE": "Also actions that change something.",
        "FULL": "Also what deletes, spends money, or is hard to undo.",
    },
)
describe(
    GrantStatus,
    "GrantStatus",
    "Whether a grant is in force.",
    {
        "ACTIVE": "In force.",
        "SUSPENDED": "Out of force until a person lifts that.",
        "EXPIRED": "Its time is over.",
        "REVOKED": "Taken away.",
    },
)
describe(
    ExecutionStatus,
    "ExecutionStatus",
    "How an execution stands.",
    {
        "AWAITING_APPROVAL": "A person is asked first. Nothing was sent.",
        "QUEUED": "It waits for its turn. Nothing was sent, or it is safe to send again.",
        "RUNNING": "Committed to, and under way.",
        "SUCCEEDED": "The service confirmed it.",
        "FAILED": "It did not happen; `error` says why.",
        "UNKNOWN": "It may have happened: `whatToCheck` says what to look for. Never repeated silently.",
        "CANCELLED": "Somebody stopped it before it had an effect.",
        "EXPIRED": "Nobody said yes, or its turn did not come, in time. Nothing was sent.",
    },
)
describe(
    ExecutionMode,
    "ExecutionMode",
    "When `execute` answers.",
    {
        "WAIT": "When the execution is finished, or waits for a person.",
        "BACKGROUND": "As soon as it is on record; it runs when its turn comes.",
    },
)
describe(
    ExecutionOrigin,
    "ExecutionOrigin",
    "Through which door an execution came.",
    {
        "GRAPHQL": "The GraphQL API.",
        "MCP": "The Model Context Protocol.",
    },
)

describe(
    ApprovalPolicy,
    "ApprovalPolicy",
    "From which effect on a person must say yes to each execution.",
    {
        "NEVER": "Nobody is asked.",
        "DESTRUCTIVE": "Before anything is deleted, bought, or done that is hard to undo.",
        "WRITE": "Before anything is changed.",
        "ALWAYS": "Before anything, reading included.",
    },
)
describe(
    ApprovalStatus,
    "ApprovalStatus",
    "How a question to a person stands. All but PENDING are final.",
    {
        "PENDING": "Nobody has decided yet.",
        "APPROVED": "A person said yes.",
        "REJECTED": "A person said no.",
        "EXPIRED": "Nobody decided in time, or it was called off.",
    },
)

describe(
    ToolFormat,
    "ToolFormat",
    "Whose shape a tool is told, or called, in.",
    {
        "OPENAI": "A function of the Responses API, strict where its schema can be.",
        "ANTHROPIC": "A tool of the Messages API.",
        "GEMINI": "A function declaration.",
        "MCP": "As `tools/list` gives it.",
        "JSON_SCHEMA": "A JSON Schema (2020-12) of the arguments; its `title` is the name.",
    },
)

First = Annotated[int | None, strawberry.argument(description="How many at most, 1 to 100; null means 50.")]
After = Annotated[str | None, strawberry.argument(description="The `endCursor` of the page before.")]
Resume = Annotated[
    str | None,
    strawberry.argument(description="The last cursor seen. What came after it is replayed, then live events follow."),
]
Search = Annotated[str | None, strawberry.argument(description="Words to look for.")]
