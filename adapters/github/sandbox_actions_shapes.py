"""The shapes of the sandbox's answers about GitHub Actions, after GitHub's published API description."""

from datetime import UTC, datetime
from zlib import crc32

from adapters.github.sandbox_shapes import Shape, node_id, repository_shape, site_of, somebody
from adapters.github.sandbox_state import Hub, Repository, Run

_STARTS_AFTER_SECONDS = 2
_DONE_AFTER_SECONDS = 6


def state_of(run: Run, now: float) -> tuple[str, str | None]:
    """Status and conclusion at a moment (epoch seconds)."""
    if run.cancelled_at is not None:
        return "completed", "cancelled"
    age = now - run.started_at
    if age >= _DONE_AFTER_SECONDS:
        return "completed", "failure" if run.fails else "success"
    return ("in_progress" if age >= _STARTS_AFTER_SECONDS else "queued"), None


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _title(path: str, text: str) -> str:
    """The `name:` of a workflow, or its path."""
    lines = (line for line in text.splitlines() if line.startswith("name:"))
    return next(lines, f"name:{path}").partition(":")[2].strip().strip("\"'")


def workflow_shape(repository: Repository, path: str, text: str, root: str) -> Shape:
    """`workflow`."""
    number = crc32(path.encode())
    page = f"{site_of(root)}/{repository.full_name}"
    return {
        "id": number,
        "node_id": node_id("Workflow", number),
        "name": _title(path, text),
        "path": path,
        "state": "active",
        "created_at": repository.created_at,
        "updated_at": repository.updated_at,
        "url": f"{root}/repos/{repository.full_name}/actions/workflows/{number}",
        "html_url": f"{page}/blob/{repository.default_branch}/{path}",
        "badge_url": f"{page}/workflows/{number}/badge.svg",
    }


def _text_at(repository: Repository, run: Run) -> str:
    file = repository.objects.files_at(run.head_sha).get(run.path)
    return repository.objects.blobs[file.sha].decode("utf-8", "replace") if file else ""


def run_shape(hub: Hub, repository: Repository, run: Run, root: str, viewer: str) -> Shape:
    """`workflow-run`."""
    here = f"{root}/repos/{repository.full_name}/actions/runs/{run.id}"
    status, conclusion = state_of(run, hub.now())
    number, commit = crc32(run.path.encode()), repository.objects.commits[run.head_sha]
    title, actor = _title(run.path, _text_at(repository, run)), somebody(hub.world, run.actor, root)
    home = repository_shape(hub.world, repository, root, viewer)
    person = {"name": commit.author.name, "email": commit.author.email}
    changed = max(run.started_at, min(hub.now(), run.started_at + _DONE_AFTER_SECONDS))
    return {
        "id": run.id,
        "name": title,
        "node_id": node_id("WorkflowRun", run.id),
        "check_suite_id": run.id,
        "check_suite_node_id": node_id("CheckSuite", run.id),
        "head_branch": run.branch,
        "head_sha": run.head_sha,
        "path": run.path,
        "display_title": title,
        "run_number": repository.runs.index(run) + 1,
        "run_attempt": run.attempt,
        "event": "workflow_dispatch",
        "status": status,
        "conclusion": conclusion,
        "workflow_id": number,
        "workflow_url": f"{root}/repos/{repository.full_name}/actions/workflows/{number}",
        "url": here,
        "html_url": f"{site_of(root)}/{repository.full_name}/actions/runs/{run.id}",
        "pull_requests": [],
        "created_at": _stamp(run.created_at),
        "updated_at": _stamp(changed),
        "run_started_at": _stamp(run.started_at),
        "actor": actor,
        "triggering_actor": actor,
        "jobs_url": f"{here}/jobs",
        "logs_url": f"{here}/logs",
        "cancel_url": f"{here}/cancel",
        "rerun_url": f"{here}/rerun",
        "artifacts_url": f"{here}/artifacts",
        "check_suite_url": f"{root}/repos/{repository.full_name}/check-suites/{run.id}",
        "previous_attempt_url": None,
        "head_commit": {
            "id": run.head_sha,
            "tree_id": commit.tree,
            "message": commit.message,
            "timestamp": commit.committer.date,
            "author": {**person},
            "committer": {**person},
        },
        "repository": home,
        "head_repository": home,
    }


def job_shape(hub: Hub, repository: Repository, run: Run, root: str) -> Shape:
    """`job`: the one that every run has."""
    here = f"{root}/repos/{repository.full_name}"
    status, conclusion = state_of(run, hub.now())
    started = _stamp(run.started_at)
    done = _stamp(run.started_at + _DONE_AFTER_SECONDS) if status == "completed" else None
    step: Shape = {"status": status, "conclusion": conclusion, "started_at": started, "completed_at": done}
    return {
        "id": run.job_id,
        "run_id": run.id,
        "run_url": f"{here}/actions/runs/{run.id}",
        "run_attempt": run.attempt,
        "node_id": node_id("Job", run.job_id),
        "head_sha": run.head_sha,
        "head_branch": run.branch,
        "url": f"{here}/actions/jobs/{run.job_id}",
        "html_url": f"{site_of(root)}/{repository.full_name}/actions/runs/{run.id}/job/{run.job_id}",
        "status": status,
        "conclusion": conclusion,
        "created_at": started,
        "started_at": started,
        "completed_at": done,
        "name": "build",
        "workflow_name": _title(run.path, _text_at(repository, run)),
        "steps": [{"name": "Run the build", "number": 1, **step}],
        "check_run_url": f"{here}/check-runs/{run.job_id}",
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "sandbox runner",
        "runner_group_id": 1,
        "runner_group_name": "sandbox",
    }


def log_text(hub: Hub, run: Run) -> str:
    """What the job has "written": invented, as nothing runs here."""
    start = _stamp(run.started_at)
    status, conclusion = state_of(run, hub.now())
    ends = "##[error]Process completed with exit code 1." if conclusion == "failure" else f"Job {status}: {conclusion}"
    lines = ["Sandbox: nothing is executed here.", f"Run {run.path} at {run.head_sha}", "Run the build", ends]
    return "\N{ZERO WIDTH NO-BREAK SPACE}" + "".join(f"{start} {line}\n" for line in lines)
