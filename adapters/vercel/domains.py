"""Domains of a project: which addresses lead to it."""

from typing import Literal

from adapters._kit import Annotated, Call, Effect, Field, action, given
from adapters.vercel.parameters import BranchName, DomainName, Limit, ProjectRef, scoped
from adapters.vercel.results import DomainConfig, ProjectDomain
from domain.errors import Rejected
from domain.json import Json

_DOMAIN = "v9/projects/{project}/domains/{domain}"


@action(effect=Effect.READ, scopes=("read:project",))
async def list_project_domains(call: Call, *, project: ProjectRef, limit: Limit = 100) -> list[ProjectDomain]:
    """List the domains of a project.

    Says of each whether it is verified, and where it redirects to. get_domain_config says whether DNS is right.
    """
    path = "v9/projects/{project}/domains"
    found = await call.pages(path, limit=limit, items="domains", query=scoped(call), project=project)
    return [ProjectDomain.of(each) for each in found]


@action(
    effect=Effect.WRITE,
    scopes=("read-write:project", "read-write:domain"),
    look_for="the domain in the project's settings, under Domains",
)
async def add_project_domain(
    call: Call,
    *,
    project: ProjectRef,
    domain: DomainName,
    redirect: Annotated[
        DomainName | None, Field(description="Send visitors on to this domain of the same project.")
    ] = None,
    redirect_status: Annotated[
        Literal[301, 302, 307, 308] | None, Field(description="How they are sent: 307 unless told otherwise.")
    ] = None,
    git_branch: Annotated[
        BranchName | None, Field(description="Serve deployments of this branch instead of production.")
    ] = None,
) -> ProjectDomain:
    """Connect a domain to a project, so that it serves the website.

    When `is_verified` is false, `verification` names the DNS records that prove whose the domain is: set them at
    its registrar, then use verify_project_domain. get_domain_config says which records lead visitors here. It is a
    conflict when another project has the domain. Nothing is bought.
    """
    if redirect_status is not None and redirect is None:
        raise Rejected("`redirect_status` needs `redirect`. Nothing was sent.")
    if redirect is not None and git_branch is not None:
        raise Rejected("A domain redirects or serves a branch, not both. Nothing was sent.")
    body = given(name=domain, redirect=redirect, redirectStatusCode=redirect_status, gitBranch=git_branch)
    answer = await call.post("v10/projects/{project}/domains", json=body, query=scoped(call), project=project)
    return ProjectDomain.of(answer.json)


@action(
    effect=Effect.WRITE,
    scopes=("read-write:project",),
    idempotent=True,
    look_for="whether the domain counts as verified in the project's settings, under Domains",
)
async def verify_project_domain(call: Call, *, project: ProjectRef, domain: DomainName) -> ProjectDomain:
    """Have Vercel look again whether a domain's DNS records prove whose it is.

    It is rejected while the records cannot be seen yet; DNS may take a while.
    """
    answer = await call.post(_DOMAIN + "/verify", query=scoped(call), project=project, domain=domain)
    return ProjectDomain.of(answer.json)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read-write:project",),
    idempotent=True,
    look_for="the domain in the project's settings, where it should be gone",
)
async def remove_project_domain(
    call: Call,
    *,
    project: ProjectRef,
    domain: DomainName,
    remove_redirects: Annotated[
        bool, Field(description="Also remove the domains of the project that redirect to this one.")
    ] = False,
) -> None:
    """Disconnect a domain from a project.

    Visitors of the domain no longer reach the website. The domain itself stays registered.
    """
    body: Json = {"removeRedirects": True} if remove_redirects else None
    await call.send("DELETE", _DOMAIN, json=body, query=scoped(call), project=project, domain=domain)


@action(effect=Effect.READ, scopes=("read:domain",))
async def get_domain_config(
    call: Call,
    *,
    domain: DomainName,
    project: Annotated[
        ProjectRef | None, Field(description="The project it is to lead to, if it is of none yet.")
    ] = None,
) -> DomainConfig:
    """Show whether a domain's DNS leads to Vercel, and the records it should have.

    `is_misconfigured` is true while visitors do not reach Vercel.
    """
    query = scoped(call, projectIdOrName=project)
    answer = await call.get("v6/domains/{domain}/config", query=query, domain=domain)
    told = answer.json if isinstance(answer.json, dict) else {}
    return DomainConfig.of(
        {
            **told,
            "domain": domain,
            "recommended_ipv4": _ranked(told.get("recommendedIPv4")),
            "recommended_cname": _ranked(told.get("recommendedCNAME")),
        }
    )


def _ranked(told: Json) -> list[Json]:
    """The values of Vercel's recommendations, those of the best rank first."""
    if not isinstance(told, list):
        return []
    found = [(each.get("rank"), each.get("value")) for each in told if isinstance(each, dict)]
    known = [(rank, value) for rank, value in found if isinstance(rank, int | float)]
    ordered = [value for _, value in sorted(known, key=lambda each: each[0])]
    return [each for value in ordered for each in (value if isinstance(value, list) else [value])]
