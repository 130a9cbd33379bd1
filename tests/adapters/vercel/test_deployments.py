"""Deploying, waiting for it, and deciding what production serves."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1

import pytest

from adapters.vercel import deploying
from domain.errors import AlreadyThere, AnswerLost, NotThere, Rejected
from domain.json import Json
from tests.adapters.vercel.shop import Shop, mistakes
from tests.support.overheard import Connected

SITE = "harbour-site"
GIT: dict[str, Json] = {"type": "github", "repo": "harbour-works/site", "ref": "main"}
PAGE: list[Json] = [{"path": "index.html", "content": {"text": "<h1>Harbour</h1>"}}]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> Iterator[None]:
    """Nobody waits between two looks; instead the sandbox's clock goes on whenever it is looked at."""
    monkeypatch.setattr(deploying, "PAUSES", (0.0,))
    shop.clock.step = 0.25
    yield
    shop.clock.step = 0


# ---------------------------------------------------------------------------------------------------- deploy


async def test_deploying_waits_until_the_website_is_online(front: Connected, quick: None) -> None:
    done = await front.row("deploy", project=SITE, target="production", git=GIT)
    assert (done["state"], done["is_finished"], done["target"]) == ("READY", True, "production")
    assert done["last_lines"] == []
    assert done["aliases"] == ["harbour-works.example"]
    assert front.asked("/v13/deployments") == ["POST"]
    assert len(front.asked(f"/v13/deployments/{done['id']}")) > 1
    assert (await front.row("get_project", project=SITE))["production_deployment_id"] == done["id"]


async def test_a_deployment_that_fails_comes_with_the_end_of_its_log(front: Connected, quick: None) -> None:
    done = await front.row("deploy", project=SITE, git={**GIT, "ref": "broken-lamp"})
    assert (done["state"], done["is_finished"], done["error_code"]) == ("ERROR", True, "BUILD_FAILED")
    lines = done["last_lines"]
    assert isinstance(lines, list)
    assert isinstance(lines[-1], dict)
    assert (lines[-1]["kind"], lines[-1]["text"]) == ("stderr", "Command exited with 1")


async def test_when_the_time_is_over_first_it_says_how_far_it_was(front: Connected) -> None:
    waiting = await front.row("deploy", project=SITE, git=GIT, wait_seconds=0)
    assert (waiting["state"], waiting["is_finished"]) == ("QUEUED", False)


async def test_it_never_waits_beyond_the_deadline(front: Connected) -> None:
    action = front.integration.actions["vercel.deploy"]
    soon = replace(front.setting(), deadline_at=datetime.now(UTC) + timedelta(seconds=3))
    told = await front.integration.run(action, {"project": SITE, "git": GIT}, soon)
    assert isinstance(told, dict)
    assert (told["state"], told["is_finished"]) == ("QUEUED", False)
    assert front.asked(f"/v13/deployments/{told['id']}") == []


async def test_trouble_while_looking_does_not_hide_that_it_was_made(front: Connected, quick: None) -> None:
    front.misbehave("503", "GET /v13/deployments/*")
    told = await front.row("deploy", project=SITE, git=GIT)
    assert (told["state"], told["is_finished"]) == ("QUEUED", False)
    assert (await front.row("get_deployment", deployment=told["id"]))["name"] == SITE


async def test_a_deployment_whose_answer_was_lost_may_have_happened(front: Connected) -> None:
    front.misbehave("lost_answer", "POST /v13/deployments")
    with pytest.raises(AnswerLost) as lost:
        await front.run("deploy", project=SITE, git=GIT)
    assert lost.value.may_have_happened
    assert len(await front.rows("list_deployments", project=SITE)) == 3


async def test_small_files_go_with_the_request(front: Connected, quick: None) -> None:
    picture = b64encode(b"\x89PNG\xff").decode()
    files: list[Json] = [*PAGE, {"path": "img/lamp.png", "content": {"base64": picture}}]
    done = await front.row("deploy", project="new-pier", files=files)
    assert done["state"] == "READY"
    (body,) = front.bodies("/v13/deployments")
    assert body == {
        "name": "new-pier",
        "project": "new-pier",
        "files": [
            {"file": "index.html", "data": "<h1>Harbour</h1>", "encoding": "utf-8"},
            {"file": "img/lamp.png", "data": picture, "encoding": "base64"},
        ],
    }
    assert front.asked("/v2/files") == []


async def test_large_files_are_uploaded_first(front: Connected, quick: None) -> None:
    text = "x" * 250_000
    files: list[Json] = [*PAGE, {"path": "data.txt", "content": {"text": text}}]
    done = await front.row("deploy", project=SITE, files=files)
    assert done["state"] == "READY"
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
    assert front.headers("/v2/files", "x-vercel-digest")[1] == digest
    (body,) = front.bodies("/v13/deployments")
    assert body["files"][1] == {"file": "data.txt", "sha": digest, "size": 250_000}


async def test_an_upload_that_fails_has_changed_nothing(front: Connected) -> None:
    files: list[Json] = [{"path": "data.txt", "content": {"text": "x" * 250_000}}]
    front.misbehave("lost_answer", "POST /v2/files")
    with pytest.raises(AnswerLost) as lost:
        await front.run("deploy", project=SITE, files=files)
    assert not lost.value.may_have_happened


async def test_a_deployment_is_made_once_more(front: Connected, quick: None) -> None:
    first = (await front.rows("list_deployments", project=SITE))[0]
    again = await front.row("deploy", project=SITE, redeploy_of=first["id"], target="production")
    assert again["id"] != first["id"]
    assert again["state"] == "READY"


@pytest.mark.parametrize(
    "what", [{}, {"git": GIT, "files": PAGE}, {"git": GIT, "redeploy_of": "dpl_1"}, {"files": [PAGE[0], PAGE[0]]}]
)
async def test_what_is_deployed_must_be_one_thing(front: Connected, what: dict[str, Json]) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await front.run("deploy", project=SITE, **what)
    assert front.asked() == []


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ({"type": "github", "repo": "42", "ref": "v1"}, {"type": "github", "ref": "v1", "repoId": 42}),
        ({"type": "gitlab", "repo": "42", "ref": "v1"}, {"type": "gitlab", "ref": "v1", "projectId": 42}),
        (
            {"type": "bitbucket", "repo": "a/b", "ref": "v1", "sha": "a" * 40},
            {"type": "bitbucket", "ref": "v1", "sha": "a" * 40, "owner": "a", "slug": "b"},
        ),
    ],
)
async def test_each_host_names_repositories_its_own_way(front: Connected, source: Json, sent: Json) -> None:
    await front.run("create_deployment", project=SITE, git=source)
    assert front.bodies("/v13/deployments")[0]["gitSource"] == sent


@pytest.mark.parametrize(
    "source", [{"type": "gitlab", "repo": "a/b", "ref": "v1"}, {"type": "bitbucket", "repo": "42", "ref": "v1"}]
)
async def test_repositories_named_the_wrong_way_are_not_sent(front: Connected, source: Json) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await front.run("create_deployment", project=SITE, git=source)


@pytest.mark.parametrize("path", ["/etc/passwd", "a//b", "a/", "", "a\\b", "a\nb"])
def test_paths_that_cannot_be_are_refused(path: str) -> None:
    wrong = mistakes("upload_file", path=path, content={"text": ""})
    assert wrong == ["/path"]


def test_files_that_cannot_be_are_refused() -> None:
    assert mistakes("deploy", project=SITE, files=[{"path": "a", "content": {"text": "a", "base64": "YQ=="}}])
    assert mistakes("deploy", project=SITE, files=[]) == ["/files"]
    assert mistakes("deploy", project=SITE, git=GIT, wait_seconds=271) == ["/wait_seconds"]
    assert mistakes("deploy", project=SITE, git={**GIT, "ref": "a b"}) == ["/git/ref"]


# ---------------------------------------------------------------------------------------------- step by step


async def test_files_are_uploaded_and_deployed_by_hand(front: Connected, shop: Shop) -> None:
    kept = await front.row("upload_file", path="index.html", content={"text": "<h1>Pier</h1>"})
    assert (kept["path"], kept["size"]) == ("index.html", 13)
    settings: Json = {"framework": "vite", "output_directory": "dist"}
    made = await front.row(
        "create_deployment", project=SITE, files=[kept], settings=settings, target="production", force_new=True
    )
    assert made["state"] == "QUEUED"
    (body,), (query,) = front.bodies("/v13/deployments"), front.queries("/v13/deployments")
    assert body["projectSettings"] == {"framework": "vite", "outputDirectory": "dist"}
    assert (body["target"], query["forceNew"], query["skipAutoDetectionConfirmation"]) == ("production", ["1"], ["1"])
    shop.built()
    assert (await front.row("get_deployment", deployment=made["id"]))["state"] == "READY"


async def test_a_file_that_was_never_uploaded_is_missed(front: Connected) -> None:
    with pytest.raises(Rejected, match="missing_files"):
        await front.run("create_deployment", project=SITE, files=[{"path": "a", "sha": "0" * 40, "size": 1}])


async def test_deployments_are_listed_newest_first_and_narrowed(front: Connected, shop: Shop) -> None:
    preview = await front.row("create_deployment", project=SITE, git={**GIT, "ref": "fog"})
    every = await front.rows("list_deployments", project=SITE)
    assert every[0]["id"] == preview["id"]
    moments = [str(each["created_at"]) for each in every]
    assert moments == sorted(moments, reverse=True)

    async def ids(**narrowed: Json) -> list[Json]:
        return [each["id"] for each in await front.rows("list_deployments", project=SITE, **narrowed)]

    older = [each["id"] for each in every[1:]]
    assert await ids(target="production") == older
    assert await ids(state="QUEUED") == await ids(branch="fog") == [preview["id"]]
    assert await ids(since=every[1]["created_at"]) == [preview["id"]]
    assert await ids(until=preview["created_at"]) == older
    assert await ids(limit=1) == [preview["id"]]


def test_a_moment_needs_its_time_zone() -> None:
    assert mistakes("list_deployments", since="2026-11-22T12:00:00") == ["/since"]


async def test_a_deployment_is_found_by_its_address(front: Connected) -> None:
    first = (await front.rows("list_deployments", project=SITE))[0]
    host = str(first["url"]).removeprefix("https://")
    assert (await front.row("get_deployment", deployment=host))["id"] == first["id"]
    with pytest.raises(NotThere):
        await front.run("get_deployment", deployment="dpl_nobody")


async def test_a_build_can_be_stopped_but_not_what_is_online(front: Connected) -> None:
    made = await front.row("create_deployment", project=SITE, git=GIT)
    stopped = await front.row("cancel_deployment", deployment=made["id"])
    assert (stopped["state"], stopped["is_finished"]) == ("CANCELED", True)
    first = (await front.rows("list_deployments", project=SITE, target="production"))[0]
    with pytest.raises(Rejected):
        await front.run("cancel_deployment", deployment=first["id"])


# ---------------------------------------------------------------------------------- what production serves


async def test_rolling_back_goes_to_the_one_before_and_promoting_undoes_it(front: Connected, shop: Shop) -> None:
    newest, older = [each["id"] for each in await front.rows("list_deployments", project=SITE)]
    back = await front.row("rollback", project=SITE, reason="The lamp went out")
    assert (back["deployment_id"], back["previous_deployment_id"], back["is_done"]) == (older, newest, True)
    assert front.queries(f"/rollback/{older}")[0]["description"] == ["The lamp went out"]
    assert (await front.row("get_project", project=SITE))["production_deployment_id"] == older

    with pytest.raises(NotThere, match="no earlier production deployment"):
        await front.run("rollback", project=SITE)

    forth = await front.row("promote_deployment", project=SITE, deployment=newest)
    assert forth["is_done"] is True
    assert (await front.row("get_project", project=SITE))["production_deployment_id"] == newest


async def test_rolling_back_to_a_named_deployment(front: Connected) -> None:
    older = (await front.rows("list_deployments", project=SITE))[1]
    back = await front.row("rollback", project=SITE, deployment=older["id"])
    assert back["deployment_id"] == older["id"]
    assert front.asked("/v6/deployments") == ["GET"]


async def test_after_a_rollback_new_deployments_do_not_go_live_by_themselves(front: Connected, shop: Shop) -> None:
    back = await front.row("rollback", project=SITE)
    await front.run("create_deployment", project=SITE, git=GIT, target="production")
    shop.built()
    assert (await front.row("get_project", project=SITE))["production_deployment_id"] == back["deployment_id"]


async def test_a_preview_is_built_again_to_be_promoted(front: Connected, shop: Shop) -> None:
    preview = await front.row("create_deployment", project=SITE, git=GIT)
    with pytest.raises(AlreadyThere, match="deployment_not_ready"):
        await front.run("promote_deployment", project=SITE, deployment=preview["id"])
    shop.built()
    promoted = await front.row("promote_deployment", project=SITE, deployment=preview["id"])
    assert promoted["is_done"] is False
    shop.built()
    newest = (await front.rows("list_deployments", project=SITE, target="production"))[0]
    assert (await front.row("get_project", project=SITE))["production_deployment_id"] == newest["id"]


async def test_a_result_is_json(front: Connected) -> None:
    json.dumps(await front.run("list_deployments"))
