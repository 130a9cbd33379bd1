"""GitHub Actions: workflows, their runs, and what a run has written."""

from datetime import datetime
from typing import Literal, TypeAlias

from adapters._kit import AliasPath, Annotated, Call, Effect, Field, Part, Result, action, given
from adapters.github.parameters import BranchName, Limit, Owner, RepoName, Sha
from domain.errors import NotThere
from domain.json import Json

WorkflowName: TypeAlias = Annotated[
    str,
    Field(
        description="The workflow's file name, such as `ci.yml`, or its number.",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]*$",
        max_length=200,
    ),
]
RunId: TypeAlias = Annotated[int, Field(description="Number of the run, as list_workflow_runs tells it.", ge=1)]

_ACTIONS = "repos/{owner}/{repo}/actions/"
_MOST_JOBS = 20
_BAD = ("failure", "timed_out", "cancelled", "startup_failure")


class Input(Part):
    """One thing that a workflow asks for."""

    name: Annotated[str, Field(description="As the workflow names it.", min_length=1, max_length=100)]
    value: Annotated[str, Field(description="As text; `true` and `false` for a switch.", max_length=10_000)]


class Workflow(Result):
    """A workflow file that GitHub knows."""

    id: int
    name: str
    path: str
    state: str = Field(description="`active`, or how it was disabled.")
    url: str = Field(validation_alias="html_url")


class Dispatch(Result):
    """A run that was asked for. Its number is not told by every version of GitHub; list_workflow_runs finds it."""

    run_id: int | None = Field(default=None, validation_alias="workflow_run_id")
    url: str | None = Field(default=None, validation_alias="html_url")


class Run(Result):
    """One run of a workflow."""

    id: int
    name: str | None = None
    title: str | None = Field(default=None, validation_alias="display_title")
    event: str
    status: str | None = Field(default=None, description="`queued`, `in_progress` or `completed`, mostly.")
    conclusion: str | None = Field(default=None, description="`success`, `failure` and others; null until completed.")
    branch: str | None = Field(default=None, validation_alias="head_branch")
    head_sha: str
    attempt: int = Field(default=1, validation_alias="run_attempt")
    actor: str | None = Field(default=None, validation_alias=AliasPath("actor", "login"))
    created_at: datetime
    updated_at: datetime
    url: str = Field(validation_alias="html_url")


class JobLog(Result):
    """What one job of a run has written, its last lines."""

    id: int
    name: str
    status: str
    conclusion: str | None = None
    failed_steps: list[str]
    log: str | None = Field(default=None, description="Null when there is none (yet, or any more).")
    is_complete: bool = Field(default=True, description="False when earlier lines were left out.")


@action(effect=Effect.READ, scopes=("repo",))
async def list_workflows(call: Call, *, owner: Owner, repo: RepoName, limit: Limit = 30) -> list[Workflow]:
    """List the GitHub Actions workflows of a repository.

    The CI/CD pipelines it has; those on the default branch.
    """
    found = await call.pages(_ACTIONS + "workflows", limit=limit, items="workflows", owner=owner, repo=repo)
    return [Workflow.of(each) for each in found]


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a new run of this workflow")
async def dispatch_workflow(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    workflow: WorkflowName,
    branch: Annotated[BranchName, Field(description="The branch or tag to run on.")],
    inputs: Annotated[
        list[Input] | None, Field(description="What the workflow asks for; defaults otherwise.", max_length=25)
    ] = None,
) -> Dispatch:
    """Start a GitHub Actions workflow: build, test or deploy.

    The workflow file must be on the default branch and have `workflow_dispatch`. Doing it twice starts two
    runs. Look at it with get_workflow_run and get_workflow_logs.
    """
    # With version 2022-11-28 the number of the run is told only when it is asked for.
    values: dict[str, Json] = {each.name: each.value for each in inputs or ()}
    body = given(ref=branch, inputs=values or None, return_run_details=True)
    path = _ACTIONS + "workflows/{workflow}/dispatches"
    answer = await call.post(path, json=body, owner=owner, repo=repo, workflow=workflow)
    return Dispatch.of(answer.json or {})


@action(effect=Effect.READ, scopes=("repo",))
async def list_workflow_runs(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    workflow: Annotated[WorkflowName | None, Field(description="Only runs of this workflow.")] = None,
    branch: Annotated[BranchName | None, Field(description="Only runs on this branch.")] = None,
    status: Annotated[
        Literal["queued", "in_progress", "completed", "success", "failure", "cancelled"] | None,
        Field(description="Only runs in this state, or with this conclusion."),
    ] = None,
    head_sha: Annotated[Sha | None, Field(description="Only runs for this commit.")] = None,
    limit: Limit = 20,
) -> list[Run]:
    """List runs of GitHub Actions workflows.

    Newest first: builds, tests and deployments, and how they ended.
    """
    path = _ACTIONS + ("workflows/{workflow}/runs" if workflow else "runs")
    query = {"branch": branch, "status": status, "head_sha": head_sha}
    where: dict[str, str] = {"owner": owner, "repo": repo, **({"workflow": workflow} if workflow else {})}
    found = await call.pages(path, limit=limit, items="workflow_runs", query=query, keep=None, **where)
    return [Run.of(each) for each in found]


@action(effect=Effect.READ, scopes=("repo",))
async def get_workflow_run(call: Call, *, owner: Owner, repo: RepoName, run_id: RunId) -> Run:
    """Show one run of a workflow.

    Whether the build is done (`status`) and how it ended (`conclusion`).
    """
    return Run.of((await call.get(_ACTIONS + "runs/{run_id}", owner=owner, repo=repo, run_id=run_id)).json)


@action(effect=Effect.READ, scopes=("repo",))
async def get_workflow_logs(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    run_id: RunId,
    only_failed: Annotated[bool, Field(description="Only jobs that did not succeed.")] = True,
    lines: Annotated[int, Field(description="How many of the last lines of each job.", ge=1, le=2000)] = 200,
) -> list[JobLog]:
    """Read the logs of a workflow run: why did the build fail?

    Job by job, their last lines, at most 20 jobs. GitHub keeps logs for a time only, and has none of a job
    that is still running.
    """
    path = _ACTIONS + "runs/{run_id}/jobs"
    found = await call.pages(path, limit=_MOST_JOBS, items="jobs", owner=owner, repo=repo, run_id=run_id)
    jobs = [_Job.of(each) for each in found]
    return [await _log_of(call, owner, repo, job, lines) for job in jobs if not only_failed or job.conclusion in _BAD]


@action(effect=Effect.WRITE, scopes=("repo",), idempotent=True, look_for="the state of this run")
async def cancel_workflow_run(call: Call, *, owner: Owner, repo: RepoName, run_id: RunId) -> None:
    """Cancel a run of a workflow.

    A conflict when it is completed already. It ends a little later, not at once.
    """
    await call.post(_ACTIONS + "runs/{run_id}/cancel", owner=owner, repo=repo, run_id=run_id)


@action(effect=Effect.WRITE, scopes=("repo",), look_for="a new attempt of this run")
async def rerun_workflow(
    call: Call,
    *,
    owner: Owner,
    repo: RepoName,
    run_id: RunId,
    only_failed: Annotated[bool, Field(description="Only the jobs that failed, and those that need them.")] = True,
) -> None:
    """Run a workflow run again.

    The same commit, as a new attempt under the same number. Refused while it is still running.
    """
    path = _ACTIONS + ("runs/{run_id}/rerun-failed-jobs" if only_failed else "runs/{run_id}/rerun")
    await call.post(path, owner=owner, repo=repo, run_id=run_id)


async def _log_of(call: Call, owner: str, repo: str, job: "_Job", lines: int) -> JobLog:
    try:
        answer = await call.download(_ACTIONS + "jobs/{job_id}/logs", owner=owner, repo=repo, job_id=job.id)
    except NotThere:
        text = None
    else:
        text = answer.incoming.body.decode("utf-8", "replace").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    written = text.splitlines() if text is not None else []
    return JobLog(
        id=job.id,
        name=job.name,
        status=job.status,
        conclusion=job.conclusion,
        failed_steps=[step.name for step in job.steps if step.conclusion in _BAD],
        log=None if text is None else "\n".join(written[-lines:]),
        is_complete=len(written) <= lines,
    )


class _Step(Result):
    name: str
    conclusion: str | None = None


class _Job(Result):
    id: int
    name: str
    status: str
    conclusion: str | None = None
    steps: list[_Step] = Field(default_factory=list)
