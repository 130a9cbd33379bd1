"""Scalars, enums with a word on every value, and the arguments that many fields share."""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, NewType

import strawberry

from domain import catalogue, connections, executions, grants

JSON = NewType("JSON", object)

json_scalar = strawberry.scalar(
    name="JSON",
    description="Any JSON value (RFC 8259), as it is.",
    serialize=lambda value: value,
    parse_value=lambda value: value,
    specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
)


def _describe(enum: type[Enum], name: str, description: str, values: Mapping[str, str]) -> None:
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
ExecutionStatus = executions.ExecutionStatus
ExecutionMode = executions.ExecutionMode
ExecutionOrigin = executions.ExecutionOrigin

_describe(
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
_describe(
    AuthScheme,
    "AuthScheme",
    "How an account is connected.",
    {"OAUTH2": "The person consents at the service.", "API_KEY": "The person pastes a key of the service."},
)
_describe(
    QualityTier,
    "QualityTier",
    "How far an integration has proved itself.",
    {
        "BRONZE": "It works, and every action is described.",
        "SILVER": "Its refusals are understood and tested, and lists are walked to their end.",
        "GOLD": "Typed results, retries proven safe, tested against a recorded contract.",
    },
)
_describe(
    Effect,
    "Effect",
    "What an action does to the world. MCP hints are derived from it.",
    {
        "READ": "Changes nothing.",
        "WRITE": "Changes something that can be changed back.",
        "DESTRUCTIVE": "Deletes, spends money, or is hard to undo.",
    },
)
_describe(
    ConnectionStatus,
    "ConnectionStatus",
    "How a connection stands, by what its service really did.",
    {
        "ACTIVE": "It works.",
        "DEGRADED": "Its last test failed for a reason that may pass.",
        "EXPIRED": "The service no longer accepts the credential: a person must reconnect.",
        "REVOKED": "Disconnected; the credential is destroyed.",
    },
)
_describe(
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
_describe(
    PermissionLevel,
    "PermissionLevel",
    "The highest effect a grant allows.",
    {
        "READ_ONLY": "Actions that change nothing.",
        "READ_WRITE": "Also actions that change something.",
        "FULL": "Also what deletes, spends money, or is hard to undo.",
    },
)
_describe(
    GrantStatus,
    "GrantStatus",
    "Whether a grant is in force.",
    {"ACTIVE": "In force.", "EXPIRED": "Its time is over.", "REVOKED": "Taken away."},
)
_describe(
    ExecutionStatus,
    "ExecutionStatus",
    "How an execution stands. All but RUNNING are final.",
    {
        "RUNNING": "Committed to, and under way.",
        "SUCCEEDED": "The service confirmed it.",
        "FAILED": "It did not happen; `error` says why.",
        "UNKNOWN": "It may have happened: `whatToCheck` says what to look for. Never repeated silently.",
    },
)
_describe(
    ExecutionMode,
    "ExecutionMode",
    "When `execute` answers.",
    {"WAIT": "When the execution is finished."},
)
_describe(
    ExecutionOrigin,
    "ExecutionOrigin",
    "Through which door an execution came.",
    {
        "GRAPHQL": "The GraphQL API.",
        "MCP": "The Model Context Protocol.",
    },
)

First = Annotated[int | None, strawberry.argument(description="How many at most, 1 to 100; null means 50.")]
After = Annotated[str | None, strawberry.argument(description="The `endCursor` of the page before.")]
Resume = Annotated[
    str | None,
    strawberry.argument(description="The last cursor seen. What came after it is replayed, then live events follow."),
]
Search = Annotated[str | None, strawberry.argument(description="Words to look for.")]
