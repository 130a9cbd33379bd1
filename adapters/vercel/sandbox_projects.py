"""The sandbox's accounts, projects and environment variables."""

from pydantic import JsonValue
from starlette.routing import Route

from adapters.vercel.sandbox_api import Ask, Refused, Reply, Shape, api_route, not_found, wrong
from adapters.vercel.sandbox_state import Hub, Project, Variable, fingerprint_of

_PROJECT = "/v9/projects/{project}"
_ENV = "/v10/projects/{project}/env"
_SETTINGS = {
    "framework": "framework",
    "buildCommand": "build_command",
    "installCommand": "install_command",
    "outputDirectory": "output_directory",
    "rootDirectory": "root_directory",
}
_NODE_VERSIONS = ("22.x", "20.x", "18.x")
_KINDS = ("system", "secret", "encrypted", "plain", "sensitive")
_TARGETS = ("production", "preview", "development")


def project_routes(hub: Hub) -> list[Route]:
    """Who asks, and what they have."""
    read, write = "read:project", "read-write:project"
    see, change = "read:project-env-vars", "read-write:project-env-vars"
    return [
        api_route(hub, "GET", "/v2/user", _user, "read:user"),
        api_route(hub, "GET", "/v2/teams/{team}", _team, "read:team"),
        api_route(hub, "DELETE", "/v1/integrations/configuration/{id}", _uninstall),
        api_route(hub, "GET", "/v10/projects", _list, read),
        api_route(hub, "POST", "/v11/projects", _create, write),
        api_route(hub, "GET", _PROJECT, lambda ask: Reply(project_shape(ask.project())), read),
        api_route(hub, "PATCH", _PROJECT, _update, write),
        api_route(hub, "DELETE", _PROJECT, _delete, write),
        api_route(hub, "GET", _ENV, _list_variables, see),
        api_route(hub, "POST", _ENV, _set_variable, change),
        api_route(hub, "PATCH", "/v9/projects/{project}/env/{id}", _update_variable, change),
        api_route(hub, "DELETE", "/v9/projects/{project}/env/{id}", _delete_variable, change),
    ]


# -------------------------------------------------------------------------------------------------- who asks


def _user(ask: Ask) -> Reply:
    person = ask.hub.world.people[ask.creator]
    shape: Shape = {
        "limited": True,
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "username": person.username,
        "avatar": None,
        "defaultTeamId": person.teams[0] if person.teams else None,
    }
    return Reply({"user": shape})


def _team(ask: Ask) -> Reply:
    team = ask.hub.world.teams.get(ask.at("team"))
    if team is None:
        raise not_found("team")
    return Reply(
        {
            "id": team.id,
            "slug": team.slug,
            "name": team.name,
            "creatorId": ask.creator,
            "description": None,
            "stagingPrefix": "",
            "avatar": None,
            "membership": {"confirmed": True, "role": "OWNER", "createdAt": 0, "created": 0},
            "createdAt": 0,
            "updatedAt": 0,
        }
    )


def _uninstall(ask: Ask) -> Reply:
    """Ends the installation with every token of it. Only itself may ask."""
    number = ask.at("id").rpartition("_")[2]
    known = ask.hub.world.oauth.authorizations.get(int(number)) if number.isdigit() and len(number) < 10 else None
    if known is None or known.account != ask.owner:
        raise not_found("configuration")
    ask.hub.oauth.end_authorization(known.id)
    return Reply(status=204)


# -------------------------------------------------------------------------------------------------- projects


def _list(ask: Ask) -> Reply:
    search = (ask.query("search") or "").lower()
    found = [each for each in ask.hub.world.projects.values() if each.owner == ask.owner and search in each.name]
    return ask.page([(each.updated, project_shape(each)) for each in found], "projects", "from")


def _create(ask: Ask) -> Reply:
    name = ask.needed("name")
    if name != name.lower() or len(name) > 100 or "---" in name:
        raise wrong("Project names can be up to 100 characters long and must be lowercase.")
    if ask.project_named(name) is not None:
        raise Refused(409, "conflict", "Project already exists, please use a new name.")
    now = ask.hub.moment()
    project = Project(id=ask.hub.world.new_id("prj_"), name=name, owner=ask.owner, created=now, updated=now)
    _told(ask, project)
    repository = ask.body.get("gitRepository")
    if isinstance(repository, dict):
        owner, _, repo = str(repository.get("repo")).partition("/")
        project.repository = (str(repository.get("type")), owner, repo)
    ask.hub.world.projects[project.id] = project
    return Reply(project_shape(project))


def _update(ask: Ask) -> Reply:
    project = ask.project()
    name = ask.text("name")
    if name and name != project.name:
        if ask.project_named(name) is not None:
            raise Refused(409, "conflict", "Project already exists, please use a new name.")
        project.name = name
    _told(ask, project)
    project.updated = ask.hub.moment()
    return Reply(project_shape(project))


def _told(ask: Ask, project: Project) -> None:
    """Take over the settings of the body; what is not told stays."""
    for theirs, ours in _SETTINGS.items():
        if theirs in ask.body:
            setattr(project, ours, ask.text(theirs))
    version = ask.text("nodeVersion") or project.node_version
    if version not in _NODE_VERSIONS:
        raise wrong("Invalid request: `nodeVersion` should be equal to one of the allowed values.")
    project.node_version = version


def _delete(ask: Ask) -> Reply:
    project = ask.project()
    world = ask.hub.world
    del world.projects[project.id]
    world.deployments = {id: each for id, each in world.deployments.items() if each.project != project.id}
    return Reply(status=204)


def project_shape(project: Project) -> JsonValue:
    """A project as the API tells it."""
    shape: Shape = {
        "id": project.id,
        "name": project.name,
        "accountId": project.owner,
        "framework": project.framework,
        "buildCommand": project.build_command,
        "installCommand": project.install_command,
        "outputDirectory": project.output_directory,
        "rootDirectory": project.root_directory,
        "nodeVersion": project.node_version,
        "directoryListing": False,
        "live": project.serving is not None,
        "resourceConfig": {},
        "defaultResourceConfig": {},
        "targets": {"production": {"id": project.serving}} if project.serving else {},
        "createdAt": project.created,
        "updatedAt": project.updated,
    }
    if project.repository is not None:
        shape["link"] = _link(*project.repository)
    return shape


def _link(kind: str, owner: str, name: str) -> Shape:
    common: Shape = {
        "type": kind,
        "gitCredentialId": "cred_sandbox",
        "productionBranch": "main",
        "deployHooks": [],
    }
    if kind == "gitlab":
        names: Shape = {"projectId": "1", "projectName": name, "projectNamespace": owner, "projectUrl": ""}
        return {**common, **names, "projectNameWithNamespace": f"{owner}/{name}"}
    if kind == "bitbucket":
        return {**common, "name": name, "slug": name, "owner": owner, "uuid": "{1}", "workspaceUuid": "{1}"}
    return {**common, "org": owner, "repo": name, "repoId": 1}


# ----------------------------------------------------------------------------------- environment variables


def _list_variables(ask: Ask) -> Reply:
    branch = ask.query("gitBranch")
    found = [each for each in ask.project().variables if branch in (None, each.git_branch)]
    return Reply({"envs": [variable_shape(each) for each in found]})


def _set_variable(ask: Ask) -> Reply:
    """One or several; with `upsert` those that are there are replaced."""
    project = ask.project()
    several = ask.json
    made = [_set(ask, project, each) for each in (several if isinstance(several, list) else [ask.body])]
    shapes: list[JsonValue] = [variable_shape(each) for each in made]
    return Reply({"created": shapes if isinstance(several, list) else shapes[0], "failed": []}, 201)


def _set(ask: Ask, project: Project, told: JsonValue) -> Variable:
    if not isinstance(told, dict):
        raise wrong("Invalid request: should be object.")
    key, value, target = ask.needed("key", told), ask.text("value", told) or "", _targets(told.get("target"))
    branch = ask.text("gitBranch", told)
    if branch and target != ["preview"]:
        raise wrong("A variable of a Git branch must have the target `preview`.")
    now = ask.hub.moment()
    old = next((each for each in project.variables if _is_same(each, key, target, branch)), None)
    if old is not None and ask.query("upsert") != "true":
        raise Refused(403, "ENV_ALREADY_EXISTS", "A variable with this name already exists for the target.")
    variable = old or Variable(
        id=ask.hub.world.new_id("env"), key=key, fingerprint="", type="", target=target, created=now, updated=now
    )
    variable.type, variable.target = _kind(ask.needed("type", told), target), target
    variable.fingerprint, variable.updated = fingerprint_of(value), now
    variable.git_branch, variable.comment = branch, ask.text("comment", told)
    if old is None:
        project.variables.append(variable)
    return variable


def _is_same(variable: Variable, key: str, target: list[str], branch: str | None) -> bool:
    return variable.key == key and variable.git_branch == branch and bool({*variable.target} & {*target})


def _kind(kind: str, target: list[str]) -> str:
    if kind not in _KINDS:
        raise wrong("Invalid request: `type` should be equal to one of the allowed values.")
    if kind == "sensitive" and "development" in target:
        raise wrong("You cannot set a Sensitive Environment Variable's target to development.")
    return kind


def _targets(told: JsonValue) -> list[str]:
    names = [told] if isinstance(told, str) else told
    if not isinstance(names, list) or not names or not all(each in _TARGETS for each in names):
        raise wrong("Invalid request: `target` should be production, preview or development.")
    return [str(each) for each in names]


def _update_variable(ask: Ask) -> Reply:
    variable = _named(ask)
    variable.key = ask.text("key") or variable.key
    target = _targets(ask.body["target"]) if "target" in ask.body else variable.target
    variable.type, variable.target = _kind(ask.text("type") or variable.type, target), target
    if (value := ask.text("value")) is not None:
        variable.fingerprint = fingerprint_of(value)
    variable.comment = ask.text("comment") or variable.comment
    variable.updated = ask.hub.moment()
    return Reply(variable_shape(variable, system=False))


def _delete_variable(ask: Ask) -> Reply:
    variable = _named(ask)
    ask.project().variables.remove(variable)
    return Reply(variable_shape(variable, system=False))


def _named(ask: Ask) -> Variable:
    for variable in ask.project().variables:
        if variable.id == ask.at("id"):
            return variable
    raise not_found("environment variable")


def variable_shape(variable: Variable, *, system: bool = True) -> JsonValue:
    """A variable as the API tells it; its value is never told."""
    shape: Shape = {
        "id": variable.id,
        "key": variable.key,
        "value": "",
        "type": variable.type,
        "target": [*variable.target],
        "createdAt": variable.created,
        "updatedAt": variable.updated,
        "decrypted": False,
    }
    if system:
        shape["system"] = False
    if variable.git_branch:
        shape["gitBranch"] = variable.git_branch
    if variable.comment:
        shape["comment"] = variable.comment
    return shape
