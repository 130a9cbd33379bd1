"""Logs: what the build said, and what a deployment says while it runs."""

import json
from typing import Final

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.http import Excerpt
from adapters.vercel.deployments import look
from adapters.vercel.parameters import DeploymentRef, scoped
from adapters.vercel.results import BuildLogs, LogLine, Logs, RuntimeLine, RuntimeLogs
from domain.errors import AnswerGarbled
from domain.json import Json

_LARGEST_STREAM: Final = 2 * 1024 * 1024
#: Seconds kept free before the deadline.
_SPARE: Final = 2.0

LineCount = Annotated[int, Field(description="How many lines at most.", ge=1, le=1000)]
Seconds = Annotated[
    int,
    Field(description="How long to listen. Vercel sends recent lines first, then new ones as they come.", ge=1, le=20),
]


@action(effect=Effect.READ, scopes=("read:deployment",))
async def get_build_logs(
    call: Call,
    *,
    deployment: DeploymentRef,
    limit: LineCount = 200,
    from_start: Annotated[
        bool, Field(description="The first lines instead of the last ones, where errors usually are.")
    ] = False,
) -> BuildLogs:
    """Read the build log of a deployment.

    Why did it fail, what did it do? Oldest line first. Lines are cut after 2000 characters.
    """
    return await read_build(call, deployment, limit, from_start=from_start)


async def read_build(call: Call, deployment: str, limit: int, *, from_start: bool = False) -> BuildLogs:
    """The first or last lines of a build, oldest first."""
    direction = "forward" if from_start else "backward"
    query = scoped(call, direction=direction, limit=limit, builds="1")
    answer = await call.get("v3/deployments/{deployment}/events", query=query, deployment=deployment)
    events = [] if answer.json is None else answer.objects()
    lines = [line for line in map(LogLine.of_event, events) if line is not None]
    # Stable, so that lines of one moment stay as they came.
    ordered = sorted(lines if from_start else reversed(lines), key=lambda line: line.at or "")
    return BuildLogs(lines=ordered[:limit], is_complete=len(events) < limit)


@action(effect=Effect.READ, scopes=("read:deployment",))
async def get_runtime_logs(
    call: Call, *, deployment: DeploymentRef, seconds: Seconds = 5, limit: LineCount = 200
) -> RuntimeLogs:
    """Read the runtime log of a deployment.

    Requests, what functions print, and errors of the running website. Listens for some seconds. Lines are cut after
    2000 characters.
    """
    found = await call.get("v13/deployments/{deployment}", query=scoped(call), deployment=deployment)
    project, id = found.at("projectId") or found.at("project.id"), found.at("id")
    if not isinstance(project, str) or not isinstance(id, str):
        raise AnswerGarbled("Vercel did not say which project the deployment is of.", status=found.status)
    return await read_runtime(call, project, id, seconds, limit)


async def read_runtime(call: Call, project: str, deployment: str, seconds: float, limit: int) -> RuntimeLogs:
    """What it says within so many seconds. The stream has no end of its own."""
    listening = Excerpt(max(0.5, min(seconds, call.seconds_left - _SPARE)), _LARGEST_STREAM)
    path = "v1/projects/{project}/deployments/{deployment}/runtime-logs"
    accept = {"accept": "application/stream+json"}  # not what other answers are
    answer = await call.send(
        "GET",
        path,
        query=scoped(call),
        headers=accept,
        excerpt=listening,
        project=project,
        deployment=deployment,
    )
    whole, _, rest = answer.incoming.body.rpartition(b"\n")
    if not answer.incoming.is_cut:  # else what follows the last line break is half a line
        whole = whole + b"\n" + rest
    lines = [RuntimeLine.of(each) for each in map(_object, whole.split(b"\n")) if each is not None]
    told = [line for line in lines if line.source != "delimiter"]
    return RuntimeLogs(lines=told[-limit:], is_complete=not answer.incoming.is_cut and len(told) <= limit)


def _object(raw: bytes) -> Json:
    """One line of JSON; None for an empty one. Raises AnswerGarbled."""
    if not raw.strip():
        return None
    try:
        found: Json = json.loads(raw)
    except (ValueError, RecursionError):
        raise AnswerGarbled("A line of Vercel's runtime log is not JSON.") from None
    return found


@action(effect=Effect.READ, scopes=("read:deployment",))
async def view_logs(
    call: Call, *, deployment: DeploymentRef, limit: LineCount = 100, runtime_seconds: Seconds = 3
) -> Logs:
    """View the logs of a deployment.

    Its state, its build log, and its runtime log: what it says while it runs. `limit` is for each of the two logs. A
    deployment that is not READY has no runtime log.
    """
    found = await look(call, deployment)
    build = await read_build(call, found.id, limit)
    if found.state != "READY" or found.project_id is None:
        return Logs(deployment=found, build=build)
    runtime = await read_runtime(call, found.project_id, found.id, runtime_seconds, limit)
    return Logs(deployment=found, build=build, runtime=runtime)
