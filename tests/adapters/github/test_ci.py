"""CI/CD at GitHub: secrets, variables, workflows, runs and logs, against the sandbox and GitHub's description."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters._kit.sandbox import fingerprint
from adapters.github.sandbox import sandbox
from adapters.github.sandbox_state import TOKEN_EVERYTHING
from domain.errors import AlreadyThere, AnswerGarbled, Forbidden, NotThere, Rejected
from tests.support.trials import Trial, trial

LIGHTHOUSE = {"owner": "lin-harbour", "repo": "lighthouse"}
LEDGER = {"owner": "lin-harbour", "repo": "ledger"}
WORKFLOW = "name: Build\non: [push, workflow_dispatch]\njobs: {}\n"
SECRET = "correct horse battery staple"


class Clock:
    """Stands still until it is moved. Epoch seconds."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@asynccontextmanager
async def timed() -> AsyncIterator[tuple[Trial, Clock]]:
    clock = Clock()
    async with trial("github", sandbox(now=clock), {"token": TOKEN_EVERYTHING}) as owner:
        yield owner, clock


def bodies(trying: Trial) -> str:
    return " ".join((each.body or b"").decode() for each in trying.requests)


async def test_a_secret_is_sealed_before_it_leaves_and_replaced_when_set_again(owner: Trial) -> None:
    first = await owner.run("set_actions_secret", **LIGHTHOUSE, name="DEPLOY_TOKEN", value=SECRET)
    again = await owner.run("set_actions_secret", **LIGHTHOUSE, name="DEPLOY_TOKEN", value=SECRET + "!")
    assert (first, again["is_new"]) == ({"name": "DEPLOY_TOKEN", "is_new": True}, False)
    assert SECRET not in bodies(owner)
    sealed = [json.loads(each.body or b"{}").get("encrypted_value") for each in owner.requests if each.method == "PUT"]
    assert len(set(sealed)) == 2
    names = [each["name"] for each in await owner.run("list_actions_secrets", **LIGHTHOUSE)]
    assert names == ["DEPLOY_TOKEN"]
    await owner.run("delete_actions_secret", **LIGHTHOUSE, name="DEPLOY_TOKEN")
    assert await owner.run("list_actions_secrets", **LIGHTHOUSE) == []


async def test_the_repository_opens_what_was_sealed_for_it_and_keeps_no_plain_text(tmp_path: Path) -> None:
    file, value = tmp_path / "github.json", "fog \N{FOGGY}"
    async with trial("github", sandbox(file), {"token": TOKEN_EVERYTHING}) as owner:
        await owner.run("set_actions_secret", **LIGHTHOUSE, name="KEY", value=value)
        key = await owner.run("get_actions_public_key", **LIGHTHOUSE)
    assert len(key["key"]) == 44
    kept = json.loads(file.read_text())["repositories"]["lin-harbour/lighthouse"]["secrets"]["KEY"]
    assert kept["value"] == fingerprint(value)
    assert value not in file.read_text()


async def test_a_key_that_is_none_seals_nothing(owner: Trial) -> None:
    await owner.misbehave("garbage", "GET */public-key")
    with pytest.raises(AnswerGarbled):
        await owner.run("set_actions_secret", **LIGHTHOUSE, name="KEY", value=SECRET)
    assert await owner.effects() == {}


@pytest.mark.parametrize("name", ["1ST", "WITH SPACE", "WITH-DASH", ""])
async def test_a_name_that_no_secret_can_have_is_refused_before_anything_is_sent(owner: Trial, name: str) -> None:
    action = owner.integration.actions["github.set_actions_secret"]
    assert [each.pointer for each in action.check({**LIGHTHOUSE, "name": name, "value": "x"})] == ["/name"]


async def test_a_reserved_name_is_refused_by_github(owner: Trial) -> None:
    with pytest.raises(Rejected):
        await owner.run("set_actions_secret", **LIGHTHOUSE, name="GITHUB_KEY", value="x")


async def test_a_variable_is_made_then_replaced(owner: Trial) -> None:
    made = [await owner.run("set_actions_variable", **LIGHTHOUSE, name="REGION", value=each) for each in ("a", "b")]
    assert [each["is_new"] for each in made] == [True, False]
    listed = await owner.run("list_actions_variables", **LIGHTHOUSE)
    assert [(each["name"], each["value"]) for each in listed] == [("REGION", "b")]


async def test_a_pipeline_is_configured_in_one_action(owner: Trial) -> None:
    told = {**LIGHTHOUSE, "file_name": "ci.yml", "workflow": WORKFLOW}
    secrets = [{"name": "DEPLOY_TOKEN", "value": SECRET}, {"name": "SIGNING_KEY", "value": SECRET}]
    variables = [{"name": "REGION", "value": "north"}]
    made = await owner.run("configure_ci", **told, secrets=secrets, variables=variables)
    assert made["path"] == ".github/workflows/ci.yml"
    assert (made["secrets"], made["variables"]) == (["DEPLOY_TOKEN", "SIGNING_KEY"], ["REGION"])
    assert SECRET not in bodies(owner) + json.dumps(made)
    writes = [each.url.rpartition("/")[2] for each in owner.requests if each.method in ("PUT", "POST")]
    assert writes == ["DEPLOY_TOKEN", "SIGNING_KEY", "variables", ".github%2Fworkflows%2Fci.yml"]
    assert [each["name"] for each in await owner.run("list_workflows", **LIGHTHOUSE)] == ["Build"]
    again = await owner.run("configure_ci", **told)
    assert again["commit_sha"] is None


async def test_a_pipeline_does_not_overwrite_another_unseen(owner: Trial) -> None:
    told = {**LIGHTHOUSE, "file_name": "ci.yml"}
    await owner.run("configure_ci", **told, workflow=WORKFLOW)
    before = await owner.effects()
    secrets = [{"name": "DEPLOY_TOKEN", "value": SECRET}]
    with pytest.raises(AlreadyThere, match="expected_sha"):
        await owner.run("configure_ci", **told, workflow="on: push\n", secrets=secrets)
    assert await owner.effects() == before
    seen = await owner.run("get_file", **LIGHTHOUSE, path=".github/workflows/ci.yml")
    done = await owner.run("configure_ci", **told, workflow="on: push\n", expected_sha=seen["sha"])
    assert done["commit_sha"]


async def test_a_pipeline_needs_the_scope_for_workflows(github: Trial) -> None:
    with pytest.raises(NotThere):
        await github.run("configure_ci", **LIGHTHOUSE, file_name="ci.yml", workflow=WORKFLOW)


async def test_a_workflow_is_started_watched_and_run_again() -> None:
    async with timed() as (owner, clock):
        started = await owner.run("dispatch_workflow", **LEDGER, workflow="close-books.yml", branch="main")
        run_id = {"run_id": started["run_id"]}
        states = []
        for _ in range(3):
            run = await owner.run("get_workflow_run", **LEDGER, **run_id)
            states.append((run["status"], run["conclusion"]))
            clock.time += 3
        assert states == [("queued", None), ("in_progress", None), ("completed", "failure")]
        failed = await owner.run("list_workflow_runs", **LEDGER, status="failure", workflow="close-books.yml")
        assert started["run_id"] in {each["id"] for each in failed}
        [job] = await owner.run("get_workflow_logs", **LEDGER, **run_id, lines=1)
        assert job["failed_steps"] == ["Run the build"]
        assert job["log"].endswith("##[error]Process completed with exit code 1.")
        assert not job["is_complete"]
        await owner.run("rerun_workflow", **LEDGER, **run_id)
        assert (await owner.run("get_workflow_run", **LEDGER, **run_id))["attempt"] == 2
        await owner.run("cancel_workflow_run", **LEDGER, **run_id)
        with pytest.raises(AlreadyThere):
            await owner.run("cancel_workflow_run", **LEDGER, **run_id)
        assert (await owner.run("get_workflow_run", **LEDGER, **run_id))["conclusion"] == "cancelled"


async def test_the_token_does_not_follow_to_where_logs_are_handed_out(owner: Trial) -> None:
    [seeded] = await owner.run("list_workflow_runs", **LEDGER)
    [job] = await owner.run("get_workflow_logs", **LEDGER, run_id=seeded["id"])
    assert job["log"].startswith("2026-01-12T09:00:00Z Sandbox")
    handed_out = owner.requests[-1]
    assert "/_logs/" in handed_out.url
    assert "authorization" not in handed_out.headers


async def test_a_job_that_still_runs_has_no_log_yet() -> None:
    async with timed() as (owner, _):
        started = await owner.run("dispatch_workflow", **LEDGER, workflow="close-books.yml", branch="main")
        logs = await owner.run("get_workflow_logs", **LEDGER, run_id=started["run_id"], only_failed=False)
        assert [(each["status"], each["log"]) for each in logs] == [("queued", None)]


async def test_a_workflow_that_cannot_be_started_says_so(owner: Trial) -> None:
    with pytest.raises(NotThere):
        await owner.run("dispatch_workflow", **LEDGER, workflow="nothing.yml", branch="main")
    await owner.run("configure_ci", **LIGHTHOUSE, file_name="push.yml", workflow="on: push\n")
    with pytest.raises(Rejected):
        await owner.run("dispatch_workflow", **LIGHTHOUSE, workflow="push.yml", branch="main")


async def test_settings_of_other_peoples_repositories_are_closed(owner: Trial) -> None:
    with pytest.raises(Forbidden):
        await owner.run("list_actions_secrets", owner="sam-quay", repo="tide-tables")
