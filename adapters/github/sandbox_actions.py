"""GitHub Actions in the sandbox: secrets, variables, workflows, runs and their logs.

Workflows are the files below `.github/workflows/` of the default branch. A dispatched run is queued, runs after
2 seconds and is done after 6, by the sandbox's clock; it fails when its workflow says `exit 1`. Nothing is ever
executed. A secret's value is opened, so that a wrong seal is refused, and only its fingerprint is kept.
"""

import re
from base64 import b64encode
from zlib import crc32

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import fingerprint
from adapters._kit.sandbox_oauth import same
from adapters.github.sandbox_actions_shapes import job_shape, log_text, run_shape, state_of, workflow_shape
from adapters.github.sandbox_api import Answer, Ask, Refused, api_route, not_found
from adapters.github.sandbox_repos import WORKFLOWS, commit_at
from adapters.github.sandbox_shapes import Shape
from adapters.github.sandbox_state import Hub, Repository, Run, Setting

_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*")


def actions_routes(hub: Hub) -> list[Route]:
    """All routes of this module."""
    actions = "/repos/{owner}/{repo}/actions"
    one_run = actions + "/runs/{run_id:int}"
    return [
        api_route(hub, "GET", actions + "/secrets/public-key", show_public_key, "repo"),
        api_route(hub, "GET", actions + "/secrets", list_secrets, "repo"),
        api_route(hub, "PUT", actions + "/secrets/{name}", set_secret, "repo"),
        api_route(hub, "DELETE", actions + "/secrets/{name}", delete_secret, "repo"),
        api_route(hub, "GET", actions + "/variables", list_variables, "repo"),
        api_route(hub, "POST", actions + "/variables", create_variable, "repo"),
        api_route(hub, "PATCH", actions + "/variables/{name}", update_variable, "repo"),
        api_route(hub, "GET", actions + "/workflows", list_workflows, "repo"),
        api_route(hub, "POST", actions + "/workflows/{workflow}/dispatches", dispatch, "repo"),
        api_route(hub, "GET", actions + "/workflows/{workflow}/runs", list_runs, "repo"),
        api_route(hub, "GET", actions + "/runs", list_runs, "repo"),
        api_route(hub, "GET", one_run, show_run, "repo"),
        api_route(hub, "GET", one_run + "/jobs", list_jobs, "repo"),
        api_route(hub, "POST", one_run + "/cancel", cancel, "repo"),
        api_route(hub, "POST", one_run + "/rerun", rerun, "repo"),
        api_route(hub, "POST", one_run + "/rerun-failed-jobs", rerun, "repo"),
        api_route(hub, "GET", actions + "/jobs/{job_id:int}/logs", show_log, "repo"),
        log_route(hub),
    ]


def _admin(ask: Ask) -> Repository:
    """Secrets and variables are for those who may push, with the whole scope `repo`."""
    repository = ask.writable()
    if "repo" not in ask.caller.scopes:
        raise ask.lacking_scope()
    return repository


def _key(repository: Repository) -> PrivateKey:
    if not repository.sealing_key:
        repository.sealing_key = PrivateKey.generate().encode().hex()
    return PrivateKey(bytes.fromhex(repository.sealing_key))


def _key_id(repository: Repository) -> str:
    return str(568_250_000_000_000_000 + repository.id)


def show_public_key(ask: Ask) -> Answer:
    """GET secrets/public-key: made when it is first asked for."""
    repository = _admin(ask)
    known = bool(repository.sealing_key)
    key = b64encode(_key(repository).public_key.encode()).decode()
    if not known:
        ask.hub.file.save(ask.hub.world)
    return Answer({"key_id": _key_id(repository), "key": key})


def list_secrets(ask: Ask) -> Answer:
    """GET secrets: names and dates."""
    shapes: list[JsonValue] = [
        {"name": name, "created_at": one.created_at, "updated_at": one.updated_at}
        for name, one in sorted(_admin(ask).secrets.items())
    ]
    return _counted(ask, "secrets", shapes)


def set_secret(ask: Ask) -> Answer:
    """PUT secrets/{name}: 422 for another key, or a value that its key does not open."""
    repository, name = _admin(ask), _setting_name(ask.path("name"))
    if ask.needed("key_id") != _key_id(repository):
        raise Refused(422, "Invalid request.\n\nThe key_id is not the one of this repository.")
    try:
        value = SealedBox(_key(repository)).decrypt(ask.base64("encrypted_value"))
    except (CryptoError, ValueError, TypeError):
        raise Refused(422, "Bad request - Problems decrypting encrypted_value") from None
    is_new = _set(ask, repository.secrets, name, fingerprint(value.decode("utf-8", "replace")))
    return Answer({}, 201) if is_new else Answer(status=204)


def delete_secret(ask: Ask) -> Answer:
    """DELETE secrets/{name}"""
    if _admin(ask).secrets.pop(ask.path("name").upper(), None) is None:
        raise not_found()
    return Answer(status=204)


def list_variables(ask: Ask) -> Answer:
    """GET variables: names and values."""
    shapes: list[JsonValue] = [
        {"name": name, "value": one.value, "created_at": one.created_at, "updated_at": one.updated_at}
        for name, one in sorted(_admin(ask).variables.items())
    ]
    return _counted(ask, "variables", shapes)


def create_variable(ask: Ask) -> Answer:
    """POST variables: 409 when there is one of this name."""
    repository, name = _admin(ask), _setting_name(ask.needed("name"))
    if name in repository.variables:
        raise Refused(409, "Already exists - Variable already exists")
    _set(ask, repository.variables, name, ask.needed("value"))
    return Answer({}, 201)


def update_variable(ask: Ask) -> Answer:
    """PATCH variables/{name}: 404 when there is none."""
    repository, name = _admin(ask), ask.path("name").upper()
    if name not in repository.variables:
        raise not_found()
    _set(ask, repository.variables, name, ask.text("value") or repository.variables[name].value)
    return Answer(status=204)


def _setting_name(given: str) -> str:
    name = given.upper()
    if not _NAME.fullmatch(name):
        raise Refused(422, "Name can only contain letters, digits and _, and must not start with GITHUB_ or a digit.")
    return name


def _set(ask: Ask, settings: dict[str, Setting], name: str, value: str) -> bool:
    before, now = settings.get(name), ask.hub.stamp()
    settings[name] = Setting(value=value, created_at=before.created_at if before else now, updated_at=now)
    return before is None


def list_workflows(ask: Ask) -> Answer:
    """GET workflows"""
    repository = ask.repository()
    shapes: list[JsonValue] = [
        workflow_shape(repository, path, text, ask.root) for path, text in sorted(_workflows(repository).items())
    ]
    return _counted(ask, "workflows", shapes)


def _workflows(repository: Repository) -> dict[str, str]:
    """Paths and texts of the workflow files on the default branch."""
    commit = repository.objects.branches.get(repository.default_branch)
    files = repository.objects.files_at(commit) if commit else {}
    return {
        path: repository.objects.blobs[file.sha].decode("utf-8", "replace")
        for path, file in files.items()
        if path.startswith(WORKFLOWS) and path.endswith((".yml", ".yaml"))
    }


def _workflow(ask: Ask, repository: Repository) -> tuple[str, str]:
    """Path and text of the workflow that is named by its file or number; raises Refused (404)."""
    named = ask.path("workflow")
    for path, text in _workflows(repository).items():
        if named in (path.rpartition("/")[2], path, str(crc32(path.encode()))):
            return path, text
    raise not_found()


def dispatch(ask: Ask) -> Answer:
    """POST dispatches: 204, or 200 with the run when `return_run_details` is true."""
    repository = _admin(ask)
    path, text = _workflow(ask, repository)
    ref = ask.needed("ref")
    sha = commit_at(repository, ref)
    if "workflow_dispatch" not in text:
        raise Refused(422, "Workflow does not have 'workflow_dispatch' trigger")
    if sha is None:
        raise Refused(422, f"No ref found for: {ref}")
    run = Run(
        id=ask.hub.world.new_id(),
        job_id=ask.hub.world.new_id(),
        path=path,
        branch=ref.removeprefix("refs/heads/"),
        head_sha=sha,
        actor=ask.caller.person.login,
        created_at=ask.hub.now(),
        started_at=ask.hub.now(),
        fails="exit 1" in text,
    )
    repository.runs.append(run)
    if not ask.flag("return_run_details", default=False):
        return Answer(status=204)
    shape = run_shape(ask.hub, repository, run, ask.root, ask.caller.person.login)
    return Answer({"workflow_run_id": run.id, "run_url": shape["url"], "html_url": shape["html_url"]})


def list_runs(ask: Ask) -> Answer:
    """GET runs, of all workflows or of one: newest first."""
    repository = ask.repository()
    path = _workflow(ask, repository)[0] if "workflow" in ask.request.path_params else None
    runs = [run for run in reversed(repository.runs) if path in (None, run.path)]
    if branch := ask.query("branch"):
        runs = [run for run in runs if run.branch == branch]
    if head_sha := ask.query("head_sha"):
        runs = [run for run in runs if run.head_sha == head_sha]
    if wanted := ask.query("status"):
        runs = [run for run in runs if wanted in state_of(run, ask.hub.now())]
    login = ask.caller.person.login
    return _counted(ask, "workflow_runs", [run_shape(ask.hub, repository, run, ask.root, login) for run in runs])


def _run(ask: Ask, repository: Repository) -> Run:
    found = next((run for run in repository.runs if str(run.id) == ask.path("run_id")), None)
    if found is None:
        raise not_found()
    return found


def show_run(ask: Ask) -> Answer:
    """GET runs/{run_id}"""
    repository = ask.repository()
    run = _run(ask, repository)
    return Answer(run_shape(ask.hub, repository, run, ask.root, ask.caller.person.login))


def list_jobs(ask: Ask) -> Answer:
    """GET runs/{run_id}/jobs: every run has one job."""
    repository = ask.repository()
    return _counted(ask, "jobs", [job_shape(ask.hub, repository, _run(ask, repository), ask.root)])


def cancel(ask: Ask) -> Answer:
    """POST cancel: 409 when it is done."""
    run = _run(ask, _admin(ask))
    if state_of(run, ask.hub.now())[0] == "completed":
        raise Refused(409, "Cannot cancel a workflow run that is completed.")
    run.cancelled_at = ask.hub.now()
    return Answer({}, 202)


def rerun(ask: Ask) -> Answer:
    """POST rerun: 403 while it runs."""
    run = _run(ask, _admin(ask))
    if state_of(run, ask.hub.now())[0] != "completed":
        raise Refused(403, "This workflow run is already running")
    run.attempt, run.started_at, run.cancelled_at = run.attempt + 1, ask.hub.now(), None
    return Answer({}, 201)


def show_log(ask: Ask) -> Answer:
    """GET jobs/{job_id}/logs: a redirect to where it is handed out; 404 before the job is done."""
    repository = _admin(ask)
    run = _job(ask, repository)
    if state_of(run, ask.hub.now())[0] != "completed":
        raise not_found()
    place = f"{ask.root}/_logs/{repository.full_name}/{run.job_id}?signature={_signature(ask.hub, run)}"
    return Answer(status=302, headers={"Location": place})


def log_route(hub: Hub) -> Route:
    """Where logs are handed out to whoever was sent there: the address is the permission, as at the real one."""

    async def hand_out(request: Request) -> Response:
        repository = hub.world.repository(request.path_params["owner"], request.path_params["repo"])
        runs = repository.runs if repository else []
        run = next((one for one in runs if one.job_id == request.path_params["job_id"]), None)
        if run is None or not same(_signature(hub, run), request.query_params.get("signature", "")):
            return Response("<Error><Code>AuthenticationFailed</Code></Error>", 403, media_type="application/xml")
        return PlainTextResponse(log_text(hub, run))

    return Route("/_logs/{owner}/{repo}/{job_id:int}", hand_out, methods=["GET"])


def _signature(hub: Hub, run: Run) -> str:
    return fingerprint(f"{hub.world.oauth.signing_key}:{run.job_id}:{run.attempt}")[:32]


def _job(ask: Ask, repository: Repository) -> Run:
    found = next((run for run in repository.runs if str(run.job_id) == ask.path("job_id")), None)
    if found is None:
        raise not_found()
    return found


def _counted(ask: Ask, name: str, shapes: list[JsonValue]) -> Answer:
    """A page of a list, with how many there are in all."""
    answer = ask.paged(shapes)
    told: Shape = {"total_count": len(shapes), name: answer.payload}
    return Answer(told, headers=answer.headers)
