"""The sandbox's domains. Nothing answers DNS for them: whether a record is seen follows from the name."""

from pydantic import JsonValue
from starlette.routing import Route

from adapters.vercel.sandbox_api import Ask, Refused, Reply, Shape, api_route, not_found, wrong
from adapters.vercel.sandbox_state import UNSET, Domain, Hub, Project

_DOMAINS = "/v9/projects/{project}/domains"
_OURS = ".vercel.app"


def domain_routes(hub: Hub) -> list[Route]:
    """Domains of a project, and whether DNS leads here."""
    write = "read-write:project"
    return [
        api_route(hub, "GET", _DOMAINS, _list, "read:project"),
        api_route(hub, "POST", "/v10/projects/{project}/domains", _add, write, "read-write:domain"),
        api_route(hub, "POST", _DOMAINS + "/{domain}/verify", _verify, write),
        api_route(hub, "DELETE", _DOMAINS + "/{domain}", _remove, write),
        api_route(hub, "GET", "/v6/domains/{domain}/config", _config, "read:domain"),
    ]


def _list(ask: Ask) -> Reply:
    project = ask.project()
    return ask.page([(each.created, _shape(project, each)) for each in project.domains], "domains")


def _add(ask: Ask) -> Reply:
    project, name = ask.project(), ask.needed("name").lower()
    if "." not in name:
        raise wrong("The domain is not valid.", "invalid_domain")
    for other in ask.hub.world.projects.values():
        if any(each.name == name for each in other.domains):
            raise Refused(409, "domain_already_in_use", "The domain is already assigned to a Vercel project.")
    redirect, branch, now = ask.text("redirect"), ask.text("gitBranch"), ask.hub.moment()
    if redirect and not any(each.name == redirect for each in project.domains):
        raise wrong("The domain to redirect to is not of this project.", "invalid_redirect")
    status = ask.body.get("redirectStatusCode")
    domain = Domain(
        name=name,
        verified=name.endswith(_OURS),
        proof=f"vc-domain-verify={name},{ask.hub.world.new_id('')[:20]}",
        redirect=redirect,
        redirect_status=status if isinstance(status, int) else 307 if redirect else None,
        git_branch=branch,
        created=now,
        updated=now,
    )
    project.domains.append(domain)
    return Reply(_shape(project, domain))


def _verify(ask: Ask) -> Reply:
    project = ask.project()
    domain = _named(ask, project)
    if not domain.verified and domain.name.startswith(UNSET):
        raise wrong("The TXT record could not be found.", "missing_txt_record")
    domain.verified, domain.updated = True, ask.hub.moment()
    return Reply(_shape(project, domain))


def _remove(ask: Ask) -> Reply:
    project = ask.project()
    domain = _named(ask, project)
    leading = [each for each in project.domains if each.redirect == domain.name]
    if leading and ask.body.get("removeRedirects") is not True:
        raise Refused(409, "domain_is_redirect", "Other domains redirect to this one.")
    project.domains = [each for each in project.domains if each is not domain and each not in leading]
    return Reply({})


def _config(ask: Ask) -> Reply:
    name = ask.at("domain")
    known = [each for project in ask.hub.world.projects.values() for each in project.domains if each.name == name]
    leads_here = bool(known) and known[0].verified
    return Reply(
        {
            "configuredBy": "A" if leads_here else None,
            "acceptedChallenges": ["http-01"] if leads_here else [],
            "recommendedIPv4": [{"rank": 2, "value": ["203.0.113.21"]}, {"rank": 1, "value": ["203.0.113.20"]}],
            "recommendedCNAME": [{"rank": 1, "value": "cname.vercel-sandbox.example."}],
            "misconfigured": not leads_here,
        }
    )


def _named(ask: Ask, project: Project) -> Domain:
    for domain in project.domains:
        if domain.name == ask.at("domain"):
            return domain
    raise not_found("domain")


def _shape(project: Project, domain: Domain) -> JsonValue:
    apex = ".".join(domain.name.split(".")[-2:])
    shape: Shape = {
        "name": domain.name,
        "apexName": apex,
        "projectId": project.id,
        "redirect": domain.redirect,
        "redirectStatusCode": domain.redirect_status,
        "gitBranch": domain.git_branch,
        "verified": domain.verified,
        "createdAt": domain.created,
        "updatedAt": domain.updated,
    }
    if not domain.verified:
        reason = "pending_domain_verification"
        shape["verification"] = [{"type": "TXT", "domain": f"_vercel.{apex}", "value": domain.proof, "reason": reason}]
    return shape
