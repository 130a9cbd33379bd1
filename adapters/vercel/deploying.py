"""Deploying in one go: hand over what to deploy, then wait for what becomes of it, as long as there is time."""

import asyncio
from base64 import b64encode
from itertools import chain, repeat
from typing import Final

from adapters._kit import Annotated, Call, Effect, Field, Part, action
from adapters._kit.content import Content
from adapters.vercel.deployments import BuildSettings, FilePath, GitSource, begin, look, source_of, upload
from adapters.vercel.logs import read_build
from adapters.vercel.parameters import DeploymentId, ProjectRef, Target
from adapters.vercel.results import DeployedOrNot, Deployment
from domain.errors import ProviderProblem, Rejected
from domain.json import Json

#: Seconds between looks: soon at first, as small sites are built quickly.
PAUSES: Final = (1.0, 2.0, 3.0, 5.0)
#: Seconds kept free before the deadline, so that the last look still arrives.
SPARE_SECONDS: Final = 3.0
_INLINE_BYTES: Final = 200_000
_LAST_LINES: Final = 20


class FileWithContent(Part):
    """A file to deploy."""

    path: FilePath
    content: Annotated[Content, Field(description="What the file holds.")]


@action(
    effect=Effect.WRITE,
    scopes=("read-write:deployment",),
    look_for="a new deployment in the project's list",
)
async def deploy(
    call: Call,
    *,
    project: ProjectRef,
    target: Target = "preview",
    git: Annotated[GitSource | None, Field(description="Deploy from a Git repository.")] = None,
    files: Annotated[
        list[FileWithContent] | None,
        Field(
            description="Deploy these files: a whole website or app, not only what changed.",
            min_length=1,
            max_length=200,
        ),
    ] = None,
    redeploy_of: Annotated[
        DeploymentId | None, Field(description="Make this deployment once more, e.g. after set_env_var.")
    ] = None,
    settings: Annotated[BuildSettings | None, Field(description="How to build it.")] = None,
    wait_seconds: Annotated[
        int, Field(description="How long to wait for it at most; never beyond the call's deadline.", ge=0, le=270)
    ] = 270,
) -> DeployedOrNot:
    """Deploy a website or app, and wait until it is online or has failed.

    Give exactly one of `git`, `files` and `redeploy_of`. With target `production` the website's visitors get it;
    a preview gets an address of its own. When the time is over first, `is_finished` is false and `state` says how far
    it was (QUEUED, INITIALIZING or BUILDING): it goes on at Vercel, look with get_deployment, and do not deploy
    again. Give the call a deadline of some minutes, as builds take that long. When `state` is ERROR, `last_lines`
    hold the end of the build log.
    """
    if files and sum((git is not None, redeploy_of is not None)):
        raise Rejected("Give exactly one of `git`, `files` and `redeploy_of`. Nothing was sent.")
    plain = await _handed_over(call, files) if files else []
    begun = await begin(call, project, target, source_of(git, plain, redeploy_of), settings)
    last = await _settled(call, begun, wait_seconds)
    lines = await _last_lines(call, last) if last.state == "ERROR" else []
    return DeployedOrNot.model_validate({**last.model_dump(), "last_lines": lines})


async def _handed_over(call: Call, files: list[FileWithContent]) -> list[Json]:
    """The files as the deployment names them: small ones within it, else each uploaded before."""
    read = [(file, await file.content.read(call)) for file in files]
    paths = [file.path for file in files]
    if len(set(paths)) < len(paths):
        raise Rejected("Two of the files have the same path. Nothing was sent.")
    if sum(len(raw) for _, raw in read) <= _INLINE_BYTES:
        return [_inline(file.path, file.content.text, raw) for file, raw in read]
    kept = [await upload(call, file.path, raw) for file, raw in read]
    return [{"file": each.path, "sha": each.sha, "size": each.size} for each in kept]


def _inline(path: str, text: str | None, raw: bytes) -> Json:
    if text is not None:
        return {"file": path, "data": text, "encoding": "utf-8"}
    return {"file": path, "data": b64encode(raw).decode(), "encoding": "base64"}


async def _settled(call: Call, deployment: Deployment, wait_seconds: int) -> Deployment:
    """The deployment when it is finished, or as it was last seen when the time is over.

    It has been made, so trouble while looking changes nothing about it: the last look is told.
    """
    end = max(SPARE_SECONDS, call.seconds_left - wait_seconds)  # the seconds left at which waiting ends
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        if deployment.is_finished or call.seconds_left - pause < end:
            return deployment
        await asyncio.sleep(pause)
        try:
            deployment = await look(call, deployment.id)
        except ProviderProblem:
            return deployment
    return deployment


async def _last_lines(call: Call, deployment: Deployment) -> list[Json]:
    try:
        found = await read_build(call, deployment.id, _LAST_LINES)
    except ProviderProblem:  # the state is what was asked for; the log is a kindness
        return []
    return [line.model_dump() for line in found.lines]
