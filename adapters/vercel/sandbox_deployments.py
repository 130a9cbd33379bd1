"""The sandbox's deployments: files, builds that take their time, what production serves, and logs.

A build waits a second and takes six. It fails when the branch begins with `broken`, or a file is called `broken.txt`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha1

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from adapters.vercel.sandbox_api import Ask, Refused, Reply, Shape, api_route, not_found, wrong
from adapters.vercel.sandbox_state import (
    BROKEN_BRANCH,
    BROKEN_FILE,
    QUEUED_SECONDS,
    Deployment,
    Hub,
    Project,
)

_LISTEN_STEP_SECONDS = 0.1
_STREAM = "application/stream+json"
_DEPLOYMENT = "/v13/deployments/{deployment}"


def deployment_routes(hub: Hub) -> list[Route]:
    """From files to what visitors see."""
    read, write = "read:deployment", "read-write:deployment"
    stream = "/v1/projects/{project}/deployments/{deployment}/runtime-logs"
    return [
        api_route(hub, "POST", "/v2/files", _upload, write),
        api_route(hub, "POST", "/v13/deployments", _create, write),
        api_route(hub, "GET", "/v6/deployments", _list, read),
        api_route(hub, "GET", _DEPLOYMENT, lambda ask: Reply(_shape(ask, ask.deployment())), read),
        api_route(hub, "PATCH", "/v12/deployments/{deployment}/cancel", _cancel, write),
        api_route(hub, "POST", "/v10/projects/{project}/promote/{deployment}", _promote, write),
        api_route(hub, "POST", "/v1/projects/{project}/rollback/{deployment}", _rollback, write),
        api_route(hub, "GET", "/v3/deployments/{deployment}/events", _events, read),
        api_route(hub, "GET", stream, _runtime, read),
    ]


def _upload(ask: Ask) -> Reply:
    told = ask.request.headers.get("x-vercel-digest") or ask.request.headers.get("x-now-digest")
    digest = sha1(ask.raw, usedforsecurity=False).hexdigest()
    if told != digest:
        raise wrong("The digest does not fit the file.", "invalid_digest")
    ask.hub.world.files[f"{ask.owner} {digest}"] = len(ask.raw)
    return Reply({"urls": []})


# ---------------------------------------------------------------------------------------------- deployments


def _create(ask: Ask) -> Reply:
    project = _project_for(ask)
    target, git, files = ask.text("target"), ask.body.get("gitSource"), ask.body.get("files")
    again = ask.text("deploymentId")
    if target not in (None, "production", "staging"):
        raise wrong("Invalid request: `target` is not known.", "invalid_target")
    if isinstance(git, dict):
        ref = str(git.get("ref"))
        made = _new(ask, project, "git", ref=ref, fails=ref.startswith(BROKEN_BRANCH))
    elif isinstance(files, list) and files:
        names = [_file(ask, each) for each in files]
        made = _new(ask, project, "cli", files=names, fails=BROKEN_FILE in names)
    elif again is not None:
        old = ask.hub.world.deployments.get(again)
        if old is None or old.owner != ask.owner:
            raise not_found("deployment")
        made = _new(ask, project, "redeploy", files=old.files, ref=old.ref, fails=old.fails)
    else:
        raise wrong("Invalid request: there is nothing to deploy.", "missing_files")
    made.production = target == "production"
    ask.hub.world.deployments[made.id] = made
    return Reply(_shape(ask, made))


def _project_for(ask: Ask) -> Project:
    """The project that is named; one that is only a name is made, as Vercel does."""
    named, name = ask.text("project"), ask.needed("name")
    found = ask.project_named(named or name)
    if found is not None:
        return found
    if (named or name).startswith("prj_"):
        raise not_found("project")
    now = ask.hub.moment()
    made = Project(id=ask.hub.world.new_id("prj_"), name=named or name, owner=ask.owner, created=now, updated=now)
    ask.hub.world.projects[made.id] = made
    return made


def _new(
    ask: Ask,
    project: Project,
    source: str,
    *,
    fails: bool,
    files: list[str] | None = None,
    ref: str | None = None,
) -> Deployment:
    id = ask.hub.world.new_id("dpl_")
    return Deployment.model_validate(
        {
            "id": id,
            "name": project.name,
            "project": project.id,
            "owner": ask.owner,
            "creator": ask.creator,
            "url": f"{project.name}-{id[4:13]}.vercel-sandbox.example",
            "production": False,
            "fails": fails,
            "source": source,
            "files": files or [],
            "ref": ref,
            "created": ask.hub.moment(),
        }
    )


def _file(ask: Ask, told: JsonValue) -> str:
    """The name of a file that is within the request, or was uploaded before."""
    if not isinstance(told, dict) or not isinstance(told.get("file"), str):
        raise wrong("Invalid request: `files` should hold objects with `file`.")
    sha = told.get("sha")
    if "data" not in told and f"{ask.owner} {sha}" not in ask.hub.world.files:
        raise Refused(400, "missing_files", "Missing files", {"missing": [sha]})
    return str(told["file"])


def _list(ask: Ask) -> Reply:
    project, target, state = ask.query("projectId"), ask.query("target"), ask.query("state")
    branch = ask.query("branch")
    known = ask.project_named(project) if project else None
    within = known.id if known else project
    found = [
        each
        for each in ask.hub.world.deployments.values()
        if each.owner == ask.owner
        and within in (None, each.project)
        and target in (None, "production" if each.production else "preview")
        and branch in (None, each.ref)
        and (state is None or ask.hub.state(each) in state.split(","))
    ]
    return ask.page([(each.created, _brief(ask, each)) for each in found], "deployments")


def _cancel(ask: Ask) -> Reply:
    deployment = ask.deployment()
    if ask.hub.state(deployment) not in ("QUEUED", "BUILDING"):
        raise wrong("The deployment is not being built.", "bad_request")
    deployment.canceled = ask.hub.moment()
    return Reply(_shape(ask, deployment))


def _promote(ask: Ask) -> Reply:
    project, deployment = _ready_one(ask)
    project.pinned = False
    if deployment.production:
        project.serving, project.switched = deployment.id, ask.hub.moment()
        return Reply(status=201)
    # A preview is built again for production.
    again = _new(ask, project, "redeploy", files=deployment.files, ref=deployment.ref, fails=deployment.fails)
    again.production = True
    ask.hub.world.deployments[again.id] = again
    return Reply(status=202)


def _rollback(ask: Ask) -> Reply:
    project, deployment = _ready_one(ask)
    if not deployment.production:
        raise Refused(422, "not_rollback_candidate", "Only production deployments can be rolled back to.")
    project.serving, project.pinned = deployment.id, True
    return Reply(status=201)


def _ready_one(ask: Ask) -> tuple[Project, Deployment]:
    project, deployment = ask.project(), ask.deployment()
    if deployment.project != project.id:
        raise not_found("deployment")
    if ask.hub.state(deployment) != "READY":
        raise Refused(409, "deployment_not_ready", "The deployment is not ready.")
    return project, deployment


def _brief(ask: Ask, deployment: Deployment) -> JsonValue:
    state = ask.hub.state(deployment)
    shape: Shape = {
        "uid": deployment.id,
        "name": deployment.name,
        "projectId": deployment.project,
        "url": deployment.url,
        "created": deployment.created,
        "createdAt": deployment.created,
        "state": state,
        "readyState": state,
        "type": "LAMBDAS",
        "creator": {"uid": deployment.creator},
        "inspectorUrl": f"https://vercel-sandbox.example/{deployment.id}",
        "source": deployment.source,
        "target": "production" if deployment.production else None,
        "isRollbackCandidate": deployment.production and state == "READY",
    }
    return {**shape, **_outcome(deployment, state)}


def _shape(ask: Ask, deployment: Deployment) -> JsonValue:
    state = ask.hub.state(deployment)
    project = ask.hub.world.projects[deployment.project]
    shape: Shape = {
        "id": deployment.id,
        "name": deployment.name,
        "projectId": deployment.project,
        "url": deployment.url,
        "createdAt": deployment.created,
        "status": state,
        "readyState": state,
        "target": "production" if deployment.production else None,
        "alias": [each.name for each in project.domains] if project.serving == deployment.id else [],
        "aliasAssigned": project.serving == deployment.id,
        "inspectorUrl": f"https://vercel-sandbox.example/{deployment.id}",
        "creator": {"uid": deployment.creator, "username": ask.hub.world.people[deployment.creator].username},
        "ownerId": deployment.owner,
        "source": deployment.source,
        "meta": {},
        "env": [],
        "build": {"env": []},
        "projectSettings": {},
        "regions": ["iad1"],
        "routes": None,
        "plan": "hobby",
        "type": "LAMBDAS",
        "version": 2,
        "public": False,
        "createdIn": "sfo1",
        "bootedAt": deployment.created,
        "buildingAt": deployment.created + QUEUED_SECONDS * 1000,
        "buildSkipped": False,
        "isInConcurrentBuildsQueue": False,
        "isInSystemBuildsQueue": state == "QUEUED",
    }
    return {**shape, **_outcome(deployment, state)}


def _outcome(deployment: Deployment, state: str) -> Shape:
    if state == "READY":
        return {"ready": deployment.ready}
    if state == "ERROR":
        return {"errorCode": "BUILD_FAILED", "errorMessage": 'Command "npm run build" exited with 1'}
    return {}


# ----------------------------------------------------------------------------------------------------- logs


def _events(ask: Ask) -> Reply:
    """What the build has said so far."""
    deployment = ask.deployment()
    forward = ask.query("direction") == "forward"
    limit = int(ask.query("limit") or 20)
    told = [
        _event(deployment, number, at, kind, text)
        for number, (at, kind, text) in enumerate(_build(deployment))
        if at <= max(ask.hub.now_ms(), deployment.created)
    ]
    ordered = told if forward else told[::-1]
    return Reply(list(ordered if limit == -1 else ordered[:limit]))


def _build(deployment: Deployment) -> list[tuple[int, str, str]]:
    """The lines of a build, with their moments."""
    begin, end = deployment.created + QUEUED_SECONDS * 1000, deployment.ready
    origin = f"Cloning the branch {deployment.ref}" if deployment.ref else f"Taking {len(deployment.files)} files"
    lines = [
        (begin, "stdout", "This is a sandbox: nothing is built."),
        (begin + 100, "stdout", origin),
        (begin + 1000, "command", "npm install"),
        (begin + 2000, "stdout", "added 1 package in 1s"),
        (begin + 3000, "command", "npm run build"),
        *((begin + 3000 + index, "stdout", f"  {name}") for index, name in enumerate(deployment.files)),
    ]
    if deployment.canceled is not None:
        return [each for each in lines if each[0] <= deployment.canceled]
    if deployment.fails:
        failed = [(end, "stderr", "Error: this one is broken on purpose."), (end, "stderr", "Command exited with 1")]
        return [*lines, *failed]
    return [*lines, (end, "stdout", "Build Completed"), (end, "stdout", "Deployment completed")]


def _event(deployment: Deployment, number: int, at: int, kind: str, text: str) -> JsonValue:
    return {
        "type": kind,
        "created": at,
        "date": at,
        "deploymentId": deployment.id,
        "id": f"{at}{number:06}",
        "info": {"type": "build", "name": f"bld_{deployment.id[4:13]}"},
        "serial": f"{at}{number:06}",
        "text": text,
    }


def _runtime(ask: Ask) -> Response:
    """Some lines, and then silence for as long as somebody listens, up to a bound."""
    project, deployment = ask.project(), ask.deployment()
    if deployment.project != project.id:
        raise not_found("deployment")
    if _STREAM not in ask.request.headers.get("accept", _STREAM):
        raise Refused(406, "not_acceptable", f"This is {_STREAM}.")
    is_running = ask.hub.state(deployment) == "READY"
    lines = [_said(deployment, ask.hub.now_ms(), number) for number in range(4 if is_running else 0)]
    stream = _stream(lines, ask.request, ask.hub.listening_seconds)
    return StreamingResponse(stream, media_type=_STREAM)


def _said(deployment: Deployment, now: int, number: int) -> Shape:
    failed = number == 2
    return {
        "level": "error" if failed else "info",
        "message": "TypeError: the lamp is not lit" if failed else f"GET /pier/{number}",
        "messageTruncated": False,
        "rowId": f"row_{number}",
        "source": "serverless" if failed else "request",
        "timestampInMs": now - 1000 * (4 - number),
        "domain": deployment.url,
        "requestMethod": "GET",
        "requestPath": f"/pier/{number}",
        "responseStatusCode": 500 if failed else 200,
    }


async def _stream(lines: list[Shape], request: Request, seconds: float) -> AsyncIterator[bytes]:
    for line in lines:
        yield json.dumps(line).encode() + b"\n"
    left = seconds
    while left > 0 and not await request.is_disconnected():
        await asyncio.sleep(_LISTEN_STEP_SECONDS)
        left -= _LISTEN_STEP_SECONDS
