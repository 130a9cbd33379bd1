"""GitHub's actions against software that others wrote: emulate where it keeps the thing, Prism where it does not.

emulate 0.11.2 has no public key of Actions, no variables, and an empty collection of workflows, so that secrets,
variables, dispatches, runs and logs go to Prism, which answers from GitHub's own description. Neither hands out logs.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import Override
from domain.catalogue import AuthScheme, CallSetting, Credential, Integration
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json
from domain.secrets import Secret
from tests.support.emulate import Emulate, emulate
from tests.support.prism import prism

__all__ = ["emulate"]

LIGHTHOUSE = {"owner": "octavia", "repo": "lighthouse"}
DESCRIPTION = Path(__file__).parents[1] / "adapters" / "github" / "description.json"
SAMPLES: dict[str, Json] = {
    **dict.fromkeys(("created_at", "updated_at", "published_at", "pushed_at", "started_at"), "2026-01-12T09:00:00Z"),
    "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "conclusion": "success",
}


@dataclass
class GitHub:
    """An integration that talks to somebody else's GitHub."""

    integration: Integration
    ran: list[str] = field(default_factory=list)

    async def run(self, name: str, /, **parameters: Json) -> Json:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"github.{name}"]
        assert action.check(parameters) == ()
        credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret("any")}, {})
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        setting = CallSetting(credential, None, is_sandbox=False, key=uuid4(), deadline_at=deadline)
        return await self.integration.run(action, parameters, setting)

    async def row(self, name: str, /, **parameters: Json) -> dict[str, Json]:
        """The one thing an action answers."""
        found = await self.run(name, **parameters)
        assert isinstance(found, dict)
        return found


async def _at(address: str) -> AsyncIterator[GitHub]:
    egress = Egress.allowing(networks=["127.0.0.0/8"], http=True)
    async with HttpTransport(egress, version="0") as transport:
        yield GitHub(load(transport, {"github": Override(base_url=address)}, {}).integrations["github"])


@pytest.fixture
async def github(emulate: Emulate) -> AsyncIterator[GitHub]:
    async for found in _at(emulate.github):
        yield found


def _in_githubs_media_type(shape: Json) -> Json:
    """Answers as they are asked for: Prism refuses when the description names only `application/json`."""
    if isinstance(shape, list):
        return [_in_githubs_media_type(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    found = {name: _in_githubs_media_type(each) for name, each in shape.items()}
    content = found.get("content")
    if "description" in shape and isinstance(content, dict) and "application/json" in content:
        found["content"] = {"application/vnd.github+json": content["application/json"]}
    return found


@pytest.fixture(scope="module")
async def described(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GitHub]:
    folder = tmp_path_factory.mktemp("prism")
    asked_for = folder / "github.json"
    asked_for.write_text(json.dumps(_in_githubs_media_type(json.loads(DESCRIPTION.read_text()))))
    async with prism(asked_for, SAMPLES, folder) as address:
        async for found in _at(address):
            yield found


async def test_a_repository_is_made_changed_and_deleted(github: GitHub) -> None:
    name = f"pier-{uuid4().hex[:10]}"
    where: dict[str, Json] = {"owner": "octavia", "repo": name}
    made = await github.row("create_repo", name=name)
    assert made["full_name"] == f"octavia/{name}"
    assert (await github.row("update_repo", **where, description="Wood"))["description"] == "Wood"
    assert (await github.row("set_repo_visibility", **where, is_private=False))["is_private"] is False
    await github.run("delete_repo", **where)
    with pytest.raises(NotThere):
        await github.run("get_repo", **where)


async def test_a_push_by_hand_moves_a_branch(github: GitHub) -> None:
    branch = f"by-hand-{uuid4().hex[:10]}"
    made = await github.row("create_branch", **LIGHTHOUSE, branch=branch)
    assert (await github.row("get_ref", **LIGHTHOUSE, branch=branch))["sha"] == made["head_sha"]
    base = await github.row("get_commit", **LIGHTHOUSE, sha=made["head_sha"])
    blob = await github.row("create_blob", **LIGHTHOUSE, content="AAEC", encoding="base64")
    entries: Json = [{"path": f"{branch}/lamp.bin", "sha": blob["sha"]}]
    tree = await github.row("create_tree", **LIGHTHOUSE, entries=entries, base_tree=base["tree_sha"])
    told: dict[str, Json] = {"message": "Picture", "tree": tree["sha"], "parents": [made["head_sha"]]}
    commit = await github.row("create_commit", **LIGHTHOUSE, **told)
    moved = await github.row("update_ref", **LIGHTHOUSE, branch=branch, sha=commit["sha"])
    assert moved["sha"] == commit["sha"]
    with pytest.raises(AlreadyThere):
        await github.run("update_ref", **LIGHTHOUSE, branch=branch, sha=made["head_sha"])
    found = await github.row("get_file", **LIGHTHOUSE, path=f"{branch}/lamp.bin", ref=branch)
    assert (found["kind"], found["size_bytes"]) == ("binary", 3)
    gone = {"path": f"{branch}/lamp.bin", "branch": branch, "expected_sha": found["sha"], "message": "Away"}
    assert (await github.row("delete_file", **LIGHTHOUSE, **gone))["commit_sha"]
    await github.run("delete_branch", **LIGHTHOUSE, branch=branch)
    with pytest.raises(NotThere):
        await github.run("get_ref", **LIGHTHOUSE, branch=branch)


async def test_a_release_is_published_once_per_tag(github: GitHub) -> None:
    tag = f"v-{uuid4().hex[:10]}"
    made = await github.row("create_release", **LIGHTHOUSE, tag=tag, name="First light")
    assert (made["tag"], made["is_draft"]) == (tag, False)
    listed = await github.run("list_releases", **LIGHTHOUSE)
    assert isinstance(listed, list)
    assert tag in json.dumps(listed)
    with pytest.raises(Rejected):
        await github.run("create_release", **LIGHTHOUSE, tag=tag)


async def test_runs_and_workflows_are_listed_where_there_are_none(github: GitHub) -> None:
    assert await github.run("list_workflows", **LIGHTHOUSE) == []
    assert await github.run("list_workflow_runs", **LIGHTHOUSE, branch="main", status="failure") == []


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("create_org_repo", {"organisation": "harbour-works", "name": "crane"}),
        ("get_actions_public_key", LIGHTHOUSE),
        ("list_actions_secrets", LIGHTHOUSE),
        ("set_actions_secret", {**LIGHTHOUSE, "name": "DEPLOY_TOKEN", "value": "s3cret"}),
        ("delete_actions_secret", {**LIGHTHOUSE, "name": "DEPLOY_TOKEN"}),
        ("list_actions_variables", LIGHTHOUSE),
        ("set_actions_variable", {**LIGHTHOUSE, "name": "REGION", "value": "north"}),
        ("list_workflows", LIGHTHOUSE),
        (
            "dispatch_workflow",
            {**LIGHTHOUSE, "workflow": "ci.yml", "branch": "main", "inputs": [{"name": "fast", "value": "true"}]},
        ),
        ("list_workflow_runs", {**LIGHTHOUSE, "workflow": "ci.yml", "status": "success"}),
        ("get_workflow_run", {**LIGHTHOUSE, "run_id": 7}),
        ("get_workflow_logs", {**LIGHTHOUSE, "run_id": 7}),
        ("cancel_workflow_run", {**LIGHTHOUSE, "run_id": 7}),
        ("rerun_workflow", {**LIGHTHOUSE, "run_id": 7}),
        ("list_releases", LIGHTHOUSE),
        ("create_release", {**LIGHTHOUSE, "tag": "v1.0.0"}),
    ],
)
async def test_what_github_describes_is_what_is_sent_and_read(
    described: GitHub, name: str, more: dict[str, Json]
) -> None:
    await described.run(name, **more)
