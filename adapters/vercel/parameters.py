"""Parameters that several of Vercel's actions share, and the team that every call is for."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from adapters._kit import Annotated, Call, Field

ProjectRef: TypeAlias = Annotated[
    str,
    Field(
        description="The project: its name, e.g. `harbour-site`, or its id, which begins with `prj_`.",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$",
    ),
]
ProjectName: TypeAlias = Annotated[
    str,
    Field(
        description="The project's name: lower-case letters, digits, `.`, `_` and `-`. Part of its addresses.",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$",
    ),
]
DeploymentId: TypeAlias = Annotated[
    str, Field(description="The deployment's id; begins with `dpl_`.", pattern=r"^dpl_[A-Za-z0-9_-]{1,80}$")
]
DeploymentRef: TypeAlias = Annotated[
    str,
    Field(
        description="The deployment: its id, which begins with `dpl_`, or its host name, e.g. `site-abc.vercel.app`.",
        pattern=r"^(dpl_[A-Za-z0-9_-]{1,80}|[A-Za-z0-9][A-Za-z0-9.-]{1,252})$",
    ),
]
DomainName: TypeAlias = Annotated[
    str,
    Field(
        description="A domain name, e.g. `www.harbour-works.com`, or `*.harbour-works.com` for all below it.",
        max_length=253,
        pattern=r"^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}$",
    ),
]
BranchName: TypeAlias = Annotated[
    str, Field(description="A Git branch.", max_length=250, pattern=r"^[^\s\x00-\x1f\x7f~^:?*\[\\]+$")
]
Target: TypeAlias = Annotated[
    Literal["production", "preview"],
    Field(description="`production` goes live on the project's domains; `preview` gets an address of its own."),
]
Limit: TypeAlias = Annotated[int, Field(description="How many to return at most.", ge=1, le=1000)]

QueryValue: TypeAlias = str | int | bool | Sequence[str] | None


def team_of(call: Call) -> str | None:
    """The team that the connection is for; None for a person's own account.

    The connection's facts say so; where they are not at hand, as in a preview, its account does: it is the team.
    """
    if team := call.facts.get("team_id"):
        return team
    return call.account.id if call.account is not None and call.account.id.startswith("team_") else None


def scoped(call: Call, **query: QueryValue) -> Mapping[str, QueryValue]:
    """The query of a call: what it asks for, and the connection's team, which Vercel wants with every one."""
    team = team_of(call)
    return {**query, "teamId": team} if team else query


async def project_id(call: Call, project: str) -> str:
    """The id of a project, where the API takes no name. Raises NotThere."""
    if project.startswith("prj_"):
        return project
    found = await call.get("v9/projects/{project}", query=scoped(call), project=project)
    named = found.at("id")
    return named if isinstance(named, str) else project
