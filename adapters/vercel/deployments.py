"""Deployments, step by step: make one, look at it, stop it, and decide what production serves."""

import re
from hashlib import sha1
from typing import Literal, TypeAlias

from adapters._kit import Annotated, AwareDatetime, Call, Effect, Field, Part, action, given
from adapters._kit.content import Content
from adapters.vercel.parameters import (
    BranchName,
    DeploymentId,
    DeploymentRef,
    Limit,
    ProjectRef,
    Target,
    project_id,
    scoped,
)
from adapters.vercel.projects import Command, Folder, Framework
from adapters.vercel.results import Deployment, Project, Switched, UploadedFile
from domain.errors import NotThere, Rejected
from domain.json import Json

FilePath: TypeAlias = Annotated[
    str,
    Field(
        description="Where the file goes, e.g. `public/index.html`. Without a slash at the beginning.",
        max_length=500,
        pattern=r"^[^/\x00-\x1f\x7f\\]+(/[^/\x00-\x1f\x7f\\]+)*$",
    ),
]
State: TypeAlias = Annotated[
    Literal["QUEUED", "INITIALIZING", "BUILDING", "READY", "ERROR", "CANCELED"],
    Field(description="Only deployments in this state."),
]
Moment: TypeAlias = Annotated[AwareDatetime, Field(description="A moment with its time zone (RFC 3339).")]

_NUMBER = re.compile(r"[0-9]{1,15}")


class GitSource(Part):
    """A commit or branch to deploy."""

    type: Annotated[Literal["github", "gitlab", "bitbucket"], Field(description="Where the repository is.")]
    repo: Annotated[
        str,
        Field(
            description="GitHub and Bitbucket: owner and name, e.g. `harbour-works/site`, or GitHub's number of the "
            "repository. GitLab: the number of the project.",
            max_length=200,
            pattern=r"^([0-9]{1,15}|[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)$",
        ),
    ]
    ref: Annotated[BranchName, Field(description="The branch or tag.")]
    sha: Annotated[
        str | None, Field(description="An exact commit of it; the newest when left out.", pattern=r"^[0-9a-f]{40}$")
    ] = None


class FileToDeploy(Part):
    """A file that was uploaded before, by upload_file."""

    path: FilePath
    sha: Annotated[str, Field(description="The SHA-1 that upload_file told.", pattern=r"^[0-9a-f]{40}$")]
    size: Annotated[int, Field(description="Its size in bytes.", ge=0, le=100_000_000)]


class BuildSettings(Part):
    """How to build this deployment, where it differs from the project's settings."""

    framework: Framework | None = None
    build_command: Command | None = None
    install_command: Command | None = None
    output_directory: Folder | None = None
    root_directory: Folder | None = None


@action(
    effect=Effect.WRITE,
    scopes=("read-write:deployment",),
    idempotent=True,
    look_for="a deployment that uses the file; the file alone is seen by nobody",
)
async def upload_file(
    call: Call,
    *,
    path: FilePath,
    content: Annotated[Content, Field(description="What the file holds.")],
) -> UploadedFile:
    """Upload one file for a deployment.

    The first step of deploying files by hand; create_deployment takes what this answers. The action deploy does both.
    """
    raw = await content.read(call)
    return await upload(call, path, raw)


async def upload(call: Call, path: str, raw: bytes) -> UploadedFile:
    """Give Vercel a file to keep by its digest. Until it is deployed nobody sees it, so this is harmless."""
    digest = sha1(raw, usedforsecurity=False).hexdigest()  # the name Vercel wants
    headers = {"x-vercel-digest": digest}
    await call.send("POST", "v2/files", content=raw, headers=headers, harmless=True, query=scoped(call))
    return UploadedFile(path=path, sha=digest, size=len(raw))


@action(effect=Effect.WRITE, scopes=("read-write:deployment",), look_for="a new deployment in the project's list")
async def create_deployment(
    call: Call,
    *,
    project: ProjectRef,
    target: Target = "preview",
    git: Annotated[GitSource | None, Field(description="Deploy from a Git repository.")] = None,
    files: Annotated[
        list[FileToDeploy] | None,
        Field(description="Deploy these files, uploaded before with upload_file.", min_length=1, max_length=1000),
    ] = None,
    redeploy_of: Annotated[DeploymentId | None, Field(description="Make this deployment once more.")] = None,
    settings: Annotated[BuildSettings | None, Field(description="How to build it.")] = None,
    force_new: Annotated[
        bool, Field(description="Build even when there is an equal deployment, which is answered otherwise.")
    ] = False,
) -> Deployment:
    """Begin a deployment, without waiting for it.

    Give exactly one of `git`, `files` and `redeploy_of`. The answer comes before the build has begun: look with
    get_deployment until `is_finished`. The action deploy does the same and waits. With target `production` the
    website's visitors get it as soon as it is READY.
    """
    plain: list[Json] = [{"file": each.path, "sha": each.sha, "size": each.size} for each in files or ()]
    source = source_of(git, plain, redeploy_of)
    return await begin(call, project, target, source, settings, force_new=force_new)


def source_of(git: GitSource | None, files: list[Json], redeploy_of: str | None) -> dict[str, Json]:
    """What to deploy, as Vercel writes it. Raises Rejected unless it is exactly one thing."""
    if sum((git is not None, bool(files), redeploy_of is not None)) != 1:
        raise Rejected("Give exactly one of `git`, `files` and `redeploy_of`. Nothing was sent.")
    if git is not None:
        return {"gitSource": _git(git)}
    return {"files": files} if files else {"deploymentId": redeploy_of}


def _git(git: GitSource) -> Json:
    """A repository by number, or by the names that its host gives it."""
    source = given(type=git.type, ref=git.ref, sha=git.sha)
    owner, _, name = git.repo.partition("/")
    if git.type == "gitlab":
        if not _NUMBER.fullmatch(git.repo):
            raise Rejected("A GitLab project is named by its number here. Nothing was sent.")
        return {**source, "projectId": int(git.repo)}
    if git.type == "bitbucket":
        if not name:
            raise Rejected("A Bitbucket repository is named by owner and name. Nothing was sent.")
        return {**source, "owner": owner, "slug": name}
    return {**source, "org": owner, "repo": name} if name else {**source, "repoId": int(git.repo)}


async def begin(
    call: Call,
    project: str,
    target: str,
    source: dict[str, Json],
    settings: BuildSettings | None,
    *,
    force_new: bool = False,
) -> Deployment:
    """Ask Vercel to make it. The project is named twice: as the one it belongs to, and for its address."""
    how = (
        given(
            framework=settings.framework,
            buildCommand=settings.build_command,
            installCommand=settings.install_command,
            outputDirectory=settings.output_directory,
            rootDirectory=settings.root_directory,
        )
        if settings
        else {}
    )
    body: dict[str, Json] = {"name": project, "project": project, **source}
    if target == "production":  # a preview is what Vercel makes when nothing is said
        body["target"] = target
    if how:
        body["projectSettings"] = how
    # Without the confirmation Vercel would ask a person which framework this is.
    query = scoped(call, forceNew="1" if force_new else None, skipAutoDetectionConfirmation="1")
    answer = await call.post("v13/deployments", json=body, query=query)
    return Deployment.of(answer.json)


@action(effect=Effect.READ, scopes=("read:deployment",))
async def list_deployments(
    call: Call,
    *,
    project: Annotated[ProjectRef | None, Field(description="Only of this project.")] = None,
    target: Annotated[Literal["production", "preview"] | None, Field(description="Only for this environment.")] = None,
    state: State | None = None,
    branch: Annotated[BranchName | None, Field(description="Only from this Git branch.")] = None,
    since: Annotated[Moment | None, Field(description="Only those created after this moment.")] = None,
    until: Annotated[Moment | None, Field(description="Only those created before this moment.")] = None,
    limit: Limit = 20,
) -> list[Deployment]:
    """List deployments, the newest first."""
    query = scoped(
        call, projectId=project, target=target, state=state, branch=branch, since=_ms(since), until=_ms(until)
    )
    found = await call.pages("v6/deployments", limit=limit, items="deployments", query=query)
    return [Deployment.of(each) for each in found]


def _ms(moment: AwareDatetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


@action(effect=Effect.READ, scopes=("read:deployment",))
async def get_deployment(call: Call, *, deployment: DeploymentRef) -> Deployment:
    """Show one deployment: its state, its address, and why it failed if it did."""
    return await look(call, deployment)


async def look(call: Call, deployment: str) -> Deployment:
    """How a deployment is now."""
    answer = await call.get("v13/deployments/{deployment}", query=scoped(call), deployment=deployment)
    return Deployment.of(answer.json)


@action(
    effect=Effect.WRITE,
    scopes=("read-write:deployment",),
    idempotent=True,
    look_for="whether the deployment's state is CANCELED",
)
async def cancel_deployment(call: Call, *, deployment: DeploymentId) -> Deployment:
    """Stop a deployment that is waiting or building.

    It is rejected when the deployment is READY already.
    """
    path = "v12/deployments/{deployment}/cancel"
    answer = await call.send("PATCH", path, query=scoped(call), deployment=deployment)
    return Deployment.of(answer.json)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read-write:deployment", "read:project"),
    idempotent=True,
    look_for="which deployment the project's production domains serve",
)
async def promote_deployment(call: Call, *, project: ProjectRef, deployment: DeploymentId) -> Switched:
    """Promote a deployment: let production serve it.

    Go live with it. The project's visitors get a production deployment at once; one that was made as a preview is
    built again for production first, and `is_done` is false. Undo it with rollback.
    """
    id = await project_id(call, project)
    path = "v10/projects/{project}/promote/{deployment}"
    answer = await call.post(path, query=scoped(call), project=id, deployment=deployment)
    return Switched(project_id=id, deployment_id=deployment, is_done=answer.status == 201)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read-write:deployment", "read:project"),
    look_for="which deployment the project's production domains serve",
)
async def rollback(
    call: Call,
    *,
    project: ProjectRef,
    deployment: Annotated[
        DeploymentId | None,
        Field(description="A production deployment of before; when left out, the one before what is served now."),
    ] = None,
    reason: Annotated[
        str | None, Field(description="Shown beside the rollback at Vercel.", min_length=1, max_length=250)
    ] = None,
) -> Switched:
    """Roll back: let production serve an earlier deployment again.

    Nothing is built, so it takes seconds. New commits no longer go live by themselves until a deployment is
    promoted. How far back one may go depends on the plan: on the smallest, to the one before only. Asked twice
    without `deployment`, it goes back twice.
    """
    found = Project.of((await call.get("v9/projects/{project}", query=scoped(call), project=project)).json)
    before = found.production_deployment_id
    chosen = deployment or await _one_before(call, found.id, before)
    path = "v1/projects/{project}/rollback/{deployment}"
    query = scoped(call, description=reason)
    answer = await call.post(path, query=query, project=found.id, deployment=chosen)
    done = answer.status in (200, 201)
    return Switched(project_id=found.id, deployment_id=chosen, previous_deployment_id=before, is_done=done)


async def _one_before(call: Call, project: str, serving: str | None) -> str:
    """The newest production deployment that is older than the one served now. Raises NotThere."""
    query = scoped(call, projectId=project, target="production", state="READY")
    found = await call.pages("v6/deployments", limit=100, items="deployments", query=query)
    ids = [Deployment.of(each).id for each in found]
    older = ids[ids.index(serving) + 1 :] if serving in ids else []
    if not older:
        raise NotThere("There is no earlier production deployment to go back to. Name one, or deploy again.")
    return older[0]
