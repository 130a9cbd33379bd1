"""Scalars, enums with a word on every value, and the arguments that many fields share."""

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, NewType, TypeVar

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

E = TypeVar("E", bound=type[Enum])


def _described(enum: E, name: str, description: str, values: Mapping[str, str]) -> E:
    """An enum of the domain as one of the schema. Every value has a description, or this fails at import."""
    made = strawberry.enum(enum, name=name, description=description)
    for value in made.__strawberry_definition__.values:  # type: ignore[attr-defined]  # put there by the decorator
        value.description = values[value.name]
    return made


IntegrationCategory = _described(
    catalogue.Category,
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
AuthScheme = _described(
    catalogue.AuthScheme,
    "AuthScheme",
    "How an account is connected.",
    {"OAUTH2": "The person consents at the service.", "API_KEY": "The person pastes a key of the service."},
)
QualityTier = _described(
    catalogue.Tier,
    "QualityTier",
    "How far an integration has proved itself.",
    {
        "BRONZE": "It works, and every action is described.",
        "SILVER": "Its refusals are understood and tested, and lists are walked to their end.",
        "GOLD": "Typed results, retries proven safe, tested against a recorded contract.",
    },
)
Effect = _described(
    catalogue.Effect,
    "Effect",
    "What an action does to the world. MCP hints are derived from it.",
    {
        "READ": "Changes nothing.",
        "WRITE": "Changes something that can be changed back.",
        "DESTRUCTIVE": "Deletes, spends money, or is hard to undo.",
    },
)
ConnectionStatus = _described(
    connections.ConnectionStatus,
    "ConnectionStatus",
    "How a connection stands, by what its service really did.",
    {
        "PENDING": "Not finished yet.",
        "ACTIVE": "It works.",
        "DEGRADED": "Its last test failed for a reason that may pass.",
        "EXPIRED": "The service no longer accepts the credential: a person must reconnect.",
        "REVOKED": "Disconnected; the credential is destroyed.",
        "DISABLED": "Switched off by a person.",
    },
)
ConnectSessionStatus = _described(
    connections.SessionStatus,
    "ConnectSessionStatus",
    "How a connect session stands. All but OPEN are final.",
    {
        "OPEN": "Waiting for the person.",
        "COMPLETED": "The account is connected.",
        "FAILED": "It did not come about; `error` says why.",
        "EXPIRED": "Nobody finished it in time.",
    },
)
PermissionLevel = _described(
    grants.PermissionLevel,
    "PermissionLevel",
    "The highest effect a grant allows.",
    {
        "READ_ONLY": "Actions that change nothing.",
        "READ_WRITE": "Also actions that change something.",
        "FULL": "Also what deletes, spends money, or is hard to undo.",
    },
)
GrantStatus = _described(
    grants.GrantStatus,
    "GrantStatus",
    "Whether a grant is in force.",
    {"ACTIVE": "In force.", "EXPIRED": "Its time is over.", "REVOKED": "Taken away."},
)
ExecutionStatus = _described(
    executions.ExecutionStatus,
    "ExecutionStatus",
    "How an execution stands. All but RUNNING are final.",
    {
        "RUNNING": "Committed to, and under way.",
        "SUCCEEDED": "The service confirmed it.",
        "FAILED": "It did not happen; `error` says why.",
        "UNKNOWN": "It may have happened: `whatToCheck` says what to look for. Never repeated silently.",
    },
)
ExecutionMode = _described(
    executions.ExecutionMode,
    "ExecutionMode",
    "When `execute` answers.",
    {"WAIT": "When the execution is finished."},
)
ExecutionOrigin = _described(
    executions.ExecutionOrigin,
    "ExecutionOrigin",
    "Through which door an execution came.",
    {
        "GRAPHQL": "The GraphQL API.",
        "MCP": "The Model Context Protocol.",
        "CONSOLE": "The web console.",
        "CLI": "The command line.",
        "SCHEDULE": "A schedule.",
    },
)

First = Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="The `endCursor` of the page before.")]
Resume = Annotated[
    str | None,
    strawberry.argument(description="The last cursor seen. What came after it is replayed, then live events follow."),
]
Search = Annotated[str | None, strawberry.argument(description="Words to look for.")]
